//! The inventory that `[data]` names: which interface has an address, and what it is, from when on.
//!
//! `read` reads the files, `claims` says how long what they state lasts, `compile` makes tables of it: for each address of
//! a network its [`Moment`]s, at each of which the number of what is known changes. Numbers stand for facts that rules can
//! tell apart (groups, labels, whether it carries others' flows), so that a decision is remembered by them.
//!
//! - A file without a date holds always, before any dated one; a dated one from its date on; a history's states from their
//!   own times on.
//! - An interface is what the newest file that names it says. The describe call tells all interfaces of the VPCs in which
//!   it tells any: what it does not name there is gone from its date on. Terraform and histories say nothing of others.
//! - An interface has the tags of its instance beside its own. Where no file tells those, whether it is in a group by tags
//!   is not known.
//! - Where two interfaces claim one address at one time, the one with the newest statement has it; of one instant, both.
//! - Of prefixes delegated to an interface the longest around an address that anyone has then counts.

mod claims;
mod compile;
mod read;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashMap;

use super::fit::Truth;
use super::{GroupId, NetworkId, Policy};
use crate::config::Interface;
use crate::net::{Addr, Prefix};

pub(super) use compile::compile;
pub(super) use read::{Stated, StatedFile, read};

/// What the inventory knows of an address at an instant: a number that stands for all that rules can tell apart of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Known(pub(super) u32);

/// The inventory knows nothing of the address: there is none, none holds then, or it has no such address.
const NOTHING: Known = Known(0);

impl Known {
    /// The inventory knows the address, and it is in no group and has no labels.
    pub(super) const IN_NO_GROUP: Known = Known(1);

    /// Whether the inventory knows the address.
    pub fn is_told(self) -> bool {
        self != NOTHING
    }
}

/// A type that records could be taken to show as carrying others' flows, and that is an end.
const BALANCER: &str = "network_load_balancer";

/// The compiled inventory.
#[derive(Default)]
pub(super) struct Inventory {
    /// Whether the policy names one.
    is_loaded: bool,
    /// By their number, [`Known`].
    facts: Vec<Facts>,
    /// By network, or none for public addresses: a range of `moments`.
    timelines: HashMap<(Option<NetworkId>, Prefix), Range<u32>>,
    /// The lengths of prefixes in `timelines`, longest first: of IPv6, of IPv4.
    lengths: [Vec<u8>; 2],
    moments: Vec<Moment>,
    /// Who has an address: numbers of `holders`.
    held: Vec<u32>,
    holders: Vec<Holder>,
    states: Vec<Shown>,
    files: Vec<StatedFile>,
    /// The types of interfaces that carry others' flows, and of network load balancers, by id.
    kinds: HashMap<String, String>,
    /// All that is said of these, for comparison.
    carriers: Vec<String>,
    /// By group whether anyone is in it by the inventory, ever.
    has_members: Vec<bool>,
}

/// What rules can tell apart.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Facts {
    /// Sorted.
    groups: Vec<GroupId>,
    /// Groups by tags that it is not in by its own, and of its instance's nothing tells; sorted.
    unknown: Vec<GroupId>,
    labels: BTreeMap<String, String>,
    carries_others: bool,
}

/// From when on something else is known of an address.
struct Moment {
    from: i64,
    known: Known,
    /// Who has it: a range of [`Inventory::held`].
    first_holder: u32,
    num_holders: u32,
}

/// A statement of a file about an interface.
struct Holder {
    id: Box<str>,
    file: u32,
    state: u32,
    from: i64,
}

/// What is shown of a state of an interface.
struct Shown {
    kind: Option<Box<str>>,
    instance: Option<Box<str>>,
    security_groups: Vec<String>,
}

impl Shown {
    fn of(interface: Interface) -> Shown {
        Shown {
            kind: interface.kind.map(Into::into),
            instance: interface.instance.map(Into::into),
            security_groups: interface.groups,
        }
    }
}

impl Inventory {
    fn moment(&self, network: Option<NetworkId>, addr: Addr, at: i64) -> Option<&Moment> {
        let lengths = &self.lengths[usize::from(addr.is_v4())];
        lengths.iter().find_map(|len| {
            let moments = self.timelines.get(&(network, Prefix::of(addr, *len)))?;
            let moments = &self.moments[moments.start as usize..moments.end as usize];
            let begun = moments.partition_point(|moment| moment.from <= at);
            let moment = moments.get(begun.checked_sub(1)?)?;
            moment.known.is_told().then_some(moment)
        })
    }

    fn facts(&self, known: Known) -> Option<&Facts> {
        let is_told = known.is_told();
        is_told.then(|| &self.facts[known.0 as usize])
    }

    /// Whether an address of which this is known is in a group.
    pub(super) fn is_in_group(&self, known: Known, group: GroupId) -> Truth {
        let Some(facts) = self.facts(known) else {
            return Truth::Unknown;
        };
        if facts.groups.binary_search(&group).is_ok() {
            Truth::Yes
        } else if facts.unknown.binary_search(&group).is_ok() {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// A label by the tags of the interface.
    pub(super) fn label(&self, known: Known, label: &str) -> Option<&str> {
        self.facts(known)?.labels.get(label).map(String::as_str)
    }

    /// Whether anyone is in the group by the inventory, at any time.
    pub(super) fn has_members(&self, group: GroupId) -> bool {
        let has = self.has_members.get(usize::from(group.0));
        has.copied().unwrap_or(false)
    }

    /// What it says of who carries others' flows, as texts.
    pub(super) fn carriers(&self) -> &[String] {
        &self.carriers
    }

    /// The digests of its files, each with its date, sorted.
    pub(super) fn digests(&self) -> Vec<([u8; 32], Option<i64>)> {
        let files = self.files.iter();
        let mut digests: Vec<_> = files.map(|file| (file.digest, file.valid_from)).collect();
        digests.sort_unstable();
        digests
    }
}

/// An interface that has an address by the inventory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceStory<'p> {
    /// Its id.
    pub id: &'p str,
    /// The file that says so, as the policy names it.
    pub file: &'p str,
    /// Since when, seconds since 1970; none of a file without a date.
    pub from: Option<i64>,
    /// Its type, if the file tells.
    pub kind: Option<&'p str>,
    /// The instance that it is attached to.
    pub instance: Option<&'p str>,
    /// Its security groups.
    pub security_groups: Vec<&'p str>,
}

impl Policy {
    /// Whether an inventory is loaded.
    pub fn has_inventory(&self) -> bool {
        self.inventory.is_loaded
    }

    /// What the inventory knows of an address of a network at an instant, seconds since 1970. Of an address without a home
    /// it knows nothing.
    #[inline]
    pub fn known(&self, home: Option<NetworkId>, addr: Addr, at: u32) -> Known {
        match home {
            Some(_) if self.inventory.is_loaded => {
                let moment = self.inventory.moment(home, addr, i64::from(at));
                moment.map_or(NOTHING, |moment| moment.known)
            }
            _ => NOTHING,
        }
    }

    /// The groups of an address by what the inventory knows of it, sorted; without those by prefix and by records.
    pub fn groups_by_inventory(&self, known: Known) -> &[GroupId] {
        let facts = self.inventory.facts(known);
        facts.map_or(&[], |facts| &facts.groups)
    }

    /// Whether the interface that the inventory knows at an address carries others' flows: a NAT gateway, a transit
    /// gateway, a gateway load balancer or an endpoint of one.
    pub fn carries_others(&self, known: Known) -> bool {
        let facts = self.inventory.facts(known);
        facts.is_some_and(|facts| facts.carries_others)
    }

    /// The type of an interface by the inventory, as flow logs write it, if it is one that carries others' flows or a
    /// network load balancer; an interface never changes its type.
    pub fn interface_type(&self, interface: &str) -> Option<&str> {
        self.inventory.kinds.get(interface).map(String::as_str)
    }

    /// Whether the inventory has the address, at this instant, as a public address of an interface of one's own.
    pub fn is_own_public(&self, addr: Addr, at: u32) -> bool {
        self.inventory.is_loaded && self.inventory.moment(None, addr, i64::from(at)).is_some()
    }

    /// Whether the inventory has anything to say of an address of a network, at any time.
    pub fn is_in_inventory(&self, home: NetworkId, addr: Addr) -> bool {
        let mut lengths = self.inventory.lengths[usize::from(addr.is_v4())].iter();
        lengths.any(|len| {
            let key = (Some(home), Prefix::of(addr, *len));
            self.inventory.timelines.contains_key(&key)
        })
    }

    /// Addresses, in no order, at which what the inventory knows may change, whatever the network and the instant.
    pub(super) fn inventory_cuts(&self) -> impl Iterator<Item = u128> {
        let prefixes = self.inventory.timelines.keys().map(|(_, prefix)| prefix);
        prefixes.flat_map(|prefix| {
            let behind = prefix.last().bits().checked_add(1);
            std::iter::once(prefix.first().bits()).chain(behind)
        })
    }

    /// The instants after the first, up to and with the last, at which the inventory may know something else of an address;
    /// sorted. Seconds since 1970.
    pub fn changes_of(
        &self,
        home: Option<NetworkId>,
        addr: Addr,
        (after, last): (u32, u32),
    ) -> Vec<u32> {
        let mut changes = Vec::new();
        for len in &self.inventory.lengths[usize::from(addr.is_v4())] {
            let key = (home, Prefix::of(addr, *len));
            let Some(moments) = home.and_then(|_| self.inventory.timelines.get(&key)) else {
                continue;
            };
            let moments = &self.inventory.moments[moments.start as usize..moments.end as usize];
            let within = moments.iter().filter_map(|moment| {
                let from = u32::try_from(moment.from).ok()?;
                (after < from && from <= last).then_some(from)
            });
            changes.extend(within);
        }
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// The interfaces that have an address by the inventory, at an instant, by id; of a public address, with no home, those
    /// that it is mapped to.
    pub(super) fn interfaces_at(
        &self,
        home: Option<NetworkId>,
        addr: Addr,
        at: u32,
    ) -> Vec<InterfaceStory<'_>> {
        let inventory = &self.inventory;
        let Some(moment) = inventory.moment(home, addr, i64::from(at)) else {
            return Vec::new();
        };
        let first = moment.first_holder as usize;
        let held = &inventory.held[first..first + moment.num_holders as usize];
        let stories = held.iter().map(|number| {
            let holder = &inventory.holders[*number as usize];
            let shown = &inventory.states[holder.state as usize];
            let groups = shown.security_groups.iter().map(String::as_str);
            InterfaceStory {
                id: &holder.id,
                file: &inventory.files[holder.file as usize].name,
                from: (holder.from != read::EVER).then_some(holder.from),
                kind: shown.kind.as_deref(),
                instance: shown.instance.as_deref(),
                security_groups: groups.collect(),
            }
        });
        stories.collect()
    }
}
