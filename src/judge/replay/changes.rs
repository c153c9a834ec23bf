//! What two policies judge differently, added up by change, rules, zones and service, in bounded memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Change, Counts, Pair, Said};
use crate::judge::sketch::Distinct;
use crate::net::Addr;
use crate::policy::{Answer, ZoneId};

/// Groups that are told one by one: the first by change, rules, zones, protocol and port, the same ones in whatever order
/// traffic comes. The rest is counted by change. A group takes up to 130 kB, if it has thousands of clients and of servers.
const MAX_GROUPS: usize = 1000;

/// Examples of a group.
const MAX_EXAMPLES: usize = 3;

/// Connections that two policies judge differently.
#[derive(Debug, Default)]
pub struct Changes {
    groups: BTreeMap<Key, Group>,
    totals: BTreeMap<Change, Counts>,
    /// Connections of which it was asked.
    pub compared: u64,
    /// Those among them on which a rule with a path matched although theirs is unknown.
    pub via_unknown: u64,
    /// What could not be judged again.
    pub unknown: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    change: Change,
    old: Said,
    new: Said,
    old_zones: [ZoneId; 2],
    new_zones: [ZoneId; 2],
    protocol: u8,
    server_port: Option<u16>,
}

#[derive(Debug)]
struct Group {
    counts: Counts,
    clients: Distinct,
    servers: Distinct,
    first_seen: u32,
    last_seen: u32,
    /// The earliest, one of each client and server.
    examples: Vec<Example>,
}

/// One connection, or those of an hour that are alike.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// Who opened it.
    pub client: Addr,
    /// Who was asked.
    pub server: Addr,
    /// The server's port; none where the protocol has none.
    pub server_port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
    /// How much.
    pub counts: Counts,
    /// Earliest `start`, seconds.
    pub first_seen: u32,
    /// Latest `end`, seconds.
    pub last_seen: u32,
    /// The object of an example record.
    pub source: &'s str,
    /// Its line there.
    pub line: u64,
}

/// What both policies say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The old one.
    pub old: Said,
    /// The new one.
    pub new: Said,
    /// The zones of client and server by the old one.
    pub old_zones: [ZoneId; 2],
    /// The zones of client and server by the new one.
    pub new_zones: [ZoneId; 2],
}

/// An example. The order is that of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// When, seconds.
    pub first_seen: u32,
    /// Who opened it.
    pub client: Addr,
    /// Who was asked.
    pub server: Addr,
    /// The object of a record of it.
    pub source: String,
    /// Its line there.
    pub line: u64,
}

/// A group of connections that two policies judge differently in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// How they differ.
    pub change: Change,
    /// What the old policy says; none if it does not judge them.
    pub old_decision: Option<Answer>,
    /// The old rule, or the reason why they were not judged.
    pub old_rule: String,
    /// What the new policy says.
    pub new_decision: Option<Answer>,
    /// The new rule or reason.
    pub new_rule: String,
    /// The zones of client and server by the old policy.
    pub old_zones: [String; 2],
    /// The zones of client and server by the new policy.
    pub new_zones: [String; 2],
    /// The server's port; none where the protocol has none.
    pub server_port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
    /// How much.
    pub counts: Counts,
    /// Distinct clients: exact below 4096, then an estimate.
    pub clients: u64,
    /// Distinct servers, likewise.
    pub servers: u64,
    /// Earliest `start`, seconds.
    pub first_seen: u32,
    /// Latest `end`, seconds.
    pub last_seen: u32,
    /// Up to three, the earliest, each of another pair of addresses.
    pub examples: Vec<Example>,
}

impl Changes {
    /// Takes what both policies say; nothing happens where they say the same.
    #[inline]
    pub fn add(&mut self, pair: &Pair<'_>, told: &Told, seen: &Seen<'_>) {
        if let Some(change) = pair.change(told.old, told.new) {
            self.add_change(change, told, seen);
        }
    }

    fn add_change(&mut self, change: Change, told: &Told, seen: &Seen<'_>) {
        *self.totals.entry(change).or_default() += seen.counts;
        let key = Key {
            change,
            old: told.old,
            new: told.new,
            old_zones: told.old_zones,
            new_zones: told.new_zones,
            protocol: seen.protocol,
            server_port: seen.server_port,
        };
        // What is let go once never comes back: those that are kept only ever become smaller.
        let is_full = self.groups.len() >= MAX_GROUPS;
        if is_full
            && self
                .groups
                .last_key_value()
                .is_some_and(|(last, _)| *last < key)
        {
            return;
        }
        self.groups.entry(key).or_insert_with(Group::new).add(seen);
        if self.groups.len() > MAX_GROUPS {
            self.groups.pop_last();
        }
    }

    /// Takes in what another has added up over other connections.
    pub fn absorb(&mut self, other: Changes) {
        self.compared += other.compared;
        self.via_unknown += other.via_unknown;
        self.unknown += other.unknown;
        for (change, counts) in other.totals {
            *self.totals.entry(change).or_default() += counts;
        }
        for (key, group) in other.groups {
            match self.groups.get_mut(&key) {
                Some(known) => known.absorb(group),
                None => {
                    self.groups.insert(key, group);
                }
            }
        }
        while self.groups.len() > MAX_GROUPS {
            self.groups.pop_last();
        }
    }

    /// How much of each change there is, those changes that occur.
    pub fn totals(&self) -> &BTreeMap<Change, Counts> {
        &self.totals
    }

    /// The groups: by change, then those with the most connections first.
    pub fn groups(&self, pair: &Pair<'_>) -> Vec<Changed> {
        let mut groups: Vec<(&Key, &Group)> = self.groups.iter().collect();
        groups.sort_by_key(|(key, group)| (key.change, Reverse(group.counts.connections), **key));
        groups
            .into_iter()
            .map(|(key, group)| changed(pair, key, group))
            .collect()
    }
}

fn changed(pair: &Pair<'_>, key: &Key, group: &Group) -> Changed {
    Changed {
        change: key.change,
        old_decision: key.old.answer(),
        old_rule: key.old.rule(pair.old).to_owned(),
        new_decision: key.new.answer(),
        new_rule: key.new.rule(pair.new).to_owned(),
        old_zones: key
            .old_zones
            .map(|zone| pair.old.zone_name(zone).to_owned()),
        new_zones: key
            .new_zones
            .map(|zone| pair.new.zone_name(zone).to_owned()),
        server_port: key.server_port,
        protocol: key.protocol,
        counts: group.counts,
        clients: group.clients.estimate(),
        servers: group.servers.estimate(),
        first_seen: group.first_seen,
        last_seen: group.last_seen,
        examples: group.examples.clone(),
    }
}

impl Group {
    fn new() -> Group {
        Group {
            counts: Counts::default(),
            clients: Distinct::default(),
            servers: Distinct::default(),
            first_seen: u32::MAX,
            last_seen: 0,
            examples: Vec::new(),
        }
    }

    fn add(&mut self, seen: &Seen<'_>) {
        self.counts += seen.counts;
        self.clients.add_addr(seen.client);
        self.servers.add_addr(seen.server);
        self.first_seen = self.first_seen.min(seen.first_seen);
        self.last_seen = self.last_seen.max(seen.last_seen);
        let is_late = |last: &Example| last.first_seen < seen.first_seen;
        if self.examples.len() == MAX_EXAMPLES && self.examples.last().is_some_and(is_late) {
            return;
        }
        self.add_example(Example {
            first_seen: seen.first_seen,
            client: seen.client,
            server: seen.server,
            source: seen.source.to_owned(),
            line: seen.line,
        });
    }

    fn add_example(&mut self, example: Example) {
        let ends = |example: &Example| (example.client, example.server);
        let is_alike = |known: &&mut Example| ends(known) == ends(&example);
        match self.examples.iter_mut().find(is_alike) {
            Some(known) if *known <= example => return,
            Some(known) => *known = example,
            None => self.examples.push(example),
        }
        self.examples.sort_unstable();
        self.examples.truncate(MAX_EXAMPLES);
    }

    fn absorb(&mut self, other: Group) {
        self.counts += other.counts;
        self.clients.absorb(&other.clients);
        self.servers.absorb(&other.servers);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        for example in other.examples {
            self.add_example(example);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::RuleId;

    const DENIED: Said = Said::Decided(Answer::Deny, RuleId(1));
    const ALLOWED: Said = Said::Decided(Answer::Allow, RuleId(0));

    fn add(changes: &mut Changes, port: u16, client: u32, at: u32) {
        let told = Told {
            old: ALLOWED,
            new: DENIED,
            old_zones: [ZoneId(0), ZoneId(1)],
            new_zones: [ZoneId(0), ZoneId(1)],
        };
        let seen = Seen {
            client: Addr::from_v4(client),
            server: Addr::from_v4(0x0a00_0001),
            server_port: Some(port),
            protocol: 6,
            counts: Counts {
                records: 2,
                connections: 1,
                bytes: 10,
            },
            first_seen: at,
            last_seen: at + 1,
            source: "a.log",
            line: u64::from(at),
        };
        changes.add_change(Change::NewlyDenied, &told, &seen);
    }

    fn state(changes: &Changes) -> String {
        format!("{:?} {:?}", changes.groups, changes.totals)
    }

    #[test]
    fn beyond_the_bound_the_same_groups_are_kept_in_any_order_and_by_any_division() {
        let many: Vec<(u16, u32)> = (0..3000u32)
            .map(|i| (((i * 7919) % 2000) as u16, i))
            .collect();
        let mut one = Changes::default();
        for (port, i) in &many {
            add(&mut one, *port, *i, *i);
        }
        let (mut left, mut right) = (Changes::default(), Changes::default());
        for (port, i) in many.iter().rev() {
            add(
                if i % 3 == 0 { &mut left } else { &mut right },
                *port,
                *i,
                *i,
            );
        }
        left.absorb(right);
        assert_eq!(one.groups.len(), MAX_GROUPS);
        assert_eq!(one.totals[&Change::NewlyDenied].connections, 3000);
        assert_eq!(state(&one), state(&left));
    }

    #[test]
    fn examples_are_the_earliest_of_each_pair_of_addresses() {
        let mut changes = Changes::default();
        for (client, at) in [(5, 50), (1, 40), (1, 10), (2, 30), (3, 20), (5, 15), (1, 5)] {
            add(&mut changes, 443, client, at);
        }
        let group = changes.groups.values().next().expect("a group");
        let seen: Vec<(u32, u32)> = group
            .examples
            .iter()
            .map(|example| (example.client.v4().unwrap_or_default(), example.first_seen))
            .collect();
        assert_eq!(seen, [(1, 5), (5, 15), (3, 20)]);
    }
}
