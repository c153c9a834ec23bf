//! How often to try again, and how long to wait in between.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often a request is tried, and the pauses in between: random between nothing and a ceiling that doubles (*full
/// jitter*; AWS Architecture Blog, *Exponential Backoff And Jitter*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, at least one. More than a dozen would hide an outage for minutes per object.
    pub tries: u32,
    /// The first ceiling.
    pub first: Duration,
    /// The highest ceiling.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            tries: 9,
            first: Duration::from_millis(100),
            most: Duration::from_secs(20),
        }
    }
}

impl Retry {
    /// Waits after this many failures in a row.
    pub(super) async fn pause(&self, failures: u32) {
        tokio::time::sleep(self.ceiling(failures).mul_f64(random_share())).await;
    }

    fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.most)
    }
}

/// From 0 to 1. The standard library's hasher is keyed at random, which is all the randomness that a pause needs.
fn random_share() -> f64 {
    f64::from(RandomState::new().hash_one(0) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_highest() {
        let retry = Retry::default();
        let ceilings: Vec<u128> = [1, 2, 3, 8, 9, 1000]
            .map(|n| retry.ceiling(n).as_millis())
            .into();
        assert_eq!(ceilings, [100, 200, 400, 12_800, 20_000, 20_000]);
    }

    #[test]
    fn shares_differ_and_stay_within_one() {
        let shares: Vec<f64> = (0..100).map(|_| random_share()).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(shares.iter().any(|share| *share != shares[0]));
    }
}
