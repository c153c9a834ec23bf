//! Puts the edges of an hour into the order of a file.

use std::cmp::Ordering;

use crate::judge::edges::EdgeEntry;
use crate::net::Addr;

/// An entry behind the digests of its client and its server, which nearly always tell.
type Placed<'e> = ([u64; 2], &'e EdgeEntry);

/// Entries fewer than these are not worth a thread.
const MANY: usize = 32 * 1024;

/// The entries in order, sorted by so many threads. All of them are different edges.
pub fn in_order<'e>(entries: &[&'e EdgeEntry], threads: usize) -> Vec<&'e EdgeEntry> {
    let placed = sorted(entries, threads).into_iter();
    placed.map(|(_, entry)| entry).collect()
}

fn sorted<'e>(entries: &[&'e EdgeEntry], threads: usize) -> Vec<Placed<'e>> {
    if threads < 2 || entries.len() < MANY {
        let placed = entries
            .iter()
            .map(|entry| ([entry.client(), entry.server()].map(digest), *entry));
        let mut placed: Vec<Placed<'_>> = placed.collect();
        placed.sort_unstable_by(compare);
        return placed;
    }
    let (some, others) = entries.split_at(entries.len() / 2);
    let (some, others) = both(
        || sorted(some, threads / 2),
        || sorted(others, threads - threads / 2),
    );
    merge(&some, &others)
}

/// What two threads make.
fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        let one = one.join();
        (
            one.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            other,
        )
    })
}

/// Two that are in order as one. One thread begins with the first, another one with the last, and they meet in the middle.
fn merge<'e>(some: &[Placed<'e>], others: &[Placed<'e>]) -> Vec<Placed<'e>> {
    let mut all = [some, others].concat();
    let middle = all.len() / 2;
    let (low, high) = all.split_at_mut(middle);
    let is_before = |one: &Placed<'_>, other: &Placed<'_>| compare(one, other).is_lt();
    let from_first = || {
        let (mut some, mut others) = (some.iter().peekable(), others.iter().peekable());
        for place in low {
            let next = match (some.peek(), others.peek()) {
                (Some(one), Some(other)) if is_before(other, one) => others.next(),
                (Some(_), _) => some.next(),
                (None, _) => others.next(),
            };
            next.into_iter().for_each(|next| *place = *next);
        }
    };
    let from_last = || {
        let (mut some, mut others) = (some.iter().rev().peekable(), others.iter().rev().peekable());
        for place in high.iter_mut().rev() {
            let next = match (some.peek(), others.peek()) {
                (Some(one), Some(other)) if is_before(other, one) => some.next(),
                (_, Some(_)) => others.next(),
                (_, None) => some.next(),
            };
            next.into_iter().for_each(|next| *place = *next);
        }
    };
    both(from_first, from_last);
    all
}

fn compare(one: &Placed<'_>, other: &Placed<'_>) -> Ordering {
    let ([client, server], [other_client, other_server]) = (one.0, other.0);
    let by_client = client.cmp(&other_client);
    // Of the same network two clients may differ, which comes before their servers.
    let by_server = || match client {
        ..BETWEEN => server.cmp(&other_server),
        _ => Ordering::Equal,
    };
    by_client
        .then_with(by_server)
        .then_with(|| one.1.compare(other.1))
}

/// Below it a digest is the whole address.
const BETWEEN: u64 = 1 << 48;

/// As much of an address as 64 bits hold, in the order of addresses: all of an IPv4 address (below 2^48), the network of an
/// IPv6 address (with a first group of its own, above 2^48).
fn digest(addr: Addr) -> u64 {
    match (addr.bits() >> 64) as u64 {
        0 => (addr.bits() as u64).min(BETWEEN),
        network => network.max(BETWEEN),
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn digests_are_in_the_order_of_addresses() {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let mut addresses: Vec<Addr> = (0..3_000)
            .map(|_| Addr::from_v6(random.random::<u128>() >> random.random_range(0..128)))
            .collect();
        addresses.extend((0..300).map(|_| Addr::from_v4(random.random())));
        addresses.sort();
        let digests: Vec<u64> = addresses.iter().copied().map(digest).collect();
        assert!(digests.is_sorted());
        let v4 = |last: u32| digest(Addr::from_v4(0x0a00_0000 + last));
        assert!(v4(1) < v4(2));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_order() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        // Keys of few different bytes, so that every part of a key decides now and then.
        let mut entries: Vec<EdgeEntry> = (0..MANY * 5)
            .map(|_| {
                let mut entry: EdgeEntry = bytemuck::Zeroable::zeroed();
                let key = bytemuck::bytes_of_mut(&mut entry.key).iter_mut();
                key.step_by(4)
                    .for_each(|byte| *byte = random.random_range(0..3));
                if random.random() {
                    // IPv4, as most logs have: the halves of an address, the higher one first.
                    let key = bytemuck::bytes_of_mut(&mut entry.key);
                    for end in key[..32].chunks_mut(16) {
                        end[..8].fill(0);
                        end[12..].copy_from_slice(&[0xff, 0xff, 0, 0]);
                    }
                }
                entry
            })
            .collect();
        let mut known = std::collections::HashSet::new();
        entries.retain(|entry| known.insert(entry.key));
        let mut expected: Vec<&EdgeEntry> = entries.iter().collect();
        expected.sort_by(|one, other| one.compare(other));
        for threads in [1, 2, 3, 8] {
            let found = in_order(&entries.iter().collect::<Vec<_>>(), threads);
            assert!(found == expected, "{threads} threads");
        }
    }
}
