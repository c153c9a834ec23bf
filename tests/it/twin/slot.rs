//! The records of one slot as evidence: who talked with whom, what each interface is, which records are copies.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::place::{TwinEnd, home, subnet};
use super::policy::{Group, TwinPolicy, contains};
use super::record::{TwinRecord, canonical};
use super::seen::{End, Seen};

/// The records of a slot.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub time: u32,
    /// The records that can be judged.
    pub records: Vec<Seen>,
    /// All records, as their layouts show them, by interface.
    pub taught: Vec<(String, TwinRecord)>,
}

/// Which end of a record its interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observer {
    Src,
    Dst,
    Transit,
    Unknown,
}

impl Slot {
    pub fn connection<'s>(&'s self, of: &'s Seen) -> impl Iterator<Item = &'s Seen> {
        self.records
            .iter()
            .filter(|record| record.same_connection(of))
    }

    fn of_interface<'s>(&'s self, interface: &'s str) -> impl Iterator<Item = &'s Seen> {
        self.records
            .iter()
            .filter(move |record| !record.gateway && record.interface() == interface)
    }

    /// What the records of an interface teach, those that cannot be judged included.
    fn taught_of<'s>(&'s self, interface: &'s str) -> impl Iterator<Item = &'s TwinRecord> {
        self.taught
            .iter()
            .filter(move |(name, _)| name == interface)
            .map(|(_, record)| record)
    }

    /// An interface's address is `srcaddr` of its egress and `dstaddr` of its ingress records; without
    /// `flow-direction` the address common to all its records; if two qualify, the only inside one.
    fn own_addresses(&self, interface: &str) -> BTreeSet<End> {
        let mut told = BTreeSet::new();
        for record in self.of_interface(interface) {
            if record.is_egress() {
                told.insert(record.hop_src.clone());
            }
            if record.is_ingress() {
                told.insert(record.hop_dst.clone());
            }
        }
        if !told.is_empty() {
            return told;
        }
        let mut common: Option<BTreeSet<End>> = None;
        for record in self.of_interface(interface) {
            let both = BTreeSet::from([record.hop_src.clone(), record.hop_dst.clone()]);
            common = Some(common.map_or(both.clone(), |common| &common & &both));
        }
        let mut common = common.unwrap_or_default();
        if common.len() > 1 {
            common.retain(|end| end.inside);
        }
        if common.len() == 1 {
            common
        } else {
            BTreeSet::new()
        }
    }

    fn owns(&self, interface: &str, end: &End) -> bool {
        self.own_addresses(interface)
            .iter()
            .any(|own| own.same_host(end))
    }

    /// Whether an interface carries others' flows: the policy, its type or its records say so.
    fn is_transit_interface(&self, policy: &TwinPolicy, interface: &str) -> bool {
        let listed = policy.transit.iter().any(|listed| listed == interface)
            || self
                .own_addresses(interface)
                .iter()
                .any(|own| is_listed_transit(policy, own.addr));
        let by_type = self
            .taught_of(interface)
            .any(|record| is_transit_type(&record.interface_type));
        listed
            || by_type
            || self
                .of_interface(interface)
                .any(|record| shows_transit(policy, record))
    }

    fn is_transit_record(&self, policy: &TwinPolicy, record: &Seen) -> bool {
        record.gateway || self.is_transit_interface(policy, record.interface())
    }

    /// Whether a NAT made the record: an interface of that type, or one that carries others' flows to public addresses
    /// and has no other type.
    pub fn is_nat_record(&self, policy: &TwinPolicy, record: &Seen, server: &TwinEnd) -> bool {
        if record.gateway || !self.is_transit_record(policy, record) {
            return false;
        }
        match &record.record.interface_type {
            Some(kind) => is_nat_type(Some(kind)),
            None => server.zone(policy) != "private",
        }
    }

    /// Whether an end is the address of something that carries others' flows.
    pub fn is_transit_end(&self, policy: &TwinPolicy, end: &End) -> bool {
        let learned = self
            .records
            .iter()
            .filter(|record| !record.gateway)
            .any(|record| {
                self.owns(record.interface(), end)
                    && self.is_transit_interface(policy, record.interface())
            });
        learned || is_listed_transit(policy, end.addr)
    }

    /// Which end of a record its interface is: the source of egress, the target of ingress, else the one end that is
    /// the interface's own.
    pub fn observer(&self, policy: &TwinPolicy, record: &Seen) -> Observer {
        if self.is_transit_record(policy, record) {
            return Observer::Transit;
        }
        if record.is_egress() {
            return Observer::Src;
        }
        if record.is_ingress() {
            return Observer::Dst;
        }
        let owns = |end: &End| self.owns(record.interface(), end);
        match (owns(&record.src), owns(&record.dst)) {
            (true, false) => Observer::Src,
            (false, true) => Observer::Dst,
            _ => Observer::Unknown,
        }
    }

    /// Groups of an end by what the slot's records teach about the interface that owns its address.
    pub fn groups(&self, policy: &TwinPolicy, end: &End) -> BTreeSet<String> {
        let mut groups = BTreeSet::new();
        if !end.inside {
            return groups;
        }
        let here = |group: &&Group| {
            group
                .network
                .as_ref()
                .is_none_or(|name| *name == end.network)
        };
        for group in policy.groups.iter().filter(here) {
            let taught = self
                .records
                .iter()
                .filter(|record| !record.gateway)
                .any(|record| {
                    let interface = record.interface();
                    self.owns(interface, end)
                        && self
                            .taught_of(interface)
                            .any(|taught| is_member(group, taught))
                });
            if taught || contains(&group.cidrs, end.addr) {
                groups.insert(group.name.clone());
            }
        }
        groups
    }

    /// Where one interface reports to several flow logs, those of the flow log with the most fields (then the lowest
    /// id) count, the others are copies.
    pub fn is_duplicate(&self, record: &Seen) -> bool {
        let copies = self
            .of_interface(record.interface())
            .filter(|_| !record.gateway);
        let same = copies.filter(|copy| {
            copy.protocol == record.protocol && copy.src == record.src && copy.dst == record.dst
        });
        let best = same.min_by_key(|copy| (std::cmp::Reverse(copy.fields), copy.flow_log.clone()));
        best.is_some_and(|best| best.flow_log != record.flow_log)
    }
}

/// Whether a record of an interface says that it is in a group.
fn is_member(group: &Group, record: &TwinRecord) -> bool {
    let is = |value: &Option<String>, listed: &[String]| {
        value.as_ref().is_some_and(|value| listed.contains(value))
    };
    let tags = [&record.instance_tag, &record.interface_tag, &record.asg_tag];
    let has_tag = |wanted: &String| tags.iter().any(|tag| tag.as_ref() == Some(wanted));
    is(&record.interface, &group.interfaces)
        || is(&record.instance, &group.instances)
        || is(&record.ecs_service, &group.ecs_services)
        || is(&record.interface_type, &group.interface_types)
        || (!group.tags.is_empty() && group.tags.iter().all(|(_, value)| has_tag(value)))
}

fn is_listed_transit(policy: &TwinPolicy, addr: IpAddr) -> bool {
    policy.transit.iter().any(|listed| {
        match (listed.parse::<IpAddr>(), listed.parse::<ipnet::IpNet>()) {
            (Ok(listed), _) => listed == addr,
            (_, Ok(prefix)) => prefix.contains(&addr),
            _ => false,
        }
    })
}

pub fn is_nat_type(interface_type: Option<&str>) -> bool {
    matches!(interface_type, Some("nat_gateway" | "regional_nat_gateway"))
}

fn is_transit_type(interface_type: &Option<String>) -> bool {
    let types = ["nat_gateway", "regional_nat_gateway", "transit_gateway"];
    interface_type
        .as_deref()
        .is_some_and(|name| types.contains(&name))
}

/// An ingress record whose `pkt-dstaddr` lies outside the subnet that holds its `dstaddr` at its instant.
fn shows_transit(policy: &TwinPolicy, record: &Seen) -> bool {
    let Some(pkt_dst) = record.record.pkt_dst.map(canonical) else {
        return false;
    };
    if !record.is_ingress() || pkt_dst == record.hop_dst.addr {
        return false;
    }
    let policy = &policy.at(record.instant().unwrap_or(0));
    let subnet_of =
        |addr: IpAddr| subnet(policy, home(policy, &record.network, addr).as_deref(), addr);
    match (subnet_of(record.hop_dst.addr), subnet_of(pkt_dst)) {
        (Some(hop), Some(packet)) => !std::ptr::eq(hop, packet),
        (Some(_), None) => true,
        // Outside all subnets any inside address may be a secondary one.
        (None, _) => home(policy, &record.network, pkt_dst).is_none(),
    }
}
