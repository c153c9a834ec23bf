//! Pairs of kinds of ends: what the policy and the configuration say of all that one may ask of the other, and where they
//! differ. What stands between many pairs alike is compared once.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::rc::Rc;

use super::end::View;
use super::verdict::{self, Way};
use super::{Cause, GapKind, MAX_PAIRS};
use crate::config::permit::{Permits, Screen, Step, Through};
use crate::net::ports::{PortRange, PortSet};
use crate::policy::diff::TooMuch;
use crate::policy::{Answer, Between, EndId, Policy, RuleId, Says};

/// A way in which the two differ: which ports, and why.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Effect<'c> {
    pub(super) kind: GapKind,
    pub(super) answer: Answer,
    pub(super) rule: RuleId,
    pub(super) request: Through,
    pub(super) reply: Through,
    pub(super) causes: Vec<Cause<'c>>,
    pub(super) ports: PortSet,
}

/// By effect, the pairs of kinds that have it.
pub(super) type Found = BTreeMap<u32, Vec<(u32, u32)>>;

/// All that is remembered while pairs are compared, and afterwards for traffic.
pub(super) struct Pairs<'c> {
    policy: &'c Policy,
    between: Between<'c>,
    sayings: Numbered<Rc<[Saying]>>,
    said: HashMap<(EndId, EndId), u32>,
    screens: Numbered<Screen<'c>>,
    /// By hop, what stands for the own end, and the other end.
    hops: HashMap<(Step, u32, u32), Option<u32>>,
    remembered: HashMap<Key, Rc<[u32]>>,
    pub(super) effects: Numbered<Effect<'c>>,
}

/// What pairs have in common that are compared once: what the policy says, and what stands at each hop.
type Key = (u32, [Option<u32>; 6]);

/// [`Says`], that can be told apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Saying {
    answer: Answer,
    rule: RuleId,
    ports: Vec<PortRange>,
}

impl From<Says> for Saying {
    fn from(says: Says) -> Saying {
        Saying {
            answer: says.answer,
            rule: says.rule,
            ports: says.ports,
        }
    }
}

impl<'c> Pairs<'c> {
    pub(super) fn new(policy: &'c Policy, between: Between<'c>) -> Pairs<'c> {
        Pairs {
            policy,
            between,
            sayings: Numbered::default(),
            said: HashMap::new(),
            screens: Numbered::default(),
            hops: HashMap::new(),
            remembered: HashMap::new(),
            effects: Numbered::default(),
        }
    }

    /// Compares all pairs that a view asks about.
    pub(super) fn compare(
        &mut self,
        permits: &Permits<'c>,
        view: &View<'c>,
        num_pairs: &mut u64,
    ) -> Result<Found, TooMuch> {
        let mut found = Found::new();
        let num_kinds = view.kinds.len() as u32;
        for client in 0..num_kinds {
            for server in 0..num_kinds {
                if !view.is_asked(client, server) {
                    continue;
                }
                *num_pairs += 1;
                if *num_pairs > MAX_PAIRS {
                    return Err(TooMuch {
                        what: "pairs of ends that something tells apart, and more",
                        number: *num_pairs,
                        limit: MAX_PAIRS,
                    });
                }
                for effect in self.effects(permits, view, client, server).iter() {
                    found.entry(*effect).or_default().push((client, server));
                }
            }
        }
        Ok(found)
    }

    /// The ways in which the two differ about a pair, by number.
    pub(super) fn effects(
        &mut self,
        permits: &Permits<'c>,
        view: &View<'c>,
        client: u32,
        server: u32,
    ) -> Rc<[u32]> {
        let said = self.said(view, client, server);
        let request = Step::REQUEST.map(|step| self.hop(permits, view, step, client, server));
        let mut screens = request.iter().flatten();
        let is_shut = screens.any(|screen| self.screens.of(*screen).is_shut());
        let mut sayings = self.sayings.of(said).iter();
        if is_shut && sayings.all(|saying| saying.answer == Answer::Deny) {
            return Rc::new([]);
        }
        let reply = Step::REPLY.map(|step| self.hop(permits, view, step, client, server));
        let [a, b, c, d] = request;
        let [e, f] = reply;
        let key = (said, [a, b, c, d, e, f]);
        if let Some(effects) = self.remembered.get(&key) {
            return Rc::clone(effects);
        }
        let effects: Rc<[u32]> = self.effects_of(&key).into();
        self.remembered.insert(key, Rc::clone(&effects));
        effects
    }

    fn effects_of(&mut self, (said, screens): &Key) -> Vec<u32> {
        let sayings = Rc::clone(self.sayings.of(*said));
        let mut found: Vec<(Effect<'c>, Vec<PortRange>)> = Vec::new();
        let mut numbers: HashMap<Effect<'c>, usize> = HashMap::new();
        let way = self.way(screens);
        let mut is_named = [false; 256];
        for protocol in way.protocols() {
            is_named[usize::from(protocol)] = true;
        }
        for saying in sayings.iter() {
            // Of protocols that nothing of the configuration names the same becomes, but for those that wait for replies.
            let mut unnamed: [Option<Vec<usize>>; 2] = [None, None];
            for range in &saying.ports {
                let of_its_kind = usize::from(verdict::needs_reply(range.protocol));
                let is_named = is_named[usize::from(range.protocol)];
                if !is_named && let Some(known) = &unnamed[of_its_kind] {
                    for number in known {
                        found[*number].1.push(*range);
                    }
                    continue;
                }
                let mut own = Vec::new();
                let (reply, cut) = way.replies(range.protocol);
                for cell in way.cells(range.protocol, range.first, range.last) {
                    let kind = verdict::gap(saying.answer, cell.request, reply, range.protocol);
                    let Some(kind) = kind else { continue };
                    let mut causes = cell.causes;
                    let comes = !matches!(cell.request, Through::Nothing | Through::Unknown);
                    match kind {
                        GapKind::ReplyCut => causes.clone_from(&cut),
                        _ if comes => causes.extend(cut.iter().cloned()),
                        _ => {}
                    }
                    let effect = Effect {
                        kind,
                        answer: saying.answer,
                        rule: saying.rule,
                        request: cell.request,
                        reply,
                        causes,
                        ports: PortSet::default(),
                    };
                    let number = *numbers.entry(effect.clone()).or_insert_with(|| {
                        found.push((effect, Vec::new()));
                        found.len() - 1
                    });
                    let is_icmp = crate::net::protocol::is_icmp(range.protocol);
                    found[number].1.push(if is_icmp {
                        *range
                    } else {
                        PortRange {
                            protocol: range.protocol,
                            first: cell.first,
                            last: cell.last,
                        }
                    });
                    own.push(number);
                }
                if !is_named {
                    unnamed[of_its_kind] = Some(own);
                }
            }
        }
        let effects = found.into_iter().map(|(effect, ranges)| Effect {
            ports: ranges.into_iter().collect(),
            ..effect
        });
        let mut effects: Vec<u32> = effects.map(|effect| self.effects.number(effect)).collect();
        effects.sort_unstable();
        effects
    }

    /// What stands between a pair.
    pub(super) fn way_of(
        &mut self,
        permits: &Permits<'c>,
        view: &View<'c>,
        client: u32,
        server: u32,
    ) -> Way<'_, 'c> {
        let [a, b, c, d] = Step::REQUEST.map(|step| self.hop(permits, view, step, client, server));
        let [e, f] = Step::REPLY.map(|step| self.hop(permits, view, step, client, server));
        self.way(&[a, b, c, d, e, f])
    }

    fn way(&self, screens: &[Option<u32>; 6]) -> Way<'_, 'c> {
        let [a, b, c, d, e, f] = screens.map(|screen| Some(self.screens.of(screen?)));
        Way {
            request: [a, b, c, d],
            reply: [e, f],
        }
    }

    /// What the policy says of a pair, by number.
    fn said(&mut self, view: &View<'c>, client: u32, server: u32) -> u32 {
        let asked = [client, server].map(|kind| view.kinds[kind as usize].asked);
        if let Some(said) = self.said.get(&(asked[0], asked[1])) {
            return *said;
        }
        let says = self.between.says(asked[0], asked[1]);
        let says: Vec<Saying> = says.into_iter().map(Saying::from).collect();
        let number = self.sayings.number(says.into());
        self.said.insert((asked[0], asked[1]), number);
        number
    }

    /// What the policy says of a port between a pair.
    pub(super) fn answer(
        &mut self,
        view: &View<'c>,
        (client, server): (u32, u32),
        protocol: u8,
        port: u16,
    ) -> (Answer, RuleId) {
        let said = self.said(view, client, server);
        let holds = |range: &PortRange| {
            range.protocol == protocol && (range.first..=range.last).contains(&port)
        };
        let sayings = self.sayings.of(said).iter();
        let mut holding = sayings.filter(|saying| saying.ports.iter().any(holds));
        let saying = holding.next().map(|saying| (saying.answer, saying.rule));
        saying.unwrap_or((Answer::Deny, self.policy.default_rule()))
    }

    /// What stands at a hop between a pair, by number; none where there is no such hop.
    fn hop(
        &mut self,
        permits: &Permits<'c>,
        view: &View<'c>,
        step: Step,
        client: u32,
        server: u32,
    ) -> Option<u32> {
        let is_at_client = matches!(
            step,
            Step::ClientGroups | Step::ClientAcl | Step::ClientAclReply
        );
        let (own, other) = match is_at_client {
            true => (&view.kinds[client as usize], server),
            false => (&view.kinds[server as usize], client),
        };
        let stands_for = match step {
            Step::ClientGroups | Step::ServerGroups => own.carried,
            _ => own.subnet,
        };
        let key = (step, stands_for, other);
        if let Some(known) = self.hops.get(&key) {
            return *known;
        }
        let ends = [client, server].map(|kind| &view.kinds[kind as usize].end);
        let screen = permits.screen(step, ends);
        let number = screen.map(|screen| self.screens.number(screen));
        self.hops.insert(key, number);
        number
    }
}

/// Things, each with its number.
pub(super) struct Numbered<T> {
    items: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered {
            items: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    pub(super) fn of(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    fn number(&mut self, item: T) -> u32 {
        if let Some(number) = self.numbers.get(&item) {
            return *number;
        }
        let number = self.items.len() as u32;
        self.items.push(item.clone());
        self.numbers.insert(item, number);
        number
    }
}
