//! What the groups of members let out to others, each found once: members that carry the same groups let the same out, and
//! there is little that is let out at all, however many pairs there are.

use std::collections::{BTreeSet, HashMap};

use super::member::{Carriers, Seen, prefixes};
use super::network::Network;
use crate::config::{Config, Direction, Peer};
use crate::net::Prefix;
use crate::net::ports::PortRange;

/// What a client's groups let out to a server: ranges, none is everything; and the prefixes that may hold the server,
/// whose address is not known.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct LetOut {
    pub(super) ranges: Vec<Option<PortRange>>,
    pub(super) assumed: BTreeSet<Prefix>,
}

/// All that is let out.
pub(super) struct LetOuts<'p, 'c> {
    config: &'c Config,
    network: &'p Network<'p>,
    carriers: &'p Carriers<'c>,
    /// By member, a number for the groups that it carries.
    groups: Vec<usize>,
    /// By such a number and a server, the place in `all`.
    known: HashMap<(usize, usize), usize>,
    all: Vec<LetOut>,
    places: HashMap<LetOut, usize>,
}

impl<'p, 'c> LetOuts<'p, 'c> {
    /// Nothing is asked yet.
    pub(super) fn new(
        config: &'c Config,
        network: &'p Network<'p>,
        carriers: &'p Carriers<'c>,
    ) -> LetOuts<'p, 'c> {
        let mut numbers = HashMap::new();
        let groups = carriers.members.iter().map(|member| {
            let next = numbers.len();
            *numbers.entry(&member.groups).or_insert(next)
        });
        LetOuts {
            config,
            network,
            carriers,
            groups: groups.collect(),
            known: HashMap::new(),
            all: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// A number for the groups that a member carries.
    pub(super) fn groups(&self, member: usize) -> usize {
        self.groups[member]
    }

    /// What a client lets out to a server, to be got by this number.
    pub(super) fn of(&mut self, client: usize, server: usize) -> usize {
        let key = (self.groups[client], server);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let found = self.find(client, server);
        let place = *self.places.entry(found).or_insert_with_key(|found| {
            self.all.push(found.clone());
            self.all.len() - 1
        });
        self.known.insert(key, place);
        place
    }

    /// What [`LetOuts::of`] gave this number.
    pub(super) fn get(&self, number: usize) -> &LetOut {
        &self.all[number]
    }

    fn find(&self, client: usize, server: usize) -> LetOut {
        let mut let_out = LetOut::default();
        for group in &self.carriers.members[client].groups {
            let rules = &self.carriers.groups[*group].group.rules;
            for rule in rules
                .iter()
                .filter(|rule| rule.direction == Direction::Egress)
            {
                if self.is_peer(&rule.peer, server, &mut let_out.assumed) {
                    let_out.ranges.push(rule.traffic.ports);
                }
            }
        }
        let_out
    }

    /// Whether a member is what a rule names. One without an address may be in any prefix of the network.
    fn is_peer(&self, peer: &Peer, member: usize, assumed: &mut BTreeSet<Prefix>) -> bool {
        let member = &self.carriers.members[member];
        if let Peer::Group(id) = peer {
            return matches!(self.carriers.seen(id), Seen::Group(number) if member.groups.contains(&number));
        }
        for prefix in prefixes(self.config, peer) {
            if prefix.is_v4() != member.is_v4 {
                continue;
            }
            match member.addrs.first() {
                Some(addr) if prefix.covers(*addr) => return true,
                Some(_) => {}
                None if self.network.is_covered_by(*prefix) => return true,
                None if self.network.inside_part(*prefix).is_empty() => {}
                None => {
                    assumed.insert(*prefix);
                    return true;
                }
            }
        }
        false
    }
}
