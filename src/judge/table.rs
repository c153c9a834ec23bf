//! The table of a slot's connections, filled batch by batch.
//!
//! A batch of contributions is looked up in two strides, so that the cache misses of one overlap with the work on others.

use hashbrown::HashMap;

use super::arena::{Chunks, HashArena, prefetch, prefetch_line};
use super::connection::{Connection, Contribution, Facts, INLINE_VIEWS, Key, Tag, View};

/// Connections of one slot (or of a part of it: one thread's, one partition's).
#[derive(Default)]
pub struct ConnectionTable {
    connections: HashArena<Connection>,
    overflow: Overflow,
    undo: Option<Undo>,
}

/// Views that have no room in their connections, by place.
type Overflow = HashMap<u32, Vec<(Tag, View)>>;

/// What a table held at its checkpoint, as far as it changed since.
struct Undo {
    /// How many connections there were.
    len: usize,
    /// What of each has changed: [`FACTS`], and a bit for each inline view.
    has_changed: Vec<u8>,
    /// What those were, by place.
    facts: Chunks<(u32, Facts)>,
    /// What views were: the connection's place, their own, and they.
    views: Chunks<(u32, u32, View)>,
    overflow: Overflow,
}

/// A bit above those of inline views.
const FACTS: u8 = 1 << INLINE_VIEWS;

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
        let overflow = |overflow: &Overflow| {
            let views = overflow.values().map(|views| views.capacity() * 48);
            overflow.len() * 64 + views.sum::<usize>()
        };
        let undo = self.undo.as_ref().map_or(0, |undo| {
            let changes = undo.has_changed.len();
            undo.facts.memory() + undo.views.memory() + changes + overflow(&undo.overflow)
        });
        self.connections.memory() + overflow(&self.overflow) + undo
    }

    /// Begins what can be taken back, unless that has begun already.
    pub fn checkpoint(&mut self) {
        let len = self.len();
        self.undo.get_or_insert_with(|| Undo {
            len,
            has_changed: vec![0; len],
            facts: Chunks::default(),
            views: Chunks::default(),
            overflow: Overflow::new(),
        });
    }

    /// Keeps what was added since the checkpoint, if there is one.
    pub fn keep(&mut self) {
        self.undo = None;
    }

    /// Takes back what was added since the checkpoint, if there is one.
    pub fn take_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        self.connections.truncate(undo.len);
        self.overflow
            .retain(|place, _| (*place as usize) < undo.len);
        for (place, view_place, view) in undo.views.iter() {
            let connection = self.connections.at_mut(*place as usize);
            connection.restore_view(*view_place as usize, view);
        }
        for (place, facts) in undo.facts.iter() {
            self.connections.at_mut(*place as usize).restore(facts);
            self.overflow.remove(place);
        }
        self.overflow.extend(undo.overflow);
    }

    /// The connection at a place.
    #[inline]
    pub fn at(&self, place: usize) -> &Connection {
        self.connections.at(place)
    }

    /// Starts fetching the first line of a connection: its key, and what kinds of records it has.
    #[inline]
    pub fn prefetch_head(&self, place: usize) {
        prefetch_line(self.at(place));
    }

    /// Starts fetching a connection.
    #[inline]
    pub fn prefetch(&self, place: usize) {
        prefetch(self.at(place));
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
            if let Some(undo) = &mut self.undo
                && place < undo.len
            {
                undo.note(place, contribution.tag, &self.connections, &self.overflow);
            }
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
        /// Connections whose cache lines are waited for together.
        const BATCH: usize = 64;
        let mut hashes = Vec::with_capacity(BATCH);
        for from in (0..other.len()).step_by(BATCH) {
            let places = from..other.len().min(from + BATCH);
            hashes.clear();
            hashes.extend(places.clone().map(|place| other.at(place).key().hash()));
            self.connections.reserve(BATCH);
            for hash in &hashes {
                self.connections.prefetch_index(*hash);
            }
            for hash in &hashes {
                self.connections.prefetch_row(*hash);
            }
            for (place, hash) in places.zip(&hashes) {
                self.merge_hashed(other.at(place), *hash, other.views(place));
            }
        }
    }

    /// Adds a connection with its views.
    pub fn merge_connection<'v>(
        &mut self,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
    ) {
        self.connections.reserve(1);
        self.merge_hashed(connection, connection.key().hash(), views);
    }

    /// The same, with room reserved.
    fn merge_hashed<'v>(
        &mut self,
        connection: &Connection,
        hash: u64,
        views: impl Iterator<Item = (Tag, &'v View)>,
    ) {
        let place = self.place_or_insert(&connection.key(), hash);
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

impl Undo {
    /// The view of this tag of a connection is about to change, or to be added.
    #[inline]
    fn note(
        &mut self,
        place: usize,
        tag: Tag,
        connections: &HashArena<Connection>,
        overflow: &Overflow,
    ) {
        let connection = connections.at(place);
        let has_changed = &mut self.has_changed[place];
        let place = place as u32;
        if *has_changed & FACTS == 0 {
            *has_changed |= FACTS;
            self.facts.push((place, connection.facts()));
            if let Some(views) = overflow.get(&place).filter(|_| connection.has_overflow()) {
                self.overflow.insert(place, views.clone());
            }
        }
        if let Some((view_place, view)) = connection.inline_view(tag)
            && *has_changed & 1 << view_place == 0
        {
            *has_changed |= 1 << view_place;
            self.views.push((place, view_place as u32, *view));
        }
    }
}

/// The partition of a connection, of `1 << bits`: by the lowest bits of its key's hash, so that every table and every
/// run puts it in the same one, and no partition crowds its table's index, which goes by the upper bits.
pub fn partition_of(connection: &Connection, bits: u32) -> u64 {
    connection.key().hash() & ((1 << bits) - 1)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::flow::Direction;
    use crate::judge::connection::{End, Home, Lane, Origin, Side, Ways};
    use crate::judge::reporter::ReporterId;
    use crate::net::Addr;
    use crate::net::aws::Service;

    /// What a record of one of a few connections adds, all of it by two numbers.
    pub(crate) fn contribution(connection: u32, record: u32) -> Contribution {
        let end = |addr: u32| End {
            home: Home::inside(0),
            addr: Addr::from_v4(addr),
            port: addr as u16,
        };
        let (key, _) = Key::of(end(connection), end(1 << 24), 6);
        let sender = if record.is_multiple_of(2) {
            Side::Low
        } else {
            Side::High
        };
        Contribution {
            key,
            hash: key.hash(),
            tag: Tag::new(
                ReporterId(record % 5),
                Direction::Egress,
                Lane::Accepted,
                sender,
            ),
            view: View {
                packets: 1,
                bytes: u64::from(record),
                origin: Origin::new(record % 7, u64::from(record)),
                start: record,
                end: record + 60,
                records: 1,
                ways: Ways(1 << (record % 9)),
                kinds: 1 << (record % 4),
                encryption: 0,
            },
            services: [Service::Known((record % 3) as u8), Service::Unknown],
        }
    }

    /// All that a table holds, in an order of its own.
    pub(crate) fn content(table: &ConnectionTable) -> BTreeMap<String, String> {
        let connections = (0..table.len()).map(|place| {
            let connection = table.at(place);
            let mut views: Vec<_> = table.views(place).collect();
            views.sort_by_key(|(tag, _)| *tag);
            let sides = [Side::Low, Side::High];
            let facts = sides.map(|side| {
                let kinds = (connection.kinds(side), connection.accepted(side));
                (connection.services(side), kinds)
            });
            let words = format!("{facts:?} {:x} {views:?}", connection.objects);
            (format!("{:?}", connection.key()), words)
        });
        connections.collect()
    }

    fn table(batches: &[Vec<(u32, u32)>]) -> ConnectionTable {
        let mut table = ConnectionTable::new();
        batches.iter().for_each(|batch| add(&mut table, batch));
        table
    }

    fn add(table: &mut ConnectionTable, batch: &[(u32, u32)]) {
        let records = batch
            .iter()
            .map(|(connection, record)| contribution(*connection, *record));
        table.add_batch(&records.collect::<Vec<_>>(), 1 << (batch.len() % 64));
    }

    fn batches() -> impl Strategy<Value = Vec<Vec<(u32, u32)>>> {
        prop::collection::vec(prop::collection::vec((0_u32..40, 0_u32..60), 0..64), 0..6)
    }

    proptest! {
        #[test]
        fn what_is_taken_back_was_never_there(before in batches(), gone in batches(), after in batches()) {
            let mut found = table(&before);
            found.checkpoint();
            gone.iter().for_each(|batch| add(&mut found, batch));
            // There is one checkpoint: the first.
            found.checkpoint();
            found.take_back();
            prop_assert_eq!(content(&found), content(&table(&before)));
            found.checkpoint();
            after.iter().for_each(|batch| add(&mut found, batch));
            found.keep();
            found.take_back();
            prop_assert_eq!(content(&found), content(&table(&[before, after].concat())));
        }
    }
}
