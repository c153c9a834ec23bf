//! Puts the edges of an hour into the order of a file.

use std::cmp::Ordering;

use crate::judge::edges::EdgeEntry;
use crate::net::Addr;

/// An entry behind its client, which alone nearly always tells.
type Placed<'e> = (Addr, &'e EdgeEntry);

/// Entries fewer than these are not worth a thread.
const MANY: usize = 32 * 1024;

/// The entries in order, sorted by so many threads.
pub fn in_order<'e>(
    entries: impl Iterator<Item = &'e EdgeEntry>,
    threads: usize,
) -> Vec<&'e EdgeEntry> {
    let mut entries: Vec<Placed<'_>> = entries.map(|entry| (entry.client(), entry)).collect();
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
    one.0.cmp(&other.0).then_with(|| one.1.compare(other.1))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

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
