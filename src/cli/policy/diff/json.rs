//! The difference as one JSON object.

use serde_json::{Value, json};

use super::text::group;
use super::{Compared, addresses, cidrs};
use crate::alert::{Fields, instant};
use crate::net::ports::{NUM_PAIRS, PortSet};
use crate::net::protocol;
use crate::policy::diff::{Change, Example, Side};

pub(super) fn render(compared: &Compared) -> String {
    let diff = &compared.diff;
    let [old, new] = compared.policies.each_ref().map(|(file, policy)| {
        json!(Fields(vec![
            ("id", json!(policy.id())),
            ("hash", json!(policy.hash())),
            ("file", json!(file)),
        ]))
    });
    let edits = diff.edits.iter().map(|edit| {
        Fields(vec![
            ("what", json!(edit.what)),
            ("name", json!(edit.name)),
            ("edited", json!(edit.edited.as_str())),
            ("removed", json!(edit.removed)),
            ("added", json!(edit.added)),
        ])
    });
    let moved = diff.moved.iter().map(|moved| {
        Fields(vec![
            ("network", json!(moved.network)),
            ("cidrs", json!(cidrs(&moved.ranges))),
            ("before", json!(moved.before)),
            ("now", json!(moved.now)),
            ("dates", dates(&moved.dates)),
        ])
    });
    let whole = Fields(vec![
        ("old", old),
        ("new", new),
        ("from", json!(instant(diff.from))),
        ("at", json!(compared.options.at.map(instant))),
        ("not_compared", json!(diff.not_compared)),
        ("edits", json!(edits.collect::<Vec<_>>())),
        ("moved", json!(moved.collect::<Vec<_>>())),
        (
            "changes",
            json!(diff.changes.iter().map(change).collect::<Vec<_>>()),
        ),
    ]);
    let mut text = serde_json::to_string_pretty(&whole).expect("values are plain JSON");
    text.push('\n');
    text
}

/// A change as the list of changes has it.
pub(in crate::cli::policy) fn change(change: &Change) -> Fields {
    let (ports, ports_except) = ports(&change.ports);
    let paths = change.paths.iter();
    let paths = paths.map(|path| path.map_or("unknown", |path| path.as_str()));
    let encrypted = change.encrypted.iter().map(|encrypted| match encrypted {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    });
    let family = change.ipv4.map(|ipv4| if ipv4 { "ipv4" } else { "ipv6" });
    let mut fields = vec![
        ("change", json!(change.kind.as_str())),
        ("network", json!(change.network)),
        ("old_answer", json!(change.before.answer.as_str())),
        ("old_rule", json!(change.before.rule)),
        ("new_answer", json!(change.now.answer.as_str())),
        ("new_rule", json!(change.now.rule)),
    ];
    fields.extend(side(&change.client, CLIENT));
    fields.extend(side(&change.server, SERVER));
    fields.extend([
        ("ports", ports),
        ("ports_except", ports_except),
        ("via", unless_empty(paths.collect())),
        ("encrypted", unless_empty(encrypted.collect())),
        ("dates", dates(&change.dates)),
        ("family", json!(family)),
        ("example", json!(example(&change.example))),
    ]);
    Fields(fields)
}

fn dates(dates: &[(u32, Option<u32>)]) -> Value {
    let dates = dates.iter().map(|(from, until)| {
        Fields(vec![
            ("from", json!(instant(*from))),
            ("until", json!(until.map(instant))),
        ])
    });
    unless_empty(dates.collect())
}

/// Null where a list stands for anything.
fn unless_empty<T: serde::Serialize>(values: Vec<T>) -> Value {
    if values.is_empty() {
        Value::Null
    } else {
        json!(values)
    }
}

/// The ports, or those that are not among them: one list, the other null. Both are null for every port.
fn ports(ports: &PortSet) -> (Value, Value) {
    let texts = |ports: &PortSet| {
        let ranges = ports.ranges().iter().map(ToString::to_string);
        json!(ranges.collect::<Vec<_>>())
    };
    let rest = ports.complement();
    if ports.num_pairs() == NUM_PAIRS {
        (Value::Null, Value::Null)
    } else if rest.ranges().len() < ports.ranges().len() {
        (Value::Null, texts(&rest))
    } else {
        (texts(ports), Value::Null)
    }
}

const CLIENT: [&str; 9] = [
    "client_zone",
    "client_zone_before",
    "client_network",
    "client_groups",
    "client_groups_except",
    "client_cidrs",
    "client_cidrs_except",
    "client_evidence",
    "client_evidence_except",
];

const SERVER: [&str; 9] = [
    "server_zone",
    "server_zone_before",
    "server_network",
    "server_groups",
    "server_groups_except",
    "server_cidrs",
    "server_cidrs_except",
    "server_evidence",
    "server_evidence_except",
];

fn side(side: &Side, names: [&'static str; 9]) -> impl Iterator<Item = (&'static str, Value)> {
    let part = &side.part;
    let groups = |groups: &[_]| json!(groups.iter().map(group).collect::<Vec<_>>());
    let (cidrs, cidrs_except) = addresses(side);
    let values = [
        json!(side.zone),
        json!(side.zone_before),
        json!(side.network),
        groups(&part.groups),
        groups(&part.except_groups),
        unless_empty(cidrs),
        unless_empty(cidrs_except),
        unless_empty(part.evidence.clone()),
        unless_empty(part.evidence_except.clone()),
    ];
    names.into_iter().zip(values)
}

fn example(example: &Example) -> Fields {
    let name = protocol::name(example.protocol);
    let name = name.map_or_else(|| example.protocol.to_string(), str::to_owned);
    Fields(vec![
        ("client", json!(example.client.to_string())),
        ("client_evidence", json!(example.client_evidence)),
        ("server", json!(example.server.to_string())),
        ("server_evidence", json!(example.server_evidence)),
        ("protocol", json!(name)),
        ("server_port", json!(example.server_port)),
        ("at", json!(instant(example.at))),
        ("via", json!(example.path.map(|path| path.as_str()))),
        ("encrypted", json!(example.encrypted)),
        ("flow", json!(example.flow())),
    ])
}
