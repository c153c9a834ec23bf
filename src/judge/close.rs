//! A slot is whole: its evidence is drawn, and its connections are ruled on.

use std::io;

use super::connection::{Connection, Key, Kinds, Side};
use super::evidence::{Evidence, Horizon};
use super::facts::SlotFacts;
use super::orient::{Peers, peer_key};
use super::ruling::{Judge, Ruling, SlotContext, TalkingPairs, pair};
use super::table::ConnectionTable;
use super::traffic::Traffic;
use crate::net::protocol::{has_ports, is_icmp};

/// The connections of a whole slot, in one table or, where memory did not suffice, partition by partition.
pub trait Partitions {
    /// Calls `visit` with each partition. A connection is in exactly one.
    ///
    /// # Errors
    /// When a partition cannot be read back, or `visit` fails.
    fn each(&self, visit: &mut dyn FnMut(&ConnectionTable) -> io::Result<()>) -> io::Result<()>;
}

impl Partitions for ConnectionTable {
    fn each(&self, visit: &mut dyn FnMut(&ConnectionTable) -> io::Result<()>) -> io::Result<()> {
        visit(self)
    }
}

/// What the flags of a connection's own records say.
struct OwnFlags<'c>(&'c Connection);

impl OwnFlags<'_> {
    fn only(&self, kinds: Kinds) -> Option<Side> {
        match [Side::Low, Side::High].map(|side| self.0.kinds(side).has(kinds)) {
            [true, false] => Some(Side::Low),
            [false, true] => Some(Side::High),
            _ => None,
        }
    }

    fn client(&self) -> Option<Side> {
        self.only(Kinds::SYN)
            .or_else(|| self.only(Kinds::SYN_ACK).map(Side::other))
    }

    fn is_listener(&self, side: Side) -> bool {
        self.0.accepted(side).has(Kinds::SYN_ACK) && self.0.accepted(side.other()).has(Kinds::SYN)
    }

    fn is_accepted(&self, side: Side) -> bool {
        self.0.accepted(side) != Kinds::default()
    }

    fn is_two_way(&self) -> bool {
        self.is_accepted(Side::Low) && self.is_accepted(Side::High)
    }
}

/// What connections of a slot say of one another: how many peers an end has, and which pairs of addresses talk.
///
/// Peers are counted only for ends of connections that no flag of their own decides, pairs only where there is ICMP:
/// nothing else is ever asked.
#[derive(Default)]
pub struct Company {
    /// Peers in accepted two-way traffic.
    pub peers: Peers,
    /// Pairs with ICMP that also have an accepted connection.
    pub talking: TalkingPairs,
}

/// What a slot proves to itself and to the hour after it, not yet sealed, and what its connections say of one another.
///
/// # Errors
/// When a partition cannot be read back.
pub fn prove(slot: &dyn Partitions) -> io::Result<(Evidence, Company)> {
    let (mut evidence, mut company) = (Evidence::default(), Company::default());
    let mut icmp = TalkingPairs::default();
    slot.each(&mut |table| {
        for place in 0..table.len() {
            let connection = table.at(place);
            let (key, flags) = (connection.key(), OwnFlags(connection));
            let client = flags.client();
            if let Some(client) = client {
                evidence.prove_client(&key, client);
            }
            for side in [Side::Low, Side::High] {
                if flags.is_listener(side) {
                    evidence.prove_listener(key.protocol, key.end(side));
                }
            }
            if is_icmp(key.protocol) {
                icmp.insert(pair(&key));
            } else if has_ports(key.protocol) && client.is_none() {
                company.ask_for_peers(&key);
            }
        }
        Ok(())
    })?;
    if !company.peers.is_empty() || !icmp.is_empty() {
        slot.each(&mut |table| {
            for place in 0..table.len() {
                company.count(table.at(place), &icmp);
            }
            Ok(())
        })?;
    }
    Ok((evidence, company))
}

impl Company {
    fn ask_for_peers(&mut self, key: &Key) {
        for side in [Side::Low, Side::High] {
            self.peers.insert(peer_key(key.protocol, key.end(side)), 0);
        }
    }

    fn count(&mut self, connection: &Connection, icmp: &TalkingPairs) {
        let (key, flags) = (connection.key(), OwnFlags(connection));
        if flags.is_two_way() {
            for side in [Side::Low, Side::High] {
                if let Some(count) = self.peers.get_mut(&peer_key(key.protocol, key.end(side))) {
                    *count += 1;
                }
            }
        }
        let accepted = flags.is_accepted(Side::Low) || flags.is_accepted(Side::High);
        if accepted && !is_icmp(key.protocol) && icmp.contains(&pair(&key)) {
            self.talking.insert(pair(&key));
        }
    }
}

/// Rules on every connection of a slot: calls `each` with the table, the place, what the connection's views say together
/// and the ruling.
///
/// # Errors
/// When a partition cannot be read back, or `each` fails.
pub fn judge_slot(
    judge: &mut Judge<'_>,
    slot: &dyn Partitions,
    start: u32,
    facts: &SlotFacts<'_>,
    horizon: &Horizon<'_>,
    company: &Company,
    each: &mut dyn FnMut(&ConnectionTable, usize, &Traffic, &Ruling) -> io::Result<()>,
) -> io::Result<()> {
    let context = SlotContext {
        facts,
        horizon,
        peers: &company.peers,
        talking: &company.talking,
        slot: start,
    };
    slot.each(&mut |table| {
        for place in 0..table.len() {
            let connection = table.at(place);
            let traffic = Traffic::of(&connection.key(), table.views(place), facts);
            let ruling = judge.rule(&context, connection, table.views(place), &traffic);
            each(table, place, &traffic, &ruling)?;
        }
        Ok(())
    })
}
