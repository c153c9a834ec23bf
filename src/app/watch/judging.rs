//! Judges what is due: slots that closed, hours that are over, hours that objects came late for. Reads the objects that the
//! ledger knows, by the code of `scan`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::judge::Finding;
use crate::judge::evidence::Evidence;
use crate::judge::fold::{SLOT_SECS, hour_at};
use crate::ledger::{Change, HourState, LedgerError, LedgerHour, LedgerObject, ObjectState};
use crate::sink::{Day, Hour};
use crate::source::{Object, S3};

use super::super::days::findings_of;
use super::super::error::ScanError;
use super::super::lock;
use super::super::report::RunReport;
use super::super::resolver::ResolverReport;
use super::super::run::{Carried, Run};
use super::super::settings::ScanSettings;
use super::super::stop::UntilAborted;
use super::intake::{by_slot, object};
use super::tide::{Due, HOUR_SECS};
use super::{Sea, TICK, Watch};

/// How long settled hours are remembered, seconds: as long as a queue keeps what it was told.
const REMEMBERED: u32 = 15 * 86_400;

/// The ledger's number that says which Resolver logs an hour was judged and announced by.
pub(super) fn judged_by(start: u32) -> String {
    format!("resolver-{start}")
}

/// The beginning of a digest; not 0, which is none.
pub(super) fn short(digest: &str) -> u64 {
    let beginning = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(beginning, 16).unwrap_or(0).max(1)
}

/// What was judged.
struct Judged {
    findings: Vec<Finding>,
    report: RunReport,
    /// The Resolver logs that it was judged by; none where it goes by none.
    resolver: Option<ResolverReport>,
}

impl Judged {
    fn unreadable(self) -> BTreeSet<String> {
        let unreadable = self.report.coverage.unreadable.into_iter();
        unreadable.map(|(url, _)| url).collect()
    }
}

impl Watch<'_> {
    /// Judges what becomes due until nothing more does, or the end is asked for; names what could not be read.
    pub(super) fn judge(&self, unreadable: &mut BTreeSet<String>) -> Result<(), ScanError> {
        let s3 = self.connect()?;
        loop {
            let rings = self.stop.rings();
            let (due, complete, is_over) = {
                let sea = lock(&self.sea);
                // Days are over when later logs say so, not the clock.
                let complete = self.watermark(&sea).min(sea.tide.watermark(None));
                (sea.tide.due(self.watermark(&sea)), complete, sea.is_over)
            };
            if self.stop.is_asked() {
                return Ok(());
            }
            match due {
                Some(due) => {
                    let done = self.persist("judging", false, || self.settle(due, s3.clone()));
                    let Some(more) = done? else { return Ok(()) };
                    unreadable.extend(more);
                }
                None => {
                    self.turn_of_the_day(complete)?;
                    if is_over {
                        return Ok(());
                    }
                    self.stop.wait(TICK, Some(rings));
                }
            }
        }
    }

    /// Does what is due; the objects of it that could not be read.
    fn settle(&self, due: Due, s3: Option<S3>) -> Result<BTreeSet<String>, ScanError> {
        match due {
            Due::Slot(start) => self.slot(start, s3),
            Due::Hour(start) => self.hours(&[start], HourState::Committed, s3),
            Due::Again(start) | Due::Calm(start) if self.is_calm(start)? => Ok(BTreeSet::new()),
            Due::Again(start) | Due::Calm(start) => {
                // What it proves, hours after it are judged by.
                let horizon = self.settings.judging.horizon * SLOT_SECS;
                let after = (start + HOUR_SECS..).step_by(HOUR_SECS as usize);
                let after = after.take(horizon.div_ceil(HOUR_SECS) as usize);
                let view = self.ledger.read()?;
                let judged: BTreeSet<u32> = view
                    .hours()?
                    .iter()
                    .filter(|hour| hour.state != HourState::Open)
                    .map(|hour| hour.start)
                    .collect();
                let hours: Vec<u32> = std::iter::once(start)
                    .chain(after.filter(|hour| judged.contains(hour)))
                    .collect();
                self.hours(&hours, HourState::Settled, s3)
            }
        }
    }

    /// Whether an hour that is due needs not be judged again: nothing came for it, and Resolver logs that it goes by say
    /// what they said when its findings were announced. It is settled then.
    fn is_calm(&self, start: u32) -> Result<bool, ScanError> {
        let due = self.whole_at(start);
        let view = self.ledger.read()?;
        let objects = view.objects(start..start + 1)?;
        let is_judged = |object: &LedgerObject| object.state == ObjectState::Judged;
        if !objects.iter().all(is_judged) {
            return Ok(false);
        }
        if let Some(names) = &self.names {
            let progress = UntilAborted(self.stop);
            let now = names.digest_of(Hour::of(start), self.runtime, &progress)?;
            if view.counter(&judged_by(start))? != short(&now) {
                return Ok(false);
            }
        }
        drop(view);
        self.calm(start, due)?;
        Ok(true)
    }

    /// From which watermark on all is there that an hour goes by, beside its objects; none if it is by now.
    fn whole_at(&self, start: u32) -> Option<u32> {
        let whole_at = self.names.as_ref()?.whole_at(start);
        (whole_at > self.clock.seconds()).then_some(whole_at)
    }

    /// Whether a run that is at its end does not wait for what an hour is due for: the next one does it.
    fn leaves(&self, sea: &Sea) -> bool {
        self.settings.until_idle && sea.is_over
    }

    /// Settles an hour that needs not be judged again before a watermark.
    fn calm(&self, start: u32, due: Option<u32>) -> Result<(), ScanError> {
        let calm = self.ledger.write(|change| {
            // Something may have come meanwhile.
            if change.has_unjudged(start)? {
                return change.hour(start);
            }
            let calm = LedgerHour {
                start,
                state: HourState::Settled,
                due,
            };
            change.put_hour(calm)?;
            self.forget(start, change)?;
            Ok(Some(calm))
        })?;
        if let Some(calm) = calm {
            let mut sea = lock(&self.sea);
            let due = calm.due.filter(|_| !self.leaves(&sea));
            sea.tide.know(LedgerHour { due, ..calm });
        }
        Ok(())
    }

    /// Forgets hours that were settled long before one.
    fn forget(&self, start: u32, change: &mut Change<'_>) -> Result<(), LedgerError> {
        for hour in change.forget(start.saturating_sub(REMEMBERED))? {
            change.unset(&judged_by(hour))?;
        }
        Ok(())
    }

    /// Judges a slot of an hour that is not over.
    fn slot(&self, start: u32, s3: Option<S3>) -> Result<BTreeSet<String>, ScanError> {
        let version = lock(&self.sea).tide.version(start);
        let judged = self.judge_from(start, start + SLOT_SECS, Some(start), s3)?;
        self.announce(&judged.findings, |change| change.slot_judged(start))?;
        lock(&self.sea).tide.slot_judged(start, version);
        self.meters.slot_judged(hour_at(start), &judged.report);
        Ok(judged.unreadable())
    }

    /// Judges and commits hours, the first of which is in this state from now on; the others stay in theirs.
    fn hours(
        &self,
        starts: &[u32],
        state: HourState,
        s3: Option<S3>,
    ) -> Result<BTreeSet<String>, ScanError> {
        let (Some(&first), Some(&last)) = (starts.first(), starts.last()) else {
            return Ok(BTreeSet::new());
        };
        let view = self.ledger.read()?;
        let objects: Vec<Vec<LedgerObject>> = starts
            .iter()
            .map(|start| view.objects(*start..*start + 1))
            .collect::<Result<_, _>>()?;
        drop(view);
        // Before logs are read: what comes between may be missing.
        let whole_at: BTreeMap<u32, Option<u32>> = starts
            .iter()
            .map(|start| (*start, self.whole_at(*start)))
            .collect();
        let judged = self.judge_from(first, last + HOUR_SECS, None, s3)?;
        // What could not be read, and may be later, leaves its hour due: at its settlement, and then every hour.
        let lacked = &judged.report.coverage.may_pass;
        let again = {
            let sea = lock(&self.sea);
            sea.tide
                .due_again(self.watermark(&sea))
                .max(self.watermark(&sea).saturating_add(HOUR_SECS))
        };
        let hours = self.announce(&judged.findings, |change| {
            let mut known = Vec::new();
            for (start, objects) in starts.iter().zip(&objects) {
                let state = match change.hour(*start)? {
                    Some(hour) if *start != first => hour.state,
                    _ => state,
                };
                change.judged(*start, state, objects, lacked, again, whole_at[start])?;
                if let Some(read) = &judged.resolver {
                    let digest = read.digest_of(Hour::of(*start));
                    change.set(&judged_by(*start), short(&digest))?;
                }
                known.extend(change.hour(*start)?);
            }
            if state == HourState::Settled && judged.resolver.is_some() {
                self.forget(first, change)?;
            }
            Ok(known)
        })?;
        if self.lake.is_some() {
            lock(&self.committed).extend(starts.iter().map(|start| Hour::of(*start)));
        }
        {
            let mut sea = lock(&self.sea);
            for hour in hours {
                // A run that ends does not wait for what it could not read: the next one tries again.
                let is_tried = self.leaves(&sea) && !lacked.is_empty();
                let is_early = self.leaves(&sea) && hour.due == whole_at[&hour.start];
                sea.tide.know(LedgerHour {
                    due: hour.due.filter(|_| !is_tried && !is_early),
                    state: if is_tried {
                        HourState::Settled
                    } else {
                        hour.state
                    },
                    ..hour
                });
            }
        }
        // What is judged again was counted before.
        if state == HourState::Committed {
            self.meters.hour_judged(first, &judged.report);
        }
        Ok(judged.unreadable())
    }

    /// Judges the slots from one instant until another, and has the lake take them: as whole hours, or as the one open
    /// slot that they are.
    fn judge_from(
        &self,
        from: u32,
        until: u32,
        open_slot: Option<u32>,
        s3: Option<S3>,
    ) -> Result<Judged, ScanError> {
        let horizon = self.settings.judging.horizon * SLOT_SECS;
        let earliest = from.saturating_sub(horizon);
        let before = (hour_at(earliest)..=hour_at(from)).step_by(HOUR_SECS as usize);
        self.recall(&before.collect())?;
        // Versions before the objects: what comes between the two only makes evidence older than it is.
        let (versions, known) = self.evidence(earliest, from, until);
        let listed = self.ledger.read()?.objects(hour_at(earliest)..until)?;
        let mut objects: Vec<Object> = Vec::new();
        for (slot, of_slot) in by_slot(&listed) {
            let is_wanted = slot >= earliest && slot < until && !known.contains_key(&slot);
            if is_wanted {
                objects.extend(of_slot.into_iter().filter_map(object));
            }
        }
        let progress = UntilAborted(self.stop);
        let known_names = match &self.names {
            Some(names) => Some(names.known(from, until, self.runtime, &progress)?),
            None => None,
        };
        let (policy, resolver) = match &known_names {
            Some((policy, read)) => (policy, Some(read)),
            None => (self.policy, None),
        };
        let settings = ScanSettings {
            // What is known of names stays: an eighth, and once more while it is put in order.
            memory: self.settings.judging.memory / 4 * if resolver.is_some() { 2 } else { 3 },
            ..self.settings.judging.clone()
        };
        let run = Run {
            policy,
            resolver,
            lake: self.lake,
            open_slot,
            since: Some(from),
            until: Some(until),
            ..self.a_run(&settings, &progress)
        };
        let shared = run.share(s3);
        let mut carried = Carried {
            evidence: known,
            ..Carried::default()
        };
        run.judge_batch(objects, &shared, &mut carried)?;
        self.keep_evidence(carried.evidence, &versions);
        let mut report = RunReport::default();
        shared.coverage.finish(0, &mut report);
        let outcome = shared.hours.finish();
        outcome.summary.finish(&mut report);
        let days = outcome.days;
        let mut findings: Vec<Finding> =
            days.values().flat_map(|day| day.findings.clone()).collect();
        if let (Some(lake), None) = (self.lake, open_slot) {
            let mut days = days;
            let touched: BTreeSet<Day> = (from..until)
                .step_by(HOUR_SECS as usize)
                .map(Day::of)
                .collect();
            let detects = Some(self.detects());
            for day in touched {
                let gathered = days.remove(&day);
                let whole = findings_of(policy, detects, lake, day, gathered)?;
                if whole.let_go > 0 {
                    let more = whole.let_go;
                    tracing::warn!(
                        "{day} has {more} connections more than findings and detectors remember"
                    );
                }
                // Hours before say more to detectors than this one alone.
                let detected = whole.findings.into_iter();
                findings.extend(detected.filter(|finding| finding.kind.is_detected()));
            }
        }
        Ok(Judged {
            findings,
            report,
            resolver: resolver.cloned(),
        })
    }

    /// The versions of the slots from `earliest` until `until`, and what is known of those before `from` that nothing came
    /// to since.
    fn evidence(
        &self,
        earliest: u32,
        from: u32,
        until: u32,
    ) -> (BTreeMap<u32, u64>, BTreeMap<u32, Arc<Evidence>>) {
        let sea = lock(&self.sea);
        let slots = (earliest..until).step_by(SLOT_SECS as usize);
        let versions = slots.map(|slot| (slot, sea.tide.version(slot))).collect();
        let known = sea.evidence.range(earliest..from);
        let known = known.filter(|(slot, (version, _))| sea.tide.version(**slot) == *version);
        let known = known.map(|(slot, (_, evidence))| (*slot, evidence.clone()));
        (versions, known.collect())
    }

    /// Keeps what slots prove for those that follow.
    fn keep_evidence(&self, evidence: BTreeMap<u32, Arc<Evidence>>, versions: &BTreeMap<u32, u64>) {
        let mut sea = lock(&self.sea);
        for (slot, evidence) in evidence {
            let version = versions.get(&slot).copied().unwrap_or(0);
            sea.evidence.insert(slot, (version, evidence));
        }
        let horizon = self.settings.judging.horizon * SLOT_SECS;
        let newest = sea.evidence.keys().next_back().copied().unwrap_or(0);
        let kept_from = newest.saturating_sub(horizon);
        sea.evidence = sea.evidence.split_off(&kept_from);
        let remembered = kept_from.saturating_sub(REMEMBERED);
        sea.tide.forget_versions(remembered);
    }
}
