//! Changes as Terraform has them: which resource loses what, and what is to be written.
//!
//! Source: the arguments that the AWS provider's documentation has of `aws_security_group`,
//! `aws_vpc_security_group_ingress_rule`, `aws_network_acl` and `aws_network_acl_rule`.

use super::change::Change;
use super::commands::{group_protocol, numbers};
use super::shell::is_unseen;
use crate::config::{AclEntry, Config, Direction, GroupRule, Peer};
use crate::net::protocol;

/// A change of the files that Terraform reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snippet {
    /// What to do, and where.
    pub what: String,
    /// What is to be written, or what is to be taken out; empty where a whole resource goes.
    pub text: String,
}

/// How a change is made; `name` begins the names of resources that are new, `number` ends them.
pub fn snippet(change: &Change, config: &Config, name: &str, number: usize) -> Snippet {
    let name = format!("{name}_{number}");
    match change {
        Change::Authorize { group, rule } => authorize(group, rule, config, &name),
        Change::Revoke { group, rule } => revoke(group, rule, config),
        Change::Insert { acl, entry } => insert(acl, entry, config, &name),
    }
}

fn authorize(group: &str, rule: &GroupRule, config: &Config, name: &str) -> Snippet {
    let resources = &config.resources;
    if let Some(address) = resources.of(group)
        && !resources.has_own_rules(group)
    {
        return Snippet {
            what: format!("add to {}", plain(address)),
            text: inline_rule(rule),
        };
    }
    let way = way(rule.direction);
    let mut text = format!("resource \"aws_vpc_security_group_{way}_rule\" \"{name}\" {{\n");
    text.push_str(&format!(
        "  security_group_id = {}\n",
        reference(group, config)
    ));
    let (key, value) = match &rule.peer {
        Peer::Cidr(prefix) if prefix.is_v4() => ("cidr_ipv4", quoted(&prefix.to_string())),
        Peer::Cidr(prefix) => ("cidr_ipv6", quoted(&prefix.to_string())),
        Peer::Group(id) => ("referenced_security_group_id", reference(id, config)),
        Peer::ForeignGroup { account, id } => (
            "referenced_security_group_id",
            quoted(&format!("{account}/{id}")),
        ),
        Peer::PrefixList(id) => ("prefix_list_id", reference(id, config)),
    };
    text.push_str(&format!("  {key} = {value}\n"));
    text.push_str(&format!(
        "  ip_protocol = {}\n",
        quoted(&group_protocol(&rule.traffic))
    ));
    if let Some((from, to)) = numbers(&rule.traffic) {
        text.push_str(&format!("  from_port = {from}\n  to_port = {to}\n"));
    }
    if let Some(said) = rule.description.as_deref().filter(|said| !said.is_empty()) {
        text.push_str(&format!("  description = {}\n", quoted(said)));
    }
    text.push_str("}\n");
    Snippet {
        what: format!("add{}", in_module(resources.of(group))),
        text,
    }
}

fn revoke(group: &str, rule: &GroupRule, config: &Config) -> Snippet {
    let resources = &config.resources;
    let (what, text) = match (resources.of_rule(group, rule), resources.of(group)) {
        (Some(own), _) if resources.is_shared(group, rule) => (
            format!(
                "take {} out of {}",
                plain(&rule.peer.to_string()),
                plain(own)
            ),
            inline_rule(rule),
        ),
        (Some(own), _) => (format!("delete {}", plain(own)), String::new()),
        (None, Some(address)) => (
            format!(
                "take out of the {} rules of {}; where its block lists more peers, only this one",
                way(rule.direction),
                plain(address)
            ),
            inline_rule(rule),
        ),
        (None, None) => (
            format!(
                "take out of the {} rules of the resource that makes {}, which is not in the configuration",
                way(rule.direction),
                plain(group)
            ),
            inline_rule(rule),
        ),
    };
    Snippet { what, text }
}

fn insert(acl: &str, entry: &AclEntry, config: &Config, name: &str) -> Snippet {
    let resources = &config.resources;
    let own = config.acls.iter().find(|own| own.id == acl);
    let is_inline = own.is_some_and(|own| {
        let mut entries = own.entries.iter();
        entries.any(|entry| resources.of_entry(acl, entry).is_none())
    });
    let action = if entry.is_allow { "allow" } else { "deny" };
    let protocol = entry
        .traffic
        .ports
        .map_or_else(|| "-1".to_owned(), |ports| ports.protocol.to_string());
    let cidr_key = if entry.cidr.is_v4() {
        "cidr_block"
    } else {
        "ipv6_cidr_block"
    };
    let is_icmp = entry
        .traffic
        .ports
        .is_some_and(|ports| protocol::is_icmp(ports.protocol));
    let (first, second) = numbers(&entry.traffic).unwrap_or((0, 0));
    let ports = if is_icmp {
        format!("  from_port = 0\n  to_port = 0\n  icmp_type = {first}\n  icmp_code = {second}\n")
    } else {
        format!("  from_port = {first}\n  to_port = {second}\n")
    };
    let cidr = quoted(&entry.cidr.to_string());
    if let Some(address) = resources.of(acl).filter(|_| is_inline) {
        let text = format!(
            "{} {{\n  rule_no = {}\n  action = \"{action}\"\n  protocol = \"{protocol}\"\n  {cidr_key} = {cidr}\n{ports}}}\n",
            way(entry.direction),
            entry.number
        );
        return Snippet {
            what: format!("add to {}", plain(address)),
            text,
        };
    }
    let text = format!(
        "resource \"aws_network_acl_rule\" \"{name}\" {{\n  network_acl_id = {}\n  egress = {}\n  rule_number = {}\n  rule_action = \"{action}\"\n  protocol = \"{protocol}\"\n  {cidr_key} = {cidr}\n{ports}}}\n",
        reference(acl, config),
        entry.direction == Direction::Egress,
        entry.number
    );
    Snippet {
        what: format!("add{}", in_module(resources.of(acl))),
        text,
    }
}

/// A rule as a block of its group.
fn inline_rule(rule: &GroupRule) -> String {
    let (from, to) = numbers(&rule.traffic).unwrap_or((0, 0));
    let (key, value) = match &rule.peer {
        Peer::Cidr(prefix) if prefix.is_v4() => ("cidr_blocks", prefix.to_string()),
        Peer::Cidr(prefix) => ("ipv6_cidr_blocks", prefix.to_string()),
        Peer::Group(id) => ("security_groups", id.clone()),
        Peer::ForeignGroup { account, id } => ("security_groups", format!("{account}/{id}")),
        Peer::PrefixList(id) => ("prefix_list_ids", id.clone()),
    };
    let said = match rule.description.as_deref() {
        Some(said) if !said.is_empty() => format!("  description = {}\n", quoted(said)),
        _ => String::new(),
    };
    format!(
        "{} {{\n  from_port = {from}\n  to_port = {to}\n  protocol = {}\n  {key} = [{}]\n{said}}}\n",
        way(rule.direction),
        quoted(&group_protocol(&rule.traffic)),
        quoted(&value)
    )
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// How a resource of the same module refers to a thing: by its resource if there is one, else by its id.
fn reference(id: &str, config: &Config) -> String {
    match config.resources.of(id) {
        Some(address) => format!("{}.id", plain(&in_its_module(address).1)),
        None => quoted(id),
    }
}

/// `, in module.net` where the resource stands in a module: what refers to it has to stand there too.
fn in_module(address: Option<&str>) -> String {
    let module = address.map(|address| in_its_module(address).0);
    match module.filter(|module| !module.is_empty()) {
        Some(module) => format!(" in {}", plain(&module)),
        None => String::new(),
    }
}

/// The module of an address, and the address in it: `module.net["a.b"].aws_subnet.app` is `module.net["a.b"]` and
/// `aws_subnet.app`.
fn in_its_module(address: &str) -> (String, String) {
    let mut parts: Vec<String> = vec![String::new()];
    let mut is_quoted = false;
    for c in address.chars() {
        match c {
            '.' if !is_quoted => parts.push(String::new()),
            c => {
                is_quoted ^= c == '"';
                parts.last_mut().expect("it begins with one").push(c);
            }
        }
    }
    let mut modules = 0;
    while parts.get(modules).is_some_and(|part| part == "module") && modules + 2 < parts.len() {
        modules += 2;
    }
    (parts[..modules].join("."), parts[modules..].join("."))
}

/// A string of HCL, in which nothing is a template and nothing ends it.
fn quoted(text: &str) -> String {
    let text = plain(text)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{text}\"")
}

/// Text in one line and in its own direction.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_unseen(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_in_its_string() {
        fn check(text: &str, expected: &str) {
            assert_eq!(quoted(text), expected, "{text:?}");
        }
        check("web", "\"web\"");
        check("a\"b\\c", "\"a\\\"b\\\\c\"");
        check(
            "${file(\"/etc/passwd\")}",
            "\"$${file(\\\"/etc/passwd\\\")}\"",
        );
        check("%{ if true }", "\"%%{ if true }\"");
        check("a\n}\u{202e}", "\"a}\"");
    }

    #[test]
    fn an_address_is_taken_apart_into_module_and_resource() {
        fn check(address: &str, module: &str, rest: &str) {
            let found = in_its_module(address);
            assert_eq!((found.0.as_str(), found.1.as_str()), (module, rest));
        }
        check("aws_security_group.web", "", "aws_security_group.web");
        check(
            "module.net[\"a.b\"].module.x.aws_network_acl.data[0]",
            "module.net[\"a.b\"].module.x",
            "aws_network_acl.data[0]",
        );
        check("module.net", "", "module.net");
    }
}
