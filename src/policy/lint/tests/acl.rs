//! Rules read as entries of a network ACL: replies that are cut, sizes.

use super::*;

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
