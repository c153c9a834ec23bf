//! The hop through security groups: any one rule of any one group that an end carries lets through.

use super::screen::{Stands, The};
use super::told::{Reference, Unknown};
use super::{End, Lets, Permits};
use crate::config::{Direction, GroupRule, Peer, SecurityGroup};

/// Whether the other side of a rule is an end.
enum Meets<'c> {
    Yes,
    No,
    Unknown(Unknown<'c>),
}

impl<'c> Permits<'c> {
    /// The groups of `own`, for what goes to or comes from `other`; none outside.
    pub(super) fn groups(
        &self,
        own: &End<'c>,
        other: &End<'c>,
        direction: Direction,
    ) -> Option<Stands<'c>> {
        let unknown = |why| Some(Stands::Always(Lets::Unknown(vec![why])));
        if own.is_ambiguous {
            return unknown(Unknown::Ambiguous(own.addr));
        }
        own.vpc?;
        let Some(first) = own.interfaces.first() else {
            return unknown(Unknown::NoInterface(own.addr));
        };
        if let Some(interface) = own.without_groups() {
            return Some(Stands::Always(Lets::Yes(vec![Reference::Unfiltered {
                interface,
            }])));
        }
        if own.groups.is_empty() {
            return unknown(Unknown::NoGroups(&first.id));
        }
        let known = own.groups.iter().filter_map(|(_, group)| *group);
        let is_untold = |group: &Option<&SecurityGroup>| !group.is_some_and(|group| group.is_told);
        let untold = own.groups.iter().filter(|(_, group)| is_untold(group));
        let mut rules = Vec::new();
        for group in known.clone() {
            for rule in group
                .rules
                .iter()
                .filter(|rule| rule.direction == direction)
            {
                match self.meets(rule, other) {
                    Meets::Yes => rules.push((The(group), The(rule), None)),
                    Meets::No => {}
                    Meets::Unknown(why) => rules.push((The(group), The(rule), Some(why))),
                }
            }
        }
        Some(Stands::Groups {
            groups: known.map(The).collect(),
            direction,
            rules,
            untold: untold.map(|(id, _)| Unknown::NotTold(id)).collect(),
        })
    }

    /// Whether an end is what a rule names as its other side. A group as other side is the private addresses of the
    /// interfaces that carry it.
    fn meets(&self, rule: &'c GroupRule, end: &End<'c>) -> Meets<'c> {
        let id = match &rule.peer {
            Peer::Cidr(prefix) => return prefix.contains(end.addr).into(),
            Peer::PrefixList(id) => {
                return match self
                    .config
                    .prefix_list(id)
                    .and_then(|list| list.entries.as_ref())
                {
                    Some(entries) => entries.iter().any(|one| one.contains(end.addr)).into(),
                    None => Meets::Unknown(Unknown::PrefixList(id)),
                };
            }
            Peer::Group(id) | Peer::ForeignGroup { id, .. } => id.as_str(),
        };
        if end.groups.iter().any(|(carried, _)| *carried == id) {
            return Meets::Yes;
        }
        if end.is_ambiguous {
            return Meets::Unknown(Unknown::Ambiguous(end.addr));
        }
        if end.is_inside() {
            let lacks_groups = end.groups.is_empty() && end.without_groups().is_none();
            return match (end.interfaces.first(), lacks_groups) {
                (Some(interface), true) => Meets::Unknown(Unknown::NoGroups(&interface.id)),
                (Some(_), false) => Meets::No,
                (None, _) => Meets::Unknown(Unknown::NoInterface(end.addr)),
            };
        }
        if let Some(id) = end.elsewhere.iter().find(|carried| **carried == id) {
            return Meets::Unknown(Unknown::Elsewhere(id));
        }
        // What is outside has no group of the configuration's own, and a public IPv4 address is taken for no
        // interface's: groups go by private addresses.
        let is_public = end.addr.is_v4() && !end.addr.is_private();
        match &rule.peer {
            _ if is_public || end.addr.is_local() => Meets::No,
            Peer::ForeignGroup { account, id } => {
                Meets::Unknown(Unknown::ForeignGroup { account, id })
            }
            _ if self.is_own_group(id) => Meets::No,
            Peer::Group(id) => Meets::Unknown(Unknown::Group(id)),
            Peer::Cidr(_) | Peer::PrefixList(_) => Meets::No,
        }
    }

    /// Whether a group is of a VPC whose addresses the configuration has.
    fn is_own_group(&self, id: &str) -> bool {
        let Some(group) = self.config.group(id) else {
            return false;
        };
        let vpc = group.vpc.as_deref();
        let mut vpcs = self.config.vpcs.iter();
        vpcs.any(|one| Some(one.id.as_str()) == vpc && !one.cidrs.is_empty())
    }
}

impl From<bool> for Meets<'_> {
    fn from(meets: bool) -> Self {
        if meets { Meets::Yes } else { Meets::No }
    }
}
