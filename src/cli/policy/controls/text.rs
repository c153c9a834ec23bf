//! What is evidenced of controls, for people: what the evidence rests on, then each control with what speaks against it.

use crate::app::controls::{Control, ControlsReport};
use crate::cli::policy::over::{self, hanging};
use crate::cli::report::words;
use crate::judge::controls::{Checked, ControlRule, Coverage, LogCoverage, State, Stretch};

/// Stretches, flow logs and findings that are told; JSON has all.
const TOLD: usize = 5;

pub(super) fn text(report: &ControlsReport, width: usize) -> String {
    let coverage = &report.coverage;
    let head = format!(
        "Controls of {} over {}, {}",
        over::name(&report.policy),
        report.lake,
        stretch(&coverage.period)
    );
    let mut page = hanging("", &head, width);
    let states = State::ALL.map(|state| {
        let of_state = report
            .controls
            .iter()
            .filter(|control| control.state == state);
        format!("{} {}", of_state.count(), shown(state))
    });
    page.push_str(&hanging("  ", &states.join(", "), width));
    page.push_str("\nEvidence\n");
    for (lead, text) in evidence(report) {
        page.push_str(&hanging(&format!("  {lead:<13} "), &text, width));
    }
    for control in &report.controls {
        page.push_str(&control_text(control, width));
    }
    page.push_str("\nUnder no control\n");
    page.push_str(&hanging("  default: ", &checked(&report.by_default), width));
    for rule in &report.uncontrolled {
        page.push_str(&rule_text(rule, width));
    }
    page
}

fn shown(state: State) -> &'static str {
    match state {
        State::NotEvidenced => "not evidenced",
        state => state.as_str(),
    }
}

fn stretch((from, until): &Stretch) -> String {
    words::interval(*from, *until)
}

/// What the evidence rests on, each line with its lead.
fn evidence(report: &ControlsReport) -> Vec<(&'static str, String)> {
    let coverage = &report.coverage;
    let mut lines = vec![
        ("program", format!("tidegate {}", env!("CARGO_PKG_VERSION"))),
        ("policy hash", report.policy.hash.clone()),
        ("policy file", format!("SHA-256 {}", report.file_digest)),
        ("inputs", format!("SHA-256 {}", report.inputs)),
        ("sources", report.identity.sources.join(", ")),
    ];
    for (lead, selected) in [
        ("accounts", &report.identity.accounts),
        ("regions", &report.identity.regions),
    ] {
        if !selected.is_empty() {
            lines.push((lead, selected.join(", ")));
        }
    }
    let hours = words::counted(coverage.hours_asked(), "hour");
    lines.push((
        "hours",
        format!("{} of {hours} have objects", words::count(coverage.hours)),
    ));
    if !coverage.missing.is_empty() {
        lines.push((
            "missing",
            few(coverage.missing.iter().map(stretch).collect()),
        ));
    }
    if coverage.outdated > 0 {
        let hours = words::counted(coverage.outdated, "hour");
        lines.push((
            "",
            format!("{hours} of them judged for another policy or selection"),
        ));
    }
    lines.push(("objects", objects(coverage)));
    lines.push(("lines", lines_text(coverage, report.max_lost)));
    lines.push((
        "out of scope",
        format!(
            "{} of the records, which no network of the policy claims",
            words::percent(coverage.out_of_scope, coverage.lines.records)
        ),
    ));
    if coverage.via_unknown > 0 {
        lines.push((
            "path unknown",
            format!(
                "{} on which a rule with a path matched",
                words::counted(coverage.via_unknown, "connection")
            ),
        ));
    }
    lines.push(("flow logs", words::count(coverage.logs.len() as u64)));
    let silent = coverage.logs.iter().filter(|log| !log.silences.is_empty());
    let silent = silent.map(|log| {
        let silences = few(log.silences.iter().map(stretch).collect());
        ("silent", format!("{}: {silences}", name(log)))
    });
    lines.extend(silent);
    let reject_only = coverage.logs.iter().filter(|log| log.is_reject_only());
    lines.extend(reject_only.map(|log| ("REJECT only", name(log))));
    lines
}

fn objects(coverage: &Coverage) -> String {
    let read = words::count(coverage.objects);
    match coverage.unreadable {
        0 => format!("{read} read"),
        unreadable => format!("{read} read, {} unreadable", words::count(unreadable)),
    }
}

fn lines_text(coverage: &Coverage, max_lost: f64) -> String {
    let lines = &coverage.lines;
    format!(
        "{} (NODATA {}); lost: {} ({} SKIPDATA, {} malformed, {} without what it takes to judge them); at most {max_lost}% may be",
        words::counted(lines.records, "record"),
        words::count(lines.no_data),
        words::count(coverage.lost()),
        words::count(lines.skip_data),
        words::count(lines.malformed),
        words::count(coverage.missing_field),
    )
}

fn name(log: &LogCoverage) -> String {
    let id = log.flow_log_id.as_deref().unwrap_or("without an id");
    match &log.account_id {
        Some(account) => format!("{id} of {account}"),
        None => id.to_owned(),
    }
}

/// The first of them, and how many more there are.
fn few(all: Vec<String>) -> String {
    let more = all.len().saturating_sub(TOLD);
    let mut told = all[..all.len() - more].join(", ");
    if more > 0 {
        told.push_str(&format!(", and {more} more"));
    }
    told
}

fn control_text(control: &Control, width: usize) -> String {
    let name = words::clean(&control.name);
    let mut page = format!("\n{name}: {}\n", shown(control.state));
    for why in &control.why {
        page.push_str(&hanging("  - ", &why.to_string(), width));
    }
    for rule in &control.rules {
        page.push_str(&rule_text(rule, width));
    }
    if control.by_default.connections() > 0 {
        page.push_str(&hanging(
            "  between the same zones by default: ",
            &checked(&control.by_default),
            width,
        ));
    }
    if control.num_findings > 0 {
        let mut findings = words::counted(control.num_findings, "finding");
        if control.num_muted > 0 {
            findings.push_str(&format!(" ({} muted)", words::count(control.num_muted)));
        }
        page.push_str(&format!("  {findings}\n"));
    }
    for finding in control.findings.iter().take(TOLD) {
        let muted = if finding.muted { " (muted)" } else { "" };
        let text = format!(
            "{} {}: {}{muted}",
            finding.finding_id,
            finding.severity.as_str(),
            finding.title
        );
        page.push_str(&hanging("    ", &text, width));
    }
    page
}

fn rule_text(rule: &ControlRule, width: usize) -> String {
    let lead = format!("  {} {}: ", rule.effect.as_str(), words::clean(&rule.id));
    // A long id would leave no room beside it.
    if lead.chars().count() * 2 > width {
        return format!(
            "{}\n{}",
            lead.trim_end(),
            hanging("      ", &checked(&rule.checked), width)
        );
    }
    hanging(&lead, &checked(&rule.checked), width)
}

/// `12 compliant, 1 overblocked`.
fn checked(checked: &Checked) -> String {
    let counts = [
        (checked.violation, "violation"),
        (checked.attempted, "attempted"),
        (checked.blocked, "blocked"),
        (checked.compliant, "compliant"),
        (checked.overblocked, "overblocked"),
        (checked.unproven, "unproven"),
        (checked.path_unknown, "of an unknown path"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = counts
        .map(|(count, what)| format!("{} {what}", words::count(count)))
        .collect();
    if told.is_empty() {
        "no connection".to_owned()
    } else {
        told.join(", ")
    }
}
