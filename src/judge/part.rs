//! What one thread has gathered of one slot: connections, and what the records teach about the interfaces that reported
//! them. Parts of one slot merge in any order to the same whole.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::net::Addr;

use super::connection::Home;
use super::reporter::ReporterId;
use super::table::ConnectionTable;

/// The parts that one thread is gathering, by slot (seconds since 1970 at its start).
pub type Parts = BTreeMap<u32, SlotPart>;

/// What one thread has gathered of one slot.
#[derive(Default)]
pub struct SlotPart {
    /// The connections.
    pub table: ConnectionTable,
    /// What else its records say.
    pub notes: Notes,
}

/// What records say beside their connections. Little: it goes with the interfaces, not with the traffic.
#[derive(Default)]
pub struct Notes {
    /// What they say of the interfaces that reported, by the interface's number in the hour.
    pub interfaces: HashMap<u32, InterfaceNotes>,
    /// Records that cannot be judged at all, by reporter.
    pub unjudgeable: HashMap<ReporterId, Unjudgeable>,
}

/// Records that no connection takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unjudgeable {
    /// Records that no network claims.
    pub out_of_scope: u64,
    /// Records that lack a field without which nothing can be said.
    pub missing_field: u64,
}

impl std::ops::AddAssign for Unjudgeable {
    fn add_assign(&mut self, other: Unjudgeable) {
        self.out_of_scope += other.out_of_scope;
        self.missing_field += other.missing_field;
    }
}

/// What the records of a slot say of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceNotes {
    /// Its reporters, sorted.
    pub reporters: Vec<ReporterId>,
    /// Its own addresses as records with a direction show them (source of egress, destination of ingress), sorted.
    pub own: Vec<(Home, Addr)>,
    /// The addresses that all its records without a direction share.
    pub candidates: Candidates,
    /// An ingress record was addressed beyond the subnet of the interface: it carries others' flows.
    pub carries: bool,
}

/// The addresses common to all records of an interface: its own is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Candidates {
    /// No record yet.
    #[default]
    Any,
    /// At most these two.
    These([Option<(Home, Addr)>; 2]),
}

impl Candidates {
    /// What remains when another record's two addresses are known too. Commutative and associative, up to order.
    pub(super) fn narrow(self, pair: [Option<(Home, Addr)>; 2]) -> Candidates {
        match self {
            Candidates::Any => Candidates::These(pair),
            Candidates::These(known) => {
                Candidates::These(known.map(|address| address.filter(|_| pair.contains(&address))))
            }
        }
    }

    /// The addresses that remain.
    pub fn iter(&self) -> impl Iterator<Item = (Home, Addr)> {
        match self {
            Candidates::Any => [None, None],
            Candidates::These(these) => *these,
        }
        .into_iter()
        .flatten()
    }
}

impl InterfaceNotes {
    fn merge(&mut self, other: InterfaceNotes) {
        other
            .reporters
            .into_iter()
            .for_each(|reporter| insert_sorted(&mut self.reporters, reporter));
        other
            .own
            .into_iter()
            .for_each(|address| insert_sorted(&mut self.own, address));
        if let Candidates::These(pair) = other.candidates {
            self.candidates = self.candidates.narrow(pair);
        }
        self.carries |= other.carries;
    }
}

/// Puts a value where it belongs, once.
pub(super) fn insert_sorted<T: Ord>(sorted: &mut Vec<T>, value: T) {
    if let Err(place) = sorted.binary_search(&value) {
        sorted.insert(place, value);
    }
}

impl SlotPart {
    /// Takes in another part of the same slot.
    pub fn merge(&mut self, mut other: SlotPart) {
        if self.table.len() < other.table.len() {
            std::mem::swap(&mut self.table, &mut other.table);
        }
        self.table.merge(&other.table);
        self.notes.merge(other.notes);
    }

    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty() && self.notes.is_empty()
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        let notes = &self.notes;
        self.table.memory() + notes.interfaces.len() * 160 + notes.unjudgeable.len() * 48
    }
}

impl Notes {
    /// Takes in what other records of the same slot say.
    pub fn merge(&mut self, other: Notes) {
        for (interface, notes) in other.interfaces {
            self.interfaces.entry(interface).or_default().merge(notes);
        }
        for (reporter, counts) in other.unjudgeable {
            *self.unjudgeable.entry(reporter).or_default() += counts;
        }
    }

    /// Whether they say nothing.
    pub fn is_empty(&self) -> bool {
        self.interfaces.is_empty() && self.unjudgeable.is_empty()
    }
}
