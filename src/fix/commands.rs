//! Changes as calls of AWS's command line, for people to read and to make.
//!
//! Source: AWS, *AWS CLI Command Reference*, `ec2 authorize-security-group-ingress`, `revoke-security-group-ingress`, those
//! for egress, and `create-network-acl-entry`.

use serde_json::{Value, json};

use super::change::Change;
use super::shell;
use crate::config::{AclEntry, Config, Direction, GroupRule, Peer, Traffic, is_known};
use crate::net::protocol;

/// The longest description of a rule that AWS takes, characters.
const MAX_DESCRIPTION: usize = 255;

/// The call that makes a change; none where an id of it is not known yet, because Terraform has still to make it.
pub fn aws(change: &Change, config: &Config) -> Option<String> {
    let mut words = vec!["aws".to_owned(), "ec2".to_owned()];
    let (id, vpc) = match change {
        Change::Authorize { group, rule } | Change::Revoke { group, rule } => {
            let is_addition = matches!(change, Change::Authorize { .. });
            let verb = if is_addition { "authorize" } else { "revoke" };
            let way = match rule.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            words.push(format!("{verb}-security-group-{way}"));
            words.extend(["--group-id".to_owned(), shell::word(group)]);
            let permission = json!([permission(rule, is_addition)?]);
            let permission = shell::word(&permission.to_string());
            words.extend(["--ip-permissions".to_owned(), permission]);
            let group = config.group(group)?;
            (&group.id, group.vpc.as_deref())
        }
        Change::Insert { acl, entry } => {
            words.push("create-network-acl-entry".to_owned());
            words.extend(["--network-acl-id".to_owned(), shell::word(acl)]);
            words.extend(entry_options(entry));
            let acl = config.acls.iter().find(|own| own.id == *acl)?;
            (&acl.id, acl.vpc.as_deref())
        }
    };
    let vpc = config.vpcs.iter().find(|own| Some(own.id.as_str()) == vpc);
    if let Some(region) = vpc.and_then(|vpc| vpc.region.as_deref()) {
        words.extend(["--region".to_owned(), shell::word(region)]);
    }
    is_known(id).then(|| words.join(" "))
}

/// A rule as an element of `--ip-permissions`; what is said of it only where it is new. None if its peer has no id yet.
fn permission(rule: &GroupRule, is_new: bool) -> Option<Value> {
    let mut permission = json!({ "IpProtocol": group_protocol(&rule.traffic) });
    if let Some((from, to)) = numbers(&rule.traffic) {
        permission["FromPort"] = json!(from);
        permission["ToPort"] = json!(to);
    }
    let (key, mut peer) = match &rule.peer {
        Peer::Cidr(prefix) if prefix.is_v4() => {
            ("IpRanges", json!({ "CidrIp": prefix.to_string() }))
        }
        Peer::Cidr(prefix) => ("Ipv6Ranges", json!({ "CidrIpv6": prefix.to_string() })),
        Peer::PrefixList(id) => ("PrefixListIds", json!({ "PrefixListId": id })),
        Peer::Group(id) => ("UserIdGroupPairs", json!({ "GroupId": id })),
        Peer::ForeignGroup { account, id } => (
            "UserIdGroupPairs",
            json!({ "GroupId": id, "UserId": account }),
        ),
    };
    let has_id = match &rule.peer {
        Peer::Group(id) | Peer::PrefixList(id) => is_known(id),
        Peer::Cidr(_) | Peer::ForeignGroup { .. } => true,
    };
    let description = rule.description.as_deref().map(description);
    if let Some(text) = description.filter(|text| is_new && !text.is_empty()) {
        peer["Description"] = json!(text);
    }
    permission[key] = json!([peer]);
    has_id.then_some(permission)
}

/// What AWS takes of a description.
fn description(text: &str) -> String {
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(*c);
    text.chars()
        .filter(is_taken)
        .take(MAX_DESCRIPTION)
        .collect()
}

/// `tcp`, `-1`, `50`: names for those that have one there, numbers for others.
pub(super) fn group_protocol(traffic: &Traffic) -> String {
    match traffic.ports.map(|ports| ports.protocol) {
        None => "-1".to_owned(),
        Some(protocol::TCP) => "tcp".to_owned(),
        Some(protocol::UDP) => "udp".to_owned(),
        Some(1) => "icmp".to_owned(),
        Some(58) => "icmpv6".to_owned(),
        Some(number) => number.to_string(),
    }
}

/// The two numbers of a rule: its ports, or type and code of ICMP; none where there are none.
pub(super) fn numbers(traffic: &Traffic) -> Option<(i64, i64)> {
    let ports = traffic.ports?;
    if protocol::is_icmp(ports.protocol) {
        return Some(match traffic.icmp {
            None => (-1, -1),
            Some((kind, code)) => (i64::from(kind), code.map_or(-1, i64::from)),
        });
    }
    matches!(ports.protocol, protocol::TCP | protocol::UDP)
        .then(|| (i64::from(ports.first), i64::from(ports.last)))
}

fn entry_options(entry: &AclEntry) -> Vec<String> {
    let way = match entry.direction {
        Direction::Ingress => "--ingress",
        Direction::Egress => "--egress",
    };
    let protocol = entry.traffic.ports.map(|ports| ports.protocol);
    let number = protocol.map_or_else(|| "-1".to_owned(), |number| number.to_string());
    let mut words = vec![
        way.to_owned(),
        "--rule-number".to_owned(),
        entry.number.to_string(),
        "--protocol".to_owned(),
        number,
    ];
    if let Some((first, second)) = numbers(&entry.traffic) {
        if protocol.is_some_and(protocol::is_icmp) {
            words.push("--icmp-type-code".to_owned());
            words.push(format!("Type={first},Code={second}"));
        } else {
            words.push("--port-range".to_owned());
            words.push(format!("From={first},To={second}"));
        }
    }
    let cidr = if entry.cidr.is_v4() {
        "--cidr-block"
    } else {
        "--ipv6-cidr-block"
    };
    words.extend([cidr.to_owned(), entry.cidr.to_string()]);
    let action = if entry.is_allow { "allow" } else { "deny" };
    words.extend(["--rule-action".to_owned(), action.to_owned()]);
    words
}
