//! `watch`: follow sources, judge what comes, tell people, for months.
//!
//! ```text
//! intake ──▶ ledger: seen ──▶ what an object shows by itself ──▶ outbox ──▶ delivery (a thread for each target)
//!    │                                                             ▲
//!    └──▶ tide: what is due ──▶ judging: slots, hours, settlement ─┘──▶ lake
//! ```
//!
//! Everything that must survive a crash is in the ledger or the lake; each step is one transaction of the ledger, and may
//! be done again. Judging reads objects anew, by the very code of `scan`, so that a settled hour is what `scan` makes of it.

mod announce;
mod deliver;
mod hear;
mod intake;
mod judging;
mod lease;
mod listen;
mod look;
mod meters;
mod names;
pub mod status;
mod tide;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::alert::Sender;
use crate::detect::Baseline;
use crate::judge::evidence::Evidence;
use crate::judge::fold::{hour_at, slot_at};
use crate::ledger::{HourState, Ledger, LedgerError, ObjectState};
use crate::policy::Policy;
use crate::sink::{Hour, Lake, Lease};
use crate::source::{Queue, S3};

use super::batch::{open_lake, runtime};
use super::days::Detects;
use super::error::ScanError;
use super::lock;
use super::origins::Whose;
use super::run::Run;
use super::settings::{ScanSettings, WatchSettings};
use super::stop::{Clock, Stop, UntilAborted};
use super::terms::Terms;
use meters::Meters;
use names::Names;
use tide::{Tide, Waits};

impl From<LedgerError> for ScanError {
    fn from(error: LedgerError) -> ScanError {
        match error {
            LedgerError::Io { .. } | LedgerError::Failed { .. } => ScanError::Failed(error.into()),
            error => ScanError::Usage {
                message: error.to_string(),
                hint: None,
            },
        }
    }
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchEnd {
    /// Objects that could not be read.
    pub unreadable: u64,
    /// Alerts that wait for their targets.
    pub waiting: u64,
    /// Alerts that wait for targets which this run was not given.
    pub of_others: u64,
    /// Whether it was to judge all that is there, and was ended before.
    pub is_cut_short: bool,
}

/// Watches until the end is asked for, or nothing is left to do.
///
/// # Errors
/// When the settings, the policy, the lake or the ledger are not as they should be, or what was begun cannot go on. What
/// may pass (a store or a target that does not answer) is tried again and again.
pub fn watch(
    settings: &WatchSettings,
    clock: &dyn Clock,
    stop: &Stop,
) -> Result<WatchEnd, ScanError> {
    if settings.judging.policies.len() > 1 {
        return Err(ScanError::Usage {
            message: format!(
                "expected one policy, got {}: watch judges by one from its start to its end",
                settings.judging.policies.len()
            ),
            hint: Some(
                "end it on the day that the policy changes, and start it again with the new one; `tidegate scan` takes several"
                    .to_owned(),
            ),
        });
    }
    let terms = Terms::load(&settings.judging.policies)?;
    let (policy, file) = (terms.last(), terms.last_file());
    let names = Names::of(policy, file, settings.judging.memory, settings.settle)?;
    let baseline = super::baseline::load(settings.judging.baseline.as_deref(), policy)?;
    let whose = Whose::read(policy, file);
    let whose = whose.map_err(|message| ScanError::Usage {
        message,
        hint: None,
    })?;
    let listener = settings.listen.map(listen::bind).transpose()?;
    let runtime = runtime()?;
    let senders = settings.alerts.iter().map(|target| {
        runtime
            .block_on(Sender::open(target))
            .map_err(|message| ScanError::Usage {
                message,
                hint: None,
            })
    });
    let senders: Vec<Sender> = senders.collect::<Result<_, _>>()?;
    let queue = match &settings.queue {
        Some(words) => Some(open_queue(words, settings.allow_no_dlq, &runtime)?),
        None => None,
    };
    let ledger = Ledger::open(&settings.state, &scope(settings))?;
    let temp = temp(&settings.state)?;
    let lake = open_lake(&settings.judging, &terms, &runtime, temp.path())?;
    let held = match &lake {
        Some(lake) => match lease::wait(lake, &ledger, settings.lease, stop)? {
            Some(held) => Some(held),
            None => return Ok(WatchEnd::default()),
        },
        None => None,
    };
    let committed = match &lake {
        Some(lake) => lake.committed_hours(..).map_err(anyhow::Error::from)?,
        None => BTreeSet::new(),
    };
    if lake.is_none() {
        tracing::warn!(
            "without --lake detectors see one hour at a time: what spans hours (beacons, volumes, silence) is not found"
        );
    }
    let watch = Watch {
        settings,
        policy,
        names,
        runtime: &runtime,
        temp: temp.path(),
        lake: lake.as_ref(),
        baseline: baseline.as_ref(),
        whose,
        committed: Mutex::new(committed),
        ledger: &ledger,
        clock,
        stop,
        senders: &senders,
        queue: queue.as_ref(),
        sea: Mutex::new(take_up(&ledger, settings)?),
        meters: Meters::default(),
    };
    watch.run(held, listener)
}

/// A folder for temporary files, by a name that the next run knows: one that was killed left them behind. The ledger is
/// open, so that nobody else uses it.
fn temp(state: &Path) -> anyhow::Result<tempfile::TempDir> {
    let name = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    let name = xxhash_rust::xxh3::xxh3_64(name.as_os_str().as_encoded_bytes());
    let prefix = format!("tidegate-watch-{name:016x}-");
    for entry in std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    super::temp_folder(&prefix)
}

/// The queue that tells of new objects.
fn open_queue(words: &str, allow_no_dlq: bool, runtime: &Runtime) -> Result<Queue, ScanError> {
    let queue = runtime.block_on(Queue::open(words))?;
    if !queue.has_redrive() && !allow_no_dlq {
        return Err(ScanError::Usage {
            message: format!("the queue {} has no dead-letter queue", queue.url()),
            hint: Some(
                "what cannot be understood would come again and again: give it a redrive policy, or --allow-no-dlq"
                    .to_owned(),
            ),
        });
    }
    Ok(queue)
}

/// What a ledger is of: another one is not taken up.
fn scope(settings: &WatchSettings) -> String {
    let judging = &settings.judging;
    let list = |words: &[String]| {
        if words.is_empty() {
            "all".to_owned()
        } else {
            words.join(",")
        }
    };
    let sources = judging.sources.iter().chain(&settings.queue);
    let sources: BTreeSet<&str> = sources.map(String::as_str).collect();
    format!(
        "sources {}; accounts {}; regions {}; lake {}",
        sources.into_iter().collect::<Vec<_>>().join(" "),
        list(&judging.accounts),
        list(&judging.regions),
        judging.lake.as_deref().unwrap_or("none")
    )
}

/// What the ledger says of open hours.
fn take_up(ledger: &Ledger, settings: &WatchSettings) -> Result<Sea, LedgerError> {
    let view = ledger.read()?;
    let (hours, judged) = (view.hours()?, view.judged_slots()?);
    let mut unjudged = BTreeSet::new();
    for hour in hours.iter().filter(|hour| hour.state == HourState::Open) {
        for object in view.objects(hour.start..hour.start + 1)? {
            let slot = slot_at(object.time);
            if object.state < ObjectState::Judged && !judged.contains(&slot) {
                unjudged.insert(slot);
            }
        }
    }
    let newest = u32::try_from(view.counter(NEWEST)?).unwrap_or(u32::MAX);
    let waits = Waits {
        lateness: settings.lateness,
        settle: settings.settle,
    };
    Ok(Sea {
        tide: Tide::new(waits, newest, &hours, unjudged),
        taken: None,
        is_behind: settings.queue.is_some(),
        young: 0,
        is_over: false,
        done: None,
        evidence: BTreeMap::new(),
    })
}

/// Names of the ledger's counters and times.
pub(super) const NEWEST: &str = "newest-key-time";
pub(super) const BEGIN: &str = "begin";

/// What the threads of a watch share.
struct Watch<'a> {
    settings: &'a WatchSettings,
    /// As it is without Resolver logs.
    policy: &'a Policy,
    /// What it knows of names; none where it goes by no Resolver logs.
    names: Option<Names<'a>>,
    runtime: &'a Runtime,
    temp: &'a Path,
    lake: Option<&'a Lake>,
    /// What is usual, where it was learned.
    baseline: Option<&'a Baseline>,
    /// Whose the addresses are that alerts name.
    whose: Whose<'a>,
    /// Hours that are in the lake.
    committed: Mutex<BTreeSet<Hour>>,
    ledger: &'a Ledger,
    clock: &'a dyn Clock,
    stop: &'a Stop,
    senders: &'a [Sender],
    queue: Option<&'a Queue>,
    sea: Mutex<Sea>,
    meters: Meters,
}

/// What changes as objects come.
struct Sea {
    tide: Tide,
    /// When that began which took all that was there, by the clock (seconds); none where more is coming.
    taken: Option<u32>,
    /// Whether a queue may hold what is older than the newest object: after a pause its messages come in no order.
    is_behind: bool,
    /// How many times in a row it gave nothing old.
    young: u32,
    /// Whether nothing more will come.
    is_over: bool,
    /// Since when nothing more will be judged.
    done: Option<Instant>,
    /// What slots proved, with the version of the slot that it was drawn from.
    evidence: BTreeMap<u32, (u64, Arc<Evidence>)>,
}

/// Says that nothing more will be judged, whatever became of it: the others end, too.
struct Done<'w, 'a>(&'w Watch<'a>);

impl Drop for Done<'_, '_> {
    fn drop(&mut self) {
        lock(&self.0.sea).done = Some(Instant::now());
        if std::thread::panicking() {
            self.0.stop.ask();
        }
        self.0.stop.ring();
    }
}

/// How long a thread waits for the others before it looks for itself.
const TICK: Duration = Duration::from_secs(1);
/// How long is waited after a failure, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How often work that has an end is tried that fails.
const TRIES: u32 = 5;

impl Watch<'_> {
    /// Does the work, and answers whoever asks until all of it is done.
    fn run(
        &self,
        held: Option<Lease>,
        listener: Option<TcpListener>,
    ) -> Result<WatchEnd, ScanError> {
        let (running, over) = oneshot::channel();
        std::thread::scope(|scope| {
            if let Some(listener) = listener {
                scope.spawn(|| {
                    if let Err(error) = self.answer(listener, over) {
                        tracing::error!("nobody is answered any more: {error}");
                    }
                });
            }
            // Gone when the work is over, whatever became of it.
            let _running: oneshot::Sender<()> = running;
            self.work(held)
        })
    }

    /// Takes in, judges and delivers, each on threads of their own.
    fn work(&self, held: Option<Lease>) -> Result<WatchEnd, ScanError> {
        let (taken_in, judged, unreadable, was_held) = std::thread::scope(|scope| {
            let keeping = held.map(|lease| {
                scope.spawn(|| {
                    let is_done = || lock(&self.sea).done.is_some();
                    lease::keep(lease, self.settings.lease, self.stop, is_done)
                })
            });
            for sender in self.senders {
                scope.spawn(|| self.deliver(sender));
            }
            let judging = scope.spawn(|| {
                let _done = Done(self);
                let mut unreadable = BTreeSet::new();
                let judged = self.judge(&mut unreadable);
                if judged.is_err() {
                    self.stop.ask();
                }
                (judged, unreadable.len() as u64)
            });
            let taken_in = self.take_in();
            lock(&self.sea).is_over = true;
            if taken_in.is_err() {
                self.stop.ask();
            }
            self.stop.ring();
            let (judged, unreadable) = judging
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let was_held = keeping.is_none_or(|keeping| keeping.join().unwrap_or(false));
            (taken_in, judged, unreadable, was_held)
        });
        if !was_held {
            return Err(ScanError::Failed(anyhow::anyhow!(
                "the lake's lease was lost: another watch may write to it\nhint: what was not committed is judged by whichever watch holds it next"
            )));
        }
        taken_in?;
        judged?;
        let mut outbox = self.ledger.read()?.outbox()?;
        let queues = self.senders.iter().map(|sender| sender.target().id());
        let waiting = queues.filter_map(|queue| outbox.remove(&queue)).sum();
        Ok(WatchEnd {
            unreadable,
            waiting,
            of_others: outbox.into_values().sum(),
            is_cut_short: self.settings.until_idle && self.stop.is_asked(),
        })
    }

    /// Does work that may fail for a while until it succeeds; none when the end is asked for. What is wrong usage when it is
    /// done first passes later: a folder is moved, a bucket's policy is edited.
    fn persist<T>(
        &self,
        what: &str,
        is_first: bool,
        work: impl Fn() -> Result<T, ScanError>,
    ) -> Result<Option<T>, ScanError> {
        let (mut pause, most) = PAUSES;
        for tries in 1.. {
            match work() {
                Ok(done) => return Ok(Some(done)),
                Err(_) if self.stop.is_abort() => return Ok(None),
                Err(error @ ScanError::Usage { .. }) if is_first => return Err(error),
                Err(error) if self.settings.until_idle && tries == TRIES => return Err(error),
                Err(error) => {
                    self.meters
                        .count("tidegate_failures_total", &[("what", what)], 1);
                    tracing::warn!("{what} failed, and is tried again: {error}");
                }
            }
            self.stop.wait(pause, None);
            if self.stop.is_asked() {
                return Ok(None);
            }
            pause = (pause * 2).min(most);
        }
        Ok(None)
    }

    /// Up to where key times are complete.
    fn watermark(&self, sea: &Sea) -> u32 {
        if sea.is_over && self.settings.until_idle {
            return u32::MAX;
        }
        if sea.is_behind {
            return 0;
        }
        // A name ahead of the clock closes nothing.
        let now = self.clock.seconds().saturating_sub(self.settings.lateness);
        sea.tide.watermark(sea.taken).min(now)
    }

    /// A run of our own that judges whatever it is given, for no lake.
    fn a_run<'r>(&'r self, settings: &'r ScanSettings, progress: &'r UntilAborted<'r>) -> Run<'r> {
        Run {
            settings,
            policy: self.policy,
            resolver: None,
            runtime: self.runtime,
            temp: self.temp,
            lake: None,
            open_slot: None,
            certain: false,
            asked: None,
            comparing: None,
            counts_groups: true,
            detects: Some(self.detects()),
            committed: BTreeSet::new(),
            since: None,
            until: None,
            counts_timeless: true,
            progress,
        }
    }

    /// How detectors look at its days.
    fn detects(&self) -> Detects<'_> {
        Detects {
            baseline: self.baseline,
            accounts: &self.settings.judging.accounts,
            regions: &self.settings.judging.regions,
        }
    }

    /// The connection for sources in S3; none where there are none.
    fn connect(&self) -> Result<Option<S3>, ScanError> {
        let is_s3 = |source: &String| source.starts_with("s3://");
        let listed = self.settings.judging.sources.iter().any(is_s3);
        if !listed && self.settings.queue.is_none() {
            return Ok(None);
        }
        let s3 = self.runtime.block_on(S3::connect());
        Ok(Some(s3.map_err(ScanError::from)?))
    }

    /// The hour in which the watch began, start in seconds: what is older is read for evidence only.
    fn begin(&self) -> Result<u32, ScanError> {
        let begin = self.ledger.read()?.counter(BEGIN)?;
        Ok(hour_at(u32::try_from(begin).unwrap_or(u32::MAX)))
    }
}
