//! What is usual, learned from a lake once and pinned in a file: which workloads talk, how much, and who reports.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::HOUR;
use super::day::LogHour;
use super::seen::Seen;
use crate::net::hex;

/// The version of the file's form.
pub(super) const SCHEMA: &str = "tidegate.baseline/1";
/// Hours of a week, and of a day.
pub(super) const WEEK: u32 = 168;
pub(super) const DAY: u32 = 24;
/// How many values of an hour of the week (or else of the day) say what is usual then.
const VALUES_AT_LEAST: u64 = 3;

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

    /// The same, the other way round.
    pub fn reversed(&self) -> Known {
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
pub(super) struct Volume {
    pub network: String,
    pub way: Way,
    pub subject: String,
    /// `[hour of the week from Thursday 00:00 UTC, median, MAD, hours]`; day and all likewise, with what they are.
    pub week: Vec<[u64; 4]>,
    pub day: Vec<[u64; 4]>,
    pub all: [u64; 3],
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

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub schema: String,
    pub policy_id: String,
    /// The first hour and the end of the last, RFC 3339.
    pub from: String,
    pub until: String,
    /// How many hours were looked at.
    pub hours: u64,
    pub edges: Vec<Known>,
    pub volumes: Vec<Volume>,
    /// Flow logs, and in how many hours each delivered.
    pub logs: Vec<(KnownLog, u64)>,
    /// Interfaces, and in how many hours each was an end inside.
    pub interfaces: Vec<(String, u64)>,
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
    /// Reads what [`super::Learner::finish`] wrote.
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
            digest: hex(&digest[..6]),
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
