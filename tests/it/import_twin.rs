//! A draft decides what its security groups and network ACLs decide: against an evaluation that asks every rule of every
//! group of both ends, on random small configurations.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use tidegate::config::{
    AclEntry, Config, Direction, GroupRule, Interface, NetworkAcl, Peer, PrefixList, SecurityGroup,
    Subnet, Traffic, Vpc,
};
use tidegate::draft::{Draft, Settings, draft};
use tidegate::net::{Addr, Prefix};
use tidegate::policy::{Answer, Policy};

const VPC: &str = "vpc-1";
const LIST: &str = "pl-1";
const ADDRS: [&str; 8] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.130",
    "10.0.0.131",
    "10.0.0.200",
    "10.0.0.201",
    "2001:db8:1::1",
    "2001:db8:1:1::1",
];
const OUTSIDE: [&str; 6] = [
    "203.0.113.5",
    "198.51.100.1",
    "172.16.3.4",
    "10.9.9.9",
    "2001:db8:9::1",
    "fd00::1",
];
const PREFIXES: [&str; 12] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.0/25",
    "10.0.0.128/26",
    "10.0.0.192/27",
    "10.0.0.130/32",
    "203.0.113.0/24",
    "172.16.0.0/12",
    "::/0",
    "2001:db8:1::/64",
    "2001:db8::/32",
];
const PORTS: [&str; 6] = ["tcp/443", "tcp/80-443", "tcp/*", "udp/53", "icmp", "any"];
const ASKED: [(u8, u16); 5] = [(6, 443), (6, 80), (6, 22), (17, 53), (1, 0)];

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn traffic() -> impl Strategy<Value = Traffic> {
    select(PORTS.to_vec()).prop_map(|text| Traffic {
        ports: (text != "any").then(|| text.parse().expect("ports")),
        icmp: None,
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![Direction::Ingress, Direction::Egress])
}

fn peer(num_groups: usize) -> impl Strategy<Value = Peer> {
    prop_oneof![
        3 => (0..num_groups).prop_map(|number| Peer::Group(format!("sg-{number}"))),
        3 => select(PREFIXES.to_vec()).prop_map(|text| Peer::Cidr(prefix(text))),
        1 => Just(Peer::PrefixList(LIST.to_owned())),
        1 => Just(Peer::Cidr(prefix("0.0.0.0/0"))),
    ]
}

fn rules(num_groups: usize) -> impl Strategy<Value = Vec<GroupRule>> {
    let rule = (direction(), traffic(), peer(num_groups));
    vec(
        rule.prop_map(|(direction, traffic, peer)| GroupRule {
            direction,
            traffic,
            peer,
            description: None,
        }),
        0..6,
    )
}

fn entries() -> impl Strategy<Value = Vec<AclEntry>> {
    let entry = (
        direction(),
        any::<bool>(),
        select(PREFIXES.to_vec()),
        traffic(),
    );
    vec(entry, 0..6).prop_map(|entries| {
        let numbered = entries.into_iter().enumerate();
        let mut entries: Vec<AclEntry> = numbered
            .map(|(at, (direction, is_allow, cidr, traffic))| AclEntry {
                direction,
                number: at as u32,
                is_allow,
                cidr: prefix(cidr),
                traffic,
            })
            .collect();
        entries.sort();
        entries
    })
}

/// One VPC of three subnets, a few groups, and up to eight interfaces.
fn config(has_acls: bool) -> impl Strategy<Value = Config> {
    (2_usize..5).prop_flat_map(move |num_groups| {
        let carried = vec(btree_set(0..num_groups, 1..3), ADDRS.len());
        let is_there = vec(any::<bool>(), ADDRS.len());
        let acls = vec(entries(), if has_acls { 3 } else { 0 });
        (
            vec(rules(num_groups), num_groups),
            carried,
            is_there,
            acls,
            any::<bool>(),
        )
            .prop_map(|(rules, carried, is_there, acls, has_v6)| {
                built(rules, &carried, &is_there, acls, has_v6)
            })
    })
}

fn built(
    rules: Vec<Vec<GroupRule>>,
    carried: &[std::collections::BTreeSet<usize>],
    is_there: &[bool],
    acls: Vec<Vec<AclEntry>>,
    has_v6: bool,
) -> Config {
    let of_family = |text: &&str| has_v6 || !text.contains(':');
    let subnets = [
        ("a", vec!["10.0.0.0/25", "2001:db8:1::/64"]),
        ("b", vec!["10.0.0.128/26", "2001:db8:1:1::/64"]),
        ("b", vec!["10.0.0.192/27"]),
    ];
    let subnets = subnets
        .iter()
        .enumerate()
        .map(|(number, (tier, cidrs))| Subnet {
            id: format!("subnet-{number}"),
            vpc: Some(VPC.to_owned()),
            cidrs: cidrs
                .iter()
                .filter(|text| of_family(text))
                .map(|text| prefix(text))
                .collect(),
            tags: [("tier".to_owned(), (*tier).to_owned())].into(),
            ..Subnet::default()
        });
    let groups = rules
        .into_iter()
        .enumerate()
        .map(|(number, rules)| SecurityGroup {
            id: format!("sg-{number}"),
            vpc: Some(VPC.to_owned()),
            name: Some(format!("g{number}")),
            rules,
            is_told: true,
            ..SecurityGroup::default()
        });
    let interfaces = ADDRS.iter().enumerate();
    let interfaces = interfaces.filter(|(at, text)| is_there[*at] && of_family(text));
    let interfaces = interfaces.map(|(at, text)| Interface {
        id: format!("eni-{at}"),
        vpc: Some(VPC.to_owned()),
        addrs: vec![prefix(text)],
        groups: carried[at]
            .iter()
            .map(|group| format!("sg-{group}"))
            .collect(),
        ..Interface::default()
    });
    let acls = acls
        .into_iter()
        .enumerate()
        .map(|(number, entries)| NetworkAcl {
            id: format!("acl-{number}"),
            vpc: Some(VPC.to_owned()),
            entries,
            subnets: vec![format!("subnet-{number}")],
            ..NetworkAcl::default()
        });
    let cidrs = ["10.0.0.0/24", "2001:db8:1::/56"];
    Config {
        vpcs: vec![Vpc {
            id: VPC.to_owned(),
            cidrs: cidrs
                .iter()
                .filter(|text| of_family(text))
                .map(|text| prefix(text))
                .collect(),
            ..Vpc::default()
        }],
        subnets: subnets.collect(),
        groups: groups.collect(),
        acls: acls.collect(),
        interfaces: interfaces.collect(),
        prefix_lists: vec![PrefixList {
            id: LIST.to_owned(),
            name: Some("list".to_owned()),
            entries: Some(vec![prefix("10.0.0.128/26"), prefix("203.0.113.0/24")]),
        }],
        has_all_interfaces: true,
        ..Config::default()
    }
}

fn drafted(config: &Config) -> (Draft, Policy) {
    let settings = Settings {
        origin: "a test".to_owned(),
        tier_tag: "tier".to_owned(),
        label_tags: Vec::new(),
    };
    let drafted = draft(config, &settings).unwrap_or_else(|error| panic!("{error}"));
    let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let policy = Policy::parse("draft", &drafted.text, &no_files);
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}\n{}", drafted.text));
    (drafted, policy)
}

/// A connection as the two evaluations are asked of it.
#[derive(Clone, Copy, Debug)]
struct Connection {
    client: Addr,
    server: Addr,
    protocol: u8,
    port: u16,
}

/// Every connection between two interfaces, or one and the outside.
fn connections(config: &Config) -> Vec<Connection> {
    let inside: Vec<Addr> = config
        .interfaces
        .iter()
        .flat_map(|interface| interface.addrs.iter().map(|addr| addr.first()))
        .collect();
    let outside: Vec<Addr> = OUTSIDE
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect();
    let all: Vec<Addr> = inside.iter().chain(&outside).copied().collect();
    let mut connections = Vec::new();
    for client in &all {
        for server in &all {
            let touches = inside.contains(client) || inside.contains(server);
            if client == server || client.is_v4() != server.is_v4() || !touches {
                continue;
            }
            connections.extend(ASKED.iter().map(|(protocol, port)| Connection {
                client: *client,
                server: *server,
                protocol: *protocol,
                port: *port,
            }));
        }
    }
    connections
}

fn interface_of(config: &Config, addr: Addr) -> Option<&Interface> {
    let mut all = config.interfaces.iter();
    all.find(|interface| interface.addrs[0].first() == addr)
}

fn passes(traffic: Traffic, protocol: u8, port: u16) -> bool {
    traffic.ports.is_none_or(|range| {
        range.protocol == protocol && (range.first..=range.last).contains(&port)
    })
}

fn is_peer(config: &Config, peer: &Peer, addr: Addr) -> bool {
    match peer {
        Peer::Cidr(prefix) => prefix.contains(addr),
        Peer::PrefixList(_) => config.prefix_lists[0]
            .entries
            .iter()
            .flatten()
            .any(|prefix| prefix.contains(addr)),
        Peer::Group(id) => interface_of(config, addr).is_some_and(|one| one.groups.contains(id)),
        Peer::ForeignGroup { .. } => false,
    }
}

/// Whether any group of an end lets a connection pass; an end outside has nobody who asks.
fn one_end_lets(
    config: &Config,
    direction: Direction,
    own: Addr,
    other: Addr,
    asked: Connection,
) -> bool {
    let Some(interface) = interface_of(config, own) else {
        return true;
    };
    let carried = config
        .groups
        .iter()
        .filter(|group| interface.groups.contains(&group.id));
    carried.flat_map(|group| &group.rules).any(|rule| {
        rule.direction == direction
            && passes(rule.traffic, asked.protocol, asked.port)
            && is_peer(config, &rule.peer, other)
    })
}

/// What the security groups say.
fn groups_let(config: &Config, asked: Connection) -> bool {
    one_end_lets(config, Direction::Egress, asked.client, asked.server, asked)
        && one_end_lets(
            config,
            Direction::Ingress,
            asked.server,
            asked.client,
            asked,
        )
}

fn subnet_of(config: &Config, addr: Addr) -> Option<&str> {
    let mut all = config.subnets.iter();
    let found = all.find(|subnet| subnet.cidrs.iter().any(|cidr| cidr.contains(addr)))?;
    interface_of(config, addr)?;
    Some(&found.id)
}

/// The entries of its own that refuse the request at one end, by ACL and number: the first that matches, and those behind
/// it that would do the same without it.
fn refusing(
    config: &Config,
    direction: Direction,
    own: Addr,
    other: Addr,
    asked: Connection,
) -> Vec<String> {
    let Some(subnet) = subnet_of(config, own) else {
        return Vec::new();
    };
    let mut acls = config.acls.iter();
    let acl = acls.find(|acl| acl.subnets.iter().any(|id| id == subnet));
    let is_passed = subnet_of(config, other) != Some(subnet);
    let Some(acl) = acl.filter(|_| is_passed) else {
        return Vec::new();
    };
    let mut entries: Vec<&AclEntry> = acl
        .entries
        .iter()
        .filter(|one| one.direction == direction)
        .collect();
    entries.sort_by_key(|entry| entry.number);
    let matching = entries.into_iter().filter(|entry| {
        entry.cidr.contains(other) && passes(entry.traffic, asked.protocol, asked.port)
    });
    let way = match direction {
        Direction::Ingress => "inbound",
        Direction::Egress => "outbound",
    };
    matching
        .take_while(|entry| !entry.is_allow)
        .map(|entry| format!("{}, {way} entry {}", acl.id, entry.number))
        .collect()
}

fn answer(policy: &Policy, asked: Connection) -> Answer {
    policy
        .decide_by_addr(asked.client, asked.server, asked.protocol, asked.port, 0)
        .answer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn security_groups_permit_what_the_draft_permits(config in config(false)) {
        let (drafted, policy) = drafted(&config);
        for asked in connections(&config) {
            let expected = if groups_let(&config, asked) { Answer::Allow } else { Answer::Deny };
            prop_assert_eq!(answer(&policy, asked), expected, "{:?}\n{}", asked, drafted.text);
        }
    }

    #[test]
    fn without_all_interfaces_known_addresses_are_permitted_the_same_and_nothing_else_is(config in config(false)) {
        let config = Config { has_all_interfaces: false, ..config };
        let (drafted, policy) = drafted(&config);
        for asked in connections(&config) {
            let is_permitted = answer(&policy, asked) == Answer::Allow;
            prop_assert_eq!(is_permitted, groups_let(&config, asked), "{:?}\n{}", asked, drafted.text);
        }
    }

    #[test]
    fn what_a_carried_entry_refuses_is_denied_and_nothing_else(config in config(true)) {
        let (drafted, policy) = drafted(&config);
        // An entry that is listed for another reason than what it does to replies is not carried over.
        let is_carried = |entry: &str| {
            !drafted.left_out.iter().any(|note| {
                note.strip_prefix(entry).is_some_and(|why| why.starts_with(": ") && !why.contains("refuses replies too"))
            })
        };
        for asked in connections(&config) {
            let entries = [
                refusing(&config, Direction::Egress, asked.client, asked.server, asked),
                refusing(&config, Direction::Ingress, asked.server, asked.client, asked),
            ];
            let is_refused = entries.iter().flatten().any(|entry| is_carried(entry));
            let expected = if groups_let(&config, asked) && !is_refused { Answer::Allow } else { Answer::Deny };
            prop_assert_eq!(answer(&policy, asked), expected, "{:?} {:?}\n{}", asked, entries, drafted.text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_same_configuration_gives_the_same_draft(config in config(true)) {
        prop_assert_eq!(drafted(&config).0.text, drafted(&config).0.text);
    }
}
