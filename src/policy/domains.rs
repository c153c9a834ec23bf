//! Destinations by domain: which of them a name belongs to, and what is known of an end in this respect.

use std::collections::HashMap;

use super::meant::Places;
use super::names::Name;
use super::pinned::Resolved;
use super::problem::Problems;
use super::ruleset::Rules;
use super::{End, Policy, RuleId, words};
use crate::flow::resolver::domain_name;
use crate::net::Addr;

/// Destinations by domain that can be told apart where Resolver logs are read: a bit each.
pub(super) const MAX_BY_DOMAIN: usize = 64;

/// How long an answer speaks for connections if the file does not say, seconds: a day.
pub(super) const DEFAULT_GRACE: u32 = 86_400;

/// Notes destinations by domain that cannot be told apart.
pub(super) fn check(file: &super::file::File, problems: &mut Problems) {
    let by_domain = file.destinations.iter();
    let mut by_domain = by_domain.filter(|destination| !destination.domains.is_empty());
    let data = &file.data;
    let has_names = !data.resolver_logs.is_empty() || !data.domain_snapshots.is_empty();
    if has_names && let Some(beyond) = by_domain.nth(MAX_BY_DOMAIN) {
        problems.add_with_hint(
            &beyond.name.span,
            format!("expected at most {MAX_BY_DOMAIN} destinations with `domains`, got more"),
            "a destination may have any number of domains: put together those that the same rules name",
        );
    }
}

words! {
    /// How an address is known to belong to a name.
    DomainLevel {
        /// The client itself was answered with it.
        Client = "client",
        /// Another client of the same network was.
        Network = "network",
        /// A pinned snapshot says so.
        Snapshot = "snapshot",
    }
}

/// What Resolver logs and snapshots tell of the end that was asked, at an instant. A bit for each destination by domain.
///
/// The default is that nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Domains {
    /// Whether logs cover the instant, so that a destination that is not heard of is none.
    pub known: bool,
    /// Of whose names the other end was answered with this address.
    pub by_client: u64,
    /// Of whose names any client of the other end's network was; holds `by_client`.
    pub by_network: u64,
    /// Of whose names a snapshot has this address.
    pub by_snapshot: u64,
    /// Whether the address also answered for a name that no allow is about.
    pub shared: bool,
}

impl Domains {
    /// All destinations that it is of by a name.
    #[inline]
    pub fn all(&self) -> u64 {
        self.by_network | self.by_snapshot
    }

    /// The same without some destinations.
    fn without(self, others: u64) -> Domains {
        Domains {
            by_client: self.by_client & !others,
            by_network: self.by_network & !others,
            by_snapshot: self.by_snapshot & !others,
            ..self
        }
    }
}

/// That an allow holds because of a name, and how that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByName {
    /// How.
    pub level: DomainLevel,
    /// Whether the address also answered for a name that no allow is about.
    pub shared: bool,
}

/// Names and patterns of all destinations, as compared: lower case, without a final dot.
#[derive(Default)]
pub(super) struct Patterns {
    /// Whole names.
    exact: HashMap<String, u64>,
    /// Of `*.packages.example` what follows the star and its dot: it covers every name below, not that name itself.
    below: HashMap<String, u64>,
    /// The destinations that an allow lets somebody go to.
    pub(super) allowed: u64,
}

impl Patterns {
    pub(super) fn new(places: &Places, rules: &Rules) -> Patterns {
        let mut patterns = Patterns::default();
        for destination in &places.destinations {
            let Some(bit) = destination.domain_bit else {
                continue;
            };
            for domain in &destination.domains {
                let (map, name) = match domain.strip_prefix("*.") {
                    Some(name) => (&mut patterns.below, name),
                    None => (&mut patterns.exact, domain.as_str()),
                };
                *map.entry(domain_name(name)).or_default() |= 1 << bit;
            }
        }
        let to = rules.allows.iter().flat_map(|allow| &allow.to);
        patterns.allowed = to.fold(0, |bits, name| bits | places.domain_bits(*name));
        patterns
    }

    /// The destinations that a name (as compared) belongs to.
    pub(super) fn of(&self, name: &str) -> u64 {
        let mut bits = self.exact.get(name).copied().unwrap_or_default();
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            bits |= self.below.get(parent).copied().unwrap_or_default();
            rest = parent;
        }
        bits
    }
}

/// What snapshots say of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct SnapshotAddress {
    /// The destinations of its names, a bit each.
    destinations: u64,
    /// Whether it also has a name that no allow is about.
    is_shared: bool,
}

/// Addresses by what snapshots say of them.
pub(super) type Snapshot = HashMap<Addr, SnapshotAddress>;

/// What snapshots say, address by address.
pub(super) fn snapshot(resolved: &[Resolved], patterns: &Patterns) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for name in resolved {
        let destinations = patterns.of(&name.name);
        for addr in &name.addresses {
            let known = snapshot.entry(*addr).or_default();
            known.destinations |= destinations;
            known.is_shared |= destinations & patterns.allowed == 0;
        }
    }
    snapshot
}

impl Places {
    /// The bit of a destination by domain, as a set; no bit of anything else.
    pub(super) fn domain_bits(&self, name: Name) -> u64 {
        let bit = match name {
            Name::Destination(id) => self.destinations[usize::from(id)].domain_bit,
            _ => None,
        };
        bit.map_or(0, |bit| 1 << bit)
    }
}

impl Policy {
    /// Whether anything tells it of names; if not, [`Policy::domains`] never knows anything.
    #[inline]
    pub fn has_names(&self) -> bool {
        !self.snapshot.is_empty() || self.lookups().is_some()
    }

    /// What Resolver logs and snapshots tell of a server outside, asked by a client inside, at an instant (seconds). Nothing
    /// is known of a server inside, nor where nobody inside asked.
    pub fn domains(&self, [client, server]: [(&End<'_>, Addr); 2], at: u32) -> Domains {
        let (Some(home), None) = (client.0.home, server.0.home) else {
            return Domains::default();
        };
        let lookups = self.lookups();
        let mut domains = lookups.map_or_else(Domains::default, |lookups| {
            lookups.domains(home, client.1, server.1, at)
        });
        if let Some(resolved) = self.snapshot.get(&server.1) {
            domains.by_snapshot = resolved.destinations;
            domains.shared |= resolved.is_shared;
        }
        // What is not in force has no names.
        let dormant = self.space.class(server.0.class).dormant.iter();
        let dormant = dormant.map(|id| self.places.domain_bits(Name::Destination(*id)));
        domains.without(dormant.fold(0, |bits, bit| bits | bit))
    }

    /// The names that a client inside asked for and that led to a server outside, as far as they speak for an instant from
    /// the first to the last (seconds), sorted; if there are none, those that others of its network asked for. None without
    /// Resolver logs, and where nobody asked.
    pub fn names_asked(
        &self,
        network: &str,
        [client, server]: [Addr; 2],
        times: [u32; 2],
    ) -> Option<(DomainLevel, Vec<&str>)> {
        let lookups = self.lookups()?;
        let mut networks = self.networks();
        let network = networks.find(|id| self.network_name(*id) == network)?;
        let home = self.home(network, client)?;
        if self.home(network, server).is_some() {
            return None;
        }
        [
            (DomainLevel::Client, Some(client)),
            (DomainLevel::Network, None),
        ]
        .into_iter()
        .find_map(|(level, client)| {
            let lookups = lookups.names(home, client, server, times);
            let mut names: Vec<&str> = lookups.into_iter().map(|lookup| lookup.name).collect();
            names.dedup();
            (!names.is_empty()).then_some((level, names))
        })
    }

    /// How the names are known that an allow holds by for this server; none if it holds without them.
    pub fn by_name(&self, rule: RuleId, server: &End<'_>, client: &End<'_>) -> Option<ByName> {
        let domains = server.domains;
        if domains.all() == 0 {
            return None;
        }
        let mut allows = self.rules.allows.iter();
        let allow = allows.find(|allow| allow.rule == rule)?;
        let nameless = End {
            domains: Domains::default(),
            ..*server
        };
        let is_without = |name: &Name| self.is(&nameless, *name, client) == super::fit::Truth::Yes;
        if allow.to.iter().any(is_without) {
            return None;
        }
        let meant = (allow.to.iter()).fold(0, |bits, name| bits | self.places.domain_bits(*name));
        let level = if domains.by_client & meant != 0 {
            DomainLevel::Client
        } else if domains.by_network & meant != 0 {
            DomainLevel::Network
        } else if domains.by_snapshot & meant != 0 {
            DomainLevel::Snapshot
        } else {
            return None;
        };
        Some(ByName {
            level,
            shared: domains.shared,
        })
    }

    /// Whether whom a condition is about depends on names of domains.
    pub(super) fn goes_by_domains(&self, condition: &super::ruleset::Condition) -> bool {
        let lists = [
            &condition.from,
            &condition.from_except,
            &condition.to,
            &condition.to_except,
        ];
        let mut names = lists.into_iter().flatten();
        names.any(|name| match name {
            Name::Destination(id) => {
                let destination = &self.places.destinations[usize::from(*id)];
                !destination.domains.is_empty()
            }
            // What it leaves out goes by names.
            Name::Unlisted => {
                let mut destinations = self.places.destinations.iter();
                !self.resolver_logs.is_empty()
                    && destinations.any(|destination| !destination.domains.is_empty())
            }
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_every_name_below_and_not_the_name_itself() {
        let mut patterns = Patterns::default();
        patterns.exact.insert("packages.example".to_owned(), 1);
        patterns.below.insert("docker.example".to_owned(), 2);
        patterns.below.insert("hub.docker.example".to_owned(), 4);
        for (name, expected) in [
            ("packages.example", 1),
            ("x.packages.example", 0),
            ("packages.example.evil", 0),
            ("docker.example", 0),
            ("a.docker.example", 2),
            ("a.b.docker.example", 2),
            ("hub.docker.example", 2),
            ("x.hub.docker.example", 6),
            ("notdocker.example", 0),
            ("", 0),
            (".", 0),
        ] {
            assert_eq!(patterns.of(name), expected, "{name}");
        }
    }
}
