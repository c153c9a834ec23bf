//! Security groups: rules inside them and in resources of their own.

use serde_json::Value;

use super::{Reader, region, tags};
use crate::config::json::{Node, Wrong};
use crate::config::terraform::references::is_plain;
use crate::config::terraform::{Resource, is_any_unknown};
use crate::config::{Direction, GroupRule, Peer, SecurityGroup};

/// The arguments of a rule that refer to other resources.
const REFERRING: [&str; 2] = ["security_groups", "prefix_list_ids"];

/// The arguments of a rule that hold prefixes.
const CIDRS: [&str; 2] = ["cidr_blocks", "ipv6_cidr_blocks"];

/// The arguments by which a rule and its block of the configuration find each other.
const ALIKE: [&str; 4] = ["from_port", "to_port", "protocol", "description"];

impl<'v> Reader<'_, 'v, '_> {
    pub(super) fn security_group(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        for (key, direction) in [
            ("ingress", Direction::Ingress),
            ("egress", Direction::Egress),
        ] {
            self.inline_rules(one, &id, key, direction)?;
        }
        let name = one.values.owned("name")?;
        let prefix = one.values.owned("name_prefix")?;
        // A name that is made of a prefix ends in digits that say nothing.
        let name = prefix
            .map(|prefix| prefix.trim_end_matches(['-', '_']).to_owned())
            .or(name);
        let group = SecurityGroup {
            id: id.clone(),
            vpc: self.reference(one, "vpc_id")?,
            name,
            description: one.values.owned("description")?,
            rules: Vec::new(),
            tags: tags(one)?,
            is_told: !one.is_data,
        };
        if !one.is_data {
            self.gathered.resources.add(&id, &one.address);
        }
        if let (Some(vpc), Some(region)) = (&group.vpc, region(one)?) {
            self.gathered.regions.push((vpc.clone(), region));
        }
        self.gathered.groups.entry(id).or_insert(group);
        Ok(())
    }

    /// Rules that stand in the group. An unknown list is one that the provider computes from resources of their own.
    fn inline_rules(
        &mut self,
        one: &Resource<'v>,
        id: &str,
        key: &str,
        direction: Direction,
    ) -> Result<(), Wrong> {
        let marks = one.unknown.and_then(|unknown| unknown.get(key));
        let is_unknown = |number: usize, keys: &[&str; 2]| {
            let mark = |key: &str| marks.and_then(|marks| marks.get(number)?.get(key));
            keys.iter().any(|key| mark(key).is_some_and(is_any_unknown))
        };
        let mut blocks = self.references.blocks(one, key);
        let rules = one.values.list(key)?;
        for (number, rule) in rules.iter().enumerate() {
            let mut peers = self.peers(rule, id, Some("security_groups"))?;
            if is_unknown(number, &REFERRING) {
                let rivals = rules.iter().enumerate().skip(number);
                let rivals = rivals.filter(|(at, other)| {
                    is_unknown(*at, &REFERRING) && are_alike(rule.value, other.value)
                });
                let num_rivals = rivals.count();
                let (found, gaps) = self.peers_of_block(one, rule, &mut blocks, num_rivals);
                if found.is_empty() && gaps.is_empty() {
                    let what = format!("whom {key} rule {number} lets through is not known");
                    self.gathered.gap(&one.address, what);
                }
                for what in gaps {
                    let what = format!("{key} rule {number}: {what}");
                    self.gathered.gap(&one.address, what);
                }
                peers.extend(found);
            }
            if is_unknown(number, &CIDRS) {
                let what = format!(
                    "the prefixes of {key} rule {number} are not known before it is applied"
                );
                self.gathered.gap(&one.address, what);
            }
            self.add_rules(id, direction, rule, "protocol", peers, None)?;
        }
        Ok(())
    }

    /// What the block of the configuration refers to that has this rule's ports, and what is to be said of that. Each block
    /// is taken once, because several may have the same ports; so may `num_rivals` rules, this one included.
    fn peers_of_block(
        &self,
        one: &Resource<'v>,
        rule: &Node<'v>,
        blocks: &mut Vec<&'v Value>,
        num_rivals: usize,
    ) -> (Vec<Peer>, Vec<String>) {
        let same = |block: &Value, key: &str| {
            let constant = block.get(key).and_then(|value| value.get("constant_value"));
            constant.is_none_or(|constant| Some(constant) == rule.value.get(key))
        };
        let leads = |block: &Value, key: &str| {
            let expression = block.get(key);
            expression.is_some_and(|expression| {
                !self.references.of_expression(one, expression).is_empty()
            })
        };
        let mut fitting = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            if ALIKE.iter().all(|key| same(block, key))
                && REFERRING.iter().any(|key| leads(block, key))
            {
                fitting.push(at);
            }
        }
        if fitting.len() > num_rivals {
            let what = "several blocks may be the one that is not known; none is carried over";
            return (Vec::new(), vec![what.to_owned()]);
        }
        let (mut peers, mut gaps) = (Vec::new(), Vec::new());
        if let Some(at) = fitting.first() {
            let block = blocks.remove(*at);
            let makers: [fn(String) -> Peer; 2] = [Peer::Group, Peer::PrefixList];
            for (key, peer) in REFERRING.iter().zip(makers) {
                if let Some(expression) = block.get(*key) {
                    let (ids, gap) = self.listed(one, expression);
                    peers.extend(ids.into_iter().map(peer));
                    gaps.extend(gap);
                }
            }
        }
        (peers, gaps)
    }

    /// The ids that an unknown list may hold, as far as they are carried over, and what is to be said of them. A plan's
    /// configuration tells a condition from a list only by what else it refers to.
    fn listed(&self, one: &Resource<'v>, expression: &Value) -> (Vec<String>, Option<String>) {
        let ids = self.references.of_expression(one, expression);
        if ids.len() < 2 {
            return (ids, None);
        }
        let what = format!("one or all of {}, the plan does not tell", ids.join(", "));
        if is_plain(expression) {
            (ids, Some(format!("{what}; all are carried over")))
        } else {
            (Vec::new(), Some(format!("{what}; none is carried over")))
        }
    }

    /// The peers that a rule of the older forms names; `groups` is the key of its security groups.
    fn peers(&self, rule: &Node<'v>, own: &str, groups: Option<&str>) -> Result<Vec<Peer>, Wrong> {
        let mut peers: Vec<Peer> = Vec::new();
        for key in CIDRS {
            peers.extend(rule.prefixes(key)?.into_iter().map(Peer::Cidr));
        }
        if let Some(key) = groups {
            peers.extend(rule.texts(key)?.iter().map(|id| group_peer(id)));
        }
        let lists = rule.texts("prefix_list_ids")?;
        peers.extend(lists.into_iter().map(Peer::PrefixList));
        if rule.flag("self")? {
            peers.push(Peer::Group(own.to_owned()));
        }
        Ok(peers)
    }

    /// Enters a rule for each of its peers; `own` is the resource that it has for itself, if it does not stand in the group.
    fn add_rules(
        &mut self,
        group: &str,
        direction: Direction,
        rule: &Node<'v>,
        protocol: &str,
        peers: Vec<Peer>,
        own: Option<&str>,
    ) -> Result<(), Wrong> {
        let traffic = rule.traffic(
            &rule.required(protocol)?.to_ascii_lowercase(),
            rule.number("from_port")?,
            rule.number("to_port")?,
        )?;
        let description = rule.owned("description")?;
        for peer in peers {
            let rule = GroupRule {
                direction,
                traffic,
                peer,
                description: description.clone(),
            };
            if let Some(address) = own {
                let resources = &mut self.gathered.resources;
                resources.add_rule(group, &rule, address);
            }
            self.gathered.rules.push((group.to_owned(), rule));
        }
        Ok(())
    }

    pub(super) fn group_rule(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let direction = match one.values.required("type")? {
            "ingress" => Direction::Ingress,
            "egress" => Direction::Egress,
            _ => return Err(one.values.wrong("expected `type` to be ingress or egress")),
        };
        let Some(group) = self.reference(one, "security_group_id")? else {
            return Ok(());
        };
        let mut peers = self.peers(&one.values, &group, None)?;
        for key in CIDRS {
            if one.is_unknown(key) {
                self.not_followed(one, key);
            }
        }
        if let Some(source) = self.reference(one, "source_security_group_id")?
            && !one.values.flag("self")?
        {
            peers.push(group_peer(&source));
        }
        if one.is_unknown("prefix_list_ids") {
            let mut lists = self.references.of(one, "prefix_list_ids");
            if lists.len() == 1 {
                peers.extend(lists.pop().map(Peer::PrefixList));
            } else {
                self.not_followed(one, "prefix_list_ids");
            }
        }
        let own = Some(one.address.as_str());
        self.add_rules(&group, direction, &one.values, "protocol", peers, own)
    }

    pub(super) fn single_rule(
        &mut self,
        one: &Resource<'v>,
        direction: Direction,
    ) -> Result<(), Wrong> {
        let Some(group) = self.reference(one, "security_group_id")? else {
            return Ok(());
        };
        let mut peers = Vec::new();
        for key in ["cidr_ipv4", "cidr_ipv6"] {
            peers.extend(one.values.prefix(key)?.map(Peer::Cidr));
            if one.is_unknown(key) {
                self.not_followed(one, key);
            }
        }
        let referenced = self.reference(one, "referenced_security_group_id")?;
        peers.extend(referenced.map(|id| group_peer(&id)));
        let list = self.reference(one, "prefix_list_id")?;
        peers.extend(list.map(Peer::PrefixList));
        let own = Some(one.address.as_str());
        self.add_rules(&group, direction, &one.values, "ip_protocol", peers, own)
    }
}

/// Whether the same block of the configuration may be meant by two rules.
fn are_alike(one: &Value, other: &Value) -> bool {
    ALIKE.iter().all(|key| one.get(*key) == other.get(*key))
}

/// A group's id, which has its account before it if that is another.
fn group_peer(id: &str) -> Peer {
    match id.split_once('/') {
        Some((account, id)) if account.bytes().all(|byte| byte.is_ascii_digit()) => {
            Peer::ForeignGroup {
                account: account.to_owned(),
                id: id.to_owned(),
            }
        }
        _ => Peer::Group(id.to_owned()),
    }
}
