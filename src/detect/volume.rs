//! Bytes by subject and hour against what is usual for the subject: what `egress-volume` and `data-pull` share.

use std::collections::BTreeMap;

use super::baseline::{Baseline, Usual, Way};
use super::bounded::Bounded;
use super::seen::Seen;
use super::stats::{deviations, median_and_mad};
use super::trace::Trace;
use crate::policy::Detecting;

/// Subjects that are remembered of a day.
const SUBJECTS_CAP: usize = 16_384;
/// How many other hours of a day say what is usual where no baseline does.
const HOURS_AT_LEAST: usize = 8;
const MIB: u64 = 1 << 20;

/// The bytes of a day.
pub(super) struct Volumes<'a> {
    floor: u64,
    deviations: u64,
    /// Bytes in an hour that are too many for a subject that the baseline does not know.
    unknown: u64,
    baseline: Option<&'a Baseline>,
    network: String,
    /// Of the current client and hour: bytes, and the edges that they are of.
    client: Option<(u64, Trace)>,
    subjects: Bounded<String, Subject>,
}

#[derive(Default)]
struct Subject {
    /// Bytes of the current hour, and the edges that they are of.
    now: (u64, Trace),
    /// Bytes by hour, of hours that have any.
    hours: BTreeMap<u32, u64>,
    /// The edges of hours above the floor.
    heavy: Vec<(u32, Trace)>,
}

/// An hour with more than usual.
pub(super) struct Excess {
    pub bytes: u64,
    pub usual: u64,
    pub deviations: f64,
    /// What says what is usual.
    pub by: String,
    pub trace: Trace,
}

impl<'a> Volumes<'a> {
    pub fn new(set: &Detecting, baseline: Option<&'a Baseline>) -> Volumes<'a> {
        Volumes {
            floor: set.number("floor_mib").saturating_mul(MIB),
            deviations: set.number("deviations"),
            unknown: set.number("unknown_mib").saturating_mul(MIB),
            baseline,
            network: String::new(),
            client: None,
            subjects: Bounded::new(SUBJECTS_CAP),
        }
    }

    /// Takes an edge of the current client with so many bytes.
    pub fn add(&mut self, seen: &Seen<'_>, bytes: u64) {
        if self.network.is_empty() {
            self.network = seen.edge.network.to_owned();
        }
        let (sum, trace) = self.client.get_or_insert_default();
        *sum = sum.saturating_add(bytes);
        trace.add(seen);
    }

    /// All edges of the current client were seen.
    pub fn end_client(&mut self) {
        let Some((bytes, trace)) = self.client.take() else {
            return;
        };
        if let Some(subject) = self.subjects.entry(trace.client.name.clone()) {
            subject.now.0 = subject.now.0.saturating_add(bytes);
            subject.now.1.absorb(trace);
        }
    }

    pub fn end_hour(&mut self, hour: u32) {
        for subject in self.subjects.values_mut() {
            let (bytes, trace) = std::mem::take(&mut subject.now);
            if bytes > 0 {
                subject.hours.insert(hour, bytes);
            }
            if bytes > 0 && bytes >= self.floor {
                subject.heavy.push((hour, trace));
            }
        }
    }

    /// The hours with more than usual, by what the baseline says of traffic that goes this way; of subjects that it does not
    /// know, by the other hours of the day.
    pub fn excesses(&mut self, way: Way) -> Vec<Excess> {
        let mut found = Vec::new();
        for (name, subject) in self.subjects.take() {
            for (hour, trace) in subject.heavy {
                let bytes = subject.hours.get(&hour).copied().unwrap_or(0);
                let by_baseline = self.baseline.and_then(|baseline| {
                    let usual = baseline.usual(way, &self.network, &name, hour)?;
                    Some((usual, baseline.shown()))
                });
                let known = by_baseline.or_else(|| {
                    let usual = of_others(&subject.hours, hour)?;
                    Some((usual, "the other hours of the day".to_owned()))
                });
                let known = known.or_else(|| {
                    let baseline = self.baseline.filter(|_| bytes >= self.unknown)?;
                    let by = format!("{}, which does not know it", baseline.shown());
                    Some((Usual::default(), by))
                });
                let Some((known, by)) = known else { continue };
                let above = deviations(bytes, known.median, known.mad);
                if above >= self.deviations as f64 {
                    found.push(Excess {
                        bytes,
                        usual: known.median,
                        deviations: above,
                        by,
                        trace,
                    });
                }
            }
        }
        found
    }

    pub fn let_go(&self) -> u64 {
        self.subjects.let_go()
    }
}

/// What the other hours of the day that have traffic say, if they are enough.
fn of_others(hours: &BTreeMap<u32, u64>, hour: u32) -> Option<Usual> {
    let others = hours.iter().filter(|(other, _)| **other != hour);
    let mut bytes: Vec<u64> = others.map(|(_, bytes)| *bytes).collect();
    if bytes.len() < HOURS_AT_LEAST {
        return None;
    }
    let (median, mad) = median_and_mad(&mut bytes)?;
    Some(Usual { median, mad })
}

impl Excess {
    /// By which numbers it was decided.
    pub fn reason(&self) -> String {
        let above = match self.deviations {
            0.0..1000.0 => format!("{:.0} robust deviations above", self.deviations),
            _ => "over a thousand robust deviations above".to_owned(),
        };
        format!(
            "{} in an hour, {above} the median of {} by {}",
            mebibytes(self.bytes),
            mebibytes(self.usual),
            self.by
        )
    }
}

/// Bytes for people.
pub(super) fn mebibytes(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        1..MIB => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes / MIB),
    }
}
