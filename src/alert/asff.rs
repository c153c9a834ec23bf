//! An alert as a finding in AWS's Security Finding Format.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>
//!
//! A finding has the same `Id` whatever is said of it, so that what was decided about it in Security Hub holds; what belongs
//! to those who work with it there (`Workflow`, `Note`) is never said.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::arn::{Arn, is_account, partition};
use super::{cut, origin};

const VERSION: &str = "2018-10-08";
/// Characters of a title at most.
const TITLE: usize = 256;
/// Characters of a description at most.
const DESCRIPTION: usize = 1024;
/// Characters of an id at most.
const ID: usize = 512;
/// Characters of a field's value at most.
const FIELD: usize = 2048;
/// Characters of a policy's id in the id of a finding, which must not lose its end.
const POLICY: usize = 256;

/// Stands for an account that is not known.
const NO_ACCOUNT: &str = "000000000000";
/// Stands for a region that is not known.
const NO_REGION: &str = "us-east-1";

const REACHABILITY: &str =
    "Software and Configuration Checks/AWS Security Best Practices/Network Reachability";
const NETWORK_FLOW: &str = "Unusual Behaviors/Network Flow";
const MONITORING: &str = "Software and Configuration Checks/AWS Security Best Practices";

/// By whose name a finding is imported.
pub struct Product {
    arn: String,
    account: String,
}

impl Product {
    /// The product of an account. Security Hub takes findings of an account only from that account, so this is the one whose
    /// the findings are, wherever the logs are from; the resource and the product's fields say that.
    pub fn of(arn: &Arn) -> Product {
        Product {
            arn: arn.text.clone(),
            account: arn.account.clone(),
        }
    }

    /// The product of the account that an alert is about.
    pub fn of_alert(alert: &Value) -> Product {
        let account = alert["account_id"].as_str();
        let account = account.filter(|id| is_account(id)).unwrap_or(NO_ACCOUNT);
        let region = alert["region"].as_str().unwrap_or(NO_REGION);
        let partition = partition(region);
        Product {
            arn: format!(
                "arn:{partition}:securityhub:{region}:{account}:product/{account}/default"
            ),
            account: account.to_owned(),
        }
    }
}

/// The finding of an alert (a JSON object by our own schema); none where it is about no finding of its own. `now` is in
/// milliseconds since 1970: a finding in Security Hub is replaced only by one that was updated later.
pub fn asff(alert: &Value, product: &Product, now: u64) -> Option<Value> {
    let text = |name: &str| alert[name].as_str().unwrap_or_default();
    let id = alert["finding_id"].as_str()?;
    let (policy, kind) = (cut(text("policy_id"), POLICY), text("kind"));
    let source = match text("rule") {
        "" => kind,
        rule => rule,
    };
    let state = match text("event") {
        "resolved" => "ARCHIVED",
        _ => "ACTIVE",
    };
    let severity = match text("severity") {
        known @ ("low" | "medium" | "high" | "critical") => known.to_ascii_uppercase(),
        _ => "INFORMATIONAL".to_owned(),
    };
    let now = i64::try_from(now).ok();
    let now = now.and_then(|now| jiff::Timestamp::from_millisecond(now).ok());
    let now = now.unwrap_or_default().to_string();
    let mut finding = json!({
        "SchemaVersion": VERSION,
        "Id": format!("tidegate/{policy}/{id}"),
        "ProductArn": product.arn,
        "ProductName": "tidegate",
        "CompanyName": "tidegate",
        "GeneratorId": cut(&format!("tidegate/{policy}/{source}"), ID),
        "AwsAccountId": product.account,
        "Types": [kind_in_asff(kind)],
        "CreatedAt": alert["opened"].as_str().unwrap_or(&now),
        "UpdatedAt": now,
        "Severity": {"Label": severity},
        "Title": cut(text("title"), TITLE),
        "Description": cut(&description(alert), DESCRIPTION),
        "Resources": resources(alert),
        "ProductFields": fields(alert),
        "RecordState": state,
    });
    if let Some(first) = alert["first_seen"].as_str().or(alert["opened"].as_str()) {
        finding["FirstObservedAt"] = json!(first);
    }
    if let Some(last) = alert["last_seen"].as_str() {
        finding["LastObservedAt"] = json!(last);
    }
    if let Some(network) = network(alert) {
        finding["Network"] = network;
    }
    Some(finding)
}

/// What a finding is, by its kind, in the words of Security Hub.
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html#Types>
fn kind_in_asff(kind: &str) -> &'static str {
    match kind {
        // What somebody tried, not what is open: the network held.
        "denied-attempt" => NETWORK_FLOW,
        "egress-violation"
        | "cross-tier-violation"
        | "intra-tier-violation"
        | "ingress-violation"
        | "overblocked"
        | "unproven"
        | "unassigned"
        | "exposure-opened" => REACHABILITY,
        "silent-source" | "coverage-gap" => MONITORING,
        _ => NETWORK_FLOW,
    }
}

/// Sentences for people: what it is, why it matters, by which rule.
fn description(alert: &Value) -> String {
    let told = |name: &str| alert[name].as_str().filter(|text| !text.is_empty());
    let mut sentences = vec![told("title").unwrap_or("A finding of tidegate").to_owned()];
    sentences.extend(told("reason").map(str::to_owned));
    sentences.extend(told("lacked").map(|lacked| format!("The nearest allow lacked: {lacked}")));
    if let Some(rule) = told("rule") {
        let owner = told("owner").map(|owner| format!(" (owner {owner})"));
        sentences.push(format!("Rule {rule}{}", owner.unwrap_or_default()));
    }
    let ended = sentences.iter().map(|sentence| {
        let sentence = sentence.trim();
        let end = if sentence.ends_with(['.', '!', '?']) {
            ""
        } else {
            "."
        };
        format!("{sentence}{end}")
    });
    ended.collect::<Vec<_>>().join(" ")
}

/// The interface and the instance of the inside end; where neither is known, what the policy takes it for.
fn resources(alert: &Value) -> Vec<Value> {
    let text = |name: &str| alert[name].as_str().filter(|text| !text.is_empty());
    let region = text("region");
    let known = [
        (
            "interface_id",
            "AwsEc2NetworkInterface",
            "network-interface",
        ),
        ("instance_id", "AwsEc2Instance", "instance"),
    ];
    let mut resources: Vec<Value> = known
        .into_iter()
        .filter_map(|(name, kind, path)| {
            let id = text(name)?;
            let id = match (region, text("account_id")) {
                (Some(region), Some(account)) => {
                    let partition = partition(region);
                    format!("arn:{partition}:ec2:{region}:{account}:{path}/{id}")
                }
                _ => id.to_owned(),
            };
            Some(json!({"Type": kind, "Id": id}))
        })
        .collect();
    if resources.is_empty() {
        let names = match text("kind") {
            Some("egress-violation") => ["client_subject", "server_subject", "finding_id"],
            _ => ["server_subject", "client_subject", "finding_id"],
        };
        let id = names.into_iter().find_map(text).unwrap_or("unknown");
        resources.push(json!({"Type": "Other", "Id": cut(id, ID)}));
    }
    if let Some(region) = region {
        for resource in &mut resources {
            resource["Partition"] = json!(partition(region));
            resource["Region"] = json!(region);
        }
    }
    resources
}

/// All that has no place of its own.
fn fields(alert: &Value) -> Map<String, Value> {
    let named = [
        ("kind", "kind"),
        ("event", "event"),
        ("confidence", "confidence"),
        ("rule", "rule"),
        ("owner", "owner"),
        ("outcome", "outcome"),
        ("network", "network"),
        ("client", "client_subject"),
        ("client-tier", "client_tier"),
        ("server", "server_subject"),
        ("server-tier", "server_tier"),
        ("account", "account_id"),
        ("vpc", "vpc_id"),
        ("subnet", "subnet_id"),
        ("policy", "policy_id"),
        ("policy-hash", "policy_hash"),
        ("alert-id", "alert_id"),
    ];
    let told = named.into_iter().filter_map(|(field, name)| {
        let value = alert[name].as_str()?.trim();
        let is_told = !value.is_empty();
        is_told.then(|| (format!("tidegate/{field}"), json!(cut(value, FIELD))))
    });
    let mut told: Map<String, Value> = told.collect();
    for end in ["client", "server"] {
        let origin = origin(&alert[format!("{end}_heaviest")][0]);
        if !origin.is_unknown() {
            let origin = cut(&origin.to_string(), FIELD);
            told.insert(format!("tidegate/{end}-origin"), json!(origin));
        }
    }
    told
}

/// Who talked to whom, where the heaviest address of an end is known.
fn network(alert: &Value) -> Option<Value> {
    let protocol = match alert["protocol"].as_u64()? {
        1 => "ICMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        58 => "ICMPv6".to_owned(),
        number => number.to_string(),
    };
    let mut network = json!({ "Protocol": protocol });
    let mut is_known = false;
    for (end, word) in [("client", "Source"), ("server", "Destination")] {
        let addr = alert[format!("{end}_heaviest")][0]["addr"].as_str();
        let Some(addr) = addr.and_then(|addr| addr.parse::<IpAddr>().ok()) else {
            continue;
        };
        let version = if addr.is_ipv4() { "V4" } else { "V6" };
        network[format!("{word}Ip{version}")] = json!(addr.to_string());
        is_known = true;
    }
    if let Some(port) = alert["server_port"].as_u64() {
        network["DestinationPort"] = json!(port);
    }
    match alert["kind"].as_str() {
        Some("egress-violation") => network["Direction"] = json!("OUT"),
        Some("ingress-violation") => network["Direction"] = json!("IN"),
        _ => {}
    }
    is_known.then_some(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Kind;

    fn alert() -> Value {
        json!({
            "alert_id": "00", "event": "opened", "finding_id": "11", "kind": "egress-violation", "severity": "critical",
            "title": "app reached out", "opened": "2026-02-25T06:00:00Z", "first_seen": "2026-02-25T06:00:00Z",
            "last_seen": "2026-02-25T06:05:00Z", "protocol": 6, "server_port": 443, "client_subject": "asg",
            "client_tier": "app", "client_heaviest": [{"addr": "10.0.0.1", "bytes": 1}], "server_subject": "s3",
            "server_tier": "aws:S3", "server_heaviest": [{"addr": "2001:db8::1", "bytes": 1}],
            "account_id": "210987654321", "region": "eu-west-1", "interface_id": "eni-1", "instance_id": null,
            "rule": "r", "reason": "no way out", "owner": null, "policy_id": "p", "policy_hash": "h",
        })
    }

    fn product() -> Product {
        let arn = "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default";
        Product::of(&Arn::of("securityhub", arn).expect("a name"))
    }

    fn finding(alert: &Value) -> Value {
        let finding = asff(alert, &product(), 1_772_000_000_123).expect("a finding");
        assert_valid(&finding);
        finding
    }

    /// That a finding has what Security Hub requires, within its bounds.
    fn assert_valid(finding: &Value) {
        let bounds = [
            ("SchemaVersion", 10),
            ("Id", 512),
            ("ProductArn", 2048),
            ("GeneratorId", 512),
            ("AwsAccountId", 12),
            ("CreatedAt", 30),
            ("UpdatedAt", 30),
            ("Title", 256),
            ("Description", 1024),
        ];
        for (name, most) in bounds {
            let length = finding[name]
                .as_str()
                .map_or(0, |text| text.chars().count());
            assert!((1..=most).contains(&length), "{name}: {finding}");
        }
        for name in ["CreatedAt", "UpdatedAt"] {
            let time = finding[name].as_str().expect("a time");
            assert!(time.parse::<jiff::Timestamp>().is_ok(), "{name}: {finding}");
        }
        let words = |list: &Value| list.as_array().expect("a list").clone();
        assert!((1..=50).contains(&words(&finding["Types"]).len()));
        let resources = words(&finding["Resources"]);
        assert!((1..=32).contains(&resources.len()));
        for resource in resources {
            assert!(resource["Type"].is_string() && resource["Id"].is_string());
        }
        let labels = ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
        let label = finding["Severity"]["Label"].as_str().expect("a label");
        assert!(labels.contains(&label));
        let fields = finding["ProductFields"].as_object().expect("fields");
        assert!(fields.len() <= 50);
        for (name, value) in fields {
            let length = value.as_str().map_or(0, |text| text.chars().count());
            assert!(name.len() <= 128 && (1..=2048).contains(&length), "{name}");
        }
        assert!(finding.get("Workflow").is_none() && finding.get("Note").is_none());
    }

    #[test]
    fn what_an_alert_says_has_its_place() {
        let finding = finding(&alert());
        let at = |path: &str| finding.pointer(path).cloned().unwrap_or_default();
        assert_eq!(
            (at("/Id"), at("/GeneratorId")),
            (json!("tidegate/p/11"), json!("tidegate/p/r"))
        );
        assert_eq!(at("/AwsAccountId"), json!("123456789012"));
        assert_eq!(at("/Types/0"), json!(REACHABILITY));
        assert_eq!(at("/UpdatedAt"), json!("2026-02-25T06:13:20.123Z"));
        assert_eq!(
            (at("/FirstObservedAt"), at("/LastObservedAt")),
            (json!("2026-02-25T06:00:00Z"), json!("2026-02-25T06:05:00Z"))
        );
        assert_eq!(
            at("/Description"),
            json!("app reached out. no way out. Rule r.")
        );
        assert_eq!(
            at("/Resources"),
            json!([{
                "Type": "AwsEc2NetworkInterface",
                "Id": "arn:aws:ec2:eu-west-1:210987654321:network-interface/eni-1",
                "Partition": "aws",
                "Region": "eu-west-1",
            }])
        );
        assert_eq!(
            at("/Network"),
            json!({
                "Protocol": "TCP", "SourceIpV4": "10.0.0.1", "DestinationIpV6": "2001:db8::1", "DestinationPort": 443,
                "Direction": "OUT",
            })
        );
        assert_eq!(
            at("/ProductFields/tidegate~1account"),
            json!("210987654321")
        );
        assert_eq!(at("/RecordState"), json!("ACTIVE"));
    }

    #[test]
    fn what_is_resolved_is_archived_under_the_same_id() {
        let resolved = finding(&json!({
            "alert_id": "01", "event": "resolved", "finding_id": "11", "kind": "egress-violation", "severity": "high",
            "title": "app reached out", "rule": "r", "owner": "", "policy_id": "p", "opened": "2026-02-25T06:00:00Z",
            "last_seen": "2026-02-25T06:05:00Z",
        }));
        assert_eq!(resolved["Id"], finding(&alert())["Id"]);
        assert_eq!(resolved["RecordState"], "ARCHIVED");
        assert_eq!(
            resolved["Resources"],
            json!([{"Type": "Other", "Id": "11"}])
        );
        let digest =
            json!({"event": "digest", "alert_id": "02", "title": "2 findings", "count": 2});
        assert!(asff(&digest, &product(), 0).is_none());
    }

    #[test]
    fn long_words_are_cut_and_every_kind_has_its_type() {
        let mut long = alert();
        for name in ["title", "reason", "rule", "policy_id", "client_subject"] {
            long[name] = json!("ü".repeat(3000));
        }
        let id = finding(&long)["Id"].clone();
        assert!(id.as_str().is_some_and(|id| id.ends_with("/11")), "{id}");
        for kind in Kind::ALL {
            assert!(!kind_in_asff(kind.as_str()).is_empty());
        }
    }

    #[test]
    fn an_alert_tells_whose_it_is_where_no_target_does() {
        let product = Product::of_alert(&alert());
        assert_eq!(
            product.arn,
            "arn:aws:securityhub:eu-west-1:210987654321:product/210987654321/default"
        );
        assert_eq!(Product::of_alert(&json!({})).account, NO_ACCOUNT);
    }
}
