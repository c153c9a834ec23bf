//! Small numbers as Parquet's dictionary pages and levels hold them: runs of one number, and packed bits between them
//! (Apache Parquet, `Encodings.md`: "Run Length Encoding / Bit-Packing Hybrid").

use super::packed::write_number;

/// Bits that the places of so many texts take.
pub(super) fn bit_width(count: usize) -> u32 {
    let greatest = count.saturating_sub(1) as u32;
    u32::BITS - greatest.leading_zeros()
}

/// So many equal values are worth a run of their own; others are packed by so many.
const GROUP: usize = 8;

/// Appends numbers of so many bits each: runs of eight and more as one, what is between them packed by eights, the last
/// of which zeros fill up.
pub(super) fn write_hybrid(bytes: &mut Vec<u8>, values: &[u32], width: u32) {
    let mut at = 0;
    while at < values.len() {
        let run = run_length(&values[at..]);
        if run >= GROUP {
            write_number(bytes, (run as u64) << 1);
            let value = values[at].to_le_bytes();
            bytes.extend(&value[..width.div_ceil(8) as usize]);
            at += run;
            continue;
        }
        let start = at;
        while at < values.len() && run_length(&values[at..]) < GROUP {
            at += GROUP;
        }
        at = at.min(values.len());
        let packed = &values[start..at];
        write_number(bytes, (packed.len().div_ceil(GROUP) as u64) << 1 | 1);
        pack(bytes, packed, width);
    }
}

/// How many values at the beginning are the same.
fn run_length(values: &[u32]) -> usize {
    let first = values[0];
    let other = values.iter().position(|value| *value != first);
    other.unwrap_or(values.len())
}

fn pack(bytes: &mut Vec<u8>, values: &[u32], width: u32) {
    let (mut bits, mut filled) = (0u64, 0);
    let padding = values.len().next_multiple_of(GROUP) - values.len();
    for value in values
        .iter()
        .copied()
        .chain(std::iter::repeat_n(0, padding))
    {
        bits |= u64::from(value) << filled;
        filled += width;
        while filled >= 8 {
            bytes.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::packed::read_number;

    /// Reads it bit by bit.
    fn read(mut bytes: &[u8], width: u32) -> Vec<u32> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            let header = read_number(&mut bytes).expect("a number ends");
            let count = (header >> 1) as usize;
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(width.div_ceil(8) as usize);
                bytes = rest;
                let value = value
                    .iter()
                    .rev()
                    .fold(0, |value, byte| value << 8 | u32::from(*byte));
                values.extend(std::iter::repeat_n(value, count));
                continue;
            }
            let (packed, rest) = bytes.split_at(count * width as usize);
            bytes = rest;
            let bit = |at: usize| u32::from(packed[at / 8] >> (at % 8) & 1);
            let number = |at: usize| {
                (0..width as usize)
                    .map(|of| bit(at + of) << of)
                    .sum::<u32>()
            };
            values.extend((0..count * GROUP).map(|place| number(place * width as usize)));
        }
        values
    }

    proptest! {
        #[test]
        fn numbers_come_out_as_they_went_in(runs in prop::collection::vec((0u32..70_000, 1usize..30), 0..40), count in 1usize..70_000) {
            let values: Vec<u32> = runs
                .iter()
                .flat_map(|(value, length)| std::iter::repeat_n(value % count as u32, *length))
                .collect();
            let width = bit_width(count);
            let mut bytes = Vec::new();
            write_hybrid(&mut bytes, &values, width);
            let found = read(&bytes, width);
            prop_assert!(found.len() < values.len() + GROUP);
            prop_assert_eq!(&found[..values.len()], &values[..]);
            prop_assert!(found[values.len()..].iter().all(|padding| *padding == 0));
        }
    }
}
