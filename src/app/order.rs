//! Puts the edges of an hour into the order of a file.

use std::cmp::Ordering;

use crate::judge::edges::EdgeEntry;
use crate::net::Addr;

/// An entry behind the digests of its client and its server, which nearly always tell.
type Placed<'e> = ([u64; 2], &'e EdgeEntry);

/// Entries fewer than these are not worth a thread.
const MANY: usize = 32 * 1024;

/// The entries in order, sorted by so many threads.
pub fn in_order<'e>(
    entries: impl Iterator<Item = &'e EdgeEntry>,
    threads: usize,
) -> Vec<&'e EdgeEntry> {
    let placed = entries.map(|entry| ([entry.client(), entry.server()].map(digest), entry));
    let mut entries: Vec<Placed<'_>> = placed.collect();
    sort(&mut entries, threads);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn sort(entries: &mut [Placed<'_>], threads: usize) {
    if threads < 2 || entries.len() < MANY {
        return entries.sort_unstable_by(compare);
    }
    let (low, _, high) = entries.select_nth_unstable_by(entries.len() / 2, compare);
    std::thread::scope(|scope| {
        scope.spawn(|| sort(low, threads / 2));
        sort(high, threads - threads / 2);
    });
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
        let entries: Vec<EdgeEntry> = (0..MANY * 5)
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
        let mut expected: Vec<&EdgeEntry> = entries.iter().collect();
        expected.sort_by(|one, other| one.compare(other));
        for threads in [1, 2, 3, 8] {
            let found = in_order(entries.iter(), threads);
            assert!(found == expected, "{threads} threads");
        }
    }
}
