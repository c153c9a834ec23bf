//! What tells connections apart: protocol and both ends.

use crate::judge::arena::mix;
use crate::net::Addr;

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

impl End {
    /// A 64-bit hash, the same in every run.
    pub fn hash(&self) -> u64 {
        let bits = self.addr.bits();
        let small = u64::from(self.home.0) << 16 | u64::from(self.port);
        mix(
            bits as u64 ^ ((bits >> 64) as u64).rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15,
            small ^ 0xd1b5_4a32_d192_ed03,
        )
    }
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
    /// 128 bits that stand for (protocol, end) in carried evidence, the lowest bit free.
    pub fn fingerprint(&self, protocol: u8) -> u128 {
        let mut bytes = [0u8; 21];
        bytes[..16].copy_from_slice(&self.addr.bits().to_le_bytes());
        bytes[16..18].copy_from_slice(&self.port.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.home.0.to_le_bytes());
        bytes[20] = protocol;
        xxhash_rust::xxh3::xxh3_128(&bytes) & !1
    }
}
