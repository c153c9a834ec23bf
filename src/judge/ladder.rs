//! The ladder of evidence, every rung of it: what each says of who the client is, also below the one that decides.
//!
//! [`orient`](super::orient::orient) stops at the first rung that tells. This goes on, by the same functions, for people
//! who want to know why.

use super::connection::{Key, Kinds, Side};
use super::evidence::Horizon;
use super::orient::{
    Peers, by_port, by_service, fan_in, first_sender, is_listed, lone_reject, only, peers_of,
    syn_ack_confidence,
};
use super::traffic::Traffic;
use super::{Confidence, Orientation};
use crate::net::protocol::TCP;

/// All rungs, and what was looked at. Pairs are by [`Side`].
#[derive(Clone, Debug)]
pub struct Ladder {
    /// The rungs, best evidence first.
    pub rungs: Vec<Rung>,
    /// Kinds of the records that each end sent.
    pub sent: [Kinds; 2],
    /// Which ends have proven to accept connections, in the slot or its horizon.
    pub listeners: [bool; 2],
    /// How many peers each end has in accepted two-way traffic of the slot, up to one told as none; not counted where
    /// flags decide, or the protocol has no ports.
    pub peers: Option<[u32; 2]>,
    /// Which ends' ports are in the list of services.
    pub services: [bool; 2],
}

/// One rung.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rung {
    /// The evidence.
    pub orientation: Orientation,
    /// Who the client is by it; none if it does not tell.
    pub client: Option<Side>,
    /// How sure that is.
    pub confidence: Confidence,
}

impl Ladder {
    /// The ladder of a connection.
    pub fn of(key: &Key, traffic: &Traffic, horizon: &Horizon<'_>, peers: &Peers) -> Ladder {
        let is_tcp = traffic.protocol == TCP;
        let is_listener = |side| is_tcp && horizon.is_listener(key.protocol, key.end(side));
        let server = |side: Option<Side>| side.map(Side::other);
        let by_syn_ack = server(traffic.only_sender_of(Kinds::SYN_ACK));
        let syn_ack = by_syn_ack.map_or(Confidence::Strong, |client| {
            syn_ack_confidence(traffic, client)
        });
        let has_two_ports = traffic.has_ports() && key.low_port != key.high_port;
        let rung = |orientation, client, confidence| Rung {
            orientation,
            client,
            confidence,
        };
        let rungs = vec![
            rung(
                Orientation::Syn,
                traffic.only_sender_of(Kinds::SYN),
                Confidence::Certain,
            ),
            rung(Orientation::SynAck, by_syn_ack, syn_ack),
            rung(
                Orientation::Connection,
                is_tcp.then(|| horizon.client(key)).flatten(),
                Confidence::Strong,
            ),
            rung(
                Orientation::Listener,
                server(only(is_listener, is_tcp)),
                Confidence::Strong,
            ),
            rung(
                Orientation::LoneReject,
                lone_reject(key, traffic),
                Confidence::Medium,
            ),
            rung(
                Orientation::FanIn,
                server(fan_in(key, traffic, peers)),
                Confidence::Medium,
            ),
            rung(
                Orientation::Service,
                has_two_ports.then(|| server(by_service(key))).flatten(),
                Confidence::Medium,
            ),
            rung(
                Orientation::Port,
                has_two_ports.then(|| by_port(key)),
                Confidence::Ambiguous,
            ),
            rung(
                Orientation::Peer,
                (!has_two_ports).then(|| first_sender(key, traffic)),
                Confidence::Ambiguous,
            ),
        ];
        let counts_peers = traffic.has_ports() && traffic.client_by_flags().is_none();
        let both = [Side::Low, Side::High];
        Ladder {
            rungs,
            sent: both.map(|side| traffic.sent(side).kinds),
            listeners: both.map(is_listener),
            peers: counts_peers.then(|| both.map(|side| peers_of(key, side, peers))),
            services: both.map(|side| is_listed(key, side)),
        }
    }

    /// The rung that decides: the first that tells. One of the last two always does.
    pub fn decides(&self) -> Option<&Rung> {
        self.rungs.iter().find(|rung| rung.client.is_some())
    }
}
