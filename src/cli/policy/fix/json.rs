//! What would end findings, for programs.

use serde_json::{Value, json};

use super::{Form, Written, flow, written};
use crate::alert::{Fields, finding_fields, instant};
use crate::app::fix::{Fix, Fixes, InNetwork, InPolicy, PairSeen};
use crate::cli::policy::diff::json::change;
use crate::cli::policy::over;
use crate::config::permit::Connection;
use crate::fix::change::Change;
use crate::fix::check::Losses;
use crate::fix::close::{Closing, State};
use crate::fix::mute::Muting;
use crate::fix::open::{self, Opening};
use crate::fix::permission::Permission;
use crate::fix::resting::Replaced;
use crate::fix::{Passed, step_word};
use crate::policy::PolicyErrors;

pub(super) fn json_text(found: &Fixes, form: Form) -> String {
    let whole = json!({
        "program": "tidegate",
        "program_version": env!("CARGO_PKG_VERSION"),
        "lake": found.lake,
        "policy": found.policy.as_ref().map(over::name_json),
        "executed": false,
        "findings": found.fixes.iter().map(|fix| fix_json(fix, found, form)).collect::<Value>(),
    });
    format!("{whole:#}\n")
}

fn fix_json(fix: &Fix, found: &Fixes, form: Form) -> Value {
    let (id, hash) = match &found.policy {
        Some(policy) => (policy.id.as_str(), policy.hash.as_str()),
        None => ("", ""),
    };
    let finding: Fields = finding_fields(id, hash, &fix.found.finding, &Default::default());
    json!({
        "finding": finding,
        "days": fix.found.days.len(),
        "pairs": fix.seen.pairs.iter().map(pair).collect::<Value>(),
        "num_pairs": fix.seen.num_pairs,
        "edges": fix.seen.num_edges,
        "edge_connections": fix.seen.connections,
        "edges_looked_at": fix.seen.edges.len(),
        "network": network(fix, found, form),
        "permit": fix.policy.as_ref().and_then(permit),
        "evidence": fix.policy.as_ref().and_then(evidence),
        "place": fix.policy.as_ref().and_then(place),
        "advice": match &fix.policy {
            Some(InPolicy::Advice(advice)) => Some(advice),
            _ => None,
        },
        "mute": fix.mute.as_ref().map(mute),
    })
}

fn ends(connection: &Connection) -> Value {
    json!({
        "flow": flow(connection),
        "client_addr": connection.client.to_string(),
        "server_addr": connection.server.to_string(),
        "protocol": connection.protocol,
        "server_port": crate::net::protocol::has_ports(connection.protocol).then_some(connection.server_port),
    })
}

fn pair(pair: &PairSeen) -> Value {
    let mut value = ends(&pair.connection);
    value["connections"] = json!(pair.connections);
    value["bytes"] = json!(pair.bytes);
    value["first_seen"] = json!(instant(pair.first_seen));
    value["last_seen"] = json!(instant(pair.last_seen));
    value
}

fn network(fix: &Fix, found: &Fixes, form: Form) -> Value {
    let changes = |changes: &[Change]| -> Value {
        let Some(config) = &found.config else {
            return json!([]);
        };
        let written = written(changes, config, form, &fix.found.finding.finding_id);
        written.iter().map(change_json).collect()
    };
    match &fix.network {
        InNetwork::Nothing => json!({"state": "not-about-the-network"}),
        InNetwork::Held => json!({"state": "held"}),
        InNetwork::NoConfig => json!({"state": "no-config"}),
        InNetwork::OtherNetwork => json!({"state": "other-network"}),
        InNetwork::Close { closing, losses } => json!({
            "state": "close",
            "connections": closing_json(closing),
            "rules": closing.rules.iter().map(replaced).collect::<Value>(),
            "losses": losses_json(losses),
            "changes": changes(&closing.changes),
        }),
        InNetwork::Open(opening) => json!({
            "state": "open",
            "connections": opening_json(opening),
            "besides": opening.besides,
            "changes": changes(&opening.changes),
        }),
    }
}

fn change_json(written: &Written) -> Value {
    match written {
        Written::Call(call) => json!({"form": "cli", "call": call}),
        Written::Snippet(snippet) => {
            json!({"form": "terraform", "what": snippet.what, "text": snippet.text})
        }
    }
}

fn closing_json(closing: &Closing) -> Value {
    let told = closing.connections.iter().map(|told| {
        let (state, at, reasons) = match &told.state {
            State::Closed(step) => ("closed", Some(step_word(*step)), &[][..]),
            State::NotLet => ("not-let-through", None, &[][..]),
            State::Unknown => ("unknown", None, &[][..]),
            State::Open(reasons) => ("open", None, reasons.as_slice()),
        };
        let mut value = ends(&told.connection);
        value["state"] = json!(state);
        value["at"] = json!(at);
        value["reasons"] = json!(reasons);
        value["passes"] = passes(&told.passed);
        value
    });
    told.collect()
}

fn opening_json(opening: &Opening) -> Value {
    let told = opening.connections.iter().map(|told| {
        let mut value = ends(&told.connection);
        value["state"] = json!(match told.state {
            open::State::Opened => "opened",
            open::State::Let => "let-through",
            open::State::Unknown => "unknown",
        });
        value["passes"] = passes(&told.passed);
        value
    });
    told.collect()
}

fn passes(passed: &[Passed]) -> Value {
    let hops = passed.iter().map(|hop| {
        let by = hop
            .by
            .iter()
            .map(|by| json!({"id": (!by.id.is_empty()).then_some(&by.id), "text": by.text}));
        json!({
            "at": step_word(hop.step),
            "lets": hop.lets,
            "by": by.collect::<Value>(),
        })
    });
    hops.collect()
}

fn replaced(rule: &Replaced) -> Value {
    json!({
        "group": rule.group,
        "rule": rule.rule.to_string(),
        "replaced_by": rule.by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "lets_through": rule.lets,
        "compliant_connections": rule.compliant,
        "example": rule.example.as_ref().map(|(source, line)| json!({"source": source, "line": line})),
        "carriers": rule.carriers,
        "carriers_complete": rule.is_complete,
    })
}

fn losses_json(losses: &Losses) -> Value {
    let example = losses.example.as_ref().map(|(connection, source, line)| {
        let mut value = ends(connection);
        value["source"] = json!(source);
        value["line"] = json!(line);
        value
    });
    json!({"compliant_connections": losses.connections, "example": example})
}

fn permit(policy: &InPolicy) -> Option<Value> {
    let InPolicy::Permit(permission) = policy else {
        return None;
    };
    Some(match permission {
        Ok(permission) => permission_json(permission),
        Err(errors) => errors_json(errors),
    })
}

fn permission_json(permission: &Permission) -> Value {
    let edits = permission.edits.iter().map(
        |edit| json!({"rule": edit.rule, "key": edit.key, "list": edit.list, "line": edit.line()}),
    );
    json!({
        "rule": permission.rule,
        "allow": permission.paste,
        "exception": permission.exception,
        "edits": edits.collect::<Value>(),
        "allowed_connections": permission.allowed,
        "other_connections": permission.others,
        "changes": permission.widens.as_ref().ok().map(|changes| changes.iter().map(change).collect::<Vec<_>>()),
        "not_compared": permission.widens.as_ref().err().map(ToString::to_string),
    })
}

fn evidence(policy: &InPolicy) -> Option<Value> {
    let InPolicy::Evidence(missing) = policy else {
        return None;
    };
    let missing = missing.iter().map(
        |one| json!({"rule": one.rule, "word": one.word, "evidence": one.evidence, "how": one.how}),
    );
    Some(missing.collect())
}

fn place(policy: &InPolicy) -> Option<Value> {
    let InPolicy::Place(placing) = policy else {
        return None;
    };
    Some(match placing {
        Ok(placing) => json!({
            "subnet": placing.text,
            "whole_subnet": placing.is_subnet,
            "tier": placing.tier,
            "holds": placing.holds,
        }),
        Err(errors) => errors_json(errors),
    })
}

fn mute(mute: &Result<Muting, PolicyErrors>) -> Value {
    match mute {
        Ok(muting) => json!({"mute": muting.text, "holds": muting.holds}),
        Err(errors) => errors_json(errors),
    }
}

fn errors_json(errors: &PolicyErrors) -> Value {
    let messages = errors.errors().iter().map(|error| &error.message);
    json!({ "errors": messages.collect::<Vec<_>>() })
}
