//! Decision and outcome become a verdict, flags, a severity and a kind: one function each, and nothing else sets them.

use crate::policy::{Answer, Criticality, Decision, Effect, Policy, Severity, ZoneId, ZoneKind};

use super::{Flags, Kind, Outcome, Verdict};

/// The verdict.
///
/// | policy decides | outcome | verdict |
/// |---|---|---|
/// | allow | any but rejected | compliant |
/// | allow | rejected | overblocked |
/// | deny | rejected | blocked |
/// | deny | sent, TCP | attempted |
/// | deny | any other | violation |
/// | unproven | any | unproven |
pub fn verdict(answer: Answer, outcome: Outcome, is_tcp: bool) -> Verdict {
    let rejected = matches!(
        outcome,
        Outcome::RejectedServer | Outcome::RejectedClient | Outcome::RejectedReturn
    );
    match answer {
        Answer::Allow if rejected => Verdict::Overblocked,
        Answer::Allow => Verdict::Compliant,
        Answer::Deny if rejected => Verdict::Blocked,
        Answer::Deny if is_tcp && outcome == Outcome::Sent => Verdict::Attempted,
        Answer::Deny => Verdict::Violation,
        Answer::Unproven => Verdict::Unproven,
    }
}

/// The zones of a connection's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zones {
    /// The client's.
    pub client: ZoneId,
    /// The server's.
    pub server: ZoneId,
}

/// The flags of a connection between these zones.
pub fn flags(policy: &Policy, zones: Zones, answer: Answer, verdict: Verdict) -> Flags {
    let (client, server) = (
        policy.zone_kind(zones.client),
        policy.zone_kind(zones.server),
    );
    flags_of_kinds(
        client,
        server,
        zones.client == zones.server,
        answer,
        verdict,
    )
}

/// The flags; `unassigned` counts as a tier.
///
/// | flag | true when |
/// |---|---|
/// | `denied_attempt` | the verdict is blocked or attempted |
/// | `egress_violation` | denied, client inside, server outside |
/// | `cross_tier_violation` | denied, both inside, tiers differ |
/// | `intra_tier_violation` | denied, both inside, same tier |
/// | `ingress_violation` | denied, client outside, server inside |
pub fn flags_of_kinds(
    client: ZoneKind,
    server: ZoneKind,
    same_zone: bool,
    answer: Answer,
    verdict: Verdict,
) -> Flags {
    let denied = answer == Answer::Deny;
    let (client_inside, server_inside) = (client.is_inside(), server.is_inside());
    Flags {
        denied_attempt: matches!(verdict, Verdict::Blocked | Verdict::Attempted),
        egress_violation: denied && client_inside && !server_inside,
        cross_tier_violation: denied && client_inside && server_inside && !same_zone,
        intra_tier_violation: denied && client_inside && server_inside && same_zone,
        ingress_violation: denied && !client_inside && server_inside,
    }
}

/// What kind of finding a connection with this verdict and these flags feeds; none if compliant or unjudged.
pub fn kind(verdict: Verdict, flags: Flags) -> Option<Kind> {
    match verdict {
        Verdict::Compliant | Verdict::Unjudged => None,
        Verdict::Blocked | Verdict::Attempted => Some(Kind::DeniedAttempt),
        Verdict::Overblocked => Some(Kind::Overblocked),
        Verdict::Unproven => Some(Kind::Unproven),
        Verdict::Violation if flags.egress_violation => Some(Kind::EgressViolation),
        Verdict::Violation if flags.cross_tier_violation => Some(Kind::CrossTierViolation),
        Verdict::Violation if flags.intra_tier_violation => Some(Kind::IntraTierViolation),
        Verdict::Violation => Some(Kind::IngressViolation),
    }
}

/// How bad a connection is.
///
/// | verdict | severity before the tier's criticality |
/// |---|---|
/// | violation | of a require: low for the zone, medium for labels and encryption, low where a label is missing; else high where an end is outside or tiers differ, medium within a tier; one step lower if delivered or refused |
/// | attempted | medium from inside, else info |
/// | blocked | medium from inside and from `private`, else info |
/// | overblocked | medium from inside, else info |
/// | unproven | low |
/// | compliant | info |
///
/// From medium up, one step up or down by the criticality of the inside end's tier (both inside: the server's). The
/// deciding rule's own severity replaces all that. What the judge then limits (an ambiguous client, a server that is a
/// public address of one's own) is not known here.
pub fn severity(
    policy: &Policy,
    zones: Zones,
    decision: &Decision,
    outcome: Outcome,
    verdict: Verdict,
) -> Severity {
    let client = policy.zone_kind(zones.client);
    if let Some(own) = decision.severity
        && verdict != Verdict::Compliant
    {
        return own;
    }
    let severity = match verdict {
        Verdict::Violation => {
            let base = violation(policy, zones, decision);
            if matches!(outcome, Outcome::Delivered | Outcome::Refused) {
                base.down()
            } else {
                base
            }
        }
        Verdict::Attempted | Verdict::Overblocked if client.is_inside() => Severity::Medium,
        Verdict::Blocked if client.is_inside() || client == ZoneKind::Private => Severity::Medium,
        Verdict::Unproven => Severity::Low,
        _ => Severity::Info,
    };
    if severity < Severity::Medium {
        return severity;
    }
    let inside = if policy.zone_kind(zones.server).is_inside() {
        zones.server
    } else {
        zones.client
    };
    match policy.criticality(inside) {
        Criticality::High => severity.up(),
        Criticality::Medium => severity,
        Criticality::Low => severity.down(),
    }
}

fn violation(policy: &Policy, zones: Zones, decision: &Decision) -> Severity {
    match policy.rule(decision.rule).effect {
        Effect::RequireZone => Severity::Low,
        Effect::RequireLabels | Effect::RequireEncrypted if decision.unlabelled => Severity::Low,
        Effect::RequireLabels | Effect::RequireEncrypted => Severity::Medium,
        _ if zones.client == zones.server && policy.zone_kind(zones.client).is_inside() => {
            Severity::Medium
        }
        _ => Severity::High,
    }
}
