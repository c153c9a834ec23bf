//! What flags proved in a slot, carried to the slots of the hour after: connections whose client is known, and ends
//! that have proven to accept connections.
//!
//! Own SYN and SYN-ACK only, never refreshed by what was carried, so that a slot's evidence is a function of its own
//! objects. Bounded: beyond the cap the smallest fingerprints are kept, the same ones whoever counts.

use super::connection::{End, Key, Side};

/// How many connections, and how many ends, a slot may hand on. 2 million of each take 64 MB; fewer would lose the
/// direction of long connections in busy slots.
pub const EVIDENCE_CAP: usize = 2 << 20;

/// What one slot proved. Sorted, so that it is looked up by bisection and the same whatever the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Fingerprints of connections; the lowest bit is 1 if the high end is the client.
    connections: Vec<u128>,
    /// Fingerprints of (protocol, end) that answered an accepted SYN with an accepted SYN-ACK.
    listeners: Vec<u128>,
    /// Entries beyond the cap that were let go.
    pub let_go: u64,
}

impl Evidence {
    /// Notes that flags proved this side of the connection to be the client.
    pub fn prove_client(&mut self, key: &Key, client: Side) {
        self.connections.push(key.fingerprint() | client as u128);
    }

    /// Notes that the end accepts connections.
    pub fn prove_listener(&mut self, protocol: u8, end: End) {
        self.listeners.push(end.fingerprint(protocol));
    }

    /// Sorts, and lets go what is beyond the cap. Call once, when the slot is whole.
    pub fn seal(&mut self, cap: usize) {
        for sorted in [&mut self.connections, &mut self.listeners] {
            sorted.sort_unstable();
            sorted.dedup();
            self.let_go += sorted.len().saturating_sub(cap) as u64;
            sorted.truncate(cap);
            sorted.shrink_to_fit();
        }
    }

    /// Adds the evidence of another part of the same slot. Call before sealing.
    pub fn merge(&mut self, other: Evidence) {
        self.connections.extend(other.connections);
        self.listeners.extend(other.listeners);
    }

    /// The client of a connection, if this slot proved it.
    fn client(&self, fingerprint: u128) -> Option<Side> {
        let known = first_from(&self.connections, fingerprint)?;
        (known & !1 == fingerprint).then_some(if known & 1 == 0 {
            Side::Low
        } else {
            Side::High
        })
    }

    /// Whether this slot proved that the end accepts connections.
    fn is_listener(&self, fingerprint: u128) -> bool {
        first_from(&self.listeners, fingerprint) == Some(fingerprint)
    }
}

/// The first of sorted fingerprints that is not below this one. Hashes lie evenly, so the search begins where it should
/// be, and widens from there.
fn first_from(sorted: &[u128], fingerprint: u128) -> Option<u128> {
    let guess = ((fingerprint >> 64) * sorted.len() as u128) >> 64;
    let (mut low, mut high) = (guess as usize, guess as usize);
    let mut step = 8;
    while low > 0 && sorted[low - 1] >= fingerprint {
        high = low - 1;
        low = low.saturating_sub(step);
        step *= 2;
    }
    while high < sorted.len() && sorted[high] < fingerprint {
        low = high + 1;
        high = (high + step).min(sorted.len());
        step *= 2;
    }
    let within = sorted[low..high].partition_point(|known| *known < fingerprint);
    sorted.get(low + within).copied()
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
        fn the_search_agrees_with_a_scan(known in prop::collection::vec((0u128..20, 0u128..4), 0..200), probes in prop::collection::vec((0u128..20, 0u128..4), 20), shift in 0u32..120) {
            // From evenly spread over all bits to crowded at one end.
            let value = |(high, low): (u128, u128)| (high << shift) + low;
            let mut sorted: Vec<u128> = known.into_iter().map(value).collect();
            sorted.sort_unstable();
            for probe in probes.into_iter().map(value).chain([0, u128::MAX]) {
                let expected = sorted.iter().copied().find(|known| *known >= probe);
                prop_assert_eq!(first_from(&sorted, probe), expected);
            }
        }
    }
}
