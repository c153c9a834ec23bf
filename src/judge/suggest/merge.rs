//! A short, readable set of rules that grants what was seen often enough, and no more than the names in it say.
//!
//! Of each service between two places one rule could be made. Rules that differ only in their clients become one with a
//! list of clients, then those that differ only in their services, then those that differ only in their servers. A group
//! goes where its tier stands in the same list. Every rule is a full product of its lists, so nothing comes in that way.

use std::collections::{BTreeMap, BTreeSet};

use super::seen::{Key, Spot, Sum};
use crate::net::ports::PortRange;
use crate::policy::{Path, Policy, ZoneKind};

/// So many tiers have to be in a list, and all there are, before it says `any-tier`.
const ALL_OF_SOME: usize = 3;

/// A rule that was learned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned {
    /// The words of `from`, sorted.
    pub from: Vec<String>,
    /// The words of `to`, sorted.
    pub to: Vec<String>,
    /// The protocols and ports, sorted.
    pub ports: Vec<PortRange>,
    /// The one path that all of it took to the outside.
    pub via: Option<Path>,
    /// The numbers of the requires that it has to be exempt from.
    pub exempt: Vec<usize>,
    /// Whether a person has to look at it, and why.
    pub review: Option<&'static str>,
}

/// What rules have to agree in to become one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Facet {
    via: Option<Path>,
    exempt: Vec<usize>,
    review: Option<&'static str>,
}

/// The rules. A rule is exempt from the requires that at least `exempt_from` connections of it break.
pub fn merged(policy: &Policy, often: &BTreeMap<Key, Sum>, exempt_from: u64) -> Vec<Learned> {
    let mut by_clients: BTreeMap<(Facet, Spot, PortRange), BTreeSet<Spot>> = BTreeMap::new();
    for (key, sum) in often {
        let facet = facet(policy, key, sum, exempt_from);
        let group = (facet, key.server, key.ports);
        by_clients.entry(group).or_default().insert(key.client);
    }
    let mut by_services: BTreeMap<(Facet, Vec<String>, Spot), BTreeSet<PortRange>> =
        BTreeMap::new();
    for ((facet, server, ports), clients) in by_clients {
        let group = (facet, list(policy, &clients), server);
        by_services.entry(group).or_default().insert(ports);
    }
    let mut by_servers: BTreeMap<(Facet, Vec<String>, Vec<PortRange>), BTreeSet<Spot>> =
        BTreeMap::new();
    for ((facet, from, server), ports) in by_services {
        let group = (facet, from, ports.into_iter().collect());
        by_servers.entry(group).or_default().insert(server);
    }
    let mut rules: Vec<Learned> = by_servers
        .into_iter()
        .map(|((facet, from, ports), servers)| Learned {
            from,
            to: list(policy, &servers),
            ports,
            via: facet.via,
            exempt: facet.exempt,
            review: facet.review,
        })
        .collect();
    rules.sort();
    rules
}

fn facet(policy: &Policy, key: &Key, sum: &Sum, exempt_from: u64) -> Facet {
    let goes_out = key.client.is_inside(policy) && !key.server.is_inside(policy);
    let only = match sum.paths.first() {
        Some(only) if sum.paths.len() == 1 => *only,
        _ => None,
    };
    let broken = sum.broken.iter().enumerate();
    let broken = broken.filter(|(_, connections)| **connections >= exempt_from.max(1));
    Facet {
        via: only.filter(|_| goes_out),
        exempt: broken.map(|(require, _)| require).collect(),
        review: review(policy, key),
    }
}

fn review(policy: &Policy, key: &Key) -> Option<&'static str> {
    let is = |spot: &Spot, word: &str| spot.word(policy) == word;
    if is(&key.client, "unassigned") || is(&key.server, "unassigned") {
        Some("addresses in no subnet: give them one, or a group")
    } else if is(&key.client, "internet") {
        Some("open to the whole internet: name who may, or make sure that all may")
    } else if is(&key.server, "internet") {
        Some("to the whole internet: name the destinations")
    } else if key.ports.first != key.ports.last {
        Some("many ephemeral ports as one range: does the service hand out ports?")
    } else {
        None
    }
}

/// The words for places: without groups whose own tier is in the list, and with `any-tier` for all tiers.
fn list(policy: &Policy, spots: &BTreeSet<Spot>) -> Vec<String> {
    let whole = |spot: &Spot| Spot {
        group: None,
        ..*spot
    };
    let is_tier = |spot: &Spot| policy.zone_kind(spot.zone) == ZoneKind::Tier;
    let has_whole = |spot: &Spot| is_tier(spot) && spots.contains(&whole(spot));
    let tiers: BTreeSet<&str> = spots
        .iter()
        .filter(|spot| spot.group.is_none() && is_tier(spot))
        .map(|spot| spot.word(policy))
        .collect();
    let all_tiers = tiers.len() >= ALL_OF_SOME && tiers.len() == policy.tiers().len();
    let kept = spots
        .iter()
        .filter(|spot| spot.group.is_none() || !has_whole(spot))
        .map(|spot| spot.word(policy));
    let mut words: BTreeSet<&str> = kept.collect();
    if all_tiers {
        words.retain(|word| !tiers.contains(word));
        words.insert("any-tier");
    }
    words.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::net::protocol::TCP;
    use crate::policy::GroupId;

    /// Three tiers, a group in each of the first two, and two destinations.
    fn policy() -> Policy {
        let mut text = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/8\"]\n".to_owned();
        for (place, tier) in ["app", "data", "mgmt"].iter().enumerate() {
            text.push_str(&format!(
                "[tiers.{tier}]\n[[subnets]]\ntier = \"{tier}\"\ncidrs = [\"10.{place}.0.0/16\"]\n"
            ));
        }
        text.push_str(
            "[groups.g0]\ncidrs = [\"10.0.1.0/24\"]\n[groups.g1]\ncidrs = [\"10.1.1.0/24\"]\n",
        );
        text.push_str("[destinations.d0]\ncidrs = [\"192.0.2.0/24\"]\n[destinations.d1]\ncidrs = [\"198.51.100.0/24\"]\n");
        Policy::parse("p.toml", &text, &|_| unreachable!("it pins nothing"))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
    }

    fn spots(policy: &Policy) -> Vec<Spot> {
        let zones = policy.zones();
        let named = ["app", "data", "mgmt", "d0", "d1", "internet", "unassigned"];
        let mut spots: Vec<Spot> = zones
            .filter(|zone| named.contains(&policy.zone_name(*zone)))
            .map(|zone| Spot { zone, group: None })
            .collect();
        for (zone, group) in [("app", 0), ("data", 1)] {
            let mut tiers = spots.iter().filter(|spot| spot.group.is_none());
            let tier = tiers.find(|spot| policy.zone_name(spot.zone) == zone);
            let zone = tier.expect("the tier is there").zone;
            spots.push(Spot {
                zone,
                group: Some(GroupId(group)),
            });
        }
        spots
    }

    fn key(client: Spot, server: Spot, port: u16) -> Key {
        Key {
            client,
            server,
            ports: PortRange {
                protocol: TCP,
                first: port,
                last: port,
            },
        }
    }

    fn sum(path: Option<Path>, broken: u64) -> Sum {
        Sum {
            connections: 100,
            hours: BTreeSet::from([1]),
            paths: BTreeSet::from([path]),
            broken: vec![broken],
        }
    }

    /// Whether a rule that names one place holds the other: the same, or its tier.
    fn holds(policy: &Policy, wide: &Spot, narrow: &Spot) -> bool {
        let is_tier = policy.zone_kind(wide.zone) == ZoneKind::Tier;
        wide == narrow || (is_tier && wide.group.is_none() && wide.zone == narrow.zone)
    }

    fn is_in(policy: &Policy, words: &[String], spot: &Spot) -> bool {
        let zone = policy.zone_name(spot.zone);
        let is_tier = policy.zone_kind(spot.zone) == ZoneKind::Tier;
        words.iter().any(|word| {
            word == spot.word(policy) || is_tier && (word == zone || word == "any-tier")
        })
    }

    #[test]
    fn rules_grant_what_was_seen_and_no_more_than_its_names_say() {
        let policy = policy();
        let spots = spots(&policy);
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let ports = [22, 443, 5432];
        for round in 0..300 {
            let density = random.random_range(0.02..0.9);
            let mut often = BTreeMap::new();
            for client in &spots {
                for server in &spots {
                    for port in ports {
                        if random.random_bool(density) {
                            let path = [None, Some(Path::Nat)][random.random_range(0..2)];
                            let broken = [0, 9, 10][random.random_range(0..3)];
                            often.insert(key(*client, *server, port), sum(path, broken));
                        }
                    }
                }
            }
            let rules = merged(&policy, &often, 10);
            for client in &spots {
                for server in &spots {
                    for port in ports {
                        let asked = key(*client, *server, port);
                        let granting = || {
                            rules.iter().filter(|rule| {
                                rule.ports.contains(&asked.ports)
                                    && is_in(&policy, &rule.from, client)
                                    && is_in(&policy, &rule.to, server)
                            })
                        };
                        let expected = often.keys().any(|seen| {
                            seen.ports == asked.ports
                                && holds(&policy, &seen.client, client)
                                && holds(&policy, &seen.server, server)
                        });
                        assert_eq!(
                            granting().next().is_some(),
                            expected,
                            "round {round}: {asked:?} in {rules:#?}"
                        );
                        if let Some(sum) = often.get(&asked) {
                            let facet = facet(&policy, &asked, sum, 10);
                            let alike = granting().any(|rule| {
                                (rule.via, &rule.exempt, rule.review)
                                    == (facet.via, &facet.exempt, facet.review)
                            });
                            assert!(alike, "round {round}: {asked:?} in {rules:#?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn lists_are_as_short_as_names_allow() {
        let policy = policy();
        let spots = spots(&policy);
        let spot = |word: &str| {
            let mut all = spots.iter();
            *all.find(|spot| spot.word(&policy) == word)
                .expect("a place")
        };
        let check = |words: &[(&str, &str, u16)], expected: &str| {
            let often = words.iter().map(|(client, server, port)| {
                (key(spot(client), spot(server), *port), sum(None, 0))
            });
            let rules = merged(&policy, &often.collect(), 10);
            let shown = rules.iter().map(|rule| {
                let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
                format!(
                    "{} > {} {}",
                    rule.from.join(","),
                    rule.to.join(","),
                    ports.join(",")
                )
            });
            assert_eq!(shown.collect::<Vec<_>>().join("; "), expected);
        };
        check(
            &[("g0", "data", 22), ("g0", "data", 443)],
            "g0 > data tcp/22,tcp/443",
        );
        check(
            &[("g0", "data", 22), ("app", "data", 22), ("g1", "data", 22)],
            "app,g1 > data tcp/22",
        );
        check(
            &[("app", "d0", 443), ("data", "d0", 443), ("mgmt", "d0", 443)],
            "any-tier > d0 tcp/443",
        );
        check(
            &[("app", "d0", 443), ("app", "d1", 443)],
            "app > d0,d1 tcp/443",
        );
        // What needs a review stands alone.
        check(
            &[("app", "d0", 443), ("app", "internet", 443)],
            "app > d0 tcp/443; app > internet tcp/443",
        );
    }
}
