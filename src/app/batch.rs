//! `scan`: judge historical logs. List, fetch, fold, prove, judge, commit, report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::flow::DecodeOptions;
use crate::judge::evidence::Evidence;
use crate::judge::fold::SLOT_SECS;
use crate::judge::part::SlotPart;
use crate::judge::reporter::Reporters;
use crate::policy::Policy;
use crate::sink::{Day, Hour, Identity, Lake, LakeError, Store};
use crate::source::{
    FetchOptions, Fetcher, Listing, Object, S3, Selection, Source, SourceError, WHAT_IS_TAKEN,
};

use super::asked::Asked;
use super::coverage::CoverageGatherer;
use super::days::findings_of;
use super::error::ScanError;
use super::hours::Hours;
use super::leftovers::Leftovers;
use super::malformed::MalformedLines;
use super::memory::Shares;
use super::pipeline::{Board, Gathered, Limits, SlotPlan, hour_of};
use super::policy_file;
use super::progress::Progress;
use super::report::{LakeSummary, RunReport, rfc3339};
use super::room::TableMemory;
use super::settings::{Keep, ScanSettings};
use super::work::Batch;

/// Objects that are fetched ahead. Fewer leave a thread waiting for S3's first byte; more only take memory.
const OBJECTS_AHEAD: usize = 16;

/// Threads that fetching runs on: it waits more than it works.
const FETCHING_THREADS: usize = 2;

/// Judges what the settings name, and reports.
///
/// # Errors
/// When the sources, the policy or the lake are not as they should be, or the run cannot go on. What single objects
/// lack is in the report instead.
pub fn scan(settings: &ScanSettings, progress: &dyn Progress) -> Result<RunReport, ScanError> {
    scan_for(settings, None, progress)
}

/// The same; all judged records go to whoever asks for them, unless there is a lake that keeps some.
///
/// # Errors
/// As [`scan`], and when nobody wants more records.
pub fn scan_for(
    settings: &ScanSettings,
    asked: Option<&Asked<'_>>,
    progress: &dyn Progress,
) -> Result<RunReport, ScanError> {
    let policy = policy_file::load(&settings.policy)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let lake = open_lake(settings, &policy, &runtime, temp.path())?;
    let (mut since, mut until) = (settings.since, settings.until);
    let mut committed = BTreeSet::new();
    if let Some(lake) = &lake {
        since = since.map(hour_of);
        until = until.map(|until| hour_of(until.saturating_add(3599)));
        if !settings.rejudge {
            committed = lake.committed_hours(..).map_err(anyhow::Error::from)?;
        }
    }
    let run = Run {
        settings,
        policy: &policy,
        runtime: &runtime,
        temp: temp.path(),
        lake: lake.as_ref(),
        asked,
        committed,
        since,
        until,
        progress,
    };
    run.scan()
}

/// What fetching runs on.
pub(super) fn runtime() -> Result<Runtime, ScanError> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(FETCHING_THREADS)
        .enable_all()
        .build();
    Ok(built.context("cannot start the threads that fetch")?)
}

/// A listing of what the settings name, with the connection that fetching shares.
pub(super) fn open_listing(
    settings: &ScanSettings,
    runtime: &Runtime,
    since: Option<u32>,
    until: Option<u32>,
) -> Result<(Listing, Option<S3>), ScanError> {
    let words = settings.sources.iter().map(|word| Source::parse(word));
    let sources = words
        .collect::<Result<Vec<Source>, SourceError>>()
        .map_err(ScanError::from)?;
    let accounts = settings.accounts.clone();
    let selection = Selection {
        since,
        until,
        accounts,
        regions: settings.regions.clone(),
        except: settings.lake.clone(),
    };
    let open = async {
        let s3 = if sources.iter().any(Source::is_s3) {
            Some(S3::connect().await?)
        } else {
            None
        };
        let listing = Listing::open(&sources, selection, s3.clone()).await?;
        Ok((listing, s3))
    };
    runtime
        .block_on(open)
        .map_err(|error: SourceError| ScanError::from(error))
}

fn open_lake(
    settings: &ScanSettings,
    policy: &Policy,
    runtime: &Runtime,
    temp: &Path,
) -> Result<Option<Lake>, ScanError> {
    let Some(url) = &settings.lake else {
        return Ok(None);
    };
    let mut others = BTreeMap::from([("horizon".to_owned(), settings.horizon.to_string())]);
    if let Some(layout) = &settings.layout {
        others.insert("layout".to_owned(), layout.to_string());
    }
    let identity = Identity {
        policy_id: policy.id().to_owned(),
        policy_hash: policy.hash().to_owned(),
        sources: settings.sources.clone(),
        accounts: settings.accounts.clone(),
        regions: settings.regions.clone(),
        keep: settings.keep.as_str().to_owned(),
        settings: others,
    };
    let store = Store::open(url, runtime.handle()).map_err(LakeError::from)?;
    Ok(Some(Lake::open(store, identity, settings.rejudge, temp)?))
}

/// What is said where nothing was listed that could be judged.
pub(super) fn no_objects(listing: &Listing) -> ScanError {
    ScanError::NoObjects {
        message: listing.nothing_found(),
        hint: Some(format!(
            "{WHAT_IS_TAKEN}; see also --since, --until, --accounts and --regions"
        )),
        others: listing.has_pruned(),
    }
}

/// Objects whose keys have no time, and what they hold of each slot.
#[derive(Default)]
struct Timeless {
    objects: Vec<Object>,
    slots: BTreeMap<u32, Gathered>,
    /// Shared by all hours, since their records may go to any.
    reporters: Option<Arc<Reporters>>,
}

/// One run.
struct Run<'a> {
    settings: &'a ScanSettings,
    policy: &'a Policy,
    runtime: &'a Runtime,
    temp: &'a Path,
    lake: Option<&'a Lake>,
    asked: Option<&'a Asked<'a>>,
    /// Hours that the lake holds and that stay as they are.
    committed: BTreeSet<Hour>,
    since: Option<u32>,
    until: Option<u32>,
    progress: &'a dyn Progress,
}

/// What all threads of a run share.
struct Shared<'a> {
    hours: Hours<'a>,
    coverage: CoverageGatherer,
    fetcher: Fetcher,
}

/// What is carried from day to day of a run.
#[derive(Default)]
struct Carried {
    evidence: BTreeMap<u32, Arc<Evidence>>,
    /// Committed hours that objects were found for, with these objects and their sizes.
    kept: BTreeMap<Hour, Vec<(Arc<str>, u64)>>,
    timeless: Timeless,
}

impl Run<'_> {
    fn scan(&self) -> Result<RunReport, ScanError> {
        let settings = self.settings;
        let mut report = RunReport {
            policy_id: self.policy.id().to_owned(),
            policy_title: self.policy.title().to_owned(),
            policy_hash: self.policy.hash().to_owned(),
            ..RunReport::default()
        };
        report.warnings.extend(self.widened());
        self.progress.stage("listing");
        let evidence_from = self
            .since
            .map(|since| since.saturating_sub(settings.horizon * SLOT_SECS));
        let (mut listing, s3) = open_listing(settings, self.runtime, evidence_from, self.until)?;
        let shares = Shares::of(settings.memory);
        let shared = Shared {
            hours: Hours::new(
                self.policy,
                self.lake,
                settings.keep != Keep::None,
                self.temp,
                shares,
                settings.threads,
            ),
            coverage: CoverageGatherer::default(),
            fetcher: Fetcher::new(
                s3,
                FetchOptions {
                    whole_limit: shares.object,
                    ..FetchOptions::default()
                },
            ),
        };
        let mut carried = Carried::default();
        self.progress.stage("judging");
        if let Some(batch) = listing.take_timeless() {
            carried.timeless.objects = batch.objects;
            self.fold_timeless(&shared, &mut carried)?;
        }
        while let Some(day) = self
            .runtime
            .block_on(listing.next())
            .map_err(ScanError::from)?
        {
            self.judge_batch(day.objects, &shared, &mut carried)?;
        }
        if !carried.timeless.slots.is_empty() {
            self.judge_batch(Vec::new(), &shared, &mut carried)?;
        }
        let counts = listing.counts();
        if counts.objects == 0 {
            return Err(no_objects(&listing));
        }
        let kept: BTreeSet<Hour> = carried.kept.keys().copied().collect();
        let news = self.recall(&shared, carried.kept)?;
        report.warnings.extend(news);
        let Shared {
            hours, coverage, ..
        } = shared;
        let mut outcome = hours.finish();
        if let Some(lake) = self.lake {
            self.progress.stage("writing findings");
            let touched: BTreeSet<Day> = outcome
                .written
                .iter()
                .chain(&kept)
                .map(|hour| hour.day())
                .collect();
            for day in touched {
                let gathered = outcome.days.remove(&day);
                let whole = findings_of(self.policy, lake, day, gathered)?;
                outcome.days.insert(day, whole);
            }
            report.lake = Some(LakeSummary {
                url: lake.store().url(),
                hours_written: outcome.written.len() as u64,
                hours_kept: kept.len() as u64,
                rows: outcome.rows.clone(),
            });
        }
        let let_go = outcome.days.values().map(|day| day.let_go).sum();
        let findings = outcome.days.into_values().flat_map(|day| day.findings);
        coverage.finish(counts.ignored, &mut report);
        if report.coverage.objects > 0 && report.coverage.lines.lines == 0 && kept.is_empty() {
            return Err(ScanError::NoObjects {
                message: "nothing to judge: no object holds a line".to_owned(),
                hint: None,
                others: false,
            });
        }
        outcome.summary.finish(&mut report);
        report.take_findings(findings.collect(), let_go, &settings.known);
        Ok(report)
    }

    /// Says so where a lake's whole hours are more than was asked for.
    fn widened(&self) -> Option<String> {
        if (self.since, self.until) == (self.settings.since, self.settings.until) {
            return None;
        }
        let word = |time: Option<u32>, none: &str| time.map_or_else(|| none.to_owned(), rfc3339);
        let (from, until) = (
            word(self.since, "the beginning"),
            word(self.until, "the end"),
        );
        Some(format!(
            "a lake holds whole hours: judging from {from} until {until}"
        ))
    }

    /// Whether a slot lies in the time that was asked for.
    fn wants(&self, slot: u32) -> bool {
        self.since.is_none_or(|since| slot >= since) && self.until.is_none_or(|until| slot < until)
    }

    /// Whether a slot is to be judged: it is wanted, and its hour is not in the lake yet.
    fn judges(&self, slot: u32) -> bool {
        self.wants(slot) && !self.committed.contains(&Hour::of(slot))
    }

    /// Whether what a slot proves may be asked for: it or a slot of the hour after is judged, as far as one can know.
    fn is_needed(&self, slot: u32) -> bool {
        (0..=self.settings.horizon).any(|later| self.judges(slot.saturating_add(later * SLOT_SECS)))
    }

    /// Folds the objects whose keys have no time. Their records go to the slots of their ends, so all of them are read
    /// before any slot is judged.
    fn fold_timeless(&self, shared: &Shared<'_>, carried: &mut Carried) -> Result<(), ScanError> {
        let mut timeless = std::mem::take(&mut carried.timeless);
        timeless.objects.sort_by(|a, b| a.url.cmp(&b.url));
        timeless.reporters = Some(Arc::default());
        let objects = std::mem::take(&mut timeless.objects);
        let bytes = objects.iter().map(|object| object.size).sum();
        self.progress.begin(objects.len() as u64, bytes);
        let batch = self.new_batch(&objects, 0, timeless.reporters.clone(), shared);
        let slots = batch
            .fold_timeless(self.settings.threads)
            .map_err(ScanError::Failed)?;
        drop(batch);
        let hours = slots
            .keys()
            .filter(|slot| self.wants(**slot))
            .map(|slot| Hour::of(*slot));
        for hour in hours.filter(|hour| self.committed.contains(hour)) {
            carried.kept.entry(hour).or_default();
        }
        timeless.slots = slots
            .into_iter()
            .filter(|(start, _)| self.is_needed(*start))
            .collect();
        timeless.objects = objects;
        carried.timeless = timeless;
        Ok(())
    }

    /// Judges the slots of a day's objects, and those of objects without key times up to the day's end. Without
    /// objects, all that are left.
    fn judge_batch(
        &self,
        day: Vec<Object>,
        shared: &Shared<'_>,
        carried: &mut Carried,
    ) -> Result<(), ScanError> {
        let mut objects = carried.timeless.objects.clone();
        let num_timeless = objects.len();
        objects.extend(day);
        objects[num_timeless..].sort_by(|a, b| a.url.cmp(&b.url));
        let mut slots: BTreeMap<u32, SlotPlan> = BTreeMap::new();
        let mut last = u32::MAX;
        for (rank, object) in objects.iter().enumerate() {
            let Some(key) = &object.key else { continue };
            let start = key.time - key.time % SLOT_SECS;
            last = Day::of(key.time).last_hour().start() + 3599;
            if self.wants(start) && self.committed.contains(&Hour::of(start)) {
                let listed = carried.kept.entry(Hour::of(start)).or_default();
                listed.push((object.url.clone(), object.size));
            }
            if self.is_needed(start) {
                slots
                    .entry(start)
                    .or_insert_with(|| self.slot(start))
                    .objects
                    .push((rank, object.size));
            }
        }
        let later = if last == u32::MAX {
            BTreeMap::new()
        } else {
            carried.timeless.slots.split_off(&(last + 1))
        };
        let due = std::mem::replace(&mut carried.timeless.slots, later);
        for start in due.keys() {
            slots.entry(*start).or_insert_with(|| self.slot(*start));
        }
        let judged = slots
            .values()
            .filter(|slot| slot.judged)
            .flat_map(|slot| &slot.objects);
        let (count, bytes) = judged.fold((0, 0), |(count, bytes), (_, size)| {
            (count + 1, bytes + size)
        });
        self.progress.begin(count, bytes);
        let batch = self.new_batch(
            &objects,
            num_timeless,
            carried.timeless.reporters.clone(),
            shared,
        );
        let limits = Limits {
            threads: self.settings.threads,
            horizon: self.settings.horizon,
            objects: OBJECTS_AHEAD.max(self.settings.threads),
            bytes: Shares::of(self.settings.memory).ahead,
        };
        let starts: Vec<u32> = slots.keys().copied().collect();
        let board = Board::new(
            slots.into_values().collect(),
            std::mem::take(&mut carried.evidence),
            limits,
        );
        for (start, gathered) in due {
            if let Ok(place) = starts.binary_search(&start) {
                let held = gathered.parts.iter().map(SlotPart::memory).sum();
                batch.tables.changed(0, held);
                board.seed(place, gathered);
            }
        }
        carried.evidence = batch
            .work(&Arc::new(board), self.settings.threads)
            .map_err(ScanError::Failed)?;
        Ok(())
    }

    fn slot(&self, start: u32) -> SlotPlan {
        SlotPlan {
            start,
            objects: Vec::new(),
            judged: self.judges(start),
        }
    }

    fn new_batch<'b, 'h>(
        &'b self,
        objects: &'b [Object],
        num_timeless: usize,
        reporters: Option<Arc<Reporters>>,
        shared: &'b Shared<'h>,
    ) -> Batch<'b, 'h> {
        let shares = Shares::of(self.settings.memory);
        let asked = self.asked.filter(|_| self.lake.is_none());
        let keep = match (self.lake, asked) {
            (Some(_), _) => self.settings.keep,
            (None, Some(_)) => Keep::All,
            (None, None) => Keep::None,
        };
        // Nothing is kept of rejected records, nor of rows for a lake, where all records are asked for.
        let bodies = match asked {
            Some(_) => shares.bodies + shares.rejected + shares.records,
            None => shares.bodies,
        };
        let leftovers = Leftovers::new(bodies, shares.lines, shares.rejected);
        Batch {
            policy: self.policy,
            urls: objects.iter().map(|object| object.url.clone()).collect(),
            objects,
            num_timeless,
            hours: &shared.hours,
            coverage: &shared.coverage,
            progress: self.progress,
            temp: self.temp,
            keep,
            asked,
            tables: TableMemory::new(shares.tables),
            options: DecodeOptions {
                layout: self.settings.layout.clone(),
                max_row_group: shares.object,
                max_marks: match keep {
                    Keep::Flagged => leftovers.most_rejected(),
                    Keep::None | Keep::All => 0,
                },
                // Each thread holds one before it is known whether there is room for it.
                max_text: asked.map_or(0, |_| bodies / self.settings.threads.max(1)),
                ..DecodeOptions::default()
            },
            rulings_memory: shares.rulings / self.settings.threads.max(1),
            ends_at_once: shares.ends,
            leftovers,
            fetcher: &shared.fetcher,
            runtime: self.runtime,
            reporters,
        }
    }

    /// Takes the hours that the lake holds already into the report; a warning if there are objects by now that they were
    /// not made from.
    fn recall(
        &self,
        shared: &Shared<'_>,
        kept: BTreeMap<Hour, Vec<(Arc<str>, u64)>>,
    ) -> Result<Option<String>, ScanError> {
        let Some(lake) = self.lake else {
            return Ok(None);
        };
        let (mut missing, mut example) = (0, None);
        for (hour, listed) in kept {
            shared.hours.recall(lake, hour)?;
            let malformed = shared.coverage.recall_malformed(lake, hour);
            malformed.map_err(anyhow::Error::from)?;
            let rows = lake.objects(hour).map_err(anyhow::Error::from)?;
            let known: BTreeMap<&str, u64> = rows
                .iter()
                .map(|row| (row.source.as_str(), row.size))
                .collect();
            for (url, size) in listed {
                if known.get(&*url) != Some(&size) {
                    missing += 1;
                    example.get_or_insert((hour, url));
                }
            }
            // Objects without key times were read, and counted, in this run.
            for row in rows.into_iter().filter(|row| row.time != 0) {
                shared
                    .coverage
                    .object(&row, &MalformedLines::new(row.source.as_str().into()));
            }
        }
        Ok(example.map(|(hour, url)| {
            format!(
                "objects that came or changed after the lake's hours were written: {missing}, the first of {hour}: {url}; --rejudge judges these hours again"
            )
        }))
    }
}
