//! What a policy says between two ends, of all protocols and ports at once: at one instant, without knowing the path or
//! whether it is encrypted, and with no more evidence of an end than its address and the facts of its interface.

use std::collections::{BTreeMap, HashMap};

use super::bits::Bits;
use super::diff::{Asker, Tests, names, port_cells};
use super::{Answer, End, GroupId, Known, Place, Policy, Question, RuleId};
use crate::net::ports::PortRange;

/// A policy that is asked about ends.
pub struct Between<'p> {
    policy: &'p Policy,
    at: u32,
    asker: Asker<'p>,
    ends: Vec<Told>,
    numbers: HashMap<(bool, Known, Tests<'p>), EndId>,
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

struct Told {
    ipv4: bool,
    place: Place,
    groups: Vec<GroupId>,
    known: Known,
    /// The allows and then the denies that may match it as a client, and as a server.
    rules: [Bits; 2],
}

impl Told {
    fn end(&self) -> End<'_> {
        End {
            home: self.place.home,
            class: self.place.class,
            groups: &self.groups,
            known: self.known,
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
    /// [`Policy::groups_by_facts`]), of which the inventory knows this. Ends have the same number if no rule can tell them
    /// apart.
    pub fn end(&mut self, ipv4: bool, place: Place, groups: Vec<GroupId>, known: Known) -> EndId {
        let mut told = Told {
            ipv4,
            place,
            groups,
            known,
            rules: [Bits::new(0), Bits::new(0)],
        };
        let key = (ipv4, known, self.asker.tests(&told.end()));
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        told.rules = [true, false].map(|is_client| self.policy.rules_of(&told.end(), is_client));
        let number = EndId(self.ends.len() as u32);
        self.ends.push(told);
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
        let rules: Vec<usize> = client.rules[0].common(&server.rules[1]).collect();
        let sets = rules
            .iter()
            .flat_map(|place| self.policy.rules.condition_at(*place).ports.sets());
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
            let decision = self.policy.decide_among(&rules, &question);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Addr;
    use crate::net::ports::{NUM_PAIRS, PortSet};
    use crate::policy::NetworkId;

    const TEXT: &str = r#"
[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16"]
[[subnets]]
tier = "app"
cidrs = ["10.0.0.0/24"]
[[subnets]]
tier = "app"
cidrs = ["10.0.1.0/24"]
[[subnets]]
tier = "data"
cidrs = ["10.0.2.0/24"]
[[allow]]
id = "a"
from = "app"
to = "data"
ports = ["tcp/5432", "icmp"]
[[allow]]
id = "b"
from = "any"
to = "app"
ports_except = ["tcp/22"]
[[deny]]
id = "c"
from = "app"
to = "any-tier"
to_except = ["same-subnet"]
ports = ["tcp/0-1023", "gre"]
"#;

    #[test]
    fn every_port_is_said_once_as_the_policy_decides_it() {
        let policy = Policy::parse("p", TEXT, &|_| Err(std::io::ErrorKind::NotFound.into()))
            .unwrap_or_else(|errors| panic!("{errors}"));
        let mut between = Between::new(&policy, 0);
        let addrs = [
            "10.0.0.1",
            "10.0.0.2",
            "10.0.1.1",
            "10.0.2.1",
            "10.0.9.1",
            "192.0.2.1",
        ];
        let addrs = addrs.map(|text| text.parse::<Addr>().expect("an address"));
        let ends = addrs.map(|addr| {
            let place = policy.place(NetworkId(0), addr, 0);
            between.end(true, place, Vec::new(), Known::default())
        });
        assert_eq!(ends[0], ends[1]);
        // No rule tells the internet from what is in no tier.
        assert_eq!(ends[4], ends[5]);
        assert_eq!(between.num_ends(), 4);
        for (client, from) in addrs.iter().zip(ends) {
            for (server, to) in addrs.iter().zip(ends) {
                let said = between.says(from, to);
                let all = said.iter().flat_map(|says| &says.ports);
                let num_pairs =
                    |ranges: &[PortRange]| ranges.iter().copied().collect::<PortSet>().num_pairs();
                let sum: u32 = said.iter().map(|says| num_pairs(&says.ports)).sum();
                assert_eq!(sum, NUM_PAIRS);
                assert_eq!(num_pairs(&all.copied().collect::<Vec<_>>()), NUM_PAIRS);
                for says in &said {
                    for range in &says.ports {
                        for port in [range.first, range.last] {
                            let decision =
                                policy.decide_by_addr(*client, *server, range.protocol, port, 0);
                            let found = (decision.answer, decision.rule);
                            assert_eq!(
                                found,
                                (says.answer, says.rule),
                                "{client} {server} {range}"
                            );
                        }
                    }
                }
            }
        }
    }
}
