//! A finding for people: who, where, port, the rule and its reason, what the nearest allow lacked, how much, when, and the
//! raw line that shows it.

use std::collections::BTreeMap;

use super::super::fields::reason;
use super::super::words::{bytes, clean, count, counted, interval, service, wrap};
use super::paint::Tone;
use super::{LABEL, Page};
use crate::judge::{Confidence, Finding, ServerNames, Subject};
use crate::net::{Addr, Origin};
use crate::policy::DomainLevel;

/// Addresses of an end that are named; JSON has up to ten.
const MAX_ADDRESSES: usize = 3;

pub(super) fn write(page: &mut Page, finding: &Finding, origins: &BTreeMap<Addr, Origin>) {
    page.line("");
    head(page, finding);
    page.item(&finding.finding_id, &seen(finding, origins));
    let mut why = reason(finding).to_owned();
    if !finding.owner.is_empty() {
        why.push_str(&format!(" (owner {})", finding.owner));
    }
    if finding.rule.is_empty() {
        page.item("why", &why);
    } else {
        page.item("rule", &format!("{}: {why}", finding.rule));
    }
    if let Some(lacked) = &finding.lacked {
        page.item("nearest allow", lacked);
    }
    if !finding.server_names.names.is_empty() {
        page.item("asked for", &asked_for(&finding.server_names));
    }
    if finding.source.is_empty() {
        return;
    }
    // Whole, so that it can be copied.
    let place = match finding.line {
        0 => clean(&finding.source),
        line => clean(&format!("{}:{line}", finding.source)),
    };
    page.line(&format!(
        "  {:<width$}{place}",
        if finding.line == 0 {
            "object"
        } else {
            "raw line"
        },
        width = LABEL - 2
    ));
}

/// The names that led to the server, and who asked for them.
fn asked_for(names: &ServerNames) -> String {
    let shown = &names.names[..names.names.len().min(MAX_ADDRESSES)];
    let mut text = shown.join(" ");
    let others = names.total.saturating_sub(shown.len() as u64);
    if others > 0 {
        text.push_str(&format!(" and {} more", count(others)));
    }
    if names.level == Some(DomainLevel::Network) {
        text.push_str(" (by others of the network)");
    }
    text
}

/// A finding that was accepted earlier, in a line.
pub(super) fn write_accepted(page: &mut Page, finding: &Finding, why: &str) {
    let head = format!("  {why:<width$}", width = LABEL - 2);
    let head = page.paint.tone(Tone::Faint, &head);
    let text = format!(
        "{} {} {} [{}]",
        finding.severity.as_str(),
        finding.kind.as_str(),
        ends(finding),
        finding.finding_id
    );
    page.hanging(&head, &text);
}

fn head(page: &mut Page, finding: &Finding) {
    let severity = format!(
        "  {:<width$}",
        finding.severity.as_str().to_uppercase(),
        width = LABEL - 2
    );
    let severity = page.paint.severity(finding.severity, &severity);
    let text = format!("{} {}", finding.kind.as_str(), ends(finding));
    let room = page.width.saturating_sub(LABEL);
    for (index, line) in wrap(&clean(&text), room).iter().enumerate() {
        let lead = if index == 0 {
            severity.clone()
        } else {
            " ".repeat(LABEL)
        };
        let line = page.paint.tone(Tone::Strong, line);
        page.line(&format!("{lead}{line}"));
    }
}

/// `etl (app) → internet 4444/tcp`; as much of it as the finding is about.
fn ends(finding: &Finding) -> String {
    let ends = [&finding.client, &finding.server].map(end);
    let ends = ends.into_iter().filter(|end| !end.is_empty());
    let ends = ends.collect::<Vec<_>>().join(" → ");
    let service = service(finding.protocol, finding.server_port);
    format!("{ends} {service}").trim().to_owned()
}

/// The subject, with its zone where that says more.
fn end(subject: &Subject) -> String {
    if subject.subject == subject.zone || subject.zone.is_empty() {
        return subject.subject.clone();
    }
    format!("{} ({})", subject.subject, subject.zone)
}

/// The heaviest addresses of an end, and whose they are; none where the subject is the only address.
fn addresses(side: &str, subject: &Subject, origins: &BTreeMap<Addr, Origin>) -> Option<String> {
    let whose = |addr| origins.get(addr).map(|origin| format!(" ({origin})"));
    let named: Vec<String> = subject
        .heaviest
        .iter()
        .take(MAX_ADDRESSES)
        .map(|(addr, _)| format!("{addr}{}", whose(addr).unwrap_or_default()))
        .collect();
    let only_itself = named.len() == 1 && named[0] == subject.subject && subject.addresses <= 1;
    if named.is_empty() || only_itself {
        return None;
    }
    let others = subject.addresses.saturating_sub(named.len() as u64);
    let others = if others > 0 {
        format!(" and {} more", count(others))
    } else {
        String::new()
    };
    Some(format!("{side} {}{others}", named.join(" ")))
}

/// How much, what became of it, when, and the addresses behind the subjects.
fn seen(finding: &Finding, origins: &BTreeMap<Addr, Origin>) -> String {
    let mut parts = vec![
        counted(finding.connections, "connection"),
        bytes(finding.bytes),
    ];
    if let Some(outcome) = finding.outcome {
        parts.push(outcome.as_str().to_owned());
    }
    if let Some(via) = finding.via {
        parts.push(format!("via {}", via.as_str()));
    }
    if finding.confidence == Confidence::Ambiguous {
        parts.push("direction ambiguous".to_owned());
    }
    parts.push(interval(finding.first_seen, finding.last_seen));
    let ends = [("client", &finding.client), ("server", &finding.server)];
    let named = ends
        .iter()
        .filter_map(|(side, end)| addresses(side, end, origins));
    std::iter::once(parts.join(", "))
        .chain(named)
        .collect::<Vec<_>>()
        .join("; ")
}
