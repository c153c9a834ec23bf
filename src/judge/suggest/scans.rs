//! Clients that try one target after the other and are mostly turned away.

use std::collections::{HashMap, HashSet};

use super::class::is_accepted;
use crate::judge::EdgeRow;
use crate::net::Addr;

/// So many distinct targets (server, protocol, port), fewer than half of them accepted, make a scanner.
const MIN_TARGETS: usize = 20;

/// Targets kept of a client; what comes later is not looked at.
const MOST_TARGETS: usize = 1024;

/// Server, protocol, port, and whether it was ever accepted there.
type Targets = HashMap<(Addr, u8, Option<u16>), bool>;

/// What each client tried.
#[derive(Default)]
pub struct Scans {
    clients: HashMap<Addr, Targets>,
}

/// The clients that are scanners.
pub struct Scanners(HashSet<Addr>);

impl Scans {
    /// Takes what a client tried; what is not judged does not count.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        if edge.decision.is_none() {
            return;
        }
        let targets = self.clients.entry(edge.client_addr).or_default();
        let target = (edge.server_addr, edge.protocol, edge.server_port);
        if targets.len() < MOST_TARGETS || targets.contains_key(&target) {
            *targets.entry(target).or_default() |= is_accepted(edge);
        }
    }

    /// Who scans, once all is seen.
    pub fn scanners(self) -> Scanners {
        let clients = self.clients.into_iter();
        let scanners = clients.filter(|(_, targets)| is_scan(targets));
        Scanners(scanners.map(|(client, _)| client).collect())
    }
}

impl Scanners {
    /// Whether the client is one.
    pub fn has(&self, client: Addr) -> bool {
        self.0.contains(&client)
    }
}

fn is_scan(targets: &Targets) -> bool {
    let accepted = targets.values().filter(|accepted| **accepted).count();
    targets.len() >= MIN_TARGETS && accepted * 2 < targets.len()
}
