//! One edge, its words as numbers.

use std::hash::{Hash, Hasher};

use super::Told;
use super::account::Totals;
use crate::judge::arena::mix;
use crate::judge::connection::{Connection, Key, Origin};
use crate::judge::facts::SlotFacts;
use crate::judge::findings::may_feed;
use crate::judge::reporter::{Reporter, ReporterId, Reporters};
use crate::judge::ruling::{Judged, Ruling, perspective};
use crate::judge::{Orientation, Reason, Verdict};
use crate::net::Addr;
use crate::policy::{Lacked, Miss, Policy, RuleId, Severity, ZoneId, ZoneKind};

pub(super) const NONE: u8 = u8::MAX;
const MIXED: u8 = u8::MAX - 1;
const REASON: u32 = 1 << 16;

/// An edge in memory and on disk, its words as numbers. Merged by sum, min and max only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct EdgeEntry {
    /// What makes it this edge.
    pub key: EdgeKey,
    pub(super) via: u8,
    pub(super) confidence: u8,
    pub(super) severity: u8,
    pub(super) decision: u8,
    pub(super) lacked_rule: u16,
    pub(super) lacked_require: u16,
    pub(super) lacked: u8,
    pub(super) spare: [u8; 3],
    /// Earliest start, seconds.
    pub first_seen: u32,
    /// Latest end, seconds.
    pub last_seen: u32,
    pub(super) inside: u32,
    pub(super) client_workload: u32,
    pub(super) server_workload: u32,
    pub(super) records: u64,
    pub(super) connections: u64,
    pub(super) packets: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) origin: Origin,
}

/// What a report tells apart of an edge; network and zones by the policy's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Hash for Story {
    /// In one stroke: every connection asks for its story.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let places = [self.network, self.client_zone, self.server_zone].map(u64::from);
        let code = |place: Option<u8>| u64::from(place.map_or(0, |place| place + 1));
        let words = u64::from(self.orientation as u8)
            | u64::from(self.verdict as u8) << 4
            | code(self.reason.map(|reason| reason as u8)) << 8
            | code(self.severity.map(|severity| severity as u8)) << 12;
        state.write_u64(words | places[0] << 16 | places[1] << 32 | places[2] << 48);
    }
}

impl Story {
    /// The story of a share of a connection.
    #[inline]
    pub(super) fn of(key: &Key, ruling: &Ruling, judged: &Judged) -> Story {
        let (verdict, reason, severity) = match judged {
            Judged::Decided {
                verdict, severity, ..
            } => (*verdict, None, Some(*severity)),
            Judged::Not(reason) => (Verdict::Unjudged, Some(*reason), None),
        };
        Story {
            network: perspective(key).0,
            client_zone: ruling.zones.client.0,
            server_zone: ruling.zones.server.0,
            orientation: ruling.oriented.orientation,
            verdict,
            reason,
            severity,
        }
    }

    /// Whether an edge of this story may feed a finding.
    pub fn may_feed(&self, policy: &Policy) -> bool {
        let zones = [self.client_zone, self.server_zone];
        let is_unassigned = |zone| policy.zone_kind(ZoneId(zone)) == ZoneKind::Unassigned;
        may_feed(
            self.verdict,
            self.severity,
            zones.into_iter().any(is_unassigned),
        )
    }

    /// Whether no connection of its edge may feed a finding. The severity of all is the same, as it follows from the edge,
    /// but where the orientation is ambiguous: there the client's port has a say. (That a server is a public address of
    /// one's own for a part of the time makes it low at most, and never less than would feed.)
    pub fn never_feeds(&self, policy: &Policy) -> bool {
        let is_mild = matches!(self.verdict, Verdict::Compliant | Verdict::Unjudged);
        let is_ambiguous = matches!(self.orientation, Orientation::Port | Orientation::Peer);
        (is_mild || !is_ambiguous) && !self.may_feed(policy)
    }
}

/// What makes an edge: network, client, server, server port, protocol, orientation, outcome, verdict, rule, zones.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Zeroable, bytemuck::Pod,
)]
#[repr(C)]
pub struct EdgeKey {
    /// High half of the client's address first, so that the derived order is that of addresses.
    pub(super) client: [u64; 2],
    pub(super) server: [u64; 2],
    pub(super) rule: u32,
    pub(super) server_port: u16,
    pub(super) network: u16,
    pub(super) protocol: u8,
    pub(super) orientation: u8,
    pub(super) outcome: u8,
    pub(super) verdict: u8,
    /// The zone of an outside end may be an AWS service that only some of its records name.
    pub(super) client_zone: u16,
    pub(super) server_zone: u16,
}

impl EdgeKey {
    #[inline]
    pub(super) fn hash(&self) -> u64 {
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

    /// Whether it may feed a finding.
    pub fn may_feed(&self, policy: &Policy) -> bool {
        self.told().story.may_feed(policy)
    }

    /// What a report tells of it.
    #[inline]
    pub fn told(&self) -> Told {
        Told {
            story: Story {
                network: self.key.network,
                client_zone: self.key.client_zone,
                server_zone: self.key.server_zone,
                orientation: Orientation::ALL[usize::from(self.key.orientation)],
                verdict: Verdict::ALL[usize::from(self.key.verdict)],
                reason: self.reason(),
                severity: Severity::ALL.get(usize::from(self.severity)).copied(),
            },
            client: self.client(),
            records: self.records,
            connections: self.connections,
        }
    }

    /// Why it is not judged; none if it is.
    pub(super) fn reason(&self) -> Option<Reason> {
        let is_reason = self.key.rule & REASON != 0;
        is_reason.then(|| Reason::ALL[(self.key.rule & !REASON) as usize])
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

impl EdgeEntry {
    /// The entry of one share of a connection; it counts no connection yet.
    pub(super) fn of(
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
                client_zone: ruling.zones.client.0,
                server_zone: ruling.zones.server.0,
            },
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
            records: totals.records,
            connections: 0,
            packets: totals.packets,
            bytes: totals.bytes,
            origin: totals.origin,
        }
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

impl EdgeEntry {
    pub(super) fn miss(&self) -> Option<Miss> {
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
