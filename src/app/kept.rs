//! The judged records that a run keeps: once rulings are there, the objects of a slot are read a second time.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::flow::{Fields, Record};
use crate::judge::JudgementRow;
use crate::judge::facts::SlotFacts;
use crate::judge::lines::HashFilter;
use crate::judge::part::InterfaceNotes;
use crate::judge::records::{JudgedSink, RecordJudge, Rulings, Wanted};
use crate::judge::reporter::Reporter;
use crate::sink::{Hour, PartNumber, RecordPacker};

use super::asked::AskedRows;
use super::coverage::CoverageGatherer;
use super::hours::HourState;
use super::settings::Keep;
use super::shared::Claims;
use super::work::{Batch, Memory};

/// Objects whose records of a slot are to be kept as these rulings say. Several threads may read them.
pub struct Recording {
    /// Who reported when the slot was judged. Whoever is new in an object that changed meanwhile was not.
    reporters: Vec<Reporter>,
    interfaces: HashMap<u32, InterfaceNotes>,
    rulings: Rulings,
    filter: Option<HashFilter>,
    /// Ranks of the objects.
    objects: Vec<usize>,
    claims: Claims,
}

impl Recording {
    /// What is to be read for these rulings, of the objects that may have records of the slot; none if nothing is.
    /// `interfaces` is what the slot's records say of them.
    pub fn new(
        batch: &Batch<'_, '_>,
        hour: &HourState,
        interfaces: &HashMap<u32, InterfaceNotes>,
        rulings: Rulings,
        mut objects: Vec<usize>,
    ) -> Option<Recording> {
        // What could not be read the first time did not count, and is in the account already.
        objects.retain(|&rank| {
            rulings.wants_object(rank as u32) && !batch.coverage.is_unreadable(&batch.urls[rank])
        });
        (!objects.is_empty() && !rulings.is_empty()).then(|| Recording {
            reporters: hour.reporters.snapshot(),
            interfaces: interfaces.clone(),
            filter: rulings.filter(),
            claims: Claims::of(objects.len()),
            objects,
            rulings,
        })
    }

    /// Whether there are objects that nobody reads yet.
    pub fn has_more(&self) -> bool {
        self.claims.has_more()
    }

    /// Reads objects that nobody else reads, until there are none; of the slot that begins at this instant.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn read(
        &self,
        batch: &Batch<'_, '_>,
        memory: &mut Memory,
        hour: &HourState,
        start: u32,
    ) -> anyhow::Result<()> {
        if let Some(asked) = batch.asked {
            let mut rows = AskedRows::new(asked, Hour::of(start));
            self.read_into(batch, memory, hour, start, &mut rows)?;
            return rows.hand_on();
        }
        let Some(packer) = hour.record_packer() else {
            return Ok(());
        };
        let mut rows = RecordRows {
            hour,
            coverage: batch.coverage,
            packer,
            object: 0,
            failed: Ok(()),
        };
        self.read_into(batch, memory, hour, start, &mut rows)?;
        hour.records(rows.packer.take())
    }

    fn read_into(
        &self,
        batch: &Batch<'_, '_>,
        memory: &mut Memory,
        hour: &HourState,
        start: u32,
        rows: &mut impl ObjectRows,
    ) -> anyhow::Result<()> {
        let facts = SlotFacts::new(batch.policy, &self.reporters, &self.interfaces);
        for rank in self.claims.iter().map(|place| self.objects[place]) {
            rows.begin(rank as u32, &batch.urls[rank]);
            let leftover = batch.leftovers.get(rank);
            let leftover = leftover.as_deref();
            let lines = leftover.and_then(|leftover| leftover.lines.as_ref());
            let object = &batch.objects[rank];
            let slot = object.key.as_ref().map(|_| start);
            let mut judge = RecordJudge::new(
                batch.policy,
                &hour.reporters,
                &facts,
                &self.rulings,
                batch.facts(object, rank, slot),
                start,
                rows,
            )
            .only_lines(lines.zip(self.filter.as_ref()));
            let filter = self.filter.as_ref();
            if let Err(reason) = batch.read_again(rank, leftover, filter, memory, &mut judge) {
                rows.broke(rank as u32, &batch.urls[rank], &reason)?;
            }
            rows.failure()?;
        }
        Ok(())
    }
}

/// Takes the judged records of one object after the other.
pub(super) trait ObjectRows: JudgedSink {
    /// The object of this rank and URL begins.
    fn begin(&mut self, rank: u32, url: &Arc<str>);

    /// It could not be read again to its end: none of its records counts.
    ///
    /// # Errors
    /// When that is the end of the run.
    fn broke(&mut self, rank: u32, url: &Arc<str>, reason: &str) -> anyhow::Result<()>;

    /// What went wrong with its records.
    ///
    /// # Errors
    /// If something did.
    fn failure(&mut self) -> anyhow::Result<()>;
}

/// Which records a run keeps, if any.
pub fn wanted(keep: Keep) -> Option<Wanted> {
    match keep {
        Keep::None => None,
        Keep::Flagged => Some(Wanted::Flagged),
        Keep::All => Some(Wanted::All),
    }
}

/// Judged records on their way into the hour.
struct RecordRows<'a> {
    hour: &'a HourState,
    coverage: &'a CoverageGatherer,
    packer: RecordPacker,
    object: u32,
    failed: anyhow::Result<()>,
}

impl ObjectRows for RecordRows<'_> {
    fn begin(&mut self, rank: u32, _url: &Arc<str>) {
        self.object = rank;
    }

    fn broke(&mut self, rank: u32, url: &Arc<str>, reason: &str) -> anyhow::Result<()> {
        self.coverage.unread_again(url, reason);
        self.hour.leave_out(rank);
        Ok(())
    }

    fn failure(&mut self) -> anyhow::Result<()> {
        std::mem::replace(&mut self.failed, Ok(()))
    }
}

impl JudgedSink for RecordRows<'_> {
    type Reporter = PartNumber;

    fn reporter(&mut self, fields: &impl Fields) -> PartNumber {
        self.packer.reporter(fields)
    }

    fn judged(
        &mut self,
        record: &Record,
        fields: &impl Fields,
        reporter: PartNumber,
        row: &JudgementRow<'_>,
    ) {
        let full = self.packer.push(record, fields, reporter, self.object, row);
        if let Some(block) = full.filter(|_| self.failed.is_ok()) {
            self.failed = self.hour.records(block);
        }
    }
}
