//! A slot is whole: its evidence is drawn, its connections are ruled on, and what they amount to goes into the edges of
//! the hour.

use std::io;

use hashbrown::HashSet;

use super::connection::{Connection, Kinds, Lane, Side, Tag, View};
use super::edges::EdgeTable;
use super::evidence::{Evidence, Horizon};
use super::facts::SlotFacts;
use super::orient::{Peers, peer_key};
use super::ruling::{Judge, Ruling, SlotContext, TalkingPairs, pair};
use super::table::ConnectionTable;
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

/// What a slot proves to itself and to the hour after it, not yet sealed.
pub fn prove(table: &ConnectionTable, evidence: &mut Evidence) {
    for place in 0..table.len() {
        let connection = table.at(place);
        let flags = OwnFlags::of(table.views(place));
        if !flags.any {
            continue;
        }
        let key = connection.key();
        if let Some(client) = flags.client() {
            evidence.prove_client(&key, client);
        }
        for side in [Side::Low, Side::High] {
            if flags.is_listener(side) {
                evidence.prove_listener(key.protocol, key.end(side));
            }
        }
    }
}

/// The SYN bits of a connection, by sender.
#[derive(Default)]
struct OwnFlags {
    kinds: [Kinds; 2],
    accepted: [Kinds; 2],
    any: bool,
}

impl OwnFlags {
    fn of<'v>(views: impl Iterator<Item = (Tag, &'v View)>) -> OwnFlags {
        let mut flags = OwnFlags::default();
        for (tag, view) in views {
            let (sender, kinds) = (tag.sender() as usize, Kinds(view.kinds));
            flags.kinds[sender] = flags.kinds[sender].with(kinds);
            if tag.lane() == Lane::Accepted {
                flags.accepted[sender] = flags.accepted[sender].with(kinds);
            }
            flags.any |= kinds.has(Kinds::SYN) || kinds.has(Kinds::SYN_ACK);
        }
        flags
    }

    fn only(&self, kinds: Kinds) -> Option<Side> {
        match (self.kinds[0].has(kinds), self.kinds[1].has(kinds)) {
            (true, false) => Some(Side::Low),
            (false, true) => Some(Side::High),
            _ => None,
        }
    }

    fn client(&self) -> Option<Side> {
        self.only(Kinds::SYN)
            .or_else(|| self.only(Kinds::SYN_ACK).map(Side::other))
    }

    fn is_listener(&self, side: Side) -> bool {
        self.accepted[side as usize].has(Kinds::SYN_ACK)
            && self.accepted[side.other() as usize].has(Kinds::SYN)
    }

    fn is_two_way(&self) -> bool {
        self.accepted.iter().all(|kinds| *kinds != Kinds::default())
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

impl Company {
    /// Counts over all partitions, twice: first what will be asked, then the answers.
    ///
    /// # Errors
    /// When a partition cannot be read back.
    pub fn of(slot: &dyn Partitions) -> io::Result<Company> {
        let mut company = Company::default();
        let mut icmp = HashSet::new();
        slot.each(&mut |table| {
            for place in 0..table.len() {
                let key = table.at(place).key();
                if is_icmp(key.protocol) {
                    icmp.insert(pair(&key));
                } else if has_ports(key.protocol)
                    && OwnFlags::of(table.views(place)).client().is_none()
                {
                    for side in [Side::Low, Side::High] {
                        company
                            .peers
                            .insert(peer_key(key.protocol, key.end(side)), 0);
                    }
                }
            }
            Ok(())
        })?;
        if company.peers.is_empty() && icmp.is_empty() {
            return Ok(company);
        }
        slot.each(&mut |table| {
            for place in 0..table.len() {
                company.count(table.at(place), &OwnFlags::of(table.views(place)), &icmp);
            }
            Ok(())
        })?;
        Ok(company)
    }

    fn count(&mut self, connection: &Connection, flags: &OwnFlags, icmp: &TalkingPairs) {
        let key = connection.key();
        if flags.is_two_way() {
            for side in [Side::Low, Side::High] {
                if let Some(count) = self.peers.get_mut(&peer_key(key.protocol, key.end(side))) {
                    *count += 1;
                }
            }
        }
        let accepted = flags
            .accepted
            .iter()
            .any(|kinds| *kinds != Kinds::default());
        if accepted && !is_icmp(key.protocol) && icmp.contains(&pair(&key)) {
            self.talking.insert(pair(&key));
        }
    }
}

/// Rules on every connection of a slot: calls `each` with the table, the place and the ruling, and feeds the edges.
///
/// # Errors
/// When a partition cannot be read back, or `each` fails.
pub fn judge_slot(
    judge: &mut Judge<'_>,
    slot: &dyn Partitions,
    start: u32,
    facts: &SlotFacts<'_>,
    horizon: &Horizon<'_>,
    edges: &mut EdgeTable,
    each: &mut dyn FnMut(&ConnectionTable, usize, &Ruling) -> io::Result<()>,
) -> io::Result<()> {
    let company = Company::of(slot)?;
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
            let ruling = judge.rule(&context, connection, table.views(place));
            edges.add(
                judge.policy(),
                facts,
                connection,
                table.views(place),
                &ruling,
            );
            each(table, place, &ruling)?;
        }
        Ok(())
    })
}
