//! Where an endpoint belongs and what a rule decides: a test for each word of a rule, each step of the decision, each
//! rank, each way into a network.

use crate::twin::policy::{
    Destination, Group, Network, Rule, Service, Subnet, TwinPolicy, allow, cidrs, deny, words,
};
use crate::twin::table::{REGION, check, sample};

/// The sample with a group, destinations and a service to speak of.
fn named() -> TwinPolicy {
    let mut policy = sample();
    policy.groups = vec![Group {
        name: "vectors".to_string(),
        cidrs: cidrs("10.0.64.16/28"),
        ..Group::default()
    }];
    policy.destinations = vec![
        Destination {
            name: "office".to_string(),
            cidrs: cidrs("203.0.113.0/24 192.168.7.0/24"),
            ..Destination::default()
        },
        Destination {
            name: "store".to_string(),
            aws_services: words("S3"),
            ..Destination::default()
        },
        Destination {
            name: "repos".to_string(),
            domains: words("packages.example"),
            ..Destination::default()
        },
    ];
    policy.services = vec![Service {
        name: "https".to_string(),
        ports: words("tcp/443"),
        symmetric: false,
    }];
    policy
}

/// One connection from `client` to `server`, told by an inside interface.
#[track_caller]
fn decides(policy: &TwinPolicy, client: &str, server: &str, more: &str, expected: &str) {
    let inside = client.starts_with("10.0.") || client.starts_with("[2600");
    let (interface, direction) = if inside { ("c", "out") } else { ("s", "in") };
    let line = format!("{interface} {direction} {client} -> {server} {more} => {expected}");
    check(policy, &line);
}

/// Whether an allow with these words lets 10.0.32.5 talk to the server.
#[track_caller]
fn reaches(word: &str, server: &str, expected: &str) {
    let policy = named().with(allow("rule", "app", word));
    decides(
        &policy,
        "10.0.32.5:41000",
        &format!("{server}:443"),
        "tcp S ACCEPT",
        expected,
    );
}

// The words of a rule.

#[test]
fn any_is_every_endpoint() {
    for server in ["10.0.64.20", "10.0.200.1", "198.51.100.7", "192.168.1.1"] {
        reaches("any", server, "decision=allow");
    }
}

#[test]
fn any_tier_is_every_endpoint_in_a_tier() {
    reaches("any-tier", "10.0.64.20", "decision=allow");
    reaches("any-tier", "10.0.200.1", "decision=deny");
    reaches("any-tier", "198.51.100.7", "decision=deny");
}

#[test]
fn inside_is_every_endpoint_in_a_network() {
    reaches("inside", "10.0.64.20", "decision=allow");
    reaches(
        "inside",
        "10.0.200.1",
        "decision=allow server_tier=unassigned",
    );
    reaches("inside", "192.168.1.1", "decision=deny");
}

#[test]
fn unassigned_is_in_a_network_and_in_no_tier() {
    reaches("unassigned", "10.0.200.1", "decision=allow");
    reaches("unassigned", "10.0.64.20", "decision=deny");
    reaches("unassigned", "198.51.100.7", "decision=deny");
}

#[test]
fn same_subnet_is_the_other_ends_own() {
    let policy = sample().with(deny("apart", "app", "app").not_to("same-subnet"));
    decides(
        &policy,
        "10.0.32.5:41000",
        "10.0.32.6:443",
        "tcp S ACCEPT",
        "rule=default",
    );
    decides(
        &policy,
        "10.0.32.5:41000",
        "10.0.33.6:443",
        "tcp S ACCEPT",
        "rule=apart",
    );
}

#[test]
fn internet_is_all_that_is_outside_and_neither_private_nor_local() {
    reaches(
        "internet",
        "198.51.100.7",
        "decision=allow server_tier=internet",
    );
    reaches(
        "internet",
        "203.0.113.7",
        "decision=allow server_tier=office",
    );
    reaches("internet", "192.168.1.1", "decision=deny");
    reaches("internet", "10.0.64.20", "decision=deny");
    let policy = named().with(allow("rule", "app", "internet"));
    decides(
        &policy,
        "10.0.32.5:41000",
        "52.1.1.1:443",
        "tcp S ACCEPT svc-dst=S3",
        "decision=allow",
    );
}

#[test]
fn unlisted_is_the_internet_less_names_and_less_aws() {
    let unlisted = |service: &str, expected: &str| {
        let policy = named().with(allow("rule", "app", "unlisted"));
        let more = format!("tcp S ACCEPT svc-dst={service}");
        decides(
            &policy,
            "10.0.32.5:41000",
            "198.51.100.7:443",
            &more,
            expected,
        );
    };
    unlisted("-", "decision=allow");
    unlisted("DYNAMODB", "decision=deny server_tier=aws:DYNAMODB");
    unlisted("S3", "decision=deny server_tier=store");
    for anybodys in [
        "EC2",
        "AMAZON",
        "GLOBALACCELERATOR",
        "CLOUDFRONT",
        "API_GATEWAY",
    ] {
        unlisted(anybodys, "decision=allow");
    }
    reaches("unlisted", "203.0.113.7", "decision=deny");
    reaches("unlisted", "192.168.1.1", "decision=deny");
}

#[test]
fn private_is_private_space_outside_the_networks() {
    for server in ["192.168.1.1", "172.16.0.1", "100.64.0.1", "10.1.0.1"] {
        reaches("private", server, "decision=allow server_tier=private");
    }
    reaches("private", "10.0.64.20", "decision=deny");
    reaches("private", "198.51.100.7", "decision=deny");
    let policy = sample().with(allow("rule", "app", "private"));
    let client = "[2600:1f16:abcd:ef01::5]:41000";
    decides(
        &policy,
        client,
        "[fd00::1]:443",
        "tcp S ACCEPT",
        "decision=allow server_tier=private",
    );
}

#[test]
fn outside_is_internet_and_private() {
    reaches("outside", "198.51.100.7", "decision=allow");
    reaches("outside", "192.168.1.1", "decision=allow");
    reaches("outside", "10.0.200.1", "decision=deny");
}

#[test]
fn aws_is_a_service_by_the_records_own_field() {
    let decided = |word: &str, service: &str, expected: &str| {
        let policy = sample().with(allow("rule", "app", word));
        let more = format!("tcp S ACCEPT svc-dst={service}");
        decides(&policy, "10.0.32.5:41000", "52.1.1.1:443", &more, expected);
    };
    decided("aws:S3", "S3", "decision=allow server_tier=aws:S3");
    decided("aws:S3", "EC2", "decision=deny server_tier=aws:EC2");
    decided("aws:*", "EC2", "decision=allow");
    decided("aws:*", "-", "decision=deny server_tier=internet");
}

#[test]
fn tiers_groups_and_destinations_are_words_too() {
    reaches("data", "10.0.64.20", "decision=allow");
    reaches("data", "10.0.33.5", "decision=deny");
    reaches(
        "vectors",
        "10.0.64.20",
        "decision=allow server_groups=vectors",
    );
    reaches("vectors", "10.0.64.40", "decision=deny server_groups=-");
    reaches("office", "203.0.113.7", "decision=allow");
    reaches("office", "192.168.7.1", "decision=allow server_tier=office");
    reaches("office", "198.51.100.7", "decision=deny");
}

// Conditions of a rule.

#[test]
fn from_except_and_to_except_subtract() {
    let policy = named().with(
        allow("rule", "any-tier", "data")
            .not_from("web")
            .not_to("vectors"),
    );
    decides(
        &policy,
        "10.0.32.5:41000",
        "10.0.64.40:443",
        "tcp S ACCEPT",
        "decision=allow",
    );
    decides(
        &policy,
        "10.0.0.5:41000",
        "10.0.64.40:443",
        "tcp S ACCEPT",
        "decision=deny",
    );
    decides(
        &policy,
        "10.0.32.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        "decision=deny",
    );
}

#[test]
fn ports_in_all_their_forms() {
    let ask = |rule: Rule, port: u16, protocol: &str, expected: &str| {
        let server = format!("10.0.64.20:{port}");
        let more = format!("{protocol} - ACCEPT layout=v2 log=2");
        decides(
            &named().with(rule),
            "10.0.32.5:41000",
            &server,
            &more,
            expected,
        );
    };
    let rule = || allow("rule", "app", "data");
    ask(rule().ports("tcp/443"), 443, "tcp", "decision=allow");
    ask(rule().ports("tcp/443"), 444, "tcp", "decision=deny");
    ask(rule().ports("tcp/443"), 443, "udp", "decision=deny");
    ask(rule().ports("tcp/7000-7001"), 7001, "tcp", "decision=allow");
    ask(rule().ports("tcp/7000-7001"), 7002, "tcp", "decision=deny");
    ask(rule().ports("tcp/*"), 9, "tcp", "decision=allow");
    ask(rule().ports("tcp/*"), 9, "udp", "decision=deny");
    ask(rule().ports_except("tcp/443"), 443, "tcp", "decision=deny");
    ask(rule().ports_except("tcp/443"), 443, "udp", "decision=allow");
    ask(rule().service("https"), 443, "tcp", "decision=allow");
    ask(rule().service("https"), 22, "tcp", "decision=deny");
    ask(rule(), 22, "udp", "decision=allow");
}

#[test]
fn protocols_by_name_or_number() {
    let ask = |ports: &str, protocol: &str, expected: &str| {
        let policy = sample().with(allow("rule", "app", "data").ports(ports));
        decides(
            &policy,
            "10.0.32.5",
            "10.0.64.20",
            &format!("{protocol} - REJECT"),
            expected,
        );
    };
    ask("icmp", "icmp", "decision=allow");
    ask("gre", "47", "decision=allow");
    ask("50", "50", "decision=allow");
    ask("50", "47", "decision=deny");
}

#[test]
fn a_family_narrows_a_rule() {
    let policy = sample().with(allow("rule", "app", "data").family("ipv4"));
    decides(
        &policy,
        "10.0.32.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        "decision=allow",
    );
    let (client, server) = (
        "[2600:1f16:abcd:ef01::5]:41000",
        "[2600:1f16:abcd:ef02::20]:443",
    );
    decides(&policy, client, server, "tcp S ACCEPT", "decision=deny");
    let policy = sample().with(allow("rule", "app", "data").family("ipv6"));
    decides(&policy, client, server, "tcp S ACCEPT", "decision=allow");
}

// The steps of the decision.

#[track_caller]
fn app_to_data(policy: &TwinPolicy, expected: &str) {
    decides(
        policy,
        "10.0.32.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        expected,
    );
}

#[test]
fn a_deny_wins_over_every_allow() {
    let policy = named()
        .with(allow("yes", "app", "vectors"))
        .with(deny("no", "any", "any"));
    app_to_data(&policy, "decision=deny rule=no");
}

#[test]
fn an_allow_with_every_require_satisfied_allows() {
    let policy = sample()
        .require("env", "any-tier", "env")
        .with(allow("yes", "app", "data"));
    app_to_data(&policy, "decision=allow rule=yes");
}

#[test]
fn an_exempt_allow_needs_no_require() {
    let policy = sample()
        .require("zone", "any-tier", "az")
        .with(allow("yes", "app", "data"));
    let other_zone = |policy: &TwinPolicy, expected: &str| {
        decides(
            policy,
            "10.0.33.5:41000",
            "10.0.64.20:443",
            "tcp S ACCEPT",
            expected,
        );
    };
    other_zone(&policy, "decision=deny rule=zone");
    other_zone(
        &policy.with(allow("exempt", "any", "any").exempt("zone")),
        "decision=allow rule=exempt",
    );
}

#[test]
fn where_all_allows_fail_on_requires_the_first_by_id_decides() {
    let mut policy = sample()
        .require("b-zone", "any-tier", "az")
        .require("a-env", "any-tier", "env")
        .with(allow("yes", "app", "data"));
    policy.subnets[3].labels = vec![("env".to_string(), "dev".to_string())];
    decides(
        &policy,
        "10.0.33.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        "decision=deny rule=a-env",
    );
}

#[test]
fn a_require_applies_when_both_ends_match_one_of_its_words() {
    let policy = sample()
        .require("zone", "web data", "az")
        .with(allow("yes", "app", "data"));
    decides(
        &policy,
        "10.0.33.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        "decision=allow",
    );
    let policy = sample()
        .require("zone", "app data", "az")
        .with(allow("yes", "app", "data"));
    decides(
        &policy,
        "10.0.33.5:41000",
        "10.0.64.20:443",
        "tcp S ACCEPT",
        "rule=zone",
    );
}

#[test]
fn a_require_of_encryption_reads_the_records() {
    let mut policy = sample()
        .require("sealed", "any-tier", "")
        .with(allow("yes", "app", "data"));
    policy.requires[0].encrypted = true;
    let ask = |more: &str, expected: &str| {
        let more = format!("tcp S ACCEPT layout=v11 {more}");
        decides(
            &policy,
            "10.0.32.5:41000",
            "10.0.64.20:443",
            &more,
            expected,
        );
    };
    ask("enc=1", "decision=allow");
    ask("enc=3", "decision=allow");
    ask("enc=0", "decision=deny rule=sealed");
    ask("", "decision=unproven rule=yes");
}

#[test]
fn missing_evidence_makes_an_allow_unproven() {
    let ask = |word: &str, more: &str, expected: &str| {
        let policy = named().with(allow("rule", "app", word));
        let more = format!("tcp S ACCEPT {more}");
        decides(
            &policy,
            "10.0.32.5:41000",
            "198.51.100.7:443",
            &more,
            expected,
        );
    };
    // A domain without Resolver logs.
    ask("repos", "", "decision=unproven rule=rule verdict=unproven");
    // A service, where the record lacks the field; one that is there and `-` is evidence of none.
    ask("aws:S3", "layout=v2", "decision=unproven");
    ask("store", "layout=v2", "decision=unproven");
    ask("unlisted", "layout=v2", "decision=unproven");
    ask("aws:S3", "", "decision=deny rule=default");
}

#[test]
fn a_security_group_without_inventory_is_unproven() {
    let mut policy = sample().with(allow("rule", "app", "sg"));
    policy.groups.push(Group {
        name: "sg".to_string(),
        security_groups: words("sg-0123"),
        ..Group::default()
    });
    app_to_data(&policy, "decision=unproven rule=rule");
    decides(
        &policy,
        "10.0.32.5:41000",
        "198.51.100.7:443",
        "tcp S ACCEPT",
        "rule=default",
    );
}

#[test]
fn everything_else_is_denied_by_default() {
    app_to_data(&sample(), "decision=deny rule=default");
}

// Of several rules one names itself.

#[track_caller]
fn names_itself(rules: &[Rule], expected: &str) {
    for turn in 0..rules.len() {
        let mut policy = named();
        policy.rules = rules.to_vec();
        policy.rules.rotate_left(turn);
        app_to_data(&policy, &format!("rule={expected}"));
    }
}

#[test]
fn the_rank_of_from_comes_first() {
    names_itself(
        &[allow("b", "app", "any"), allow("a", "any-tier", "vectors")],
        "b",
    );
}

#[test]
fn then_the_rank_of_to() {
    names_itself(
        &[
            allow("d", "app", "vectors"),
            allow("c", "app", "data"),
            allow("b", "app", "inside"),
            allow("a", "app", "any"),
        ],
        "d",
    );
    names_itself(
        &[allow("c", "app", "data"), allow("b", "app", "any-tier")],
        "c",
    );
    names_itself(
        &[allow("b", "app", "inside"), allow("a", "app", "any")],
        "b",
    );
}

#[test]
fn outside_destinations_rank_before_services_and_kinds() {
    let ask = |first: &str, second: &str| {
        let policy = named()
            .with(allow("b", "app", first))
            .with(allow("a", "app", second));
        let more = "tcp S ACCEPT svc-dst=S3";
        decides(
            &policy,
            "10.0.32.5:41000",
            "203.0.113.7:443",
            more,
            "rule=b",
        );
    };
    ask("office", "aws:S3");
    ask("aws:S3", "internet");
    ask("internet", "any");
}

#[test]
fn then_the_number_of_ports_then_the_id() {
    let rule = |id: &str| allow(id, "app", "data");
    names_itself(
        &[rule("b").ports("tcp/443"), rule("a").ports("tcp/443-444")],
        "b",
    );
    names_itself(
        &[rule("b").ports("tcp/*"), rule("a").ports_except("tcp/22")],
        "b",
    );
    names_itself(&[rule("b").ports_except("tcp/22"), rule("a")], "b");
    names_itself(&[rule("b"), rule("a")], "a");
}

#[test]
fn a_list_counts_as_one_rule_per_name() {
    names_itself(
        &[
            allow("b", "any app", "any vectors"),
            allow("a", "app", "data"),
        ],
        "b",
    );
}

// Where an endpoint belongs.

/// A second network that prod is connected to, and a third with prod's addresses.
fn several() -> TwinPolicy {
    let mut policy = sample();
    for subnet in &mut policy.subnets {
        subnet.network = Some("prod".to_string());
    }
    let network = |name: &str, vpcs: &str, account: &str, prefixes: &str| Network {
        name: name.to_string(),
        vpcs: words(vpcs),
        accounts: words(account),
        regions: words(REGION),
        cidrs: cidrs(prefixes),
        connected_to: Vec::new(),
    };
    policy
        .networks
        .push(network("shared", "", "222222222222", "10.9.0.0/16"));
    policy
        .networks
        .push(network("lab", "vpc-lab", "333322221111", "10.0.0.0/16"));
    policy.networks[0].connected_to = words("shared");
    policy.subnets.push(Subnet {
        network: Some("shared".to_string()),
        tier: "shared".to_string(),
        cidrs: cidrs("10.9.0.0/24"),
        ..Subnet::default()
    });
    policy
}

#[test]
fn a_record_belongs_to_the_network_that_lists_its_vpc() {
    check(
        &several(),
        "
        a out 10.0.32.5:41000 -> 10.0.64.20:443 tcp S ACCEPT vpc=vpc-prod => network=prod client_tier=app
        b out 10.0.32.5:41000 -> 10.0.64.20:443 tcp S ACCEPT vpc=vpc-lab => network=lab client_tier=unassigned
        c out 10.9.0.5:41000 -> 10.9.0.6:443 tcp S ACCEPT vpc=vpc-x account=222222222222 => network=shared client_tier=shared
        d out 10.9.0.5:41000 -> 10.9.0.6:443 tcp S ACCEPT vpc=vpc-x => rule=out-of-scope
        ",
    );
}

#[test]
fn without_vpc_id_it_belongs_to_the_network_of_its_account_and_region() {
    check(
        &several(),
        "
        a out 10.0.32.5:41000 -> 10.0.64.20:443 tcp - ACCEPT layout=v2 => network=prod
        b out 10.0.32.5:41000 -> 10.0.64.20:443 tcp - ACCEPT layout=v2 account=333322221111 => network=lab
        c out 10.0.32.5:41000 -> 10.0.64.20:443 tcp - ACCEPT layout=v2 account=444444444444 => rule=out-of-scope
        ",
    );
}

#[test]
fn a_transit_gateway_record_goes_by_its_source_vpc_else_by_its_target() {
    check(
        &several(),
        "
        - in 10.0.32.5:41000 -> 10.0.64.20:80 tcp S - layout=tgw log=3 src-vpc=vpc-lab dst-vpc=vpc-prod => network=lab
        - in 10.0.32.6:41000 -> 10.0.64.20:80 tcp S - layout=tgw log=3 src-vpc=- dst-vpc=vpc-lab => network=lab
        - in 10.0.32.7:41000 -> 10.0.64.20:80 tcp S - layout=tgw log=3 src-vpc=vpc-x dst-vpc=vpc-lab => network=lab
        ",
    );
}

#[test]
fn an_address_is_resolved_in_its_network_then_in_those_connected() {
    check(
        &several().with(allow("over", "app", "shared")),
        "
        a out 10.0.32.5:41000 -> 10.9.0.5:443 tcp S ACCEPT => server_tier=shared rule=over
        b out 10.0.32.5:41000 -> 10.9.0.5:443 tcp S ACCEPT vpc=vpc-lab => server_tier=private
        c in 10.0.32.5:41000 -> 10.9.0.5:443 tcp S ACCEPT vpc=vpc-x account=222222222222 => client_tier=app network=shared
        ",
    );
}

#[test]
fn mapped_and_translated_addresses_are_ipv4() {
    check(
        &sample(),
        "
        a out 10.0.32.5:41000 -> [::ffff:10.0.64.20]:443 tcp S ACCEPT => server=10.0.64.20:443 server_tier=data
        b out [2600:1f16:abcd:ef01::5]:41000 -> [64:ff9b::c633:6407]:443 tcp S ACCEPT => server=198.51.100.7:443
        ",
    );
}

#[test]
fn the_longest_prefix_says_subnet_and_destination() {
    let mut policy = named();
    policy.subnets.push(Subnet {
        tier: "vault".to_string(),
        cidrs: cidrs("10.0.64.128/25"),
        ..Subnet::default()
    });
    policy.destinations.push(Destination {
        name: "annex".to_string(),
        cidrs: cidrs("203.0.113.128/25"),
        ..Destination::default()
    });
    check(
        &policy,
        "
        a out 10.0.64.129:41000 -> 203.0.113.129:443 tcp S ACCEPT => client_tier=vault server_tier=annex
        b out 10.0.64.20:41000 -> 203.0.113.1:443 tcp S ACCEPT => client_tier=data server_tier=office
        ",
    );
}

#[test]
fn an_end_has_every_service_that_any_record_of_its_connection_names() {
    check(
        &sample().with(allow("s3", "app", "aws:S3")),
        "
        a out 10.0.32.5:41000 -> 52.1.1.1:443 tcp S ACCEPT => rule=s3 server_tier=aws:S3
        a in 52.1.1.1:443 -> 10.0.32.5:41000 tcp SA ACCEPT svc-src=S3 => rule=s3
        ",
    );
}

#[test]
fn what_a_record_teaches_of_an_interface_holds_for_all_records_of_the_slot() {
    let mut policy = sample();
    let group = |name: &str| Group {
        name: name.to_string(),
        ..Group::default()
    };
    policy.groups = vec![
        Group {
            interfaces: words("eni-a"),
            ..group("by-interface")
        },
        Group {
            instances: words("i-1"),
            ..group("by-instance")
        },
        Group {
            ecs_services: words("etl"),
            ..group("by-ecs")
        },
        Group {
            interface_types: words("network_load_balancer"),
            ..group("by-type")
        },
        Group {
            tags: vec![("colour".to_string(), "blue".to_string())],
            ..group("by-tag")
        },
    ];
    check(
        &policy,
        "
        a out 10.0.32.5:41000 -> 10.0.64.20:443 tcp S ACCEPT layout=v11 log=2 => client_groups=by-ecs,by-instance,by-interface,by-tag,by-type
        a out 10.0.32.5:41001 -> 10.0.64.20:443 tcp S ACCEPT layout=v11 log=2 instance=i-1
        a out 10.0.32.5:41002 -> 10.0.64.20:443 tcp S ACCEPT layout=v11 log=2 ecs=etl
        a out 10.0.32.5:41003 -> 10.0.64.20:443 tcp S ACCEPT layout=v11 log=2 type=network_load_balancer
        a out 10.0.32.5:41004 -> 10.0.64.20:443 tcp S ACCEPT layout=v11 log=2 tag=blue
        b in 10.0.32.5:41005 -> 10.0.64.20:443 tcp S ACCEPT => client_groups=by-ecs,by-instance,by-interface,by-tag,by-type server_groups=-
        ",
    );
}
