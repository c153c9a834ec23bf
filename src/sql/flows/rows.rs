//! From the lines of an object to batches of the columns that a query wants, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use datafusion::physical_plan::metrics::Count;
use tokio::sync::mpsc::Sender;

use super::condition::Condition;
use crate::flow::{
    DecodeError, DecodeOptions, Field, Fields, FlowsBuilder, Input, MalformedLine, Ranges, Record,
    RecordSink, Scratch, decode,
};
use crate::source::{Body, ReadBuffer};

/// What rows are made into.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The columns of [`flows_schema`](crate::flow::flows_schema), ascending.
    pub columns: Vec<usize>,
    /// Only rows for which all of these hold.
    pub conditions: Arc<[Condition]>,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Bytes of batches that are held back until the object has proven whole. Objects of more are handed on as they come,
    /// and the query fails should they break.
    pub held_back: usize,
}

/// What is counted of a scan.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub objects: Count,
    pub bytes: Count,
    pub rows: Count,
    pub malformed: Count,
}

/// How an object's reading ended.
pub(super) enum Ended {
    /// All of its rows were handed on, or nobody wants more.
    Whole,
    /// It broke; none of its rows was handed on.
    Broken(DecodeError),
    /// It broke when some of its rows had been handed on.
    BrokenLate(DecodeError),
}

/// Decodes an object and hands its rows on. Blocks.
pub(super) fn read(
    body: &Body,
    source: &str,
    options: &DecodeOptions,
    wanted: &Wanted,
    counts: &Counts,
    rows: &Sender<RecordBatch>,
) -> Ended {
    let mut sink = Rows {
        source,
        wanted,
        builder: FlowsBuilder::new(Some(&wanted.columns)),
        held: Some(Vec::new()),
        held_bytes: 0,
        rows,
        gone: Arc::default(),
        malformed: 0,
        seen: 0,
    };
    let mut buffer = ReadBuffer::default();
    let decoded = body.input(&mut buffer).map_err(DecodeError::from);
    let decoded = decoded.and_then(|input| {
        let mut scratch = Scratch::default();
        match input {
            Input::Bytes(bytes) => decode(Input::Bytes(bytes), options, &mut scratch, &mut sink),
            Input::Ranges(ranges) => {
                let until_gone = UntilGone {
                    ranges,
                    gone: sink.gone.clone(),
                };
                decode(Input::Ranges(&until_gone), options, &mut scratch, &mut sink)
            }
        }
    });
    counts.objects.add(1);
    counts.rows.add(sink.seen);
    counts.malformed.add(sink.malformed);
    match decoded {
        Err(_) if sink.is_gone() => Ended::Whole,
        Err(error) if sink.held.is_some() => Ended::Broken(error),
        Err(error) => Ended::BrokenLate(error),
        Ok(decoded) => {
            counts.bytes.add(decoded.bytes as usize);
            sink.hand_on_all();
            Ended::Whole
        }
    }
}

/// Takes the rows of one object.
struct Rows<'a> {
    source: &'a str,
    wanted: &'a Wanted,
    builder: FlowsBuilder,
    /// Batches that wait for the object to prove whole; none when they have become too many to wait.
    held: Option<Vec<RecordBatch>>,
    held_bytes: usize,
    rows: &'a Sender<RecordBatch>,
    /// Nobody takes rows any more.
    gone: Arc<AtomicBool>,
    malformed: usize,
    seen: usize,
}

impl Rows<'_> {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    #[inline]
    fn row(&mut self, record: &Record, fields: &impl Fields) {
        self.seen += 1;
        let conditions = &self.wanted.conditions;
        if !conditions
            .iter()
            .all(|condition| condition.holds(record, fields))
        {
            return;
        }
        let times = (record.start, record.end);
        self.builder.push(times, fields, self.source, record.line);
        if self.builder.len() == self.wanted.batch_rows {
            let batch = self.builder.finish();
            self.hold(batch);
        }
    }

    fn hold(&mut self, batch: RecordBatch) {
        let Some(held) = &mut self.held else {
            return self.hand_on(batch);
        };
        self.held_bytes += batch.get_array_memory_size();
        held.push(batch);
        if self.held_bytes > self.wanted.held_back || self.rows.is_closed() {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        for batch in self.held.take().into_iter().flatten() {
            self.hand_on(batch);
        }
    }

    fn hand_on(&mut self, batch: RecordBatch) {
        if !self.is_gone() && self.rows.blocking_send(batch).is_err() {
            self.gone.store(true, Ordering::Relaxed);
        }
    }

    fn hand_on_all(mut self) {
        self.let_go();
        if !self.builder.is_empty() {
            let last = self.builder.finish();
            self.hand_on(last);
        }
    }
}

impl RecordSink for Rows<'_> {
    #[inline]
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        self.row(record, fields);
    }

    #[inline]
    fn wants_line(&self, _line: u64) -> bool {
        !self.is_gone()
    }

    fn status(&mut self, record: &Record, _skip: bool, fields: &impl Fields) {
        self.row(record, fields);
    }

    fn malformed(&mut self, _line: u64, _why: &MalformedLine, _text: &[u8]) {
        self.malformed += 1;
    }

    fn unverified(&mut self) {}

    fn wants(&self, field: Field) -> bool {
        let column = field as usize;
        let conditions = &self.wanted.conditions;
        self.wanted.columns.binary_search(&column).is_ok()
            || conditions.iter().any(|condition| condition.reads(field))
    }

    fn wants_extra(&self) -> bool {
        self.wanted.columns.binary_search(&Field::COUNT).is_ok()
    }
}

/// Ranges that end with an error when nobody takes rows any more.
struct UntilGone<'a> {
    ranges: &'a dyn Ranges,
    gone: Arc<AtomicBool>,
}

impl Ranges for UntilGone<'_> {
    fn size(&self) -> u64 {
        self.ranges.size()
    }

    fn read(&self, start: u64, length: usize) -> std::io::Result<bytes::Bytes> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("nobody takes rows any more"));
        }
        self.ranges.read(start, length)
    }
}
