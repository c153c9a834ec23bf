//! The attempts of one client within an hour: what `port-scan` and `host-sweep` count targets of.
//!
//! Most clients make few, so nothing is made of an attempt but a row; only where there are enough rows are they sorted and
//! counted. Counts are exact.

use super::seen::Seen;
use super::trace::Trace;
use crate::net::Addr;
use crate::policy::{Detecting, ZoneKind};

/// Attempts of one client and hour that are remembered: a whole range of ports. More do not make a scan of what is none.
const ATTEMPTS_CAP: usize = 65_536;

/// An edge, as an attempt on a target.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub server: Addr,
    pub port: Option<u16>,
    pub protocol: u8,
    pub is_answered: bool,
    /// Whether it was answered though the policy does not allow it.
    is_in: bool,
    first_seen: u32,
    last_seen: u32,
    /// Records, connections, packets, bytes.
    counts: [u64; 4],
}

/// The attempts of the current client.
#[derive(Default)]
pub(super) struct Attempts {
    rows: Vec<Attempt>,
    is_from_internet: bool,
    let_go: u64,
}

/// Which attempts make a scan.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Distinct targets at least.
    pub targets: u64,
    /// Of these, how many percent at least never answered within the hour: one that did may have been starting.
    pub failed: u64,
}

/// A scan.
pub(super) struct Scan {
    pub tried: u64,
    pub failed: u64,
}

impl Limits {
    pub fn of(set: &Detecting) -> Limits {
        Limits {
            targets: set.number("targets"),
            failed: set.number("failed"),
        }
    }

    /// Whether so many rows may make a scan.
    pub fn may_be_met(&self, rows: usize) -> bool {
        rows as u64 >= self.targets
    }

    /// The scan that attempts are, if they are one; `target` tells targets apart, and attempts come sorted by it. Whoever
    /// scans from the internet is told of only if something answered that may not: what is public answers everybody.
    pub fn scan<T: PartialEq>(
        &self,
        attempts: &[Attempt],
        is_from_internet: bool,
        target: impl Fn(&Attempt) -> T,
    ) -> Option<Scan> {
        if is_from_internet && !attempts.iter().any(|attempt| attempt.is_in) {
            return None;
        }
        let targets = attempts.chunk_by(|a, b| target(a) == target(b));
        let (mut tried, mut failed) = (0_u64, 0_u64);
        for of_target in targets {
            tried += 1;
            failed += u64::from(!of_target.iter().any(|attempt| attempt.is_answered));
        }
        let is_scan = tried >= self.targets && failed * 100 >= tried * self.failed;
        is_scan.then_some(Scan { tried, failed })
    }
}

impl Attempts {
    /// Notes an edge; how many there are then.
    pub fn add(&mut self, seen: &Seen<'_>) -> usize {
        let edge = seen.edge;
        if self.rows.len() == ATTEMPTS_CAP {
            self.let_go += 1;
            return ATTEMPTS_CAP;
        }
        if self.rows.is_empty() {
            self.is_from_internet = matches!(
                seen.client,
                ZoneKind::Internet | ZoneKind::Aws | ZoneKind::Destination
            );
        }
        let is_answered = seen.is_answered();
        self.rows.push(Attempt {
            server: edge.server_addr,
            port: edge.server_port,
            protocol: edge.protocol,
            is_answered,
            is_in: is_answered && !seen.is_allowed(),
            first_seen: edge.first_seen,
            last_seen: edge.last_seen,
            counts: seen.counts(),
        });
        self.rows.len()
    }

    pub fn rows(&mut self) -> &mut [Attempt] {
        &mut self.rows
    }

    pub fn is_from_internet(&self) -> bool {
        self.is_from_internet
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }

    pub fn let_go(&self) -> u64 {
        self.let_go
    }
}

/// The trace of those attempts that were not answered; names and example are those of `example`.
pub(super) fn trace_of(attempts: &[Attempt], example: &Trace, client: Addr) -> Trace {
    let mut trace = example.without_counts();
    for attempt in attempts.iter().filter(|attempt| !attempt.is_answered) {
        let ends = [client, attempt.server];
        trace.count(
            ends,
            (attempt.first_seen, attempt.last_seen),
            attempt.counts,
        );
    }
    trace
}
