//! Sets of (protocol, port) pairs as policies write them: `tcp/443`, `udp/1024-65535`, `tcp/*`, `icmp`, `50`.

use std::fmt;

use super::protocol;

/// Ports of one protocol, both ends included; a protocol without ports has 0 to 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortRange {
    /// IANA protocol number.
    pub protocol: u8,
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

/// Why a text names no ports.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PortError {
    /// The protocol has no such name or number.
    #[error("unknown protocol `{0}`")]
    Protocol(String),
    /// Ports behind a protocol that has none.
    #[error("`{0}` has no ports")]
    NoPorts(String),
    /// Not a number from 0 to 65535.
    #[error("port `{0}` is out of range: expected 0 to 65535")]
    OutOfRange(String),
    /// Not a port, a range or `*`.
    #[error("expected a port, a range like 1024-65535 or *, got `{0}`")]
    Syntax(String),
    /// The first port is above the last.
    #[error("the range {0}-{1} is empty: its first port is above its last")]
    Empty(u16, u16),
}

impl std::str::FromStr for PortRange {
    type Err = PortError;

    fn from_str(text: &str) -> Result<PortRange, PortError> {
        let (name, ports) = match text.split_once('/') {
            Some((name, ports)) => (name, Some(ports)),
            None => (text, None),
        };
        let protocol =
            protocol::number(name).ok_or_else(|| PortError::Protocol(name.to_owned()))?;
        let (first, last) = match ports {
            None => (0, protocol::highest_port(protocol)),
            Some(_) if !protocol::has_ports(protocol) => {
                return Err(PortError::NoPorts(name.to_owned()));
            }
            Some("*") => (0, u16::MAX),
            Some(ports) => match ports.split_once('-') {
                None => (port(ports)?, port(ports)?),
                Some((first, last)) => (port(first)?, port(last)?),
            },
        };
        if first > last {
            return Err(PortError::Empty(first, last));
        }
        Ok(PortRange {
            protocol,
            first,
            last,
        })
    }
}

fn port(text: &str) -> Result<u16, PortError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PortError::Syntax(text.to_owned()));
    }
    text.parse()
        .map_err(|_| PortError::OutOfRange(text.to_owned()))
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match protocol::name(self.protocol) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{}", self.protocol)?,
        }
        match (self.first, self.last) {
            _ if !protocol::has_ports(self.protocol) => Ok(()),
            (0, u16::MAX) => f.write_str("/*"),
            (first, last) if first == last => write!(f, "/{first}"),
            (first, last) => write!(f, "/{first}-{last}"),
        }
    }
}

/// A set of (protocol, port) pairs: sorted ranges that neither overlap nor touch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PortSet {
    ranges: Vec<PortRange>,
}

/// All (protocol, port) pairs there are: a protocol without ports is one.
pub const NUM_PAIRS: u32 = 5 * 65536 + 251;

impl PortSet {
    /// The set's ranges, sorted by protocol, then port.
    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    /// A pair of the set to show: HTTPS if it has it, else the lowest of TCP, of UDP, of what there is; port 0 only if there
    /// is no other. None of an empty set.
    pub fn example(&self) -> Option<(u8, u16)> {
        if self.contains(protocol::TCP, 443) {
            return Some((protocol::TCP, 443));
        }
        let lowest = |protocol: Option<u8>| {
            let mut ranges = self.ranges.iter();
            let range =
                ranges.find(|range| protocol.is_none_or(|known| range.protocol == known))?;
            Some((range.protocol, range.first.max(1).min(range.last)))
        };
        [Some(protocol::TCP), Some(protocol::UDP), None]
            .into_iter()
            .find_map(lowest)
    }

    /// Whether the pair is in the set. The port of a protocol without ports is 0.
    pub fn contains(&self, protocol: u8, port: u16) -> bool {
        let behind = self
            .ranges
            .partition_point(|range| (range.protocol, range.first) <= (protocol, port));
        behind > 0
            && self.ranges[behind - 1].protocol == protocol
            && self.ranges[behind - 1].last >= port
    }

    /// Whether all of `other` is in the set.
    pub fn covers(&self, other: &PortSet) -> bool {
        other.ranges.iter().all(|range| {
            let behind = self
                .ranges
                .partition_point(|own| (own.protocol, own.first) <= (range.protocol, range.first));
            behind > 0
                && self.ranges[behind - 1].protocol == range.protocol
                && self.ranges[behind - 1].last >= range.last
        })
    }

    /// Every pair that is not in the set.
    pub fn complement(&self) -> PortSet {
        let mut ranges = Vec::new();
        let mut own = self.ranges.iter().peekable();
        for protocol in 0..=u8::MAX {
            let highest = protocol::highest_port(protocol);
            // The first port that neither the set nor the complement has yet; none behind the highest.
            let mut next = Some(0);
            while let Some(range) = own.next_if(|range| range.protocol == protocol) {
                if let Some(first) = next.filter(|first| *first < range.first) {
                    ranges.push(PortRange {
                        protocol,
                        first,
                        last: range.first - 1,
                    });
                }
                next = range.last.checked_add(1);
            }
            if let Some(first) = next.filter(|first| *first <= highest) {
                ranges.push(PortRange {
                    protocol,
                    first,
                    last: highest,
                });
            }
        }
        PortSet { ranges }
    }

    /// How many (protocol, port) pairs it holds; a protocol without ports is one.
    pub fn num_pairs(&self) -> u32 {
        self.ranges
            .iter()
            .map(|range| u32::from(range.last - range.first) + 1)
            .sum()
    }
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> PortSet {
        let mut sorted: Vec<PortRange> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last)
                    if last.protocol == range.protocol
                        && range.first <= last.last.saturating_add(1) =>
                {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        PortSet { ranges: merged }
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges.iter().enumerate() {
            write!(f, "{}{range}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found: Result<PortSet, PortError> = text.split(' ').map(str::parse).collect();
        let found = match found {
            Ok(set) => format!("{set}: {}", set.num_pairs()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_form_is_read() {
        check("tcp/443", "tcp/443: 1");
        check("udp/1024-65535", "udp/1024-65535: 64512");
        check("tcp/*", "tcp/*: 65536");
        check("icmp icmpv6", "icmp, icmpv6: 2");
        check("gre 50 6/22", "tcp/22, gre, esp: 3");
        check("tcp", "tcp/*: 65536");
        check("99", "99: 1");
    }

    #[test]
    fn overlapping_and_adjacent_ranges_are_one() {
        check(
            "tcp/80-90 tcp/85-100 tcp/101 udp/102",
            "tcp/80-101, udp/102: 23",
        );
        check("tcp/65535 tcp/0-65534", "tcp/*: 65536");
        check("icmp icmp", "icmp: 1");
    }

    #[test]
    fn what_names_no_ports_says_why() {
        check(
            "tcp/65536",
            "port `65536` is out of range: expected 0 to 65535",
        );
        check(
            "tcp/99999999999999999999",
            "port `99999999999999999999` is out of range: expected 0 to 65535",
        );
        check(
            "tcp/90-80",
            "the range 90-80 is empty: its first port is above its last",
        );
        check(
            "tcp/https",
            "expected a port, a range like 1024-65535 or *, got `https`",
        );
        check(
            "tcp/",
            "expected a port, a range like 1024-65535 or *, got ``",
        );
        check(
            "tcp/+1",
            "expected a port, a range like 1024-65535 or *, got `+1`",
        );
        check("icmp/8", "`icmp` has no ports");
        check("tpc/443", "unknown protocol `tpc`");
        check("256", "unknown protocol `256`");
    }

    #[test]
    fn membership_is_by_protocol_and_port() {
        let set: PortSet = ["tcp/80-90", "udp/85", "gre"]
            .iter()
            .map(|text| text.parse().expect("ports"))
            .collect();
        for (protocol, port, expected) in [
            (6, 79, false),
            (6, 80, true),
            (6, 90, true),
            (6, 91, false),
            (17, 85, true),
            (17, 84, false),
            (47, 0, true),
            (1, 0, false),
        ] {
            assert_eq!(set.contains(protocol, port), expected, "{protocol}/{port}");
        }
        assert!(!PortSet::default().contains(6, 80));
    }

    #[test]
    fn the_whole_is_the_sum_of_all_protocols() {
        let all: PortSet = (0..=255u8)
            .map(|protocol| {
                protocol
                    .to_string()
                    .parse::<PortRange>()
                    .expect("a protocol")
            })
            .collect();
        assert_eq!(all.num_pairs(), NUM_PAIRS);
    }

    #[test]
    fn a_complement_holds_what_the_set_does_not() {
        for text in [
            "",
            "tcp/443",
            "tcp/0-5 tcp/65535 udp/53 icmp",
            "udp/* 50",
            "0 255",
        ] {
            let words = text.split(' ').filter(|word| !word.is_empty());
            let set: PortSet = words
                .map(|word| word.parse::<PortRange>().expect("ports"))
                .collect();
            let rest = set.complement();
            assert_eq!(set.num_pairs() + rest.num_pairs(), NUM_PAIRS, "{text}");
            assert_eq!(rest.complement(), set, "{text}");
            for protocol in [0, 1, 6, 17, 50, 255] {
                for port in [0, 5, 6, 53, 443, 444, 65535] {
                    if port == 0 || protocol::has_ports(protocol) {
                        assert_ne!(
                            set.contains(protocol, port),
                            rest.contains(protocol, port),
                            "{text}: {protocol}/{port}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_set_covers_what_it_holds_all_of() {
        fn check(one: &str, other: &str, expected: bool) {
            let set = |text: &str| -> PortSet {
                let words = text.split(' ').filter(|word| !word.is_empty());
                words
                    .map(|word| word.parse::<PortRange>().expect("ports"))
                    .collect()
            };
            assert_eq!(set(one).covers(&set(other)), expected, "{one} > {other}");
        }
        check("tcp/443", "tcp/443", true);
        check("tcp/*", "tcp/1 tcp/80-90", true);
        check("tcp/80 tcp/81", "tcp/80-81", true);
        check("tcp/80 tcp/82", "tcp/80-82", false);
        check("tcp/443", "udp/443", false);
        check("tcp/443", "tcp/443 icmp", false);
        check("", "", true);
        check("", "icmp", false);
        check("icmp", "", true);
    }
}
