//! How every rule stands towards a question: it matches, exactly one of its conditions fails, evidence is missing, or it
//! is about something else.

use super::{Candidate, Step};
use crate::policy::explain::ENCRYPTION;
use crate::policy::fit::Truth;
use crate::policy::names::Name;
use crate::policy::ruleset::{Condition, Require, What};
use crate::policy::weigh::Requires;
use crate::policy::{Decision, Effect, End, Policy, Question, RuleId, words};

words! {
    /// A condition of a rule: all of them have to hold.
    Part {
        /// The client is one of `from`.
        From = "from",
        /// The client is none of `from_except`.
        FromExcept = "from_except",
        /// The server is one of `to`.
        To = "to",
        /// The server is none of `to_except`.
        ToExcept = "to_except",
        /// The protocol and port are the rule's.
        Ports = "ports",
        /// The path is one of `via`, or not known.
        Via = "via",
        /// The address family is the rule's.
        Family = "family",
        /// The rule has begun to be in force.
        NotBefore = "not_before",
        /// The rule has not ended to be in force.
        Expires = "expires",
        /// Of an allow: every require between the ends is satisfied, or the rule is exempt from it.
        Requires = "requires",
    }
}

/// How a rule stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// All of its conditions hold.
    Matched,
    /// Exactly this one fails; with it the rule would match.
    Nearly(Part),
    /// None fails, but evidence is missing for some.
    Unproven,
    /// Several fail, or one fails and another lacks its evidence.
    Apart,
}

/// A rule with its conditions.
#[derive(Clone, Debug)]
pub struct RuleStanding {
    /// The allow or deny.
    pub rule: RuleId,
    /// How it stands.
    pub standing: Standing,
    /// The conditions that fail.
    pub failed: Vec<Part>,
    /// The conditions that cannot be told.
    pub unproven: Vec<Unproven>,
    /// Of an allow: the requires that it breaks.
    pub broken: Vec<RuleId>,
    /// The most specific name of `from` that the client is; of an unproven rule, that it is or could be.
    pub client: Option<String>,
    /// The most specific name of `to` that the server is; likewise.
    pub server: Option<String>,
}

/// A condition that cannot be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unproven {
    /// The condition.
    pub part: Part,
    /// What of it is in doubt: a name, or the id of a require.
    pub word: String,
    /// What would have to be loaded or logged.
    pub evidence: Vec<&'static str>,
}

/// A require between the ends.
#[derive(Clone, Debug)]
pub struct RequireStanding {
    /// The require.
    pub rule: RuleId,
    /// How it stands.
    pub state: RequireState,
    /// The allows that fit the connection otherwise and are exempt from it.
    pub exempt: Vec<RuleId>,
}

/// How a require stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequireState {
    /// It is not between these ends.
    Elsewhere,
    /// It is between them, and does not hold yet, or no longer.
    NotInForce,
    /// The ends share what it asks for.
    Satisfied,
    /// They do not.
    Broken {
        /// Because an end lacks the label.
        unlabelled: bool,
    },
    /// Evidence is missing.
    Unknown,
}

impl Policy {
    /// How every deny stands, then every allow.
    pub(super) fn rule_standings(&self, question: &Question<'_>) -> Vec<RuleStanding> {
        let denies = self.rules.denies.iter();
        let denies = denies.map(|deny| self.rule_standing(deny, Requires::Met, question));
        let allows = self.rules.allows.iter();
        let allows =
            allows.map(|allow| self.rule_standing(allow, self.requires(allow, question), question));
        denies.chain(allows).collect()
    }

    fn rule_standing(
        &self,
        condition: &Condition,
        requires: Requires,
        question: &Question<'_>,
    ) -> RuleStanding {
        let (client, server) = (&question.client, &question.server);
        let fit = self.fit(condition, question);
        let [from, from_except, to, to_except] = fit.sides;
        let requires_met = match requires {
            Requires::Met => Truth::Yes,
            Requires::Unknown => Truth::Unknown,
            Requires::Broken(_) => Truth::No,
        };
        let parts = [
            (Part::From, from),
            (Part::FromExcept, from_except),
            (Part::To, to),
            (Part::ToExcept, to_except),
            (Part::Ports, fit.port.into()),
            (Part::Via, fit.path.into()),
            (Part::Family, fit.family.into()),
            (Part::NotBefore, (!fit.not_yet).into()),
            (Part::Expires, (!fit.expired).into()),
            (Part::Requires, requires_met),
        ];
        let with = |truth| {
            let parts = parts.iter().filter(move |(_, holds)| *holds == truth);
            parts.map(|(part, _)| *part).collect::<Vec<Part>>()
        };
        let (failed, unknown) = (with(Truth::No), with(Truth::Unknown));
        let standing = match (failed.as_slice(), unknown.is_empty()) {
            ([], true) => Standing::Matched,
            ([], false) => Standing::Unproven,
            ([part], true) => Standing::Nearly(*part),
            _ => Standing::Apart,
        };
        let unproven = unknown.iter().flat_map(|part| match part {
            Part::From => self.doubts(*part, &condition.from, client, server),
            Part::FromExcept => self.doubts(*part, &condition.from_except, client, server),
            Part::To => self.doubts(*part, &condition.to, server, client),
            Part::ToExcept => self.doubts(*part, &condition.to_except, server, client),
            _ => self.doubtful_requires(condition, question),
        });
        let level = match standing {
            Standing::Unproven => Truth::Unknown,
            _ => Truth::Yes,
        };
        RuleStanding {
            rule: condition.rule,
            standing,
            unproven: unproven.collect(),
            broken: requires.broken().iter().map(|broken| broken.rule).collect(),
            client: self.most_specific(&condition.from, client, server, level),
            server: self.most_specific(&condition.to, server, client, level),
            failed,
        }
    }

    /// The names of a condition that an end may or may not be.
    fn doubts(&self, part: Part, names: &[Name], end: &End<'_>, other: &End<'_>) -> Vec<Unproven> {
        let doubtful = names
            .iter()
            .filter(|name| self.is(end, **name, other) == Truth::Unknown);
        doubtful
            .map(|name| {
                let mut evidence = Vec::new();
                self.evidence_for(*name, &mut evidence);
                Unproven {
                    part,
                    word: self.word(*name),
                    evidence,
                }
            })
            .collect()
    }

    /// The requires that an allow is not exempt from and that may or may not be broken.
    fn doubtful_requires(&self, allow: &Condition, question: &Question<'_>) -> Vec<Unproven> {
        let (client, server) = (&question.client, &question.server);
        let bound = self
            .rules
            .requires
            .iter()
            .filter(|require| allow.exempt.binary_search(&require.rule).is_err());
        let doubtful =
            bound.filter(|require| self.require_state(require, question) == RequireState::Unknown);
        doubtful
            .map(|require| {
                let mut evidence = Vec::new();
                for name in &require.between {
                    let could_be = self
                        .is(client, *name, server)
                        .max(self.is(server, *name, client));
                    if could_be == Truth::Unknown {
                        self.evidence_for(*name, &mut evidence);
                    }
                }
                if matches!(require.what, What::Encrypted) && question.encrypted.is_none() {
                    evidence.push(ENCRYPTION);
                }
                evidence.sort_unstable();
                evidence.dedup();
                Unproven {
                    part: Part::Requires,
                    word: self.rule(require.rule).id.clone(),
                    evidence,
                }
            })
            .collect()
    }

    /// The most specific name of a list that an end is, as surely as `level`.
    fn most_specific(
        &self,
        names: &[Name],
        end: &End<'_>,
        other: &End<'_>,
        level: Truth,
    ) -> Option<String> {
        let fitting = names
            .iter()
            .filter(|name| self.is(end, **name, other) >= level);
        let name = fitting.min_by_key(|name| name.rank())?;
        Some(self.word(*name))
    }

    /// How every require stands; `rules` tell which allows it could bind.
    pub(super) fn require_standings(
        &self,
        rules: &[RuleStanding],
        question: &Question<'_>,
    ) -> Vec<RequireStanding> {
        let fits = |allow: &&Condition| {
            let mut standings = rules.iter();
            let standing = standings.find(|standing| standing.rule == allow.rule);
            standing
                .is_some_and(|standing| standing.failed.iter().all(|part| *part == Part::Requires))
        };
        let fitting: Vec<&Condition> = self.rules.allows.iter().filter(fits).collect();
        let standing = |require: &Require| RequireStanding {
            rule: require.rule,
            state: self.require_state(require, question),
            exempt: fitting
                .iter()
                .filter(|allow| allow.exempt.binary_search(&require.rule).is_ok())
                .map(|allow| allow.rule)
                .collect(),
        };
        self.rules.requires.iter().map(standing).collect()
    }

    fn require_state(&self, require: &Require, question: &Question<'_>) -> RequireState {
        let applies = self.applies(require, question);
        let (is_broken, unlabelled) = self.is_broken(require, question);
        match (applies, applies.and(is_broken)) {
            (Truth::No, _) => RequireState::Elsewhere,
            _ if !require.validity.holds(question.at) => RequireState::NotInForce,
            (_, Truth::No) => RequireState::Satisfied,
            (_, Truth::Unknown) => RequireState::Unknown,
            (_, Truth::Yes) => RequireState::Broken { unlabelled },
        }
    }

    /// The rules that qualify in a step, in the order in which rules name themselves; requires by id.
    pub(super) fn qualified(
        &self,
        decision: &Decision,
        step: Step,
        rules: &[RuleStanding],
        question: &Question<'_>,
    ) -> Vec<Candidate> {
        let (effect, standing, level) = match step {
            Step::Deny => (Effect::Deny, Standing::Matched, Truth::Yes),
            Step::Allow => (Effect::Allow, Standing::Matched, Truth::Yes),
            Step::Evidence => {
                let effect = self.rule(decision.rule).effect;
                (effect, Standing::Unproven, Truth::Unknown)
            }
            Step::Require => return broken_requires(rules),
            Step::Default => return Vec::new(),
        };
        let conditions = self.rules.denies.iter().chain(&self.rules.allows);
        let mut qualified: Vec<Candidate> = conditions
            .zip(rules)
            .filter(|(condition, rule)| {
                rule.standing == standing
                    && self.rule(condition.rule).effect == effect
                    && (effect == Effect::Allow
                        || standing == Standing::Matched
                        || self.goes_by_domains(condition))
            })
            .map(|(condition, _)| {
                let order = self.order(condition, question, level);
                Candidate {
                    rule: condition.rule,
                    num_pairs: Some(order.2),
                    order,
                }
            })
            .collect();
        qualified.sort_by_key(|candidate| candidate.order);
        qualified
    }
}

/// The requires that break the allows that would match otherwise, each once.
fn broken_requires(rules: &[RuleStanding]) -> Vec<Candidate> {
    let held_back = rules
        .iter()
        .filter(|rule| rule.standing == Standing::Nearly(Part::Requires));
    let mut broken: Vec<RuleId> = held_back.flat_map(|rule| rule.broken.clone()).collect();
    broken.sort_unstable();
    broken.dedup();
    broken
        .into_iter()
        .map(|rule| Candidate {
            rule,
            num_pairs: None,
            order: (0, 0, 0, rule),
        })
        .collect()
}
