//! Encodes one row group, batch by batch, on the thread of whoever has its rows.
//!
//! Row groups know nothing of one another, so that several threads make the ones of a file at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Field, FieldRef, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::dictionary_column::{DictionaryChunk, DictionaryColumn, ZSTD_LEVEL};
use super::distinct::Integers;
use super::encoder::Form;
use crate::flow::Dictionary;

/// Rows of a row group. A row group is built in memory, in its compressed form, so this bounds what a thread holds; it is
/// also the least that a reader skips by statistics and bloom filters.
pub(super) const GROUP_ROWS: usize = 64 * 1024;
/// Bytes of values after which a row group has enough although it could take more rows: only rows of very long text get
/// there.
const GROUP_BYTES: usize = 256 << 20;

/// A row group that is being encoded.
pub(super) struct RowGroup {
    columns: Vec<Column>,
    zstd: Compressor<'static>,
    rows: usize,
    bytes: usize,
}

/// A row group that was encoded.
pub(super) struct EncodedGroup {
    rows: usize,
    columns: Vec<Chunk>,
}

/// A column that is being encoded: words and integers by ourselves, the leaves of all others by Parquet's own writers.
pub(super) enum Column {
    Words(Box<DictionaryColumn<Dictionary>>),
    Int32(Box<DictionaryColumn<Integers<i32>>>),
    Int64(Box<DictionaryColumn<Integers<i64>>>),
    Leaves(FieldRef, Vec<ArrowColumnWriter>),
}

/// A column that was encoded.
enum Chunk {
    Dictionary(Box<DictionaryChunk>),
    Leaves(Vec<ArrowColumnChunk>),
}

impl RowGroup {
    /// Begins a row group of a file of this form.
    ///
    /// # Errors
    /// When Parquet has no writer for a column.
    pub fn new(form: &Form) -> Result<RowGroup, ParquetError> {
        let mut writers = form.writers.create_column_writers(0)?.into_iter();
        let mut leaf = 0;
        let columns = form.schema.fields().iter().map(|field| {
            let own = Column::own(field, form.columns.column(leaf), &form.properties);
            let leaves = num_leaves(field.data_type());
            leaf += leaves;
            own.unwrap_or_else(|| {
                Column::Leaves(field.clone(), writers.by_ref().take(leaves).collect())
            })
        });
        Ok(RowGroup {
            columns: columns.collect(),
            zstd: Compressor::new(ZSTD_LEVEL)?,
            rows: 0,
            bytes: 0,
        })
    }

    /// Takes rows. Where batches end, pages may end.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        for (rows, column) in batch.columns().iter().zip(&mut self.columns) {
            self.bytes += rows.to_data().get_slice_memory_size()?;
            column.write(rows, &mut self.zstd)?;
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// When its last rows cannot be encoded.
    pub fn end(mut self) -> Result<EncodedGroup, ParquetError> {
        let columns = self.columns.into_iter();
        Ok(EncodedGroup {
            rows: self.rows,
            columns: columns
                .map(|column| column.close(&mut self.zstd))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Encodes rows into one row group after the other, each of which ends when it has enough.
pub(super) struct RowGroups {
    form: Arc<Form>,
    most_rows: usize,
    most_bytes: usize,
    open: Option<RowGroup>,
}

impl RowGroups {
    /// No rows yet; so many at most in a row group.
    pub fn new(form: Arc<Form>, most_rows: usize) -> RowGroups {
        RowGroups {
            form,
            most_rows,
            most_bytes: GROUP_BYTES,
            open: None,
        }
    }

    /// Rows of the row group that has not ended.
    pub fn open_rows(&self) -> usize {
        self.open.as_ref().map_or(0, |group| group.rows)
    }

    /// Takes rows; gives the row groups that they end.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Vec<EncodedGroup>, ParquetError> {
        let (mut from, mut ended) = (0, Vec::new());
        while from < batch.num_rows() {
            let group = match &mut self.open {
                Some(group) => group,
                none => none.insert(RowGroup::new(&self.form)?),
            };
            let rows = (batch.num_rows() - from).min(self.most_rows - group.rows);
            group.write(&batch.slice(from, rows))?;
            from += rows;
            if group.rows == self.most_rows || group.bytes >= self.most_bytes {
                ended.extend(self.end()?);
            }
        }
        Ok(ended)
    }

    /// Ends the last row group; none if all have ended.
    ///
    /// # Errors
    /// When its last rows cannot be encoded.
    pub fn end(&mut self) -> Result<Option<EncodedGroup>, ParquetError> {
        self.open.take().map(RowGroup::end).transpose()
    }
}

impl EncodedGroup {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Puts it into a file.
    pub fn append_to<W: std::io::Write + Send>(
        self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        for chunk in self.columns {
            match chunk {
                Chunk::Dictionary(chunk) => chunk.append_to_row_group(row_group)?,
                Chunk::Leaves(leaves) => {
                    for leaf in leaves {
                        leaf.append_to_row_group(row_group)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Column {
    /// A column that we encode ourselves; none of others. `first` is the first of its leaves.
    pub fn own(
        field: &Field,
        first: ColumnDescPtr,
        properties: &WriterProperties,
    ) -> Option<Column> {
        let is_dictionary = properties.dictionary_enabled(first.path());
        Some(match field.data_type() {
            DataType::Dictionary(..) => {
                Column::Words(Box::new(DictionaryColumn::new(first, properties)))
            }
            DataType::Int32 if is_dictionary => {
                Column::Int32(Box::new(DictionaryColumn::new(first, properties)))
            }
            DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) if is_dictionary => {
                Column::Int64(Box::new(DictionaryColumn::new(first, properties)))
            }
            _ => return None,
        })
    }

    fn write(&mut self, rows: &ArrayRef, zstd: &mut Compressor<'_>) -> Result<(), ParquetError> {
        match self {
            Column::Words(column) => column.write_words(rows.as_dictionary(), zstd),
            Column::Int32(column) => column.write_integers(rows.as_primitive::<Int32Type>(), zstd),
            Column::Int64(column) => match rows.data_type() {
                DataType::Int64 => column.write_integers(rows.as_primitive::<Int64Type>(), zstd),
                _ => {
                    let times = rows.as_primitive::<TimestampMicrosecondType>();
                    column.write_integers(times, zstd)
                }
            },
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
            Column::Words(column) => Chunk::Dictionary(Box::new(column.close(zstd)?)),
            Column::Int32(column) => Chunk::Dictionary(Box::new(column.close(zstd)?)),
            Column::Int64(column) => Chunk::Dictionary(Box::new(column.close(zstd)?)),
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
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_row_group_ends_with_the_batch_that_gives_it_enough_bytes() {
        let batch = |rows: usize, length: usize| {
            let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(length); rows]));
            RecordBatch::try_from_iter([("text", texts)]).expect("one column")
        };
        let form = Form::new(batch(0, 0).schema(), WriterProperties::default());
        let mut groups = RowGroups::new(Arc::new(form.expect("a form")), 100);
        groups.most_bytes = 20_000;
        let mut ended = Vec::new();
        for (rows, length) in [(10, 1), (10, 3_000), (5, 1), (110, 1), (3, 9_000), (2, 1)] {
            let some = groups.write(&batch(rows, length)).expect("encoded");
            ended.extend(some.iter().map(EncodedGroup::rows));
        }
        ended.extend(groups.end().expect("encoded").map(|group| group.rows()));
        assert_eq!(ended, [20, 100, 18, 2]);
    }
}
