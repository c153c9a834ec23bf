//! Builds the classes and tables of a policy: a sweep through the addresses of each network's view, and one through those
//! outside.

use std::collections::HashMap;

use super::meant::Places;
use super::pinned::Pinned;
use super::space::{Class, Dormant, Kind, Space};
use super::table::{self, NONE, TooFragmented};
use super::timeline::{self, Timeline};
use super::validity::Validity;
use super::{GroupId, NetworkId};
use crate::net::{Addr, Prefix, aws};

/// What a prefix is, to a sweep through the addresses of a network's view.
#[derive(Clone, Copy)]
enum Inside {
    Network(NetworkId),
    Subnet(NetworkId, u32),
    /// A group; without a network, of any.
    Group(Option<NetworkId>, GroupId),
}

/// What a prefix is, to a sweep through the addresses outside.
#[derive(Clone, Copy)]
enum Outside {
    Destination(u16),
    /// A range of an AWS service: its bit.
    Service(u8),
    /// Private or local address space.
    Special(Kind),
}

/// Builds the classes and tables of a policy.
pub(super) fn build(places: &Places, pinned: &Pinned) -> Result<Space, TooFragmented> {
    let mut classes = Classes::default();
    let mut work = 0;
    let mut inside = Vec::with_capacity(places.networks.len());
    for network in 0..places.networks.len() {
        inside.push(inside_of(
            NetworkId(network as u16),
            places,
            &mut work,
            &mut classes,
        )?);
    }
    let outside = outside(places, pinned, &mut work, &mut classes)?;
    Ok(Space::new(classes.all, inside, outside))
}

#[derive(Default)]
struct Classes {
    all: Vec<Class>,
    numbers: HashMap<Class, u32>,
}

impl Classes {
    fn number(&mut self, class: Class) -> u32 {
        if let Some(number) = self.numbers.get(&class) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(class.clone());
        self.numbers.insert(class, number);
        number
    }
}

fn inside_of(
    network: NetworkId,
    places: &Places,
    work: &mut usize,
    classes: &mut Classes,
) -> Result<Timeline, TooFragmented> {
    let connected = &places.networks[usize::from(network.0)].connected;
    let in_view = |other: NetworkId| other == network || connected.binary_search(&other).is_ok();
    let mut prefixes: Vec<(Prefix, Validity, Inside)> = Vec::new();
    let mut validities: Vec<Validity> = Vec::new();
    let mut add = |cidrs: &[Prefix], validity: Validity, what: Inside| {
        validities.push(validity);
        prefixes.extend(cidrs.iter().map(|cidr| (*cidr, validity, what)));
    };
    for (i, other) in places.networks.iter().enumerate() {
        let id = NetworkId(i as u16);
        if in_view(id) {
            add(&other.cidrs, Validity::default(), Inside::Network(id));
        }
    }
    for (i, subnet) in places.subnets.iter().enumerate() {
        if in_view(subnet.network) {
            let what = Inside::Subnet(subnet.network, i as u32);
            add(&subnet.cidrs, subnet.validity, what);
        }
    }
    for (i, group) in places.groups.iter().enumerate() {
        if group.network.is_none_or(in_view) {
            let what = Inside::Group(group.network, GroupId(i as u16));
            add(&group.cidrs, group.validity, what);
        }
    }
    let dormant = |home: NetworkId, at: u32| -> Dormant {
        let groups = places.groups.iter().enumerate();
        let dormant = groups.filter(|(_, group)| {
            let is_there = group.network.is_none_or(|of| of == home);
            is_there && group.is_beyond_prefixes() && !group.validity.holds(at)
        });
        dormant.map(|(number, _)| number as u16).collect()
    };
    let num_looked_at = prefixes.len() + validities.len() * (1 + connected.len());
    timeline::build(
        &prefixes,
        &validities,
        num_looked_at,
        work,
        |prefixes, at, work| {
            let mut dormant_of: HashMap<NetworkId, Dormant> = HashMap::new();
            table::build(prefixes, work, |open| {
                let Some(home) = home_of(network, open) else {
                    return NONE;
                };
                let dormant = dormant_of.entry(home).or_insert_with(|| dormant(home, at));
                classes.number(class_inside(home, open, dormant.clone()))
            })
        },
    )
}

/// The class of addresses inside that these prefixes hold, shortest first.
fn class_inside(home: NetworkId, open: &[(Prefix, Inside)], dormant: Dormant) -> Class {
    let subnet = open.iter().rev().find_map(|(_, what)| match what {
        Inside::Subnet(of, subnet) if *of == home => Some(*subnet),
        _ => None,
    });
    let mut groups: Vec<GroupId> = open
        .iter()
        .filter_map(|(_, what)| match what {
            Inside::Group(of, group) if of.is_none_or(|of| of == home) => Some(*group),
            _ => None,
        })
        .collect();
    groups.sort_unstable();
    groups.dedup();
    Class {
        kind: Kind::Inside,
        home: Some(home),
        subnet,
        groups,
        destinations: Vec::new(),
        destination: None,
        services: 0,
        service: None,
        dormant,
    }
}

/// The network itself if it has the address, else the connected one with the longest prefix, of several the first by
/// name.
fn home_of(network: NetworkId, open: &[(Prefix, Inside)]) -> Option<NetworkId> {
    let networks = || {
        open.iter().filter_map(|(prefix, what)| match what {
            Inside::Network(id) => Some((prefix.len(), *id)),
            _ => None,
        })
    };
    if networks().any(|(_, id)| id == network) {
        return Some(network);
    }
    networks()
        .max_by_key(|(len, id)| (*len, std::cmp::Reverse(*id)))
        .map(|(_, id)| id)
}

/// Private and local address space, as `Addr::is_private` and `Addr::is_local` have it.
const SPECIAL: [(&str, Kind); 14] = [
    ("10.0.0.0/8", Kind::Private),
    ("172.16.0.0/12", Kind::Private),
    ("192.168.0.0/16", Kind::Private),
    ("100.64.0.0/10", Kind::Private),
    ("fc00::/7", Kind::Private),
    ("0.0.0.0/8", Kind::Local),
    ("127.0.0.0/8", Kind::Local),
    ("169.254.0.0/16", Kind::Local),
    ("224.0.0.0/4", Kind::Local),
    ("255.255.255.255/32", Kind::Local),
    ("::/128", Kind::Local),
    ("::1/128", Kind::Local),
    ("fe80::/10", Kind::Local),
    ("ff00::/8", Kind::Local),
];

/// The private or local prefix that holds an address, as [`Kind`] goes by it: of several the longest.
pub(super) fn special(addr: Addr) -> Option<Prefix> {
    let prefixes = SPECIAL
        .iter()
        .map(|(text, _)| text.parse::<Prefix>().expect("these are prefixes"));
    prefixes
        .filter(|prefix| prefix.contains(addr))
        .max_by_key(|prefix| prefix.len())
}

fn outside(
    places: &Places,
    pinned: &Pinned,
    work: &mut usize,
    classes: &mut Classes,
) -> Result<Timeline, TooFragmented> {
    let always = Validity::default();
    let special = |(text, kind): &(&str, Kind)| {
        (
            text.parse().expect("these are prefixes"),
            always,
            Outside::Special(*kind),
        )
    };
    let mut prefixes: Vec<(Prefix, Validity, Outside)> = SPECIAL.iter().map(special).collect();
    for (i, destination) in places.destinations.iter().enumerate() {
        let what = Outside::Destination(i as u16);
        let cidrs = destination.cidrs.iter();
        prefixes.extend(cidrs.map(|cidr| (*cidr, destination.validity, what)));
    }
    for range in pinned.ranges.iter().flatten() {
        prefixes.push((range.prefix, always, Outside::Service(range.service)));
    }
    let dormant = |at: u32| -> Dormant {
        let destinations = places.destinations.iter().enumerate();
        let dormant = destinations.filter(|(_, destination)| {
            destination.is_beyond_prefixes() && !destination.validity.holds(at)
        });
        dormant.map(|(number, _)| number as u16).collect()
    };
    let destinations = places.destinations.iter();
    let validities: Vec<Validity> = destinations
        .map(|destination| destination.validity)
        .collect();
    let num_looked_at = prefixes.len() + validities.len();
    timeline::build(
        &prefixes,
        &validities,
        num_looked_at,
        work,
        |prefixes, at, work| {
            let dormant = dormant(at);
            table::build(prefixes, work, |open| {
                classes.number(class_outside(open, dormant.clone()))
            })
        },
    )
}

/// The class of addresses outside that these prefixes hold, shortest first.
fn class_outside(open: &[(Prefix, Outside)], dormant: Dormant) -> Class {
    let mut kind = Kind::Internet;
    let mut destinations: Vec<u16> = Vec::new();
    let mut longest: Option<(u8, u16)> = None;
    let mut services = 0;
    let mut service: Option<(u8, u8)> = None;
    for (prefix, what) in open {
        match what {
            Outside::Destination(id) => {
                destinations.push(*id);
                let longer = longest.is_none_or(|(len, best)| {
                    (prefix.len(), std::cmp::Reverse(*id)) > (len, std::cmp::Reverse(best))
                });
                if longer {
                    longest = Some((prefix.len(), *id));
                }
            }
            Outside::Service(bit) => {
                services |= 1 << bit;
                let better = service.is_none_or(|(len, best)| {
                    (prefix.len(), how_specific(*bit)) > (len, how_specific(best))
                });
                if better {
                    service = Some((prefix.len(), *bit));
                }
            }
            Outside::Special(special) => kind = *special,
        }
    }
    destinations.sort_unstable();
    destinations.dedup();
    Class {
        kind,
        home: None,
        subnet: None,
        groups: Vec::new(),
        destinations,
        destination: longest.map(|(_, id)| id),
        services,
        service: service.map(|(_, bit)| bit),
        dormant,
    }
}

/// Orders services of one range: a specific one above EC2 above AMAZON, of two specific ones the one with the lower bit.
pub(super) fn how_specific(bit: u8) -> (u8, std::cmp::Reverse<u8>) {
    let rank = match aws::SERVICES.get(usize::from(bit)) {
        Some(&"AMAZON") => 0,
        Some(&"EC2") => 1,
        _ => 2,
    };
    (rank, std::cmp::Reverse(bit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::names::ServiceNames;

    #[test]
    fn special_prefixes_are_those_of_the_predicates() {
        for (text, kind) in SPECIAL {
            let prefix: Prefix = text.parse().expect("a prefix");
            for addr in [prefix.first(), prefix.last()] {
                assert_eq!(
                    (addr.is_private(), addr.is_local()),
                    (kind == Kind::Private, kind == Kind::Local),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_specific_service_comes_before_ec2_and_that_before_amazon() {
        let services = ServiceNames::new();
        let mut bits: Vec<u8> = ["AMAZON", "S3", "EC2", "CLOUDFRONT"]
            .iter()
            .map(|name| services.bit(name).expect("a service"))
            .collect();
        bits.sort_by_key(|bit| std::cmp::Reverse(how_specific(*bit)));
        let names: Vec<&str> = bits.iter().map(|bit| services.name(*bit)).collect();
        assert_eq!(names, ["CLOUDFRONT", "S3", "EC2", "AMAZON"]);
    }
}
