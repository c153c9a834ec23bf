//! The `records` table: raw rows with their judgements, as bytes on their way to be sorted, as columns at the end.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};

use super::LakeError;
use super::columns::{BATCH_ROWS, table};
use super::packed::{Packer, Unpacker};
use super::rows::{RowBlock, RowSorter, SortedRows, came_back_other};
use super::table::TableWriter;
use crate::flow::{Field, FlowsBuilder, Record, Texts, flows_schema};
use crate::judge::{Confidence, Flags, JudgementRow, Observer, Orientation, Outcome};
use crate::net::Addr;
use crate::policy::{Answer, Path as Via, Severity};

/// Bytes of rows after which a batch ends although it could take more: only rows of very long text get there.
const BATCH_BYTES: usize = 8 << 20;

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
        orientation: Text null = row.orientation;
        confidence: Text null = row.confidence;
        observer: Text null = row.observer;
        outcome: Text null = row.outcome;
        via: Text null = row.via;
        decision: Text null = row.decision;
        rule: Text = row.rule;
        verdict: Text = row.verdict;
        severity: Text null = row.severity;
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
    orientation: Option<&'a str>,
    confidence: Option<&'a str>,
    observer: Option<&'a str>,
    outcome: Option<&'a str>,
    via: Option<&'a str>,
    decision: Option<&'a str>,
    rule: &'a str,
    verdict: &'a str,
    severity: Option<&'a str>,
    flags: Flags,
}

/// The schema of `records`: the columns of the raw log, then those of the judgement.
pub fn records_schema() -> SchemaRef {
    let raw = flows_schema();
    let raw = raw.fields().iter().map(|field| field.as_ref().clone());
    let columns = raw.chain(JudgementBatch::fields());
    Arc::new(Schema::new(columns.collect::<Vec<ArrowField>>()))
}

/// Judged records on their way to a [`RecordSorter`].
#[derive(Default)]
pub struct RecordBlock {
    rows: RowBlock,
    packer: Packer,
    key: Vec<u8>,
}

impl RecordBlock {
    /// Appends a record; `object` is the rank of its object by URL. True when the block should be handed on.
    pub fn push(
        &mut self,
        record: &Record,
        texts: &impl Texts,
        object: u32,
        row: &JudgementRow<'_>,
    ) -> bool {
        self.key.clear();
        self.key.extend(record.start.to_be_bytes());
        write_addr(&mut self.key, row.client_addr);
        write_addr(&mut self.key, row.server_addr);
        self.key.extend(object.to_be_bytes());
        self.key.extend(record.line.to_be_bytes());
        pack_raw(&mut self.packer, record, texts);
        pack_judgement(&mut self.packer, row);
        let (packer, key) = (&mut self.packer, &self.key);
        self.rows.push(|rows| packer.finish(key, rows))
    }
}

/// An address as text, ended by a byte that sorts before any other; nothing comes first.
fn write_addr(key: &mut Vec<u8>, addr: Option<Addr>) {
    use std::io::Write;
    if let Some(addr) = addr {
        write!(key, "{addr}").expect("writing to memory cannot fail");
    }
    key.push(0);
}

fn pack_raw(packer: &mut Packer, record: &Record, texts: &impl Texts) {
    packer.number(u64::from(record.end));
    for field in Field::ALL {
        if let Some(text) = texts.readable(*field) {
            packer.number(*field as u64 + 1);
            packer.text(Some(&text));
        }
    }
    packer.number(0);
    texts.extra(&mut |name, text| {
        packer.text(Some(name));
        packer.text(Some(&String::from_utf8_lossy(text)));
    });
    packer.text(None);
}

fn pack_judgement(packer: &mut Packer, row: &JudgementRow<'_>) {
    packer.text(row.network);
    for port in [row.client_port, row.server_port] {
        packer.number(port.map_or(0, |port| u64::from(port) + 1));
    }
    packer.text(row.client_tier);
    packer.text(row.server_tier);
    for groups in [row.client_groups, row.server_groups] {
        packer.number(groups.len() as u64);
        groups.iter().for_each(|group| packer.text(Some(group)));
    }
    packer.text(row.orientation.map(Orientation::as_str));
    packer.text(row.confidence.map(Confidence::as_str));
    packer.text(row.observer.map(Observer::as_str));
    packer.text(row.outcome.map(Outcome::as_str));
    packer.text(row.via.map(Via::as_str));
    packer.text(row.decision.map(Answer::as_str));
    packer.text(Some(row.rule));
    packer.text(Some(row.verdict.as_str()));
    packer.text(row.severity.map(Severity::as_str));
    let flags = [
        row.flags.denied_attempt,
        row.flags.egress_violation,
        row.flags.cross_tier_violation,
        row.flags.intra_tier_violation,
        row.flags.ingress_violation,
    ];
    let bits = flags
        .iter()
        .rev()
        .fold(0, |bits, flag| bits << 1 | u64::from(*flag));
    packer.number(bits);
}

/// Puts judged records into the order of the table in bounded memory, in whatever order they come.
pub struct RecordSorter(RowSorter);

impl RecordSorter {
    /// A sorter that holds about `budget` bytes in memory and puts the rest into files in `dir`, which vanish with it.
    pub fn new(dir: &Path, budget: usize) -> RecordSorter {
        RecordSorter(RowSorter::new(dir, budget))
    }

    /// Takes records, their objects ranked alike in all blocks.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, block: RecordBlock) -> Result<(), LakeError> {
        self.0.push(block.rows).map_err(LakeError::Temporary)
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }

    /// Whether records went to files.
    pub fn has_spilled(&self) -> bool {
        self.0.has_spilled()
    }

    /// Writes the records, of objects with these URLs by rank, into files.
    pub(super) fn write(self, urls: &[Arc<str>], files: &mut TableWriter) -> Result<(), LakeError> {
        let mut sorted = self.0.finish().map_err(LakeError::Temporary)?;
        let mut columns = RecordColumns::new();
        while let Some(batch) = columns.fill(&mut sorted, urls)? {
            files.write(&batch)?;
        }
        Ok(())
    }
}

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
            raw: FlowsBuilder::new(None),
            judgements: JudgementBatch::default(),
        }
    }

    /// The next rows as a batch, cut by content only; none at the end.
    fn fill(
        &mut self,
        sorted: &mut SortedRows,
        urls: &[Arc<str>],
    ) -> Result<Option<RecordBatch>, LakeError> {
        let mut bytes = 0;
        while self.raw.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(row) = sorted.next().map_err(LakeError::Temporary)? else {
                break;
            };
            bytes += row.len();
            self.push(row, urls).ok_or_else(came_back_other)?;
        }
        if self.raw.is_empty() {
            return Ok(None);
        }
        let raw = self.raw.finish();
        let columns = raw
            .columns()
            .iter()
            .cloned()
            .chain(self.judgements.finish());
        RecordBatch::try_new(self.schema.clone(), columns.collect())
            .map(Some)
            .map_err(|error| LakeError::file("records", error))
    }

    fn push(&mut self, row: &[u8], urls: &[Arc<str>]) -> Option<()> {
        let (key, mut row) = Unpacker::split(row)?;
        let (start, key) = key.split_first_chunk()?;
        let (client_addr, key) = read_addr(key)?;
        let (server_addr, key) = read_addr(key)?;
        let (object, key) = key.split_first_chunk()?;
        let (line, _) = key.split_first_chunk()?;
        let end = u32::try_from(row.number()?).ok()?;
        let texts = UnpackedTexts::read(&mut row)?;
        let judgement = read_judgement(&mut row, client_addr, server_addr)?;
        let source = urls.get(u32::from_be_bytes(*object) as usize)?;
        let times = (u32::from_be_bytes(*start), end);
        self.raw
            .push(times, &texts, source, u64::from_be_bytes(*line));
        self.judgements.push(&judgement);
        Some(())
    }
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
        orientation: row.text()?,
        confidence: row.text()?,
        observer: row.text()?,
        outcome: row.text()?,
        via: row.text()?,
        decision: row.text()?,
        rule: row.text()??,
        verdict: row.text()??,
        severity: row.text()?,
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
    fields: [Option<&'a str>; Field::COUNT],
    extra: Vec<(&'a str, &'a str)>,
}

impl<'a> UnpackedTexts<'a> {
    fn read(row: &mut Unpacker<'a>) -> Option<UnpackedTexts<'a>> {
        let mut fields = [None; Field::COUNT];
        while let Some(field) = row.number()?.checked_sub(1) {
            *fields.get_mut(field as usize)? = row.text()?;
        }
        let mut extra = Vec::new();
        while let Some(name) = row.text()? {
            extra.push((name, row.text()??));
        }
        Some(UnpackedTexts { fields, extra })
    }
}

impl Texts for UnpackedTexts<'_> {
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.fields[field as usize].map(str::as_bytes)
    }

    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        self.fields[field as usize].map(Cow::Borrowed)
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, text) in &self.extra {
            each(name, text.as_bytes());
        }
    }
}
