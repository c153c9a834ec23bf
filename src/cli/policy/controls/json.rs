//! What is evidenced of controls, for programs: all of it as JSON, a row for each control as CSV.

use serde_json::{Value, json};

use crate::alert::instant;
use crate::app::controls::{Control, ControlsReport};
use crate::cli::policy::over;
use crate::cli::report::csv::push_row;
use crate::judge::controls::{Checked, ControlRule, Coverage, LogCoverage, Stretch, Why};

pub(super) fn json_text(report: &ControlsReport) -> String {
    let mut policy = over::name_json(&report.policy);
    policy["file_sha256"] = json!(report.file_digest);
    let coverage = &report.coverage;
    let whole = json!({
        "program": "tidegate",
        "program_version": env!("CARGO_PKG_VERSION"),
        "policy": policy,
        "over": report.lake,
        "lake": report.identity,
        "period": stretch(&coverage.period),
        "inputs_sha256": report.inputs,
        "coverage": coverage_json(coverage, report.max_lost),
        "controls": report.controls.iter().map(control_json).collect::<Value>(),
        "denied_by_default": checked(&report.by_default),
        "denied_under_no_control": rules(&report.uncontrolled),
    });
    format!("{whole:#}\n")
}

fn stretch((from, until): &Stretch) -> Value {
    json!({"from": instant(*from), "until": instant(*until)})
}

fn coverage_json(coverage: &Coverage, max_lost: f64) -> Value {
    let networks = coverage.networks.iter();
    json!({
        "complete": coverage.gaps(max_lost).is_empty(),
        "hours": coverage.hours_asked(),
        "hours_with_objects": coverage.hours,
        "missing": coverage.missing.iter().map(stretch).collect::<Value>(),
        "hours_of_another_policy": coverage.outdated,
        "objects": coverage.objects,
        "unreadable": coverage.unreadable,
        "lines": coverage.lines,
        "missing_field": coverage.missing_field,
        "lost": coverage.lost(),
        "telling": coverage.telling(),
        "max_lost_percent": max_lost,
        "out_of_scope": coverage.out_of_scope,
        "via_unknown": coverage.via_unknown,
        "flow_logs": coverage.logs.iter().map(log_json).collect::<Value>(),
        "networks": networks
            .map(|(name, seen)| json!({"network": name, "connections": seen}))
            .collect::<Value>(),
    })
}

fn log_json(log: &LogCoverage) -> Value {
    json!({
        "account_id": log.account_id,
        "region": log.region,
        "flow_log_id": log.flow_log_id,
        "objects": log.objects,
        "records": log.records,
        "skip_data": log.skip_data,
        "accepts": log.accepts,
        "rejects": log.rejects,
        "silent": log.silences.iter().map(stretch).collect::<Value>(),
    })
}

fn control_json(control: &Control) -> Value {
    let findings = control.findings.iter().map(|finding| {
        json!({
            "finding_id": finding.finding_id,
            "kind": finding.kind.as_str(),
            "severity": finding.severity.as_str(),
            "rule": finding.rule,
            "title": finding.title,
            "connections": finding.connections,
            "muted": finding.muted,
        })
    });
    json!({
        "control": control.name,
        "state": control.state.as_str(),
        "why": control.why.iter().map(why_json).collect::<Value>(),
        "checked": checked(&sum(control)),
        "denied_by_default": checked(&control.by_default),
        "rules": rules(&control.rules),
        "findings": findings.collect::<Value>(),
        "num_findings": control.num_findings,
        "num_muted": control.num_muted,
    })
}

fn why_json(why: &Why) -> Value {
    json!({"reason": why.as_str(), "text": why.to_string()})
}

fn rules(rules: &[ControlRule]) -> Value {
    let rules = rules.iter().map(|rule| {
        json!({
            "rule": rule.id,
            "effect": rule.effect.as_str(),
            "observable": rule.observable,
            "in_force": rule.in_force,
            "checked": checked(&rule.checked),
        })
    });
    rules.collect()
}

fn checked(checked: &Checked) -> Value {
    json!({
        "connections": checked.connections(),
        "compliant": checked.compliant,
        "overblocked": checked.overblocked,
        "blocked": checked.blocked,
        "attempted": checked.attempted,
        "violation": checked.violation,
        "unproven": checked.unproven,
        "path_unknown": checked.path_unknown,
    })
}

fn sum(control: &Control) -> Checked {
    let mut sum = Checked::default();
    for rule in &control.rules {
        sum += rule.checked;
    }
    sum
}

/// A header and a row for each control.
pub(super) fn csv(report: &ControlsReport) -> String {
    const VERDICTS: [&str; 8] = [
        "connections",
        "compliant",
        "overblocked",
        "blocked",
        "attempted",
        "violation",
        "unproven",
        "path_unknown",
    ];
    let mut text = String::new();
    let head = ["control", "state", "why", "rules"].into_iter();
    let head = head.chain(VERDICTS).chain([
        "findings",
        "muted",
        "from",
        "until",
        "policy_id",
        "policy_hash",
        "inputs_sha256",
        "program_version",
    ]);
    push_row(&mut text, &head.map(Value::from).collect::<Vec<_>>());
    let period = stretch(&report.coverage.period);
    for control in &report.controls {
        let ids = control.rules.iter().map(|rule| rule.id.as_str());
        let reasons = control.why.iter().map(Why::as_str);
        let mut row = vec![
            json!(control.name),
            json!(control.state.as_str()),
            reasons.collect(),
            ids.collect(),
        ];
        let sum = checked(&sum(control));
        row.extend(VERDICTS.map(|verdict| sum[verdict].clone()));
        row.extend([
            json!(control.num_findings),
            json!(control.num_muted),
            period["from"].clone(),
            period["until"].clone(),
            json!(report.policy.id),
            json!(report.policy.hash),
            json!(report.inputs),
            json!(env!("CARGO_PKG_VERSION")),
        ]);
        push_row(&mut text, &row);
    }
    text
}
