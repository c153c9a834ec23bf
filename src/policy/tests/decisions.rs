//! What a rule decides: the four steps, requires, the order among rules, near misses.

use super::*;

const APP_TO_DATA: &str = "10.0.32.1 -> 10.0.64.1:443 tcp";

#[test]
fn a_deny_wins_over_every_allow() {
    check(
        "allow a app -> data\ndeny d any -> any",
        APP_TO_DATA,
        "deny d",
    );
    check(
        "allow a app -> data service=\"https\"\ndeny d app -> data service=\"dns\"",
        APP_TO_DATA,
        "allow a",
    );
}

#[test]
fn an_allow_that_matches_allows() {
    check(
        "allow a app -> data service=\"https\"",
        APP_TO_DATA,
        "allow a",
    );
}

#[test]
fn what_no_rule_matches_is_denied_by_default() {
    check("", APP_TO_DATA, "deny default");
    check("allow a data -> app", APP_TO_DATA, "deny default");
}

#[test]
fn a_rule_is_in_force_from_not_before_until_expires_exclusive() {
    // 2026-01-01 is 1767225600, 2026-03-31 is 1774915200.
    let lines = "allow a app -> data not_before=2026-01-01 expires=2026-03-31T00:00:00Z owner=\"x\" ticket=\"y\"";
    check(
        lines,
        &format!("{APP_TO_DATA} at=1767225599"),
        "deny default, not in force before 2026-01-01 (a)",
    );
    check(lines, &format!("{APP_TO_DATA} at=1767225600"), "allow a");
    check(lines, &format!("{APP_TO_DATA} at=1774915199"), "allow a");
    check(
        lines,
        &format!("{APP_TO_DATA} at=1774915200"),
        "deny default, expired on 2026-03-31 (a)",
    );
    let lines = "allow a app -> data\ndeny d app -> data not_before=2026-01-01T12:00:00+01:00";
    check(lines, &format!("{APP_TO_DATA} at=1767265199"), "allow a");
    check(lines, &format!("{APP_TO_DATA} at=1767265200"), "deny d");
}

#[test]
fn ports_services_and_their_exceptions_select() {
    for (setting, https, dns, icmp) in [
        ("", true, true, true),
        (" service=\"https\"", true, false, false),
        (" service=[\"https\",\"dns\"]", true, true, false),
        (" ports=[\"tcp/400-500\"]", true, false, false),
        (" ports=[\"icmp\"]", false, false, true),
        (" ports_except=[\"tcp/443\"]", false, true, true),
    ] {
        let policy = base(&rules(&format!("allow a app -> data{setting}")));
        for (question, expected) in [("443 tcp", https), ("53 udp", dns)] {
            let found = answer(&policy, &format!("10.0.32.1 -> 10.0.64.1:{question}"));
            assert_eq!(found.starts_with("allow"), expected, "{setting} {question}");
        }
        assert_eq!(
            answer(&policy, "10.0.32.1 -> 10.0.64.1 icmp").starts_with("allow"),
            icmp,
            "{setting} icmp"
        );
    }
}

#[test]
fn family_limits_a_rule_to_ipv4_or_ipv6() {
    let v6 = "2600:1f16:abcd:ef01::1 -> [2600:1f16:abcd:ef02::1]:443 tcp";
    check(
        "allow a app -> data family=\"ipv4\"",
        APP_TO_DATA,
        "allow a",
    );
    check(
        "allow a app -> data family=\"ipv4\"",
        v6,
        "deny default, allowed for IPv4 only (a)",
    );
    check("allow a app -> data family=\"ipv6\"", v6, "allow a");
    check(
        "allow a app -> data family=\"ipv6\"",
        APP_TO_DATA,
        "deny default, allowed for IPv6 only (a)",
    );
}

#[test]
fn via_selects_each_path_and_an_unknown_path_matches_and_is_counted() {
    for path in Path::ALL {
        let lines = format!("allow a app -> repos via=[\"{}\"]", path.as_str());
        let question = "10.0.32.1 -> 198.51.100.1:443 tcp";
        check(
            &lines,
            &format!("{question} via={}", path.as_str()),
            "allow a",
        );
        let other = if *path == Path::Nat { "vgw" } else { "nat" };
        let expected = format!("deny default, allowed by {} only (a)", path.as_str());
        check(&lines, &format!("{question} via={other}"), &expected);
        check(&lines, question, "allow a, via unknown");
    }
    check(
        "deny d app -> repos via=[\"nat\"]",
        "10.0.32.1 -> 198.51.100.1:443 tcp",
        "deny d, via unknown",
    );
}

#[test]
fn a_require_denies_what_ends_do_not_share() {
    let require = "[[require]]\nid = \"same-az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
    let policy = |allow: &str| base(&format!("{require}{}", rules(allow)));
    let across = "10.0.64.1 -> 10.0.80.1:443 tcp";
    let note = "az not shared, and not exempt from same-az (a)";
    check_of(
        &policy("allow a data -> data"),
        "10.0.64.1 -> 10.0.65.1:443 tcp",
        "allow a",
    );
    check_of(
        &policy("allow a data -> data"),
        across,
        &format!("deny same-az, {note}"),
    );
    check_of(
        &policy("allow a data -> data exempt=[\"same-az\"]"),
        across,
        "allow a",
    );
    // An end outside is no member of `between`.
    check_of(
        &policy("allow a data -> repos"),
        "10.0.64.1 -> 198.51.100.1:443 tcp",
        "allow a",
    );
}

#[test]
fn one_allow_that_meets_its_requires_is_enough() {
    let require = "[[require]]\nid = \"same-az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
    let lines =
        rules("allow a data -> data service=\"https\"\nallow b data -> data exempt=[\"same-az\"]");
    check_of(
        &base(&format!("{require}{lines}")),
        "10.0.64.1 -> 10.0.80.1:443 tcp",
        "allow b",
    );
}

#[test]
fn of_several_broken_requires_the_first_by_id_decides() {
    let text = format!(
        "{}[[require]]\nid = \"b-env\"\nbetween = \"data\"\nsame = [\"env\"]\n[[require]]\nid = \"a-az\"\nbetween = \"data\"\nsame = [\"az\"]\n",
        rules("allow x data -> data")
    );
    let note = "az not shared, and not exempt from a-az (x)";
    check_of(
        &base(&text),
        "10.0.64.1 -> 10.0.80.1:443 tcp",
        &format!("deny a-az, {note}"),
    );
}

#[test]
fn a_label_that_an_end_does_not_have_is_not_shared_and_said_to_be_unlabelled() {
    let text = format!(
        "{}[[require]]\nid = \"same-env\"\nbetween = \"any-tier\"\nsame = [\"env\"]\n",
        rules("allow x any -> any")
    );
    let note = "env not shared, and not exempt from same-env (x)";
    let policy = base(&text);
    check_of(
        &policy,
        "10.0.64.1 -> 10.0.96.1:443 tcp",
        &format!("deny same-env, {note}, unlabelled"),
    );
    check_of(
        &policy,
        "10.0.64.1 -> 10.0.80.1:443 tcp",
        &format!("deny same-env, {note}"),
    );
}

#[test]
fn between_applies_when_both_ends_match_one_of_its_words_not_the_same() {
    let text = format!(
        "{}[[require]]\nid = \"same-env\"\nbetween = [\"app\", \"data\"]\nsame = [\"env\"]\n",
        rules("allow x any -> any")
    );
    let policy = base(&text);
    let note = "env not shared, and not exempt from same-env (x)";
    check_of(
        &policy,
        "10.0.32.1 -> 10.0.80.1:443 tcp",
        &format!("deny same-env, {note}"),
    );
    check_of(&policy, "10.0.0.1 -> 10.0.80.1:443 tcp", "allow x");
}

#[test]
fn a_require_binds_while_it_is_in_force() {
    let text = format!(
        "{}[[require]]\nid = \"same-az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\nnot_before = 2026-02-01\nexpires = 2026-03-01\nowner = \"o\"\nticket = \"t\"\n",
        rules("allow x data -> data")
    );
    let policy = base(&text);
    let denied = "deny same-az, az not shared, and not exempt from same-az (x)";
    for (at, expected) in [
        (1_769_903_999, "allow x"),
        (1_769_904_000, denied),
        (1_772_323_199, denied),
        (1_772_323_200, "allow x"),
    ] {
        let question = format!("10.0.64.1 -> 10.0.80.1:443 tcp at={at}");
        check_of(&policy, &question, expected);
    }
}

#[test]
fn encryption_is_required_where_records_tell_of_it() {
    let text = format!(
        "{}[[require]]\nid = \"encrypted\"\nbetween = \"any-tier\"\nencrypted = true\n",
        rules("allow x app -> data")
    );
    let policy = base(&text);
    check_of(&policy, &format!("{APP_TO_DATA} encrypted=true"), "allow x");
    let note = "not encrypted, and not exempt from encrypted (x)";
    check_of(
        &policy,
        &format!("{APP_TO_DATA} encrypted=false"),
        &format!("deny encrypted, {note}"),
    );
    let note = "no evidence: the encryption-status field (x)";
    check_of(&policy, APP_TO_DATA, &format!("unproven x, {note}"));
}

#[test]
fn the_most_specific_from_names_itself() {
    let question = "10.0.33.1 -> 10.0.64.1:443 tcp";
    check(
        "allow z etl -> data\nallow a app -> data",
        question,
        "allow z",
    );
    check(
        "allow z app -> any\nallow a any-tier -> data",
        question,
        "allow z",
    );
    check(
        "allow z any-tier -> any\nallow a any -> data",
        question,
        "allow z",
    );
    let from_outside = "198.51.100.1 -> 10.0.64.1:443 tcp server-service=- client-service=-";
    check(
        "allow z repos -> data\nallow a internet -> data",
        from_outside,
        "allow z",
    );
    let from_s3 = "52.216.0.1 -> 10.0.64.1:443 tcp client-service=S3";
    check(
        "allow z aws:S3 -> data\nallow a aws:*,internet -> data",
        from_s3,
        "allow z",
    );
    let from_private = "192.168.0.1 -> 10.0.64.1:443 tcp";
    check(
        "allow z private -> data\nallow a outside -> data",
        from_private,
        "allow z",
    );
    let unassigned = "10.0.200.1 -> 10.0.64.1:443 tcp";
    check(
        "allow z unassigned -> data\nallow a inside -> data",
        unassigned,
        "allow z",
    );
}

#[test]
fn ranks_are_those_of_the_language() {
    let names = [
        vec![names::Name::Group(0)],
        vec![names::Name::Destination(0)],
        vec![names::Name::Tier(0)],
        vec![names::Name::Aws(0)],
        vec![
            names::Name::Private,
            names::Name::Unlisted,
            names::Name::Unassigned,
        ],
        vec![
            names::Name::Internet,
            names::Name::Outside,
            names::Name::Inside,
            names::Name::AnyTier,
            names::Name::AnyAws,
        ],
        vec![names::Name::Any],
    ];
    for (rank, same) in names.iter().enumerate() {
        assert!(
            same.iter().all(|name| usize::from(name.rank()) == rank),
            "{same:?}"
        );
    }
}

#[test]
fn then_the_most_specific_to_then_the_fewest_ports_then_the_id() {
    let question = "10.0.33.1 -> 10.0.66.1:443 tcp";
    check(
        "allow z etl -> vector-db\nallow a etl -> data",
        question,
        "allow z",
    );
    check(
        "allow z etl -> data ports=[\"tcp/443\"]\nallow a etl -> data ports=[\"tcp/443-444\"]",
        question,
        "allow z",
    );
    check(
        "allow z etl -> data ports_except=[\"tcp/80\"]\nallow a etl -> data",
        question,
        "allow z",
    );
    check(
        "allow z etl -> data ports=[\"tcp/443\",\"icmp\"]\nallow a etl -> data ports=[\"tcp/442-444\"]",
        question,
        "allow z",
    );
    check(
        "allow z etl -> data service=\"https\"\nallow b etl -> data service=\"https\"",
        question,
        "allow b",
    );
    check("deny z any -> any\ndeny y any -> any", question, "deny y");
}

#[test]
fn a_list_counts_as_one_rule_per_name() {
    // `any` in the list does not make the rule less specific for an end that a group of the list has.
    let question = "10.0.33.1 -> 10.0.66.1:443 tcp";
    check(
        "allow z any,etl -> data\nallow a app -> data",
        question,
        "allow z",
    );
    check(
        "allow z app -> data service=[\"dns\",\"https\"]\nallow a app -> data ports=[\"tcp/443\",\"tcp/80\"]",
        question,
        "allow z",
    );
}

#[test]
fn the_order_of_the_file_means_nothing() {
    let lines = [
        "allow b app -> data",
        "allow a app -> data",
        "deny d app -> data service=\"dns\"",
        "deny c app -> any service=\"dns\"",
    ];
    let forward = base(&rules(&lines.join("\n")));
    let backward = base(&rules(
        &lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
    ));
    for question in [
        APP_TO_DATA,
        "10.0.32.1 -> 10.0.64.1:53 udp",
        "10.0.32.1 -> 10.0.0.1:53 udp",
    ] {
        assert_eq!(answer(&forward, question), answer(&backward, question));
    }
}

#[test]
fn a_near_miss_is_the_one_condition_that_failed() {
    let question = "10.0.32.1 -> 10.0.64.1:8443 tcp";
    check(
        "allow a app -> data service=\"https\"",
        question,
        "deny default, allowed on tcp/443 only (a)",
    );
    check(
        "allow a app -> data service=\"https\" family=\"ipv6\"",
        question,
        "deny default",
    );
    check("allow a app -> public", question, "deny default");
}

#[test]
fn of_several_near_misses_an_exception_that_ended_comes_first_and_the_port_last() {
    let ended = "allow z app -> data expires=2025-01-01 owner=\"x\" ticket=\"y\"";
    let port = "allow a app -> data service=\"https\"";
    let question = "10.0.32.1 -> 10.0.64.1:8443 tcp";
    check(
        &format!("{port}\n{ended}"),
        question,
        "deny default, expired on 2025-01-01 (z)",
    );
    let path = "allow y app -> data via=[\"nat\"]";
    check(
        &format!("{port}\n{path}"),
        &format!("{question} via=local"),
        "deny default, allowed by nat only (y)",
    );
}

#[test]
fn a_deny_that_stands_against_a_whole_allow_has_no_near_miss() {
    check(
        "allow a app -> data\nallow b app -> data service=\"dns\"\ndeny d any -> any",
        APP_TO_DATA,
        "deny d",
    );
    check(
        "allow b app -> data service=\"dns\"\ndeny d any -> any",
        APP_TO_DATA,
        "deny d, allowed on tcp/53, udp/53 only (b)",
    );
}

#[test]
fn a_decision_carries_the_deciding_rules_own_severity() {
    let policy = base(&rules(
        "deny d app -> data severity=\"critical\"\nallow a app -> public",
    ));
    let severity = |text| {
        policy
            .decide(&Asked::new(&policy, text).question())
            .severity
    };
    assert_eq!(severity(APP_TO_DATA), Some(Severity::Critical));
    assert_eq!(severity("10.0.32.1 -> 10.0.0.1:443 tcp"), None);
}
