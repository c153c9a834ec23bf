//! One Parquet file: row groups that were encoded elsewhere, one after the other.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescPtr;

use super::row_group::{Column, EncodedGroup, num_leaves};

/// What all files of a table have in common.
pub(super) struct Form {
    /// The columns of batches.
    pub schema: SchemaRef,
    /// The columns of files.
    pub columns: SchemaDescPtr,
    /// How they are encoded.
    pub properties: WriterPropertiesPtr,
    /// Makes Parquet's own writers of the columns of a row group that we do not encode ourselves.
    pub writers: ArrowRowGroupWriterFactory,
}

impl Form {
    /// The form of files with these columns.
    ///
    /// # Errors
    /// When Parquet has none.
    pub fn new(schema: SchemaRef, properties: WriterProperties) -> Result<Form, ParquetError> {
        let columns = Arc::new(ArrowSchemaConverter::new().convert(&schema)?);
        let properties = Arc::new(properties);
        let mut leaf = 0;
        let others = schema.fields().iter().filter(|field| {
            let first = columns.column(leaf);
            leaf += num_leaves(field.data_type());
            Column::own(field, first, &properties).is_none()
        });
        let others = Arc::new(Schema::new(others.cloned().collect::<Vec<_>>()));
        // Writers are made in the name of a file, whichever.
        let file = SerializedFileWriter::new(
            std::io::sink(),
            ArrowSchemaConverter::new()
                .convert(&others)?
                .root_schema_ptr(),
            properties.clone(),
        )?;
        Ok(Form {
            writers: ArrowRowGroupWriterFactory::new(&file, others),
            schema,
            columns,
            properties,
        })
    }
}

/// A file that is being written.
pub(super) struct Encoder {
    file: SerializedFileWriter<File>,
    groups: usize,
}

impl Encoder {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(file: File, form: &Form) -> Result<Encoder, ParquetError> {
        let schema = form.columns.root_schema_ptr();
        Ok(Encoder {
            file: SerializedFileWriter::new(file, schema, form.properties.clone())?,
            groups: 0,
        })
    }

    /// How many row groups it has.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Writes a row group.
    ///
    /// # Errors
    /// When the file cannot take it.
    pub fn append(&mut self, group: EncodedGroup) -> Result<(), ParquetError> {
        let mut row_group = self.file.next_row_group()?;
        group.append_to(&mut row_group)?;
        row_group.close()?;
        self.groups += 1;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(self) -> Result<(), ParquetError> {
        self.file.close().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    };
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Field, Schema};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::sink::row_group::RowGroup;

    /// Five columns, one of them nested, so that columns and leaves are different numbers.
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

    /// A file of row groups, each of these batches.
    fn write(groups: &[&[RecordBatch]], path: &std::path::Path) {
        let file = File::create(path).expect("created");
        let properties = WriterProperties::builder().build();
        let form = Form::new(batch(0..0).schema(), properties).expect("a form");
        let mut encoder = Encoder::new(file, &form).expect("begun");
        for batches in groups {
            let mut group = RowGroup::new(&form).expect("begun");
            for batch in *batches {
                group.write(batch).expect("taken");
            }
            encoder
                .append(group.end().expect("encoded"))
                .expect("written");
        }
        encoder.close().expect("written");
    }

    #[test]
    fn a_file_has_the_rows_in_order_group_by_group() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("file");
        let all = batch(0..9_000);
        let batches: Vec<RecordBatch> = (0..9)
            .map(|place| all.slice(place * 1_000, 1_000))
            .collect();
        write(&[&batches[..4], &batches[4..8], &batches[8..]], &path);
        let file = File::open(&path).expect("opened");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file");
        let groups = reader.metadata().row_groups().iter();
        let rows: Vec<i64> = groups.map(|group| group.num_rows()).collect();
        assert_eq!(rows, [4_000, 4_000, 1_000]);
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
        write(&[], &path);
        let file = File::open(&path).expect("opened");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file");
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
