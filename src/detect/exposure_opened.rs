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

pub(super) struct ExposureOpened {
    rejected: u64,
    /// By server, port, protocol and the clients' zone: what one partner may, others need not.
    doors: Bounded<(Addr, u16, u8, u16), Door>,
    /// Zones of clients outside.
    zones: Vec<String>,
}

#[derive(Default)]
struct Door {
    /// Attempts that were rejected in hours before anybody got in.
    rejected: u64,
    /// Attempts that were rejected in the current hour.
    rejected_now: u64,
    /// Whoever got in.
    opened: Option<Box<Trace>>,
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
        let key = (
            edge.server_addr,
            port,
            edge.protocol,
            self.zone(edge.client_zone),
        );
        let Some(door) = self.doors.entry(key) else {
            return;
        };
        if is_in {
            door.opened.get_or_insert_default().add(seen);
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
        for ((_, port, protocol, _), door) in self.doors.take() {
            let Some(trace) = door.opened.filter(|_| door.rejected >= self.rejected) else {
                continue;
            };
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
                    "{} attempts were rejected in the hours before; clients that got in since, which the policy does not allow: {}",
                    door.rejected,
                    trace.client.addresses()
                ),
                trace: *trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.doors.let_go()
    }
}
