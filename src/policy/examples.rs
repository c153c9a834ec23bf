//! What a policy tells apart, by example: ranges of addresses that are members of the same, and ranges of ports that no rule
//! cuts. Who tries one address of each with one of each other, at one port of each range, has tried all that prefixes and
//! ports can make a difference of.

use std::collections::{BTreeMap, BTreeSet};

use super::space::Kind;
use super::{ClassId, NetworkId, Policy};
use crate::net::ports::PortRange;
use crate::net::{Addr, protocol};

/// Addresses that no rule tells apart, first and last included. A class may have several ranges, of both families.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressRange {
    /// The lowest address.
    pub first: Addr,
    /// The highest address.
    pub last: Addr,
    /// What they are members of.
    pub class: ClassId,
}

impl Policy {
    /// The ranges of a network's own addresses at an instant, in order, IPv4 first.
    pub fn ranges_inside(&self, network: NetworkId, at: u32) -> Vec<AddressRange> {
        self.ranges(Some(network), at, |class| {
            self.space.class(class).home == Some(network)
        })
    }

    /// The ranges outside at an instant, in order, IPv4 first, without local addresses. Networks may hold addresses of
    /// them.
    pub fn ranges_outside(&self, at: u32) -> Vec<AddressRange> {
        self.ranges(None, at, |class| {
            self.space.class(class).kind != Kind::Local
        })
    }

    fn ranges(
        &self,
        network: Option<NetworkId>,
        at: u32,
        is_wanted: impl Fn(ClassId) -> bool,
    ) -> Vec<AddressRange> {
        let ranges = self.space.ranges(network, at);
        let wanted = ranges.filter(|(.., class)| is_wanted(*class));
        wanted
            .map(|(first, last, class)| AddressRange { first, last, class })
            .collect()
    }

    /// Addresses, in no order, at which what they are members of may change, seen from a network at an instant.
    pub fn cuts(&self, network: NetworkId, at: u32) -> impl Iterator<Item = Addr> {
        let by_prefix = self.space.cuts(network, at);
        by_prefix.chain(self.inventory_cuts()).map(Addr::from_v6)
    }

    /// The ranges of ports that no rule cuts: all ports of TCP, UDP and whatever other protocol a rule names; 0 of a protocol
    /// without ports.
    pub fn port_ranges(&self) -> Vec<PortRange> {
        let mut begins: BTreeMap<u8, BTreeSet<u16>> = BTreeMap::new();
        for protocol in [protocol::TCP, protocol::UDP] {
            begins.entry(protocol).or_default().insert(0);
        }
        let conditions = self.rules.conditions();
        let sets = conditions.flat_map(|condition| condition.ports.sets());
        for range in sets.flat_map(|set| set.ranges()) {
            let begins = begins.entry(range.protocol).or_default();
            begins.insert(0);
            if protocol::has_ports(range.protocol) {
                begins.insert(range.first);
                begins.extend(range.last.checked_add(1));
            }
        }
        let mut ranges = Vec::new();
        for (protocol, begins) in begins {
            let highest = protocol::highest_port(protocol);
            let ends = begins.iter().skip(1).map(|next| next - 1);
            for (&first, last) in begins.iter().zip(ends.chain([highest])) {
                ranges.push(PortRange {
                    protocol,
                    first,
                    last,
                });
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[policy]
id = "P"

[networks.prod]
cidrs = ["10.0.0.0/16", "2001:db8:1::/48"]

[[subnets]]
tier = "app"
cidrs = ["10.0.4.0/24", "2001:db8:1:1::/64"]

[destinations.office]
cidrs = ["192.0.2.0/24"]

[[allow]]
id = "a"
from = "app"
to = "office"
ports = ["tcp/443", "udp/65535", "gre"]
"#;

    fn policy() -> Policy {
        Policy::parse("p", TEXT, &|_| Err(std::io::ErrorKind::NotFound.into()))
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn shown(ranges: &[AddressRange]) -> Vec<String> {
        let show = |range: &AddressRange| format!("{} {}", range.first, range.last);
        ranges.iter().map(show).collect()
    }

    #[test]
    fn ranges_inside_are_cut_where_memberships_change() {
        let ranges = policy().ranges_inside(NetworkId(0), 0);
        assert_eq!(
            shown(&ranges),
            [
                "10.0.0.0 10.0.3.255",
                "10.0.4.0 10.0.4.255",
                "10.0.5.0 10.0.255.255",
                "2001:db8:1:: 2001:db8:1:0:ffff:ffff:ffff:ffff",
                "2001:db8:1:1:: 2001:db8:1:1:ffff:ffff:ffff:ffff",
                "2001:db8:1:2:: 2001:db8:1:ffff:ffff:ffff:ffff:ffff",
            ]
        );
        assert_eq!(ranges[0].class, ranges[2].class);
        assert_eq!(ranges[1].class, ranges[4].class);
    }

    #[test]
    fn every_address_of_a_range_is_in_its_class() {
        let policy = policy();
        let network = NetworkId(0);
        for range in policy.ranges_inside(network, 0) {
            for addr in [range.first, range.last] {
                let place = policy.place(network, addr, 0);
                assert_eq!((place.home, place.class), (Some(network), range.class));
            }
        }
        for range in policy.ranges_outside(0) {
            for addr in [range.first, range.last] {
                let place = policy.place(network, addr, 0);
                assert!(place.class == range.class || place.home.is_some(), "{addr}");
            }
        }
        let outside = shown(&policy.ranges_outside(0));
        assert!(outside.contains(&"192.0.2.0 192.0.2.255".to_owned()));
        assert!(!outside.iter().any(|range| range.starts_with("127.")));
    }

    #[test]
    fn ranges_of_ports_are_cut_where_rules_cut_them() {
        let ranges = policy().port_ranges();
        let shown: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "tcp/0-442",
                "tcp/443",
                "tcp/444-65535",
                "udp/0-65534",
                "udp/65535",
                "gre"
            ]
        );
    }
}
