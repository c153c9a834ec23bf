//! `exposure-opened`: a server's port that turned clients outside away, and later that day lets them in against the policy.

use super::EdgeDetector;
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::policy::Detecting;

/// Doors that are remembered of a day. Scanners knock at each port of each public address: these are some thousand hosts'.
const DOORS_CAP: usize = 65_536;

/// Server, port, protocol and the clients' zone: what one partner may, others need not.
type Place = (Addr, u16, u8, u16);

pub(super) struct ExposureOpened {
    rejected: u64,
    /// By the hashes of their places, since nearly all are but counted.
    doors: Bounded<u64, Door>,
    /// Zones of clients outside.
    zones: Vec<String>,
}

#[derive(Default)]
struct Door {
    /// Attempts that were rejected in hours before anybody got in.
    rejected: u64,
    /// Attempts that were rejected in the current hour.
    rejected_now: u64,
    /// Whoever got in, and where.
    opened: Option<Box<(Place, Trace)>>,
}

impl ExposureOpened {
    pub fn new(set: &Detecting) -> ExposureOpened {
        ExposureOpened {
            rejected: set.number("rejected"),
            doors: Bounded::new(DOORS_CAP),
            zones: Vec::new(),
        }
    }

    /// The number of a zone.
    fn zone(&mut self, name: &str) -> u16 {
        let known = self.zones.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.zones.push(name.to_owned());
            self.zones.len() - 1
        });
        // A policy has fewer zones outside.
        u16::try_from(place).unwrap_or(u16::MAX)
    }
}

impl EdgeDetector for ExposureOpened {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let Some(port) = edge
            .server_port
            .filter(|_| seen.comes_in() && seen.is_sure_of_direction())
        else {
            return;
        };
        let is_in = seen.is_answered() && !seen.is_allowed();
        if !is_in && !seen.is_rejected() {
            return;
        }
        let zone = self.zone(edge.client_zone);
        let place = (edge.server_addr, port, edge.protocol, zone);
        let Some(door) = self.doors.entry(seen.door_hash(zone.into())) else {
            return;
        };
        if is_in {
            let opened = || Box::new((place, Trace::default()));
            door.opened.get_or_insert_with(opened).1.add(seen);
        } else {
            door.rejected_now += edge.connections;
        }
    }

    fn end_hour(&mut self, _hour: u32, _cases: &mut Cases<'_>) {
        for door in self.doors.values_mut() {
            let rejected = std::mem::take(&mut door.rejected_now);
            if door.opened.is_none() {
                door.rejected += rejected;
            }
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        let doors = self.doors.take().into_values();
        let mut opened: Vec<(Box<(Place, Trace)>, u64)> = doors
            .filter_map(|door| Some((door.opened?, door.rejected)))
            .filter(|(_, rejected)| *rejected >= self.rejected)
            .collect();
        opened.sort_unstable_by_key(|(door, _)| door.0);
        for (door, rejected) in opened {
            let ((_, port, protocol, _), trace) = *door;
            let service = service(protocol, Some(port));
            cases.raise(Suspicion {
                kind: Kind::ExposureOpened,
                about: About::Server,
                port: Some(port),
                protocol: Some(protocol),
                severity: None,
                weight: trace.connections,
                title: format!(
                    "{} was shut to {} on {service}, and now lets them in",
                    trace.server.shown(),
                    trace.client.zone
                ),
                reason: format!(
                    "{rejected} attempts were rejected in the hours before; clients that got in since, which the policy does not allow: {}",
                    trace.client.addresses()
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.doors.let_go()
    }
}
