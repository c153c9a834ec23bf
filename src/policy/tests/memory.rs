//! The decider remembers; it says what the plain form says.

use proptest::prelude::*;

use super::*;

pub(in crate::policy) const WORDS: [&str; 22] = [
    "any",
    "any-tier",
    "inside",
    "unassigned",
    "internet",
    "unlisted",
    "private",
    "outside",
    "aws:S3",
    "aws:EC2",
    "aws:*",
    "public",
    "app",
    "data",
    "bare",
    "etl",
    "vector-db",
    "secured",
    "repos",
    "office",
    "packages",
    "store",
];

pub(in crate::policy) const MORE: &str = r#"
[groups.secured]
security_groups = ["sg-1"]
[destinations.packages]
domains = ["packages.example"]
[destinations.store]
aws_services = ["S3", "CLOUDFRONT"]
[[require]]
id = "r-az"
between = "any-tier"
same = ["az"]
[[require]]
id = "r-env"
between = ["data", "secured"]
same = ["env"]
[[require]]
id = "r-encrypted"
between = ["app", "data"]
encrypted = true
not_before = 2026-01-01
expires = 2026-06-01
owner = "x"
ticket = "y"
"#;

const ADDRESSES: [&str; 16] = [
    "10.0.0.1",
    "10.0.32.1",
    "10.0.33.1",
    "10.0.64.1",
    "10.0.66.1",
    "10.0.80.1",
    "10.0.86.1",
    "10.0.96.1",
    "10.0.200.1",
    "2600:1f16:abcd:ef01::1",
    "2600:1f16:abcd:ef02::1",
    "198.51.100.1",
    "172.20.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "203.0.113.1",
];

fn any_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&WORDS[..])
}

/// A rule as the file has it. Denies go by what needs no evidence.
fn any_rule(number: usize) -> impl Strategy<Value = String> {
    let settings = prop::sample::subsequence(
        vec![
            "service = \"https\"",
            "via = [\"nat\", \"local\"]",
            "family = \"ipv4\"",
            "not_before = 2026-01-01",
            "expires = 2026-06-01\nowner = \"x\"\nticket = \"y\"",
            "to_except = \"same-subnet\"",
            "from_except = [\"etl\", \"repos\"]",
        ],
        0..4,
    );
    let ports = prop::sample::select(vec![
        "",
        "ports = [\"tcp/400-500\", \"icmp\"]",
        "ports_except = [\"udp/53\"]",
    ]);
    let exempt = prop::sample::select(vec![
        "",
        "exempt = [\"r-az\"]",
        "exempt = [\"r-az\", \"r-env\", \"r-encrypted\"]",
    ]);
    (any::<bool>(), prop::collection::vec(any_word(), 1..3), prop::collection::vec(any_word(), 1..3), settings, ports, exempt).prop_map(
        move |(deny, from, to, settings, ports, exempt)| {
            let needs_evidence = |word: &&str| ["secured", "packages", "store", "unlisted"].contains(word) || word.starts_with("aws:");
            let deny = deny && !from.iter().chain(&to).any(needs_evidence);
            let ports = if settings.iter().any(|setting| setting.starts_with("service")) { "" } else { ports };
            let exempt = if deny { "" } else { exempt };
            format!(
                "[[{}]]\nid = \"rule-{number}\"\nfrom = {from:?}\nto = {to:?}\n{}\n{ports}\n{exempt}\n",
                if deny { "deny" } else { "allow" },
                settings.join("\n"),
            )
        },
    )
}

/// Up to eight rules.
pub(in crate::policy) fn any_rules() -> impl Strategy<Value = Vec<String>> {
    let rules: Vec<_> = (0..8).map(any_rule).collect();
    (rules, 0usize..=8).prop_map(|(mut rules, num_rules)| {
        rules.truncate(num_rules);
        rules
    })
}

/// The policy that such rules stand in.
pub(super) fn policy_of(rules: &[String]) -> String {
    format!("{BASE}{MORE}{}", rules.concat())
}

pub(in crate::policy) fn any_question() -> impl Strategy<Value = String> {
    let addr = || prop::sample::select(&ADDRESSES[..]);
    let service = || prop::sample::select(vec!["", "-", "S3", "EC2", "CLOUDFRONT", "NEW"]);
    let protocol = prop::sample::select(vec![
        ("tcp", 443),
        ("tcp", 399),
        ("tcp", 400),
        ("tcp", 501),
        ("udp", 53),
        ("udp", 54),
        ("icmp", 0),
    ]);
    let at = prop::sample::select(vec![
        1_767_225_599,
        1_767_225_600,
        1_780_271_999,
        1_780_272_000,
    ]);
    let path = prop::sample::select(vec!["", "nat", "vgw"]);
    let encrypted = prop::sample::select(vec!["", "true", "false"]);
    let groups = || prop::sample::select(vec!["", "", "secured", "etl,secured"]);
    (
        addr(),
        addr(),
        protocol,
        at,
        (service(), service()),
        path,
        encrypted,
        (groups(), groups()),
    )
        .prop_map(
            |(
                client,
                server,
                (protocol, port),
                at,
                (client_service, server_service),
                path,
                encrypted,
                (client_groups, server_groups),
            )| {
                let server = match (protocol, server.contains(':')) {
                    ("icmp", _) => server.to_owned(),
                    (_, true) => format!("[{server}]:{port}"),
                    (_, false) => format!("{server}:{port}"),
                };
                let mut text = format!("{client} -> {server} {protocol} at={at}");
                for (key, value) in [
                    ("client-service", client_service),
                    ("server-service", server_service),
                    ("client-groups", client_groups),
                    ("server-groups", server_groups),
                    ("via", path),
                    ("encrypted", encrypted),
                ] {
                    if !value.is_empty() {
                        text += &format!(" {key}={value}");
                    }
                }
                text
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_decider_agrees_with_the_plain_form(rules in any_rules(), questions in prop::collection::vec(any_question(), 60), bound in prop::sample::select(vec![1, 7, 1 << 17])) {
        let policy = parse(&policy_of(&rules)).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        let mut decider = Decider::with_bound(&policy, bound);
        for _ in 0..2 {
            for question in &questions {
                let asked = Asked::new(&policy, question);
                prop_assert_eq!(decider.decide(&asked.question()), policy.decide(&asked.question()), "{}", question);
            }
        }
        prop_assert!(decider.num_remembered() <= bound);
    }
}

#[test]
fn remembered_answers_are_bounded() {
    let policy = base(&rules("allow a app -> data"));
    let mut decider = Decider::with_bound(&policy, 3);
    for host in 0..10 {
        let question = format!("10.0.{}.1 -> 10.0.64.1:443 tcp", host * 16);
        decider.decide(&Asked::new(&policy, &question).question());
        assert!(decider.num_remembered() <= 3);
    }
}

#[test]
fn sets_of_groups_are_told_apart_by_what_they_hold() {
    let policy = base(&format!(
        "[groups.one]\ninterfaces = [\"eni-1\"]\n[groups.two]\ninterfaces = [\"eni-2\"]\n{}",
        rules("allow a one -> data\nallow b two -> data")
    ));
    let mut decider = Decider::with_bound(&policy, 3);
    for (groups, expected) in [
        ("", "default"),
        ("one", "a"),
        ("two", "b"),
        ("one,two", "a"),
        ("one", "a"),
    ] {
        let groups = if groups.is_empty() {
            String::new()
        } else {
            format!(" client-groups={groups}")
        };
        let asked = Asked::new(&policy, &format!("10.0.32.1 -> 10.0.64.1:443 tcp{groups}"));
        let decision = decider.decide(&asked.question());
        assert_eq!(policy.rule(decision.rule).id, expected, "{groups}");
        assert!(decider.num_remembered() <= 3);
    }
}

#[test]
fn questions_that_no_rule_tells_apart_are_remembered_once() {
    let policy = base(&rules("allow a app -> data ports=[\"tcp/443\"]"));
    let mut decider = Decider::new(&policy);
    for question in [
        "10.0.32.1 -> 10.0.64.1:1 tcp",
        "10.0.35.7 -> 10.0.67.9:442 tcp at=1",
        "10.0.32.1 -> 10.0.64.1:9 tcp",
    ] {
        decider.decide(&Asked::new(&policy, question).question());
    }
    assert_eq!(decider.num_remembered(), 1);
    decider.decide(&Asked::new(&policy, "10.0.32.1 -> 10.0.64.1:443 tcp").question());
    assert_eq!(decider.num_remembered(), 2);
}
