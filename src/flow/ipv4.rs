//! IPv4 addresses, in the form that the standard library takes: four numbers up to 255 without leading zeros.
//!
//! One compare finds the dots of the whole text. The vector version then moves the digits of each number to the end of
//! its own lane and computes all four at once; the other takes one number at a time.

/// The address that the `len` bytes from `start` are.
///
/// # Safety
/// 20 bytes from `start` must be readable. With `VECTOR` the machine must have SSE 4.1.
#[inline(always)]
pub(super) unsafe fn parse<const VECTOR: bool>(start: *const u8, len: usize) -> Option<u32> {
    if len.wrapping_sub(7) > 8 {
        return None;
    }
    // One bit for each dot, and one for the end. SAFETY: 16 bytes are readable.
    let seams = unsafe { dots(start) } & ((1 << len) - 1) | 1 << len;
    let ends = ends(seams);
    // Fewer dots than three leave no fourth end, more leave an earlier one.
    if ends[3] as usize != len {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    if VECTOR {
        // SAFETY: the machine is as promised, and 16 bytes are readable.
        return unsafe { all_at_once(start, ends) };
    }
    // SAFETY: as promised.
    unsafe { one_by_one(start, ends) }
}

/// One bit for each of 16 bytes that is a dot.
///
/// # Safety
/// 16 bytes from `start` must be readable.
#[inline(always)]
unsafe fn dots(start: *const u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: SSE2 is part of the architecture, and the bytes are readable.
        unsafe {
            let text = _mm_loadu_si128(start.cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(b'.' as i8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let dots = |at: usize| {
            // SAFETY: both words lie within the 16 bytes.
            let word = u64::from_le(unsafe { start.add(at).cast::<u64>().read_unaligned() });
            let other = word ^ 0x2e2e_2e2e_2e2e_2e2e;
            let equal = !(((other & !HIGH) + !HIGH) | other) & HIGH;
            // The multiply moves byte i's bit to bit i of the top byte.
            ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
        };
        dots(0) | dots(8) << 8
    }
}

/// The places of the first four bits; 32 for those that are not there.
#[inline(always)]
fn ends(mut seams: u32) -> [u32; 4] {
    let mut ends = [0; 4];
    for end in &mut ends {
        *end = seams.trailing_zeros();
        seams &= seams.wrapping_sub(1);
    }
    ends
}

/// # Safety
/// 20 bytes from `start` must be readable, and `ends` ascend to at most 15.
#[inline(always)]
unsafe fn one_by_one(start: *const u8, ends: [u32; 4]) -> Option<u32> {
    let starts = [0, ends[0] + 1, ends[1] + 1, ends[2] + 1];
    let lens: [u32; 4] = std::array::from_fn(|index| ends[index].wrapping_sub(starts[index]));
    let fits = |len: u32| len.wrapping_sub(1) < 3;
    if !(fits(lens[0]) & fits(lens[1]) & fits(lens[2]) & fits(lens[3])) {
        return None;
    }
    let (mut bits, mut wrong) = (0, false);
    for (start_at, len) in starts.into_iter().zip(lens) {
        // SAFETY: a number starts below 15, so four bytes from there are within 20.
        let text = unsafe { start.add(start_at as usize).cast::<u32>().read_unaligned() };
        let (value, is_wrong, leading_zero) = octet(u32::from_le(text), len);
        wrong |= is_wrong | leading_zero;
        bits = bits << 8 | u32::from(value);
    }
    if wrong { None } else { Some(bits) }
}

/// The number of the one to three digits (`len`) that `text` begins with; whether it is none up to 255; whether it
/// begins with a needless zero.
#[inline(always)]
pub(super) fn octet(text: u32, len: u32) -> (u8, bool, bool) {
    // The last digit in the top byte, zeros below the first.
    let digits = (text ^ 0x3030_3030) << (32 - 8 * len);
    let in_order = digits.swap_bytes();
    let above_nine = (digits.wrapping_add(0x7676_7676) | digits) & 0x8080_8080 != 0;
    let above_255 = in_order > 0x02_05_05;
    let leading_zero = in_order < (1 << (8 * len - 8)) & !1;
    let value = digits.wrapping_mul(1 | 10 << 8 | 100 << 16) >> 24;
    (value as u8, above_nine | above_255, leading_zero)
}

/// # Safety
/// The machine must have SSE 4.1, 16 bytes from `start` be readable, and `ends` ascend to at most 15.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn all_at_once(start: *const u8, ends: [u32; 4]) -> Option<u32> {
    use std::arch::x86_64::*;
    let ends = ends[0] | ends[1] << 8 | ends[2] << 16 | ends[3] << 24;
    // Each number starts behind the dot before it, the first at 0.
    let starts = (ends << 8).wrapping_add(0x0101_0100);
    // SAFETY: the machine is as promised, and the load is of 16 bytes.
    unsafe {
        // A lane of four bytes for each number: the places of the four bytes before its end.
        let lanes = _mm_set_epi8(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        let ends = _mm_shuffle_epi8(_mm_cvtsi32_si128(ends as i32), lanes);
        let starts = _mm_shuffle_epi8(_mm_cvtsi32_si128(starts as i32), lanes);
        let places = _mm_add_epi8(
            ends,
            _mm_set1_epi32(i32::from_le_bytes([252, 253, 254, 255])),
        );
        // What lies before the number's start becomes zero: a shuffle takes no byte for a negative place.
        let outside = _mm_cmpgt_epi8(starts, places);
        let text = _mm_xor_si128(_mm_loadu_si128(start.cast()), _mm_set1_epi8(b'0' as i8));
        let digits = _mm_shuffle_epi8(text, _mm_or_si128(places, outside));
        let weighted = |digits: __m128i, weights: [u8; 4]| {
            let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi32(i32::from_le_bytes(weights)));
            _mm_madd_epi16(pairs, _mm_set1_epi16(1))
        };
        let values = weighted(digits, [0, 100, 10, 1]);
        // Two digits make at least 10, three at least 100.
        let floor = _mm_set1_epi32(i32::from_le_bytes([0, 90, 10, 0]));
        let least = weighted(_mm_andnot_si128(outside, floor), [1, 1, 1, 1]);
        let wrong = _mm_or_si128(
            _mm_subs_epu8(digits, _mm_set1_epi8(9)),
            _mm_or_si128(
                _mm_cmpgt_epi32(values, _mm_set1_epi32(255)),
                _mm_cmpgt_epi32(least, values),
            ),
        );
        // Of each lane the first byte must lie outside the number and the last one in it: one to three digits.
        let lens_fit = _mm_movemask_epi8(outside) & 0x9999 == 0x1111;
        if !lens_fit | (_mm_testz_si128(wrong, wrong) == 0) {
            return None;
        }
        let bytes = _mm_packus_epi16(_mm_packs_epi32(values, values), values);
        Some((_mm_cvtsi128_si32(bytes) as u32).swap_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn has_vectors() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("sse4.1");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Both versions against the standard library; `tail` is what lies behind the text in memory.
    fn check(text: &str, tail: u8) {
        let mut room = [tail; 64];
        room[..text.len()].copy_from_slice(text.as_bytes());
        let expected = text.parse::<Ipv4Addr>().ok().map(u32::from);
        // SAFETY: 64 bytes are readable, and the machine is asked.
        unsafe {
            assert_eq!(
                parse::<false>(room.as_ptr(), text.len()),
                expected,
                "{text:?}"
            );
            if has_vectors() {
                assert_eq!(
                    parse::<true>(room.as_ptr(), text.len()),
                    expected,
                    "{text:?} by vectors"
                );
            }
        }
    }

    #[test]
    fn texts_at_the_edges() {
        for text in [
            "",
            "0.0.0.0",
            "255.255.255.255",
            "255.255.255.256",
            "256.0.0.0",
            "10.0.0.1",
            "10.0.0.01",
            "00.0.0.0",
            "10.0.0",
            "10.0.0.",
            ".10.0.0",
            "10..0.1",
            "1.2.3.4.5",
            "1000.0.0.1",
            "1.1.1.1000",
            "10.0.0.1 ",
            "a.b.c.d",
            "1.2.3.:",
            "1.2.3./",
            "999.1.1.1",
            "1.999.1.1",
            "1.1.1.999",
            "....",
            ".......",
            "1.2.3.4.",
            "::1",
            "255.255.255.2555",
        ] {
            for tail in [0, b'0', b'.', b' ', 0xff] {
                check(text, tail);
            }
        }
    }

    #[test]
    fn every_number_in_every_place() {
        for number in 0..300 {
            for place in 0..4 {
                let mut numbers = [7; 4];
                numbers[place] = number;
                let [a, b, c, d] = numbers;
                check(&format!("{a}.{b}.{c}.{d}"), b' ');
                check(&format!("{a:02}.{b}.{c:03}.{d}"), b'9');
            }
        }
    }

    proptest! {
        #[test]
        fn nearly_right_texts_are_judged_alike(text in "[0-9.]{1,16}|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9./:;]{7,15}", tail: u8) {
            check(&text, tail);
        }
    }
}
