//! Rules as meant: names resolved, dates and ports ready to be compared, numbered in the order of their ids.

use std::collections::HashMap;

use super::deny;
use super::file::{self, File, RulePorts};
use super::inventory::Stated;
use super::meant::{Places, Subnet};
use super::names::{Name, Names, Place};
use super::nearest::nearest;
use super::pinned::Pinned;
use super::problem::{Problems, excerpt};
use super::section::Word;
use super::validity::Validity;
use super::{Effect, Path, Rule, RuleId};
use crate::net::ports::{NUM_PAIRS, PortSet};

/// All rules of a policy.
pub(super) struct Rules {
    /// What every rule says of itself, by its number; the last is the default.
    pub(super) texts: Vec<Rule>,
    pub(super) allows: Vec<Condition>,
    pub(super) denies: Vec<Condition>,
    /// By id.
    pub(super) requires: Vec<Require>,
    /// Instants, seconds since 1970, at which a rule begins or ends to be in force; sorted.
    pub(super) dates: Vec<i64>,
}

impl Rules {
    /// The allows, then the denies.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.allows.iter().chain(&self.denies)
    }

    /// The one at this place of [`Rules::conditions`].
    pub(super) fn condition_at(&self, place: usize) -> &Condition {
        match place.checked_sub(self.allows.len()) {
            None => &self.allows[place],
            Some(place) => &self.denies[place],
        }
    }
}

/// When an allow or deny matches.
pub(super) struct Condition {
    pub(super) rule: RuleId,
    pub(super) from: Vec<Name>,
    pub(super) from_except: Vec<Name>,
    pub(super) to: Vec<Name>,
    pub(super) to_except: Vec<Name>,
    pub(super) ports: Ports,
    /// Empty is any.
    pub(super) via: Vec<Path>,
    /// Only IPv4, only IPv6, or both.
    pub(super) ipv4: Option<bool>,
    pub(super) not_before: Option<i64>,
    pub(super) expires: Option<i64>,
    /// The requires that it is exempt from, sorted.
    pub(super) exempt: Vec<RuleId>,
}

/// The ports of a rule.
#[derive(PartialEq, Eq)]
pub(super) enum Ports {
    /// Every protocol and port.
    Any,
    /// One of these sets: each service of a list counts as a rule of its own.
    Only(Vec<PortSet>),
    /// Everything but these.
    Except(PortSet),
}

impl Ports {
    /// The number of pairs of the smallest set that holds this one; none if none does.
    pub(super) fn num_pairs_matching(&self, protocol: u8, port: u16) -> Option<u32> {
        match self {
            Ports::Any => Some(NUM_PAIRS),
            Ports::Only(sets) => sets
                .iter()
                .filter(|set| set.contains(protocol, port))
                .map(PortSet::num_pairs)
                .min(),
            Ports::Except(set) => {
                (!set.contains(protocol, port)).then(|| NUM_PAIRS - set.num_pairs())
            }
        }
    }

    /// The number of pairs of the smallest set, whatever it holds.
    pub(super) fn num_pairs(&self) -> u32 {
        match self {
            Ports::Any => NUM_PAIRS,
            Ports::Only(sets) => sets.iter().map(PortSet::num_pairs).min().unwrap_or(0),
            Ports::Except(set) => NUM_PAIRS - set.num_pairs(),
        }
    }

    /// Whether the rule is written for this protocol rather than for all.
    pub(super) fn names(&self, protocol: u8) -> bool {
        let Ports::Only(sets) = self else {
            return false;
        };
        sets.iter()
            .flat_map(PortSet::ranges)
            .any(|range| range.protocol == protocol)
    }

    /// All pairs that it matches, as one set.
    pub(super) fn as_set(&self) -> PortSet {
        match self {
            Ports::Any => PortSet::default().complement(),
            Ports::Only(sets) => sets.iter().flat_map(PortSet::ranges).copied().collect(),
            Ports::Except(set) => set.complement(),
        }
    }

    /// The sets that it is made of.
    pub(super) fn sets(&self) -> &[PortSet] {
        match self {
            Ports::Any => &[],
            Ports::Only(sets) => sets,
            Ports::Except(set) => std::slice::from_ref(set),
        }
    }
}

/// What both ends of an allowed flow must share.
pub(super) struct Require {
    pub(super) rule: RuleId,
    pub(super) between: Vec<Name>,
    pub(super) what: What,
    pub(super) validity: Validity,
}

/// What a require asks for.
#[derive(PartialEq, Eq)]
pub(super) enum What {
    /// The availability zone, these labels, or both.
    Shared { az: bool, labels: Vec<String> },
    /// Encryption.
    Encrypted,
}

/// The name of the default in the `rule` column.
pub(super) const DEFAULT: &str = "default";

/// What stands in place of a rule where a record is not judged. No rule may be called so.
pub const REASONS: [&str; 12] = [
    "out-of-scope",
    "missing-field",
    "duplicate",
    "self",
    "local",
    "unmapped",
    "nat-unsolicited",
    "transit",
    "unsolicited",
    "post-close",
    "stray",
    "diagnostic",
];

/// Resolves the rules of a file.
pub(super) fn rules(
    file: &File,
    places: &Places,
    names: &Names,
    pinned: &Pinned,
    problems: &mut Problems,
) -> Rules {
    let numbers = numbers(file, problems);
    let mut texts = vec![default_rule(); numbers.len() + 1];
    let mut rules = Rules {
        texts: Vec::new(),
        allows: Vec::new(),
        denies: Vec::new(),
        requires: Vec::new(),
        dates: Vec::new(),
    };
    let require_ids: HashMap<&str, RuleId> = file
        .requires
        .iter()
        .filter_map(|require| require.id.as_ref())
        .filter_map(|id| Some((id.text.as_str(), *numbers.get(id.text.as_str())?)))
        .collect();
    for rule in &file.rules {
        let condition = condition(rule, places, names, &numbers, &require_ids, problems);
        if rule.effect == file::Effect::Deny {
            deny::check_evidence(rule, places, names, pinned, problems);
        }
        let Some(condition) = condition else { continue };
        let effect = match rule.effect {
            file::Effect::Allow => Effect::Allow,
            file::Effect::Deny => Effect::Deny,
        };
        texts[usize::from(condition.rule.0)] = Rule {
            observable: rule.observable,
            ..said(rule.id.as_ref(), effect, &rule.texts, rule.severity)
        };
        rules
            .dates
            .extend(condition.not_before.iter().chain(&condition.expires));
        match rule.effect {
            file::Effect::Allow => rules.allows.push(condition),
            file::Effect::Deny => rules.denies.push(condition),
        }
    }
    for require in &file.requires {
        let between = names.resolve_all(&require.between, Place::End, problems);
        let what = asked_for(require, places, pinned, problems);
        let Some(&rule) = require
            .id
            .as_ref()
            .and_then(|id| numbers.get(id.text.as_str()))
        else {
            continue;
        };
        let effect = match &what {
            What::Shared { az: true, .. } => Effect::RequireZone,
            What::Shared { az: false, .. } => Effect::RequireLabels,
            What::Encrypted => Effect::RequireEncrypted,
        };
        texts[usize::from(rule.0)] = said(
            require.id.as_ref(),
            effect,
            &require.texts,
            require.severity,
        );
        let Validity { from, until } = require.validity;
        rules.dates.extend(from.into_iter().chain(until));
        rules.requires.push(Require {
            rule,
            between,
            what,
            validity: require.validity,
        });
    }
    rules.allows.sort_by_key(|condition| condition.rule);
    rules.denies.sort_by_key(|condition| condition.rule);
    rules.requires.sort_by_key(|require| require.rule);
    rules.dates.sort_unstable();
    rules.dates.dedup();
    rules.texts = texts;
    rules
}

/// Numbers in the order of ids. An id twice is an error.
fn numbers<'f>(file: &'f File, problems: &mut Problems) -> HashMap<&'f str, RuleId> {
    let of_rules = file.rules.iter().filter_map(|rule| rule.id.as_ref());
    let of_requires = file
        .requires
        .iter()
        .filter_map(|require| require.id.as_ref());
    let mut ids: Vec<&Word> = of_rules.chain(of_requires).collect();
    ids.sort_by(|a, b| (&a.text, a.span.start).cmp(&(&b.text, b.span.start)));
    for pair in ids.windows(2) {
        if pair[0].text == pair[1].text {
            problems.add(
                &pair[1].span,
                format!("duplicate id `{}`", excerpt(pair[1])),
            );
        }
    }
    for id in ids.iter().filter(|id| id.text == DEFAULT) {
        problems.add(
            &id.span,
            "`default` is the name of the default: what no rule matches is denied",
        );
    }
    for id in ids.iter().filter(|id| REASONS.contains(&id.text.as_str())) {
        problems.add(
            &id.span,
            format!(
                "`{}` stands where a record is not judged: no rule can be told from it",
                id.text
            ),
        );
    }
    ids.dedup_by(|a, b| a.text == b.text);
    ids.iter()
        .enumerate()
        .map(|(i, id)| (id.text.as_str(), RuleId(i as u16)))
        .collect()
}

fn default_rule() -> Rule {
    Rule {
        id: DEFAULT.to_owned(),
        effect: Effect::Default,
        reason: "no rule permits it".to_owned(),
        owner: String::new(),
        controls: Vec::new(),
        severity: None,
        observable: true,
    }
}

fn said(
    id: Option<&Word>,
    effect: Effect,
    texts: &file::Texts,
    severity: Option<super::Severity>,
) -> Rule {
    Rule {
        id: id.map(|id| id.text.clone()).unwrap_or_default(),
        effect,
        reason: texts.reason.clone(),
        owner: texts.owner.clone(),
        controls: texts.controls.clone(),
        severity,
        observable: true,
    }
}

fn condition(
    rule: &file::Rule,
    places: &Places,
    names: &Names,
    numbers: &HashMap<&str, RuleId>,
    require_ids: &HashMap<&str, RuleId>,
    problems: &mut Problems,
) -> Option<Condition> {
    let mut exempt: Vec<RuleId> = Vec::new();
    for word in &rule.exempt {
        match require_ids.get(&**word) {
            Some(id) => exempt.push(*id),
            None if numbers.contains_key(&**word) => {
                problems.add(&word.span, format!("`{}` is no require", excerpt(word)))
            }
            None => problems.unknown(&word.span, "require", word, require_ids.keys().copied()),
        }
    }
    exempt.sort_unstable();
    exempt.dedup();
    let ports = match &rule.ports {
        RulePorts::Any => Ports::Any,
        RulePorts::Services(words) => Ports::Only(service_ports(words, places, problems)),
        RulePorts::Only(set) => Ports::Only(vec![set.clone()]),
        RulePorts::Except(set) => Ports::Except(set.clone()),
    };
    let mut via = rule.via.clone();
    via.sort_unstable();
    via.dedup();
    let from = names.resolve_all(&rule.from, Place::End, problems);
    let from_except = names.resolve_all(&rule.from_except, Place::Except, problems);
    let to = names.resolve_all(&rule.to, Place::End, problems);
    let to_except = names.resolve_all(&rule.to_except, Place::Except, problems);
    let number = *numbers.get(rule.id.as_ref()?.text.as_str())?;
    Some(Condition {
        rule: number,
        from,
        from_except,
        to,
        to_except,
        ports,
        via,
        ipv4: rule.ipv4,
        not_before: rule.not_before,
        expires: rule.expires,
        exempt,
    })
}

/// The ports of the services that words name, an error for a word that names none.
pub(super) fn service_ports(
    words: &[Word],
    places: &Places,
    problems: &mut Problems,
) -> Vec<PortSet> {
    let mut sets = Vec::new();
    for word in words {
        match places
            .services
            .binary_search_by(|service| service.name.as_str().cmp(word))
        {
            Ok(at) => sets.push(places.services[at].ports.clone()),
            Err(_) => {
                let known = places.services.iter().map(|service| service.name.as_str());
                let looks_like_ports = word.contains('/') && nearest(word, known.clone()).is_none();
                if looks_like_ports {
                    problems.add_with_hint(
                        &word.span,
                        format!("unknown service `{}`", excerpt(word)),
                        format!("write ports = [\"{}\"]", excerpt(word)),
                    );
                } else {
                    problems.unknown(&word.span, "service", word, known);
                }
            }
        }
    }
    sets
}

fn asked_for(
    require: &file::Require,
    places: &Places,
    pinned: &Pinned,
    problems: &mut Problems,
) -> What {
    if require.same.is_empty() {
        return What::Encrypted;
    }
    let tags = pinned.inventory.as_ref().map(Stated::tag_keys);
    let mut labels: Vec<String> = Vec::new();
    for word in require.same.iter().filter(|word| word.text != "az") {
        let has_label = |subnet: &Subnet| subnet.labels.contains_key(&word.text);
        let is_tag = tags.as_ref().is_some_and(|keys| keys.contains(&*word.text));
        if is_tag || places.subnets.iter().any(has_label) {
            labels.push(word.text.clone());
            continue;
        }
        let labels = places
            .subnets
            .iter()
            .flat_map(|subnet| subnet.labels.keys());
        let mut known: Vec<&str> = labels.map(String::as_str).chain(["az"]).collect();
        known.sort_unstable();
        known.dedup();
        problems.unknown(&word.span, "label, which no subnet has:", word, known);
    }
    labels.sort_unstable();
    labels.dedup();
    What::Shared {
        az: require.same.iter().any(|word| word.text == "az"),
        labels,
    }
}
