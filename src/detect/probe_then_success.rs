//! `probe-then-success`: a client that is turned away at several doors, and then gets in where it may not.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::subject::service;
use crate::judge::{Kind, Outcome};
use crate::net::Addr;
use crate::policy::Detecting;

/// Clients that are remembered of a day. Scanners come by the ten thousand.
const CLIENTS_CAP: usize = 32_768;
/// Doors of a client that are remembered, or as many as are asked for: more do not make it more suspicious.
const DOORS_CAP: usize = 16;
/// The most that may be asked for.
const ASKED_CAP: usize = 256;

/// Server, port and protocol.
type Door = (Addr, Option<u16>, u8);

pub(super) struct ProbeThenSuccess {
    probes: usize,
    doors: usize,
    clients: Bounded<Addr, Client>,
}

#[derive(Default)]
struct Client {
    /// Doors that turned it away, with when they first did, seconds.
    shut: Vec<(Door, u32)>,
    /// Doors that let it in.
    open: BTreeMap<Door, Trace>,
}

impl ProbeThenSuccess {
    pub fn new(set: &Detecting) -> ProbeThenSuccess {
        ProbeThenSuccess {
            probes: (set.number("probes") as usize).min(ASKED_CAP),
            doors: DOORS_CAP.max((set.number("probes") as usize).min(ASKED_CAP)),
            clients: Bounded::new(CLIENTS_CAP),
        }
    }
}

/// Whether the client was turned away. Who does not answer at all may be gone.
fn is_turned_away(seen: &Seen<'_>) -> bool {
    seen.is_rejected() || seen.edge.outcome == Some(Outcome::Refused)
}

impl EdgeDetector for ProbeThenSuccess {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        if !seen.is_denied() || !seen.is_sure_of_direction() || !seen.server.is_inside() {
            return;
        }
        let Some(client) = self.clients.entry(edge.client_addr) else {
            return;
        };
        let door = (edge.server_addr, edge.server_port, edge.protocol);
        if seen.is_answered() {
            if client.open.len() < self.doors || client.open.contains_key(&door) {
                client.open.entry(door).or_default().add(seen);
            }
        } else if is_turned_away(seen) {
            let known = client.shut.iter().position(|(known, _)| *known == door);
            match known {
                Some(place) => {
                    let first = &mut client.shut[place].1;
                    *first = edge.first_seen.min(*first);
                }
                None if client.shut.len() < self.doors => client.shut.push((door, edge.first_seen)),
                None => {}
            }
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for client in self.clients.take().into_values() {
            for ((_, port, protocol), trace) in client.open {
                // What is open all day was not won by trying.
                let is_before = |(_, first): &&(Door, u32)| *first < trace.first_seen;
                let probes = client.shut.iter().filter(is_before).count();
                if probes < self.probes {
                    continue;
                }
                cases.raise(Suspicion {
                    kind: Kind::ProbeThenSuccess,
                    about: About::Both,
                    port,
                    protocol: Some(protocol),
                    severity: None,
                    weight: probes as u64,
                    title: format!(
                        "{} tried {probes} doors, and got in to {} on {}",
                        trace.client.shown(),
                        trace.server.shown(),
                        service(protocol, port)
                    ),
                    reason: format!(
                        "{probes} servers and ports turned it away before; the limit is {}",
                        self.probes
                    ),
                    trace,
                });
            }
        }
    }

    fn let_go(&self) -> u64 {
        self.clients.let_go()
    }
}
