//! The policy as its users see it: text in, answers out. One module per part of the language.

use super::*;

/// A policy without pinned files.
fn parse(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::parse("policy.toml", text, &|name| {
        Err(std::io::Error::other(format!("no {name} in this test")))
    })
}

mod samples {
    use super::*;

    #[test]
    fn every_test_of_the_sample_policy_holds() {
        let text = include_str!("../../policies/sec-003.toml");
        let policy = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!policy.tests().is_empty());
        for test in policy.tests() {
            let decision = policy.run_test(test);
            assert_eq!(
                decision.answer,
                test.expect,
                "{}: by {}",
                test.name,
                policy.rule(decision.rule).id
            );
            if let Some(rule) = &test.rule {
                assert_eq!(policy.rule(decision.rule).id, *rule, "{}", test.name);
            }
        }
    }
}
