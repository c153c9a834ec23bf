//! Judged records as bytes, on their way to be sorted; `record_columns` reads them back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::LakeError;
use super::packed::Packer;
use super::record_columns::{RecordTexts, write_groups};
use super::reporter_texts::{ReporterNumber, ReporterTexts};
use super::rows::{RowBlock, RowSorter};
use super::table::TableWriter;
use crate::flow::field::Kind;
use crate::flow::{Field, Record, Texts};
use crate::judge::JudgementRow;
use crate::net::{Addr, AddrText};

/// Judged records on their way to a [`RecordSorter`].
#[derive(Default)]
pub struct RecordBlock {
    rows: RowBlock,
    packer: Packer,
    key: Vec<u8>,
}

impl RecordBlock {
    /// Appends a record; `reporter` stands for its texts of who reported ([`RecordSorter::reporter`]), `object` is the rank of
    /// its object by URL. True when the block should be handed on.
    pub fn push(
        &mut self,
        record: &Record,
        texts: &impl Texts,
        reporter: ReporterNumber,
        object: u32,
        row: &JudgementRow<'_>,
    ) -> bool {
        self.key.clear();
        self.key.extend(record.start.to_be_bytes());
        write_addr(&mut self.key, row.client_addr);
        write_addr(&mut self.key, row.server_addr);
        self.key.extend(object.to_be_bytes());
        self.key.extend(record.line.to_be_bytes());
        self.packer.number(reporter.0.into());
        pack_raw(&mut self.packer, record, texts);
        pack_judgement(&mut self.packer, row);
        let (packer, key) = (&mut self.packer, &self.key);
        self.rows.push(|rows| packer.finish(key, rows))
    }
}

/// An address as text, ended by a byte that sorts before any other; nothing comes first.
fn write_addr(key: &mut Vec<u8>, addr: Option<Addr>) {
    if let Some(addr) = addr {
        key.extend(AddrText::of(addr).as_str().as_bytes());
    }
    key.push(0);
}

fn pack_raw(packer: &mut Packer, record: &Record, texts: &impl Texts) {
    packer.number(u64::from(record.end));
    for field in Field::ALL.iter().filter(|field| !field.is_of_reporter()) {
        let tag = *field as u64 + 1;
        match field.kind() {
            Kind::Text => {
                if let Some(text) = texts.readable(*field) {
                    packer.number(tag);
                    packer.text(Some(&text));
                }
            }
            Kind::Int32 | Kind::Int64 => {
                if let Some(integer) = texts.integer(*field) {
                    packer.number(tag);
                    packer.integer(integer);
                }
            }
            // In the key, and before all fields.
            Kind::Time => {}
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
    packer.word(row.orientation);
    packer.word(row.confidence);
    packer.word(row.observer);
    packer.word(row.outcome);
    packer.word(row.via);
    packer.word(row.decision);
    packer.text(Some(row.rule));
    packer.word(Some(row.verdict));
    packer.word(row.severity);
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
pub struct RecordSorter {
    rows: RowSorter,
    reporters: ReporterTexts,
    left_out: BTreeSet<u32>,
}

impl RecordSorter {
    /// A sorter that holds about `budget` bytes in memory and puts the rest into files in `dir`, which vanish with it.
    pub fn new(dir: &Path, budget: usize) -> RecordSorter {
        RecordSorter {
            rows: RowSorter::new(dir, budget),
            reporters: ReporterTexts::default(),
            left_out: BTreeSet::new(),
        }
    }

    /// The number of the fields that tell who reported a record, for the blocks of this sorter.
    pub fn reporter(&mut self, texts: &impl Texts) -> ReporterNumber {
        self.reporters.number(texts)
    }

    /// Takes records, their objects ranked alike in all blocks.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, block: RecordBlock) -> Result<(), LakeError> {
        self.rows.push(block.rows).map_err(LakeError::Temporary)
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
        self.rows.memory()
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
            reporters: &self.reporters,
        };
        write_groups(sorted, texts, &self.left_out, threads, files)
    }
}
