//! An alert as an event of the Open Cybersecurity Schema Framework: class *Detection Finding*, by its version 1.5.0 with the
//! profile *cloud*. <https://schema.ocsf.io/1.5.0/classes/detection_finding>

use serde_json::{Value, json};

use super::origin;

const VERSION: &str = "1.5.0";
/// Findings.
const CATEGORY: u32 = 2;
/// Detection Finding.
const CLASS: u32 = 2004;

/// The event of an alert (a JSON object by our own schema); `now` is in seconds since 1970.
pub fn ocsf(alert: &Value, now: u64) -> Value {
    let text = |name: &str| alert[name].as_str().unwrap_or_default();
    let millis = |name: &str| {
        let time: Option<jiff::Timestamp> = text(name).parse().ok();
        time.map(jiff::Timestamp::as_millisecond)
    };
    let (activity, activity_name) = match text("event") {
        "opened" | "reopened" => (1, "Create"),
        "escalated" => (2, "Update"),
        "resolved" => (3, "Close"),
        _ => (99, "Other"),
    };
    let (status, status_name) = match activity {
        3 => (4, "Resolved"),
        99 => (99, "Other"),
        _ => (1, "New"),
    };
    let (severity, severity_name) = match text("severity") {
        "low" => (2, "Low"),
        "medium" => (3, "Medium"),
        "high" => (4, "High"),
        "critical" => (5, "Critical"),
        _ => (1, "Informational"),
    };
    let uid = match text("finding_id") {
        "" => text("alert_id"),
        finding => finding,
    };
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "time": millis("last_seen").unwrap_or(now as i64 * 1000),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "message": text("title"),
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "uid": text("alert_id"),
            "product": {"name": "tidegate", "vendor_name": "tidegate", "version": env!("CARGO_PKG_VERSION")},
        },
        "finding_info": {
            "uid": uid,
            "title": text("title"),
            "types": [text("kind")],
        },
        "cloud": {"provider": "AWS"},
        // All that has no place of its own.
        "unmapped": alert,
    });
    for (name, time) in [
        ("first_seen_time", "first_seen"),
        ("last_seen_time", "last_seen"),
        ("created_time", "opened"),
    ] {
        if let Some(time) = millis(time) {
            event["finding_info"][name] = json!(time);
        }
    }
    if let Some(reason) = alert["reason"].as_str() {
        event["finding_info"]["desc"] = json!(reason);
    }
    if let Some(account) = alert["account_id"].as_str() {
        event["cloud"]["account"] =
            json!({"uid": account, "name": account, "type_id": 10, "type": "AWS Account"});
    }
    if let Some(region) = alert["region"].as_str() {
        event["cloud"]["region"] = json!(region);
    }
    if !text("rule").is_empty() && alert["policy_id"].is_string() {
        event["policy"] =
            json!({"uid": text("rule"), "name": text("policy_id"), "version": text("policy_hash")});
    }
    let resources: Vec<Value> = [
        ("interface_id", "AWS::EC2::NetworkInterface"),
        ("instance_id", "AWS::EC2::Instance"),
    ]
    .iter()
    .filter_map(|(name, kind)| Some(json!({"uid": alert[*name].as_str()?, "type": kind})))
    .collect();
    if !resources.is_empty() {
        event["resources"] = json!(resources);
    }
    if let Some(protocol) = alert["protocol"].as_u64() {
        let end = |name: &str| {
            let heaviest = &alert[format!("{name}_heaviest")][0];
            let addr = &heaviest["addr"];
            let mut end = json!({"name": text(&format!("{name}_subject")), "zone": text(&format!("{name}_tier"))});
            if addr.is_string() {
                end["ip"] = addr.clone();
            }
            let origin = origin(heaviest);
            if let Some(number) = origin.asn {
                end["autonomous_system"] = json!({ "number": number });
            }
            if let Some(name) = origin.as_name {
                end["autonomous_system"]["name"] = json!(name);
            }
            if let Some(country) = origin.country {
                end["location"] = json!({ "country": country });
            }
            end
        };
        let mut server = end("server");
        if alert["server_port"].is_u64() {
            server["port"] = alert["server_port"].clone();
        }
        event["evidences"] = json!([{
            "src_endpoint": end("client"),
            "dst_endpoint": server,
            "connection_info": {"protocol_num": protocol, "direction_id": 0},
        }]);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alert_says_has_its_place() {
        let alert = json!({
            "alert_id": "00", "event": "escalated", "finding_id": "11", "kind": "egress-violation", "severity": "critical",
            "title": "app reached out", "opened": "2026-02-25T06:00:00Z", "last_seen": "2026-02-25T06:05:00Z",
            "protocol": 6, "server_port": 443, "client_subject": "asg", "client_tier": "app",
            "client_heaviest": [{"addr": "10.0.0.1", "bytes": 1}], "server_subject": "s3", "server_tier": "aws:S3",
            "server_heaviest": [], "account_id": "1", "interface_id": "eni-1", "rule": "r", "policy_id": "p", "policy_hash": "h",
        });
        let event = ocsf(&alert, 0);
        let at = |path: &str| event.pointer(path).cloned().unwrap_or_default();
        assert_eq!(
            (at("/class_uid"), at("/type_uid")),
            (json!(2004), json!(200_402))
        );
        assert_eq!((at("/severity_id"), at("/status_id")), (json!(5), json!(1)));
        assert_eq!(at("/time"), json!(1_771_999_500_000_u64));
        assert_eq!(
            (at("/metadata/uid"), at("/finding_info/uid")),
            (json!("00"), json!("11"))
        );
        assert_eq!(at("/evidences/0/src_endpoint/ip"), json!("10.0.0.1"));
        assert_eq!(at("/evidences/0/dst_endpoint/port"), json!(443));
        assert!(event.pointer("/evidences/0/dst_endpoint/ip").is_none());
        assert_eq!(at("/resources/0/uid"), json!("eni-1"));
    }
}
