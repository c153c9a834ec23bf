//! Alerts about findings of which only the main points are remembered: what recurred in a day, what was resolved, what would
//! be too much one by one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Event, SCHEMA, alert_id, instant};
use crate::judge::Finding;

/// The main points of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// Its id.
    pub finding_id: String,
    /// Its kind, as a word.
    pub kind: String,
    /// Its severity, as a word.
    pub severity: String,
    /// One sentence for people.
    pub title: String,
    /// The deciding rule's id.
    pub rule: String,
    /// The rule's owner; empty where it has none.
    pub owner: String,
    /// The account, region, interface and instance of its inside end, where they are known.
    #[serde(flatten)]
    pub place: Place,
}

/// Where a finding is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `account-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// `region`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `interface-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_id: Option<String>,
    /// `instance-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

/// Findings that a digest names; the others are counted.
const NAMED: usize = 100;

impl Brief {
    /// The main points of a finding.
    pub fn of(finding: &Finding) -> Brief {
        Brief {
            finding_id: finding.finding_id.clone(),
            kind: finding.kind.as_str().to_owned(),
            severity: finding.severity.as_str().to_owned(),
            title: finding.title.clone(),
            rule: finding.rule.clone(),
            owner: finding.owner.clone(),
            place: Place {
                account_id: finding.account_id.clone(),
                region: finding.region.clone(),
                interface_id: finding.interface_id.clone(),
                instance_id: finding.instance_id.clone(),
            },
        }
    }

    /// As text that [`Brief::parse`] reads.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("plain fields are JSON")
    }

    /// Reads what [`Brief::to_text`] wrote; none if it is something else.
    pub fn parse(text: &str) -> Option<Brief> {
        serde_json::from_str(text).ok()
    }

    /// The alert that says that the finding, by the policy of this id, was not seen since (seconds), after it had opened
    /// (seconds).
    pub fn resolved(&self, policy_id: &str, opened: u32, last_seen: u32) -> String {
        let event = Event::Resolved;
        let mut alert = json!(self);
        alert["schema"] = json!(SCHEMA);
        alert["alert_id"] = json!(alert_id(&self.finding_id, opened, event, &self.severity));
        alert["event"] = json!(event.as_str());
        alert["opened"] = json!(instant(opened));
        alert["last_seen"] = json!(instant(last_seen));
        alert["policy_id"] = json!(policy_id);
        alert.to_string()
    }

    /// The alert that names what recurred in a day (its 00:00, seconds). `of` tells digests of one day apart.
    pub fn recurring(findings: &[Brief], day: u32, of: &str) -> String {
        let named = findings.iter().take(NAMED);
        json!({
            "schema": SCHEMA,
            "alert_id": alert_id(of, day, Event::Digest, "recurring"),
            "event": Event::Digest.as_str(),
            "title": format!("{} findings recurred on {}", findings.len(), &instant(day)[..10]),
            "count": findings.len(),
            "findings": named.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// The alert that stands for several, each a JSON object, which would be too many one by one.
pub fn flood(alerts: &[String]) -> String {
    let all: Vec<Value> = alerts
        .iter()
        .filter_map(|alert| serde_json::from_str(alert).ok())
        .collect();
    let ids: Vec<&str> = all
        .iter()
        .filter_map(|alert| alert["alert_id"].as_str())
        .collect();
    let names = [
        "alert_id",
        "event",
        "finding_id",
        "kind",
        "severity",
        "title",
        "rule",
        "owner",
    ];
    let main_points = |alert: &Value| -> Value {
        let points = names.iter().filter(|name| !alert[**name].is_null());
        points
            .map(|name| ((*name).to_owned(), alert[*name].clone()))
            .collect()
    };
    json!({
        "schema": SCHEMA,
        "alert_id": alert_id(&ids.join(" "), 0, Event::Digest, "flood"),
        "event": Event::Digest.as_str(),
        "title": format!("{} alerts in a short time", all.len()),
        "count": all.len(),
        "alerts": all.iter().take(NAMED).map(main_points).collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(id: &str) -> Brief {
        Brief {
            finding_id: id.to_owned(),
            kind: "egress-violation".to_owned(),
            severity: "high".to_owned(),
            title: format!("finding {id}"),
            rule: "default".to_owned(),
            owner: String::new(),
            place: Place {
                region: Some("eu-west-1".to_owned()),
                ..Place::default()
            },
        }
    }

    #[test]
    fn what_is_remembered_is_read_back() {
        let known = brief("a");
        assert_eq!(Brief::parse(&known.to_text()), Some(known));
        assert_eq!(Brief::parse("something else"), None);
    }

    #[test]
    fn digests_name_the_first_and_count_all() {
        let findings: Vec<Brief> = (0..150).map(|number| brief(&number.to_string())).collect();
        let told: Value =
            serde_json::from_str(&Brief::recurring(&findings, 1_771_977_600, "x")).expect("JSON");
        assert_eq!(told["title"], "150 findings recurred on 2026-02-25");
        assert_eq!(told["findings"].as_array().map(Vec::len), Some(100));
        let alerts: Vec<String> = findings
            .iter()
            .map(|finding| finding.resolved("p", 5, 9))
            .collect();
        let told: Value = serde_json::from_str(&flood(&alerts)).expect("JSON");
        assert_eq!(
            (&told["count"], &told["alerts"][0]["finding_id"]),
            (&json!(150), &json!("0"))
        );
        assert_eq!(flood(&alerts), flood(&alerts));
    }
}
