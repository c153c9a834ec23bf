//! Sets of small numbers.

/// A set of numbers below a bound.
#[derive(Clone)]
pub(in crate::policy) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(in crate::policy) fn new(bound: usize) -> Bits {
        Bits(vec![0; bound.div_ceil(64)])
    }

    pub(in crate::policy) fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    pub(in crate::policy) fn has(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    /// Adds what another set of the same bound holds.
    pub(in crate::policy) fn add(&mut self, other: &Bits) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// The numbers, ascending.
    pub(in crate::policy) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_was_put_in_ascending() {
        let mut one = Bits::new(130);
        for number in [129, 0, 64, 63] {
            one.insert(number);
        }
        let mut other = Bits::new(130);
        other.insert(5);
        other.add(&one);
        assert_eq!(other.iter().collect::<Vec<_>>(), [0, 5, 63, 64, 129]);
        assert!(other.has(129) && !other.has(128));
        assert_eq!(Bits::new(0).iter().count(), 0);
    }
}
