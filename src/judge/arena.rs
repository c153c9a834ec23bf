//! Rows that are found by a hash: an index in front of an arena that only grows, so that a row's place is its name.
//!
//! The index is open addressing with linear probing over (upper half of the hash, place) pairs, in the order of the
//! hashes' upper bits. It therefore grows in one sweep over itself, without a look at any row. Whoever looks up many
//! rows can ask for the cache lines of all of them first.

/// Bytes that are allocated together, or a little less, whatever the rows: all of one size leave no holes of others.
const CHUNK_BYTES: usize = 1 << 20;
/// A free position. Not zero: pages that the system only promised to be zero would be read first and written later,
/// which interrupts all threads once a page.
const EMPTY: u64 = u64::MAX;
/// The least length of an index, as a power of two.
const MIN_BITS: u32 = 10;

/// An arena of rows with an index of their hashes. At most 2^32 - 2 rows.
pub(super) struct HashArena<T> {
    /// Upper half: upper half of the hash; lower half: place. A power of two long, or empty.
    index: Vec<u64>,
    /// What a hash is shifted by to give its position in the index.
    shift: u32,
    rows: Chunks<T>,
}

/// Rows in pieces of memory of one size, which never move.
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Chunks<T> {
    /// Rows of a chunk.
    const ROWS: usize = {
        assert!(size_of::<T>() <= CHUNK_BYTES);
        CHUNK_BYTES / size_of::<T>()
    };

    /// Memory in use, bytes: of an only chunk what is filled, whose pages come one by one.
    pub fn memory(&self) -> usize {
        match self.chunks.len() {
            0 | 1 => self.len * size_of::<T>(),
            many => many * CHUNK_BYTES,
        }
    }

    /// All rows, by their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// The row at a place.
    #[inline]
    fn at(&self, place: usize) -> &T {
        &self.chunks[place / Self::ROWS][place % Self::ROWS]
    }

    /// The row at a place, to be changed.
    #[inline]
    fn at_mut(&mut self, place: usize) -> &mut T {
        &mut self.chunks[place / Self::ROWS][place % Self::ROWS]
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, row: T) {
        if self.len.is_multiple_of(Self::ROWS) {
            self.begin_chunk();
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(row);
        }
        self.len += 1;
    }

    #[cold]
    fn begin_chunk(&mut self) {
        let chunk = Vec::with_capacity(Self::ROWS);
        if self.len > 0 {
            populate(chunk.as_ptr(), Self::ROWS);
        }
        self.chunks.push(chunk);
    }

    fn truncate(&mut self, len: usize) {
        self.chunks.truncate(len.div_ceil(Self::ROWS));
        if let (Some(last), 1..) = (self.chunks.last_mut(), len % Self::ROWS) {
            last.truncate(len % Self::ROWS);
        }
        self.len = len;
    }
}

/// Asks the system for memory that was allocated and will be filled, all of it at once: page by page, as it is filled, each
/// page interrupts the thread.
fn populate<T>(first: *const T, count: usize) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let begin = (first as usize).next_multiple_of(PAGE);
        let end = (first as usize + count * size_of::<T>()) & !(PAGE - 1);
        if begin < end {
            // SAFETY: it changes nothing but when pages come.
            unsafe {
                libc::madvise(begin as *mut _, end - begin, libc::MADV_POPULATE_WRITE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (first, count);
}

impl<T> Default for HashArena<T> {
    fn default() -> HashArena<T> {
        HashArena {
            index: Vec::new(),
            shift: u64::BITS,
            rows: Chunks::default(),
        }
    }
}

impl<T> HashArena<T> {
    /// How many rows it holds.
    pub fn len(&self) -> usize {
        self.rows.len
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        self.rows.memory() + self.index.len() * size_of::<u64>()
    }

    /// The row at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &T {
        self.rows.at(place)
    }

    /// The row at a place, to be changed in what its hash does not depend on.
    #[inline]
    pub fn at_mut(&mut self, place: usize) -> &mut T {
        self.rows.at_mut(place)
    }

    /// All rows, by their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter()
    }

    /// Takes all rows out, by their places; their memory is freed on the way.
    pub fn into_rows(self) -> impl Iterator<Item = T> {
        self.rows.chunks.into_iter().flatten()
    }

    /// The row with this hash for which `is` holds.
    #[inline]
    pub fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<&T> {
        self.probe(hash, is).ok().map(|place| self.at(place))
    }

    /// Starts fetching the line of the index that a hash will need.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        if !self.index.is_empty() {
            prefetch_line(&raw const self.index[self.position(hash)]);
        }
    }

    /// Starts fetching the row that a hash will probably need: the first whose half of the hash fits.
    #[inline]
    pub fn prefetch_row(&self, hash: u64) {
        let Ok(place) = self.probe(hash, |_| true) else {
            return;
        };
        prefetch(self.at(place));
    }

    /// The place of the row with this hash for which `is` holds, or else of `new`, and whether it is new. Needs room for
    /// one more: [`HashArena::reserve`].
    #[inline]
    pub fn place_or_insert(
        &mut self,
        hash: u64,
        is: impl Fn(&T) -> bool,
        new: impl FnOnce() -> T,
    ) -> (usize, bool) {
        let position = match self.probe(hash, is) {
            Ok(place) => return (place, false),
            Err(position) => position,
        };
        let place = self.len();
        self.index[position] = hash >> 32 << 32 | place as u64;
        self.rows.push(new());
        (place, true)
    }

    /// Keeps the index at most half full with `more` rows on top.
    #[inline]
    pub fn reserve(&mut self, more: usize) {
        if (self.len() + more) * 2 > self.index.len() {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let bits = ((self.len() + more) * 2)
            .next_power_of_two()
            .trailing_zeros()
            .max(MIN_BITS);
        assert!(bits <= 32, "a table has fewer than 2^31 rows");
        self.rebuild(bits);
    }

    /// Forgets the rows from a place on.
    pub fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        // Without an index there were no rows either.
        if !self.index.is_empty() {
            self.rebuild(u64::BITS - self.shift);
        }
    }

    /// Makes the index anew, so many bits long, of the rows that there are.
    fn rebuild(&mut self, bits: u32) {
        let before = std::mem::replace(&mut self.index, vec![EMPTY; 1 << bits]);
        self.shift = u64::BITS - bits;
        let mask = self.index.len() - 1;
        let is_there = |entry: &u64| *entry != EMPTY && (*entry as u32 as usize) < self.rows.len;
        for entry in before.into_iter().filter(is_there) {
            let mut position = self.position(entry);
            while self.index[position] != EMPTY {
                position = (position + 1) & mask;
            }
            self.index[position] = entry;
        }
    }

    /// Where the index is searched first. What an entry keeps of its hash is enough to tell.
    #[inline]
    fn position(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    /// The place of the row, or else the free position where it would be entered.
    #[inline]
    fn probe(&self, hash: u64, is: impl Fn(&T) -> bool) -> Result<usize, usize> {
        if self.index.is_empty() {
            return Err(0);
        }
        let mask = self.index.len() - 1;
        let mut position = self.position(hash);
        loop {
            let entry = self.index[position];
            if entry == EMPTY {
                return Err(position);
            }
            if entry >> 32 == hash >> 32 {
                let place = entry as u32 as usize;
                if is(self.at(place)) {
                    return Ok(place);
                }
            }
            position = (position + 1) & mask;
        }
    }
}

/// Both halves of a 128-bit product: every bit of both inputs reaches every bit of the result.
#[inline]
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Starts fetching all lines of a row.
#[inline]
pub(super) fn prefetch<T>(row: &T) {
    let start = std::ptr::from_ref(row).cast::<u8>();
    for line in 0..size_of::<T>().div_ceil(64) {
        prefetch_line(start.wrapping_add(line * 64));
    }
}

/// Starts fetching memory that will be read soon.
pub fn prefetch_bytes(bytes: &[u8]) {
    bytes
        .chunks(64)
        .for_each(|line| prefetch_line(line.as_ptr()));
}

/// A hint without effect on the result, so that any address is fine.
#[inline]
pub(super) fn prefetch_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program can see, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_arena_without_rows_can_be_cut_and_used() {
        let mut arena = HashArena::<u64>::default();
        arena.truncate(0);
        arena.prefetch_index(u64::MAX);
        arena.prefetch_row(u64::MAX);
        assert!(arena.find(u64::MAX, |_| true).is_none());
        arena.reserve(1);
        assert_eq!(arena.place_or_insert(u64::MAX, |_| true, || 7), (0, true));
        arena.truncate(0);
        arena.prefetch_index(u64::MAX);
        assert!(arena.find(u64::MAX, |_| true).is_none());
    }

    #[test]
    fn few_rows_take_little_and_many_whole_chunks() {
        let mut rows = Chunks::<[u64; 64]>::default();
        rows.push([0; 64]);
        assert_eq!(rows.memory(), 512);
        (0..CHUNK_BYTES / 512).for_each(|_| rows.push([0; 64]));
        assert_eq!(rows.memory(), 2 * CHUNK_BYTES);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn an_arena_agrees_with_a_map(keys in prop::collection::vec(0u64..3000, 0..5000), bits in 1u32..60, cut in 0usize..12_000) {
            // Few bits of hash make many rows meet in one place of the index, with one half of a hash.
            let hash_of = |key: u64| mix(key ^ 0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03) >> bits << bits;
            // Rows so large that there are several chunks.
            let mut arena = HashArena::<(u64, u32, [u64; 64])>::default();
            let mut twin = BTreeMap::<u64, u32>::new();
            for key in keys {
                arena.reserve(1);
                let (place, is_new) = arena.place_or_insert(hash_of(key), |row| row.0 == key, || (key, 0, [0; 64]));
                prop_assert_eq!(is_new, !twin.contains_key(&key));
                arena.at_mut(place).1 += 1;
                *twin.entry(key).or_default() += 1;
            }
            prop_assert_eq!(arena.len(), twin.len());
            if cut <= arena.len() {
                let gone: Vec<u64> = arena.iter().skip(cut).map(|row| row.0).collect();
                arena.truncate(cut);
                twin.retain(|key, _| !gone.contains(key));
            }
            for key in 0..3000 {
                let found = arena.probe(hash_of(key), |row| row.0 == key).ok().map(|place| arena.at(place).1);
                prop_assert_eq!(found, twin.get(&key).copied());
            }
            let rows: BTreeMap<u64, u32> = arena.iter().map(|row| (row.0, row.1)).collect();
            prop_assert_eq!(rows, twin);
        }
    }
}
