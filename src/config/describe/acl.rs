//! Network ACLs and their entries.

use super::tags;
use crate::config::gather::Gathered;
use crate::config::json::{Node, Wrong};
use crate::config::{AclEntry, Direction, NetworkAcl, Traffic};

/// The numbers of the entries that close every network ACL, as the call tells them: of IPv4 and of IPv6. Those that people
/// make end at 32766.
const CLOSING_ENTRIES: [i64; 2] = [32_767, 32_768];

pub(super) fn network_acl(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("NetworkAclId")?.to_owned();
    for entry in node.list("Entries")? {
        let number = entry.number("RuleNumber")?;
        let is_closing = number.is_some_and(|number| CLOSING_ENTRIES.contains(&number));
        if !is_closing {
            gathered.entries.push((id.clone(), acl_entry(&entry)?));
        }
    }
    for association in node.list("Associations")? {
        let subnet = association.required("SubnetId")?.to_owned();
        gathered.associations.push((id.clone(), subnet));
    }
    let acl = NetworkAcl {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        tags: tags(node, "Tags")?,
        ..NetworkAcl::default()
    };
    gathered.acls.entry(id).or_insert(acl);
    Ok(())
}

fn acl_entry(entry: &Node<'_>) -> Result<AclEntry, Wrong> {
    let number = entry.number("RuleNumber")?;
    let number = number.and_then(|number| u32::try_from(number).ok());
    let cidr = match entry.prefix("CidrBlock")? {
        Some(cidr) => Some(cidr),
        None => entry.prefix("Ipv6CidrBlock")?,
    };
    Ok(AclEntry {
        direction: if entry.flag("Egress")? {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        number: number.ok_or_else(|| entry.wrong("expected `RuleNumber`, a positive number"))?,
        is_allow: match entry.required("RuleAction")? {
            "allow" => true,
            "deny" => false,
            _ => return Err(entry.wrong("expected `RuleAction` to be allow or deny")),
        },
        cidr: cidr.ok_or_else(|| entry.wrong("expected `CidrBlock` or `Ipv6CidrBlock`"))?,
        traffic: acl_traffic(entry)?,
    })
}

fn acl_traffic(entry: &Node<'_>) -> Result<Traffic, Wrong> {
    let numbers = match (entry.get("IcmpTypeCode")?, entry.get("PortRange")?) {
        (Some(icmp), _) => (icmp.number("Type")?, icmp.number("Code")?),
        (None, Some(range)) => (range.number("From")?, range.number("To")?),
        (None, None) => (None, None),
    };
    entry.traffic(entry.required("Protocol")?, numbers.0, numbers.1)
}
