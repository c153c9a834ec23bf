//! What is usual, learned from a lake once and pinned in a file: which workloads talk, how much, and who reports.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::day::LogHour;
use super::first_seen::watched_tiers;
use super::seen::Seen;
use super::stats::median_and_mad;
use crate::judge::subject::zone_kind;
use crate::judge::{EdgeRow, Verdict};
use crate::policy::{Detecting, Policy, ZoneKind};

/// The version of the file's form.
const SCHEMA: &str = "tidegate.baseline/1";
const HOUR: u32 = 3600;
/// Hours of a week, and of a day.
const WEEK: u32 = 168;
const DAY: u32 = 24;
/// How many values of an hour of the week (or else of the day) say what is usual then.
const VALUES_AT_LEAST: u64 = 3;
/// How many things of one kind are learned: what comes later is counted. A baseline of more would not be looked through.
const LEARNED_CAP: usize = 1_000_000;

/// A connection between workloads, whatever their addresses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub network: String,
    pub client: String,
    pub server: String,
    pub port: Option<u16>,
    pub protocol: u8,
}

impl Known {
    /// That of an edge. What is inside and names no workload is known by its tier: addresses change.
    pub fn of(seen: &Seen<'_>) -> Known {
        let edge = seen.edge;
        let name = |is_inside: bool, workload: Option<&str>, zone: &str, name: &str| match is_inside
        {
            true => workload.unwrap_or(zone).to_owned(),
            false => name.to_owned(),
        };
        Known {
            network: edge.network.to_owned(),
            client: name(
                seen.client.is_inside(),
                edge.client_workload,
                edge.client_zone,
                seen.client_name(),
            ),
            server: name(
                seen.server.is_inside(),
                edge.server_workload,
                edge.server_zone,
                seen.server_name(),
            ),
            port: edge.server_port,
            protocol: edge.protocol,
        }
    }
}

impl Known {
    /// The same, the other way round.
    fn reversed(&self) -> Known {
        Known {
            client: self.server.clone(),
            server: self.client.clone(),
            ..self.clone()
        }
    }
}

/// Which bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    /// Out of a workload to the outside.
    Out,
    /// From the data tiers to a client.
    FromData,
}

/// What is usual in an hour, bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Usual {
    pub median: u64,
    pub mad: u64,
}

/// Bytes of a subject: median, MAD and how many hours had any, for each hour of the week, of the day, and for all.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Volume {
    network: String,
    way: Way,
    subject: String,
    /// `[hour of the week from Thursday 00:00 UTC, median, MAD, hours]`; day and all likewise, with what they are.
    week: Vec<[u64; 4]>,
    day: Vec<[u64; 4]>,
    all: [u64; 3],
}

/// A flow log that delivers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct KnownLog {
    pub account: Option<String>,
    pub region: Option<String>,
    pub flow_log: String,
}

impl KnownLog {
    /// The one that delivered this.
    pub fn of(log: &LogHour<'_>) -> KnownLog {
        KnownLog {
            account: log.account.map(str::to_owned),
            region: log.region.map(str::to_owned),
            flow_log: log.flow_log.to_owned(),
        }
    }
}

/// What every version of the file says.
#[derive(Deserialize)]
struct Form {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    policy_id: String,
    policy_hash: String,
    /// The first hour and the end of the last, RFC 3339.
    from: String,
    until: String,
    /// How many hours were looked at.
    hours: u64,
    edges: Vec<Known>,
    volumes: Vec<Volume>,
    /// Flow logs, and in how many hours each delivered.
    logs: Vec<(KnownLog, u64)>,
    /// Interfaces, and in how many hours each was an end inside.
    interfaces: Vec<(String, u64)>,
}

/// A baseline.
#[derive(Debug)]
pub struct Baseline {
    digest: String,
    policy_id: String,
    from: String,
    until: String,
    hours: u64,
    edges: BTreeSet<Known>,
    volumes: BTreeMap<(Way, String, String), Volume>,
    logs: Vec<(KnownLog, u64)>,
    interfaces: Vec<(String, u64)>,
}

/// Why a file is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is something else.
    #[error("expected what `tidegate detect learn` writes: {0}")]
    Json(#[from] serde_json::Error),
    /// It has another form.
    #[error("expected a baseline of the form {SCHEMA}, got `{0}`: learn it again")]
    Schema(String),
}

impl Baseline {
    /// Reads what [`Learner::finish`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(bytes: &[u8]) -> Result<Baseline, BaselineError> {
        let form: Form = serde_json::from_slice(bytes)?;
        if form.schema != SCHEMA {
            return Err(BaselineError::Schema(form.schema));
        }
        let file: File = serde_json::from_slice(bytes)?;
        let digest = Sha256::digest(bytes);
        let key = |volume: &Volume| (volume.way, volume.network.clone(), volume.subject.clone());
        Ok(Baseline {
            digest: digest[..6]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            policy_id: file.policy_id,
            from: file.from,
            until: file.until,
            hours: file.hours,
            edges: file.edges.into_iter().collect(),
            volumes: file
                .volumes
                .into_iter()
                .map(|volume| (key(&volume), volume))
                .collect(),
            logs: file.logs,
            interfaces: file.interfaces,
        })
    }

    /// The first 12 hex digits of the file's SHA-256.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The id of the policy that its lake was judged by.
    pub fn policy_id(&self) -> &str {
        &self.policy_id
    }

    /// How a finding names it.
    pub(super) fn shown(&self) -> String {
        format!(
            "the baseline {} ({} to {})",
            self.digest, self.from, self.until
        )
    }

    pub(super) fn knows(&self, known: &Known) -> bool {
        self.edges.contains(known)
    }

    /// What is usual for a subject in the hour that begins at this instant: by the hour of the week, of the day, or at all.
    pub(super) fn usual(&self, way: Way, network: &str, subject: &str, hour: u32) -> Option<Usual> {
        let volume = self
            .volumes
            .get(&(way, network.to_owned(), subject.to_owned()))?;
        let of = |rows: &[[u64; 4]], number: u32| {
            let row = rows.iter().find(|[of, ..]| *of == u64::from(number));
            let enough = row.filter(|[_, _, _, values]| *values >= VALUES_AT_LEAST);
            enough.map(|[_, median, mad, _]| Usual {
                median: *median,
                mad: *mad,
            })
        };
        let number = hour / HOUR;
        let [median, mad, values] = volume.all;
        of(&volume.week, number % WEEK)
            .or_else(|| of(&volume.day, number % DAY))
            .or((values >= VALUES_AT_LEAST).then_some(Usual { median, mad }))
    }

    /// Flow logs that delivered in nearly every hour.
    pub(super) fn steady_logs(&self) -> impl Iterator<Item = &KnownLog> {
        let hours = self.hours;
        let steady = self
            .logs
            .iter()
            .filter(move |(_, seen)| is_steady(*seen, hours));
        steady.map(|(log, _)| log)
    }

    /// Interfaces that were seen in nearly every hour of a week at least.
    pub(super) fn steady_interfaces(&self) -> impl Iterator<Item = &str> {
        let hours = self.hours;
        let steady = self
            .interfaces
            .iter()
            .filter(move |(_, seen)| hours >= u64::from(WEEK) && is_steady(*seen, hours));
        steady.map(|(interface, _)| interface.as_str())
    }
}

/// Whether something was seen in all hours but for one of a hundred.
fn is_steady(seen: u64, hours: u64) -> bool {
    hours >= u64::from(DAY) && seen.saturating_mul(100) >= hours.saturating_mul(99)
}

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
        let is_it = |known: &&Detecting| known.detector().name == "data-pull";
        let set = policy.detecting().iter().find(is_it);
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
            policy_hash: self.policy.hash().to_owned(),
            from: instant(self.hours.first().copied()),
            until: instant(self.hours.last().map(|hour| hour + HOUR)),
            hours: self.hours.len() as u64,
            edges: self.edges.into_iter().collect(),
            volumes: self.volumes.into_iter().map(volume).collect(),
            logs: self.logs.into_iter().collect(),
            interfaces: self.interfaces.into_iter().collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
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
