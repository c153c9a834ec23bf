//! Terraform's resources of AWS, kind by kind.
//!
//! Source: the arguments and attributes that the AWS provider's documentation has of each.

mod acl;
mod group;

use serde_json::Value;

use super::Resource;
use super::references::References;
use crate::config::gather::{Gathered, region_of_arn};
use crate::config::json::Wrong;
use crate::config::{
    Direction, Endpoint, EndpointKind, Interface, LoadBalancer, NatGateway, PrefixList, Subnet,
    Tags, Vpc,
};

/// Reads all resources of a file that tell of a network; others are passed over.
pub(super) fn read<'v>(
    resources: &[Resource<'v>],
    configuration: Option<&'v Value>,
    gathered: &mut Gathered,
) -> Result<(), Wrong> {
    let references = References {
        configuration,
        resources,
    };
    let mut reader = Reader {
        references,
        gathered,
    };
    resources.iter().try_for_each(|one| reader.resource(one))
}

struct Reader<'r, 'v, 'g> {
    references: References<'r, 'v>,
    gathered: &'g mut Gathered,
}

impl<'v> Reader<'_, 'v, '_> {
    fn resource(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        match one.kind {
            "aws_vpc" | "aws_default_vpc" => self.vpc(one),
            "aws_subnet" | "aws_default_subnet" => self.subnet(one),
            "aws_security_group" | "aws_default_security_group" => self.security_group(one),
            "aws_ec2_managed_prefix_list" => self.prefix_list(one),
            // Of what a configuration only reads, what it reads of networks, subnets, groups and prefix lists is of use.
            _ if one.is_data => Ok(()),
            "aws_vpc_ipv4_cidr_block_association" => self.cidr(one, "cidr_block"),
            "aws_vpc_ipv6_cidr_block_association" => self.cidr(one, "ipv6_cidr_block"),
            "aws_security_group_rule" => self.group_rule(one),
            "aws_vpc_security_group_ingress_rule" => self.single_rule(one, Direction::Ingress),
            "aws_vpc_security_group_egress_rule" => self.single_rule(one, Direction::Egress),
            "aws_network_acl" | "aws_default_network_acl" => self.network_acl(one),
            "aws_network_acl_rule" => self.network_acl_rule(one),
            "aws_network_acl_association" => self.network_acl_association(one),
            "aws_ec2_managed_prefix_list_entry" => self.prefix_list_entry(one),
            "aws_nat_gateway" => self.nat_gateway(one),
            "aws_vpc_endpoint" => self.endpoint(one),
            "aws_lb" | "aws_alb" => self.load_balancer(one),
            "aws_network_interface" => self.interface(one),
            "aws_instance" => self.instance(one),
            _ => Ok(()),
        }
    }

    /// The id that an attribute names: known, or followed to what it will be of, or a gap.
    fn reference(&mut self, one: &Resource<'v>, key: &str) -> Result<Option<String>, Wrong> {
        if let Some(known) = one.values.owned(key)? {
            return Ok(Some(known));
        }
        if !one.is_unknown(key) {
            return Ok(None);
        }
        let mut found = self.references.of(one, key);
        if found.len() == 1 {
            return Ok(found.pop());
        }
        self.not_followed(one, key);
        Ok(None)
    }

    /// The ids that an attribute lists.
    fn reference_list(&mut self, one: &Resource<'v>, key: &str) -> Result<Vec<String>, Wrong> {
        let mut ids = one.values.texts(key)?;
        if one.is_unknown(key) {
            let found = self.references.of(one, key);
            if found.is_empty() {
                self.not_followed(one, key);
            }
            ids.extend(found);
        }
        Ok(ids)
    }

    fn not_followed(&mut self, one: &Resource<'v>, key: &str) {
        self.gathered.gap(
            &one.address,
            format!("`{key}` is not known before it is applied, and leads to nothing in this plan"),
        );
    }

    fn vpc(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        for key in ["cidr_block", "ipv6_cidr_block"] {
            if let Some(cidr) = one.values.prefix(key)? {
                self.gathered.cidrs.push((id.clone(), cidr));
            } else if one.is_unknown(key) && key == "cidr_block" {
                self.not_followed(one, key);
            }
        }
        let vpc = Vpc {
            id: id.clone(),
            account: one.values.owned("owner_id")?,
            region: region(one)?,
            cidrs: Vec::new(),
            tags: tags(one)?,
        };
        self.gathered.vpcs.entry(id).or_insert(vpc);
        Ok(())
    }

    fn cidr(&mut self, one: &Resource<'v>, key: &str) -> Result<(), Wrong> {
        let vpc = self.reference(one, "vpc_id")?;
        match (vpc, one.values.prefix(key)?) {
            (Some(vpc), Some(cidr)) => self.gathered.cidrs.push((vpc, cidr)),
            (_, None) if one.is_unknown(key) => self.not_followed(one, key),
            _ => {}
        }
        Ok(())
    }

    fn subnet(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let mut cidrs: Vec<_> = one.values.prefix("cidr_block")?.into_iter().collect();
        cidrs.extend(one.values.prefix("ipv6_cidr_block")?);
        if cidrs.is_empty() {
            self.not_followed(one, "cidr_block");
        }
        let subnet = Subnet {
            id: id.clone(),
            vpc: self.reference(one, "vpc_id")?,
            az: one.values.owned("availability_zone")?,
            az_id: one.values.owned("availability_zone_id")?,
            account: one.values.owned("owner_id")?,
            cidrs,
            tags: tags(one)?,
        };
        if let (Some(vpc), Some(region)) = (&subnet.vpc, region(one)?) {
            self.gathered.regions.push((vpc.clone(), region));
        }
        self.gathered.subnets.entry(id).or_insert(subnet);
        Ok(())
    }

    fn prefix_list(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let key = if one.is_data { "entries" } else { "entry" };
        for entry in one.values.list(key)? {
            if let Some(prefix) = entry.prefix("cidr")? {
                self.gathered.list_entries.push((id.clone(), prefix));
            }
        }
        let list = PrefixList {
            id: id.clone(),
            name: one.values.owned("name")?,
            entries: None,
        };
        self.gathered.prefix_lists.entry(id).or_insert(list);
        Ok(())
    }

    fn prefix_list_entry(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let list = self.reference(one, "prefix_list_id")?;
        let cidr = one.values.prefix("cidr")?;
        self.gathered.list_entries.extend(list.zip(cidr));
        Ok(())
    }

    fn nat_gateway(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let mut addrs = one.values.prefixes("secondary_private_ip_addresses")?;
        addrs.extend(one.values.prefix("private_ip")?);
        let nat = NatGateway {
            id: id.clone(),
            vpc: None,
            subnet: self.reference(one, "subnet_id")?,
            addrs,
        };
        self.gathered.nats.entry(id).or_insert(nat);
        Ok(())
    }

    fn endpoint(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let mut addrs = Vec::new();
        for subnet in one.values.list("subnet_configuration")? {
            addrs.extend(subnet.prefix("ipv4")?);
            addrs.extend(subnet.prefix("ipv6")?);
        }
        let endpoint = Endpoint {
            id: id.clone(),
            vpc: self.reference(one, "vpc_id")?,
            service: one.values.owned("service_name")?.unwrap_or_default(),
            kind: match one.values.text("vpc_endpoint_type")? {
                Some("Interface") => EndpointKind::Interface,
                Some("Gateway") | None => EndpointKind::Gateway,
                Some(_) => EndpointKind::Other,
            },
            interfaces: one.values.texts("network_interface_ids")?,
            addrs,
            groups: self.reference_list(one, "security_group_ids")?,
            tags: tags(one)?,
        };
        self.gathered.endpoints.entry(id).or_insert(endpoint);
        Ok(())
    }

    fn load_balancer(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let balancer = LoadBalancer {
            id: id.clone(),
            name: one.values.owned("name")?,
            kind: one.values.owned("load_balancer_type")?,
            subnets: self.reference_list(one, "subnets")?,
            groups: self.reference_list(one, "security_groups")?,
        };
        self.gathered.balancers.entry(id).or_insert(balancer);
        Ok(())
    }

    fn interface(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let id = one.id()?;
        let mut addrs: Vec<_> = one.values.prefix("private_ip")?.into_iter().collect();
        for key in [
            "private_ips",
            "ipv6_addresses",
            "ipv4_prefixes",
            "ipv6_prefixes",
        ] {
            addrs.extend(one.values.prefixes(key)?);
        }
        let mut instance = None;
        for attachment in one.values.list("attachment")? {
            instance = attachment.owned("instance")?;
        }
        let interface = Interface {
            id: id.clone(),
            vpc: None,
            subnet: self.reference(one, "subnet_id")?,
            kind: one.values.owned("interface_type")?,
            description: one.values.owned("description")?,
            addrs,
            public: Vec::new(),
            account: one.values.owned("owner_id")?,
            region: region(one)?,
            groups: self.reference_list(one, "security_groups")?,
            instance,
            tags: tags(one)?,
        };
        self.gathered.interfaces.entry(id).or_insert(interface);
        Ok(())
    }

    /// An instance's first interface.
    fn instance(&mut self, one: &Resource<'v>) -> Result<(), Wrong> {
        let instance = one.id()?;
        let mut addrs: Vec<_> = one.values.prefix("private_ip")?.into_iter().collect();
        for key in ["secondary_private_ips", "ipv6_addresses"] {
            addrs.extend(one.values.prefixes(key)?);
        }
        let primary = one.values.owned("primary_network_interface_id")?;
        let id = primary.unwrap_or_else(|| instance.clone());
        let interface = Interface {
            id: id.clone(),
            vpc: None,
            subnet: self.reference(one, "subnet_id")?,
            kind: None,
            description: None,
            addrs,
            public: one.values.prefix("public_ip")?.into_iter().collect(),
            account: None,
            region: region(one)?,
            groups: self.reference_list(one, "vpc_security_group_ids")?,
            instance: Some(instance),
            tags: tags(one)?,
        };
        self.gathered.interfaces.entry(id).or_insert(interface);
        Ok(())
    }
}

fn region(one: &Resource<'_>) -> Result<Option<String>, Wrong> {
    Ok(one.values.text("arn")?.and_then(region_of_arn))
}

/// All tags, those that the provider sets by default included.
fn tags(one: &Resource<'_>) -> Result<Tags, Wrong> {
    let mut tags = Tags::new();
    for key in ["tags_all", "tags"] {
        let Some(node) = one.values.get(key)? else {
            continue;
        };
        for (key, _) in node.entries()? {
            let value = node.owned(key)?.unwrap_or_default();
            tags.insert(key.to_owned(), value);
        }
    }
    Ok(tags)
}
