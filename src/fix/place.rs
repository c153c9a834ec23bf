//! The `[[subnets]]` entry for an address that is in a network and in no tier.

use std::fmt::Write;

use super::words::list;
use crate::config::{Config, Subnet};
use crate::draft::quoted;
use crate::net::{Addr, Prefix};
use crate::policy::{NetworkId, Policy, PolicyErrors, ZoneKind};

/// The tier that has to be filled in.
const TIER: &str = "FILL-IN";

/// An entry to paste into a policy.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The section.
    pub text: String,
    /// Whether its prefixes are those of the subnet as the configuration has it, and not the address alone.
    pub is_subnet: bool,
    /// The tier that a tag of the subnet names.
    pub tier: Option<String>,
    /// Whether the address is in the tier by the policy with it.
    pub holds: bool,
}

/// Makes the entry for an address; `subnet_id` is what records say of it.
///
/// # Errors
/// What is wrong with the policy with the entry in it.
pub fn place(
    (addr, subnet_id, at): (Addr, Option<&str>, u32),
    (policy, network, text): (&Policy, NetworkId, &str),
    config: Option<&Config>,
    parse: &dyn Fn(&str) -> Result<Policy, PolicyErrors>,
) -> Result<Placing, PolicyErrors> {
    let subnet = config.and_then(|config| subnet_of(config, addr, subnet_id));
    let tag = subnet.and_then(|subnet| {
        let mut tags = subnet.tags.iter();
        tags.find(|(key, _)| key.eq_ignore_ascii_case("tier"))
            .map(|(_, value)| value.clone())
    });
    let known = tag.filter(|tag| policy.tiers().contains(tag));
    let mut section = String::from("[[subnets]]\n");
    if let Some(id) = subnet.map(|subnet| subnet.id.as_str()).or(subnet_id) {
        let _ = writeln!(section, "id = {}", quoted(id));
    }
    if !policy.has_one_network() {
        let name = policy.network_name(network);
        let _ = writeln!(section, "network = {}", quoted(name));
    }
    let tier = known.as_deref().unwrap_or(TIER);
    let _ = writeln!(section, "tier = {}", quoted(tier));
    if let Some(az) = subnet.and_then(|subnet| subnet.az_id.as_deref()) {
        let _ = writeln!(section, "az = {}", quoted(az));
    }
    let single = Prefix::of(addr, if addr.is_v4() { 32 } else { 128 });
    let cidrs: Vec<String> = match subnet {
        Some(subnet) => subnet.cidrs.iter().map(ToString::to_string).collect(),
        None => vec![single.to_string()],
    };
    let _ = writeln!(section, "cidrs = {}", list(&cidrs));
    let changed = parse(&format!("{}\n\n{section}", text.trim_end()))?;
    let holds = changed
        .zone_named(changed.zone_of(addr, i64::from(at)))
        .is_some_and(|zone| changed.zone_kind(zone) == ZoneKind::Tier);
    Ok(Placing {
        text: section,
        is_subnet: subnet.is_some(),
        tier: known,
        holds,
    })
}

/// The subnet by its id, or else the one that holds the address, if that is one.
fn subnet_of<'c>(config: &'c Config, addr: Addr, id: Option<&str>) -> Option<&'c Subnet> {
    let by_id = config
        .subnets
        .iter()
        .find(|subnet| Some(subnet.id.as_str()) == id);
    by_id.or_else(|| {
        let holds = |subnet: &&Subnet| subnet.cidrs.iter().any(|cidr| cidr.contains(addr));
        let mut holding = config.subnets.iter().filter(holds);
        let first = holding.next();
        first.filter(|_| holding.next().is_none())
    })
}
