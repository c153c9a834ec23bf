//! [`Policy::decide`] with a memory: rules tell apart only so many questions, and traffic repeats itself.

use hashbrown::{HashMap, HashTable};

use super::bits::Bits;
use super::{Decision, End, GroupId, Known, Policy, Question};
use crate::net::protocol;

/// How many answers are remembered, some 100 bytes each. Traffic that needs more is hostile or the policy enormous; then
/// the memory starts afresh, which costs time and changes no answer.
const MAX_REMEMBERED: usize = 1 << 17;

/// Bits of what is remembered of which rules may be about ends: 16 MiB.
const MAX_SIDE_BITS: usize = 1 << 27;

/// [`Policy::decide`] that remembers: one per thread, the same answers.
pub struct Decider<'p> {
    policy: &'p Policy,
    remembered: HashTable<(Key, Decision)>,
    group_sets: GroupSets,
    /// Of ends, as far as rules can tell them apart, which rules may be about them as client and as server.
    sides: HashMap<SideKey, [Bits; 2]>,
    max_remembered: usize,
}

/// What rules can tell apart of a question, packed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    client: EndKey,
    server: EndKey,
    /// Protocol, interval of ports, epoch, path, encryption, family, and whether services and domains are known.
    rest: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct EndKey {
    class_and_groups: u64,
    services: u64,
    /// What the inventory knows.
    known: Known,
    /// Destinations by domain.
    domains: u64,
}

/// What rules can tell apart of an end, with whether services and domains are known.
type SideKey = (EndKey, bool, bool);

impl Key {
    #[inline]
    fn hash(&self) -> u64 {
        let one = mixed(
            self.client.class_and_groups ^ 0x9e37_79b9_7f4a_7c15,
            self.server.class_and_groups ^ 0xd1b5_4a32_d192_ed03,
        );
        let named = |end: &EndKey| end.services ^ end.domains.rotate_left(29);
        let two = mixed(
            named(&self.client) ^ 0x8bb8_4b93_962e_acc9,
            named(&self.server) ^ 0x2d35_8dcc_aa6c_78a5,
        );
        let known = u64::from(self.client.known.0) << 32 | u64::from(self.server.known.0);
        mixed(
            one ^ self.rest,
            two.rotate_left(32) ^ known ^ 0x4b33_a62e_d433_d4a3,
        )
    }
}

/// Both halves of a 128-bit product: every bit of both inputs reaches every bit of the result.
#[inline]
fn mixed(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl<'p> Decider<'p> {
    /// A decider with an empty memory.
    pub fn new(policy: &'p Policy) -> Decider<'p> {
        Decider::with_bound(policy, MAX_REMEMBERED)
    }

    pub(super) fn with_bound(policy: &'p Policy, max_remembered: usize) -> Decider<'p> {
        Decider {
            policy,
            remembered: HashTable::new(),
            group_sets: GroupSets::default(),
            sides: HashMap::new(),
            max_remembered,
        }
    }

    /// How many answers are remembered now.
    pub fn num_remembered(&self) -> usize {
        self.remembered.len()
    }

    /// What the policy says; computed once per distinct combination of what rules can tell apart.
    #[inline]
    pub fn decide(&mut self, question: &Question<'_>) -> Decision {
        if self.group_sets.numbers.len() >= self.max_remembered {
            self.forget();
        }
        let groups =
            [&question.client, &question.server].map(|end| self.group_sets.number(end.groups));
        let key = self.policy.key(question, groups);
        let hash = key.hash();
        match self.remembered.find(hash, |(other, _)| *other == key) {
            Some((_, decision)) => *decision,
            None => self.decide_anew(question, key, hash),
        }
    }

    /// Starts afresh. Numbers of group sets stand in remembered keys, so both go together.
    #[cold]
    fn forget(&mut self) {
        self.remembered.clear();
        self.group_sets.numbers.clear();
        self.sides.clear();
    }

    #[cold]
    fn decide_anew(&mut self, question: &Question<'_>, key: Key, hash: u64) -> Decision {
        if self.remembered.len() >= self.max_remembered {
            self.remembered.clear();
        }
        let side_bits = self.sides.len() * 2 * self.policy.rules.texts.len();
        if side_bits >= MAX_SIDE_BITS || self.sides.len() >= self.max_remembered {
            self.sides.clear();
        }
        let ends = [
            (&question.client, key.client),
            (&question.server, key.server),
        ];
        let sides = ends.map(|(end, key)| {
            let key = (key, end.services_known, end.domains.known);
            self.sides.entry(key).or_insert_with(|| {
                [true, false].map(|is_client| self.policy.rules_of(end, is_client))
            });
            key
        });
        let [client, server] = sides.map(|key| &self.sides[&key]);
        let rules: Vec<usize> = client[0].common(&server[1]).collect();
        let decision = self.policy.decide_among(&rules, question);
        self.remembered
            .insert_unique(hash, (key, decision), |(key, _)| key.hash());
        decision
    }
}

/// Numbers for the sets of groups that facts put ends in; the empty set is 0. They are the decider's own, because callers
/// number groups anew in every slot.
#[derive(Default)]
struct GroupSets {
    numbers: HashTable<(Box<[GroupId]>, u32)>,
}

impl GroupSets {
    #[inline]
    fn number(&mut self, groups: &[GroupId]) -> u32 {
        if groups.is_empty() {
            0
        } else {
            self.number_of_some(groups)
        }
    }

    fn number_of_some(&mut self, groups: &[GroupId]) -> u32 {
        let hash_of = |groups: &[GroupId]| {
            groups.iter().fold(1, |hash, group| {
                mixed(hash ^ u64::from(group.0), 0x9e37_79b9_7f4a_7c15)
            })
        };
        let next = self.numbers.len() as u32 + 1;
        let same = |(known, _): &(Box<[GroupId]>, u32)| **known == *groups;
        let entry = self
            .numbers
            .entry(hash_of(groups), same, |(known, _)| hash_of(known));
        entry.or_insert_with(|| (groups.into(), next)).get().1
    }
}

/// What rules can tell apart of ports and instants: cut where a rule begins or ends.
pub(super) struct Cuts {
    /// For each protocol the number of its list in `ports`, or [`NO_PORTS`].
    list_of: [u8; 256],
    /// Ports at which an interval begins, without 0; sorted.
    ports: Vec<Vec<u16>>,
    /// Instants at which an epoch begins; sorted.
    dates: Vec<u32>,
}

/// The list of a protocol whose ports no rule tells apart.
const NO_PORTS: u8 = u8::MAX;

impl Cuts {
    pub(super) fn new(rules: &super::ruleset::Rules) -> Cuts {
        let mut list_of = [NO_PORTS; 256];
        let mut ports: Vec<Vec<u16>> = Vec::new();
        let sets = rules
            .conditions()
            .flat_map(|condition| condition.ports.sets());
        for range in sets.flat_map(|set| set.ranges()) {
            if !protocol::has_ports(range.protocol) {
                continue;
            }
            let list = &mut list_of[usize::from(range.protocol)];
            if *list == NO_PORTS {
                *list = ports.len() as u8;
                ports.push(Vec::new());
            }
            let begins = [
                Some(range.first).filter(|first| *first > 0),
                range.last.checked_add(1),
            ];
            ports[usize::from(*list)].extend(begins.into_iter().flatten());
        }
        for list in &mut ports {
            list.sort_unstable();
            list.dedup();
        }
        let dates = rules
            .dates
            .iter()
            .filter_map(|date| u32::try_from(*date).ok().filter(|date| *date > 0))
            .collect();
        Cuts {
            list_of,
            ports,
            dates,
        }
    }

    #[inline]
    fn port_interval(&self, protocol: u8, port: u16) -> usize {
        match self
            .ports
            .get(usize::from(self.list_of[usize::from(protocol)]))
        {
            Some(begins) => begins.partition_point(|begin| *begin <= port),
            None => 0,
        }
    }

    #[inline]
    fn epoch(&self, at: u32) -> usize {
        self.dates.partition_point(|date| *date <= at)
    }
}

impl Policy {
    #[inline]
    fn key(&self, question: &Question<'_>, [client_groups, server_groups]: [u32; 2]) -> Key {
        let Question {
            client,
            server,
            protocol,
            server_port,
            ipv4,
            at,
            path,
            encrypted,
        } = question;
        let rest = u64::from(*protocol)
            | (self.cuts.port_interval(*protocol, *server_port) as u64) << 8
            | (self.cuts.epoch(*at) as u64) << 25
            | path.map_or(0, |path| path as u64 + 1) << 42
            | encrypted.map_or(0, |encrypted| u64::from(encrypted) + 1) << 46
            | u64::from(*ipv4) << 48
            | u64::from(client.services_known) << 49
            | u64::from(server.services_known) << 50
            | u64::from(client.domains.known) << 51
            | u64::from(server.domains.known) << 52;
        Key {
            client: EndKey::of(client, client_groups),
            server: EndKey::of(server, server_groups),
            rest,
        }
    }
}

impl EndKey {
    #[inline]
    fn of(end: &End<'_>, groups: u32) -> EndKey {
        EndKey {
            class_and_groups: u64::from(end.class.0) << 32 | u64::from(groups),
            services: end.services,
            known: end.known,
            domains: end.domains.all(),
        }
    }
}
