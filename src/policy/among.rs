//! Deciding among the rules that may be about the ends of a question: of many rules, few are.

use super::bits::Bits;
use super::fit::Truth;
use super::names::Name;
use super::weigh::Weighed;
use super::{Decision, End, Policy, Question};

impl Policy {
    /// The rules whose client (or else server) an end may be, whatever the other end is: a superset of those that match. By
    /// their places in [`Rules::conditions`](super::ruleset::Rules::conditions).
    pub(super) fn rules_of(&self, end: &End<'_>, is_client: bool) -> Bits {
        let mut rules = Bits::new(self.rules.allows.len() + self.rules.denies.len());
        for (place, condition) in self.rules.conditions().enumerate() {
            let (names, except) = match is_client {
                true => (&condition.from, &condition.from_except),
                false => (&condition.to, &condition.to_except),
            };
            if self.may_match(end, names, except) {
                rules.insert(place);
            }
        }
        rules
    }

    /// Whether names may match an end, whatever the other end is.
    pub(super) fn may_match(&self, end: &End<'_>, names: &[Name], except: &[Name]) -> bool {
        // `same-subnet` only ever excepts, and depends on the other end.
        let mut except = except.iter().filter(|name| **name != Name::SameSubnet);
        names
            .iter()
            .any(|name| self.is(end, *name, end) != Truth::No)
            && !except.any(|name| self.is(end, *name, end) == Truth::Yes)
    }

    /// What the policy says by these rules alone, in order: the same as by all, if no other's ends could match.
    pub(super) fn decide_among(&self, rules: &[usize], question: &Question<'_>) -> Decision {
        let num_allows = self.rules.allows.len();
        let (allows, denies) = rules.split_at(rules.partition_point(|place| *place < num_allows));
        let weighed: Vec<Weighed<'_>> = allows
            .iter()
            .map(|place| self.weigh(self.rules.condition_at(*place), question))
            .filter(|allow| allow.fit.ends != Truth::No)
            .collect();
        self.decide_by(
            denies.iter().map(|place| self.rules.condition_at(*place)),
            &weighed,
            question,
        )
    }
}
