//! Ends, as a network of the policy sees them: all addresses that are asked about, in kinds that neither the policy nor the
//! configuration can tell apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Aside;
use crate::config::permit::{End, Permits};
use crate::config::{Config, Interface, Peer, Vpc};
use crate::net::{Addr, Prefix};
use crate::policy::diff::{Range, sorted};
use crate::policy::{Between, EndId, GroupId, InterfaceFacts, NetworkId, Place, Policy, ZoneId};

/// Ends of one family that neither side tells apart.
pub(super) struct EndKind<'c> {
    pub(super) ipv4: bool,
    /// One of them, by the configuration: that with the lowest address.
    pub(super) end: End<'c>,
    /// All of them, by the policy.
    pub(super) asked: EndId,
    pub(super) zone: ZoneId,
    /// The network that has them, by the policy.
    pub(super) home: Option<NetworkId>,
    /// Stands for the security groups that they carry.
    pub(super) carried: u32,
    /// Stands for the subnet that they are in.
    pub(super) subnet: u32,
    /// Ascending; no two touch.
    pub(super) ranges: Vec<Range>,
    pub(super) interfaces: BTreeSet<&'c str>,
    /// VPCs whose prefixes hold them, their own included.
    within: Vec<&'c str>,
}

impl EndKind<'_> {
    /// Whether it has one address only.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.ranges.as_slice(), [(first, last)] if first == last)
    }

    pub(super) fn vpc(&self) -> Option<&str> {
        self.end.vpc.map(|vpc| vpc.id.as_str())
    }
}

/// All ends that a network sees.
pub(super) struct View<'c> {
    pub(super) network: NetworkId,
    pub(super) kinds: Vec<EndKind<'c>>,
    /// By VPC, and for the outside, the ranges of addresses, ascending, each with its kind.
    places: BTreeMap<Option<&'c str>, Vec<(Range, u32)>>,
}

impl View<'_> {
    /// Whether a pair of kinds is asked about by this network: one of the two is at home in it, and what they have is no
    /// other network's question.
    pub(super) fn is_asked(&self, client: u32, server: u32) -> bool {
        let [one, other] = [client, server].map(|kind| &self.kinds[kind as usize]);
        if one.ipv4 != other.ipv4 || one.home.or(other.home) != Some(self.network) {
            return false;
        }
        if client == server && one.is_single() {
            return false;
        }
        let (Some(from), Some(to)) = (one.vpc(), other.vpc()) else {
            return true;
        };
        // What a VPC has an address for itself never leaves it.
        from == to || !(one.within.contains(&to) || other.within.contains(&from))
    }

    /// The kind of an address: a VPC's if just one of those in sight has it, else that of the outside.
    pub(super) fn kind_of(&self, addr: Addr) -> Option<u32> {
        let inside = self.places.iter().filter(|(vpc, _)| vpc.is_some());
        let mut inside = inside.filter_map(|(_, ranges)| held(ranges, addr));
        match (inside.next(), inside.next()) {
            (Some(_), Some(_)) => None,
            (Some(kind), None) => Some(kind),
            (None, _) => held(self.places.get(&None)?, addr),
        }
    }
}

fn held(ranges: &[(Range, u32)], addr: Addr) -> Option<u32> {
    let behind = ranges.partition_point(|((first, _), _)| *first <= addr);
    let ((_, last), kind) = ranges.get(behind.checked_sub(1)?)?;
    (addr <= *last).then_some(*kind)
}

/// VPCs, each with the network that judges its records.
pub(super) fn placed<'c>(
    policy: &Policy,
    config: &'c Config,
    aside: &mut Aside<'c>,
) -> Vec<(&'c Vpc, NetworkId)> {
    let mut placed = Vec::new();
    for vpc in &config.vpcs {
        // What is only planned has no id that a policy could list.
        let id = crate::config::is_known(&vpc.id).then_some(vpc.id.as_str());
        match policy.network_of(id, vpc.account.as_deref(), vpc.region.as_deref()) {
            Some(network) => placed.push((vpc, network)),
            None => aside.unlisted_vpcs.push(&vpc.id),
        }
    }
    placed
}

/// What makes the ends of a view.
pub(super) struct Sight<'s, 'c> {
    pub(super) policy: &'c Policy,
    pub(super) config: &'c Config,
    pub(super) permits: &'s Permits<'c>,
    pub(super) between: &'s mut Between<'c>,
    pub(super) aside: &'s mut Aside<'c>,
}

/// What tells ends apart.
#[derive(PartialEq, Eq, Hash)]
struct Key<'c> {
    asked: EndId,
    zone: ZoneId,
    home: Option<NetworkId>,
    carried: Carried<'c>,
    subnet: (Option<&'c str>, Option<&'c str>),
    /// Places in the list of all prefixes that anything names.
    named: Vec<u32>,
    within: Vec<&'c str>,
    /// Security groups that the address carries in VPCs that are not seen.
    elsewhere: Vec<&'c str>,
}

/// The security groups of an end.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Carried<'c> {
    /// It is outside.
    Outside,
    /// Nobody knows who is there.
    Unknown,
    Groups(Vec<&'c str>),
    /// An interface that carries none, or of which they are not told.
    None(&'c str),
}

/// Interfaces that carry what others send. Load balancers are none of them: they are ends of both their legs.
const CARRIERS: [&str; 4] = [
    "nat_gateway",
    "transit_gateway",
    "gateway_load_balancer",
    "gateway_load_balancer_endpoint",
];

/// Prefixes of IPv6 space whose addresses stand for IPv4 ones: the mapped form is how they are held, that of NAT64 never.
const MAPPED: u128 = Addr::from_v4(0).bits();
const NAT64: u128 = 0x0064_ff9b_u128 << 96;
const NUM_IPV4: u128 = 1 << 32;

impl<'c> Sight<'_, 'c> {
    /// What a network sees.
    pub(super) fn view(&mut self, network: NetworkId, placed: &[(&'c Vpc, NetworkId)]) -> View<'c> {
        let named = self.named();
        let ends_of_ipv4 = [MAPPED, MAPPED + NUM_IPV4, NAT64, NAT64 + NUM_IPV4];
        let mut cuts: Vec<u128> = ends_of_ipv4.into_iter().chain([0]).collect();
        cuts.extend(self.policy.cuts(network, self.between.at()).map(Addr::bits));
        let interfaces = self.config.interfaces.iter().flat_map(|one| &one.addrs);
        let subnets = self.config.subnets.iter().flat_map(|one| &one.cidrs);
        let all = interfaces.chain(subnets).chain(&named);
        for prefix in all {
            cuts.push(prefix.first().bits());
            cuts.extend(prefix.last().bits().checked_add(1));
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut kinds = Kinds::default();
        for (at, first) in cuts.iter().enumerate() {
            let last = cuts.get(at + 1).map_or(u128::MAX, |next| next - 1);
            let is_nat64 = (NAT64..NAT64 + NUM_IPV4).contains(first);
            let range = (Addr::from_v6(*first), Addr::from_v6(last));
            if is_nat64 || range.0.is_local() {
                continue;
            }
            self.cell(range, network, placed, &named, &mut kinds);
        }
        kinds.finish(network)
    }

    /// Addresses that nothing tells apart.
    fn cell(
        &mut self,
        range: Range,
        network: NetworkId,
        placed: &[(&'c Vpc, NetworkId)],
        named: &[Prefix],
        kinds: &mut Kinds<'c>,
    ) {
        let place = self.policy.place(network, range.0, self.between.at());
        let named_by: Vec<u32> = (0..named.len() as u32)
            .filter(|at| named[*at as usize].contains(range.0))
            .collect();
        let having = placed
            .iter()
            .filter(|(vpc, _)| has(self.config, vpc, range.0));
        let within: Vec<&'c str> = having.clone().map(|(vpc, _)| vpc.id.as_str()).collect();
        let in_sight: Vec<(&'c Vpc, NetworkId)> = having
            .filter(|(_, of)| *of == network || place.home == Some(*of))
            .copied()
            .collect();
        if in_sight.is_empty() {
            if place.home.is_some() {
                self.aside.missing.push(range);
                return;
            }
            let end = self.permits.end(None, range.0);
            let key = self.key(&end, place, Vec::new(), named_by, within);
            kinds.add(key, end, range);
            return;
        }
        for (vpc, of) in in_sight {
            let end = self.permits.end(Some(&vpc.id), range.0);
            if !self.is_an_end(&end) {
                continue;
            }
            if place.home.is_none() && of == network {
                self.aside.strays.push(range);
            }
            if end.subnet.is_some() && end.acl.is_none() {
                let subnet = end.subnet.map(|subnet| subnet.id.as_str());
                self.aside.without_acl.extend(subnet);
            }
            if !end.is_fully_known {
                self.aside.partly_known.push(&vpc.id);
            }
            let groups = self.groups(place, &end);
            let key = self.key(&end, place, groups, named_by.clone(), within.clone());
            kinds.add(key, end, range);
        }
    }

    /// Whether somebody is there, or may be, who opens or answers connections.
    fn is_an_end(&mut self, end: &End<'c>) -> bool {
        let Some(first) = end.interfaces.first() else {
            let vpc = end.vpc.map(|vpc| vpc.id.as_str());
            let mut subnets = self.config.subnets.iter();
            let has_subnets = subnets.any(|subnet| subnet.vpc.as_deref() == vpc);
            return !end.is_fully_known && (end.subnet.is_some() || !has_subnets);
        };
        let is_carrier = |one: &Interface| {
            let kind = one.kind.as_deref().unwrap_or_default();
            CARRIERS.contains(&kind) || self.policy.is_transit(Some(end.addr), Some(&one.id))
        };
        let is_nat = || {
            let mut nats = self.config.nats.iter();
            nats.any(|nat| {
                nat.vpc == first.vpc && nat.addrs.iter().any(|one| one.contains(end.addr))
            })
        };
        if end.interfaces.iter().any(|one| is_carrier(one)) || is_nat() {
            self.aside.carriers.push(&first.id);
            return false;
        }
        true
    }

    /// The groups of the policy that the facts of its interfaces put an end into.
    fn groups(&self, place: Place, end: &End<'c>) -> Vec<GroupId> {
        let Some(home) = place.home.filter(|_| self.policy.has_groups_by_facts()) else {
            return Vec::new();
        };
        let mut groups: Vec<GroupId> = Vec::new();
        for interface in &end.interfaces {
            let facts = InterfaceFacts {
                interface: Some(&interface.id),
                instance: interface.instance.as_deref(),
                interface_type: interface.kind.as_deref(),
                ecs_service: None,
                tags: [None; 6],
            };
            groups.extend(self.policy.groups_by_facts(home, &facts));
            groups.extend(self.policy.groups_by_tags(home, &interface.tags));
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn key(
        &mut self,
        end: &End<'c>,
        place: Place,
        groups: Vec<GroupId>,
        named: Vec<u32>,
        within: Vec<&'c str>,
    ) -> Key<'c> {
        let known = self.policy.known(place.home, end.addr, self.between.at());
        let zone = self.policy.zone(&crate::policy::End {
            home: place.home,
            class: place.class,
            groups: &groups,
            known,
            services: 0,
            services_known: false,
            domains: Default::default(),
        });
        let carried = match (end.is_inside(), end.interfaces.first()) {
            (false, _) => Carried::Outside,
            (true, None) => Carried::Unknown,
            (true, Some(first)) if end.groups.is_empty() => Carried::None(&first.id),
            (true, Some(_)) => Carried::Groups(end.groups.iter().map(|(id, _)| *id).collect()),
        };
        Key {
            asked: self.between.end(end.addr.is_v4(), place, groups, known),
            zone,
            home: place.home,
            carried,
            subnet: (
                end.vpc.map(|vpc| vpc.id.as_str()),
                end.subnet.map(|subnet| subnet.id.as_str()),
            ),
            named,
            within,
            elsewhere: end.elsewhere.clone(),
        }
    }

    /// All prefixes that rules of the configuration name, and those of VPCs.
    fn named(&self) -> Vec<Prefix> {
        let config = self.config;
        let mut named: Vec<Prefix> = Vec::new();
        for rule in config.groups.iter().flat_map(|group| &group.rules) {
            match &rule.peer {
                Peer::Cidr(prefix) => named.push(*prefix),
                Peer::PrefixList(id) => {
                    let list = config.prefix_list(id);
                    named.extend(list.iter().flat_map(|list| list.entries.iter().flatten()));
                }
                Peer::Group(_) | Peer::ForeignGroup { .. } => {}
            }
        }
        let entries = config.acls.iter().flat_map(|acl| &acl.entries);
        named.extend(entries.map(|entry| entry.cidr));
        named.extend(config.vpcs.iter().flat_map(|vpc| &vpc.cidrs));
        named.sort_unstable();
        named.dedup();
        named
    }
}

/// Whether a VPC has an address: by its own prefixes, or where the input leaves one out, by its subnets'.
fn has(config: &Config, vpc: &Vpc, addr: Addr) -> bool {
    let mut subnets = config
        .subnets
        .iter()
        .filter(|subnet| subnet.vpc.as_ref() == Some(&vpc.id));
    vpc.cidrs.iter().any(|cidr| cidr.contains(addr))
        || subnets.any(|subnet| subnet.cidrs.iter().any(|cidr| cidr.contains(addr)))
}

/// Kinds as they are being found.
#[derive(Default)]
struct Kinds<'c> {
    all: Vec<EndKind<'c>>,
    numbers: HashMap<(bool, Key<'c>), u32>,
    carried: HashMap<Carried<'c>, u32>,
    subnets: HashMap<(Option<&'c str>, Option<&'c str>), u32>,
    places: BTreeMap<Option<&'c str>, Vec<(Range, u32)>>,
}

impl<'c> Kinds<'c> {
    fn add(&mut self, key: Key<'c>, end: End<'c>, range: Range) {
        let place = key.subnet.0;
        let ipv4 = range.0.is_v4();
        let interfaces = end.interfaces.iter().map(|one| one.id.as_str());
        let interfaces: Vec<&str> = interfaces.collect();
        let (next_carried, next_subnet) = (self.carried.len() as u32, self.subnets.len() as u32);
        let carried = *self
            .carried
            .entry(key.carried.clone())
            .or_insert(next_carried);
        let subnet = *self.subnets.entry(key.subnet).or_insert(next_subnet);
        let kind = EndKind {
            ipv4,
            end,
            asked: key.asked,
            zone: key.zone,
            home: key.home,
            carried,
            subnet,
            ranges: Vec::new(),
            interfaces: BTreeSet::new(),
            within: key.within.clone(),
        };
        let number = *self.numbers.entry((ipv4, key)).or_insert_with(|| {
            self.all.push(kind);
            self.all.len() as u32 - 1
        });
        let kind = &mut self.all[number as usize];
        kind.ranges.push(range);
        kind.interfaces.extend(interfaces);
        self.places.entry(place).or_default().push((range, number));
    }

    fn finish(self, network: NetworkId) -> View<'c> {
        let mut kinds = self.all;
        for kind in &mut kinds {
            kind.ranges = sorted(std::mem::take(&mut kind.ranges));
        }
        let mut places = self.places;
        for ranges in places.values_mut() {
            ranges.sort_unstable_by_key(|(range, _)| *range);
        }
        View {
            network,
            kinds,
            places,
        }
    }
}
