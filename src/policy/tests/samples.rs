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

#[test]
fn a_test_knows_its_place_and_its_flow_as_written() {
    let text = include_str!("../../../policies/sec-003.toml");
    let policy = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    for test in policy.tests() {
        let mut lines = text.lines().skip(test.line - 1);
        assert_eq!(lines.next(), Some("[[test]]"), "{}", test.name);
        assert_eq!(lines.next(), Some(&*format!("name = {:?}", test.name)));
        assert_eq!(lines.next(), Some(&*format!("flow = {:?}", test.flow)));
    }
    let inline = parse(&format!(
        "test = [\n  {{ name = \"a\", flow = \"10.0.0.1 -> 10.0.0.2 icmp\", expect = \"deny\" }},\n]\n{BASE}"
    ));
    let inline = inline.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(inline.tests()[0].line, 2);
}

#[test]
fn the_sample_policy_says_who_it_is() {
    let text = include_str!("../../../policies/sec-003.toml");
    let policy = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(policy.id(), "SEC-003");
    assert_eq!(policy.title(), "Network policy and segmentation");
    assert_eq!(policy.effective(), Some(1_763_164_800));
    assert!(policy.has_one_network());
    let rule = policy.rule(policy.default_rule());
    assert_eq!(
        (rule.id.as_str(), rule.effect),
        ("default", Effect::Default)
    );
}
