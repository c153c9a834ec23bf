//! The formats of answers.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::plot::Plot;
use super::table::Table;
use crate::cli::say::PIPE_WIDTH;
use crate::policy::words;

words! {
    /// The format of an answer.
    AnswerFormat {
        /// A table for people.
        Table = "table",
        /// Values with commas, under a line of names.
        Csv = "csv",
        /// The same with tabs.
        Tsv = "tsv",
        /// One JSON array of objects.
        Json = "json",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// A Parquet file.
        Parquet = "parquet",
        /// An Arrow IPC file.
        Arrow = "arrow",
        /// Numbers drawn as bars, or over time as lines, for people.
        Plot = "plot",
    }
}

/// How tables look.
pub(super) struct Look {
    /// Columns of the terminal; none where answers go elsewhere.
    pub width: Option<usize>,
    /// Rows that are shown.
    pub most: usize,
}

/// Why an answer could not be written.
pub(super) enum WriteError {
    Io(io::Error),
    Arrow(ArrowError),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> WriteError {
        WriteError::Io(error)
    }
}

impl From<ArrowError> for WriteError {
    fn from(error: ArrowError) -> WriteError {
        match error {
            ArrowError::IoError(_, error) => WriteError::Io(error),
            // Its writer of CSV makes a text of what went wrong.
            ArrowError::CsvError(text) if text.contains("Broken pipe") => {
                WriteError::Io(io::ErrorKind::BrokenPipe.into())
            }
            ArrowError::CsvError(text) => WriteError::Io(io::Error::other(text)),
            other => WriteError::Arrow(other),
        }
    }
}

impl From<ParquetError> for WriteError {
    fn from(error: ParquetError) -> WriteError {
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => WriteError::Io(*error),
                Err(error) => WriteError::Arrow(ArrowError::ExternalError(error)),
            },
            other => WriteError::Arrow(other.into()),
        }
    }
}

type Out<'o> = &'o mut (dyn Write + Send);
type JsonWriter<'o, F> = arrow::json::Writer<Out<'o>, F>;

/// Writes an answer.
pub(super) enum Writer<'o> {
    Table(Box<Table>, Out<'o>),
    Csv(Box<csv::Writer<Out<'o>>>),
    Json(Box<JsonWriter<'o, JsonArray>>),
    Ndjson(Box<JsonWriter<'o, LineDelimited>>),
    Parquet(Box<ArrowWriter<Out<'o>>>),
    Arrow(Box<FileWriter<Out<'o>>>),
    Plot(Plot, Out<'o>),
}

impl AnswerFormat {
    /// Whether a file of it holds the rows of one statement.
    pub fn is_of_one(self) -> bool {
        matches!(self, AnswerFormat::Parquet | AnswerFormat::Arrow)
    }
}

impl<'o> Writer<'o> {
    /// Begins an answer with these columns.
    pub fn begin(
        format: AnswerFormat,
        schema: &SchemaRef,
        out: Out<'o>,
        look: &Look,
    ) -> Result<Writer<'o>, WriteError> {
        let separated = |out, delimiter| {
            let builder = csv::WriterBuilder::new().with_delimiter(delimiter);
            Box::new(builder.with_header(true).build(out))
        };
        let json = WriterBuilder::new().with_explicit_nulls(true);
        Ok(match format {
            AnswerFormat::Table => {
                Writer::Table(Box::new(Table::new(schema, look.width, look.most)), out)
            }
            AnswerFormat::Csv => Writer::Csv(Writer::header(separated(out, b','), schema)?),
            AnswerFormat::Tsv => Writer::Csv(Writer::header(separated(out, b'\t'), schema)?),
            AnswerFormat::Json => Writer::Json(Box::new(json.build(out))),
            AnswerFormat::Ndjson => Writer::Ndjson(Box::new(json.build(out))),
            AnswerFormat::Parquet => {
                Writer::Parquet(Box::new(ArrowWriter::try_new(out, schema.clone(), None)?))
            }
            AnswerFormat::Arrow => Writer::Arrow(Box::new(FileWriter::try_new(out, schema)?)),
            AnswerFormat::Plot => {
                Writer::Plot(Plot::new(schema, look.width.unwrap_or(PIPE_WIDTH)), out)
            }
        })
    }

    /// Names of columns are written even where there are no rows.
    fn header(
        mut writer: Box<csv::Writer<Out<'o>>>,
        schema: &SchemaRef,
    ) -> Result<Box<csv::Writer<Out<'o>>>, WriteError> {
        writer.write(&flat(&RecordBatch::new_empty(schema.clone()))?)?;
        Ok(writer)
    }

    /// Writes some rows.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), WriteError> {
        match self {
            Writer::Table(table, _) => table.add(rows)?,
            Writer::Csv(writer) => writer.write(&flat(rows)?)?,
            Writer::Json(writer) => writer.write(&distinct(rows)?)?,
            Writer::Ndjson(writer) => writer.write(&distinct(rows)?)?,
            Writer::Parquet(writer) => writer.write(rows)?,
            Writer::Arrow(writer) => writer.write(rows)?,
            Writer::Plot(plot, _) => plot.add(rows),
        }
        Ok(())
    }

    /// Ends the answer.
    pub fn finish(self) -> Result<(), WriteError> {
        match self {
            Writer::Table(table, out) => out.write_all(table.render().as_bytes())?,
            Writer::Csv(_) => {}
            Writer::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().write_all(b"\n")?;
            }
            Writer::Ndjson(mut writer) => writer.finish()?,
            Writer::Parquet(writer) => drop(writer.close()?),
            Writer::Arrow(mut writer) => writer.finish()?,
            Writer::Plot(plot, out) => out.write_all(plot.render()?.as_bytes())?,
        }
        Ok(())
    }
}

/// The same rows with names that differ, which an object's members must: a second `a` is `a_2`.
fn distinct(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let mut fields: Vec<Field> = Vec::new();
    for field in schema.fields() {
        let is_taken = |name: &str| {
            let others = schema.fields().iter().any(|other| other.name() == name);
            fields.iter().any(|known| known.name() == name) || (others && name != field.name())
        };
        let mut name = field.name().clone();
        for number in 2.. {
            if !is_taken(&name) {
                break;
            }
            name = format!("{}_{number}", field.name());
        }
        fields.push(field.as_ref().clone().with_name(name));
    }
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        rows.columns().to_vec(),
        &count,
    )
}

/// The same rows with lists, maps and structs as JSON text, which CSV has no form for.
fn flat(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        if field.data_type().is_nested() {
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(as_json(column)?);
        } else {
            fields.push(field.as_ref().clone());
            columns.push(column.clone());
        }
    }
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &count)
}

fn as_json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let rows = RecordBatch::try_from_iter_with_nullable([("", column.clone(), true)])?;
    let mut lines = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    lines.write(&rows)?;
    lines.finish()?;
    let text = String::from_utf8(lines.into_inner())
        .map_err(|error| ArrowError::ExternalError(error.into()))?;
    // Each line is an object of one nameless value.
    let value = |line: &str| {
        line.strip_prefix("{\"\":")
            .and_then(|line| line.strip_suffix('}'))
            .map(str::to_owned)
    };
    let values = text
        .lines()
        .enumerate()
        .map(|(row, line)| value(line).filter(|_| column.is_valid(row)));
    Ok(Arc::new(values.collect::<StringArray>()))
}
