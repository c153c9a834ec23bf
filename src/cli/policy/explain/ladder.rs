//! What each rung of the ladder of evidence saw, in words.

use crate::cli::report::words;
use crate::judge::Orientation;
use crate::judge::connection::{Key, Kinds, Side};
use crate::judge::ladder::{Ladder, Rung};
use crate::net::protocol::{TCP, has_ports};

/// An end of a connection in words.
pub(super) fn end(key: &Key, side: Side) -> String {
    let end = key.end(side);
    words::end(end.addr, has_ports(key.protocol).then_some(end.port))
}

/// Kinds of flags in words; none if records have no flags.
pub(super) fn kinds(kinds: Kinds) -> String {
    let words: Vec<&str> = [
        (Kinds::SYN, "SYN"),
        (Kinds::SYN_ACK, "SYN and ACK"),
        (Kinds::RST, "RST"),
        (Kinds::PLAIN, "neither SYN nor RST"),
        (Kinds::UNKNOWN, "not told"),
    ]
    .into_iter()
    .filter(|(kind, _)| kinds.has(*kind))
    .map(|(_, word)| word)
    .collect();
    words.join("; ")
}

/// What a rung saw.
pub(super) fn seen(rung: &Rung, ladder: &Ladder, key: &Key) -> String {
    let client = rung.client.map(|client| end(key, client));
    let server = rung.client.map(|client| end(key, client.other()));
    let (client, server) = (client.as_deref(), server.as_deref());
    match rung.orientation {
        Orientation::Syn => flags(client, "a SYN without ACK", Kinds::SYN, ladder, key),
        Orientation::SynAck => flags(server, "SYN and ACK", Kinds::SYN_ACK, ladder, key),
        Orientation::Connection => match client {
            Some(_) => "flags proved it in an earlier slot of the horizon".to_owned(),
            None if key.protocol != TCP => "the protocol has no flags".to_owned(),
            None => "no slot of the horizon before this one has proved it".to_owned(),
        },
        Orientation::Listener => match (server, ladder.listeners) {
            (Some(server), _) => format!("only {server} has answered an accepted SYN"),
            (None, [true, true]) => "both ends have answered accepted SYNs".to_owned(),
            (None, _) => "neither end is known to have answered an accepted SYN".to_owned(),
        },
        Orientation::LoneReject => match client {
            Some(client) => {
                format!("an attempt of {client} without flags was rejected, and nothing came back")
            }
            None => "no lone reject whose flags are not told".to_owned(),
        },
        Orientation::FanIn => fan_in(server, ladder, key),
        Orientation::Service => match (server, ladder.services) {
            (Some(server), _) => format!("only the port of {server} is in the list of services"),
            (None, [false, false]) => "neither port is in the list of services".to_owned(),
            (None, [true, true]) => "both ports are in the list of services".to_owned(),
            (None, _) => "the other port is below 1024, too".to_owned(),
        },
        Orientation::Port => match client {
            Some(client) => format!(
                "{client} alone is in 32768 to 65535, or else has the higher port: that is no more than a guess"
            ),
            None => "there are no ports, or equal ones".to_owned(),
        },
        Orientation::Peer => match client {
            Some(client) => format!(
                "no ports, or equal ones: {client} sent the earliest record, or has the lower address"
            ),
            None => "the ports differ".to_owned(),
        },
    }
}

fn flags(only: Option<&str>, what: &str, kind: Kinds, ladder: &Ladder, key: &Key) -> String {
    if let Some(only) = only {
        return format!("only {only} sent {what}");
    }
    let [low, high] = ladder.sent;
    if low.has(kind) && high.has(kind) {
        return format!("both ends sent {what}");
    }
    if key.protocol != TCP {
        return "the protocol has no flags".to_owned();
    }
    let told = low.with(high) != Kinds::UNKNOWN;
    match told {
        true => format!("neither end was seen to send {what}"),
        false => "no record has tcp-flags".to_owned(),
    }
}

fn fan_in(server: Option<&str>, ladder: &Ladder, key: &Key) -> String {
    let Some([low, high]) = ladder.peers else {
        return match has_ports(key.protocol) {
            true => "not counted, because flags decide".to_owned(),
            false => "the protocol has no ports".to_owned(),
        };
    };
    let count = |peers: u32| match peers {
        0 => "at most one peer".to_owned(),
        peers => words::counted(u64::from(peers), "peer"),
    };
    let counts = format!(
        "{} has {}, {} has {}",
        end(key, Side::Low),
        count(low),
        end(key, Side::High),
        count(high)
    );
    match server {
        Some(_) => counts,
        None => format!("{counts}: a server has at least 4, and 4 times the other's"),
    }
}
