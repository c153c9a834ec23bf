//! What a mode is asked to do, with units and ranges resolved: the form in which settings travel. The command line's own
//! words stay in `cli`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Target;
use crate::flow::Layout;
use crate::policy::{Severity, words};

/// The settings of `scan`.
#[derive(Clone, Debug)]
pub struct ScanSettings {
    /// Files, folders, globs, `s3://` prefixes, `-`; at least one.
    pub sources: Vec<String>,
    /// The policy file; of several, which only `scan` takes, each judges from its `effective` on. At least one.
    pub policies: Vec<PathBuf>,
    /// The folder or `s3://` prefix that takes edges, findings and records; none writes no lake.
    pub lake: Option<String>,
    /// Which judged records the lake keeps.
    pub keep: Keep,
    /// Key times from here on, seconds since 1970, inclusive; as given, not yet widened to whole hours.
    pub since: Option<u32>,
    /// Key times before this, seconds since 1970, exclusive; always after `since`.
    pub until: Option<u32>,
    /// Only these accounts; empty is all.
    pub accounts: Vec<String>,
    /// Only these regions; empty is all.
    pub regions: Vec<String>,
    /// The format of standard output.
    pub format: Format,
    /// Further reports, each into a file.
    pub outputs: Vec<Output>,
    /// Open findings from this severity on make the exit code 1; none never does.
    pub fail_on: Option<Severity>,
    /// Ids of findings that were accepted earlier.
    pub known: BTreeSet<String>,
    /// Only list and prune, and say what a run would read.
    pub plan: bool,
    /// Replace whole hours of a lake that another policy or selection wrote, or that have new objects.
    pub rejudge: bool,
    /// The layout of lines without a header.
    pub layout: Option<Arc<Layout>>,
    /// Threads that decode and judge; at least one.
    pub threads: usize,
    /// The bound on memory, bytes; at least [`MIN_MEMORY`].
    pub memory: u64,
    /// Slots of five minutes that evidence is carried over.
    pub horizon: u32,
    /// Whether detectors look at the days where no lake takes them; with a lake they always do.
    pub detect: bool,
    /// The file that says what is usual; none lets detectors that need one say nothing.
    pub baseline: Option<PathBuf>,
}

/// The settings of `watch`.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// What is read and how it is judged: `sources`, one of `policies`, `lake`, `keep`, `since`, accounts, regions, layout, threads,
    /// memory, horizon. Its sources are what is listed; where a queue alone is watched, the queue.
    pub judging: ScanSettings,
    /// The queue that tells of new objects: `sqs://NAME` or its URL; none has the sources listed again and again.
    pub queue: Option<String>,
    /// Whether a queue without a dead-letter queue will do.
    pub allow_no_dlq: bool,
    /// The folder of the ledger.
    pub state: PathBuf,
    /// Where alerts go.
    pub alerts: Vec<Target>,
    /// How long after the newest key time a slot is held open for stragglers, seconds.
    pub lateness: u32,
    /// How long after its end an hour that objects came late for is judged again, seconds.
    pub settle: u32,
    /// How often the sources are listed for new objects, where no queue tells of them.
    pub every: Duration,
    /// How often they are listed for what came late or was never told of.
    pub reconcile: Duration,
    /// Whether to judge what is there, close all slots, and end.
    pub until_idle: bool,
    /// How long work may go on once the end is asked for, seconds.
    pub grace: u32,
    /// Where metrics and health are told, over HTTP; none tells them nowhere.
    pub listen: Option<SocketAddr>,
    /// How long another watch of the lake is believed to live that gives no sign of it.
    pub lease: Duration,
}

impl WatchSettings {
    /// Whether there are sources that are listed.
    pub fn lists(&self) -> bool {
        self.queue.as_ref() != self.judging.sources.first()
    }
}

/// The smallest `--memory`, bytes. Below it the fixed buffers of two threads alone would not fit.
pub const MIN_MEMORY: u64 = 64 << 20;

/// The default of `--memory`, bytes.
pub const DEFAULT_MEMORY: u64 = 1 << 30;

/// The default of `--horizon`, slots: one hour.
pub const DEFAULT_HORIZON: u32 = 12;

/// The largest `--horizon`, slots: one day. A longer one would read more for evidence than for judgement.
pub const MAX_HORIZON: u32 = 288;

words! {
    /// Which judged records a lake keeps.
    Keep {
        /// None: edges and findings only.
        None = "none",
        /// Those that are neither compliant nor unjudged, and those with an unassigned end.
        Flagged = "flagged",
        /// All.
        All = "all",
    }

    /// The format of a report.
    Format {
        /// For people.
        Text = "text",
        /// One JSON object with everything.
        Json = "json",
        /// One finding a line.
        Ndjson = "ndjson",
        /// One finding a row.
        Csv = "csv",
        /// SARIF 2.1.0, for code scanning.
        Sarif = "sarif",
        /// JUnit XML, for CI.
        Junit = "junit",
    }
}

/// A report into a file: `--output FORMAT=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its format.
    pub format: Format,
    /// The file, replaced if it exists.
    pub path: PathBuf,
}
