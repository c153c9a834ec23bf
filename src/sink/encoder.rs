//! Encodes one Parquet file on threads of its own: whoever makes the rows makes the next ones meanwhile.
//!
//! A row group's columns are dealt out to the threads in turn, and each column is encoded by one thread in the order of
//! rows: the bytes do not depend on who is faster.

use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions,
    compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use zstd::bulk::Compressor;

use super::aside::Aside;
use super::word_column::{WordChunk, WordColumn, ZSTD_LEVEL};

/// Rows of a row group. A row group is built in memory, in its compressed form, so this bounds what an encoder holds; it
/// is also the least that a reader skips by statistics and bloom filters.
const GROUP_ROWS: usize = 128 * 1024;
/// Bytes of values after which a row group ends although it could take more rows: only rows of very long text get there.
const GROUP_BYTES: usize = 256 << 20;
/// Threads of a file. Making edges costs nearly what encoding them does: more threads would wait for rows.
const THREADS: usize = 2;
/// Batches that may wait for a thread beside the one in hand. More would only take memory.
const WAITING: usize = 1;

/// A file that is being encoded.
pub(super) struct Encoder {
    file: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    group: Option<Group>,
    /// The group before, whose threads come to an end while the next one's begin.
    ending: Option<Ending>,
    groups: usize,
}

/// A row group that is being encoded.
struct Group {
    threads: Vec<ColumnThread>,
    rows: usize,
    bytes: usize,
}

/// A thread that encodes every so many-th column. It ends when nothing more can come.
struct ColumnThread {
    batches: SyncSender<RecordBatch>,
    columns: Encoding,
}

/// Columns that are being encoded.
type Encoding = Aside<Result<Vec<Chunk>, ParquetError>>;

/// The threads of a row group that has all its rows.
struct Ending(Vec<Encoding>);

/// A column that is being encoded: words by ourselves, the leaves of all others by Parquet's own writers.
enum Column {
    Words(Box<WordColumn>),
    Leaves(FieldRef, Vec<ArrowColumnWriter>),
}

/// A column that was encoded.
enum Chunk {
    Words(Box<WordChunk>),
    Leaves(Vec<ArrowColumnChunk>),
}

impl Encoder {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written, or Parquet has no form for the schema.
    pub fn new(
        file: File,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Encoder, ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            // The file's own types say it all; Arrow's copy of the schema would only be one more thing to agree with.
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Encoder {
            file,
            factory,
            schema,
            group: None,
            ending: None,
            groups: 0,
        })
    }

    /// Hands on a batch. Where batches end, pages may end.
    ///
    /// # Errors
    /// When an earlier batch could not be encoded or written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut from = 0;
        while from < batch.num_rows() {
            let group = match &mut self.group {
                Some(group) => group,
                none => none.insert(Group::new(
                    &self.schema,
                    &self.file,
                    &self.factory,
                    self.groups,
                )?),
            };
            let rows = (batch.num_rows() - from).min(GROUP_ROWS - group.rows);
            let is_taken = group.push(batch.slice(from, rows))?;
            from += rows;
            if !is_taken || group.rows == GROUP_ROWS || group.bytes >= GROUP_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        self.groups += 1;
        match self.ending.replace(group.end()) {
            Some(before) => self.append(before),
            None => Ok(()),
        }
    }

    fn append(&mut self, ending: Ending) -> Result<(), ParquetError> {
        let chunks = ending.chunks(self.schema.fields().len())?;
        let mut row_group = self.file.next_row_group()?;
        for chunk in chunks {
            match chunk {
                Chunk::Words(chunk) => chunk.append_to_row_group(&mut row_group)?,
                Chunk::Leaves(leaves) => {
                    for leaf in leaves {
                        leaf.append_to_row_group(&mut row_group)?;
                    }
                }
            }
        }
        row_group.close().map(drop)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it could not be encoded or written.
    pub fn close(mut self) -> Result<(), ParquetError> {
        self.end_group()?;
        if let Some(last) = self.ending.take() {
            self.append(last)?;
        }
        self.file.close().map(drop)
    }
}

impl Group {
    fn new(
        schema: &SchemaRef,
        file: &SerializedFileWriter<File>,
        factory: &ArrowRowGroupWriterFactory,
        index: usize,
    ) -> Result<Group, ParquetError> {
        let mut leaves = factory.create_column_writers(index)?.into_iter();
        let mut leaf = 0;
        let mut dealt: Vec<Vec<(usize, Column)>> = (0..THREADS).map(|_| Vec::new()).collect();
        for (place, field) in schema.fields().iter().enumerate() {
            let num_leaves = num_leaves(field.data_type());
            let writers: Vec<ArrowColumnWriter> = leaves.by_ref().take(num_leaves).collect();
            let column = match field.data_type() {
                DataType::Dictionary(..) => Column::Words(Box::new(WordColumn::new(
                    file.schema_descr().column(leaf),
                    file.properties(),
                ))),
                _ => Column::Leaves(field.clone(), writers),
            };
            leaf += num_leaves;
            dealt[place % THREADS].push((place, column));
        }
        let threads = dealt.into_iter().map(|columns| {
            let (batches, incoming) = sync_channel(WAITING);
            ColumnThread {
                batches,
                columns: Aside::begin(move || encode(columns, &incoming)),
            }
        });
        Ok(Group {
            threads: threads.collect(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Hands a batch to all threads; false if one has failed.
    fn push(&mut self, batch: RecordBatch) -> Result<bool, ParquetError> {
        self.rows += batch.num_rows();
        for column in batch.columns() {
            self.bytes += column.to_data().get_slice_memory_size()?;
        }
        Ok(self
            .threads
            .iter()
            .all(|thread| thread.batches.send(batch.clone()).is_ok()))
    }

    /// Hands on nothing more.
    fn end(self) -> Ending {
        Ending(
            self.threads
                .into_iter()
                .map(|thread| thread.columns)
                .collect(),
        )
    }
}

impl Ending {
    /// The encoded columns in their order.
    fn chunks(self, num_columns: usize) -> Result<impl Iterator<Item = Chunk>, ParquetError> {
        let mut columns: Vec<Option<Chunk>> = (0..num_columns).map(|_| None).collect();
        for (first, thread) in self.0.into_iter().enumerate() {
            let encoded = thread.end()?.into_iter();
            for (chunk, column) in encoded.zip(columns.iter_mut().skip(first).step_by(THREADS)) {
                *column = Some(chunk);
            }
        }
        Ok(columns.into_iter().flatten())
    }
}

fn encode(
    mut columns: Vec<(usize, Column)>,
    batches: &Receiver<RecordBatch>,
) -> Result<Vec<Chunk>, ParquetError> {
    let mut zstd = Compressor::new(ZSTD_LEVEL)?;
    for batch in batches {
        for (place, column) in &mut columns {
            column.write(batch.column(*place), &mut zstd)?;
        }
    }
    columns
        .into_iter()
        .map(|(_, column)| column.close(&mut zstd))
        .collect()
}

impl Column {
    fn write(&mut self, rows: &ArrayRef, zstd: &mut Compressor<'_>) -> Result<(), ParquetError> {
        match self {
            Column::Words(column) => column.write(rows.as_dictionary(), zstd),
            Column::Leaves(field, writers) => {
                for (writer, leaf) in writers.iter_mut().zip(compute_leaves(field, rows)?) {
                    writer.write(&leaf)?;
                }
                Ok(())
            }
        }
    }

    fn close(self, zstd: &mut Compressor<'_>) -> Result<Chunk, ParquetError> {
        Ok(match self {
            Column::Words(column) => Chunk::Words(Box::new(column.close(zstd)?)),
            Column::Leaves(_, writers) => Chunk::Leaves(
                writers
                    .into_iter()
                    .map(ArrowColumnWriter::close)
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

/// How many columns Parquet makes of one: it counts the leaves of nested types.
pub(super) fn num_leaves(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| num_leaves(field.data_type()))
            .sum(),
        DataType::List(item) | DataType::Map(item, _) => num_leaves(item.data_type()),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListBuilder, StringArray, StringBuilder};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Field, Schema};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    /// Five columns, one of them nested, so that the threads have different numbers of columns and of leaves.
    fn batch(rows: std::ops::Range<usize>) -> RecordBatch {
        let number = || -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(
                rows.clone().map(|row| row as i64),
            ))
        };
        let text: ArrayRef =
            Arc::new(StringArray::from_iter(rows.clone().map(|row| {
                (row % 3 > 0).then(|| format!("text {}", row % 1000))
            })));
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in rows.clone() {
            (0..row % 3).for_each(|item| lists.values().append_value(format!("item {item}")));
            lists.append(row % 7 > 0);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        let columns = [
            ("a", number()),
            ("b", lists),
            ("c", text.clone()),
            ("d", text),
            ("e", number()),
        ];
        let fields = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, columns.map(|(_, array)| array).to_vec())
            .expect("columns of one length")
    }

    fn encode(batches: &[RecordBatch], path: &std::path::Path) {
        let file = File::create(path).expect("created");
        let properties = WriterProperties::builder().build();
        let mut encoder = Encoder::new(file, batches[0].schema(), properties).expect("begun");
        for batch in batches {
            encoder.write(batch).expect("taken");
        }
        encoder.close().expect("written");
    }

    #[test]
    fn a_file_has_the_rows_in_order_and_groups_of_full_size() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let all = batch(0..GROUP_ROWS * 2 + 5_000);
        let size = 10_000;
        let batches: Vec<RecordBatch> = (0..all.num_rows())
            .step_by(size)
            .map(|from| all.slice(from, size.min(all.num_rows() - from)))
            .collect();
        let paths = ["once", "again"].map(|name| dir.path().join(name));
        paths.iter().for_each(|path| encode(&batches, path));
        let [once, again] = paths
            .each_ref()
            .map(|path| std::fs::read(path).expect("read"));
        assert!(once == again);
        let file = File::open(&paths[0]).expect("opened");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file");
        let groups: Vec<i64> = reader
            .metadata()
            .row_groups()
            .iter()
            .map(|group| group.num_rows())
            .collect();
        assert_eq!(groups, [GROUP_ROWS as i64, GROUP_ROWS as i64, 5_000]);
        let read: Vec<RecordBatch> = reader
            .build()
            .expect("read")
            .collect::<Result<_, _>>()
            .expect("read");
        let found = concat_batches(&read[0].schema(), &read).expect("joined");
        for column in 0..all.num_columns() {
            assert_eq!(
                found.column(column).to_data(),
                all.column(column).to_data(),
                "column {column}"
            );
        }
    }

    #[test]
    fn a_file_without_rows_is_a_file() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("empty");
        encode(&[batch(0..0)], &path);
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("opened"))
            .expect("a file");
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
