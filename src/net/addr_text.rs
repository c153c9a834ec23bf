//! An address as text, without the standard library's formatter: every edge and every kept record has two of them.

use super::Addr;

/// The longest address: eight groups of four digits, and the colons between them.
const LONGEST: usize = 39;

/// The text of an address, as the standard library writes it (RFC 5952).
pub struct AddrText {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AddrText {
    /// The text of this address.
    pub fn of(addr: Addr) -> AddrText {
        let mut text = AddrText {
            bytes: [0; LONGEST],
            length: 0,
        };
        match addr.v4() {
            Some(bits) => text.push_v4(bits),
            None => text.push_v6(addr.bits()),
        }
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("digits, dots and colons are ASCII")
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn push_v4(&mut self, bits: u32) {
        for (index, byte) in bits.to_be_bytes().into_iter().enumerate() {
            if index > 0 {
                self.push(b'.');
            }
            if byte >= 100 {
                self.push(b'0' + byte / 100);
            }
            if byte >= 10 {
                self.push(b'0' + byte / 10 % 10);
            }
            self.push(b'0' + byte % 10);
        }
    }

    fn push_v6(&mut self, bits: u128) {
        let groups: [u16; 8] = std::array::from_fn(|group| (bits >> (112 - 16 * group)) as u16);
        let left_out = longest_zeros(&groups);
        let mut group = 0;
        while group < groups.len() {
            if group == left_out.start && !left_out.is_empty() {
                self.push(b':');
                self.push(b':');
                group = left_out.end;
                continue;
            }
            if group > 0 && group != left_out.end {
                self.push(b':');
            }
            self.push_group(groups[group]);
            group += 1;
        }
    }

    /// Hexadecimal without leading zeros.
    fn push_group(&mut self, group: u16) {
        let digits = (u16::BITS - group.leading_zeros()).div_ceil(4).max(1);
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[usize::from(group >> (4 * digit) & 15)]);
        }
    }
}

/// The first of the longest runs of at least two zeros; else an empty one at the end.
fn longest_zeros(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 8..8;
    let mut start = 0;
    for (place, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = place + 1;
        } else if place + 1 - start > longest.len().max(1) {
            longest = start..place + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_writes_them(bits in any::<u128>(), zeros in any::<u8>(), short in any::<u64>(), v4 in any::<u32>()) {
            // Some groups are zero, others have few digits.
            let mut groups: [u16; 8] = std::array::from_fn(|group| (bits >> (16 * group)) as u16);
            for (place, group) in groups.iter_mut().enumerate() {
                *group >>= (short >> (4 * place) & 15) as u32;
                if zeros >> place & 1 == 1 {
                    *group = 0;
                }
            }
            let v6 = std::net::Ipv6Addr::from(groups).to_bits();
            for addr in [Addr::from_v6(v6), Addr::from_v6(bits), Addr::from_v4(v4)] {
                let text = AddrText::of(addr);
                prop_assert_eq!(text.as_str(), addr.to_ip().to_string());
            }
        }
    }

    #[test]
    fn zeros_at_either_end_and_throughout() {
        for text in [
            "::",
            "::1",
            "1::",
            "fe80::10",
            "1:0:2::",
            "::2:0:0:0:1",
            "2001:db8::1",
            "0.0.0.0",
            "255.255.255.255",
        ] {
            let addr: Addr = text.parse().expect("an address");
            assert_eq!(AddrText::of(addr).as_str(), text);
        }
    }
}
