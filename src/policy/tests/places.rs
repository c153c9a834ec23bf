//! Where an endpoint belongs: networks, subnets, groups, zones, transit.

use super::*;

/// Scopes of networks, each with an address space of its own.
fn scopes(networks: &[&str]) -> Policy {
    let mut text = "[policy]\nid = \"TEST\"\n".to_owned();
    for (i, network) in networks.iter().enumerate() {
        text += &format!("[networks.n{i}]\ncidrs = [\"10.{i}.0.0/16\"]\n{network}\n");
    }
    parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn check_scope(
    policy: &Policy,
    vpc: Option<&str>,
    account: Option<&str>,
    region: Option<&str>,
    expected: Option<&str>,
) {
    let found = policy
        .network_of(vpc, account, region)
        .map(|network| policy.network_name(network));
    assert_eq!(found, expected, "{vpc:?} {account:?} {region:?}");
}

const ONE: Option<&str> = Some("111111111111");
const TWO: Option<&str> = Some("222222222222");
const OHIO: Option<&str> = Some("us-east-2");
const OREGON: Option<&str> = Some("us-west-2");

#[test]
fn with_a_vpc_a_record_belongs_to_the_network_that_lists_it() {
    let policy = scopes(&["vpcs = [\"vpc-a\"]", "vpcs = [\"vpc-b\", \"vpc-c\"]"]);
    check_scope(&policy, Some("vpc-a"), ONE, OHIO, Some("n0"));
    check_scope(&policy, Some("vpc-c"), None, None, Some("n1"));
    check_scope(&policy, Some("vpc-d"), ONE, OHIO, None);
}

#[test]
fn else_to_one_that_lists_no_vpcs_and_names_its_account_and_region() {
    let naming = "accounts = [\"111111111111\"]\nregions = [\"us-east-2\"]";
    let policy = scopes(&["vpcs = [\"vpc-a\"]", naming]);
    check_scope(&policy, Some("vpc-a"), ONE, OHIO, Some("n0"));
    check_scope(&policy, Some("vpc-z"), ONE, OHIO, Some("n1"));
    check_scope(&policy, Some("vpc-z"), ONE, OREGON, None);
    check_scope(&policy, Some("vpc-z"), TWO, OHIO, None);
    check_scope(&policy, Some("vpc-z"), None, OHIO, None);
}

#[test]
fn a_network_that_lists_vpcs_does_not_take_others_of_its_account() {
    let policy =
        scopes(&["vpcs = [\"vpc-a\"]\naccounts = [\"111111111111\"]\nregions = [\"us-east-2\"]"]);
    check_scope(&policy, Some("vpc-z"), ONE, OHIO, None);
}

#[test]
fn without_a_vpc_a_record_belongs_to_the_network_that_names_its_account_and_region() {
    let policy = scopes(&[
        "vpcs = [\"vpc-a\"]\naccounts = [\"111111111111\"]\nregions = [\"us-east-2\"]",
        "accounts = [\"222222222222\"]",
    ]);
    check_scope(&policy, None, ONE, OHIO, Some("n0"));
    check_scope(&policy, None, ONE, OREGON, None);
    check_scope(&policy, None, TWO, OREGON, Some("n1"));
    check_scope(&policy, None, None, None, None);
}

#[test]
fn else_to_the_only_network_if_that_names_no_accounts() {
    check_scope(
        &scopes(&["vpcs = [\"vpc-a\"]"]),
        None,
        ONE,
        OHIO,
        Some("n0"),
    );
    check_scope(&scopes(&[""]), None, None, None, Some("n0"));
    check_scope(
        &scopes(&["accounts = [\"222222222222\"]"]),
        None,
        ONE,
        OHIO,
        None,
    );
    check_scope(&scopes(&["", ""]), None, ONE, OHIO, None);
}

#[test]
fn a_record_without_a_vpc_that_two_networks_could_claim_belongs_to_neither() {
    let both = "accounts = [\"111111111111\"]";
    let policy = scopes(&[
        &format!("vpcs = [\"vpc-a\"]\n{both}"),
        &format!("vpcs = [\"vpc-b\"]\n{both}"),
    ]);
    check_scope(&policy, None, ONE, OHIO, None);
}

/// Two networks with the same addresses, and a third that the first is connected to.
const THREE: &str = r#"
[policy]
id = "TEST"
[networks.a-prod]
vpcs = ["vpc-a"]
cidrs = ["10.0.0.0/16"]
connected_to = ["c-shared"]
[networks.b-twin]
vpcs = ["vpc-b"]
cidrs = ["10.0.0.0/16", "10.9.0.0/16"]
[networks.c-shared]
vpcs = ["vpc-c"]
cidrs = ["10.9.0.0/24", "10.0.0.0/8"]
[[subnets]]
network = "a-prod"
tier = "app"
cidrs = ["10.0.0.0/17"]
[[subnets]]
network = "b-twin"
tier = "twin"
cidrs = ["10.0.0.0/17"]
[[subnets]]
network = "c-shared"
tier = "shared"
cidrs = ["10.0.0.0/16", "10.9.0.0/25"]
[groups.g]
network = "c-shared"
cidrs = ["10.0.0.0/16", "10.9.0.0/25"]
"#;

#[test]
fn an_address_is_resolved_in_its_network_then_in_those_connected_then_outside() {
    let policy = parse(THREE).unwrap_or_else(|errors| panic!("{errors}"));
    let check = |network: u16, addr: &str, expected_home: Option<&str>, expected_zone: &str| {
        let place = policy.place(NetworkId(network), addr.parse().expect("an address"), 0);
        let end = End {
            home: place.home,
            class: place.class,
            groups: &[],
            known: Known::default(),
            services: 0,
            services_known: false,
            domains: Default::default(),
        };
        assert_eq!(
            place.home.map(|home| policy.network_name(home)),
            expected_home,
            "{addr} from {network}"
        );
        assert_eq!(
            policy.zone_name(policy.zone(&end)),
            expected_zone,
            "{addr} from {network}"
        );
    };
    // The own network comes first, even where a connected one has a longer prefix for the same address.
    check(0, "10.0.0.1", Some("a-prod"), "app");
    check(0, "10.0.200.1", Some("a-prod"), "unassigned");
    check(1, "10.0.0.1", Some("b-twin"), "twin");
    check(2, "10.0.0.1", Some("c-shared"), "shared");
    check(0, "10.9.0.1", Some("c-shared"), "shared");
    check(0, "10.9.0.129", Some("c-shared"), "unassigned");
    // Connections hold both ways, but do not carry on: b-twin is connected to nothing.
    check(2, "10.9.0.1", Some("c-shared"), "shared");
    check(1, "10.9.0.1", Some("b-twin"), "unassigned");
    check(1, "10.77.0.1", None, "private");
    check(0, "8.8.8.8", None, "internet");
    // Groups are inside their network only.
    let groups = |network, addr: &str| {
        policy
            .groups_of(
                policy
                    .place(NetworkId(network), addr.parse().expect("an address"), 0)
                    .class,
            )
            .len()
    };
    assert_eq!(
        (
            groups(0, "10.0.0.1"),
            groups(2, "10.0.0.1"),
            groups(0, "10.9.0.1")
        ),
        (0, 1, 1)
    );
}

#[test]
fn connections_hold_both_ways() {
    let text = "[policy]\nid = \"T\"\n[networks.a]\ncidrs = [\"10.0.0.0/16\"]\nconnected_to = [\"b\"]\n[networks.b]\ncidrs = [\"10.1.0.0/16\"]\n";
    let policy = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    let home = |network, addr: &str| {
        policy
            .place(NetworkId(network), addr.parse().expect("an address"), 0)
            .home
    };
    assert_eq!(home(0, "10.1.0.1"), Some(NetworkId(1)));
    assert_eq!(home(1, "10.0.0.1"), Some(NetworkId(0)));
}

#[test]
fn the_longest_subnet_holds_an_address() {
    let policy = base("[[subnets]]\ntier = \"inner\"\ncidrs = [\"10.0.34.0/24\"]\n");
    assert_eq!(zone_of(&policy, "10.0.34.1", None), "inner");
    assert_eq!(zone_of(&policy, "10.0.35.1", None), "app");
    let subnet = |addr: &str| {
        policy.subnet_of(
            policy
                .place(NetworkId(0), addr.parse().expect("an address"), 0)
                .class,
        )
    };
    assert_eq!(subnet("10.0.35.1"), subnet("2600:1f16:abcd:ef01::1"));
    assert_ne!(subnet("10.0.64.1"), subnet("10.0.80.1"));
    assert_eq!(subnet("10.0.200.1"), None);
}

#[test]
fn mapped_and_nat64_addresses_are_the_ipv4_address_inside() {
    let policy = base("");
    assert_eq!(zone_of(&policy, "::ffff:10.0.32.1", None), "app");
    assert_eq!(zone_of(&policy, "64:ff9b::198.51.100.1", None), "repos");
}

const RANGES: &str = r#"{"prefixes":[
    {"ip_prefix":"52.216.0.0/15","region":"us-east-1","service":"S3"},
    {"ip_prefix":"52.216.0.0/15","region":"us-east-1","service":"AMAZON"},
    {"ip_prefix":"52.0.0.0/8","region":"us-east-1","service":"EC2"},
    {"ip_prefix":"52.217.0.0/16","region":"us-east-1","service":"AMAZON"}]}"#;

#[test]
fn the_zone_is_the_first_of_its_list_that_fits() {
    let more = "[data]\nip_ranges = \"r\"\n[destinations.wide]\ncidrs = [\"198.51.0.0/16\"]\n[destinations.a-twin]\ncidrs = [\"198.51.100.0/24\"]\n";
    let policy = base_with(more, &[("r", RANGES)]);
    for (addr, expected) in [
        ("10.0.32.1", "app"),
        ("10.0.200.1", "unassigned"),
        ("198.51.7.1", "wide"),
        // Longest first, of equal ones the first by name.
        ("198.51.100.1", "a-twin"),
        ("172.20.0.1", "office"),
        ("52.1.0.1", "aws:EC2"),
        ("52.216.0.1", "aws:S3"),
        // The longest range wins, even if it is AMAZON's.
        ("52.217.0.1", "aws:AMAZON"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "local"),
        ("224.0.0.1", "local"),
        ("127.0.0.1", "local"),
        ("255.255.255.255", "local"),
        ("fe80::1", "local"),
        ("8.8.8.8", "internet"),
        ("2001:4860::1", "internet"),
    ] {
        assert_eq!(zone_of(&policy, addr, None), expected, "{addr}");
    }
}

#[test]
fn the_records_own_service_names_the_zone_and_amazon_and_ec2_are_refined_by_ranges() {
    let policy = base("[destinations.store]\naws_services = [\"DYNAMODB\"]\n");
    assert_eq!(zone_of(&policy, "52.216.0.1", Some("S3")), "aws:S3");
    assert_eq!(zone_of(&policy, "52.216.0.1", Some("EC2")), "aws:EC2");
    assert_eq!(zone_of(&policy, "52.216.0.1", Some("DYNAMODB")), "store");
    assert_eq!(
        zone_of(&policy, "52.216.0.1", Some("NEW_SERVICE")),
        "aws:other"
    );
    assert_eq!(zone_of(&policy, "52.216.0.1", Some("-")), "internet");
    assert_eq!(zone_of(&policy, "198.51.100.1", Some("S3")), "repos");
    // An address inside is the network's own, whatever AWS says of its range.
    assert_eq!(zone_of(&policy, "10.0.32.1", Some("EC2")), "app");
    let pinned = base_with("[data]\nip_ranges = \"r\"\n", &[("r", RANGES)]);
    assert_eq!(zone_of(&pinned, "52.216.0.1", Some("AMAZON")), "aws:S3");
    assert_eq!(zone_of(&pinned, "52.216.0.1", Some("EC2")), "aws:S3");
    assert_eq!(zone_of(&pinned, "52.1.0.1", Some("AMAZON")), "aws:EC2");
    assert_eq!(
        zone_of(&pinned, "52.1.0.1", Some("DYNAMODB")),
        "aws:DYNAMODB"
    );
}

#[test]
fn zones_have_kinds_and_tiers_have_criticality() {
    let policy =
        base("[tiers.data]\ncriticality = \"high\"\n[tiers.audit]\ncriticality = \"low\"\n");
    let kind = |addr: &str, service| {
        let name = zone_of(&policy, addr, service);
        let zone = (0..u16::MAX)
            .map(ZoneId)
            .find(|zone| policy.zone_name(*zone) == name)
            .expect("a zone");
        (policy.zone_kind(zone), policy.criticality(zone))
    };
    use {Criticality::*, ZoneKind::*};
    assert_eq!(kind("10.0.64.1", None), (Tier, High));
    assert_eq!(kind("10.0.32.1", None), (Tier, Medium));
    assert_eq!(kind("10.0.200.1", None), (Unassigned, Medium));
    assert_eq!(kind("198.51.100.1", None), (Destination, Medium));
    assert_eq!(kind("52.216.0.1", Some("S3")), (Aws, Medium));
    assert_eq!(kind("192.168.0.1", None), (Private, Medium));
    assert_eq!(kind("169.254.0.1", None), (Local, Medium));
    assert_eq!(kind("8.8.8.8", None), (Internet, Medium));
}

#[test]
fn tiers_come_in_the_order_of_the_file() {
    let policy = base("[tiers.audit]\n");
    assert_eq!(policy.tiers(), ["public", "app", "data", "bare", "audit"]);
}

/// The groups that facts put an interface in.
fn check_facts(group: &str, facts: InterfaceFacts<'_>, expected: bool) {
    let policy = base(&format!("[groups.g]\n{group}\n"));
    let groups = policy.groups_by_facts(NetworkId(0), &facts);
    assert_eq!(groups == [group_id(&policy, "g")], expected, "{group}");
    assert!(policy.has_groups_by_facts());
}

#[test]
fn groups_by_interface_fields() {
    let none = InterfaceFacts::default();
    check_facts(
        "interfaces = [\"eni-1\", \"eni-2\"]",
        InterfaceFacts {
            interface: Some("eni-2"),
            ..none
        },
        true,
    );
    check_facts(
        "interfaces = [\"eni-1\"]",
        InterfaceFacts {
            interface: Some("eni-2"),
            ..none
        },
        false,
    );
    check_facts(
        "instances = [\"i-1\"]",
        InterfaceFacts {
            instance: Some("i-1"),
            ..none
        },
        true,
    );
    check_facts(
        "interface_types = [\"nat_gateway\"]",
        InterfaceFacts {
            interface_type: Some("nat_gateway"),
            ..none
        },
        true,
    );
    check_facts(
        "ecs_services = [\"etl\"]",
        InterfaceFacts {
            ecs_service: Some("etl"),
            ..none
        },
        true,
    );
    check_facts(
        "ecs_services = [\"etl\"]",
        InterfaceFacts {
            ecs_service: Some("vector"),
            ..none
        },
        false,
    );
}

#[test]
fn groups_by_tags_want_all_values_among_those_of_the_record() {
    let tags = |values: &[&'static str]| {
        let mut tags = [None; 6];
        for (tag, value) in tags.iter_mut().zip(values) {
            *tag = Some(*value);
        }
        InterfaceFacts {
            tags,
            ..InterfaceFacts::default()
        }
    };
    let group = "tags = { service = \"etl\", stage = \"prod\" }";
    check_facts(group, tags(&["prod", "x", "etl"]), true);
    check_facts(group, tags(&["etl"]), false);
    check_facts(group, tags(&[]), false);
}

#[test]
fn a_group_of_prefixes_alone_asks_for_no_facts() {
    let policy = base("");
    assert!(!policy.has_groups_by_facts());
    assert!(
        policy
            .groups_by_facts(
                NetworkId(0),
                &InterfaceFacts {
                    interface: Some("eni-1"),
                    ..InterfaceFacts::default()
                }
            )
            .is_empty()
    );
}

#[test]
fn transit_lists_addresses_prefixes_and_interfaces() {
    let policy = base("[transit]\nnat = [\"10.0.0.220\", \"10.0.1.0/28\", \"eni-0abc\"]\n");
    let addr = |text: &str| Some(text.parse().expect("an address"));
    assert!(policy.is_transit(addr("10.0.0.220"), None));
    assert!(policy.is_transit(addr("10.0.1.15"), None));
    assert!(!policy.is_transit(addr("10.0.1.16"), Some("eni-1")));
    assert!(policy.is_transit(None, Some("eni-0abc")));
    assert!(!policy.is_transit(None, None));
}

#[test]
fn destinations_and_services_are_outside_only() {
    let more = format!(
        "[destinations.ten]\ncidrs = [\"10.0.0.0/8\"]\n{}",
        rules("allow d any -> ten\nallow s any -> aws:*")
    );
    let policy = base(&more);
    check_of(
        &policy,
        "10.0.32.1 -> 10.0.64.1:1 tcp server-service=EC2",
        "deny default",
    );
    check_of(&policy, "10.0.32.1 -> 10.1.64.1:1 tcp", "allow d");
}
