//! Rows as bytes: a key that orders them, then numbers and texts in the order in which they were put in, then how many
//! bytes these take.

use crate::policy::Word;

/// Puts a row together.
#[derive(Default)]
pub(super) struct Packer {
    numbers: Vec<u8>,
    texts: Vec<u8>,
}

impl Packer {
    /// Adds a number; small ones take a byte.
    pub fn number(&mut self, number: u64) {
        write_number(&mut self.numbers, number);
    }

    /// Adds a number that may be negative; those near zero take a byte.
    pub fn integer(&mut self, integer: i64) {
        self.number((integer << 1 ^ integer >> 63) as u64);
    }

    /// Adds a text, or that there is none.
    pub fn text(&mut self, text: Option<&str>) {
        self.number(text.map_or(0, |text| text.len() as u64 + 1));
        let text = text.unwrap_or_default();
        self.texts.extend_from_slice(text.as_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.texts.extend_from_slice(bytes);
    }

    /// Adds a word, or that there is none.
    pub fn word<W: Word>(&mut self, word: Option<W>) {
        self.number(word.map_or(0, |word| word.place() as u64 + 1));
    }

    /// Appends the row to `rows`, behind its key, and begins the next.
    pub fn finish(&mut self, key: &[u8], rows: &mut Vec<u8>) {
        rows.extend_from_slice(key);
        rows.extend_from_slice(&self.numbers);
        rows.extend_from_slice(&self.texts);
        rows.extend_from_slice(&(self.numbers.len() as u64).to_le_bytes());
        rows.extend_from_slice(&(self.texts.len() as u64).to_le_bytes());
        self.numbers.clear();
        self.texts.clear();
    }
}

/// Appends a number, seven bits a byte, the lowest first; the highest bit says that more follow (LEB128).
pub(super) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes the next such number off.
pub(super) fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Reads a row as it was put together. None wherever it is another row than expected.
pub(super) struct Unpacker<'a> {
    numbers: &'a [u8],
    texts: &'a [u8],
}

impl<'a> Unpacker<'a> {
    /// The row's key, and a reader of the rest.
    pub fn split(row: &'a [u8]) -> Option<(&'a [u8], Unpacker<'a>)> {
        let (row, texts) = row.split_last_chunk()?;
        let (row, numbers) = row.split_last_chunk()?;
        let (row, texts) = split_end(row, u64::from_le_bytes(*texts))?;
        let (key, numbers) = split_end(row, u64::from_le_bytes(*numbers))?;
        Some((key, Unpacker { numbers, texts }))
    }

    /// The next number.
    pub fn number(&mut self) -> Option<u64> {
        read_number(&mut self.numbers)
    }

    /// The next number that may be negative.
    pub fn integer(&mut self) -> Option<i64> {
        let folded = self.number()?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// The next word, which may be none.
    pub fn word<W: Word>(&mut self) -> Option<Option<W>> {
        match self.number()?.checked_sub(1) {
            None => Some(None),
            Some(place) => W::WORDS
                .get(usize::try_from(place).ok()?)
                .copied()
                .map(Some),
        }
    }

    /// The next text, which may be none.
    pub fn text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.number()?.checked_sub(1) else {
            return Some(None);
        };
        let text = self.take(length)?;
        Some(Some(std::str::from_utf8(text).ok()?))
    }

    /// The next bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (some, rest) = self.texts.split_at_checked(usize::try_from(length).ok()?)?;
        self.texts = rest;
        Some(some)
    }
}

/// The last so many bytes, and what comes before them.
fn split_end(bytes: &[u8], length: u64) -> Option<(&[u8], &[u8])> {
    let at = bytes.len().checked_sub(usize::try_from(length).ok()?)?;
    Some(bytes.split_at(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(key in ".{0,9}", values in prop::collection::vec((any::<u64>(), 0u32..64, prop::option::of(".{0,200}")), 0..9)) {
            let (mut packer, mut rows) = (Packer::default(), b"before".to_vec());
            for (number, shift, text) in &values {
                packer.number(number >> shift);
                packer.integer(*number as i64 >> shift);
                packer.text(text.as_deref());
                packer.bytes(&number.to_le_bytes());
            }
            packer.finish(key.as_bytes(), &mut rows);
            let (found, mut row) = Unpacker::split(&rows[6..]).expect("a row");
            prop_assert_eq!(found, key.as_bytes());
            for (number, shift, text) in &values {
                prop_assert_eq!(row.number(), Some(number >> shift));
                prop_assert_eq!(row.integer(), Some(*number as i64 >> shift));
                prop_assert_eq!(row.text(), Some(text.as_deref()));
                prop_assert_eq!(row.bytes(), Some(&number.to_le_bytes()[..]));
            }
            prop_assert_eq!((row.number(), row.texts), (None, &[][..]));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..60)) {
            if let Some((_, mut row)) = Unpacker::split(&bytes) {
                while row.text().is_some() && row.number().is_some() {}
            }
        }
    }
}
