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
    /// Doors that turned clients away: one list for all of them, as each has few.
    shut: Vec<Shut>,
}

#[derive(Default)]
struct Client {
    /// How many doors turned it away.
    num_shut: u32,
    /// The last of them that was entered: its place in the list, and one more; 0 is none.
    last_shut: u32,
    /// Doors that let it in.
    open: BTreeMap<Door, Trace>,
}

/// A door that turned a client away.
struct Shut {
    /// Its hash.
    door: u64,
    /// When it first did, seconds.
    first: u32,
    /// The one of the same client before it, as in [`Client::last_shut`].
    before: u32,
}

impl Client {
    /// The places of the doors that turned it away.
    fn shut<'s>(&self, all: &'s [Shut]) -> impl Iterator<Item = usize> + use<'s> {
        let place = |one_more: u32| (one_more as usize).checked_sub(1);
        std::iter::successors(place(self.last_shut), move |known| {
            place(all[*known].before)
        })
    }
}

impl ProbeThenSuccess {
    pub fn new(set: &Detecting) -> ProbeThenSuccess {
        ProbeThenSuccess {
            probes: (set.number("probes") as usize).min(ASKED_CAP),
            doors: DOORS_CAP.max((set.number("probes") as usize).min(ASKED_CAP)),
            clients: Bounded::new(CLIENTS_CAP),
            shut: Vec::new(),
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
            let door = seen.door_hash(0);
            let known = client
                .shut(&self.shut)
                .find(|place| self.shut[*place].door == door);
            match known {
                Some(place) => {
                    let first = &mut self.shut[place].first;
                    *first = edge.first_seen.min(*first);
                }
                None if (client.num_shut as usize) < self.doors => {
                    if self.shut.len() == self.shut.capacity() {
                        // By little at a time: it is the largest that any detector has.
                        self.shut.reserve_exact(self.shut.len() / 8 + 1024);
                    }
                    self.shut.push(Shut {
                        door,
                        first: edge.first_seen,
                        before: client.last_shut,
                    });
                    client.num_shut += 1;
                    client.last_shut = self.shut.len() as u32;
                }
                None => {}
            }
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for client in self.clients.take().into_values() {
            let shut = client.shut(&self.shut);
            let shut: Vec<u32> = shut.map(|place| self.shut[place].first).collect();
            for ((_, port, protocol), trace) in client.open {
                // What is open all day was not won by trying.
                let is_before = |first: &&u32| **first < trace.first_seen;
                let probes = shut.iter().filter(is_before).count();
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
