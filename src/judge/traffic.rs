//! What all views of a connection say together, by direction: the material of orientation and outcome.

use crate::net::protocol;

use super::connection::{Key, Kinds, Lane, Side, Tag, View};
use super::facts::{Seat, SlotFacts};

/// What is known of one direction of a connection, over all its views, copies by other flow logs included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    /// Kinds of all records.
    pub kinds: Kinds,
    /// Kinds of accepted records; empty if none was accepted.
    pub accepted: Kinds,
    /// Kinds of records that were not rejected: those without an action included.
    pub passed: Kinds,
    /// Bytes that a transit gateway forwarded.
    pub forwarded_bytes: u64,
    /// Lanes in use, by bit of [`Lane`].
    pub lanes: u8,
    /// Lanes of records rejected at the sender's own interface, by bit.
    pub rejected_at_sender: u8,
    /// Lanes of records rejected elsewhere, by bit.
    pub rejected_elsewhere: u8,
    /// Earliest start, seconds; `u32::MAX` if no record has a time.
    pub start: u32,
}

/// Both directions of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// What each end sent, by [`Side`].
    pub sent: [Stream; 2],
    /// Whether the interface of an end accepted any record, by [`Side`].
    pub accepted_at: [bool; 2],
    /// IANA protocol number.
    pub protocol: u8,
    /// Encryption statuses, as in a view.
    pub encryption: u8,
}

impl Stream {
    /// Whether any record went this way.
    pub fn is_seen(&self) -> bool {
        self.lanes != 0
    }

    /// Whether an accepted record went this way.
    pub fn is_accepted(&self) -> bool {
        self.accepted != Kinds::default()
    }

    /// Whether records of the lane went this way.
    pub fn has(&self, lane: Lane) -> bool {
        self.lanes & 1 << lane as u8 != 0
    }
}

impl Traffic {
    /// Draws the views of a connection together.
    pub fn of<'v>(
        key: &Key,
        views: impl Iterator<Item = (Tag, &'v View)>,
        facts: &SlotFacts<'_>,
    ) -> Traffic {
        let mut traffic = Traffic {
            sent: [Stream {
                start: u32::MAX,
                ..Stream::default()
            }; 2],
            accepted_at: [false; 2],
            protocol: key.protocol,
            encryption: 0,
        };
        for (tag, view) in views {
            let (lane, sender) = (tag.lane(), tag.sender());
            let stream = &mut traffic.sent[sender as usize];
            let kinds = Kinds(view.kinds);
            stream.kinds = stream.kinds.with(kinds);
            stream.lanes |= 1 << lane as u8;
            if !lane.is_reject() {
                stream.passed = stream.passed.with(kinds);
            }
            if view.start != 0 {
                stream.start = stream.start.min(view.start);
            }
            traffic.encryption |= view.encryption;
            match lane {
                Lane::Forwarded => {
                    stream.forwarded_bytes = stream.forwarded_bytes.saturating_add(view.bytes)
                }
                Lane::Accepted => {
                    stream.accepted = stream.accepted.with(kinds);
                    if let Seat::End(side) =
                        facts.seat(tag, key.end(Side::Low), key.end(Side::High))
                    {
                        traffic.accepted_at[side as usize] = true;
                    }
                }
                _ => match facts.seat(tag, key.end(Side::Low), key.end(Side::High)) {
                    Seat::End(side) if side == sender => {
                        stream.rejected_at_sender |= 1 << lane as u8
                    }
                    _ => stream.rejected_elsewhere |= 1 << lane as u8,
                },
            }
        }
        traffic
    }

    /// What an end sent.
    pub fn sent(&self, side: Side) -> &Stream {
        &self.sent[side as usize]
    }

    /// Whether accepted records went both ways.
    pub fn is_two_way(&self) -> bool {
        self.sent.iter().all(Stream::is_accepted)
    }

    /// The only end whose records have one of these kinds; none if neither or both have.
    pub fn only_sender_of(&self, kinds: Kinds) -> Option<Side> {
        match (self.sent[0].kinds.has(kinds), self.sent[1].kinds.has(kinds)) {
            (true, false) => Some(Side::Low),
            (false, true) => Some(Side::High),
            _ => None,
        }
    }

    /// The client as the connection's own flags prove it, and which of the two rows did: a SYN without ACK from one
    /// end only, else a SYN with ACK from one end only.
    pub fn client_by_flags(&self) -> Option<(Side, Kinds)> {
        match self.only_sender_of(Kinds::SYN) {
            Some(client) => Some((client, Kinds::SYN)),
            None => self
                .only_sender_of(Kinds::SYN_ACK)
                .map(|server| (server.other(), Kinds::SYN_ACK)),
        }
    }

    /// Whether the end answered an accepted SYN with an accepted SYN-ACK.
    pub fn is_proven_listener(&self, side: Side) -> bool {
        self.sent(side).accepted.has(Kinds::SYN_ACK)
            && self.sent(side.other()).accepted.has(Kinds::SYN)
    }

    /// Earliest start over both directions, seconds; none if no record has a time.
    pub fn start(&self) -> Option<u32> {
        Some(self.sent[0].start.min(self.sent[1].start)).filter(|start| *start != u32::MAX)
    }

    /// Whether all records that tell say that the traffic was encrypted; none if none tells.
    pub fn encrypted(&self) -> Option<bool> {
        match self.encryption {
            0 => None,
            bits => Some(bits & 1 == 0),
        }
    }

    /// Whether the protocol has ports.
    pub fn has_ports(&self) -> bool {
        protocol::has_ports(self.protocol)
    }
}
