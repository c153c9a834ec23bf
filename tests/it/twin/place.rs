//! Where an endpoint belongs: its network, its memberships, its zone, and which words of a rule mean it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::policy::{Destination, Group, Network, Subnet, TwinPolicy, contains};

/// An end of a connection, with all that rules may match on.
#[derive(Clone, Debug)]
pub struct TwinEnd {
    /// The network that holds the address; none outside.
    pub home: Option<String>,
    pub addr: IpAddr,
    pub port: u16,
    /// The groups it is in, by prefix and by what the slot teaches.
    pub groups: BTreeSet<String>,
    /// AWS services that any record of its connection names.
    pub services: BTreeSet<String>,
    /// Whether any record of its connection has the service field.
    pub services_known: bool,
}

/// Whether a condition holds; maybe, where the evidence is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    No,
    Maybe,
    Yes,
}

impl Holds {
    pub fn from(yes: bool) -> Holds {
        if yes { Holds::Yes } else { Holds::No }
    }

    pub fn not(self) -> Holds {
        match self {
            Holds::No => Holds::Yes,
            Holds::Maybe => Holds::Maybe,
            Holds::Yes => Holds::No,
        }
    }
}

/// With `vpc-id` the network that lists it, else one that lists no VPCs and names account and region; without, the one
/// that names account and region, else the only one if that names no accounts.
pub fn network_of<'p>(
    policy: &'p TwinPolicy,
    vpc: Option<&str>,
    account: &str,
    region: &str,
) -> Option<&'p Network> {
    // An empty list does not narrow; a network that names neither names nobody's.
    let names = |network: &&Network| {
        let has = |list: &[String], wanted: &str| {
            list.is_empty() || list.iter().any(|name| name == wanted)
        };
        let names_any = !(network.accounts.is_empty() && network.regions.is_empty());
        names_any && has(&network.accounts, account) && has(&network.regions, region)
    };
    if let Some(vpc) = vpc {
        let listing = policy
            .networks
            .iter()
            .find(|network| network.vpcs.iter().any(|name| name == vpc));
        return listing.or_else(|| {
            policy
                .networks
                .iter()
                .filter(|network| network.vpcs.is_empty())
                .find(names)
        });
    }
    let naming = policy.networks.iter().find(names);
    match &policy.networks[..] {
        [only] if only.accounts.is_empty() => naming.or(Some(only)),
        _ => naming,
    }
}

/// The networks that `network` can reach, in the order of their names. `connected_to` holds both ways.
fn connected<'p>(policy: &'p TwinPolicy, network: &Network) -> Vec<&'p Network> {
    let mut others: Vec<&Network> = policy
        .networks
        .iter()
        .filter(|other| {
            other.connected_to.contains(&network.name) || network.connected_to.contains(&other.name)
        })
        .collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    others
}

/// An address is resolved in the record's network, then in those it is connected to, then as outside.
pub fn home(policy: &TwinPolicy, network: &str, addr: IpAddr) -> Option<String> {
    let own = policy
        .networks
        .iter()
        .find(|candidate| candidate.name == network)?;
    let mut candidates = vec![own];
    candidates.extend(connected(policy, own));
    candidates
        .into_iter()
        .find(|candidate| contains(&candidate.cidrs, addr))
        .map(|found| found.name.clone())
}

/// The subnet that holds an address of a network: the longest prefix.
pub fn subnet<'p>(policy: &'p TwinPolicy, home: Option<&str>, addr: IpAddr) -> Option<&'p Subnet> {
    let home = home?;
    let mut best: Option<(&Subnet, u8)> = None;
    for subnet in policy
        .subnets
        .iter()
        .filter(|subnet| subnet.network.as_deref().is_none_or(|name| name == home))
    {
        for prefix in subnet.cidrs.iter().filter(|prefix| prefix.contains(&addr)) {
            if best.is_none_or(|(_, length)| prefix.prefix_len() > length) {
                best = Some((subnet, prefix.prefix_len()));
            }
        }
    }
    best.map(|(subnet, _)| subnet)
}

/// RFC 1918, RFC 6598 and unique local addresses.
fn is_private_range(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Link-local, multicast, loopback, broadcast.
fn is_local_range(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_multicast() || v4.is_loopback() || v4.is_broadcast()
        }
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast() || v6.is_loopback(),
    }
}

impl TwinEnd {
    pub fn is_inside(&self) -> bool {
        self.home.is_some()
    }

    pub fn subnet<'p>(&self, policy: &'p TwinPolicy) -> Option<&'p Subnet> {
        subnet(policy, self.home.as_deref(), self.addr)
    }

    pub fn is_private(&self) -> bool {
        !self.is_inside() && is_private_range(self.addr)
    }

    fn is_local(&self) -> bool {
        !self.is_inside() && is_local_range(self.addr)
    }

    fn is_internet(&self) -> bool {
        !self.is_inside() && !self.is_private() && !self.is_local()
    }

    /// Tier, else unassigned inside a network, else the longest matching destination, else AWS, private, local, internet.
    pub fn zone(&self, policy: &TwinPolicy) -> String {
        if self.is_inside() {
            return self
                .subnet(policy)
                .map_or("unassigned".to_string(), |subnet| subnet.tier.clone());
        }
        if let Some(destination) = self.longest_destination(policy) {
            return destination;
        }
        if let Some(service) = self.services.first() {
            return format!("aws:{service}");
        }
        let word = match () {
            () if self.is_private() => "private",
            () if self.is_local() => "local",
            () => "internet",
        };
        word.to_string()
    }

    fn longest_destination(&self, policy: &TwinPolicy) -> Option<String> {
        let mut candidates: Vec<(u8, &str)> = Vec::new();
        for destination in &policy.destinations {
            let prefixes = destination
                .cidrs
                .iter()
                .filter(|prefix| prefix.contains(&self.addr));
            candidates
                .extend(prefixes.map(|prefix| (prefix.prefix_len(), destination.name.as_str())));
            if destination
                .aws_services
                .iter()
                .any(|service| self.services.contains(service))
            {
                candidates.push((0, &destination.name));
            }
        }
        let longest = candidates.iter().map(|(length, _)| *length).max()?;
        candidates
            .iter()
            .filter(|(length, _)| *length == longest)
            .map(|(_, name)| name.to_string())
            .min()
    }

    /// Whether a word of `from`, `to` or `between` means this end.
    pub fn is_in(&self, policy: &TwinPolicy, word: &str) -> Holds {
        match word {
            "any" => Holds::Yes,
            "any-tier" => Holds::from(self.subnet(policy).is_some()),
            "inside" => Holds::from(self.is_inside()),
            "unassigned" => Holds::from(self.is_inside() && self.subnet(policy).is_none()),
            "internet" => Holds::from(self.is_internet()),
            "private" => Holds::from(self.is_private()),
            "outside" => Holds::from(self.is_internet() || self.is_private()),
            "unlisted" => self.is_unlisted(policy),
            "aws:*" => self.is_of_service(|_| true),
            _ => match word.strip_prefix("aws:") {
                Some(name) => self.is_of_service(|service| service == name),
                None => self.is_in_named(policy, word),
            },
        }
    }

    /// The internet less named destinations and less AWS services, but for those that are anybody's.
    fn is_unlisted(&self, policy: &TwinPolicy) -> Holds {
        const ANYBODYS: [&str; 5] = [
            "EC2",
            "AMAZON",
            "GLOBALACCELERATOR",
            "CLOUDFRONT",
            "API_GATEWAY",
        ];
        let named = policy
            .destinations
            .iter()
            .any(|destination| self.is_in_named(policy, &destination.name) == Holds::Yes);
        if !self.is_internet() || named {
            return Holds::No;
        }
        self.is_of_service(|service| !ANYBODYS.contains(&service))
            .not()
    }

    /// An AWS service by the record's own field; for a public address without that field nobody can say. What is inside
    /// is the network's own.
    fn is_of_service(&self, wanted: impl Fn(&str) -> bool) -> Holds {
        match () {
            () if self.is_inside() => Holds::No,
            () if self.services.iter().any(|service| wanted(service)) => Holds::Yes,
            () if self.is_internet() && !self.services_known => Holds::Maybe,
            () => Holds::No,
        }
    }

    /// A tier, a group or a destination: they share one namespace.
    fn is_in_named(&self, policy: &TwinPolicy, word: &str) -> Holds {
        if let Some(named) = policy.destinations.iter().find(|named| named.name == word) {
            return self.is_in_destination(named);
        }
        if let Some(group) = policy.groups.iter().find(|group| group.name == word) {
            return self.is_in_group(group);
        }
        let subnet = self.subnet(policy);
        Holds::from(subnet.is_some_and(|subnet| subnet.tier == word))
    }

    /// A place outside the networks: by prefix, by service; without Resolver logs nobody can say whether it answered
    /// for a domain.
    fn is_in_destination(&self, destination: &Destination) -> Holds {
        if self.is_inside() {
            return Holds::No;
        }
        let by_prefix = Holds::from(contains(&destination.cidrs, self.addr));
        let listed = &destination.aws_services;
        let by_service = match listed.is_empty() {
            true => Holds::No,
            false => self.is_of_service(|service| listed.iter().any(|name| name == service)),
        };
        let by_domain = match destination.domains.is_empty() || self.is_local() {
            true => Holds::No,
            false => Holds::Maybe,
        };
        by_prefix.max(by_service).max(by_domain)
    }

    /// By what the slot teaches; without inventory nobody can deny a security group or a tag.
    fn is_in_group(&self, group: &Group) -> Holds {
        let here = group.network.is_none() || group.network == self.home;
        let by_inventory = !group.security_groups.is_empty() || !group.tags.is_empty();
        match () {
            () if self.groups.contains(&group.name) => Holds::Yes,
            () if self.is_inside() && here && by_inventory => Holds::Maybe,
            () => Holds::No,
        }
    }
}
