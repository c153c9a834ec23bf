//! The judgement of a connection: all that its records have in common.

use super::decide::{By, Decision, Question, covers, decide, has_ports, service_ports};
use super::orient::{Case, Oriented, Reject};
use super::place::TwinEnd;
use super::policy::{Ports, TwinPolicy};
use super::seen::{End, Seen};
use super::slot::{Observer, is_nat_type};
use super::verdict::{flags, lower, outcome, severity, verdict};

/// The judgement of a connection in its slot.
#[derive(Clone, Debug)]
pub struct OfConnection {
    /// The instant that the policy was asked about.
    pub at: u32,
    pub orientation: Oriented,
    pub client: TwinEnd,
    pub server: TwinEnd,
    pub outcome: Option<&'static str>,
    pub via: Option<String>,
    /// Why none of its records is judged.
    pub unjudged: Option<&'static str>,
    /// Whether ICMP of it is diagnostic; comes after the reasons of single records.
    pub diagnostic: bool,
    pub decision: Decision,
    pub verdict: &'static str,
    pub severity: &'static str,
    pub flags: [bool; 5],
}

impl OfConnection {
    /// Why a record is not judged: the first reason that fits, copies aside.
    pub fn reason(&self, case: &Case<'_>, record: &Seen) -> Option<&'static str> {
        if self.unjudged.is_some() {
            return self.unjudged;
        }
        match case.reject(record, &self.orientation) {
            Some(Reject::PostClose) => Some("post-close"),
            Some(Reject::Stray) => Some("stray"),
            _ if self.diagnostic => Some("diagnostic"),
            _ => None,
        }
    }
}

pub fn judge_connection(policy: &TwinPolicy, case: &Case<'_>) -> OfConnection {
    let at = instant(case);
    let policy = &policy.at(at);
    let orientation = case.orientation();
    let client = twin_end(policy, case, &orientation.client);
    let server = twin_end(policy, case, &orientation.server);
    let outcome = outcome(policy, case, &orientation);
    let via = via(policy, case, &orientation, &server);
    let protocol = case.records[0].protocol;

    let forward = Question {
        client: client.clone(),
        server: server.clone(),
        protocol,
        at,
        path: via.clone(),
        encrypted: encrypted(case),
    };
    let backward = Question {
        client: server.clone(),
        server: client.clone(),
        ..forward.clone()
    };
    let (shown, opposite) = (decide(policy, &forward), decide(policy, &backward));
    let is_peer = orientation.evidence == "peer";
    let decision = if is_peer {
        both_ways(policy, protocol, server.port, &shown, &opposite)
    } else {
        shown
    };

    let verdict = verdict(decision.answer, outcome, protocol);
    let severity_of = |client: &TwinEnd, server: &TwinEnd, decision: &Decision| {
        severity(policy, client, server, decision, outcome, verdict)
    };
    let mut severity = severity_of(&client, &server, &decision);
    if orientation.confidence == "ambiguous" && decision.answer == "deny" {
        // Where the opposite direction would be allowed, at most low; where both are denied, the lower of the two.
        if opposite.answer == "allow" {
            severity = lower(severity, "low");
        }
        if opposite.answer == "deny" {
            severity = lower(severity, severity_of(&server, &client, &opposite));
        }
    }
    let is_icmp = protocol == 1 || protocol == 58;
    let denied = decision.answer == "deny";
    let without_rule = is_icmp && denied && !is_rule_of(policy, &decision, protocol);
    if without_rule {
        severity = lower(severity, "low");
    }
    OfConnection {
        at,
        unjudged: unjudged(policy, case, &orientation, &client, &server),
        diagnostic: without_rule && had_accepted_connection(case, &orientation),
        flags: flags(policy, &client, &server, decision.answer, verdict),
        orientation,
        client,
        server,
        outcome,
        via,
        decision,
        verdict,
        severity,
    }
}

/// The earliest start of its records, else their earliest end.
fn instant(case: &Case<'_>) -> u32 {
    let records = || case.records.iter().map(|record| &record.record);
    let start = records().filter_map(|record| record.start).min();
    let end = || records().filter_map(|record| record.end).min();
    start.or_else(end).unwrap_or(0)
}

/// An end with its memberships: every service that any record of the connection names, every group.
fn twin_end(policy: &TwinPolicy, case: &Case<'_>, end: &End) -> TwinEnd {
    let as_source = case
        .records
        .iter()
        .filter(|record| record.src == *end)
        .map(|record| &record.record.src_service);
    let as_target = case
        .records
        .iter()
        .filter(|record| record.dst == *end)
        .map(|record| &record.record.dst_service);
    TwinEnd {
        home: end.inside.then(|| end.network.clone()),
        addr: end.addr,
        port: end.port,
        groups: case.slot.groups(policy, end),
        services: as_source.chain(as_target).flatten().cloned().collect(),
        services_known: case.records.iter().any(|record| record.says_services),
    }
}

/// The reasons that hold for a whole connection, in their order.
fn unjudged(
    policy: &TwinPolicy,
    case: &Case<'_>,
    orientation: &Oriented,
    client: &TwinEnd,
    server: &TwinEnd,
) -> Option<&'static str> {
    let ends = [&orientation.client, &orientation.server];
    let is_transit = ends.map(|end| case.slot.is_transit_end(policy, end));
    let unasked = |host: &End, nat: &End| {
        let asked = case.records.iter().any(|record| record.src == *nat);
        !host.inside && !asked
    };
    let [client_end, server_end] = ends;
    let to_nat = (is_transit[0] && unasked(server_end, client_end))
        || (is_transit[1] && unasked(client_end, server_end));
    let only_syn_ack = case
        .records
        .iter()
        .all(|record| record.is_syn_ack() && record.src == *server_end);
    match () {
        () if client_end.same_host(server_end) => Some("self"),
        () if client.zone(policy) == "local" || server.zone(policy) == "local" => Some("local"),
        () if !client.is_inside() && !server.is_inside() => Some("unmapped"),
        () if to_nat => Some("nat-unsolicited"),
        () if is_transit[0] || is_transit[1] => Some("transit"),
        () if only_syn_ack && case.client_in_horizon().is_none() => Some("unsolicited"),
        () => None,
    }
}

/// The way out, from the egress records of the inside end's interface.
fn via(
    policy: &TwinPolicy,
    case: &Case<'_>,
    orientation: &Oriented,
    server: &TwinEnd,
) -> Option<String> {
    let inside = match orientation.client.inside {
        true => &orientation.client,
        false => &orientation.server,
    };
    if !inside.inside {
        return None;
    }
    let is_egress = |record: &&&Seen| {
        record.src == *inside && case.slot.observer(policy, record) == Observer::Src
    };
    let egress: Vec<&Seen> = case.records.iter().filter(is_egress).copied().collect();

    // NAT leads outside only: a NAT interface reported the connection, or is the next hop.
    let by_next_hop = egress.iter().map(|seen| &seen.record).any(|record| {
        let listed = |id: &String| policy.transit.contains(id);
        is_nat_type(record.next_hop_type.as_deref())
            || record.next_hop_id.as_ref().is_some_and(listed)
    });
    let by_nat = case
        .records
        .iter()
        .any(|record| case.slot.is_nat_record(policy, record, server));
    if !server.is_inside() && (by_next_hop || by_nat) {
        return Some("nat".to_string());
    }
    let both_inside = orientation.client.inside && orientation.server.inside;
    let has_endpoint = server.services.contains("S3") || server.services.contains("DYNAMODB");
    let path = |code: u8| match code {
        // Towards the outside, another interface of the VPC is a next hop and no path.
        1 if both_inside => Some("local"),
        2 if has_endpoint => Some("gateway-endpoint"),
        2 => Some("internet-gateway"),
        3 => Some("vgw"),
        4 | 5 => Some("peering"),
        6 => Some("local-zone"),
        7 => Some("gateway-endpoint"),
        8 => Some("internet-gateway"),
        _ => None,
    };
    let order = [
        "local",
        "gateway-endpoint",
        "internet-gateway",
        "vgw",
        "peering",
        "local-zone",
    ];
    let known = egress.iter().filter_map(|record| path(record.record.path?));
    known
        .min_by_key(|path| order.iter().position(|other| other == path))
        .map(str::to_string)
}

/// Whether all records that have an encryption status say that they were encrypted.
fn encrypted(case: &Case<'_>) -> Option<bool> {
    let said: Vec<u8> = case
        .records
        .iter()
        .filter_map(|record| record.record.encryption)
        .collect();
    (!said.is_empty()).then(|| said.iter().all(|status| (1..=3).contains(status)))
}

/// Whether the rule that decided names the protocol: a rule without ports covers ICMP but is no rule of ICMP.
fn is_rule_of(policy: &TwinPolicy, decision: &Decision, protocol: u8) -> bool {
    let mut rules = policy
        .rules
        .iter()
        .filter(|rule| decision.by == By::Rule && rule.id == decision.rule);
    rules.any(|rule| {
        let ports = match &rule.ports {
            Ports::Any | Ports::Except(_) => &[][..],
            Ports::Only(ports) => ports,
            Ports::Service(name) => service_ports(policy, name),
        };
        ports.iter().any(|ports| covers(ports, protocol, 0))
    })
}

/// ICMP between ends that also had an accepted connection in the slot.
fn had_accepted_connection(case: &Case<'_>, orientation: &Oriented) -> bool {
    let Oriented { client, server, .. } = orientation;
    case.slot.records.iter().any(|record| {
        let forward = record.src.same_host(client) && record.dst.same_host(server);
        let backward = record.src.same_host(server) && record.dst.same_host(client);
        record.protocol != 1
            && record.protocol != 58
            && record.is_accepted()
            && (forward || backward)
    })
}

/// `peer`: both directions are decided. For symmetric services and protocols without ports one allowed direction is
/// enough, else both must be allowed.
fn both_ways(
    policy: &TwinPolicy,
    protocol: u8,
    port: u16,
    shown: &Decision,
    opposite: &Decision,
) -> Decision {
    let order = if !has_ports(protocol) || is_symmetric(policy, protocol, port) {
        ["allow", "unproven", "deny"]
    } else {
        ["deny", "unproven", "allow"]
    };
    let first = |answer: &str| {
        [shown, opposite]
            .into_iter()
            .find(|decision| decision.answer == answer)
    };
    order
        .into_iter()
        .find_map(first)
        .expect("one of the answers")
        .clone()
}

fn is_symmetric(policy: &TwinPolicy, protocol: u8, port: u16) -> bool {
    let declared = policy.services.iter().filter(|service| service.symmetric);
    let mut ports = declared.flat_map(|service| &service.ports);
    let by_default = protocol == 17 && [123, 500, 4500, 137, 138, 5353, 51820].contains(&port);
    by_default || ports.any(|ports| covers(ports, protocol, port))
}
