//! The `records` table: raw rows with their judgements, from bytes to columns.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};

use super::LakeError;
use super::columns::table;
use super::packed::Unpacker;
use super::reporter_texts::{OfReporter, ReporterNumber, ReporterTexts};
use super::rows::{GroupRows, SortedRows, came_back_other};
use super::table::{TableWriter, WriteBatch};
use crate::flow::field::Kind;
use crate::flow::{Field, FlowRow, FlowsBuilder, Texts, words_schema};
use crate::judge::{Confidence, Flags, Observer, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Path as Via, Severity};

table! {
    /// Judgements of records, row by row beside the raw columns of the same records.
    JudgementBatch, row: &JudgementTexts<'_> {
        network: Text null = row.network;
        client_addr: Text null = row.client_addr;
        client_port: Int32 null = row.client_port;
        server_addr: Text null = row.server_addr;
        server_port: Int32 null = row.server_port;
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

/// A judgement as its columns show it.
struct JudgementTexts<'a> {
    network: Option<&'a str>,
    client_addr: Option<&'a str>,
    client_port: Option<i32>,
    server_addr: Option<&'a str>,
    server_port: Option<i32>,
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
    let columns = raw.chain(JudgementBatch::fields());
    Arc::new(Schema::new(columns.collect::<Vec<ArrowField>>()))
}

/// Texts that rows have by number.
#[derive(Clone, Copy)]
pub(super) struct RecordTexts<'a> {
    /// URLs of the objects, by rank.
    pub urls: &'a [Arc<str>],
    /// Fields that tell who reported.
    pub reporters: &'a ReporterTexts,
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
    schema: SchemaRef,
    raw: FlowsBuilder,
    judgements: JudgementBatch,
}

impl RecordColumns {
    fn new() -> RecordColumns {
        RecordColumns {
            schema: records_schema(),
            raw: FlowsBuilder::of_words(),
            judgements: JudgementBatch::default(),
        }
    }

    fn batch<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r [u8]>,
        texts: RecordTexts<'r>,
    ) -> Result<RecordBatch, LakeError> {
        let (mut raw, mut judgements) = (Vec::with_capacity(STRIDE), Vec::with_capacity(STRIDE));
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            for row in rows.by_ref().take(STRIDE) {
                let (flow, judgement) = read(row, texts).ok_or_else(came_back_other)?;
                raw.push(flow);
                judgements.push(judgement);
            }
            self.raw.push_all(&raw);
            self.judgements.push(&judgements);
            raw.clear();
            judgements.clear();
        }
        let raw = self.raw.finish();
        let raw = raw.columns().iter().cloned();
        let columns = raw.chain(self.judgements.finish()).collect();
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| LakeError::file("records", error))
    }
}

/// The rank of a row's object: the key ends with it and the line.
fn object_of(row: &[u8]) -> Option<u32> {
    let (key, _) = Unpacker::split(row)?;
    let (key, _line) = key.split_last_chunk::<8>()?;
    key.last_chunk().map(|object| u32::from_be_bytes(*object))
}

/// A row as it was packed.
fn read<'r>(
    row: &'r [u8],
    texts: RecordTexts<'r>,
) -> Option<(FlowRow<'r, UnpackedTexts<'r>>, JudgementTexts<'r>)> {
    let (key, mut row) = Unpacker::split(row)?;
    let (start, key) = key.split_first_chunk()?;
    let (client_addr, key) = read_addr(key)?;
    let (server_addr, key) = read_addr(key)?;
    let (object, key) = key.split_first_chunk()?;
    let (line, _) = key.split_first_chunk()?;
    let reporter = ReporterNumber(u32::try_from(row.number()?).ok()?);
    let end = u32::try_from(row.number()?).ok()?;
    let of_reporter = texts.reporters.get(reporter)?;
    let own = UnpackedTexts::read(&mut row, reporter, of_reporter)?;
    let judgement = read_judgement(&mut row, client_addr, server_addr)?;
    let flow = FlowRow {
        times: (u32::from_be_bytes(*start), end),
        texts: own,
        source: texts.urls.get(u32::from_be_bytes(*object) as usize)?,
        line: u64::from_be_bytes(*line),
    };
    Some((flow, judgement))
}

fn read_addr(key: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(&key[..end]).ok()?;
    Some(((!text.is_empty()).then_some(text), &key[end + 1..]))
}

fn read_judgement<'a>(
    row: &mut Unpacker<'a>,
    client_addr: Option<&'a str>,
    server_addr: Option<&'a str>,
) -> Option<JudgementTexts<'a>> {
    let network = row.text()?;
    let mut port = || Some(row.number()?.checked_sub(1).map(|port| port as i32));
    let (client_port, server_port) = (port()?, port()?);
    let (client_tier, server_tier) = (row.text()?, row.text()?);
    let mut groups = || {
        (0..row.number()?)
            .map(|_| row.text()?)
            .collect::<Option<Vec<_>>>()
    };
    let (client_groups, server_groups) = (groups()?, groups()?);
    Some(JudgementTexts {
        network,
        client_addr,
        client_port,
        server_addr,
        server_port,
        client_tier,
        server_tier,
        client_groups,
        server_groups,
        orientation: row.word()?,
        confidence: row.word()?,
        observer: row.word()?,
        outcome: row.word()?,
        via: row.word()?,
        decision: row.word()?,
        rule: row.text()??,
        verdict: row.word()??,
        severity: row.word()?,
        flags: {
            let bits = row.number()?;
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

/// The raw texts of a record that was put aside.
struct UnpackedTexts<'a> {
    reporter: ReporterNumber,
    of_reporter: &'a OfReporter,
    fields: [Option<&'a str>; Field::COUNT],
    integers: [Option<i64>; Field::COUNT],
    extra: Vec<(&'a str, &'a str)>,
}

impl<'a> UnpackedTexts<'a> {
    fn read(
        row: &mut Unpacker<'a>,
        reporter: ReporterNumber,
        of_reporter: &'a OfReporter,
    ) -> Option<UnpackedTexts<'a>> {
        let (mut fields, mut integers) = ([None; Field::COUNT], [None; Field::COUNT]);
        while let Some(tag) = row.number()?.checked_sub(1) {
            let field = *Field::ALL.get(usize::try_from(tag).ok()?)?;
            match field.kind() {
                Kind::Text => fields[field as usize] = row.text()?,
                _ => integers[field as usize] = Some(row.integer()?),
            }
        }
        let mut extra = Vec::new();
        while let Some(name) = row.text()? {
            extra.push((name, row.text()??));
        }
        Some(UnpackedTexts {
            reporter,
            of_reporter,
            fields,
            integers,
            extra,
        })
    }
}

impl UnpackedTexts<'_> {
    #[inline]
    fn get(&self, field: Field) -> Option<&str> {
        match field.place_of_reporter() {
            Some(place) => self.of_reporter[place].as_deref(),
            None => self.fields[field as usize],
        }
    }
}

impl Texts for UnpackedTexts<'_> {
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
        self.integers[field as usize]
    }

    #[inline]
    fn number(&self, field: Field) -> Option<u32> {
        field.place_of_reporter().map(|_| self.reporter.0)
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, text) in &self.extra {
            each(name, text.as_bytes());
        }
    }
}
