//! Inflates DEFLATE (RFC 1951) of which the whole input is in memory, into memory that is used again and again.
//!
//! Libraries either inflate an object whole, and then most of the time goes into carrying its text to memory and back, or
//! slice by slice at half the speed. What is inflated here into a quarter of a mebibyte is read while it is still in the
//! processor's cache: 51 MB of flow logs take 23 ms, and one for the checksum; with libdeflate into one piece of memory 49,
//! with zlib-rs slice by slice 62, checksums included (a virtual core of an Intel Xeon with AMX).

use super::Broken;
use super::huffman::{CODE_LENGTHS, CodeLengths, DISTANCES, Distances, Entry, Litlens, low};

/// How far back a match may lie: what of the output has to be there before the next slice.
pub(super) const WINDOW: usize = 32 << 10;
/// The longest match.
const LONGEST: usize = 258;
/// Bytes that copying writes at a time.
const STRIDE: usize = 64;
/// A slice ends when so many bytes may be left in its memory: a match, literals before it, and what is written beyond.
pub(super) const SLACK: usize = LONGEST + 2 * STRIDE;
/// Input that the fast way may read without looking at its end.
const AHEAD: usize = 16;

/// A stream under way.
#[derive(Default)]
pub(super) struct Deflate {
    /// Input that was taken and is not used yet, the next bit lowest; nothing above `count`.
    bits: u64,
    count: u32,
    /// Where in the input the next byte is taken.
    at: usize,
    state: State,
    is_last: bool,
    litlens: Litlens,
    distances: Distances,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// A block begins.
    #[default]
    Head,
    /// So many bytes follow as they are.
    Stored(usize),
    /// Codes follow.
    Codes,
    /// The stream has ended.
    Done,
}

impl Deflate {
    /// Begins a stream at this place of the input.
    pub fn begin(&mut self, at: usize) {
        (self.bits, self.count, self.at) = (0, 0, at);
        (self.state, self.is_last) = (State::Head, false);
    }

    /// Goes on with a stream whose next block begins at this bit of the input.
    ///
    /// # Errors
    /// When the input is shorter.
    pub fn resume(&mut self, bit: u64, input: &[u8]) -> Result<(), Broken> {
        self.begin(usize::try_from(bit / 8).map_err(|_| Broken::Short)?);
        self.refill(input);
        self.drop_bits((bit % 8) as u32)
    }

    /// At which bit of the input the next block begins; none in mid-block.
    pub fn block(&self) -> Option<u64> {
        (self.state == State::Head).then(|| self.at as u64 * 8 - u64::from(self.count))
    }

    /// Where the stream ended in the input; none if it has not yet.
    pub fn end(&self) -> Option<usize> {
        (self.state == State::Done).then(|| self.at - (self.count / 8) as usize)
    }

    /// Inflates into `out` from `place` on, behind all that was inflated before or its last [`WINDOW`] bytes, until the
    /// stream ends, less than [`SLACK`] bytes are left, or a block begins at `stop` or behind. Returns where it stopped; nothing
    /// behind means anything.
    ///
    /// # Errors
    /// When the stream is broken.
    pub fn fill(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        mut place: usize,
        stop: usize,
    ) -> Result<usize, Broken> {
        let first = place;
        while self.state != State::Done && place + SLACK <= out.len() {
            if self.state == State::Head && place >= stop && place > first {
                break;
            }
            place = match self.state {
                State::Head => {
                    self.head(input)?;
                    place
                }
                State::Stored(left) => self.stored(left, input, out, place)?,
                State::Codes => {
                    let place = self.fast(input, out, place)?;
                    if self.state == State::Codes {
                        self.slow(input, out, place)?
                    } else {
                        place
                    }
                }
                State::Done => place,
            };
        }
        Ok(place)
    }

    fn end_block(&mut self) {
        self.state = if self.is_last {
            State::Done
        } else {
            State::Head
        };
    }

    /// Takes input until there are at least 56 bits, or no more.
    fn refill(&mut self, input: &[u8]) {
        while self.count < 56
            && let Some(byte) = input.get(self.at)
        {
            self.bits |= u64::from(*byte) << self.count;
            self.count += 8;
            self.at += 1;
        }
    }

    fn drop_bits(&mut self, count: u32) -> Result<(), Broken> {
        self.count = self.count.checked_sub(count).ok_or(Broken::Short)?;
        self.bits >>= count;
        Ok(())
    }

    fn number(&mut self, bits: u32, input: &[u8]) -> Result<usize, Broken> {
        self.refill(input);
        let number = low(self.bits, bits);
        self.drop_bits(bits)?;
        Ok(number as usize)
    }

    fn head(&mut self, input: &[u8]) -> Result<(), Broken> {
        self.is_last = self.number(1, input)? == 1;
        self.state = match self.number(2, input)? {
            0 => self.stored_head(input)?,
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                self.litlens.build(&lengths, false)?;
                self.distances.build(&[5; 32], &DISTANCES, false)?;
                State::Codes
            }
            2 => {
                self.read_codes(input)?;
                State::Codes
            }
            _ => return Err(Broken::Block),
        };
        Ok(())
    }

    fn stored_head(&mut self, input: &[u8]) -> Result<State, Broken> {
        // The rest of the byte is skipped, and whole bytes go back.
        self.at -= (self.count / 8) as usize;
        (self.bits, self.count) = (0, 0);
        let head = input.get(self.at..self.at + 4).ok_or(Broken::Short)?;
        self.at += 4;
        let length = u16::from_le_bytes([head[0], head[1]]);
        if length != !u16::from_le_bytes([head[2], head[3]]) {
            return Err(Broken::Block);
        }
        Ok(State::Stored(length.into()))
    }

    fn stored(
        &mut self,
        left: usize,
        input: &[u8],
        out: &mut [u8],
        place: usize,
    ) -> Result<usize, Broken> {
        let some = left.min(out.len() - place);
        let bytes = input.get(self.at..self.at + some).ok_or(Broken::Short)?;
        out[place..place + some].copy_from_slice(bytes);
        self.at += some;
        match left - some {
            0 => self.end_block(),
            left => self.state = State::Stored(left),
        }
        Ok(place + some)
    }

    /// Reads the codes of a block that has its own.
    fn read_codes(&mut self, input: &[u8]) -> Result<(), Broken> {
        const ORDER: [usize; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        let litlens = self.number(5, input)? + 257;
        let distances = self.number(5, input)? + 1;
        if litlens > 286 || distances > 30 {
            return Err(Broken::Code);
        }
        let mut lengths = [0; 19];
        for symbol in &ORDER[..self.number(4, input)? + 4] {
            lengths[*symbol] = self.number(3, input)? as u8;
        }
        let mut table = CodeLengths::default();
        table.build(&lengths, &CODE_LENGTHS, false)?;
        let mut lengths = [0; 286 + 30];
        let all = &mut lengths[..litlens + distances];
        let mut next = 0;
        while next < all.len() {
            self.refill(input);
            let entry = table.at(self.bits);
            self.drop_bits(entry.bits())?;
            let (length, times) = match entry.value(0) {
                16 => {
                    let last = next.checked_sub(1).ok_or(Broken::Code)?;
                    (all[last], 3 + self.number(2, input)?)
                }
                17 => (0, 3 + self.number(3, input)?),
                18 => (0, 11 + self.number(7, input)?),
                length => (length as u8, 1),
            };
            let some = all.get_mut(next..next + times).ok_or(Broken::Code)?;
            some.fill(length);
            next += times;
        }
        let (of_litlens, of_distances) = all.split_at(litlens);
        if of_litlens[256] == 0 {
            return Err(Broken::Code);
        }
        self.litlens.build(of_litlens, true)?;
        self.distances.build(of_distances, &DISTANCES, true)
    }

    /// Codes near the input's end: step by step.
    fn slow(&mut self, input: &[u8], out: &mut [u8], mut place: usize) -> Result<usize, Broken> {
        while place + SLACK <= out.len() {
            self.refill(input);
            let mut entry = self.litlens.at(self.bits);
            if !entry.is_literal() && entry.is_link() {
                self.drop_bits(entry.bits())?;
                entry = self.litlens.behind(entry, self.bits);
            }
            if entry.is_literal() {
                self.drop_bits(entry.bits())?;
                let [first, other] = entry.literals();
                (out[place], out[place + 1]) = (first, other);
                place += entry.num_literals();
                continue;
            }
            if entry.is_special() {
                if !entry.is_end() {
                    return Err(self.no_code());
                }
                self.drop_bits(entry.bits())?;
                self.end_block();
                break;
            }
            out[place] = self.litlens.before(self.bits);
            place += entry.num_before();
            let length = self.value(entry)?;
            self.refill(input);
            let mut entry = self.distances.at(self.bits);
            if entry.is_link() {
                self.drop_bits(entry.bits())?;
                entry = self.distances.behind(entry, self.bits);
            }
            if entry.is_special() {
                return Err(self.no_code());
            }
            let distance = self.value(entry)?;
            let from = place.checked_sub(distance).ok_or(Broken::Distance)?;
            for step in 0..length {
                out[place + step] = out[from + step];
            }
            place += length;
        }
        Ok(place)
    }

    fn value(&mut self, entry: Entry) -> Result<usize, Broken> {
        let bits = self.bits;
        self.drop_bits(entry.bits())?;
        Ok(entry.value(bits))
    }

    /// Why the next bits are no code: mostly because there are none.
    fn no_code(&self) -> Broken {
        if self.count < 15 {
            Broken::Short
        } else {
            Broken::Code
        }
    }

    /// Codes while there is enough input and room not to ask for either in mid-match.
    fn fast(&mut self, input: &[u8], out: &mut [u8], place: usize) -> Result<usize, Broken> {
        if self.at + AHEAD > input.len() {
            return Ok(place);
        }
        assert!(place + SLACK <= out.len());
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has the features; input and room were just compared.
            return unsafe { self.fast_avx2(input, out, place) };
        }
        // SAFETY: input and room were just compared.
        unsafe { self.fast_with(input, out, place) }
    }

    /// The same in the instructions that came with AVX2: shifts by any register, and wider copies.
    ///
    /// # Safety
    /// As [`Deflate::fast_with`], and the machine must have the features.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    unsafe fn fast_avx2(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        place: usize,
    ) -> Result<usize, Broken> {
        // SAFETY: as promised.
        unsafe { self.fast_with(input, out, place) }
    }

    /// # Safety
    /// There must be [`AHEAD`] bytes of input, and room for [`SLACK`] bytes behind `place`.
    #[inline(always)]
    unsafe fn fast_with(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        place: usize,
    ) -> Result<usize, Broken> {
        let (litlens, distances) = (&self.litlens, &self.distances);
        let mut state = Ok(State::Codes);
        // SAFETY: the input is read, eight bytes at a time, from places up to `last_input` only, which has twice as many
        // behind it. The output is written from places up to `last_output` on, at which a step begins: at most six
        // literals, or five, a match and what copying writes beyond it, less than SLACK together. A match is copied from
        // within the output, since its distance is compared.
        unsafe {
            let last_input = input.as_ptr().add(input.len() - AHEAD);
            let first_output = out.as_mut_ptr();
            let last_output = first_output.add(out.len() - SLACK);
            let mut source = input.as_ptr().add(self.at);
            let mut target = first_output.add(place);
            let (mut bits, mut count) = (self.bits, self.count);
            // Bits above `count` are those of the input's next byte, which is taken once more.
            macro_rules! refill {
                () => {
                    bits |= u64::from_le(source.cast::<u64>().read_unaligned()) << count;
                    source = source.add(((63 - count) >> 3) as usize);
                    count |= 56;
                };
            }
            macro_rules! drop_bits {
                ($entry:expr) => {
                    bits >>= $entry.bits();
                    count -= $entry.bits();
                };
            }
            refill!();
            let mut entry = litlens.at(bits);
            macro_rules! next_step {
                () => {
                    if source > last_input || target > last_output {
                        break;
                    }
                    refill!();
                    entry = litlens.at(bits);
                    continue;
                };
            }
            macro_rules! put_literals {
                ($entry:expr) => {
                    drop_bits!($entry);
                    target.cast::<[u8; 2]>().write_unaligned($entry.literals());
                    target = target.add($entry.num_literals());
                };
            }
            loop {
                // `entry` is what the bits begin with, of which there are at least 56: three times literals (11 each),
                // or a length (20, with a literal before it 16) and a distance (28).
                if entry.is_literal() {
                    put_literals!(entry);
                    entry = litlens.at(bits);
                    if entry.is_literal() {
                        put_literals!(entry);
                        entry = litlens.at(bits);
                        if entry.is_literal() {
                            put_literals!(entry);
                            next_step!();
                        }
                    }
                    if source > last_input {
                        break;
                    }
                    refill!();
                }
                if entry.is_special() {
                    if entry.is_link() {
                        drop_bits!(entry);
                        entry = litlens.behind(entry, bits);
                        if entry.is_literal() {
                            put_literals!(entry);
                            next_step!();
                        }
                    }
                    if entry.is_special() {
                        if entry.is_end() {
                            drop_bits!(entry);
                            state = Ok(State::Head);
                        } else {
                            state = Err(Broken::Code);
                        }
                        break;
                    }
                }
                target.write(litlens.before(bits));
                target = target.add(entry.num_before());
                let length = entry.value(bits);
                drop_bits!(entry);
                let mut behind = distances.at(bits);
                if behind.is_special() {
                    if behind.is_link() {
                        drop_bits!(behind);
                        behind = distances.behind(behind, bits);
                    }
                    if behind.is_special() {
                        state = Err(Broken::Code);
                        break;
                    }
                }
                let distance = behind.value(bits);
                drop_bits!(behind);
                if distance > target.offset_from_unsigned(first_output) {
                    state = Err(Broken::Distance);
                    break;
                }
                let (from, to) = (target.sub(distance).cast_const(), target);
                target = target.add(length);
                let goes_on = source <= last_input && target <= last_output;
                if goes_on {
                    // Before the copy, so that the look-up does not wait for it.
                    refill!();
                    entry = litlens.at(bits);
                }
                copy(from, to, target, distance);
                if !goes_on {
                    break;
                }
            }
            (self.bits, self.count) = (low(bits, count), count);
            self.at = source.offset_from_unsigned(input.as_ptr());
            match state? {
                State::Head => self.end_block(),
                state => self.state = state,
            }
            Ok(target.offset_from_unsigned(first_output))
        }
    }
}

/// Copies a match that lies `distance` bytes before `to`, until `end` is reached, and up to [`STRIDE`] bytes more.
///
/// # Safety
/// `from` is `distance` bytes before `to`, at least one; `end` is behind `to`, and [`STRIDE`] bytes behind it may be written.
#[inline(always)]
unsafe fn copy(mut from: *const u8, mut to: *mut u8, end: *mut u8, distance: usize) {
    // SAFETY: as promised. Each step reads what was written before it: steps are not longer than the distance, or the
    // bytes that they write too many are written again by the next.
    unsafe {
        if distance >= STRIDE {
            loop {
                to.copy_from_nonoverlapping(from, STRIDE);
                (from, to) = (from.add(STRIDE), to.add(STRIDE));
                if to >= end {
                    return;
                }
            }
        }
        // Bytes of a step that are right: all of them, or those of one period.
        let step = distance.min(size_of::<u64>());
        loop {
            to.cast::<u64>()
                .write_unaligned(from.cast::<u64>().read_unaligned());
            (from, to) = (from.add(step), to.add(step));
            if to >= end {
                return;
            }
        }
    }
}
