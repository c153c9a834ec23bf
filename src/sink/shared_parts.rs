//! Parts of rows that many rows have alike (who reported, what kind of record it is, how it was judged): each is kept once,
//! and rows have it by number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Stands for a part of a row: its place, 1-based; 0 stands for a part that is not kept, because there are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartNumber(u32);

impl PartNumber {
    /// What a row says of the part.
    pub(super) fn code(self) -> u64 {
        self.0.into()
    }

    /// Whether the part is kept; the row has its bytes otherwise.
    pub(super) fn is_kept(self) -> bool {
        self.0 > 0
    }
}

/// The parts of all rows of a sorter. Shared by the threads that put rows together.
pub(super) struct SharedParts {
    /// Bytes that they may take.
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_digest: HashTable<(u64, u32)>,
    parts: Vec<Arc<[u8]>>,
    memory: usize,
}

impl SharedParts {
    /// None yet; those that are kept may take so many bytes.
    pub fn new(most: usize) -> SharedParts {
        SharedParts {
            most,
            kept: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a part with this digest, and the part if it is kept.
    fn number(&self, digest: u64, part: &[u8]) -> Option<(PartNumber, Arc<[u8]>)> {
        let kept = &mut *self.lock();
        let is = |known: &(u64, u32)| *kept.parts[known.1 as usize] == *part;
        if let Some((_, place)) = kept.by_digest.find(digest, is) {
            return Some((PartNumber(*place + 1), kept.parts[*place as usize].clone()));
        }
        // Threads know a part by an entry of their own; its count of owners stands beside its bytes.
        let memory = part.len() + 4 * size_of::<Known>();
        if kept.memory + memory > self.most || kept.parts.len() == u32::MAX as usize {
            return None;
        }
        kept.memory += memory;
        let part: Arc<[u8]> = part.into();
        let entry = (digest, kept.parts.len() as u32);
        kept.by_digest.insert_unique(digest, entry, |known| known.0);
        kept.parts.push(part.clone());
        Some((PartNumber(entry.1 + 1), part))
    }

    /// Bytes of memory that they take now.
    pub fn memory(&self) -> usize {
        self.lock().memory
    }

    /// All parts that are kept, in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<[u8]>> {
        self.lock().parts.clone()
    }
}

/// What a thread knows of the parts, found without a lock.
pub(super) struct KnownParts {
    shared: Arc<SharedParts>,
    known: HashTable<Known>,
}

struct Known {
    digest: u64,
    number: PartNumber,
    part: Arc<[u8]>,
}

impl KnownParts {
    /// Nothing is known yet.
    pub fn new(shared: Arc<SharedParts>) -> KnownParts {
        KnownParts {
            shared,
            known: HashTable::new(),
        }
    }

    /// The number of a part.
    pub fn number(&mut self, part: &[u8]) -> PartNumber {
        let digest = xxh3_64(part);
        let is = |known: &Known| known.digest == digest && *known.part == *part;
        if let Some(known) = self.known.find(digest, is) {
            return known.number;
        }
        let Some((number, part)) = self.shared.number(digest, part) else {
            return PartNumber(0);
        };
        let known = Known {
            digest,
            number,
            part,
        };
        self.known
            .insert_unique(digest, known, |known| known.digest);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_number_and_those_without_room_none() {
        let shared = Arc::new(SharedParts::new(2 * 200));
        let mut one = KnownParts::new(shared.clone());
        let mut other = KnownParts::new(shared.clone());
        let (first, second) = (one.number(b"first"), other.number(b"second"));
        assert!(first.is_kept() && second.is_kept() && first != second);
        assert_eq!(other.number(b"first"), first);
        assert_eq!(one.number(b"first"), first);
        assert!(!other.number(&[7; 300]).is_kept() && shared.memory() <= 400);
        assert_eq!(one.number(&[7; 300]), PartNumber(0));
        let all = shared.all();
        assert_eq!(&*all[first.code() as usize - 1], b"first");
        assert_eq!(all.len(), 2);
    }
}
