//! The `records` table: raw rows with their judgements, from bytes to columns.
//!
//! What many records have alike is a part that they have by number: its columns are built of the different parts of a batch,
//! and then spread over the rows.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::LakeError;
use super::columns::table;
use super::packed::Unpacker;
use super::rows::{GroupRows, SortedRows, came_back_other};
use super::shared_columns::{SharedColumns, TableOrder};
use super::table::{TableWriter, WriteBatch};
use crate::flow::field::Kind;
use crate::flow::{Field, FlowRow, FlowsBuilder, Texts, words_schema};
use crate::judge::{Confidence, Flags, Observer, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Path as Via, Severity};

table! {
    /// The ends of judged records.
    EndBatch, row: &Ends<'_> {
        client_addr: Text null = row.client_addr;
        client_port: Int32 null = row.client_port;
        server_addr: Text null = row.server_addr;
        server_port: Int32 null = row.server_port;
    }
}

table! {
    /// Judgements of records but for their ends.
    JudgementBatch, row: &JudgementTexts<'_> {
        network: Text null = row.network;
        client_tier: Text null = row.client_tier;
        server_tier: Text null = row.server_tier;
        client_groups: Texts = &mut row.client_groups.iter().copied();
        server_groups: Texts = &mut row.server_groups.iter().copied();
        orientation: Named<Orientation> null = row.orientation;
        confidence: Named<Confidence> null = row.confidence;
        observer: Named<Observer> null = row.observer;
        outcome: Named<Outcome> null = row.outcome;
        via: Named<Via> null = row.via;
        decision: Named<Answer> null = row.decision;
        rule: Text = row.rule;
        verdict: Named<Verdict> = row.verdict;
        severity: Named<Severity> null = row.severity;
        denied_attempt: Bool = row.flags.denied_attempt;
        egress_violation: Bool = row.flags.egress_violation;
        cross_tier_violation: Bool = row.flags.cross_tier_violation;
        intra_tier_violation: Bool = row.flags.intra_tier_violation;
        ingress_violation: Bool = row.flags.ingress_violation;
    }
}

/// The columns of both, in the order of the table.
fn judgement_fields() -> impl Iterator<Item = ArrowField> {
    let (ends, judgement) = (EndBatch::fields(), JudgementBatch::fields());
    let (network, others) = judgement.split_at(1);
    [network, &ends, others].concat().into_iter()
}

/// The ends of a record as their columns show them.
struct Ends<'a> {
    client_addr: Option<&'a str>,
    client_port: Option<i32>,
    server_addr: Option<&'a str>,
    server_port: Option<i32>,
}

/// A judgement as its columns show it.
struct JudgementTexts<'a> {
    network: Option<&'a str>,
    client_tier: Option<&'a str>,
    server_tier: Option<&'a str>,
    client_groups: Vec<&'a str>,
    server_groups: Vec<&'a str>,
    orientation: Option<Orientation>,
    confidence: Option<Confidence>,
    observer: Option<Observer>,
    outcome: Option<Outcome>,
    via: Option<Via>,
    decision: Option<Answer>,
    rule: &'a str,
    verdict: Verdict,
    severity: Option<Severity>,
    flags: Flags,
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
            write(&columns.batch(rows.rows().filter(is_wanted), texts)?)
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
        let raw = [own.schema(), kinds.0.schema(), reporters.0.schema()];
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

/// Builds the columns of one sort of parts.
trait BuildPart {
    /// Appends a part; none if it is not one of these.
    fn push_part(&mut self, part: Unpacker<'_>) -> Option<()>;

    /// The columns of the parts so far; the builder is empty afterwards.
    fn finish_parts(&mut self) -> Vec<ArrayRef>;
}

/// Takes the part that stands in a row, by its number among `shared` (1-based) or, behind 0, itself. None if there is no such
/// part.
#[inline]
fn push_part<B: BuildPart>(
    columns: &mut SharedColumns<B>,
    row: &mut Unpacker<'_>,
    shared: &[Arc<[u8]>],
) -> Option<()> {
    let add = |builder: &mut B, part: &[u8]| builder.push_part(Unpacker::split(part)?.1);
    match usize::try_from(row.number()?).ok()?.checked_sub(1) {
        None => {
            let part = row.bytes()?;
            columns.push_own(|builder| add(builder, part))
        }
        Some(number) => {
            let part = shared.get(number)?;
            columns.push(number, |builder| add(builder, part))
        }
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

impl BuildPart for JudgementBatch {
    fn push_part(&mut self, mut part: Unpacker<'_>) -> Option<()> {
        self.push(&[read_judgement(&mut part)?]);
        Some(())
    }

    fn finish_parts(&mut self) -> Vec<ArrayRef> {
        self.finish()
    }
}

fn read_judgement<'a>(part: &mut Unpacker<'a>) -> Option<JudgementTexts<'a>> {
    let network = part.text()?;
    let (client_tier, server_tier) = (part.text()?, part.text()?);
    let mut groups = || {
        (0..part.number()?)
            .map(|_| part.text()?)
            .collect::<Option<Vec<_>>>()
    };
    let (client_groups, server_groups) = (groups()?, groups()?);
    Some(JudgementTexts {
        network,
        client_tier,
        server_tier,
        client_groups,
        server_groups,
        orientation: part.word()?,
        confidence: part.word()?,
        observer: part.word()?,
        outcome: part.word()?,
        via: part.word()?,
        decision: part.word()?,
        rule: part.text()??,
        verdict: part.word()??,
        severity: part.word()?,
        flags: {
            let bits = part.number()?;
            let flag = |bit: u32| bits >> bit & 1 == 1;
            Flags {
                denied_attempt: flag(0),
                egress_violation: flag(1),
                cross_tier_violation: flag(2),
                intra_tier_violation: flag(3),
                ingress_violation: flag(4),
            }
        },
    })
}

/// Builds columns of fields that records share.
struct FieldParts(FlowsBuilder);

impl FieldParts {
    fn new(fields: &[Field]) -> FieldParts {
        let columns: Vec<usize> = fields.iter().map(|field| *field as usize).collect();
        FieldParts(FlowsBuilder::of_words(&columns))
    }
}

impl BuildPart for FieldParts {
    fn push_part(&mut self, part: Unpacker<'_>) -> Option<()> {
        self.0.push((0, 0), &SharedTexts::read(part)?, "", 0);
        Some(())
    }

    fn finish_parts(&mut self) -> Vec<ArrayRef> {
        self.0.finish().columns().to_vec()
    }
}

/// Texts of a part as they were packed.
struct SharedTexts<'a> {
    texts: [Option<&'a str>; Field::COUNT],
    integers: [Option<i64>; Field::COUNT],
}

impl<'a> SharedTexts<'a> {
    fn read(mut part: Unpacker<'a>) -> Option<SharedTexts<'a>> {
        let (mut texts, mut integers) = ([None; Field::COUNT], [None; Field::COUNT]);
        while let Some(tag) = part.number()?.checked_sub(1) {
            let field = *Field::ALL.get(usize::try_from(tag).ok()?)?;
            match field.kind() {
                Kind::Text => texts[field as usize] = part.text()?,
                _ => integers[field as usize] = Some(part.integer()?),
            }
        }
        Some(SharedTexts { texts, integers })
    }
}

impl Texts for SharedTexts<'_> {
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.texts[field as usize].map(str::as_bytes)
    }

    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        self.texts[field as usize].map(Cow::Borrowed)
    }

    fn integer(&self, field: Field) -> Option<i64> {
        self.integers[field as usize]
    }

    fn extra(&self, _each: &mut dyn FnMut(&str, &[u8])) {}
}

/// A value of one of [`Field::OF_RECORD`].
#[derive(Clone, Copy)]
enum Own<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
}

/// The texts that a record has of its own, as they were packed.
struct OwnTexts<'a> {
    /// The values of [`Field::OF_RECORD`].
    values: [Own<'a>; Field::OF_RECORD.len()],
    extra: Vec<(&'a str, &'a str)>,
}

impl<'a> OwnTexts<'a> {
    fn read(row: &mut Unpacker<'a>) -> Option<OwnTexts<'a>> {
        let mut values = [Own::Text(None); Field::OF_RECORD.len()];
        for (value, field) in values.iter_mut().zip(Field::OF_RECORD) {
            *value = match field.kind() {
                Kind::Text => Own::Text(row.text()?),
                _ if row.number()? == 0 => Own::Integer(None),
                _ => Own::Integer(Some(row.integer()?)),
            };
        }
        let mut extra = Vec::new();
        while let Some(name) = row.text()? {
            extra.push((name, row.text()??));
        }
        Some(OwnTexts { values, extra })
    }

    #[inline]
    fn get(&self, field: Field) -> Option<&str> {
        match self.values[field.place_of_record()?] {
            Own::Text(text) => text,
            Own::Integer(_) => None,
        }
    }
}

impl Texts for OwnTexts<'_> {
    #[inline]
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.get(field).map(str::as_bytes)
    }

    #[inline]
    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        self.get(field).map(Cow::Borrowed)
    }

    #[inline]
    fn integer(&self, field: Field) -> Option<i64> {
        match self.values[field.place_of_record()?] {
            Own::Integer(integer) => integer,
            Own::Text(_) => None,
        }
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, text) in &self.extra {
            each(name, text.as_bytes());
        }
    }
}
