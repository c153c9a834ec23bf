//! The files of one table: Parquet written aside in a temporary folder, the same bytes for the same batches.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::columns::BATCH_ROWS;
use super::encoder::{Encoder, num_leaves};
use super::word_column::ZSTD_LEVEL;
use super::{Day, Hour, LakeError};

/// Rows of a file, after which the next one begins.
pub(super) const PART_ROWS: usize = 8_000_000;
/// Rate at which a bloom filter fails to exclude an address.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;
/// Columns that get a bloom filter where a table has them.
const BLOOM_COLUMNS: [&str; 4] = ["client_addr", "server_addr", "srcaddr", "dstaddr"];
/// Columns of numbers that hardly repeat: a dictionary would only be in the way of their differences.
const DELTA_COLUMNS: [&str; 1] = ["line"];
/// Columns by whose least and greatest value a reader can skip pages: what files are ordered by, times, numbers, and words
/// of which the least or the greatest is what people look for. Of others nearly every page has all values.
const STATISTICS_COLUMNS: [&str; 21] = [
    "start",
    "end",
    "first_seen",
    "last_seen",
    "time",
    "client_addr",
    "server_addr",
    "srcaddr",
    "dstaddr",
    "client_port",
    "server_port",
    "srcport",
    "dstport",
    "protocol",
    "bytes",
    "bytes_to_server",
    "bytes_to_client",
    "verdict",
    "severity",
    "source",
    "line",
];
/// What files say they were made by. It stays the same over versions that write the same bytes.
const CREATED_BY: &str = "tidegate lake format 1";

/// A table of a lake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// Judged records.
    Records,
    /// Connections summed up.
    Edges,
    /// Lines that could not be decoded.
    Quarantine,
    /// Objects read: the ledger.
    Objects,
    /// What a person is told, by day.
    Findings,
}

impl Table {
    /// The tables that an hour has, in the order in which their files are put in place.
    pub const HOURLY: [Table; 4] = [
        Table::Records,
        Table::Edges,
        Table::Quarantine,
        Table::Objects,
    ];

    /// Its name: the folder below the lake's root.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Records => "records",
            Table::Edges => "edges",
            Table::Quarantine => "quarantine",
            Table::Objects => "objects",
            Table::Findings => "findings",
        }
    }

    /// The folder of an hour, with a slash at the end.
    pub fn hour_folder(self, hour: Hour) -> String {
        format!("{}/{}/", self.name(), hour.folder())
    }

    /// The folder of a day, with a slash at the end.
    pub fn day_folder(self, day: Day) -> String {
        format!("{}/{}/", self.name(), day.folder())
    }

    /// The columns by which its rows are ordered, all ascending as text and numbers are. Edges are ordered by address as
    /// a number, which no column shows.
    pub(super) const fn order(self) -> &'static [&'static str] {
        match self {
            Table::Records => &["start", "client_addr", "server_addr", "source", "line"],
            Table::Quarantine => &["source", "line"],
            Table::Objects => &["source"],
            Table::Edges | Table::Findings => &[],
        }
    }
}

/// The name of a file of a folder.
pub(super) fn part_name(index: usize) -> String {
    format!("part-{index:04}.parquet")
}

/// What a file says of itself beside its rows.
pub(super) type Notes = Vec<(&'static str, String)>;

/// Writes the files of one folder of a table.
pub(super) struct TableWriter {
    table: Table,
    schema: SchemaRef,
    notes: Notes,
    folder: PathBuf,
    part_rows: usize,
    parts: Vec<PathBuf>,
    current: Option<Encoder>,
    rows_in_part: usize,
    rows: u64,
}

impl TableWriter {
    /// A writer of files below `folder`, which exists. It writes none until there are rows.
    pub fn new(table: Table, schema: SchemaRef, notes: Notes, folder: &Path) -> TableWriter {
        TableWriter {
            table,
            schema,
            notes,
            folder: folder.to_owned(),
            part_rows: PART_ROWS,
            parts: Vec::new(),
            current: None,
            rows_in_part: 0,
            rows: 0,
        }
    }

    /// How many rows it took.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes a batch. Where batches end decides where pages end: the caller cuts them by content only.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        debug_assert!(batch.num_rows() <= BATCH_ROWS, "batches are cut before");
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let rows = rest.num_rows().min(self.part_rows - self.rows_in_part);
            let head = rest.slice(0, rows);
            rest = rest.slice(rows, rest.num_rows() - rows);
            let written = self.part()?.write(&head);
            written.map_err(|error| LakeError::file(self.table.name(), error))?;
            self.rows_in_part += rows;
            self.rows += rows as u64;
            if self.rows_in_part == self.part_rows {
                self.close()?;
            }
        }
        Ok(())
    }

    /// The file being written; a new one if there is none.
    fn part(&mut self) -> Result<&mut Encoder, LakeError> {
        if self.current.is_none() {
            self.begin()?;
        }
        Ok(self.current.as_mut().expect("a file was begun"))
    }

    fn begin(&mut self) -> Result<(), LakeError> {
        let path = self.folder.join(format!(
            "{}-{}",
            self.table.name(),
            part_name(self.parts.len())
        ));
        let file = File::create_new(&path).map_err(LakeError::Temporary)?;
        let properties = properties(self.table, &self.schema, &self.notes);
        let encoder = Encoder::new(file, self.schema.clone(), properties);
        self.current = Some(encoder.map_err(|error| LakeError::file(self.table.name(), error))?);
        self.parts.push(path);
        Ok(())
    }

    fn close(&mut self) -> Result<(), LakeError> {
        self.rows_in_part = 0;
        let Some(encoder) = self.current.take() else {
            return Ok(());
        };
        encoder
            .close()
            .map_err(|error| LakeError::file(self.table.name(), error))
    }

    /// Writes a file without rows if there is none yet, for tables whose file means something by being there.
    pub fn at_least_one(&mut self) -> Result<(), LakeError> {
        if self.parts.is_empty() {
            self.begin()
        } else {
            Ok(())
        }
    }

    /// Ends the last file; the files in order.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, LakeError> {
        self.close()?;
        Ok(self.parts)
    }
}

fn properties(table: Table, schema: &Schema, notes: &Notes) -> WriterProperties {
    let order = table
        .order()
        .iter()
        .filter_map(|name| schema.index_of(name).ok());
    let order: Vec<_> = order
        .map(|column| SortingColumn {
            column_idx: i32::try_from(first_leaf(schema, column)).expect("a table has few columns"),
            descending: false,
            nulls_first: true,
        })
        .collect();
    let notes = notes
        .iter()
        .map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()))
        .collect();
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(ZSTD_LEVEL).expect("a level that zstd has"),
        ))
        .set_key_value_metadata(Some(notes))
        .set_sorting_columns((!order.is_empty()).then_some(order));
    if table != Table::Findings {
        let has = |name: &&&str| schema.index_of(name).is_ok();
        for column in BLOOM_COLUMNS.iter().filter(has) {
            properties = properties
                .set_column_bloom_filter_fpp(ColumnPath::from(*column), BLOOM_FALSE_POSITIVES);
        }
        for column in DELTA_COLUMNS.iter().filter(has) {
            properties = properties
                .set_column_dictionary_enabled(ColumnPath::from(*column), false)
                .set_column_encoding(ColumnPath::from(*column), Encoding::DELTA_BINARY_PACKED);
        }
        properties = properties.set_statistics_enabled(EnabledStatistics::None);
        for column in STATISTICS_COLUMNS.iter().filter(has) {
            properties = properties
                .set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::Page);
        }
    }
    properties.build()
}

/// The place of a column's first leaf, which is how Parquet counts columns.
fn first_leaf(schema: &Schema, column: usize) -> usize {
    let before = &schema.fields()[..column];
    before
        .iter()
        .map(|field| num_leaves(field.data_type()))
        .sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let text: ArrayRef = Arc::new(StringArray::from_iter_values(
            rows.clone().map(|row| format!("source-{}", row / 100)),
        ));
        let line: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        RecordBatch::try_from_iter([("source", text), ("line", line)])
            .expect("columns of one length")
    }

    fn write(part_rows: usize, batches: &[RecordBatch], folder: &Path) -> Vec<PathBuf> {
        let notes = vec![("note", "1".to_owned())];
        let mut writer = TableWriter::new(Table::Quarantine, batches[0].schema(), notes, folder);
        writer.part_rows = part_rows;
        for batch in batches {
            writer.write(batch).expect("written");
        }
        writer.finish().expect("finished")
    }

    #[test]
    fn a_new_file_begins_after_the_bound_of_rows() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let parts = write(150, &[batch(0..100), batch(100..400)], dir.path());
        let rows = parts.iter().map(|path| {
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("opened"))
                    .expect("read");
            reader.metadata().file_metadata().num_rows()
        });
        assert_eq!(rows.collect::<Vec<_>>(), [150, 150, 100]);
        assert!(parts[2].ends_with("quarantine-part-0002.parquet"));
    }

    #[test]
    fn a_file_says_how_it_is_sorted_and_nothing_of_who_made_it_when() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let parts = write(1000, &[batch(0..100)], dir.path());
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&parts[0]).expect("opened"))
                .expect("read");
        let about = reader.metadata();
        assert_eq!(about.file_metadata().created_by(), Some(CREATED_BY));
        let notes = about.file_metadata().key_value_metadata().expect("notes");
        assert_eq!(notes, &[KeyValue::new("note".to_owned(), "1".to_owned())]);
        let order: Vec<_> = about
            .row_group(0)
            .sorting_columns()
            .expect("sorted")
            .iter()
            .map(|by| by.column_idx)
            .collect();
        assert_eq!(order, [0, 1]);
    }
}
