//! An explanation as one JSON object. Every rule is in it.

use serde_json::{Value, json};

use super::{Told, text};
use crate::cli::report::words::moment;
use crate::net::protocol;
use crate::policy::{
    EndStory, Holding, InterfaceStory, Lookup, NamesStory, Part, Policy, RequireStanding,
    RequireState, RuleId, RuleStanding, Standing,
};

/// The explanation.
pub(super) fn value(told: &Told<'_>) -> Value {
    let policy = told.policy;
    let (about, flow) = (&told.about, &told.flow);
    let explanation = &about.explanation;
    let decision = &explanation.decision;
    let rule = policy.rule(decision.rule);
    let port = protocol::has_ports(flow.protocol).then_some(flow.server_port);
    let qualified = explanation.qualified.iter();
    let qualified: Vec<&str> = qualified.map(|rule| id(policy, rule.rule)).collect();
    let held_by = about.held_by.iter();
    let held_by: Vec<&str> = held_by
        .map(|network| policy.network_name(*network))
        .collect();
    json!({
        "policy_id": policy.id(),
        "policy_hash": policy.hash(),
        "protocol": flow.protocol,
        "server_port": port,
        "at": moment(flow.at),
        "network": policy.network_name(about.network),
        "held_by": held_by,
        "client": end(&about.client),
        "server": end(&about.server),
        "names": about.names.as_ref().map(names),
        "rules": explanation.rules.iter().map(|rule| standing(policy, rule)).collect::<Vec<Value>>(),
        "requires": explanation.requires.iter().map(|require| state(policy, require)).collect::<Vec<Value>>(),
        "decision": decision.answer.as_str(),
        "rule": rule.id,
        "reason": not_empty(&rule.reason),
        "owner": not_empty(&rule.owner),
        "controls": rule.controls,
        "severity": decision.severity.map(|severity| severity.as_str()),
        "step": explanation.step.as_str(),
        "step_words": text::step(explanation.step),
        "qualified": qualified,
        "named_by": explanation.tie().map(|tie| tie.as_str()),
        "lacked": decision.miss.map(|miss| policy.explain_miss(miss, flow.at)),
        "via_unknown": decision.via_unknown,
        "opposite": told.opposite.as_ref().map(|opposite| {
            json!({ "decision": opposite.answer.as_str(), "rule": id(policy, opposite.rule) })
        }),
    })
}

fn id(policy: &Policy, rule: RuleId) -> &str {
    &policy.rule(rule).id
}

fn ids<'p>(policy: &'p Policy, rules: &[RuleId]) -> Vec<&'p str> {
    rules.iter().map(|rule| id(policy, *rule)).collect()
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn end(story: &EndStory<'_>) -> Value {
    let subnets = story.subnets.iter().map(|subnet| {
        let labels: serde_json::Map<String, Value> = subnet
            .labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        json!({
            "id": subnet.id,
            "tier": subnet.tier,
            "az": subnet.az,
            "labels": labels,
            "prefix": subnet.prefix.to_string(),
        })
    });
    json!({
        "addr": story.addr.to_string(),
        "network": story.network.as_ref().map(holding),
        "subnets": subnets.collect::<Vec<Value>>(),
        "groups": holdings(&story.groups),
        "groups_by_records": story.groups_by_facts,
        "groups_by_inventory": story.groups_by_inventory,
        "interfaces": story.interfaces.iter().map(interface).collect::<Vec<Value>>(),
        "possible_groups": story.possible_groups,
        "destinations": holdings(&story.destinations),
        "aws_services_by_records": story.services_known.then_some(&story.services_by_field),
        "aws_services": story.has_ranges.then(|| holdings(&story.services)),
        "special": story.special.map(|prefix| prefix.to_string()),
        "zone": story.zone,
    })
}

fn interface(one: &InterfaceStory<'_>) -> Value {
    json!({
        "id": one.id,
        "file": one.file,
        "from": one.from.map(moment),
        "interface_type": one.kind,
        "instance_id": one.instance,
        "security_groups": one.security_groups,
    })
}

fn names(story: &NamesStory<'_>) -> Value {
    let lookups = |lookups: &[Lookup<'_>]| -> Vec<Value> {
        let lookups = lookups.iter().map(|lookup| {
            json!({
                "name": lookup.name,
                "aliases": lookup.aliases,
                "first": moment(i64::from(lookup.first)),
                "last": moment(i64::from(lookup.last)),
            })
        });
        lookups.collect()
    };
    json!({
        "covered": story.domains.known,
        "grace_seconds": story.grace,
        "asked_by_client": lookups(&story.of_client),
        "asked_by_others": lookups(&story.of_others),
        "destinations": story.destinations,
        "level": story.by_name.map(|by_name| by_name.level.as_str()),
        "shared": story.domains.shared,
    })
}

fn holdings(held: &[Holding<'_>]) -> Vec<Value> {
    held.iter().map(holding).collect()
}

fn holding(held: &Holding<'_>) -> Value {
    json!({ "name": held.name, "prefix": held.prefix.to_string() })
}

fn standing(policy: &Policy, rule: &RuleStanding) -> Value {
    let unproven = rule.unproven.iter().map(|doubt| {
        json!({
            "condition": doubt.part.as_str(),
            "word": doubt.word,
            "evidence": doubt.evidence,
        })
    });
    let failed = rule.failed.iter().copied().map(Part::as_str);
    json!({
        "id": id(policy, rule.rule),
        "effect": policy.rule(rule.rule).effect.as_str(),
        "standing": match rule.standing {
            Standing::Matched => "matched",
            Standing::Nearly(_) => "nearly",
            Standing::Unproven => "unproven",
            Standing::Apart => "apart",
        },
        "failed": failed.collect::<Vec<&str>>(),
        "unproven": unproven.collect::<Vec<Value>>(),
        "broken": ids(policy, &rule.broken),
        "client": rule.client,
        "server": rule.server,
    })
}

fn state(policy: &Policy, require: &RequireStanding) -> Value {
    let unlabelled = matches!(require.state, RequireState::Broken { unlabelled: true });
    json!({
        "id": id(policy, require.rule),
        "state": match require.state {
            RequireState::Elsewhere => "elsewhere",
            RequireState::NotInForce => "not-in-force",
            RequireState::Satisfied => "satisfied",
            RequireState::Broken { .. } => "broken",
            RequireState::Unknown => "unproven",
        },
        "unlabelled": unlabelled,
        "exempt": ids(policy, &require.exempt),
    })
}
