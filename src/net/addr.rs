//! An address as the program compares it: 128 bits, with IPv4 in its mapped form, so that one type serves both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address, canonical: `::ffff:a.b.c.d` and `64:ff9b::a.b.c.d` (RFC 6052) are the IPv4 address inside.
///
/// The order is that of the 128 bits, so IPv4 addresses sort among themselves as numbers and before global IPv6 ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(u128);

const MAPPED: u128 = 0xffff_0000_0000;
const NAT64: u128 = 0x0064_ff9b_u128 << 96;

impl Addr {
    /// The IPv4 address with these 32 bits, most significant first.
    #[inline]
    pub const fn from_v4(bits: u32) -> Addr {
        Addr(MAPPED | bits as u128)
    }

    /// The address with these 128 bits, brought into canonical form.
    #[inline]
    pub const fn from_v6(bits: u128) -> Addr {
        if bits >> 32 == NAT64 >> 32 {
            Addr::from_v4(bits as u32)
        } else {
            Addr(bits)
        }
    }

    /// The canonical form of a standard library address.
    pub fn from_ip(ip: IpAddr) -> Addr {
        match ip {
            IpAddr::V4(ip) => Addr::from_v4(ip.to_bits()),
            IpAddr::V6(ip) => Addr::from_v6(ip.to_bits()),
        }
    }

    /// The 128 bits; IPv4 is mapped (`::ffff:a.b.c.d`).
    #[inline]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The 32 bits of an IPv4 address, none for IPv6.
    #[inline]
    pub const fn v4(self) -> Option<u32> {
        if self.is_v4() {
            Some(self.0 as u32)
        } else {
            None
        }
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }

    /// How many bits an address of its family has: the length of the longest prefix.
    #[inline]
    pub const fn width(self) -> u8 {
        if self.is_v4() { 32 } else { 128 }
    }

    /// The standard library's form.
    pub fn to_ip(self) -> IpAddr {
        match self.v4() {
            Some(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            None => IpAddr::V6(Ipv6Addr::from_bits(self.0)),
        }
    }

    /// Whether the address is private: RFC 1918, RFC 6598 (100.64.0.0/10) or a unique local IPv6 address (RFC 4193).
    pub fn is_private(self) -> bool {
        match self.v4() {
            Some(bits) => {
                bits >> 24 == 10
                    || bits >> 20 == 0xac1
                    || bits >> 16 == 0xc0a8
                    || bits >> 22 == 0x6440_0000 >> 22
            }
            None => self.0 >> 121 == 0xfc >> 1,
        }
    }

    /// Whether the address means something only on its own link or host: link-local, multicast, loopback, broadcast,
    /// unspecified.
    pub fn is_local(self) -> bool {
        match self.v4() {
            Some(bits) => {
                bits >> 16 == 0xa9fe
                    || bits >> 28 == 0xe
                    || bits >> 24 == 127
                    || bits == u32::MAX
                    || bits >> 24 == 0
            }
            None => self.0 >> 118 == 0xfe80 >> 6 || self.0 >> 120 == 0xff || self.0 <= 1,
        }
    }

    /// The address of the enclosing prefix that stands for a place on the internet: /24 for IPv4, /48 for IPv6.
    pub fn neighbourhood(self) -> (Addr, u8) {
        match self.v4() {
            Some(bits) => (Addr::from_v4(bits & 0xffff_ff00), 24),
            None => (Addr(self.0 & !(u128::MAX >> 48)), 48),
        }
    }
}

impl std::str::FromStr for Addr {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Addr, Self::Err> {
        text.parse().map(Addr::from_ip)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse().expect("a test address")
    }

    #[test]
    fn mapped_and_nat64_addresses_are_ipv4() {
        assert_eq!(addr("::ffff:10.0.0.1"), addr("10.0.0.1"));
        assert_eq!(addr("64:ff9b::a00:1"), addr("10.0.0.1"));
        assert!(!addr("64:ff9b:1::a00:1").is_v4());
        assert!(!addr("::10.0.0.1").is_v4());
    }

    #[test]
    fn private_and_local_ranges_end_where_their_rfcs_say() {
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "fc00::",
            "fdff::1",
        ] {
            assert!(addr(inside).is_private(), "{inside}");
        }
        for outside in [
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "fe00::",
            "2001:db8::1",
        ] {
            assert!(!addr(outside).is_private(), "{outside}");
        }
        for local in [
            "169.254.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "127.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::1",
            "::",
        ] {
            assert!(addr(local).is_local(), "{local}");
        }
        for other in [
            "169.253.0.1",
            "240.0.0.1",
            "223.255.255.255",
            "fec0::1",
            "::2",
            "10.0.0.1",
        ] {
            assert!(!addr(other).is_local(), "{other}");
        }
    }
}
