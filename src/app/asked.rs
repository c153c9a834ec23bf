//! Judged records that somebody asks for: they go there as batches, as they are judged, and nowhere else.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use crate::flow::{Field, Fields, Record};
use crate::judge::JudgementRow;
use crate::judge::records::JudgedSink;
use crate::sink::{Hour, RecordBatches};

use super::kept::ObjectRows;

/// What somebody asks for.
pub struct Asked<'a> {
    /// The columns of [`RecordBatches::all`].
    pub columns: &'a [usize],
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Where batches go, from several threads in any order; closed when nobody wants more.
    pub rows: &'a Sender<RecordBatch>,
}

impl Asked<'_> {
    /// Whether rulings on connections tell all that is asked, so that no object has to be read again.
    pub fn is_of_rulings(&self) -> bool {
        RecordBatches::new(self.columns).wants_rulings_only()
    }
}

/// The judged records of one thread and slot on their way to whoever asks.
pub(super) struct AskedRows<'a> {
    asked: &'a Asked<'a>,
    batches: RecordBatches,
    hour: Hour,
    source: Arc<str>,
    failed: anyhow::Result<()>,
}

impl<'a> AskedRows<'a> {
    /// Nothing judged yet of a slot of this hour.
    pub fn new(asked: &'a Asked<'a>, hour: Hour) -> AskedRows<'a> {
        AskedRows {
            asked,
            batches: RecordBatches::new(asked.columns),
            hour,
            source: Arc::default(),
            failed: Ok(()),
        }
    }

    /// Takes so many records that are judged alike, of which nothing else is asked.
    ///
    /// # Errors
    /// As [`AskedRows::hand_on`].
    pub fn take(&mut self, row: &JudgementRow<'_>, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            if self.batches.push_ruled(self.hour, row) >= self.asked.batch_rows {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    /// Hands on what has not been.
    ///
    /// # Errors
    /// When nobody wants it, or there are too many texts for a column.
    pub fn hand_on(&mut self) -> anyhow::Result<()> {
        let Some(batch) = self.batches.finish()? else {
            return Ok(());
        };
        let sent = self.asked.rows.blocking_send(batch);
        sent.map_err(|_| anyhow!("nobody wants more"))
    }
}

impl ObjectRows for AskedRows<'_> {
    fn begin(&mut self, _rank: u32, url: &Arc<str>) {
        self.source = url.clone();
    }

    fn broke(&mut self, _rank: u32, url: &Arc<str>, reason: &str) -> anyhow::Result<()> {
        bail!(
            "{url} was read once, and broke when it was read again for its records: {reason}; leave it out, or ask again"
        )
    }

    fn failure(&mut self) -> anyhow::Result<()> {
        std::mem::replace(&mut self.failed, Ok(()))
    }
}

impl JudgedSink for AskedRows<'_> {
    type Reporter = ();

    fn reporter(&mut self, _fields: &impl Fields) {}

    #[inline]
    fn judged(&mut self, record: &Record, fields: &impl Fields, (): (), row: &JudgementRow<'_>) {
        let rows = self
            .batches
            .push(record, fields, &self.source, self.hour, row);
        if rows >= self.asked.batch_rows && self.failed.is_ok() {
            self.failed = self.hand_on();
        }
    }

    fn wants(&self, field: Field) -> bool {
        self.batches.wants(field)
    }

    fn wants_extra(&self) -> bool {
        self.batches.wants_extra()
    }

    fn wants_groups(&self) -> bool {
        self.batches.wants_groups()
    }
}
