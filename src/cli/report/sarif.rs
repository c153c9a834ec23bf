//! SARIF 2.1.0 (OASIS) for code scanning: a rule for each policy rule, a result for each finding, placed at its raw line.
//! Known and muted findings are suppressed results, so that a viewer keeps them apart by itself.

use serde_json::{Map, Value, json};

use super::{fields, words};
use crate::alert::instant;
use crate::app::report::RunReport;
use crate::judge::Finding;
use crate::policy::{DETECTORS, Severity};

pub(in crate::cli) const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The report as a SARIF log with one run.
pub(super) fn render(report: &RunReport) -> String {
    let rules = rules(report);
    let index_of = |rule: &str| rules.iter().position(|entry| entry["id"] == rule);
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(report, finding, index_of(name(finding))))
        .collect();
    let notifications: Vec<Value> = report
        .coverage
        .unreadable
        .iter()
        .map(|(url, why)| {
            json!({
                "level": "error",
                "message": {"text": format!("could not read the object: {why}")},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(url)}}}],
            })
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tidegate",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": report.coverage.unreadable.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "properties": {"policyId": report.policy_id, "policyHash": report.policy_hash},
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// The rules that findings name, by id, each once.
fn rules(report: &RunReport) -> Vec<Value> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by(|a, b| name(a).cmp(name(b)).then(b.severity.cmp(&a.severity)));
    findings.dedup_by(|next, first| name(next) == name(first));
    findings.into_iter().map(rule).collect()
}

/// The rule that a finding names; its kind where it is about none.
fn name(finding: &Finding) -> &str {
    match finding.rule.as_str() {
        "" => finding.kind.as_str(),
        rule => rule,
    }
}

/// The rule of a finding; `worst` is the worst finding that names it.
fn rule(worst: &Finding) -> Value {
    let mut properties = Map::new();
    properties.insert(
        "tags".to_owned(),
        json!(
            ["security"]
                .into_iter()
                .chain(worst.controls.iter().map(String::as_str))
                .collect::<Vec<_>>()
        ),
    );
    properties.insert("security-severity".to_owned(), json!(score(worst.severity)));
    if !worst.owner.is_empty() {
        properties.insert("owner".to_owned(), json!(worst.owner));
    }
    json!({
        "id": name(worst),
        "name": name(worst),
        "shortDescription": {"text": description(worst)},
        "defaultConfiguration": {"level": level(worst.severity)},
        "properties": properties,
    })
}

/// Why there is such a rule, whatever was found by it.
fn description(finding: &Finding) -> &str {
    let detectors = DETECTORS.iter();
    let mut of_kind = detectors.filter(|known| known.name == finding.kind.as_str());
    of_kind
        .next()
        .map_or_else(|| fields::reason(finding), |known| known.finds)
}

fn result(report: &RunReport, finding: &Finding, rule_index: Option<usize>) -> Value {
    let mut message = finding.title.clone();
    if let Some(lacked) = &finding.lacked {
        message.push_str(&format!(" (the nearest allow lacked: {lacked})"));
    }
    let mut physical = json!({"artifactLocation": {"uri": uri(&finding.source)}});
    // SARIF counts lines from 1; a finding without a raw line has none.
    if finding.line > 0 {
        physical["region"] = json!({"startLine": finding.line});
    }
    // A flow log that delivered nothing all day has no object.
    let locations = match finding.source.as_str() {
        "" => json!([]),
        _ => json!([{"physicalLocation": physical}]),
    };
    let mut result = json!({
        "ruleId": name(finding),
        "kind": "fail",
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": locations,
        "partialFingerprints": {"tidegateFindingId/v1": finding.finding_id},
        "properties": {
            "kind": finding.kind.as_str(),
            "severity": finding.severity.as_str(),
            "confidence": finding.confidence.as_str(),
            "client": finding.client.subject,
            "clientZone": finding.client.zone,
            "server": finding.server.subject,
            "serverZone": finding.server.zone,
            "service": words::service(finding.protocol, finding.server_port),
            "connections": finding.connections,
            "bytes": finding.bytes,
            "firstSeen": instant(finding.first_seen),
            "lastSeen": instant(finding.last_seen),
        },
    });
    for (name, end) in [
        ("clientOrigins", &finding.client),
        ("serverOrigins", &finding.server),
    ] {
        let known = end.heaviest.iter();
        let known = known.filter_map(|(addr, _)| Some((addr, report.origins.get(addr)?)));
        let known: Vec<String> = known
            .map(|(addr, origin)| format!("{addr} ({origin})"))
            .collect();
        if !known.is_empty() {
            result["properties"][name] = json!(known);
        }
    }
    if let Some(index) = rule_index {
        result["ruleIndex"] = json!(index);
    }
    let why = if report.is_known(finding) {
        Some("listed by --known")
    } else if finding.muted {
        Some("muted by the policy")
    } else {
        None
    };
    if let Some(why) = why {
        result["suppressions"] =
            json!([{"kind": "external", "status": "accepted", "justification": why}]);
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
        Severity::Info => "none",
    }
}

/// The score that GitHub sorts by (*SARIF support for code scanning*: over 9.0 critical, 7.0 to 8.9 high, 4.0 to 6.9
/// medium, below low), as text.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

/// A source as URI reference (RFC 3986): an absolute path gets `file://`, other characters than path ones are escaped.
pub(in crate::cli) fn uri(source: &str) -> String {
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None if source.starts_with('/') => ("file://".to_owned(), source),
        None => (String::new(), source),
    };
    let mut uri = scheme;
    for byte in rest.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte);
        if plain {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::sample;

    /// What SARIF 2.1.0 requires (sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.49) and what code scanning needs besides.
    fn check_required(log: &Value) {
        assert_eq!(log["version"], "2.1.0");
        for run in log["runs"].as_array().expect("runs") {
            let driver = &run["tool"]["driver"];
            assert!(driver["name"].is_string());
            let rules = driver["rules"].as_array().expect("rules");
            let mut ids: Vec<&str> = rules
                .iter()
                .map(|rule| rule["id"].as_str().expect("a rule's id"))
                .collect();
            ids.dedup();
            assert_eq!(ids.len(), rules.len(), "rule ids are unique");
            for rule in rules {
                assert!(
                    rule["shortDescription"]["text"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty())
                );
            }
            for invocation in run["invocations"].as_array().expect("invocations") {
                assert!(invocation["executionSuccessful"].is_boolean());
                for notification in invocation["toolExecutionNotifications"]
                    .as_array()
                    .expect("notifications")
                {
                    assert!(notification["message"]["text"].is_string());
                }
            }
            for result in run["results"].as_array().expect("results") {
                assert!(
                    result["message"]["text"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty())
                );
                assert!(
                    ["none", "note", "warning", "error"]
                        .contains(&result["level"].as_str().expect("a level"))
                );
                let index = result["ruleIndex"].as_u64().expect("a rule index") as usize;
                assert_eq!(rules[index]["id"], result["ruleId"]);
                let physical = &result["locations"][0]["physicalLocation"];
                let uri = physical["artifactLocation"]["uri"].as_str().expect("a uri");
                assert!(
                    !uri.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}']),
                    "{uri}"
                );
                assert!(
                    physical["region"].is_null()
                        || physical["region"]["startLine"].as_u64() >= Some(1)
                );
                let prints = result["partialFingerprints"]
                    .as_object()
                    .expect("fingerprints");
                assert!(prints.values().all(Value::is_string) && !prints.is_empty());
                for suppression in result["suppressions"].as_array().into_iter().flatten() {
                    assert!(
                        ["inSource", "external"]
                            .contains(&suppression["kind"].as_str().expect("a kind"))
                    );
                }
            }
        }
    }

    #[test]
    fn log_has_what_sarif_requires() {
        let text = render(&sample::report());
        let log: Value = serde_json::from_str(&text).expect("JSON");
        check_required(&log);
        let run = &log["runs"][0];
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
        assert_eq!(
            run["results"][0]["partialFingerprints"]["tidegateFindingId/v1"],
            "a1b2c3d4e5f60718"
        );
        assert_eq!(
            run["results"][2]["suppressions"][0]["justification"],
            "listed by --known"
        );
        insta::assert_snapshot!("report_sarif", text);
        check_required(&serde_json::from_str(&render(&RunReport::default())).expect("JSON"));
    }

    #[test]
    fn sources_become_uri_references() {
        fn check(source: &str, expected: &str) {
            assert_eq!(uri(source), expected);
        }
        check(
            "s3://bucket/AWSLogs/1/a b.log.gz",
            "s3://bucket/AWSLogs/1/a%20b.log.gz",
        );
        check("logs/a#1.log", "logs/a%231.log");
        check("/var/log/a.log", "file:///var/log/a.log");
        check("logs/ä:b", "logs/%C3%A4%3Ab");
    }
}
