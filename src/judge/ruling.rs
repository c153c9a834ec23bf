//! The ruling on one connection: who is the client, what became of it, what the policy says, how bad it is.

use hashbrown::HashSet;

use crate::net::protocol::TCP;
use crate::net::{Addr, aws};
use crate::policy::{
    self, Answer, ByName, Decider, Decision, Explanation, FlowExplanation, NetworkId, Path, Policy,
    Question, Severity, ZoneId, ZoneKind,
};

use super::connection::{Connection, End, Home, Key, Side, Tag, View, Ways};
use super::directions::{Directions, is_stray_icmp};
use super::evidence::Horizon;
use super::facts::{Seat, SlotFacts};
use super::orient::{Oriented, Peers, orient};
use super::outcome::{Rejects, is_unsolicited, outcome};
use super::traffic::Traffic;
use super::verdict::{Zones, flags, severity, verdict};
use super::{Confidence, Flags, Orientation, Outcome, Reason, Verdict};

/// What the judge concludes of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ruling {
    /// Who is the client, and how that is known.
    pub oriented: Oriented,
    /// The zones of both ends.
    pub zones: Zones,
    /// What became of it; none if all of its records are strays or came after its close.
    pub outcome: Option<Outcome>,
    /// The way out, if records tell one.
    pub via: Option<Path>,
    /// What was decided, or why nothing was.
    pub judged: Judged,
    /// The instant that the policy and its inventory were asked about, seconds since 1970: its earliest start in the slot,
    /// or the slot's.
    pub at: u32,
    /// How the names are known that it is allowed by; none where it is not, or not by names.
    pub by_name: Option<ByName>,
}

/// The policy's part of a ruling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judged {
    /// The policy decided.
    Decided {
        /// What it said.
        decision: Decision,
        /// Decision and outcome together.
        verdict: Verdict,
        /// How bad it is.
        severity: Severity,
        /// The flags.
        flags: Flags,
    },
    /// It was not asked.
    Not(Reason),
}

impl Ruling {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        match self.judged {
            Judged::Decided { verdict, .. } => verdict,
            Judged::Not(_) => Verdict::Unjudged,
        }
    }

    /// Whether no later record of the slot can change what it says of a denied connection: its own SYN shows who is the
    /// client, each inside end's own interface has told what it is, and either the network rejected the request, or let
    /// it through where that is seen for certain. A NAT gateway accepts what comes to it from outside without passing it
    /// on, so that of clients outside only an answer is certain.
    pub fn is_certain(&self, policy: &Policy, facts: &SlotFacts<'_>, key: &Key) -> bool {
        let client = self.oriented.client;
        let is_inside = |zone: ZoneId| policy.zone_kind(zone).is_inside();
        let is_known = |side: Side, zone: ZoneId| {
            !is_inside(zone) || facts.address(key.end(side)).reporter.is_some()
        };
        let through = match self.outcome {
            Some(Outcome::Established) => true,
            Some(Outcome::Delivered) => is_inside(self.zones.client),
            _ => false,
        };
        self.oriented.orientation == Orientation::Syn
            && is_known(client, self.zones.client)
            && is_known(client.other(), self.zones.server)
            && match self.verdict() {
                Verdict::Blocked => true,
                Verdict::Violation => through,
                _ => false,
            }
    }
}

/// How the policy decides on a connection.
#[derive(Clone, Debug)]
pub struct Explained<'p> {
    /// From client to server.
    pub ahead: FlowExplanation<'p>,
    /// From server to client, where it is ambiguous who is the client.
    pub reverse: Option<Explanation>,
    /// The instant that the policy was asked about, seconds since 1970.
    pub at: u32,
    /// Whether the connection was encrypted, if records tell.
    pub encrypted: Option<bool>,
}

/// Pairs of addresses between which the slot has an accepted connection of a protocol other than ICMP; only those that
/// also have ICMP.
pub type TalkingPairs = HashSet<[(Home, Addr); 2]>;

/// The addresses of a key, without ports.
pub fn pair(key: &Key) -> [(Home, Addr); 2] {
    [(key.low_home, key.low), (key.high_home, key.high)]
}

/// Rules on the connections of one slot. One per thread: it remembers decisions.
pub struct Judge<'a> {
    policy: &'a Policy,
    decider: Decider<'a>,
}

/// All that the rulings of a slot draw on.
#[derive(Clone, Copy)]
pub struct SlotContext<'a> {
    /// What the slot's records teach about interfaces and addresses.
    pub facts: &'a SlotFacts<'a>,
    /// What flags proved.
    pub horizon: &'a Horizon<'a>,
    /// How many peers ends have.
    pub peers: &'a Peers,
    /// Which pairs talk.
    pub talking: &'a TalkingPairs,
    /// The slot's start, seconds: the instant of connections without a time.
    pub slot: u32,
}

impl<'a> Judge<'a> {
    /// A judge without memories.
    pub fn new(policy: &'a Policy) -> Judge<'a> {
        Judge {
            policy,
            decider: Decider::new(policy),
        }
    }

    /// Rules on a connection; `traffic` is what its views say together.
    pub fn rule<'v>(
        &mut self,
        context: &SlotContext<'_>,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
        traffic: &Traffic,
    ) -> Ruling {
        let (case, rejects) = self.case(context, connection, traffic);
        let (oriented, zones, outcome) = (case.oriented, case.zones, case.outcome);
        let via = self.path(&case, views);
        let judged = match (self.reason(&case, &rejects), outcome) {
            (Some(reason), _) => Judged::Not(reason),
            (None, Some(outcome)) => self.judge(&case, outcome, via),
            (None, None) => Judged::Not(Reason::Stray),
        };
        let by_name = match judged {
            Judged::Decided { decision, .. } if decision.answer == Answer::Allow => {
                self.by_name(&case, &decision)
            }
            _ => None,
        };
        Ruling {
            oriented,
            zones,
            outcome,
            via,
            judged,
            at: case.at,
            by_name,
        }
    }

    /// How the names are known that a connection is allowed by.
    fn by_name(&self, case: &Case<'_>, decision: &Decision) -> Option<ByName> {
        if !self.policy.has_names() {
            return None;
        }
        let [question, reversed] = [case.question(None), case.reversed(None)];
        let of = |question: &Question<'_>| {
            self.policy
                .by_name(decision.rule, &question.server, &question.client)
        };
        // Of peers either direction may have decided.
        of(&question).or_else(|| match case.oriented.orientation {
            Orientation::Peer => of(&reversed),
            _ => None,
        })
    }

    /// What the policy is asked about a connection that was ruled on, with its answer and how that comes about; where the
    /// client is ambiguous, also how the opposite direction is decided.
    pub fn explain(
        &self,
        context: &SlotContext<'_>,
        connection: &Connection,
        traffic: &Traffic,
        ruling: &Ruling,
    ) -> Explained<'a> {
        let (case, _) = self.case(context, connection, traffic);
        let question = case.question(ruling.via);
        let client = case.key.end(case.oriented.client);
        let server = case.key.end(case.oriented.client.other());
        let ends = [client.addr, server.addr];
        let is_ambiguous = case.oriented.confidence == Confidence::Ambiguous;
        Explained {
            ahead: self
                .policy
                .explain_question(perspective(&case.key), ends, &question),
            reverse: is_ambiguous.then(|| self.policy.explain(&case.reversed(ruling.via))),
            at: question.at,
            encrypted: question.encrypted,
        }
    }

    /// A connection before the policy, and what its rejected records are.
    fn case<'c>(
        &self,
        context: &'c SlotContext<'c>,
        connection: &Connection,
        traffic: &'c Traffic,
    ) -> (Case<'c>, Rejects) {
        let key = connection.key();
        let oriented = orient(&key, traffic, context.horizon, context.peers);
        let rejects = Rejects::of(&key, traffic, &oriented);
        let outcome = outcome(traffic, &oriented, &rejects);
        let at = traffic.start().unwrap_or(context.slot);
        let [mut client, mut server] = [oriented.client, oriented.client.other()]
            .map(|side| self.end(context, connection, &key, side, at));
        if self.policy.has_names() {
            self.look_up(
                [&mut client, &mut server],
                [oriented.client, oriented.client.other()].map(|side| key.end(side).addr),
                at,
            );
        }
        let zones = Zones {
            client: self.policy.zone(&client),
            server: self.policy.zone(&server),
        };
        let case = Case {
            context,
            key,
            traffic,
            oriented,
            outcome,
            client,
            server,
            zones,
            at,
        };
        (case, rejects)
    }

    /// Has ends know by which names each is known as the one that was asked.
    fn look_up(&self, [client, server]: [&mut policy::End<'_>; 2], addrs: [Addr; 2], at: u32) {
        let (asking, asked) = ((&*client, addrs[0]), (&*server, addrs[1]));
        let of_server = self.policy.domains([asking, asked], at);
        let of_client = self.policy.domains([asked, asking], at);
        (client.domains, server.domains) = (of_client, of_server);
    }

    /// One end of a connection, as the policy is asked about it at an instant.
    fn end<'c>(
        &self,
        context: &SlotContext<'c>,
        connection: &Connection,
        key: &Key,
        side: Side,
        at: u32,
    ) -> policy::End<'c> {
        let end = key.end(side);
        let place = self.policy.place(perspective(key), end.addr, at);
        let groups_key = if place.home.is_some() {
            context.facts.address(end).groups_key
        } else {
            0
        };
        let (services, services_known) = connection.services(side);
        policy::End {
            home: place.home,
            class: place.class,
            groups: context.facts.groups(groups_key),
            known: self.policy.known(place.home, end.addr, at),
            services,
            services_known,
            domains: Default::default(),
        }
    }

    /// Why the connection is not judged; the first that fits.
    fn reason(&self, case: &Case<'_>, rejects: &Rejects) -> Option<Reason> {
        let (client, server) = (
            case.key.end(case.oriented.client),
            case.key.end(case.oriented.client.other()),
        );
        if client.addr == server.addr && client.home == server.home {
            return Some(Reason::SelfTraffic);
        }
        let is_local = |zone: ZoneId, end: End| {
            self.policy.zone_kind(zone) == ZoneKind::Local || end.addr.is_local()
        };
        if is_local(case.zones.client, client) || is_local(case.zones.server, server) {
            return Some(Reason::Local);
        }
        if case.client.home.is_none() && case.server.home.is_none() {
            return Some(Reason::Unmapped);
        }
        if let Some(reason) = self.transit(case) {
            return Some(reason);
        }
        if is_unsolicited(case.traffic, &case.oriented) {
            return Some(Reason::Unsolicited);
        }
        if case.outcome.is_none() {
            return Some(if rejects.post_close {
                Reason::PostClose
            } else {
                Reason::Stray
            });
        }
        None
    }

    fn transit(&self, case: &Case<'_>) -> Option<Reason> {
        let is_transit = |side| {
            case.context
                .facts
                .is_transit_address(self.policy, case.key.end(side), case.at)
        };
        let gateway = [Side::Low, Side::High]
            .into_iter()
            .find(|side| is_transit(*side))?;
        let other = if gateway == case.oriented.client {
            case.server.home
        } else {
            case.client.home
        };
        let unasked = other.is_none() && !case.traffic.sent(gateway).is_seen();
        Some(if unasked {
            Reason::NatUnsolicited
        } else {
            Reason::Transit
        })
    }

    fn judge(&mut self, case: &Case<'_>, outcome: Outcome, via: Option<Path>) -> Judged {
        let is_ambiguous = case.oriented.confidence == Confidence::Ambiguous;
        let directions = Directions {
            ahead: case.question(via),
            reverse: is_ambiguous.then(|| case.reversed(via)),
            are_peers: case.oriented.orientation == Orientation::Peer,
        };
        let (decision, reverse) = directions.decide(self.policy, &mut self.decider);
        let is_tcp = case.key.protocol == TCP;
        let verdict = verdict(decision.answer, outcome, is_tcp);
        let mut worst = severity(self.policy, case.zones, &decision, outcome, verdict);
        if let (Some(reverse), Answer::Deny) = (reverse, decision.answer) {
            worst = worst.min(self.limit_by_reverse(case, outcome, &reverse));
        }
        if is_stray_icmp(self.policy, case.key.protocol, &decision) {
            if case.context.talking.contains(&pair(&case.key)) {
                return Judged::Not(Reason::Diagnostic);
            }
            worst = worst.min(Severity::Low);
        }
        if self.is_hairpin(case) {
            worst = worst.min(Severity::Low);
        }
        let flags = flags(self.policy, case.zones, decision.answer, verdict);
        Judged::Decided {
            decision,
            verdict,
            severity: worst,
            flags,
        }
    }

    /// Whether one end is inside and the other a public address of one's own, so that the connection leaves the network only
    /// to come back.
    fn is_hairpin(&self, case: &Case<'_>) -> bool {
        let is_own = |side| self.policy.is_own_public(case.key.end(side).addr, case.at);
        match (case.client.home, case.server.home) {
            (Some(_), None) => is_own(case.oriented.client.other()),
            (None, Some(_)) => is_own(case.oriented.client),
            _ => false,
        }
    }

    /// Where the client is ambiguous: at most low if the opposite direction would be allowed, at most what the opposite
    /// direction would be if that is denied too.
    fn limit_by_reverse(&self, case: &Case<'_>, outcome: Outcome, reverse: &Decision) -> Severity {
        match reverse.answer {
            Answer::Allow => Severity::Low,
            Answer::Unproven => Severity::Critical,
            Answer::Deny => {
                let zones = Zones {
                    client: case.zones.server,
                    server: case.zones.client,
                };
                let verdict = verdict(reverse.answer, outcome, case.key.protocol == TCP);
                severity(self.policy, zones, reverse, outcome, verdict)
            }
        }
    }

    /// The way out, from the egress records of the inside end's own interface.
    fn path<'v>(
        &self,
        case: &Case<'_>,
        views: impl Iterator<Item = (Tag, &'v View)>,
    ) -> Option<Path> {
        let inside = case.inside()?;
        let server_outside = case.server.home.is_none();
        let (low, high) = (case.key.end(Side::Low), case.key.end(Side::High));
        let (mut ways, mut by_nat) = (Ways::default(), false);
        for (tag, view) in views {
            match case.context.facts.seat(tag, low, high) {
                Seat::End(side) if side == inside && tag.sender() == inside => {
                    ways.0 |= view.ways.0
                }
                Seat::Transit => by_nat |= self.is_nat(case, tag),
                _ => {}
            }
        }
        if server_outside && (by_nat || ways.0 & Ways::NEXT_HOP_NAT.0 != 0) {
            return Some(Path::Nat);
        }
        let endpoint = ways.has(7) || (ways.has(2) && is_gateway_service(&case.server));
        let internet = ways.has(8) || (ways.has(2) && !is_gateway_service(&case.server));
        // Code 1 with an end outside tells of the next hop only: an interface of the VPC.
        let outside = server_outside || case.client.home.is_none();
        let candidates = [
            (ways.has(1) && !outside, Path::Local),
            (endpoint, Path::GatewayEndpoint),
            (internet, Path::InternetGateway),
            (ways.has(3), Path::Vgw),
            (ways.has(4) || ways.has(5), Path::Peering),
            (ways.has(6), Path::LocalZone),
        ];
        candidates
            .into_iter()
            .find(|(holds, _)| *holds)
            .map(|(_, path)| path)
    }

    /// Whether the reporter is a NAT gateway on the way to the internet. One known by its records only could be any
    /// appliance, so it counts for public addresses alone.
    fn is_nat(&self, case: &Case<'_>, tag: Tag) -> bool {
        let reporter = case.context.facts.reporter(tag.reporter());
        if reporter.is_transit_gateway() {
            return false;
        }
        match reporter.interface_type(self.policy) {
            Some(kind) => policy::is_nat(kind),
            None => self.policy.zone_kind(case.zones.server) != ZoneKind::Private,
        }
    }
}

/// The network from which a connection is looked at: the low end's if that is inside, else the high end's.
pub fn perspective(key: &Key) -> NetworkId {
    let (low, high) = (
        NetworkId(key.low_home.network()),
        NetworkId(key.high_home.network()),
    );
    if low == high || key.low_home == Home::inside(low.0) {
        low
    } else {
        high
    }
}

fn is_gateway_service(server: &policy::End<'_>) -> bool {
    let bit = |name| {
        aws::SERVICES
            .iter()
            .position(|service| *service == name)
            .map_or(0, |place| 1u64 << place)
    };
    server.services & (bit("S3") | bit("DYNAMODB")) != 0
}

/// An end as a client: nobody asks for the name of who comes.
fn nameless(end: policy::End<'_>) -> policy::End<'_> {
    policy::End {
        domains: Default::default(),
        ..end
    }
}

/// One connection before the policy.
struct Case<'c> {
    context: &'c SlotContext<'c>,
    key: Key,
    traffic: &'c Traffic,
    oriented: Oriented,
    outcome: Option<Outcome>,
    client: policy::End<'c>,
    server: policy::End<'c>,
    zones: Zones,
    /// The instant that is asked about.
    at: u32,
}

impl<'c> Case<'c> {
    fn question(&self, path: Option<Path>) -> Question<'c> {
        Question {
            client: nameless(self.client),
            server: self.server,
            protocol: self.key.protocol,
            server_port: self.key.end(self.oriented.client.other()).port,
            ipv4: self.key.low.is_v4() && self.key.high.is_v4(),
            at: self.at,
            path,
            encrypted: self.traffic.encrypted(),
        }
    }

    fn reversed(&self, path: Option<Path>) -> Question<'c> {
        Question {
            client: nameless(self.server),
            server: self.client,
            server_port: self.key.end(self.oriented.client).port,
            ..self.question(path)
        }
    }

    /// The end whose way out counts: the client if it is inside, else the server.
    fn inside(&self) -> Option<Side> {
        if self.client.home.is_some() {
            return Some(self.oriented.client);
        }
        self.server.home.map(|_| self.oriented.client.other())
    }
}
