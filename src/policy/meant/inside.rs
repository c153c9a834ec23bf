//! What lies inside networks: tiers, subnets, groups.

use std::collections::HashMap;

use super::network::{holds, network_named};
use super::{Group, Network, Subnet, Tier, prefixes, sorted_by_name, texts};
use crate::net::Prefix;
use crate::policy::file::{self, File};
use crate::policy::names::{Name, Names};
use crate::policy::problem::{Problems, excerpt};
use crate::policy::section::Word;
use crate::policy::{Criticality, NetworkId};

/// Tiers in the order in which the file first names them.
pub(super) fn tiers(file: &File, names: &mut Names, problems: &mut Problems) -> Vec<Tier> {
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

pub(super) fn subnets(
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
            id: subnet.id.as_ref().map(|id| id.text.clone()),
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

pub(super) fn groups(
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
