//! What traffic there was in gaps, and what was let through that the configuration does not let through.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::gather::{self, side};
use super::verdict::{Way, needs_reply};
use super::{Cause, Drift, Example, Gap, GapKind, Held, Part, Side};
use crate::config::permit::{Permits, Step, Through};
use crate::judge::replay::Counts;
use crate::judge::{Confidence, EdgeRow, Orientation, Outcome};
use crate::net::Addr;
use crate::net::ports::{PortRange, PortSet};
use crate::policy::{Answer, NetworkId, RuleId, ZoneId};

/// Addresses that are kept of an end of traffic that ought not to be; of more, the lowest.
const MAX_ADDRS: usize = 1024;

/// What was seen of some connections.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Used {
    /// Of those that were let through; none if there were none.
    pub accepted: Option<Seen>,
    /// Of those that were rejected.
    pub rejected: Option<Seen>,
}

/// Traffic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// How much.
    pub counts: Counts,
    /// When it began, seconds since 1970.
    pub first: u32,
    /// When it ended.
    pub last: u32,
    /// The object of an example record: the smallest by source, then line.
    pub source: String,
    /// The line of it.
    pub line: u64,
}

impl Seen {
    /// Both together.
    pub fn merge(&mut self, other: &Seen) {
        self.counts += other.counts;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        if (&other.source, other.line) < (&self.source, self.line) {
            self.source.clone_from(&other.source);
            self.line = other.line;
        }
    }

    fn add(seen: &mut Option<Seen>, edge: &EdgeRow<'_>) {
        let own = Seen {
            counts: counts(edge),
            first: edge.first_seen,
            last: edge.last_seen,
            source: edge.source.to_owned(),
            line: edge.line,
        };
        match seen {
            Some(seen) => seen.merge(&own),
            None => *seen = Some(own),
        }
    }
}

impl Gap<'_> {
    /// What was seen of all of its parts; none without traffic to look at.
    pub fn used(&self) -> Option<Used> {
        let mut all = Used::default();
        for part in &self.parts {
            let used = part.used.as_ref()?;
            for (all, used) in [
                (&mut all.accepted, &used.accepted),
                (&mut all.rejected, &used.rejected),
            ] {
                match (all.as_mut(), used) {
                    (Some(all), Some(used)) => all.merge(used),
                    (None, Some(used)) => *all = Some(used.clone()),
                    (_, None) => {}
                }
            }
        }
        Some(all)
    }
}

/// By network, effect and zones, the places of gaps and of their parts.
type Index = HashMap<(NetworkId, u32, [ZoneId; 2]), Vec<(usize, usize)>>;

/// Traffic that is held against a drift, edge by edge.
pub struct Traffic<'h, 'c> {
    held: &'h mut Held<'c>,
    permits: &'h Permits<'c>,
    drift: &'h mut Drift<'c>,
    index: Index,
    stale: BTreeMap<StaleKey<'c>, Stale>,
    /// When traffic was: first and last, seconds.
    pub times: Option<(u32, u32)>,
    /// Traffic that the policy does not judge.
    pub unjudged: Counts,
    /// Traffic with an end that is none of those asked about: no interface of the configuration has its address, it carries
    /// what others send, or its network is not compared.
    pub elsewhere: Counts,
}

/// What traffic has in common that ought not to be.
type StaleKey<'c> = (usize, [ZoneId; 2], Answer, RuleId, Vec<Cause<'c>>);

#[derive(Default)]
struct Stale {
    kinds: [BTreeSet<u32>; 2],
    addrs: [BTreeSet<Addr>; 2],
    is_cut: [bool; 2],
    ports: BTreeSet<(u8, u16)>,
    seen: Option<Seen>,
    example: Option<Example>,
}

impl<'h, 'c> Traffic<'h, 'c> {
    /// No traffic yet.
    pub fn new(
        held: &'h mut Held<'c>,
        permits: &'h Permits<'c>,
        drift: &'h mut Drift<'c>,
    ) -> Traffic<'h, 'c> {
        let mut index = Index::new();
        for (number, gap) in drift.gaps.iter_mut().enumerate() {
            for (at, part) in gap.parts.iter_mut().enumerate() {
                part.used = Some(Used::default());
                let key = (gap.network, part.effect, gap.zones);
                index.entry(key).or_default().push((number, at));
            }
        }
        Traffic {
            held,
            permits,
            drift,
            index,
            stale: BTreeMap::new(),
            times: None,
            unjudged: Counts::default(),
            elsewhere: Counts::default(),
        }
    }

    /// Takes an edge.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        let (first, last) = self.times.unwrap_or((u32::MAX, 0));
        self.times = Some((first.min(edge.first_seen), last.max(edge.last_seen)));
        let (Some(outcome), Some(_)) = (edge.outcome, edge.decision) else {
            self.unjudged += counts(edge);
            return;
        };
        let Some((view, pair)) = self.find(edge) else {
            self.elsewhere += counts(edge);
            return;
        };
        let is_rejected = matches!(
            outcome,
            Outcome::RejectedServer | Outcome::RejectedClient | Outcome::RejectedReturn
        );
        if let Some((gap, part)) = self.part_of(view, pair, edge) {
            let used = self.drift.gaps[gap].parts[part]
                .used
                .get_or_insert_default();
            let seen = if is_rejected {
                &mut used.rejected
            } else {
                &mut used.accepted
            };
            Seen::add(seen, edge);
        }
        if !is_rejected && outcome != Outcome::Forwarded {
            self.hold_against(view, pair, edge, outcome);
        }
    }

    /// The view that asks about an edge's ends, with their kinds.
    fn find(&self, edge: &EdgeRow<'_>) -> Option<(usize, (u32, u32))> {
        let policy = self.held.policy;
        let is_own =
            |at: &usize| policy.network_name(self.held.views[*at].0.network) == edge.network;
        let all = 0..self.held.views.len();
        let own = all.clone().filter(is_own);
        let others = all.filter(|at| !is_own(at));
        own.chain(others).find_map(|at| {
            let view = &self.held.views[at].0;
            let pair = (
                view.kind_of(edge.client_addr)?,
                view.kind_of(edge.server_addr)?,
            );
            view.is_asked(pair.0, pair.1).then_some((at, pair))
        })
    }

    /// The gap, and its part, that an edge lies in.
    fn part_of(
        &mut self,
        view: usize,
        (client, server): (u32, u32),
        edge: &EdgeRow<'_>,
    ) -> Option<(usize, usize)> {
        let (view, pairs) = &mut self.held.views[view];
        let effects = pairs.effects(self.permits, view, client, server);
        let port = edge.server_port.unwrap_or(0);
        let mut effects = effects.iter();
        let effect = effects.find(|effect| {
            let effect = pairs.effects.of(**effect);
            effect.ports.contains(edge.protocol, port)
        })?;
        let zones = [client, server].map(|kind| view.kinds[kind as usize].zone);
        let parts = self.index.get(&(view.network, *effect, zones))?;
        let holds = |(gap, part): &&(usize, usize)| {
            let [clients, servers] = &self.drift.gaps[*gap].parts[*part].kinds;
            clients.binary_search(&client).is_ok() && servers.binary_search(&server).is_ok()
        };
        parts.iter().find(holds).copied()
    }

    /// Notes an edge that was let through if the configuration does not let it through. Of what was sent only the client's
    /// side is known to have let it.
    fn hold_against(&mut self, at: usize, pair: (u32, u32), edge: &EdgeRow<'_>, outcome: Outcome) {
        let port = edge.server_port.unwrap_or(0);
        let (view, pairs) = &mut self.held.views[at];
        let is_at_client = |step: Step| matches!(step, Step::ClientGroups | Step::ClientAcl);
        let stops = |way: Way<'_, 'c>| -> Option<Vec<Cause<'c>>> {
            let cell = way.cells(edge.protocol, port, port).into_iter().next()?;
            let is_known = outcome != Outcome::Sent;
            let counts = |cause: &Cause<'c>| is_known || is_at_client(cause.step);
            let causes: Vec<Cause<'c>> = cell.causes.into_iter().filter(counts).collect();
            if cell.request == Through::Nothing {
                return (!causes.is_empty()).then_some(causes);
            }
            // Whoever was answered was answered through what stops all replies.
            let is_answered = matches!(outcome, Outcome::Established | Outcome::Refused);
            if !is_answered || !needs_reply(edge.protocol) {
                return None;
            }
            let (reply, causes) = way.replies(edge.protocol);
            (reply == Through::Nothing && !causes.is_empty()).then_some(causes)
        };
        let Some(causes) = stops(pairs.way_of(self.permits, view, pair.0, pair.1)) else {
            return;
        };
        // Who asked whom may be the other way round. Then the port that was asked is known only where both have the same.
        if edge.confidence == Confidence::Ambiguous {
            let is_turned_in = edge.orientation != Orientation::Peer
                || stops(pairs.way_of(self.permits, view, pair.1, pair.0)).is_none();
            if is_turned_in {
                return;
            }
        }
        let (answer, rule) = pairs.answer(view, pair, edge.protocol, port);
        let zones = [pair.0, pair.1].map(|kind| view.kinds[kind as usize].zone);
        let stale = self
            .stale
            .entry((at, zones, answer, rule, causes))
            .or_default();
        stale.add(pair, edge);
    }

    /// Adds what was let through and ought not to have been to the gaps.
    pub fn finish(self) {
        let Traffic {
            held, drift, stale, ..
        } = self;
        let mut gaps: BTreeMap<(usize, [ZoneId; 2], Answer, RuleId), Vec<Part<'c>>> =
            BTreeMap::new();
        for ((at, zones, answer, rule, causes), stale) in stale {
            let view = &held.views[at].0;
            let Some(example) = stale.example else {
                continue;
            };
            let sides = [0, 1].map(|end| {
                let numbers: Vec<u32> = stale.kinds[end].iter().copied().collect();
                let of_kinds = side(view, &BTreeMap::new(), &numbers);
                let is_known = of_kinds.interfaces > 0;
                Side {
                    interfaces: stale.addrs[end].len() * usize::from(is_known),
                    ranges: stale.addrs[end].iter().map(|addr| (*addr, *addr)).collect(),
                    is_whole: false,
                    is_cut: stale.is_cut[end],
                    groups: of_kinds.groups,
                }
            });
            let [client, server] = sides;
            gaps.entry((at, zones, answer, rule))
                .or_default()
                .push(Part {
                    ports: ports(&stale.ports),
                    client,
                    server,
                    request: Through::Nothing,
                    reply: Through::All,
                    causes,
                    example,
                    used: Some(Used {
                        accepted: stale.seen,
                        rejected: None,
                    }),
                    kinds: stale.kinds.map(|kinds| kinds.into_iter().collect()),
                    effect: u32::MAX,
                });
        }
        drift.gaps.extend(
            gaps.into_iter()
                .map(|((at, zones, answer, rule), parts)| Gap {
                    kind: GapKind::Seen,
                    network: held.views[at].0.network,
                    zones,
                    answer,
                    rule,
                    parts,
                }),
        );
        gather::sort(held.policy, &mut drift.gaps);
    }
}

impl Stale {
    fn add(&mut self, (client, server): (u32, u32), edge: &EdgeRow<'_>) {
        let ends = [(client, edge.client_addr), (server, edge.server_addr)];
        for (end, (kind, addr)) in ends.into_iter().enumerate() {
            self.kinds[end].insert(kind);
            self.addrs[end].insert(addr);
            if self.addrs[end].len() > MAX_ADDRS {
                self.addrs[end].pop_last();
                self.is_cut[end] = true;
            }
        }
        let server_port = edge.server_port.unwrap_or(0);
        self.ports.insert((edge.protocol, server_port));
        Seen::add(&mut self.seen, edge);
        let own = Example {
            client: edge.client_addr,
            server: edge.server_addr,
            protocol: edge.protocol,
            server_port,
        };
        let known = self.example.get_or_insert(own);
        *known = own.min(*known);
    }
}

fn ports(seen: &BTreeSet<(u8, u16)>) -> PortSet {
    let ranges = seen.iter().map(|(protocol, port)| PortRange {
        protocol: *protocol,
        first: *port,
        last: *port,
    });
    ranges.collect()
}

fn counts(edge: &EdgeRow<'_>) -> Counts {
    Counts {
        records: edge.records,
        connections: edge.connections,
        bytes: edge.bytes_to_server.saturating_add(edge.bytes_to_client),
    }
}
