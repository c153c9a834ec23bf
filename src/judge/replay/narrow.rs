//! The few ranges of ports and the few prefixes that hold all that was seen: what a rule could have been.

use std::collections::BTreeSet;

use crate::net::ports::{PortRange, PortSet};
use crate::net::{Addr, Prefix, merged};

/// Ports, or addresses, that are remembered of a rule. Of more nothing narrower is told.
const MOST_SEEN: usize = 1024;

/// Ranges, or prefixes of a family, that are told.
const MOST_TOLD: usize = 8;

/// Things of which each is remembered, up to a bound.
#[derive(Clone, Debug)]
pub(super) struct Few<T> {
    seen: BTreeSet<T>,
    are_too_many: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few {
            seen: BTreeSet::new(),
            are_too_many: false,
        }
    }
}

impl<T: Ord> Few<T> {
    /// Remembers one.
    pub fn add(&mut self, one: T) {
        if self.are_too_many || self.seen.contains(&one) {
            return;
        }
        self.seen.insert(one);
        if self.seen.len() > MOST_SEEN {
            self.seen.clear();
            self.are_too_many = true;
        }
    }

    /// All of them; none if there were too many.
    fn all(&self) -> Option<&BTreeSet<T>> {
        (!self.are_too_many).then_some(&self.seen)
    }
}

/// At most eight ranges that hold all (protocol, port) pairs seen, and as little else as ranges can that are drawn together
/// where the gap is smallest. None if there were too many pairs, or more protocols than that.
pub(super) fn ranges(seen: &Few<(u8, u16)>) -> Option<PortSet> {
    let one = |(protocol, port): &(u8, u16)| PortRange {
        protocol: *protocol,
        first: *port,
        last: *port,
    };
    let exact: PortSet = seen.all()?.iter().map(one).collect();
    let mut ranges = exact.ranges().to_vec();
    while ranges.len() > MOST_TOLD {
        let gaps = ranges.windows(2).enumerate();
        let gaps = gaps.filter(|(_, pair)| pair[0].protocol == pair[1].protocol);
        let (place, _) = gaps.min_by_key(|(_, pair)| pair[1].first - pair[0].last)?;
        ranges[place].last = ranges[place + 1].last;
        ranges.remove(place + 1);
    }
    Some(ranges.into_iter().collect())
}

/// At most eight prefixes of each family that hold all addresses seen, drawn together where the common prefix is longest.
/// None if there were too many addresses.
pub(super) fn prefixes(seen: &Few<Addr>) -> Option<Vec<Prefix>> {
    let (v4, v6): (Vec<Addr>, Vec<Addr>) = seen.all()?.iter().partition(|addr| addr.is_v4());
    Some([draw_together(v4), draw_together(v6)].concat())
}

/// Prefixes in the order of their addresses; neighbours are drawn together until they are few, and as long as nothing more
/// is held by it.
fn draw_together(addrs: Vec<Addr>) -> Vec<Prefix> {
    let mut prefixes: Vec<Prefix> = addrs
        .into_iter()
        .map(|addr| Prefix::of(addr, addr.width()))
        .collect();
    loop {
        let pairs = prefixes.windows(2).enumerate();
        let Some((place, common)) = pairs
            .map(|(place, pair)| (place, common(pair[0], pair[1])))
            .max_by_key(|(place, common)| (common.len(), std::cmp::Reverse(*place)))
        else {
            return prefixes;
        };
        let halves = [prefixes[place], prefixes[place + 1]];
        let adds_nothing =
            halves.iter().all(|half| half.len() == common.len() + 1) || halves.contains(&common);
        if prefixes.len() <= MOST_TOLD && !adds_nothing {
            return prefixes;
        }
        prefixes[place] = common;
        prefixes.remove(place + 1);
    }
}

/// The longest prefix that holds both, which are of one family.
fn common(one: Prefix, other: Prefix) -> Prefix {
    let differing = one.first().bits() ^ other.first().bits();
    let before = if one.is_v4() { 96 } else { 0 };
    let same = (differing.leading_zeros() as u8).saturating_sub(before);
    Prefix::of(one.first(), same.min(one.len()).min(other.len()))
}

/// How many addresses prefixes hold of a family; prefixes that others hold are counted once.
pub(super) fn addresses(prefixes: &[Prefix], v4: bool) -> u128 {
    let own = prefixes.iter().filter(|prefix| prefix.is_v4() == v4);
    let width = if v4 { 32 } else { 128 };
    merged(own.copied()).iter().fold(0, |total: u128, prefix| {
        let size = 1u128.checked_shl(width - u32::from(prefix.len()));
        total.saturating_add(size.unwrap_or(u128::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: ToString>(items: &[T]) -> String {
        let items = items.iter().map(ToString::to_string);
        items.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ranges_are_drawn_together_at_the_smallest_gaps() {
        fn check(seen: &[(u8, u16)], expected: &str) {
            let mut few = Few::default();
            seen.iter().for_each(|pair| few.add(*pair));
            let told = ranges(&few).map(|set| set.to_string());
            assert_eq!(told.as_deref(), Some(expected), "{seen:?}");
        }
        check(&[], "");
        check(&[(6, 443), (6, 80), (17, 53)], "tcp/80, tcp/443, udp/53");
        let scattered: Vec<(u8, u16)> = (1..=10).map(|i| (6, i * i)).collect();
        check(
            &scattered,
            "tcp/1-9, tcp/16, tcp/25, tcp/36, tcp/49, tcp/64, tcp/81, tcp/100",
        );
    }

    #[test]
    fn prefixes_hold_all_addresses_and_are_few() {
        fn check(seen: &[&str], expected: &str) {
            let mut few = Few::default();
            let addr = |text: &&str| text.parse().expect("an address");
            seen.iter().map(addr).for_each(|addr| few.add(addr));
            let told = prefixes(&few).expect("few addresses");
            assert_eq!(shown(&told), expected, "{seen:?}");
        }
        check(&[], "");
        check(&["10.0.0.7"], "10.0.0.7/32");
        check(
            &["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"],
            "10.0.0.0/30",
        );
        check(&["10.0.0.1", "10.0.0.2"], "10.0.0.1/32 10.0.0.2/32");
        check(&["2001:db8::1", "10.0.0.1"], "10.0.0.1/32 2001:db8::1/128");
        let wide: Vec<String> = (0..9).map(|i| format!("10.{}.0.1", i * 16)).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        check(
            &wide,
            "10.0.0.0/11 10.32.0.1/32 10.48.0.1/32 10.64.0.1/32 10.80.0.1/32 10.96.0.1/32 10.112.0.1/32 10.128.0.1/32",
        );
    }

    #[test]
    fn too_many_are_not_told() {
        let mut few = Few::default();
        (0..=1024u32).for_each(|bits| few.add(Addr::from_v4(bits)));
        assert_eq!(prefixes(&few), None);
    }

    #[test]
    fn addresses_of_prefixes_within_others_count_once() {
        let prefixes: Vec<Prefix> = ["10.0.0.0/24", "10.0.0.0/28", "10.0.1.0/24", "::/0"]
            .iter()
            .map(|text| text.parse().expect("a prefix"))
            .collect();
        assert_eq!(addresses(&prefixes, true), 512);
        assert_eq!(addresses(&prefixes, false), u128::MAX);
    }
}
