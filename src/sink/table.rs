//! The files of one table: Parquet written aside in a temporary folder, the same bytes for the same batches.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::dictionary_column::ZSTD_LEVEL;
use super::edge_columns::edges_schema;
use super::encoder::{Encoder, Form};
use super::findings::findings_schema;
use super::objects::ObjectBatch;
use super::quarantine::quarantine_schema;
use super::record_columns::records_schema;
use super::row_group::{EncodedGroup, GROUP_ROWS, RowGroups, num_leaves};
use super::turns::in_turn;
use super::{Day, Hour, LakeError};

/// Row groups of a file, after which the next one begins: some 8 million rows.
const PART_GROUPS: usize = 128;
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
    /// All of them.
    pub const ALL: [Table; 5] = [
        Table::Records,
        Table::Edges,
        Table::Findings,
        Table::Objects,
        Table::Quarantine,
    ];

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

    /// Its columns as a reader of its files finds them: text is text, no dictionary.
    pub fn schema(self) -> SchemaRef {
        let written = match self {
            Table::Records => records_schema(),
            Table::Edges => edges_schema(),
            Table::Quarantine => quarantine_schema(),
            Table::Objects => Arc::new(Schema::new(ObjectBatch::fields())),
            Table::Findings => findings_schema(),
        };
        let plain = written
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                DataType::Dictionary(_, text) => {
                    field.as_ref().clone().with_data_type(text.as_ref().clone())
                }
                _ => field.as_ref().clone(),
            });
        Arc::new(Schema::new(plain.collect::<Vec<Field>>()))
    }

    /// What the folders of its files say of their rows, behind its columns: the `date`, and but for findings the `hour`.
    pub fn folder_columns(self) -> Vec<Field> {
        let date = Field::new("date", DataType::Date32, false);
        let hour = Field::new("hour", DataType::Int32, false);
        match self {
            Table::Findings => vec![date],
            _ => vec![date, hour],
        }
    }

    /// The table of this name.
    pub fn from_name(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
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

/// The name of a file of a slot whose hour is not over. Other engines take it for none of the table's: they leave out
/// what begins with `_`, or look for what ends with `.parquet`.
pub(super) fn open_name(slot: u32, index: usize) -> String {
    format!("{}{index:04}", open_prefix(slot))
}

/// What the files of such a slot begin with: the minute that it begins at.
pub(super) fn open_prefix(slot: u32) -> String {
    format!("{OPEN}{:02}-", slot % 3600 / 60)
}

/// What the files of all slots begin with whose hours are not over.
pub(super) const OPEN: &str = "_open-";

/// What a file says of itself beside its rows.
pub(super) type Notes = Vec<(&'static str, String)>;

/// Takes a batch of a row group. Where batches end decides where pages end: the caller cuts them by content only.
pub(super) type WriteBatch<'w> = &'w mut dyn FnMut(&RecordBatch) -> Result<(), LakeError>;

/// Writes the files of one folder of a table.
pub(super) struct TableWriter {
    table: Table,
    form: Arc<Form>,
    folder: PathBuf,
    part_groups: usize,
    parts: Vec<PathBuf>,
    current: Option<Encoder>,
    /// The rows that came batch by batch and are in no file yet.
    groups: RowGroups,
    /// Rows of row groups that have ended.
    rows: u64,
}

impl TableWriter {
    /// A writer of files below `folder`, which exists. It writes none until there are rows.
    ///
    /// # Errors
    /// When Parquet has no form for the schema.
    pub fn new(
        table: Table,
        schema: SchemaRef,
        notes: Notes,
        folder: &Path,
    ) -> Result<TableWriter, LakeError> {
        let properties = properties(table, &schema, &notes);
        let form = Form::new(schema, properties).map_err(|error| failed(table, error))?;
        let form = Arc::new(form);
        Ok(TableWriter {
            table,
            groups: RowGroups::new(form.clone(), GROUP_ROWS),
            form,
            folder: folder.to_owned(),
            part_groups: PART_GROUPS,
            parts: Vec::new(),
            current: None,
            rows: 0,
        })
    }

    /// How many rows it took.
    pub fn rows(&self) -> u64 {
        self.rows + self.groups.open_rows() as u64
    }

    /// Takes a batch, cut by content only.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        debug_assert!(batch.num_rows() <= GROUP_ROWS, "batches are cut before");
        let ended = self.groups.write(batch);
        let mut ended = ended
            .map_err(|error| failed(self.table, error))?
            .into_iter();
        ended.try_for_each(|group| self.append(group))
    }

    /// Takes whole row groups: what `next` gives until it gives none becomes one each (or several, if its bytes are
    /// too many), by a worker of one of so many threads.
    ///
    /// # Errors
    /// The first error of `next` or of a worker, or when a file cannot be written.
    pub fn write_groups<I: Send, W>(
        &mut self,
        threads: usize,
        worker: impl Fn() -> W + Sync,
        next: impl FnMut() -> Result<Option<I>, LakeError>,
    ) -> Result<(), LakeError>
    where
        W: FnMut(I, WriteBatch<'_>) -> Result<(), LakeError>,
    {
        self.end_group()?;
        let (table, form) = (self.table, self.form.clone());
        let encode = || {
            let mut work = worker();
            let mut groups = RowGroups::new(form.clone(), GROUP_ROWS);
            move |rows: I| {
                let mut ended = Vec::new();
                work(rows, &mut |batch| {
                    let groups = groups.write(batch);
                    ended.extend(groups.map_err(|error| failed(table, error))?);
                    Ok(())
                })?;
                ended.extend(groups.end().map_err(|error| failed(table, error))?);
                Ok(ended)
            }
        };
        in_turn(threads, encode, next, |groups: Result<_, LakeError>| {
            let groups: Vec<EncodedGroup> = groups?;
            groups.into_iter().try_for_each(|group| self.append(group))
        })
    }

    fn end_group(&mut self) -> Result<(), LakeError> {
        let last = self
            .groups
            .end()
            .map_err(|error| failed(self.table, error))?;
        last.map_or(Ok(()), |group| self.append(group))
    }

    fn append(&mut self, group: EncodedGroup) -> Result<(), LakeError> {
        let table = self.table;
        let is_full = |file: &Encoder| file.groups() == self.part_groups;
        if self.current.as_ref().is_some_and(is_full) {
            self.close()?;
        }
        if self.current.is_none() {
            self.begin()?;
        }
        self.rows += group.rows() as u64;
        let file = self.current.as_mut().expect("a file was begun");
        file.append(group).map_err(|error| failed(table, error))
    }

    fn begin(&mut self) -> Result<(), LakeError> {
        let path = self.folder.join(format!(
            "{}-{}",
            self.table.name(),
            part_name(self.parts.len())
        ));
        let file = File::create_new(&path).map_err(LakeError::Temporary)?;
        let encoder = Encoder::new(file, &self.form);
        self.current = Some(encoder.map_err(|error| failed(self.table, error))?);
        self.parts.push(path);
        Ok(())
    }

    fn close(&mut self) -> Result<(), LakeError> {
        let Some(file) = self.current.take() else {
            return Ok(());
        };
        file.close().map_err(|error| failed(self.table, error))
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
        self.end_group()?;
        self.close()?;
        Ok(self.parts)
    }
}

fn failed(table: Table, error: ParquetError) -> LakeError {
    LakeError::file(table.name(), error)
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

    fn writer(folder: &Path) -> TableWriter {
        let notes = vec![("note", "1".to_owned())];
        TableWriter::new(Table::Quarantine, batch(0..0).schema(), notes, folder).expect("a form")
    }

    fn row_groups(part: &Path) -> Vec<i64> {
        let file = File::open(part).expect("opened");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("read");
        let groups = reader.metadata().row_groups();
        groups.iter().map(|group| group.num_rows()).collect()
    }

    #[test]
    fn a_new_file_begins_after_the_bound_of_row_groups() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut files = writer(dir.path());
        files.groups = RowGroups::new(files.form.clone(), 150);
        files.part_groups = 2;
        for rows in [0..100, 100..400, 400..410] {
            files.write(&batch(rows)).expect("written");
        }
        assert_eq!(files.rows(), 410);
        let parts = files.finish().expect("finished");
        let groups: Vec<_> = parts.iter().map(|part| row_groups(part)).collect();
        assert_eq!(groups, [vec![150, 150], vec![110]]);
        assert!(parts[1].ends_with("quarantine-part-0001.parquet"));
    }

    #[test]
    fn threads_make_the_same_file_as_one_batch_by_batch() {
        let write = |threads: Option<usize>| {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let mut files = writer(dir.path());
            files.groups = RowGroups::new(files.form.clone(), 150);
            let batches = |rows: std::ops::Range<i64>| {
                [
                    batch(rows.start..rows.start + 100),
                    batch(rows.start + 100..rows.end),
                ]
            };
            let mut groups = [0..150, 150..300, 300..450, 450..600].into_iter();
            match threads {
                None => groups
                    .flat_map(batches)
                    .for_each(|batch| files.write(&batch).expect("written")),
                Some(threads) => {
                    let worker = || {
                        |rows: std::ops::Range<i64>, write: WriteBatch<'_>| {
                            batches(rows).iter().try_for_each(write)
                        }
                    };
                    let written = files.write_groups(threads, worker, || Ok(groups.next()));
                    written.expect("written");
                }
            }
            assert_eq!(files.rows(), 600);
            let parts = files.finish().expect("finished");
            parts
                .iter()
                .map(|part| std::fs::read(part).expect("read"))
                .collect::<Vec<_>>()
        };
        let one_by_one = write(None);
        assert_eq!(one_by_one.len(), 1);
        assert!(
            [1, 2, 3]
                .iter()
                .all(|threads| write(Some(*threads)) == one_by_one)
        );
    }

    #[test]
    fn a_file_says_how_it_is_sorted_and_nothing_of_who_made_it_when() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut files = writer(dir.path());
        files.write(&batch(0..100)).expect("written");
        let parts = files.finish().expect("finished");
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
