//! An alert as a message to a topic of Amazon SNS. <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::SendError;
use super::arn::Arn;
use super::aws::Service;

/// The version of the API.
const VERSION: &str = "2010-03-31";
/// Bytes of a message at most, its attributes included.
const MOST: usize = 256 * 1024;
/// Characters of a subject at most.
const SUBJECT: usize = 100;
/// What subscriptions may filter by.
const ATTRIBUTES: [&str; 3] = ["severity", "kind", "event"];

/// Publishes an alert (a JSON object by our own schema) in its form.
pub(super) async fn publish(
    service: &Service,
    topic: &Arn,
    alert: &str,
    form: &str,
) -> Result<(), SendError> {
    let alert: Value = serde_json::from_str(alert).unwrap_or(Value::Null);
    let attributes: usize = attributes(&alert)
        .map(|(name, value)| name.len() + "String".len() + value.len())
        .sum();
    if form.len() + attributes > MOST {
        let kib = MOST / 1024;
        return Err(SendError::Never(format!(
            "it is larger than the {kib} KiB that SNS takes"
        )));
    }
    let content_type = "application/x-www-form-urlencoded; charset=utf-8";
    let request = request(topic, &alert, form);
    service.call("/", content_type, request).await.map(drop)
}

fn request(topic: &Arn, alert: &Value, form: &str) -> String {
    let mut request = Serializer::new(String::new());
    request
        .append_pair("Action", "Publish")
        .append_pair("Version", VERSION)
        .append_pair("TopicArn", &topic.text)
        .append_pair("Subject", &subject(alert))
        .append_pair("Message", form);
    for (place, (name, value)) in attributes(alert).enumerate() {
        let entry = format!("MessageAttributes.entry.{}", place + 1);
        request
            .append_pair(&format!("{entry}.Name"), name)
            .append_pair(&format!("{entry}.Value.DataType"), "String")
            .append_pair(&format!("{entry}.Value.StringValue"), value);
    }
    if topic.resource.ends_with(".fifo") {
        // Of a finding in order, and each once.
        let group = alert["finding_id"].as_str().unwrap_or("digests");
        let id = alert["alert_id"].as_str().unwrap_or_default();
        request
            .append_pair("MessageGroupId", group)
            .append_pair("MessageDeduplicationId", id);
    }
    request.finish()
}

fn attributes(alert: &Value) -> impl Iterator<Item = (&'static str, &str)> {
    let told = ATTRIBUTES
        .into_iter()
        .filter_map(move |name| Some((name, alert[name].as_str()?)));
    told.filter(|(_, value)| !value.is_empty())
}

/// A line for people: ASCII without control characters, as SNS asks.
fn subject(alert: &Value) -> String {
    let mut subject = "tidegate:".to_owned();
    for name in ["severity", "event", "title"] {
        if let Some(word) = alert[name].as_str() {
            subject.push(' ');
            subject.push_str(word);
        }
    }
    let plain = subject.chars().map(|c| match c {
        ' '..='~' => c,
        _ => '?',
    });
    let plain: String = plain.take(SUBJECT).collect();
    plain.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topic(name: &str) -> Arn {
        let arn = format!("arn:aws:sns:eu-west-1:123456789012:{name}");
        Arn::of("sns", &arn).expect("a name")
    }

    #[test]
    fn a_message_has_a_subject_and_what_to_filter_by() {
        let alert =
            json!({"event": "opened", "severity": "high", "kind": "unproven", "title": "a & b"});
        let request = request(&topic("alerts"), &alert, "{}");
        assert_eq!(
            request,
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Aalerts\
             &Subject=tidegate%3A+high+opened+a+%26+b&Message=%7B%7D\
             &MessageAttributes.entry.1.Name=severity&MessageAttributes.entry.1.Value.DataType=String\
             &MessageAttributes.entry.1.Value.StringValue=high\
             &MessageAttributes.entry.2.Name=kind&MessageAttributes.entry.2.Value.DataType=String\
             &MessageAttributes.entry.2.Value.StringValue=unproven\
             &MessageAttributes.entry.3.Name=event&MessageAttributes.entry.3.Value.DataType=String\
             &MessageAttributes.entry.3.Value.StringValue=opened"
        );
    }

    #[test]
    fn a_topic_that_keeps_order_is_told_of_what() {
        let alert = json!({"alert_id": "00", "finding_id": "11", "event": "opened"});
        let request = request(&topic("alerts.fifo"), &alert, "{}");
        let expected = "&MessageGroupId=11&MessageDeduplicationId=00";
        assert!(request.ends_with(expected), "{request}");
    }

    #[test]
    fn a_subject_is_short_plain_text() {
        let title = format!("é\n{}", "x".repeat(200));
        let subject = subject(&json!({"event": "digest", "title": title}));
        assert_eq!(subject.len(), SUBJECT);
        assert!(subject.starts_with("tidegate: digest ??xxx"), "{subject}");
    }
}
