//! The `quarantine` table: lines that could not be decoded.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::{Columns, count_at, table};
use super::lake::is_part;
use super::packed::{Packer, Unpacker};
use super::rows::{RowBlock, RowSorter, came_back_other};
use super::table::TableWriter;
use super::{Hour, Lake, LakeError, Table};

/// Bytes of lines that are sorted in memory; more goes to a temporary file.
const BUDGET: usize = 16 << 20;

/// How much of a line is kept, bytes: enough to recognise it; a line may be a mebibyte long.
const TEXT_BYTES: usize = 4096;

/// A line that could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineRow<'a> {
    /// The object.
    pub source: &'a str,
    /// The line, 1-based; the row of a Parquet object.
    pub line: u64,
    /// Why it could not be decoded.
    pub reason: &'a str,
    /// The line as it stands there; the table keeps its first 4096 bytes, what is no UTF-8 replaced.
    pub text: &'a [u8],
}

/// A line that could not be decoded, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedLine {
    /// The object.
    pub source: String,
    /// The line, 1-based.
    pub line: u64,
    /// Why it could not be decoded.
    pub reason: String,
    /// Its first 4096 bytes, what is no UTF-8 replaced.
    pub text: String,
}

impl Lake {
    /// The first lines of an hour that could not be decoded, at most so many, by object and line.
    ///
    /// # Errors
    /// When the store fails or a file is none of this program.
    pub fn quarantined(&self, hour: Hour, most: usize) -> Result<Vec<QuarantinedLine>, LakeError> {
        let mut lines = Vec::new();
        for file in self.store().list(&Table::Quarantine.hour_folder(hour))? {
            if !is_part(&file.name) || lines.len() == most {
                continue;
            }
            let reader = ParquetRecordBatchReaderBuilder::try_new(self.fetch(&file.name)?)
                .and_then(|builder| builder.with_limit(most - lines.len()).build());
            for batch in reader.map_err(|error| LakeError::file(&file.name, error))? {
                let batch = batch.map_err(|error| LakeError::file(&file.name, error))?;
                let columns = Columns {
                    file: &file.name,
                    batch: &batch,
                };
                let [sources, reasons, texts] =
                    ["source", "reason", "text"].map(|name| columns.text(name));
                let (sources, reasons, texts) = (sources?, reasons?, texts?);
                let numbers = columns.count("line")?;
                lines.extend((0..batch.num_rows()).map(|row| QuarantinedLine {
                    source: sources.value(row).to_owned(),
                    line: count_at(&numbers, row),
                    reason: reasons.value(row).to_owned(),
                    text: texts.value(row).to_owned(),
                }));
            }
        }
        Ok(lines)
    }
}

table! {
    /// Rows of `quarantine`.
    QuarantineBatch, row: &Quarantined<'_> {
        source: Text = row.source;
        line: Count = row.line;
        reason: Text = row.reason;
        text: Text = row.text;
    }
}

/// The schema of batches of `quarantine`.
pub(super) fn quarantine_schema() -> SchemaRef {
    Arc::new(Schema::new(QuarantineBatch::fields()))
}

/// A line as the table shows it.
struct Quarantined<'a> {
    source: &'a str,
    line: u64,
    reason: &'a str,
    text: &'a str,
}

/// Puts lines into the order of the table in bounded memory, in whatever order they come.
pub(super) struct QuarantineSorter {
    rows: RowSorter,
    block: RowBlock,
    packer: Packer,
}

impl QuarantineSorter {
    /// A sorter whose files go to `dir` and vanish with it.
    pub fn new(dir: &Path) -> QuarantineSorter {
        QuarantineSorter {
            rows: RowSorter::new(dir, BUDGET),
            block: RowBlock::default(),
            packer: Packer::default(),
        }
    }

    /// Takes a line.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, row: &QuarantineRow<'_>) -> Result<(), LakeError> {
        let mut key = row.source.as_bytes().to_vec();
        key.push(0);
        key.extend(row.line.to_be_bytes());
        self.packer.text(Some(row.source));
        self.packer.number(row.line);
        self.packer.text(Some(row.reason));
        self.packer.text(Some(&excerpt(row.text)));
        if self.block.push(|rows| self.packer.finish(&key, rows)) {
            self.rows
                .push(std::mem::take(&mut self.block))
                .map_err(LakeError::Temporary)?;
        }
        Ok(())
    }

    /// Writes the lines into files, which `new_files` makes for their schema.
    pub fn write(
        mut self,
        new_files: impl FnOnce(SchemaRef) -> Result<TableWriter, LakeError>,
    ) -> Result<TableWriter, LakeError> {
        let schema = Arc::new(Schema::new(QuarantineBatch::fields()));
        let mut files = new_files(schema.clone())?;
        self.rows.push(self.block).map_err(LakeError::Temporary)?;
        let mut sorted = self.rows.finish().map_err(LakeError::Temporary)?;
        let mut groups = sorted.groups();
        while let Some(group) = groups()? {
            let mut columns = QuarantineBatch::default();
            for row in group.rows() {
                columns.push(&[Quarantined::read(row).ok_or_else(came_back_other)?]);
            }
            let batch = RecordBatch::try_new(schema.clone(), columns.finish());
            files.write(&batch.map_err(|error| LakeError::file("quarantine", error))?)?;
        }
        drop(groups);
        Ok(files)
    }
}

impl<'a> Quarantined<'a> {
    fn read(row: &'a [u8]) -> Option<Quarantined<'a>> {
        // The key is there for the order only.
        let (_, mut row) = Unpacker::split(row)?;
        Some(Quarantined {
            source: row.text()??,
            line: row.number()?,
            reason: row.text()??,
            text: row.text()??,
        })
    }
}

fn excerpt(text: &[u8]) -> std::borrow::Cow<'_, str> {
    if text.len() <= TEXT_BYTES {
        return String::from_utf8_lossy(text);
    }
    // A character that the cut goes through is left out rather than replaced.
    let mut end = TEXT_BYTES;
    while end > TEXT_BYTES - 4 && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    String::from_utf8_lossy(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        fn check(text: &[u8], expected: &str) {
            assert_eq!(excerpt(text), expected);
        }
        check(b"a\xffb", "a\u{fffd}b");
        let long = format!("{}ä{}", "x".repeat(TEXT_BYTES - 1), "y".repeat(10));
        check(long.as_bytes(), &"x".repeat(TEXT_BYTES - 1));
        let long = format!("{}ä{}", "x".repeat(TEXT_BYTES - 2), "y".repeat(10));
        check(long.as_bytes(), &long[..TEXT_BYTES]);
    }
}
