//! Places: tiers that are nowhere, subnets of two tiers in each other, groups whose members cannot be told.

use std::collections::{HashMap, HashSet};

use super::super::file::{self, File};
use super::super::meant::Group;
use super::super::problem::excerpt;
use super::super::section::Word;
use super::super::validity::Validity;
use super::super::{GroupId, Policy};
use super::Found;
use super::table::{EMPTY_TIER, LintLevel, OVERLAPPING_TIERS, UNRESOLVED_GROUP};
use crate::net::Prefix;

pub(super) fn lint(policy: &Policy, file: &File, found: &mut Found) {
    empty_tiers(file, found);
    overlapping_tiers(file, found);
    unresolved_groups(policy, file, found);
}

fn empty_tiers(file: &File, found: &mut Found) {
    let subnets = file.subnets.iter();
    let lived_in: HashSet<&str> = subnets
        .filter(|subnet| !subnet.cidrs.is_empty())
        .filter_map(|subnet| Some(subnet.tier.as_ref()?.text.as_str()))
        .collect();
    for tier in &file.tiers {
        if !lived_in.contains(tier.name.text.as_str()) {
            found.add(
                &EMPTY_TIER,
                &tier.name.span,
                format!(
                    "tier `{}` has no subnets, so no address is in it",
                    &*tier.name
                ),
                "add [[subnets]] with this tier, or remove it",
            );
        }
    }
}

/// A prefix of a subnet as written.
struct Written<'f> {
    network: &'f str,
    prefix: Prefix,
    word: &'f Word,
    tier: &'f str,
    validity: Validity,
}

/// Prefixes nest or are disjoint, so that in their order each has those around it on a stack. Of these the closest counts,
/// at each time that both are in force.
fn overlapping_tiers(file: &File, found: &mut Found) {
    let mut all: Vec<Written<'_>> = file.subnets.iter().flat_map(written).collect();
    all.sort_by_key(|written| (written.network, written.prefix.is_v4(), written.prefix));
    let mut around: Vec<&Written<'_>> = Vec::new();
    for inner in &all {
        let holds = |outer: &Written<'_>| {
            outer.network == inner.network && outer.prefix.covers(inner.prefix)
        };
        while around.last().is_some_and(|outer| !holds(outer)) {
            around.pop();
        }
        if let Some(outer) = closest(inner, &around).find(|outer| outer.tier != inner.tier) {
            found.add(
                &OVERLAPPING_TIERS,
                &inner.word.span,
                format!(
                    "`{}` of tier `{}` lies inside `{}` of tier `{}`",
                    inner.prefix, inner.tier, outer.prefix, outer.tier
                ),
                "the longest prefix holds an address: give the tiers prefixes beside each other, as subnets in AWS are",
            );
        }
        around.push(inner);
    }
}

/// The prefixes around one that are the closest at some time, from within; those around it stand from without.
fn closest<'a, 'f>(
    inner: &'a Written<'f>,
    around: &'a [&'a Written<'f>],
) -> impl Iterator<Item = &'a Written<'f>> {
    let mut is_hidden = false;
    let in_force = around.iter().rev().copied();
    in_force
        .filter(|outer| outer.validity.overlaps(inner.validity))
        .take_while(move |outer| {
            let is_seen = !is_hidden;
            is_hidden |= outer.validity.covers(inner.validity);
            is_seen
        })
}

fn written(subnet: &file::Subnet) -> impl Iterator<Item = Written<'_>> {
    let network = subnet.network.as_ref().map_or("", |word| &word.text);
    let tier = subnet.tier.as_ref().map_or("", |word| &word.text);
    subnet.cidrs.iter().map(move |(prefix, word)| Written {
        network,
        prefix: *prefix,
        word,
        tier,
        validity: subnet.validity,
    })
}

/// Without an inventory whatever needs one is unresolved; with one, a group that nobody in it is in.
fn unresolved_groups(policy: &Policy, file: &File, found: &mut Found) {
    let meant: HashMap<&str, _> = policy
        .places
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| (group.name.as_str(), (GroupId(at as u16), group)))
        .collect();
    for written in &file.groups {
        let Some(&(id, group)) = meant.get(written.name.text.as_str()) else {
            continue;
        };
        if !group.needs_inventory() {
            continue;
        }
        let name = &*written.name;
        let what = group.by_inventory().next();
        if policy.has_inventory() {
            let has_others =
                !group.cidrs.is_empty() || group.is_by_facts() && group.tags.is_empty();
            if !has_others && !policy.inventory.has_members(id) {
                found.add_at(
                    &UNRESOLVED_GROUP,
                    match what {
                        Some(_) => UNRESOLVED_GROUP.level,
                        None => LintLevel::Note,
                    },
                    &written.name.span,
                    format!(
                        "nobody in the inventory is in group `{name}`, which goes by {}",
                        excerpt(&what.unwrap_or_else(|| tag_of(group)))
                    ),
                    "look whether it is spelt as AWS has it, and whether the inventory holds all VPCs",
                );
            }
            continue;
        }
        let (level, message) = match what {
            Some(what) => (
                UNRESOLVED_GROUP.level,
                format!(
                    "group `{name}` goes by {}, which only an inventory tells, and none is loaded: an allow by it is \
                     `unproven` for whoever is not shown to be in it",
                    excerpt(&what)
                ),
            ),
            None => (
                LintLevel::Note,
                format!(
                    "group `{name}` goes by {}: records may show who is in it, but without an inventory never \
                     who is not, and an allow by it is `unproven` then",
                    excerpt(&tag_of(group))
                ),
            ),
        };
        found.add_at(
            &UNRESOLVED_GROUP,
            level,
            &written.name.span,
            message,
            "give its prefixes, cidrs = […], or an inventory, [data] inventory = [\"enis.json\"]",
        );
    }
}

fn tag_of(group: &Group) -> String {
    let key = group.tags.keys().next();
    format!("tag {}", key.map_or("", String::as_str))
}
