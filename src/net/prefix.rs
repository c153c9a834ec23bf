//! A prefix of address space, `10.0.0.0/16`, in the canonical form of [`Addr`].

use std::fmt;
use std::str::FromStr;

use super::Addr;

/// An IPv4 or IPv6 prefix without host bits. A prefix of mapped or NAT64 addresses is the IPv4 prefix inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    first: Addr,
    len: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrefixError {
    /// Not an address, or not followed by `/` and a number.
    #[error("expected a prefix like 10.0.0.0/16 or 2001:db8::/32")]
    Syntax,
    /// Longer than the address.
    #[error("expected a length up to {longest}")]
    Length {
        /// The longest length of the family.
        longest: u8,
    },
    /// Bits are set behind the length.
    #[error("expected no bits behind the length, as in {meant}")]
    HostBits {
        /// The prefix that holds the address.
        meant: Prefix,
    },
    /// All of `::ffff:0:0/96` or `64:ff9b::/96`, which stand for IPv4 as a whole.
    #[error("expected an IPv4 prefix: addresses of this range count as the IPv4 address inside")]
    AllOfIpv4,
}

impl Prefix {
    /// The prefix of this length that holds the address; `len` counts from the first bit of the address's own family
    /// and must not exceed it.
    pub fn of(addr: Addr, len: u8) -> Prefix {
        assert!(
            len <= addr.width(),
            "a prefix is no longer than its address"
        );
        Prefix {
            first: Prefix::masked(addr, len),
            len,
        }
    }

    fn masked(addr: Addr, len: u8) -> Addr {
        match addr.v4() {
            Some(bits) => {
                Addr::from_v4(bits & u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0))
            }
            None => Addr::from_v6(
                addr.bits() & u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0),
            ),
        }
    }

    /// The first address.
    pub fn first(self) -> Addr {
        self.first
    }

    /// The last address.
    pub fn last(self) -> Addr {
        match self.first.v4() {
            Some(bits) => {
                Addr::from_v4(bits | u32::MAX.checked_shr(u32::from(self.len)).unwrap_or(0))
            }
            None => Addr::from_v6(
                self.first.bits() | u128::MAX.checked_shr(u32::from(self.len)).unwrap_or(0),
            ),
        }
    }

    /// The number of fixed bits: up to 32 for IPv4, up to 128 for IPv6.
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether this is all of its family.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether this is IPv4.
    pub fn is_v4(self) -> bool {
        self.first.is_v4()
    }

    /// Whether the address lies inside. `::/0` does not hold IPv4.
    pub fn contains(self, addr: Addr) -> bool {
        self.is_v4() == addr.is_v4() && Prefix::masked(addr, self.len) == self.first
    }

    /// Whether all of `other` lies inside.
    pub fn covers(self, other: Prefix) -> bool {
        other.len >= self.len && self.contains(other.first)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `ADDRESS/LENGTH`, or an address alone as the prefix of just that address.
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let written: std::net::IpAddr = address.parse().map_err(|_| PrefixError::Syntax)?;
        let longest = if written.is_ipv4() { 32 } else { 128 };
        let len = match len {
            None => longest,
            Some(digits)
                if !digits.is_empty()
                    && digits.len() <= 3
                    && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                let len: u16 = digits.parse().map_err(|_| PrefixError::Syntax)?;
                u8::try_from(len)
                    .ok()
                    .filter(|len| *len <= longest)
                    .ok_or(PrefixError::Length { longest })?
            }
            Some(_) => return Err(PrefixError::Syntax),
        };
        let addr = Addr::from_ip(written);
        let len = match addr.is_v4() && written.is_ipv6() {
            false => len,
            true if len > 96 => len - 96,
            true => return Err(PrefixError::AllOfIpv4),
        };
        let meant = Prefix::of(addr, len);
        if meant.first != addr {
            Err(PrefixError::HostBits { meant })
        } else {
            Ok(meant)
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.len)
    }
}

/// The fewest prefixes that hold the same addresses: without those that others hold, and with halves put together. IPv4
/// first, each family in order.
pub fn merged(prefixes: impl IntoIterator<Item = Prefix>) -> Vec<Prefix> {
    let mut sorted: Vec<Prefix> = prefixes.into_iter().collect();
    sorted.sort_unstable_by_key(|prefix| (!prefix.is_v4(), *prefix));
    let mut kept: Vec<Prefix> = Vec::new();
    for prefix in sorted {
        if kept.last().is_some_and(|last| last.covers(prefix)) {
            continue;
        }
        kept.push(prefix);
        // Two halves of one prefix are that prefix, which may be a half itself.
        while let [.., lower, upper] = kept.as_slice() {
            let Some(whole) = parent(*lower)
                .filter(|whole| lower.len() == upper.len() && parent(*upper) == Some(*whole))
            else {
                break;
            };
            kept.truncate(kept.len() - 2);
            kept.push(whole);
        }
    }
    kept
}

/// The prefix that is one bit shorter; none for all of a family.
fn parent(prefix: Prefix) -> Option<Prefix> {
    let shorter = prefix.len().checked_sub(1)?;
    Some(Prefix::of(prefix.first(), shorter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match text.parse::<Prefix>() {
            Ok(prefix) => format!("{prefix}: {} to {}", prefix.first(), prefix.last()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn prefixes_are_read_and_printed() {
        check("10.0.0.0/16", "10.0.0.0/16: 10.0.0.0 to 10.0.255.255");
        check("10.1.2.3", "10.1.2.3/32: 10.1.2.3 to 10.1.2.3");
        check("0.0.0.0/0", "0.0.0.0/0: 0.0.0.0 to 255.255.255.255");
        check(
            "::/0",
            "::/0: :: to ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        );
        check(
            "2600:1f16::/32",
            "2600:1f16::/32: 2600:1f16:: to 2600:1f16:ffff:ffff:ffff:ffff:ffff:ffff",
        );
    }

    #[test]
    fn mapped_and_nat64_prefixes_are_ipv4() {
        check(
            "::ffff:10.0.0.0/112",
            "10.0.0.0/16: 10.0.0.0 to 10.0.255.255",
        );
        check(
            "64:ff9b::10.0.0.0/104",
            "10.0.0.0/8: 10.0.0.0 to 10.255.255.255",
        );
        check(
            "64:ff9b::/96",
            "expected an IPv4 prefix: addresses of this range count as the IPv4 address inside",
        );
    }

    #[test]
    fn what_is_no_prefix_says_why() {
        let syntax = "expected a prefix like 10.0.0.0/16 or 2001:db8::/32";
        for text in [
            "",
            "/",
            "10.0.0/16",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10.0.0.0/+8",
            "10.0.0.0/0016",
            "vpc",
            "10.0.0.0 /8",
        ] {
            check(text, syntax);
        }
        check("10.0.0.0/33", "expected a length up to 32");
        check("2001:db8::/129", "expected a length up to 128");
        check(
            "10.0.0.1/16",
            "expected no bits behind the length, as in 10.0.0.0/16",
        );
    }

    #[test]
    fn families_do_not_hold_each_other() {
        let all: Prefix = "::/0".parse().expect("a prefix");
        assert!(!all.contains("10.0.0.1".parse().expect("an address")));
        assert!(all.contains("2001:db8::1".parse().expect("an address")));
        let outer: Prefix = "10.0.0.0/8".parse().expect("a prefix");
        assert!(outer.covers("10.0.0.0/8".parse().expect("a prefix")));
        assert!(!outer.covers("0.0.0.0/0".parse().expect("a prefix")));
    }

    #[test]
    fn prefixes_are_merged_to_the_fewest() {
        fn check(prefixes: &str, expected: &str) {
            let words = prefixes.split(' ').filter(|word| !word.is_empty());
            let shown: Vec<String> = merged(words.map(|word| word.parse().expect("a prefix")))
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(shown.join(" "), expected, "{prefixes}");
        }
        check("", "");
        check("10.0.0.0/16 10.0.1.0/24", "10.0.0.0/16");
        check("10.0.1.0/24 10.0.0.0/24", "10.0.0.0/23");
        check("10.0.1.0/24 10.0.2.0/24", "10.0.1.0/24 10.0.2.0/24");
        check("10.0.0.0/24 10.0.1.0/24 10.0.2.0/23", "10.0.0.0/22");
        check("10.0.2.0/24 10.0.0.0/23 10.0.3.0/24", "10.0.0.0/22");
        check("10.0.0.3 10.0.0.0 10.0.0.2 10.0.0.1", "10.0.0.0/30");
        check("10.0.0.0/24 10.0.0.7 10.0.0.7", "10.0.0.0/24");
        check("0.0.0.0/1 128.0.0.0/1", "0.0.0.0/0");
        check("0.0.0.0/0 10.0.0.0/8 ::/0 2600::/12", "0.0.0.0/0 ::/0");
        check(
            "2001:db8::1 10.0.0.1 2001:db8::",
            "10.0.0.1/32 2001:db8::/127",
        );
    }
}
