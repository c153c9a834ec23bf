//! The `records` table: raw rows with their judgements, from bytes to columns.
//!
//! What many records have alike is a part that they have by number: its columns are built of the different parts of a batch,
//! and then spread over the rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::LakeError;
use super::columns::table;
use super::dictionary_column::PAGE_ROWS;
use super::packed::Unpacker;
use super::record_parts::{BuildPart, FieldParts, JudgementBatch, OwnTexts, push_part};
use super::rows::{GroupRows, SortedRows, came_back_other};
use super::shared_columns::{SharedColumns, TableOrder};
use super::table::{TableWriter, WriteBatch};
use crate::flow::{Field, FlowRow, FlowsBuilder, words_schema};

table! {
    /// The ends of judged records.
    pub(super) EndBatch, row: &Ends<'_> {
        client_addr: Text null = row.client_addr;
        client_port: Int32 null = row.client_port;
        server_addr: Text null = row.server_addr;
        server_port: Int32 null = row.server_port;
    }
}

/// The columns of both, in the order of the table.
fn judgement_fields() -> impl Iterator<Item = ArrowField> {
    let (ends, judgement) = (EndBatch::fields(), JudgementBatch::fields());
    let (network, others) = judgement.split_at(1);
    [network, &ends, others].concat().into_iter()
}

/// The ends of a record as their columns show them.
pub(super) struct Ends<'a> {
    pub client_addr: Option<&'a str>,
    pub client_port: Option<i32>,
    pub server_addr: Option<&'a str>,
    pub server_port: Option<i32>,
}

/// The schema of batches of `records`: the columns of the raw log, then those of the judgement, their text as
/// dictionaries. A file has text.
pub fn records_schema() -> SchemaRef {
    let raw = words_schema();
    let raw = raw.fields().iter().map(|field| field.as_ref().clone());
    let columns = raw.chain(judgement_fields());
    Arc::new(Schema::new(columns.collect::<Vec<ArrowField>>()))
}

/// What rows have by number.
#[derive(Clone, Copy)]
pub(super) struct RecordTexts<'a> {
    /// URLs of the objects, by rank.
    pub urls: &'a [Arc<str>],
    /// Parts that records share.
    pub parts: &'a [Arc<[u8]>],
}

/// Writes sorted records into files, with so many threads; but for those of the objects that are left out.
pub(super) fn write_groups(
    mut sorted: SortedRows,
    texts: RecordTexts<'_>,
    left_out: &BTreeSet<u32>,
    threads: usize,
    files: &mut TableWriter,
) -> Result<(), LakeError> {
    let worker = || {
        let mut columns = RecordColumns::new();
        move |rows: GroupRows<'_>, write: WriteBatch<'_>| {
            let is_wanted = |row: &&[u8]| {
                left_out.is_empty()
                    || object_of(row).is_none_or(|object| !left_out.contains(&object))
            };
            let mut rows = rows.rows().filter(is_wanted).peekable();
            while rows.peek().is_some() {
                write(&columns.batch(rows.by_ref().take(PAGE_ROWS), texts)?)?;
            }
            Ok(())
        }
    };
    files.write_groups(threads, worker, sorted.groups())
}

/// Rows that are read before any goes into its columns: as many as fit into the second-level cache.
const STRIDE: usize = 64;

/// Builds batches of `records`.
struct RecordColumns {
    order: TableOrder,
    own: FlowsBuilder,
    ends: EndBatch,
    kinds: SharedColumns<FieldParts>,
    judgements: SharedColumns<JudgementBatch>,
    reporters: SharedColumns<FieldParts>,
}

impl RecordColumns {
    fn new() -> RecordColumns {
        let own = FlowsBuilder::of_words(&own_columns());
        let kinds = FieldParts::new(&Field::OF_KIND);
        let reporters = FieldParts::new(&Field::OF_REPORTER);
        let raw = [own.schema(), kinds.schema(), reporters.schema()];
        let [own_fields, kind_fields, reporter_fields] = raw.map(|schema| {
            schema
                .fields()
                .iter()
                .map(|field| (**field).clone())
                .collect()
        });
        let fields: Vec<ArrowField> = [
            own_fields,
            EndBatch::fields(),
            kind_fields,
            JudgementBatch::fields(),
            reporter_fields,
        ]
        .concat();
        RecordColumns {
            order: TableOrder::new(records_schema(), fields.iter().map(ArrowField::name)),
            own,
            ends: EndBatch::default(),
            kinds: SharedColumns::new(kinds),
            judgements: SharedColumns::default(),
            reporters: SharedColumns::new(reporters),
        }
    }

    fn batch<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r [u8]>,
        texts: RecordTexts<'r>,
    ) -> Result<RecordBatch, LakeError> {
        let (mut own, mut ends) = (Vec::with_capacity(STRIDE), Vec::with_capacity(STRIDE));
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            for row in rows.by_ref().take(STRIDE) {
                let read = self.read(row, texts).ok_or_else(came_back_other)?;
                own.push(read.0);
                ends.push(read.1);
            }
            self.own.push_all(&own);
            self.ends.push(&ends);
            own.clear();
            ends.clear();
        }
        self.finish()
            .map_err(|error| LakeError::file("records", error))
    }

    /// Reads a row as it was packed, and puts what it shares with others into columns.
    fn read<'r>(
        &mut self,
        row: &'r [u8],
        texts: RecordTexts<'r>,
    ) -> Option<(FlowRow<'r, OwnTexts<'r>>, Ends<'r>)> {
        let (key, mut row) = Unpacker::split(row)?;
        let (start, key) = key.split_first_chunk()?;
        let (client_addr, key) = read_addr(key)?;
        let (server_addr, key) = read_addr(key)?;
        let (object, key) = key.split_first_chunk()?;
        let (line, _) = key.split_first_chunk()?;
        push_part(&mut self.kinds, &mut row, texts.parts)?;
        push_part(&mut self.judgements, &mut row, texts.parts)?;
        push_part(&mut self.reporters, &mut row, texts.parts)?;
        let end = u32::try_from(row.number()?).ok()?;
        let mut port = || Some(row.number()?.checked_sub(1).map(|port| port as i32));
        let ends = Ends {
            client_addr,
            client_port: port()?,
            server_addr,
            server_port: port()?,
        };
        let flow = FlowRow {
            times: (u32::from_be_bytes(*start), end),
            texts: OwnTexts::read(&mut row)?,
            source: texts.urls.get(u32::from_be_bytes(*object) as usize)?,
            line: u64::from_be_bytes(*line),
        };
        Some((flow, ends))
    }

    /// The batch of the rows so far.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let own = self.own.finish();
        let columns = [
            own.columns().to_vec(),
            self.ends.finish(),
            self.kinds.finish(BuildPart::finish_parts)?,
            self.judgements.finish(BuildPart::finish_parts)?,
            self.reporters.finish(BuildPart::finish_parts)?,
        ];
        self.order.batch(columns.into_iter().flatten())
    }
}

/// The raw columns that no two records need have alike.
fn own_columns() -> Vec<usize> {
    let times = [Field::Start, Field::End];
    let fields = Field::OF_RECORD.into_iter().chain(times);
    let fields = fields.map(|field| field as usize);
    // Fields that AWS does not document, source, line.
    fields
        .chain(Field::COUNT..words_schema().fields().len())
        .collect()
}

/// The rank of a row's object: the key ends with it and the line.
fn object_of(row: &[u8]) -> Option<u32> {
    let (key, _) = Unpacker::split(row)?;
    let (key, _line) = key.split_last_chunk::<8>()?;
    key.last_chunk().map(|object| u32::from_be_bytes(*object))
}

fn read_addr(key: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(&key[..end]).ok()?;
    Some(((!text.is_empty()).then_some(text), &key[end + 1..]))
}
