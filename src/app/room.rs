//! Keeps the connections of all open slots within their bound: what is too much goes to disk.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::judge::part::{Parts, SlotPart};
use crate::judge::table::ConnectionTable;

use super::spill::Run;

/// A table below this size stays in memory even when the bound is reached: writing it would free too little, bytes.
const SPILL_AT_LEAST: usize = 4 << 20;

/// Bytes that the connections of all open slots take together, and may take.
pub struct TableMemory {
    held: AtomicUsize,
    bound: usize,
}

impl TableMemory {
    /// Nothing held yet.
    pub fn new(bound: usize) -> TableMemory {
        TableMemory {
            held: AtomicUsize::new(0),
            bound,
        }
    }

    /// Notes that something takes other memory than before.
    pub fn changed(&self, before: usize, after: usize) {
        self.held.fetch_add(after, Ordering::Relaxed);
        self.held.fetch_sub(before, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= self.bound
    }
}

/// When a run counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Always,
    /// If the object proves whole.
    IfWhole,
    /// If it does not: what there was before it.
    IfBroken,
}

/// Watches over the parts that one object is folded into.
pub struct Room<'r> {
    memory: &'r TableMemory,
    temp: &'r Path,
    /// What each part was last seen to take, by slot.
    seen: BTreeMap<u32, usize>,
    /// What went to disk, by slot.
    runs: Vec<(u32, Counts, Run)>,
    failed: io::Result<()>,
}

impl<'r> Room<'r> {
    /// Watches over these parts, whose memory has been noted before.
    pub fn new(memory: &'r TableMemory, temp: &'r Path, parts: &Parts) -> Room<'r> {
        let seen = parts.iter().map(|(slot, part)| (*slot, part.memory()));
        Room {
            memory,
            temp,
            seen: seen.collect(),
            runs: Vec::new(),
            failed: Ok(()),
        }
    }

    /// Notes how large a part is by now, and writes its connections to disk if all together take too much.
    pub fn make(&mut self, slot: u32, part: &mut SlotPart, unverified: bool) {
        self.note(slot, part);
        if !self.memory.is_full() || part.table.memory() < SPILL_AT_LEAST || self.failed.is_err() {
            return;
        }
        self.failed = self.write(slot, part, unverified);
        self.note(slot, part);
    }

    fn write(&mut self, slot: u32, part: &mut SlotPart, unverified: bool) -> io::Result<()> {
        let mut table = std::mem::take(&mut part.table);
        let mut write = |table: &ConnectionTable, counts| -> io::Result<()> {
            let run = Run::write(table, self.temp)?;
            self.runs.push((slot, counts, run));
            Ok(())
        };
        if !unverified {
            return write(&table, Counts::Always);
        }
        part.table.checkpoint();
        write(&table, Counts::IfWhole)?;
        table.take_back();
        if table.is_empty() {
            return Ok(());
        }
        write(&table, Counts::IfBroken)
    }

    fn note(&mut self, slot: u32, part: &SlotPart) {
        let now = part.memory();
        let before = self.seen.insert(slot, now);
        self.memory.changed(before.unwrap_or(0), now);
    }

    /// The object is folded into these parts, whole or not: the runs that count, by slot.
    ///
    /// # Errors
    /// When the temporary folder failed.
    pub fn finish(mut self, parts: &mut Parts, is_whole: bool) -> io::Result<Vec<(u32, Run)>> {
        let seen = std::mem::take(&mut self.seen);
        self.memory.changed(seen.into_values().sum(), 0);
        for (slot, part) in parts {
            self.make(*slot, part, false);
        }
        self.failed?;
        self.runs.retain(|(_, counts, _)| match counts {
            Counts::Always => true,
            Counts::IfWhole => is_whole,
            Counts::IfBroken => !is_whole,
        });
        let runs = self.runs.into_iter();
        Ok(runs.map(|(slot, _, run)| (slot, run)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::spill::SlotConnections;
    use crate::judge::close::Pieces;
    use crate::judge::table::tests::{content, contribution};

    /// Connections enough that their table is worth writing.
    const MANY: u32 = 20_000;

    fn add(table: &mut ConnectionTable, connections: std::ops::Range<u32>, record: u32) {
        let all: Vec<_> = connections
            .map(|connection| contribution(connection, record))
            .collect();
        all.chunks(64).for_each(|batch| table.add_batch(batch, 1));
    }

    #[test]
    fn of_an_object_that_breaks_nothing_is_left_though_it_went_to_disk() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let memory = TableMemory::new(0);
        for is_whole in [true, false] {
            let (mut part, mut expected) = (SlotPart::default(), ConnectionTable::new());
            for table in [&mut part.table, &mut expected] {
                add(table, 0..MANY, 1);
            }
            let mut parts = Parts::from([(300, part)]);
            let mut room = Room::new(&memory, dir.path(), &parts);
            let mut part = parts.remove(&300).expect("it is there");
            part.table.checkpoint();
            for record in 2..5 {
                // The first of them had connections before.
                let some = MANY / 2 * record..MANY / 2 * record + MANY;
                let some = some.start - MANY..some.end - MANY;
                add(&mut part.table, some.clone(), record);
                if is_whole {
                    add(&mut expected, some, record);
                }
                room.make(300, &mut part, true);
                assert!(part.table.is_empty(), "it went to disk");
            }
            add(&mut part.table, 0..10, 7);
            if is_whole {
                add(&mut expected, 0..10, 7);
                part.table.keep();
            } else {
                part.table.take_back();
            }
            parts.insert(300, part);
            let runs = room.finish(&mut parts, is_whole).expect("written");
            let mut runs: Vec<Run> = runs.into_iter().map(|(_, run)| run).collect();
            assert_eq!(runs.len(), if is_whole { 3 } else { 1 });
            runs.push(Run::write(&parts[&300].table, dir.path()).expect("written"));
            let (none, mut found) = (ConnectionTable::new(), ConnectionTable::new());
            let slot = SlotConnections {
                table: &none,
                runs: &runs,
            };
            for piece in 0..slot.count() {
                let merged = slot.piece(piece, &mut |table, _| {
                    found.merge(table);
                    Ok(())
                });
                merged.expect("read");
            }
            assert!(content(&found) == content(&expected), "{is_whole}");
        }
    }
}
