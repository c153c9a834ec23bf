//! What a slot's records teach about interfaces and addresses, drawn together once the slot is whole.

use hashbrown::{HashMap, HashSet};

use crate::flow::Direction;
use crate::net::Addr;
use crate::policy::{GroupId, NetworkId, Policy};

use super::connection::{End, Home, Side, Tag};
use super::part::InterfaceNotes;
use super::reporter::{Reporter, ReporterId};

/// Which end of a connection an interface is, before it is known who the client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seat {
    /// The end itself.
    End(Side),
    /// Neither: it carries others' flows.
    Transit,
    /// It cannot be told.
    Unknown,
}

/// What is known of an inside address from the records of its own interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFacts {
    /// The interface's reporter that describes it best (the smallest by value).
    pub reporter: Option<ReporterId>,
    /// The reporter that names its workload (the smallest by name).
    pub workload: Option<ReporterId>,
    /// Its groups by interface facts: a number into [`SlotFacts::groups`].
    pub groups_key: u32,
}

/// What a slot's records teach. The same for all connections of the slot.
pub struct SlotFacts<'a> {
    /// The hour's reporters.
    pub reporters: &'a [Reporter],
    /// Whether a reporter carries others' flows, by its number.
    carries: Vec<bool>,
    own: HashMap<u32, Vec<(Home, Addr)>>,
    transit: HashSet<(Home, Addr)>,
    addresses: HashMap<(Home, Addr), AddressFacts>,
    group_sets: Vec<Vec<GroupId>>,
}

impl<'a> SlotFacts<'a> {
    /// Draws together what the interfaces of a slot say.
    pub fn new(
        policy: &Policy,
        reporters: &'a [Reporter],
        interfaces: &HashMap<u32, InterfaceNotes>,
    ) -> SlotFacts<'a> {
        let mut facts = SlotFacts {
            reporters,
            carries: reporters.iter().map(Reporter::is_transit_gateway).collect(),
            own: HashMap::new(),
            transit: HashSet::new(),
            addresses: HashMap::new(),
            group_sets: vec![Vec::new()],
        };
        let mut set_numbers = HashMap::from([(Vec::new(), 0)]);
        for (&interface, notes) in interfaces {
            let own = own_addresses(policy, notes);
            let carries = carries_others(policy, reporters, notes, &own);
            if carries {
                notes
                    .reporters
                    .iter()
                    .for_each(|id| facts.carries[id.0 as usize] = true);
                facts.transit.extend(own.iter().copied());
            } else {
                for &address in &own {
                    facts.describe(policy, address, notes, &mut set_numbers);
                }
            }
            facts.own.insert(interface, own);
        }
        facts
    }

    fn describe(
        &mut self,
        policy: &Policy,
        address: (Home, Addr),
        notes: &InterfaceNotes,
        set_numbers: &mut HashMap<Vec<GroupId>, u32>,
    ) {
        let known = self.addresses.entry(address).or_default();
        let all = self.reporters;
        let reporter = |id: ReporterId| &all[id.0 as usize];
        for &id in &notes.reporters {
            if known
                .reporter
                .is_none_or(|best| describes_better(reporter(id), reporter(best)))
            {
                known.reporter = Some(id);
            }
            if let Some(workload) = reporter(id).workload()
                && known
                    .workload
                    .is_none_or(|best| Some(workload) < reporter(best).workload())
            {
                known.workload = Some(id);
            }
        }
        if !policy.has_groups_by_facts() {
            return;
        }
        let mut groups = self.group_sets[known.groups_key as usize].clone();
        for &id in &notes.reporters {
            groups.extend(
                policy.groups_by_facts(NetworkId(address.0.network()), &reporter(id).facts()),
            );
        }
        groups.sort_unstable();
        groups.dedup();
        let next = self.group_sets.len() as u32;
        let number = *set_numbers.entry(groups.clone()).or_insert(next);
        if number == next {
            self.group_sets.push(groups);
        }
        known.groups_key = number;
    }

    /// The reporter with this number.
    #[inline]
    pub fn reporter(&self, id: ReporterId) -> &'a Reporter {
        &self.reporters[id.0 as usize]
    }

    /// Whether the reporter is among those that the facts were drawn from.
    pub fn knows(&self, id: ReporterId) -> bool {
        (id.0 as usize) < self.reporters.len()
    }

    /// Whether the reporter carries others' flows: a transit gateway, a NAT gateway, an appliance.
    #[inline]
    pub fn carries_others(&self, id: ReporterId) -> bool {
        self.carries[id.0 as usize]
    }

    /// Whether an end is, at an instant, the address of an interface that carries others' flows.
    pub fn is_transit_address(&self, policy: &Policy, end: End, at: u32) -> bool {
        let by_inventory = || {
            let home = Some(NetworkId(end.home.network()));
            policy.carries_others(policy.known(home, end.addr, at))
        };
        (!self.transit.is_empty() && self.transit.contains(&(end.home, end.addr)))
            || policy.is_transit(Some(end.addr), None)
            || by_inventory()
    }

    /// What is known of an address; nothing if no record of its own interface is in the slot.
    pub fn address(&self, end: End) -> AddressFacts {
        self.addresses
            .get(&(end.home, end.addr))
            .copied()
            .unwrap_or_default()
    }

    /// A set of groups by its number.
    pub fn groups(&self, key: u32) -> &[GroupId] {
        &self.group_sets[key as usize]
    }

    /// Where the reporter of a view sits. The interface is at the source of what it calls egress and at the target of
    /// what it calls ingress; where records have no direction, its own address tells.
    #[inline]
    pub fn seat(&self, tag: Tag, low: End, high: End) -> Seat {
        let id = tag.reporter();
        if self.carries_others(id) {
            return Seat::Transit;
        }
        match tag.direction() {
            Direction::Egress => Seat::End(tag.sender()),
            Direction::Ingress => Seat::End(tag.sender().other()),
            Direction::Unknown => {
                let Some(own) = self.own.get(&self.reporter(id).interface) else {
                    return Seat::Unknown;
                };
                let is_own = |end: End| own.contains(&(end.home, end.addr));
                match (is_own(low), is_own(high)) {
                    (true, false) => Seat::End(Side::Low),
                    (false, true) => Seat::End(Side::High),
                    _ => Seat::Unknown,
                }
            }
        }
    }
}

/// A reporter that says more comes first; then the order of their texts.
fn describes_better(a: &Reporter, b: &Reporter) -> bool {
    let rank = |reporter: &Reporter| {
        std::cmp::Reverse(reporter.texts.iter().filter(|text| text.is_some()).count())
    };
    (rank(a), &a.texts) < (rank(b), &b.texts)
}

/// An interface's own addresses: as records with a direction show them; without any, the one address common to all its
/// records, or of two the only inside one.
fn own_addresses(policy: &Policy, notes: &InterfaceNotes) -> Vec<(Home, Addr)> {
    if !notes.own.is_empty() {
        return notes.own.clone();
    }
    let mut common: Vec<(Home, Addr)> = notes.candidates.iter().collect();
    // Of what it sent to itself both addresses are one.
    common.dedup();
    if common.len() < 2 {
        return common;
    }
    let is_inside = |home: Home, addr| policy.home(NetworkId(home.network()), addr).is_some();
    let inside: Vec<(Home, Addr)> = common
        .into_iter()
        .filter(|(home, addr)| is_inside(*home, *addr))
        .collect();
    if inside.len() == 1 {
        inside
    } else {
        Vec::new()
    }
}

fn carries_others(
    policy: &Policy,
    reporters: &[Reporter],
    notes: &InterfaceNotes,
    own: &[(Home, Addr)],
) -> bool {
    let listed = |reporter: &Reporter| policy.is_transit(None, reporter.inside().interface_id);
    notes.carries
        || own
            .iter()
            .any(|(_, addr)| policy.is_transit(Some(*addr), None))
        || notes
            .reporters
            .iter()
            .map(|id| &reporters[id.0 as usize])
            .any(|reporter| reporter.carries_others(policy) == Some(true) || listed(reporter))
}
