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

/// Ports below this are servers'.
const SERVERS: u16 = 1024;
/// Scans of one client and hour that are remembered until its edges end.
const SCANS_CAP: usize = 256;

pub(super) struct PortScan {
    targets: u64,
    failed: u64,
    /// The server of the current client whose edges are coming, and the attempts by protocol.
    server: Option<Addr>,
    attempts: BTreeMap<u8, Attempts>,
    /// Of the current client.
    scans: Vec<Suspicion>,
    let_go: u64,
}

impl PortScan {
    pub fn new(set: &Detecting) -> PortScan {
        PortScan {
            targets: set.number("targets"),
            failed: set.number("failed"),
            server: None,
            attempts: BTreeMap::new(),
            scans: Vec::new(),
            let_go: 0,
        }
    }

    /// All edges of the client with the current server were seen.
    fn end_server(&mut self) {
        for (protocol, attempts) in std::mem::take(&mut self.attempts) {
            let Some((tried, failed, trace)) = attempts.verdict(self.targets, self.failed) else {
                continue;
            };
            if self.scans.len() == SCANS_CAP {
                self.let_go += 1;
                continue;
            }
            self.scans.push(Suspicion {
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

impl EdgeDetector for PortScan {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        // The edges of a client come by server.
        if self.server != Some(edge.server_addr) {
            self.end_server();
            self.server = Some(edge.server_addr);
        }
        if let Some(port) = edge.server_port.filter(|_| seen.is_sure_of_direction()) {
            let attempts = self.attempts.entry(edge.protocol).or_default();
            attempts.add(seen, &port.to_le_bytes());
        }
    }

    fn see_stray(&mut self, seen: &Seen<'_>) {
        // A scan with FIN or without flags; what comes late of a connection goes to ports of clients.
        if seen.edge.server_port.is_some_and(|port| port < SERVERS) {
            self.see(seen);
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        self.end_server();
        self.server = None;
        for scan in self.scans.drain(..) {
            cases.raise(scan);
        }
    }

    fn let_go(&self) -> u64 {
        self.let_go
    }
}
