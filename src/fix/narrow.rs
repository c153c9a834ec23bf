//! The narrower rules that take the place of one of a security group: what the policy does not deny of what it lets through.
//!
//! A rule of a group holds for all that carry the group, so a peer stays for a port if the policy does not deny it that port
//! at any of them. What is unproven by addresses stays too: records may prove it. So does what the lake has seen and found
//! compliant, by whatever evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::permit::Connection;
use crate::config::{Config, Direction, GroupRule, Peer, Traffic};
use crate::net::ports::{NUM_PAIRS, PortRange, PortSet};
use crate::net::{Addr, Prefix, merged, protocol};
use crate::policy::diff::prefixes;
use crate::policy::{AddressRange, Answer, ClassId, Known, PortsBetween};

use super::carriers::Carriers;

/// How many rules may take the place of one. A group may have 60 each way by AWS's default quota.
const MAX_RULES: usize = 20;

/// A rule that is to be narrowed, and who carries its group.
pub(super) struct Wide<'c> {
    pub(super) group: &'c str,
    pub(super) rule: &'c GroupRule,
    /// All that carry the group.
    pub(super) carriers: &'c Carriers,
    /// All that carry the group that is its peer; nobody if it is none.
    pub(super) peers: &'c Carriers,
    /// Compliant traffic that rests on the rule and that the policy does not tell by addresses: peer, protocol and port.
    pub(super) seen: &'c BTreeSet<(Addr, u8, u16)>,
}

/// Why a rule cannot be narrowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unnarrowed {
    /// What its peer stands for is not known.
    #[error("which addresses {0} stands for is not in the configuration")]
    UnknownPeer(String),
    /// Something that carries the group lies outside of the policy's networks.
    #[error(
        "{0} carries the group too, and lies in no network of the policy: what it needs is not known"
    )]
    Elsewhere(Addr),
    /// Too many rules would take its place.
    #[error(
        "{0} narrower rules would have to take its place, and a group has room for few: expected at most {max}",
        max = MAX_RULES
    )]
    TooMany(usize),
    /// Group members are not told apart by a rule that names their group.
    #[error(
        "the policy allows this port to others that carry {0}, and a rule cannot tell peers of the same group apart"
    )]
    SameGroup(String),
    /// Another carrier of the group may be asked by the same peer.
    #[error(
        "the policy lets the same peer use this port with others that carry {0}, and a rule holds for all that carry its group"
    )]
    OtherCarriers(String),
    /// By addresses alone the policy does not deny it.
    #[error(
        "the policy denies it by what records say, and by addresses alone it does not: a rule knows addresses only"
    )]
    ByRecords,
    /// The same has been seen and found compliant.
    #[error(
        "the same has also been seen where the policy allows it, by evidence that a rule does not know"
    )]
    Seen,
}

/// What stays of a rule; empty if all of it can go.
pub(super) fn narrow(
    wide: &Wide<'_>,
    config: &Config,
    between: &mut PortsBetween<'_>,
) -> Result<Vec<GroupRule>, Unnarrowed> {
    let peers = peers(wide, config, between)?;
    let is_asked = |prefix: &Prefix| peers.iter().any(|peer| peer.is_v4() == prefix.is_v4());
    let mut carriers = wide.carriers.possible(between);
    carriers.retain(is_asked);
    let home = |addr: Addr| between.policy().home(between.network(), addr);
    let mut firsts = carriers.iter().map(|prefix| prefix.first());
    if let Some(elsewhere) = firsts.find(|addr| home(*addr).is_none()) {
        return Err(Unnarrowed::Elsewhere(elsewhere));
    }
    let kept = Kept::of(wide, (&carriers, &peers), between);
    let rules = kept.by_prefix(wide);
    if rules.len() <= MAX_RULES {
        return Ok(rules);
    }
    let by_port = kept.by_port(wide);
    if by_port.len() <= MAX_RULES && wide.seen.iter().all(|seen| lets(&by_port, seen)) {
        return Ok(by_port);
    }
    Err(Unnarrowed::TooMany(rules.len().min(by_port.len())))
}

/// Why what stays of a rule lets a pair through; none if it does not.
pub(super) fn conflict(
    wide: &Wide<'_>,
    rules: &[GroupRule],
    pair: &Connection,
    between: &mut PortsBetween<'_>,
) -> Option<Unnarrowed> {
    let peer = match wide.rule.direction {
        Direction::Ingress => pair.client,
        Direction::Egress => pair.server,
    };
    let asked = (peer, pair.protocol, pair.server_port);
    if !lets(rules, &asked) {
        return None;
    }
    let answer = between.answer(pair.client, pair.server, pair.protocol, pair.server_port);
    Some(if answer != Answer::Deny {
        Unnarrowed::ByRecords
    } else if wide.seen.contains(&asked) {
        Unnarrowed::Seen
    } else if let Peer::Group(id) = &wide.rule.peer {
        Unnarrowed::SameGroup(id.clone())
    } else {
        Unnarrowed::OtherCarriers(wide.group.to_owned())
    })
}

/// Whether one of the rules lets a peer of the rule that they came of use a port. Peers that are no prefixes are the same
/// as that rule's.
fn lets(rules: &[GroupRule], (peer, protocol, port): &(Addr, u8, u16)) -> bool {
    rules.iter().any(|rule| {
        let is_peer = match &rule.peer {
            Peer::Cidr(prefix) => prefix.contains(*peer),
            _ => true,
        };
        is_peer && holds(rule.traffic.ports, *protocol, *port)
    })
}

fn holds(ports: Option<PortRange>, protocol: u8, port: u16) -> bool {
    ports.is_none_or(|range| {
        range.protocol == protocol && (range.first..=range.last).contains(&port)
    })
}

/// What stays: peers by the ports that stay for them.
struct Kept {
    by_ports: BTreeMap<PortSet, Vec<(Addr, Addr)>>,
}

impl Kept {
    fn of(
        wide: &Wide<'_>,
        (carriers, peers): (&[Prefix], &[Prefix]),
        between: &mut PortsBetween<'_>,
    ) -> Kept {
        // What no rule tells apart: by its class, its family, and what the inventory knows.
        let key_of = |between: &PortsBetween<'_>, range: &AddressRange| {
            (range.class, range.first.is_v4(), between.known(range.first))
        };
        let mut members: HashMap<(ClassId, bool, Known), Addr> = HashMap::new();
        for prefix in carriers {
            for range in between.ranges_of(*prefix) {
                let key = key_of(between, &range);
                members.entry(key).or_insert(range.first);
            }
        }
        let mut kept: HashMap<(ClassId, bool, Known), PortSet> = HashMap::new();
        let mut by_ports: BTreeMap<PortSet, Vec<(Addr, Addr)>> = BTreeMap::new();
        for prefix in peers {
            for range in between.ranges_of(*prefix) {
                let key = key_of(between, &range);
                let ports = kept.entry(key).or_insert_with(|| {
                    let members = members.iter().filter(|((_, is_v4, _), _)| *is_v4 == key.1);
                    let sets = members.map(|(_, member)| match wide.rule.direction {
                        Direction::Ingress => between.not_denied(range.first, *member),
                        Direction::Egress => between.not_denied(*member, range.first),
                    });
                    meet(sets, wide.rule.traffic.ports)
                });
                if !ports.ranges().is_empty() {
                    let ranges = by_ports.entry(ports.clone()).or_default();
                    ranges.push((range.first, range.last));
                }
            }
        }
        Kept { by_ports }
    }

    /// Rules for the prefixes that peers make up; for the same peer where that is a group.
    fn by_prefix(&self, wide: &Wide<'_>) -> Vec<GroupRule> {
        if !matches!(wide.rule.peer, Peer::Cidr(_) | Peer::PrefixList(_)) {
            return self.by_port(wide);
        }
        let mut rules = Vec::new();
        for (ports, ranges) in &self.by_ports {
            for prefix in merged(prefixes(ranges)) {
                for traffic in traffics(ports, wide.rule.traffic) {
                    rules.push(rule(wide, traffic, Peer::Cidr(prefix)));
                }
            }
        }
        for seen in wide.seen {
            let (peer, protocol, port) = *seen;
            if !lets(&rules, seen) {
                let ports = PortRange {
                    protocol,
                    first: port,
                    last: port,
                };
                let traffic = Traffic {
                    ports: Some(ports),
                    icmp: wide.rule.traffic.icmp,
                };
                let width = if peer.is_v4() { 32 } else { 128 };
                let peer = Peer::Cidr(Prefix::of(peer, width));
                rules.push(rule(wide, traffic, peer));
            }
        }
        rules.sort();
        rules
    }

    /// Rules for the same peer and fewer ports.
    fn by_port(&self, wide: &Wide<'_>) -> Vec<GroupRule> {
        let of_policy = self.by_ports.keys().flat_map(|ports| ports.ranges());
        let of_seen = wide.seen.iter().map(|(_, protocol, port)| PortRange {
            protocol: *protocol,
            first: *port,
            last: *port,
        });
        let all: PortSet = of_policy.copied().chain(of_seen).collect();
        traffics(&all, wide.rule.traffic)
            .into_iter()
            .map(|traffic| rule(wide, traffic, wide.rule.peer.clone()))
            .collect()
    }
}

fn rule(wide: &Wide<'_>, traffic: Traffic, peer: Peer) -> GroupRule {
    GroupRule {
        direction: wide.rule.direction,
        traffic,
        peer,
        description: wide.rule.description.clone(),
    }
}

/// The prefixes of a rule's peer; of a group those that carry it, or may.
fn peers(
    wide: &Wide<'_>,
    config: &Config,
    between: &PortsBetween<'_>,
) -> Result<Vec<Prefix>, Unnarrowed> {
    match &wide.rule.peer {
        Peer::Cidr(prefix) => Ok(vec![*prefix]),
        Peer::PrefixList(id) => {
            let list = config.prefix_list(id);
            let entries = list.and_then(|list| list.entries.clone());
            entries.ok_or_else(|| Unnarrowed::UnknownPeer(id.clone()))
        }
        Peer::Group(_) => Ok(wide.peers.possible(between)),
        Peer::ForeignGroup { account, id } => {
            Err(Unnarrowed::UnknownPeer(format!("{account}/{id}")))
        }
    }
}

/// All pairs of the sets, as far as the range holds them.
fn meet(sets: impl Iterator<Item = PortSet>, within: Option<PortRange>) -> PortSet {
    let mut ranges: Vec<PortRange> = Vec::new();
    for set in sets {
        let met = set.ranges().iter().filter_map(|range| match within {
            None => Some(*range),
            Some(within) => {
                let (first, last) = (range.first.max(within.first), range.last.min(within.last));
                let meets = range.protocol == within.protocol && first <= last;
                meets.then_some(PortRange {
                    protocol: range.protocol,
                    first,
                    last,
                })
            }
        });
        ranges.extend(met);
    }
    ranges.into_iter().collect()
}

/// A set of pairs as rules write it: everything, or a range each. `of` is what it is a part of.
fn traffics(set: &PortSet, of: Traffic) -> Vec<Traffic> {
    if set.num_pairs() == NUM_PAIRS {
        return vec![Traffic::ALL];
    }
    let icmp = of.icmp;
    let ranges = set.ranges().iter();
    ranges
        .map(|range| Traffic {
            ports: Some(*range),
            icmp: icmp.filter(|_| protocol::is_icmp(range.protocol)),
        })
        .collect()
}
