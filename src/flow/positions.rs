//! Finds the seams of a block of text: the positions of all bytes up to 0x20, and which of them end a line.
//!
//! One pass with vector compares and bit scans writes them all, so that a row is recognised by the distance between two
//! newlines and any of its fields is two look-ups away. AVX2 is detected at run time; the portable version works on
//! eight bytes at a time and gives the same answer.

/// The seams of a block. Used again from block to block.
#[derive(Default)]
pub struct Seams {
    /// Positions of bytes up to 0x20 in the block, ascending; the first entry is the imaginary newline before the block
    /// (`u32::MAX`, so that adding one wraps to the block's first byte).
    pub bounds: Vec<u32>,
    /// Indexes into `bounds` of the newlines; the first is the imaginary one.
    pub newlines: Vec<u32>,
    /// Whether the block holds anything but single spaces and newlines between fields: two seams side by side, or a
    /// control character. Only then must a row look at each of its seams.
    pub irregular: bool,
}

/// Which implementation finds seams on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kernel {
    /// 32 bytes at a time, by AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Eight bytes at a time, in ordinary registers.
    Portable,
}

impl Kernel {
    /// The fastest implementation that this machine can run.
    pub fn detect() -> Kernel {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt")
        {
            return Kernel::Avx2;
        }
        Kernel::Portable
    }
}

/// Bytes that one step looks at: the width of a bit mask.
const STEP: usize = 64;

/// Positions that a step writes without asking how many there are; a step of a usual log has seven to nine.
const BURST: usize = 12;

impl Seams {
    /// Finds the seams of `block`, which must be shorter than 4 GiB and begin at a line's start.
    pub fn find(&mut self, kernel: Kernel, block: &[u8]) {
        assert!(block.len() < u32::MAX as usize, "blocks are small");
        match kernel {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Kernel::detect` returns this variant only where the features are there; tests ask it too.
            Kernel::Avx2 => unsafe { self.find_avx2(block) },
            Kernel::Portable => self.find_with(block, portable_masks),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    unsafe fn find_avx2(&mut self, block: &[u8]) {
        // SAFETY: this function's own features are those that the masks need.
        self.find_with(block, |step| unsafe { avx2_masks(step) });
    }

    #[inline(always)]
    fn find_with(&mut self, block: &[u8], masks: impl Fn(&[u8; STEP]) -> Masks) {
        // Room for a seam at every byte and for what the bursts write beyond the last, so that no write asks.
        let room = block.len().next_multiple_of(STEP) + STEP + 1;
        self.bounds.clear();
        self.bounds.reserve(room);
        self.newlines.clear();
        self.newlines.reserve(room);
        let (bounds, newlines) = (self.bounds.as_mut_ptr(), self.newlines.as_mut_ptr());
        // SAFETY: at least one entry was reserved in each.
        unsafe {
            bounds.write(u32::MAX);
            newlines.write(0);
        }
        let (mut num_bounds, mut num_newlines) = (1, 1);
        let mut strange = 0;
        // The byte before the block is a newline, so a seam at its first byte stands beside another.
        let mut before = 1;
        let mut step = |bytes: &[u8; STEP], base: usize| {
            let Masks {
                low,
                newline,
                space,
            } = masks(bytes);
            strange |= (low & !(newline | space)) | (low & (low << 1 | before));
            before = low >> (STEP - 1);
            // SAFETY: the sum of all masks' bits is at most the block's length, and `room` leaves STEP entries beyond.
            unsafe {
                write_newlines(newlines, &mut num_newlines, newline, low, num_bounds as u32);
                write_bounds(bounds, &mut num_bounds, low, base as u32);
            }
        };
        let (whole, rest) = block.as_chunks::<STEP>();
        for (index, bytes) in whole.iter().enumerate() {
            step(bytes, index * STEP);
        }
        if !rest.is_empty() {
            let mut last = [0xff; STEP];
            last[..rest.len()].copy_from_slice(rest);
            step(&last, whole.len() * STEP);
        }
        self.irregular = strange != 0;
        // SAFETY: so many entries were written, within what was reserved.
        unsafe {
            self.bounds.set_len(num_bounds);
            self.newlines.set_len(num_newlines);
        }
    }
}

/// One bit per byte of a step.
struct Masks {
    /// Bytes up to 0x20.
    low: u64,
    newline: u64,
    space: u64,
}

/// Appends `base` plus the index of each bit of `low`.
///
/// # Safety
/// `out` must have room for [`STEP`] entries beyond `count`.
#[inline(always)]
unsafe fn write_bounds(out: *mut u32, count: &mut usize, mut low: u64, base: u32) {
    let found = low.count_ones() as usize;
    // SAFETY: all writes are below count + STEP.
    unsafe {
        let out = out.add(*count);
        for index in 0..BURST {
            out.add(index)
                .write(base.wrapping_add(low.trailing_zeros()));
            low &= low.wrapping_sub(1);
        }
        for index in BURST..found {
            out.add(index).write(base + low.trailing_zeros());
            low &= low.wrapping_sub(1);
        }
    }
    *count += found;
}

/// Appends, for each bit of `newline`, its place among all seams: `base` plus the number of bits of `low` below it.
///
/// # Safety
/// `out` must have room for [`STEP`] entries beyond `count`.
#[inline(always)]
unsafe fn write_newlines(out: *mut u32, count: &mut usize, mut newline: u64, low: u64, base: u32) {
    // A step usually has one newline or none: written without asking, counted after.
    loop {
        let below = newline.wrapping_sub(1) & !newline;
        // SAFETY: at most one write per bit of the mask, and one more when it has none.
        unsafe { out.add(*count).write(base + (low & below).count_ones()) };
        *count += usize::from(newline != 0);
        newline &= newline.wrapping_sub(1);
        if newline == 0 {
            return;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn avx2_masks(step: &[u8; STEP]) -> Masks {
    use std::arch::x86_64::*;
    // SAFETY: the caller has AVX2; both loads lie within the step.
    unsafe {
        let low_half = _mm256_loadu_si256(step.as_ptr().cast());
        let high_half = _mm256_loadu_si256(step.as_ptr().add(32).cast());
        let join = |low: __m256i, high: __m256i| {
            u64::from(_mm256_movemask_epi8(low) as u32)
                | u64::from(_mm256_movemask_epi8(high) as u32) << 32
        };
        let space = _mm256_set1_epi8(b' ' as i8);
        let newline = _mm256_set1_epi8(b'\n' as i8);
        Masks {
            // Unsigned `byte <= 0x20`: the larger of the two is 0x20.
            low: join(
                _mm256_cmpeq_epi8(_mm256_max_epu8(low_half, space), space),
                _mm256_cmpeq_epi8(_mm256_max_epu8(high_half, space), space),
            ),
            newline: join(
                _mm256_cmpeq_epi8(low_half, newline),
                _mm256_cmpeq_epi8(high_half, newline),
            ),
            space: join(
                _mm256_cmpeq_epi8(low_half, space),
                _mm256_cmpeq_epi8(high_half, space),
            ),
        }
    }
}

#[inline(always)]
fn portable_masks(step: &[u8; STEP]) -> Masks {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Bit i of the result is bit 7 of byte i: each byte's bit is moved to its place in the top byte by one multiply.
    let gather = |high_bits: u64| (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let equals = |word: u64, byte: u8| {
        let other = word ^ (ONES * u64::from(byte));
        !(((other & !HIGH) + !HIGH) | other) & HIGH
    };
    let mut masks = Masks {
        low: 0,
        newline: 0,
        space: 0,
    };
    for (index, bytes) in step.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        // With the high bit set no byte borrows from its neighbour; a byte that had it set is above 0x20 anyway.
        let low = !((word | HIGH) - ONES * 0x21) & !word & HIGH;
        masks.low |= gather(low) << (8 * index);
        masks.newline |= gather(equals(word, b'\n')) << (8 * index);
        masks.space |= gather(equals(word, b' ')) << (8 * index);
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written for obviousness.
    fn expected(block: &[u8]) -> (Vec<u32>, Vec<u32>, bool) {
        let (mut bounds, mut newlines, mut irregular) = (vec![u32::MAX], vec![0], false);
        for (at, &byte) in block.iter().enumerate() {
            if byte > 0x20 {
                continue;
            }
            let beside = at == 0 || block[at - 1] <= 0x20;
            irregular |= beside || !matches!(byte, b' ' | b'\n');
            if byte == b'\n' {
                newlines.push(bounds.len() as u32);
            }
            bounds.push(at as u32);
        }
        (bounds, newlines, irregular)
    }

    fn check(block: &[u8]) {
        let mut seams = Seams::default();
        for kernel in [Kernel::detect(), Kernel::Portable] {
            // Twice: nothing of an earlier block may remain.
            for _ in 0..2 {
                seams.find(kernel, block);
                let found = (
                    seams.bounds.clone(),
                    seams.newlines.clone(),
                    seams.irregular,
                );
                assert_eq!(
                    found,
                    expected(block),
                    "{kernel:?} on {:?}",
                    String::from_utf8_lossy(block)
                );
            }
        }
    }

    #[test]
    fn seams_of_usual_and_unusual_lines() {
        check(b"");
        check(b"\n");
        check(b"a b\nc d\n");
        check(b"a  b\n");
        check(b"a b \n");
        check(b" a b\n");
        check(b"a\tb\r\nc\x00d\n\n");
        check(&[b' '; 300]);
        check(&[b'\n'; 300]);
        check("x\u{80}y \u{ff}\n".repeat(40).as_bytes());
        check(&"- - - -\n".repeat(60).into_bytes());
    }

    proptest! {
        #[test]
        fn every_kernel_gives_the_obvious_answer(block in prop::collection::vec(prop_oneof![
            3 => Just(b' '), 1 => Just(b'\n'), 1 => any::<u8>(), 1 => 0u8..0x30, 8 => b'0'..=b'9',
        ], 0..700)) {
            check(&block);
        }
    }
}
