//! Address space cut by both policies: each region holds the addresses that either of them puts into one class.

use std::collections::BTreeMap;

use crate::net::{Addr, Prefix};
use crate::policy::{ClassId, NetworkId, Policy};

/// A policy as one of its networks sees it at an instant.
#[derive(Clone, Copy)]
pub(super) struct View<'p> {
    pub(super) policy: &'p Policy,
    pub(super) network: NetworkId,
    /// Seconds since 1970.
    pub(super) at: u32,
}

/// Addresses from the first to the last, both included; of one family.
pub type Range = (Addr, Addr);

/// Addresses of one family that neither policy tells apart.
pub(super) struct Region {
    pub(super) ipv4: bool,
    /// Their class in the old policy, and in the new one.
    pub(super) classes: [ClassId; 2],
    /// Ascending; no two touch.
    pub(super) ranges: Vec<Range>,
}

/// Prefixes of IPv6 space whose addresses stand for IPv4 ones: the mapped form is how they are held, that of NAT64 never.
const MAPPED: u128 = Addr::from_v4(0).bits();
const NAT64: u128 = 0x0064_ff9b_u128 << 96;
const NUM_IPV4: u128 = 1 << 32;

/// All regions but those of local addresses (link-local, multicast, loopback), whose traffic is never judged; in the
/// order of their first addresses.
pub(super) fn regions(views: [View<'_>; 2]) -> Vec<Region> {
    let ends_of_ipv4 = [MAPPED, MAPPED + NUM_IPV4, NAT64, NAT64 + NUM_IPV4];
    let mut cuts: Vec<u128> = ends_of_ipv4.into_iter().chain([0]).collect();
    for view in views {
        cuts.extend(view.policy.space.cuts(view.network, view.at));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut regions: Vec<Region> = Vec::new();
    let mut numbers: BTreeMap<(bool, [ClassId; 2]), usize> = BTreeMap::new();
    for (at, first) in cuts.iter().enumerate() {
        let last = cuts.get(at + 1).map_or(u128::MAX, |next| next - 1);
        let is_nat64 = (NAT64..NAT64 + NUM_IPV4).contains(first);
        let addr = Addr::from_v6(*first);
        if is_nat64 || addr.is_local() {
            continue;
        }
        let classes = views.map(|view| view.policy.place(view.network, addr, view.at).class);
        let number = *numbers.entry((addr.is_v4(), classes)).or_insert_with(|| {
            regions.push(Region {
                ipv4: addr.is_v4(),
                classes,
                ranges: Vec::new(),
            });
            regions.len() - 1
        });
        add(&mut regions[number].ranges, (addr, Addr::from_v6(last)));
    }
    regions
}

/// Adds a range behind all others; one that touches the last prolongs it.
fn add(ranges: &mut Vec<Range>, range: Range) {
    match ranges.last_mut() {
        Some(last) if last.1.bits().checked_add(1) == Some(range.0.bits()) => last.1 = range.1,
        _ => ranges.push(range),
    }
}

/// Ranges in ascending order, those that touch as one. They must not overlap, and touch within a family only.
pub fn sorted(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last() {
            Some(last) if last.0.is_v4() != range.0.is_v4() => joined.push(range),
            _ => add(&mut joined, range),
        }
    }
    joined
}

/// The fewest prefixes that hold just these addresses.
pub fn prefixes(ranges: &[Range]) -> Vec<Prefix> {
    let mut prefixes = Vec::new();
    for (first, last) in ranges {
        let width = u32::from(first.width());
        let mut from = first.bits();
        loop {
            // As many bits as the alignment of the first address and the number of those left allow.
            let left = last.bits() - from;
            let fits = match left.checked_add(1) {
                Some(count) => count.ilog2(),
                None => 128,
            };
            let bits = from.trailing_zeros().min(fits).min(width);
            prefixes.push(Prefix::of(Addr::from_v6(from), (width - bits) as u8));
            let next = 1u128
                .checked_shl(bits)
                .and_then(|size| from.checked_add(size));
            match next.filter(|next| *next <= last.bits()) {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &str, last: &str, expected: &[&str]) {
        let addr = |text: &str| text.parse().expect("an address");
        let found: Vec<String> = prefixes(&[(addr(first), addr(last))])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{first} to {last}");
    }

    #[test]
    fn a_range_is_the_fewest_prefixes() {
        check("10.0.0.0", "10.0.255.255", &["10.0.0.0/16"]);
        check("10.0.0.7", "10.0.0.7", &["10.0.0.7/32"]);
        check(
            "10.0.0.1",
            "10.0.0.6",
            &["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"],
        );
        check("0.0.0.0", "255.255.255.255", &["0.0.0.0/0"]);
        check(
            "255.255.255.254",
            "255.255.255.255",
            &["255.255.255.254/31"],
        );
        check("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["::/0"]);
        check(
            "2001:db8::",
            "2001:db8:0:1:ffff:ffff:ffff:ffff",
            &["2001:db8::/63"],
        );
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let addr = |text: &str| -> Addr { text.parse().expect("an address") };
        let ranges = [
            ("10.0.1.0", "10.0.1.255"),
            ("10.0.0.0", "10.0.0.255"),
            ("10.0.3.0", "10.0.3.0"),
        ];
        let ranges = ranges.map(|(first, last)| (addr(first), addr(last)));
        let expected = [
            (addr("10.0.0.0"), addr("10.0.1.255")),
            (addr("10.0.3.0"), addr("10.0.3.0")),
        ];
        assert_eq!(sorted(ranges.to_vec()), expected);
    }
}
