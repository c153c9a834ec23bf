//! Address space as the policy sees it: every address belongs to a class, and no rule can tell two addresses of one class
//! apart. A network's addresses are looked up in the network's own table, which knows its prefixes and those of the
//! networks that it is connected to; what is in neither, in a table of the outside that all networks share.
//!
//! Subnets, groups and destinations may be in force for a time only. Each view then has a table for every epoch between the
//! instants at which something in it begins or ends, and classes are shared between epochs: what an address is a member of
//! is all that its class says, so that whoever has an end's class need not ask for the instant again.

use std::sync::Arc;

use super::table::{NONE, Table};
use super::timeline::Timeline;
use super::{ClassId, GroupId, NetworkId, Place};
use crate::net::Addr;

/// What kind of address it is, seen from a network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    /// In the network, or in one that it is connected to.
    Inside,
    /// Private, outside.
    Private,
    /// Link-local, multicast, loopback, broadcast.
    Local,
    /// Everything else.
    Internet,
}

/// Numbers of groups or of destinations, ascending. Classes of one epoch share the list, which mostly is empty.
pub(super) type Dormant = Arc<[u16]>;

/// A class of addresses: what they are members of by prefix, and what they cannot be members of otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) home: Option<NetworkId>,
    pub(super) subnet: Option<u32>,
    /// Sorted.
    pub(super) groups: Vec<GroupId>,
    /// Sorted.
    pub(super) destinations: Vec<u16>,
    /// The destination with the longest prefix, of several the first by name.
    pub(super) destination: Option<u16>,
    /// AWS services by pinned ranges: a bit each.
    pub(super) services: u64,
    /// The service of the longest range, a specific one before EC2 before AMAZON.
    pub(super) service: Option<u8>,
    /// Inside the groups, outside the destinations that records or evidence could tell members of, were they in force.
    /// Sorted.
    pub(super) dormant: Dormant,
}

impl Class {
    /// Whether a group, or a destination, that evidence could put an end of the class in is not in force.
    pub(super) fn is_dormant(&self, number: u16) -> bool {
        self.dormant.binary_search(&number).is_ok()
    }
}

/// All classes and the tables that lead to them.
pub(super) struct Space {
    classes: Vec<Class>,
    homes: Vec<Option<NetworkId>>,
    /// By network.
    inside: Vec<Timeline>,
    outside: Timeline,
    /// The instants at which an epoch of any view begins, sorted.
    begins: Vec<u32>,
}

impl Space {
    /// All classes, and the tables of each network's view and of the outside.
    pub(super) fn new(classes: Vec<Class>, inside: Vec<Timeline>, outside: Timeline) -> Space {
        let timelines = inside.iter().chain([&outside]);
        let begins = timelines.flat_map(|timeline| timeline.begins().iter().copied());
        let mut begins: Vec<u32> = begins.collect();
        begins.sort_unstable();
        begins.dedup();
        Space {
            homes: classes.iter().map(|class| class.home).collect(),
            classes,
            inside,
            outside,
            begins,
        }
    }

    /// The network that holds an address, seen from a network.
    #[inline]
    pub(super) fn home(&self, network: NetworkId, addr: Addr) -> Option<NetworkId> {
        match self.inside[usize::from(network.0)].at(0).get(addr) {
            NONE => None,
            class => self.homes[class as usize],
        }
    }

    /// Where an address belongs at an instant, seen from a network.
    #[inline]
    pub(super) fn place(&self, network: NetworkId, addr: Addr, at: u32) -> Place {
        let inside = self.inside[usize::from(network.0)].at(at).get(addr);
        let class = if inside == NONE {
            self.outside.at(at).get(addr)
        } else {
            inside
        };
        Place {
            home: self.homes[class as usize],
            class: ClassId(class),
        }
    }

    /// Addresses, as bits, at which the class may change at an instant, seen from a network.
    pub(super) fn cuts(&self, network: NetworkId, at: u32) -> impl Iterator<Item = u128> {
        let inside = self.inside[usize::from(network.0)].at(at);
        inside.starts().chain(self.outside.at(at).starts())
    }

    /// The instants at which the class of an address may change, ascending; none of a policy without validities.
    pub(super) fn begins(&self) -> &[u32] {
        &self.begins
    }

    /// A class.
    #[inline]
    pub(super) fn class(&self, class: ClassId) -> &Class {
        &self.classes[class.0 as usize]
    }

    /// Ranges of addresses, first and last included, each with its class at an instant: those of a network's view, or those
    /// outside.
    pub(super) fn ranges(
        &self,
        network: Option<NetworkId>,
        at: u32,
    ) -> impl Iterator<Item = (Addr, Addr, ClassId)> {
        let timeline = network.map_or(&self.outside, |network| {
            &self.inside[usize::from(network.0)]
        });
        let table = timeline.at(at);
        let numbered = table.intervals().filter(|(.., number)| *number != NONE);
        numbered.map(|(first, last, number)| (first, last, ClassId(number)))
    }

    /// Whether an address can be of each class at some time, by their numbers. A class of the outside that the networks' own
    /// addresses cover is in no network's view.
    pub(super) fn seen(&self) -> Vec<bool> {
        let mut seen = self.seen_at(0);
        for at in &self.begins {
            for (seen, is_seen) in seen.iter_mut().zip(self.seen_at(*at)) {
                *seen |= is_seen;
            }
        }
        seen
    }

    /// The same at one instant.
    pub(super) fn seen_at(&self, at: u32) -> Vec<bool> {
        let firsts = |table: &Table| -> Vec<Addr> {
            let intervals = table.intervals();
            intervals.map(|(first, ..)| first).collect()
        };
        let mut seen = vec![false; self.classes.len()];
        let outside = self.outside.at(at);
        let mut left = firsts(outside);
        for (number, inside) in self.inside.iter().enumerate() {
            // The class of a view changes at no other addresses than these.
            for addr in firsts(inside.at(at)).iter().chain(&left) {
                let place = self.place(NetworkId(number as u16), *addr, at);
                seen[place.class.0 as usize] = true;
            }
            left.retain(|addr| !seen[outside.get(*addr) as usize]);
        }
        seen
    }

    /// All classes, by their numbers.
    pub(super) fn classes(&self) -> &[Class] {
        &self.classes
    }
}
