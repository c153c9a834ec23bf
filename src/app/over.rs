//! What a policy is held against: a lake, or logs.

use std::collections::BTreeSet;
use std::collections::btree_set::IntoIter;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;

use super::batch::widened_note;
use super::error::ScanError;
use super::lock;
use super::settings::{DEFAULT_HORIZON, Format, Keep, ScanSettings};
use super::work::on_threads;
use crate::flow::Layout;
use crate::judge::EdgeRow;
use crate::judge::fold::hour_at;
use crate::policy::Policy;
use crate::sink::{Hour, Lake, LakeError, Store};

/// What a policy is held against.
#[derive(Clone, Debug)]
pub struct Over {
    /// A lake, in a folder or below `s3://`, or else a source of logs as `scan` takes them.
    pub what: String,
    /// From here on, seconds since 1970; of a lake, whole hours.
    pub since: Option<u32>,
    /// Before this, seconds since 1970; of a lake, whole hours.
    pub until: Option<u32>,
    /// The layout of lines without a header.
    pub layout: Option<Arc<Layout>>,
    /// Threads that decode and judge logs, and that judge the hours of a lake again.
    pub threads: usize,
    /// The bound on memory for judging logs, bytes.
    pub memory: u64,
}

impl Over {
    /// The lake, if it is one.
    ///
    /// # Errors
    /// When it is one of a newer format, or the store fails.
    pub(super) fn lake(&self, runtime: &Runtime, temp: &Path) -> Result<Option<Lake>, ScanError> {
        lake_at(&self.what, runtime, temp)
    }

    /// How to scan it as logs by a policy, into a lake if one is named.
    pub(super) fn scan(&self, policy: &Path, lake: Option<&Path>) -> ScanSettings {
        ScanSettings {
            sources: vec![self.what.clone()],
            policies: vec![policy.to_owned()],
            lake: lake.map(|lake| lake.to_string_lossy().into_owned()),
            keep: Keep::None,
            since: self.since,
            until: self.until,
            accounts: Vec::new(),
            regions: Vec::new(),
            format: Format::Text,
            outputs: Vec::new(),
            fail_on: None,
            known: BTreeSet::new(),
            plan: false,
            rejudge: false,
            layout: self.layout.clone(),
            threads: self.threads,
            memory: self.memory,
            horizon: DEFAULT_HORIZON,
            detect: false,
            baseline: None,
        }
    }

    /// Says so where the whole hours of a lake are more than is asked for.
    pub(super) fn widened(&self) -> Option<String> {
        widened_of([self.since, self.until])
    }

    /// Calls `each` with every edge of the hours of a lake that are asked for; how many hours are left out because they
    /// were judged for another policy or selection.
    ///
    /// # Errors
    /// When the lake has no hour of that time, or fails.
    pub(super) fn each_edge(
        &self,
        lake: &Lake,
        each: &mut dyn FnMut(&EdgeRow<'_>),
    ) -> Result<u64, ScanError> {
        let hours = self.hours(lake)?;
        Edges::of(lake, hours).each(each)?;
        self.outdated(lake)
    }

    /// The same edges on as many threads as the settings say: each thread does `work` with those of hours of its own, in no
    /// order. What came of it on each, and how many hours are left out.
    ///
    /// # Errors
    /// When the lake has no hour of that time, or fails, and the first error of `work`.
    pub(super) fn on_threads<R: Send>(
        &self,
        lake: &Lake,
        work: impl Fn(&Edges<'_>) -> Result<R, ScanError> + Sync,
    ) -> Result<(Vec<R>, u64), ScanError> {
        let hours = self.hours(lake)?;
        let threads = self.threads.clamp(1, hours.len());
        let edges = Edges::of(lake, hours);
        let parts = on_threads((0..threads).map(|_| || work(&edges)));
        let parts = parts.into_iter().collect::<Result<_, _>>()?;
        Ok((parts, self.outdated(lake)?))
    }

    /// Connections on which a rule with a path matched although theirs is unknown, as the lake's policy judged the hours
    /// that are asked for.
    ///
    /// # Errors
    /// When the lake has no hour of that time, or fails.
    pub(super) fn via_unknown(&self, lake: &Lake) -> Result<u64, ScanError> {
        let mut connections = 0;
        for hour in self.hours(lake)? {
            let asides = lake.asides(hour).map_err(anyhow::Error::from)?;
            connections += asides.connections.via_unknown;
        }
        Ok(connections)
    }

    /// The hours of a lake that are asked for, at least one.
    fn hours(&self, lake: &Lake) -> Result<BTreeSet<Hour>, ScanError> {
        let hours = hours(lake, self.since, self.until)?;
        if hours.is_empty() {
            return Err(no_hour(&self.what));
        }
        Ok(hours)
    }

    /// How many hours of that time were judged for another policy or selection.
    fn outdated(&self, lake: &Lake) -> Result<u64, ScanError> {
        let from = Hour::of(self.since.unwrap_or(0));
        let outdated = lake.outdated_hours(from..).map_err(anyhow::Error::from)?;
        let is_asked = |hour: &&Hour| self.until.is_none_or(|until| hour.start() < until);
        Ok(outdated.iter().filter(is_asked).count() as u64)
    }
}

/// The edges of some hours of a lake; each hour goes to whichever thread asks next.
pub(super) struct Edges<'l> {
    lake: &'l Lake,
    hours: Mutex<IntoIter<Hour>>,
}

impl<'l> Edges<'l> {
    fn of(lake: &'l Lake, hours: BTreeSet<Hour>) -> Edges<'l> {
        Edges {
            lake,
            hours: Mutex::new(hours.into_iter()),
        }
    }

    /// Calls `each` with every edge of the hours that nobody else took.
    ///
    /// # Errors
    /// When the lake fails.
    pub fn each(&self, each: &mut dyn FnMut(&EdgeRow<'_>)) -> Result<(), ScanError> {
        while let Some(hour) = self.take() {
            read(self.lake, hour, each).map_err(anyhow::Error::from)?;
        }
        Ok(())
    }

    fn take(&self) -> Option<Hour> {
        lock(&self.hours).next()
    }
}

/// Says so where the whole hours of a lake are more than is asked for, from and until.
pub(super) fn widened_of([since, until]: [Option<u32>; 2]) -> Option<String> {
    let whole = [
        since.map(hour_at),
        until.map(|until| hour_at(until.saturating_add(3599))),
    ];
    widened_note("reading", [since, until], whole)
}

/// The lake of this name, if it is one.
///
/// # Errors
/// When it is one of a newer format, or the store fails.
fn lake_at(what: &str, runtime: &Runtime, temp: &Path) -> Result<Option<Lake>, ScanError> {
    let may_be_one = what.starts_with("s3://") || Path::new(what).is_dir();
    if !may_be_one {
        return Ok(None);
    }
    let store = Store::open(what, runtime.handle()).map_err(LakeError::from)?;
    if !store.exists("lake.json").map_err(LakeError::from)? {
        return Ok(None);
    }
    Ok(Some(Lake::read(store, temp)?))
}

/// The lake of this name; `hint` is what is said where it is none.
///
/// # Errors
/// As [`lake_at`], and when it is none.
pub(super) fn lake_expected_at(
    what: &str,
    runtime: &Runtime,
    temp: &Path,
    hint: &str,
) -> Result<Lake, ScanError> {
    lake_at(what, runtime, temp)?.ok_or_else(|| ScanError::Usage {
        message: format!(
            "expected a lake, a folder or s3:// prefix with a lake.json, got `{what}`"
        ),
        hint: Some(hint.to_owned()),
    })
}

/// Refuses a lake (called so) that another policy than the one of this file judged.
///
/// # Errors
/// When it did, with this advice.
pub(super) fn check_judged_by(
    lake: (&Lake, &str),
    policy: (&Policy, &Path),
    advice: &str,
) -> Result<(), ScanError> {
    let (judged_by, hash) = (&lake.0.identity().policy_hash, policy.0.hash());
    if judged_by == hash {
        return Ok(());
    }
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    Err(ScanError::Usage {
        message: format!(
            "the lake {} was judged by another policy: its hash is {}, that of `{}` is {}",
            lake.1,
            short(judged_by),
            policy.1.display(),
            short(hash)
        ),
        hint: Some(advice.to_owned()),
    })
}

/// Why nothing of a lake can be looked at.
pub(super) fn no_hour(lake: &str) -> ScanError {
    ScanError::NoObjects {
        message: format!("the lake {lake} holds no hour of that time"),
        hint: Some("see also --since and --until".to_owned()),
        others: false,
    }
}

/// The hours that a lake holds from the one of `since` on, before `until`; both seconds, none is without a bound.
///
/// # Errors
/// When the lake fails.
pub(super) fn hours(
    lake: &Lake,
    since: Option<u32>,
    until: Option<u32>,
) -> Result<BTreeSet<Hour>, ScanError> {
    let hours = lake.committed_hours(Hour::of(since.unwrap_or(0))..);
    let hours = hours.map_err(anyhow::Error::from)?.into_iter();
    let is_asked = |hour: &Hour| until.is_none_or(|until| hour.start() < until);
    Ok(hours.filter(is_asked).collect())
}

/// Calls `each` with every edge of an hour.
///
/// # Errors
/// When the lake fails.
pub(super) fn read(
    lake: &Lake,
    hour: Hour,
    each: &mut dyn FnMut(&EdgeRow<'_>),
) -> Result<(), LakeError> {
    let mut reader = lake.edges([hour])?;
    while let Some(block) = reader.next_block()? {
        for place in 0..block.len() {
            each(&block.row(place)?);
        }
    }
    Ok(())
}

/// What is said of hours that were left out.
pub(super) fn outdated_note(hours: u64) -> Option<String> {
    (hours > 0).then(|| {
        format!(
            "hours of the lake that were judged for another policy or selection and are left out: {hours}"
        )
    })
}
