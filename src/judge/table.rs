//! The table of a slot's connections: an index of hashes in front of an arena, filled batch by batch.
//!
//! The index is open addressing with linear probing over (hash, place) pairs; the arena only grows, so a connection's
//! place is its name. A batch of contributions is looked up in two strides, so that the cache misses of one overlap
//! with the work on others.

use hashbrown::HashMap;

use super::connection::{Connection, Contribution, Key, Tag, View};

const CHUNK: usize = 4096;
const EMPTY: u64 = 0;

/// Connections of one slot (or of a part of it: one thread's, one partition's).
#[derive(Default)]
pub struct ConnectionTable {
    /// Upper half: high half of the hash; lower half: place + 1; 0 is free. A power of two long.
    index: Vec<u64>,
    chunks: Vec<Vec<Connection>>,
    len: usize,
    overflow: HashMap<u32, Vec<(Tag, View)>>,
}

impl ConnectionTable {
    /// An empty table.
    pub fn new() -> ConnectionTable {
        ConnectionTable::default()
    }

    /// How many connections it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        let overflow: usize = self.overflow.len() * 64
            + self
                .overflow
                .values()
                .map(|views| views.capacity() * 48)
                .sum::<usize>();
        self.chunks.len() * CHUNK * size_of::<Connection>() + self.index.len() * 8 + overflow
    }

    /// The connection at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &Connection {
        &self.chunks[place / CHUNK][place % CHUNK]
    }

    #[inline]
    fn at_mut(&mut self, place: usize) -> &mut Connection {
        &mut self.chunks[place / CHUNK][place % CHUNK]
    }

    /// Every view of the connection at a place, in no particular order.
    #[inline]
    pub fn views(&self, place: usize) -> impl Iterator<Item = (Tag, &View)> + Clone {
        let connection = self.at(place);
        let more = if connection.has_overflow() {
            self.overflow.get(&(place as u32)).map(Vec::as_slice)
        } else {
            None
        };
        connection.inline_views().chain(
            more.unwrap_or_default()
                .iter()
                .map(|(tag, view)| (*tag, view)),
        )
    }

    /// Adds a batch of contributions.
    pub fn add_batch(&mut self, batch: &[Contribution], object_bit: u64) {
        self.reserve(batch.len());
        for contribution in batch {
            if let Some(place) = self.probable_place(contribution.hash) {
                prefetch(self.at(place));
            }
        }
        for contribution in batch {
            let place = self.place_or_insert(&contribution.key, contribution.hash);
            self.add_view(place, contribution.tag, &contribution.view);
            let connection = self.at_mut(place);
            connection.add_services(contribution.services);
            connection.objects |= object_bit;
        }
    }

    /// Starts fetching the index line that a hash will need.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        if !self.index.is_empty() {
            prefetch_line(&raw const self.index[hash as usize & (self.index.len() - 1)]);
        }
    }

    /// Takes in what another table holds of one partition of `1 << bits`.
    pub fn merge_partition(&mut self, other: &ConnectionTable, partition: u64, bits: u32) {
        for place in 0..other.len() {
            if partition_of(other.at(place), bits) == partition {
                self.merge_connection(other.at(place), other.views(place));
            }
        }
    }

    /// Adds everything that another table holds.
    pub fn merge(&mut self, other: &ConnectionTable) {
        for place in 0..other.len() {
            self.merge_connection(other.at(place), other.views(place));
        }
    }

    /// Adds a connection with its views.
    pub fn merge_connection<'v>(
        &mut self,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
    ) {
        let key = connection.key();
        self.reserve(1);
        let place = self.place_or_insert(&key, key.hash());
        self.at_mut(place).merge_facts(connection);
        for (tag, view) in views {
            self.add_view(place, tag, view);
        }
    }

    /// The place of a connection, if the table holds it.
    pub fn find(&self, key: &Key) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let hash = key.hash();
        let mask = self.index.len() - 1;
        let mut probe = hash as usize & mask;
        loop {
            let slot = self.index[probe];
            if slot == EMPTY {
                return None;
            }
            if slot >> 32 == hash >> 32 {
                let place = slot as u32 as usize - 1;
                if self.at(place).is(key) {
                    return Some(place);
                }
            }
            probe = (probe + 1) & mask;
        }
    }

    #[inline]
    fn add_view(&mut self, place: usize, tag: Tag, view: &View) {
        if self.at_mut(place).add(tag, view) {
            return;
        }
        let more = self.overflow.entry(place as u32).or_default();
        match more.iter_mut().find(|(known, _)| *known == tag) {
            Some((_, known)) => known.merge(view),
            None => more.push((tag, *view)),
        }
    }

    /// The first place whose stored half of the hash fits: nearly always the right one, good enough to prefetch.
    #[inline]
    fn probable_place(&self, hash: u64) -> Option<usize> {
        let mask = self.index.len() - 1;
        let mut probe = hash as usize & mask;
        loop {
            let slot = self.index[probe];
            if slot == EMPTY {
                return None;
            }
            if slot >> 32 == hash >> 32 {
                return Some(slot as u32 as usize - 1);
            }
            probe = (probe + 1) & mask;
        }
    }

    /// Needs room for one more in the index.
    #[inline]
    fn place_or_insert(&mut self, key: &Key, hash: u64) -> usize {
        let mask = self.index.len() - 1;
        let mut probe = hash as usize & mask;
        loop {
            let slot = self.index[probe];
            if slot == EMPTY {
                break;
            }
            if slot >> 32 == hash >> 32 {
                let place = slot as u32 as usize - 1;
                if self.at(place).is(key) {
                    return place;
                }
            }
            probe = (probe + 1) & mask;
        }
        let place = self.len;
        self.index[probe] = hash >> 32 << 32 | (place as u64 + 1);
        if place.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(Connection::new(key));
        }
        self.len += 1;
        place
    }

    /// Keeps the index at most half full with `more` connections on top.
    fn reserve(&mut self, more: usize) {
        let needed = ((self.len + more) * 2).next_power_of_two().max(1024);
        if needed <= self.index.len() {
            return;
        }
        let needed = needed.max(self.index.len() * 2);
        self.index.clear();
        self.index.resize(needed, EMPTY);
        let mask = needed - 1;
        for place in 0..self.len {
            let hash = self.at(place).key().hash();
            let mut probe = hash as usize & mask;
            while self.index[probe] != EMPTY {
                probe = (probe + 1) & mask;
            }
            self.index[probe] = hash >> 32 << 32 | (place as u64 + 1);
        }
    }
}

/// The partition of a connection, of `1 << bits`: by the upper bits of its key's hash, so that every table and every
/// run puts it in the same one.
pub fn partition_of(connection: &Connection, bits: u32) -> u64 {
    connection.key().hash() >> (64 - bits)
}

#[inline]
fn prefetch(connection: &Connection) {
    let start = std::ptr::from_ref(connection).cast::<u8>();
    for line in 0..size_of::<Connection>() / 64 {
        prefetch_line(start.wrapping_add(line * 64));
    }
}

/// A hint without effect on the result, so that any address is fine.
#[inline]
fn prefetch_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program can see, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
