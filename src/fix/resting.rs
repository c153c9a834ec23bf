//! A rule of a security group that lets connections through: who it is for, what compliant traffic rests on it, and what is
//! told of it when it goes.

use std::collections::BTreeSet;

use super::carriers::Carriers;
use super::change::{Change, is_same};
use super::narrow::Wide;
use crate::config::permit::Connection;
use crate::config::{Config, Direction, GroupRule, Peer, Traffic};
use crate::net::Addr;
use crate::net::protocol::is_icmp;
use crate::policy::{Answer, PortsBetween};

/// How much compliant traffic that only records tell is kept of a rule; with more of it, it is not narrowed.
const MAX_SEEN: usize = 1000;

/// A rule by its group.
pub(super) type RuleKey<'c> = (&'c str, &'c GroupRule);

/// Who a rule is for, and the compliant traffic that rests on it.
pub(super) struct Resting {
    carriers: Carriers,
    peers: Carriers,
    seen: BTreeSet<(Addr, u8, u16)>,
    pub(super) has_more: bool,
    connections: u64,
    example: Option<(String, u64)>,
}

/// A rule of a security group that goes.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The group's id.
    pub group: String,
    /// The rule.
    pub rule: GroupRule,
    /// What takes its place; nothing where nothing that the policy allows rests on it.
    pub by: Vec<GroupRule>,
    /// How many of the connections it lets through.
    pub lets: usize,
    /// Compliant connections of the lake that rest on it, and keep doing so by what takes its place.
    pub compliant: u64,
    /// One of them: source and line.
    pub example: Option<(String, u64)>,
    /// How many addresses and prefixes carry the group.
    pub carriers: usize,
    /// Whether these are all.
    pub is_complete: bool,
}

/// Whether a rule's traffic may be this: connections do not tell types of ICMP.
fn may_cover(traffic: &Traffic, protocol: u8, port: u16) -> bool {
    match is_icmp(protocol) {
        true => traffic.ports.is_none_or(|ports| ports.protocol == protocol),
        false => traffic.covers(protocol, port),
    }
}

impl Resting {
    pub(super) fn of(config: &Config, (group, rule): RuleKey<'_>) -> Resting {
        let peers = match &rule.peer {
            Peer::Group(id) => Carriers::of(config, id),
            _ => Carriers::default(),
        };
        Resting {
            carriers: Carriers::of(config, group),
            peers,
            seen: BTreeSet::new(),
            has_more: false,
            connections: 0,
            example: None,
        }
    }

    /// Takes compliant traffic, if it rests on the rule.
    pub(super) fn see(
        &mut self,
        rule: &GroupRule,
        (connection, connections): (&Connection, u64),
        (source, line): (&str, u64),
        config: &Config,
        between: Option<&mut PortsBetween<'_>>,
    ) {
        let Connection {
            client,
            server,
            protocol,
            server_port,
        } = *connection;
        let (own, peer) = match rule.direction {
            Direction::Ingress => (server, client),
            Direction::Egress => (client, server),
        };
        let may_be_its = self.carriers.may_contain(own)
            && may_cover(&rule.traffic, protocol, server_port)
            && self.may_be_peer(rule, peer, config);
        if !may_be_its {
            return;
        }
        if self.carriers.contains(own) {
            self.connections += connections;
            let known = self.example.as_ref();
            if known.is_none_or(|(known, at)| (source, line) < (known.as_str(), *at)) {
                self.example = Some((source.to_owned(), line));
            }
        }
        let Some(between) = between else { return };
        if between.answer(client, server, protocol, server_port) != Answer::Deny {
            return;
        }
        if self.seen.len() < MAX_SEEN {
            self.seen.insert((peer, protocol, server_port));
        } else {
            self.has_more = true;
        }
    }

    fn may_be_peer(&self, rule: &GroupRule, addr: Addr, config: &Config) -> bool {
        match &rule.peer {
            Peer::Cidr(prefix) => prefix.contains(addr),
            Peer::Group(_) => self.peers.may_contain(addr),
            Peer::PrefixList(id) => {
                let list = config.prefix_list(id);
                let entries = list.and_then(|list| list.entries.as_ref());
                entries.is_none_or(|entries| entries.iter().any(|entry| entry.contains(addr)))
            }
            Peer::ForeignGroup { .. } => true,
        }
    }

    pub(super) fn wide<'w>(&'w self, (group, rule): RuleKey<'w>) -> Wide<'w> {
        Wide {
            group,
            rule,
            carriers: &self.carriers,
            peers: &self.peers,
            seen: &self.seen,
        }
    }

    pub(super) fn replaced(
        &self,
        (group, rule): RuleKey<'_>,
        by: Vec<GroupRule>,
        lets: usize,
    ) -> Replaced {
        Replaced {
            group: group.to_owned(),
            rule: rule.clone(),
            by,
            lets,
            compliant: self.connections,
            example: self.example.clone(),
            carriers: self.carriers.prefixes.len(),
            is_complete: self.carriers.is_complete && self.peers_are_complete(rule),
        }
    }

    fn peers_are_complete(&self, rule: &GroupRule) -> bool {
        !matches!(rule.peer, Peer::Group(_)) || self.peers.is_complete
    }
}

impl Replaced {
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        let added = self.by.iter().map(|rule| Change::Authorize {
            group: self.group.clone(),
            rule: rule.clone(),
        });
        let gone = Change::Revoke {
            group: self.group.clone(),
            rule: self.rule.clone(),
        };
        added.chain([gone])
    }

    /// Whether the rule is one of those that take its place, so that nothing changes.
    pub fn stays(&self) -> bool {
        self.by.iter().any(|rule| is_same(rule, &self.rule))
    }
}
