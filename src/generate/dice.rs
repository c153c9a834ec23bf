//! Chance that repeats itself: a generator whose stream its specification fixes, and draws that are written out here,
//! because those of the `rand` crate may change between versions and `generate` promises the same bytes for a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded source of chance.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of this seed.
    pub(super) fn new(seed: u64) -> Dice {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Dice(ChaCha8Rng::from_seed(key))
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high - low) + 1) as u32
    }

    /// True in `percent` of 100 throws.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// One of these; there is at least one.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A number that is usually small and sometimes a thousand times larger, as sizes of transfers are.
    pub(super) fn size(&mut self, low: u64) -> u64 {
        let doublings = self.below(6) + self.below(6);
        low + self.below(low << doublings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_the_stream() {
        let draws = |seed| {
            let mut dice = Dice::new(seed);
            [
                dice.below(1000),
                dice.below(1000),
                dice.below(1000),
                dice.below(1000),
            ]
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut dice = Dice::new(1);
        for _ in 0..1000 {
            assert!(dice.below(3) < 3);
            assert!((5..=9).contains(&dice.between(5, 9)));
            assert!(dice.size(40) >= 40);
        }
        assert!(!dice.percent(0));
        assert!(dice.percent(100));
    }
}
