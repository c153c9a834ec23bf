//! Which network's records these are, and which interfaces carry the flows of others.

use std::collections::HashSet;

use super::meant::{Network, Places};
use super::problem::{Problems, excerpt};
use super::section::Word;
use super::{NetworkId, Policy};
use crate::net::{Addr, Prefix};

/// `[transit]`.
#[derive(Default)]
pub(super) struct Transit {
    prefixes: Vec<Prefix>,
    interfaces: HashSet<String>,
}

impl Transit {
    /// Reads the words of a list: addresses, prefixes, interfaces.
    pub(super) fn read(words: &[Word], problems: &mut Problems) -> Transit {
        let mut transit = Transit::default();
        for word in words {
            if word.starts_with("eni-") {
                transit.interfaces.insert(word.text.clone());
                continue;
            }
            match word.parse() {
                Ok(prefix) => transit.prefixes.push(prefix),
                Err(error) => problems.add(
                    &word.span,
                    format!("`{}` is no address, prefix or interface: {error}, or an interface like eni-0a1b2c3d", excerpt(word)),
                ),
            }
        }
        transit.prefixes.sort_unstable();
        transit.prefixes.dedup();
        transit
    }

    /// All that it lists, as text, sorted.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .prefixes
            .iter()
            .map(ToString::to_string)
            .chain(self.interfaces.iter().cloned())
            .collect();
        texts.sort_unstable();
        texts
    }
}

impl Network {
    /// Whether it names accounts or regions, and these.
    fn names(&self, account: Option<&str>, region: Option<&str>) -> bool {
        let has = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|known| known == value))
        };
        let names_any = !(self.accounts.is_empty() && self.regions.is_empty());
        names_any && has(&self.accounts, account) && has(&self.regions, region)
    }
}

/// The network that a record belongs to: with a VPC the one that lists it, else the one that lists no VPCs and names its
/// account and region; without a VPC the one that names its account and region, else the only network, if that names no
/// accounts. Where two networks could claim a record without a VPC, neither gets it.
pub(super) fn network_of(
    places: &Places,
    vpc: Option<&str>,
    account: Option<&str>,
    region: Option<&str>,
) -> Option<NetworkId> {
    let networks = || {
        places
            .networks
            .iter()
            .enumerate()
            .map(|(i, network)| (NetworkId(i as u16), network))
    };
    if let Some(vpc) = vpc {
        let listing = networks().find(|(_, network)| network.vpcs.iter().any(|known| known == vpc));
        let naming = || {
            networks()
                .find(|(_, network)| network.vpcs.is_empty() && network.names(account, region))
        };
        return listing.or_else(naming).map(|(id, _)| id);
    }
    let mut naming = networks().filter(|(_, network)| network.names(account, region));
    match (naming.next(), naming.next()) {
        (Some((id, _)), None) => Some(id),
        (Some(_), Some(_)) => None,
        (None, _) => match places.networks.as_slice() {
            [only] if only.accounts.is_empty() => Some(NetworkId(0)),
            _ => None,
        },
    }
}

/// Whether an interface of a type (as flow logs write it) is a NAT gateway's.
pub fn is_nat(interface_type: &str) -> bool {
    matches!(interface_type, "nat_gateway" | "regional_nat_gateway")
}

/// Whether interfaces of a type (as flow logs write it) carry others' flows. A network load balancer does not: it is an end.
pub fn carries_others(interface_type: &str) -> bool {
    is_nat(interface_type)
        || matches!(
            interface_type,
            "transit_gateway" | "gateway_load_balancer" | "gateway_load_balancer_endpoint"
        )
}

impl Policy {
    /// The network whose records these are; none is out of scope.
    ///
    /// With a VPC: the network that lists it, else one that lists no `vpcs` and names its account and region. Without:
    /// the network that names its account and region, else, if the file has one network and that names no accounts, that
    /// one.
    pub fn network_of(
        &self,
        vpc: Option<&str>,
        account: Option<&str>,
        region: Option<&str>,
    ) -> Option<NetworkId> {
        network_of(&self.places, vpc, account, region)
    }

    /// Whether addresses of one network are seen from the other: they are the same, or connected.
    pub fn are_in_sight(&self, one: NetworkId, other: NetworkId) -> bool {
        one == other
            || self.places.networks[usize::from(one.0)]
                .connected
                .contains(&other)
    }

    /// Whether `[transit]` lists the address or the interface.
    pub fn is_transit(&self, addr: Option<Addr>, interface: Option<&str>) -> bool {
        let by_addr = addr.is_some_and(|addr| {
            self.transit
                .prefixes
                .iter()
                .any(|prefix| prefix.contains(addr))
        });
        by_addr || interface.is_some_and(|interface| self.transit.interfaces.contains(interface))
    }
}
