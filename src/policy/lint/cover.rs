//! Whether one rule covers another: by what they match, not by how they are written. Every answer is certain; a "no" may
//! also mean that it cannot be told.

use std::collections::HashSet;
use std::fmt;

use super::super::fit::Truth;
use super::super::names::Name;
use super::super::ruleset::{Condition, Require, What};
use super::super::validity::Validity;
use super::super::{ClassId, End, Known, Path, Policy, Question, Word as _};
use super::Rules;
use super::ends::{EndLists, Ends};
use crate::net::ports::PortSet;

/// How many steps comparing rules with each other may take: for each pair as many as a set of classes has words, and
/// [`STEPS_BESIDE`]. At this bound it takes about a second.
const MAX_STEPS: usize = 1 << 28;

/// Whatever else is compared of two rules takes as long as this many words.
const STEPS_BESIDE: usize = 16;

/// How many (class, name) and (class, list of names) pairs are looked at. Each takes two bits:
/// 64 million pairs are 16 MiB.
const MAX_CELLS: usize = 1 << 26;

/// How many pairs of classes are asked whether a require binds them. A require beyond that counts as binding.
const MAX_PAIRS: usize = 4096;

/// A policy too large for rules to be compared with each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TooLarge {
    Rules {
        rules: usize,
        most: usize,
        classes: usize,
    },
    Cells {
        lists: usize,
        classes: usize,
    },
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooLarge::Rules {
                rules,
                most,
                classes,
            } => write!(
                f,
                "{rules} allows and denies, expected at most {most} where there are {classes} classes of addresses"
            ),
            TooLarge::Cells { lists, classes } => write!(
                f,
                "{lists} names and lists of names in them, by {classes} classes of addresses, are too many pairs: \
                 expected at most {MAX_CELLS}"
            ),
        }
    }
}

/// What a rule matches, ready to be compared.
pub(super) struct Shape<'p> {
    pub(super) condition: &'p Condition,
    /// Numbers of its lists.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) ports: PortSet,
    /// A bit for each path.
    pub(super) paths: u8,
    /// A bit for IPv4, one for IPv6.
    pub(super) families: u8,
    /// When it is in force, seconds since 1970, half-open; within what a record's time can be.
    pub(super) times: (i64, i64),
}

/// The bit of IPv4 in [`Shape::families`].
pub(super) const IPV4: u8 = 1;

/// The shapes of all rules, by their numbers in [`Rules`].
pub(super) struct Shapes<'p> {
    policy: &'p Policy,
    pub(super) ends: EndLists<'p>,
    pub(super) all: Vec<Shape<'p>>,
    /// Numbers of the lists of `between`, as `policy.rules.requires` are numbered.
    between: Vec<usize>,
}

impl<'p> Shapes<'p> {
    /// # Errors
    ///
    /// When the policy is too large.
    pub(super) fn new(policy: &'p Policy, rules: &Rules<'p>) -> Result<Shapes<'p>, TooLarge> {
        check_size(policy, rules)?;
        let mut ends = EndLists::new(policy);
        let all = rules
            .all
            .iter()
            .map(|rule| shape(rule.condition, &mut ends))
            .collect();
        let between = policy
            .rules
            .requires
            .iter()
            .map(|require| ends.number(&require.between, &[]))
            .collect();
        Ok(Shapes {
            policy,
            ends,
            all,
            between,
        })
    }

    pub(super) fn from(&self, rule: usize) -> &Ends<'p> {
        self.ends.list(self.all[rule].from)
    }

    pub(super) fn to(&self, rule: usize) -> &Ends<'p> {
        self.ends.list(self.all[rule].to)
    }

    /// Whether `outer` matches, as surely, whatever `inner` matches, and an allow also meets its requires as surely. Both
    /// are allows or both are denies. `inner` then changes no answer of the policy.
    pub(super) fn covers(&self, outer: usize, inner: usize) -> bool {
        let (outer, inner) = (&self.all[outer], &self.all[inner]);
        conditions_cover(outer, inner)
            && self.ends.is_within(inner.from, outer.from)
            && self.ends.is_within(inner.to, outer.to)
            && outer.ports.covers(&inner.ports)
            && self.is_as_exempt(outer, inner)
    }

    /// Whether a deny matches for certain whatever an allow could match.
    pub(super) fn denies_all(&self, deny: usize, allow: usize) -> bool {
        let (deny, allow) = (&self.all[deny], &self.all[allow]);
        conditions_cover(deny, allow)
            && self.ends.is_surely_within(allow.from, deny.from)
            && self.ends.is_surely_within(allow.to, deny.to)
            && deny.ports.covers(&allow.ports)
    }

    /// Whether no require binds `outer` that does not bind `inner`.
    fn is_as_exempt(&self, outer: &Shape<'_>, inner: &Shape<'_>) -> bool {
        let is_exempt = |shape: &Shape<'_>, require: &Require| {
            shape.condition.exempt.binary_search(&require.rule).is_ok()
        };
        let requires = self.policy.rules.requires.iter().zip(&self.between);
        requires
            .filter(|(require, _)| is_exempt(inner, require) && !is_exempt(outer, require))
            .all(|(require, between)| !self.could_break(require, *between, inner))
    }

    /// Whether a require could be broken, or not be known to be met, by a connection that a rule matches.
    fn could_break(&self, require: &Require, between: usize, shape: &Shape<'_>) -> bool {
        let of_rule = Validity {
            from: shape.condition.not_before,
            until: shape.condition.expires,
        };
        if !require.validity.overlaps(of_rule) {
            return false;
        }
        let bound = &self.ends.list(between).may;
        let clients: Vec<usize> = self.ends.list(shape.from).may.common(bound).collect();
        let servers: Vec<usize> = self.ends.list(shape.to).may.common(bound).collect();
        if clients.is_empty() || servers.is_empty() {
            return false;
        }
        // Of encryption, and of labels that interfaces have by their tags, classes know nothing.
        let is_beyond_classes = match &require.what {
            What::Encrypted => true,
            What::Shared { labels, .. } => self.policy.has_inventory() && !labels.is_empty(),
        };
        if is_beyond_classes || clients.len() * servers.len() > MAX_PAIRS {
            return true;
        }
        clients.iter().any(|client| {
            servers.iter().any(|server| {
                let question = between_classes(self.policy, *client, *server);
                let (is_broken, _) = self.policy.is_broken(require, &question);
                is_broken != Truth::No
            })
        })
    }
}

/// A question about two classes, of which a require looks at the subnets only.
fn between_classes(policy: &Policy, client: usize, server: usize) -> Question<'static> {
    let end = |class: usize| End {
        home: policy.space.classes()[class].home,
        class: ClassId(class as u32),
        groups: &[],
        known: Known::default(),
        services: 0,
        services_known: true,
        domains: Default::default(),
    };
    Question {
        client: end(client),
        server: end(server),
        protocol: 0,
        server_port: 0,
        ipv4: true,
        at: 0,
        path: None,
        encrypted: None,
    }
}

/// Whether the conditions that are cheap to compare are as wide.
fn conditions_cover(outer: &Shape<'_>, inner: &Shape<'_>) -> bool {
    inner.paths & !outer.paths == 0
        && inner.families & !outer.families == 0
        && outer.times.0 <= inner.times.0
        && inner.times.1 <= outer.times.1
}

fn shape<'p>(condition: &'p Condition, ends: &mut EndLists<'p>) -> Shape<'p> {
    let all_paths = (1 << Path::ALL.len()) - 1;
    let paths = condition
        .via
        .iter()
        .fold(0, |bits, path| bits | 1 << path.place());
    Shape {
        condition,
        from: ends.number(&condition.from, &condition.from_except),
        to: ends.number(&condition.to, &condition.to_except),
        ports: condition.ports.as_set(),
        paths: if paths == 0 { all_paths } else { paths },
        families: match condition.ipv4 {
            None => 3,
            Some(true) => IPV4,
            Some(false) => 2,
        },
        times: (
            condition.not_before.unwrap_or(0).max(0),
            condition.expires.unwrap_or(i64::MAX).min(1 << 32),
        ),
    }
}

fn check_size(policy: &Policy, rules: &Rules<'_>) -> Result<(), TooLarge> {
    let classes = policy.space.classes().len();
    let most = (MAX_STEPS / (classes.div_ceil(64) + STEPS_BESIDE)).isqrt();
    if rules.all.len() > most {
        return Err(TooLarge::Rules {
            rules: rules.all.len(),
            most,
            classes,
        });
    }
    let mut names: HashSet<Name> = HashSet::new();
    let mut lists: HashSet<(&[Name], &[Name])> = HashSet::new();
    for condition in rules.all.iter().map(|rule| rule.condition) {
        lists.insert((condition.from.as_slice(), condition.from_except.as_slice()));
        lists.insert((condition.to.as_slice(), condition.to_except.as_slice()));
    }
    lists.extend(
        policy
            .rules
            .requires
            .iter()
            .map(|require| (require.between.as_slice(), [].as_slice())),
    );
    for (list, except) in &lists {
        names.extend(list.iter().chain(*except));
    }
    // A list and a name take two bits of a class each, a name also a look.
    let lists = lists.len() + names.len();
    if lists.saturating_mul(classes) > MAX_CELLS {
        return Err(TooLarge::Cells { lists, classes });
    }
    Ok(())
}
