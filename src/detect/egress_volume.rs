//! `egress-volume`: a workload that sends far more out within an hour than it usually does.

use super::EdgeDetector;
use super::baseline::{Baseline, Way};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::volume::{Volumes, mebibytes};
use crate::judge::Kind;
use crate::policy::Detecting;

pub(super) struct EgressVolume<'a>(Volumes<'a>);

impl<'a> EgressVolume<'a> {
    pub fn new(set: &Detecting, baseline: Option<&'a Baseline>) -> EgressVolume<'a> {
        EgressVolume(Volumes::new(set, baseline))
    }
}

impl EdgeDetector for EgressVolume<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        // A reply to a client outside leaves the network, too, but is what a server is there for.
        if seen.goes_out() {
            self.0.add(seen, seen.edge.bytes_to_server);
        }
    }

    fn end_client(&mut self, _cases: &mut Cases<'_>) {
        self.0.end_client();
    }

    fn end_hour(&mut self, hour: u32, _cases: &mut Cases<'_>) {
        self.0.end_hour(hour);
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for excess in self.0.excesses(Way::Out) {
            cases.raise(Suspicion {
                kind: Kind::EgressVolume,
                about: About::Client,
                port: None,
                protocol: None,
                severity: None,
                weight: excess.bytes,
                title: format!(
                    "{} sent {} out in an hour, usually {}",
                    excess.trace.client.shown(),
                    mebibytes(excess.bytes),
                    mebibytes(excess.usual)
                ),
                reason: excess.reason(),
                trace: excess.trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.0.let_go()
    }
}
