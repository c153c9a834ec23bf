//! Judged records as batches, straight from the judge: of the columns that somebody asks for, in the order in which the
//! records come.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::record_columns::{EndBatch, Ends};
use super::record_parts::JudgementBatch;
use super::{Hour, Table};
use crate::flow::{Field, FlowsBuilder, Record, Texts, flows_schema};
use crate::judge::JudgementRow;
use crate::net::{Addr, AddrText};

const DAY_SECS: u32 = 86_400;
const HOUR_SECS: u32 = 3600;

/// Builds batches of some columns of `records`.
pub struct RecordBatches {
    schema: SchemaRef,
    /// Where each column comes from.
    sources: Vec<Source>,
    raw: FlowsBuilder,
    wanted: Wanted,
    ends: EndBatch,
    judgements: JudgementBatch,
    hours: Vec<Hour>,
    rows: usize,
}

/// The columns that are wanted.
struct Wanted {
    raw: Vec<usize>,
    ends: Vec<bool>,
    addrs: bool,
    judgements: Vec<bool>,
    groups: bool,
    hours: bool,
}

/// A column, by its place among those of its sort.
#[derive(Clone, Copy)]
enum Source {
    Raw(usize),
    End(usize),
    Judgement(usize),
    Date,
    Hour,
}

impl RecordBatches {
    /// The columns that there are: those of the table, then those of its folders.
    pub fn all() -> SchemaRef {
        let table = Table::Records.schema();
        let own = table.fields().iter().map(|field| field.as_ref().clone());
        let all = own.chain(Table::Records.folder_columns());
        Arc::new(Schema::new(all.collect::<Vec<ArrowField>>()))
    }

    /// A builder of these columns of [`RecordBatches::all`], in this order.
    ///
    /// # Panics
    /// When an index is no column's.
    pub fn new(columns: &[usize]) -> RecordBatches {
        let all = RecordBatches::all();
        let (ends, judgements) = (EndBatch::fields(), JudgementBatch::fields());
        let mut wanted = Wanted {
            raw: Vec::new(),
            ends: vec![false; ends.len()],
            addrs: false,
            judgements: vec![false; judgements.len()],
            groups: false,
            hours: false,
        };
        let num_raw = flows_schema().fields().len();
        let place = |fields: &[ArrowField], name: &str| {
            fields.iter().position(|field| field.name() == name)
        };
        let sources = columns.iter().map(|&column| {
            let name = all.field(column).name();
            if column < num_raw {
                wanted.raw.push(column);
                return Source::Raw(wanted.raw.len() - 1);
            }
            if let Some(end) = place(&ends, name) {
                wanted.ends[end] = true;
                wanted.addrs |= name.ends_with("_addr");
                return Source::End(end);
            }
            if let Some(judgement) = place(&judgements, name) {
                wanted.judgements[judgement] = true;
                wanted.groups |= name.ends_with("_groups");
                return Source::Judgement(judgement);
            }
            wanted.hours = true;
            if name == "date" {
                Source::Date
            } else {
                Source::Hour
            }
        });
        let sources = sources.collect();
        let fields = columns.iter().map(|column| all.field(*column).clone());
        RecordBatches {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            sources,
            raw: FlowsBuilder::new(Some(&wanted.raw)),
            wanted,
            ends: EndBatch::default(),
            judgements: JudgementBatch::default(),
            hours: Vec::new(),
            rows: 0,
        }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether it looks at a field of the raw log.
    pub fn wants(&self, field: Field) -> bool {
        self.wanted.raw.contains(&(field as usize))
    }

    /// Whether it looks at fields that AWS does not document.
    pub fn wants_extra(&self) -> bool {
        self.wanted.raw.contains(&Field::COUNT)
    }

    /// Whether it looks at the groups of the ends.
    pub fn wants_groups(&self) -> bool {
        self.wanted.groups
    }

    /// Whether it looks at nothing in which the records of one reporter, direction and lane of a connection differ: no
    /// column of the raw log, and not at their orientation.
    pub fn wants_rulings_only(&self) -> bool {
        let fields = JudgementBatch::fields();
        let own = ["orientation", "confidence"];
        let mut asked = fields.iter().zip(&self.wanted.judgements);
        self.wanted.raw.is_empty()
            && !asked.any(|(field, wanted)| *wanted && own.contains(&field.name().as_str()))
    }

    /// Appends a record of the object `source`, judged with the slots of this hour; how many rows the batch has then.
    #[inline]
    pub fn push(
        &mut self,
        record: &Record,
        texts: &impl Texts,
        source: &str,
        hour: Hour,
        row: &JudgementRow<'_>,
    ) -> usize {
        let times = (record.start, record.end);
        self.raw.push(times, texts, source, record.line);
        self.push_ruled(hour, row)
    }

    /// Appends a record of which no raw column is wanted.
    #[inline]
    pub fn push_ruled(&mut self, hour: Hour, row: &JudgementRow<'_>) -> usize {
        let addr = |addr: Option<Addr>| addr.filter(|_| self.wanted.addrs).map(AddrText::of);
        let (client, server) = (addr(row.client_addr), addr(row.server_addr));
        let ends = Ends {
            client_addr: client.as_ref().map(AddrText::as_str),
            client_port: row.client_port.map(i32::from),
            server_addr: server.as_ref().map(AddrText::as_str),
            server_port: row.server_port.map(i32::from),
        };
        self.ends.push_some(&self.wanted.ends, &ends);
        self.judgements.push_some(&self.wanted.judgements, row);
        if self.wanted.hours {
            self.hours.push(hour);
        }
        self.rows += 1;
        self.rows
    }

    /// Ends the batch and begins the next; none if it has no rows.
    ///
    /// # Errors
    /// When there are too many texts for a column.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return Ok(None);
        }
        let raw = self.raw.finish();
        let (ends, judgements) = (self.ends.finish(), self.judgements.finish());
        let hours = std::mem::take(&mut self.hours);
        let number = |of: fn(u32) -> u32| hours.iter().map(move |hour| of(hour.start()) as i32);
        let columns = self.sources.iter().zip(self.schema.fields());
        let columns = columns.map(|(source, field)| -> Result<ArrayRef, ArrowError> {
            let text = |column: &ArrayRef| cast(column, field.data_type());
            match *source {
                Source::Raw(place) => Ok(raw.column(place).clone()),
                Source::End(place) => text(&ends[place]),
                Source::Judgement(place) => text(&judgements[place]),
                Source::Date => {
                    let dates = number(|start| start / DAY_SECS);
                    Ok(Arc::new(Date32Array::from_iter_values(dates)))
                }
                Source::Hour => {
                    let hours = number(|start| start % DAY_SECS / HOUR_SECS);
                    Ok(Arc::new(Int32Array::from_iter_values(hours)))
                }
            }
        });
        let columns = columns.collect::<Result<_, _>>()?;
        // Told, because a batch may have no columns.
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map(Some)
    }
}
