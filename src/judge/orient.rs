//! Who is the client: a ladder of evidence, best first. The policy is never asked: what would be allowed is no evidence.

use hashbrown::HashMap;

use crate::net::Addr;
use crate::net::protocol::{TCP, UDP};
use crate::net::services::is_service;

use super::connection::{End, Home, Key, Kinds, Lane, Side};
use super::evidence::Horizon;
use super::traffic::Traffic;
use super::{Confidence, Orientation};

/// Who the client of a connection is, and how that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Oriented {
    /// The client.
    pub client: Side,
    /// The evidence.
    pub orientation: Orientation,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether an earlier slot of the horizon had decided the connection; false also where nothing depends on it.
    pub known_before: bool,
}

/// Ports from here on are ephemeral, by the `port` row (Linux's default range begins here).
pub(super) const EPHEMERAL: u16 = 32768;

/// How many peers an end has in accepted two-way traffic of the slot, by protocol and end.
pub type Peers = HashMap<(u8, Home, Addr, u16), u32>;

/// Walks down the ladder.
pub fn orient(key: &Key, traffic: &Traffic, horizon: &Horizon<'_>, peers: &Peers) -> Oriented {
    let own = traffic.client_by_flags();
    let earlier = if needs_horizon(traffic, own) {
        horizon.client(key)
    } else {
        None
    };
    let known_before = earlier.is_some();
    let decided = |client, orientation, confidence| Oriented {
        client,
        orientation,
        confidence,
        known_before,
    };
    if let Some((client, proof)) = own {
        return match proof {
            Kinds::SYN => decided(client, Orientation::Syn, Confidence::Certain),
            _ => decided(
                client,
                Orientation::SynAck,
                syn_ack_confidence(traffic, client),
            ),
        };
    }
    if let Some(client) = earlier {
        return decided(client, Orientation::Connection, Confidence::Strong);
    }
    if let Some(server) = only(
        |side| horizon.is_listener(key.protocol, key.end(side)),
        traffic.protocol == TCP,
    ) {
        return decided(server.other(), Orientation::Listener, Confidence::Strong);
    }
    if let Some(client) = lone_reject(key, traffic) {
        return decided(client, Orientation::LoneReject, Confidence::Medium);
    }
    if let Some(server) = fan_in(key, traffic, peers) {
        return decided(server.other(), Orientation::FanIn, Confidence::Medium);
    }
    if !traffic.has_ports() || key.low_port == key.high_port {
        return decided(
            first_sender(key, traffic),
            Orientation::Peer,
            Confidence::Ambiguous,
        );
    }
    if let Some(server) = by_service(key) {
        return decided(server.other(), Orientation::Service, Confidence::Medium);
    }
    decided(by_port(key), Orientation::Port, Confidence::Ambiguous)
}

/// Whether it matters what earlier slots proved of the connection: flags proved it, so it is TCP. With flags of its own it does only for what rejects
/// and lone SYN-ACKs of one-way traffic are; most connections need no look-up.
fn needs_horizon(traffic: &Traffic, own: Option<(Side, Kinds)>) -> bool {
    if traffic.protocol != TCP {
        return false;
    }
    let Some((_, proof)) = own else { return true };
    if traffic.is_two_way() {
        return false;
    }
    let lanes = traffic.sent[0].lanes | traffic.sent[1].lanes;
    let plain_lanes =
        1 << Lane::Accepted as u8 | 1 << Lane::Forwarded as u8 | 1 << Lane::RejectedSyn as u8;
    proof != Kinds::SYN || lanes & !plain_lanes != 0
}

/// How sure a SYN with ACK makes: certain if the SYN that it answers was seen.
pub fn syn_ack_confidence(traffic: &Traffic, client: Side) -> Confidence {
    if traffic.sent(client).kinds.has(Kinds::SYN) {
        Confidence::Certain
    } else {
        Confidence::Strong
    }
}

/// The side of which something holds, if it does not hold of the other too; `possible` spares the question.
pub(super) fn only(holds: impl Fn(Side) -> bool, possible: bool) -> Option<Side> {
    if !possible {
        return None;
    }
    match (holds(Side::Low), holds(Side::High)) {
        (true, false) => Some(Side::Low),
        (false, true) => Some(Side::High),
        _ => None,
    }
}

/// An attempt that was rejected, without any record of the reverse direction, where flags cannot tell: its source is
/// the client.
pub(super) fn lone_reject(key: &Key, traffic: &Traffic) -> Option<Side> {
    let sender = only(|side| traffic.sent(side).is_seen(), true)?;
    let is_attempt = traffic.sent(sender).has(Lane::RejectedUnknown) && !is_stray_udp(key, sender);
    is_attempt.then_some(sender)
}

/// Whether UDP from this sender looks like a late answer: from port 53, 123 or 443 to an ephemeral one.
pub fn is_stray_udp(key: &Key, sender: Side) -> bool {
    let (from, to) = (key.end(sender), key.end(sender.other()));
    key.protocol == UDP && matches!(from.port, 53 | 123 | 443) && to.port >= EPHEMERAL
}

/// One end has at least 4 peers and 4 times the other's: a server.
pub(super) fn fan_in(key: &Key, traffic: &Traffic, peers: &Peers) -> Option<Side> {
    if !traffic.has_ports() {
        return None;
    }
    let (low, high) = (
        peers_of(key, Side::Low, peers),
        peers_of(key, Side::High, peers),
    );
    let is_server = |own: u32, other: u32| own >= 4 && own >= other.saturating_mul(4);
    only(
        |side| {
            if side == Side::Low {
                is_server(low, high)
            } else {
                is_server(high, low)
            }
        },
        true,
    )
}

/// How many peers an end has, as far as they are counted.
pub(super) fn peers_of(key: &Key, side: Side, peers: &Peers) -> u32 {
    let count = peers.get(&peer_key(key.protocol, key.end(side)));
    count.copied().unwrap_or(0)
}

/// What [`Peers`] counts an end under.
pub fn peer_key(protocol: u8, end: End) -> (u8, Home, Addr, u16) {
    (protocol, end.home, end.addr, end.port)
}

/// Exactly one port is in the list of services, and the other is 1024 or above.
pub(super) fn by_service(key: &Key) -> Option<Side> {
    let serves = |side: Side| {
        let other = side.other();
        is_listed(key, side) && !is_listed(key, other) && key.end(other).port >= 1024
    };
    only(serves, true)
}

/// Whether an end's port is in the list of services.
pub(super) fn is_listed(key: &Key, side: Side) -> bool {
    is_service(key.protocol, key.end(side).port)
}

/// Exactly one end in the ephemeral range is the client, else the lower port is the server.
pub(super) fn by_port(key: &Key) -> Side {
    match only(|side| key.end(side).port >= EPHEMERAL, true) {
        Some(client) => client,
        None if key.low_port > key.high_port => Side::Low,
        None => Side::High,
    }
}

/// The source of the earliest record, else the lower address.
pub(super) fn first_sender(key: &Key, traffic: &Traffic) -> Side {
    let lower = if key.high < key.low {
        Side::High
    } else {
        Side::Low
    };
    match traffic
        .sent(Side::Low)
        .start
        .cmp(&traffic.sent(Side::High).start)
    {
        std::cmp::Ordering::Less => Side::Low,
        std::cmp::Ordering::Greater => Side::High,
        // Without times, or at one instant: a direction that nobody saw cannot have been the first.
        std::cmp::Ordering::Equal => {
            only(|side| traffic.sent(side).is_seen(), true).unwrap_or(lower)
        }
    }
}
