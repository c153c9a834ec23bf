//! An old and a new policy, and what it is for a connection to be judged differently by them.

use crate::judge::Reason;
use crate::policy::{Answer, Policy, RuleId, words};

/// What a policy says of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Said {
    /// Its answer, and the rule that gave it.
    Decided(Answer, RuleId),
    /// Nothing, for this reason.
    Not(Reason),
}

impl Said {
    /// The answer; none if it is not judged.
    pub fn answer(self) -> Option<Answer> {
        match self {
            Said::Decided(answer, _) => Some(answer),
            Said::Not(_) => None,
        }
    }

    /// The rule's id, or the reason: what stands in the `rule` column.
    pub fn rule(self, policy: &Policy) -> &str {
        match self {
            Said::Decided(_, rule) => &policy.rule(rule).id,
            Said::Not(reason) => reason.as_str(),
        }
    }
}

words! {
    /// How two policies differ about a connection, worst first. The outcome has no part in it, nor the severity.
    ///
    /// | the new policy says | and the old one | change |
    /// |---|---|---|
    /// | deny | something else | newly-denied |
    /// | allow | something else | newly-allowed |
    /// | unproven | something else | newly-unproven |
    /// | nothing (unjudged) | something | newly-unjudged |
    /// | the same | the same, by another rule or for another reason | other-rule |
    Change {
        /// The new policy denies what the old one did not.
        NewlyDenied = "newly-denied",
        /// The new policy allows what the old one did not.
        NewlyAllowed = "newly-allowed",
        /// The new policy lacks evidence where the old one had an answer, or did not judge.
        NewlyUnproven = "newly-unproven",
        /// The new policy does not judge what the old one did.
        NewlyUnjudged = "newly-unjudged",
        /// Both say the same, each by another rule or for another reason.
        OtherRule = "other-rule",
    }
}

/// An old and a new policy.
#[derive(Clone, Copy)]
pub struct Pair<'p> {
    /// What was.
    pub old: &'p Policy,
    /// What is to be.
    pub new: &'p Policy,
}

impl Pair<'_> {
    /// How they differ about a connection; none if they do not.
    pub fn change(&self, old: Said, new: Said) -> Option<Change> {
        if old.answer() == new.answer() {
            let is_same = old.rule(self.old) == new.rule(self.new);
            return (!is_same).then_some(Change::OtherRule);
        }
        Some(match new.answer() {
            Some(Answer::Deny) => Change::NewlyDenied,
            Some(Answer::Allow) => Change::NewlyAllowed,
            Some(Answer::Unproven) => Change::NewlyUnproven,
            None => Change::NewlyUnjudged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        let mut text =
            "[policy]\nid = \"P\"\n[networks.prod]\ncidrs = [\"10.0.0.0/16\"]\n".to_owned();
        for id in rules {
            text.push_str(&format!(
                "[[allow]]\nid = \"{id}\"\nfrom = \"inside\"\nto = \"inside\"\n"
            ));
        }
        Policy::parse("p.toml", &text, &|_| unreachable!("it pins nothing"))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
    }

    #[test]
    fn a_change_is_one_of_answer_or_rule() {
        // Rules are numbered by their ids, so that `b` is another number in each policy.
        let (old, new) = (policy(&["b"]), policy(&["a", "b"]));
        let pair = Pair {
            old: &old,
            new: &new,
        };
        let decided = |answer, rule| Said::Decided(answer, RuleId(rule));
        let (old_b, old_default) = (decided(Answer::Allow, 0), decided(Answer::Deny, 1));
        let (new_a, new_b) = (decided(Answer::Allow, 0), decided(Answer::Allow, 1));
        let new_default = decided(Answer::Deny, 2);
        let diagnostic = Said::Not(Reason::Diagnostic);
        for (old, new, expected) in [
            (old_b, new_b, None),
            (old_b, new_a, Some(Change::OtherRule)),
            (old_b, new_default, Some(Change::NewlyDenied)),
            (old_default, new_default, None),
            (old_default, new_a, Some(Change::NewlyAllowed)),
            (diagnostic, new_b, Some(Change::NewlyAllowed)),
            (old_b, diagnostic, Some(Change::NewlyUnjudged)),
            (diagnostic, diagnostic, None),
            (
                diagnostic,
                Said::Not(Reason::Transit),
                Some(Change::OtherRule),
            ),
            (
                old_b,
                decided(Answer::Unproven, 1),
                Some(Change::NewlyUnproven),
            ),
            (
                decided(Answer::Unproven, 0),
                new_default,
                Some(Change::NewlyDenied),
            ),
        ] {
            assert_eq!(pair.change(old, new), expected, "{old:?} {new:?}");
        }
    }
}
