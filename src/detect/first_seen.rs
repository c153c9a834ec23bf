//! `first-seen`: a connection between workloads and destinations that the baseline does not know.

use super::baseline::{Baseline, Known};
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use super::{EdgeDetector, watched_tiers};
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::policy::{Detecting, Policy};

/// New connections that are remembered of an hour.
const NEW_CAP: usize = 4096;

pub(super) struct FirstSeen<'a> {
    tiers: Vec<String>,
    baseline: &'a Baseline,
    new: Bounded<Known, Trace>,
}

impl<'a> FirstSeen<'a> {
    pub fn new(policy: &Policy, set: &Detecting, baseline: &'a Baseline) -> FirstSeen<'a> {
        FirstSeen {
            tiers: watched_tiers(policy, set, &["data", "mgmt", "audit"]),
            baseline,
            new: Bounded::new(NEW_CAP),
        }
    }
}

impl EdgeDetector for FirstSeen<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let is_watched = |zone: &str| self.tiers.iter().any(|tier| tier == zone);
        let is_relevant =
            is_watched(edge.server_zone) || (seen.goes_out() && is_watched(edge.client_zone));
        if !is_relevant || !seen.is_answered() || !seen.is_sure_of_direction() {
            return;
        }
        let known = Known::of(seen);
        if self.baseline.knows(&known) {
            return;
        }
        if let Some(trace) = self.new.entry(known) {
            trace.add(seen);
        }
    }

    fn end_hour(&mut self, _hour: u32, cases: &mut Cases<'_>) {
        for (known, trace) in self.new.take() {
            cases.raise(Suspicion {
                kind: Kind::FirstSeen,
                about: About::Both,
                port: known.port,
                protocol: Some(known.protocol),
                severity: None,
                weight: 1,
                title: format!(
                    "{} uses {} on {}, which the baseline does not know",
                    trace.client.shown(),
                    trace.server.shown(),
                    service(known.protocol, known.port)
                ),
                reason: format!("not seen in {}", self.baseline.shown()),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.new.let_go()
    }
}
