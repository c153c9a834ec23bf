//! How a network's configuration and its policy drift apart: what security groups and network ACLs let through and the
//! policy denies, and the other way round; exactly, not by sampling.
//!
//! **What is asked.** Every connection between two ends of which one at least is at home in a network of the policy, of every
//! protocol and port, at one instant. The ends are the interfaces of the configuration with their addresses (where it does
//! not hold all of a VPC's, also the other addresses of its subnets, on which anything may sit), and everything outside. The
//! policy is asked without evidence that only records have: the path, encryption, AWS's services of an address. Not asked is
//! what neither is about: addresses on which nothing sits, NAT gateways and others that carry traffic which is not theirs,
//! local addresses (link-local, multicast, loopback), and what lies in VPCs that are not connected by the policy.
//!
//! **How.** `end` cuts the address space where the policy or any rule of the configuration may make a difference, and puts
//! ends that nothing tells apart into one kind; `pair` asks the policy and the configuration about each pair of kinds, over
//! all ports; `verdict` holds the two answers against each other; `gather` makes gaps of what differs: products of ends and
//! ports that hold every such connection once, and no other. `traffic` says which of them was used.

mod end;
mod gather;
mod pair;
mod traffic;
mod verdict;

#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::config::permit::{Lets, Permits, Step, Through};
use crate::net::Addr;
use crate::net::ports::PortSet;
use crate::policy::diff::{Range, TooMuch};
use crate::policy::{Answer, Between, NetworkId, Policy, RuleId, ZoneId, words};

use end::View;
use pair::Pairs;

pub use traffic::{Seen, Traffic, Used};

/// How many pairs of kinds of ends are asked about. More would take minutes and gigabytes.
const MAX_PAIRS: u64 = 1 << 24;

words! {
    /// How the policy and the configuration differ.
    GapKind {
        /// The configuration lets through what the policy denies.
        Open = "open",
        /// The policy allows what the configuration does not let through.
        Closed = "closed",
        /// The policy allows it, the configuration lets it through, and a network ACL stops replies to some of the ports
        /// that clients use, or to all.
        ReplyCut = "reply-cut",
        /// What one of them says is not known.
        CannotTell = "cannot-tell",
        /// Traffic was let through that the configuration, as given, does not let through: it is not that of the time.
        Seen = "seen",
    }
}

/// What one of two ends is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side<'c> {
    /// Ids of the security groups that all of them carry, sorted; empty outside.
    pub groups: Vec<&'c str>,
    /// How many interfaces of the configuration they are; 0 outside, and where none is known.
    pub interfaces: usize,
    /// The addresses, ascending.
    pub ranges: Vec<Range>,
    /// Whether these are all ends of their zone (and family) that are asked about.
    pub is_whole: bool,
    /// Whether there were more addresses than are kept; only of traffic that was seen.
    pub is_cut: bool,
}

/// What stands at one hop.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cause<'c> {
    /// The hop.
    pub step: Step,
    /// Of replies: the client's ports that it is about, first and last; none is all.
    pub ports: Option<(u16, u16)>,
    /// What becomes of it.
    pub lets: Lets<'c>,
}

/// Connections of a gap that have the same reasons: each of the clients, to each of the servers, on each of the ports. Of
/// [`GapKind::Seen`] these are what was seen, not each with each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<'c> {
    /// Protocols and ports of the server.
    pub ports: PortSet,
    /// Who opens them.
    pub client: Side<'c>,
    /// Who is asked.
    pub server: Side<'c>,
    /// What the configuration does with requests; `Part` of ICMP of which it lets through some types.
    pub request: Through,
    /// What it does with their replies.
    pub reply: Through,
    /// What lets through, what stands in the way, or why it cannot be told, in the order of hops.
    pub causes: Vec<Cause<'c>>,
    /// One of them: with the lowest addresses, and 443 of TCP or else the lowest port.
    pub example: Example,
    /// What was seen of it; none without traffic to look at.
    pub used: Option<Used>,
    /// Numbers of the kinds of ends, ascending, and of the way in which they differ, by which traffic is found.
    kinds: [Vec<u32>; 2],
    effect: u32,
}

/// One connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Example {
    /// The client's address.
    pub client: Addr,
    /// The server's.
    pub server: Addr,
    /// IANA protocol number.
    pub protocol: u8,
    /// 0 where the protocol has no ports.
    pub server_port: u16,
}

/// Where the policy and the configuration differ in one way, between two zones, by one rule of the policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap<'c> {
    /// How they differ.
    pub kind: GapKind,
    /// The network of the policy that looks.
    pub network: NetworkId,
    /// The zones of client and server.
    pub zones: [ZoneId; 2],
    /// What the policy says.
    pub answer: Answer,
    /// The rule that says so, the default included.
    pub rule: RuleId,
    /// Its connections, by reasons: no two parts have one in common. The widest first.
    pub parts: Vec<Part<'c>>,
}

/// What was left out, and what was assumed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Aside<'c> {
    /// VPCs of the configuration that belong to no network of the policy.
    pub unlisted_vpcs: Vec<&'c str>,
    /// Networks of the policy, by name, of which the configuration has no VPC.
    pub missing_networks: Vec<String>,
    /// Addresses of the policy's networks, as far as they are no VPC's of the configuration.
    pub missing: Vec<Range>,
    /// Addresses of VPCs that are no network's of the policy.
    pub strays: Vec<Range>,
    /// Interfaces that carry the traffic of others and are no ends.
    pub carriers: Vec<&'c str>,
    /// Subnets whose network ACL is not in the input, and is taken to let everything through.
    pub without_acl: Vec<&'c str>,
    /// VPCs of which the input does not hold all interfaces.
    pub partly_known: Vec<&'c str>,
}

/// Where a policy and a configuration differ.
pub struct Drift<'c> {
    /// The gaps: open ones first, of those from the internet first.
    pub gaps: Vec<Gap<'c>>,
    /// What to know beside them.
    pub aside: Aside<'c>,
    /// How many pairs of kinds of ends were asked about.
    pub num_pairs: u64,
}

/// The policy and the configuration of one network, ready to be asked about traffic.
pub struct Held<'c> {
    policy: &'c Policy,
    views: Vec<(View<'c>, Pairs<'c>)>,
}

/// Holds a configuration against a policy, at an instant (seconds since 1970).
///
/// # Errors
/// When they tell apart more ends than can be compared.
pub fn drift<'c>(
    policy: &'c Policy,
    config: &'c Config,
    permits: &Permits<'c>,
    at: u32,
) -> Result<(Drift<'c>, Held<'c>), TooMuch> {
    let mut drift = Drift {
        gaps: Vec::new(),
        aside: Aside::default(),
        num_pairs: 0,
    };
    let placed = end::placed(policy, config, &mut drift.aside);
    let mut views = Vec::new();
    for network in policy.networks() {
        if !placed.iter().any(|(_, of)| *of == network) {
            let name = policy.network_name(network).to_owned();
            drift.aside.missing_networks.push(name);
            continue;
        }
        let mut between = Between::new(policy, at);
        let mut sight = end::Sight {
            policy,
            config,
            permits,
            between: &mut between,
            aside: &mut drift.aside,
        };
        let view = sight.view(network, &placed);
        let mut pairs = Pairs::new(policy, between);
        let found = pairs.compare(permits, &view, &mut drift.num_pairs)?;
        drift.gaps.extend(gather::gaps(&view, &pairs, found));
        views.push((view, pairs));
    }
    drift.aside.finish();
    gather::sort(policy, &mut drift.gaps);
    Ok((drift, Held { policy, views }))
}

impl Aside<'_> {
    fn finish(&mut self) {
        for list in [
            &mut self.carriers,
            &mut self.without_acl,
            &mut self.partly_known,
        ] {
            list.sort_unstable();
            list.dedup();
        }
        for ranges in [&mut self.missing, &mut self.strays] {
            ranges.sort_unstable();
            ranges.dedup();
        }
    }
}

impl Gap<'_> {
    /// The ports of all of its parts.
    pub fn ports(&self) -> PortSet {
        let ranges = self.parts.iter().flat_map(|part| part.ports.ranges());
        ranges.copied().collect()
    }
}

impl Example {
    /// As the policy's own tests write it: `10.0.32.5 -> 10.0.64.20:443 tcp`.
    pub fn flow(&self) -> String {
        use crate::net::protocol;
        let name = protocol::name(self.protocol);
        let name = name.map_or_else(|| self.protocol.to_string(), str::to_owned);
        let server = match protocol::has_ports(self.protocol) {
            true => std::net::SocketAddr::new(self.server.to_ip(), self.server_port).to_string(),
            false => self.server.to_string(),
        };
        format!("{} -> {server} {name}", self.client)
    }
}
