//! Finds the seams of a block of text: the positions of all bytes up to 0x20, and which of them end a line.
//!
//! One pass with vector compares and bit scans writes them all, so that a row is recognised by the distance between two
//! newlines and any of its fields is two look-ups away. AVX-512 and AVX2 are detected at run time; the portable version
//! leaves the compares to the compiler and gives the same answer.

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
    /// 64 bytes at a time, positions written 16 at a time (AVX-512 with VBMI2).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 64 bytes in two halves, positions written one by one.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the compiler makes of it.
    Portable,
}

impl Kernel {
    /// The fastest implementation that this machine can run.
    pub fn detect() -> Kernel {
        Kernel::all()[0]
    }

    /// The implementations that this machine can run, the fastest first.
    pub fn all() -> Vec<Kernel> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi2")
            {
                all.push(Kernel::Avx512);
            }
            all.push(Kernel::Avx2);
        }
        all.push(Kernel::Portable);
        all
    }
}

/// Bytes that one step looks at: the width of a bit mask.
const STEP: usize = 64;

impl Seams {
    /// Finds the seams of `block`, which must be shorter than 4 GiB and begin at a line's start.
    pub fn find(&mut self, kernel: Kernel, block: &[u8]) {
        assert!(block.len() < u32::MAX as usize, "blocks are small");
        // SAFETY: callers have their kernel from `Kernel::detect` or `Kernel::all`, which ask the machine.
        unsafe {
            match kernel {
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx512 => self.find_avx512(block),
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2 => self.find_avx2(block),
                Kernel::Portable => self.find_with::<Portable>(block),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
    unsafe fn find_avx512(&mut self, block: &[u8]) {
        // SAFETY: this function has the features that the kernel needs.
        unsafe { self.find_with::<x86::Avx512>(block) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    unsafe fn find_avx2(&mut self, block: &[u8]) {
        // SAFETY: as above.
        unsafe { self.find_with::<x86::Avx2>(block) }
    }

    /// # Safety
    /// The machine must have the features of the kernel.
    #[inline(always)]
    unsafe fn find_with<S: Step>(&mut self, block: &[u8]) {
        // Room for a seam at every byte and for what is written beyond the last, so that no write asks.
        let room = block.len().next_multiple_of(STEP) + STEP + 1;
        self.bounds.clear();
        self.bounds.reserve(room);
        self.newlines.clear();
        self.newlines.reserve(room);
        // SAFETY: `room` has been reserved in both, and the sum of all masks' bits is at most the block's length.
        unsafe {
            let mut writer = Writer::new(self.bounds.as_mut_ptr(), self.newlines.as_mut_ptr());
            let (whole, rest) = block.as_chunks::<STEP>();
            let mut base = 0;
            for bytes in whole {
                writer.step::<S>(bytes, base);
                base += STEP as u32;
            }
            if !rest.is_empty() {
                let mut last = [0xff; STEP];
                last[..rest.len()].copy_from_slice(rest);
                writer.step::<S>(&last, base);
            }
            self.irregular = writer.strange != 0;
            self.bounds.set_len(writer.num_bounds);
            self.newlines.set_len(writer.num_newlines);
        }
    }
}

/// What a kernel does with a step.
trait Step {
    /// Which bytes are which.
    ///
    /// # Safety
    /// The machine must have the kernel's features.
    unsafe fn masks(bytes: &[u8; STEP]) -> Masks;

    /// Writes `base` plus the index of each bit of `low`.
    ///
    /// # Safety
    /// As above, and `out` must have room for [`STEP`] entries.
    unsafe fn write(out: *mut u32, low: u64, base: u32);
}

/// One bit per byte of a step.
struct Masks {
    /// Bytes up to 0x20.
    low: u64,
    newline: u64,
    /// Not zero if there is a byte up to 0x20 that is neither blank nor newline; its bits mean nothing else.
    control: u64,
}

/// Where seams are written to.
struct Writer {
    bounds: *mut u32,
    newlines: *mut u32,
    num_bounds: usize,
    num_newlines: usize,
    /// Not zero once something irregular has been seen.
    strange: u64,
    /// Whether the byte before the step is a seam.
    before: u64,
}

impl Writer {
    /// # Safety
    /// Both pointers must have room for one entry.
    #[inline(always)]
    unsafe fn new(bounds: *mut u32, newlines: *mut u32) -> Writer {
        // SAFETY: as promised.
        unsafe {
            bounds.write(u32::MAX);
            newlines.write(0);
        }
        // The byte before the block is a newline, so a seam at its first byte stands beside another.
        Writer {
            bounds,
            newlines,
            num_bounds: 1,
            num_newlines: 1,
            strange: 0,
            before: 1,
        }
    }

    /// # Safety
    /// The machine must have the kernel's features, and both pointers room for [`STEP`] more entries.
    #[inline(always)]
    unsafe fn step<S: Step>(&mut self, bytes: &[u8; STEP], base: u32) {
        // SAFETY: as promised.
        unsafe {
            let Masks {
                low,
                newline,
                control,
            } = S::masks(bytes);
            self.strange |= control | (low & (low << 1 | self.before));
            self.before = low >> (STEP - 1);
            self.write_newlines(newline, low);
            S::write(self.bounds.add(self.num_bounds), low, base);
            self.num_bounds += low.count_ones() as usize;
        }
    }

    /// Writes the place of each newline among all seams.
    ///
    /// # Safety
    /// There must be room for [`STEP`] more entries.
    #[inline(always)]
    unsafe fn write_newlines(&mut self, mut newline: u64, low: u64) {
        // A step usually has one newline or none: written without asking, counted after.
        loop {
            let below = newline.wrapping_sub(1) & !newline;
            let place = self.num_bounds as u32 + (low & below).count_ones();
            // SAFETY: one write for each bit of the mask, or one if it has none.
            unsafe { self.newlines.add(self.num_newlines).write(place) };
            self.num_newlines += usize::from(newline != 0);
            newline &= newline.wrapping_sub(1);
            if newline == 0 {
                return;
            }
        }
    }
}

/// Writes the indexes of bits one by one, the first 16 without asking how many there are: a step of a usual log has
/// seven to nine, and one with many missing values up to 16.
///
/// # Safety
/// `out` must have room for [`STEP`] entries.
#[inline(always)]
unsafe fn write_one_by_one(out: *mut u32, mut low: u64, base: u32) {
    const BURST: usize = 16;
    let found = low.count_ones() as usize;
    // SAFETY: all writes are below STEP.
    unsafe {
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
}

struct Portable;

impl Step for Portable {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; STEP]) -> Masks {
        // Plain loops over arrays of bytes are what compilers turn into vector instructions.
        let (mut low, mut newline, mut control) = ([0; STEP], [0; STEP], 0);
        for (index, &byte) in bytes.iter().enumerate() {
            low[index] = u8::from(byte <= 0x20);
            newline[index] = u8::from(byte == b'\n');
            control |= u8::from(byte < 0x20) & u8::from(byte != b'\n');
        }
        Masks {
            low: gather(&low),
            newline: gather(&newline),
            control: u64::from(control),
        }
    }

    #[inline(always)]
    unsafe fn write(out: *mut u32, low: u64, base: u32) {
        // SAFETY: as promised.
        unsafe { write_one_by_one(out, low, base) }
    }
}

/// One bit for each byte, of bytes that are 0 or 1.
#[inline(always)]
fn gather(flags: &[u8; STEP]) -> u64 {
    let mut mask = 0;
    for (index, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
        // The multiply moves byte i's bit to bit i of the top byte.
        let bits = u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * index);
    }
    mask
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Masks, STEP, Step, write_one_by_one};

    pub(super) struct Avx2;

    impl Step for Avx2 {
        #[inline(always)]
        unsafe fn masks(bytes: &[u8; STEP]) -> Masks {
            // SAFETY: the machine has AVX2, and both loads lie within the step.
            unsafe {
                let first = _mm256_loadu_si256(bytes.as_ptr().cast());
                let second = _mm256_loadu_si256(bytes.as_ptr().add(32).cast());
                let blank = _mm256_set1_epi8(b' ' as i8);
                let feed = _mm256_set1_epi8(b'\n' as i8);
                // Unsigned `byte <= 0x20`: the larger of the two is 0x20.
                let low = [
                    _mm256_cmpeq_epi8(_mm256_max_epu8(first, blank), blank),
                    _mm256_cmpeq_epi8(_mm256_max_epu8(second, blank), blank),
                ];
                let newline = [
                    _mm256_cmpeq_epi8(first, feed),
                    _mm256_cmpeq_epi8(second, feed),
                ];
                let usual = [
                    _mm256_or_si256(newline[0], _mm256_cmpeq_epi8(first, blank)),
                    _mm256_or_si256(newline[1], _mm256_cmpeq_epi8(second, blank)),
                ];
                let control = _mm256_or_si256(
                    _mm256_andnot_si256(usual[0], low[0]),
                    _mm256_andnot_si256(usual[1], low[1]),
                );
                Masks {
                    low: join(low),
                    newline: join(newline),
                    control: u64::from(_mm256_testz_si256(control, control) == 0),
                }
            }
        }

        #[inline(always)]
        unsafe fn write(out: *mut u32, low: u64, base: u32) {
            // SAFETY: as promised.
            unsafe { write_one_by_one(out, low, base) }
        }
    }

    /// # Safety
    /// The machine must have AVX2.
    #[inline(always)]
    unsafe fn join(halves: [__m256i; 2]) -> u64 {
        // SAFETY: as promised.
        let [first, second] =
            halves.map(|half| u64::from(unsafe { _mm256_movemask_epi8(half) } as u32));
        first | second << 32
    }

    pub(super) struct Avx512;

    /// The bytes 0 to 63.
    static INDEXES: [u8; STEP] = {
        let mut indexes = [0; STEP];
        let mut index = 0;
        while index < STEP {
            indexes[index] = index as u8;
            index += 1;
        }
        indexes
    };

    impl Step for Avx512 {
        #[inline(always)]
        unsafe fn masks(bytes: &[u8; STEP]) -> Masks {
            // SAFETY: the machine has AVX-512 for bytes, and the load is the step.
            unsafe {
                let bytes = _mm512_loadu_si512(bytes.as_ptr().cast());
                let blank = _mm512_set1_epi8(b' ' as i8);
                let low = _mm512_cmple_epu8_mask(bytes, blank);
                let newline = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\n' as i8));
                Masks {
                    low,
                    newline,
                    control: low & !newline & !_mm512_cmpeq_epi8_mask(bytes, blank),
                }
            }
        }

        #[inline(always)]
        unsafe fn write(out: *mut u32, low: u64, base: u32) {
            // SAFETY: the machine has VBMI2, and 64 entries may be written.
            unsafe {
                let base = _mm512_set1_epi32(base as i32);
                let mut indexes =
                    _mm512_maskz_compress_epi8(low, _mm512_loadu_si512(INDEXES.as_ptr().cast()));
                let (mut out, mut left) = (out, low.count_ones());
                loop {
                    let wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(indexes));
                    _mm512_storeu_si512(out.cast(), _mm512_add_epi32(wide, base));
                    if left <= 16 {
                        return;
                    }
                    // The next sixteen move to the front.
                    indexes = _mm512_alignr_epi32::<4>(indexes, indexes);
                    (out, left) = (out.add(16), left - 16);
                }
            }
        }
    }
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
        for kernel in Kernel::all() {
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
