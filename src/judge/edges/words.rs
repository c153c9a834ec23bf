//! The words behind an edge's numbers.

use std::sync::Arc;

use hashbrown::HashMap;

use super::EdgeEntry;
use crate::judge::reporter::Reporter;
use crate::judge::{Confidence, EdgeRow, Inside, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Miss, NetworkId, Path, Policy, RuleId, Severity, ZoneId};

/// Turns entries into rows: knows the words behind the numbers.
#[derive(Clone)]
pub struct EdgeWords<'a> {
    policy: &'a Policy,
    /// Where each reporter is, and the workload that it names.
    reporters: Vec<(Inside<'a>, Option<&'a str>)>,
    /// URLs of the day's objects, by rank.
    urls: &'a [Arc<str>],
    /// What misses say, each without and with that encryption is not known.
    lacked: HashMap<(Miss, bool), String>,
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
        let at = i64::from(entry.own().first_seen);
        let miss = entry
            .miss()
            .map(|miss| (miss, self.policy.lacks_encryption(miss, at)));
        if let Some(key @ (lacked, _)) = miss {
            self.lacked
                .entry(key)
                .or_insert_with(|| self.policy.explain_miss(lacked, at));
        }
        let reporter = |number: u32| match number {
            0 => (Inside::default(), None),
            _ => self.reporters[number as usize - 1],
        };
        let (key, own) = (&entry.key, entry.own());
        EdgeRow {
            network: self.policy.network_name(NetworkId(key.network)),
            client_addr: own.client_addr,
            server_addr: own.server_addr,
            server_port: own.server_port,
            protocol: own.protocol,
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
            records: own.records,
            connections: own.connections,
            packets_to_server: own.packets[0],
            packets_to_client: own.packets[1],
            bytes_to_server: own.bytes[0],
            bytes_to_client: own.bytes[1],
            first_seen: own.first_seen,
            last_seen: own.last_seen,
            source: self
                .urls
                .get(entry.origin.object() as usize)
                .map_or("", |url| url),
            line: own.line,
            inside: reporter(entry.inside).0,
        }
    }
}
