//! Learns what is usual from the hours of a lake, and writes it as a baseline.

use std::collections::{BTreeMap, BTreeSet};

use super::baseline::{DAY, File, Known, KnownLog, SCHEMA, Volume, WEEK, Way};
use super::cases::detecting;
use super::day::LogHour;
use super::seen::Seen;
use super::stats::median_and_mad;
use super::{HOUR, watched_tiers};
use crate::judge::subject::zone_kind;
use crate::judge::{EdgeRow, Kind, Verdict};
use crate::policy::{Policy, ZoneKind};

/// How many things of one kind are learned: what comes later is counted. A baseline of more would not be looked through.
const LEARNED_CAP: usize = 1_000_000;

/// Learns a baseline from hours, in their order.
pub struct Learner<'a> {
    policy: &'a Policy,
    data_tiers: Vec<String>,
    hours: BTreeSet<u32>,
    edges: BTreeSet<Known>,
    now: BTreeMap<(Way, String, String), u64>,
    volumes: BTreeMap<(Way, String, String), Vec<(u32, u64)>>,
    logs: BTreeMap<KnownLog, u64>,
    interfaces: BTreeMap<String, u64>,
    interfaces_now: BTreeSet<String>,
    let_go: u64,
}

impl<'a> Learner<'a> {
    /// Knows nothing yet.
    pub fn new(policy: &'a Policy) -> Learner<'a> {
        let set = detecting(policy, Kind::DataPull);
        Learner {
            policy,
            data_tiers: set.map_or_else(Vec::new, |set| watched_tiers(policy, set, &["data"])),
            hours: BTreeSet::new(),
            edges: BTreeSet::new(),
            now: BTreeMap::new(),
            volumes: BTreeMap::new(),
            logs: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            interfaces_now: BTreeSet::new(),
            let_go: 0,
        }
    }

    /// Learns from an edge of the current hour.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        if edge.verdict == Verdict::Unjudged {
            return;
        }
        if let Some(interface) = edge.inside.interface_id
            && !self.interfaces_now.contains(interface)
        {
            self.interfaces_now.insert(interface.to_owned());
        }
        let kind = |zone: &str| -> ZoneKind { zone_kind(self.policy, zone) };
        let seen = Seen::new(edge, kind(edge.client_zone), kind(edge.server_zone));
        if seen.is_answered() {
            let known = Known::of(&seen);
            // Where the direction is not sure, another day may see it the other way round.
            if !seen.is_sure_of_direction() {
                self.learn(known.reversed());
            }
            self.learn(known);
        }
        if seen.goes_out() {
            self.add_bytes(Way::Out, &seen, edge.bytes_to_server);
        }
        let is_data = self.data_tiers.iter().any(|tier| tier == edge.server_zone);
        if is_data && edge.client_zone != edge.server_zone {
            self.add_bytes(Way::FromData, &seen, edge.bytes_to_client);
        }
    }

    fn learn(&mut self, known: Known) {
        if self.edges.len() < LEARNED_CAP {
            self.edges.insert(known);
        } else if !self.edges.contains(&known) {
            self.let_go += 1;
        }
    }

    fn add_bytes(&mut self, way: Way, seen: &Seen<'_>, bytes: u64) {
        let key = (
            way,
            seen.edge.network.to_owned(),
            seen.client_name().to_owned(),
        );
        let is_known = self.now.contains_key(&key) || self.volumes.contains_key(&key);
        if !is_known && self.volumes.len() + self.now.len() >= LEARNED_CAP {
            self.let_go += 1;
            return;
        }
        let sum = self.now.entry(key).or_default();
        *sum = sum.saturating_add(bytes);
    }

    /// Learns that a flow log delivered in the current hour.
    pub fn add_log(&mut self, log: &LogHour<'_>) {
        *self.logs.entry(KnownLog::of(log)).or_default() += 1;
    }

    /// Ends the hour that began at this instant.
    pub fn end_hour(&mut self, hour: u32) {
        self.hours.insert(hour);
        for (key, bytes) in std::mem::take(&mut self.now) {
            if bytes > 0 {
                self.volumes.entry(key).or_default().push((hour, bytes));
            }
        }
        for interface in std::mem::take(&mut self.interfaces_now) {
            *self.interfaces.entry(interface).or_default() += 1;
        }
    }

    /// How many hours were looked at.
    pub fn hours(&self) -> u64 {
        self.hours.len() as u64
    }

    /// How much was not learned because there was too much of it.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// The file: the same bytes for the same hours.
    pub fn finish(self) -> Vec<u8> {
        let instant = |seconds: Option<u32>| {
            let time = jiff::Timestamp::from_second(i64::from(seconds.unwrap_or(0)));
            time.map_or_else(|_| String::new(), |time| time.to_string())
        };
        let file = File {
            schema: SCHEMA.to_owned(),
            policy_id: self.policy.id().to_owned(),
            from: instant(self.hours.first().copied()),
            until: instant(self.hours.last().map(|hour| hour + HOUR)),
            hours: self.hours.len() as u64,
            edges: self.edges.into_iter().collect(),
            volumes: self.volumes.into_iter().map(volume).collect(),
            logs: self.logs.into_iter().collect(),
            interfaces: self.interfaces.into_iter().collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file).expect("plain fields are JSON");
        bytes.push(b'\n');
        bytes
    }
}

fn volume(((way, network, subject), hours): ((Way, String, String), Vec<(u32, u64)>)) -> Volume {
    let all = median_and_mad(&mut hours.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>());
    let (median, mad) = all.unwrap_or_default();
    Volume {
        network,
        way,
        subject,
        week: rows(&hours, WEEK),
        day: rows(&hours, DAY),
        all: [median, mad, hours.len() as u64],
    }
}

/// What is usual by the hour of a span of so many hours.
fn rows(hours: &[(u32, u64)], span: u32) -> Vec<[u64; 4]> {
    let mut by_hour: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for (hour, bytes) in hours {
        by_hour.entry(hour / HOUR % span).or_default().push(*bytes);
    }
    let row = |(hour, mut bytes): (u32, Vec<u64>)| {
        let (median, mad) = median_and_mad(&mut bytes).unwrap_or_default();
        [u64::from(hour), median, mad, bytes.len() as u64]
    };
    by_hour.into_iter().map(row).collect()
}
