//! A Parquet object as AWS writes it: columns named with underscores, gzip pages, `-` as text in text columns and null in
//! numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field as Column, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;

use super::row::Line;
use crate::flow::Field;
use crate::flow::field::Kind;

/// The rows of an object, column by column.
pub(super) struct ParquetObject {
    columns: Vec<(Field, Vec<String>)>,
}

impl ParquetObject {
    /// An object of these columns, without rows.
    pub(super) fn new(fields: &[Field]) -> ParquetObject {
        ParquetObject {
            columns: fields.iter().map(|&field| (field, Vec::new())).collect(),
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, line: &impl Line) {
        for (field, values) in &mut self.columns {
            let mut out = Vec::new();
            line.write(*field, &mut out);
            values.push(String::from_utf8(out).expect("fields are written as text"));
        }
    }

    /// The object's bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        let (columns, arrays): (Vec<Column>, Vec<ArrayRef>) = self
            .columns
            .iter()
            .map(|(field, values)| column(*field, values))
            .unzip();
        let schema = Arc::new(Schema::new(columns));
        let rows = RecordBatch::try_new(schema.clone(), arrays)
            .expect("columns have the schema's types and one length");
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))
            .expect("the schema has plain types only");
        writer
            .write(&rows)
            .expect("writing to memory does not fail");
        writer
            .into_inner()
            .expect("writing to memory does not fail")
    }
}

fn column(field: Field, values: &[String]) -> (Column, ArrayRef) {
    let name = field.column();
    match field.kind() {
        Kind::Text => (
            Column::new(name, DataType::Utf8, true),
            Arc::new(StringArray::from_iter_values(values)),
        ),
        Kind::Int32 => {
            let numbers: Int32Array = values
                .iter()
                .map(|value| value.parse::<i32>().ok())
                .collect();
            (Column::new(name, DataType::Int32, true), Arc::new(numbers))
        }
        Kind::Int64 | Kind::Time => {
            let numbers: Int64Array = values
                .iter()
                .map(|value| value.parse::<i64>().ok())
                .collect();
            (Column::new(name, DataType::Int64, true), Arc::new(numbers))
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::fleet::{Fleet, Scale};
    use super::super::row::{Row, Status};
    use super::*;

    #[test]
    fn a_missing_number_is_null_and_a_missing_text_is_a_dash() {
        let fleet = Fleet::new(Scale {
            etl: 1,
            vector_service: 1,
            worker: 1,
            vector_db: 1,
            warehouse: 1,
        });
        let mut object = ParquetObject::new(&[Field::Srcaddr, Field::Srcport, Field::End]);
        object.add(&Row::status(&fleet.interfaces[0], Status::NoData, 60, 119));
        let bytes = bytes::Bytes::from(object.finish());
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .expect("a Parquet file")
            .build()
            .expect("a reader");
        let rows = reader.next().expect("a batch").expect("rows");
        assert_eq!(rows.column(0).as_string::<i32>().value(0), "-");
        assert!(rows.column(1).is_null(0));
        assert_eq!(
            rows.column(2)
                .as_primitive::<arrow::datatypes::Int64Type>()
                .value(0),
            119
        );
    }
}
