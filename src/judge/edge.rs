//! An edge: one row per hour for each (network, client, server, server port, protocol, orientation, outcome, verdict,
//! rule). What findings, usage, replay, suggest and the service map are made from.

use super::{Confidence, Orientation, Outcome, Verdict};
use crate::net::Addr;
use crate::policy::{Answer, Path, Severity};

/// An edge as tables show it, its text borrowed from the policy and from the hour's contexts.
///
/// Counts are of the hour. `packets` and `bytes` count traffic once: per connection, direction and slot the largest sum
/// of any one (flow log, interface).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeRow<'a> {
    /// The network whose records told of it.
    pub network: &'a str,
    /// Who opened the connection.
    pub client_addr: Addr,
    /// Who was asked.
    pub server_addr: Addr,
    /// The server's port; none where the protocol has no ports.
    pub server_port: Option<u16>,
    /// IANA protocol number.
    pub protocol: u8,
    /// The evidence for the direction.
    pub orientation: Orientation,
    /// What became of it; none where unjudged before an outcome could be told.
    pub outcome: Option<Outcome>,
    /// Decision and outcome together.
    pub verdict: Verdict,
    /// The deciding rule's id, or the reason why it was not judged.
    pub rule: &'a str,
    /// Allow, deny or unproven; none if unjudged.
    pub decision: Option<Answer>,
    /// The client's zone.
    pub client_zone: &'a str,
    /// The server's zone.
    pub server_zone: &'a str,
    /// The client's workload (Auto Scaling group, ECS service), if records name one.
    pub client_workload: Option<&'a str>,
    /// The server's workload.
    pub server_workload: Option<&'a str>,
    /// The path out, if known and the same for all.
    pub via: Option<Path>,
    /// The lowest confidence among its connections.
    pub confidence: Confidence,
    /// The highest severity among its connections; none if unjudged.
    pub severity: Option<Severity>,
    /// What the nearest allow lacked, in words.
    pub lacked: Option<&'a str>,
    /// Judged records, copies by other flow logs not included.
    pub records: u64,
    /// Connections, each counted once per slot.
    pub connections: u64,
    /// Packets from client to server.
    pub packets_to_server: u64,
    /// Packets from server to client.
    pub packets_to_client: u64,
    /// Bytes from client to server.
    pub bytes_to_server: u64,
    /// Bytes from server to client.
    pub bytes_to_client: u64,
    /// Earliest `start`, seconds.
    pub first_seen: u32,
    /// Latest `end`, seconds.
    pub last_seen: u32,
    /// The object of the example record (the smallest by source, then line).
    pub source: &'a str,
    /// The line of the example record.
    pub line: u64,
    /// Where the inside end lives (both inside: the server), as its interface's records say.
    pub inside: Inside<'a>,
}

impl EdgeRow<'_> {
    /// Bytes in both directions.
    pub fn bytes(&self) -> u64 {
        self.bytes_to_server.saturating_add(self.bytes_to_client)
    }

    /// Widens a time, first and last in seconds, to hold the edge's; none holds nothing yet.
    pub fn widen(&self, times: &mut Option<(u32, u32)>) {
        let (first, last) = times.unwrap_or((u32::MAX, 0));
        *times = Some((first.min(self.first_seen), last.max(self.last_seen)));
    }
}

/// Where an inside end lives, as its interface's records say; none where they do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inside<'a> {
    /// `account-id`.
    pub account_id: Option<&'a str>,
    /// `region`.
    pub region: Option<&'a str>,
    /// `vpc-id`.
    pub vpc_id: Option<&'a str>,
    /// `subnet-id`.
    pub subnet_id: Option<&'a str>,
    /// `interface-id`.
    pub interface_id: Option<&'a str>,
    /// `instance-id`.
    pub instance_id: Option<&'a str>,
}

impl<'a> Inside<'a> {
    /// All six, in the order of the fields.
    pub fn texts(&self) -> [Option<&'a str>; 6] {
        [
            self.account_id,
            self.region,
            self.vpc_id,
            self.subnet_id,
            self.interface_id,
            self.instance_id,
        ]
    }
}

/// An edge that owns its text: what is read back from a lake.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // field by field the same as EdgeRow
pub struct Edge {
    pub network: String,
    pub client_addr: Addr,
    pub server_addr: Addr,
    pub server_port: Option<u16>,
    pub protocol: u8,
    pub orientation: Orientation,
    pub outcome: Option<Outcome>,
    pub verdict: Verdict,
    pub rule: String,
    pub decision: Option<Answer>,
    pub client_zone: String,
    pub server_zone: String,
    pub client_workload: Option<String>,
    pub server_workload: Option<String>,
    pub via: Option<Path>,
    pub confidence: Confidence,
    pub severity: Option<Severity>,
    pub lacked: Option<String>,
    pub records: u64,
    pub connections: u64,
    pub packets_to_server: u64,
    pub packets_to_client: u64,
    pub bytes_to_server: u64,
    pub bytes_to_client: u64,
    pub first_seen: u32,
    pub last_seen: u32,
    pub source: String,
    pub line: u64,
    pub account_id: Option<String>,
    pub region: Option<String>,
    pub vpc_id: Option<String>,
    pub subnet_id: Option<String>,
    pub interface_id: Option<String>,
    pub instance_id: Option<String>,
}

impl From<EdgeRow<'_>> for Edge {
    fn from(row: EdgeRow<'_>) -> Edge {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Edge {
            network: row.network.to_owned(),
            client_addr: row.client_addr,
            server_addr: row.server_addr,
            server_port: row.server_port,
            protocol: row.protocol,
            orientation: row.orientation,
            outcome: row.outcome,
            verdict: row.verdict,
            rule: row.rule.to_owned(),
            decision: row.decision,
            client_zone: row.client_zone.to_owned(),
            server_zone: row.server_zone.to_owned(),
            client_workload: text(row.client_workload),
            server_workload: text(row.server_workload),
            via: row.via,
            confidence: row.confidence,
            severity: row.severity,
            lacked: text(row.lacked),
            records: row.records,
            connections: row.connections,
            packets_to_server: row.packets_to_server,
            packets_to_client: row.packets_to_client,
            bytes_to_server: row.bytes_to_server,
            bytes_to_client: row.bytes_to_client,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            source: row.source.to_owned(),
            line: row.line,
            account_id: text(row.inside.account_id),
            region: text(row.inside.region),
            vpc_id: text(row.inside.vpc_id),
            subnet_id: text(row.inside.subnet_id),
            interface_id: text(row.inside.interface_id),
            instance_id: text(row.inside.instance_id),
        }
    }
}

impl Edge {
    /// The borrowed form.
    pub fn row(&self) -> EdgeRow<'_> {
        EdgeRow {
            network: &self.network,
            client_addr: self.client_addr,
            server_addr: self.server_addr,
            server_port: self.server_port,
            protocol: self.protocol,
            orientation: self.orientation,
            outcome: self.outcome,
            verdict: self.verdict,
            rule: &self.rule,
            decision: self.decision,
            client_zone: &self.client_zone,
            server_zone: &self.server_zone,
            client_workload: self.client_workload.as_deref(),
            server_workload: self.server_workload.as_deref(),
            via: self.via,
            confidence: self.confidence,
            severity: self.severity,
            lacked: self.lacked.as_deref(),
            records: self.records,
            connections: self.connections,
            packets_to_server: self.packets_to_server,
            packets_to_client: self.packets_to_client,
            bytes_to_server: self.bytes_to_server,
            bytes_to_client: self.bytes_to_client,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            source: &self.source,
            line: self.line,
            inside: Inside {
                account_id: self.account_id.as_deref(),
                region: self.region.as_deref(),
                vpc_id: self.vpc_id.as_deref(),
                subnet_id: self.subnet_id.as_deref(),
                interface_id: self.interface_id.as_deref(),
                instance_id: self.instance_id.as_deref(),
            },
        }
    }
}
