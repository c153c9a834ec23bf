//! What a policy says between two ends, of all protocols and ports at once: at one instant, without knowing the path or
//! whether it is encrypted, and with no more evidence of an end than its address and the facts of its interface.

use std::collections::{BTreeMap, HashMap};

use super::diff::{Asker, Bits, Tests, may_match, names, port_cells};
use super::ruleset::Condition;
use super::weigh::Weighed;
use super::{Answer, End, GroupId, Place, Policy, Question, RuleId};
use crate::net::ports::PortRange;

/// A policy that is asked about ends.
pub struct Between<'p> {
    policy: &'p Policy,
    at: u32,
    asker: Asker<'p>,
    ends: Vec<Known>,
    numbers: HashMap<(bool, Tests<'p>), EndId>,
}

/// Ends of one family that no rule tells apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndId(pub u32);

/// What is said of some ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Says {
    /// Allow, deny or unproven.
    pub answer: Answer,
    /// The rule that decides, the default included.
    pub rule: RuleId,
    /// Protocols and ports of the server; those that several rules name may touch.
    pub ports: Vec<PortRange>,
}

struct Known {
    ipv4: bool,
    place: Place,
    groups: Vec<GroupId>,
    /// The allows and then the denies that may match it as a client, and as a server.
    rules: [Bits; 2],
}

impl Known {
    fn end(&self) -> End<'_> {
        End {
            home: self.place.home,
            class: self.place.class,
            groups: &self.groups,
            known: Default::default(),
            services: 0,
            services_known: false,
            domains: Default::default(),
        }
    }
}

impl<'p> Between<'p> {
    /// The instant, seconds since 1970.
    pub fn at(&self) -> u32 {
        self.at
    }

    /// Asks at an instant, seconds since 1970.
    pub fn new(policy: &'p Policy, at: u32) -> Between<'p> {
        Between {
            policy,
            at,
            asker: Asker::new(policy, &names(policy)),
            ends: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// An end of a family at a place, in these groups by the facts of its interface (sorted; see
    /// [`Policy::groups_by_facts`]). Ends have the same number if no rule can tell them apart.
    pub fn end(&mut self, ipv4: bool, place: Place, groups: Vec<GroupId>) -> EndId {
        let mut known = Known {
            ipv4,
            place,
            groups,
            rules: [Bits::new(0), Bits::new(0)],
        };
        let key = (ipv4, self.asker.tests(&known.end()));
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        known.rules = [true, false].map(|is_client| self.rules_of(&known.end(), is_client));
        let number = EndId(self.ends.len() as u32);
        self.ends.push(known);
        self.numbers.insert(key, number);
        number
    }

    /// How many ends are told apart.
    pub fn num_ends(&self) -> usize {
        self.ends.len()
    }

    /// What the policy says of all that a client may ask of a server of the same family: each pair of protocol and port once.
    pub fn says(&self, client: EndId, server: EndId) -> Vec<Says> {
        let [client, server] = [client, server].map(|end| &self.ends[end.0 as usize]);
        let conditions = self
            .conditions()
            .enumerate()
            .filter(|(place, _)| client.rules[0].has(*place) && server.rules[1].has(*place));
        let conditions: Vec<(usize, &Condition)> = conditions.collect();
        let num_allows = self.policy.rules.allows.len();
        let of = |is_deny: bool| {
            let conditions = conditions.iter();
            let of = conditions.filter(move |(place, _)| (*place >= num_allows) == is_deny);
            of.map(|(_, condition)| *condition)
        };
        let sets = conditions.iter().flat_map(|(_, one)| one.ports.sets());
        let mut said: BTreeMap<(Answer, RuleId), Vec<PortRange>> = BTreeMap::new();
        for (ranges, asked) in port_cells(sets) {
            let question = Question {
                client: client.end(),
                server: server.end(),
                protocol: asked.protocol,
                server_port: asked.first,
                ipv4: client.ipv4,
                at: self.at,
                path: None,
                encrypted: None,
            };
            let weighed: Vec<Weighed<'_>> = of(false)
                .map(|allow| self.policy.weigh(allow, &question))
                .collect();
            let decision = self.policy.decide_by(of(true), &weighed, &question);
            let key = (decision.answer, decision.rule);
            said.entry(key).or_default().extend(ranges);
        }
        let said = said.into_iter();
        said.map(|((answer, rule), ports)| Says {
            answer,
            rule,
            ports,
        })
        .collect()
    }

    fn conditions(&self) -> impl Iterator<Item = &'p Condition> {
        self.policy.rules.conditions()
    }

    fn rules_of(&self, end: &End<'_>, is_client: bool) -> Bits {
        let mut rules = Bits::new(self.conditions().count());
        for (place, condition) in self.conditions().enumerate() {
            let (names, except) = if is_client {
                (&condition.from, &condition.from_except)
            } else {
                (&condition.to, &condition.to_except)
            };
            if may_match(self.policy, end, names, except) {
                rules.insert(place);
            }
        }
        rules
    }
}
