//! Where things are: VPCs, subnets, interfaces, endpoints, NAT gateways.

use super::{region, tags};
use crate::config::gather::Gathered;
use crate::config::json::{Node, Wrong};
use crate::config::{Endpoint, EndpointKind, Interface, NatGateway, Subnet, Vpc};
use crate::net::Prefix;

pub(super) fn vpc(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("VpcId")?.to_owned();
    let mut cidrs: Vec<_> = node.prefix("CidrBlock")?.into_iter().collect();
    cidrs.extend(associated(node, "CidrBlockAssociationSet", "CidrBlock")?);
    cidrs.extend(associated(
        node,
        "Ipv6CidrBlockAssociationSet",
        "Ipv6CidrBlock",
    )?);
    gathered
        .cidrs
        .extend(cidrs.into_iter().map(|cidr| (id.clone(), cidr)));
    let vpc = Vpc {
        id: id.clone(),
        account: node.owned("OwnerId")?,
        tags: tags(node, "Tags")?,
        ..Vpc::default()
    };
    gathered.vpcs.entry(id).or_insert(vpc);
    Ok(())
}

/// Prefixes that are associated or about to be.
fn associated(node: &Node<'_>, set: &str, key: &str) -> Result<Vec<Prefix>, Wrong> {
    let mut prefixes = Vec::new();
    for association in node.list(set)? {
        let state = match association.get(&format!("{key}State"))? {
            Some(state) => state.text("State")?,
            None => None,
        };
        if state.is_none_or(|state| matches!(state, "associated" | "associating")) {
            prefixes.extend(association.prefix(key)?);
        }
    }
    Ok(prefixes)
}

pub(super) fn subnet(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("SubnetId")?.to_owned();
    let mut cidrs: Vec<_> = node.prefix("CidrBlock")?.into_iter().collect();
    cidrs.extend(associated(
        node,
        "Ipv6CidrBlockAssociationSet",
        "Ipv6CidrBlock",
    )?);
    let subnet = Subnet {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        az: node.owned("AvailabilityZone")?,
        az_id: node.owned("AvailabilityZoneId")?,
        account: node.owned("OwnerId")?,
        cidrs,
        tags: tags(node, "Tags")?,
    };
    region(node, "SubnetArn", subnet.vpc.as_deref(), gathered)?;
    gathered.subnets.entry(id).or_insert(subnet);
    Ok(())
}

pub(super) fn interface(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("NetworkInterfaceId")?.to_owned();
    let mut addrs: Vec<_> = node.prefix("PrivateIpAddress")?.into_iter().collect();
    for (list, key) in [
        ("PrivateIpAddresses", "PrivateIpAddress"),
        ("Ipv6Addresses", "Ipv6Address"),
        ("Ipv4Prefixes", "Ipv4Prefix"),
        ("Ipv6Prefixes", "Ipv6Prefix"),
    ] {
        for address in node.list(list)? {
            addrs.extend(address.prefix(key)?);
        }
    }
    let instance = match node.get("Attachment")? {
        Some(attachment) => attachment.owned("InstanceId")?,
        None => None,
    };
    let interface = Interface {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        subnet: node.owned("SubnetId")?,
        kind: node.owned("InterfaceType")?,
        description: node.owned("Description")?,
        addrs,
        groups: group_ids(node)?,
        instance,
        tags: tags(node, "TagSet")?,
    };
    gathered.interfaces.entry(id).or_insert(interface);
    Ok(())
}

fn group_ids(node: &Node<'_>) -> Result<Vec<String>, Wrong> {
    let groups = node.list("Groups")?;
    let ids = groups.iter().map(|group| group.required("GroupId"));
    ids.map(|id| id.map(str::to_owned)).collect()
}

pub(super) fn endpoint(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    let id = node.required("VpcEndpointId")?.to_owned();
    let endpoint = Endpoint {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        service: node.required("ServiceName")?.to_owned(),
        kind: match node.text("VpcEndpointType")? {
            Some("Interface") => EndpointKind::Interface,
            Some("Gateway") | None => EndpointKind::Gateway,
            Some(_) => EndpointKind::Other,
        },
        interfaces: node.texts("NetworkInterfaceIds")?,
        addrs: Vec::new(),
        groups: group_ids(node)?,
        tags: tags(node, "Tags")?,
    };
    gathered.endpoints.entry(id).or_insert(endpoint);
    Ok(())
}

pub(super) fn nat_gateway(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    if matches!(node.text("State")?, Some("deleting" | "deleted" | "failed")) {
        return Ok(());
    }
    let id = node.required("NatGatewayId")?.to_owned();
    let mut addrs = Vec::new();
    for address in node.list("NatGatewayAddresses")? {
        addrs.extend(address.prefix("PrivateIp")?);
    }
    let nat = NatGateway {
        id: id.clone(),
        vpc: node.owned("VpcId")?,
        subnet: node.owned("SubnetId")?,
        addrs,
    };
    gathered.nats.entry(id).or_insert(nat);
    Ok(())
}
