//! `coverage-gap`: a flow log that does not tell everything: SKIPDATA, or only one of ACCEPT and REJECT.

use std::collections::BTreeMap;

use super::baseline::KnownLog;
use super::cases::{About, Cases, Suspicion};
use super::day::LogHour;
use super::trace::Trace;
use super::{HOUR, LogDetector};
use crate::judge::Kind;
use crate::policy::Detecting;

/// In how many hours a flow log was seen at least before it is judged.
const HOURS_AT_LEAST: u32 = 6;

pub(super) struct CoverageGap {
    skipped_percent: u64,
    records_at_least: u64,
    logs: BTreeMap<KnownLog, Day>,
}

/// What a flow log delivered in a day.
#[derive(Default)]
struct Day {
    hours: u32,
    records: u64,
    skipped: u64,
    accepts: bool,
    rejects: bool,
    /// Hours with connections from outside.
    exposed: u32,
    first: u32,
    last: u32,
    object: String,
}

impl CoverageGap {
    pub fn new(set: &Detecting) -> CoverageGap {
        CoverageGap {
            skipped_percent: set.number("skipped"),
            records_at_least: set.number("records"),
            logs: BTreeMap::new(),
        }
    }

    /// What a flow log lacks, and by which numbers.
    fn gaps(&self, day: &Day) -> Vec<(String, String)> {
        let mut gaps = Vec::new();
        if day.hours < HOURS_AT_LEAST || day.records < self.records_at_least {
            return gaps;
        }
        let lines = day.records + day.skipped;
        if day.skipped * 100 >= lines * self.skipped_percent {
            gaps.push((
                "lacks records that AWS could not capture (SKIPDATA)".to_owned(),
                format!(
                    "{} of {lines} lines are SKIPDATA; the limit is {} %",
                    day.skipped, self.skipped_percent
                ),
            ));
        }
        // Inside, a network may well have nothing to reject. What is open to the outside is scanned every hour.
        let lacks_reject = day.accepts && !day.rejects && day.exposed >= HOURS_AT_LEAST;
        let lacks_accept = day.rejects && !day.accepts;
        if lacks_reject || lacks_accept {
            let word = if day.accepts { "ACCEPT" } else { "REJECT" };
            gaps.push((
                format!("tells of {word} only"),
                format!(
                    "{} records in {} hours, all of them {word}: its traffic type seems not to be ALL",
                    day.records, day.hours
                ),
            ));
        }
        gaps
    }
}

impl LogDetector for CoverageGap {
    fn see(&mut self, log: &LogHour<'_>) {
        let day = self.logs.entry(KnownLog::of(log)).or_default();
        if day.hours == 0 {
            day.first = log.hour;
            log.source.clone_into(&mut day.object);
        }
        day.hours += 1;
        day.records += log.records;
        day.skipped += log.skip_data;
        day.accepts |= log.accepts;
        day.rejects |= log.rejects;
        day.exposed += u32::from(log.is_exposed);
        day.last = log.hour + HOUR;
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for (log, day) in &self.logs {
            for (gap, reason) in self.gaps(day) {
                let name = format!("flow log {}", log.flow_log);
                cases.raise_of_source(
                    &name,
                    &gap,
                    Suspicion {
                        kind: Kind::CoverageGap,
                        about: About::Client,
                        port: None,
                        protocol: None,
                        severity: None,
                        weight: day.skipped.max(1),
                        title: format!("{name} {gap}"),
                        reason,
                        trace: Trace::of_source(log, &day.object, day.first, day.last),
                    },
                );
            }
        }
    }
}
