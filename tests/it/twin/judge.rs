//! Row by row: every record of the judged slots with all its columns.

use std::collections::BTreeMap;

use super::connection::{OfConnection, judge_connection};
use super::decide::has_ports;
use super::orient::{Case, Oriented};
use super::place::TwinEnd;
use super::policy::TwinPolicy;
use super::record::{Layout, TwinObject};
use super::seen::{Scope, Seen, interface, scope};
use super::slot::Slot;
use super::verdict::side;

/// The columns of a judged record, as words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TwinRow {
    pub source: String,
    pub line: u64,
    pub network: Option<String>,
    pub client_addr: Option<String>,
    pub client_port: Option<u16>,
    pub server_addr: Option<String>,
    pub server_port: Option<u16>,
    pub client_tier: Option<String>,
    pub server_tier: Option<String>,
    pub client_groups: Vec<String>,
    pub server_groups: Vec<String>,
    pub orientation: Option<String>,
    pub confidence: Option<String>,
    pub observer: Option<String>,
    pub outcome: Option<String>,
    pub via: Option<String>,
    pub decision: Option<String>,
    pub rule: String,
    pub verdict: String,
    pub severity: Option<String>,
    /// Denied attempt, egress, cross-tier, intra-tier, ingress violation.
    pub flags: [bool; 5],
}

/// A row and what edges are counted from.
#[derive(Clone, Debug)]
pub struct Judged {
    pub row: TwinRow,
    /// The record as a part of its connection; none where it could not be oriented.
    pub part: Option<Part>,
}

/// A record as a part of its connection.
#[derive(Clone, Debug)]
pub struct Part {
    pub slot: u32,
    pub seen: Seen,
    pub of_connection: OfConnection,
    /// Why it is not judged, copies aside.
    pub reason: Option<&'static str>,
}

impl Part {
    /// The network of the connection: that of the inside end with the lower address.
    pub fn network(&self) -> String {
        let Oriented { client, server, .. } = &self.of_connection.orientation;
        let mut ends = [client, server];
        ends.sort_by_key(|end| (!end.inside, end.addr));
        ends[0].network.clone()
    }

    /// Names the connection within its slot.
    pub fn connection(&self) -> String {
        let Oriented { client, server, .. } = &self.of_connection.orientation;
        format!("{} {} {client:?} {server:?}", self.slot, self.seen.protocol)
    }
}

/// Judges every record of the slots from `judged_from`, with `horizon` slots before each as evidence.
pub fn judge(
    policy: &TwinPolicy,
    objects: &[TwinObject],
    judged_from: u32,
    horizon: usize,
) -> Vec<TwinRow> {
    judge_all(policy, objects, judged_from, horizon)
        .into_iter()
        .map(|judged| judged.row)
        .collect()
}

/// The same with what edges are counted from. Rows are sorted by source and line.
pub fn judge_all(
    policy: &TwinPolicy,
    objects: &[TwinObject],
    judged_from: u32,
    horizon: usize,
) -> Vec<Judged> {
    let slots = slots(policy, objects);
    let mut rows = Vec::new();
    for object in objects.iter().filter(|object| object.slot >= judged_from) {
        let slot = &slots[&object.slot];
        let first = object.slot.saturating_sub(300 * horizon as u32);
        let earlier: Vec<&Slot> = slots
            .range(first..object.slot)
            .map(|(_, slot)| slot)
            .collect();
        for index in 0..object.records.len() {
            rows.push(judge_record(policy, object, index, slot, &earlier));
        }
    }
    rows.sort_by(|a, b| (&a.row.source, a.row.line).cmp(&(&b.row.source, b.row.line)));
    rows
}

fn slots(policy: &TwinPolicy, objects: &[TwinObject]) -> BTreeMap<u32, Slot> {
    let mut slots: BTreeMap<u32, Slot> = BTreeMap::new();
    for object in objects {
        let slot = slots.entry(object.slot).or_default();
        slot.time = object.slot;
        for (index, record) in object.records.iter().enumerate() {
            if object.layout != Layout::Tgw {
                let record = record.seen_in(object.layout);
                let interface = interface(&record, &object.flow_log).to_string();
                slot.taught.push((interface, record));
            }
            if let Scope::Seen(seen) = scope(policy, object, index) {
                slot.records.push(*seen);
            }
        }
    }
    slots
}

fn judge_record(
    policy: &TwinPolicy,
    object: &TwinObject,
    index: usize,
    slot: &Slot,
    horizon: &[&Slot],
) -> Judged {
    let unjudged = |network: Option<String>, reason: &str| TwinRow {
        source: object.url(),
        line: index as u64 + 2,
        network,
        rule: reason.to_string(),
        verdict: "unjudged".to_string(),
        ..TwinRow::default()
    };
    let seen = match scope(policy, object, index) {
        Scope::Unclaimed => {
            return Judged {
                row: unjudged(None, "out-of-scope"),
                part: None,
            };
        }
        Scope::MissingField { network } => {
            return Judged {
                row: unjudged(Some(network), "missing-field"),
                part: None,
            };
        }
        Scope::Seen(seen) => *seen,
    };
    let case = Case::of(slot, horizon, &seen);
    let connection = judge_connection(policy, &case);
    let policy = &policy.at(connection.at);
    let OfConnection {
        orientation,
        client,
        server,
        ..
    } = &connection;

    let port = |end: &TwinEnd| has_ports(seen.protocol).then_some(end.port);
    let shown = case.shown(&seen, orientation);
    let reason = connection.reason(&case, &seen);
    let said = slot.is_duplicate(&seen).then_some("duplicate").or(reason);
    // What came after a close and what belongs to no known connection has no part in the outcome.
    let late = matches!(said, Some("post-close" | "stray"));
    let oriented = TwinRow {
        client_addr: Some(client.addr.to_string()),
        client_port: port(client),
        server_addr: Some(server.addr.to_string()),
        server_port: port(server),
        client_tier: Some(client.zone(policy)),
        server_tier: Some(server.zone(policy)),
        client_groups: client.groups.iter().cloned().collect(),
        server_groups: server.groups.iter().cloned().collect(),
        orientation: Some(shown.0.to_string()),
        confidence: Some(shown.1.to_string()),
        observer: Some(side(policy, &case, orientation, &seen).to_string()),
        outcome: connection.outcome.filter(|_| !late).map(str::to_string),
        via: connection.via.clone(),
        ..unjudged(Some(seen.network.clone()), "")
    };
    let row = match said {
        Some(reason) => TwinRow {
            rule: reason.to_string(),
            ..oriented
        },
        None => TwinRow {
            decision: Some(connection.decision.answer.to_string()),
            rule: connection.decision.rule.clone(),
            verdict: connection.verdict.to_string(),
            severity: Some(connection.severity.to_string()),
            flags: connection.flags,
            ..oriented
        },
    };
    Judged {
        row,
        part: Some(Part {
            slot: slot.time,
            seen: seen.clone(),
            of_connection: connection,
            reason,
        }),
    }
}
