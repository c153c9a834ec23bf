//! A connection within a slot: its key, and what each interface said of each direction.
//!
//! Everything that the judge concludes is a function of these views, so merging two halves of a connection (from two
//! threads, or from a spilled run) is merging their views: or, min, max and sum only.

use crate::flow::{Action, Direction, Record};
use crate::net::Addr;
use crate::net::aws::Service;

use super::arena::mix;
use super::reporter::ReporterId;

/// Protocol and both ends, the smaller end first, so that both directions have one key.
///
/// An end is the network that its address resolved in (for an outside end the record's own, marked), its address and
/// its port. Interfaces are no part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct Key {
    /// Address of the low end.
    pub low: Addr,
    /// Address of the high end.
    pub high: Addr,
    /// Port of the low end.
    pub low_port: u16,
    /// Port of the high end.
    pub high_port: u16,
    /// Home of the low end.
    pub low_home: Home,
    /// Home of the high end.
    pub high_home: Home,
    /// IANA protocol number.
    pub protocol: u8,
}

/// The network of an end: an index, with the top bit set where the address lies outside and the network is that of the
/// record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Home(pub u16);

impl Home {
    const OUTSIDE: u16 = 0x8000;

    /// The home of an address in a network's own prefixes.
    pub fn inside(network: u16) -> Home {
        Home(network)
    }

    /// The home of an address outside, told of by a record of this network.
    pub fn outside(network: u16) -> Home {
        Home(network | Home::OUTSIDE)
    }

    /// The network's index, whether the address is inside or not.
    pub fn network(self) -> u16 {
        self.0 & !Home::OUTSIDE
    }
}

/// One of a connection's ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The low end of the key.
    Low,
    /// The high end of the key.
    High,
}

impl Side {
    /// The other end.
    pub fn other(self) -> Side {
        match self {
            Side::Low => Side::High,
            Side::High => Side::Low,
        }
    }
}

/// An end, pulled out of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct End {
    /// Its network.
    pub home: Home,
    /// Its address.
    pub addr: Addr,
    /// Its port; 0 where the protocol has none.
    pub port: u16,
}

impl Key {
    /// The key of a record from `source` to `target`, and the side that sent.
    #[inline]
    pub fn of(source: End, target: End, protocol: u8) -> (Key, Side) {
        let (low, high, sender) = if source <= target {
            (source, target, Side::Low)
        } else {
            (target, source, Side::High)
        };
        let key = Key {
            low: low.addr,
            high: high.addr,
            low_port: low.port,
            high_port: high.port,
            low_home: low.home,
            high_home: high.home,
            protocol,
        };
        (key, sender)
    }

    /// One end of the key.
    #[inline]
    pub fn end(&self, side: Side) -> End {
        match side {
            Side::Low => End {
                home: self.low_home,
                addr: self.low,
                port: self.low_port,
            },
            Side::High => End {
                home: self.high_home,
                addr: self.high,
                port: self.high_port,
            },
        }
    }

    fn small(&self) -> u64 {
        u64::from(self.low_port)
            | u64::from(self.high_port) << 16
            | u64::from(self.low_home.0 ^ self.high_home.0.rotate_left(8)) << 32
            | u64::from(self.protocol) << 48
    }

    /// A 64-bit hash: the upper half finds a place in a table, the lowest bits pick a partition.
    #[inline]
    pub fn hash(&self) -> u64 {
        let (low, high) = (self.low.bits(), self.high.bits());
        let addresses = mix(
            low as u64 ^ 0x9e37_79b9_7f4a_7c15,
            high as u64 ^ 0xd1b5_4a32_d192_ed03,
        );
        let upper = (low >> 64) as u64 ^ ((high >> 64) as u64).rotate_left(32);
        mix(addresses ^ upper, self.small() ^ 0x8cb9_2ba7_2f3d_8dd7)
    }

    /// 128 bits that stand for the key in carried evidence, the lowest bit free. Equal keys have equal fingerprints in
    /// every run and version.
    pub fn fingerprint(&self) -> u128 {
        let mut bytes = [0u8; 41];
        bytes[..16].copy_from_slice(&self.low.bits().to_le_bytes());
        bytes[16..32].copy_from_slice(&self.high.bits().to_le_bytes());
        bytes[32..34].copy_from_slice(&self.low_port.to_le_bytes());
        bytes[34..36].copy_from_slice(&self.high_port.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.low_home.0.to_le_bytes());
        bytes[38..40].copy_from_slice(&self.high_home.0.to_le_bytes());
        bytes[40] = self.protocol;
        xxhash_rust::xxh3::xxh3_128(&bytes) & !1
    }
}

impl End {
    /// 128 bits that stand for (protocol, end) in carried evidence.
    pub fn fingerprint(&self, protocol: u8) -> u128 {
        let mut bytes = [0u8; 21];
        bytes[..16].copy_from_slice(&self.addr.bits().to_le_bytes());
        bytes[16..18].copy_from_slice(&self.port.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.home.0.to_le_bytes());
        bytes[20] = protocol;
        xxhash_rust::xxh3::xxh3_128(&bytes)
    }
}

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
        let start = if record.start != 0 {
            record.start
        } else {
            record.end
        };
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

/// How many views a connection holds inline: both directions at both ends. More go into the table's overflow.
pub const INLINE_VIEWS: usize = 4;

/// A connection of a slot, 256 bytes: the key and the tags in the first cache line, the views behind.
#[derive(Clone, Copy, Debug, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
pub struct Connection {
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    low_home: u16,
    high_home: u16,
    protocol: u8,
    /// How many of the inline views are in use.
    inline: u8,
    /// Which service fields records had: bit 0 the low end's, bit 1 the high end's.
    services_known: u8,
    /// 1 if the table's overflow holds more views.
    overflowed: u8,
    tags: [Tag; INLINE_VIEWS],
    /// Kinds of all records of each sender, and of the accepted ones.
    kinds: [u8; 2],
    accepted: [u8; 2],
    views: [View; INLINE_VIEWS],
    /// AWS services that records name, by end: bit `i` is `net::aws::SERVICES[i]`.
    services: [u32; 2],
    /// Objects that hold records of it: bit (rank modulo 64).
    pub objects: u64,
    more_spare: [u64; 2],
}

const _: () = assert!(size_of::<Connection>() == 256);

/// One record on its way into a connection.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// The connection's key.
    pub key: Key,
    /// The key's hash.
    pub hash: u64,
    /// Which view it belongs to.
    pub tag: Tag,
    /// What it adds there.
    pub view: View,
    /// Service of the low and the high end.
    pub services: [Service; 2],
}

impl Connection {
    /// A connection without views.
    pub fn new(key: &Key) -> Connection {
        let words = |addr: Addr| [addr.bits() as u64, (addr.bits() >> 64) as u64];
        Connection {
            low: words(key.low),
            high: words(key.high),
            low_port: key.low_port,
            high_port: key.high_port,
            low_home: key.low_home.0,
            high_home: key.high_home.0,
            protocol: key.protocol,
            ..bytemuck::Zeroable::zeroed()
        }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> Key {
        let addr =
            |words: [u64; 2]| Addr::from_v6(u128::from(words[0]) | u128::from(words[1]) << 64);
        Key {
            low: addr(self.low),
            high: addr(self.high),
            low_port: self.low_port,
            high_port: self.high_port,
            low_home: Home(self.low_home),
            high_home: Home(self.high_home),
            protocol: self.protocol,
        }
    }

    /// Whether this is the connection of that key.
    #[inline]
    pub fn is(&self, key: &Key) -> bool {
        let same = |words: &[u64; 2], addr: Addr| {
            words[0] == addr.bits() as u64 && words[1] == (addr.bits() >> 64) as u64
        };
        same(&self.low, key.low)
            && same(&self.high, key.high)
            && self.low_port == key.low_port
            && self.high_port == key.high_port
            && self.protocol == key.protocol
            && self.low_home == key.low_home.0
            && self.high_home == key.high_home.0
    }

    /// Its inline views with their tags.
    #[inline]
    pub fn inline_views(&self) -> impl Iterator<Item = (Tag, &View)> + Clone {
        self.tags[..self.inline as usize]
            .iter()
            .copied()
            .zip(&self.views[..self.inline as usize])
    }

    /// Whether the table's overflow holds more views.
    #[inline]
    pub fn has_overflow(&self) -> bool {
        self.overflowed != 0
    }

    /// Adds a view; false if it has no room, and the table's overflow must take it.
    #[inline]
    pub fn add(&mut self, tag: Tag, view: &View) -> bool {
        let sender = tag.sender() as usize;
        self.kinds[sender] |= view.kinds;
        if tag.lane() == Lane::Accepted {
            self.accepted[sender] |= view.kinds;
        }
        let used = self.inline as usize;
        for place in 0..used {
            if self.tags[place] == tag {
                self.views[place].merge(view);
                return true;
            }
        }
        if used == INLINE_VIEWS {
            self.overflowed = 1;
            return false;
        }
        self.tags[used] = tag;
        self.views[used] = *view;
        self.inline += 1;
        true
    }

    /// Notes what a record says of the ends' services.
    #[inline]
    pub fn add_services(&mut self, services: [Service; 2]) {
        for (end, service) in services.into_iter().enumerate() {
            if service != Service::Unknown {
                self.services_known |= 1 << end;
                self.services[end] |= service.bits() as u32;
            }
        }
    }

    /// Kinds of all records of a sender; empty if there is none.
    #[inline]
    pub fn kinds(&self, sender: Side) -> Kinds {
        Kinds(self.kinds[sender as usize])
    }

    /// Kinds of the accepted records of a sender; empty if there is none.
    #[inline]
    pub fn accepted(&self, sender: Side) -> Kinds {
        Kinds(self.accepted[sender as usize])
    }

    /// Adds what another half of the same connection knows, but for its views.
    pub fn merge_facts(&mut self, other: &Connection) {
        self.services_known |= other.services_known;
        self.services[0] |= other.services[0];
        self.services[1] |= other.services[1];
        self.objects |= other.objects;
    }

    /// The services of an end, and whether any record had the field.
    pub fn services(&self, side: Side) -> (u64, bool) {
        let end = side as usize;
        (
            u64::from(self.services[end]),
            self.services_known & 1 << end != 0,
        )
    }
}
