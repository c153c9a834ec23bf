//! The judged records that a run keeps: rulings gather while a slot is judged, then its objects are read a second time.

use crate::flow::{Fields, Record};
use crate::judge::JudgementRow;
use crate::judge::connection::{Connection, Tag, View};
use crate::judge::facts::SlotFacts;
use crate::judge::records::{JudgedSink, RecordJudge, Rulings, Wanted};
use crate::judge::ruling::Ruling;
use crate::judge::traffic::Traffic;
use crate::sink::RecordBlock;

use super::hours::HourState;
use super::settings::Keep;
use super::work::{Batch, Memory};

/// The records of a slot that are to be kept.
pub struct KeptRecords<'a, 'h> {
    batch: &'a Batch<'a, 'h>,
    memory: &'a mut Memory,
    hour: &'a HourState,
    facts: &'a SlotFacts<'a>,
    /// The slot's start, seconds.
    slot: u32,
    /// Ranks of the objects that may have records of the slot.
    objects: Vec<usize>,
    rulings: Rulings,
}

impl<'a, 'h> KeptRecords<'a, 'h> {
    /// No rulings yet on a slot that has records in these objects; none if the run keeps no records.
    pub fn new(
        batch: &'a Batch<'a, 'h>,
        memory: &'a mut Memory,
        hour: &'a HourState,
        facts: &'a SlotFacts<'a>,
        slot: u32,
        objects: Vec<usize>,
    ) -> Option<KeptRecords<'a, 'h>> {
        let wanted = match batch.keep {
            Keep::None => return None,
            Keep::Flagged => Wanted::Flagged,
            Keep::All => Wanted::All,
        };
        Some(KeptRecords {
            batch,
            memory,
            hour,
            facts,
            slot,
            objects,
            rulings: Rulings::new(wanted),
        })
    }

    /// Keeps the records of a connection if they are wanted. When rulings take too much memory, the records of those so
    /// far are written first.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn keep<'v>(
        &mut self,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)> + Clone,
        traffic: &Traffic,
        ruling: &Ruling,
    ) -> anyhow::Result<()> {
        let policy = self.batch.policy;
        self.rulings
            .keep(policy, self.facts, connection, views, traffic, ruling);
        if self.rulings.memory() > self.batch.rulings_memory {
            self.write()?;
            self.rulings.clear();
        }
        Ok(())
    }

    /// Writes the records of the remaining rulings, and those that have none.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.rulings.take_unjudgeable_too();
        if !self.rulings.is_empty() {
            self.write()?;
        }
        self.batch.lines.forget(&self.objects);
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let filter = self.rulings.filter();
        let mut rows = RecordRows {
            hour: self.hour,
            block: RecordBlock::default(),
            object: 0,
            failed: Ok(()),
        };
        for &rank in &self.objects {
            // What could not be read the first time did not count, and is in the account already.
            let url = &self.batch.urls[rank];
            if !self.rulings.wants_object(rank as u32) || self.batch.coverage.is_unreadable(url) {
                continue;
            }
            rows.object = rank as u32;
            let lines = self.batch.lines.get(rank);
            let object = &self.batch.objects[rank];
            let slot = object.key.as_ref().map(|_| self.slot);
            let mut judge = RecordJudge::new(
                self.batch.policy,
                &self.hour.reporters,
                self.facts,
                &self.rulings,
                self.batch.facts(object, rank, slot),
                self.slot,
                &mut rows,
            )
            .only_lines(lines.as_deref().zip(filter.as_ref()));
            if let Err(reason) = self.batch.read_again(rank, self.memory, &mut judge) {
                self.batch.coverage.unread_again(url, &reason);
            }
            std::mem::replace(&mut rows.failed, Ok(()))?;
        }
        rows.flush()
    }
}

/// Judged records on their way into the hour.
struct RecordRows<'a> {
    hour: &'a HourState,
    block: RecordBlock,
    object: u32,
    failed: anyhow::Result<()>,
}

impl RecordRows<'_> {
    fn flush(&mut self) -> anyhow::Result<()> {
        self.hour.records(std::mem::take(&mut self.block))
    }
}

impl JudgedSink for RecordRows<'_> {
    fn judged(&mut self, record: &Record, fields: &impl Fields, row: &JudgementRow<'_>) {
        if self.block.push(record, fields, self.object, row) && self.failed.is_ok() {
            self.failed = self.flush();
        }
    }
}
