//! What makes up an edge: parts that many edges have alike, by number, and what is its own.

use super::EdgeEntry;
use crate::judge::EdgeRow;
use crate::net::Addr;
use crate::net::protocol::has_ports;

/// Stands for what an edge was found to be: its network, the evidence, outcome, verdict, rule and what was lacked, and the
/// zones of its ends.
pub type StoryNumber = [u64; 3];

/// Numbers that stand for what edges have alike: of the same hour, those with the same number are the same.
#[derive(Clone, Copy, Debug)]
pub struct EdgeParts {
    /// Of what it was found to be.
    pub story: StoryNumber,
    /// Of the client's workload.
    pub client_workload: u32,
    /// Of the server's workload.
    pub server_workload: u32,
    /// Of [`EdgeRow::inside`].
    pub inside: u32,
    /// Of the example record's object.
    pub source: u32,
}

impl EdgeParts {
    /// Those of an entry.
    #[inline]
    pub fn of(entry: &EdgeEntry) -> EdgeParts {
        let key = &entry.key;
        let found = [key.orientation, key.outcome, key.verdict, entry.via];
        let weighed = [
            entry.confidence,
            entry.severity,
            entry.decision,
            entry.lacked,
        ];
        let halves = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let pair = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        EdgeParts {
            story: [
                halves(u32::from_le_bytes(found), u32::from_le_bytes(weighed)),
                halves(key.rule, pair(entry.lacked_rule, entry.lacked_require)),
                halves(pair(key.client_zone, key.server_zone), key.network.into()),
            ],
            client_workload: entry.client_workload,
            server_workload: entry.server_workload,
            inside: entry.inside,
            source: entry.origin.object(),
        }
    }
}

/// What an edge has of its own, as [`EdgeRow`] says it.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // field by field the same
pub struct OwnPart {
    pub client_addr: Addr,
    pub server_addr: Addr,
    pub server_port: Option<u16>,
    pub protocol: u8,
    pub records: u64,
    pub connections: u64,
    /// To the server, to the client.
    pub packets: [u64; 2],
    /// To the server, to the client.
    pub bytes: [u64; 2],
    pub first_seen: u32,
    pub last_seen: u32,
    pub line: u64,
}

impl EdgeEntry {
    /// What it has of its own.
    #[inline]
    pub fn own(&self) -> OwnPart {
        let protocol = self.key.protocol;
        OwnPart {
            client_addr: self.client(),
            server_addr: self.server(),
            server_port: has_ports(protocol).then_some(self.key.server_port),
            protocol,
            records: self.records,
            connections: self.connections,
            packets: self.packets,
            bytes: self.bytes,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            line: self.origin.line(),
        }
    }
}

impl From<&EdgeRow<'_>> for OwnPart {
    fn from(row: &EdgeRow<'_>) -> OwnPart {
        OwnPart {
            client_addr: row.client_addr,
            server_addr: row.server_addr,
            server_port: row.server_port,
            protocol: row.protocol,
            records: row.records,
            connections: row.connections,
            packets: [row.packets_to_server, row.packets_to_client],
            bytes: [row.bytes_to_server, row.bytes_to_client],
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            line: row.line,
        }
    }
}
