//! Findings of a day, from the edges of its hours.
//!
//! Every edge that is not compliant, and not merely information, feeds the finding of its subject; an unassigned end
//! has one of its own. Rebuilding from the same edges gives the same findings.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::net::Addr;
use crate::policy::{Policy, Severity, ZoneKind};

use super::server_names::{NamesGatherer, ServerNames};
use super::sketch::Distinct;
use super::subject::{
    SELF_PUBLIC, client_subject, finding_id, heaviest, is_muted, service, shown, subject, zone_kind,
};
use super::verdict::{flags_of_kinds, kind};
use super::{EdgeRow, Finding, Inside, Kind, Outcome, Subject, Verdict};

/// How many findings a day may have. Beyond it new ones are counted and let go: nobody reads a hundred thousand, and
/// each takes up to 64 KB for its distinct addresses.
pub const FINDINGS_CAP: usize = 100_000;

/// The findings of one UTC day, as its hours come in, in order.
pub struct DayFindings<'a> {
    policy: &'a Policy,
    day: u32,
    findings: BTreeMap<Id, Gathered>,
    hour: HashMap<(Id, End), HashMap<Addr, u64>>,
    let_go: u64,
}

type Id = u64;

/// Whether an edge of this verdict and severity may feed a finding. All others need not be added to any day.
pub fn may_feed(verdict: Verdict, severity: Option<Severity>, has_unassigned_end: bool) -> bool {
    verdict != Verdict::Unjudged && (severity > Some(Severity::Info) || has_unassigned_end)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum End {
    Client,
    Server,
}

struct Gathered {
    finding: Finding,
    client: GatheredEnd,
    server: GatheredEnd,
    names: NamesGatherer,
    via_differs: bool,
}

#[derive(Default)]
struct GatheredEnd {
    distinct: Distinct,
    bytes: BTreeMap<Addr, u64>,
}

impl<'a> DayFindings<'a> {
    /// No findings yet; `day` is the UTC day's 00:00, seconds.
    pub fn new(policy: &'a Policy, day: u32) -> DayFindings<'a> {
        DayFindings {
            policy,
            day,
            findings: BTreeMap::new(),
            hour: HashMap::new(),
            let_go: 0,
        }
    }

    /// Takes an edge of the hour that is being added.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        let (client, server) = (
            zone_kind(self.policy, edge.client_zone),
            zone_kind(self.policy, edge.server_zone),
        );
        let has_unassigned_end = [client, server].contains(&ZoneKind::Unassigned);
        if !may_feed(edge.verdict, edge.severity, has_unassigned_end) {
            return;
        }
        if let (Some(decision), Some(severity)) = (
            edge.decision,
            edge.severity.filter(|severity| *severity > Severity::Info),
        ) {
            let same_zone = edge.client_zone == edge.server_zone;
            let flags = flags_of_kinds(client, server, same_zone, decision, edge.verdict);
            if let Some(kind) = kind(edge.verdict, flags) {
                let subjects = [
                    client_subject(
                        client,
                        edge.client_zone,
                        edge.client_addr,
                        edge.client_workload,
                    ),
                    self.server_subject(server, client.is_inside(), edge),
                ];
                self.feed(edge, kind, severity, subjects, true);
            }
        }
        for (kind, zone, addr, end) in [
            (client, edge.client_zone, edge.client_addr, End::Client),
            (server, edge.server_zone, edge.server_addr, End::Server),
        ] {
            if kind == ZoneKind::Unassigned {
                let own = subject(kind, zone, addr, None);
                let subjects = if end == End::Client {
                    [own, String::new()]
                } else {
                    [String::new(), own]
                };
                self.feed(edge, Kind::Unassigned, Severity::Low, subjects, false);
            }
        }
    }

    /// The subject of a server: of a connection from inside to a public address of one's own, just that.
    fn server_subject(&self, kind: ZoneKind, is_from_inside: bool, edge: &EdgeRow<'_>) -> String {
        // What became a stranger's in between is told as a stranger's.
        let is_own = || {
            let mut times = [edge.first_seen, edge.last_seen].into_iter();
            times.all(|at| self.policy.is_own_public(edge.server_addr, at))
        };
        if is_from_inside && !kind.is_inside() && is_own() {
            return SELF_PUBLIC.to_owned();
        }
        subject(
            kind,
            edge.server_zone,
            edge.server_addr,
            edge.server_workload,
        )
    }

    /// Ends an hour: of each finding and end the ten heaviest addresses of the hour count for the day.
    pub fn end_hour(&mut self) {
        for ((id, end), bytes) in self.hour.drain() {
            let Some(gathered) = self.findings.get_mut(&id) else {
                continue;
            };
            let day = match end {
                End::Client => &mut gathered.client.bytes,
                End::Server => &mut gathered.server.bytes,
            };
            for (addr, bytes) in heaviest(bytes) {
                *day.entry(addr).or_default() += bytes;
            }
        }
    }

    /// How many findings were let go because the day had too many.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// The day's findings: worst first, then by kind and id.
    pub fn finish(mut self) -> Vec<Finding> {
        self.end_hour();
        let mut findings: Vec<Finding> =
            self.findings.into_values().map(Gathered::finish).collect();
        findings.sort_by(in_order);
        findings
    }

    /// Feeds the finding with these subjects; `paired` findings are about a connection, others about one address.
    fn feed(
        &mut self,
        edge: &EdgeRow<'_>,
        kind: Kind,
        severity: Severity,
        subjects: [String; 2],
        paired: bool,
    ) {
        let (port, protocol) = if paired {
            (edge.server_port, edge.protocol)
        } else {
            (None, 0)
        };
        let rule = if paired { edge.rule } else { "" };
        let id = finding_id(edge.network, kind, &subjects, port, protocol, rule);
        if !self.findings.contains_key(&id) && self.findings.len() == FINDINGS_CAP {
            self.let_go += 1;
            return;
        }
        let gathered = self.findings.entry(id).or_insert_with(|| {
            Gathered::new(
                self.policy,
                self.day,
                id,
                edge,
                kind,
                severity,
                subjects,
                (port, protocol, rule),
            )
        });
        gathered.add(edge, severity);
        if paired {
            let ends = [edge.client_addr, edge.server_addr];
            let times = [edge.first_seen, edge.last_seen];
            gathered.names.add(self.policy, edge.network, ends, times);
        }
        if gathered.finding.kind != Kind::Unassigned {
            gathered.finding.muted |= is_muted(
                self.policy,
                kind,
                [edge.client_zone, edge.server_zone],
                (edge.protocol, edge.server_port, edge.rule),
                edge.first_seen,
            );
        }
        let bytes = edge.bytes();
        for (end, addr) in [
            (End::Client, edge.client_addr),
            (End::Server, edge.server_addr),
        ] {
            *self
                .hour
                .entry((id, end))
                .or_default()
                .entry(addr)
                .or_default() += bytes;
        }
    }
}

/// The order of a day's findings: worst first, then by kind and id.
pub fn in_order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let rank = |finding: &Finding| {
        let worst_first = std::cmp::Reverse(finding.severity);
        (worst_first, finding.muted, finding.kind)
    };
    rank(a)
        .cmp(&rank(b))
        .then_with(|| a.finding_id.cmp(&b.finding_id))
}

impl Gathered {
    #[allow(clippy::too_many_arguments)]
    fn new(
        policy: &Policy,
        day: u32,
        id: Id,
        edge: &EdgeRow<'_>,
        kind: Kind,
        severity: Severity,
        [client, server]: [String; 2],
        (server_port, protocol, rule): (Option<u16>, u8, &str),
    ) -> Gathered {
        let stated = policy.rule_by_id(rule);
        let subject = |subject: &str, zone: &str| Subject {
            subject: subject.to_owned(),
            zone: if subject.is_empty() {
                String::new()
            } else {
                zone.to_owned()
            },
            addresses: 0,
            heaviest: Vec::new(),
        };
        let finding = Finding {
            finding_id: format!("{id:016x}"),
            day,
            kind,
            severity,
            confidence: edge.confidence,
            title: title(kind, [&client, &server], edge, server_port, protocol),
            network: edge.network.to_owned(),
            client: subject(&client, edge.client_zone),
            server: subject(&server, edge.server_zone),
            server_names: ServerNames::default(),
            server_port,
            protocol: (kind != Kind::Unassigned).then_some(protocol),
            rule: rule.to_owned(),
            reason: stated.map(|rule| rule.reason.clone()).unwrap_or_default(),
            owner: stated.map(|rule| rule.owner.clone()).unwrap_or_default(),
            controls: stated.map(|rule| rule.controls.clone()).unwrap_or_default(),
            lacked: edge.lacked.map(str::to_owned),
            outcome: edge.outcome,
            via: edge.via,
            account_id: None,
            region: None,
            vpc_id: None,
            subnet_id: None,
            interface_id: None,
            instance_id: None,
            first_seen: edge.first_seen,
            last_seen: edge.last_seen,
            records: 0,
            connections: 0,
            packets: 0,
            bytes: 0,
            source: edge.source.to_owned(),
            line: edge.line,
            muted: false,
        };
        Gathered {
            finding,
            client: GatheredEnd::default(),
            server: GatheredEnd::default(),
            names: NamesGatherer::default(),
            via_differs: false,
        }
    }

    fn add(&mut self, edge: &EdgeRow<'_>, severity: Severity) {
        let finding = &mut self.finding;
        finding.severity = finding.severity.max(severity);
        finding.confidence = finding.confidence.max(edge.confidence);
        if finding.outcome.map(gravity) < edge.outcome.map(gravity) {
            finding.outcome = edge.outcome;
        }
        self.via_differs |= finding.via != edge.via;
        if let Some(lacked) = edge.lacked
            && finding.lacked.as_deref().is_none_or(|known| lacked < known)
        {
            finding.lacked = Some(lacked.to_owned());
        }
        let known = Inside {
            account_id: finding.account_id.as_deref(),
            region: finding.region.as_deref(),
            vpc_id: finding.vpc_id.as_deref(),
            subnet_id: finding.subnet_id.as_deref(),
            interface_id: finding.interface_id.as_deref(),
            instance_id: finding.instance_id.as_deref(),
        };
        let nothing = Inside::default();
        if edge.inside != nothing && (known == nothing || edge.inside < known) {
            finding.account_id = edge.inside.account_id.map(str::to_owned);
            finding.region = edge.inside.region.map(str::to_owned);
            finding.vpc_id = edge.inside.vpc_id.map(str::to_owned);
            finding.subnet_id = edge.inside.subnet_id.map(str::to_owned);
            finding.interface_id = edge.inside.interface_id.map(str::to_owned);
            finding.instance_id = edge.inside.instance_id.map(str::to_owned);
        }
        finding.first_seen = finding.first_seen.min(edge.first_seen);
        finding.last_seen = finding.last_seen.max(edge.last_seen);
        finding.records += edge.records;
        finding.connections += edge.connections;
        finding.packets = finding
            .packets
            .saturating_add(edge.packets_to_server)
            .saturating_add(edge.packets_to_client);
        finding.bytes = finding.bytes.saturating_add(edge.bytes());
        if (edge.source, edge.line) < (finding.source.as_str(), finding.line) {
            finding.source = edge.source.to_owned();
            finding.line = edge.line;
        }
        self.client.distinct.add_addr(edge.client_addr);
        self.server.distinct.add_addr(edge.server_addr);
    }

    fn finish(self) -> Finding {
        let mut finding = self.finding;
        finding.server_names = self.names.finish();
        if self.via_differs {
            finding.via = None;
        }
        for (subject, gathered) in [
            (&mut finding.client, self.client),
            (&mut finding.server, self.server),
        ] {
            subject.addresses = gathered.distinct.estimate();
            subject.heaviest = heaviest(gathered.bytes);
        }
        finding
    }
}

/// What an outcome weighs: the further the traffic got, the more.
fn gravity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Established => 7,
        Outcome::Forwarded => 6,
        Outcome::Delivered => 5,
        Outcome::Sent => 4,
        Outcome::Refused => 3,
        Outcome::RejectedReturn => 2,
        Outcome::RejectedServer => 1,
        Outcome::RejectedClient => 0,
    }
}

/// One sentence for people.
fn title(
    kind: Kind,
    [client, server]: [&str; 2],
    edge: &EdgeRow<'_>,
    port: Option<u16>,
    protocol: u8,
) -> String {
    let from = shown(client, edge.client_zone);
    let to = shown(server, edge.server_zone);
    let service = service(protocol, port);
    match kind {
        Kind::DeniedAttempt if edge.verdict == Verdict::Attempted => {
            format!("{from} tried to reach {to} on {service}, which is denied")
        }
        Kind::DeniedAttempt => {
            format!("{from} was kept from reaching {to} on {service}, which is denied")
        }
        Kind::EgressViolation => {
            format!("{from} reached out to {to} on {service}, which is denied")
        }
        Kind::CrossTierViolation => format!("{from} crossed to {to} on {service}, which is denied"),
        Kind::IntraTierViolation => {
            format!("{from} reached its neighbour {to} on {service}, which is denied")
        }
        Kind::IngressViolation => format!("{from} came in to {to} on {service}, which is denied"),
        Kind::Overblocked => {
            format!("{from} is allowed to reach {to} on {service}, but the network rejects it")
        }
        Kind::Unproven => format!(
            "{from} reached {to} on {service}; whether that is allowed cannot be told from the logs"
        ),
        Kind::Unassigned => format!(
            "{} is in no tier",
            if client.is_empty() { server } else { client }
        ),
        // Detectors have titles of their own.
        _ => format!("{}: {from} and {to} on {service}", kind.as_str()),
    }
}
