//! The rules of both policies side by side, and which pairs of ends they can decide differently.
//!
//! A pair is worth asking only if, of the rules whose ends it may match, one is not the same in both policies, or stands
//! differently to one of the ends. That is looked up in sets of kinds, a few words per rule, so that a small edit of a
//! large policy costs little more than the edit.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::fit::Truth;
use crate::policy::names::Name;
use crate::policy::ruleset::{Condition, Require, What};
use crate::policy::{End, Policy, RuleId};

use super::kinds::{EndKind, Kinds};
use crate::policy::bits::Bits;

/// A rule of either policy or of both, by its id and effect.
pub(super) struct JointRule<'p> {
    pub(super) is_deny: bool,
    /// In the old policy, in the new one.
    pub(super) conditions: [Option<&'p Condition>; 2],
    /// Whether both are written alike.
    is_common: bool,
}

/// A require of either policy or of both, by its id.
pub(super) struct JointRequire<'p> {
    pub(super) requires: [Option<&'p Require>; 2],
    is_common: bool,
}

/// All rules of both policies.
pub(super) struct Joint<'p> {
    pub(super) rules: Vec<JointRule<'p>>,
    pub(super) requires: Vec<JointRequire<'p>>,
}

pub(super) fn asks_same_subnet(condition: &Condition) -> bool {
    let excepts = [&condition.from_except, &condition.to_except];
    excepts
        .iter()
        .any(|names| names.contains(&Name::SameSubnet))
}

/// The names that rules of a policy use. `same-subnet` is none of an end alone.
pub(in crate::policy) fn names(policy: &Policy) -> BTreeSet<Name> {
    let of_rules = policy.rules.conditions().flat_map(|condition| {
        let lists = [
            &condition.from,
            &condition.from_except,
            &condition.to,
            &condition.to_except,
        ];
        lists.into_iter().flatten()
    });
    let of_requires = policy.rules.requires.iter();
    let all = of_rules.chain(of_requires.flat_map(|require| &require.between));
    all.copied()
        .filter(|name| *name != Name::SameSubnet)
        .collect()
}

impl<'p> Joint<'p> {
    pub(super) fn new(policies: [&'p Policy; 2]) -> Joint<'p> {
        let same_subnets = has_same_subnets(policies);
        let mut rules: BTreeMap<(&str, bool), [Option<&'p Condition>; 2]> = BTreeMap::new();
        let mut requires: BTreeMap<&str, [Option<&'p Require>; 2]> = BTreeMap::new();
        for (at, policy) in policies.into_iter().enumerate() {
            let id = |rule: RuleId| policy.rule(rule).id.as_str();
            for condition in &policy.rules.allows {
                rules.entry((id(condition.rule), false)).or_default()[at] = Some(condition);
            }
            for condition in &policy.rules.denies {
                rules.entry((id(condition.rule), true)).or_default()[at] = Some(condition);
            }
            for require in &policy.rules.requires {
                requires.entry(id(require.rule)).or_default()[at] = Some(require);
            }
        }
        Joint {
            rules: rules
                .into_iter()
                .map(|((_, is_deny), conditions)| JointRule {
                    is_deny,
                    is_common: match conditions {
                        [Some(old), Some(new)] => {
                            is_written_alike(policies, [old, new])
                                && (same_subnets || !asks_same_subnet(old))
                        }
                        _ => false,
                    },
                    conditions,
                })
                .collect(),
            requires: requires
                .into_values()
                .map(|requires| JointRequire {
                    is_common: match requires {
                        [Some(old), Some(new)] => {
                            old.what == new.what
                                && old.validity == new.validity
                                && sorted_words(policies[0], &old.between)
                                    == sorted_words(policies[1], &new.between)
                        }
                        _ => false,
                    },
                    requires,
                })
                .collect(),
        }
    }

    fn len(&self) -> usize {
        self.rules.len() + self.requires.len()
    }

    fn is_common(&self, at: usize) -> bool {
        match self.rules.get(at) {
            Some(rule) => rule.is_common,
            None => self.requires[at - self.rules.len()].is_common,
        }
    }

    /// How the rule or require at this place stands to an end of a connection, by one policy.
    fn stand<'v>(
        &self,
        at: usize,
        which: usize,
        policy: &'v Policy,
        end: &End<'_>,
        is_client: bool,
    ) -> Stand<'v> {
        if let Some(rule) = self.rules.get(at) {
            let Some(condition) = rule.conditions[which] else {
                return Stand::default();
            };
            let (names, except) = if is_client {
                (&condition.from, &condition.from_except)
            } else {
                (&condition.to, &condition.to_except)
            };
            let mut stand = Stand::of(policy, end, names, except);
            if asks_same_subnet(condition) && stand.may_match {
                stand.subnet = policy.space.class(end.class).subnet;
            }
            return stand;
        }
        let Some(require) = self.requires[at - self.rules.len()].requires[which] else {
            return Stand::default();
        };
        let mut stand = Stand::of(policy, end, &require.between, &[]);
        if let What::Shared { az, labels } = &require.what
            && stand.may_match
        {
            let subnet = policy.space.class(end.class).subnet;
            let subnet = subnet.map(|subnet| &policy.places.subnets[subnet as usize]);
            let az = az.then(|| subnet?.az.as_deref());
            let labels = labels
                .iter()
                .map(|label| subnet?.labels.get(label).map(String::as_str));
            stand.labels = az.into_iter().chain(labels).collect();
        }
        stand
    }
}

/// Whether numbers of subnets mean the same in both policies.
fn has_same_subnets(policies: [&Policy; 2]) -> bool {
    let [old, new] = policies.map(|policy| {
        let subnets = policy.places.subnets.iter();
        subnets.map(move |subnet| {
            let network = policy.network_name(subnet.network);
            (network, &subnet.cidrs, subnet.validity)
        })
    });
    old.eq(new)
}

/// Whether a rule says the same in both policies, as far as words go.
fn is_written_alike(policies: [&Policy; 2], conditions: [&Condition; 2]) -> bool {
    let [old, new] = [0, 1].map(|at| {
        let (policy, condition) = (policies[at], conditions[at]);
        let names = [
            &condition.from,
            &condition.from_except,
            &condition.to,
            &condition.to_except,
        ];
        let exempt = condition.exempt.iter();
        (
            names.map(|names| sorted_words(policy, names)),
            &condition.ports,
            &condition.via,
            condition.ipv4,
            (condition.not_before, condition.expires),
            exempt
                .map(|rule| policy.rule(*rule).id.as_str())
                .collect::<Vec<_>>(),
        )
    });
    old == new
}

/// Names as words, in an order that does not depend on the policy's own numbers.
fn sorted_words(policy: &Policy, names: &[Name]) -> Vec<String> {
    let mut words = policy.words(names);
    words.sort_unstable();
    words
}

/// How a rule stands to one end: whether it could match, how sure that is, and by how specific a name.
#[derive(Default, PartialEq, Eq)]
struct Stand<'v> {
    may_match: bool,
    is_sure: bool,
    /// The least rank of a name that matches for sure, and of one that could.
    ranks: [u8; 2],
    subnet: Option<u32>,
    labels: Vec<Option<&'v str>>,
}

impl Stand<'_> {
    /// `same-subnet` is left out: without it a rule matches no less.
    fn of<'v>(policy: &Policy, end: &End<'_>, names: &[Name], except: &[Name]) -> Stand<'v> {
        let (mut truth, mut excepted) = (Truth::No, Truth::No);
        let mut ranks = [u8::MAX; 2];
        for name in names {
            let is = policy.is(end, *name, end);
            truth = truth.or(is);
            if is == Truth::Yes {
                ranks[0] = ranks[0].min(name.rank());
            }
            if is != Truth::No {
                ranks[1] = ranks[1].min(name.rank());
            }
        }
        for name in except.iter().filter(|name| **name != Name::SameSubnet) {
            excepted = excepted.or(policy.is(end, *name, end));
        }
        match truth.and(excepted.not()) {
            Truth::No => Stand::default(),
            truth => Stand {
                may_match: true,
                is_sure: truth == Truth::Yes,
                ranks,
                ..Stand::default()
            },
        }
    }
}

/// Which kinds of ends each rule may match, as client and as server.
pub(super) struct Reach {
    num_rules: usize,
    is_common: Vec<bool>,
    /// By kind: the rules and requires that may match it as a client, and those that stand differently to it.
    clients: Vec<Bits>,
    clients_changed: Vec<Bits>,
    /// By rule or require: the kinds that it may match as servers, and those to which it stands differently.
    servers: Vec<Bits>,
    servers_changed: Vec<Bits>,
}

impl Reach {
    pub(super) fn new(policies: [&Policy; 2], joint: &Joint<'_>, kinds: &Kinds) -> Reach {
        let (num_rules, num_kinds) = (joint.len(), kinds.all.len());
        let mut reach = Reach {
            num_rules: joint.rules.len(),
            is_common: (0..num_rules).map(|at| joint.is_common(at)).collect(),
            clients: vec![Bits::new(num_rules); num_kinds],
            clients_changed: vec![Bits::new(num_rules); num_kinds],
            servers: vec![Bits::new(num_kinds); num_rules],
            servers_changed: vec![Bits::new(num_kinds); num_rules],
        };
        for (number, kind) in kinds.all.iter().enumerate() {
            let ends = kind.seen.each_ref().map(|seen| seen.end());
            for rule in 0..num_rules {
                for is_client in [true, false] {
                    let [old, new] = [0, 1].map(|which| {
                        joint.stand(rule, which, policies[which], &ends[which], is_client)
                    });
                    let may_match = old.may_match || new.may_match;
                    let has_changed = old != new;
                    if may_match && is_client {
                        reach.clients[number].insert(rule);
                    } else if may_match {
                        reach.servers[rule].insert(number);
                    }
                    if has_changed && is_client {
                        reach.clients_changed[number].insert(rule);
                    } else if has_changed {
                        reach.servers_changed[rule].insert(number);
                    }
                }
            }
        }
        reach
    }

    /// The servers with which a client may be decided differently.
    pub(super) fn affected(&self, client: usize, num_kinds: usize) -> Bits {
        let mut servers = Bits::new(num_kinds);
        for rule in self.clients[client].iter() {
            if self.is_common[rule] && !self.clients_changed[client].has(rule) {
                servers.add(&self.servers_changed[rule]);
            } else {
                servers.add(&self.servers[rule]);
            }
        }
        servers
    }

    /// The allows and denies that may match a pair, as places in [`Joint::rules`].
    pub(super) fn rules(&self, client: usize, server: usize) -> impl Iterator<Item = usize> {
        let rules = self.clients[client].iter();
        rules
            .take_while(|rule| *rule < self.num_rules)
            .filter(move |rule| self.servers[*rule].has(server))
    }

    /// Whether a pair of kinds is a question at all: of one family, and one of them at home in the network.
    pub(super) fn is_asked(kinds: &Kinds, [client, server]: [&EndKind; 2]) -> bool {
        let is_home = |kind: &EndKind| kinds.zones[kind.zone].is_home;
        client.ipv4 == server.ipv4 && (is_home(client) || is_home(server))
    }
}
