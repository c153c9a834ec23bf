//! Opening the network to what the policy allows and a security group or network ACL stops.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::permit::{Connection, Hop, Lets, Permit, Permits, Reference, Step, Through};
use crate::config::{AclEntry, Config, Direction, GroupRule, Peer, Traffic};
use crate::net::ports::PortRange;
use crate::net::{Addr, Prefix, merged};
use crate::policy::{Answer, PortsBetween};

use super::Passed;
use super::carriers::Carriers;
use super::change::{Change, applied, free_number};
use super::close::passed;

/// How connections are let through.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Each connection, in the order given.
    pub connections: Vec<Told>,
    /// All changes.
    pub changes: Vec<Change>,
    /// What the changes let through besides, a sentence each.
    pub besides: Vec<String>,
}

/// What is told of a connection.
#[derive(Clone, Debug)]
pub struct Told {
    /// The connection.
    pub connection: Connection,
    /// What it passes, its replies included, and by what.
    pub passed: Vec<Passed>,
    /// What becomes of it.
    pub state: State,
}

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// With the changes it comes through, and so do its replies.
    Opened,
    /// The configuration lets it through as it is.
    Let,
    /// Even with them it does not, or the configuration does not tell.
    Unknown,
}

/// A rule or entry that is missing, its other side apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Rule {
        group: String,
        direction: Direction,
        traffic: Traffic,
    },
    Entry {
        acl: String,
        direction: Direction,
        traffic: Traffic,
        /// The entry that denies it, by number; none for the closing one.
        before: Option<u32>,
    },
}

/// How to let connections through; the policy tells what a rule would open besides.
pub fn open(
    config: &Config,
    connections: &[Connection],
    between: Option<&mut PortsBetween<'_>>,
) -> Opening {
    let permits = Permits::new(config);
    let asked: Vec<(Connection, Permit<'_>)> = connections
        .iter()
        .map(|connection| (*connection, permits.ask(connection)))
        .collect();
    let mut opener = Opener {
        config,
        between,
        missing: BTreeMap::new(),
        besides: BTreeSet::new(),
    };
    for (connection, permit) in &asked {
        opener.look(connection, permit);
    }
    let changes = opener.changes();
    let after = applied(config, &changes);
    let before = permits;
    let permits = Permits::new(&after);
    opener.look_beside(&changes, connections, [&before, &permits]);
    let told = asked.iter().map(|(connection, permit)| {
        let comes = |permit: &Permit<'_>| {
            (permit.request(), permit.reply()) == (Through::All, Through::All)
        };
        let state = if comes(permit) {
            State::Let
        } else if comes(&permits.ask(connection)) {
            State::Opened
        } else {
            State::Unknown
        };
        let mut hops = passed(&permit.request);
        hops.extend(passed(&permit.reply));
        Told {
            connection: *connection,
            passed: hops,
            state,
        }
    });
    Opening {
        connections: told.collect(),
        changes,
        besides: opener.besides.into_iter().collect(),
    }
}

struct Opener<'o, 'p> {
    config: &'o Config,
    between: Option<&'o mut PortsBetween<'p>>,
    missing: BTreeMap<Missing, BTreeSet<Addr>>,
    besides: BTreeSet<String>,
}

impl Opener<'_, '_> {
    fn look(&mut self, connection: &Connection, permit: &Permit<'_>) {
        for hop in permit.request.iter().chain(&permit.reply) {
            let stopped: Vec<&Reference<'_>> = hop
                .parts
                .iter()
                .filter_map(|part| match &part.lets {
                    Lets::No(reference) => Some(reference),
                    Lets::Yes(_) | Lets::Unknown(_) => None,
                })
                .collect();
            let Some(missing) = self.missing(hop, &stopped, connection) else {
                continue;
            };
            self.missing
                .entry(missing)
                .or_default()
                .insert(other_side(hop.step, connection));
        }
    }

    /// What entries of network ACLs let through besides: they hold for whole subnets.
    fn look_beside(
        &mut self,
        changes: &[Change],
        connections: &[Connection],
        [before, after]: [&Permits<'_>; 2],
    ) {
        let comes = |permits: &Permits<'_>, one: &Connection| {
            matches!(permits.ask(one).request(), Through::All | Through::Part)
        };
        for change in changes {
            let Change::Insert { acl, entry } = change else {
                continue;
            };
            let others = self.addresses_behind(acl);
            let mut denied: BTreeSet<Addr> = BTreeSet::new();
            for connection in connections {
                for &other in &others {
                    let beside = match entry.direction {
                        Direction::Ingress => Connection {
                            server: other,
                            ..*connection
                        },
                        Direction::Egress => Connection {
                            client: other,
                            ..*connection
                        },
                    };
                    let is_new = !comes(before, &beside) && comes(after, &beside);
                    if is_new && self.denies(&beside) {
                        denied.insert(other);
                    }
                }
            }
            if !denied.is_empty() {
                self.besides.insert(format!(
                    "{acl}: its entry {} holds for all of its subnets, and lets the same through for {} addresses there to which the policy denies it",
                    entry.number,
                    denied.len()
                ));
            }
        }
    }

    fn denies(&mut self, connection: &Connection) -> bool {
        let Connection {
            client,
            server,
            protocol,
            server_port,
        } = *connection;
        let between = self.between.as_deref_mut();
        client != server
            && between.is_some_and(|between| {
                between.answer(client, server, protocol, server_port) == Answer::Deny
            })
    }

    /// The addresses of interfaces in the subnets of an ACL.
    fn addresses_behind(&self, acl: &str) -> Vec<Addr> {
        let mut acls = self.config.acls.iter();
        let subnets = acls.find(|one| one.id == acl).map(|one| &one.subnets);
        let is_behind = |subnet: &Option<String>| {
            let subnets = subnets.into_iter().flatten();
            subnet
                .as_ref()
                .is_some_and(|subnet| subnets.into_iter().any(|id| id == subnet))
        };
        let interfaces = self.config.interfaces.iter();
        let behind = interfaces.filter(|one| is_behind(&one.subnet));
        behind
            .flat_map(|one| &one.addrs)
            .map(|prefix| prefix.first())
            .collect()
    }

    fn missing(
        &mut self,
        hop: &Hop<'_>,
        stopped: &[&Reference<'_>],
        connection: &Connection,
    ) -> Option<Missing> {
        let is_reply = matches!(hop.step, Step::ServerAclReply | Step::ClientAclReply);
        let direction = direction(hop.step);
        let code = if is_reply {
            crate::config::permit::reply_codes(connection.protocol)
        } else {
            (connection.server_port, connection.server_port)
        };
        let has_ports = crate::net::protocol::has_ports(connection.protocol);
        let (first, last) = if has_ports { code } else { (0, 0) };
        let traffic = Traffic {
            ports: Some(PortRange {
                protocol: connection.protocol,
                first,
                last,
            }),
            icmp: None,
        };
        let groups = stopped.iter().find_map(|reference| match reference {
            Reference::NoRule { groups, .. } => Some(groups),
            _ => None,
        });
        if let Some(groups) = groups {
            let ids = groups.iter().map(|group| group.id.as_str());
            let group = self.narrowest(ids, direction, connection)?;
            return Some(Missing::Rule {
                group,
                direction,
                traffic,
            });
        }
        let of_acl = stopped.iter().filter_map(|reference| match reference {
            Reference::AclEntry { acl, entry } => Some((acl.id.clone(), Some(entry.number))),
            Reference::AclClosing { acl, .. } => Some((acl.id.clone(), None)),
            _ => None,
        });
        // Before the first of those that deny.
        let (acl, before) = of_acl.min_by_key(|(_, number)| number.unwrap_or(u32::MAX))?;
        Some(Missing::Entry {
            acl,
            direction,
            traffic,
            before,
        })
    }

    /// Of the groups that an end carries the one whose rule opens the least that the policy denies, then the first by id.
    fn narrowest<'g>(
        &mut self,
        groups: impl Iterator<Item = &'g str>,
        direction: Direction,
        connection: &Connection,
    ) -> Option<String> {
        let mut best: Option<(usize, usize, &str)> = None;
        for group in groups {
            let carriers = Carriers::of(self.config, group);
            let mut denied = 0;
            if let Some(between) = self.between.as_deref_mut() {
                let of_family = carriers
                    .prefixes
                    .iter()
                    .filter(|prefix| prefix.is_v4() == connection.client.is_v4());
                for prefix in of_family {
                    let (client, server) = match direction {
                        Direction::Ingress => (connection.client, prefix.first()),
                        Direction::Egress => (prefix.first(), connection.server),
                    };
                    let Connection {
                        protocol,
                        server_port,
                        ..
                    } = *connection;
                    let answer = between.answer(client, server, protocol, server_port);
                    denied += usize::from(answer == Answer::Deny && client != server);
                }
            }
            let key = (denied, carriers.prefixes.len(), group);
            if best.is_none_or(|best| key < best) {
                best = Some(key);
            }
        }
        let (denied, _, group) = best?;
        if denied > 0 {
            self.besides.insert(format!(
                "{group}: its rule holds for all that carry it, and to {denied} of these the policy denies the same; a group of its own is narrower"
            ));
        }
        Some(group.to_owned())
    }

    fn changes(&self) -> Vec<Change> {
        let mut changed = self.config.clone();
        let mut changes = Vec::new();
        for (missing, peers) in &self.missing {
            let single = |addr: &Addr| Prefix::of(*addr, if addr.is_v4() { 32 } else { 128 });
            for cidr in merged(peers.iter().map(single)) {
                let change = match missing {
                    Missing::Rule {
                        group,
                        direction,
                        traffic,
                    } => Change::Authorize {
                        group: group.clone(),
                        rule: GroupRule {
                            direction: *direction,
                            traffic: *traffic,
                            peer: Peer::Cidr(cidr),
                            description: None,
                        },
                    },
                    Missing::Entry {
                        acl,
                        direction,
                        traffic,
                        before,
                    } => {
                        let own = changed.acls.iter().find(|own| own.id == *acl);
                        let entries = own.map_or(&[][..], |own| &own.entries);
                        let Some(number) = free_number(entries, *direction, *before) else {
                            continue;
                        };
                        Change::Insert {
                            acl: acl.clone(),
                            entry: AclEntry {
                                direction: *direction,
                                number,
                                is_allow: true,
                                cidr,
                                traffic: *traffic,
                            },
                        }
                    }
                };
                changed = applied(&changed, std::slice::from_ref(&change));
                changes.push(change);
            }
        }
        changes.sort_unstable();
        changes
    }
}

/// Which way a hop goes, seen from whom it filters.
fn direction(step: Step) -> Direction {
    match step {
        Step::ClientGroups | Step::ClientAcl | Step::ServerAclReply => Direction::Egress,
        Step::ServerGroups | Step::ServerAcl | Step::ClientAclReply => Direction::Ingress,
    }
}

/// The address at the other side of a hop.
fn other_side(step: Step, connection: &Connection) -> Addr {
    match step {
        Step::ClientGroups | Step::ClientAcl | Step::ClientAclReply => connection.server,
        Step::ServerGroups | Step::ServerAcl | Step::ServerAclReply => connection.client,
    }
}
