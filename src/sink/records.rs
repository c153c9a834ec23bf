//! Judged records as bytes, on their way to be sorted; `record_columns` reads them back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::LakeError;
use super::packed::Packer;
use super::record_columns::{RecordTexts, write_groups};
use super::rows::{RowBlock, RowSorter};
use super::shared_parts::{KnownParts, PartNumber, SharedParts};
use super::table::TableWriter;
use crate::flow::field::Kind;
use crate::flow::{Field, Record, Texts};
use crate::judge::JudgementRow;
use crate::net::{Addr, AddrText};

/// The part of its memory that a sorter gives to what records have alike.
const SHARED: usize = 8;

/// Judged records on their way to a [`RecordSorter`].
pub struct RecordBlock(RowBlock);

/// Puts the judged records of one thread together for a [`RecordSorter`].
///
/// A record is three parts that it shares with others (who reported, the fields of its kind, the judgement) and what is its
/// own: addresses, ports, counts, times.
pub struct RecordPacker {
    rows: RowBlock,
    row: Packer,
    key: Vec<u8>,
    parts: KnownParts,
    part: Packer,
    part_bytes: Vec<u8>,
}

impl RecordPacker {
    fn new(parts: KnownParts) -> RecordPacker {
        RecordPacker {
            rows: RowBlock::with_room(),
            row: Packer::default(),
            key: Vec::new(),
            parts,
            part: Packer::default(),
            part_bytes: Vec::new(),
        }
    }

    /// What stands for the fields that tell who reported.
    pub fn reporter(&mut self, texts: &impl Texts) -> PartNumber {
        self.number(|part| pack_fields(part, texts, &Field::OF_REPORTER))
    }

    /// Appends a record; `reporter` is [`RecordPacker::reporter`] of its texts, `object` the rank of its object by URL. A block
    /// that is full now.
    pub fn push(
        &mut self,
        record: &Record,
        texts: &impl Texts,
        reporter: PartNumber,
        object: u32,
        judgement: &JudgementRow<'_>,
    ) -> Option<RecordBlock> {
        let kind = self.number(|part| pack_fields(part, texts, &Field::OF_KIND));
        self.add_part(kind);
        let number = self.number(|part| pack_judgement(part, judgement));
        self.add_part(number);
        if !reporter.is_kept() {
            self.reporter(texts);
        }
        self.add_part(reporter);
        pack_own(&mut self.row, record, texts, judgement);
        self.key.clear();
        self.key.extend(record.start.to_be_bytes());
        write_addr(&mut self.key, judgement.client_addr);
        write_addr(&mut self.key, judgement.server_addr);
        self.key.extend(object.to_be_bytes());
        self.key.extend(record.line.to_be_bytes());
        let (row, key) = (&mut self.row, &self.key);
        let is_full = self.rows.push(|rows| row.finish(key, rows));
        is_full.then(|| self.take())
    }

    /// The records since the last block.
    pub fn take(&mut self) -> RecordBlock {
        RecordBlock(std::mem::replace(&mut self.rows, RowBlock::with_room()))
    }

    /// The number of the part that `pack` packs; its bytes stay in `part_bytes`.
    fn number(&mut self, pack: impl FnOnce(&mut Packer)) -> PartNumber {
        pack(&mut self.part);
        self.part_bytes.clear();
        self.part.finish(&[], &mut self.part_bytes);
        self.parts.number(&self.part_bytes)
    }

    /// Adds a part to the row: its number, or the bytes that were packed last.
    fn add_part(&mut self, part: PartNumber) {
        self.row.number(part.code());
        if !part.is_kept() {
            self.row.bytes(&self.part_bytes);
        }
    }
}

/// An address as text, ended by a byte that sorts before any other; nothing comes first.
fn write_addr(key: &mut Vec<u8>, addr: Option<Addr>) {
    if let Some(addr) = addr {
        key.extend(AddrText::of(addr).as_str().as_bytes());
    }
    key.push(0);
}

/// Those of these fields that have a value, each behind its tag; 0 ends them.
fn pack_fields(part: &mut Packer, texts: &impl Texts, fields: &[Field]) {
    for &field in fields {
        let tag = field as u64 + 1;
        if field.kind() == Kind::Text {
            if let Some(text) = texts.readable(field) {
                part.number(tag);
                part.text(Some(&text));
            }
        } else if let Some(integer) = texts.integer(field) {
            part.number(tag);
            part.integer(integer);
        }
    }
    part.number(0);
}

fn pack_own(row: &mut Packer, record: &Record, texts: &impl Texts, judgement: &JudgementRow<'_>) {
    row.number(u64::from(record.end));
    for port in [judgement.client_port, judgement.server_port] {
        row.number(port.map_or(0, |port| u64::from(port) + 1));
    }
    for field in Field::OF_RECORD {
        if field.kind() == Kind::Text {
            row.text(texts.readable(field).as_deref());
        } else {
            let integer = texts.integer(field);
            row.number(u64::from(integer.is_some()));
            integer.into_iter().for_each(|integer| row.integer(integer));
        }
    }
    texts.extra(&mut |name, text| {
        row.text(Some(name));
        row.text(Some(&String::from_utf8_lossy(text)));
    });
    row.text(None);
}

/// All of a judgement but for addresses and ports.
fn pack_judgement(part: &mut Packer, row: &JudgementRow<'_>) {
    part.text(row.network);
    part.text(row.client_tier);
    part.text(row.server_tier);
    for groups in [row.client_groups, row.server_groups] {
        part.number(groups.len() as u64);
        groups.iter().for_each(|group| part.text(Some(group)));
    }
    part.word(row.orientation);
    part.word(row.confidence);
    part.word(row.observer);
    part.word(row.outcome);
    part.word(row.via);
    part.word(row.decision);
    part.text(Some(row.rule));
    part.word(Some(row.verdict));
    part.word(row.severity);
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
    part.number(bits);
}

/// Puts judged records into the order of the table in bounded memory, in whatever order they come.
pub struct RecordSorter {
    rows: RowSorter,
    parts: Arc<SharedParts>,
    left_out: BTreeSet<u32>,
}

impl RecordSorter {
    /// A sorter that holds about `budget` bytes in memory and puts the rest into files in `dir`, which vanish with it.
    pub fn new(dir: &Path, budget: usize) -> RecordSorter {
        let shared = budget / SHARED;
        RecordSorter {
            rows: RowSorter::new(dir, budget - shared),
            parts: Arc::new(SharedParts::new(shared)),
            left_out: BTreeSet::new(),
        }
    }

    /// Puts together the records of a thread.
    pub fn packer(&self) -> RecordPacker {
        RecordPacker::new(KnownParts::new(self.parts.clone()))
    }

    /// Takes records of a [`RecordSorter::packer`] of its own, their objects ranked alike in all blocks.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, block: RecordBlock) -> Result<(), LakeError> {
        self.rows.push(block.0).map_err(LakeError::Temporary)
    }

    /// Leaves out the records of the object of this rank, those that have come and those that will.
    pub fn leave_out(&mut self, object: u32) {
        self.left_out.insert(object);
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> usize {
        self.rows.memory() + self.parts.memory()
    }

    /// Whether records went to files.
    pub fn has_spilled(&self) -> bool {
        self.rows.has_spilled()
    }

    /// Writes the records, of objects with these URLs by rank, into files, with so many threads.
    pub(super) fn write(
        self,
        urls: &[Arc<str>],
        threads: usize,
        files: &mut TableWriter,
    ) -> Result<(), LakeError> {
        let sorted = self.rows.finish().map_err(LakeError::Temporary)?;
        let texts = RecordTexts {
            urls,
            parts: &self.parts.all(),
        };
        write_groups(sorted, texts, &self.left_out, threads, files)
    }
}
