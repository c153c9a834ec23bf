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
    let mut ids: Vec<Claim<'_, &str>> = Vec::new();
    let mut owned: Vec<Claim<'_, (NetworkId, Prefix)>> = Vec::new();
    let tier_numbers: HashMap<&str, u16> = tiers
        .iter()
        .enumerate()
        .map(|(i, tier)| (tier.name.as_str(), i as u16))
        .collect();
    for subnet in written {
        ids.extend(subnet.id.as_ref().map(|id| Claim {
            what: id.text.as_str(),
            by: subnet,
            word: id,
        }));
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
            owned.push(Claim {
                what: (network, *prefix),
                by: subnet,
                word,
            });
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
            validity: subnet.validity,
            az: subnet.az.as_ref().map(|az| az.text.clone()),
            labels: subnet
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), value.text.clone()))
                .collect(),
            cidrs: prefixes(&subnet.cidrs),
        });
    }
    for [_, claim] in claimed_twice(ids) {
        let id = excerpt(claim.word);
        problems.add(&claim.word.span, format!("duplicate subnet id `{id}`"));
    }
    for [other, claim] in claimed_twice(owned) {
        let (_, prefix) = claim.what;
        let message = match (&other.by.tier, &claim.by.tier) {
            (Some(one), Some(two)) if one.text != two.text => format!(
                "tiers `{}` and `{}` have the same prefix `{prefix}`",
                &**one, &**two
            ),
            _ => format!("two subnets have the same prefix `{prefix}`"),
        };
        problems.add(&claim.word.span, message);
    }
    let order = |subnet: &Subnet| (subnet.network, subnet.cidrs.clone(), subnet.validity);
    subnets.sort_by_cached_key(order);
    subnets
}

/// What a subnet claims for itself while it is in force: its id, or a prefix of a network.
#[derive(Clone, Copy)]
struct Claim<'f, T> {
    what: T,
    by: &'f file::Subnet,
    /// Where it does.
    word: &'f Word,
}

/// Pairs that claim the same at the same time, in the order of the file.
fn claimed_twice<T: Copy + Ord>(mut claims: Vec<Claim<'_, T>>) -> Vec<[Claim<'_, T>; 2]> {
    claims.sort_by_key(|claim| (claim.what, claim.by.validity.from, claim.word.span.start));
    let mut twice = Vec::new();
    let mut claims = claims.into_iter();
    let Some(mut latest) = claims.next() else {
        return twice;
    };
    for claim in claims {
        let is_same = claim.what == latest.what;
        if is_same && claim.by.validity.overlaps(latest.by.validity) {
            let mut pair = [latest, claim];
            pair.sort_by_key(|claim| claim.word.span.start);
            twice.push(pair);
        }
        // Of those that have begun, the one that ends last meets the next one if any does.
        let ends = |claim: &Claim<'_, T>| claim.by.validity.until.unwrap_or(i64::MAX);
        if !is_same || ends(&claim) >= ends(&latest) {
            latest = claim;
        }
    }
    twice
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
        groups.push(Group {
            name: group.name.text.clone(),
            network,
            validity: group.validity,
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
            security_groups: texts(&group.security_groups),
            descriptions: texts(&group.descriptions),
            endpoints: texts(&group.endpoints),
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
