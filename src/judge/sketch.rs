//! How many distinct things (addresses, interfaces) there are, in bounded memory: the k smallest hashes.
//!
//! Bar-Yossef and others, *Counting distinct elements in a data stream* (RANDOM 2002): if the k-th smallest of uniform
//! hashes lies at the fraction x of their range, there were about (k - 1) / x of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::net::Addr;

/// Hashes kept: exact up to here, a standard error of 1.6% beyond (1/sqrt(k - 2)). More would take more memory than a
/// finding is worth.
const K: usize = 4096;

/// Counts distinct things. Adding is commutative, and adding again changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Distinct {
    smallest: BTreeSet<u64>,
}

impl Distinct {
    /// Adds an address.
    pub fn add_addr(&mut self, addr: Addr) {
        self.add(&addr.bits().to_le_bytes());
    }

    /// Adds a thing by the bytes that tell it from others.
    pub fn add(&mut self, bytes: &[u8]) {
        self.add_hash(xxhash_rust::xxh3::xxh3_64(bytes));
    }

    /// Adds all that another has counted.
    pub fn absorb(&mut self, other: &Distinct) {
        other.smallest.iter().for_each(|hash| self.add_hash(*hash));
    }

    fn add_hash(&mut self, hash: u64) {
        if self.smallest.len() == K {
            match self.smallest.last() {
                Some(largest) if hash < *largest => {}
                _ => return,
            }
        }
        self.smallest.insert(hash);
        if self.smallest.len() > K {
            self.smallest.pop_last();
        }
    }

    /// How many there are: exact below 4096, then an estimate.
    pub fn estimate(&self) -> u64 {
        match self.smallest.last() {
            Some(largest) if self.smallest.len() == K => {
                ((K as f64 - 1.0) / (*largest as f64 / u64::MAX as f64)).round() as u64
            }
            _ => self.smallest.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(addresses: impl Iterator<Item = u32>) -> u64 {
        let mut sketch = Distinct::default();
        addresses.for_each(|bits| sketch.add_addr(Addr::from_v4(bits)));
        sketch.estimate()
    }

    #[test]
    fn what_two_counted_is_what_one_would_have() {
        let sketch = |range: std::ops::Range<u32>| {
            let mut sketch = Distinct::default();
            range.for_each(|bits| sketch.add_addr(Addr::from_v4(bits)));
            sketch
        };
        let mut both = sketch(0..50_000);
        both.absorb(&sketch(30_000..90_000));
        assert_eq!(both, sketch(0..90_000));
    }

    #[test]
    fn counts_are_exact_while_they_fit() {
        assert_eq!(count([1, 2, 2, 1, 3].into_iter()), 3);
        assert_eq!(count(0..4000), 4000);
    }

    #[test]
    fn estimates_are_within_five_percent_and_do_not_depend_on_order() {
        let forward = count(0..1_000_000);
        assert_eq!(forward, count((0..1_000_000).rev()));
        assert!((950_000..1_050_000).contains(&forward), "{forward}");
    }
}
