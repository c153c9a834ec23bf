//! What `policy check` finds as SARIF 2.1.0 (OASIS) for code scanning: a rule for each kind of lint, a result for each
//! error and lint at its place in the policy file.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Checked;
use crate::cli::report::sarif::{SCHEMA, uri};
use crate::policy::{LINTS, LintKind, LintLevel, Remark};

pub(super) fn render(checked: &[Checked<'_>]) -> String {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut results = Vec::new();
    for checked in checked {
        let uri = uri(&checked.file.display().to_string());
        for (kind, level, remark) in checked.remarks() {
            // By the line's text, not its number: lines above may come and go.
            let about = format!("{}:{uri}:{}", kind.code, remark.source_line.trim());
            let occurrence = seen.entry(about.clone()).or_default();
            *occurrence += 1;
            results.push(result(
                kind,
                level,
                remark,
                &uri,
                &format!("{about}:{occurrence}"),
            ));
        }
    }
    let notifications: Vec<Value> = checked.iter().filter_map(notification).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tidegate",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": LINTS.map(rule),
            }},
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(kind: &LintKind) -> Value {
    json!({
        "id": kind.code,
        "name": kind.name,
        "shortDescription": {"text": kind.finds},
        "help": {"text": kind.page, "markdown": kind.page},
        "defaultConfiguration": {"level": kind.level.as_str()},
        "properties": {"tags": ["security"]},
    })
}

fn result(
    kind: &LintKind,
    level: LintLevel,
    remark: &Remark,
    uri: &str,
    fingerprint: &str,
) -> Value {
    let mut message = remark.message.clone();
    if let Some(hint) = &remark.hint {
        message.push_str(&format!(" (hint: {hint})"));
    }
    json!({
        "ruleId": kind.code,
        "ruleIndex": LINTS.iter().position(|known| *known == kind),
        "kind": "fail",
        "level": level.as_str(),
        "message": {"text": message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": remark.line, "startColumn": remark.column},
        }}],
        "partialFingerprints": {"tidegateLint/v1": fingerprint},
    })
}

/// What stands for a file that could not be read.
fn notification(checked: &Checked<'_>) -> Option<Value> {
    let error = checked.unread()?;
    Some(json!({
        "level": "error",
        "message": {"text": error.to_string()},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&checked.file.display().to_string())},
        }}],
    }))
}
