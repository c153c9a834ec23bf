//! The words behind an edge's numbers.

use std::sync::Arc;

use hashbrown::HashMap;

use super::EdgeEntry;
use crate::judge::reporter::Reporter;
use crate::judge::{Confidence, EdgeRow, Inside, Orientation, Outcome, Reason, Verdict};
use crate::net::protocol::has_ports;
use crate::policy::{Answer, Miss, NetworkId, Path, Policy, RuleId, Severity, ZoneId};

/// Turns entries into rows: knows the words behind the numbers.
#[derive(Clone)]
pub struct EdgeWords<'a> {
    policy: &'a Policy,
    /// Where each reporter is, and the workload that it names.
    reporters: Vec<(Inside<'a>, Option<&'a str>)>,
    /// URLs of the day's objects, by rank.
    urls: &'a [Arc<str>],
    lacked: HashMap<Miss, String>,
}

/// Numbers that stand for texts of edges: of the same hour, those with the same number are the same. What is not here goes
/// by its text.
#[derive(Clone, Copy, Debug)]
pub struct TextNumbers {
    /// Of the network.
    pub network: u32,
    /// Of the rule's id, or of the reason.
    pub rule: u32,
    /// Of the client's zone.
    pub client_zone: u32,
    /// Of the server's zone.
    pub server_zone: u32,
    /// Of the client's workload.
    pub client_workload: u32,
    /// Of the server's workload.
    pub server_workload: u32,
    /// Of all of [`EdgeRow::inside`].
    pub inside: u32,
    /// Of the example record's object.
    pub source: u32,
}

impl TextNumbers {
    /// Those of an entry.
    pub fn of(entry: &EdgeEntry) -> TextNumbers {
        let key = &entry.key;
        TextNumbers {
            network: key.network.into(),
            rule: match entry.reason() {
                Some(reason) => reason as u32,
                None => Reason::ALL.len() as u32 + key.rule,
            },
            client_zone: key.client_zone.into(),
            server_zone: key.server_zone.into(),
            client_workload: entry.client_workload,
            server_workload: entry.server_workload,
            inside: entry.inside,
            source: entry.origin.object(),
        }
    }
}

impl<'a> EdgeWords<'a> {
    /// The words of an hour.
    pub fn new(
        policy: &'a Policy,
        reporters: &'a [Reporter],
        urls: &'a [Arc<str>],
    ) -> EdgeWords<'a> {
        EdgeWords {
            policy,
            reporters: reporters
                .iter()
                .map(|reporter| (reporter.inside(), reporter.workload()))
                .collect(),
            urls,
            lacked: HashMap::new(),
        }
    }

    /// The row of an entry.
    pub fn row<'s>(&'s mut self, entry: &EdgeEntry) -> EdgeRow<'s> {
        let miss = entry.miss();
        if let Some(miss) = miss {
            self.lacked
                .entry(miss)
                .or_insert_with(|| self.policy.explain_miss(miss));
        }
        let reporter = |number: u32| match number {
            0 => (Inside::default(), None),
            _ => self.reporters[number as usize - 1],
        };
        let key = &entry.key;
        EdgeRow {
            network: self.policy.network_name(NetworkId(key.network)),
            client_addr: entry.client(),
            server_addr: entry.server(),
            server_port: has_ports(key.protocol).then_some(key.server_port),
            protocol: key.protocol,
            orientation: Orientation::ALL[usize::from(key.orientation)],
            outcome: Outcome::ALL.get(usize::from(key.outcome)).copied(),
            verdict: Verdict::ALL[usize::from(key.verdict)],
            rule: match entry.reason() {
                None => &self.policy.rule(RuleId(key.rule as u16)).id,
                Some(reason) => reason.as_str(),
            },
            decision: Answer::ALL.get(usize::from(entry.decision)).copied(),
            client_zone: self.policy.zone_name(ZoneId(key.client_zone)),
            server_zone: self.policy.zone_name(ZoneId(key.server_zone)),
            client_workload: reporter(entry.client_workload).1,
            server_workload: reporter(entry.server_workload).1,
            via: Path::ALL.get(usize::from(entry.via)).copied(),
            confidence: Confidence::ALL[usize::from(entry.confidence)],
            severity: Severity::ALL.get(usize::from(entry.severity)).copied(),
            lacked: miss
                .and_then(|miss| self.lacked.get(&miss))
                .map(String::as_str),
            records: entry.records,
            connections: entry.connections,
            packets_to_server: entry.packets[0],
            packets_to_client: entry.packets[1],
            bytes_to_server: entry.bytes[0],
            bytes_to_client: entry.bytes[1],
            first_seen: entry.first_seen,
            last_seen: entry.last_seen,
            source: self
                .urls
                .get(entry.origin.object() as usize)
                .map_or("", |url| url),
            line: entry.origin.line(),
            inside: reporter(entry.inside).0,
        }
    }
}
