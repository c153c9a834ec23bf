//! Network ACLs: entries inside them and in resources of their own, and their subnets.

use super::{Reader, tags};
use crate::config::json::{Node, Wrong};
use crate::config::terraform::{Resource, is_any_unknown};
use crate::config::{AclEntry, Direction, NetworkAcl};

/// The arguments that hold the prefix of an entry.
const CIDRS: [&str; 2] = ["cidr_block", "ipv6_cidr_block"];

impl<'v> Reader<'_, 'v, '_> {
    pub(super) fn network_acl(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        for (key, direction) in [
            ("ingress", Direction::Ingress),
            ("egress", Direction::Egress),
        ] {
            let marks = one.unknown.and_then(|unknown| unknown.get(key));
            for (number, entry) in one.values.list(key)?.iter().enumerate() {
                let mark = |cidr: &str| marks.and_then(|marks| marks.get(number)?.get(cidr));
                if CIDRS
                    .iter()
                    .any(|cidr| mark(cidr).is_some_and(is_any_unknown))
                {
                    let what = format!(
                        "the prefix of {key} entry {number} is not known before it is applied; the entry is left out"
                    );
                    self.gathered.gap(&one.address, what);
                    continue;
                }
                let entry = acl_entry(entry, direction, "rule_no", "action")?;
                self.gathered.entries.push((id.clone(), entry));
            }
        }
        for subnet in self.reference_list(one, "subnet_ids")? {
            self.gathered.associations.push((id.clone(), subnet));
        }
        self.gathered.resources.add(&id, &one.address);
        let acl = NetworkAcl {
            id: id.clone(),
            vpc: self.reference(one, "vpc_id")?,
            tags: tags(one)?,
            ..NetworkAcl::default()
        };
        self.gathered.acls.entry(id).or_insert(acl);
        Ok(())
    }

    pub(super) fn network_acl_rule(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let direction = if one.values.flag("egress")? {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        if let Some(cidr) = CIDRS.iter().find(|cidr| one.is_unknown(cidr)) {
            self.not_followed(one, cidr);
            return Ok(());
        }
        if let Some(acl) = self.reference(one, "network_acl_id")? {
            let entry = acl_entry(&one.values, direction, "rule_number", "rule_action")?;
            let resources = &mut self.gathered.resources;
            resources.add_entry(&acl, &entry, &one.address);
            self.gathered.entries.push((acl, entry));
        }
        Ok(())
    }

    pub(super) fn network_acl_association(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let acl = self.reference(one, "network_acl_id")?;
        let subnet = self.reference(one, "subnet_id")?;
        self.gathered.associations.extend(acl.zip(subnet));
        Ok(())
    }
}

fn acl_entry(
    entry: &Node<'_>,
    direction: Direction,
    number: &str,
    action: &str,
) -> Result<AclEntry, Wrong> {
    let protocol = entry.required("protocol")?.to_ascii_lowercase();
    let ports = (entry.number("from_port")?, entry.number("to_port")?);
    let (from, to) = match protocol.as_str() {
        "1" | "58" | "icmp" | "icmpv6" => (entry.number("icmp_type")?, entry.number("icmp_code")?),
        _ => ports,
    };
    let cidr = match entry.prefix("cidr_block")? {
        Some(cidr) => Some(cidr),
        None => entry.prefix("ipv6_cidr_block")?,
    };
    let rule_number = entry.number(number)?;
    let rule_number = rule_number.and_then(|number| u32::try_from(number).ok());
    Ok(AclEntry {
        direction,
        number: rule_number
            .ok_or_else(|| entry.wrong(format!("expected `{number}`, a positive number")))?,
        is_allow: match entry.required(action)?.to_ascii_lowercase().as_str() {
            "allow" => true,
            "deny" => false,
            _ => return Err(entry.wrong(format!("expected `{action}` to be allow or deny"))),
        },
        cidr: cidr.ok_or_else(|| entry.wrong("expected `cidr_block` or `ipv6_cidr_block`"))?,
        traffic: entry.traffic(&protocol, from, to)?,
    })
}
