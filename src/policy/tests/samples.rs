//! The policy of the sample logs keeps its own promises.

use super::*;

#[test]
fn every_test_of_the_sample_policy_holds() {
    let text = include_str!("../../../policies/sec-003.toml");
    let policy = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!policy.tests().is_empty());
    for test in policy.tests() {
        let decision = policy.run_test(test);
        let decided = &policy.rule(decision.rule).id;
        assert_eq!(decision.answer, test.expect, "{}: by {decided}", test.name);
        if let Some(rule) = &test.rule {
            assert_eq!(decided, rule, "{}", test.name);
        }
    }
}
