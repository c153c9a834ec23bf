//! Robust statistics: a few wild values do not move them.

/// The median of values; none of none. Of an even number, the lower of the two in the middle.
pub(super) fn median(values: &mut [u64]) -> Option<u64> {
    if values.is_empty() {
        return None;
    }
    let middle = (values.len() - 1) / 2;
    Some(*values.select_nth_unstable(middle).1)
}

/// The median, and the median of how far values lie from it (MAD); none of no values.
pub(super) fn median_and_mad(values: &mut [u64]) -> Option<(u64, u64)> {
    let median = self::median(values)?;
    let mut distances: Vec<u64> = values.iter().map(|value| value.abs_diff(median)).collect();
    Some((median, self::median(&mut distances)?))
}

/// What a normal distribution's standard deviation is of its MAD. Hampel, *The influence curve and its role in robust
/// estimation* (1974).
const OF_MAD: f64 = 1.4826;
/// The least share of the median that counts as one deviation: what hardly varies would else alarm by a trifle.
const LEAST_SHARE: f64 = 0.25;

/// How many robust standard deviations a value lies above a median; infinite above a median of nothing.
pub(super) fn deviations(value: u64, median: u64, mad: u64) -> f64 {
    if value <= median {
        return 0.0;
    }
    let deviation = (OF_MAD * mad as f64).max(LEAST_SHARE * median as f64);
    (value - median) as f64 / deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_values_do_not_move_a_median() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3]), Some(3));
        assert_eq!(median(&mut [4, 1]), Some(1));
        assert_eq!(
            median_and_mad(&mut [10, 12, 11, 9, 1_000_000]),
            Some((11, 1))
        );
    }

    #[test]
    fn deviations_are_of_the_spread_but_never_of_a_trifle() {
        assert_eq!(deviations(5, 10, 1), 0.0);
        // 1.4826 * 10 is more than a quarter of 20.
        assert!((deviations(168, 20, 10) - 9.98).abs() < 0.01);
        assert_eq!(deviations(200, 100, 0), 4.0);
        assert!(deviations(1, 0, 0).is_infinite());
    }
}
