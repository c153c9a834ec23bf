//! VPCs become networks, subnets find their tiers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::place::Places;
use super::sheet::{NetworkEntry, Sheet, SubnetEntry};
use super::{Settings, names};
use crate::config::{Config, Subnet, Tags, Vpc, is_known};
use crate::net::{Prefix, merged};

/// A VPC with addresses.
pub(super) struct Network<'c> {
    /// Its place among all networks.
    pub(super) number: usize,
    /// The VPC's id.
    pub(super) id: String,
    pub(super) name: String,
    /// Whether the file has several networks, so that everything has to say in which it is.
    pub(super) is_one_of_several: bool,
    pub(super) cidrs: Vec<Prefix>,
    pub(super) subnets: Vec<Placed<'c>>,
    /// Whether the input holds all of its interfaces. Not if it holds none: the call may have been another account's.
    pub(super) is_fully_known: bool,
}

/// A subnet in its tier.
pub(super) struct Placed<'c> {
    pub(super) subnet: &'c Subnet,
    pub(super) tier: String,
}

/// Words in a subnet's name that say what it is for; of two that mean the same, the tier is called as the name has it.
const TELLING: [&str; 13] = [
    "app",
    "application",
    "audit",
    "data",
    "database",
    "db",
    "dmz",
    "endpoints",
    "management",
    "mgmt",
    "tgw",
    "transit",
    "web",
];

/// Words that only say how a subnet is routed; they tell where no other word does.
const ROUTED: [&str; 4] = ["intra", "isolated", "private", "public"];

/// The tier of subnets that nothing tells one of.
const UNTAGGED: &str = "untagged";

/// Enters networks and subnets, and gives tiers their names.
pub(super) fn networks<'c>(
    config: &'c Config,
    settings: &Settings,
    places: &mut Places,
    sheet: &mut Sheet,
) -> Vec<Network<'c>> {
    let of_vpc = |vpc: &Vpc| -> Vec<&'c Subnet> {
        let is_here = |subnet: &&Subnet| subnet.vpc.as_deref() == Some(vpc.id.as_str());
        config.subnets.iter().filter(is_here).collect()
    };
    let with_addresses: Vec<(&'c Vpc, Vec<&'c Subnet>, Vec<Prefix>)> = config
        .vpcs
        .iter()
        .map(|vpc| {
            let subnets = of_vpc(vpc);
            let of_subnets = subnets.iter().flat_map(|subnet| subnet.cidrs.iter());
            // What the VPC itself does not hold can only be a prefix of it that the input leaves out.
            let others = of_subnets.filter(|cidr| !vpc.cidrs.iter().any(|own| own.covers(**cidr)));
            let cidrs = merged(vpc.cidrs.iter().chain(others).copied());
            (vpc, subnets, cidrs)
        })
        .collect();
    for (vpc, ..) in with_addresses.iter().filter(|(.., cidrs)| cidrs.is_empty()) {
        sheet.note(format!(
            "{}: the prefixes of this VPC are not in the input",
            vpc.id
        ));
    }
    for subnet in config.subnets.iter().filter(|subnet| subnet.vpc.is_none()) {
        sheet.note(format!(
            "{}: the VPC of this subnet is not in the input",
            subnet.id
        ));
    }
    let mut with_addresses = with_addresses;
    with_addresses.retain(|(.., cidrs)| !cidrs.is_empty());
    let is_one_of_several = with_addresses.len() > 1;
    let mut network_names = names::Names::new();
    let mut networks: Vec<Network<'c>> = Vec::new();
    for (vpc, subnets, cidrs) in with_addresses {
        let tag = tag(&vpc.tags, "Name");
        let name = network_names.claim(&names::of(&[tag], &vpc.id), "vpc");
        sheet
            .networks
            .push(entry(vpc, &name, &cidrs, is_one_of_several));
        let mut network = Network {
            number: networks.len(),
            id: vpc.id.clone(),
            name,
            is_one_of_several,
            cidrs,
            subnets: Vec::new(),
            is_fully_known: config.has_all_interfaces
                && config
                    .interfaces
                    .iter()
                    .any(|one| one.vpc.as_ref() == Some(&vpc.id)),
        };
        enter_subnets(&mut network, subnets, settings, places, sheet);
        networks.push(network);
    }
    networks
}

fn entry(vpc: &Vpc, name: &str, cidrs: &[Prefix], is_one_of_several: bool) -> NetworkEntry {
    let is_known = names::is_id(&vpc.id, "vpc-");
    // Without its VPC, a network claims what its account and region have: only one may.
    let says_account = is_known || !is_one_of_several;
    let is_region = |region: &String| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        region.contains('-') && region.bytes().all(plain)
    };
    let comment = if !is_known {
        Some(format!("{}: add vpcs = [\"vpc-…\"] when it exists", vpc.id))
    } else if vpc.cidrs.is_empty() {
        Some("the VPC's own prefixes are not in the input: these are its subnets'".to_owned())
    } else {
        None
    };
    let well_formed = |account: &&String| {
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
    };
    let account = vpc.account.as_ref().filter(well_formed);
    NetworkEntry {
        name: name.to_owned(),
        comment,
        vpc: is_known.then(|| vpc.id.clone()),
        account: account.filter(|_| says_account).cloned(),
        region: vpc
            .region
            .clone()
            .filter(is_region)
            .filter(|_| says_account),
        cidrs: cidrs.to_vec(),
    }
}

fn enter_subnets<'c>(
    network: &mut Network<'c>,
    mut subnets: Vec<&'c Subnet>,
    settings: &Settings,
    places: &mut Places,
    sheet: &mut Sheet,
) {
    subnets.sort_by_key(|subnet| (merged(subnet.cidrs.iter().copied()), &subnet.id));
    let mut taken: HashSet<Prefix> = HashSet::new();
    for subnet in subnets {
        if subnet.cidrs.is_empty() {
            sheet.note(format!(
                "{}: the prefixes of this subnet are not in the input",
                subnet.id
            ));
            continue;
        }
        if let Some(twice) = subnet.cidrs.iter().find(|cidr| !taken.insert(**cidr)) {
            sheet.note(format!(
                "{}: another subnet of its VPC has {twice} too",
                subnet.id
            ));
            continue;
        }
        let (wanted, comment) = tier(subnet, &settings.tier_tag);
        let tier = places.tier(network, &wanted);
        if !sheet.tiers.contains(&tier) {
            sheet.tiers.push(tier.clone());
        }
        sheet.subnets.push(SubnetEntry {
            comment,
            id: is_known(&subnet.id).then(|| subnet.id.clone()),
            network: network.is_one_of_several.then(|| network.name.clone()),
            tier: tier.clone(),
            az: subnet.az_id.clone().or_else(|| subnet.az.clone()),
            cidrs: merged(subnet.cidrs.iter().copied()),
            labels: labels(subnet, &settings.label_tags),
        });
        network.subnets.push(Placed { subnet, tier });
    }
}

/// A tag's value; where no key is exactly this, one that differs in case only.
fn tag<'t>(tags: &'t Tags, key: &str) -> Option<&'t str> {
    let exact = tags.get(key);
    let other = || {
        let mut all = tags.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value)
    };
    exact.or_else(other).map(String::as_str)
}

/// The tier that a subnet asks for, and what is to be said of it.
fn tier(subnet: &Subnet, tier_tag: &str) -> (String, Option<String>) {
    let name = tag(&subnet.tags, "Name");
    let by_tag = tag(&subnet.tags, tier_tag).map(names::slug);
    if let Some(tier) = by_tag.filter(|tier| !tier.is_empty()) {
        return (tier, name.map(str::to_owned));
    }
    match name.and_then(|name| Some((name, guess(name)?))) {
        Some((name, tier)) => (
            tier,
            Some(format!("Review: the tier is guessed from the name {name}")),
        ),
        None => (
            UNTAGGED.to_owned(),
            Some(match name {
                Some(name) => format!("{name}; no tag {tier_tag}"),
                None => format!("no tag {tier_tag}"),
            }),
        ),
    }
}

/// The tier that a name states clearly: by one telling word, or without any, by one of how it is routed.
fn guess(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let words: BTreeSet<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let of = |known: &[&str]| -> Vec<String> {
        let found = words.iter().filter(|word| known.contains(word));
        found.map(|word| (*word).to_owned()).collect()
    };
    let mut telling = of(&TELLING);
    if telling.is_empty() {
        telling = of(&ROUTED);
    }
    match telling.len() {
        1 => telling.pop(),
        _ => None,
    }
}

/// The labels that a subnet's tags give. `az` is no label.
fn labels(subnet: &Subnet, keys: &[String]) -> BTreeMap<String, String> {
    let of = |key: &String| Some((key.clone(), tag(&subnet.tags, key)?.to_owned()));
    let labels = keys.iter().filter(|key| *key != "az").filter_map(of);
    labels.filter(|(_, value)| !value.is_empty()).collect()
}

impl Network<'_> {
    /// Whether the network has addresses of the family.
    pub(super) fn has(&self, is_v4: bool) -> bool {
        self.cidrs.iter().any(|cidr| cidr.is_v4() == is_v4)
    }

    /// The families that the network has.
    pub(super) fn families(&self) -> impl Iterator<Item = bool> {
        [true, false]
            .into_iter()
            .filter(move |is_v4| self.has(*is_v4))
    }

    /// Whether the network holds all of the prefix.
    pub(super) fn holds(&self, prefix: Prefix) -> bool {
        self.cidrs.iter().any(|cidr| cidr.covers(prefix))
    }

    /// Those of the prefixes that the network holds.
    pub(super) fn held(&self, prefixes: &[Prefix]) -> Vec<Prefix> {
        let held = prefixes
            .iter()
            .copied()
            .filter(|prefix| self.holds(*prefix));
        held.collect()
    }

    /// The part of a prefix that lies inside: the prefix itself, or the network's own prefixes that it covers.
    pub(super) fn inside_part(&self, prefix: Prefix) -> Vec<Prefix> {
        if self.holds(prefix) {
            return vec![prefix];
        }
        let covered = self
            .cidrs
            .iter()
            .copied()
            .filter(|cidr| prefix.covers(*cidr));
        covered.collect()
    }

    /// Whether a prefix covers all addresses of its family.
    pub(super) fn is_covered_by(&self, prefix: Prefix) -> bool {
        let mut own = self
            .cidrs
            .iter()
            .filter(|cidr| cidr.is_v4() == prefix.is_v4());
        own.all(|cidr| prefix.covers(*cidr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_guessed_only_where_a_name_is_clear() {
        fn check(name: &str, expected: &str) {
            assert_eq!(guess(name).unwrap_or_default(), expected, "{name}");
        }
        check("prod-private-app-a", "app");
        check("prod-public-1a", "public");
        check("Public Subnet (AZ1)", "public");
        check("app-db-shared", "");
        check("private-or-public", "");
        check("happy", "");
        check("prod-DB-a", "db");
        check("", "");
    }
}
