//! `port-scan`: a client that tries many ports of one server within an hour.

use super::EdgeDetector;
use super::attempts::{Attempts, Limits, trace_of};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::net::Addr;
use crate::policy::Detecting;

/// Ports below this are servers'.
const SERVERS: u16 = 1024;
/// Scans of one client and hour that are remembered until its edges end.
const SCANS_CAP: usize = 256;

pub(super) struct PortScan {
    limits: Limits,
    /// The client and the server whose edges are coming.
    pair: Option<(Addr, Addr)>,
    attempts: Attempts,
    /// Of the edge that made them enough.
    example: Option<Trace>,
    /// Of the current client.
    scans: Vec<Suspicion>,
    let_go: u64,
}

impl PortScan {
    pub fn new(set: &Detecting) -> PortScan {
        PortScan {
            limits: Limits::of(set),
            pair: None,
            attempts: Attempts::default(),
            example: None,
            scans: Vec::new(),
            let_go: 0,
        }
    }

    /// All edges of the client with the current server were seen.
    fn end_server(&mut self) {
        let is_from_internet = self.attempts.is_from_internet();
        if let (Some((client, _)), Some(example)) = (self.pair, self.example.take()) {
            let rows = self.attempts.rows();
            rows.sort_unstable_by_key(|row| (row.protocol, row.port));
            for of_protocol in rows.chunk_by(|a, b| a.protocol == b.protocol) {
                let protocol = of_protocol[0].protocol;
                let Some(scan) = self
                    .limits
                    .scan(of_protocol, is_from_internet, |row| row.port)
                else {
                    continue;
                };
                if self.scans.len() == SCANS_CAP {
                    self.let_go += 1;
                    continue;
                }
                let trace = trace_of(of_protocol, &example, client);
                self.scans.push(Suspicion {
                    kind: Kind::PortScan,
                    about: About::Both,
                    port: None,
                    protocol: Some(protocol),
                    severity: None,
                    weight: scan.tried,
                    title: format!(
                        "{} tried {} ports of {}",
                        trace.client.shown(),
                        scan.tried,
                        trace.server.shown()
                    ),
                    reason: format!(
                        "{} ports in an hour, {} of them without an answer; the limit is {}",
                        scan.tried, scan.failed, self.limits.targets
                    ),
                    trace,
                });
            }
        }
        self.attempts.clear();
    }
}

impl EdgeDetector for PortScan {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        // The edges of a client come by server.
        let pair = Some((edge.client_addr, edge.server_addr));
        if self.pair != pair {
            self.end_server();
            self.pair = pair;
        }
        if edge.server_port.is_none() || !seen.is_sure_of_direction() {
            return;
        }
        let rows = self.attempts.add(seen);
        if self.example.is_none() && self.limits.may_be_met(rows) {
            self.example = Some(Trace::of(seen));
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
        self.pair = None;
        for scan in self.scans.drain(..) {
            cases.raise(scan);
        }
    }

    fn let_go(&self) -> u64 {
        self.let_go + self.attempts.let_go()
    }
}
