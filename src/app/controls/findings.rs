//! The findings of a period that rest on rules, each once however many days it comes.

use std::collections::BTreeMap;

use crate::judge::controls::Stretch;
use crate::judge::{Finding, Kind};
use crate::policy::Severity;
use crate::sink::{Day, Hour, Lake, LakeError};

/// How many findings of a control are told.
pub(super) const TOLD: usize = 20;

/// A finding that rests on a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFinding {
    /// Its id.
    pub finding_id: String,
    /// What it is.
    pub kind: Kind,
    /// The highest severity of its days.
    pub severity: Severity,
    /// One sentence for people.
    pub title: String,
    /// The rule that decided.
    pub rule: String,
    /// Connections of all its days.
    pub connections: u64,
    /// Whether a mute covers it on all of them.
    pub muted: bool,
}

/// The findings of the days of a period that were seen in it and name a rule, worst first.
pub(super) fn of_period(
    lake: &Lake,
    (from, until): Stretch,
) -> Result<Vec<OpenFinding>, LakeError> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    let days = lake.committed_hours(Hour::of(from)..)?;
    let mut days: Vec<Day> = days
        .into_iter()
        .filter(|hour| hour.start() < until)
        .map(|hour| hour.day())
        .collect();
    days.dedup();
    for day in days {
        for finding in lake.read_findings(day)? {
            let is_within = finding.first_seen < until && finding.last_seen >= from;
            if finding.rule.is_empty() || !is_within {
                continue;
            }
            match found.get_mut(&finding.finding_id) {
                Some(known) => known.absorb(&finding),
                None => {
                    found.insert(finding.finding_id.clone(), finding);
                }
            }
        }
    }
    let mut findings: Vec<OpenFinding> = found
        .into_values()
        .map(|finding| OpenFinding {
            finding_id: finding.finding_id,
            kind: finding.kind,
            severity: finding.severity,
            title: finding.title,
            rule: finding.rule,
            connections: finding.connections,
            muted: finding.muted,
        })
        .collect();
    // Sorting is stable: ids stay in order.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(findings)
}
