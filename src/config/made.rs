//! Small configurations for tests, written down in a few words or made up at random.

use proptest::prelude::*;

use super::{
    AclEntry, Config, Direction, GroupRule, Interface, NetworkAcl, Peer, PrefixList, SecurityGroup,
    Subnet, Traffic, Vpc,
};
use crate::net::{Addr, Prefix};

/// VPCs and their prefixes.
pub(crate) const VPCS: [(&str, &str); 2] = [("vpc-1", "10.1.0.0/24"), ("vpc-2", "10.2.0.0/24")];
/// Subnets, their VPCs and prefixes.
pub(crate) const SUBNETS: [(&str, &str, &str); 3] = [
    ("subnet-a", "vpc-1", "10.1.0.0/26"),
    ("subnet-b", "vpc-1", "10.1.0.64/26"),
    ("subnet-c", "vpc-2", "10.2.0.0/26"),
];

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

pub(crate) fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

/// `tcp/443`, `icmp 8`, `icmp 3 4`, `any`.
pub(crate) fn traffic(text: &str) -> Traffic {
    let mut words = text.split(' ');
    let ports = words.next().filter(|word| *word != "any");
    let mut byte = || words.next().map(|word| word.parse().expect("a byte"));
    Traffic {
        ports: ports.map(|ports| ports.parse().expect("ports")),
        icmp: byte().map(|kind| (kind, byte())),
    }
}

pub(crate) fn peer(text: &str) -> Peer {
    match text.split_once('-') {
        Some(("sg", _)) => Peer::Group(text.to_owned()),
        Some(("pl", _)) => Peer::PrefixList(text.to_owned()),
        Some(("other", id)) => Peer::ForeignGroup {
            account: "210987654321".to_owned(),
            id: format!("sg-{id}"),
        },
        _ => Peer::Cidr(prefix(text)),
    }
}

pub(crate) fn rule(direction: Direction, kind: &str, other: &str) -> GroupRule {
    GroupRule {
        direction,
        traffic: traffic(kind),
        peer: peer(other),
        description: None,
    }
}

pub(crate) fn group(id: &str, vpc: &str, mut rules: Vec<GroupRule>) -> SecurityGroup {
    rules.sort();
    rules.dedup();
    SecurityGroup {
        id: id.to_owned(),
        vpc: Some(vpc.to_owned()),
        is_told: true,
        rules,
        ..SecurityGroup::default()
    }
}

pub(crate) fn interface(id: usize, subnet: &str, own: &str, groups: &[&str]) -> Interface {
    let vpc = SUBNETS.iter().find(|(name, ..)| *name == subnet);
    Interface {
        id: format!("eni-{id}"),
        vpc: vpc.map(|(_, vpc, _)| (*vpc).to_owned()),
        subnet: Some(subnet.to_owned()),
        addrs: vec![prefix(own)],
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Interface::default()
    }
}

/// Two VPCs with their subnets and prefix lists, and what is given.
pub(crate) fn config(
    groups: Vec<SecurityGroup>,
    acls: Vec<NetworkAcl>,
    interfaces: Vec<Interface>,
) -> Config {
    let owned = str::to_owned;
    Config {
        vpcs: Vec::from(VPCS.map(|(id, cidr)| Vpc {
            id: owned(id),
            cidrs: vec![prefix(cidr)],
            ..Vpc::default()
        })),
        subnets: Vec::from(SUBNETS.map(|(id, vpc, cidr)| Subnet {
            id: owned(id),
            vpc: Some(owned(vpc)),
            cidrs: vec![prefix(cidr)],
            ..Subnet::default()
        })),
        prefix_lists: vec![
            PrefixList {
                id: owned("pl-known"),
                entries: Some(vec![prefix("10.1.0.0/28"), prefix("192.0.2.0/24")]),
                ..PrefixList::default()
            },
            PrefixList {
                id: owned("pl-unknown"),
                ..PrefixList::default()
            },
        ],
        has_all_interfaces: true,
        groups,
        acls,
        interfaces,
        ..Config::default()
    }
}

pub(crate) fn entry(
    direction: Direction,
    number: u32,
    is_allow: bool,
    kind: &str,
    cidr: &str,
) -> AclEntry {
    AclEntry {
        direction,
        number,
        is_allow,
        cidr: prefix(cidr),
        traffic: traffic(kind),
    }
}

pub(crate) fn acl(id: &str, subnets: &[&str], mut entries: Vec<AclEntry>) -> NetworkAcl {
    entries.sort();
    NetworkAcl {
        id: id.to_owned(),
        entries,
        subnets: subnets.iter().map(|id| (*id).to_owned()).collect(),
        ..NetworkAcl::default()
    }
}

pub(crate) const KINDS: [&str; 9] = [
    "any",
    "tcp/443",
    "tcp/0-1023",
    "tcp/1024-65535",
    "tcp/32768-60999",
    "udp/53",
    "icmp",
    "icmp 8",
    "icmp 3 4",
];
pub(crate) const CIDRS: [&str; 6] = [
    "0.0.0.0/0",
    "10.1.0.0/24",
    "10.1.0.0/28",
    "10.1.0.64/26",
    "10.2.0.5/32",
    "192.0.2.0/24",
];
pub(crate) const PEERS: [&str; 12] = [
    "0.0.0.0/0",
    "10.1.0.0/24",
    "10.1.0.0/28",
    "10.1.0.64/26",
    "10.2.0.5/32",
    "192.0.2.0/24",
    "sg-0",
    "sg-1",
    "sg-2",
    "other-9",
    "pl-known",
    "pl-unknown",
];
/// Addresses of ends: the first six may have interfaces, of two VPCs; the others are outside.
pub(crate) const ADDRS: [&str; 8] = [
    "10.1.0.5",
    "10.1.0.20",
    "10.1.0.70",
    "10.1.0.71",
    "10.2.0.5",
    "10.2.0.6",
    "192.0.2.1",
    "172.16.0.1",
];
pub(crate) fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)]
}

/// Random configurations of two VPCs.
pub(crate) fn configs() -> impl Strategy<Value = Config> {
    let rules = prop::collection::vec((direction(), 0..KINDS.len(), 0..PEERS.len()), 0..7);
    let groups = prop::collection::vec((rules, any::<bool>()), 3);
    let entries = prop::collection::vec(
        (
            direction(),
            1u32..50,
            any::<bool>(),
            0..KINDS.len(),
            0..CIDRS.len(),
        ),
        0..8,
    );
    let acls = prop::collection::vec(entries, 2);
    // By address whether there is an interface, with which groups; a fourth group is not in the configuration.
    let carried = prop::collection::vec(prop::option::weighted(0.8, 0u8..16), 6);
    (groups, acls, carried, 0usize..4).prop_map(|(groups, acls, carried, kind)| {
        let groups = groups
            .into_iter()
            .enumerate()
            .map(|(at, (rules, is_told))| {
                let rules = rules
                    .into_iter()
                    .map(|(direction, kind, peer)| rule(direction, KINDS[kind], PEERS[peer]));
                SecurityGroup {
                    is_told: is_told || at != 2,
                    ..group(&format!("sg-{at}"), VPCS[at / 2].0, rules.collect())
                }
            });
        let acls = acls.into_iter().enumerate().map(|(at, entries)| {
            let mut numbers = std::collections::BTreeSet::new();
            let entries = entries
                .into_iter()
                .filter(|(direction, number, ..)| numbers.insert((*direction, *number)))
                .map(|(direction, number, is_allow, kind, cidr)| {
                    entry(direction, number, is_allow, KINDS[kind], CIDRS[cidr])
                });
            let subnets: &[&str] = if at == 0 {
                &["subnet-a"]
            } else {
                &["subnet-b"]
            };
            acl(&format!("acl-{at}"), subnets, entries.collect())
        });
        let interfaces = carried.into_iter().enumerate().filter_map(|(at, bits)| {
            let subnet = [
                "subnet-a", "subnet-a", "subnet-b", "subnet-b", "subnet-c", "subnet-c",
            ][at];
            let all = ["sg-0", "sg-1", "sg-2", "sg-absent"];
            let bits = bits?;
            let carried: Vec<&str> = (0..4)
                .filter(|bit| bits >> bit & 1 == 1)
                .map(|bit| all[bit])
                .collect();
            let mut made = interface(at, subnet, ADDRS[at], &carried);
            made.kind = (kind == at).then(|| "network_load_balancer".to_owned());
            Some(made)
        });
        config(groups.collect(), acls.collect(), interfaces.collect())
    })
}
