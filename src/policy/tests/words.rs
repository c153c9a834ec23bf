//! The words of `from`, `to` and `between`, row by row.

use super::*;

/// Whether a rule to the word (or from the `from=` one) matches a flow from app to the server.
fn matches(word: &str, server: &str) -> bool {
    let policy = base_with(
        &format!(
            "[data]\nip_ranges = \"ranges\"\n{}",
            rules(&format!("allow it any -> {word}"))
        ),
        &[("ranges", RANGES)],
    );
    let found = answer(
        &policy,
        &format!("10.0.32.5 -> {server} tcp server-service=-"),
    );
    assert!(
        found.starts_with("allow it") || found.starts_with("deny default"),
        "{found}"
    );
    found.starts_with("allow it")
}

/// 3.5.0.0/19 is S3, 18.0.0.0/8 EC2, 13.32.0.0/15 CloudFront.
const RANGES: &str = r#"{"prefixes":[
    {"ip_prefix":"3.5.0.0/19","region":"us-east-2","service":"S3"},
    {"ip_prefix":"3.0.0.0/8","region":"us-east-2","service":"AMAZON"},
    {"ip_prefix":"18.0.0.0/8","region":"us-east-2","service":"EC2"},
    {"ip_prefix":"18.0.0.0/8","region":"us-east-2","service":"AMAZON"},
    {"ip_prefix":"13.32.0.0/15","region":"GLOBAL","service":"CLOUDFRONT"}],
    "ipv6_prefixes":[{"ipv6_prefix":"2600:1f00::/24","region":"us-east-2","service":"EC2"}]}"#;

const APP: &str = "10.0.32.9:1";
const UNASSIGNED: &str = "10.0.200.9:1";
const PUBLIC: &str = "203.0.113.9:1";
const NAMED: &str = "198.51.100.9:1";
const OFFICE: &str = "172.20.0.9:1";
const OTHER_PRIVATE: &str = "192.168.7.9:1";
const CARRIER: &str = "100.64.7.9:1";
const ULA: &str = "[fd00::9]:1";
const S3: &str = "3.5.0.9:1";
const EC2: &str = "18.0.0.9:1";
const CLOUDFRONT: &str = "13.32.0.9:1";
const LINK_LOCAL: &str = "169.254.169.254:1";
const INSIDE_V6: &str = "[2600:1f16:abcd:ef01::9]:1";

const ALL: [&str; 13] = [
    APP,
    UNASSIGNED,
    PUBLIC,
    NAMED,
    OFFICE,
    OTHER_PRIVATE,
    CARRIER,
    ULA,
    S3,
    EC2,
    CLOUDFRONT,
    LINK_LOCAL,
    INSIDE_V6,
];

fn check_word(word: &str, expected: &[&str]) {
    let found: Vec<&str> = ALL
        .into_iter()
        .filter(|server| matches(word, server))
        .collect();
    assert_eq!(found, expected, "{word}");
}

#[test]
fn any_is_every_endpoint() {
    check_word("any", &ALL);
}

#[test]
fn any_tier_is_every_endpoint_in_a_tier() {
    check_word("any-tier", &[APP, INSIDE_V6]);
}

#[test]
fn inside_is_every_endpoint_in_a_network_unassigned_ones_included() {
    check_word("inside", &[APP, UNASSIGNED, INSIDE_V6]);
}

#[test]
fn unassigned_is_in_a_networks_prefix_and_in_no_tier() {
    check_word("unassigned", &[UNASSIGNED]);
}

#[test]
fn internet_is_neither_private_nor_local_aws_and_named_ones_included() {
    check_word("internet", &[PUBLIC, NAMED, S3, EC2, CLOUDFRONT]);
}

#[test]
fn unlisted_is_the_internet_less_named_destinations_and_less_services_that_are_not_anybodys() {
    check_word("unlisted", &[PUBLIC, EC2, CLOUDFRONT]);
}

#[test]
fn private_is_rfc_1918_rfc_6598_and_ula_outside_the_networks() {
    check_word("private", &[OFFICE, OTHER_PRIVATE, CARRIER, ULA]);
}

#[test]
fn outside_is_internet_and_private() {
    check_word(
        "outside",
        &[
            PUBLIC,
            NAMED,
            OFFICE,
            OTHER_PRIVATE,
            CARRIER,
            ULA,
            S3,
            EC2,
            CLOUDFRONT,
        ],
    );
}

#[test]
fn aws_services_are_matched_by_name_or_all() {
    check_word("aws:S3", &[S3]);
    check_word("aws:AMAZON", &[S3, EC2]);
    check_word("aws:*", &[S3, EC2, CLOUDFRONT]);
}

#[test]
fn tiers_groups_and_destinations_are_matched_by_name() {
    check_word("app", &[APP, INSIDE_V6]);
    check_word("repos", &[NAMED]);
    check_word("office", &[OFFICE]);
    check(
        "allow it etl -> vector-db",
        "10.0.33.1 -> 10.0.66.1:1 tcp",
        "allow it",
    );
    check(
        "allow it etl -> vector-db",
        "10.0.34.1 -> 10.0.66.1:1 tcp",
        "deny default",
    );
}

#[test]
fn same_subnet_is_the_other_ends_own_subnet_and_only_in_exceptions() {
    let lines = "allow it data -> data to_except=\"same-subnet\"";
    check(lines, "10.0.64.1 -> 10.0.64.2:1 tcp", "deny default");
    check(lines, "10.0.64.1 -> 10.0.80.2:1 tcp", "allow it");
    let lines = "allow it any -> any from_except=\"same-subnet\"";
    check(lines, "10.0.64.1 -> 10.0.64.2:1 tcp", "deny default");
    // Ends in no subnet share none.
    check(lines, "10.0.200.1 -> 10.0.200.2:1 tcp", "allow it");
}

#[test]
fn exceptions_subtract_from_both_sides() {
    let lines = "allow it app -> any from_except=\"etl\" to_except=[\"data\",\"repos\"]";
    check(lines, "10.0.32.1 -> 10.0.0.1:1 tcp", "allow it");
    check(lines, "10.0.33.1 -> 10.0.0.1:1 tcp", "deny default");
    check(lines, "10.0.32.1 -> 10.0.64.1:1 tcp", "deny default");
    check(lines, "10.0.32.1 -> 198.51.100.1:1 tcp", "deny default");
}

#[test]
fn symmetric_services_are_those_declared_and_those_by_default() {
    let policy = base("[services.gossip]\nports = [\"tcp/7946\"]\nsymmetric = true\n");
    for (protocol, port, expected) in [
        (6, 7946, true),
        (17, 7946, false),
        (17, 123, true),
        (17, 500, true),
        (17, 4500, true),
        (17, 137, true),
        (17, 138, true),
        (17, 5353, true),
        (17, 51820, true),
        (6, 123, false),
        (17, 53, false),
    ] {
        assert_eq!(
            policy.is_symmetric(protocol, port),
            expected,
            "{protocol}/{port}"
        );
    }
}

#[test]
fn rules_name_a_protocol_or_cover_it() {
    let policy = base(&rules(
        "allow ping any -> any ports=[\"icmp\",\"icmpv6\"]
         allow all any -> any
         deny rest any -> repos ports_except=[\"tcp/443\"]",
    ));
    let rule = |id: &str| {
        (0..3)
            .map(RuleId)
            .find(|rule| policy.rule(*rule).id == id)
            .expect("a rule")
    };
    assert!(policy.names_protocol(rule("ping"), 1));
    assert!(!policy.names_protocol(rule("ping"), 6));
    assert!(!policy.names_protocol(rule("all"), 1));
    assert!(!policy.names_protocol(rule("rest"), 6));
    assert!(!policy.names_protocol(policy.default_rule(), 6));
}
