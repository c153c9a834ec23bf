//! `scan`: judge historical logs. List, fetch, fold, prove, judge, commit, report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::alert::instant;
use crate::judge::fold::hour_at;
use crate::sink::{Identity, Lake, LakeError, Store};
use crate::source::{Listing, S3, Selection, Source, SourceError, WHAT_IS_TAKEN};

use super::asked::Asked;
use super::baseline;
use super::comparing::Comparing;
use super::days::Detects;
use super::error::ScanError;
use super::progress::Progress;
use super::report::RunReport;
use super::resolver::{self, ResolverReport};
use super::run::Run;
use super::runs::scan_runs;
use super::settings::ScanSettings;
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
    list(&sources, selection, runtime).map_err(ScanError::from)
}

/// A listing of sources, with the connection that fetching shares.
pub(super) fn list(
    sources: &[Source],
    selection: Selection,
    runtime: &Runtime,
) -> Result<(Listing, Option<S3>), SourceError> {
    runtime.block_on(async {
        let s3 = match sources.iter().any(Source::is_s3) {
            true => Some(S3::connect().await?),
            false => None,
        };
        let listing = Listing::open(sources, selection, s3.clone()).await?;
        Ok((listing, s3))
    })
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
