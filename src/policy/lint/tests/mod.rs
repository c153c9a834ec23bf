//! Each lint: what it finds, what it leaves alone, and what its page shows.

mod large;
mod twin;

use super::*;
use crate::policy::tests::{BASE, parse, rules};

/// 2026-02-25, seconds since 1970.
const NOW: i64 = 1_771_977_600;

fn lints_of(text: &str) -> PolicyLints {
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    match Policy::check("policy.toml", text, &no_files, NOW) {
        Ok((_, lints)) => lints,
        Err(errors) => panic!("{errors}"),
    }
}

/// The lints of one code, each as the marked text and the message.
fn of_code(code: &str, text: &str) -> Vec<String> {
    let lints = lints_of(text);
    let wanted = lints.lints().iter().filter(|lint| lint.kind.code == code);
    wanted
        .map(|lint| {
            let Remark {
                line,
                column,
                message,
                ..
            } = &lint.remark;
            let rest: String = text
                .lines()
                .nth(line - 1)
                .unwrap_or_default()
                .chars()
                .skip(column - 1)
                .collect();
            let marked = rest.split([' ', ',', ']']).next().unwrap_or_default();
            format!("{} {marked}: {message}", lint.level.as_str())
        })
        .collect()
}

/// The lints of one code in [`BASE`] and more.
fn check_more(code: &str, more: &str, expected: &[&str]) {
    assert_eq!(
        of_code(code, &format!("{BASE}\n{more}")),
        expected,
        "{more}"
    );
}

/// The lints of one code in [`BASE`] and rules; lines of other rules are left out.
fn check(code: &str, lines: &str, expected: &[&str]) {
    let found = of_code(code, &format!("{BASE}\n{}", rules(lines)));
    let without_lines: Vec<String> = found
        .iter()
        .map(|message| {
            let mut parts = message.split(" (line ");
            let mut text = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
            }
            text
        })
        .collect();
    assert_eq!(without_lines, expected, "{lines}");
}

#[test]
fn codes_and_names_are_unique_and_codes_in_order() {
    let codes: Vec<&str> = LINTS.iter().map(|kind| kind.code).collect();
    assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    let names: std::collections::BTreeSet<&str> = LINTS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), LINTS.len());
}

#[test]
fn every_lint_has_a_page_whose_example_shows_it() {
    for kind in LINTS {
        let title = format!("# {} {}\n", kind.code, kind.name);
        assert!(kind.page.starts_with(&title), "{}", kind.name);
        for heading in [
            "What it finds",
            "Why it matters",
            "How it decides",
            "What to do",
            "Blind spots",
        ] {
            let heading = format!("## {heading}\n");
            assert!(kind.page.contains(&heading), "{}: {heading}", kind.name);
        }
        // A file too large for comparing does not go onto a page.
        if *kind == NOT_COMPARED {
            continue;
        }
        let example = kind
            .page
            .split_once("```toml\n")
            .map_or("", |(_, rest)| rest);
        let (example, _) = example.split_once("```").expect("an example");
        if *kind == ERROR {
            assert!(parse(example).is_err(), "{}", kind.name);
        } else {
            assert!(!of_code(kind.code, example).is_empty(), "{}", kind.name);
        }
    }
}

#[test]
fn a_lint_is_shown_with_its_code_place_source_and_hint() {
    let text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n[tiers.app]\n";
    let expected = "\
warning[P012]: tier `app` has no subnets, so no address is in it
 --> policy.toml:5:8
  |
5 | [tiers.app]
  |        ^^^
  |
  = hint: add [[subnets]] with this tier, or remove it

policy.toml: 1 warning
";
    assert_eq!(lints_of(text).render(false), expected);
    assert!(lints_of(text).render(true).contains('\u{1b}'));
    assert_eq!(lints_of(text).worst(), Some(LintLevel::Warning));
}

#[test]
fn a_policy_without_lints_shows_nothing() {
    let text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n";
    assert_eq!(lints_of(text).render(false), "");
    assert_eq!(lints_of(text).worst(), None);
}

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
fn any_to_any_is_found_whatever_its_ports() {
    check(
        "P005",
        "allow a any -> any\nallow b app,any -> any service=\"https\"\nallow c any -> data\ndeny d any -> any",
        &[
            "warning \"a\": allow `a` permits any to reach any on every port",
            "warning \"b\": allow `b` permits any to reach any on its ports",
        ],
    );
}

#[test]
fn services_that_are_anybodys_are_found_where_they_open_something() {
    let more = "[destinations.open]\naws_services = [\"S3\", \"EC2\"]\n[destinations.closed]\naws_services = [\"AMAZON\"]\n";
    let rules = rules("allow a app -> open\nallow b app -> aws:*,aws:S3\nallow c app -> data");
    check_more(
        "P006",
        &format!("{more}{rules}"),
        &[
            "warning \"EC2\": destination `open` goes by the AWS service `EC2`: any customer's machine is inside",
            "warning \"aws:*\": allow `b` goes by `aws:*`: it holds EC2, so any customer's machine is inside",
        ],
    );
}

#[test]
fn domains_on_shared_networks_are_found_by_their_labels() {
    check_more(
        "P007",
        "[destinations.x]\ndomains = [\"D1.CloudFront.net\", \"*.fastly.net\", \"notfastly.net\", \"fastly.net.example\"]\n",
        &[
            "warning \"D1.CloudFront.net\": `D1.CloudFront.net` of destination `x` is served by Amazon CloudFront, whose addresses many customers share",
            "warning \"*.fastly.net\": `*.fastly.net` of destination `x` is served by Fastly, whose addresses many customers share",
        ],
    );
}

#[test]
fn exceptions_are_looked_at_against_now() {
    let rule = |dates: &str| {
        rules(&format!(
            "allow a app -> data {dates} owner=\"x\" ticket=\"y\""
        ))
    };
    let check = |dates: &str, expected: &[&str]| {
        let text = format!("{BASE}\n{}", rule(dates));
        let found: Vec<String> = ["P008", "P009", "P010"]
            .into_iter()
            .flat_map(|code| of_code(code, &text))
            .map(|message| {
                message
                    .split_once("allow")
                    .map_or("", |(_, rest)| rest)
                    .to_owned()
            })
            .collect();
        assert_eq!(found, expected, "{dates}");
    };
    let long = |days: &str| format!(" `a` lasts {days}: an exception is expected to end within 90");
    check("not_before=2026-01-01 expires=2026-04-01", &[]);
    check(
        "not_before=2026-01-01 expires=2026-04-02",
        &[&long("91 days from 2026-01-01 on")],
    );
    // BASE has no `effective`: from now on.
    check("expires=2026-05-26", &[]);
    check("expires=2026-05-27", &[&long("91 days from now on")]);
    check("expires=2026-03-11", &[" `a` ends in 14 days"]);
    check("expires=2026-03-12", &[]);
    check("expires=2026-02-25T00:00:01Z", &[" `a` ends within a day"]);
    check(
        "expires=2026-02-25",
        &[" `a` ended on 2026-02-25: what it permitted is no longer permitted by it"],
    );
}

#[test]
fn names_that_nothing_uses_are_found_and_those_in_exceptions_requires_and_mutes_are_not() {
    let more = "[groups.used]\ncidrs = [\"10.0.0.8/29\"]\n[[require]]\nid = \"r\"\nbetween = [\"used\", \"vector-db\"]\nsame = [\"az\"]\n[[mute]]\nfinding = \"unassigned\"\nto = \"office\"\nservice = \"dns\"\nowner = \"x\"\nreason = \"y\"\n";
    check_more(
        "P011",
        &format!(
            "{more}{}",
            rules("deny d any -> internet to_except=\"repos\"")
        ),
        &[
            "note etl: no rule and no require names group `etl`",
            "note https: no rule and no mute names service `https`",
        ],
    );
    let symmetric = BASE.replace(
        "https = [\"tcp/443\"]",
        "https = { ports = [\"tcp/443\"], symmetric = true }",
    );
    assert!(
        of_code("P011", &symmetric)
            .iter()
            .all(|message| !message.contains("https"))
    );
}

#[test]
fn tiers_that_are_nowhere_or_in_each_other_are_found() {
    check_more(
        "P012",
        "[tiers.audit]\n[tiers.app]\n",
        &["warning audit: tier `audit` has no subnets, so no address is in it"],
    );
    check_more(
        "P013",
        "[[subnets]]\ntier = \"app\"\ncidrs = [\"10.0.66.0/24\"]\n[[subnets]]\ntier = \"app\"\ncidrs = [\"10.0.66.0/25\", \"10.0.33.0/24\"]\n[[subnets]]\ntier = \"data\"\ncidrs = [\"2600:1f16:abcd:ef01::/80\"]\n",
        &[
            "warning \"10.0.66.0/24\": `10.0.66.0/24` of tier `app` lies inside `10.0.64.0/20` of tier `data`",
            "warning \"2600:1f16:abcd:ef01::/80\": `2600:1f16:abcd:ef01::/80` of tier `data` lies inside `2600:1f16:abcd:ef01::/64` of tier `app`",
        ],
    );
}

#[test]
fn subnets_lie_in_each_other_at_a_time_or_not_at_all() {
    let subnet = |tier: &str, cidr: &str, dates: &str| {
        format!("[[subnets]]\ntier = \"{tier}\"\ncidrs = [\"{cidr}\"]\n{dates}\n")
    };
    let lies = |inner: &str, outer: &str| {
        format!("warning \"10.0.130.0/24\": `10.0.130.0/24` of tier `{inner}` lies inside {outer}")
    };
    let outer = subnet("one", "10.0.128.0/20", "valid_until = 2026-01-01");
    let check = |more: &[&str], expected: &[String]| {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_more("P013", &more.concat(), &expected);
    };
    let later = subnet("two", "10.0.130.0/24", "valid_from = 2026-01-01");
    check(&[&outer, &later], &[]);
    let across = subnet("two", "10.0.130.0/24", "valid_from = 2025-12-31");
    check(
        &[&outer, &across],
        &[lies("two", "`10.0.128.0/20` of tier `one`")],
    );
    // What lies between hides what is around it, as long as it is there.
    let between = |dates| subnet("two", "10.0.128.0/21", dates);
    let around_between = "warning \"10.0.128.0/21\": `10.0.128.0/21` of tier `two` lies inside `10.0.128.0/20` of tier `one`".to_owned();
    let always = subnet("two", "10.0.130.0/24", "");
    check(
        &[&outer, &between(""), &always],
        std::slice::from_ref(&around_between),
    );
    check(
        &[&outer, &between("valid_from = 2025-06-01"), &always],
        &[around_between, lies("two", "`10.0.128.0/20` of tier `one`")],
    );
}

#[test]
fn rules_are_read_as_an_acl_with_what_is_in_force_at_one_time() {
    // The database starts nothing; what it may not do, another subnet may while the first is there.
    let subnet = |tier: &str, cidr: &str, dates: &str| {
        format!("[[subnets]]\ntier = \"{tier}\"\ncidrs = [\"{cidr}\"]\n{dates}\n")
    };
    let rules = rules("allow a one -> two ports=[\"tcp/22\"]\ndeny d two -> any");
    let of = |one: &str, two: &str| {
        let text = format!(
            "{}{}{rules}",
            subnet("one", "10.0.128.0/24", one),
            subnet("two", "10.0.129.0/24", two)
        );
        of_code("P015", &format!("{BASE}\n{text}")).len()
    };
    assert_eq!(of("", ""), 1);
    assert_eq!(of("valid_until = 2027-01-01", "valid_from = 2026-01-01"), 1);
    assert_eq!(of("valid_until = 2026-01-01", "valid_from = 2026-01-01"), 0);
}

#[test]
fn groups_that_need_an_inventory_are_unresolved() {
    let more = "[groups.a]\nsecurity_groups = [\"sg-1\"]\ncidrs = [\"10.0.0.0/28\"]\n[groups.b]\ntags = { service = \"x\" }\n[groups.c]\ninterfaces = [\"eni-1\"]\n";
    check_more(
        "P014",
        more,
        &[
            "warning a: group `a` goes by security group sg-1, which only an inventory tells, and none is loaded: an allow by it is `unproven` for whoever is not shown to be in it",
            "note b: group `b` goes by tag service: records may show who is in it, but without an inventory never who is not, and an allow by it is `unproven` then",
        ],
    );
}

#[test]
fn a_deny_of_ephemeral_ports_cuts_replies_of_what_is_allowed_the_other_way() {
    check(
        "P015",
        "allow a app -> data service=\"https\"\ndeny d data -> app",
        &[
            "note \"d\": read as a network ACL, deny `d` would cut replies of allow `a`, from tcp/443 of `data` to `app`",
        ],
    );
    check(
        "P015",
        "allow a app -> repos service=\"https\"\ndeny d internet -> any-tier ports=[\"tcp/1024-65535\"]",
        &[
            "note \"d\": read as a network ACL, deny `d` would cut replies of allow `a`, from tcp/443 of `repos` to `app`",
        ],
    );
    for harmless in [
        // The same way, another protocol, few ports, another family, a path, over already, denied itself, one subnet.
        "allow a app -> data service=\"https\"\ndeny d app -> data ports=[\"tcp/8443\"]",
        "allow a app -> data service=\"https\"\ndeny d data -> app ports=[\"udp/*\"]",
        "allow a app -> data service=\"https\"\ndeny d data -> app ports=[\"tcp/3389\",\"tcp/1-1023\"]",
        "allow a app -> data service=\"https\" family=\"ipv4\"\ndeny d data -> app family=\"ipv6\"",
        "allow a app -> repos service=\"https\"\ndeny d repos -> app via=[\"internet-gateway\"]",
        "allow a app -> data service=\"https\" expires=2026-02-01 owner=\"x\" ticket=\"y\"\ndeny d data -> app",
        "allow a app -> data service=\"https\"\ndeny d any -> any",
        "allow a app -> app service=\"https\"\ndeny d app -> app ports=[\"tcp/1024-65535\"]",
    ] {
        check("P015", harmless, &[]);
    }
}

#[test]
fn only_443_outbound_without_state_makes_an_allowed_ssh_mute() {
    check(
        "P016",
        "allow a repos -> app service=\"https\"\nallow b office,repos -> app ports=[\"tcp/22\"]\ndeny d any-tier -> internet ports_except=[\"tcp/443\"]",
        &[
            "note \"d\": read as a network ACL, deny `d` would cut replies of allow `b`, from tcp/22 of `app` to `repos`: a reply goes to an ephemeral port, not to tcp/443",
        ],
    );
    check(
        "P016",
        "allow a office -> app ports=[\"tcp/22\"]\ndeny d any-tier -> internet ports_except=[\"tcp/443\"]",
        &[],
    );
}

#[test]
fn replies_from_aws_services_that_records_name_are_replies_too() {
    let more = "[destinations.store]\naws_services = [\"S3\"]\n";
    let found = of_code(
        "P015",
        &format!(
            "{BASE}\n{more}{}",
            rules("allow a app -> store service=\"https\"\ndeny d internet -> app")
        ),
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("from tcp/443 of `store` to `app`"),
        "{found:?}"
    );
}

#[test]
fn entries_of_a_network_acl_are_counted_by_direction() {
    let list = |number: usize| {
        let addresses = (0..number).map(|i| format!("\"198.51.100.{}\"", i * 2));
        format!(
            "[destinations.many]\ncidrs = [{}]\n",
            addresses.collect::<Vec<_>>().join(", ")
        )
    };
    let rule = rules("allow a many -> app service=[\"https\",\"dns\"]");
    let holds = "a network ACL holds 20 by default and 40 at most";
    check_more("P017", &format!("{}{rule}", list(6)), &[]);
    check_more(
        "P017",
        &format!("{}{rule}", list(7)),
        &[&format!(
            "note \"a\": as a network ACL, allow `a` takes 21 inbound entries, for 7 prefixes and 3 ranges of ports; {holds}"
        )],
    );
    check_more(
        "P017",
        &format!("{}{rule}", list(14)),
        &[&format!(
            "warning \"a\": as a network ACL, allow `a` takes 42 inbound entries, for 14 prefixes and 3 ranges of ports; {holds}"
        )],
    );
    let other =
        rules("allow a app -> any to_except=\"many\" ports_except=[\"tcp/443\"] family=\"ipv4\"");
    check_more(
        "P017",
        &format!("{}{other}", list(15)),
        &[&format!(
            "note \"a\": as a network ACL, allow `a` takes 32 outbound entries, for 16 prefixes and 2 ranges of ports; {holds}"
        )],
    );
    let over = list(14).replace("cidrs", "valid_until = 2026-02-25\ncidrs");
    check_more("P017", &format!("{over}{rule}"), &[]);
    // No network ACL is at an end outside, and each family has its own ICMP.
    for lines in [
        "allow a many -> repos",
        "allow a app -> office\nallow b many -> private",
        "allow a many -> app ports=[\"icmp\",\"icmpv6\"]",
    ] {
        check_more("P017", &format!("{}{}", list(15), rules(lines)), &[]);
    }
}
