//! JSON: the whole report as one object, or one finding a line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields;
use crate::alert::instant;
use crate::app::report::{Coverage, LakeSummary, PolicyInForce, RunReport};
use crate::app::resolver::ResolverReport;

/// The whole report as one object.
pub(super) fn report(report: &RunReport) -> String {
    let findings: Vec<fields::Fields> = report
        .findings
        .iter()
        .map(|finding| fields::of(report, finding))
        .collect();
    let matrix: Vec<Value> = report
        .matrix
        .iter()
        .map(|((client, server), cell)| {
            json!({
                "client_zone": client,
                "server_zone": server,
                "compliant": cell.compliant,
                "violation": cell.violation,
                "attempted": cell.attempted,
                "blocked": cell.blocked,
                "overblocked": cell.overblocked,
                "unproven": cell.unproven,
            })
        })
        .collect();
    let mut whole = fields::Fields(vec![
        (
            "tool",
            json!({"name": "tidegate", "version": env!("CARGO_PKG_VERSION")}),
        ),
        (
            "policy",
            json!({"id": report.policy_id, "title": report.policy_title, "hash": report.policy_hash}),
        ),
        ("coverage", coverage(&report.coverage)),
        ("zones", json!(report.zones)),
        ("matrix", json!(matrix)),
        ("findings_total", json!(report.findings_total)),
        ("findings_open", json!(report.findings_open)),
        ("known", json!(report.known)),
        ("findings", json!(findings)),
        (
            "noise",
            json!({
                "connections": report.noise.connections,
                "records": report.noise.records,
                "addresses": report.noise.addresses,
            }),
        ),
        ("lake", json!(report.lake.as_ref().map(lake))),
        (
            "resolver_logs",
            json!(report.resolver.as_ref().map(resolver_logs)),
        ),
        ("warnings", json!(report.warnings)),
    ]);
    if !report.policies.is_empty() {
        let policies: Vec<fields::Fields> = report.policies.iter().map(policy).collect();
        whole.0.insert(2, ("policies", json!(policies)));
    }
    let mut text =
        serde_json::to_string_pretty(&whole).expect("values of the report are plain JSON");
    text.push('\n');
    text
}

/// One finding a line.
pub(super) fn findings(report: &RunReport) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let line = serde_json::to_string(&fields::of(report, finding))
            .expect("fields of a finding are plain JSON");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// One of several policies.
fn policy(policy: &PolicyInForce) -> fields::Fields {
    fields::Fields(vec![
        ("id", json!(policy.id)),
        ("title", json!(policy.title)),
        ("hash", json!(policy.hash)),
        ("from", json!(policy.from.map(instant))),
        ("until", json!(policy.until.map(instant))),
        (
            "resolver_logs",
            json!(policy.resolver.as_ref().map(resolver_logs)),
        ),
    ])
}

fn coverage(coverage: &Coverage) -> Value {
    let unreadable: Vec<Value> = coverage
        .unreadable
        .iter()
        .map(|(url, why)| json!({"source": url, "reason": why}))
        .collect();
    let malformed: Vec<Value> = coverage
        .malformed_samples
        .iter()
        .map(|sample| json!({"source": sample.source, "line": sample.line, "reason": sample.reason, "text": sample.text}))
        .collect();
    let lacking: BTreeMap<&str, &str> = coverage.lacking.iter().copied().collect();
    json!({
        "objects": coverage.objects,
        "bytes": coverage.bytes,
        "decoded_bytes": coverage.decoded_bytes,
        "ignored": coverage.ignored,
        "unreadable": unreadable,
        "lines": coverage.lines,
        "malformed_samples": malformed,
        "first_start": coverage.times.map(|(first, _)| instant(first)),
        "last_end": coverage.times.map(|(_, last)| instant(last)),
        "networks": coverage.networks,
        "interfaces": coverage.interfaces,
        "out_of_scope": coverage.out_of_scope,
        "orientation": coverage.orientation,
        "unjudged": coverage.unjudged,
        "via_unknown": coverage.via_unknown,
        "by_name": {
            "client": coverage.by_client,
            "network": coverage.by_network,
            "snapshot": coverage.by_snapshot,
            "shared": coverage.shared,
        },
        "layouts": coverage.layouts,
        "assumed_layouts": coverage.assumed_layouts,
        "lacking": lacking,
        "advised_format": coverage.advised_format,
        "evidence_let_go": coverage.evidence_let_go,
    })
}

fn resolver_logs(read: &ResolverReport) -> Value {
    let malformed = read.malformed_samples.iter();
    let malformed: Vec<Value> = malformed
        .map(|(url, line, why)| json!({"source": url, "line": line, "reason": why}))
        .collect();
    let gathered = &read.gathered;
    json!({
        "objects": read.objects,
        "bytes": read.bytes,
        "lines": read.lines,
        "blank": read.blank,
        "malformed": read.malformed,
        "malformed_samples": malformed,
        "queries": gathered.queries,
        "answers": gathered.answers,
        "out_of_scope": gathered.out_of_scope,
        "first_query": gathered.times.map(|(first, _)| instant(first)),
        "last_query": gathered.times.map(|(_, last)| instant(last)),
        "grace_seconds": read.grace,
        "let_go": gathered.let_go,
        "needed_let_go": gathered.needed_let_go,
        "digest": read.digest,
    })
}

fn lake(lake: &LakeSummary) -> Value {
    json!({
        "url": lake.url,
        "hours_written": lake.hours_written,
        "hours_kept": lake.hours_kept,
        "rows": lake.rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::sample;

    #[test]
    fn whole_report_is_one_object() {
        let text = report(&sample::report());
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["findings"].as_array().map(Vec::len), Some(4));
        assert_eq!(value["coverage"]["lines"]["records"], 50_100);
        assert_eq!(value["coverage"]["first_start"], "2026-02-25T06:00:00Z");
        assert_eq!(value["findings"][2]["known"], true);
        insta::assert_snapshot!("report_json", text);
    }

    #[test]
    fn ndjson_has_one_finding_a_line() {
        let text = findings(&sample::report());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line["finding_id"].is_string()));
        insta::assert_snapshot!("report_ndjson", text);
    }

    #[test]
    fn a_run_without_findings_writes_no_line() {
        assert_eq!(findings(&RunReport::default()), "");
    }
}
