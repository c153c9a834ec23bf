//! What traffic used of a policy: how often each rule decided, for whom, and how much narrower it could have been.

use std::collections::BTreeSet;

use super::narrow::{Few, addresses, prefixes, ranges};
use super::{Counts, Said};
use crate::judge::sketch::Distinct;
use crate::judge::{EdgeRow, Orientation};
use crate::net::{Addr, Prefix};
use crate::policy::{Answer, Effect, Ends, Policy, RuleId, Unmet};

/// What was seen has to be this many times smaller than what is granted before it is told.
const CLEARLY: u128 = 4;

/// Addresses that prefixes may hold to be told where a rule grants what prefixes do not tell, such as the internet.
const FEW_ADDRESSES: u128 = 1 << 16;

/// Zones that are told of an end.
const FEW_ZONES: usize = 3;

/// What each rule of a policy was used for.
pub struct Usage<'p> {
    policy: &'p Policy,
    rules: Vec<Used>,
    /// Connections that the policy does not judge.
    pub unjudged: Counts,
    /// Connections of which a lake does not tell what the policy says.
    pub unknown: Counts,
    /// Connections on which a rule with a path matched although theirs is unknown: counted by whoever asks the policy.
    pub via_unknown: u64,
    /// When connections were seen: first and last, seconds.
    pub times: Option<(u32, u32)>,
}

#[derive(Default)]
struct Used {
    counts: Counts,
    unproven: u64,
    clients: Distinct,
    servers: Distinct,
    times: Option<(u32, u32)>,
    ports: Few<(u8, u16)>,
    from: Few<Addr>,
    to: Few<Addr>,
    zones: [BTreeSet<String>; 2],
    unmet: Unmet,
    /// Whether it allowed connections of peers: each of the two may be whom its `from` meant.
    has_peers: bool,
}

/// What a rule was used for.
#[derive(Clone, Debug)]
pub struct RuleUse {
    /// Which rule.
    pub rule: RuleId,
    /// How much it decided.
    pub counts: Counts,
    /// The connections among them that it would allow if evidence that is missing said so.
    pub unproven: u64,
    /// Distinct clients: exact below 4096, then an estimate.
    pub clients: u64,
    /// Distinct servers, likewise.
    pub servers: u64,
    /// When it decided something: first and last, seconds.
    pub times: Option<(u32, u32)>,
    /// Whether it was in force at some time of the traffic.
    pub in_force: bool,
    /// What would have been enough; only of allows.
    pub narrower: Narrower,
}

/// What would have been enough of what a rule grants; each empty where nothing clearly narrower can be told. Of a rule that
/// allowed connections of peers only ports are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrower {
    /// Ranges that hold all ports seen, if they have at most a quarter of the pairs granted.
    pub ports: Option<String>,
    /// Names in `from` that no client met.
    pub from_unmet: Vec<String>,
    /// Names in `to` that no server met.
    pub to_unmet: Vec<String>,
    /// The zones of all clients, at most three, where `from` is wider than tiers, groups and destinations.
    pub from_zones: Vec<String>,
    /// The zones of all servers, likewise.
    pub to_zones: Vec<String>,
    /// Prefixes that hold all clients, if they have at most a quarter of the addresses granted.
    pub from: Vec<Prefix>,
    /// Prefixes that hold all servers, likewise.
    pub to: Vec<Prefix>,
}

impl Narrower {
    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == Narrower::default()
    }
}

/// Words that more than a tier, a group or a destination answers to.
const WIDE: [&str; 8] = [
    "any", "any-tier", "inside", "internet", "unlisted", "private", "outside", "aws:*",
];

impl<'p> Usage<'p> {
    /// No traffic yet.
    pub fn new(policy: &'p Policy) -> Usage<'p> {
        let rules = (0..=policy.default_rule().0).map(|rule| Used {
            unmet: policy.unmet(RuleId(rule)),
            ..Used::default()
        });
        Usage {
            policy,
            rules: rules.collect(),
            unjudged: Counts::default(),
            unknown: Counts::default(),
            via_unknown: 0,
            times: None,
        }
    }

    /// Takes what the policy says of an edge, none where nobody can tell, and its ends, each time that the policy changed
    /// while it was seen once more; none where the policy has no such network.
    pub fn add(&mut self, edge: &EdgeRow<'_>, said: Option<Said>, ends: Option<&[Ends<'_>]>) {
        let counts = Counts::of(edge);
        edge.widen(&mut self.times);
        let (answer, rule) = match said {
            None => {
                self.unknown += counts;
                return;
            }
            Some(Said::Not(_)) => {
                self.unjudged += counts;
                return;
            }
            Some(Said::Decided(answer, rule)) => (answer, rule),
        };
        let used = &mut self.rules[usize::from(rule.0)];
        used.counts += counts;
        used.clients.add_addr(edge.client_addr);
        used.servers.add_addr(edge.server_addr);
        edge.widen(&mut used.times);
        match answer {
            Answer::Allow => {}
            Answer::Deny => return,
            Answer::Unproven => {
                used.unproven += counts.connections;
                return;
            }
        }
        used.ports
            .add((edge.protocol, edge.server_port.unwrap_or(0)));
        if edge.orientation == Orientation::Peer {
            used.has_peers = true;
            return;
        }
        used.from.add(edge.client_addr);
        used.to.add(edge.server_addr);
        let Some(ends) = ends else {
            // Nothing can be said of names that were met by nobody knows whom.
            used.unmet = Unmet::default();
            return;
        };
        for ends in ends {
            for (zones, zone) in used.zones.iter_mut().zip(ends.zones) {
                if !zones.contains(zone) {
                    zones.insert(zone.to_owned());
                }
            }
            if !used.unmet.is_empty() {
                self.policy.meet(&mut used.unmet, ends);
            }
        }
    }

    /// What each rule was used for, in the order of their ids, the default last.
    pub fn finish(&self) -> Vec<RuleUse> {
        let rows = self.policy.rule_rows();
        let rules = self.rules.iter().zip(&rows).enumerate();
        rules
            .map(|(place, (used, row))| {
                let rule = RuleId(place as u16);
                let in_force = self.times.is_none_or(|(first, last)| {
                    row.not_before.is_none_or(|from| from <= i64::from(last))
                        && row.expires.is_none_or(|until| i64::from(first) < until)
                });
                let is_allow = row.rule.effect == Effect::Allow;
                let narrower = if is_allow && used.counts.connections > used.unproven {
                    self.narrower(rule, used, [&row.clients, &row.servers])
                } else {
                    Narrower::default()
                };
                RuleUse {
                    rule,
                    counts: used.counts,
                    unproven: used.unproven,
                    clients: used.clients.estimate(),
                    servers: used.servers.estimate(),
                    times: used.times,
                    in_force,
                    narrower,
                }
            })
            .collect()
    }

    fn narrower(&self, rule: RuleId, used: &Used, names: [&Vec<String>; 2]) -> Narrower {
        let Some(granted) = self.policy.granted(rule, self.times) else {
            return Narrower::default();
        };
        let ports = ranges(&used.ports)
            .filter(|seen| u128::from(seen.num_pairs()) * CLEARLY <= u128::from(granted.pairs));
        let ports = ports.map(|ports| ports.to_string());
        if used.has_peers {
            return Narrower {
                ports,
                ..Narrower::default()
            };
        }
        let [from_unmet, to_unmet] = self.policy.unmet_words(&used.unmet);
        let [from_zones, to_zones] = [0, 1].map(|end| few_zones(names[end], &used.zones[end]));
        Narrower {
            ports,
            from_unmet,
            to_unmet,
            from_zones,
            to_zones,
            from: narrower_prefixes(&used.from, granted.from.as_deref()),
            to: narrower_prefixes(&used.to, granted.to.as_deref()),
        }
    }
}

fn few_zones(names: &[String], zones: &BTreeSet<String>) -> Vec<String> {
    let is_wide = |name: &String| WIDE.contains(&name.as_str());
    let is_told = |zone: &String| !is_wide(zone);
    let is_narrower =
        names.iter().any(is_wide) && zones.len() <= FEW_ZONES && zones.iter().all(is_told);
    match is_narrower {
        true => zones.iter().cloned().collect(),
        false => Vec::new(),
    }
}

/// The prefixes that hold what was seen, where that is clearly less than what is granted, in each family that was seen.
fn narrower_prefixes(seen: &Few<Addr>, granted: Option<&[Prefix]>) -> Vec<Prefix> {
    let Some(told) = prefixes(seen) else {
        return Vec::new();
    };
    let is_less = |v4: bool| {
        let own = addresses(&told, v4);
        let most = match granted {
            Some(granted) => addresses(granted, v4) / CLEARLY,
            None => FEW_ADDRESSES,
        };
        own <= most
    };
    let families = [true, false];
    let mut seen = families
        .into_iter()
        .filter(|v4| told.iter().any(|prefix| prefix.is_v4() == *v4));
    if seen.all(is_less) { told } else { Vec::new() }
}
