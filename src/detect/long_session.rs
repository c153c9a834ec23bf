//! `long-session`: a connection with the internet that stays open for hours.
//!
//! A connection is told once a slot, and only its first slot holds its SYN. So an edge whose connections have no SYN of
//! their own, a few an hour and in each hour, is one that stays open.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::net::protocol::TCP;
use crate::policy::Detecting;

/// Pairs that are remembered from hour to hour.
const PAIRS_CAP: usize = 16_384;
/// Slots of an hour: as often an open connection is told.
const SLOTS: u64 = 12;
/// Of these, in how many traffic must have flowed. With aggregation by ten minutes it is every other one.
const SLOTS_AT_LEAST: u64 = 4;

type Pair = (Addr, Addr, u16);

pub(super) struct LongSession {
    seconds: u32,
    /// Whether the network's logs tell flags: some connection had a SYN.
    has_flags: bool,
    now: Bounded<Pair, Trace>,
    /// Pairs with a new connection in the current hour.
    begun: Bounded<Pair, ()>,
    /// Pairs that go on, with the edges of their earlier hours.
    open: BTreeMap<Pair, Trace>,
}

impl LongSession {
    pub fn new(set: &Detecting) -> LongSession {
        LongSession {
            seconds: u32::try_from(set.number("hours").saturating_mul(3600)).unwrap_or(u32::MAX),
            has_flags: false,
            now: Bounded::new(PAIRS_CAP),
            begun: Bounded::new(PAIRS_CAP),
            open: BTreeMap::new(),
        }
    }

    fn end(&self, pair: Pair, trace: Trace, cases: &mut Cases<'_>) {
        let lasted = trace.last_seen.saturating_sub(trace.first_seen);
        if lasted < self.seconds || !self.has_flags {
            return;
        }
        let (_, _, port) = pair;
        let hours = lasted / 3600;
        cases.raise(Suspicion {
            kind: Kind::LongSession,
            about: About::Both,
            port: Some(port),
            protocol: Some(TCP),
            severity: None,
            weight: u64::from(lasted),
            title: format!(
                "{} holds a connection with {} on {} open for {hours} hours",
                trace.client.shown(),
                trace.server.shown(),
                service(TCP, Some(port))
            ),
            reason: format!(
                "traffic without a new SYN for {hours} hours; the limit is {}",
                self.seconds / 3600
            ),
            trace,
        });
    }
}

impl EdgeDetector for LongSession {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        self.has_flags |= seen.has_own_syn();
        let is_half_inside = seen.client.is_inside() != seen.server.is_inside();
        let is_relevant = edge.protocol == TCP && is_half_inside && seen.is_with_anybody();
        let Some(port) = edge
            .server_port
            .filter(|_| is_relevant && seen.is_answered())
        else {
            return;
        };
        let pair = (edge.client_addr, edge.server_addr, port);
        if seen.has_own_syn() {
            self.begun.entry(pair);
            return;
        }
        if let Some(trace) = self.now.entry(pair) {
            trace.add(seen);
        }
    }

    fn end_hour(&mut self, _hour: u32, cases: &mut Cases<'_>) {
        let mut open = std::mem::take(&mut self.open);
        let begun = self.begun.take();
        for (pair, trace) in self.now.take() {
            // Many at once are a pool of connections, and new ones every hour are many.
            let is_one = (SLOTS_AT_LEAST..=2 * SLOTS).contains(&trace.connections);
            let is_new = begun.contains_key(&pair);
            match open.remove(&pair) {
                Some(mut earlier) if is_one && !is_new => {
                    earlier.absorb(trace);
                    self.open.insert(pair, earlier);
                }
                Some(earlier) => {
                    self.end(pair, earlier, cases);
                    self.open.insert(pair, trace);
                }
                None => {
                    self.open.insert(pair, trace);
                }
            }
        }
        for (pair, trace) in open {
            self.end(pair, trace, cases);
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        for (pair, trace) in std::mem::take(&mut self.open) {
            self.end(pair, trace, cases);
        }
    }

    fn let_go(&self) -> u64 {
        self.now.let_go() + self.begun.let_go()
    }
}
