//! An AWS network's configuration: VPCs, subnets, security groups, network ACLs, interfaces and what belongs to them, as
//! Terraform (`terraform show -json`) or the describe calls of EC2 tell it.
//!
//! Both tell the same things in different shapes; [`from_terraform`] and [`from_describe`] read them into one model, so
//! that nothing behind knows where a configuration came from. No I/O: bytes in, [`Config`] or errors out.
//!
//! In the order of what happens to a file: `json` walks it with places, `describe` and `terraform` read their shapes,
//! `gather` puts together what stands apart (a rule in a resource of its own, an association) and brings all of it in order.
//! `history` reads what AWS Config recorded of interfaces over time, and tells all these shapes apart.
//! Then [`permit`] says what AWS would do with a connection.
//!
//! What an id is: AWS's own (`sg-0a1b…`), or, where a Terraform plan does not know it yet, the resource's address
//! (`module.net.aws_security_group.web`). [`is_known`] tells them apart.

mod describe;
mod gather;
mod history;
mod json;
pub mod permit;
mod resources;
mod terraform;
mod traffic;

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::net::Prefix;

use gather::Gathered;
use json::{Node, Wrong};

pub use describe::from_describe;
pub use history::{History, Recorded, Told, from_any};
pub use resources::Resources;
pub use terraform::from_terraform;
pub use traffic::Traffic;

/// The largest file that is read, bytes. What is built from it takes some ten times that.
pub const MAX_BYTES: usize = 64 << 20;

/// A file as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// How errors call it; the entries of a prefix list go by it too, see [`from_describe`].
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// Why a file could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// What is wrong, with the place in the file.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads files of both shapes, in any mixture: each is recognised by its keys.
///
/// # Errors
/// What is wrong, one error for each file.
pub fn from_either(inputs: &[Input<'_>]) -> Result<Config, Vec<ConfigError>> {
    Gathered::from_files(inputs, read_either)
}

/// Reads a file of either shape.
fn read_either(root: &Node<'_>, name: &str, gathered: &mut Gathered) -> Result<(), Wrong> {
    if terraform::is_one(root) {
        terraform::file(root, gathered)
    } else {
        describe::file(root, name, gathered)
    }
}

/// A network's configuration. Every list is sorted by id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// VPCs. Every VPC that a prefix, subnet, group, network ACL or interface names is among them, without prefixes if only
    /// its name is known.
    pub vpcs: Vec<Vpc>,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// Security groups.
    pub groups: Vec<SecurityGroup>,
    /// Network ACLs.
    pub acls: Vec<NetworkAcl>,
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// Instances; describe calls only.
    pub instances: Vec<Instance>,
    /// VPC endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Managed prefix lists.
    pub prefix_lists: Vec<PrefixList>,
    /// NAT gateways.
    pub nats: Vec<NatGateway>,
    /// Load balancers; Terraform only.
    pub balancers: Vec<LoadBalancer>,
    /// Whether `interfaces` holds all there are: the describe call tells all, Terraform only those that it made itself.
    pub has_all_interfaces: bool,
    /// What the input says in a way that could not be followed.
    pub gaps: Vec<Gap>,
    /// The resources of Terraform that it comes from.
    pub resources: Resources,
}

impl Config {
    /// The security group with this id.
    pub fn group(&self, id: &str) -> Option<&SecurityGroup> {
        let groups = &self.groups;
        let at = groups.binary_search_by(|group| group.id.as_str().cmp(id));
        Some(&groups[at.ok()?])
    }

    /// What it holds of some VPCs, and what it does not say the VPC of.
    pub fn of_vpcs(&self, is_wanted: impl Fn(&Vpc) -> bool) -> Config {
        let mut config = self.clone();
        config.vpcs.retain(is_wanted);
        let vpcs: BTreeSet<String> = config.vpcs.iter().map(|vpc| vpc.id.clone()).collect();
        let is_of = |vpc: &Option<String>| vpc.as_ref().is_none_or(|vpc| vpcs.contains(vpc));
        config.subnets.retain(|one| is_of(&one.vpc));
        config.groups.retain(|one| is_of(&one.vpc));
        config.acls.retain(|one| is_of(&one.vpc));
        config.interfaces.retain(|one| is_of(&one.vpc));
        config.endpoints.retain(|one| is_of(&one.vpc));
        config.nats.retain(|one| is_of(&one.vpc));
        config
    }

    /// The managed prefix list with this id.
    pub fn prefix_list(&self, id: &str) -> Option<&PrefixList> {
        let lists = &self.prefix_lists;
        let at = lists.binary_search_by(|list| list.id.as_str().cmp(id));
        Some(&lists[at.ok()?])
    }
}

/// Something that could not be followed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Gap {
    /// The id or address that it is about.
    pub about: String,
    /// What is missing.
    pub what: String,
}

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// A VPC.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vpc {
    /// Its id.
    pub id: String,
    /// The account that owns it, twelve digits.
    pub account: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// All of its prefixes, IPv4 and IPv6, sorted.
    pub cidrs: Vec<Prefix>,
    /// Its tags.
    pub tags: Tags,
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// The availability zone's name, `us-east-2a`: another zone in every account.
    pub az: Option<String>,
    /// The availability zone's id, `use2-az1`: the same zone in every account.
    pub az_id: Option<String>,
    /// The account that owns it.
    pub account: Option<String>,
    /// Its prefixes, sorted.
    pub cidrs: Vec<Prefix>,
    /// Its tags.
    pub tags: Tags,
}

/// A security group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// Its name, which is unique in its VPC.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// What it lets in and out, sorted, each once.
    pub rules: Vec<GroupRule>,
    /// Its tags.
    pub tags: Tags,
    /// Whether the group itself is in the input, and not only rules of it.
    pub is_told: bool,
}

/// Which way traffic goes, seen from what it passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// Into it.
    Ingress,
    /// Out of it.
    Egress,
}

/// One line of a security group: one kind of traffic, one peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GroupRule {
    /// In or out.
    pub direction: Direction,
    /// What is let through.
    pub traffic: Traffic,
    /// From whom, or to whom.
    pub peer: Peer,
    /// What people said of it.
    pub description: Option<String>,
}

/// The other side of a security group's rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peer {
    /// Addresses.
    Cidr(Prefix),
    /// What carries a security group, by its id.
    Group(String),
    /// What carries a security group of another account.
    ForeignGroup {
        /// The account.
        account: String,
        /// The group's id there.
        id: String,
    },
    /// The addresses of a managed prefix list, by its id.
    PrefixList(String),
}

/// `10.0.0.0/16`, `sg-0a1b`, `sg-0a1b of account 123456789012`, `pl-0a1b`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Cidr(prefix) => prefix.fmt(f),
            Peer::Group(id) | Peer::PrefixList(id) => f.write_str(id),
            Peer::ForeignGroup { account, id } => write!(f, "{id} of account {account}"),
        }
    }
}

/// A network ACL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NetworkAcl {
    /// Its id.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// Its entries in the order in which they are asked, inbound ones first, without the closing deny.
    pub entries: Vec<AclEntry>,
    /// The ids of its subnets, sorted.
    pub subnets: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An entry of a network ACL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AclEntry {
    /// Into the subnets, or out of them.
    pub direction: Direction,
    /// Its number: of entries that match, the one with the lowest decides.
    pub number: u32,
    /// Whether it lets through.
    pub is_allow: bool,
    /// The addresses at the other side.
    pub cidr: Prefix,
    /// Protocol and destination ports.
    pub traffic: Traffic,
}

/// A network interface, or an instance where only that is known.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Interface {
    /// Its id; an instance's where that of its interface is not known.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// The subnet; none where the input does not tell.
    pub subnet: Option<String>,
    /// `interface`, `nat_gateway`, `network_load_balancer`, …
    pub kind: Option<String>,
    /// What its maker wrote.
    pub description: Option<String>,
    /// Its private addresses, its IPv6 addresses, and prefixes delegated to it, sorted.
    pub addrs: Vec<Prefix>,
    /// The public IPv4 addresses that AWS maps to its private ones, sorted.
    pub public: Vec<Prefix>,
    /// The account that owns it; none where the input does not tell.
    pub account: Option<String>,
    /// Its region; none where the input does not tell.
    pub region: Option<String>,
    /// The ids of the security groups that it carries, sorted.
    pub groups: Vec<String>,
    /// The instance that it is attached to.
    pub instance: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An instance, as far as its interfaces do not tell it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its tags.
    pub tags: Tags,
}

/// What kind of VPC endpoint it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EndpointKind {
    /// Interfaces in subnets.
    Interface,
    /// A route to a service.
    #[default]
    Gateway,
    /// Anything else, such as a Gateway Load Balancer's.
    Other,
}

/// A VPC endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// The service, `com.amazonaws.us-east-2.kms`.
    pub service: String,
    /// What it is made of.
    pub kind: EndpointKind,
    /// Its interfaces' ids, sorted.
    pub interfaces: Vec<String>,
    /// The addresses of its interfaces, as far as the input tells, sorted.
    pub addrs: Vec<Prefix>,
    /// The ids of its security groups, sorted.
    pub groups: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A managed prefix list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrefixList {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its prefixes, sorted; none where the input does not tell.
    pub entries: Option<Vec<Prefix>>,
}

/// A NAT gateway.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NatGateway {
    /// Its id.
    pub id: String,
    /// The VPC; none where the input does not tell.
    pub vpc: Option<String>,
    /// The subnet; none where the input does not tell.
    pub subnet: Option<String>,
    /// Its private addresses, sorted.
    pub addrs: Vec<Prefix>,
}

/// A load balancer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoadBalancer {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `application`, `network`, `gateway`.
    pub kind: Option<String>,
    /// The ids of its subnets, sorted.
    pub subnets: Vec<String>,
    /// The ids of its security groups, sorted.
    pub groups: Vec<String>,
}

/// Whether this is an id of AWS, and not the address of a resource that does not exist yet.
pub fn is_known(id: &str) -> bool {
    !id.contains('.')
}
