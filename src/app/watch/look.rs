//! Announces at once what objects show by themselves, whatever comes later.

use std::collections::BTreeSet;

use crate::ledger::{HourState, LedgerHour, LedgerObject, ObjectState};
use crate::source::{Object, S3};

use super::super::error::ScanError;
use super::super::run::{Carried, Run};
use super::super::settings::{Keep, ScanSettings};
use super::super::stop::UntilAborted;
use super::Watch;
use super::intake::object;
use super::tide::HOUR_SECS;

impl Watch<'_> {
    /// Looks at objects that a run before this one took and did not come to look at.
    pub(super) fn look_at_what_waits(&self, s3: Option<S3>) -> Result<(), ScanError> {
        let view = self.ledger.read()?;
        let hours = view.hours()?;
        let history = self.history(&hours);
        let mut waiting = Vec::new();
        for hour in hours {
            let is_settled = hour.state == HourState::Settled && hour.due.is_none();
            if is_settled || history.contains(&hour.start) {
                continue;
            }
            let objects = view.objects(hour.start..hour.start + 1)?;
            waiting.extend(
                objects
                    .into_iter()
                    .filter(|object| object.state == ObjectState::Seen),
            );
        }
        self.look(&waiting, s3)
    }

    /// Announces what objects show by themselves, whatever comes later.
    pub(super) fn look(&self, new: &[LedgerObject], s3: Option<S3>) -> Result<(), ScanError> {
        let objects: Vec<Object> = new.iter().filter_map(object).collect();
        if objects.is_empty() || self.senders.is_empty() {
            return Ok(());
        }
        let settings = ScanSettings {
            // Beside the thread that judges hours.
            threads: 1,
            memory: self.settings.judging.memory / 4,
            keep: Keep::None,
            ..self.settings.judging.clone()
        };
        let progress = UntilAborted(self.stop);
        let run = Run {
            certain: true,
            counts_groups: false,
            detects: None,
            ..self.a_run(&settings, &progress)
        };
        let shared = run.share(s3);
        run.judge_batch(objects, &shared, &mut Carried::default())?;
        let days = shared.hours.finish().days;
        let findings: Vec<_> = days.into_values().flat_map(|day| day.findings).collect();
        self.announce(&findings, |change| {
            new.iter().try_for_each(|object| change.looked(object))
        })
    }

    /// The hours of these whose objects are not worth a look: they are over, and judged whole in a moment.
    pub(super) fn history(&self, hours: &[LedgerHour]) -> BTreeSet<u32> {
        let over = self.clock.seconds().saturating_sub(self.settings.lateness);
        let is_history = |hour: &&LedgerHour| {
            hour.state == HourState::Open && hour.start.saturating_add(HOUR_SECS) <= over
        };
        let history = hours.iter().filter(is_history);
        history.map(|hour| hour.start).collect()
    }
}
