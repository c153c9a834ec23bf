//! A field's text, and how it becomes a number, an address or a word, eight bytes at a time.
//!
//! The parsers read whole machine words from a field's first byte and shift away what lies beyond its end; that is why
//! a [`Cell`] promises more readable bytes than it has text.

use std::marker::PhantomData;
use std::net::Ipv6Addr;

use super::ipv4::{self, octet};
use super::ipv6;
use crate::net::Addr;
use crate::net::aws::{SERVICES, Service};

/// Bytes that must be readable from a cell's first byte, whatever its length: the widest load of the parsers, from the
/// last byte that one may start at.
pub(crate) const READABLE: usize = 32;

/// The text of one field, with at least [`READABLE`] readable bytes from its start.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    start: *const u8,
    len: usize,
    text: PhantomData<&'a [u8]>,
}

/// A field's text is not what its name promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bad;

/// A [`Cell::word`] longer than eight bytes, or none at all.
pub(crate) const NO_WORD: u64 = 0;

/// The text of a word as [`Cell::word`] returns it.
pub(crate) const fn word(text: &str) -> u64 {
    let text = text.as_bytes();
    assert!(text.len() <= 8);
    let (mut packed, mut index) = (0, 0);
    while index < text.len() {
        packed |= (text[index] as u64) << (8 * index);
        index += 1;
    }
    packed
}

impl<'a> Cell<'a> {
    /// The cell of this text.
    ///
    /// # Safety
    /// [`READABLE`] bytes from the text's first must be readable for `'a`.
    #[inline(always)]
    pub unsafe fn new(text: &'a [u8]) -> Cell<'a> {
        Cell {
            start: text.as_ptr(),
            len: text.len(),
            text: PhantomData,
        }
    }

    /// Copies a text to where it has room around it; none if it is longer than any that parses.
    pub fn padded(text: &[u8], room: &'a mut [u8; 2 * READABLE + 16]) -> Option<Cell<'a>> {
        if text.len() > READABLE + 16 {
            return None;
        }
        room[..text.len()].copy_from_slice(text);
        // SAFETY: the slice starts at the first of more than READABLE bytes.
        Some(unsafe { Cell::new(&room[..text.len()]) })
    }

    /// The text.
    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: a cell is made of a slice with this start and length.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// Eight bytes from `at`, the first the least significant.
    #[inline(always)]
    fn load(self, at: usize) -> u64 {
        debug_assert!(at + 8 <= READABLE || at + 8 <= self.len);
        // SAFETY: within the text or within READABLE bytes of its start.
        u64::from_le(unsafe { self.start.add(at).cast::<u64>().read_unaligned() })
    }

    /// Whether the text is the `-` that stands for a missing value.
    #[inline(always)]
    pub fn is_dash(self) -> bool {
        // SAFETY: READABLE bytes from the start.
        self.len == 1 && unsafe { *self.start } == b'-'
    }

    /// The text as a [`word`], for texts of one to eight bytes.
    #[inline(always)]
    pub fn word(self) -> u64 {
        if self.len.wrapping_sub(1) >= 8 {
            return NO_WORD;
        }
        self.load(0) & (u64::MAX >> (64 - 8 * self.len))
    }

    /// A whole number up to `i64::MAX`; none for `-`.
    #[inline(always)]
    pub fn number(self) -> Result<Option<u64>, Bad> {
        if self.len.wrapping_sub(1) >= 8 {
            return self.long_number();
        }
        let digits = (self.load(0) ^ ZEROS) << (64 - 8 * self.len);
        if !are_digits(digits) {
            return if self.is_dash() { Ok(None) } else { Err(Bad) };
        }
        Ok(Some(eight_digits(digits)))
    }

    #[inline(never)]
    fn long_number(self) -> Result<Option<u64>, Bad> {
        if self.len.wrapping_sub(9) >= 8 {
            return self.longest_number();
        }
        let high = (self.load(0) ^ ZEROS) << (128 - 8 * self.len);
        let low = self.load(self.len - 8) ^ ZEROS;
        if !are_digits(high) | !are_digits(low) {
            return Err(Bad);
        }
        Ok(Some(eight_digits(high) * 100_000_000 + eight_digits(low)))
    }

    /// As [`Cell::number`], and fastest for ten digits: seconds since 1970.
    #[inline(always)]
    pub fn time(self) -> Result<Option<u64>, Bad> {
        let high = (self.load(0) ^ ZEROS) << 48;
        let low = self.load(2) ^ ZEROS;
        if (self.len != 10) | !are_digits(high) | !are_digits(low) {
            return self.number();
        }
        Ok(Some(
            (high >> 48 & 0xf) * 1_000_000_000 + (high >> 56) * 100_000_000 + eight_digits(low),
        ))
    }

    #[cold]
    fn longest_number(self) -> Result<Option<u64>, Bad> {
        let text = self.bytes();
        if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
            return Err(Bad);
        }
        let number = text.iter().try_fold(0_i64, |number, digit| {
            number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        });
        number.map(|number| Some(number as u64)).ok_or(Bad)
    }

    /// A number up to 255; none for `-`.
    #[inline(always)]
    pub fn byte(self) -> Result<Option<u8>, Bad> {
        if self.len.wrapping_sub(1) >= 3 {
            return self.long_byte();
        }
        let (value, wrong, _) = octet(self.load(0) as u32, self.len as u32);
        if wrong {
            return if self.is_dash() { Ok(None) } else { Err(Bad) };
        }
        Ok(Some(value))
    }

    /// Zeros may stand before a number.
    #[cold]
    fn long_byte(self) -> Result<Option<u8>, Bad> {
        let number = self.number()?.ok_or(Bad)?;
        u8::try_from(number).map(Some).map_err(|_| Bad)
    }

    /// As [`Cell::byte`], with 0 for `-`, and fastest where one digit is as likely as `-`.
    #[inline(always)]
    pub fn digit(self) -> Result<u8, Bad> {
        if self.len != 1 {
            return self.byte().map(|byte| byte.unwrap_or(0));
        }
        // SAFETY: READABLE bytes from the start.
        let byte = unsafe { *self.start };
        let digit = byte.wrapping_sub(b'0');
        let known = digit <= 9;
        if known | (byte == b'-') {
            Ok(if known { digit } else { 0 })
        } else {
            Err(Bad)
        }
    }

    /// An address; none for `-`.
    ///
    /// # Safety
    /// With `VECTOR` the machine must have SSE 4.1.
    #[inline(always)]
    pub unsafe fn address<const VECTOR: bool>(self) -> Result<Option<Addr>, Bad> {
        // SAFETY: READABLE bytes are readable, and the machine is as promised.
        match unsafe { ipv4::parse::<VECTOR>(self.start, self.len) } {
            Some(bits) => Ok(Some(Addr::from_v4(bits))),
            None => self.other_address(),
        }
    }

    #[inline(never)]
    fn other_address(self) -> Result<Option<Addr>, Bad> {
        if self.is_dash() {
            return Ok(None);
        }
        if let Some(bits) = ipv6::parse(self.bytes()) {
            return Ok(Some(Addr::from_v6(bits)));
        }
        let text = std::str::from_utf8(self.bytes()).map_err(|_| Bad)?;
        let address: Ipv6Addr = text.parse().map_err(|_| Bad)?;
        Ok(Some(Addr::from_ip(address.into())))
    }

    /// Whether both texts are the same.
    #[inline(always)]
    pub fn same(self, other: Cell<'_>) -> bool {
        if self.len != other.len {
            return false;
        }
        if self.len.wrapping_sub(1) >= 16 {
            return self.bytes() == other.bytes();
        }
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::*;
            // SAFETY: SSE2 is part of the architecture, and READABLE bytes are readable.
            let equal = unsafe {
                let (one, two) = (
                    _mm_loadu_si128(self.start.cast()),
                    _mm_loadu_si128(other.start.cast()),
                );
                _mm_movemask_epi8(_mm_cmpeq_epi8(one, two)) as u32
            };
            equal | u32::MAX << self.len == u32::MAX
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let wide = |cell: Cell<'_>| u128::from(cell.load(0)) | u128::from(cell.load(8)) << 64;
            (wide(self) ^ wide(other)) << (128 - 8 * self.len) == 0
        }
    }

    /// What the text says of an AWS service.
    #[inline(always)]
    pub fn service(self) -> Service {
        if self.is_dash() {
            Service::None
        } else {
            service(self.bytes())
        }
    }
}

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Whether each byte is at most 9. A carry can only come from a byte that has its high bit set, which is seen itself.
#[inline(always)]
fn are_digits(digits: u64) -> bool {
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 == 0
}

/// The number whose eight digits these bytes are, the most significant in the lowest byte.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & PAIRS).wrapping_mul(100 | 1_000_000 << 32);
    let low = (pairs >> 16 & PAIRS).wrapping_mul(1 | 10_000 << 32);
    high.wrapping_add(low) >> 32
}

/// Where in [`SERVICES`] a text with this shape may be, so that one comparison usually settles it.
static GUESSES: [u8; 64] = {
    let mut guesses = [0; 64];
    let mut index = SERVICES.len();
    // From the back, so that of two with one shape the earlier stays.
    while index > 0 {
        index -= 1;
        guesses[shape(SERVICES[index].as_bytes())] = index as u8;
    }
    guesses
};

/// A number below 64 from a text's length and three of its bytes; nearly all known services differ in it.
#[inline(always)]
const fn shape(text: &[u8]) -> usize {
    let len = text.len();
    (len * 7 + text[0] as usize + text[len - 1] as usize * 3 + text[len / 2] as usize * 5) & 63
}

#[inline(never)]
fn service(text: &[u8]) -> Service {
    if text.is_empty() {
        return Service::None;
    }
    let guess = GUESSES[shape(text)];
    if SERVICES[guess as usize].as_bytes() == text {
        return Service::Known(guess);
    }
    Service::from_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    /// Every parser at once, against the standard library; `tail` is what lies behind the text in memory.
    fn check(text: &[u8], tail: u8) {
        let mut room = [tail; 2 * READABLE + 16];
        let cell = Cell::padded(text, &mut room).expect("short texts");
        let string = std::str::from_utf8(text).unwrap_or("?");
        let dash = text == b"-";

        let signed = text
            .first()
            .is_none_or(|byte| *byte == b'+' || *byte == b'-');
        let number = if signed {
            None
        } else {
            string.parse::<i64>().ok().map(|number| number as u64)
        };
        let expected = if dash {
            Ok(None)
        } else {
            number.map(Some).ok_or(Bad)
        };
        assert_eq!(cell.number(), expected, "number of {string:?}");
        assert_eq!(cell.time(), expected, "time of {string:?}");

        let digit = number.and_then(|number| u8::try_from(number).ok());
        let byte = if dash {
            Ok(None)
        } else {
            digit.map(Some).ok_or(Bad)
        };
        assert_eq!(cell.byte(), byte, "byte of {string:?}");
        assert_eq!(
            cell.digit(),
            if dash { Ok(0) } else { digit.ok_or(Bad) },
            "digit of {string:?}"
        );

        let address = string.parse::<Addr>().map(Some).map_err(|_| Bad);
        // SAFETY: any machine will do without vectors.
        let found = unsafe { cell.address::<false>() };
        assert_eq!(
            found,
            if dash { Ok(None) } else { address },
            "address of {string:?}"
        );

        assert_eq!(
            cell.service(),
            if text.is_empty() {
                Service::None
            } else {
                Service::from_text(text)
            }
        );
        assert_eq!(cell.bytes(), text);
    }

    #[test]
    fn texts_at_the_edges() {
        let texts = [
            "",
            "-",
            "0",
            "9",
            "00",
            "007",
            "10",
            "255",
            "256",
            "99999999",
            "100000000",
            "4294967296",
            "9999999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "12345678901234567890",
            "1.5",
            "+5",
            "-5",
            "1e3",
            "1_0",
            "--",
            "0.0.0.0",
            "255.255.255.255",
            "255.255.255.256",
            "10.0.0.1",
            "10.0.0.01",
            "10.0.0",
            "10.0.0.",
            ".10.0.0",
            "10..0.1",
            "1.2.3.4.5",
            "1000.0.0.1",
            "10.0.0.1 ",
            "a.b.c.d",
            "1.2.3.4",
            "300.1.1.1",
            "::",
            "::1",
            "2001:db8::1",
            "2001:db8:1234:a100:8d6e:3477:df66:f105",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2001:db8:::1",
            "fe80::1%eth0",
            "AMAZON",
            "S3",
            "DYNAMODB",
            "NEW_SERVICE",
            "amazon",
        ];
        for text in texts {
            for tail in [0, b'0', b'.', b' ', 0xff] {
                check(text.as_bytes(), tail);
            }
        }
        SERVICES
            .iter()
            .for_each(|name| check(name.as_bytes(), b' '));
    }

    #[test]
    fn words_are_packed_and_long_ones_are_none() {
        let mut room = [0xff; 2 * READABLE + 16];
        for (text, expected) in [
            ("OK", word("OK")),
            ("SKIPDATA", word("SKIPDATA")),
            ("", NO_WORD),
            ("NODATA-OR-SO", NO_WORD),
        ] {
            assert_eq!(
                Cell::padded(text.as_bytes(), &mut room)
                    .expect("short")
                    .word(),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_standard_library(number in any::<i64>(), shift in 0..63_u32, tail: u8) {
            check((number >> shift).to_string().as_bytes(), tail);
        }

        #[test]
        fn addresses_are_those_of_the_standard_library(v4: u32, v6: u128, tail: u8) {
            check(Ipv4Addr::from(v4).to_string().as_bytes(), tail);
            check(Ipv6Addr::from(v6).to_string().as_bytes(), tail);
        }

        #[test]
        fn nearly_right_texts_are_judged_alike(text in "[0-9.]{1,16}|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f:]{2,40}|[0-9x/:-]{1,20}", tail: u8) {
            check(text.as_bytes(), tail);
        }

        #[test]
        fn any_bytes_are_judged_alike(text in prop::collection::vec(any::<u8>(), 0..40), tail: u8) {
            // Lossy text would parse differently only if it parsed at all, and it does not.
            check(&text, tail);
        }

        #[test]
        fn same_is_equality(one in "[ab]{0,20}", other in "[ab]{0,20}", tail: u8) {
            let (mut room, mut other_room) = ([tail; 2 * READABLE + 16], [!tail; 2 * READABLE + 16]);
            let cell = Cell::padded(one.as_bytes(), &mut room).expect("short");
            let copy = Cell::padded(one.as_bytes(), &mut other_room).expect("short");
            prop_assert!(cell.same(copy));
            let other_cell = Cell::padded(other.as_bytes(), &mut other_room).expect("short");
            prop_assert_eq!(cell.same(other_cell), one == other);
        }
    }
}
