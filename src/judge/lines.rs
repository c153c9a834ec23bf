//! Which connection each line of an object belongs to, in four bytes, and its rejected records: whoever reads the object a
//! second time for the records of some connections need not parse the others, nor even inflate them.

use hashbrown::HashSet;

use super::connection::Key;
use crate::flow::Excerpt;

/// Stands for a line with several records.
const SEVERAL: u32 = u32::MAX;
/// Bits of a filter for each key, which sets two of them. Of lines that nobody wants about one in seventy is looked up.
const BITS_PER_KEY: usize = 16;

/// What is noted of an object's lines.
#[derive(Default)]
pub struct LineNotes {
    /// Which connections they belong to.
    pub hashes: LineHashes,
    /// The rejected records, of which most are wanted; none if they are too many or no lines of text.
    pub rejected: Option<Excerpt>,
}

/// The connections of an object's lines by their place, 1-based: 32 bits of the hash of each key; 0 for lines without a
/// connection.
#[derive(Default)]
pub struct LineHashes(Vec<u32>);

impl LineHashes {
    /// Notes that a record of this line belongs to the connection whose key has this hash.
    #[inline]
    pub fn note(&mut self, line: u64, hash: u64) {
        let (place, short) = (line as usize, shorten(hash));
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        let known = &mut self.0[place];
        *known = if *known == 0 { short } else { SEVERAL };
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }

    /// The lines that [`LineHashes::may_be_in`] says may be in a filter, in order, but for these (in order).
    pub fn others_in(&self, filter: &HashFilter, known: &[u32]) -> Vec<u32> {
        let mut known = known.iter().peekable();
        let lines = (0..self.0.len() as u32).filter(|line| {
            let is_known = known.next_if_eq(&line).is_some();
            !is_known && self.may_be_in((*line).into(), filter)
        });
        lines.collect()
    }

    /// Whether a record of this line may belong to one of the filter's connections.
    #[inline]
    pub fn may_be_in(&self, line: u64, filter: &HashFilter) -> bool {
        match self.0.get(line as usize) {
            None | Some(0) => false,
            Some(&SEVERAL) => true,
            Some(short) => filter.may_have(*short),
        }
    }
}

/// The middle of a hash. Never 0 nor [`SEVERAL`].
fn shorten(hash: u64) -> u32 {
    ((hash >> 16) as u32).clamp(1, SEVERAL - 1)
}

/// A set of keys by their hashes that never forgets one and takes hardly any other for its own.
pub struct HashFilter {
    /// Tells of most keys that they are not among them without a look at `hashes`.
    words: Vec<u64>,
    hashes: HashSet<u32>,
}

impl HashFilter {
    /// The filter of so many keys.
    pub fn of<'k>(count: usize, keys: impl Iterator<Item = &'k Key>) -> HashFilter {
        let bits = (count * BITS_PER_KEY).next_power_of_two().max(64);
        let mut filter = HashFilter {
            words: vec![0; bits / 64],
            hashes: HashSet::with_capacity(count),
        };
        for key in keys {
            let short = shorten(key.hash());
            for bit in filter.bits(short) {
                filter.words[bit / 64] |= 1 << (bit % 64);
            }
            filter.hashes.insert(short);
        }
        filter
    }

    /// The bits of a key.
    #[inline]
    fn bits(&self, short: u32) -> [usize; 2] {
        let mixed = u64::from(short).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        [short >> 1, mixed as u32].map(|bits| bits as usize & (self.words.len() * 64 - 1))
    }

    #[inline]
    fn may_have(&self, short: u32) -> bool {
        let mut bits = self.bits(short).into_iter();
        bits.all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1) && self.hashes.contains(&short)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::judge::connection::{End, Home};
    use crate::net::Addr;

    fn key(random: &mut ChaCha8Rng) -> Key {
        let mut end = || End {
            home: Home::inside(0),
            addr: Addr::from_v4(random.random()),
            port: random.random(),
        };
        Key::of(end(), end(), 6).0
    }

    #[test]
    fn wanted_lines_are_never_left_out_and_others_rarely_let_through() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let keys: Vec<Key> = (0..20_000).map(|_| key(&mut random)).collect();
        let mut lines = LineHashes::default();
        for (place, key) in keys.iter().enumerate() {
            lines.note(place as u64 * 2 + 2, key.hash());
        }
        let wanted = &keys[..5_000];
        let filter = HashFilter::of(wanted.len(), wanted.iter());
        let is_in = |place: usize| lines.may_be_in(place as u64 * 2 + 2, &filter);
        assert!((0..5_000).all(is_in));
        let others = (5_000..20_000).filter(|place| is_in(*place)).count();
        assert!(others < 5, "{others} of 15000 let through");
        assert!((0..50_000).all(|place| !lines.may_be_in(place * 2 + 1, &filter)));
        let odd: Vec<u32> = (0..50_000).filter(|line| line % 4 == 0).collect();
        let expected = (0..40_002).filter(|line| line % 4 != 0 && lines.may_be_in(*line, &filter));
        assert!(
            lines
                .others_in(&filter, &odd)
                .into_iter()
                .map(u64::from)
                .eq(expected)
        );
    }

    #[test]
    fn a_line_of_several_records_is_always_let_through() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let mut lines = LineHashes::default();
        for line in [7, 7, 8] {
            lines.note(line, key(&mut random).hash());
        }
        let filter = HashFilter::of(0, [].iter());
        assert_eq!(
            [7, 8, 9].map(|line| lines.may_be_in(line, &filter)),
            [true, false, false]
        );
    }
}
