//! Rules that do nothing: shadowed, duplicate, always denied, never matched.

use super::*;

#[test]
fn what_another_rule_does_is_shadowed() {
    let allow = "warning \"a\": allow `a` permits nothing that allow `b` (line ";
    for (lines, is_shadowed) in [
        (
            "allow a app -> data ports=[\"tcp/443\"]\nallow b app -> data",
            true,
        ),
        ("allow a etl -> data\nallow b app -> any", true),
        (
            "allow a app -> repos family=\"ipv4\"\nallow b any-tier -> internet",
            true,
        ),
        (
            "allow a app -> repos via=[\"nat\"]\nallow b app -> repos via=[\"nat\",\"vgw\"]",
            true,
        ),
        // Each of these is a little wider than the other.
        (
            "allow a app -> data ports=[\"tcp/443\",\"icmp\"]\nallow b app -> data ports=[\"tcp/*\"]",
            false,
        ),
        (
            "allow a app -> repos\nallow b app -> repos via=[\"nat\"]",
            false,
        ),
        (
            "allow a app -> data\nallow b app -> data family=\"ipv4\"",
            false,
        ),
        (
            "allow a app,private -> data\nallow b any-tier -> data",
            false,
        ),
        (
            "allow a app -> data\nallow b app -> data expires=2026-03-31 owner=\"x\" ticket=\"y\"",
            false,
        ),
        (
            "allow a app -> data\nallow b any-tier -> data from_except=\"etl\"",
            false,
        ),
        // Its own severity goes into findings.
        (
            "allow a app -> data severity=\"low\"\nallow b app -> any",
            false,
        ),
    ] {
        let found = of_code("P001", &format!("{BASE}\n{}", rules(lines)));
        let of_a = found.iter().filter(|message| message.starts_with(allow));
        assert_eq!(of_a.count(), usize::from(is_shadowed), "{lines}: {found:?}");
    }
    check(
        "P001",
        "deny a etl -> vector-db\ndeny b app -> any",
        &["note \"a\": deny `a` forbids nothing that deny `b` does not forbid"],
    );
}

#[test]
fn an_exemption_keeps_an_allow_from_being_shadowed_only_where_the_require_could_bind() {
    let require = "[[require]]\nid = \"same-az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
    for (ends, is_shadowed) in [
        ("data -> data", false),
        // Both ends in one zone, and an end that no zone binds.
        ("app -> app", true),
        ("data -> repos", true),
    ] {
        let lines = format!("allow b any -> any\nallow a {ends} exempt=[\"same-az\"]");
        let found = of_code("P001", &format!("{BASE}\n{require}{}", rules(&lines)));
        assert_eq!(found.len(), usize::from(is_shadowed), "{ends}: {found:?}");
    }
}

#[test]
fn of_rules_that_match_the_same_the_first_stays() {
    check(
        "P002",
        "allow a app -> data service=\"https\"\nallow b app -> data ports=[\"tcp/443\"]\nallow c app -> data ports=[\"tcp/443\"]",
        &[
            "warning \"b\": allow `b` matches just what allow `a` matches",
            "warning \"c\": allow `c` matches just what allow `a` matches",
        ],
    );
    check("P002", "allow a app -> data\ndeny b app -> data", &[]);
}

#[test]
fn an_allow_that_a_deny_forbids_whole_is_always_denied() {
    let expected =
        &["warning \"a\": allow `a` never permits anything: deny `d` matches whatever it matches"]
            [..];
    check(
        "P003",
        "allow a app -> data service=\"https\"\ndeny d any -> data",
        expected,
    );
    check(
        "P003",
        "allow a app -> data\ndeny d any -> data ports_except=[\"tcp/443\"]",
        &[],
    );
    check(
        "P003",
        "allow a app -> data\ndeny d any -> data expires=2026-03-31 owner=\"x\" ticket=\"y\"",
        &[],
    );
}

#[test]
fn what_is_told_by_evidence_is_compared_by_the_same_evidence_only() {
    let more = "[groups.one]\ninterfaces = [\"eni-1\"]\n[groups.two]\nsecurity_groups = [\"sg-2\"]\n[destinations.store]\naws_services = [\"S3\"]\n";
    let check = |code: &str, lines: &str, number: usize| {
        let found = of_code(code, &format!("{BASE}\n{more}{}", rules(lines)));
        let of_a = found.iter().filter(|message| message.contains(" \"a\": "));
        assert_eq!(of_a.count(), number, "{lines}: {found:?}");
    };
    check(
        "P001",
        "allow a one -> data service=\"https\"\nallow b one -> data",
        1,
    );
    check("P001", "allow a one -> data\nallow b one,two -> data", 1);
    check("P001", "allow a one -> data\nallow b two -> data", 0);
    check(
        "P001",
        "allow a app -> store service=\"https\"\nallow b app -> store",
        1,
    );
    check("P001", "allow a app -> store\nallow b app -> outside", 0);
    check(
        "P001",
        "allow a app -> store to_except=\"repos\"\nallow b app -> store",
        1,
    );
    check(
        "P001",
        "allow a app -> data\nallow b app -> data to_except=\"one\"",
        0,
    );
    check(
        "P001",
        "allow a app -> data to_except=\"one\"\nallow b app -> any to_except=\"one\"",
        1,
    );
    // Records may put an interface anywhere into the group, and a deny goes by it.
    check("P003", "allow a one -> data\ndeny d one -> data", 1);
    check(
        "P003",
        "allow a app -> data\ndeny d app -> data to_except=\"one\"",
        0,
    );
    // Whether an address is S3's may be unknown; then the deny does not match and the allow is unproven.
    check(
        "P003",
        "allow a app -> internet to_except=\"store\"\ndeny d app -> internet to_except=\"store\"",
        0,
    );
}

#[test]
fn what_nothing_can_match_never_matches() {
    check(
        "P004",
        "allow a app -> data from_except=\"any-tier\"\nallow b app -> office to_except=[\"private\",\"outside\"]",
        &[
            "warning \"a\": allow `a` matches nothing: no address is left in its `from`",
            "warning \"b\": allow `b` matches nothing: no address is left in its `to`",
        ],
    );
    check(
        "P004",
        "deny a any -> any expires=1970-01-01 owner=\"x\" ticket=\"y\"",
        &["warning \"a\": deny `a` matches nothing: it is never in force"],
    );
}

#[test]
fn a_destination_that_the_network_covers_is_nowhere() {
    let found = |code: &str, networks: &str, vpn: &str| {
        let subnet = "[[subnets]]\nnetwork = \"n\"\ntier = \"app\"\ncidrs = [\"10.0.0.0/24\"]\n";
        let rules = rules("allow a app -> vpn ports=[\"tcp/443\"]\ndeny d outside -> app");
        let head = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n";
        let vpn = format!("[destinations.vpn]\ncidrs = [{vpn}]\n");
        of_code(code, &format!("{head}{networks}{subnet}{vpn}{rules}"))
    };
    let inside = "\"10.0.8.0/24\"";
    assert_eq!(found("P015", "", inside), [""; 0]);
    assert_eq!(
        found("P004", "", inside),
        ["warning \"a\": allow `a` matches nothing: no address is left in its `to`"]
    );
    // Part of it is outside, or another network sees it there.
    let other = "[networks.m]\ncidrs = [\"10.1.0.0/16\"]\n";
    let partly = "\"10.0.8.0/24\", \"10.9.0.0/24\"";
    for (networks, vpn) in [("", partly), (other, inside)] {
        assert_eq!(found("P015", networks, vpn).len(), 1, "{networks} {vpn}");
        assert_eq!(found("P004", networks, vpn), [""; 0], "{networks} {vpn}");
    }
}

#[test]
fn a_rule_that_is_over_is_told_that_and_nothing_else() {
    let lasting = "allow wide app -> data";
    let check = |dates: &str, expected: &[&str]| {
        let narrow = format!(
            "allow narrow app -> data ports=[\"tcp/443\"] {dates} owner=\"x\" ticket=\"y\""
        );
        let twin = format!("{narrow}\n{}", narrow.replace("narrow", "twin"));
        let lints = lints_of(&format!("{BASE}\n{}", rules(&format!("{lasting}\n{twin}"))));
        let of_rules = lints.lints().iter().filter(|lint| {
            let message = &lint.remark.message;
            message.starts_with("allow `narrow`") || message.starts_with("allow `twin`")
        });
        let codes: Vec<&str> = of_rules.map(|lint| lint.kind.code).collect();
        assert_eq!(codes, expected, "{dates}");
    };
    check("expires=2026-05-01", &["P001", "P002"]);
    check("expires=2026-02-25", &["P009", "P009"]);
}
