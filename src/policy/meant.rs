//! Places as meant: names resolved, prefixes checked against their networks, everything numbered in the order of its
//! name, so that the order of the file means nothing.

use std::collections::{BTreeMap, HashMap};

use super::file::{self, File};
use super::names::{Name, Names};
use super::pinned::Pinned;
use super::problem::{Problems, excerpt};
use super::tree::Word;
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
    let networks = networks(&file.networks, problems);
    let tiers = tiers(file, names, problems);
    let subnets = subnets(&file.subnets, &networks, &tiers, problems);
    let groups = groups(&file.groups, &networks, names, problems);
    let destinations = destinations(&file.destinations, pinned, names, problems);
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

fn networks(written: &[file::Network], problems: &mut Problems) -> Vec<Network> {
    let written = sorted_by_name(written, |network| &network.name);
    let by_name: HashMap<&str, usize> = written
        .iter()
        .enumerate()
        .map(|(i, network)| (&*network.name, i))
        .collect();
    let mut connected = vec![Vec::new(); written.len()];
    for (i, network) in written.iter().enumerate() {
        for word in &network.connected_to {
            match by_name.get(&**word) {
                Some(&other) if other == i => problems.add(
                    &word.span,
                    format!("network `{}` is connected to itself", &**word),
                ),
                Some(&other) => {
                    connected[i].push(NetworkId(other as u16));
                    connected[other].push(NetworkId(i as u16));
                }
                None => problems.unknown(&word.span, "network", word, by_name.keys().copied()),
            }
        }
    }
    check_scopes(&written, problems);
    written
        .iter()
        .zip(connected)
        .map(|(network, mut connected)| {
            connected.sort_unstable();
            connected.dedup();
            Network {
                name: network.name.text.clone(),
                vpcs: texts(&network.vpcs),
                accounts: texts(&network.accounts),
                regions: texts(&network.regions),
                cidrs: prefixes(&network.cidrs),
                connected,
            }
        })
        .collect()
}

/// No record may belong to two networks: a VPC is listed once, and networks without `vpcs` share no account and region.
fn check_scopes(networks: &[&file::Network], problems: &mut Problems) {
    let mut owner: HashMap<&str, &str> = HashMap::new();
    for network in networks {
        for vpc in &network.vpcs {
            match owner.insert(vpc, &network.name) {
                Some(other) if *other != *network.name => problems.add(
                    &vpc.span,
                    format!("`{}` is listed by network `{other}` too", &**vpc),
                ),
                _ => {}
            }
        }
    }
    let overlap = |a: &[Word], b: &[Word]| {
        a.is_empty() || b.is_empty() || a.iter().any(|a| b.iter().any(|b| a.text == b.text))
    };
    let by_account: Vec<&&file::Network> = networks
        .iter()
        .filter(|network| {
            network.vpcs.is_empty() && !(network.accounts.is_empty() && network.regions.is_empty())
        })
        .collect();
    for (i, network) in by_account.iter().enumerate() {
        let other = by_account[..i].iter().find(|other| {
            overlap(&network.accounts, &other.accounts) && overlap(&network.regions, &other.regions)
        });
        if let Some(other) = other {
            problems.add_with_hint(
                &network.name.span,
                format!(
                    "networks `{}` and `{}` claim the same account and region",
                    &*other.name, &*network.name
                ),
                "list their vpcs",
            );
        }
    }
}

/// Tiers in the order in which the file first names them.
fn tiers(file: &File, names: &mut Names, problems: &mut Problems) -> Vec<Tier> {
    let declared = file.tiers.iter().map(|tier| (&tier.name, tier.criticality));
    let used = file
        .subnets
        .iter()
        .filter_map(|subnet| Some((subnet.tier.as_ref()?, None)));
    let mut all: Vec<(&Word, Option<Criticality>)> = declared.chain(used).collect();
    all.sort_by_key(|(name, _)| name.span.start);
    let mut tiers: Vec<Tier> = Vec::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (name, criticality) in all {
        let tier = *by_name.entry(name).or_insert_with(|| {
            names.declare(name, Name::Tier(tiers.len() as u16), problems);
            tiers.push(Tier {
                name: name.text.clone(),
                criticality: Criticality::Medium,
            });
            tiers.len() - 1
        });
        if let Some(criticality) = criticality {
            tiers[tier].criticality = criticality;
        }
    }
    if tiers.len() > 4096 {
        problems.add(
            &(0..0),
            format!("{} tiers: expected at most 4096", tiers.len()),
        );
        tiers.truncate(4096);
    }
    tiers
}

/// The network that a word names, or the only one there is.
fn network_named(
    word: Option<&Word>,
    networks: &[Network],
    problems: &mut Problems,
) -> Option<NetworkId> {
    let Some(word) = word else {
        return (networks.len() == 1).then_some(NetworkId(0));
    };
    let found = networks
        .iter()
        .position(|network| network.name == word.text);
    if found.is_none() {
        problems.unknown(
            &word.span,
            "network",
            word,
            networks.iter().map(|network| network.name.as_str()),
        );
    }
    found.map(|at| NetworkId(at as u16))
}

fn holds(network: &Network, prefix: Prefix) -> bool {
    network.cidrs.iter().any(|cidr| cidr.covers(prefix))
}

fn subnets(
    written: &[file::Subnet],
    networks: &[Network],
    tiers: &[Tier],
    problems: &mut Problems,
) -> Vec<Subnet> {
    let mut subnets = Vec::new();
    let mut ids: HashMap<&str, ()> = HashMap::new();
    let mut owners: HashMap<(NetworkId, Prefix), &file::Subnet> = HashMap::new();
    let tier_numbers: HashMap<&str, u16> = tiers
        .iter()
        .enumerate()
        .map(|(i, tier)| (tier.name.as_str(), i as u16))
        .collect();
    for subnet in written {
        if let Some(id) = &subnet.id
            && ids.insert(id, ()).is_some()
        {
            problems.add(&id.span, format!("duplicate subnet id `{}`", excerpt(id)));
        }
        if subnet.network.is_none() && networks.len() > 1 {
            problems.add_with_hint(
                &subnet.span,
                "[[subnets]] lacks `network`, which a file with several networks needs",
                "add network = \"…\"",
            );
        }
        let Some(network) = network_named(subnet.network.as_ref(), networks, problems) else {
            continue;
        };
        for (prefix, word) in &subnet.cidrs {
            if !holds(&networks[usize::from(network.0)], *prefix) {
                let name = &networks[usize::from(network.0)].name;
                problems.add(
                    &word.span,
                    format!("`{prefix}` lies outside network `{name}`"),
                );
            }
            let Some(other) = owners.insert((network, *prefix), subnet) else {
                continue;
            };
            let message = match (&other.tier, &subnet.tier) {
                (Some(one), Some(two)) if one.text != two.text => format!(
                    "tiers `{}` and `{}` have the same prefix `{prefix}`",
                    &**one, &**two
                ),
                _ => format!("two subnets have the same prefix `{prefix}`"),
            };
            problems.add(&word.span, message);
        }
        let Some(&tier) = subnet
            .tier
            .as_ref()
            .and_then(|tier| tier_numbers.get(&**tier))
        else {
            continue;
        };
        subnets.push(Subnet {
            network,
            tier,
            az: subnet.az.as_ref().map(|az| az.text.clone()),
            labels: subnet
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), value.text.clone()))
                .collect(),
            cidrs: prefixes(&subnet.cidrs),
        });
    }
    subnets.sort_by(|a, b| (a.network, &a.cidrs).cmp(&(b.network, &b.cidrs)));
    subnets
}

fn groups(
    written: &[file::Group],
    networks: &[Network],
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Group> {
    let mut groups = Vec::new();
    for group in sorted_by_name(written, |group| &group.name) {
        names.declare(&group.name, Name::Group(groups.len() as u16), problems);
        let network = match &group.network {
            Some(word) => network_named(Some(word), networks, problems),
            None => only_network_that_holds(group, networks, problems),
        };
        if let Some(network) = network {
            let network = &networks[usize::from(network.0)];
            for (prefix, word) in group
                .cidrs
                .iter()
                .filter(|(prefix, _)| !holds(network, *prefix))
            {
                problems.add(
                    &word.span,
                    format!(
                        "`{prefix}` of group `{}` lies outside network `{}`",
                        &*group.name, network.name
                    ),
                );
            }
        }
        let by_inventory = [
            ("security group", &group.security_groups),
            ("description", &group.descriptions),
            ("endpoint", &group.endpoints),
        ];
        groups.push(Group {
            name: group.name.text.clone(),
            network,
            cidrs: prefixes(&group.cidrs),
            interfaces: texts(&group.interfaces),
            instances: texts(&group.instances),
            tags: group
                .tags
                .iter()
                .map(|(key, value)| (key.clone(), value.text.clone()))
                .collect(),
            ecs_services: texts(&group.ecs_services),
            interface_types: texts(&group.interface_types),
            by_inventory: by_inventory
                .iter()
                .flat_map(|(what, words)| {
                    texts(words)
                        .into_iter()
                        .map(move |word| format!("{what} {word}"))
                })
                .collect(),
        });
    }
    groups
}

/// The network of a group that names none: the only one, or the only one that holds all of its prefixes. A group
/// without prefixes is in all networks.
fn only_network_that_holds(
    group: &file::Group,
    networks: &[Network],
    problems: &mut Problems,
) -> Option<NetworkId> {
    if networks.len() == 1 {
        return Some(NetworkId(0));
    }
    let (_, first) = group.cidrs.first()?;
    let holding: Vec<usize> = (0..networks.len())
        .filter(|at| {
            group
                .cidrs
                .iter()
                .all(|(prefix, _)| holds(&networks[*at], *prefix))
        })
        .collect();
    match holding.as_slice() {
        [only] => Some(NetworkId(*only as u16)),
        [] => {
            problems.add(
                &first.span,
                format!(
                    "the prefixes of group `{}` lie outside every single network",
                    &*group.name
                ),
            );
            None
        }
        several => {
            let several: Vec<&str> = several
                .iter()
                .map(|at| networks[*at].name.as_str())
                .collect();
            problems.add_with_hint(
                &first.span,
                format!(
                    "the prefixes of group `{}` lie in several networks: {}",
                    &*group.name,
                    several.join(", ")
                ),
                "add network = \"…\"",
            );
            None
        }
    }
}

fn destinations(
    written: &[file::Destination],
    pinned: &Pinned,
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Destination> {
    let mut destinations = Vec::new();
    for destination in sorted_by_name(written, |destination| &destination.name) {
        names.declare(
            &destination.name,
            Name::Destination(destinations.len() as u16),
            problems,
        );
        let services = destination
            .aws_services
            .iter()
            .filter_map(|word| names.services.resolve(word, word, problems))
            .fold(0, |bits, bit| bits | 1 << bit);
        let mut cidrs = prefixes(&destination.cidrs);
        let mut missing_lists = Vec::new();
        for id in &destination.prefix_lists {
            match &pinned.prefix_lists {
                None => missing_lists.push(id.text.clone()),
                Some(lists) => match lists.get(&id.text) {
                    Some(prefixes) => cidrs.extend(prefixes),
                    None => problems.unknown(
                        &id.span,
                        "prefix list, in no file of prefix_list_files:",
                        id,
                        lists.keys().map(String::as_str),
                    ),
                },
            }
        }
        if let Some(ranges) = &pinned.ranges {
            check_regions(destination, ranges, problems);
            let regions = texts(&destination.regions);
            let wanted = ranges.iter().filter(|range| {
                services >> range.service & 1 == 1
                    && (regions.is_empty() || regions.binary_search(&range.region).is_ok())
            });
            cidrs.extend(wanted.map(|range| range.prefix));
        }
        destinations.push(Destination {
            name: destination.name.text.clone(),
            cidrs: sorted(cidrs),
            services,
            service_names: texts(&destination.aws_services),
            regions: texts(&destination.regions),
            domains: texts(&destination.domains),
            missing_lists,
        });
    }
    destinations
}

fn check_regions(
    destination: &file::Destination,
    ranges: &[super::pinned::Range],
    problems: &mut Problems,
) {
    for region in &destination.regions {
        if !ranges.iter().any(|range| range.region == region.text) {
            let mut known: Vec<&str> = ranges.iter().map(|range| range.region.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            problems.unknown(
                &region.span,
                "region, in no range of ip_ranges:",
                region,
                known,
            );
        }
    }
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
