//! An alert as Slack's incoming webhooks take it: a sentence, where it is, and by which rule.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use serde_json::{Value, json};

/// Findings of a digest that are told one by one.
const LINES: usize = 10;

/// The message of an alert (a JSON object by our own schema).
pub fn slack(alert: &Value) -> String {
    let text = |name: &str| escaped(alert[name].as_str().unwrap_or_default());
    let points = |alert: &Value| {
        let text = |name: &str| escaped(alert[name].as_str().unwrap_or_default());
        format!(
            "*{}* {}: {}",
            text("severity"),
            text("event"),
            text("title")
        )
    };
    // Several in one.
    let several = alert["findings"].as_array().or(alert["alerts"].as_array());
    if let Some(several) = several {
        let mut lines = vec![format!("*{}*", text("title"))];
        lines.extend(several.iter().take(LINES).map(points));
        let count = alert["count"].as_u64().unwrap_or(0);
        let left = count.saturating_sub(LINES as u64);
        if left > 0 {
            lines.push(format!("and {left} more"));
        }
        return json!({ "text": lines.join("\n") }).to_string();
    }
    let mut lines = vec![points(alert)];
    let named = [
        ("rule", "rule"),
        ("owner", "owner"),
        ("account", "account_id"),
        ("interface", "interface_id"),
        ("finding", "finding_id"),
    ];
    let facts = named.iter().filter(|(_, name)| alert[*name].is_string());
    let facts: Vec<String> = facts
        .map(|(word, name)| format!("{word} `{}`", text(name)))
        .collect();
    lines.push(facts.join(" · "));
    json!({ "text": lines.join("\n") }).to_string()
}

/// Slack's own three characters, as it asks for them.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_told_in_words() {
        let told = slack(&json!({
            "event": "opened", "severity": "high", "title": "a <b> & c", "rule": "default", "owner": null,
        }));
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(
            told["text"],
            "*high* opened: a &lt;b&gt; &amp; c\nrule `default`"
        );
    }
}
