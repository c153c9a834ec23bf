//! What flags proved in a slot, carried to the slots of the hour after: connections whose client is known, and ends
//! that have proven to accept connections.
//!
//! Own SYN and SYN-ACK only, never refreshed by what was carried, so that a slot's evidence is a function of its own
//! objects. Bounded: beyond the cap the smallest fingerprints are kept, the same ones whoever counts.

use super::connection::{End, Key, Side};

/// How many connections, and how many ends, a slot may hand on. 2 million of each take 30 MB; fewer would lose the
/// direction of long connections in busy slots.
pub const EVIDENCE_CAP: usize = 2 << 20;

/// What one slot proves, as its connections are gone through.
pub struct Proofs {
    cap: usize,
    /// Fingerprints of connections, each of which comes once; the lowest bit is 1 if the high end is the client.
    connections: Vec<u128>,
    /// Fingerprints of (protocol, end) that answered an accepted SYN with an accepted SYN-ACK, the lowest bit free.
    listeners: Vec<u128>,
    /// How many listeners there are when they are next looked through for equal ones: a server has many connections.
    look_at: usize,
    /// Connections beyond the cap that were let go.
    let_go: u64,
}

impl Proofs {
    /// Of a slot that hands on so many connections at most, and as many ends.
    pub fn new(cap: usize) -> Proofs {
        Proofs {
            cap,
            connections: Vec::new(),
            listeners: Vec::new(),
            look_at: 2 * cap,
            let_go: 0,
        }
    }

    /// Notes that flags proved this side of the connection to be the client. Each connection is noted once.
    pub fn prove_client(&mut self, key: &Key, client: Side) {
        self.add_connection(key.fingerprint() | client as u128);
    }

    /// Notes that the end accepts connections.
    pub fn prove_listener(&mut self, protocol: u8, end: End) {
        self.add_listener(end.fingerprint(protocol));
    }

    fn add_connection(&mut self, fingerprint: u128) {
        self.connections.push(fingerprint);
        if self.connections.len() >= 2 * self.cap {
            self.let_go += keep_least(&mut self.connections, self.cap);
        }
    }

    fn add_listener(&mut self, fingerprint: u128) {
        self.listeners.push(fingerprint);
        if self.listeners.len() >= self.look_at {
            keep_least(&mut self.listeners, usize::MAX);
            self.look_at = self.look_at.max(2 * self.listeners.len());
        }
    }

    /// The evidence of the slot, which is whole now.
    pub fn seal(mut self) -> Evidence {
        let connections = keep_least(&mut self.connections, self.cap);
        let listeners = keep_least(&mut self.listeners, self.cap);
        Evidence {
            connections: Fingerprints::of(&self.connections),
            listeners: Fingerprints::of(&self.listeners),
            let_go: self.let_go + connections + listeners,
        }
    }
}

/// Sorts fingerprints and keeps the least ones, so many and each once; how many others it let go.
fn keep_least(fingerprints: &mut Vec<u128>, most: usize) -> u64 {
    fingerprints.sort_unstable();
    fingerprints.dedup();
    let over = fingerprints.len().saturating_sub(most);
    fingerprints.truncate(most);
    over as u64
}

/// What one slot proved: the same whatever the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    connections: Fingerprints,
    listeners: Fingerprints,
    /// Entries beyond the cap that were let go.
    pub let_go: u64,
}

impl Evidence {
    /// The client of a connection, if this slot proved it.
    fn client(&self, fingerprint: u128) -> Option<Side> {
        let side = self.connections.find(fingerprint)?;
        Some(if side { Side::High } else { Side::Low })
    }

    /// Whether this slot proved that the end accepts connections.
    fn is_listener(&self, fingerprint: u128) -> bool {
        self.listeners.find(fingerprint).is_some()
    }
}

/// Fingerprints by their first bits, which tell where one is, and of what follows them 47 bits and the lowest: some six and
/// a half bytes each. Another fingerprint is taken for one of them once in 10^13 times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fingerprints {
    /// How many of the first bits.
    bits: u32,
    /// Where those with the same first bits end, by these bits.
    ends: Vec<u32>,
    /// What is kept of each, in order; higher bits first.
    kept: Vec<Kept>,
}

/// 48 bits.
type Kept = [u16; 3];

impl Fingerprints {
    /// Of sorted fingerprints.
    fn of(sorted: &[u128]) -> Fingerprints {
        // Eight to sixteen with the same first bits.
        let bits = (sorted.len() / 8).max(1).ilog2();
        let mut ends = vec![0; 1 << bits];
        for fingerprint in sorted {
            ends[first_bits(*fingerprint, bits)] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            end += *count;
            *count = end;
        }
        Fingerprints {
            bits,
            ends,
            kept: sorted.iter().map(|known| kept_of(*known, bits)).collect(),
        }
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The lowest bit of the known fingerprint that is this one but for that bit; the lower one if there are two.
    fn find(&self, fingerprint: u128) -> Option<bool> {
        let place = first_bits(fingerprint, self.bits);
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        let alike = &self.kept[start as usize..end as usize];
        let [high, middle, low] = kept_of(fingerprint, self.bits);
        let wanted = [high, middle, low & !1];
        let [high, middle, low] = *alike.get(alike.partition_point(|known| *known < wanted))?;
        ([high, middle, low & !1] == wanted).then_some(low & 1 == 1)
    }
}

fn first_bits(fingerprint: u128, bits: u32) -> usize {
    // Shifting by all bits at once is more than a shift can do.
    (fingerprint >> 1 >> (u128::BITS - 1 - bits)) as usize
}

fn kept_of(fingerprint: u128, bits: u32) -> Kept {
    let after = fingerprint << bits;
    let [high, middle, low] = [112, 96, 80].map(|shift| (after >> shift) as u16);
    [high, middle, low & !1 | fingerprint as u16 & 1]
}

/// The evidence that a slot is judged by: its own, and that of the slots of the horizon.
pub struct Horizon<'a> {
    /// The slot's own evidence.
    pub own: &'a Evidence,
    /// Evidence of earlier slots, latest first.
    pub earlier: Vec<&'a Evidence>,
}

impl Horizon<'_> {
    /// The client of a connection as an earlier slot proved it; the latest slot that did wins.
    pub fn client(&self, key: &Key) -> Option<Side> {
        if self.earlier.iter().all(|slot| slot.connections.is_empty()) {
            return None;
        }
        let fingerprint = key.fingerprint();
        self.earlier
            .iter()
            .find_map(|slot| slot.client(fingerprint))
    }

    /// Whether the end has proven to accept connections, in this slot or an earlier one.
    pub fn is_listener(&self, protocol: u8, end: End) -> bool {
        let mut slots = std::iter::once(&self.own).chain(&self.earlier);
        if slots.all(|slot| slot.listeners.is_empty()) {
            return false;
        }
        let fingerprint = end.fingerprint(protocol);
        self.own.is_listener(fingerprint)
            || self
                .earlier
                .iter()
                .any(|slot| slot.is_listener(fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_a_scan_finds(known in prop::collection::vec(0u64..300, 0..200), cap in 1usize..250) {
            // Spread over all bits, as fingerprints are; the lowest bit tells nothing of the others.
            let value = |number: u64| xxhash_rust::xxh3::xxh3_128(&(number / 2).to_le_bytes()) & !1 | u128::from(number & 1);
            let mut sorted: Vec<u128> = known.iter().map(|number| value(*number)).collect();
            let mut proofs = Proofs::new(cap);
            sorted.iter().for_each(|known| proofs.add_listener(known & !1));
            let mut told = std::collections::BTreeSet::new();
            sorted.retain(|known| told.insert(*known));
            sorted.iter().for_each(|known| proofs.add_connection(*known));
            let evidence = proofs.seal();
            sorted.sort_unstable();
            let kept = &sorted[..sorted.len().min(cap)];
            for number in (0..400).step_by(2) {
                let probe = value(number);
                let client = kept.iter().find(|known| *known & !1 == probe).map(|known| if known & 1 == 0 { Side::Low } else { Side::High });
                prop_assert_eq!(evidence.client(probe), client);
            }
            let mut ends: Vec<u128> = sorted.iter().map(|known| known & !1).collect();
            ends.dedup();
            let over = ends.split_off(ends.len().min(cap));
            prop_assert!(ends.iter().all(|end| evidence.is_listener(*end)));
            prop_assert!(!over.iter().any(|end| evidence.is_listener(*end)));
            prop_assert_eq!(evidence.let_go, (sorted.len() - kept.len() + over.len()) as u64);
        }
    }
}
