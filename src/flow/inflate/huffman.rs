//! Prefix codes (RFC 1951, section 3.2.2) as tables: what the next bits of the input mean, in one look-up or two.
//!
//! A table is indexed by the next bits, as many as most codes have; a longer code leads on to a table of its own behind.
//! An entry says how many bits to drop and what they meant: a literal byte, or the base of a length or distance with the
//! number of extra bits that are added to it, which are dropped along with the code.

use super::Broken;

/// The longest code, bits.
const LONGEST: usize = 15;

const LITERAL: u32 = 1 << 31;
/// It stands for one more literal: behind a literal, before a length.
const MORE: u32 = 1 << 6;
/// Neither a literal nor a base.
const SPECIAL: u32 = 1 << 15;
/// Special: the code goes on in another table.
const LINK: u32 = 1 << 14;
/// Special: the block ends.
const END: u32 = 1 << 13;

/// What a code means, or what that of a literal and the one behind it do.
///
/// Bits 0 to 5: how many bits to drop. Of a literal, bit 6: whether there is another; bits 8 to 15: the literal; bits 16 to
/// 23: the other. Of all else, bit 6: whether a literal comes before; bits 8 to 11: how many bits are codes; bits 16 to 30:
/// the base, or where the linked table begins. A special entry that is neither a link nor an end stands for bits that are
/// no code.
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    const NO_CODE: Entry = Entry(SPECIAL);

    #[inline(always)]
    pub fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    /// The literals, of which [`Entry::num_literals`] count.
    #[inline(always)]
    pub fn literals(self) -> [u8; 2] {
        ((self.0 >> 8) as u16).to_le_bytes()
    }

    #[inline(always)]
    pub fn num_literals(self) -> usize {
        1 + self.num_before()
    }

    /// Of a length: how many literals come before it.
    #[inline(always)]
    pub fn num_before(self) -> usize {
        (self.0 >> 6 & 1) as usize
    }

    /// Of what is no literal.
    #[inline(always)]
    pub fn is_special(self) -> bool {
        self.0 & SPECIAL != 0
    }

    /// Of what is no literal.
    #[inline(always)]
    pub fn is_link(self) -> bool {
        self.0 & LINK != 0
    }

    /// Of what is special.
    #[inline(always)]
    pub fn is_end(self) -> bool {
        self.0 & END != 0
    }

    /// How many bits to drop, at most 28.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        self.0 & 0x3f
    }

    #[inline(always)]
    fn code_bits(self) -> u32 {
        self.0 >> 8 & 0xf
    }

    #[inline(always)]
    fn payload(self) -> usize {
        (self.0 >> 16 & 0x7fff) as usize
    }

    /// The base and what the extra bits among `bits` add to it.
    #[inline(always)]
    pub fn value(self, bits: u64) -> usize {
        self.payload() + (low(bits, self.bits()) >> self.code_bits()) as usize
    }

    /// With a code of this length before its extra bits.
    const fn with_code(self, length: u32) -> Entry {
        if self.0 & LITERAL != 0 {
            Entry(self.0 | length)
        } else {
            Entry((self.0 + length) | length << 8)
        }
    }

    /// This literal and then another, or a length; none if the first `bits` do not tell, or it is neither.
    fn followed_by(self, other: Entry, bits: u32) -> Option<Entry> {
        let own = self.bits();
        if other.is_literal() {
            let literals = self.0 | MORE | u32::from(other.literals()[0]) << 16;
            return (own + other.bits() <= bits).then_some(Entry(literals + other.bits()));
        }
        let tells = !other.is_special() && own + other.code_bits() <= bits;
        tells.then_some(Entry((other.0 | MORE) + own + (own << 8)))
    }

    /// Leads on to the table that begins at `start` and is looked up by so many bits, behind `dropped` ones.
    const fn link(start: usize, bits: u32, dropped: u32) -> Entry {
        Entry(SPECIAL | LINK | (start as u32) << 16 | bits << 8 | dropped)
    }
}

/// The lowest `count` bits, fewer than 64.
#[inline(always)]
pub(super) fn low(bits: u64, count: u32) -> u64 {
    bits & !(u64::MAX << count)
}

/// A code's table: `ROOM` entries, of which the first `1 << BITS` are looked up by the next bits.
pub(super) struct Table<const BITS: u32, const ROOM: usize>(Box<[Entry; ROOM]>);

/// Literals and lengths. An entry stands for a literal and what follows it wherever its bits tell both: digits and blanks
/// take few, and whether a literal or a length follows is what no processor can foresee.
#[derive(Default)]
pub(super) struct Litlens {
    /// Room for whatever 288 codes of at most 15 bits need (zlib's `enough 288 11 15` counts 2,342).
    table: Table<LITLEN_BITS, 2342>,
    /// The literals before lengths.
    before: Before,
}

const LITLEN_BITS: u32 = 11;

struct Before(Box<[u8; 1 << LITLEN_BITS]>);

impl Default for Before {
    fn default() -> Before {
        Before(Box::new([0; 1 << LITLEN_BITS]))
    }
}

impl Litlens {
    /// What the next bits begin with, which may be a link.
    #[inline(always)]
    pub fn at(&self, bits: u64) -> Entry {
        self.table.at(bits)
    }

    /// What a link leads to, its own bits dropped.
    #[inline(always)]
    pub fn behind(&self, link: Entry, bits: u64) -> Entry {
        self.table.behind(link, bits)
    }

    /// The literal before the length that these bits begin with, if one comes before it.
    #[inline(always)]
    pub fn before(&self, bits: u64) -> u8 {
        self.before.0[low(bits, LITLEN_BITS) as usize]
    }

    /// Makes the table of a code ([`Table::build`]).
    ///
    /// # Errors
    /// When there are more codes than fit, or fewer.
    pub fn build(&mut self, lengths: &[u8], may_lack: bool) -> Result<(), Broken> {
        self.table.build(lengths, &LITLENS, may_lack)?;
        let entries = &mut self.table.0;
        // From the end, because what follows a literal stands before it, and has to stand for itself still.
        for place in (0..1 << LITLEN_BITS).rev() {
            let first = entries[place];
            if !first.is_literal() {
                continue;
            }
            let second = entries[place >> first.bits()];
            if let Some(both) = first.followed_by(second, LITLEN_BITS) {
                entries[place] = both;
                self.before.0[place] = first.literals()[0];
            }
        }
        Ok(())
    }
}

/// Distances (`enough 32 8 15` counts 402).
pub(super) type Distances = Table<8, 402>;
/// Lengths of codes, which have at most 7 bits.
pub(super) type CodeLengths = Table<7, 128>;

impl<const BITS: u32, const ROOM: usize> Default for Table<BITS, ROOM> {
    fn default() -> Self {
        Table(Box::new([Entry::NO_CODE; ROOM]))
    }
}

impl<const BITS: u32, const ROOM: usize> Table<BITS, ROOM> {
    /// What the next bits begin with, which may be a link.
    #[inline(always)]
    pub fn at(&self, bits: u64) -> Entry {
        self.0[low(bits, BITS) as usize]
    }

    /// What a link leads to, its own bits dropped.
    #[inline(always)]
    pub fn behind(&self, link: Entry, bits: u64) -> Entry {
        let place = link.payload() + low(bits, link.code_bits()) as usize;
        // Never beyond; said so that nothing asks.
        self.0[place.min(ROOM - 1)]
    }

    /// Makes the table of a code, of which each symbol has a length (0 for none) and what it means. Codes of which some
    /// bits mean nothing are accepted as zlib does: where `may_lack`, if there is one code of one bit, or none.
    ///
    /// # Errors
    /// When there are more codes than fit, or fewer.
    pub fn build(
        &mut self,
        lengths: &[u8],
        meanings: &[Entry],
        may_lack: bool,
    ) -> Result<(), Broken> {
        let mut counts = [0_usize; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let longest = (1..=LONGEST).rev().find(|length| counts[*length] > 0);
        let longest = longest.unwrap_or(0);
        let mut free = 1_i32;
        for count in &counts[1..] {
            free = free * 2 - *count as i32;
            if free < 0 {
                return Err(Broken::Code);
            }
        }
        if free > 0 {
            if !may_lack || longest > 1 {
                return Err(Broken::Code);
            }
            self.0[..1 << BITS].fill(Entry::NO_CODE);
        }
        self.fill(lengths, meanings, counts, longest as u32);
        Ok(())
    }

    /// Codes are numbered by length, then by symbol, and come with their first bit lowest.
    fn fill(
        &mut self,
        lengths: &[u8],
        meanings: &[Entry],
        mut left: [usize; LONGEST + 1],
        longest: u32,
    ) {
        let mut next = [0; LONGEST + 2];
        for length in 1..=LONGEST {
            next[length + 1] = next[length] + left[length];
        }
        let mut sorted = [0_u16; 288];
        let count = next[LONGEST + 1];
        for (symbol, length) in lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0)
        {
            let place = &mut next[usize::from(*length)];
            sorted[*place] = symbol as u16;
            *place += 1;
        }
        let mut code = 0_u32;
        let mut free = 1 << BITS;
        // The table behind that is being filled: the bits that lead to it, where it begins, and its bits.
        let mut behind = (usize::MAX, 0, 0);
        for symbol in sorted[..count].iter().map(|symbol| usize::from(*symbol)) {
            let length = u32::from(lengths[symbol]);
            let (table, from, own) = if length <= BITS {
                (&mut self.0[..1 << BITS], code as usize, length)
            } else {
                let prefix = low(code.into(), BITS) as usize;
                if behind.0 != prefix {
                    let bits = bits_behind(&left, length, longest, BITS);
                    behind = (prefix, free, bits);
                    self.0[prefix] = Entry::link(free, bits, BITS);
                    free += 1 << bits;
                }
                let table = &mut self.0[behind.1..behind.1 + (1 << behind.2)];
                (table, (code >> BITS) as usize, length - BITS)
            };
            let entry = meanings[symbol].with_code(own);
            table[from..]
                .iter_mut()
                .step_by(1 << own)
                .for_each(|place| *place = entry);
            left[length as usize] -= 1;
            code = next_code(code, length);
        }
    }
}

/// The bits of a table for the codes that share the first `BITS` with one of this length: as many as it takes until the
/// codes that are left fill it.
fn bits_behind(left: &[usize], length: u32, longest: u32, first: u32) -> u32 {
    let mut bits = length - first;
    let mut room = 1_i32 << bits;
    while bits + first < longest {
        room -= left[(bits + first) as usize] as i32;
        if room <= 0 {
            break;
        }
        bits += 1;
        room <<= 1;
    }
    bits
}

/// The code after this one of the same length, both with their first bit lowest; 0 after the last.
fn next_code(code: u32, length: u32) -> u32 {
    let reversed = code.reverse_bits() >> (u32::BITS - length);
    (reversed + 1).reverse_bits() >> (u32::BITS - length)
}

/// What symbols of literals and lengths mean (RFC 1951, section 3.2.5).
static LITLENS: [Entry; 288] = {
    let mut meanings = [Entry::NO_CODE; 288];
    let mut symbol = 0;
    while symbol < 256 {
        meanings[symbol] = Entry(LITERAL | (symbol as u32) << 8);
        symbol += 1;
    }
    meanings[256] = Entry(SPECIAL | END);
    let (mut base, mut place) = (3, 0);
    while place < 28 {
        let extra = if place < 8 { 0 } else { place / 4 - 1 };
        meanings[257 + place as usize] = Entry(base << 16 | extra);
        base += 1 << extra;
        place += 1;
    }
    meanings[285] = Entry(258 << 16);
    meanings
};

/// What symbols of distances mean.
pub(super) static DISTANCES: [Entry; 32] = {
    let mut meanings = [Entry::NO_CODE; 32];
    let (mut base, mut place) = (1, 0);
    while place < 30 {
        let extra = if place < 4 { 0 } else { place / 2 - 1 };
        meanings[place as usize] = Entry(base << 16 | extra);
        base += 1 << extra;
        place += 1;
    }
    meanings
};

/// What symbols of code lengths mean: themselves.
pub(super) static CODE_LENGTHS: [Entry; 19] = {
    let mut meanings = [Entry::NO_CODE; 19];
    let mut symbol = 0;
    while symbol < 19 {
        meanings[symbol] = Entry((symbol as u32) << 16);
        symbol += 1;
    }
    meanings
};
