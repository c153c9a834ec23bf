//! Which resources of Terraform a configuration comes from, for whoever has to say where a change belongs.

use std::collections::BTreeMap;

use super::{AclEntry, Direction, GroupRule, Peer, Traffic};

/// The addresses of resources by what they make. Empty of what describe calls tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resources {
    things: BTreeMap<String, String>,
    rules: BTreeMap<RuleKey, String>,
    entries: BTreeMap<(String, AclEntry), String>,
}

/// A rule of a group, without its description: the group and the rule's own resource may tell different ones.
type RuleKey = (String, Direction, Traffic, Peer);

impl Resources {
    /// Notes the resource of a security group or network ACL; the first one counts.
    pub(super) fn add(&mut self, id: &str, address: &str) {
        let known = self.things.entry(id.to_owned());
        known.or_insert_with(|| address.to_owned());
    }

    /// Notes the resource that a rule of a security group has for itself.
    pub(super) fn add_rule(&mut self, group: &str, rule: &GroupRule, address: &str) {
        self.rules.insert(key(group, rule), address.to_owned());
    }

    /// Notes the resource that an entry of a network ACL has for itself.
    pub(super) fn add_entry(&mut self, acl: &str, entry: &AclEntry, address: &str) {
        let key = (acl.to_owned(), *entry);
        self.entries.insert(key, address.to_owned());
    }

    /// The address of the resource that makes a security group or network ACL, by its id.
    pub fn of(&self, id: &str) -> Option<&str> {
        self.things.get(id).map(String::as_str)
    }

    /// The address of the resource that makes this rule of a group; none if it stands in the group itself.
    pub fn of_rule(&self, group: &str, rule: &GroupRule) -> Option<&str> {
        self.rules.get(&key(group, rule)).map(String::as_str)
    }

    /// The address of the resource that makes this entry of a network ACL; none if it stands in the ACL itself.
    pub fn of_entry(&self, acl: &str, entry: &AclEntry) -> Option<&str> {
        let key = (acl.to_owned(), *entry);
        self.entries.get(&key).map(String::as_str)
    }

    /// Whether other rules come of the resource of this one: it lists several peers.
    pub fn is_shared(&self, group: &str, rule: &GroupRule) -> bool {
        let Some(own) = self.of_rule(group, rule) else {
            return false;
        };
        self.rules
            .values()
            .filter(|address| *address == own)
            .count()
            > 1
    }

    /// Whether a group has rules in resources of their own.
    pub fn has_own_rules(&self, group: &str) -> bool {
        self.rules.keys().any(|(of, ..)| of == group)
    }

    /// Whether nothing comes from Terraform.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty() && self.rules.is_empty() && self.entries.is_empty()
    }
}

fn key(group: &str, rule: &GroupRule) -> RuleKey {
    let peer = rule.peer.clone();
    (group.to_owned(), rule.direction, rule.traffic, peer)
}
