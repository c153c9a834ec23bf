//! A finding as named fields: one list behind the JSON, NDJSON and CSV of reports and the JSON of alerts, with the column
//! names of the lake's `findings` table.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Value, json};

use crate::judge::{Finding, Subject};
use crate::net::{Addr, Origin};

/// Names and values in the order to show them.
pub struct Fields(pub Vec<(&'static str, Value)>);

impl Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A time (seconds since 1970) as RFC 3339, UTC.
pub fn instant(seconds: u32) -> String {
    let time = jiff::Timestamp::from_second(i64::from(seconds));
    time.expect("32 bits of seconds are in range").to_string()
}

/// A finding's fields. Times are RFC 3339 UTC; what is not known is null; the list of names is the same for all. Heaviest
/// addresses of which `origins` tells have its three fields too.
pub fn finding_fields(
    policy_id: &str,
    policy_hash: &str,
    finding: &Finding,
    origins: &BTreeMap<Addr, Origin>,
) -> Fields {
    let mut fields = vec![
        ("finding_id", json!(finding.finding_id)),
        ("kind", json!(finding.kind.as_str())),
        ("severity", json!(finding.severity.as_str())),
        ("confidence", json!(finding.confidence.as_str())),
        ("title", json!(finding.title)),
        ("network", json!(finding.network)),
    ];
    let [subject, zone, addresses, heaviest] = subject(&finding.client, origins);
    fields.extend([
        ("client_subject", subject),
        ("client_tier", zone),
        ("client_addresses", addresses),
        ("client_heaviest", heaviest),
    ]);
    let [subject, zone, addresses, heaviest] = self::subject(&finding.server, origins);
    fields.extend([
        ("server_subject", subject),
        ("server_tier", zone),
        ("server_addresses", addresses),
        ("server_heaviest", heaviest),
    ]);
    let names = &finding.server_names;
    let level = names.level.map(|level| level.as_str());
    fields.extend([
        ("server_names", json!(names.names)),
        ("server_names_total", json!(names.total)),
        ("server_names_level", json!(level)),
        ("server_port", json!(finding.server_port)),
        ("protocol", json!(finding.protocol)),
        ("rule", json!(finding.rule)),
        ("reason", json!(not_empty(&finding.reason))),
        ("owner", json!(not_empty(&finding.owner))),
        ("controls", json!(finding.controls)),
        ("lacked", json!(finding.lacked)),
        (
            "outcome",
            json!(finding.outcome.map(|outcome| outcome.as_str())),
        ),
        ("via", json!(finding.via.map(|via| via.as_str()))),
        ("account_id", json!(finding.account_id)),
        ("region", json!(finding.region)),
        ("vpc_id", json!(finding.vpc_id)),
        ("subnet_id", json!(finding.subnet_id)),
        ("interface_id", json!(finding.interface_id)),
        ("instance_id", json!(finding.instance_id)),
        ("first_seen", json!(instant(finding.first_seen))),
        ("last_seen", json!(instant(finding.last_seen))),
        ("records", json!(finding.records)),
        ("connections", json!(finding.connections)),
        ("packets", json!(finding.packets)),
        ("bytes", json!(finding.bytes)),
        ("source", json!(finding.source)),
        ("line", json!(finding.line)),
        ("policy_id", json!(policy_id)),
        ("policy_hash", json!(policy_hash)),
        ("muted", json!(finding.muted)),
    ]);
    Fields(fields)
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn subject(subject: &Subject, origins: &BTreeMap<Addr, Origin>) -> [Value; 4] {
    let heaviest: Vec<Value> = subject
        .heaviest
        .iter()
        .map(|(addr, bytes)| heavy(*addr, *bytes, origins.get(addr)))
        .collect();
    [
        json!(subject.subject),
        json!(subject.zone),
        json!(subject.addresses),
        json!(heaviest),
    ]
}

/// An address of an end and its bytes, and whose it is where that is known.
fn heavy(addr: Addr, bytes: u64, origin: Option<&Origin>) -> Value {
    let mut heavy = json!({"addr": addr.to_string(), "bytes": bytes});
    if let Some(origin) = origin {
        heavy["asn"] = json!(origin.asn);
        heavy["as_name"] = json!(origin.as_name);
        heavy["country"] = json!(origin.country);
    }
    heavy
}

/// Whose an address is, as [`finding_fields`] has it among the heaviest of an end; nothing is known where nothing stands.
pub fn origin(heavy: &Value) -> Origin {
    let text = |name: &str| heavy[name].as_str().map(str::to_owned);
    Origin {
        asn: heavy["asn"].as_i64(),
        as_name: text("as_name"),
        country: text("country"),
    }
}
