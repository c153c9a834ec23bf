//! Where the ends of a connection are: the VPC, the subnet with its network ACL, the interfaces that have the address.

use std::collections::HashMap;

use crate::config::{Config, Interface, NetworkAcl, SecurityGroup, Subnet, Vpc};
use crate::net::{Addr, Prefix};

/// An end of a connection.
#[derive(Clone, Debug)]
pub struct End<'c> {
    /// Its address.
    pub addr: Addr,
    /// The VPC; none for an end outside of all.
    pub vpc: Option<&'c Vpc>,
    /// Whether several VPCs have the address, so that nothing is known of it. Then it has no VPC.
    pub is_ambiguous: bool,
    /// The subnet; none outside, and where no subnet of the configuration has the address.
    pub subnet: Option<&'c Subnet>,
    /// The subnet's network ACL; none where the configuration has none.
    pub acl: Option<&'c NetworkAcl>,
    /// The interfaces that have the address: seldom more than one; empty where none is known.
    pub interfaces: Vec<&'c Interface>,
    /// Ids of the security groups that they carry, sorted, each with the group if the configuration has it.
    pub groups: Vec<(&'c str, Option<&'c SecurityGroup>)>,
    /// Whether the configuration holds all interfaces of the VPC, so that an address of none has nobody.
    pub is_fully_known: bool,
    /// Of an end outside: ids of the security groups that interfaces of any VPC with its address carry, sorted. Whether they
    /// are who is meant is not known.
    pub elsewhere: Vec<&'c str>,
}

/// Kinds of interfaces that may carry no security groups, so that nothing filters there: these take none, or (a Network
/// Load Balancer) none unless it was made with some. Every other carries one at least.
///
/// Source: AWS, *Amazon VPC User Guide*, "NAT gateway basics" and "Transit gateway"; *Network Load Balancers*, "Update the
/// security groups".
const WITHOUT_GROUPS: [&str; 5] = [
    "nat_gateway",
    "transit_gateway",
    "network_load_balancer",
    "gateway_load_balancer",
    "gateway_load_balancer_endpoint",
];

impl<'c> End<'c> {
    /// Whether it is one of the configuration's, and not outside.
    pub fn is_inside(&self) -> bool {
        self.vpc.is_some()
    }

    /// Whether both are the same address at the same place.
    pub(super) fn is_same(&self, other: &End<'_>) -> bool {
        self.addr == other.addr && self.vpc_id() == other.vpc_id()
    }

    /// Whether both are in one subnet, so that no network ACL sees what goes between them; none where nobody can tell.
    pub(super) fn is_same_subnet(&self, other: &End<'_>) -> Option<bool> {
        if self.vpc_id() != other.vpc_id() {
            return Some(false);
        }
        Some(self.subnet?.id == other.subnet?.id)
    }

    /// The id of its VPC.
    pub(super) fn vpc_id(&self) -> Option<&'c str> {
        self.vpc.map(|vpc| vpc.id.as_str())
    }

    /// The first of its interfaces, if it is of a kind that security groups do not apply to, and carries none.
    pub(super) fn without_groups(&self) -> Option<&'c Interface> {
        let first = self.interfaces.first()?;
        let kind = first.kind.as_deref().unwrap_or_default();
        (self.groups.is_empty() && WITHOUT_GROUPS.contains(&kind)).then_some(first)
    }
}

/// All that is looked up of ends.
pub(super) struct Ends<'c> {
    config: &'c Config,
    /// Interfaces by VPC and single address.
    by_addr: HashMap<(&'c str, Addr), Vec<&'c Interface>>,
    /// Interfaces with prefixes delegated to them.
    by_prefix: Vec<(&'c str, Prefix, &'c Interface)>,
    /// Network ACLs by subnet.
    acls: HashMap<&'c str, &'c NetworkAcl>,
    /// VPCs of which the configuration holds all interfaces. It holds all of a VPC or none: the call may have been another
    /// account's.
    fully_known: Vec<&'c str>,
}

impl<'c> Ends<'c> {
    pub(super) fn new(config: &'c Config) -> Ends<'c> {
        let mut ends = Ends {
            config,
            by_addr: HashMap::new(),
            by_prefix: Vec::new(),
            acls: HashMap::new(),
            fully_known: Vec::new(),
        };
        for interface in &config.interfaces {
            let Some(vpc) = interface.vpc.as_deref() else {
                continue;
            };
            for prefix in &interface.addrs {
                if prefix.first() == prefix.last() {
                    let key = (vpc, prefix.first());
                    ends.by_addr.entry(key).or_default().push(interface);
                } else {
                    ends.by_prefix.push((vpc, *prefix, interface));
                }
            }
            if config.has_all_interfaces {
                ends.fully_known.push(vpc);
            }
        }
        ends.fully_known.sort_unstable();
        ends.fully_known.dedup();
        for acl in &config.acls {
            ends.acls
                .extend(acl.subnets.iter().map(|subnet| (subnet.as_str(), acl)));
        }
        ends
    }

    /// Client and server, each in the VPC that has its address.
    pub(super) fn of_both(&self, addrs: [Addr; 2]) -> [End<'c>; 2] {
        let [client, server] = addrs.map(|addr| self.vpcs_of(addr));
        let is_shared = |vpc: &&&str| server.contains(vpc);
        let shared: Vec<&str> = client.iter().filter(is_shared).copied().collect();
        let of = |addr: Addr, vpcs: &[&'c str]| match (shared.as_slice(), vpcs) {
            // What is of the same VPC goes there by its own route.
            ([one], _) | ([], [one]) => self.end(Some(one), addr),
            (_, vpcs) => End {
                is_ambiguous: !vpcs.is_empty(),
                ..self.end(None, addr)
            },
        };
        [of(addrs[0], &client), of(addrs[1], &server)]
    }

    /// The VPCs that have an address among theirs.
    fn vpcs_of(&self, addr: Addr) -> Vec<&'c str> {
        let config = self.config;
        let of_vpcs = config
            .vpcs
            .iter()
            .map(|vpc| (Some(vpc.id.as_str()), &vpc.cidrs));
        let of_subnets = config
            .subnets
            .iter()
            .map(|subnet| (subnet.vpc.as_deref(), &subnet.cidrs));
        let holding = of_vpcs
            .chain(of_subnets)
            .filter(|(_, cidrs)| cidrs.iter().any(|cidr| cidr.contains(addr)));
        let mut vpcs: Vec<&str> = holding.filter_map(|(vpc, _)| vpc).collect();
        vpcs.sort_unstable();
        vpcs.dedup();
        vpcs
    }

    pub(super) fn end(&self, vpc: Option<&str>, addr: Addr) -> End<'c> {
        let config = self.config;
        let vpc = config.vpcs.iter().find(|one| Some(one.id.as_str()) == vpc);
        let mut end = End {
            addr,
            vpc,
            is_ambiguous: false,
            subnet: None,
            acl: None,
            interfaces: Vec::new(),
            groups: Vec::new(),
            is_fully_known: false,
            elsewhere: Vec::new(),
        };
        let Some(id) = end.vpc_id() else {
            end.elsewhere = self.carried_anywhere(addr);
            return end;
        };
        end.is_fully_known = self.fully_known.binary_search(&id).is_ok();
        end.interfaces = self.interfaces(id, addr);
        let mut subnets = config.subnets.iter();
        let by_interface = end
            .interfaces
            .iter()
            .find_map(|one| one.subnet.as_deref())
            .and_then(|id| subnets.clone().find(|subnet| subnet.id == id));
        end.subnet = by_interface.or_else(|| {
            subnets.find(|subnet| {
                subnet.vpc.as_deref() == Some(id)
                    && subnet.cidrs.iter().any(|cidr| cidr.contains(addr))
            })
        });
        end.acl = end
            .subnet
            .and_then(|subnet| self.acls.get(subnet.id.as_str()).copied());
        let ids = carried(end.interfaces.iter().copied());
        end.groups = ids.into_iter().map(|id| (id, config.group(id))).collect();
        end
    }

    /// The groups that an address carries in any VPC.
    fn carried_anywhere(&self, addr: Addr) -> Vec<&'c str> {
        let vpcs = self.config.vpcs.iter();
        carried(vpcs.flat_map(|vpc| self.interfaces(&vpc.id, addr)))
    }

    /// The interfaces that have an address; of delegated prefixes that hold it the longest.
    fn interfaces(&self, vpc: &str, addr: Addr) -> Vec<&'c Interface> {
        if let Some(found) = self.by_addr.get(&(vpc, addr)) {
            return found.clone();
        }
        let holding = self
            .by_prefix
            .iter()
            .filter(|(of, prefix, _)| *of == vpc && prefix.contains(addr));
        let longest = holding.clone().map(|(_, prefix, _)| prefix.len()).max();
        holding
            .filter(|(_, prefix, _)| Some(prefix.len()) == longest)
            .map(|(.., interface)| *interface)
            .collect()
    }
}

/// Ids of the groups that interfaces carry, sorted.
fn carried<'c>(interfaces: impl Iterator<Item = &'c Interface>) -> Vec<&'c str> {
    let ids = interfaces.flat_map(|one| &one.groups);
    let mut ids: Vec<&str> = ids.map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
