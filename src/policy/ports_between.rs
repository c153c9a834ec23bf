//! What a policy says of all that may go between two places, by addresses alone: the ports, and the addresses at which
//! they change. For whoever has to say the same in another language, such as rules of a security group.

use std::collections::BTreeSet;

use super::diff::port_cells;
use super::{AddressRange, Answer, Decider, Flow, Known, NetworkId, Policy};
use crate::net::ports::{PortRange, PortSet};
use crate::net::{Addr, Prefix};

/// Where the parts of IPv6 space begin and end whose addresses stand for IPv4 ones: mapped ones, and those of NAT64.
const STAND_INS: [u128; 4] = [
    Addr::from_v4(0).bits(),
    Addr::from_v4(0).bits() + (1 << 32),
    0x0064_ff9b_u128 << 96,
    (0x0064_ff9b_u128 << 96) + (1 << 32),
];

impl Policy {
    /// What the policy says of a flow, seen from a network: without service fields, path or encryption.
    pub fn decide_flow(&self, network: NetworkId, flow: &Flow) -> super::Decision {
        self.decide(&self.question_of(network, flow))
    }

    /// The ranges of a prefix that no rule tells apart, as a network sees them at an instant; in order.
    pub fn ranges_of(&self, network: NetworkId, prefix: Prefix, at: u32) -> Vec<AddressRange> {
        let (lowest, highest) = (prefix.first().bits(), prefix.last().bits());
        let within = |cut: &u128| (lowest..=highest).contains(cut);
        let cuts = self.cuts(network, at).map(Addr::bits).chain(STAND_INS);
        let mut cuts: BTreeSet<u128> = cuts.filter(within).collect();
        cuts.insert(lowest);
        let cuts: Vec<u128> = cuts.into_iter().collect();
        let ends = cuts.iter().skip(1).map(|next| next - 1).chain([highest]);
        let ranges = cuts.iter().zip(ends).map(|(first, last)| {
            let first = Addr::from_v6(*first);
            AddressRange {
                first,
                last: Addr::from_v6(last),
                class: self.place(network, first, at).class,
            }
        });
        let is_of_family = |range: &AddressRange| range.first.is_v4() == prefix.is_v4();
        ranges.filter(is_of_family).collect()
    }
}

/// Asks a policy about all ports between two addresses, at one instant, seen from one network.
pub struct PortsBetween<'p> {
    decider: Decider<'p>,
    policy: &'p Policy,
    network: NetworkId,
    at: u32,
    /// Ports that no rule tells apart, and one of them.
    cells: Vec<(Vec<PortRange>, PortRange)>,
}

impl<'p> PortsBetween<'p> {
    /// For a network of a policy, at an instant, seconds since 1970.
    pub fn new(policy: &'p Policy, network: NetworkId, at: u32) -> PortsBetween<'p> {
        let conditions = policy.rules.conditions();
        let sets = conditions.flat_map(|condition| condition.ports.sets());
        PortsBetween {
            decider: Decider::new(policy),
            policy,
            network,
            at,
            cells: port_cells(sets),
        }
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The policy.
    pub fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// The ranges of a prefix that no rule tells apart, in order.
    pub fn ranges_of(&self, prefix: Prefix) -> Vec<AddressRange> {
        self.policy.ranges_of(self.network, prefix, self.at)
    }

    /// What the inventory knows of an address of the network.
    pub fn known(&self, addr: Addr) -> Known {
        let home = self.policy.home(self.network, addr);
        self.policy.known(home, addr, self.at)
    }

    /// The ranges of the network's own addresses, in order.
    pub fn ranges_inside(&self) -> Vec<AddressRange> {
        self.policy.ranges_inside(self.network, self.at)
    }

    /// The answer on one (protocol, port) pair; the port of a protocol without ports is 0.
    pub fn answer(&mut self, client: Addr, server: Addr, protocol: u8, port: u16) -> Answer {
        let flow = Flow {
            client,
            server,
            protocol,
            server_port: port,
            at: i64::from(self.at),
        };
        let question = self.policy.question_of(self.network, &flow);
        self.decider.decide(&question).answer
    }

    /// The (protocol, port) pairs that are not denied: allowed, or unproven by addresses alone.
    pub fn not_denied(&mut self, client: Addr, server: Addr) -> PortSet {
        let mut ranges = Vec::new();
        for place in 0..self.cells.len() {
            let asked = self.cells[place].1;
            if self.answer(client, server, asked.protocol, asked.first) != Answer::Deny {
                ranges.extend_from_slice(&self.cells[place].0);
            }
        }
        ranges.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol;

    const TEXT: &str = r#"
[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.0.1.0/24"]
[[subnets]]
tier = "data"
cidrs = ["10.0.2.0/24"]
[groups.db]
cidrs = ["10.0.2.16/28"]
[destinations.repo]
cidrs = ["192.0.2.0/25"]
[[allow]]
id = "sql"
from = "app"
to = "db"
ports = ["tcp/5432", "udp/1000-1010"]
[[allow]]
id = "s3"
from = "data"
to = "aws:S3"
ports = ["tcp/443"]
[[allow]]
id = "all"
from = "data"
to = "repo"
[[deny]]
id = "no-gre"
from = "any"
to = "repo"
ports = ["gre"]
"#;

    fn policy() -> Policy {
        Policy::parse("p", TEXT, &|_| Err(std::io::ErrorKind::NotFound.into()))
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn addr(text: &str) -> Addr {
        text.parse().expect("an address")
    }

    #[test]
    fn ports_between_two_addresses_are_those_that_asking_for_each_gives() {
        let policy = policy();
        let mut between = PortsBetween::new(&policy, NetworkId(0), 0);
        let addrs = [
            "10.0.1.5",
            "10.0.2.17",
            "10.0.2.40",
            "192.0.2.1",
            "192.0.2.200",
        ];
        let ports = [
            0, 1, 442, 443, 444, 999, 1000, 1005, 1010, 1011, 5432, 65535,
        ];
        for client in addrs.map(addr) {
            for server in addrs.map(addr) {
                let set = between.not_denied(client, server);
                for protocol in 0..=u8::MAX {
                    let ports = if protocol::has_ports(protocol) {
                        &ports[..]
                    } else {
                        &ports[..1]
                    };
                    for port in ports {
                        let decision = policy.decide_by_addr(client, server, protocol, *port, 0);
                        assert_eq!(
                            set.contains(protocol, *port),
                            decision.answer != Answer::Deny,
                            "{client} {server} {protocol}/{port}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_prefix_is_cut_where_rules_tell_addresses_apart() {
        let policy = policy();
        let shown = |prefix: &str| -> Vec<String> {
            let ranges = policy.ranges_of(NetworkId(0), prefix.parse().expect("a prefix"), 0);
            for range in &ranges {
                for addr in [range.first, range.last] {
                    assert_eq!(policy.place(NetworkId(0), addr, 0).class, range.class);
                }
            }
            ranges
                .iter()
                .map(|range| format!("{} {}", range.first, range.last))
                .collect()
        };
        assert_eq!(
            shown("10.0.2.0/26"),
            [
                "10.0.2.0 10.0.2.15",
                "10.0.2.16 10.0.2.31",
                "10.0.2.32 10.0.2.63"
            ]
        );
        assert_eq!(shown("10.0.2.20/32"), ["10.0.2.20 10.0.2.20"]);
        let all = shown("0.0.0.0/0");
        assert!(all[0].starts_with("0.0.0.0 ") && all[all.len() - 1].ends_with(" 255.255.255.255"));
        let six = policy.ranges_of(NetworkId(0), "::/0".parse().expect("a prefix"), 0);
        assert!(
            six.len() > 2
                && six
                    .iter()
                    .all(|range| !range.first.is_v4() && !range.last.is_v4())
        );
    }
}
