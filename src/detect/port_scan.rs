//! `port-scan`: a client that tries many ports of one server within an hour.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::sketch::Distinct;
use crate::net::Addr;
use crate::policy::{Detecting, ZoneKind};

/// Attempts of one client on one server, or on one port.
#[derive(Default)]
pub(super) struct Attempts {
    targets: Distinct,
    /// Of these. A target that answers once in the hour did not fail: it may have been starting.
    answered: Distinct,
    is_from_internet: bool,
    /// Whether anything answered that the policy does not allow.
    is_in: bool,
    /// Of the edges that failed.
    trace: Option<Trace>,
}

impl Attempts {
    /// Takes an edge whose target these bytes tell from others.
    pub fn add(&mut self, seen: &Seen<'_>, target: &[u8]) {
        self.targets.add(target);
        if seen.is_answered() {
            self.answered.add(target);
            self.is_in |= !seen.is_allowed();
        } else {
            self.trace.get_or_insert_default().add(seen);
        }
        self.is_from_internet |= matches!(
            seen.client,
            ZoneKind::Internet | ZoneKind::Aws | ZoneKind::Destination
        );
    }

    /// Targets, those that failed, and the trace, if there are enough of both. Whoever scans from the internet is told of
    /// only if something answered that may not: what is public answers everybody.
    pub fn verdict(self, targets: u64, failed_percent: u64) -> Option<(u64, u64, Trace)> {
        let (tried, answered) = (self.targets.estimate(), self.answered.estimate());
        let failed = tried.saturating_sub(answered);
        let is_scan = tried >= targets && failed * 100 >= tried * failed_percent;
        let is_noise = self.is_from_internet && !self.is_in;
        match self.trace {
            Some(trace) if is_scan && !is_noise => Some((tried, failed, trace)),
            _ => None,
        }
    }
}

pub(super) struct PortScan {
    targets: u64,
    failed: u64,
    /// Of the current client.
    servers: BTreeMap<(Addr, u8), Attempts>,
}

impl PortScan {
    pub fn new(set: &Detecting) -> PortScan {
        PortScan {
            targets: set.number("targets"),
            failed: set.number("failed"),
            servers: BTreeMap::new(),
        }
    }
}

impl EdgeDetector for PortScan {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let Some(port) = edge.server_port.filter(|_| seen.is_sure_of_direction()) else {
            return;
        };
        let attempts = self
            .servers
            .entry((edge.server_addr, edge.protocol))
            .or_default();
        attempts.add(seen, &port.to_le_bytes());
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((_, protocol), attempts) in std::mem::take(&mut self.servers) {
            let Some((tried, failed, trace)) = attempts.verdict(self.targets, self.failed) else {
                continue;
            };
            cases.raise(Suspicion {
                kind: Kind::PortScan,
                about: About::Both,
                port: None,
                protocol: Some(protocol),
                severity: None,
                weight: tried,
                title: format!(
                    "{} tried {tried} ports of {}",
                    trace.client.shown(),
                    trace.server.shown()
                ),
                reason: format!(
                    "{tried} ports in an hour, {failed} of them without an answer; the limit is {}",
                    self.targets
                ),
                trace,
            });
        }
    }
}
