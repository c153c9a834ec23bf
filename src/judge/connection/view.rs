//! What one reporter said of one direction: merged by or, min, max and sum only.

use super::Side;
use crate::flow::{Action, Direction, Record};
use crate::judge::reporter::ReporterId;

/// Which of a record's kinds a view holds apart: what was accepted, and rejects by what their flags can mean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Lane {
    /// ACCEPT.
    Accepted = 0,
    /// REJECT with its own SYN.
    RejectedSyn = 1,
    /// REJECT with SYN and ACK.
    RejectedSynAck = 2,
    /// REJECT with known flags and no SYN.
    RejectedPlain = 3,
    /// REJECT with flags unknown, or of a protocol without flags.
    RejectedUnknown = 4,
    /// A transit gateway's record: it has no action.
    Forwarded = 5,
}

impl Lane {
    const ALL: [Lane; 6] = [
        Lane::Accepted,
        Lane::RejectedSyn,
        Lane::RejectedSynAck,
        Lane::RejectedPlain,
        Lane::RejectedUnknown,
        Lane::Forwarded,
    ];

    /// The lane of a record.
    #[inline]
    pub fn of(record: &Record) -> Lane {
        match record.action {
            Action::Accept => Lane::Accepted,
            Action::Absent => Lane::Forwarded,
            Action::Reject => match Kinds::of(record) {
                Kinds::SYN => Lane::RejectedSyn,
                Kinds::SYN_ACK => Lane::RejectedSynAck,
                Kinds::UNKNOWN => Lane::RejectedUnknown,
                _ => Lane::RejectedPlain,
            },
        }
    }

    /// Whether AWS rejected the records of this lane.
    pub fn is_reject(self) -> bool {
        !matches!(self, Lane::Accepted | Lane::Forwarded)
    }
}

/// Kinds of TCP records, a set of bits. Every record has exactly one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kinds(pub u8);

impl Kinds {
    /// SYN without ACK.
    pub const SYN: Kinds = Kinds(1);
    /// SYN and ACK.
    pub const SYN_ACK: Kinds = Kinds(2);
    /// RST without SYN.
    pub const RST: Kinds = Kinds(4);
    /// Known to carry neither SYN nor RST.
    pub const PLAIN: Kinds = Kinds(8);
    /// Flags unknown, or no such protocol.
    pub const UNKNOWN: Kinds = Kinds(16);

    /// The kind of a record. Bits are tested, never equality: flags are OR-ed over the capture window.
    #[inline]
    pub fn of(record: &Record) -> Kinds {
        const SYN: u8 = 2;
        const RST: u8 = 4;
        const ACK: u8 = 16;
        match record.tcp_flags {
            None => Kinds::UNKNOWN,
            Some(flags) if flags & SYN != 0 && flags & ACK == 0 => Kinds::SYN,
            Some(flags) if flags & SYN != 0 => Kinds::SYN_ACK,
            Some(flags) if flags & RST != 0 => Kinds::RST,
            Some(_) => Kinds::PLAIN,
        }
    }

    /// The kinds that are in both sets.
    #[inline]
    pub fn common(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// Whether any of `other`'s kinds is in the set.
    #[inline]
    pub fn has(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    pub fn with(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

/// Names a view within its connection: who reported, at which side of the traffic, which lane, which direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of a record. At most 2^26 reporters.
    #[inline]
    pub fn new(reporter: ReporterId, direction: Direction, lane: Lane, sender: Side) -> Tag {
        let at = match direction {
            Direction::Unknown => 0,
            Direction::Egress => 1,
            Direction::Ingress => 2,
        };
        Tag(reporter.0 << 6 | at << 4 | (lane as u32) << 1 | sender as u32)
    }

    /// Who reported.
    pub fn reporter(self) -> ReporterId {
        ReporterId(self.0 >> 6)
    }

    /// Which way the traffic went at the reporter.
    pub fn direction(self) -> Direction {
        match self.0 >> 4 & 3 {
            1 => Direction::Egress,
            2 => Direction::Ingress,
            _ => Direction::Unknown,
        }
    }

    /// The lane.
    pub fn lane(self) -> Lane {
        Lane::ALL[(self.0 >> 1 & 7) as usize]
    }

    /// Which end of the key sent.
    pub fn sender(self) -> Side {
        if self.0 & 1 == 0 {
            Side::Low
        } else {
            Side::High
        }
    }
}

/// What one reporter said of one direction and lane, summed over its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct View {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// The smallest origin of its records.
    pub origin: Origin,
    /// Earliest start (or end, where a record has no start), seconds.
    pub start: u32,
    /// Latest end, seconds.
    pub end: u32,
    /// Records.
    pub records: u32,
    /// Ways out that records told of.
    pub ways: Ways,
    /// Kinds of its records.
    pub kinds: u8,
    /// Encryption statuses that records told of: bit 0 none (status 0), bit 1 some (1 to 3).
    pub encryption: u8,
}

/// Where a record stands: the rank of its object's URL among the run's objects of the day, and its line. Ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub struct Origin(pub u64);

impl Origin {
    /// The origin of a line (or row) in an object.
    #[inline]
    pub fn new(object: u32, line: u64) -> Origin {
        Origin(u64::from(object) << 32 | line.min(u64::from(u32::MAX)))
    }

    /// The rank of the object.
    pub fn object(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The line.
    pub fn line(self) -> u64 {
        self.0 & u64::from(u32::MAX)
    }
}

/// Ways out as records name them, a set: `traffic-path` codes 1 to 8, and a NAT gateway as the next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub struct Ways(pub u16);

impl Ways {
    /// The next hop is a NAT gateway.
    pub const NEXT_HOP_NAT: Ways = Ways(1);

    /// The way that a `traffic-path` code names; none for 0 and unknown codes.
    #[inline]
    pub fn of_traffic_path(code: u8) -> Ways {
        if (1..=8).contains(&code) {
            Ways(1 << code)
        } else {
            Ways(0)
        }
    }

    /// Whether the `traffic-path` code is among them.
    pub fn has(self, code: u8) -> bool {
        self.0 & 1 << code != 0
    }
}

impl View {
    /// The view of one record.
    #[inline]
    pub fn of(record: &Record, origin: Origin, next_hop_nat: bool) -> View {
        let start = record.instant();
        let mut ways = Ways::of_traffic_path(record.traffic_path);
        if next_hop_nat {
            ways.0 |= Ways::NEXT_HOP_NAT.0;
        }
        View {
            packets: record.packets,
            bytes: record.bytes,
            origin,
            start,
            end: record.end.max(start),
            records: 1,
            ways,
            kinds: Kinds::of(record).0,
            encryption: match record.encryption {
                None => 0,
                Some(0) => 1,
                Some(_) => 2,
            },
        }
    }

    /// Adds another view of the same tag.
    #[inline]
    pub fn merge(&mut self, other: &View) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.origin = self.origin.min(other.origin);
        self.start = match (self.start, other.start) {
            (0, start) | (start, 0) => start,
            (a, b) => a.min(b),
        };
        self.end = self.end.max(other.end);
        self.records = self.records.saturating_add(other.records);
        self.ways.0 |= other.ways.0;
        self.kinds |= other.kinds;
        self.encryption |= other.encryption;
    }
}
