//! The edges of an hour: what its slots' rulings add up to, one fixed-size entry per edge.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::net::Addr;
use crate::net::protocol::has_ports;
use crate::policy::{Answer, Lacked, Miss, Path, Policy, RuleId, Severity, ZoneId, ZoneKind};

use super::arena::{HashArena, mix, prefetch};
use super::connection::{Connection, Origin, Side, Tag, View};
use super::facts::SlotFacts;
use super::findings::may_feed;
use super::outcome::{Reject, classify};
use super::reporter::{Reporter, ReporterId, Reporters};
use super::ruling::{Judged, Ruling, perspective};
use super::traffic::Traffic;
use super::{Confidence, EdgeRow, Inside, Orientation, Outcome, Reason, Verdict};

const NONE: u8 = u8::MAX;
const MIXED: u8 = u8::MAX - 1;
const REASON: u32 = 1 << 16;

/// An edge in memory and on disk, its words as numbers. Merged by sum, min and max only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct EdgeEntry {
    /// What makes it this edge.
    pub key: EdgeKey,
    client_zone: u16,
    server_zone: u16,
    via: u8,
    confidence: u8,
    severity: u8,
    decision: u8,
    lacked_rule: u16,
    lacked_require: u16,
    lacked: u8,
    spare: [u8; 3],
    /// Earliest start, seconds.
    pub first_seen: u32,
    /// Latest end, seconds.
    pub last_seen: u32,
    inside: u32,
    client_workload: u32,
    server_workload: u32,
    more_spare: u32,
    records: u64,
    connections: u64,
    packets: [u64; 2],
    bytes: [u64; 2],
    origin: Origin,
}

/// What a report tells apart of an edge; network and zones by the policy's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Story {
    /// Its network.
    pub network: u16,
    /// The client's zone.
    pub client_zone: u16,
    /// The server's zone.
    pub server_zone: u16,
    /// The evidence for the direction.
    pub orientation: Orientation,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is not judged; none if it is.
    pub reason: Option<Reason>,
    /// Its severity; none if not judged.
    pub severity: Option<Severity>,
}

/// What makes an edge: network, client, server, server port, protocol, orientation, outcome, verdict, rule.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Zeroable, bytemuck::Pod,
)]
#[repr(C)]
pub struct EdgeKey {
    /// High half of the client's address first, so that the derived order is that of addresses.
    client: [u64; 2],
    server: [u64; 2],
    rule: u32,
    server_port: u16,
    network: u16,
    protocol: u8,
    orientation: u8,
    outcome: u8,
    verdict: u8,
    spare: [u8; 4],
}

impl EdgeKey {
    #[inline]
    fn hash(&self) -> u64 {
        let words = [self.protocol, self.orientation, self.outcome, self.verdict];
        let port = u64::from(self.server_port) << 32 | u64::from(self.network) << 48;
        let addresses = mix(
            self.client[1] ^ 0x9e37_79b9_7f4a_7c15,
            self.server[1] ^ 0xd1b5_4a32_d192_ed03,
        );
        let upper = self.client[0] ^ self.server[0].rotate_left(32);
        mix(
            addresses ^ upper ^ u64::from(self.rule),
            (port | u64::from(u32::from_le_bytes(words))) ^ 0x8cb9_2ba7_2f3d_8dd7,
        )
    }
}

fn halves(addr: Addr) -> [u64; 2] {
    [(addr.bits() >> 64) as u64, addr.bits() as u64]
}

fn whole(halves: [u64; 2]) -> Addr {
    Addr::from_v6(u128::from(halves[0]) << 64 | u128::from(halves[1]))
}

impl EdgeEntry {
    /// Adds another entry of the same edge.
    pub fn merge(&mut self, other: &EdgeEntry, reporters: &Reporters) {
        self.client_zone = self.client_zone.min(other.client_zone);
        self.server_zone = self.server_zone.min(other.server_zone);
        if self.via != other.via {
            self.via = MIXED;
        }
        self.confidence = self.confidence.max(other.confidence);
        self.severity = worse(self.severity, other.severity);
        self.decision = self.decision.min(other.decision);
        let lacked = |entry: &EdgeEntry| (entry.lacked, entry.lacked_rule, entry.lacked_require);
        if lacked(other) < lacked(self) {
            (self.lacked, self.lacked_rule, self.lacked_require) = lacked(other);
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.inside =
            reporters.smaller(self.inside, other.inside, |reporter| reporter.texts.clone());
        let workload = |reporter: &Reporter| reporter.workload().map(str::to_owned);
        self.client_workload =
            reporters.smaller(self.client_workload, other.client_workload, workload);
        self.server_workload =
            reporters.smaller(self.server_workload, other.server_workload, workload);
        self.records += other.records;
        self.connections += other.connections;
        for way in 0..2 {
            self.packets[way] = self.packets[way].saturating_add(other.packets[way]);
            self.bytes[way] = self.bytes[way].saturating_add(other.bytes[way]);
        }
        self.origin = self.origin.min(other.origin);
    }

    /// The order of a file: by client, then server, then what else makes the edge.
    pub fn compare(&self, other: &EdgeEntry) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }

    /// What a report tells apart of it.
    #[inline]
    pub fn story(&self) -> Story {
        Story {
            network: self.key.network,
            client_zone: self.client_zone,
            server_zone: self.server_zone,
            orientation: Orientation::ALL[usize::from(self.key.orientation)],
            verdict: Verdict::ALL[usize::from(self.key.verdict)],
            reason: self.reason(),
            severity: Severity::ALL.get(usize::from(self.severity)).copied(),
        }
    }

    /// Why it is not judged; none if it is.
    fn reason(&self) -> Option<Reason> {
        let is_reason = self.key.rule & REASON != 0;
        is_reason.then(|| Reason::ALL[(self.key.rule & !REASON) as usize])
    }

    /// Whether it may feed a finding.
    pub fn may_feed(&self, policy: &Policy) -> bool {
        let (story, zones) = (self.story(), [self.client_zone, self.server_zone]);
        let is_unassigned = |zone| policy.zone_kind(ZoneId(zone)) == ZoneKind::Unassigned;
        may_feed(
            story.verdict,
            story.severity,
            zones.into_iter().any(is_unassigned),
        )
    }

    /// Its records.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Its connections.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// The client's address.
    pub fn client(&self) -> Addr {
        whole(self.key.client)
    }

    /// The server's address.
    pub fn server(&self) -> Addr {
        whole(self.key.server)
    }
}

fn worse(a: u8, b: u8) -> u8 {
    match (a, b) {
        (NONE, other) | (other, NONE) => other,
        (a, b) => a.max(b),
    }
}

/// How many entries wait for their cache lines together.
const BATCH: usize = 64;

/// The edges of an hour, as far as they are in memory.
pub struct EdgeTable {
    reporters: Arc<Reporters>,
    entries: HashArena<EdgeEntry>,
    /// Entries with their hashes, on their way into `entries`.
    pending: Vec<(u64, EdgeEntry)>,
    account: Account,
    asides: Asides,
}

/// What edges do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asides {
    /// Records that are copies by other flow logs of the same interface.
    pub duplicates: u64,
    /// Connections on which a rule with a path matched although theirs is unknown.
    pub via_unknown: u64,
}

impl std::ops::AddAssign for Asides {
    fn add_assign(&mut self, other: Asides) {
        self.duplicates += other.duplicates;
        self.via_unknown += other.via_unknown;
    }
}

impl EdgeTable {
    /// An empty table of an hour with these reporters.
    pub fn new(reporters: Arc<Reporters>) -> EdgeTable {
        EdgeTable {
            reporters,
            entries: HashArena::default(),
            pending: Vec::with_capacity(BATCH),
            account: Account::default(),
            asides: Asides::default(),
        }
    }

    /// Adds what a ruling amounts to: the connection itself, and its records that came after its close.
    pub fn add<'v>(
        &mut self,
        policy: &Policy,
        facts: &SlotFacts<'_>,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
        traffic: &Traffic,
        ruling: &Ruling,
    ) {
        let key = connection.key();
        // A reason that ranks before theirs holds for late records too: then there is one share, and one largest sum.
        let is_one_story =
            matches!(ruling.judged, Judged::Not(reason) if reason < Reason::PostClose);
        let share_of = |tag: Tag| {
            if is_one_story || !tag.lane().is_reject() {
                return Share::Own;
            }
            match classify(&key, traffic, &ruling.oriented, tag.lane(), tag.sender()) {
                Reject::PostClose => Share::PostClose,
                Reject::Stray => Share::Stray,
                Reject::Attempt | Reject::Return => Share::Own,
            }
        };
        self.asides.duplicates += self.account.fill(facts, views, share_of);
        if let Judged::Decided { decision, .. } = ruling.judged {
            self.asides.via_unknown += u64::from(decision.via_unknown);
        }
        let mut connections = 1;
        for share in Share::ALL {
            let judged = match share {
                Share::Own => ruling.judged,
                Share::PostClose => ruling.judged_alone(Reason::PostClose),
                Share::Stray => ruling.judged_alone(Reason::Stray),
            };
            let Some(totals) = self.account.totals(share, ruling.oriented.client) else {
                continue;
            };
            let mut entry = entry(policy, facts, connection, ruling, &judged, &totals);
            entry.connections = std::mem::take(&mut connections);
            self.insert(&entry);
        }
    }

    fn insert(&mut self, entry: &EdgeEntry) {
        let hash = entry.key.hash();
        self.entries.prefetch_index(hash);
        self.pending.push((hash, *entry));
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.entries.reserve(self.pending.len());
        for (hash, _) in &self.pending {
            self.entries.prefetch_row(*hash);
        }
        for (hash, entry) in self.pending.drain(..) {
            let is = |known: &EdgeEntry| known.key == entry.key;
            let (place, is_new) = self.entries.place_or_insert(hash, is, || entry);
            if !is_new {
                self.entries.at_mut(place).merge(&entry, &self.reporters);
            }
        }
    }

    /// Takes in another table of the same hour.
    pub fn merge(&mut self, mut other: EdgeTable) {
        if self.entries.len() < other.entries.len() {
            std::mem::swap(self, &mut other);
        }
        other.flush();
        other.entries.iter().for_each(|entry| self.insert(entry));
        self.asides += other.asides;
    }

    /// Takes out what edges do not show.
    pub fn take_asides(&mut self) -> Asides {
        std::mem::take(&mut self.asides)
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        self.entries.memory()
    }

    /// All edges, in no particular order.
    pub fn entries(&mut self) -> impl Iterator<Item = &EdgeEntry> {
        self.flush();
        self.entries.iter()
    }

    /// Takes all edges out, in no particular order.
    pub fn drain(&mut self) -> impl Iterator<Item = EdgeEntry> {
        self.flush();
        std::mem::take(&mut self.entries).into_rows()
    }
}

/// Puts edges into the order of a file.
pub fn in_order<'e>(
    entries: impl Iterator<Item = &'e EdgeEntry>,
) -> impl Iterator<Item = &'e EdgeEntry> {
    // The client alone nearly always tells, and is at hand.
    let mut entries: Vec<_> = entries.map(|entry| (entry.key.client, entry)).collect();
    entries
        .sort_unstable_by(|(client, a), (other, b)| client.cmp(other).then_with(|| a.compare(b)));
    // They lie all over the memory.
    const AHEAD: usize = 8;
    (0..entries.len()).map(move |place| {
        if let Some((_, entry)) = entries.get(place + AHEAD) {
            prefetch(*entry);
        }
        entries[place].1
    })
}

impl Ruling {
    /// What is said of records that are unjudged by themselves: the connection's own reason if that ranks before theirs.
    pub fn judged_alone(&self, reason: Reason) -> Judged {
        match self.judged {
            Judged::Not(own) if own < reason => Judged::Not(own),
            _ => Judged::Not(reason),
        }
    }
}

/// Which part of a connection a record belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Share {
    /// The connection's own story.
    Own = 0,
    /// What came after its close.
    PostClose = 1,
    /// What belongs to no known connection.
    Stray = 2,
}

impl Share {
    const ALL: [Share; 3] = [Share::Own, Share::PostClose, Share::Stray];
}

/// The account of one connection: its records by share, counted once however many flow logs and interfaces tell of
/// them. Used again from connection to connection.
#[derive(Default)]
struct Account {
    streams: Vec<Stream>,
}

/// What one (flow log, interface) says of one direction.
struct Stream {
    sender: Side,
    stream: u32,
    reporter: ReporterId,
    /// Another flow log tells the same and counts instead.
    is_copy: bool,
    sums: [Sums; 3],
}

#[derive(Clone, Copy, Default)]
struct Sums {
    records: u64,
    packets: u64,
    bytes: u64,
    origin: Option<Origin>,
    start: u32,
    end: u32,
}

/// What a share of a connection adds up to.
struct Totals {
    records: u64,
    /// From client to server, from server to client.
    packets: [u64; 2],
    bytes: [u64; 2],
    origin: Origin,
    start: u32,
    end: u32,
}

impl Account {
    fn fill<'v>(
        &mut self,
        facts: &SlotFacts<'_>,
        views: impl Iterator<Item = (Tag, &'v View)>,
        share_of: impl Fn(Tag) -> Share,
    ) -> u64 {
        self.streams.clear();
        for (tag, view) in views {
            let stream = facts.reporter(tag.reporter()).stream;
            let sums = match self
                .streams
                .iter_mut()
                .find(|known| known.stream == stream && known.sender == tag.sender())
            {
                Some(known) => &mut known.sums,
                None => {
                    self.streams.push(Stream {
                        sender: tag.sender(),
                        stream,
                        reporter: tag.reporter(),
                        is_copy: false,
                        sums: Default::default(),
                    });
                    let last = self.streams.len() - 1;
                    &mut self.streams[last].sums
                }
            };
            sums[share_of(tag) as usize].add(view);
        }
        self.mark_copies(facts)
    }

    /// Of several flow logs that report one direction at one interface only the first's records count; how many do not.
    fn mark_copies(&mut self, facts: &SlotFacts<'_>) -> u64 {
        if self.streams.len() < 2 {
            return 0;
        }
        let mut copies = 0;
        let reporter = |stream: &Stream| facts.reporter(stream.reporter);
        for place in 0..self.streams.len() {
            let own = &self.streams[place];
            let is_copy = self.streams.iter().any(|other| {
                other.sender == own.sender
                    && other.stream != own.stream
                    && reporter(other).interface == reporter(own).interface
                    && reporter(other).counts_before(reporter(own))
            });
            if is_copy {
                copies += own.sums.iter().map(|sums| sums.records).sum::<u64>();
                self.streams[place].is_copy = true;
            }
        }
        copies
    }

    fn totals(&self, share: Share, client: Side) -> Option<Totals> {
        let mut totals = Totals {
            records: 0,
            packets: [0; 2],
            bytes: [0; 2],
            origin: Origin(u64::MAX),
            start: u32::MAX,
            end: 0,
        };
        for stream in &self.streams {
            let sums = &stream.sums[share as usize];
            let Some(origin) = sums.origin else { continue };
            let way = usize::from(stream.sender != client);
            totals.packets[way] = totals.packets[way].max(sums.packets);
            totals.bytes[way] = totals.bytes[way].max(sums.bytes);
            if stream.is_copy {
                continue;
            }
            totals.records += sums.records;
            totals.origin = totals.origin.min(origin);
            if sums.start != 0 {
                totals.start = totals.start.min(sums.start);
            }
            totals.end = totals.end.max(sums.end);
        }
        (totals.origin != Origin(u64::MAX)).then_some(totals)
    }
}

impl Sums {
    fn add(&mut self, view: &View) {
        self.records += u64::from(view.records);
        self.packets = self.packets.saturating_add(view.packets);
        self.bytes = self.bytes.saturating_add(view.bytes);
        self.origin = Some(
            self.origin
                .map_or(view.origin, |origin| origin.min(view.origin)),
        );
        self.start = match (self.start, view.start) {
            (0, start) | (start, 0) => start,
            (a, b) => a.min(b),
        };
        self.end = self.end.max(view.end);
    }
}

/// The edge entry of one share of a connection.
fn entry(
    policy: &Policy,
    facts: &SlotFacts<'_>,
    connection: &Connection,
    ruling: &Ruling,
    judged: &Judged,
    totals: &Totals,
) -> EdgeEntry {
    let key = connection.key();
    let (client, server) = (
        key.end(ruling.oriented.client),
        key.end(ruling.oriented.client.other()),
    );
    let (client_facts, server_facts) = (facts.address(client), facts.address(server));
    let is_inside = |zone: ZoneId| policy.zone_kind(zone).is_inside();
    let inside = if is_inside(ruling.zones.server) {
        server_facts.reporter
    } else {
        client_facts.reporter
    };
    let number = |reporter: Option<ReporterId>| reporter.map_or(0, |id| id.0 + 1);
    let (rule, verdict, decision, severity, lacked) = match judged {
        Judged::Decided {
            decision,
            verdict,
            severity,
            ..
        } => (
            u32::from(decision.rule.0),
            *verdict,
            decision.answer as u8,
            *severity as u8,
            decision.miss,
        ),
        Judged::Not(reason) => (REASON | *reason as u32, Verdict::Unjudged, NONE, NONE, None),
    };
    let (lacked, lacked_rule, lacked_require) = match lacked {
        None => (NONE, 0, 0),
        Some(Miss {
            rule,
            lacked: Lacked::Require(require),
        }) => (REQUIRE, rule.0, require.0),
        Some(Miss { rule, lacked }) => (
            LACKED
                .iter()
                .position(|known| *known == lacked)
                .map_or(NONE, |place| place as u8),
            rule.0,
            0,
        ),
    };
    let outcome = ruling.outcome.filter(|_| !is_late(judged));
    EdgeEntry {
        key: EdgeKey {
            client: halves(client.addr),
            server: halves(server.addr),
            rule,
            server_port: server.port,
            network: perspective(&key).0,
            protocol: key.protocol,
            orientation: ruling.oriented.orientation as u8,
            outcome: outcome.map_or(NONE, |outcome| outcome as u8),
            verdict: verdict as u8,
            spare: [0; 4],
        },
        client_zone: ruling.zones.client.0,
        server_zone: ruling.zones.server.0,
        via: ruling.via.map_or(NONE, |path| path as u8),
        confidence: ruling.oriented.confidence as u8,
        severity,
        decision,
        lacked_rule,
        lacked_require,
        lacked,
        spare: [0; 3],
        first_seen: if totals.start == u32::MAX {
            totals.end
        } else {
            totals.start
        },
        last_seen: totals.end,
        inside: number(inside),
        client_workload: number(client_facts.workload),
        server_workload: number(server_facts.workload),
        more_spare: 0,
        records: totals.records,
        connections: 0,
        packets: totals.packets,
        bytes: totals.bytes,
        origin: totals.origin,
    }
}

/// Records after a close and strays have no part in the connection's outcome.
fn is_late(judged: &Judged) -> bool {
    matches!(judged, Judged::Not(Reason::PostClose | Reason::Stray))
}

/// Codes of what an allow lacked; a broken require stands apart.
const LACKED: [Lacked; 6] = [
    Lacked::Expired,
    Lacked::NotYet,
    Lacked::Port,
    Lacked::Path,
    Lacked::Family,
    Lacked::Evidence,
];
const REQUIRE: u8 = LACKED.len() as u8;

/// Turns entries into rows: knows the words behind the numbers.
pub struct EdgeWords<'a> {
    policy: &'a Policy,
    /// Where each reporter is, and the workload that it names.
    reporters: Vec<(Inside<'a>, Option<&'a str>)>,
    /// URLs of the day's objects, by rank.
    urls: &'a [Arc<str>],
    lacked: HashMap<Miss, String>,
}

impl<'a> EdgeWords<'a> {
    /// The words of an hour.
    pub fn new(
        policy: &'a Policy,
        reporters: &'a [Reporter],
        urls: &'a [Arc<str>],
    ) -> EdgeWords<'a> {
        EdgeWords {
            policy,
            reporters: reporters
                .iter()
                .map(|reporter| (reporter.inside(), reporter.workload()))
                .collect(),
            urls,
            lacked: HashMap::new(),
        }
    }

    /// The row of an entry.
    pub fn row<'s>(&'s mut self, entry: &EdgeEntry) -> EdgeRow<'s> {
        let miss = entry.miss();
        if let Some(miss) = miss {
            self.lacked
                .entry(miss)
                .or_insert_with(|| self.policy.explain_miss(miss));
        }
        let reporter = |number: u32| match number {
            0 => (Inside::default(), None),
            _ => self.reporters[number as usize - 1],
        };
        let key = &entry.key;
        EdgeRow {
            network: self
                .policy
                .network_name(crate::policy::NetworkId(key.network)),
            client_addr: entry.client(),
            server_addr: entry.server(),
            server_port: has_ports(key.protocol).then_some(key.server_port),
            protocol: key.protocol,
            orientation: Orientation::ALL[usize::from(key.orientation)],
            outcome: Outcome::ALL.get(usize::from(key.outcome)).copied(),
            verdict: Verdict::ALL[usize::from(key.verdict)],
            rule: match entry.reason() {
                None => &self.policy.rule(RuleId(key.rule as u16)).id,
                Some(reason) => reason.as_str(),
            },
            decision: Answer::ALL.get(usize::from(entry.decision)).copied(),
            client_zone: self.policy.zone_name(ZoneId(entry.client_zone)),
            server_zone: self.policy.zone_name(ZoneId(entry.server_zone)),
            client_workload: reporter(entry.client_workload).1,
            server_workload: reporter(entry.server_workload).1,
            via: Path::ALL.get(usize::from(entry.via)).copied(),
            confidence: Confidence::ALL[usize::from(entry.confidence)],
            severity: Severity::ALL.get(usize::from(entry.severity)).copied(),
            lacked: miss
                .and_then(|miss| self.lacked.get(&miss))
                .map(String::as_str),
            records: entry.records,
            connections: entry.connections,
            packets_to_server: entry.packets[0],
            packets_to_client: entry.packets[1],
            bytes_to_server: entry.bytes[0],
            bytes_to_client: entry.bytes[1],
            first_seen: entry.first_seen,
            last_seen: entry.last_seen,
            source: self
                .urls
                .get(entry.origin.object() as usize)
                .map_or("", |url| url),
            line: entry.origin.line(),
            inside: reporter(entry.inside).0,
        }
    }
}

impl EdgeEntry {
    fn miss(&self) -> Option<Miss> {
        let rule = RuleId(self.lacked_rule);
        match self.lacked {
            NONE => None,
            REQUIRE => Some(Miss {
                rule,
                lacked: Lacked::Require(RuleId(self.lacked_require)),
            }),
            code => Some(Miss {
                rule,
                lacked: LACKED[usize::from(code)],
            }),
        }
    }
}
