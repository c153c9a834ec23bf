//! What a scan must say of a denied connection: kind, severity and subjects, by the tables of `docs/verdicts.md`. They are
//! written here a second time, in the fewest words, so that what is planted does not follow an error of the judge.

use super::world::Spot;
use crate::policy::{Criticality, Decision, Effect, Policy, Severity, ZoneKind};

/// What became of a denied connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Became {
    /// It was answered.
    Violation,
    /// It was rejected.
    Blocked,
    /// It left, and no answer came.
    Attempted,
}

impl Became {
    /// The verdict.
    pub(super) fn verdict(self) -> &'static str {
        match self {
            Became::Violation => "violation",
            Became::Blocked => "blocked",
            Became::Attempted => "attempted",
        }
    }
}

/// The kind of the finding.
pub(super) fn kind(
    policy: &Policy,
    (client, server): (&Spot, &Spot),
    became: Became,
) -> &'static str {
    let is_inside = |spot: &Spot| policy.zone_kind(spot.zone).is_inside();
    match (became, is_inside(client), is_inside(server)) {
        (Became::Blocked | Became::Attempted, ..) => "denied-attempt",
        (_, true, false) => "egress-violation",
        (_, false, _) => "ingress-violation",
        (_, true, true) if client.zone == server.zone => "intra-tier-violation",
        (_, true, true) => "cross-tier-violation",
    }
}

/// How bad it is; info is no finding.
pub(super) fn severity(
    policy: &Policy,
    (client, server): (&Spot, &Spot),
    decision: &Decision,
    became: Became,
) -> Severity {
    if let Some(own) = decision.severity {
        return own;
    }
    let of_client = policy.zone_kind(client.zone);
    let base = match (became, policy.rule(decision.rule).effect) {
        (Became::Violation, Effect::RequireZone) => Severity::Low,
        (Became::Violation, Effect::RequireLabels | Effect::RequireEncrypted) => {
            match decision.unlabelled {
                true => Severity::Low,
                false => Severity::Medium,
            }
        }
        (Became::Violation, _) if client.zone == server.zone => Severity::Medium,
        (Became::Violation, _) => Severity::High,
        (Became::Blocked, _) if of_client == ZoneKind::Private => Severity::Medium,
        _ if of_client.is_inside() => Severity::Medium,
        _ => Severity::Info,
    };
    if base < Severity::Medium {
        return base;
    }
    let inside = if server.home.is_some() {
        server
    } else {
        client
    };
    match policy.criticality(inside.zone) {
        Criticality::High => base.up(),
        Criticality::Medium => base,
        Criticality::Low => base.down(),
    }
}

/// The client's subject: all of the internet is one.
pub(super) fn client_subject(policy: &Policy, spot: &Spot) -> String {
    match policy.zone_kind(spot.zone) {
        ZoneKind::Internet => "internet".to_owned(),
        _ => server_subject(policy, spot),
    }
}

/// The server's subject: its address inside; its destination or AWS service outside, else its neighbourhood.
pub(super) fn server_subject(policy: &Policy, spot: &Spot) -> String {
    match policy.zone_kind(spot.zone) {
        ZoneKind::Tier | ZoneKind::Unassigned => spot.addr.to_string(),
        ZoneKind::Destination | ZoneKind::Aws => policy.zone_name(spot.zone).to_owned(),
        ZoneKind::Internet | ZoneKind::Private | ZoneKind::Local => {
            let (first, length) = spot.addr.neighbourhood();
            format!("{first}/{length}")
        }
    }
}
