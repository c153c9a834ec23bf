//! Address space cut into intervals with a number each: what an address look-up is made of.
//!
//! Prefixes nest or are disjoint, so one pass over them in order, with a stack of those that are open, visits every
//! interval in which the same prefixes hold. IPv4 is then found through an index of the upper 16 bits and a search
//! within what begins there; IPv6 by binary search.

use crate::net::{Addr, Prefix};

/// The number of an interval that has none.
pub(super) const NONE: u32 = u32::MAX;

/// Numbers of addresses.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Table {
    /// The upper 16 bits of the first IPv4 address that `index` covers.
    first_block: u32,
    /// For each block of 2^16 IPv4 addresses, and one behind the last, the interval that its first address lies in.
    index: Vec<u32>,
    v4_starts: Vec<u32>,
    v4_numbers: Vec<u32>,
    v6_starts: Vec<u128>,
    v6_numbers: Vec<u32>,
}

impl Table {
    /// How large its index is, in pairs of [`MAX_WORK`].
    pub(super) fn size_of_index(&self) -> usize {
        self.index.len() / 4
    }

    /// The first addresses of its intervals, as bits.
    pub(super) fn starts(&self) -> impl Iterator<Item = u128> {
        let v4 = self.v4_starts.iter();
        v4.map(|start| Addr::from_v4(*start).bits())
            .chain(self.v6_starts.iter().copied())
    }

    /// The number of the address, or [`NONE`].
    #[inline]
    pub(super) fn get(&self, addr: Addr) -> u32 {
        match addr.v4() {
            Some(bits) => self.get_v4(bits),
            None => {
                let behind = self
                    .v6_starts
                    .partition_point(|start| *start <= addr.bits());
                if behind == 0 {
                    NONE
                } else {
                    self.v6_numbers[behind - 1]
                }
            }
        }
    }

    /// Every interval, in order: its first and last address, and its number, which may be [`NONE`].
    pub(super) fn intervals(&self) -> impl Iterator<Item = (Addr, Addr, u32)> {
        let (v4, v6) = (&self.v4_starts, &self.v6_starts);
        let of_v4 = self.v4_numbers.iter().enumerate().map(move |(at, number)| {
            let last = v4.get(at + 1).map_or(u32::MAX, |next| next - 1);
            (Addr::from_v4(v4[at]), Addr::from_v4(last), *number)
        });
        let of_v6 = self.v6_numbers.iter().enumerate().map(move |(at, number)| {
            let last = v6.get(at + 1).map_or(u128::MAX, |next| next - 1);
            (Addr::from_v6(v6[at]), Addr::from_v6(last), *number)
        });
        of_v4.chain(of_v6)
    }

    #[inline]
    fn get_v4(&self, bits: u32) -> u32 {
        let block = (bits >> 16).wrapping_sub(self.first_block) as usize;
        let Some(&[first, next]) = self
            .index
            .get(block..block.saturating_add(2))
            .and_then(|pair| pair.first_chunk::<2>())
        else {
            return NONE;
        };
        let (first, next) = (first as usize, next as usize);
        if first == next {
            return self.v4_numbers[first];
        }
        let within = self.v4_starts[first + 1..=next].partition_point(|start| *start <= bits);
        self.v4_numbers[first + within]
    }
}

/// Too many prefixes hold each other: the table would not fit into memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooFragmented;

/// How many (interval, prefix that holds it) pairs all tables of a policy may have together. More would take minutes and
/// gigabytes. Where a view has a table for each of several epochs, the prefixes looked through for each and its index count
/// as well.
pub(super) const MAX_WORK: usize = 1 << 24;

/// Counts work up to [`MAX_WORK`].
pub(super) fn spend(more: usize, work: &mut usize) -> Result<(), TooFragmented> {
    *work = work.saturating_add(more);
    if *work > MAX_WORK {
        return Err(TooFragmented);
    }
    Ok(())
}

/// Builds a table: `number` is asked once per interval, with the values of all prefixes that hold it, shortest first;
/// neighbours with equal numbers become one. `work` counts up to [`MAX_WORK`].
pub(super) fn build<T: Copy>(
    prefixes: &[(Prefix, T)],
    work: &mut usize,
    mut number: impl FnMut(&[(Prefix, T)]) -> u32,
) -> Result<Table, TooFragmented> {
    let v4: Vec<(Prefix, T)> = prefixes
        .iter()
        .filter(|(prefix, _)| prefix.is_v4())
        .copied()
        .collect();
    let v6: Vec<(Prefix, T)> = prefixes
        .iter()
        .filter(|(prefix, _)| !prefix.is_v4())
        .copied()
        .collect();
    let all_of_v4 = (Addr::from_v4(0).bits(), Addr::from_v4(u32::MAX).bits());
    let v4 = sweep(v4, all_of_v4, work, &mut number)?;
    let v6 = sweep(v6, (0, u128::MAX), work, &mut number)?;
    let v4_starts: Vec<u32> = v4.iter().map(|(start, _)| *start as u32).collect();
    let v4_numbers: Vec<u32> = v4.iter().map(|(_, number)| *number).collect();
    let (first_block, index) = index_of(&v4_starts, &v4_numbers);
    Ok(Table {
        first_block,
        index,
        v4_starts,
        v4_numbers,
        v6_starts: v6.iter().map(|(start, _)| *start).collect(),
        v6_numbers: v6.iter().map(|(_, number)| *number).collect(),
    })
}

/// The intervals of one family: where each begins, and its number.
fn sweep<T: Copy>(
    mut prefixes: Vec<(Prefix, T)>,
    (lowest, highest): (u128, u128),
    work: &mut usize,
    number: &mut impl FnMut(&[(Prefix, T)]) -> u32,
) -> Result<Vec<(u128, u32)>, TooFragmented> {
    prefixes.sort_by_key(|(prefix, _)| (prefix.first(), prefix.len()));
    let mut sweep = Sweep {
        open: Vec::new(),
        intervals: Vec::new(),
        cursor: Some(lowest),
        highest,
        work,
        number,
    };
    for (prefix, value) in prefixes {
        let first = prefix.first().bits();
        sweep.close_before(Some(first))?;
        if first > lowest {
            sweep.emit_until(first - 1)?;
        }
        sweep.open.push((prefix, value));
    }
    sweep.close_before(None)?;
    sweep.emit_until(highest)?;
    Ok(sweep.intervals)
}

/// A walk through the addresses of one family.
struct Sweep<'s, T, F> {
    /// Prefixes that hold the cursor, shortest first.
    open: Vec<(Prefix, T)>,
    intervals: Vec<(u128, u32)>,
    /// The first address that no interval holds yet; none behind the highest.
    cursor: Option<u128>,
    highest: u128,
    work: &'s mut usize,
    number: &'s mut F,
}

impl<T: Copy, F: FnMut(&[(Prefix, T)]) -> u32> Sweep<'_, T, F> {
    /// Ends the prefixes that lie wholly before an address (all, if there is none), innermost first.
    fn close_before(&mut self, address: Option<u128>) -> Result<(), TooFragmented> {
        while let Some((prefix, _)) = self.open.last() {
            let last = prefix.last().bits();
            if address.is_some_and(|address| last >= address) {
                break;
            }
            self.emit_until(last)?;
            self.open.pop();
        }
        Ok(())
    }

    /// Adds the interval from the cursor to `last`, if there is anything between.
    fn emit_until(&mut self, last: u128) -> Result<(), TooFragmented> {
        let Some(from) = self.cursor.filter(|from| *from <= last) else {
            return Ok(());
        };
        spend(self.open.len() + 1, self.work)?;
        let number = (self.number)(&self.open);
        if self
            .intervals
            .last()
            .is_none_or(|(_, before)| *before != number)
        {
            self.intervals.push((from, number));
        }
        self.cursor = last.checked_add(1).filter(|next| *next <= self.highest);
        Ok(())
    }
}

/// The index over the blocks from the first to the last that hold a number.
fn index_of(starts: &[u32], numbers: &[u32]) -> (u32, Vec<u32>) {
    let end_of = |at: usize| starts.get(at + 1).map_or(u32::MAX, |next| next - 1);
    let numbered = || (0..starts.len()).filter(|at| numbers[*at] != NONE);
    let (Some(first), Some(last)) = (numbered().next(), numbered().next_back()) else {
        return (0, Vec::new());
    };
    let (first_block, last_block) = (starts[first] >> 16, end_of(last) >> 16);
    let mut index = Vec::with_capacity((last_block - first_block + 2) as usize);
    for block in first_block..=last_block {
        index.push(starts.partition_point(|start| *start <= block << 16) as u32 - 1);
    }
    let behind = match (last_block + 1).checked_mul(1 << 16) {
        Some(next) => starts.partition_point(|start| *start <= next) - 1,
        None => starts.len() - 1,
    };
    index.push(behind as u32);
    (first_block, index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table that gives each address the value of its longest prefix.
    fn longest(prefixes: &[(Prefix, u32)]) -> Table {
        build(prefixes, &mut 0, |open| {
            open.last().map_or(NONE, |(_, value)| *value)
        })
        .expect("few prefixes")
    }

    fn check(prefixes: &[&str], addr: &str, expected: Option<&str>) {
        let numbered: Vec<(Prefix, u32)> = prefixes
            .iter()
            .enumerate()
            .map(|(i, text)| (text.parse().expect("a prefix"), i as u32))
            .collect();
        let found = longest(&numbered).get(addr.parse().expect("an address"));
        let found = (found != NONE).then(|| prefixes[found as usize]);
        assert_eq!(found, expected, "{addr} in {prefixes:?}");
    }

    #[test]
    fn the_longest_prefix_is_found_at_every_boundary() {
        let prefixes = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.3/32",
            "255.255.255.255/32",
        ];
        for (addr, expected) in [
            ("9.255.255.255", None),
            ("10.0.0.0", Some("10.0.0.0/8")),
            ("10.0.255.255", Some("10.0.0.0/8")),
            ("10.1.0.0", Some("10.1.0.0/16")),
            ("10.1.2.2", Some("10.1.2.0/24")),
            ("10.1.2.3", Some("10.1.2.3/32")),
            ("10.1.2.4", Some("10.1.2.0/24")),
            ("10.1.3.0", Some("10.1.0.0/16")),
            ("10.2.0.0", Some("10.0.0.0/8")),
            ("11.0.0.0", None),
            ("255.255.255.254", None),
            ("255.255.255.255", Some("255.255.255.255/32")),
        ] {
            check(&prefixes, addr, expected);
        }
    }

    #[test]
    fn families_have_tables_of_their_own() {
        check(&["0.0.0.0/0"], "2001:db8::1", None);
        check(&["::/0"], "10.0.0.1", None);
        check(&["::/0"], "ffff::", Some("::/0"));
        check(&["0.0.0.0/0"], "0.0.0.0", Some("0.0.0.0/0"));
        check(
            &["2001:db8::/32", "2001:db8:1::/48"],
            "2001:db8:1::5",
            Some("2001:db8:1::/48"),
        );
        check(&[], "10.0.0.1", None);
        check(&[], "::", None);
    }

    #[test]
    fn too_many_nested_prefixes_are_refused() {
        let everything: Prefix = "0.0.0.0/0".parse().expect("a prefix");
        let mut prefixes: Vec<(Prefix, u32)> = vec![(everything, 0); 4096];
        prefixes.extend((0..16_384).map(|i| (Prefix::of(Addr::from_v4(i << 12), 32), 1)));
        assert_eq!(build(&prefixes, &mut 0, |_| 0).err(), Some(TooFragmented));
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        let near = prop::sample::select(vec![
            0u32,
            0x0a00_0000,
            0x0a00_ff00,
            0xffff_0000,
            0x3400_0000,
        ]);
        let v4 = (near, 0u32..1 << 17, 0u8..=32).prop_map(|(base, offset, len)| {
            Prefix::of(Addr::from_v4(base.wrapping_add(offset)), len)
        });
        let v6 = (0u128..1 << 12, 100u8..=128)
            .prop_map(|(low, len)| Prefix::of(Addr::from_v6(0x2600 << 112 | low), len));
        prop_oneof![3 => v4, 1 => v6]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn a_table_agrees_with_a_scan_of_all_prefixes(prefixes in prop::collection::vec(any_prefix(), 0..40), probes in prop::collection::vec(any_prefix(), 40)) {
            let mut numbered: Vec<(Prefix, u32)> = Vec::new();
            for prefix in prefixes {
                if !numbered.iter().any(|(known, _)| *known == prefix) {
                    numbered.push((prefix, numbered.len() as u32));
                }
            }
            let table = longest(&numbered);
            let edges = numbered.iter().flat_map(|(prefix, _)| [prefix.first(), prefix.last()]);
            for addr in probes.iter().map(|probe| probe.first()).chain(edges) {
                let expected = numbered.iter().filter(|(prefix, _)| prefix.contains(addr)).max_by_key(|(prefix, _)| prefix.len());
                prop_assert_eq!(table.get(addr), expected.map_or(NONE, |(_, number)| *number), "{}", addr);
            }
        }
    }
}
