//! What is not known: `unproven` for an allow, an error for a deny.

use super::*;

const TO_PUBLIC: &str = "10.0.32.1 -> 203.0.113.9:443 tcp";
const TO_PRIVATE: &str = "10.0.32.1 -> 192.168.0.9:443 tcp";

fn check_with(more: &str, lines: &str, question: &str, expected: &str) {
    check_of(
        &base(&format!("{more}\n{}", rules(lines))),
        question,
        expected,
    );
}

#[test]
fn a_domain_without_resolver_logs_is_unproven() {
    let more = "[destinations.d]\ndomains = [\"*.packages.example\"]\ncidrs = [\"192.0.2.0/24\"]\n";
    check_with(
        more,
        "allow a app -> d",
        TO_PUBLIC,
        "unproven a, no evidence: Resolver logs (a)",
    );
    check_with(
        more,
        "allow a app -> d",
        TO_PRIVATE,
        "unproven a, no evidence: Resolver logs (a)",
    );
    check_with(
        more,
        "allow a app -> d",
        "10.0.32.1 -> 192.0.2.9:443 tcp",
        "allow a",
    );
    check_with(
        more,
        "allow a app -> d",
        "10.0.32.1 -> 10.0.64.1:443 tcp",
        "deny default",
    );
    check_with(
        more,
        "allow a app -> d",
        "10.0.32.1 -> 169.254.169.254:443 tcp",
        "deny default",
    );
    // Naming the files does not make them evidence.
    let named = format!("{more}[data]\nresolver_logs = [\"resolver/\"]\n");
    check_with(
        &named,
        "allow a app -> d",
        TO_PUBLIC,
        "unproven a, no evidence: Resolver logs (a)",
    );
}

#[test]
fn a_prefix_list_without_a_file_is_unproven() {
    let more = "[destinations.d]\nprefix_lists = [\"pl-1\"]\n";
    check_with(
        more,
        "allow a app -> d",
        TO_PUBLIC,
        "unproven a, no evidence: prefix lists (a)",
    );
    let pinned = format!(
        "{more}[data]\nprefix_list_files = [\"lists\"]\n{}",
        rules("allow a app -> d")
    );
    let policy = base_with(&pinned, &[("lists", r#"{"pl-1":["203.0.113.0/25"]}"#)]);
    check_of(&policy, TO_PUBLIC, "allow a");
    check_of(
        &policy,
        "10.0.32.1 -> 203.0.113.200:443 tcp",
        "deny default",
    );
}

#[test]
fn a_group_by_what_only_an_inventory_tells_is_unproven_inside() {
    for key in [
        "security_groups = [\"sg-1\"]",
        "descriptions = [\"ELB *\"]",
        "endpoints = [\"vpce-1\"]",
        "tags = { a = \"b\" }",
    ] {
        let more = format!("[groups.g]\n{key}\n");
        let to_data = "10.0.32.1 -> 10.0.64.1:443 tcp";
        check_with(
            &more,
            "allow a app -> g",
            to_data,
            "unproven a, no evidence: an inventory (a)",
        );
        check_with(
            &more,
            "allow a app -> g",
            &format!("{to_data} server-groups=g"),
            "allow a",
        );
        check_with(&more, "allow a app -> g", TO_PUBLIC, "deny default");
    }
}

#[test]
fn a_group_by_fields_that_records_have_is_decided_by_them() {
    for key in [
        "interfaces = [\"eni-1\"]",
        "instances = [\"i-1\"]",
        "ecs_services = [\"x\"]",
        "interface_types = [\"x\"]",
    ] {
        let more = format!("[groups.g]\n{key}\n");
        let to_data = "10.0.32.1 -> 10.0.64.1:443 tcp";
        check_with(&more, "allow a app -> g", to_data, "deny default");
        check_with(
            &more,
            "allow a app -> g",
            &format!("{to_data} server-groups=g"),
            "allow a",
        );
    }
}

const NO_SERVICE: &str = "no evidence: the AWS service fields, or pinned ip_ranges";

#[test]
fn an_aws_service_or_unlisted_without_field_and_ranges_is_unproven_for_public_addresses() {
    let more = "[destinations.store]\naws_services = [\"S3\"]\n";
    for word in ["aws:S3", "aws:*", "store", "unlisted"] {
        let lines = format!("allow a app -> {word}");
        check_with(
            more,
            &lines,
            TO_PUBLIC,
            &format!("unproven a, {NO_SERVICE} (a)"),
        );
        check_with(more, &lines, TO_PRIVATE, "deny default");
        check_with(
            more,
            &lines,
            "10.0.32.1 -> 10.0.64.1:443 tcp",
            "deny default",
        );
        check_with(
            more,
            &lines,
            "10.0.32.1 -> 169.254.169.254:443 tcp",
            "deny default",
        );
    }
    check_with(
        more,
        "allow a app -> unlisted",
        "10.0.32.1 -> 198.51.100.1:443 tcp",
        "deny default",
    );
}

#[test]
fn a_service_field_that_is_present_and_empty_is_evidence_of_none() {
    let more = "[destinations.store]\naws_services = [\"S3\"]\n";
    let question = format!("{TO_PUBLIC} server-service=-");
    for word in ["aws:S3", "aws:*", "store"] {
        check_with(
            more,
            &format!("allow a app -> {word}"),
            &question,
            "deny default",
        );
    }
    check_with(more, "allow a app -> unlisted", &question, "allow a");
}

#[test]
fn the_records_own_field_is_evidence() {
    let more = "[destinations.store]\naws_services = [\"S3\"]\nregions = [\"us-east-2\"]\n";
    let s3 = format!("{TO_PUBLIC} server-service=S3");
    for word in ["aws:S3", "aws:*", "store"] {
        check_with(more, &format!("allow a app -> {word}"), &s3, "allow a");
    }
    check_with(more, "allow a app -> aws:DYNAMODB", &s3, "deny default");
    check_with(more, "allow a app -> unlisted", &s3, "deny default");
    // What is anybody's counts as unlisted, unless a destination names it; a service that the program does not know does not.
    for (service, expected) in [
        ("EC2", "allow a"),
        ("AMAZON", "allow a"),
        ("GLOBALACCELERATOR", "allow a"),
        ("CLOUDFRONT", "allow a"),
        ("API_GATEWAY", "allow a"),
        ("ROUTE53", "deny default"),
        ("BRAND_NEW", "deny default"),
    ] {
        check_with(
            "",
            "allow a app -> unlisted",
            &format!("{TO_PUBLIC} server-service={service}"),
            expected,
        );
    }
    let named = "[destinations.cdn]\naws_services = [\"CLOUDFRONT\"]\n";
    check_with(
        named,
        "allow a app -> unlisted",
        &format!("{TO_PUBLIC} server-service=CLOUDFRONT"),
        "deny default",
    );
}

/// us-east-2's S3 is 3.5.128.0/22, us-west-2's 3.5.76.0/22.
const RANGES: &str = r#"{"prefixes":[
    {"ip_prefix":"3.5.128.0/22","region":"us-east-2","service":"S3"},
    {"ip_prefix":"3.5.76.0/22","region":"us-west-2","service":"S3"},
    {"ip_prefix":"3.4.0.0/24","region":"us-west-2","service":"BRAND_NEW"}]}"#;

fn check_ranges(lines: &str, question: &str, expected: &str) {
    let more = "[data]\nip_ranges = \"r\"\n[destinations.store]\naws_services = [\"S3\"]\nregions = [\"us-east-2\"]\n";
    let policy = base_with(&format!("{more}{}", rules(lines)), &[("r", RANGES)]);
    check_of(&policy, question, expected);
}

#[test]
fn pinned_ranges_are_evidence_and_tell_regions() {
    let ohio = "10.0.32.1 -> 3.5.128.9:443 tcp";
    let oregon = "10.0.32.1 -> 3.5.76.9:443 tcp";
    check_ranges("allow a app -> aws:S3", ohio, "allow a");
    check_ranges("allow a app -> aws:S3", oregon, "allow a");
    check_ranges("allow a app -> store", ohio, "allow a");
    check_ranges("allow a app -> store", oregon, "deny default");
    // The field does not say which region; ranges that know the address do.
    check_ranges(
        "allow a app -> store",
        &format!("{oregon} server-service=S3"),
        "deny default",
    );
    check_ranges(
        "allow a app -> store",
        &format!("{TO_PUBLIC} server-service=S3"),
        "allow a",
    );
    // Loaded evidence that does not match is no match.
    check_ranges("allow a app -> aws:*", TO_PUBLIC, "deny default");
    check_ranges("allow a app -> unlisted", TO_PUBLIC, "allow a");
    check_ranges("allow a app -> unlisted", ohio, "deny default");
    check_ranges(
        "allow a app -> aws:BRAND_NEW",
        "10.0.32.1 -> 3.4.0.1:443 tcp",
        "allow a",
    );
}

#[test]
fn a_deny_or_a_proven_allow_comes_before_what_is_unproven() {
    let more = "[destinations.d]\ndomains = [\"packages.example\"]\n";
    check_with(
        more,
        "allow a app -> d\nallow b app -> internet",
        TO_PUBLIC,
        "allow b",
    );
    check_with(
        more,
        "allow a app -> d\ndeny x app -> internet",
        TO_PUBLIC,
        "deny x",
    );
}

#[test]
fn what_fails_for_another_reason_is_not_unproven() {
    let more = "[destinations.d]\ndomains = [\"packages.example\"]\n";
    check_with(
        more,
        "allow a app -> d service=\"dns\"",
        TO_PUBLIC,
        "deny default",
    );
    check_with(
        more,
        "allow a app -> d expires=2025-01-01 owner=\"x\" ticket=\"y\"",
        TO_PUBLIC,
        "deny default",
    );
    check_with(
        more,
        "allow a app -> d via=[\"nat\"]",
        &format!("{TO_PUBLIC} via=vgw"),
        "deny default",
    );
}

#[test]
fn an_unknown_exception_makes_an_allow_unproven_and_a_deny_silent() {
    let more = "[destinations.cdn]\naws_services = [\"CLOUDFRONT_ORIGIN_FACING\"]\n";
    let inbound = "203.0.113.9 -> 10.0.0.1:443 tcp";
    let lines =
        "deny d internet -> public from_except=\"cdn\"\nallow a cdn -> public service=\"https\"";
    check_with(
        more,
        lines,
        inbound,
        &format!("unproven a, {NO_SERVICE} (a)"),
    );
    check_with(
        more,
        lines,
        &format!("{inbound} client-service=-"),
        "deny d",
    );
    check_with(
        more,
        lines,
        &format!("{inbound} client-service=CLOUDFRONT_ORIGIN_FACING"),
        "allow a",
    );
    let lines = "allow a internet -> public from_except=\"cdn\"";
    check_with(
        more,
        lines,
        inbound,
        &format!("unproven a, {NO_SERVICE} (a)"),
    );
}

#[test]
fn an_unproven_allow_that_would_break_a_require_is_denied() {
    let more = "[groups.g]\nsecurity_groups = [\"sg-1\"]\n[[require]]\nid = \"az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
    check_with(
        more,
        "allow a app -> g",
        "10.0.32.1 -> 10.0.80.1:443 tcp",
        "deny default",
    );
    check_with(
        more,
        "allow a app -> g exempt=[\"az\"]",
        "10.0.32.1 -> 10.0.80.1:443 tcp",
        "unproven a, no evidence: an inventory (a)",
    );
}

#[test]
fn evidence_of_encryption_is_wanted_while_a_require_may_bind_the_allow() {
    let require = |id: &str, between: &str, dates: &str| {
        format!("[[require]]\nid = \"{id}\"\nbetween = \"{between}\"\nencrypted = true\n{dates}\n")
    };
    // One that it is exempt from, then one that binds it; and one that is between others.
    let until = "expires = 2026-02-01\nowner = \"x\"\nticket = \"y\"";
    let text = format!(
        "{BASE}[groups.g]\nsecurity_groups = [\"sg-1\"]\n{}{}{}",
        require("first", "any-tier", until),
        require("second", "any-tier", "not_before = 2026-02-01"),
        rules("allow a app -> g exempt=[\"first\"]\nallow b app -> repos"),
    );
    let policy = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
    let miss = |rule: &str| {
        let allows = policy.rules.allows.iter();
        let mut allows = allows.map(|allow| allow.rule);
        let rule = allows.find(|id| policy.rule(*id).id == rule);
        Miss {
            rule: rule.expect("an allow"),
            lacked: Lacked::Evidence,
        }
    };
    for (rule, at, wanted) in [
        ("a", 1_769_903_999, false),
        ("a", 1_769_904_000, true),
        ("b", 1_769_904_000, false),
    ] {
        let says = policy.explain_miss(miss(rule), at);
        assert_eq!(says.contains("encryption-status"), wanted, "{says}");
        assert_eq!(policy.lacks_encryption(miss(rule), at), wanted, "{says}");
    }
}

#[test]
fn a_require_whose_ends_are_not_known_makes_an_allow_unproven() {
    let more = "[groups.g]\nsecurity_groups = [\"sg-1\"]\n[[require]]\nid = \"az\"\nbetween = [\"app\", \"g\"]\nsame = [\"az\"]\n";
    let question = "10.0.32.1 -> 10.0.80.1:443 tcp";
    check_with(
        more,
        "allow a app -> data",
        question,
        "unproven a, no evidence: who is meant by its requires (a)",
    );
}

#[test]
fn of_several_unproven_allows_one_names_itself_by_the_same_order() {
    let more = "[destinations.d]\ndomains = [\"packages.example\"]\n";
    let expected = "unproven z, no evidence: Resolver logs (z)";
    check_with(
        more,
        "allow z etl -> d\nallow a app -> d",
        "10.0.33.1 -> 203.0.113.9:443 tcp",
        expected,
    );
}

/// A deny by this name, with what stands before it.
fn check_deny(more: &str, deny: &str, expected: &str) {
    let text = format!("{BASE}{more}\n{}", rules(deny));
    match parse(&text) {
        Ok(_) => assert_eq!(expected, "", "{deny}"),
        Err(errors) => {
            let messages: Vec<&str> = errors
                .errors()
                .iter()
                .map(|error| error.message.as_str())
                .collect();
            assert_eq!(messages, [expected], "{deny}");
        }
    }
}

#[test]
fn a_deny_that_needs_missing_evidence_is_an_error() {
    let groups = "[groups.g]\nsecurity_groups = [\"sg-1\"]\ncidrs = [\"10.0.34.0/24\"]\n[groups.t]\ntags = { a = \"b\" }\n[groups.i]\ninterfaces = [\"eni-1\"]\n";
    check_deny(
        groups,
        "deny d g -> any",
        "a deny cannot go by `g`: it depends on security group sg-1, and no inventory is loaded",
    );
    check_deny(
        groups,
        "deny d any -> t",
        "a deny cannot go by `t`: it depends on tag a, and no inventory is loaded",
    );
    check_deny(
        groups,
        "deny d any -> any to_except=\"g\"",
        "a deny cannot go by `g`: it depends on security group sg-1, and no inventory is loaded",
    );
    check_deny(groups, "deny d any -> i", "");
    let places = "[destinations.d]\ndomains = [\"a.example\"]\n[destinations.l]\nprefix_lists = [\"pl-1\"]\n[destinations.s]\naws_services = [\"S3\"]\n";
    check_deny(
        places,
        "deny x any -> d",
        "a deny cannot go by `d`: it depends on the domain a.example, and no Resolver logs are loaded",
    );
    check_deny(
        places,
        "deny x any -> l",
        "a deny cannot go by `l`: it depends on the prefix list pl-1, and no file holds that",
    );
    for word in ["s", "aws:S3", "aws:*", "unlisted"] {
        let expected = format!(
            "a deny cannot go by `{word}`: it depends on AWS services, which not every record names"
        );
        check_deny(places, &format!("deny x any -> {word}"), &expected);
        check_deny(
            places,
            &format!("deny x any -> internet to_except=\"{word}\""),
            "",
        );
    }
    let text = format!(
        "{BASE}[data]\nip_ranges = \"r\"\n{}",
        rules("deny x any -> aws:S3,unlisted")
    );
    assert!(parse_with(&text, &[("r", RANGES)]).is_ok());
}
