//! What two policies say of one pair of ends: every port, path, encryption and date that a rule may ask for.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::net::ports::{PortRange, PortSet};
use crate::net::protocol;
use crate::policy::fit::Truth;
use crate::policy::ruleset::What;
use crate::policy::weigh::Weighed;
use crate::policy::{Answer, Path, Policy, Question, RuleId};

use super::boxes::{Boxed, boxes};
use super::joint::{Joint, Reach};
use super::kinds::EndKind;
use super::spans::Span;

/// An answer and the rule that gives it: a number of [`Comparer::rule_names`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Said {
    pub(super) answer: Answer,
    pub(super) rule: usize,
}

/// What changes, on which ports, and on what it depends beside them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Effect {
    /// By the old policy, by the new one.
    pub(super) said: [Said; 2],
    pub(super) ports: PortSet,
    /// Bit 0 is an unknown path, bit `i + 1` is `Path::ALL[i]`.
    pub(super) paths: u8,
    /// Bit 0 is that no record says, bit 1 not encrypted, bit 2 encrypted.
    pub(super) encrypted: u8,
    /// Ascending, from the first instant to before the second; without a second for ever.
    pub(super) dates: Vec<(u32, Option<u32>)>,
}

impl Effect {
    /// The paths that it depends on, none for an unknown one; none at all if it holds for every path.
    pub(super) fn paths(&self) -> Option<Vec<Option<Path>>> {
        let path = |bit: usize| bit.checked_sub(1).map(|at| Path::ALL[at]);
        let held = (0..8).filter(|bit| self.paths >> bit & 1 == 1).map(path);
        (self.paths != ALL_PATHS).then(|| held.collect())
    }

    /// The same of encryption.
    pub(super) fn encryptions(&self) -> Option<Vec<Option<bool>>> {
        let all = [None, Some(false), Some(true)].into_iter().enumerate();
        let held = all.filter(|(bit, _)| self.encrypted >> bit & 1 == 1);
        (self.encrypted != ANY_ENCRYPTION).then(|| held.map(|(_, encrypted)| encrypted).collect())
    }
}

/// Every path, and an unknown one.
const ALL_PATHS: u8 = u8::MAX;
/// Encrypted, not encrypted, and unknown.
const ANY_ENCRYPTION: u8 = 0b111;

/// Compares pair after pair. Pairs to which all rules stand alike are compared once.
pub(super) struct Comparer<'p> {
    policies: [&'p Policy; 2],
    joint: &'p Joint<'p>,
    reach: &'p Reach,
    span: Span,
    with_rules: bool,
    /// Ids of the rules of both policies, sorted.
    pub(super) rule_names: Vec<&'p str>,
    /// By policy and rule, its place in `rule_names`.
    name_of: [Vec<usize>; 2],
    remembered: HashMap<Vec<u8>, Rc<[usize]>>,
    pub(super) effects: Vec<Effect>,
    numbers: HashMap<Effect, usize>,
}

impl<'p> Comparer<'p> {
    pub(super) fn new(
        policies: [&'p Policy; 2],
        joint: &'p Joint<'p>,
        reach: &'p Reach,
        span: Span,
        with_rules: bool,
    ) -> Comparer<'p> {
        let ids = policies.map(|policy| policy.rules.texts.iter().map(|rule| rule.id.as_str()));
        let mut rule_names: Vec<&str> = ids.iter().cloned().flatten().collect();
        rule_names.sort_unstable();
        rule_names.dedup();
        let place = |id: &str| rule_names.partition_point(|known| *known < id);
        let name_of = ids.map(|ids| ids.map(place).collect());
        Comparer {
            policies,
            joint,
            reach,
            span,
            with_rules,
            rule_names,
            name_of,
            remembered: HashMap::new(),
            effects: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// What changes between two kinds of ends, as numbers of [`Comparer::effects`].
    pub(super) fn compare(
        &mut self,
        numbers: [usize; 2],
        [client, server]: [&EndKind; 2],
    ) -> Rc<[usize]> {
        let rules: Vec<usize> = self.reach.rules(numbers[0], numbers[1]).collect();
        let pair = Pair {
            policies: self.policies,
            joint: self.joint,
            rules: &rules,
            client,
            server,
        };
        let key = pair.key();
        if let Some(effects) = self.remembered.get(&key) {
            return Rc::clone(effects);
        }
        let effects: Rc<[usize]> = self.effects_of(&pair).into();
        self.remembered.insert(key, Rc::clone(&effects));
        effects
    }

    fn effects_of(&mut self, pair: &Pair<'_>) -> Vec<usize> {
        let axes = Axes::new(pair, self.span);
        let mut changed: BTreeMap<[Said; 2], Vec<[usize; 4]>> = BTreeMap::new();
        for (path, (_, asked_path)) in axes.paths.iter().enumerate() {
            for (encryption, (_, asked_encryption)) in axes.encryption.iter().enumerate() {
                for (date, at) in axes.dates.iter().enumerate() {
                    for (cell, (_, port)) in axes.ports.iter().enumerate() {
                        let [old, new] = [0, 1].map(|which| {
                            let question = Question {
                                protocol: port.protocol,
                                server_port: port.first,
                                at: *at,
                                path: *asked_path,
                                encrypted: *asked_encryption,
                                ..pair.question(which)
                            };
                            let (answer, rule) = pair.decide(which, &question);
                            Said {
                                answer,
                                rule: self.name_of[which][usize::from(rule.0)],
                            }
                        });
                        let is_change =
                            old.answer != new.answer || self.with_rules && old.rule != new.rule;
                        if is_change {
                            let point = [path, encryption, date, cell];
                            changed.entry([old, new]).or_default().push(point);
                        }
                    }
                }
            }
        }
        let mut effects = Vec::new();
        for (said, points) in changed {
            for boxed in boxes(points) {
                let effect = axes.effect(said, &boxed);
                effects.push(self.number(effect));
            }
        }
        effects
    }

    fn number(&mut self, effect: Effect) -> usize {
        if let Some(number) = self.numbers.get(&effect) {
            return *number;
        }
        self.effects.push(effect.clone());
        self.numbers.insert(effect, self.effects.len() - 1);
        self.effects.len() - 1
    }
}

/// Two ends, and the rules that may match them.
struct Pair<'a> {
    policies: [&'a Policy; 2],
    joint: &'a Joint<'a>,
    rules: &'a [usize],
    client: &'a EndKind,
    server: &'a EndKind,
}

impl Pair<'_> {
    /// The question of one policy, with anything for what is varied.
    fn question(&self, which: usize) -> Question<'_> {
        Question {
            client: self.client.seen[which].end(),
            server: self.server.seen[which].end(),
            protocol: 0,
            server_port: 0,
            ipv4: self.client.ipv4,
            at: 0,
            path: None,
            encrypted: None,
        }
    }

    /// The answer, from the rules that may match alone.
    fn decide(&self, which: usize, question: &Question<'_>) -> (Answer, RuleId) {
        let policy = self.policies[which];
        let rules = || self.rules.iter().map(|rule| &self.joint.rules[*rule]);
        let of = |is_deny: bool| {
            let rules = rules().filter(move |rule| rule.is_deny == is_deny);
            rules.filter_map(move |rule| rule.conditions[which])
        };
        let allows: Vec<Weighed<'_>> = of(false)
            .map(|allow| policy.weigh(allow, question))
            .collect();
        let decision = policy.decide_by(of(true), &allows, question);
        (decision.answer, decision.rule)
    }

    /// How every rule and require stands to the two ends, in both policies: pairs with the same key have the same answers.
    fn key(&self) -> Vec<u8> {
        let mut key = vec![u8::from(self.client.ipv4)];
        for rule in self.rules {
            key.extend((*rule as u32).to_be_bytes());
            for which in [0, 1] {
                let Some(condition) = self.joint.rules[*rule].conditions[which] else {
                    continue;
                };
                let policy = self.policies[which];
                let question = self.question(which);
                key.push(policy.fit(condition, &question).ends as u8);
                for level in [Truth::Yes, Truth::Unknown] {
                    let (from, to, ..) = policy.order(condition, &question, level);
                    key.extend([from, to]);
                }
            }
        }
        for require in &self.joint.requires {
            for which in [0, 1] {
                let Some(require) = require.requires[which] else {
                    continue;
                };
                let policy = self.policies[which];
                let question = self.question(which);
                let (is_broken, _) = policy.is_broken(require, &question);
                key.push(policy.applies(require, &question).and(is_broken) as u8);
            }
        }
        key
    }
}

/// What is asked of a pair: for each axis its cells, each with one value that stands for it.
struct Axes {
    paths: Vec<(u8, Option<Path>)>,
    encryption: Vec<(u8, Option<bool>)>,
    /// Instants at which something begins, ascending.
    dates: Vec<u32>,
    /// The first instant behind the last of these times, if there is one.
    until: Option<u32>,
    ports: Vec<(Vec<PortRange>, PortRange)>,
}

impl Axes {
    fn new(pair: &Pair<'_>, span: Span) -> Axes {
        let rules = pair.rules.iter().map(|rule| &pair.joint.rules[*rule]);
        let conditions: Vec<_> = rules.flat_map(|rule| rule.conditions).flatten().collect();
        let paths = conditions.iter().flat_map(|condition| &condition.via);
        let sets = conditions
            .iter()
            .flat_map(|condition| condition.ports.sets());
        let requires = pair.joint.requires.iter();
        let requires: Vec<_> = requires
            .flat_map(|require| require.requires)
            .flatten()
            .collect();
        let asks_encryption = requires
            .iter()
            .any(|require| require.what == What::Encrypted);
        let of_rules = conditions
            .iter()
            .flat_map(|condition| [condition.not_before, condition.expires]);
        let of_requires = requires
            .iter()
            .flat_map(|require| [require.validity.from, require.validity.until]);
        let dates = of_rules.chain(of_requires);
        Axes {
            paths: path_cells(paths.copied()),
            encryption: if asks_encryption {
                vec![(0b001, None), (0b010, Some(false)), (0b100, Some(true))]
            } else {
                vec![(ANY_ENCRYPTION, None)]
            },
            dates: date_cells(dates.flatten(), span),
            until: span.until,
            ports: port_cells(sets),
        }
    }

    fn effect(&self, said: [Said; 2], boxed: &Boxed) -> Effect {
        let ports = boxed.ports.iter().flat_map(|cell| &self.ports[*cell].0);
        let mut dates: Vec<(u32, Option<u32>)> = Vec::new();
        for date in &boxed.dates {
            let next = self.dates.get(date + 1).copied().or(self.until);
            match dates.last_mut() {
                Some(last) if last.1 == Some(self.dates[*date]) => last.1 = next,
                _ => dates.push((self.dates[*date], next)),
            }
        }
        Effect {
            said,
            ports: ports.copied().collect(),
            paths: boxed
                .paths
                .iter()
                .fold(0, |all, at| all | self.paths[*at].0),
            encrypted: boxed
                .encryption
                .iter()
                .fold(0, |all, at| all | self.encryption[*at].0),
            dates,
        }
    }
}

/// An unknown path, each that a rule names, and all others as one.
fn path_cells(named: impl Iterator<Item = Path>) -> Vec<(u8, Option<Path>)> {
    let mask = |path: Path| 2u8 << path as u8;
    let named = named.fold(0, |all, path| all | mask(path));
    if named == 0 {
        return vec![(ALL_PATHS, None)];
    }
    let mut cells = vec![(1, None)];
    let all = Path::ALL.iter().copied();
    let (each, others): (Vec<Path>, Vec<Path>) = all.partition(|path| named & mask(*path) != 0);
    cells.extend(each.iter().map(|path| (mask(*path), Some(*path))));
    if let Some(first) = others.first() {
        let all = others.iter().fold(0, |all, path| all | mask(*path));
        cells.push((all, Some(*first)));
    }
    cells
}

fn date_cells(dates: impl Iterator<Item = i64>, span: Span) -> Vec<u32> {
    let dates = dates.filter_map(|date| u32::try_from(date).ok());
    let mut cells: Vec<u32> = dates.filter(|date| span.has_within(*date)).collect();
    cells.push(span.from);
    cells.sort_unstable();
    cells.dedup();
    cells
}

/// Ports between the cuts of each protocol that a rule names, and all other protocols as one.
pub(in crate::policy) fn port_cells<'s>(
    sets: impl Iterator<Item = &'s PortSet>,
) -> Vec<(Vec<PortRange>, PortRange)> {
    let mut cuts: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
    for range in sets.flat_map(PortSet::ranges) {
        let cuts = cuts.entry(range.protocol).or_default();
        cuts.push(range.first);
        cuts.extend(range.last.checked_add(1));
    }
    let mut cells = Vec::new();
    let mut others = Vec::new();
    for protocol in 0..=u8::MAX {
        let last = protocol::highest_port(protocol);
        let Some(mut firsts) = cuts.remove(&protocol) else {
            others.push(PortRange {
                protocol,
                first: 0,
                last,
            });
            continue;
        };
        firsts.push(0);
        firsts.retain(|first| *first <= last);
        firsts.sort_unstable();
        firsts.dedup();
        for (at, first) in firsts.iter().enumerate() {
            let range = PortRange {
                protocol,
                first: *first,
                last: firsts.get(at + 1).map_or(last, |next| next - 1),
            };
            cells.push((vec![range], range));
        }
    }
    if let Some(first) = others.first().copied() {
        cells.push((others, first));
    }
    cells
}
