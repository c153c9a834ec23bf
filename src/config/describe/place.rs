//! Where things are: VPCs, subnets, interfaces, endpoints, NAT gateways.

use super::{region, tags};
use crate::config::gather::{Gathered, region_of_zone};
use crate::config::json::{Node, Wrong};
use crate::config::{Endpoint, EndpointKind, Instance, Interface, NatGateway, Subnet, Vpc};
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
    let interface = interface_of(node)?;
    gathered
        .interfaces
        .entry(interface.id.clone())
        .or_insert(interface);
    Ok(())
}

/// One interface, its lists as they stand.
pub(in crate::config) fn interface_of(node: &Node<'_>) -> Result<Interface, Wrong> {
    let mut addrs: Vec<_> = node.prefix("PrivateIpAddress")?.into_iter().collect();
    let mut public: Vec<_> = public_of(node)?.into_iter().collect();
    for (list, key) in [
        ("PrivateIpAddresses", "PrivateIpAddress"),
        ("Ipv6Addresses", "Ipv6Address"),
        ("Ipv4Prefixes", "Ipv4Prefix"),
        ("Ipv6Prefixes", "Ipv6Prefix"),
    ] {
        for address in node.list(list)? {
            addrs.extend(address.prefix(key)?);
            public.extend(public_of(&address)?);
        }
    }
    let instance = match node.get("Attachment")? {
        Some(attachment) => attachment.owned("InstanceId")?,
        None => None,
    };
    Ok(Interface {
        id: node.required("NetworkInterfaceId")?.to_owned(),
        vpc: node.owned("VpcId")?,
        subnet: node.owned("SubnetId")?,
        kind: node.text("InterfaceType")?.map(kind),
        description: node.owned("Description")?,
        addrs,
        public,
        account: node.owned("OwnerId")?,
        region: node.text("AvailabilityZone")?.and_then(region_of_zone),
        groups: group_ids(node)?,
        instance,
        tags: tags(node, "TagSet")?,
    })
}

/// The public address that is mapped to a private one.
fn public_of(address: &Node<'_>) -> Result<Option<Prefix>, Wrong> {
    match address.get("Association")? {
        Some(association) => association.prefix("PublicIp"),
        None => Ok(None),
    }
}

/// The type as flow logs write it: the API's own list has one word spelt otherwise.
fn kind(written: &str) -> String {
    match written {
        "natGateway" => "nat_gateway".to_owned(),
        other => other.to_owned(),
    }
}

/// The instances of a reservation, as `describe-instances` lists them.
pub(super) fn reservation(node: &Node<'_>, gathered: &mut Gathered) -> Result<(), Wrong> {
    for instance in node.list("Instances")? {
        let id = instance.required("InstanceId")?.to_owned();
        let tags = tags(&instance, "Tags")?;
        let instance = Instance {
            id: id.clone(),
            tags,
        };
        gathered.instances.entry(id).or_insert(instance);
    }
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
