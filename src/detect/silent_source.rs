//! `silent-source`: a flow log, an account or a region that stops delivering; an interface that was never silent for a week.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::baseline::{Baseline, KnownLog};
use super::cases::{About, Cases, Suspicion};
use super::day::LogHour;
use super::seen::Seen;
use super::trace::Trace;
use super::{EdgeDetector, HOUR, LogDetector};
use crate::judge::Kind;
use crate::policy::{Detecting, Severity};

/// How many objects must be missing, by how many there were an hour before: two hours of a log that delivers every five
/// minutes, as AWS does. One with little traffic skips hours, and traffic comes in bursts.
const MISSING_AT_LEAST: u64 = 24;
/// Hours in which a log delivered without a gap, after which any gap is news, however few its objects are.
const REGULAR_HOURS: u32 = 12;

/// An account and a region.
type Place = (Option<String>, Option<String>);

/// What a flow log delivered: how many objects by hour, and the last of them.
#[derive(Default)]
struct Delivered {
    hours: BTreeMap<u32, u64>,
    last: String,
}

/// What flow logs delivered.
pub(super) struct Logs {
    hours: u32,
    before: u32,
    /// Of which a baseline says that they are never silent.
    steady: BTreeSet<KnownLog>,
    logs: BTreeMap<KnownLog, Delivered>,
    judged: BTreeSet<u32>,
}

impl Logs {
    pub fn new(
        set: &Detecting,
        baseline: Option<&Baseline>,
        reads: &dyn Fn(Option<&str>, Option<&str>) -> bool,
    ) -> Logs {
        let steady = baseline.into_iter().flat_map(Baseline::steady_logs);
        let is_read = |log: &&KnownLog| reads(log.account.as_deref(), log.region.as_deref());
        let steady: BTreeSet<KnownLog> = steady.filter(is_read).cloned().collect();
        Logs {
            hours: u32::try_from(set.number("hours"))
                .unwrap_or(u32::MAX)
                .max(1),
            before: u32::try_from(set.number("before")).unwrap_or(u32::MAX),
            logs: steady
                .iter()
                .map(|log| (log.clone(), Default::default()))
                .collect(),
            steady,
            judged: BTreeSet::new(),
        }
    }

    /// The longest time without an object that is news: when it began, and hours. Others delivered in them; it did before, and
    /// was never silent for half as long before. What delivers now and then is no news when it does not.
    fn silent(&self, is_steady: bool, delivered: &BTreeMap<u32, u64>) -> Option<(u32, u32)> {
        let (mut silent, mut longest, mut since) = (0_u32, 0, 0);
        // The last hour that was heard may be a part of one.
        let (mut heard, mut objects, mut last) = (0_u32, 0_u64, 0);
        let mut news: Option<(u32, u32)> = None;
        for hour in &self.judged {
            if let Some(count) = delivered.get(hour) {
                longest = longest.max(std::mem::take(&mut silent));
                (heard, objects, last) = (heard + 1, objects + count, *count);
            } else if heard > 0 || is_steady {
                if silent == 0 {
                    since = *hour;
                }
                silent += 1;
                let whole = u64::from(heard.saturating_sub(1).max(1));
                let of_whole = if heard > 1 { objects - last } else { objects };
                let missing = u64::from(silent).saturating_mul(of_whole) / whole;
                let is_regular = longest == 0 && heard >= REGULAR_HOURS;
                let is_known = heard >= self.before && (missing >= MISSING_AT_LEAST || is_regular);
                let is_long = silent >= self.hours && silent > longest.saturating_mul(2);
                if (is_steady || is_known)
                    && is_long
                    && news.is_none_or(|(_, hours)| silent > hours)
                {
                    news = Some((since, silent));
                }
            }
        }
        news
    }

    /// What is raised of a log, or of all logs of a place.
    fn suspicion(
        &self,
        name: &str,
        log: &KnownLog,
        delivered: &Delivered,
        hours: u32,
    ) -> Suspicion {
        let first = delivered.hours.keys().next().or(self.judged.first());
        let from = first.copied().unwrap_or(0);
        let last = delivered.hours.keys().next_back();
        let until = last.map_or(from, |last| last + HOUR);
        Suspicion {
            kind: Kind::SilentSource,
            about: About::Client,
            port: None,
            protocol: None,
            severity: None,
            weight: u64::from(hours),
            title: format!("{name} delivered nothing for {hours} hours"),
            reason: format!(
                "no object for {hours} hours in which others delivered, of {}; the limit is {}",
                place_shown(log),
                self.hours
            ),
            trace: Trace::of_source(log, &delivered.last, from, until),
        }
    }

    /// What all flow logs of each account and region delivered together, of those that have several.
    fn places(&self) -> BTreeMap<Place, (&KnownLog, bool, Delivered)> {
        let mut places = BTreeMap::new();
        let mut several = BTreeSet::new();
        for (log, delivered) in &self.logs {
            let place = (log.account.clone(), log.region.clone());
            let is_steady = self.steady.contains(log);
            let (_, any_steady, all) = match places.entry(place) {
                Entry::Vacant(new) => new.insert((log, false, Delivered::default())),
                Entry::Occupied(known) => {
                    several.insert(known.key().clone());
                    known.into_mut()
                }
            };
            *any_steady |= is_steady;
            for (hour, objects) in &delivered.hours {
                *all.hours.entry(*hour).or_default() += objects;
            }
            if all.last < delivered.last {
                all.last.clone_from(&delivered.last);
            }
        }
        places.retain(|place, _| several.contains(place));
        places
    }
}

impl LogDetector for Logs {
    fn see(&mut self, log: &LogHour<'_>) {
        let delivered = self.logs.entry(KnownLog::of(log)).or_default();
        *delivered.hours.entry(log.hour).or_default() += log.objects;
        log.source.clone_into(&mut delivered.last);
    }

    fn end_hour(&mut self, hour: u32) {
        self.judged.insert(hour);
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        // Where all flow logs of an account and region fall silent, that is one thing, not many.
        let mut whole = BTreeMap::new();
        for (place, (log, is_steady, delivered)) in self.places() {
            if let Some((since, hours)) = self.silent(is_steady, &delivered.hours) {
                let name = place_shown(log);
                cases.raise_of_source(&name, "", self.suspicion(&name, log, &delivered, hours));
                whole.insert(place, since);
            }
        }
        for (log, delivered) in &self.logs {
            let is_steady = self.steady.contains(log);
            let Some((since, hours)) = self.silent(is_steady, &delivered.hours) else {
                continue;
            };
            let place = (log.account.clone(), log.region.clone());
            if whole.get(&place).is_none_or(|all_since| since < *all_since) {
                let name = format!("flow log {}", log.flow_log);
                cases.raise_of_source(&name, "", self.suspicion(&name, log, delivered, hours));
            }
        }
    }
}

fn place_shown(log: &KnownLog) -> String {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    format!("account {} in {}", word(&log.account), word(&log.region))
}

/// A trace of an interface: of one of its edges, whose inside end it is (both inside: the server).
fn trace_of_interface(seen: &Seen<'_>) -> Trace {
    let mut trace = Trace::of(seen);
    let server = std::mem::take(&mut trace.server);
    if seen.server.is_inside() {
        trace.client = server;
    }
    trace
}

/// Interfaces of which a baseline says that they are never silent.
pub(super) struct Interfaces<'a> {
    hours: usize,
    /// With the last hour in which each was seen, and one of its edges.
    steady: BTreeMap<&'a str, Option<(u32, Trace)>>,
    now: BTreeMap<&'a str, Trace>,
    judged: Vec<u32>,
}

impl<'a> Interfaces<'a> {
    pub fn new(set: &Detecting, baseline: &'a Baseline) -> Interfaces<'a> {
        Interfaces {
            hours: set.number("hours").max(1) as usize,
            steady: baseline
                .steady_interfaces()
                .map(|name| (name, None))
                .collect(),
            now: BTreeMap::new(),
            judged: Vec::new(),
        }
    }
}

impl EdgeDetector for Interfaces<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        let Some(interface) = seen.edge.inside.interface_id else {
            return;
        };
        if let Some((name, _)) = self.steady.get_key_value(interface)
            && !self.now.contains_key(name)
        {
            self.now.insert(name, trace_of_interface(seen));
        }
    }

    fn end_hour(&mut self, hour: u32, _cases: &mut Cases<'_>) {
        self.judged.push(hour);
        for (name, trace) in std::mem::take(&mut self.now) {
            self.steady.insert(name, Some((hour, trace)));
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for (name, known) in std::mem::take(&mut self.steady) {
            // One that the whole day lacks may be gone for good: its flow log says more.
            let Some((heard, trace)) = known else {
                continue;
            };
            let silent = self.judged.iter().filter(|hour| **hour > heard).count();
            if silent < self.hours {
                continue;
            }
            cases.raise_of_source(
                name,
                "",
                Suspicion {
                    kind: Kind::SilentSource,
                    about: About::Client,
                    port: None,
                    protocol: None,
                    severity: Some(Severity::Medium),
                    weight: silent as u64,
                    title: format!("the interface {name} is silent for {silent} hours"),
                    reason: format!(
                        "no connection for {silent} hours; by the baseline it has some in every hour"
                    ),
                    trace,
                },
            );
        }
    }
}
