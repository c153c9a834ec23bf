//! What a lake holds of the logs of a period: its hours, objects and flow logs, and when there is nothing of them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::HOUR;
use crate::judge::controls::{Coverage, LogCoverage, Stretch};
use crate::net::hex;
use crate::sink::{Hour, Lake, LakeError, ObjectRow};

/// A flow log that publishes nothing for longer is silent, seconds. AWS publishes every 5 minutes, and no record spans more
/// than 10: <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3.html>.
const SILENT: u32 = 900;

/// Account, region and id of a flow log, as far as keys have them.
type LogKey = [Option<String>; 3];

/// A flow log, and until when it is known to have published.
struct Log {
    coverage: LogCoverage,
    heard: u32,
}

/// What there is of a period, and a digest of its objects. These are its committed hours, in their order; `each` is called
/// with every one.
pub(super) fn coverage(
    lake: &Lake,
    hours: &[Hour],
    period: Stretch,
    each: &mut dyn FnMut(Hour) -> Result<(), LakeError>,
) -> Result<(Coverage, String), LakeError> {
    let mut coverage = Coverage {
        period,
        ..Coverage::default()
    };
    let mut digest = Sha256::new();
    let mut logs: BTreeMap<LogKey, Log> = BTreeMap::new();
    let mut there = Vec::new();
    for hour in hours {
        let objects = lake.objects(*hour)?;
        let mut has_some = false;
        for object in &objects {
            let etag = object.etag.as_deref().unwrap_or_default();
            digest.update(format!(
                "{hour}\t{}\t{}\t{etag}\t{}\n",
                object.source, object.size, object.lines.lines
            ));
            coverage.lines += object.lines;
            if object.unreadable.is_some() {
                coverage.unreadable += 1;
            } else {
                coverage.objects += 1;
                has_some = true;
            }
        }
        if has_some {
            there.push(*hour);
        }
        add_logs(&mut logs, *hour, &objects, period.0);
        let asides = lake.asides(*hour)?;
        coverage.missing_field += asides.missing_field;
        coverage.out_of_scope += asides.out_of_scope.values().sum::<u64>();
        coverage.via_unknown += asides.connections.via_unknown;
        for ([_, _, id], log) in &mut logs {
            let seen = id.as_ref().and_then(|id| asides.actions.get(id));
            let [accepts, rejects, _] = seen.copied().unwrap_or_default();
            log.coverage.accepts |= accepts;
            log.coverage.rejects |= rejects;
        }
        each(*hour)?;
    }
    coverage.hours = there.len() as u64;
    coverage.missing = missing(&there, period);
    let outdated = lake.outdated_hours(Hour::of(period.0)..)?;
    let outdated = outdated.iter().filter(|hour| hour.start() < period.1);
    coverage.outdated = outdated.count() as u64;
    coverage.logs = logs
        .into_values()
        .map(|mut log| {
            log.hear(period.1);
            log.coverage
        })
        .collect();
    Ok((coverage, hex(&digest.finalize())))
}

/// Adds the objects of an hour to their flow logs; an hour follows those before.
fn add_logs(logs: &mut BTreeMap<LogKey, Log>, hour: Hour, objects: &[ObjectRow], from: u32) {
    let mut times: BTreeMap<LogKey, Vec<u32>> = BTreeMap::new();
    for object in objects.iter().filter(|object| object.unreadable.is_none()) {
        let key = [&object.account_id, &object.region, &object.flow_log_id].map(Clone::clone);
        let log = logs.entry(key.clone()).or_insert_with(|| {
            let [account_id, region, flow_log_id] = key.clone();
            Log {
                coverage: LogCoverage {
                    account_id,
                    region,
                    flow_log_id,
                    ..LogCoverage::default()
                },
                heard: from,
            }
        });
        log.coverage.objects += 1;
        log.coverage.records += object.lines.records;
        log.coverage.skip_data += object.lines.skip_data;
        let times = times.entry(key).or_default();
        match object.time {
            // Nothing tells when in the hour it was published: it stands for all of it.
            0 => times.extend((0..=HOUR / SILENT).map(|part| hour.start() + part * SILENT)),
            time => times.push(time),
        }
    }
    for (key, mut times) in times {
        times.sort_unstable();
        if let Some(log) = logs.get_mut(&key) {
            times.into_iter().for_each(|time| log.hear(time));
        }
    }
}

impl Log {
    /// Takes the time of its next object, or of the end.
    fn hear(&mut self, at: u32) {
        if at.saturating_sub(self.heard) > SILENT {
            self.coverage.silences.push((self.heard, at));
        }
        self.heard = self.heard.max(at);
    }
}

/// The stretches of a period between these hours, which are in order.
fn missing(hours: &[Hour], (from, until): Stretch) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut end = from;
    for start in hours.iter().map(|hour| hour.start()).chain([until]) {
        if start > end {
            stretches.push((end, start));
        }
        end = start.saturating_add(HOUR);
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_not_there_are_stretches() {
        fn check(hours: &[u32], period: Stretch, expected: &[Stretch]) {
            let hours: Vec<Hour> = hours.iter().map(|hour| Hour::of(hour * HOUR)).collect();
            let period = (period.0 * HOUR, period.1 * HOUR);
            let found = missing(&hours, period);
            let expected: Vec<Stretch> = expected
                .iter()
                .map(|(from, until)| (from * HOUR, until * HOUR))
                .collect();
            assert_eq!(found, expected, "{hours:?} in {period:?}");
        }
        check(&[5, 6], (5, 7), &[]);
        check(&[], (5, 7), &[(5, 7)]);
        check(&[6], (5, 7), &[(5, 6)]);
        check(&[5], (5, 7), &[(6, 7)]);
        check(&[5, 9], (3, 10), &[(3, 5), (6, 9)]);
    }

    #[test]
    fn a_flow_log_is_silent_after_15_minutes_without_an_object() {
        fn check(times: &[u32], expected: &[Stretch]) {
            let objects: Vec<ObjectRow> = times
                .iter()
                .map(|time| ObjectRow {
                    time: *time,
                    ..ObjectRow::default()
                })
                .collect();
            let mut logs = BTreeMap::new();
            add_logs(&mut logs, Hour::of(3600), &objects, 3600);
            let mut log = logs.into_values().next().expect("a log");
            log.hear(7200);
            assert_eq!(log.coverage.silences, expected, "{times:?}");
        }
        let every = |step: usize| (3600..7200).step_by(step).collect::<Vec<u32>>();
        check(&every(300), &[]);
        check(&every(600), &[]);
        check(&every(900), &[]);
        check(&every(1200), &[(3600, 4800), (4800, 6000), (6000, 7200)]);
        check(&[6300, 4500, 3600, 5400], &[]);
        check(&[4501, 5400, 6300], &[(3600, 4501)]);
        check(&[3600, 4500, 5400], &[(5400, 7200)]);
        // Without a time in its key an object stands for its hour.
        check(&[0], &[]);
    }
}
