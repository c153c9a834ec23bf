//! Security groups and their rules.

use super::{region, tags};
use crate::config::gather::Gathered;
use crate::config::json::{Node, Wrong};
use crate::config::{Direction, GroupRule, Peer, SecurityGroup};

pub(super) fn security_group(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("GroupId")?.to_owned();
    let account = node.owned("OwnerId")?;
    for (key, direction) in [
        ("IpPermissions", Direction::Ingress),
        ("IpPermissionsEgress", Direction::Egress),
    ] {
        for permission in node.list(key)? {
            let rules = permission_rules(&permission, direction, account.as_deref())?;
            gathered
                .rules
                .extend(rules.into_iter().map(|rule| (id.clone(), rule)));
        }
    }
    let group = SecurityGroup {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        name: node.owned("GroupName")?,
        description: node.owned("Description")?,
        rules: Vec::new(),
        tags: tags(node, "Tags")?,
        is_told: true,
    };
    region(node, "SecurityGroupArn", group.vpc.as_deref(), gathered)?;
    gathered.groups.entry(id).or_insert(group);
    Ok(())
}

/// The rules that one permission stands for: one for each of its peers.
fn permission_rules(
    permission: &Node<'_>,
    direction: Direction,
    owner: Option<&str>,
) -> Result<Vec<GroupRule>, Wrong> {
    let traffic = permission.traffic(
        permission.required("IpProtocol")?,
        permission.number("FromPort")?,
        permission.number("ToPort")?,
    )?;
    let mut rules = Vec::new();
    let mut add = |peer: Peer, said: &Node<'_>| -> Result<(), Wrong> {
        rules.push(GroupRule {
            direction,
            traffic,
            peer,
            description: said.owned("Description")?,
        });
        Ok(())
    };
    for (key, cidr) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")] {
        for range in permission.list(key)? {
            if let Some(prefix) = range.prefix(cidr)? {
                add(Peer::Cidr(prefix), &range)?;
            }
        }
    }
    for list in permission.list("PrefixListIds")? {
        let id = list.required("PrefixListId")?.to_owned();
        add(Peer::PrefixList(id), &list)?;
    }
    for pair in permission.list("UserIdGroupPairs")? {
        add(group_peer(&pair, owner)?, &pair)?;
    }
    Ok(rules)
}

/// The group that a pair names: one of another account if it says so.
fn group_peer(pair: &Node<'_>, owner: Option<&str>) -> Result<Peer, Wrong> {
    let id = pair.required("GroupId")?.to_owned();
    Ok(match (pair.text("UserId")?, owner) {
        (Some(account), Some(owner)) if account != owner => Peer::ForeignGroup {
            account: account.to_owned(),
            id,
        },
        _ => Peer::Group(id),
    })
}

pub(super) fn group_rule(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let group = node.required("GroupId")?.to_owned();
    let peer = if let Some(prefix) = node.prefix("CidrIpv4")? {
        Peer::Cidr(prefix)
    } else if let Some(prefix) = node.prefix("CidrIpv6")? {
        Peer::Cidr(prefix)
    } else if let Some(list) = node.owned("PrefixListId")? {
        Peer::PrefixList(list)
    } else if let Some(referenced) = node.get("ReferencedGroupInfo")? {
        group_peer(&referenced, node.text("GroupOwnerId")?)?
    } else {
        return Err(node.wrong(
            "expected one of `CidrIpv4`, `CidrIpv6`, `PrefixListId` and `ReferencedGroupInfo`",
        ));
    };
    let rule = GroupRule {
        direction: if node.flag("IsEgress")? {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        traffic: node.traffic(
            node.required("IpProtocol")?,
            node.number("FromPort")?,
            node.number("ToPort")?,
        )?,
        peer,
        description: node.owned("Description")?,
    };
    gathered.rules.push((group, rule));
    Ok(())
}
