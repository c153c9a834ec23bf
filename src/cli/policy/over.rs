//! What policies are held against, as typed, and how it is told: for the commands that look at traffic.

use clap::Args;
use serde_json::{Value, json};

use crate::alert::instant;
use crate::app::error::ScanError;
use crate::app::over::Over;
use crate::app::replay::PolicyName;
use crate::cli::report::words;
use crate::cli::units::{self, When};
use crate::cli::{meant, say};
use crate::judge::replay::Counts;

/// Where the traffic is.
#[derive(Debug, Args)]
pub(super) struct OverArgs {
    /// The traffic: a lake, as `scan --lake` wrote it, or logs: s3://bucket/prefix, a file, a folder, or a glob.
    #[arg(long, value_name = "SOURCE|LAKE")]
    over: String,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Which of the traffic, and how it is read.
#[derive(Debug, Args)]
pub(super) struct ReadingArgs {
    /// Only traffic from here on: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d; of a lake whole hours.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    since: Option<When>,

    /// Only traffic before this.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    until: Option<When>,

    /// The fields of lines that have no header: '${version} ${account-id} …'.
    #[arg(long, value_name = "FORMAT", help_heading = "Selection")]
    layout: Option<String>,

    /// Threads that decode and judge logs; default: one per core.
    #[arg(long, value_name = "N", help_heading = "Resources", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// The bound on memory for judging logs, such as 1GiB or 512MB.
    #[arg(long, value_name = "SIZE", help_heading = "Resources", default_value = "1GiB", value_parser = units::memory)]
    memory: u64,
}

impl OverArgs {
    /// As meant.
    ///
    /// # Errors
    /// An empty time range, a layout that is none.
    pub(super) fn meant(&self) -> Result<Over, ScanError> {
        self.reading.of(&self.over)
    }
}

impl ReadingArgs {
    /// The traffic of this lake, or these logs, as meant.
    ///
    /// # Errors
    /// An empty time range, a layout that is none.
    pub(super) fn of(&self, what: &str) -> Result<Over, ScanError> {
        let (since, until) = times(self.since, self.until)?;
        Ok(Over {
            what: what.to_owned(),
            since,
            until,
            layout: meant::layout(self.layout.as_deref())?,
            threads: meant::threads(self.threads),
            memory: self.memory,
        })
    }
}

/// A range of time as meant: from, and before.
///
/// # Errors
/// An empty one.
pub(super) fn times(
    since: Option<When>,
    until: Option<When>,
) -> Result<(Option<u32>, Option<u32>), ScanError> {
    let now = units::now();
    let (since, until) = (
        since.map(|when| when.resolve(now)),
        until.map(|when| when.resolve(now)),
    );
    if let (Some(since), Some(until)) = (since, until)
        && until <= since
    {
        return Err(ScanError::Usage {
            message: "expected --until after --since".to_owned(),
            hint: Some("--until is exclusive".to_owned()),
        });
    }
    Ok((since, until))
}

/// `SEC-003 (0123456789ab)`.
pub(super) fn name(policy: &PolicyName) -> String {
    let hash: String = policy.hash.chars().take(12).collect();
    format!("{} ({hash})", words::clean(&policy.id))
}

pub(super) fn name_json(policy: &PolicyName) -> Value {
    json!({"id": policy.id, "title": policy.title, "hash": policy.hash})
}

pub(super) fn counts_json(counts: &Counts) -> Value {
    json!({
        "records": counts.records,
        "connections": counts.connections,
        "bytes": counts.bytes,
    })
}

/// `12 connections, 40 records, 1.2 MiB`.
pub(super) fn counts(counts: &Counts) -> String {
    format!(
        "{}, {}, {}",
        words::counted(counts.connections, "connection"),
        words::counted(counts.records, "record"),
        words::bytes(counts.bytes)
    )
}

/// When traffic was, for JSON: first and last, each null if nobody knows.
pub(super) fn times_json(times: Option<(u32, u32)>) -> [Value; 2] {
    let [first, last] = [times.map(|(first, _)| first), times.map(|(_, last)| last)];
    [json!(first.map(instant)), json!(last.map(instant))]
}

/// Objects that could not be read, for JSON.
pub(super) fn unreadable_json(unreadable: &[(String, String)]) -> Value {
    let objects = unreadable
        .iter()
        .map(|(url, why)| json!({"source": url, "reason": why}));
    objects.collect()
}

/// Says on standard error what the answer has no place for.
pub(super) fn warn(notes: &[String], unreadable: &[(String, String)]) {
    for note in notes {
        say::warning(note);
    }
    for (url, why) in unreadable {
        say::warning(&format!("could not read {url}: {why}"));
    }
}

/// What is said of connections that a lake does not tell enough of; nothing if there are none.
pub(super) fn unknown(counts: &Counts) -> Option<String> {
    (counts.connections > 0).then(|| {
        format!(
            "{} ({}) decided by evidence that a lake does not keep, and not compared; over the logs themselves they are",
            words::counted(counts.connections, "connection"),
            words::counted(counts.records, "record")
        )
    })
}

/// What is said of connections with an unknown path; nothing if there are none.
pub(super) fn via_unknown(connections: u64) -> Option<String> {
    (connections > 0).then(|| {
        format!(
            "{} whose path is unknown, or not the same for all, fit rules with a path",
            words::counted(connections, "connection")
        )
    })
}

/// Text with a hanging indent.
pub(super) fn hanging(lead: &str, text: &str, width: usize) -> String {
    let indent = lead.chars().count();
    let lines = words::wrap(&words::clean(text), width.saturating_sub(indent).max(20));
    let mut page = String::new();
    for (index, line) in lines.iter().enumerate() {
        let lead = if index == 0 {
            lead.to_owned()
        } else {
            " ".repeat(indent)
        };
        page.push_str(&format!("{lead}{line}\n"));
    }
    page
}
