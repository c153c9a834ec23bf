//! What a rule grants, for comparison with what was used of it.

use super::fit::Truth;
use super::names::Name;
use super::ruleset::Condition;
use super::validity::Validity;
use super::{End, Policy, RuleId};
use crate::net::Prefix;

/// What an allow or deny covers.
pub struct Granted {
    /// How many (protocol, port) pairs.
    pub pairs: u32,
    /// The prefixes of who may be the client; none where prefixes do not tell.
    pub from: Option<Vec<Prefix>>,
    /// The prefixes of who may be the server; none where prefixes do not tell.
    pub to: Option<Vec<Prefix>>,
}

/// The ends of a connection as they are looked at for the names that they meet.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'e> {
    /// The client.
    pub client: End<'e>,
    /// The server.
    pub server: End<'e>,
    /// The zones that they were found in, which may rest on evidence that the ends do not have.
    pub zones: [&'e str; 2],
}

/// Names in `from` and `to` of a rule that no connection has met yet.
#[derive(Clone, Debug, Default)]
pub struct Unmet {
    from: Vec<Name>,
    to: Vec<Name>,
}

impl Unmet {
    /// Whether all were met.
    pub fn is_empty(&self) -> bool {
        self.from.is_empty() && self.to.is_empty()
    }
}

impl Policy {
    fn condition(&self, rule: RuleId) -> Option<&Condition> {
        let mut conditions = self.rules.conditions();
        conditions.find(|condition| condition.rule == rule)
    }

    /// What an allow or deny covers, by the subnets, groups and destinations that were in force at some instant from the
    /// first to the last, both included; without these, at any. None for requires and the default.
    pub fn granted(&self, rule: RuleId, times: Option<(u32, u32)>) -> Option<Granted> {
        let condition = self.condition(rule)?;
        let times = times.map_or(Validity::default(), |(first, last)| Validity {
            from: Some(first.into()),
            until: Some(i64::from(last) + 1),
        });
        Some(Granted {
            pairs: condition.ports.as_set().num_pairs(),
            from: self.prefixes(&condition.from, times),
            to: self.prefixes(&condition.to, times),
        })
    }

    /// The prefixes that names stand for at some of these times; none where one stands for more, or for what prefixes do not
    /// tell.
    fn prefixes(&self, names: &[Name], times: Validity) -> Option<Vec<Prefix>> {
        let places = &self.places;
        let subnets = || {
            let subnets = places.subnets.iter();
            subnets.filter(|subnet| subnet.validity.overlaps(times))
        };
        let mut all = Vec::new();
        for name in names {
            match name {
                Name::Tier(tier) => {
                    let subnets = subnets().filter(|subnet| subnet.tier == *tier);
                    all.extend(subnets.flat_map(|subnet| &subnet.cidrs));
                }
                Name::AnyTier => all.extend(subnets().flat_map(|subnet| &subnet.cidrs)),
                Name::Inside => {
                    all.extend(places.networks.iter().flat_map(|network| &network.cidrs))
                }
                Name::Group(group) => {
                    let group = &places.groups[usize::from(*group)];
                    if !group.validity.overlaps(times) {
                        continue;
                    }
                    if group.is_beyond_prefixes() {
                        return None;
                    }
                    all.extend(&group.cidrs);
                }
                Name::Destination(destination) => {
                    let destination = &places.destinations[usize::from(*destination)];
                    if !destination.validity.overlaps(times) {
                        continue;
                    }
                    if destination.is_beyond_prefixes() {
                        return None;
                    }
                    all.extend(&destination.cidrs);
                }
                _ => return None,
            }
        }
        Some(all)
    }

    /// Whether every group and destination that an allow or deny names is in force from the first instant until the second,
    /// seconds; true of requires and the default.
    pub fn has_its_names(&self, rule: RuleId, from: u32, until: u32) -> bool {
        let times = Validity {
            from: Some(from.into()),
            until: Some(until.into()),
        };
        let places = &self.places;
        let holds = |name: &Name| match name {
            Name::Group(group) => places.groups[usize::from(*group)].validity.covers(times),
            Name::Destination(id) => places.destinations[usize::from(*id)].validity.covers(times),
            _ => true,
        };
        self.condition(rule).is_none_or(|condition| {
            let lists = [
                &condition.from,
                &condition.from_except,
                &condition.to,
                &condition.to_except,
            ];
            lists.into_iter().flatten().all(holds)
        })
    }

    /// The names of a rule, none of them met.
    pub fn unmet(&self, rule: RuleId) -> Unmet {
        self.condition(rule)
            .map_or_else(Unmet::default, |condition| Unmet {
                from: condition.from.clone(),
                to: condition.to.clone(),
            })
    }

    /// Takes out the names that the ends of a connection meet, or might meet by evidence that they do not have.
    pub fn meet(&self, unmet: &mut Unmet, ends: &Ends<'_>) {
        let Ends {
            client,
            server,
            zones,
        } = ends;
        let is_met = |name: &Name, end: &End<'_>, other: &End<'_>, zone: &str| {
            let by_facts = match name {
                Name::Group(group) => {
                    end.home.is_some()
                        && self.places.groups[usize::from(*group)].is_by_facts()
                        && !self.space.class(end.class).is_dormant(*group)
                }
                _ => false,
            };
            by_facts || self.is(end, *name, other) != Truth::No || self.word(*name) == zone
        };
        (unmet.from).retain(|name| !is_met(name, client, server, zones[0]));
        (unmet.to).retain(|name| !is_met(name, server, client, zones[1]));
    }

    /// Names as words: of `from`, of `to`.
    pub fn unmet_words(&self, unmet: &Unmet) -> [Vec<String>; 2] {
        [&unmet.from, &unmet.to].map(|names| names.iter().map(|name| self.word(*name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Addr;
    use crate::net::ports::NUM_PAIRS;
    use crate::policy::{Known, NetworkId};

    fn policy() -> Policy {
        let text = r#"
[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.0.0.0/24"]
[[subnets]]
tier = "data"
cidrs = ["10.0.1.0/24"]
[groups.web]
instances = ["i-1"]
[services]
https = ["tcp/443"]
dns = ["udp/53", "tcp/53"]
[[allow]]
id = "a"
from = ["app", "data", "web"]
to = "internet"
service = ["https", "dns"]
[[allow]]
id = "b"
from = ["app", "data"]
to = "any-tier"
observable = false
"#;
        Policy::parse("p.toml", text, &|_| unreachable!("it pins nothing"))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
    }

    #[test]
    fn what_a_rule_grants_is_told_where_prefixes_tell_it() {
        let policy = policy();
        let one = policy.granted(RuleId(0), None).expect("an allow");
        assert_eq!(
            (one.pairs, one.from.is_none(), one.to.is_none()),
            (3, true, true)
        );
        let two = policy.granted(RuleId(1), None).expect("an allow");
        assert_eq!(two.pairs, NUM_PAIRS);
        assert_eq!(two.from.map(|prefixes| prefixes.len()), Some(2));
        assert_eq!(two.to.map(|prefixes| prefixes.len()), Some(2));
        assert!(policy.granted(policy.default_rule(), None).is_none());
    }

    #[test]
    fn names_are_unmet_until_an_end_is_one_of_them() {
        let policy = policy();
        let end = |text: &str| {
            let addr: Addr = text.parse().expect("an address");
            let place = policy.place(NetworkId(0), addr, 0);
            End {
                home: place.home,
                class: place.class,
                groups: &[],
                known: Known::default(),
                services: 0,
                services_known: false,
                domains: Default::default(),
            }
        };
        let mut unmet = policy.unmet(RuleId(0));
        let ends = Ends {
            client: end("10.0.0.5"),
            server: end("192.0.2.1"),
            zones: ["app", "internet"],
        };
        policy.meet(&mut unmet, &ends);
        // Whether the client is of the group by facts, nobody knows here.
        assert_eq!(
            policy.unmet_words(&unmet),
            [vec!["data".to_owned()], vec![]]
        );
        assert!(!unmet.is_empty());
    }

    #[test]
    fn a_rule_says_whether_it_can_show_in_flow_logs() {
        let policy = policy();
        let observable: Vec<bool> = (0..=2)
            .map(|rule| policy.rule(RuleId(rule)).observable)
            .collect();
        assert_eq!(observable, [true, false, true]);
    }
}
