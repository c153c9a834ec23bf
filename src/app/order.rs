//! Puts the edges of an hour into the order of a file.

use std::cmp::Ordering;

use super::shared::Claims;
use super::work::on_threads;
use crate::judge::edges::EdgeEntry;
use crate::net::Addr;

/// An entry behind the digests of its client and its server, which nearly always tell.
type Placed<'e> = ([u64; 2], &'e EdgeEntry);

/// Entries fewer than these are not worth a thread.
const MANY: usize = 32 * 1024;
/// Parts that each thread sorts: so many that all threads end at about the same time.
const PARTS: usize = 4;
/// How many entries tell where a part ends.
const SAMPLE: usize = 64;

/// The entries in order, sorted by so many threads.
pub fn in_order<'e>(entries: &[&'e EdgeEntry], threads: usize) -> Vec<&'e EdgeEntry> {
    if threads < 2 || entries.len() < MANY {
        let mut placed = entries.iter().map(|entry| place(entry)).collect();
        sort(&mut placed);
        return placed.into_iter().map(|(_, entry)| entry).collect();
    }
    let bounds = bounds(entries, threads * PARTS);
    let some = entries.chunks(entries.len().div_ceil(threads));
    let divided = on_threads(some.map(|some| || divide(some, &bounds)));
    let claims = Claims::of(bounds.len() + 1);
    let part = |number: usize| {
        let pieces: Vec<&[Placed<'_>]> = divided.iter().map(|parts| &parts[number][..]).collect();
        let mut part = pieces.concat();
        sort(&mut part);
        (number, part)
    };
    let claim = || claims.iter().map(part).collect::<Vec<_>>();
    let sorted = on_threads((0..threads).map(|_| &claim));
    let mut parts: Vec<_> = sorted.into_iter().flatten().collect();
    parts.sort_unstable_by_key(|(number, _)| *number);
    let placed = parts.iter().flat_map(|(_, part)| part);
    placed.map(|(_, entry)| *entry).collect()
}

/// Where about equal parts of the entries, so many, begin, but for the first.
fn bounds<'e>(entries: &[&'e EdgeEntry], parts: usize) -> Vec<Placed<'e>> {
    let step = (entries.len() / (parts * SAMPLE)).max(1);
    let sample = entries.iter().step_by(step);
    let mut sample = sample.map(|entry| place(entry)).collect();
    sort(&mut sample);
    (1..parts)
        .map(|part| sample[part * sample.len() / parts])
        .collect()
}

/// The entries of each part.
fn divide<'e>(entries: &[&'e EdgeEntry], bounds: &[Placed<'e>]) -> Vec<Vec<Placed<'e>>> {
    let room = entries.len() / (bounds.len() + 1);
    let part = || Vec::with_capacity(room + room / 4);
    let mut parts: Vec<_> = (0..=bounds.len()).map(|_| part()).collect();
    for entry in entries {
        let placed = place(entry);
        let part = bounds.partition_point(|bound| compare(bound, &placed).is_le());
        parts[part].push(placed);
    }
    parts
}

fn sort(entries: &mut Vec<Placed<'_>>) {
    entries.sort_unstable_by(compare);
}

fn compare(one: &Placed<'_>, other: &Placed<'_>) -> Ordering {
    // As one number, which takes no branch.
    let number = |[client, server]: [u64; 2]| u128::from(client) << 64 | u128::from(server);
    let by_digests = number(one.0).cmp(&number(other.0));
    by_digests.then_with(|| one.1.compare(other.1))
}

fn place(entry: &EdgeEntry) -> Placed<'_> {
    let (client, server) = (digest(entry.client()), digest(entry.server()));
    // Of the same network two clients may differ, which comes before their servers.
    let server = if client < BETWEEN { server } else { 0 };
    ([client, server], entry)
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
            let found = in_order(&entries.iter().collect::<Vec<_>>(), threads);
            assert!(found == expected, "{threads} threads");
        }
    }
}
