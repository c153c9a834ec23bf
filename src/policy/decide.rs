//! What the policy says of one connection.
//!
//! 1. A deny matches: **deny**, by that rule.
//! 2. Among the allows that match and are in force, one has every require between these ends satisfied or is exempt from
//!    it: **allow**, by that rule. If all of them fail on a require: **deny**, by the first such require by id.
//! 3. An allow could have matched, or met its requires, but for evidence that is missing: **unproven**, by that rule. So
//!    it is where an allow decides and a deny by domain could have matched at a time that no Resolver logs cover.
//! 4. **deny**, by `default`.
//!
//! Where several rules of one class qualify, one names itself ([`Order`]), so that the order of the file means nothing.

use super::fit::Truth;
use super::ruleset::Condition;
use super::weigh::{Order, Requires, Weighed};
use super::{Answer, ClassId, Domains, GroupId, Known, NetworkId, Path, Policy, RuleId, Severity};

/// One end of a connection, with all that rules may match on.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The network that holds the address; none outside.
    pub home: Option<NetworkId>,
    /// Memberships by prefix.
    pub class: ClassId,
    /// Groups by interface facts, sorted; without those by prefix.
    pub groups: &'a [GroupId],
    /// What the inventory knows of it.
    pub known: Known,
    /// AWS services that any record of the connection names for this end: bit `i` is `net::aws::SERVICES[i]`.
    pub services: u64,
    /// Whether any record of the connection has the service field of this end (a `-` counts).
    pub services_known: bool,
    /// What Resolver logs tell of it: of a server outside, nothing of others.
    pub domains: Domains,
}

/// What the policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who opened the connection.
    pub client: End<'a>,
    /// Who was asked.
    pub server: End<'a>,
    /// IANA protocol number.
    pub protocol: u8,
    /// The server's port; 0 where the protocol has none.
    pub server_port: u16,
    /// Whether both ends are IPv4 (rules with `family`).
    pub ipv4: bool,
    /// The instant: seconds since 1970.
    pub at: u32,
    /// The path, if records tell one.
    pub path: Option<Path>,
    /// Whether the connection was encrypted (`encryption-status` 1 to 3 on all records that say), if any record says.
    pub encrypted: Option<bool>,
}

/// What the policy answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Allow, deny or unproven.
    pub answer: Answer,
    /// The rule that decided, the default included.
    pub rule: RuleId,
    /// The deciding rule's own `severity`.
    pub severity: Option<Severity>,
    /// What the nearest allow lacked (denied and unproven only).
    pub miss: Option<Miss>,
    /// The answer is a broken require, and an end lacks the label it asks for.
    pub unlabelled: bool,
    /// A rule with `via` matched although the path is unknown.
    pub via_unknown: bool,
}

/// The one condition of the nearest allow that failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Miss {
    /// The allow that nearly matched.
    pub rule: RuleId,
    /// What it lacked.
    pub lacked: Lacked,
}

/// A condition that failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lacked {
    /// The rule had expired.
    Expired,
    /// The rule was not yet in force.
    NotYet,
    /// Another port or protocol.
    Port,
    /// Another path.
    Path,
    /// Another address family.
    Family,
    /// A require that it does not exempt: the label, zone or encryption.
    Require(RuleId),
    /// Evidence that no input gave.
    Evidence,
}

impl Policy {
    /// What the policy says, rule by rule: the plain form.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.decide_by(&self.rules.denies, &self.weigh_allows(question), question)
    }

    /// What these denies and weighed allows say: the same as all rules, if no other rule's ends match or could.
    pub(super) fn decide_by<'p>(
        &'p self,
        denies: impl IntoIterator<Item = &'p Condition>,
        allows: &[Weighed<'p>],
        question: &Question<'_>,
    ) -> Decision {
        let denies: Vec<(&Condition, Truth)> = denies
            .into_iter()
            .map(|deny| (deny, self.fit(deny, question).truth()))
            .collect();
        let standing = |truth| {
            let denies = denies.iter().filter(move |(_, other)| *other == truth);
            denies.map(|(deny, _)| *deny)
        };
        let matching = standing(Truth::Yes);
        if let Some(deny) = matching.min_by_key(|deny| self.order(deny, question, Truth::Yes)) {
            let miss = self.nearest_miss(allows, question);
            return Decision {
                via_unknown: is_via_unknown(deny, question),
                ..self.decision(Answer::Deny, deny.rule, miss)
            };
        }
        let allowed = self.by_allow(allows, question);
        let held_back = || {
            let doubtful = standing(Truth::Unknown).filter(|deny| self.goes_by_domains(deny));
            let deny = doubtful.min_by_key(|deny| self.order(deny, question, Truth::Unknown))?;
            Some(self.doubted(deny, question))
        };
        allowed
            .map(|allowed| held_back().unwrap_or(allowed))
            .or_else(|| self.by_require(allows, question))
            .or_else(|| self.by_missing_evidence(allows, question))
            .unwrap_or_else(|| {
                self.decision(
                    Answer::Deny,
                    self.default_rule(),
                    self.nearest_miss(allows, question),
                )
            })
    }

    fn decision(&self, answer: Answer, rule: RuleId, miss: Option<Miss>) -> Decision {
        Decision {
            answer,
            rule,
            severity: self.rule(rule).severity,
            miss,
            unlabelled: false,
            via_unknown: false,
        }
    }

    fn by_allow(&self, allows: &[Weighed<'_>], question: &Question<'_>) -> Option<Decision> {
        let qualify = allows.iter().filter(|allow| {
            allow.fit.truth() == Truth::Yes && matches!(allow.requires, Requires::Met)
        });
        let best = qualify.min_by_key(|allow| self.order(allow.allow, question, Truth::Yes))?;
        let decision = self.decision(Answer::Allow, best.allow.rule, None);
        Some(Decision {
            via_unknown: is_via_unknown(best.allow, question),
            ..decision
        })
    }

    fn by_require(&self, allows: &[Weighed<'_>], question: &Question<'_>) -> Option<Decision> {
        let matching: Vec<&Weighed<'_>> = allows
            .iter()
            .filter(|allow| allow.fit.truth() == Truth::Yes)
            .collect();
        let all_fail = matching
            .iter()
            .all(|allow| matches!(allow.requires, Requires::Broken(_)));
        if !all_fail {
            return None;
        }
        let broken = matching
            .iter()
            .flat_map(|allow| allow.requires.broken())
            .min_by_key(|broken| broken.rule)?;
        let failing = matching.iter().filter(|allow| {
            allow
                .requires
                .broken()
                .iter()
                .any(|other| other.rule == broken.rule)
        });
        let nearest = failing.min_by_key(|allow| self.order(allow.allow, question, Truth::Yes))?;
        let miss = Miss {
            rule: nearest.allow.rule,
            lacked: Lacked::Require(broken.rule),
        };
        let decision = self.decision(Answer::Deny, broken.rule, Some(miss));
        Some(Decision {
            unlabelled: broken.unlabelled,
            via_unknown: is_via_unknown(nearest.allow, question),
            ..decision
        })
    }

    fn by_missing_evidence(
        &self,
        allows: &[Weighed<'_>],
        question: &Question<'_>,
    ) -> Option<Decision> {
        let could = allows
            .iter()
            .filter(|allow| match (allow.fit.truth(), &allow.requires) {
                (Truth::No, _) | (_, Requires::Broken(_)) => false,
                (Truth::Unknown, Requires::Met | Requires::Unknown)
                | (Truth::Yes, Requires::Unknown) => true,
                (Truth::Yes, Requires::Met) => unreachable!("such an allow has decided before"),
            });
        let best = could.min_by_key(|allow| self.order(allow.allow, question, Truth::Unknown))?;
        Some(self.doubted(best.allow, question))
    }

    /// A rule would decide if the evidence that it goes by were there.
    fn doubted(&self, condition: &Condition, question: &Question<'_>) -> Decision {
        let miss = Miss {
            rule: condition.rule,
            lacked: Lacked::Evidence,
        };
        Decision {
            via_unknown: is_via_unknown(condition, question),
            ..self.decision(Answer::Unproven, condition.rule, Some(miss))
        }
    }

    /// The allow that fails on exactly one condition. Of several, one whose time is over is nearest, then one whose time
    /// has not come, then by path, family, require, missing evidence and port; then as rules name themselves. None if an
    /// allow fails on nothing, because then only a deny stands against it.
    fn nearest_miss(&self, allows: &[Weighed<'_>], question: &Question<'_>) -> Option<Miss> {
        let mut nearest: Option<((u8, Order), Miss)> = None;
        for weighed in allows.iter().filter(|allow| allow.fit.ends == Truth::Yes) {
            let mut failed = weighed.failed();
            let lacked = failed.next()?;
            if failed.next().is_some() {
                continue;
            }
            let key = (
                nearness(lacked),
                self.order(weighed.allow, question, Truth::Yes),
            );
            if nearest.is_none_or(|(best, _)| key < best) {
                nearest = Some((
                    key,
                    Miss {
                        rule: weighed.allow.rule,
                        lacked,
                    },
                ));
            }
        }
        nearest.map(|(_, miss)| miss)
    }
}

fn nearness(lacked: Lacked) -> u8 {
    match lacked {
        Lacked::Expired => 0,
        Lacked::NotYet => 1,
        Lacked::Path => 2,
        Lacked::Family => 3,
        Lacked::Require(_) => 4,
        Lacked::Evidence => 5,
        Lacked::Port => 6,
    }
}

fn is_via_unknown(condition: &Condition, question: &Question<'_>) -> bool {
    !condition.via.is_empty() && question.path.is_none()
}
