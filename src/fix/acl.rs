//! Entries of network ACLs that deny a connection where security groups cannot.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::permit::{Connection, Lets, Permit, Reference, Step};
use crate::config::{AclEntry, Config, Direction, Traffic};
use crate::net::ports::PortRange;
use crate::net::{Addr, Prefix, merged};
use crate::policy::{Answer, PortsBetween};

use super::change::{Change, applied, free_number};

/// How many entries an ACL may get. It has room for 20 each way by AWS's default quota.
const MAX_ENTRIES: usize = 10;

/// What an entry would deny.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Denial {
    acl: String,
    direction: Direction,
    ports: PortRange,
    /// The number of the entry that lets it through: it has to be asked before that.
    before: u32,
    /// The other side.
    peer: Addr,
}

/// What would deny a connection at an ACL; none where there is no such hop, or its ACL is not in the configuration.
pub(super) fn denial(permit: &Permit<'_>, connection: &Connection, step: Step) -> Option<Denial> {
    let hop = permit.request.iter().find(|hop| hop.step == step)?;
    let entries = hop.parts.iter().flat_map(|part| match &part.lets {
        Lets::Yes(references) => references.as_slice(),
        _ => &[],
    });
    let deciding = entries.filter_map(|reference| match reference {
        Reference::AclEntry { acl, entry } => Some((*acl, *entry)),
        _ => None,
    });
    let (acl, entry) = deciding.min_by_key(|(_, entry)| entry.number)?;
    let (direction, peer) = match step {
        Step::ServerAcl => (Direction::Ingress, connection.client),
        _ => (Direction::Egress, connection.server),
    };
    Some(Denial {
        acl: acl.id.clone(),
        direction,
        ports: PortRange {
            protocol: connection.protocol,
            first: connection.server_port,
            last: connection.server_port,
        },
        before: entry.number,
        peer,
    })
}

impl Denial {
    /// The prefixes of the subnets that the ACL stands before, of the peer's family.
    fn subnets<'c>(&self, config: &'c Config) -> impl Iterator<Item = Prefix> + use<'c> {
        let acl = config.acls.iter().find(|acl| acl.id == self.acl);
        let ids = acl.map_or(&[][..], |acl| &acl.subnets);
        let is_v4 = self.peer.is_v4();
        let subnets = config.subnets.iter();
        subnets
            .filter(|subnet| ids.contains(&subnet.id))
            .flat_map(|subnet| subnet.cidrs.iter().copied())
            .filter(move |cidr| cidr.is_v4() == is_v4)
    }

    /// Whether it denies a connection.
    pub(super) fn denies(&self, connection: &Connection, config: &Config) -> bool {
        let (own, peer) = match self.direction {
            Direction::Ingress => (connection.server, connection.client),
            Direction::Egress => (connection.client, connection.server),
        };
        let is_its_port = (connection.protocol, connection.server_port)
            == (self.ports.protocol, self.ports.first);
        is_its_port && peer == self.peer && self.subnets(config).any(|cidr| cidr.contains(own))
    }

    /// What would be lost with it; none if nothing. `seen` is how many compliant connections it denies.
    pub(super) fn loses(
        &self,
        config: &Config,
        between: &mut PortsBetween<'_>,
        seen: u64,
    ) -> Option<String> {
        if seen > 0 {
            return Some(format!(
                "{}: an entry that denies it would also deny compliant connections of the lake: {seen}",
                self.acl
            ));
        }
        for cidr in self.subnets(config) {
            for range in between.ranges_of(cidr) {
                let (client, server) = match self.direction {
                    Direction::Ingress => (self.peer, range.first),
                    Direction::Egress => (range.first, self.peer),
                };
                let PortRange {
                    protocol, first, ..
                } = self.ports;
                if between.answer(client, server, protocol, first) != Answer::Deny {
                    return Some(format!(
                        "{}: an entry that denies it would also deny what the policy does not: {client} to {server} on {}, in a subnet of the same ACL",
                        self.acl, self.ports
                    ));
                }
            }
        }
        None
    }
}

/// The entries that deny all of this: one for prefixes that belong together.
///
/// # Errors
/// When an ACL has no room for them.
pub(super) fn entries(config: &Config, wanted: &BTreeSet<Denial>) -> Result<Vec<Change>, String> {
    let mut by_entry: BTreeMap<(&str, Direction, PortRange, u32), Vec<Prefix>> = BTreeMap::new();
    for denial in wanted {
        let key = (
            denial.acl.as_str(),
            denial.direction,
            denial.ports,
            denial.before,
        );
        let width = if denial.peer.is_v4() { 32 } else { 128 };
        let peers = by_entry.entry(key).or_default();
        peers.push(Prefix::of(denial.peer, width));
    }
    let mut changed = config.clone();
    let mut changes: Vec<Change> = Vec::new();
    let mut num_of: BTreeMap<&str, usize> = BTreeMap::new();
    for ((id, direction, ports, before), peers) in by_entry {
        for cidr in merged(peers) {
            let number = num_of.entry(id).or_default();
            *number += 1;
            if *number > MAX_ENTRIES {
                return Err(format!(
                    "{id}: more than {MAX_ENTRIES} entries would be needed, and an ACL has room for few"
                ));
            }
            let acl = changed.acls.iter().find(|acl| acl.id == id);
            let entries = acl.map_or(&[][..], |acl| &acl.entries);
            let Some(number) = free_number(entries, direction, Some(before)) else {
                return Err(format!(
                    "{id}: no number is free before entry {before}; renumber that first"
                ));
            };
            let change = Change::Insert {
                acl: id.to_owned(),
                entry: AclEntry {
                    direction,
                    number,
                    is_allow: false,
                    cidr,
                    traffic: Traffic {
                        ports: Some(ports),
                        icmp: None,
                    },
                },
            };
            changed = applied(&changed, std::slice::from_ref(&change));
            changes.push(change);
        }
    }
    Ok(changes)
}
