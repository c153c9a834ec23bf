//! How many entries of a network ACL a rule would take.
//!
//! An entry has one prefix, that of the far end, one protocol and one range of ports; the near end is the subnet that the
//! ACL belongs to. So a rule takes, in the outbound list of its clients' subnets, its `to` prefixes by its ranges of
//! ports, and in the inbound list of its servers' subnets its `from` prefixes by the same. Prefixes are merged first. An
//! end outside has no network ACL.

use std::collections::HashMap;

use super::super::Policy;
use super::super::bits::Bits;
use super::super::names::Name;
use super::super::ruleset::{Condition, Ports};
use super::super::space::Kind;
use super::super::validity::Validity;
use super::cover::Shapes;
use super::ends::Ends;
use super::table::{ACL_SIZE, LintLevel};
use super::{Found, Rules};
use crate::net::ports::PortSet;
use crate::net::{Prefix, merged, protocol};

/// Entries of one direction that a network ACL holds by default. Source: AWS, *Amazon VPC quotas*, rules per network ACL.
const DEFAULT_ENTRIES: usize = 20;

/// The most that AWS raises this to. Source: as above.
const MOST_ENTRIES: usize = 40;

/// `at` is now, seconds since 1970: prefixes count that are in force then.
pub(super) fn lint(
    policy: &Policy,
    rules: &Rules<'_>,
    shapes: &Shapes<'_>,
    at: i64,
    found: &mut Found,
) {
    let at = u32::try_from(at.max(0)).unwrap_or(u32::MAX);
    let mut counted: HashMap<usize, Prefixes> = HashMap::new();
    let inside = inside_classes(policy);
    for (number, rule) in rules.all.iter().enumerate() {
        let mut entries = |direction: &'static str, near: &Ends<'_>, far: usize| {
            near.may.common(&inside).next()?;
            let far = counted.entry(far).or_insert_with(|| {
                let ends = shapes.ends.list(far);
                Prefixes::of(policy, ends, at)
            });
            Some(Entries::new(direction, far, rule.condition))
        };
        let shape = &shapes.all[number];
        let inbound = entries("inbound", shapes.to(number), shape.from);
        let outbound = entries("outbound", shapes.from(number), shape.to);
        let larger = inbound
            .into_iter()
            .chain(outbound)
            .max_by_key(|entries| entries.number);
        let Some(larger) = larger else { continue };
        let level = match larger.number {
            0..=DEFAULT_ENTRIES => continue,
            number if number <= MOST_ENTRIES => LintLevel::Note,
            _ => LintLevel::Warning,
        };
        found.add_at(
            &ACL_SIZE,
            level,
            &rule.id.span,
            format!(
                "as a network ACL, {} takes {}; a network ACL holds {DEFAULT_ENTRIES} by default and {MOST_ENTRIES} at most",
                rule.title(),
                larger.in_words()
            ),
            "leave it to security groups, or let the ACL name larger prefixes",
        );
    }
}

fn inside_classes(policy: &Policy) -> Bits {
    let classes = policy.space.classes();
    let mut inside = Bits::new(classes.len());
    for (number, class) in classes.iter().enumerate() {
        if class.kind == Kind::Inside {
            inside.insert(number);
        }
    }
    inside
}

/// How many prefixes a list takes after merging, exceptions included, as far as the policy knows prefixes of it.
struct Prefixes {
    ipv4: usize,
    ipv6: usize,
}

impl Prefixes {
    fn of(policy: &Policy, ends: &Ends<'_>, at: u32) -> Prefixes {
        let merged_of = |names: &[Name]| {
            let all = names.iter().flat_map(|name| prefixes_of(policy, *name, at));
            merged(all)
        };
        let mut all = merged_of(ends.names);
        all.extend(merged_of(ends.except));
        let ipv4 = all.iter().filter(|prefix| prefix.is_v4()).count();
        Prefixes {
            ipv4,
            ipv6: all.len() - ipv4,
        }
    }
}

/// The entries of one direction.
struct Entries {
    direction: &'static str,
    number: usize,
    num_prefixes: usize,
    num_ranges: usize,
}

impl Entries {
    fn new(direction: &'static str, far: &Prefixes, condition: &Condition) -> Entries {
        let only = |ipv4: bool| condition.ipv4.is_none_or(|only| only == ipv4);
        let ipv4 = if only(true) { far.ipv4 } else { 0 };
        let ipv6 = if only(false) { far.ipv6 } else { 0 };
        // Each family has an ICMP of its own, which the other's prefixes need no entry for.
        let without = |other: u8| num_ranges(condition, |protocol| protocol != other);
        Entries {
            direction,
            number: ipv4 * without(protocol::ICMPV6) + ipv6 * without(protocol::ICMP),
            num_prefixes: ipv4 + ipv6,
            num_ranges: num_ranges(condition, |_| true),
        }
    }

    fn in_words(&self) -> String {
        let prefixes = match self.num_prefixes {
            1 => "1 prefix".to_owned(),
            several => format!("{several} prefixes"),
        };
        let ranges = match self.num_ranges {
            1 => "1 range".to_owned(),
            several => format!("{several} ranges"),
        };
        format!(
            "{} {} entries, for {prefixes} and {ranges} of ports",
            self.number, self.direction
        )
    }
}

/// Ranges that the ports take as entries; all but some are these as entries of the other kind, and one for the rest.
fn num_ranges(condition: &Condition, is_wanted: impl Fn(u8) -> bool) -> usize {
    let count = |set: &PortSet| {
        let ranges = set.ranges().iter();
        ranges.filter(|range| is_wanted(range.protocol)).count()
    };
    match &condition.ports {
        Ports::Any => 1,
        Ports::Only(_) => count(&condition.ports.as_set()),
        Ports::Except(set) => count(set) + 1,
    }
}

fn prefixes_of(policy: &Policy, name: Name, at: u32) -> Vec<Prefix> {
    let places = &policy.places;
    let subnets = || {
        let subnets = places.subnets.iter();
        subnets.filter(|subnet| subnet.validity.holds(at))
    };
    let if_in_force = |validity: Validity, cidrs: &[Prefix]| match validity.holds(at) {
        true => cidrs.to_vec(),
        false => Vec::new(),
    };
    let special = |texts: &[&str]| {
        let parse = |text: &&str| text.parse().expect("these are prefixes");
        texts.iter().map(parse).collect()
    };
    match name {
        Name::Any | Name::Internet | Name::Unlisted | Name::Outside => {
            special(&["0.0.0.0/0", "::/0"])
        }
        Name::Private => special(&[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "fc00::/7",
        ]),
        Name::Inside | Name::Unassigned => places
            .networks
            .iter()
            .flat_map(|network| network.cidrs.clone())
            .collect(),
        Name::AnyTier => subnets().flat_map(|subnet| subnet.cidrs.clone()).collect(),
        Name::Tier(tier) => subnets()
            .filter(|subnet| subnet.tier == tier)
            .flat_map(|subnet| subnet.cidrs.clone())
            .collect(),
        Name::Group(group) => {
            let group = &places.groups[usize::from(group)];
            if_in_force(group.validity, &group.cidrs)
        }
        Name::Destination(id) => {
            let destination = &places.destinations[usize::from(id)];
            if_in_force(destination.validity, &destination.cidrs)
        }
        Name::Aws(_) | Name::AnyAws | Name::SameSubnet => Vec::new(),
    }
}
