//! Random policies and random records: the program and its twin agree on every row and every edge.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tidegate::judge::{Confidence, Observer, Orientation, Outcome, Reason, Verdict};
use tidegate::policy::{Answer, Path, Severity};

use super::engine::compare;
use super::judge::{TwinRow, judge};
use super::random::{Scenario, scenario};
use super::table::SLOT;

/// Scenarios of one run; `TIDEGATE_TWIN_CASES` asks for more.
const CASES: u32 = 300;

/// A short horizon, so that evidence also ends within the few slots of a scenario.
const HORIZON: usize = 2;

#[test]
fn program_and_twin_agree_row_by_row() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().expect("a number"))
    };
    let seed = number("TIDEGATE_TWIN_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let cases = number("TIDEGATE_TWIN_CASES").map_or(CASES, |cases| cases as u32);
    run(seed, cases, |scenario| {
        compare(&scenario.policy, &scenario.objects, SLOT, HORIZON).map_err(TestCaseError::fail)
    });
}

/// Agreement over scenarios that never reach a row of a table would mean nothing.
#[test]
fn random_scenarios_reach_every_word_of_every_column() {
    let met = RefCell::new(BTreeSet::new());
    run(1, 800, |scenario| {
        for row in judge(&scenario.policy, &scenario.objects, SLOT, HORIZON) {
            met.borrow_mut().extend(words_of(row));
        }
        Ok(())
    });
    let met = met.into_inner();
    let missing: Vec<String> = all_words()
        .into_iter()
        .filter(|word| !met.contains(word))
        .collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

fn words_of(row: TwinRow) -> Vec<String> {
    let columns = [
        ("orientation", row.orientation),
        ("confidence", row.confidence),
        ("observer", row.observer),
        ("outcome", row.outcome),
        ("via", row.via),
        ("decision", row.decision),
        ("severity", row.severity),
        ("verdict", Some(row.verdict.clone())),
        ("reason", (row.verdict == "unjudged").then_some(row.rule)),
    ];
    let named = columns
        .into_iter()
        .filter_map(|(column, word)| Some((column, word?)));
    named
        .map(|(column, word)| format!("{column}={word}"))
        .collect()
}

fn all_words() -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |column: &str, all: Vec<&str>| {
        words.extend(all.into_iter().map(|word| format!("{column}={word}")));
    };
    add(
        "orientation",
        Orientation::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "confidence",
        Confidence::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "observer",
        Observer::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "outcome",
        Outcome::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add("via", Path::ALL.iter().map(|word| word.as_str()).collect());
    add(
        "decision",
        Answer::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "severity",
        Severity::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "verdict",
        Verdict::ALL.iter().map(|word| word.as_str()).collect(),
    );
    add(
        "reason",
        Reason::ALL.iter().map(|word| word.as_str()).collect(),
    );
    words
}

fn run(seed: u64, cases: u32, test: impl Fn(Scenario) -> Result<(), TestCaseError>) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(&scenario(), test) {
        panic!("TIDEGATE_TWIN_SEED={seed}\n{failure}");
    }
}
