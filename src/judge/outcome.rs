//! What became of a connection, and what a rejected record of it is.

use crate::net::protocol::TCP;

use super::connection::{Key, Kinds, Lane, Side};
use super::orient::{Oriented, is_stray_udp};
use super::traffic::Traffic;
use super::{Orientation, Outcome};

/// What a rejected record is; the first that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reject {
    /// Somebody tried to open a connection.
    Attempt,
    /// The reply to an accepted request.
    Return,
    /// It came after a close or an idle time-out: AWS rejects that too.
    PostClose,
    /// It belongs to a connection of which nothing else is known.
    Stray,
}

/// What the rejected records of a lane and sender are.
///
/// | first that fits | |
/// |---|---|
/// | own SYN | attempt |
/// | from the server, request accepted, no reply accepted | return |
/// | accepted records both ways in the slot, or decided in the horizon | post-close |
/// | TCP with known flags and no SYN; UDP from 53, 123 or 443 to an ephemeral port | stray |
/// | else | attempt |
pub fn classify(
    key: &Key,
    traffic: &Traffic,
    oriented: &Oriented,
    lane: Lane,
    sender: Side,
) -> Reject {
    let (client, server) = (oriented.client, oriented.client.other());
    if lane == Lane::RejectedSyn {
        return Reject::Attempt;
    }
    if sender == server && traffic.sent(client).is_accepted() && !traffic.sent(server).is_accepted()
    {
        return Reject::Return;
    }
    if traffic.is_two_way() || oriented.known_before {
        return Reject::PostClose;
    }
    if (key.protocol == TCP && lane == Lane::RejectedPlain) || is_stray_udp(key, sender) {
        return Reject::Stray;
    }
    Reject::Attempt
}

/// What a connection's rejects amount to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rejects {
    /// An attempt of the client was rejected at the client's own interface.
    at_client: bool,
    /// An attempt of the client was rejected at the server's interface, or at an unknown one.
    at_server: bool,
    /// A reply to an accepted request was rejected.
    of_return: bool,
    /// An attempt that the orientation does not ascribe to the client was rejected.
    of_other: bool,
    /// Any record came after a close.
    pub post_close: bool,
    /// Any record is a stray.
    pub stray: bool,
}

impl Rejects {
    /// Classifies every rejected lane of the connection.
    pub fn of(key: &Key, traffic: &Traffic, oriented: &Oriented) -> Rejects {
        let mut rejects = Rejects::default();
        for sender in [Side::Low, Side::High] {
            let stream = traffic.sent(sender);
            for lane in [
                Lane::RejectedSyn,
                Lane::RejectedSynAck,
                Lane::RejectedPlain,
                Lane::RejectedUnknown,
            ] {
                if !stream.has(lane) {
                    continue;
                }
                match classify(key, traffic, oriented, lane, sender) {
                    Reject::Attempt if sender == oriented.client => {
                        rejects.at_client |= stream.rejected_at_sender & 1 << lane as u8 != 0;
                        rejects.at_server |= stream.rejected_elsewhere & 1 << lane as u8 != 0;
                    }
                    Reject::Attempt => rejects.of_other = true,
                    Reject::Return => rejects.of_return = true,
                    Reject::PostClose => rejects.post_close = true,
                    Reject::Stray => rejects.stray = true,
                }
            }
        }
        rejects
    }

    /// Whether anything was rejected that belongs to the connection's own story.
    fn any_judged(&self) -> bool {
        self.at_client || self.at_server || self.of_return || self.of_other
    }
}

/// The outcome; none if all records of the connection are strays or came after its close.
///
/// | outcome | first that fits |
/// |---|---|
/// | `rejected_server`, `rejected_client` | an attempt of the client rejected at that side's interface, and no reply accepted |
/// | `rejected_return` | a request accepted and its reply rejected |
/// | `refused` | TCP: the request's SYN is in the slot, and all that came back has RST and no SYN |
/// | `established` | an accepted SYN-ACK, accepted records both ways, or an accepted TCP record known to carry neither SYN nor RST |
/// | `delivered` | accepted at the server's interface, no reply seen |
/// | `sent` | accepted elsewhere only, no reply seen |
/// | `forwarded` | a transit gateway forwarded bytes |
pub fn outcome(traffic: &Traffic, oriented: &Oriented, rejects: &Rejects) -> Option<Outcome> {
    let (request, reply) = (
        traffic.sent(oriented.client),
        traffic.sent(oriented.client.other()),
    );
    let is_tcp = traffic.protocol == TCP;
    if !reply.is_accepted() {
        if rejects.at_server {
            return Some(Outcome::RejectedServer);
        }
        if rejects.at_client {
            return Some(Outcome::RejectedClient);
        }
    }
    if rejects.of_return {
        return Some(Outcome::RejectedReturn);
    }
    // What was rejected late is no part of the story; what was rejected of an attempt the other way is.
    let only_resets = reply.passed == Kinds::RST && !rejects.of_other;
    if is_tcp && request.kinds.has(Kinds::SYN) && only_resets {
        return Some(Outcome::Refused);
    }
    let has_accepted = |kinds| request.accepted.has(kinds) || reply.accepted.has(kinds);
    if has_accepted(Kinds::SYN_ACK)
        || traffic.is_two_way()
        || (is_tcp && has_accepted(Kinds::PLAIN))
    {
        return Some(Outcome::Established);
    }
    if traffic.accepted_at[oriented.client.other() as usize] {
        return Some(Outcome::Delivered);
    }
    if request.is_accepted() || reply.is_accepted() {
        return Some(Outcome::Sent);
    }
    if request.forwarded_bytes > 0 || reply.forwarded_bytes > 0 {
        return Some(Outcome::Forwarded);
    }
    if rejects.any_judged() {
        return Some(Outcome::RejectedServer);
    }
    // A transit gateway that lost every packet: on its way, and no more is known.
    (request.has(Lane::Forwarded) || reply.has(Lane::Forwarded)).then_some(Outcome::Sent)
}

/// Whether the connection is nothing but SYN-ACKs of one end, and no earlier slot knows it: backscatter or a stealth
/// scan.
pub fn is_unsolicited(traffic: &Traffic, oriented: &Oriented) -> bool {
    let server = oriented.client.other();
    oriented.orientation == Orientation::SynAck
        && !oriented.known_before
        && !traffic.sent(oriented.client).is_seen()
        && traffic.sent(server).kinds == Kinds::SYN_ACK
}
