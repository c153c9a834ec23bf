//! `probe-then-success`: a client that is turned away at several doors, and then gets in where it may not.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::sketch::Distinct;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::policy::Detecting;

/// Clients that are remembered of a day. Scanners come by the ten thousand.
const CLIENTS_CAP: usize = 65_536;

pub(super) struct ProbeThenSuccess {
    probes: u64,
    clients: BTreeMap<Addr, Client>,
    let_go: u64,
}

#[derive(Default)]
struct Client {
    probes: Distinct,
    /// When the first was turned away, start, seconds.
    first_probe: u32,
    success: Option<Trace>,
}

impl ProbeThenSuccess {
    pub fn new(set: &Detecting) -> ProbeThenSuccess {
        ProbeThenSuccess {
            probes: set.number("probes"),
            clients: BTreeMap::new(),
            let_go: 0,
        }
    }
}

impl EdgeDetector for ProbeThenSuccess {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        if !seen.is_denied() || !seen.is_sure_of_direction() || !seen.server.is_inside() {
            return;
        }
        let client = edge.client_addr;
        if !self.clients.contains_key(&client) {
            if seen.is_answered() {
                // Whoever gets in at once was not turned away before.
                return;
            }
            if self.clients.len() == CLIENTS_CAP {
                self.let_go += 1;
                return;
            }
        }
        let client = self.clients.entry(client).or_default();
        if seen.is_answered() {
            client.success.get_or_insert_default().add(seen);
            return;
        }
        let mut target = [0; 19];
        target[..16].copy_from_slice(&edge.server_addr.bits().to_le_bytes());
        target[16..18].copy_from_slice(&edge.server_port.unwrap_or(0).to_le_bytes());
        target[18] = edge.protocol;
        client.probes.add(&target);
        if client.first_probe == 0 || edge.first_seen < client.first_probe {
            client.first_probe = edge.first_seen;
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for client in std::mem::take(&mut self.clients).into_values() {
            let probes = client.probes.estimate();
            let Some(trace) = client.success.filter(|_| probes >= self.probes) else {
                continue;
            };
            if trace.last_seen <= client.first_probe {
                continue;
            }
            let example = trace.example.as_deref();
            let (port, protocol) = example.map_or((None, 0), |one| (one.port, one.protocol));
            cases.raise(Suspicion {
                kind: Kind::ProbeThenSuccess,
                about: About::Both,
                port,
                protocol: Some(protocol),
                severity: None,
                weight: probes,
                title: format!(
                    "{} tried {probes} doors, and got in to {} on {}",
                    trace.client.shown(),
                    trace.server.shown(),
                    service(protocol, port)
                ),
                reason: format!(
                    "{probes} servers and ports turned it away; the limit is {}",
                    self.probes
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.let_go
    }
}
