//! `scan`: judge historical logs. List, fetch, fold, prove, judge, commit, report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::alert::instant;
use crate::judge::Finding;
use crate::judge::fold::{SLOT_SECS, hour_at};
use crate::policy::Policy;
use crate::sink::{Day, Hour, Identity, Lake, LakeError, Store};
use crate::source::{Listing, Object, S3, Selection, Source, SourceError, WHAT_IS_TAKEN};

use super::asked::Asked;
use super::baseline;
use super::comparing::Comparing;
use super::coverage::CoverageGatherer;
use super::days::{Detects, findings_of};
use super::error::ScanError;
use super::listed::ListedDays;
use super::malformed::MalformedLines;
use super::progress::Progress;
use super::report::{LakeSummary, RunReport};
use super::resolver::{self, ResolverReport};
use super::run::{Carried, Kept, Run, Shared};
use super::settings::ScanSettings;
use super::summary::Summary;
use super::terms::{Term, Terms};

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
    let terms = Terms::load(&settings.policies)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let lake = open_lake(settings, &terms, &runtime, temp.path())?;
    let (mut since, mut until) = (settings.since, settings.until);
    let baselines = terms
        .iter()
        .map(|term| baseline::load(settings.baseline.as_deref(), &term.policy))
        .collect::<Result<Vec<_>, _>>()?;
    let mut committed = BTreeSet::new();
    if let Some(lake) = &lake {
        since = since.map(hour_at);
        until = until.map(|until| hour_at(until.saturating_add(3599)));
        if !settings.rejudge {
            committed = lake.committed_hours(..).map_err(anyhow::Error::from)?;
        }
    }
    let lakes = terms.iter().map(|term| {
        let policy = &term.policy;
        lake.as_ref()
            .map(|lake| lake.judged_by(policy.id(), policy.hash()))
    });
    let lakes: Vec<Option<Lake>> = lakes.collect();
    let resolvers = look_up_all(settings, &terms, [since, until], &runtime, progress)?;
    // What is known of names stays: the rest is for judging.
    let knows_names = resolvers.iter().any(Option::is_some);
    let judging = knows_names.then(|| ScanSettings {
        memory: settings.memory / 8 * 7,
        ..settings.clone()
    });
    let settings = judging.as_ref().unwrap_or(settings);
    let mut runs = Vec::new();
    let of_terms = lakes.iter().zip(&baselines).zip(&resolvers);
    for (term, ((lake, baseline), resolver)) in terms.iter().zip(of_terms) {
        let Some([since, until]) = term.within([since, until]) else {
            continue;
        };
        let detects = lake.is_some() || settings.detect || baseline.is_some();
        runs.push(Run {
            settings,
            policy: &term.policy,
            resolver: resolver.as_ref(),
            runtime: &runtime,
            temp: temp.path(),
            lake: lake.as_ref(),
            open_slot: None,
            certain: false,
            asked,
            comparing,
            counts_groups: false,
            detects: detects.then_some(Detects {
                baseline: baseline.as_ref(),
                accounts: &settings.accounts,
                regions: &settings.regions,
            }),
            committed: committed.clone(),
            since,
            until,
            counts_timeless: runs.is_empty(),
            progress,
        });
    }
    scan_runs(&runs, &terms, [since, until])
}

/// Has each policy know what the Resolver logs tell that it names, for the days that it judges. All of them stay in memory,
/// and share what there is for them.
fn look_up_all(
    settings: &ScanSettings,
    terms: &Terms,
    times: [Option<u32>; 2],
    runtime: &Runtime,
    progress: &dyn Progress,
) -> Result<Vec<Option<ResolverReport>>, ScanError> {
    let names_logs = |term: &&Term| !term.policy.resolver_logs().is_empty();
    let sharing = terms.iter().filter(names_logs).count().max(1) as u64;
    let look_up = |term: &Term| match term.within(times) {
        None => Ok(None),
        Some(times) => resolver::look_up(
            &term.policy,
            &term.file,
            times,
            settings.memory / sharing,
            runtime,
            progress,
        ),
    };
    terms.iter().map(look_up).collect()
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
        ..Selection::default()
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
    terms: &Terms,
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
        policy_id: terms.policy_id(),
        policy_hash: terms.policy_hash(),
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

/// Judges by one policy after the other, each its own days: as a run of its own that starts in mid-history, but that what
/// there is to read is listed, and counted, once. `since` and `until` are those of all together.
fn scan_runs(
    runs: &[Run<'_>],
    terms: &Terms,
    [since, until]: [Option<u32>; 2],
) -> Result<RunReport, ScanError> {
    let first = runs.first().expect("some policy is in force at any time");
    let (settings, progress) = (first.settings, first.progress);
    let mut report = RunReport::of(terms);
    let asked = [settings.since, settings.until];
    report
        .warnings
        .extend(widened_note("judging", asked, [since, until]));
    progress.stage("listing");
    let evidence_from = since.map(|since| since.saturating_sub(settings.horizon * SLOT_SECS));
    let (listing, s3) = open_listing(settings, first.runtime, evidence_from, until)?;
    let mut days = ListedDays::new(listing, first.runtime, runs.len() > 1);
    let timeless = days.take_timeless();
    let mut coverage = CoverageGatherer::default();
    let mut ended: Vec<Ended<'_>> = Vec::new();
    for run in runs {
        progress.stage("judging");
        let mut shared = run.share(s3.clone());
        shared.coverage = coverage;
        let kept = run.judge_days(&mut days, &timeless, &shared)?;
        let one;
        (one, coverage) = run.end(shared, kept)?;
        ended.push(one);
    }
    let counts = days.counts();
    if counts.objects == 0 {
        return Err(no_objects(days.listing()));
    }
    let earliest = ended.first().and_then(|one| one.earliest);
    report.warnings.extend(terms.early_note(earliest));
    let news = ended.iter().flat_map(|one| one.warnings.iter().cloned());
    report.warnings.extend(news);
    coverage.finish(counts.ignored, &mut report);
    for one in &ended {
        if let Some(resolver) = one.resolver {
            report.take_resolver(one.policy, resolver);
        }
    }
    let has_kept = |one: &Ended<'_>| one.lake.as_ref().is_some_and(|lake| lake.hours_kept > 0);
    let has_kept = ended.iter().any(has_kept);
    if report.coverage.objects > 0 && report.coverage.lines.lines == 0 && !has_kept {
        return Err(ScanError::NoObjects {
            message: "nothing to judge: no object holds a line".to_owned(),
            hint: None,
            others: false,
        });
    }
    put_together(ended, &mut report, &settings.known);
    Ok(report)
}

/// What one of the runs of a scan came to.
struct Ended<'a> {
    policy: &'a Policy,
    resolver: Option<&'a ResolverReport>,
    summary: Summary<'a>,
    /// The first day that it judged, or that the lake holds.
    earliest: Option<Day>,
    findings: Vec<Finding>,
    /// How much more there was than days may have.
    let_go: u64,
    lake: Option<LakeSummary>,
    warnings: Vec<String>,
}

/// Puts what all runs came to into one report.
fn put_together(ended: Vec<Ended<'_>>, report: &mut RunReport, known: &BTreeSet<String>) {
    let (mut findings, mut let_go) = (Vec::new(), 0);
    let mut whole: Option<Summary<'_>> = None;
    // The last policy's names come first.
    for one in ended.into_iter().rev() {
        match &mut whole {
            None => whole = Some(one.summary),
            Some(whole) => whole.join(one.summary),
        }
        let_go += one.let_go;
        report.note_judged_by(one.policy, &one.findings);
        findings.push(one.findings);
        if let Some(lake) = one.lake {
            report.lake.get_or_insert_default().add(lake);
        }
    }
    if let Some(whole) = whole {
        whole.finish(report);
    }
    // In the order of days.
    findings.reverse();
    report.take_findings(findings.concat(), let_go, known);
}

impl<'a> Run<'a> {
    /// Judges the listed days that are this run's, and what objects without key times hold of its time; the hours that the
    /// lake holds already, with the objects that were found for them.
    fn judge_days(
        &self,
        days: &mut ListedDays<'_>,
        timeless: &[Object],
        shared: &Shared<'_>,
    ) -> Result<Kept, ScanError> {
        let mut carried = Carried::default();
        if !timeless.is_empty() {
            carried.timeless.objects = timeless.to_vec();
            self.fold_timeless(shared, &mut carried)?;
        }
        // What the last slots of another policy's days prove, this one has to see with its own eyes.
        let before = self.since.map(|since| days.take_day_before(since));
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            self.judge_batch(before, shared, &mut carried)?;
        }
        while let Some(day) = days.next_before(self.until)? {
            self.judge_batch(day, shared, &mut carried)?;
        }
        if !carried.timeless.slots.is_empty() {
            self.judge_batch(Vec::new(), shared, &mut carried)?;
        }
        Ok(carried.kept)
    }

    /// Takes the hours that the lake holds already into what is told, and writes the findings of days; with what is said of
    /// objects.
    fn end(
        &self,
        shared: Shared<'a>,
        kept: Kept,
    ) -> Result<(Ended<'a>, CoverageGatherer), ScanError> {
        let kept_hours: BTreeSet<Hour> = kept.keys().copied().collect();
        let warnings = self.recall(&shared, kept)?;
        let mut outcome = shared.hours.finish();
        let mut summary = None;
        if let Some(lake) = self.lake {
            self.progress.stage("writing findings");
            let touched: BTreeSet<Day> = outcome
                .written
                .iter()
                .chain(&kept_hours)
                .map(|hour| hour.day())
                .collect();
            for day in touched {
                let gathered = outcome.days.remove(&day);
                let whole = findings_of(self.policy, self.detects, lake, day, gathered)?;
                outcome.days.insert(day, whole);
            }
            summary = Some(LakeSummary {
                url: lake.store().url(),
                hours_written: outcome.written.len() as u64,
                hours_kept: kept_hours.len() as u64,
                rows: outcome.rows,
            });
        }
        let ended = Ended {
            policy: self.policy,
            resolver: self.resolver,
            summary: outcome.summary,
            earliest: outcome.days.keys().next().copied(),
            let_go: outcome.days.values().map(|day| day.let_go).sum(),
            findings: outcome
                .days
                .into_values()
                .flat_map(|day| day.findings)
                .collect(),
            lake: summary,
            warnings,
        };
        Ok((ended, shared.coverage))
    }

    /// Takes the hours that the lake holds already into the report; a warning if there are objects, or Resolver logs, by
    /// now that they were not made from.
    fn recall(&self, shared: &Shared<'_>, kept: Kept) -> Result<Vec<String>, ScanError> {
        let Some(lake) = self.lake else {
            return Ok(Vec::new());
        };
        let (mut missing, mut example) = (0, None);
        let mut by_other_names = None;
        for (hour, listed) in kept {
            shared.hours.recall(lake, hour)?;
            let malformed = shared.coverage.recall_malformed(lake, hour);
            malformed.map_err(anyhow::Error::from)?;
            let asides = lake.asides(hour).map_err(anyhow::Error::from)?;
            if asides.resolver_logs != self.resolver.map(|read| read.digest_of(hour)) {
                let (hours, _) = by_other_names.get_or_insert((0, hour));
                *hours += 1;
            }
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
        let names = by_other_names.map(|(hours, first)| {
            format!(
                "hours of the lake that were judged by other Resolver logs than there are now: {hours}, the first {first}; --rejudge judges them again"
            )
        });
        let objects = example.map(|(hour, url)| {
            format!(
                "objects that came or changed after the lake's hours were written: {missing}, the first of {hour}: {url}; --rejudge judges these hours again"
            )
        });
        Ok(objects.into_iter().chain(names).collect())
    }
}
