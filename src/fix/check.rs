//! Holds the traffic of a lake against a configuration and what it is with changes: what of it would be lost.

use std::collections::BTreeSet;

use super::carriers::Carriers;
use super::change::Change;
use crate::config::permit::{Connection, Permits, Through};
use crate::config::{Config, Subnet};
use crate::net::{Addr, Prefix};

/// Compliant connections of the lake that the changes would end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Losses {
    /// How many.
    pub connections: u64,
    /// One of them, with source and line of a record.
    pub example: Option<(Connection, String, u64)>,
}

/// Holds traffic against a configuration and what it is with the changes.
pub struct Check<'c> {
    before: Permits<'c>,
    after: Permits<'c>,
    /// The groups that change, by who carries them.
    carriers: Vec<Carriers>,
    /// The prefixes of subnets whose ACL changes.
    subnets: Vec<Prefix>,
    losses: Losses,
}

impl<'c> Check<'c> {
    /// For the changes that lead from one configuration to the other.
    pub fn new(config: &'c Config, after: &'c Config, changes: &[Change]) -> Check<'c> {
        let mut groups: BTreeSet<&str> = BTreeSet::new();
        let mut subnets: BTreeSet<&str> = BTreeSet::new();
        for change in changes {
            match change {
                Change::Authorize { group, .. } | Change::Revoke { group, .. } => {
                    groups.insert(group);
                }
                Change::Insert { acl, .. } => {
                    let own = config.acls.iter().filter(|own| own.id == *acl);
                    subnets.extend(own.flat_map(|own| &own.subnets).map(String::as_str));
                }
            }
        }
        let is_behind = |subnet: &&Subnet| subnets.contains(subnet.id.as_str());
        let behind = config.subnets.iter().filter(is_behind);
        Check {
            before: Permits::new(config),
            after: Permits::new(after),
            carriers: groups.iter().map(|id| Carriers::of(config, id)).collect(),
            subnets: behind.flat_map(|subnet| subnet.cidrs.clone()).collect(),
            losses: Losses::default(),
        }
    }

    /// Takes compliant traffic of the lake.
    pub fn see(&mut self, connection: &Connection, connections: u64, (source, line): (&str, u64)) {
        let touches = |addr: Addr| {
            self.carriers.iter().any(|carriers| carriers.contains(addr))
                || self.subnets.iter().any(|cidr| cidr.contains(addr))
        };
        if !touches(connection.client) && !touches(connection.server) {
            return;
        }
        let came = self.before.ask(connection).request();
        if matches!(came, Through::Nothing | Through::Unknown)
            || self.after.ask(connection).request() == came
        {
            return;
        }
        self.losses.connections += connections;
        if self.losses.example.is_none() {
            self.losses.example = Some((*connection, source.to_owned(), line));
        }
    }

    /// What would be lost.
    pub fn finish(self) -> Losses {
        self.losses
    }
}
