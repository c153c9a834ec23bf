//! What is named of a configuration: the rules and entries that decide, and what cannot be told.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::config::{AclEntry, Direction, GroupRule, Interface, NetworkAcl, SecurityGroup, Subnet};
use crate::net::Addr;

/// What decides at a hop. Its text is for people: `sg-0a1b (web): in tcp/443 from 0.0.0.0/0, "everybody"`.
#[derive(Clone, Debug)]
pub enum Reference<'c> {
    /// A rule of a security group lets it through.
    GroupRule {
        /// The group.
        group: &'c SecurityGroup,
        /// Its rule.
        rule: &'c GroupRule,
    },
    /// No rule of any of these groups does, which are all that the end carries.
    NoRule {
        /// The groups, by id.
        groups: Vec<&'c SecurityGroup>,
        /// Which way it goes.
        direction: Direction,
    },
    /// Nothing filters at this interface: it is of a kind that carries no groups, such as a NAT gateway's.
    Unfiltered {
        /// The interface.
        interface: &'c Interface,
    },
    /// An entry of a network ACL lets it through, or denies it.
    AclEntry {
        /// The network ACL.
        acl: &'c NetworkAcl,
        /// Its entry.
        entry: &'c AclEntry,
    },
    /// No entry of a network ACL matches, and the one that closes every network ACL denies it.
    AclClosing {
        /// The network ACL.
        acl: &'c NetworkAcl,
        /// Which way it goes.
        direction: Direction,
    },
    /// The configuration has no network ACL of the subnet; a VPC's default one, as AWS makes it, lets everything through.
    NoAcl {
        /// The subnet.
        subnet: &'c Subnet,
    },
}

/// Why the configuration does not tell what becomes of something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unknown<'c> {
    /// A rule goes by a prefix list, of this id, whose entries are not in the configuration.
    PrefixList(&'c str),
    /// A rule goes by a security group of another account.
    ForeignGroup {
        /// The account.
        account: &'c str,
        /// The group's id there.
        id: &'c str,
    },
    /// A rule goes by a security group, of this id, whose VPC is not in the configuration.
    Group(&'c str),
    /// A rule goes by a security group, of this id, that an interface with this address carries; whether that is who is meant
    /// is not known, because it is in another VPC, or in one of several.
    Elsewhere(&'c str),
    /// An interface carries a security group, of this id, that is not in the configuration, or of which only some rules are.
    NotTold(&'c str),
    /// No interface of the configuration has this address of a VPC.
    NoInterface(Addr),
    /// An interface, of this id, ought to carry security groups, and the configuration does not say which.
    NoGroups(&'c str),
    /// No subnet of the configuration has this address of a VPC.
    NoSubnet(Addr),
    /// Several VPCs have this address.
    Ambiguous(Addr),
}

impl Reference<'_> {
    /// The id of what decides: of a security group (the first of several), a network ACL, an interface or a subnet.
    pub fn id(&self) -> &str {
        match self {
            Reference::GroupRule { group, .. } => &group.id,
            Reference::NoRule { groups, .. } => groups.first().map_or("", |group| &group.id),
            Reference::Unfiltered { interface } => &interface.id,
            Reference::AclEntry { acl, .. } | Reference::AclClosing { acl, .. } => &acl.id,
            Reference::NoAcl { subnet } => &subnet.id,
        }
    }

    /// What tells references apart and orders them: ids, never places in memory.
    fn key(&self) -> Key<'_> {
        let id = self.id();
        match self {
            Reference::GroupRule { rule, .. } => Key::GroupRule(id, rule),
            Reference::NoRule { groups, direction } => {
                let ids = groups.iter().map(|group| group.id.as_str());
                Key::NoRule(ids.collect(), *direction)
            }
            Reference::Unfiltered { .. } => Key::Unfiltered(id),
            Reference::AclEntry { entry, .. } => Key::AclEntry(id, entry),
            Reference::AclClosing { direction, .. } => Key::AclClosing(id, *direction),
            Reference::NoAcl { .. } => Key::NoAcl(id),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'k> {
    GroupRule(&'k str, &'k GroupRule),
    NoRule(Vec<&'k str>, Direction),
    Unfiltered(&'k str),
    AclEntry(&'k str, &'k AclEntry),
    AclClosing(&'k str, Direction),
    NoAcl(&'k str),
}

impl PartialEq for Reference<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Reference<'_> {}

impl PartialOrd for Reference<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Reference<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Reference<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Of the same thing there are few references: its id is enough.
        self.id().hash(state);
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::GroupRule { group, rule } => write!(f, "{}: {rule}", Named(group)),
            Reference::NoRule { groups, direction } => {
                for (at, group) in groups.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", Named(group))?;
                }
                write!(f, ": no rule lets it {}", way(*direction))
            }
            Reference::Unfiltered { interface } => {
                let kind = interface.kind.as_deref().unwrap_or("interface");
                write!(f, "{} ({kind}): carries no security groups", interface.id)
            }
            Reference::AclEntry { acl, entry } => write!(f, "{}: {entry}", acl.id),
            Reference::AclClosing { acl, direction } => {
                let bound = bound(*direction);
                write!(f, "{}: {bound} entry *, deny what no other matches", acl.id)
            }
            Reference::NoAcl { subnet } => write!(
                f,
                "{}: its network ACL is not in the input, and is taken to let everything through",
                subnet.id
            ),
        }
    }
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::PrefixList(id) => {
                write!(
                    f,
                    "the entries of the prefix list {id} are not in the input"
                )
            }
            Unknown::ForeignGroup { account, id } => write!(
                f,
                "{id} is a security group of account {account}, and who carries it is not in the input"
            ),
            Unknown::Group(id) => write!(f, "the security group {id} is not in the input"),
            Unknown::Elsewhere(id) => write!(
                f,
                "{id} is a security group of another VPC, where an interface with such an address carries it"
            ),
            Unknown::NotTold(id) => write!(
                f,
                "the security group {id} is carried and not in the input, or only in part"
            ),
            Unknown::NoInterface(addr) => {
                write!(f, "no interface of the input has the address {addr}")
            }
            Unknown::NoGroups(id) => {
                write!(f, "which security groups {id} carries is not in the input")
            }
            Unknown::NoSubnet(addr) => write!(f, "no subnet of the input has the address {addr}"),
            Unknown::Ambiguous(addr) => {
                write!(f, "several VPCs of the input have the address {addr}")
            }
        }
    }
}

/// A group by its id and name.
struct Named<'g>(&'g SecurityGroup);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) => write!(f, "{} ({name})", self.0.id),
            None => f.write_str(&self.0.id),
        }
    }
}

/// `in tcp/443 from 0.0.0.0/0, "everybody"`.
impl fmt::Display for GroupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = preposition(self.direction);
        let way = way(self.direction);
        write!(f, "{way} {} {preposition} {}", self.traffic, self.peer)?;
        match &self.description {
            Some(text) if !text.is_empty() => write!(f, ", \"{text}\""),
            _ => Ok(()),
        }
    }
}

/// `inbound entry 100, allow tcp/443 from 0.0.0.0/0`.
impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = if self.is_allow { "allow" } else { "deny" };
        write!(
            f,
            "{} entry {}, {action} {} {} {}",
            bound(self.direction),
            self.number,
            self.traffic,
            preposition(self.direction),
            self.cidr
        )
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

fn bound(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "inbound",
        Direction::Egress => "outbound",
    }
}

fn preposition(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}
