//! Destinations by domain where Resolver logs were read: what is heard, what is known not to be, what is not known.

use proptest::prelude::*;

use super::memory::{any_question, any_rules, policy_of};
use super::*;

const PLACES: &str = "[destinations.d]\ndomains = [\"*.packages.example\"]\n[destinations.e]\ndomains = [\"vendor.example\"]\ncidrs = [\"192.0.2.0/24\"]\n\
    [data]\nresolver_logs = [\"resolver/\"]\nip_ranges = \"r\"\n";
/// Bits of the two.
const D: u64 = 1;
const E: u64 = 2;

const TO_PUBLIC: &str = "10.0.32.1 -> 203.0.113.9:443 tcp";

fn policy(lines: &str) -> Policy {
    let ranges = r#"{"prefixes":[{"ip_prefix":"3.5.0.0/19","region":"us-east-2","service":"S3","network_border_group":"us-east-2"}]}"#;
    base_with(&format!("{PLACES}{}", rules(lines)), &[("r", ranges)])
}

fn heard(by_client: u64, by_network: u64) -> Domains {
    Domains {
        known: true,
        by_client,
        by_network: by_client | by_network,
        by_snapshot: 0,
        shared: false,
    }
}

const UNHEARD: Domains = Domains {
    known: false,
    by_client: 0,
    by_network: 0,
    by_snapshot: 0,
    shared: false,
};

/// What is said of a question about whose server this is known.
fn said(policy: &Policy, question: &str, domains: Domains) -> String {
    let asked = Asked::new(policy, question);
    let mut question = asked.question();
    question.server.domains = domains;
    let decision = policy.decide(&question);
    let level = policy.by_name(decision.rule, &question.server, &question.client);
    let level = level.map_or(String::new(), |by_name| {
        format!(" {}", by_name.level.as_str())
    });
    let answer = decision.answer.as_str();
    format!("{answer} {}{level}", policy.rule(decision.rule).id)
}

fn check(lines: &str, question: &str, domains: Domains, expected: &str) {
    assert_eq!(
        said(&policy(lines), question, domains),
        expected,
        "{lines} {question} {domains:?}"
    );
}

#[test]
fn a_name_that_was_heard_makes_a_destination_and_one_that_was_not_does_not() {
    let allow = "allow a app -> d";
    check(allow, TO_PUBLIC, heard(D, 0), "allow a client");
    check(allow, TO_PUBLIC, heard(0, D), "allow a network");
    check(allow, TO_PUBLIC, heard(E, E), "deny default");
    check(allow, TO_PUBLIC, heard(0, 0), "deny default");
    check(allow, TO_PUBLIC, UNHEARD, "unproven a");
    // What is heard is heard, though logs do not cover the time.
    let early = Domains {
        known: false,
        ..heard(D, 0)
    };
    check(allow, TO_PUBLIC, early, "allow a client");
    // By prefix a destination needs no name; the level is that of what holds.
    check(
        "allow a app -> e",
        "10.0.32.1 -> 192.0.2.1:443 tcp",
        heard(E, 0),
        "allow a",
    );
    check(
        "allow a app -> d,e",
        "10.0.32.1 -> 192.0.2.1:443 tcp",
        heard(D, 0),
        "allow a",
    );
    check(
        "allow a app -> d,e",
        TO_PUBLIC,
        heard(D, E),
        "allow a client",
    );
    check("allow a app -> internet", TO_PUBLIC, heard(D, 0), "allow a");
    // Inside and on the link there are no such places.
    check(
        allow,
        "10.0.32.1 -> 10.0.64.1:443 tcp",
        heard(D, 0),
        "deny default",
    );
    check(
        allow,
        "10.0.32.1 -> 169.254.169.254:443 tcp",
        heard(D, 0),
        "deny default",
    );
    check(
        allow,
        "10.0.32.1 -> 192.168.0.9:443 tcp",
        heard(D, 0),
        "allow a client",
    );
}

#[test]
fn an_address_of_a_named_destination_is_not_unlisted() {
    check(
        "allow a app -> unlisted",
        TO_PUBLIC,
        heard(0, D),
        "deny default",
    );
    check("allow a app -> unlisted", TO_PUBLIC, heard(0, 0), "allow a");
    // Logs that do not cover the time might tell that it is one.
    check("allow a app -> unlisted", TO_PUBLIC, UNHEARD, "unproven a");
    let deny = "deny x app -> unlisted\nallow a app -> internet";
    check(deny, TO_PUBLIC, UNHEARD, "unproven x");
    check(deny, TO_PUBLIC, heard(0, D), "allow a");
    check(deny, TO_PUBLIC, heard(0, 0), "deny x");
}

#[test]
fn a_deny_by_domain_goes_by_what_was_heard_and_lets_nothing_pass_that_nobody_knows() {
    let deny = "deny x app -> d\nallow a app -> internet";
    check(deny, TO_PUBLIC, heard(0, D), "deny x");
    check(deny, TO_PUBLIC, heard(0, 0), "allow a");
    check(deny, TO_PUBLIC, UNHEARD, "unproven x");
    let except = "deny x app -> internet to_except=\"d\"\nallow a app -> internet";
    check(except, TO_PUBLIC, heard(D, 0), "allow a");
    check(except, TO_PUBLIC, heard(0, 0), "deny x");
    check(except, TO_PUBLIC, UNHEARD, "unproven x");
    // Without an allow it is denied whatever was heard.
    check("deny x app -> d", TO_PUBLIC, UNHEARD, "deny default");
    check(
        "deny x app -> d\ndeny y app -> internet\nallow a app -> internet",
        TO_PUBLIC,
        UNHEARD,
        "deny y",
    );
    check(
        "deny x app -> d ports=[\"tcp/80\"]\nallow a app -> internet",
        TO_PUBLIC,
        UNHEARD,
        "allow a",
    );
}

#[test]
fn an_explanation_of_a_doubted_deny_names_it() {
    let policy = policy("deny x app -> d\nallow a app -> internet");
    let asked = Asked::new(&policy, TO_PUBLIC);
    let explained = policy.explain(&asked.question());
    assert_eq!(explained.step, Step::Evidence);
    let qualified: Vec<&str> = explained
        .qualified
        .iter()
        .map(|of| policy.rule(of.rule).id.as_str())
        .collect();
    assert_eq!(qualified, ["x"]);
    let miss = explained.decision.miss.expect("what it lacked");
    assert_eq!(
        policy.explain_miss(miss, 0),
        "no evidence: Resolver logs (x)"
    );
}

#[test]
fn where_logs_are_and_the_grace_change_the_hash_and_their_order_does_not() {
    let hash = |data: &str| {
        base(&format!(
            "[destinations.d]\ndomains = [\"a.example\"]\n{data}"
        ))
        .hash()
        .to_owned()
    };
    let one = hash("[data]\nresolver_logs = [\"a/\", \"b/\"]\n");
    assert_eq!(
        hash("[data]\nresolver_logs = [\"b/\", \"a/\"]\nresolver_grace = \"1d\"\n"),
        one
    );
    assert_ne!(hash("[data]\nresolver_logs = [\"a/\"]\n"), one);
    assert_ne!(
        hash("[data]\nresolver_logs = [\"a/\", \"b/\"]\nresolver_grace = \"23h\"\n"),
        one
    );
    assert_ne!(hash(""), one);
    assert_eq!(hash("[data]\nresolver_grace = \"23h\"\n"), hash(""));
}

#[test]
fn a_snapshot_knows_addresses_and_not_their_absence() {
    let more = format!(
        "[destinations.d]\ndomains = [\"*.packages.example\"]\n[data]\ndomain_snapshots = [\"s\"]\n{}",
        rules("allow a app -> d")
    );
    let file = r#"{"date": "2026-02-01", "names": {"X.Packages.example.": ["203.0.113.9", "203.0.113.10"], "other.example": ["203.0.113.10"]}}"#;
    let policy = base_with(&more, &[("s", file)]);
    let said = |to: &str| {
        let flow = Flow {
            client: "10.0.32.1".parse().expect("an address"),
            server: to.parse().expect("an address"),
            protocol: 6,
            server_port: 443,
            at: 0,
        };
        let about = policy.explain_flow(None, &flow);
        let names = about.names.expect("a server outside");
        let level = names
            .by_name
            .map_or("none", |by_name| by_name.level.as_str());
        let answer = about.explanation.decision.answer.as_str();
        format!("{answer} {level} {}", names.domains.shared)
    };
    assert_eq!(said("203.0.113.9"), "allow snapshot false");
    assert_eq!(said("::ffff:203.0.113.10"), "allow snapshot true");
    assert_eq!(said("203.0.113.11"), "unproven none false");
    for (file, expected) in [
        ("{}", "expected JSON: missing field `date`"),
        (
            r#"{"date":"soon","names":{}}"#,
            "expected a day like 2026-02-01 in `date`, got `soon`",
        ),
        (
            r#"{"date":"2026-02-01","names":{"a":["b"]}}"#,
            "expected addresses for `a`, got `b`",
        ),
        (
            r#"{"date":"2026-02-01","names":{},"x":1}"#,
            "unknown field `x`",
        ),
    ] {
        let errors = parse_with(&format!("{BASE}{more}"), &[("s", file)])
            .err()
            .expect("an error");
        assert!(errors.to_string().contains(expected), "{errors}");
    }
    let deny = format!("{more}{}", rules("deny x app -> d"));
    let errors = parse_with(&format!("{BASE}{deny}"), &[("s", file)])
        .err()
        .expect("an error");
    assert!(
        errors.to_string().contains("no Resolver logs are loaded"),
        "{errors}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_decider_tells_apart_what_was_heard(rules in any_rules(), questions in prop::collection::vec((any_question(), 0..2u64, 0..2u64, any::<bool>()), 60)) {
        let text = format!("{}[data]\nresolver_logs = [\"resolver/\"]\n", policy_of(&rules));
        let policy = parse(&text).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        let mut decider = Decider::new(&policy);
        for (text, by_client, by_network, known) in &questions {
            let asked = Asked::new(&policy, text);
            let mut question = asked.question();
            question.server.domains = Domains { known: *known, ..heard(*by_client, *by_network) };
            prop_assert_eq!(decider.decide(&question), policy.decide(&question), "{}", text);
        }
    }
}
