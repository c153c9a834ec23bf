//! What drifts apart, held against asking about every connection one by one.

use proptest::prelude::*;

use super::*;
use crate::config::made::{
    ADDRS, SUBNETS, VPCS, acl, addr, config, configs, entry, group, interface, prefix, rule,
};
use crate::config::permit::Connection;
use crate::config::{Direction, Peer};
use crate::judge::{Confidence, EdgeRow, Inside, Orientation, Outcome, Verdict};
use crate::net::protocol;

use Direction::{Egress, Ingress};

const AT: u32 = 1_780_000_000;

fn policy(text: &str) -> Policy {
    Policy::parse(
        "p.toml",
        text,
        &|_| Err(std::io::ErrorKind::NotFound.into()),
    )
    .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The networks of the configurations of [`crate::config::made`], with their subnets in tiers.
const GROUND: &str = r#"
[policy]
id = "P"
[networks.one]
vpcs = ["vpc-1"]
cidrs = ["10.1.0.0/24"]
connected_to = ["two"]
[networks.two]
vpcs = ["vpc-2"]
cidrs = ["10.2.0.0/24"]
[[subnets]]
network = "one"
tier = "app"
az = "a"
cidrs = ["10.1.0.0/26"]
[[subnets]]
network = "one"
tier = "data"
az = "b"
cidrs = ["10.1.0.64/26"]
[[subnets]]
network = "two"
tier = "app"
az = "b"
cidrs = ["10.2.0.0/26"]
[groups.low]
network = "one"
cidrs = ["10.1.0.0/28"]
[destinations.office]
cidrs = ["192.0.2.0/24"]
[destinations.vendor]
domains = ["vendor.example"]
"#;

const NAMES: [&str; 9] = [
    "app", "data", "low", "office", "vendor", "internet", "private", "any-tier", "any",
];
const PORTS: [&str; 6] = [
    "",
    "ports = [\"tcp/443\"]",
    "ports = [\"tcp/0-1023\", \"udp/53\"]",
    "ports = [\"icmp\"]",
    "ports_except = [\"tcp/443\", \"icmp\"]",
    "ports = [\"tcp/1024-65535\", \"50\"]",
];

/// Policies of up to six rules: whether it allows, from, to, ports, whether `same-subnet` is excepted; and whether zones must be
/// shared.
fn policies() -> impl Strategy<Value = String> {
    let rule = (
        any::<bool>(),
        0..NAMES.len(),
        0..NAMES.len(),
        0..PORTS.len(),
        any::<bool>(),
    );
    (prop::collection::vec(rule, 0..7), any::<bool>()).prop_map(|(rules, same_az)| {
        let mut text = GROUND.to_owned();
        for (number, (is_allow, from, to, ports, except)) in rules.into_iter().enumerate() {
            // A deny goes by what addresses tell.
            let is_allow = is_allow || NAMES[from] == "vendor" || NAMES[to] == "vendor";
            let kind = if is_allow { "allow" } else { "deny" };
            let except = if except {
                "to_except = [\"same-subnet\"]\n"
            } else {
                ""
            };
            text += &format!(
                "[[{kind}]]\nid = \"r{number}\"\nfrom = \"{}\"\nto = \"{}\"\n{}\n{except}",
                NAMES[from], NAMES[to], PORTS[ports]
            );
        }
        if same_az {
            text += "[[require]]\nid = \"az\"\nbetween = \"any-tier\"\nsame = [\"az\"]\n";
        }
        text
    })
}

/// What a connection is to the two, asked about it alone; none if it is not asked about, or they agree.
fn slow(policy: &Policy, config: &Config, asked: &Connection) -> Option<GapKind> {
    let is_inside = |at: Addr| VPCS.iter().any(|(_, cidr)| prefix(cidr).contains(at));
    let has_subnet = |at: Addr| SUBNETS.iter().any(|(.., cidr)| prefix(cidr).contains(at));
    let has_interface = |at: Addr| {
        let mut addrs = config.interfaces.iter().flat_map(|one| &one.addrs);
        addrs.any(|own| own.contains(at))
    };
    // All interfaces of a VPC are known only if one is.
    let is_known = |at: Addr| {
        let vpc = VPCS.iter().find(|(_, cidr)| prefix(cidr).contains(at));
        let mut interfaces = config.interfaces.iter();
        let id = vpc.map(|(id, _)| *id);
        config.has_all_interfaces && interfaces.any(|one| one.vpc.as_deref() == id)
    };
    let is_end =
        |at: Addr| !is_inside(at) || has_interface(at) || (!is_known(at) && has_subnet(at));
    let Connection { client, server, .. } = *asked;
    let is_asked = client != server
        && client.is_v4() == server.is_v4()
        && (is_inside(client) || is_inside(server))
        && is_end(client)
        && is_end(server);
    if !is_asked {
        return None;
    }
    let answer = policy
        .decide_by_addr(
            client,
            server,
            asked.protocol,
            asked.server_port,
            i64::from(AT),
        )
        .answer;
    let permit = Permits::new(config).ask(asked);
    let (request, reply) = (permit.request(), permit.reply());
    let passes = matches!(request, Through::All | Through::Part);
    let waits = matches!(asked.protocol, 6 | 33 | 132);
    if answer == Answer::Unproven {
        return Some(GapKind::CannotTell);
    }
    if answer == Answer::Deny && waits && reply == Through::Nothing {
        return None;
    }
    if request == Through::Unknown {
        return Some(GapKind::CannotTell);
    }
    let is_cut = match reply {
        Through::All => false,
        Through::Part => !protocol::is_icmp(asked.protocol),
        Through::Nothing => true,
        // Where no request is known to come through, nothing of a reply matters.
        Through::Unknown => {
            return (passes && (answer == Answer::Allow || waits)).then_some(GapKind::CannotTell);
        }
    };
    match (answer, passes) {
        (Answer::Deny, true) => Some(GapKind::Open),
        (Answer::Allow, false) => Some(GapKind::Closed),
        (Answer::Allow, true) if is_cut => Some(GapKind::ReplyCut),
        _ => None,
    }
}

fn holds(side: &Side<'_>, at: Addr) -> bool {
    side.ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&at))
}

/// The kinds of all parts that hold a connection.
fn found(drift: &Drift<'_>, asked: &Connection) -> Vec<GapKind> {
    let mut kinds = Vec::new();
    for gap in &drift.gaps {
        for part in &gap.parts {
            let is_held = part.ports.contains(asked.protocol, asked.server_port)
                && holds(&part.client, asked.client)
                && holds(&part.server, asked.server);
            kinds.extend(is_held.then_some(gap.kind));
        }
    }
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn gaps_are_what_asking_about_every_connection_finds(
        text in policies(),
        config in configs(),
        has_all in any::<bool>(),
    ) {
        let policy = policy(&text);
        let config = Config { has_all_interfaces: has_all, ..config };
        let permits = Permits::new(&config);
        let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
        // Further ones: nobody's of a subnet, of no subnet, and IPv6.
        let more = ["10.1.0.33", "10.1.0.200", "2001:db8::1"];
        let ends: Vec<Addr> = ADDRS.into_iter().chain(more).map(addr).collect();
        let asked = [(6, 443), (6, 22), (6, 444), (6, 1023), (6, 1024), (6, 40000), (17, 53), (17, 54), (1, 0), (50, 0), (47, 0)];
        for client in &ends {
            for server in &ends {
                for (protocol, server_port) in asked {
                    let asked = Connection { client: *client, server: *server, protocol, server_port };
                    let expected: Vec<GapKind> = slow(&policy, &config, &asked).into_iter().collect();
                    if client != server {
                        prop_assert_eq!(found(&drift, &asked), expected, "{:?}\n{}", asked, text);
                    }
                }
            }
        }
        for part in drift.gaps.iter().flat_map(|gap| &gap.parts) {
            let Example { client, server, protocol, server_port } = part.example;
            let asked = Connection { client, server, protocol, server_port };
            prop_assert!(slow(&policy, &config, &asked).is_some(), "{:?}", asked);
        }
    }
}

/// A gap on a line, its parts on lines below with what stands for it.
fn told(policy: &Policy, drift: &Drift<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for gap in &drift.gaps {
        let [client, server] = gap.zones.map(|zone| policy.zone_name(zone));
        let rule = &policy.rule(gap.rule).id;
        lines.push(format!(
            "{} {client} -> {server} by {rule}",
            gap.kind.as_str()
        ));
        for part in &gap.parts {
            lines.push(format!("  {} {}", part.ports, part.example.flow()));
            lines.extend(part.causes.iter().map(|cause| {
                let what: Vec<String> = match &cause.lets {
                    Lets::Yes(by) => by.iter().map(ToString::to_string).collect(),
                    Lets::No(by) => vec![format!("NO {by}")],
                    Lets::Unknown(why) => why.iter().map(|why| format!("? {why}")).collect(),
                };
                let ports = cause.ports.map(|(first, last)| format!(" {first}-{last}"));
                let ports = ports.unwrap_or_default();
                format!("    {:?}{ports} {}", cause.step, what.join(" | "))
            }));
        }
    }
    lines
}

fn check(text: &str, config: &Config, expected: &[&str]) {
    let policy = policy(text);
    let permits = Permits::new(config);
    let (drift, _) = drift(&policy, config, &permits, AT).expect("few ends");
    let found = told(&policy, &drift);
    assert_eq!(found, expected);
}

/// A web server that everybody may reach by SSH, and a database that nobody may.
fn small() -> Config {
    config(
        vec![
            group(
                "sg-db",
                "vpc-1",
                vec![rule(Ingress, "tcp/5432", "10.1.0.0/28")],
            ),
            group(
                "sg-web",
                "vpc-1",
                vec![
                    rule(Ingress, "tcp/443", "0.0.0.0/0"),
                    rule(Ingress, "tcp/22", "0.0.0.0/0"),
                    rule(Egress, "tcp/5432", "sg-db"),
                ],
            ),
        ],
        vec![acl(
            "acl-b",
            &["subnet-b"],
            vec![
                entry(Ingress, 100, true, "any", "0.0.0.0/0"),
                entry(Egress, 100, true, "tcp/32768-60999", "0.0.0.0/0"),
            ],
        )],
        vec![
            interface(1, "subnet-a", "10.1.0.5", &["sg-web"]),
            interface(2, "subnet-a", "10.1.0.6", &["sg-web"]),
            interface(3, "subnet-b", "10.1.0.70", &["sg-db"]),
        ],
    )
}

#[test]
fn each_gap_names_the_rule_and_what_stands_for_it() {
    let text = format!(
        "{GROUND}{}",
        r#"
[[allow]]
id = "web"
from = "any"
to = "app"
ports = ["tcp/443"]
[[allow]]
id = "admin"
from = "office"
to = "data"
ports = ["tcp/22"]
[[allow]]
id = "db"
from = "app"
to = "data"
ports = ["tcp/5432"]
"#
    );
    let mut config = small();
    config.vpcs.truncate(1);
    config.subnets.truncate(2);
    check(
        &text,
        &config,
        &[
            "open internet -> app by default",
            "  tcp/22 1.0.0.0 -> 10.1.0.5:22 tcp",
            "    ServerGroups sg-web: in tcp/22 from 0.0.0.0/0",
            "open private -> app by default",
            "  tcp/22 10.0.0.0 -> 10.1.0.5:22 tcp",
            "    ServerGroups sg-web: in tcp/22 from 0.0.0.0/0",
            "open office -> app by default",
            "  tcp/22 192.0.2.0 -> 10.1.0.5:22 tcp",
            "    ServerGroups sg-web: in tcp/22 from 0.0.0.0/0",
            "closed office -> data by admin",
            "  tcp/22 192.0.2.0 -> 10.1.0.70:22 tcp",
            "    ServerGroups NO sg-db: no rule lets it in",
            "closed data -> app by web",
            "  tcp/443 10.1.0.70 -> 10.1.0.5:443 tcp",
            "    ClientGroups NO sg-db: no rule lets it out",
            "    ClientAcl NO acl-b: outbound entry *, deny what no other matches",
            "closed app -> app by web",
            "  tcp/443 10.1.0.5 -> 10.1.0.6:443 tcp",
            "    ClientGroups NO sg-web: no rule lets it out",
            "reply-cut app -> data by db",
            "  tcp/5432 10.1.0.5 -> 10.1.0.70:5432 tcp",
            "    ServerAclReply 1024-32767 NO acl-b: outbound entry *, deny what no other matches",
            "    ServerAclReply 61000-65535 NO acl-b: outbound entry *, deny what no other matches",
        ],
    );
}

#[test]
fn verdicts_are_those_of_the_table() {
    use Answer::{Allow, Deny, Unproven};
    use GapKind::{CannotTell, Closed, Open, ReplyCut};
    use Through::{All, Nothing, Part, Unknown};
    let rows = [
        (Allow, All, All, 6, None),
        (Allow, All, Part, 6, Some(ReplyCut)),
        (Allow, All, Nothing, 17, Some(ReplyCut)),
        (Allow, Part, Part, 1, None),
        (Allow, Part, Nothing, 1, Some(ReplyCut)),
        (Allow, All, Unknown, 6, Some(CannotTell)),
        (Allow, Nothing, All, 6, Some(Closed)),
        (Allow, Unknown, Nothing, 6, Some(CannotTell)),
        (Deny, Nothing, All, 6, None),
        (Deny, All, All, 6, Some(Open)),
        (Deny, All, Part, 6, Some(Open)),
        (Deny, All, Nothing, 6, None),
        (Deny, All, Nothing, 17, Some(Open)),
        (Deny, All, Unknown, 17, Some(Open)),
        (Deny, All, Unknown, 6, Some(CannotTell)),
        (Deny, Unknown, All, 6, Some(CannotTell)),
        (Deny, Unknown, Nothing, 132, None),
        (Unproven, Nothing, Nothing, 6, Some(CannotTell)),
    ];
    for (answer, request, reply, number, expected) in rows {
        assert_eq!(
            verdict::gap(answer, request, reply, number),
            expected,
            "{answer:?} {request:?} {reply:?} {number}"
        );
    }
}

#[test]
fn what_is_not_compared_is_told() {
    let mut config = small();
    config.vpcs[1].id = "vpc-9".to_owned();
    let mut nat = interface(9, "subnet-a", "10.1.0.9", &[]);
    nat.kind = Some("nat_gateway".to_owned());
    config.interfaces.push(nat);
    let policy = policy(GROUND);
    let permits = Permits::new(&config);
    let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
    let aside = &drift.aside;
    assert_eq!(aside.unlisted_vpcs, ["vpc-9"]);
    assert_eq!(aside.missing_networks, ["two"]);
    assert_eq!(aside.carriers, ["eni-9"]);
    assert_eq!(aside.without_acl, ["subnet-a"]);
    assert!(aside.partly_known.is_empty() && aside.strays.is_empty());
    let is_told = |at: Addr| {
        let parts = drift.gaps.iter().flat_map(|gap| &gap.parts);
        parts
            .clone()
            .any(|part| holds(&part.client, at) || holds(&part.server, at))
    };
    assert!(is_told(addr("10.1.0.5")) && !is_told(addr("10.1.0.9")));
}

#[test]
fn groups_by_facts_of_interfaces_count() {
    let text = GROUND.replace(
        "[destinations.office]",
        "[groups.first]\ninterfaces = [\"eni-1\"]\n[destinations.office]",
    );
    let rule = "[[allow]]\nid = \"ssh\"\nfrom = \"any\"\nto = \"first\"\nports = [\"tcp/22\"]\n";
    let policy = policy(&format!("{text}{rule}"));
    let config = small();
    let permits = Permits::new(&config);
    let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
    let kinds = |server: &str| {
        let asked = Connection {
            client: addr("192.0.2.1"),
            server: addr(server),
            protocol: 6,
            server_port: 22,
        };
        found(&drift, &asked)
    };
    assert_eq!(kinds("10.1.0.5"), []);
    assert_eq!(kinds("10.1.0.6"), [GapKind::Open]);
}

/// What there is between somebody outside and these two, on tcp/22.
fn kinds_of_ssh(policy: &Policy, config: &Config) -> [Vec<GapKind>; 2] {
    let permits = Permits::new(config);
    let (drift, _) = drift(policy, config, &permits, AT).expect("few ends");
    ["10.1.0.5", "10.1.0.6"].map(|server| {
        let asked = Connection {
            client: addr("192.0.2.1"),
            server: addr(server),
            protocol: 6,
            server_port: 22,
        };
        found(&drift, &asked)
    })
}

#[test]
fn groups_by_an_inventory_count() {
    let groups = "[groups.held]\nnetwork = \"one\"\nsecurity_groups = [\"sg-held\"]\n[data]\ninventory = [\"enis.json\"]\n[destinations.office]";
    let text = GROUND.replace("[destinations.office]", groups)
        + "[[deny]]\nid = \"held\"\nfrom = \"any\"\nto = \"held\"\n[[allow]]\nid = \"ssh\"\nfrom = \"any\"\nto = \"app\"\nports = [\"tcp/22\"]\n";
    let enis = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-a", "InterfaceType": "interface",
        "PrivateIpAddress": "10.1.0.5", "PrivateIpAddresses": [{"PrivateIpAddress": "10.1.0.5"}], "Groups": [{"GroupId": "sg-held"}], "TagSet": []}]}"#;
    let policy = Policy::parse("p.toml", &text, &|_| Ok(enis.as_bytes().to_vec()))
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        kinds_of_ssh(&policy, &small()),
        [vec![GapKind::Open], vec![]]
    );
}

#[test]
fn groups_by_tags_go_by_key_and_value() {
    let groups =
        "[groups.api]\nnetwork = \"one\"\ntags = { service = \"api\" }\n[destinations.office]";
    let text = GROUND.replace("[destinations.office]", groups)
        + "[[allow]]\nid = \"ssh\"\nfrom = \"any\"\nto = \"api\"\nports = [\"tcp/22\"]\n";
    let mut config = small();
    let others = (0..7).map(|number| (format!("a{number}"), String::new()));
    config.interfaces[0].tags = others
        .chain([("service".to_owned(), "api".to_owned())])
        .collect();
    config.interfaces[1].tags = [("owner".to_owned(), "api".to_owned())].into();
    assert_eq!(
        kinds_of_ssh(&policy(&text), &config),
        [vec![], vec![GapKind::CannotTell]]
    );
}

#[test]
fn a_network_sees_of_others_what_it_is_connected_to() {
    let mut config = small();
    config.groups[0].rules[0].peer = Peer::Cidr(prefix("10.0.0.0/8"));
    config
        .interfaces
        .push(interface(5, "subnet-c", "10.2.0.5", &["sg-c"]));
    config.groups.push(group("sg-c", "vpc-2", Vec::new()));
    config.groups.sort_by(|a, b| a.id.cmp(&b.id));
    let asked = Connection {
        client: addr("10.2.0.5"),
        server: addr("10.1.0.70"),
        protocol: 6,
        server_port: 5432,
    };
    let told = |text: &str| {
        let policy = policy(text);
        let permits = Permits::new(&config);
        let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
        found(&drift, &asked)
    };
    // The client's own group lets nothing out; where the networks are not connected, nothing is known of it.
    assert_eq!(told(GROUND), []);
    assert_eq!(
        told(&GROUND.replace("connected_to = [\"two\"]\n", "")),
        [GapKind::Open]
    );
}

#[test]
fn who_carries_a_group_in_a_vpc_that_is_not_seen_may_be_meant() {
    let mut config = small();
    config.groups[0].rules[0].peer = Peer::Group("sg-c".to_owned());
    config
        .interfaces
        .push(interface(5, "subnet-c", "10.2.0.5", &["sg-c"]));
    config.groups.push(group("sg-c", "vpc-2", Vec::new()));
    config.groups.sort_by(|a, b| a.id.cmp(&b.id));
    let policy = policy(&GROUND.replace("connected_to = [\"two\"]\n", ""));
    let permits = Permits::new(&config);
    let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
    let kinds = |client: &str| {
        let asked = Connection {
            client: addr(client),
            server: addr("10.1.0.70"),
            protocol: 6,
            server_port: 5432,
        };
        found(&drift, &asked)
    };
    assert_eq!(kinds("10.2.0.5"), [GapKind::CannotTell]);
    assert_eq!(kinds("10.2.0.6"), []);
}

/// So many groups, each on ten interfaces in three of twelve subnets, that take requests from two others and let everything out.
fn large(num_groups: usize) -> Config {
    let groups = (0..num_groups).map(|number| {
        let from = [number + 1, number + 7].map(|other| format!("sg-{:04}", other % num_groups));
        let mut rules = vec![rule(Egress, "any", "0.0.0.0/0")];
        rules.extend(from.iter().map(|from| rule(Ingress, "tcp/443", from)));
        group(&format!("sg-{number:04}"), "vpc-1", rules)
    });
    let subnet = |at: usize| format!("10.1.{}.0/20", at * 16);
    let interfaces = (0..num_groups * 10).map(|number| {
        let (group, place) = (number / 10, (number / 10 * 3 + number % 3) % 12);
        let own = format!("10.1.{}.{}", place * 16 + number / 250, number % 250 + 1);
        crate::config::Interface {
            subnet: Some(format!("subnet-{place:02}")),
            ..interface(number, "subnet-a", &own, &[&format!("sg-{group:04}")])
        }
    });
    let mut config = config(groups.collect(), Vec::new(), interfaces.collect());
    config.vpcs.truncate(1);
    config.vpcs[0].cidrs = vec![prefix("10.1.0.0/16")];
    let subnets = (0..12).map(|at| crate::config::Subnet {
        id: format!("subnet-{at:02}"),
        vpc: Some("vpc-1".to_owned()),
        cidrs: vec![prefix(&subnet(at))],
        ..Default::default()
    });
    config.subnets = subnets.collect();
    config
}

#[test]
fn many_interfaces_are_few_ends() {
    let text = r#"
[policy]
id = "P"
[networks.one]
vpcs = ["vpc-1"]
cidrs = ["10.1.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.1.0.0/17"]
[[subnets]]
tier = "data"
cidrs = ["10.1.128.0/17"]
[[allow]]
id = "out"
from = "any-tier"
to = "internet"
ports = ["tcp/443"]
"#;
    let policy = policy(text);
    let (num_groups, num_subnets) = (60, 3);
    let config = large(num_groups);
    let permits = Permits::new(&config);
    let (drift, _) = drift(&policy, &config, &permits, AT).expect("few ends");
    // What of the outside is told apart: private, the internet, each of both families.
    let num_ends = (num_groups * num_subnets + 4) as u64;
    assert!(
        drift.num_pairs <= num_ends * num_ends,
        "{}",
        drift.num_pairs
    );
    // Each group lets out to the internet what is not HTTPS, in one part for each tier that it is in.
    let gaps = drift.gaps.iter();
    let out = gaps.filter(|gap| policy.zone_name(gap.zones[1]) == "internet");
    let parts: usize = out.map(|gap| gap.parts.len()).sum();
    assert!((num_groups..=2 * num_groups).contains(&parts), "{parts}");
}

/// An edge of one connection of TCP, between these ends.
fn edge(client: &str, server: &str, port: u16, outcome: Outcome) -> EdgeRow<'static> {
    EdgeRow {
        network: "one",
        client_addr: addr(client),
        server_addr: addr(server),
        server_port: Some(port),
        protocol: protocol::TCP,
        orientation: Orientation::Syn,
        outcome: Some(outcome),
        verdict: Verdict::Compliant,
        rule: "default",
        decision: Some(Answer::Deny),
        client_zone: "",
        server_zone: "",
        client_workload: None,
        server_workload: None,
        via: None,
        confidence: Confidence::Certain,
        severity: None,
        lacked: None,
        records: 2,
        connections: 1,
        packets_to_server: 1,
        packets_to_client: 1,
        bytes_to_server: 10,
        bytes_to_client: 20,
        first_seen: 100,
        last_seen: 160,
        source: "log",
        line: 7,
        inside: Inside::default(),
    }
}

#[test]
fn traffic_is_held_against_gaps_and_configuration() {
    let policy = policy(GROUND);
    let config = small();
    let permits = Permits::new(&config);
    let (mut drift, mut held) = drift(&policy, &config, &permits, AT).expect("few ends");
    let mut traffic = Traffic::new(&mut held, &permits, &mut drift);
    let peers = |port: u16| EdgeRow {
        orientation: Orientation::Peer,
        confidence: Confidence::Ambiguous,
        ..edge("10.1.0.70", "10.1.0.5", port, Outcome::Established)
    };
    let edges = [
        // Open, by both web servers: one part.
        edge("192.0.2.1", "10.1.0.5", 22, Outcome::Established),
        edge("192.0.2.9", "10.1.0.6", 22, Outcome::RejectedServer),
        // Let through, and no rule lets it in.
        edge("192.0.2.1", "10.1.0.70", 5432, Outcome::Delivered),
        // Sent: the server's side, which would stop it, is not known to have let it in.
        edge("192.0.2.1", "10.1.0.70", 5433, Outcome::Sent),
        // Who asked whom is not known: one direction would do, and does for 5432.
        peers(5432),
        peers(443),
        // Nobody's address, and what is not judged.
        edge("192.0.2.1", "10.1.0.33", 22, Outcome::Established),
        EdgeRow {
            decision: None,
            ..edge("192.0.2.1", "10.1.0.5", 22, Outcome::Established)
        },
    ];
    for edge in &edges {
        traffic.add(edge);
    }
    assert_eq!(traffic.times, Some((100, 160)));
    assert_eq!(traffic.elsewhere.connections, 1);
    assert_eq!(traffic.unjudged.connections, 1);
    traffic.finish();
    let told: Vec<String> = drift
        .gaps
        .iter()
        .filter_map(|gap| {
            let used = gap.used().expect("there is traffic");
            let number =
                |seen: &Option<Seen>| seen.as_ref().map_or(0, |seen| seen.counts.connections);
            let (accepted, rejected) = (number(&used.accepted), number(&used.rejected));
            let [client, server] = gap.zones.map(|zone| policy.zone_name(zone));
            let kind = gap.kind.as_str();
            (accepted + rejected > 0).then(|| {
                format!(
                    "{kind} {client} -> {server} {} {accepted} {rejected}",
                    gap.ports()
                )
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            "open office -> app tcp/22, tcp/443 1 1",
            "seen office -> data tcp/5432 1 0",
            "seen data -> app tcp/443 1 0",
        ]
    );
}
