//! `scan`: judge historical logs. List, fetch, fold, prove, judge, commit, report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::alert::instant;
use crate::judge::fold::{SLOT_SECS, hour_at};
use crate::policy::Policy;
use crate::sink::{Day, Hour, Identity, Lake, LakeError, Store};
use crate::source::{Listing, S3, Selection, Source, SourceError, WHAT_IS_TAKEN};

use super::asked::Asked;
use super::baseline;
use super::comparing::Comparing;
use super::days::{Detects, findings_of};
use super::error::ScanError;
use super::malformed::MalformedLines;
use super::policy_file;
use super::progress::Progress;
use super::report::{LakeSummary, RunReport};
use super::run::{Carried, Run, Shared};
use super::settings::ScanSettings;

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
    scan_with(settings, asked, None, progress)
}

/// The same; of every connection another policy is asked, too.
///
/// # Errors
/// As [`scan`].
pub(super) fn scan_comparing(
    settings: &ScanSettings,
    comparing: &Comparing<'_>,
    progress: &dyn Progress,
) -> Result<RunReport, ScanError> {
    scan_with(settings, None, Some(comparing), progress)
}

fn scan_with(
    settings: &ScanSettings,
    asked: Option<&Asked<'_>>,
    comparing: Option<&Comparing<'_>>,
    progress: &dyn Progress,
) -> Result<RunReport, ScanError> {
    let policy = policy_file::load(&settings.policy)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let lake = open_lake(settings, &policy, &runtime, temp.path())?;
    let (mut since, mut until) = (settings.since, settings.until);
    let baseline = baseline::load(settings.baseline.as_deref(), &policy)?;
    let detects = (lake.is_some() || settings.detect || baseline.is_some()).then_some(Detects {
        baseline: baseline.as_ref(),
        accounts: &settings.accounts,
        regions: &settings.regions,
    });
    let mut committed = BTreeSet::new();
    if let Some(lake) = &lake {
        since = since.map(hour_at);
        until = until.map(|until| hour_at(until.saturating_add(3599)));
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
        open_slot: None,
        certain: false,
        asked,
        comparing,
        counts_groups: false,
        detects,
        committed,
        since,
        until,
        progress,
    };
    run.scan()
}

/// Says so where the whole hours of a lake that are taken, from and until, are more than was asked for.
pub(super) fn widened_note(
    doing: &str,
    asked: [Option<u32>; 2],
    taken: [Option<u32>; 2],
) -> Option<String> {
    if taken == asked {
        return None;
    }
    let word = |time: Option<u32>, none: &str| time.map_or_else(|| none.to_owned(), instant);
    let [from, until] = taken;
    Some(format!(
        "a lake holds whole hours: {doing} from {} until {}",
        word(from, "the beginning"),
        word(until, "the end")
    ))
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

pub(super) fn open_lake(
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
        let shared = self.share(s3);
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
                let whole = findings_of(self.policy, self.detects, lake, day, gathered)?;
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
        let asked = [self.settings.since, self.settings.until];
        widened_note("judging", asked, [self.since, self.until])
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
