//! The runs of a scan, one for each policy: each judges its own days, and what they came to is put together in one report.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{no_objects, open_listing, widened_note};
use super::coverage::CoverageGatherer;
use super::days::findings_of;
use super::error::ScanError;
use super::listed::ListedDays;
use super::malformed::MalformedLines;
use super::origins::Whose;
use super::report::{LakeSummary, RunReport};
use super::resolver::ResolverReport;
use super::run::{Carried, Kept, Run, Shared};
use super::summary::Summary;
use super::terms::Terms;
use crate::judge::Finding;
use crate::judge::fold::SLOT_SECS;
use crate::policy::Policy;
use crate::sink::{Day, Hour};
use crate::source::Object;

/// Judges by one policy after the other, each its own days: as a run of its own that starts in mid-history, but that what
/// there is to read is listed, and counted, once. `since` and `until` are those of all together.
pub(super) fn scan_runs(
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
    match Whose::read(terms.last(), terms.last_file()) {
        Ok(whose) => {
            let (origins, warning) = whose.of(&report.findings);
            report.origins = origins;
            report.warnings.extend(warning);
        }
        Err(error) => report.warnings.push(error),
    }
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
