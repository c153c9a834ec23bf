//! Random policies and random records: the program and its twin agree on every row and every edge.

use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::engine::compare;
use super::random::scenario;
use super::table::SLOT;

/// Scenarios of one run; `TIDEGATE_TWIN_CASES` asks for more.
const CASES: u32 = 200;

/// A short horizon, so that evidence also ends within the few slots of a scenario.
const HORIZON: usize = 2;

#[test]
fn program_and_twin_agree_row_by_row() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let seed = number("TIDEGATE_TWIN_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let cases = number("TIDEGATE_TWIN_CASES").map_or(CASES, |cases| cases as u32);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let result = TestRunner::new_with_rng(config, rng).run(&scenario(), |scenario| {
        compare(&scenario.policy, &scenario.objects, SLOT, HORIZON)
            .map_err(proptest::test_runner::TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("TIDEGATE_TWIN_SEED={seed}\n{failure}");
    }
}
