//! The drift as JSON: everything, nothing cut short.

use serde_json::{Value, json};

use super::Answer;
use super::text::{ports, why_text};
use crate::alert::instant;
use crate::app::replay::PolicyName;
use crate::cli::policy::over;
use crate::config::Direction;
use crate::config::permit::{Lets, Reference, Step, Through};
use crate::drift::{Cause, Gap, GapKind, Part, Seen, Side, Used};
use crate::policy::Policy;
use crate::policy::diff::{Range, prefixes};

pub(super) fn json_text(answer: &Answer<'_>) -> String {
    let drift = &answer.report.drift;
    let counts = GapKind::ALL.iter().map(|kind| {
        let of_kind = drift.gaps.iter().filter(|gap| gap.kind == *kind);
        let parts: usize = of_kind.map(|gap| gap.parts.len()).sum();
        (kind.as_str().to_owned(), json!(parts))
    });
    let aside = &drift.aside;
    let whole = json!({
        "policy": over::name_json(&PolicyName::of(answer.policy)),
        "config": answer.config,
        "at": instant(answer.at),
        "traffic": answer.report.traffic.as_ref().map(|traffic| {
            let [first, last] = over::times_json(traffic.times);
            json!({
                "over": traffic.over,
                "first_seen": first,
                "last_seen": last,
                "unjudged": over::counts_json(&traffic.unjudged),
                "elsewhere": over::counts_json(&traffic.elsewhere),
            })
        }),
        "counts": counts.collect::<serde_json::Map<_, _>>(),
        "gaps": drift.gaps.iter().map(|gap| gap_json(answer.policy, gap)).collect::<Value>(),
        "not_compared": {
            "vpcs": aside.unlisted_vpcs,
            "networks": aside.missing_networks,
            "addresses": cidrs(&aside.missing),
            "interfaces": aside.carriers,
        },
        "outside_networks": cidrs(&aside.strays),
        "partly_known": aside.partly_known,
        "without_network_acl": aside.without_acl,
        "notes": answer.report.notes,
        "unreadable": over::unreadable_json(&answer.report.unreadable),
    });
    format!("{whole:#}\n")
}

fn gap_json(policy: &Policy, gap: &Gap<'_>) -> Value {
    let [client, server] = gap.zones.map(|zone| policy.zone_name(zone));
    let rule = policy.rule(gap.rule);
    json!({
        "kind": gap.kind.as_str(),
        "network": policy.network_name(gap.network),
        "client_zone": client,
        "server_zone": server,
        "decision": gap.answer.as_str(),
        "rule": rule.id,
        "owner": rule.owner,
        "ports": ports(&gap.ports()),
        "traffic": gap.used().map(|used| used_json(&used)),
        "parts": gap.parts.iter().map(part_json).collect::<Value>(),
    })
}

fn part_json(part: &Part<'_>) -> Value {
    json!({
        "ports": ports(&part.ports),
        "client": side_json(&part.client),
        "server": side_json(&part.server),
        "requests": through(part.request),
        "replies": through(part.reply),
        "hops": part.causes.iter().map(cause_json).collect::<Value>(),
        "example": part.example.flow(),
        "traffic": part.used.as_ref().map(used_json),
    })
}

fn side_json(side: &Side<'_>) -> Value {
    json!({
        "cidrs": cidrs(&side.ranges),
        "security_groups": side.groups,
        "interfaces": side.interfaces,
        "whole_zone": side.is_whole,
        "more": side.is_cut,
    })
}

fn cidrs(ranges: &[Range]) -> Vec<String> {
    prefixes(ranges).iter().map(ToString::to_string).collect()
}

fn through(through: Through) -> &'static str {
    match through {
        Through::All => "all",
        Through::Part => "part",
        Through::Nothing => "nothing",
        Through::Unknown => "unknown",
    }
}

fn cause_json(cause: &Cause<'_>) -> Value {
    let hop = match cause.step {
        Step::ClientGroups => "client-groups",
        Step::ClientAcl => "client-acl",
        Step::ServerAcl => "server-acl",
        Step::ServerGroups => "server-groups",
        Step::ServerAclReply => "server-acl-reply",
        Step::ClientAclReply => "client-acl-reply",
    };
    let (result, by, why) = match &cause.lets {
        Lets::Yes(by) => (
            "lets-through",
            by.iter().map(reference).collect(),
            Vec::new(),
        ),
        Lets::No(by) => ("stops", vec![reference(by)], Vec::new()),
        Lets::Unknown(why) => ("unknown", Vec::new(), why.iter().map(why_text).collect()),
    };
    json!({
        "hop": hop,
        "client_ports": cause.ports.map(|(first, last)| format!("{first}-{last}")),
        "result": result,
        "by": by,
        "why": why,
    })
}

/// What decides at a hop: what there is to know of it in fields, and as text.
fn reference(reference: &Reference<'_>) -> Value {
    let mut value = match reference {
        Reference::GroupRule { group, rule } => json!({
            "what": "group-rule",
            "name": group.name,
            "direction": direction(rule.direction),
            "traffic": rule.traffic.to_string(),
            "peer": rule.peer.to_string(),
            "description": rule.description,
        }),
        Reference::NoRule {
            groups,
            direction: way,
        } => json!({
            "what": "no-rule",
            "security_groups": groups.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(),
            "direction": direction(*way),
        }),
        Reference::Unfiltered { interface } => json!({
            "what": "unfiltered",
            "interface_type": interface.kind,
        }),
        Reference::AclEntry { entry, .. } => json!({
            "what": "acl-entry",
            "direction": direction(entry.direction),
            "number": entry.number,
            "action": if entry.is_allow { "allow" } else { "deny" },
            "traffic": entry.traffic.to_string(),
            "peer": entry.cidr.to_string(),
        }),
        Reference::AclClosing { direction: way, .. } => json!({
            "what": "acl-closing",
            "direction": direction(*way),
        }),
        Reference::NoAcl { .. } => json!({"what": "no-acl"}),
    };
    value["id"] = json!(reference.id());
    value["text"] = json!(reference.to_string());
    value
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn used_json(used: &Used) -> Value {
    json!({
        "accepted": used.accepted.as_ref().map(seen_json),
        "rejected": used.rejected.as_ref().map(seen_json),
    })
}

fn seen_json(seen: &Seen) -> Value {
    json!({
        "records": seen.counts.records,
        "connections": seen.counts.connections,
        "bytes": seen.counts.bytes,
        "first_seen": instant(seen.first),
        "last_seen": instant(seen.last),
        "source": seen.source,
        "line": seen.line,
    })
}
