//! How the conditions of rules stand towards a question, one by one.

use super::fit::Truth;
use super::names::Name;
use super::ruleset::{Condition, Require, What};
use super::{Effect, End, Lacked, Policy, Question, RuleId};

/// Which of several rules that qualify names itself, least first: the most specific name in `from`, then in `to`, the
/// fewest (protocol, port) pairs, then the id.
pub(super) type Order = (u8, u8, u32, RuleId);

impl Policy {
    /// The allows whose ends match or could match, each with its conditions weighed.
    pub(super) fn weigh_allows<'p>(&'p self, question: &Question<'_>) -> Vec<Weighed<'p>> {
        self.rules
            .allows
            .iter()
            .map(|allow| self.weigh(allow, question))
            .filter(|allow| allow.fit.ends != Truth::No)
            .collect()
    }

    /// One allow, weighed.
    pub(super) fn weigh<'p>(
        &'p self,
        allow: &'p Condition,
        question: &Question<'_>,
    ) -> Weighed<'p> {
        let fit = self.fit(allow, question);
        let requires = if fit.ends == Truth::No {
            Requires::Met
        } else {
            self.requires(allow, question)
        };
        Weighed {
            allow,
            fit,
            requires,
        }
    }

    /// How a rule's conditions stand.
    pub(super) fn fit(&self, condition: &Condition, question: &Question<'_>) -> Fit {
        let (client, server) = (&question.client, &question.server);
        let any = |names: &[Name], end: &End<'_>, other: &End<'_>| {
            names.iter().fold(Truth::No, |truth, name| {
                truth.or(self.is(end, *name, other))
            })
        };
        // What the inventory does not know is no exception from a deny: that would let pass, silently, what it forbids.
        let is_deny = self.rule(condition.rule).effect == Effect::Deny;
        let any_exception = |names: &[Name], end: &End<'_>, other: &End<'_>| {
            let shown = |name: &Name| match self.is(end, *name, other) {
                Truth::Unknown if is_deny && matches!(name, Name::Group(_)) => Truth::No,
                truth => truth,
            };
            names
                .iter()
                .fold(Truth::No, |truth, name| truth.or(shown(name)))
        };
        let sides = [
            any(&condition.from, client, server),
            any_exception(&condition.from_except, client, server).not(),
            any(&condition.to, server, client),
            any_exception(&condition.to_except, server, client).not(),
        ];
        let at = i64::from(question.at);
        Fit {
            ends: sides.into_iter().fold(Truth::Yes, Truth::and),
            sides,
            expired: condition.expires.is_some_and(|expires| at >= expires),
            not_yet: condition
                .not_before
                .is_some_and(|not_before| at < not_before),
            port: condition
                .ports
                .num_pairs_matching(question.protocol, question.server_port)
                .is_some(),
            path: condition.via.is_empty()
                || question
                    .path
                    .is_none_or(|path| condition.via.contains(&path)),
            family: condition.ipv4.is_none_or(|ipv4| ipv4 == question.ipv4),
        }
    }

    /// A list counts as one rule per name: those count whose names match at least as surely as `level`.
    pub(super) fn order(
        &self,
        condition: &Condition,
        question: &Question<'_>,
        level: Truth,
    ) -> Order {
        let rank = |names: &[Name], end: &End<'_>, other: &End<'_>| {
            names
                .iter()
                .filter(|name| self.is(end, **name, other) >= level)
                .map(|name| name.rank())
                .min()
                .unwrap_or(u8::MAX)
        };
        let ports = &condition.ports;
        let num_pairs = ports
            .num_pairs_matching(question.protocol, question.server_port)
            .unwrap_or_else(|| ports.num_pairs());
        (
            rank(&condition.from, &question.client, &question.server),
            rank(&condition.to, &question.server, &question.client),
            num_pairs,
            condition.rule,
        )
    }

    /// How the requires stand that the allow is not exempt from.
    pub(super) fn requires(&self, allow: &Condition, question: &Question<'_>) -> Requires {
        let mut broken = Vec::new();
        let mut is_unknown = false;
        for require in &self.rules.requires {
            let is_exempt = allow.exempt.binary_search(&require.rule).is_ok();
            if is_exempt || !require.validity.holds(question.at) {
                continue;
            }
            let (is_broken, unlabelled) = self.is_broken(require, question);
            match self.applies(require, question).and(is_broken) {
                Truth::Yes => broken.push(Broken {
                    rule: require.rule,
                    unlabelled,
                }),
                Truth::Unknown => is_unknown = true,
                Truth::No => {}
            }
        }
        match (broken.is_empty(), is_unknown) {
            (false, _) => Requires::Broken(broken),
            (true, true) => Requires::Unknown,
            (true, false) => Requires::Met,
        }
    }

    /// `between` applies, while the require is in force, when both ends match one of its words, not necessarily the same.
    pub(super) fn applies(&self, require: &Require, question: &Question<'_>) -> Truth {
        let (client, server) = (&question.client, &question.server);
        let any = |end: &End<'_>, other: &End<'_>| {
            require.between.iter().fold(Truth::No, |truth, name| {
                truth.or(self.is(end, *name, other))
            })
        };
        any(client, server).and(any(server, client))
    }

    /// Whether the ends do not share what a require asks for, and whether that is only because an end lacks a label.
    pub(super) fn is_broken(&self, require: &Require, question: &Question<'_>) -> (Truth, bool) {
        let (az, labels) = match &require.what {
            What::Encrypted => {
                let is_broken = question
                    .encrypted
                    .map_or(Truth::Unknown, |encrypted| (!encrypted).into());
                return (is_broken, false);
            }
            What::Shared { az, labels } => (*az, labels),
        };
        let subnet = |end: &End<'_>| {
            self.space
                .class(end.class)
                .subnet
                .map(|subnet| &self.places.subnets[subnet as usize])
        };
        let (client, server) = (subnet(&question.client), subnet(&question.server));
        let mut differs = false;
        let mut is_missing = false;
        let mut compare = |one: Option<&str>, other: Option<&str>| match (one, other) {
            (Some(one), Some(other)) => differs |= one != other,
            _ => is_missing = true,
        };
        if az {
            compare(
                client.and_then(|subnet| subnet.az.as_deref()),
                server.and_then(|subnet| subnet.az.as_deref()),
            );
        }
        for label in labels {
            compare(
                self.label_of(&question.client, label),
                self.label_of(&question.server, label),
            );
        }
        ((differs || is_missing).into(), is_missing && !differs)
    }

    /// A label of an end: the tag of its interface, else what its subnet says.
    pub(super) fn label_of(&self, end: &End<'_>, label: &str) -> Option<&str> {
        self.inventory.label(end.known, label).or_else(|| {
            let subnet = self.space.class(end.class).subnet?;
            let labels = &self.places.subnets[subnet as usize].labels;
            labels.get(label).map(String::as_str)
        })
    }
}

/// An allow with its conditions weighed.
pub(super) struct Weighed<'p> {
    pub(super) allow: &'p Condition,
    pub(super) fit: Fit,
    pub(super) requires: Requires,
}

impl Weighed<'_> {
    /// The conditions that fail; of its requires the first by id.
    pub(super) fn failed(&self) -> impl Iterator<Item = Lacked> {
        let fit = &self.fit;
        let require = match &self.requires {
            Requires::Met => None,
            Requires::Unknown => Some(Lacked::Evidence),
            Requires::Broken(broken) => broken.first().map(|broken| Lacked::Require(broken.rule)),
        };
        let failed = [
            fit.expired.then_some(Lacked::Expired),
            fit.not_yet.then_some(Lacked::NotYet),
            (!fit.path).then_some(Lacked::Path),
            (!fit.family).then_some(Lacked::Family),
            require,
            (!fit.port).then_some(Lacked::Port),
        ];
        failed.into_iter().flatten()
    }
}

/// How the conditions of a rule stand, one by one.
pub(super) struct Fit {
    /// `from`, `to` and their exceptions.
    pub(super) ends: Truth,
    /// The four that `ends` is made of, in the order `from`, `from_except`, `to`, `to_except`: whether each lets the
    /// connection pass.
    pub(super) sides: [Truth; 4],
    pub(super) expired: bool,
    pub(super) not_yet: bool,
    pub(super) port: bool,
    pub(super) path: bool,
    pub(super) family: bool,
}

impl Fit {
    pub(super) fn truth(&self) -> Truth {
        let holds = !self.expired && !self.not_yet && self.port && self.path && self.family;
        self.ends.and(holds.into())
    }
}

/// How the requires of an allow stand.
pub(super) enum Requires {
    Met,
    /// One would have to be known to be met.
    Unknown,
    /// Sorted by id.
    Broken(Vec<Broken>),
}

impl Requires {
    pub(super) fn broken(&self) -> &[Broken] {
        match self {
            Requires::Broken(broken) => broken,
            Requires::Met | Requires::Unknown => &[],
        }
    }
}

pub(super) struct Broken {
    pub(super) rule: RuleId,
    pub(super) unlabelled: bool,
}
