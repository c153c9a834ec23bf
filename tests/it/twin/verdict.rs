//! Outcome, verdict, flags and severity of a connection.

use super::decide::{By, Decision};
use super::orient::{Case, Oriented, Reject};
use super::place::TwinEnd;
use super::policy::TwinPolicy;
use super::seen::Seen;
use super::slot::Observer;

/// What became of the connection: the first row of the table that fits. None if nothing tells.
pub fn outcome(
    policy: &TwinPolicy,
    case: &Case<'_>,
    orientation: &Oriented,
) -> Option<&'static str> {
    // A late or stray REJECT does not touch its connection's outcome.
    let class = |record: &Seen| case.reject(record, orientation);
    let of_outcome =
        |record: &&&Seen| !matches!(class(record), Some(Reject::PostClose | Reject::Stray));
    let records: Vec<&Seen> = case.records.iter().filter(of_outcome).copied().collect();

    let requests = || {
        records
            .iter()
            .filter(|record| orientation.is_request(record))
    };
    let replies = || {
        records
            .iter()
            .filter(|record| !orientation.is_request(record))
    };
    let request_accepted = requests().any(|record| record.is_accepted());
    let reply_accepted = replies().any(|record| record.is_accepted());
    let observer = |record: &Seen| side(policy, case, orientation, record);

    // rejected_server, rejected_client: a REJECT of the client's direction at that side's interface and no accepted
    // reply; a REJECT of an unknown interface counts as the server's.
    let mut rejected = requests().filter(|record| record.is_rejected());
    if !reply_accepted && rejected.clone().any(|record| observer(record) != "client") {
        return Some("rejected_server");
    }
    if !reply_accepted && rejected.any(|record| observer(record) == "client") {
        return Some("rejected_client");
    }
    // rejected_return: the request was accepted and the reply rejected.
    if replies().any(|record| class(record) == Some(Reject::Return)) {
        return Some("rejected_return");
    }
    // refused: TCP: the request's SYN is in the slot, and every record of the reverse direction has RST and no SYN.
    let request_syn = requests().any(|record| record.is_own_syn());
    let refusal =
        replies().next().is_some() && replies().all(|record| record.has_rst() && !record.has_syn());
    if request_syn && refusal {
        return Some("refused");
    }
    // established: an accepted SYN-ACK, accepted records in both directions, or an accepted TCP record known to carry
    // neither SYN nor RST.
    let mut accepted = records.iter().filter(|record| record.is_accepted());
    let mid_connection =
        |record: &Seen| record.flags().is_some() && !record.has_syn() && !record.has_rst();
    let flows = accepted
        .clone()
        .any(|record| record.is_syn_ack() || mid_connection(record));
    if (request_accepted && reply_accepted) || flows {
        return Some("established");
    }
    // delivered: accepted at the server's interface, no reply seen.
    if accepted.clone().any(|record| observer(record) == "server") {
        return Some("delivered");
    }
    // sent: accepted at the client's interface (or an unknown one) only, no reply seen.
    if accepted.next().is_some() {
        return Some("sent");
    }
    // forwarded: a transit gateway record with bytes forwarded.
    let mut gateways = records.iter().filter(|record| record.gateway);
    if gateways
        .clone()
        .any(|record| record.record.bytes.unwrap_or(0) > 0)
    {
        return Some("forwarded");
    }
    // What no row covers: only a reply was rejected and nothing accepted; a transit gateway lost every packet.
    if records.iter().any(|record| record.is_rejected()) {
        return Some("rejected_server");
    }
    gateways.next().map(|_| "sent")
}

/// The `observer` column: which end of the connection the record's interface is.
pub fn side(
    policy: &TwinPolicy,
    case: &Case<'_>,
    orientation: &Oriented,
    record: &Seen,
) -> &'static str {
    let is_source = match case.slot.observer(policy, record) {
        Observer::Transit => return "transit",
        Observer::Unknown => return "unknown",
        Observer::Src => true,
        Observer::Dst => false,
    };
    if is_source == orientation.is_request(record) {
        "client"
    } else {
        "server"
    }
}

/// Decision and outcome together.
pub fn verdict(answer: &str, outcome: Option<&str>, protocol: u8) -> &'static str {
    let rejected = outcome.is_some_and(|outcome| outcome.starts_with("rejected_"));
    match answer {
        "allow" if rejected => "overblocked",
        "allow" => "compliant",
        "deny" if rejected => "blocked",
        "deny" if outcome == Some("sent") && protocol == 6 => "attempted",
        "deny" => "violation",
        _ => "unproven",
    }
}

/// The five flags: denied attempt, egress, cross-tier, intra-tier, ingress violation.
pub fn flags(
    policy: &TwinPolicy,
    client: &TwinEnd,
    server: &TwinEnd,
    answer: &str,
    verdict: &str,
) -> [bool; 5] {
    let denied = answer == "deny";
    let same_tier = client.zone(policy) == server.zone(policy);
    [
        verdict == "blocked" || verdict == "attempted",
        denied && client.is_inside() && !server.is_inside(),
        denied && client.is_inside() && server.is_inside() && !same_tier,
        denied && client.is_inside() && server.is_inside() && same_tier,
        denied && !client.is_inside() && server.is_inside(),
    ]
}

const STEPS: [&str; 5] = ["info", "low", "medium", "high", "critical"];

fn step(severity: &str) -> usize {
    STEPS
        .iter()
        .position(|step| *step == severity)
        .expect("a severity")
}

/// The lower of two severities.
pub fn lower(a: &'static str, b: &'static str) -> &'static str {
    STEPS[step(a).min(step(b))]
}

/// The severity of one direction, before what ambiguity takes from it.
pub fn severity(
    policy: &TwinPolicy,
    client: &TwinEnd,
    server: &TwinEnd,
    decision: &Decision,
    outcome: Option<&str>,
    verdict: &str,
) -> &'static str {
    if verdict == "compliant" {
        return "info";
    }
    if let Some(own) = &decision.severity {
        return STEPS[step(own)];
    }
    let base = base_severity(policy, client, server, decision, outcome, verdict);
    if base < step("medium") {
        return STEPS[base];
    }
    let inside = if server.is_inside() { server } else { client };
    let tier = inside.subnet(policy).map(|subnet| subnet.tier.as_str());
    let criticality = policy
        .tiers
        .iter()
        .find(|(name, _)| Some(name.as_str()) == tier);
    match criticality.map(|(_, criticality)| criticality.as_str()) {
        Some("high") => STEPS[(base + 1).min(4)],
        Some("low") => STEPS[base - 1],
        _ => STEPS[base],
    }
}

fn base_severity(
    policy: &TwinPolicy,
    client: &TwinEnd,
    server: &TwinEnd,
    decision: &Decision,
    outcome: Option<&str>,
    verdict: &str,
) -> usize {
    match verdict {
        "violation" => {
            let both_inside = client.is_inside() && server.is_inside();
            let within_a_tier = both_inside && client.zone(policy) == server.zone(policy);
            let severity = match decision.by {
                By::Require(severity) => step(severity),
                _ if within_a_tier => step("medium"),
                _ => step("high"),
            };
            // One step lower for delivered and refused.
            if matches!(outcome, Some("delivered" | "refused")) {
                severity - 1
            } else {
                severity
            }
        }
        "attempted" if client.is_inside() => step("medium"),
        "blocked" if client.is_inside() || client.is_private() => step("medium"),
        "overblocked" if client.is_inside() => step("medium"),
        "unproven" => step("low"),
        _ => step("info"),
    }
}
