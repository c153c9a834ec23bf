//! What is known of one end, and by which prefix. The end's class says what it is a member of; the prefixes are then
//! looked up among those of its memberships.

use crate::net::{Addr, Prefix};
use crate::policy::classes::{how_specific, special};
use crate::policy::fit::Truth;
use crate::policy::{End, GroupId, InterfaceStory, NetworkId, Policy, ZoneKind};

/// What is known of one end.
#[derive(Clone, Debug)]
pub struct EndStory<'p> {
    /// The address.
    pub addr: Addr,
    /// The network that holds it, and the network's longest prefix that does; none outside.
    pub network: Option<Holding<'p>>,
    /// The subnets of that network that hold it, longest prefix first: the first is its own.
    pub subnets: Vec<SubnetStory<'p>>,
    /// The groups that prefixes put it in, by name.
    pub groups: Vec<Holding<'p>>,
    /// The groups that records of its interface put it in, by name; none of a bare address.
    pub groups_by_facts: Vec<&'p str>,
    /// The groups that the inventory puts it in, by name.
    pub groups_by_inventory: Vec<&'p str>,
    /// The interfaces that have it by the inventory, at the instant that is asked about; of an end outside, those that the
    /// public address is mapped to.
    pub interfaces: Vec<InterfaceStory<'p>>,
    /// Whether an inventory is loaded, so that no interface is evidence that it does not know the address.
    pub has_inventory: bool,
    /// The groups that it could be in by what is not known of it: security groups, tags, descriptions, endpoints.
    pub possible_groups: Vec<&'p str>,
    /// The destinations that prefixes put it in, longest prefix first; an end inside is in none.
    pub destinations: Vec<Holding<'p>>,
    /// The AWS services whose pinned ranges hold it, longest range first, of equal ones the most specific service.
    pub services: Vec<Holding<'p>>,
    /// The AWS services that records name for it; none of a bare address.
    pub services_by_field: Vec<&'p str>,
    /// Whether records have the field that names them.
    pub services_known: bool,
    /// Whether AWS's ranges are pinned, so that no service is known to be none.
    pub has_ranges: bool,
    /// The private or local address space that it is of.
    pub special: Option<Prefix>,
    /// Its zone.
    pub zone: &'p str,
    /// What kind of place that is.
    pub kind: ZoneKind,
}

/// Something that holds an address, by a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holding<'p> {
    /// Its name.
    pub name: &'p str,
    /// Its longest prefix that holds the address.
    pub prefix: Prefix,
}

/// A subnet that holds an address.
#[derive(Clone, Debug)]
pub struct SubnetStory<'p> {
    /// Its id, if the file gives one.
    pub id: Option<&'p str>,
    /// Its tier.
    pub tier: &'p str,
    /// Its availability zone.
    pub az: Option<&'p str>,
    /// Its labels, sorted.
    pub labels: Vec<(&'p str, &'p str)>,
    /// Its longest prefix that holds the address.
    pub prefix: Prefix,
}

impl Policy {
    /// What is known of an end at an address, at an instant.
    pub(super) fn end_story(&self, addr: Addr, end: &End<'_>, at: u32) -> EndStory<'_> {
        let class = self.space.class(end.class);
        let zone = self.zone(end);
        let places = &self.places;
        let holding =
            |name, cidrs: &[Prefix]| longest(cidrs, addr).map(|prefix| Holding { name, prefix });
        let groups = class.groups.iter().filter_map(|group| {
            let group = &places.groups[usize::from(group.0)];
            holding(group.name.as_str(), &group.cidrs)
        });
        let possible_groups = places.groups.iter().enumerate().filter(|(place, group)| {
            let is_in_force = group.validity.holds(at);
            let could_be = class
                .home
                .is_some_and(|home| group.network.is_none_or(|of| of == home));
            let is_known = end
                .groups
                .iter()
                .any(|id| self.group_name(*id) == group.name);
            let by_inventory = self
                .inventory
                .is_in_group(end.known, GroupId(*place as u16));
            let is_known = is_known || by_inventory != Truth::Unknown;
            let is_by_prefix = longest(&group.cidrs, addr).is_some();
            is_in_force && could_be && group.needs_inventory() && !is_by_prefix && !is_known
        });
        let by_facts = end.groups.iter().filter(|id| !class.is_dormant(id.0));
        let mut destinations: Vec<Holding<'_>> = class
            .destinations
            .iter()
            .filter_map(|id| {
                let destination = &places.destinations[usize::from(*id)];
                holding(destination.name.as_str(), &destination.cidrs)
            })
            .collect();
        destinations.sort_by_key(|held| std::cmp::Reverse(held.prefix.len()));
        EndStory {
            addr,
            network: end.home.and_then(|home| {
                let home = &places.networks[usize::from(home.0)];
                holding(home.name.as_str(), &home.cidrs)
            }),
            subnets: self.subnets_holding(end.home, addr, at),
            groups: groups.collect(),
            groups_by_facts: by_facts.map(|id| self.group_name(*id)).collect(),
            groups_by_inventory: self
                .groups_by_inventory(end.known)
                .iter()
                .filter(|id| !class.is_dormant(id.0))
                .map(|id| self.group_name(*id))
                .collect(),
            interfaces: self.interfaces_at(end.home, addr, at),
            has_inventory: self.has_inventory(),
            possible_groups: possible_groups
                .map(|(_, group)| group.name.as_str())
                .collect(),
            destinations,
            services: self.services_holding(class.services, addr),
            services_by_field: (0..64u8)
                .filter(|bit| end.services >> bit & 1 == 1)
                .map(|bit| self.services.name(bit))
                .collect(),
            services_known: end.services_known,
            has_ranges: self.has_ranges,
            special: special(addr),
            zone: self.zone_name(zone),
            kind: self.zone_kind(zone),
        }
    }

    fn subnets_holding(
        &self,
        home: Option<NetworkId>,
        addr: Addr,
        at: u32,
    ) -> Vec<SubnetStory<'_>> {
        let of_home = self
            .places
            .subnets
            .iter()
            .filter(|subnet| Some(subnet.network) == home && subnet.validity.holds(at));
        let mut holding: Vec<SubnetStory<'_>> = of_home
            .filter_map(|subnet| {
                Some(SubnetStory {
                    id: subnet.id.as_deref(),
                    tier: &self.places.tiers[usize::from(subnet.tier)].name,
                    az: subnet.az.as_deref(),
                    labels: subnet
                        .labels
                        .iter()
                        .map(|(key, value)| (&**key, &**value))
                        .collect(),
                    prefix: longest(&subnet.cidrs, addr)?,
                })
            })
            .collect();
        holding.sort_by_key(|subnet| std::cmp::Reverse(subnet.prefix.len()));
        holding
    }

    fn services_holding(&self, services: u64, addr: Addr) -> Vec<Holding<'_>> {
        let mut holding: Vec<(u8, Prefix)> = (0..64u8)
            .filter(|bit| services >> bit & 1 == 1)
            .filter_map(|bit| {
                let ranges = self.ranges.iter().filter(|range| range.service == bit);
                let holding = ranges
                    .map(|range| range.prefix)
                    .filter(|prefix| prefix.contains(addr));
                Some((bit, holding.max_by_key(|prefix| prefix.len())?))
            })
            .collect();
        holding.sort_by_key(|(bit, prefix)| std::cmp::Reverse((prefix.len(), how_specific(*bit))));
        holding
            .into_iter()
            .map(|(bit, prefix)| Holding {
                name: self.services.name(bit),
                prefix,
            })
            .collect()
    }
}

/// The longest of the prefixes that holds the address.
fn longest(prefixes: &[Prefix], addr: Addr) -> Option<Prefix> {
    let holding = prefixes
        .iter()
        .copied()
        .filter(|prefix| prefix.contains(addr));
    holding.max_by_key(|prefix| prefix.len())
}
