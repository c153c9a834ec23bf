//! `host-sweep`: a client that tries one port of many servers within an hour.

use super::EdgeDetector;
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::port_scan::Attempts;
use super::seen::Seen;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::protocol::{ICMP, ICMPV6};
use crate::policy::Detecting;

/// Ports of one client and hour that are remembered. Whoever tries more is found by `port-scan`.
const PORTS_CAP: usize = 256;

pub(super) struct HostSweep {
    targets: u64,
    failed: u64,
    /// Of the current client, by port and protocol.
    ports: Bounded<(Option<u16>, u8), Attempts>,
}

impl HostSweep {
    pub fn new(set: &Detecting) -> HostSweep {
        HostSweep {
            targets: set.number("targets"),
            failed: set.number("failed"),
            ports: Bounded::new(PORTS_CAP),
        }
    }
}

impl EdgeDetector for HostSweep {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        // A ping has no port, and no flag that shows its direction.
        let is_ping = matches!(edge.protocol, ICMP | ICMPV6);
        if seen.server.is_inside() && (is_ping || seen.is_sure_of_direction()) {
            if let Some(attempts) = self.ports.entry((edge.server_port, edge.protocol)) {
                attempts.add(seen, &edge.server_addr.bits().to_le_bytes());
            }
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((port, protocol), attempts) in self.ports.take() {
            let Some((tried, failed, trace)) = attempts.verdict(self.targets, self.failed) else {
                continue;
            };
            let service = service(protocol, port);
            cases.raise(Suspicion {
                kind: Kind::HostSweep,
                about: About::Client,
                port,
                protocol: Some(protocol),
                severity: None,
                weight: tried,
                title: format!("{} tried {service} of {tried} hosts", trace.client.shown()),
                reason: format!(
                    "{tried} hosts in an hour, {failed} of them without an answer; the limit is {}",
                    self.targets
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.ports.let_go()
    }
}
