//! A finding: what a person is told, over a day, about one subject.

use super::{Confidence, EdgeRow, Kind, Outcome, ServerNames, Verdict};
use crate::net::Addr;
use crate::policy::{Path, Severity, UNASSIGNED};

/// A finding of one day.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable over days: a hash of network, kind, subjects, port, protocol and rule; 16 hex digits.
    pub finding_id: String,
    /// The UTC day, seconds since 1970 at its 00:00.
    pub day: u32,
    /// What it is.
    pub kind: Kind,
    /// The highest severity of its edges; never info.
    pub severity: Severity,
    /// The lowest confidence of its edges.
    pub confidence: Confidence,
    /// One sentence for people.
    pub title: String,
    /// The network whose records told of it.
    pub network: String,
    /// What the client is, steadily: a workload, an address, `internet`, a destination.
    pub client: Subject,
    /// What the server is.
    pub server: Subject,
    /// By which names addresses outside were asked for; empty where no Resolver logs were read.
    pub server_names: ServerNames,
    /// The server's port; none where the protocol has no ports, or it is about no single port.
    pub server_port: Option<u16>,
    /// IANA protocol number; none where it is not about one protocol.
    pub protocol: Option<u8>,
    /// The deciding rule's id; empty where it is not about one rule.
    pub rule: String,
    /// The rule's `reason`; a detector's, with its numbers.
    pub reason: String,
    /// The rule's or the detector's `owner`.
    pub owner: String,
    /// The rule's `controls`.
    pub controls: Vec<String>,
    /// What the nearest allow lacked, in words.
    pub lacked: Option<String>,
    /// The worst outcome among its edges.
    pub outcome: Option<Outcome>,
    /// The path out, if known and the same for all.
    pub via: Option<Path>,
    /// `account-id` of the inside end (both inside: the server); likewise the next five.
    pub account_id: Option<String>,
    /// `region`.
    pub region: Option<String>,
    /// `vpc-id`.
    pub vpc_id: Option<String>,
    /// `subnet-id`.
    pub subnet_id: Option<String>,
    /// `interface-id`.
    pub interface_id: Option<String>,
    /// `instance-id`.
    pub instance_id: Option<String>,
    /// Earliest `start`, seconds.
    pub first_seen: u32,
    /// Latest `end`, seconds.
    pub last_seen: u32,
    /// Judged records.
    pub records: u64,
    /// Connections, each counted once per slot.
    pub connections: u64,
    /// Packets, both directions.
    pub packets: u64,
    /// Bytes, both directions.
    pub bytes: u64,
    /// The object of the example record.
    pub source: String,
    /// Its line.
    pub line: u64,
    /// Whether a `[[mute]]` covers it.
    pub muted: bool,
}

impl Finding {
    /// Takes in the same finding of a later day: counts add up, and of distinct addresses the larger number stays, since
    /// the same ones come back day by day.
    pub fn absorb(&mut self, later: &Finding) {
        self.severity = self.severity.max(later.severity);
        self.confidence = self.confidence.max(later.confidence);
        self.first_seen = self.first_seen.min(later.first_seen);
        self.last_seen = self.last_seen.max(later.last_seen);
        self.records += later.records;
        self.connections += later.connections;
        self.packets = self.packets.saturating_add(later.packets);
        self.bytes = self.bytes.saturating_add(later.bytes);
        self.muted &= later.muted;
        if self.via != later.via {
            self.via = None;
        }
        self.server_names.absorb(&later.server_names);
        self.client.addresses = self.client.addresses.max(later.client.addresses);
        self.server.addresses = self.server.addresses.max(later.server.addresses);
    }
}

impl Finding {
    /// Whether an edge of a day on which it was found fed it. Of what detectors find nobody can tell: never.
    pub fn is_fed_by(&self, edge: &EdgeRow<'_>) -> bool {
        if self.network != edge.network || self.kind.is_detected() {
            return false;
        }
        if self.kind == Kind::Unassigned {
            // About one address, and never its workload.
            let is_it = |end: &Subject, zone: &str, addr: Addr| {
                end.zone == zone && zone == UNASSIGNED && end.subject == addr.to_string()
            };
            return edge.verdict != Verdict::Unjudged
                && (is_it(&self.client, edge.client_zone, edge.client_addr)
                    || is_it(&self.server, edge.server_zone, edge.server_addr));
        }
        let is_kind = match edge.verdict {
            Verdict::Compliant | Verdict::Unjudged => false,
            Verdict::Blocked | Verdict::Attempted => self.kind == Kind::DeniedAttempt,
            Verdict::Overblocked => self.kind == Kind::Overblocked,
            Verdict::Unproven => self.kind == Kind::Unproven,
            Verdict::Violation => match self.kind {
                Kind::EgressViolation | Kind::IngressViolation => true,
                Kind::CrossTierViolation => edge.client_zone != edge.server_zone,
                Kind::IntraTierViolation => edge.client_zone == edge.server_zone,
                _ => false,
            },
        };
        is_kind
            && edge.severity > Some(Severity::Info)
            && (self.rule.as_str(), self.server_port) == (edge.rule, edge.server_port)
            && self.protocol == Some(edge.protocol)
            && (self.client).is_of(edge.client_zone, edge.client_addr, edge.client_workload)
            && (self.server).is_of(edge.server_zone, edge.server_addr, edge.server_workload)
    }
}

impl Subject {
    /// Whether an end of this zone, address and workload is what this is about: its workload, its zone, its address, or the
    /// place on the internet where that is.
    fn is_of(&self, zone: &str, addr: Addr, workload: Option<&str>) -> bool {
        if self.subject == zone {
            return true;
        }
        match workload {
            Some(workload) => self.subject == workload,
            None => {
                let (prefix, bits) = addr.neighbourhood();
                self.subject == addr.to_string() || self.subject == format!("{prefix}/{bits}")
            }
        }
    }
}

/// What one end of a finding is.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The steady name.
    pub subject: String,
    /// The zone.
    pub zone: String,
    /// How many distinct addresses: exact up to 4096, then an estimate.
    pub addresses: u64,
    /// The ten heaviest addresses by bytes, heaviest first.
    pub heaviest: Vec<(Addr, u64)>,
}
