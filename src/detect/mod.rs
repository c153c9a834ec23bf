//! What single connections do not show: scans, beacons, volumes, silence. Detectors look at the edges of a UTC day and at
//! what its flow logs delivered, and raise findings. No I/O, no clock.
//!
//! ```text
//! edges of an hour, by client ──▶ EdgeDetector (a set for each network) ─┐
//! flow logs of an hour         ──▶ LogDetector                           ├──▶ Cases ──▶ Finding
//! a pinned Baseline            ──▶ both                                  ─┘
//! ```
//!
//! What a day's detectors find depends on nothing but its edges, its flow logs, the policy and the baseline: judged again,
//! or read back from a lake, a day has the same findings. In exchange nothing is remembered over midnight but by a baseline.

mod attempts;
mod baseline;
mod beacon;
mod bounded;
mod cases;
mod coverage_gap;
mod credential_guessing;
mod data_pull;
mod day;
mod denied_burst;
mod dns_bypass;
mod egress_volume;
mod exposure_opened;
mod first_seen;
mod host_sweep;
mod lateral_fanout;
mod learner;
mod logins;
mod long_session;
mod port_scan;
mod probe_then_success;
mod seen;
mod silent_source;
mod stats;
mod trace;
mod tunnel;
mod volume;
mod watchlist;

#[cfg(test)]
mod tests;

pub use baseline::{Baseline, BaselineError};
pub use day::{DayDetection, LogHour};
pub use learner::Learner;

use cases::Cases;
use seen::Seen;

use crate::policy::{Criticality, Detecting, Policy};

/// An hour, seconds.
const HOUR: u32 = 3600;

/// Looks at the edges of one network, hour by hour; within an hour they come by client, and of a client by server.
trait EdgeDetector {
    /// Looks at an edge that was judged, or of ICMP between ends that talk.
    fn see(&mut self, seen: &Seen<'_>);

    /// Looks at rejected records in mid-connection of which nothing else is known. They come among the client's edges.
    fn see_stray(&mut self, _seen: &Seen<'_>) {}

    /// All edges of a client of this hour were seen.
    fn end_client(&mut self, _cases: &mut Cases<'_>) {}

    /// All edges of the hour that begins at this instant were seen.
    fn end_hour(&mut self, _hour: u32, _cases: &mut Cases<'_>) {}

    /// All hours of the day were seen.
    fn end_day(&mut self, _cases: &mut Cases<'_>) {}

    /// How much it did not look at because its memory was full.
    fn let_go(&self) -> u64 {
        0
    }
}

/// Looks at what flow logs delivered.
trait LogDetector {
    /// Looks at what a flow log delivered in an hour. All of one hour come before those of the next.
    fn see(&mut self, log: &LogHour<'_>);

    /// All flow logs of the hour that begins at this instant were seen.
    fn end_hour(&mut self, _hour: u32) {}

    /// All hours of the day were seen.
    fn end_day(&mut self, cases: &mut Cases<'_>);
}

/// The tiers that a detector watches: those that the policy names, else those called like these and those of high
/// criticality.
fn watched_tiers(policy: &Policy, set: &Detecting, usual: &[&str]) -> Vec<String> {
    if !set.texts("tiers").is_empty() {
        return set.texts("tiers").to_vec();
    }
    let is_watched = |tier: &&String| {
        let zone = policy.zone_named(tier);
        let is_critical = zone.is_some_and(|zone| policy.criticality(zone) == Criticality::High);
        is_critical || usual.contains(&tier.as_str())
    };
    policy.tiers().iter().filter(is_watched).cloned().collect()
}

/// The page of the manual about a detector; none if there is no such detector.
pub fn page(name: &str) -> Option<&'static str> {
    PAGES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, page)| *page)
}

/// What the page advises where the detector is right about something that is meant to be: the paragraph that begins with
/// `Legitimate`, in one line; none if there is no such detector.
pub fn advice(name: &str) -> Option<String> {
    let paragraphs = page(name)?.split("\n\n");
    let mut advising = paragraphs.filter(|text| text.starts_with("Legitimate"));
    advising.next().map(|text| text.replace('\n', " "))
}

macro_rules! pages {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../docs/detectors/", $name, ".md")))),*]
    };
}

/// The pages, in the order of [`crate::policy::DETECTORS`].
static PAGES: [(&str, &str); 17] = pages!(
    "port-scan" "host-sweep" "denied-burst" "exposure-opened" "probe-then-success" "first-seen" "egress-volume"
    "data-pull" "beacon" "long-session" "lateral-fanout" "credential-guessing" "dns-bypass" "tunnel" "watchlist"
    "silent-source" "coverage-gap"
);
