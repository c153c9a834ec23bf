//! Places as meant: names resolved, prefixes checked against their networks, everything numbered in the order of its
//! name, so that the order of the file means nothing.

mod inside;
mod network;
mod outside;

use std::collections::{BTreeMap, BTreeSet};

use super::file::{self, File};
use super::names::Names;
use super::pinned::Pinned;
use super::problem::Problems;
use super::section::Word;
use super::validity::Validity;
use super::{Criticality, InterfaceFacts, NetworkId};
use crate::config::{Interface, Tags};
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
    /// Whether Resolver logs are named, which tell of all names that are asked for.
    pub(super) has_resolver_logs: bool,
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
    pub(super) validity: Validity,
    pub(super) az: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) cidrs: Vec<Prefix>,
}

/// A group.
pub(super) struct Group {
    pub(super) name: String,
    /// The network that it is in; none is any.
    pub(super) network: Option<NetworkId>,
    pub(super) validity: Validity,
    pub(super) cidrs: Vec<Prefix>,
    pub(super) interfaces: Vec<String>,
    pub(super) instances: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) ecs_services: Vec<String>,
    pub(super) interface_types: Vec<String>,
    // What only an inventory tells.
    pub(super) security_groups: Vec<String>,
    /// `*` stands for anything.
    pub(super) descriptions: Vec<String>,
    /// VPC endpoints by their ids or services; `*` stands for anything.
    pub(super) endpoints: Vec<String>,
}

impl Group {
    /// Whether membership cannot be denied without an inventory. A record has values of tags without their keys, and at
    /// most six of them, so that a tag that is not there proves nothing.
    pub(super) fn needs_inventory(&self) -> bool {
        self.is_only_by_inventory() || !self.tags.is_empty()
    }

    /// Whether it goes by what no record tells.
    pub(super) fn is_only_by_inventory(&self) -> bool {
        !(self.security_groups.is_empty()
            && self.descriptions.is_empty()
            && self.endpoints.is_empty())
    }

    /// What only an inventory tells: security groups, descriptions, endpoints, as `key value`.
    pub(super) fn by_inventory(&self) -> impl Iterator<Item = String> {
        let lists = [
            ("security group", &self.security_groups),
            ("description", &self.descriptions),
            ("endpoint", &self.endpoints),
        ];
        lists
            .into_iter()
            .flat_map(|(what, words)| words.iter().map(move |word| format!("{what} {word}")))
    }

    /// Whether an interface of an inventory is a member; `tags` are its own and its instance's, `endpoints` the id and the
    /// service of the VPC endpoint that it is of. Of the group's tags all have to be there, key and value.
    pub(super) fn has_interface(
        &self,
        interface: &Interface,
        tags: &Tags,
        endpoints: &BTreeSet<String>,
    ) -> bool {
        let names = |list: &[String], value: Option<&String>| {
            value.is_some_and(|value| list.contains(value))
        };
        let like = |patterns: &[String], text: &str| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| is_like(text, pattern))
        };
        let has_tag = |(key, value): (&String, &String)| tags.get(key) == Some(value);
        names(&self.interfaces, Some(&interface.id))
            || names(&self.instances, interface.instance.as_ref())
            || names(&self.interface_types, interface.kind.as_ref())
            || interface
                .groups
                .iter()
                .any(|id| names(&self.security_groups, Some(id)))
            || like(
                &self.descriptions,
                interface.description.as_deref().unwrap_or_default(),
            )
            || endpoints.iter().any(|one| like(&self.endpoints, one))
            || (!self.tags.is_empty() && self.tags.iter().all(has_tag))
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

    /// Whether it can have members that no prefix tells.
    pub(super) fn is_beyond_prefixes(&self) -> bool {
        self.is_by_facts() || self.needs_inventory()
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
    pub(super) validity: Validity,
    /// Its own prefixes, those of its lists, and those of its services where ranges are pinned.
    pub(super) cidrs: Vec<Prefix>,
    /// The bits of its AWS services.
    pub(super) services: u64,
    /// Their names, sorted.
    pub(super) service_names: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) domains: Vec<String>,
    /// Which bit it has among destinations by domain; none if it has no domains, or nothing is
    /// named that tells of names.
    pub(super) domain_bit: Option<u8>,
    /// Prefix lists without a file that holds them.
    pub(super) missing_lists: Vec<String>,
}

impl Destination {
    /// Whether it can hold addresses that no prefix tells: by a record's service field, by domain, by a list that is not
    /// there.
    pub(super) fn is_beyond_prefixes(&self) -> bool {
        self.services != 0 || !self.domains.is_empty() || !self.missing_lists.is_empty()
    }
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
        has_resolver_logs: pinned.has_resolver_logs,
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text, an empty one included.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
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

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, like, unlike) in [
            (
                "ELB app/*",
                vec!["ELB app/", "ELB app/web/1"],
                vec!["ELB net/a", "x ELB app/a"],
            ),
            ("*", vec!["", "a"], vec![]),
            (
                "a*b*c",
                vec!["abc", "aXbYc", "abbcc"],
                vec!["ab", "acb", "abcd"],
            ),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
            ("exact", vec!["exact"], vec!["exactly", ""]),
            ("", vec![""], vec!["a"]),
        ] {
            assert!(like.iter().all(|text| is_like(text, pattern)), "{pattern}");
            assert!(
                !unlike.iter().any(|text| is_like(text, pattern)),
                "{pattern}"
            );
        }
    }
}
