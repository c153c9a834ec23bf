//! What stands at a hop between two ends, whatever the protocol and port.

use std::hash::{Hash, Hasher};

use super::told::{Reference, Unknown};
use super::{End, Lets};
use crate::config::{AclEntry, Direction, GroupRule, NetworkAcl, SecurityGroup, Traffic};

/// What is left to ask of a hop once both ends are known. Two are equal if they are of the same rules and entries; what
/// they let through is equal then, too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Screen<'c>(pub(super) Stands<'c>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stands<'c> {
    /// The same becomes of everything.
    Always(Lets<'c>),
    /// Rules of security groups, of which any one suffices.
    Groups {
        /// All groups that are carried and told, by id.
        groups: Vec<The<'c, SecurityGroup>>,
        direction: Direction,
        /// The rules whose other side is the other end, or may be for all that is known.
        rules: Vec<(
            The<'c, SecurityGroup>,
            The<'c, GroupRule>,
            Option<Unknown<'c>>,
        )>,
        /// Groups that may have more rules.
        untold: Vec<Unknown<'c>>,
    },
    /// Entries of a network ACL that name the other end, of which the first decides.
    Acl {
        acl: The<'c, NetworkAcl>,
        direction: Direction,
        entries: Vec<The<'c, AclEntry>>,
    },
}

/// A thing of the configuration, which is the same only if it is at the same place.
#[derive(Debug)]
pub(super) struct The<'c, T>(pub(super) &'c T);

impl<T> Clone for The<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for The<'_, T> {}

impl<T> PartialEq for The<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Eq for The<'_, T> {}

impl<T> Hash for The<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.0, state);
    }
}

impl<'c> Screen<'c> {
    /// What becomes of a code of a protocol.
    pub fn lets(&self, protocol: u8, code: u16) -> Lets<'c> {
        match &self.0 {
            Stands::Always(lets) => lets.clone(),
            Stands::Groups {
                groups,
                direction,
                rules,
                untold,
            } => {
                let covering = || {
                    rules
                        .iter()
                        .filter(|(_, rule, _)| rule.0.traffic.covers(protocol, code))
                };
                let sure = covering().filter(|(.., unknown)| unknown.is_none());
                let by: Vec<Reference<'c>> = sure
                    .map(|(group, rule, _)| Reference::GroupRule {
                        group: group.0,
                        rule: rule.0,
                    })
                    .collect();
                if !by.is_empty() {
                    return Lets::Yes(by);
                }
                let doubtful = covering().filter_map(|(.., unknown)| *unknown);
                let mut unknown: Vec<Unknown<'c>> =
                    doubtful.chain(untold.iter().copied()).collect();
                if unknown.is_empty() {
                    return Lets::No(Reference::NoRule {
                        groups: groups.iter().map(|group| group.0).collect(),
                        direction: *direction,
                    });
                }
                unknown.sort_unstable();
                unknown.dedup();
                Lets::Unknown(unknown)
            }
            Stands::Acl {
                acl,
                direction,
                entries,
            } => {
                let acl = acl.0;
                let mut entries = entries.iter().map(|entry| entry.0);
                match entries.find(|entry| entry.traffic.covers(protocol, code)) {
                    Some(entry) if entry.is_allow => {
                        Lets::Yes(vec![Reference::AclEntry { acl, entry }])
                    }
                    Some(entry) => Lets::No(Reference::AclEntry { acl, entry }),
                    None => Lets::No(Reference::AclClosing {
                        acl,
                        direction: *direction,
                    }),
                }
            }
        }
    }

    /// The codes of a protocol at which what becomes of them may change, without 0; in no order.
    pub fn cuts(&self, protocol: u8) -> impl Iterator<Item = u16> {
        let ranges = self
            .traffic()
            .filter_map(move |traffic| traffic.codes(protocol));
        let cuts = ranges.flat_map(|(first, last)| [Some(first), last.checked_add(1)]);
        cuts.flatten().filter(|cut| *cut > 0)
    }

    /// The protocols that are named, each as often as it is: what becomes of all others is the same.
    pub fn protocols(&self) -> impl Iterator<Item = u8> {
        self.traffic()
            .filter_map(|traffic| Some(traffic.ports?.protocol))
    }

    /// Whether nothing comes through, whatever it is.
    pub fn is_shut(&self) -> bool {
        match &self.0 {
            Stands::Always(lets) => matches!(lets, Lets::No(_)),
            Stands::Groups { rules, untold, .. } => rules.is_empty() && untold.is_empty(),
            Stands::Acl { entries, .. } => entries.iter().all(|entry| !entry.0.is_allow),
        }
    }

    fn traffic(&self) -> impl Iterator<Item = &'c Traffic> {
        let (rules, entries) = match &self.0 {
            Stands::Always(_) => (&[][..], &[][..]),
            Stands::Groups { rules, .. } => (&rules[..], &[][..]),
            Stands::Acl { entries, .. } => (&[][..], &entries[..]),
        };
        let of_rules = rules.iter().map(|(_, rule, _)| &rule.0.traffic);
        of_rules.chain(entries.iter().map(|entry| &entry.0.traffic))
    }
}

/// The network ACL at `own`, for what goes to or comes from `other`; none outside, and within a subnet.
///
/// A subnet without a network ACL in the configuration is taken to have a VPC's default one as AWS makes it, which lets
/// everything through: few configurations name it. [`Reference::NoAcl`] says so.
pub(super) fn acl<'c>(own: &End<'c>, other: &End<'c>, direction: Direction) -> Option<Stands<'c>> {
    let unknown = |why| Some(Stands::Always(Lets::Unknown(vec![why])));
    if own.is_ambiguous {
        return unknown(Unknown::Ambiguous(own.addr));
    }
    own.vpc?;
    match own.is_same_subnet(other) {
        Some(true) => return None,
        Some(false) => {}
        None => {
            return unknown(Unknown::NoSubnet(match own.subnet {
                Some(_) => other.addr,
                None => own.addr,
            }));
        }
    }
    let Some(subnet) = own.subnet else {
        return unknown(Unknown::NoSubnet(own.addr));
    };
    let Some(acl) = own.acl else {
        return Some(Stands::Always(Lets::Yes(vec![Reference::NoAcl { subnet }])));
    };
    let naming = acl
        .entries
        .iter()
        .filter(|entry| entry.direction == direction && entry.cidr.contains(other.addr));
    Some(Stands::Acl {
        acl: The(acl),
        direction,
        entries: naming.map(The).collect(),
    })
}
