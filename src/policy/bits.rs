//! Sets of small numbers, of classes of addresses and of rules: a bit each.

/// A set of numbers below a bound; sets that meet are of the same bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The empty set of numbers below a bound.
    pub(super) fn new(bound: usize) -> Bits {
        Bits {
            words: vec![0; bound.div_ceil(64)],
        }
    }

    pub(super) fn insert(&mut self, number: usize) {
        self.words[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.words[number / 64] >> (number % 64) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether all of it is in `other`.
    pub(super) fn is_within(&self, other: &Bits) -> bool {
        let mut pairs = self.words.iter().zip(&other.words);
        pairs.all(|(own, other)| own & !other == 0)
    }

    /// Adds all of `other`.
    pub(super) fn add(&mut self, other: &Bits) {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own |= other;
        }
    }

    /// Takes all of `other` away.
    pub(super) fn take(&mut self, other: &Bits) {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own &= !other;
        }
    }

    /// The numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        numbers(self.words.iter().copied())
    }

    /// What is in both.
    pub(super) fn common<'s>(&'s self, other: &'s Bits) -> impl Iterator<Item = usize> + 's {
        let pairs = self.words.iter().zip(&other.words);
        numbers(pairs.map(|(own, other)| own & other))
    }

    /// What is in this one and not in `other`.
    pub(super) fn without<'s>(&'s self, other: &'s Bits) -> impl Iterator<Item = usize> + 's {
        let pairs = self.words.iter().zip(&other.words);
        numbers(pairs.map(|(own, other)| own & !other))
    }
}

/// The numbers of the bits that are set, in order.
fn numbers(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(at, word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sets_of_bits_are_sets() {
        let both = |numbers: &[usize]| {
            let mut set = Bits::new(200);
            for number in numbers {
                set.insert(*number);
            }
            (set, numbers.iter().copied().collect::<BTreeSet<usize>>())
        };
        let samples: [&[usize]; 5] = [&[], &[0], &[63, 64, 199], &[0, 63, 64, 128, 199], &[5, 64]];
        for one in samples {
            for other in samples {
                let ((a, plain_a), (b, plain_b)) = (both(one), both(other));
                assert_eq!(a.is_within(&b), plain_a.is_subset(&plain_b));
                let common: Vec<usize> = plain_a.intersection(&plain_b).copied().collect();
                assert_eq!(a.common(&b).collect::<Vec<_>>(), common);
                let without: Vec<usize> = plain_a.difference(&plain_b).copied().collect();
                assert_eq!(a.without(&b).collect::<Vec<_>>(), without);
                let numbers = |set: &Bits| set.iter().collect::<Vec<_>>();
                let has = |number: &usize| a.has(*number);
                assert_eq!((0..200).filter(has).collect::<BTreeSet<_>>(), plain_a);
                let mut sum = a.clone();
                sum.add(&b);
                let union: Vec<usize> = plain_a.union(&plain_b).copied().collect();
                assert_eq!(numbers(&sum), union);
                let mut rest = a.clone();
                rest.take(&b);
                assert_eq!(numbers(&rest), without);
                assert_eq!(rest.is_empty(), without.is_empty());
            }
        }
    }
}
