//! A slot is whole: its evidence is drawn, and its connections are ruled on.

use std::io;
use std::ops::Range;

use super::connection::{Connection, End, Key, Kinds, Side};
use super::evidence::{EVIDENCE_CAP, Proofs};
use super::orient::{Peers, peer_key};
use super::ruling::{Judge, Ruling, SlotContext, TalkingPairs, pair};
use super::table::ConnectionTable;
use super::traffic::Traffic;
use crate::net::protocol::{has_ports, is_icmp};

/// The connections of a whole slot, in one table or, where memory did not suffice, partition by partition. Either way in
/// pieces, which several threads may work on.
pub trait Pieces: Sync {
    /// How many pieces there are.
    fn count(&self) -> usize;

    /// Calls `visit` with the table that a piece is in, and its places there. A connection is in exactly one piece.
    ///
    /// # Errors
    /// When a partition cannot be read back, or `visit` fails.
    fn piece(&self, number: usize, visit: Visit<'_>) -> io::Result<()>;
}

/// Connections that are fetched from memory ahead of the one that is looked at.
const AHEAD: usize = 16;

/// What is done with a piece.
pub type Visit<'v> = &'v mut dyn FnMut(&ConnectionTable, Range<usize>) -> io::Result<()>;

/// Connections of a piece of a table. A piece takes some ten milliseconds to judge.
const PIECE: usize = 16 * 1024;

impl Pieces for ConnectionTable {
    fn count(&self) -> usize {
        self.len().div_ceil(PIECE)
    }

    fn piece(&self, number: usize, visit: Visit<'_>) -> io::Result<()> {
        let first = number * PIECE;
        visit(self, first..self.len().min(first + PIECE))
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
    /// Peers in accepted two-way traffic, of ends that have several.
    pub peers: Peers,
    /// Pairs with ICMP that also have an accepted connection.
    pub talking: TalkingPairs,
}

/// What a slot proves to itself and to the hour after it, not yet sealed, and what its connections say of one another.
///
/// Peers of about `ends_at_once` ends are counted at a time: logs without flags ask for those of every connection's ends,
/// and what a slot may hold of connections goes to disk, where this could not.
///
/// # Errors
/// When a partition cannot be read back.
pub fn prove(slot: &dyn Pieces, ends_at_once: usize) -> io::Result<(Proofs, Company)> {
    let (mut proofs, mut company) = (Proofs::new(EVIDENCE_CAP), Company::default());
    let (mut icmp, mut asked, mut num_ends) = (TalkingPairs::default(), Peers::default(), 0);
    each_connection(slot, &mut |connection| {
        let (key, flags) = (connection.key(), OwnFlags(connection));
        let client = flags.client();
        if let Some(client) = client {
            proofs.prove_client(&key, client);
        }
        for side in [Side::Low, Side::High] {
            if flags.is_listener(side) {
                proofs.prove_listener(key.protocol, key.end(side));
            }
        }
        if is_icmp(key.protocol) {
            icmp.insert(pair(&key));
        } else if has_ports(key.protocol) && client.is_none() {
            num_ends += 2;
            if num_ends <= ends_at_once {
                ask_for_peers(&mut asked, &key, &|_| true);
            } else {
                asked = Peers::default();
            }
        }
    })?;
    if num_ends <= ends_at_once {
        company.count(slot, asked, &icmp)?;
        return Ok((proofs, company));
    }
    let rounds = num_ends.div_ceil(ends_at_once) as u64;
    for round in 0..rounds {
        let mut asked = Peers::default();
        each_connection(slot, &mut |connection| {
            let (key, flags) = (connection.key(), OwnFlags(connection));
            if has_ports(key.protocol) && flags.client().is_none() {
                ask_for_peers(&mut asked, &key, &|end| end.hash() % rounds == round);
            }
        })?;
        company.count(slot, asked, &icmp)?;
    }
    Ok((proofs, company))
}

/// Asks how many peers the ends of a connection have, as far as they are `wanted`.
fn ask_for_peers(asked: &mut Peers, key: &Key, wanted: &dyn Fn(&End) -> bool) {
    for end in [Side::Low, Side::High].map(|side| key.end(side)) {
        if wanted(&end) {
            asked.insert(peer_key(key.protocol, end), 0);
        }
    }
}

impl Company {
    /// Counts peers of the ends that are asked for, and looks which pairs with ICMP talk. Ends with one peer are left out:
    /// for who is a server they are like ends with none.
    fn count(
        &mut self,
        slot: &dyn Pieces,
        mut asked: Peers,
        icmp: &TalkingPairs,
    ) -> io::Result<()> {
        if asked.is_empty() && icmp.is_empty() {
            return Ok(());
        }
        each_connection(slot, &mut |connection| {
            let (key, flags) = (connection.key(), OwnFlags(connection));
            if flags.is_two_way() {
                for side in [Side::Low, Side::High] {
                    if let Some(count) = asked.get_mut(&peer_key(key.protocol, key.end(side))) {
                        *count += 1;
                    }
                }
            }
            let accepted = flags.is_accepted(Side::Low) || flags.is_accepted(Side::High);
            if accepted && !is_icmp(key.protocol) && icmp.contains(&pair(&key)) {
                self.talking.insert(pair(&key));
            }
        })?;
        let several = asked.into_iter().filter(|(_, count)| *count > 1);
        self.peers.extend(several);
        Ok(())
    }
}

fn each_connection(slot: &dyn Pieces, visit: &mut dyn FnMut(&Connection)) -> io::Result<()> {
    (0..slot.count()).try_for_each(|number| {
        slot.piece(number, &mut |table, places| {
            for place in places.clone() {
                table.prefetch_head(places.end.min(place + AHEAD) - 1);
                visit(table.at(place));
            }
            Ok(())
        })
    })
}

/// Rules on the connections of a piece of a slot: calls `each` with the table, the place, what the connection's views say
/// together and the ruling.
///
/// # Errors
/// When a partition cannot be read back, or `each` fails.
pub fn judge_piece(
    judge: &mut Judge<'_>,
    slot: &dyn Pieces,
    number: usize,
    context: &SlotContext<'_>,
    each: &mut dyn FnMut(&ConnectionTable, usize, &Traffic, &Ruling) -> io::Result<()>,
) -> io::Result<()> {
    slot.piece(number, &mut |table, mut places| {
        let end = places.end;
        places.try_for_each(|place| {
            table.prefetch(end.min(place + AHEAD) - 1);
            let connection = table.at(place);
            let traffic = Traffic::of(&connection.key(), table.views(place), context.facts);
            let ruling = judge.rule(context, connection, table.views(place), &traffic);
            each(table, place, &traffic, &ruling)
        })
    })
}
