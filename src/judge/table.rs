//! The table of a slot's connections, filled batch by batch.
//!
//! A batch of contributions is looked up in two strides, so that the cache misses of one overlap with the work on others.

use hashbrown::HashMap;

use super::arena::HashArena;
use super::connection::{Connection, Contribution, Key, Tag, View};

/// Connections of one slot (or of a part of it: one thread's, one partition's).
#[derive(Default)]
pub struct ConnectionTable {
    connections: HashArena<Connection>,
    overflow: HashMap<u32, Vec<(Tag, View)>>,
}

impl ConnectionTable {
    /// An empty table.
    pub fn new() -> ConnectionTable {
        ConnectionTable::default()
    }

    /// How many connections it holds.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        let overflow: usize = self.overflow.len() * 64
            + self
                .overflow
                .values()
                .map(|views| views.capacity() * 48)
                .sum::<usize>();
        self.connections.memory() + overflow
    }

    /// The connection at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &Connection {
        self.connections.at(place)
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
        self.connections.reserve(batch.len());
        for contribution in batch {
            self.connections.prefetch_row(contribution.hash);
        }
        for contribution in batch {
            let place = self.place_or_insert(&contribution.key, contribution.hash);
            self.add_view(place, contribution.tag, &contribution.view);
            let connection = self.connections.at_mut(place);
            connection.add_services(contribution.services);
            connection.objects |= object_bit;
        }
    }

    /// Starts fetching the index line that a hash will need.
    #[inline]
    pub fn prefetch_index(&self, hash: u64) {
        self.connections.prefetch_index(hash);
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
        self.connections.reserve(1);
        let place = self.place_or_insert(&key, key.hash());
        self.connections.at_mut(place).merge_facts(connection);
        for (tag, view) in views {
            self.add_view(place, tag, view);
        }
    }

    #[inline]
    fn add_view(&mut self, place: usize, tag: Tag, view: &View) {
        if self.connections.at_mut(place).add(tag, view) {
            return;
        }
        let more = self.overflow.entry(place as u32).or_default();
        match more.iter_mut().find(|(known, _)| *known == tag) {
            Some((_, known)) => known.merge(view),
            None => more.push((tag, *view)),
        }
    }

    #[inline]
    fn place_or_insert(&mut self, key: &Key, hash: u64) -> usize {
        self.connections
            .place_or_insert(hash, |known| known.is(key), || Connection::new(key))
            .0
    }
}

/// The partition of a connection, of `1 << bits`: by the lowest bits of its key's hash, so that every table and every
/// run puts it in the same one, and no partition crowds its table's index, which goes by the upper bits.
pub fn partition_of(connection: &Connection, bits: u32) -> u64 {
    connection.key().hash() & ((1 << bits) - 1)
}
