//! Security groups: rules inside them and in resources of their own.

use serde_json::Value;

use super::{Reader, region, tags};
use crate::config::json::{Node, Wrong};
use crate::config::terraform::{Resource, is_any_unknown};
use crate::config::{Direction, GroupRule, Peer, SecurityGroup};

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
        let unknown = one.unknown.and_then(|unknown| unknown.get(key));
        let mut blocks = self.references.blocks(one, key);
        for (number, block) in one.values.list(key)?.iter().enumerate() {
            let mut peers = self.peers(block, id, ["security_groups", "prefix_list_ids"])?;
            let unknown = unknown.and_then(|unknown| unknown.get(number));
            let is_partly_unknown = |key: &str| {
                unknown
                    .and_then(|unknown| unknown.get(key))
                    .is_some_and(is_any_unknown)
            };
            if peers.is_empty()
                || is_partly_unknown("security_groups")
                || is_partly_unknown("prefix_list_ids")
            {
                let found = self.peers_of_block(one, block, &mut blocks);
                if found.is_empty() && peers.is_empty() {
                    let what = format!("whom {key} rule {number} lets through is not known");
                    self.gathered.gap(&one.address, what);
                }
                peers.extend(found);
            }
            self.add_rules(id, direction, block, "protocol", peers)?;
        }
        Ok(())
    }

    /// What the block of the configuration refers to that has this rule's ports. Each block is taken once, because several
    /// may have the same.
    fn peers_of_block(
        &self,
        one: &Resource<'v>,
        rule: &Node<'v>,
        blocks: &mut Vec<&'v Value>,
    ) -> Vec<Peer> {
        let same = |block: &Value, key: &str| {
            let constant = block.get(key).and_then(|value| value.get("constant_value"));
            constant.is_none_or(|constant| Some(constant) == rule.value.get(key))
        };
        let peers = |block: &Value| {
            let of = |key: &str| {
                let expression = block.get(key);
                expression
                    .map(|expression| self.references.of_expression(one, expression))
                    .unwrap_or_default()
            };
            let groups = of("security_groups").into_iter().map(Peer::Group);
            let lists = of("prefix_list_ids").into_iter().map(Peer::PrefixList);
            groups.chain(lists).collect::<Vec<Peer>>()
        };
        let fitting = blocks.iter().position(|block| {
            ["from_port", "to_port", "protocol"]
                .iter()
                .all(|key| same(block, key))
                && !peers(block).is_empty()
        });
        fitting
            .map(|at| peers(blocks.remove(at)))
            .unwrap_or_default()
    }

    /// The peers that a rule of the older forms names.
    fn peers(
        &self,
        rule: &Node<'v>,
        own: &str,
        [groups, lists]: [&str; 2],
    ) -> Result<Vec<Peer>, Wrong> {
        let mut peers: Vec<Peer> = Vec::new();
        for key in ["cidr_blocks", "ipv6_cidr_blocks"] {
            peers.extend(rule.prefixes(key)?.into_iter().map(Peer::Cidr));
        }
        peers.extend(rule.texts(groups)?.iter().map(|id| group_peer(id)));
        peers.extend(rule.texts(lists)?.into_iter().map(Peer::PrefixList));
        if rule.flag("self")? {
            peers.push(Peer::Group(own.to_owned()));
        }
        Ok(peers)
    }

    fn add_rules(
        &mut self,
        group: &str,
        direction: Direction,
        rule: &Node<'v>,
        protocol: &str,
        peers: Vec<Peer>,
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
        let mut peers = self.peers(&one.values, &group, ["", "prefix_list_ids"])?;
        if let Some(source) = self.reference(one, "source_security_group_id")?
            && !one.values.flag("self")?
        {
            peers.push(group_peer(&source));
        }
        if one.is_unknown("prefix_list_ids") {
            let lists = self.references.of(one, "prefix_list_ids");
            peers.extend(lists.into_iter().map(Peer::PrefixList));
        }
        self.add_rules(&group, direction, &one.values, "protocol", peers)
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
        }
        let referenced = self.reference(one, "referenced_security_group_id")?;
        peers.extend(referenced.map(|id| group_peer(&id)));
        let list = self.reference(one, "prefix_list_id")?;
        peers.extend(list.map(Peer::PrefixList));
        self.add_rules(&group, direction, &one.values, "ip_protocol", peers)
    }
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
