//! Keeps the connections of all open slots within their bound: what is too much goes to disk.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::judge::part::{Parts, SlotPart};

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

/// Watches over the parts that one object is folded into.
pub struct Room<'r> {
    memory: &'r TableMemory,
    temp: &'r Path,
    /// What each part was last seen to take, by slot and whether it is unverified.
    seen: BTreeMap<(u32, bool), usize>,
    /// What went to disk, likewise.
    runs: Vec<(u32, bool, Run)>,
    failed: io::Result<()>,
}

impl<'r> Room<'r> {
    /// Watches over these parts, whose memory has been noted before.
    pub fn new(memory: &'r TableMemory, temp: &'r Path, parts: &Parts) -> Room<'r> {
        let seen = parts
            .iter()
            .map(|(slot, part)| ((*slot, false), part.memory()));
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
        self.note(slot, part, unverified);
        if !self.memory.is_full() || part.table.memory() < SPILL_AT_LEAST || self.failed.is_err() {
            return;
        }
        match Run::write(&part.table, self.temp) {
            Ok(run) => self.runs.push((slot, unverified, run)),
            Err(error) => self.failed = Err(error),
        }
        part.table = Default::default();
        self.note(slot, part, unverified);
    }

    fn note(&mut self, slot: u32, part: &SlotPart, unverified: bool) {
        let now = part.memory();
        let before = self.seen.insert((slot, unverified), now);
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
        self.runs
            .retain(|(_, unverified, _)| is_whole || !unverified);
        let runs = self.runs.into_iter();
        Ok(runs.map(|(slot, _, run)| (slot, run)).collect())
    }
}
