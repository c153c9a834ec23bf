//! Places as meant: names resolved, prefixes checked against their networks, everything numbered in the order of its
//! name, so that the order of the file means nothing.

mod inside;
mod network;
mod outside;

use std::collections::BTreeMap;

use super::file::{self, File};
use super::names::Names;
use super::pinned::Pinned;
use super::problem::Problems;
use super::section::Word;
use super::{Criticality, InterfaceFacts, NetworkId};
use crate::net::Prefix;
use crate::net::ports::PortSet;

/// The places of a policy.
pub(super) struct Places {
    pub(super) networks: Vec<Network>,
    /// In the order of the file.
    pub(super) tiers: Vec<Tier>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) groups: Vec<Group>,
    pub(super) destinations: Vec<Destination>,
    pub(super) services: Vec<Service>,
}

/// A network.
pub(super) struct Network {
    pub(super) name: String,
    pub(super) vpcs: Vec<String>,
    pub(super) accounts: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) cidrs: Vec<Prefix>,
    /// Networks that it reaches, both ways, sorted.
    pub(super) connected: Vec<NetworkId>,
}

/// A tier.
pub(super) struct Tier {
    pub(super) name: String,
    pub(super) criticality: Criticality,
}

/// A subnet.
pub(super) struct Subnet {
    /// For display.
    pub(super) id: Option<String>,
    pub(super) network: NetworkId,
    pub(super) tier: u16,
    pub(super) az: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) cidrs: Vec<Prefix>,
}

/// A group.
pub(super) struct Group {
    pub(super) name: String,
    /// The network that it is in; none is any.
    pub(super) network: Option<NetworkId>,
    pub(super) cidrs: Vec<Prefix>,
    pub(super) interfaces: Vec<String>,
    pub(super) instances: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) ecs_services: Vec<String>,
    pub(super) interface_types: Vec<String>,
    /// What only an inventory tells: security groups, descriptions, endpoints, as `key value`.
    pub(super) by_inventory: Vec<String>,
}

impl Group {
    /// Whether membership cannot be denied without an inventory. A record has values of tags without their keys, and at
    /// most six of them, so that a tag that is not there proves nothing.
    pub(super) fn needs_inventory(&self) -> bool {
        !self.by_inventory.is_empty() || !self.tags.is_empty()
    }

    /// Whether an interface with these facts is a member. Of its tags all values have to be there.
    pub(super) fn has_member(&self, facts: &InterfaceFacts<'_>) -> bool {
        let names = |list: &[String], value: Option<&str>| {
            value.is_some_and(|value| list.iter().any(|known| known == value))
        };
        let has_tag = |wanted: &String| facts.tags.iter().flatten().any(|value| value == wanted);
        names(&self.interfaces, facts.interface)
            || names(&self.instances, facts.instance)
            || names(&self.interface_types, facts.interface_type)
            || names(&self.ecs_services, facts.ecs_service)
            || (!self.tags.is_empty() && self.tags.values().all(has_tag))
    }

    /// Whether fields of records tell members.
    pub(super) fn is_by_facts(&self) -> bool {
        !(self.interfaces.is_empty()
            && self.instances.is_empty()
            && self.tags.is_empty()
            && self.ecs_services.is_empty()
            && self.interface_types.is_empty())
    }
}

/// A destination.
pub(super) struct Destination {
    pub(super) name: String,
    /// Its own prefixes, those of its lists, and those of its services where ranges are pinned.
    pub(super) cidrs: Vec<Prefix>,
    /// The bits of its AWS services.
    pub(super) services: u64,
    /// Their names, sorted.
    pub(super) service_names: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) domains: Vec<String>,
    /// Prefix lists without a file that holds them.
    pub(super) missing_lists: Vec<String>,
}

/// A service: a name for ports.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) ports: PortSet,
    pub(super) symmetric: bool,
}

/// Resolves the places of a file; their names are declared on the way.
pub(super) fn places(
    file: &File,
    pinned: &Pinned,
    names: &mut Names,
    problems: &mut Problems,
) -> Places {
    let networks = network::networks(&file.networks, problems);
    let tiers = inside::tiers(file, names, problems);
    let subnets = inside::subnets(&file.subnets, &networks, &tiers, problems);
    let groups = inside::groups(&file.groups, &networks, names, problems);
    let destinations = outside::destinations(&file.destinations, pinned, names, problems);
    let services = services(&file.services);
    Places {
        networks,
        tiers,
        subnets,
        groups,
        destinations,
        services,
    }
}

fn sorted_by_name<T>(items: &[T], name: impl Fn(&T) -> &Word) -> Vec<&T> {
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort_by(|a, b| name(a).text.cmp(&name(b).text));
    sorted
}

/// Texts of a list, sorted, each once.
fn texts(words: &[Word]) -> Vec<String> {
    let mut texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn prefixes(cidrs: &[(Prefix, Word)]) -> Vec<Prefix> {
    sorted(cidrs.iter().map(|(prefix, _)| *prefix).collect())
}

fn sorted(mut prefixes: Vec<Prefix>) -> Vec<Prefix> {
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

fn services(written: &[file::Service]) -> Vec<Service> {
    sorted_by_name(written, |service| &service.name)
        .into_iter()
        .map(|service| Service {
            name: service.name.text.clone(),
            ports: service.ports.clone(),
            symmetric: service.symmetric,
        })
        .collect()
}
