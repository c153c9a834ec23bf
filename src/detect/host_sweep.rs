//! `host-sweep`: a client that tries one port of many servers within an hour.

use super::EdgeDetector;
use super::attempts::{Attempt, Attempts, Limits, trace_of};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::net::protocol::is_icmp;
use crate::policy::Detecting;

pub(super) struct HostSweep {
    limits: Limits,
    /// The current client, its attempts on servers inside, and the edge that made them enough.
    client: Option<Addr>,
    attempts: Attempts,
    example: Option<Trace>,
}

impl HostSweep {
    pub fn new(set: &Detecting) -> HostSweep {
        HostSweep {
            limits: Limits::of(set),
            client: None,
            attempts: Attempts::default(),
            example: None,
        }
    }
}

impl EdgeDetector for HostSweep {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        // A ping has no port, and no flag that shows its direction.
        let counts = is_icmp(edge.protocol) || seen.is_sure_of_direction();
        if !seen.server.is_inside() || !counts {
            return;
        }
        self.client = Some(edge.client_addr);
        let rows = self.attempts.add(seen);
        if self.example.is_none() && self.limits.may_be_met(rows) {
            self.example = Some(Trace::of(seen));
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        let is_from_internet = self.attempts.is_from_internet();
        if let (Some(client), Some(example)) = (self.client.take(), self.example.take()) {
            let rows = self.attempts.rows();
            rows.sort_unstable_by_key(|row| (row.protocol, row.port, row.server));
            let same = |row: &Attempt| (row.protocol, row.port);
            for of_port in rows.chunk_by(|a, b| same(a) == same(b)) {
                let (protocol, port) = same(&of_port[0]);
                let Some(scan) = self
                    .limits
                    .scan(of_port, is_from_internet, |row| row.server)
                else {
                    continue;
                };
                let trace = trace_of(of_port, &example, client);
                let service = service(protocol, port);
                cases.raise(Suspicion {
                    kind: Kind::HostSweep,
                    about: About::Client,
                    port,
                    protocol: Some(protocol),
                    severity: None,
                    weight: scan.tried,
                    title: format!(
                        "{} tried {service} of {} hosts",
                        trace.client.shown(),
                        scan.tried
                    ),
                    reason: format!(
                        "{} hosts in an hour, {} of them without an answer; the limit is {}",
                        scan.tried, scan.failed, self.limits.targets
                    ),
                    trace,
                });
            }
        }
        self.attempts.clear();
    }

    fn let_go(&self) -> u64 {
        self.attempts.let_go()
    }
}
