//! `watchlist`: traffic with an address of a list that the policy pins.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::bounded::{Bounded, CLIENT_CAP};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::policy::{Detecting, Severity, Watchlist};

/// Server, port, protocol, and the list (an index).
type Meeting = (Addr, Option<u16>, u8, usize);

pub(super) struct Watched<'a> {
    severity: Severity,
    lists: &'a [Watchlist],
    /// Of each list: where ranges end, by where they begin. None holds another.
    ranges: Vec<BTreeMap<Addr, Addr>>,
    /// Of the current client, by server, port, protocol and list: whether anything was let through, and the edges.
    met: Bounded<Meeting, (bool, Trace)>,
}

impl<'a> Watched<'a> {
    pub fn new(set: &'a Detecting) -> Watched<'a> {
        Watched {
            severity: set.severity,
            lists: set.lists(),
            ranges: set.lists().iter().map(ranges).collect(),
            met: Bounded::new(CLIENT_CAP),
        }
    }

    /// The first list that holds the address.
    fn list_of(&self, addr: Addr) -> Option<usize> {
        self.ranges.iter().position(|ranges| {
            let before = ranges.range(..=addr).next_back();
            before.is_some_and(|(_, end)| addr <= *end)
        })
    }
}

fn ranges(list: &Watchlist) -> BTreeMap<Addr, Addr> {
    let mut ranges = BTreeMap::new();
    let mut end: Option<Addr> = None;
    for prefix in &list.prefixes {
        // Sorted: what the one before holds adds nothing.
        if end.is_none_or(|end| prefix.last() > end) {
            ranges.insert(prefix.first(), prefix.last());
            end = Some(prefix.last());
        }
    }
    ranges
}

impl EdgeDetector for Watched<'_> {
    fn see(&mut self, seen: &Seen<'_>) {
        if self.lists.is_empty() {
            return;
        }
        let edge = seen.edge;
        let list = match (seen.client.is_inside(), seen.server.is_inside()) {
            (true, false) => self.list_of(edge.server_addr),
            // Whoever knocks and is turned away is nobody's business.
            (false, true) if seen.is_answered() => self.list_of(edge.client_addr),
            _ => None,
        };
        if let Some(list) = list {
            let key = (edge.server_addr, edge.server_port, edge.protocol, list);
            if let Some((is_let_through, trace)) = self.met.entry(key) {
                *is_let_through |= seen.is_let_through();
                trace.add(seen);
            }
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((_, port, protocol, list), (is_let_through, trace)) in self.met.take() {
            let Watchlist { name, digest, .. } = &self.lists[list];
            cases.raise(Suspicion {
                kind: Kind::Watchlist,
                about: About::Both,
                port,
                protocol: Some(protocol),
                // What was held is one step milder.
                severity: (!is_let_through).then_some(self.severity.down()),
                weight: trace.connections,
                title: format!(
                    "{} and {}, one of which is on the watchlist, met on {}",
                    trace.client.shown(),
                    trace.server.shown(),
                    service(protocol, port)
                ),
                reason: format!("listed in `{name}` ({digest})"),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.met.let_go()
    }
}
