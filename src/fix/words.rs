//! The words of a policy for the ends and the service of what a finding is about, the narrowest that there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::quoted;
use crate::judge::Edge;
use crate::net::ports::{PortRange, PortSet};
use crate::net::{Addr, Prefix};
use crate::policy::{NetworkId, Policy, ZoneKind, is_anybodys_zone};

/// Up to so many addresses outside that no name stands for get a destination of their own; of more the whole zone is named.
const MAX_ADDRESSES: usize = 10;

/// A service that grants more (protocol, port) pairs than this is not the narrowest.
const MOST_PAIRS: u32 = 16;

/// What the clients or servers of a finding are called.
pub(super) struct Called {
    /// In `from` or `to`.
    pub(super) words: Vec<String>,
    /// Addresses of a destination that has to be made for them; empty if none has.
    pub(super) destination: Vec<Prefix>,
}

/// What these addresses are called at an instant, each with its zone; `name` is for a destination that is new.
pub(super) fn called<'e>(
    policy: &Policy,
    (network, at): (NetworkId, u32),
    ends: impl Iterator<Item = (Addr, &'e str)>,
    name: &str,
) -> Called {
    let mut words: BTreeSet<String> = BTreeSet::new();
    let mut unnamed: BTreeMap<&str, BTreeSet<Addr>> = BTreeMap::new();
    for (addr, zone) in ends {
        let place = policy.place(network, addr, at);
        let kind = policy
            .zone_named(zone)
            .map_or(ZoneKind::Internet, |zone| policy.zone_kind(zone));
        let group = policy.narrowest_group(place.class, addr);
        match (group, kind) {
            (Some(group), _) if kind.is_inside() => {
                words.insert(policy.group_name(group).to_owned());
            }
            (_, ZoneKind::Tier | ZoneKind::Unassigned | ZoneKind::Destination) => {
                words.insert(zone.to_owned());
            }
            (_, ZoneKind::Aws) if !is_anybodys_zone(zone) && zone != "aws:other" => {
                words.insert(zone.to_owned());
            }
            (_, ZoneKind::Private) => {
                unnamed.entry("private").or_default().insert(addr);
            }
            (_, ZoneKind::Aws | ZoneKind::Internet | ZoneKind::Local) => {
                unnamed.entry("internet").or_default().insert(addr);
            }
        }
    }
    let mut destination = Vec::new();
    let number: usize = unnamed.values().map(BTreeSet::len).sum();
    if number > MAX_ADDRESSES {
        words.extend(unnamed.keys().map(|zone| (*zone).to_owned()));
    } else if number > 0 {
        words.insert(name.to_owned());
        let addrs = unnamed.values().flatten();
        destination
            .extend(addrs.map(|addr| Prefix::of(*addr, if addr.is_v4() { 32 } else { 128 })));
    }
    Called {
        words: words.into_iter().collect(),
        destination,
    }
}

/// The line that names the ports of these edges: one service of the policy that holds them all, or the ports themselves.
pub(super) fn service_line(policy: &Policy, edges: &[Edge]) -> String {
    let wanted: PortSet = edges
        .iter()
        .map(|edge| {
            let port = edge.server_port.unwrap_or(0);
            PortRange {
                protocol: edge.protocol,
                first: port,
                last: port,
            }
        })
        .collect();
    match service_name(policy, &wanted) {
        Some(name) => format!("service = {}", quoted(name)),
        None => {
            let ports: Vec<String> = wanted.ranges().iter().map(ToString::to_string).collect();
            format!("ports = {}", list(&ports))
        }
    }
}

/// The service with the fewest ports that holds them all; of equals the first by name.
pub(super) fn service_name<'p>(policy: &'p Policy, wanted: &PortSet) -> Option<&'p str> {
    let holding = policy
        .services()
        .filter(|(_, ports)| ports.covers(wanted) && ports.num_pairs() <= MOST_PAIRS);
    let best = holding.min_by_key(|(name, ports)| (ports.num_pairs(), *name));
    best.map(|(name, _)| name)
}

/// A list of words as TOML writes it.
pub(super) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// One word as it is, several as a list.
pub(super) fn names(words: &[String]) -> String {
    match words {
        [only] => quoted(only),
        several => list(several),
    }
}

/// A name of this beginning that neither rules nor places have.
pub(super) fn free_name(policy: &Policy, wanted: &str) -> String {
    let rows = policy.rule_rows();
    let rules = rows.iter().map(|row| row.rule.id.clone());
    let places = policy
        .group_rows()
        .map(|row| row.name.to_owned())
        .chain(policy.destination_rows().map(|row| row.name.to_owned()))
        .chain(policy.tiers().iter().cloned());
    let taken: BTreeSet<String> = rules.chain(places).collect();
    let numbered = (2..=taken.len() + 2).map(|number| format!("{wanted}-{number}"));
    let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
    // Of one more name than are taken one is free.
    all.find(|name| !taken.contains(name))
        .unwrap_or_else(|| wanted.to_owned())
}
