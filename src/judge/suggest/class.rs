//! What is to be made of an edge before it is counted.

use super::super::orient::EPHEMERAL;
use super::scans::Scanners;
use crate::judge::{Confidence, EdgeRow, Outcome};
use crate::net::protocol::TCP;

/// What an edge is, the first that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Not judged: strays, what came after a close, what no policy has a say in.
    NotJudged,
    /// Rejected, refused or unanswered.
    NotAccepted,
    /// Of a client that tries one target after the other.
    Scan,
    /// The server's port is ephemeral and the direction a guess: more likely a reply.
    Reply,
    /// Accepted: to be learned from.
    Accepted,
}

/// Whether the network let it through, as far as its records tell: established, delivered, forwarded; sent unless it is
/// TCP, where an answer would have shown.
pub fn is_accepted(edge: &EdgeRow<'_>) -> bool {
    match edge.outcome {
        Some(Outcome::Established | Outcome::Delivered | Outcome::Forwarded) => true,
        Some(Outcome::Sent) => edge.protocol != TCP,
        Some(
            Outcome::RejectedServer
            | Outcome::RejectedClient
            | Outcome::RejectedReturn
            | Outcome::Refused,
        )
        | None => false,
    }
}

impl Class {
    /// Of an edge, with what is known of all clients.
    pub fn of(edge: &EdgeRow<'_>, scanners: &Scanners) -> Class {
        let is_ephemeral = edge.server_port.is_some_and(|port| port >= EPHEMERAL);
        if edge.decision.is_none() {
            Class::NotJudged
        } else if !is_accepted(edge) {
            Class::NotAccepted
        } else if scanners.has(edge.client_addr) {
            Class::Scan
        } else if is_ephemeral && edge.confidence == Confidence::Ambiguous {
            Class::Reply
        } else {
            Class::Accepted
        }
    }
}
