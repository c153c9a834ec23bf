//! An edge as detectors see it: with the kinds of its zones, and in their words.

use std::cell::OnceCell;

use crate::judge::subject::{client_subject, subject};
use crate::judge::{EdgeRow, Orientation, Outcome};
use crate::net::protocol::UDP;
use crate::policy::{Answer, ZoneKind, is_anybodys_zone};

/// Ports from here on are clients': Linux's default range.
const EPHEMERAL: u16 = 32_768;

/// An edge that was judged, or of ICMP between ends that talk.
pub(super) struct Seen<'e> {
    /// The edge.
    pub edge: &'e EdgeRow<'e>,
    /// The kind of the client's zone.
    pub client: ZoneKind,
    /// The kind of the server's zone.
    pub server: ZoneKind,
    client_name: OnceCell<String>,
    server_name: OnceCell<String>,
}

impl<'e> Seen<'e> {
    pub fn new(edge: &'e EdgeRow<'e>, client: ZoneKind, server: ZoneKind) -> Seen<'e> {
        Seen {
            edge,
            client,
            server,
            client_name: OnceCell::new(),
            server_name: OnceCell::new(),
        }
    }

    /// Whether traffic flowed both ways.
    pub fn is_answered(&self) -> bool {
        self.edge.outcome == Some(Outcome::Established)
    }

    /// Whether the network let it through, as far as was seen.
    pub fn is_let_through(&self) -> bool {
        matches!(
            self.edge.outcome,
            Some(Outcome::Established | Outcome::Forwarded | Outcome::Delivered | Outcome::Sent)
        )
    }

    /// Whether a security group or a network ACL stopped it.
    pub fn is_rejected(&self) -> bool {
        matches!(
            self.edge.outcome,
            Some(Outcome::RejectedServer | Outcome::RejectedClient | Outcome::RejectedReturn)
        )
    }

    /// Whether the policy permits it.
    pub fn is_allowed(&self) -> bool {
        self.edge.decision == Some(Answer::Allow)
    }

    /// Whether the policy forbids it.
    pub fn is_denied(&self) -> bool {
        self.edge.decision == Some(Answer::Deny)
    }

    /// Whether it goes from inside to outside.
    pub fn goes_out(&self) -> bool {
        self.client.is_inside() && !self.server.is_inside() && self.server != ZoneKind::Local
    }

    /// Whether both ends are inside.
    pub fn stays_inside(&self) -> bool {
        self.client.is_inside() && self.server.is_inside()
    }

    /// Whether the client comes from outside to inside.
    pub fn comes_in(&self) -> bool {
        !self.client.is_inside() && self.server.is_inside()
    }

    /// Whether the direction rests on more than port numbers: otherwise it may be a reply. So may a lone reject towards an
    /// ephemeral port be.
    pub fn is_sure_of_direction(&self) -> bool {
        match self.edge.orientation {
            Orientation::Port | Orientation::Peer => false,
            Orientation::LoneReject => self.edge.server_port.is_none_or(|port| {
                // Load balancers and NAT gateways take ports from 1024 up for themselves, and UDP has no flags.
                port < if self.edge.protocol == UDP {
                    1024
                } else {
                    EPHEMERAL
                }
            }),
            _ => true,
        }
    }

    /// Whether its connections began with a SYN that was seen: they are new.
    pub fn has_own_syn(&self) -> bool {
        matches!(
            self.edge.orientation,
            Orientation::Syn | Orientation::SynAck
        )
    }

    /// Whether one end is an address that anybody may have: on the internet in no destination, or of an AWS service such as EC2.
    pub fn is_with_anybody(&self) -> bool {
        let is_anybody = |kind, zone| kind == ZoneKind::Internet || is_anybodys_zone(zone);
        is_anybody(self.client, self.edge.client_zone)
            || is_anybody(self.server, self.edge.server_zone)
    }

    /// A hash of the door that it knocks at (server, port and protocol), seeded. Another one's is the same once in 10^18 times.
    pub fn door_hash(&self, seed: u64) -> u64 {
        let edge = self.edge;
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&edge.server_addr.bits().to_le_bytes());
        let port = edge.server_port.map_or(u32::MAX, u32::from);
        bytes[16..].copy_from_slice(&(port << 8 | u32::from(edge.protocol)).to_le_bytes());
        xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed)
    }

    /// Records, connections, packets and bytes, both directions.
    pub fn counts(&self) -> [u64; 4] {
        let edge = self.edge;
        let packets = [edge.packets_to_server, edge.packets_to_client];
        let bytes = [edge.bytes_to_server, edge.bytes_to_client];
        let both = |[one, other]: [u64; 2]| one.saturating_add(other);
        [edge.records, edge.connections, both(packets), both(bytes)]
    }

    /// What the client is, steadily.
    pub fn client_name(&self) -> &str {
        let edge = self.edge;
        self.client_name.get_or_init(|| {
            client_subject(
                self.client,
                edge.client_zone,
                edge.client_addr,
                edge.client_workload,
            )
        })
    }

    /// What the server is, steadily.
    pub fn server_name(&self) -> &str {
        let edge = self.edge;
        self.server_name.get_or_init(|| {
            subject(
                self.server,
                edge.server_zone,
                edge.server_addr,
                edge.server_workload,
            )
        })
    }
}
