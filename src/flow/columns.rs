//! The `flows` table: raw rows as logged, in Arrow.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, Int32Builder, Int64Builder, MapBuilder, MapFieldNames,
    PrimitiveBuilder, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    DataType, Field as ArrowField, Fields as ArrowFields, Schema, SchemaRef, TimeUnit,
};

use super::Field;
use super::field::Kind;
use super::record::Texts;
use super::words::Words;

/// What a column of the table holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Field(Field),
    Extra,
    Object,
    Line,
}

const NUM_COLUMNS: usize = Field::COUNT + 3;

/// The schema of the `flows` table: one column for each field, named with `_` for `-`, then `extra` (fields that AWS
/// does not document, text by name, also with `_`; null if there is none), `source` (path or URL) and `line` (see [`Record::line`](super::Record::line)).
///
/// `start` and `end` are timestamps. A missing value is null.
pub fn flows_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        Arc::new(Schema::new(
            (0..NUM_COLUMNS)
                .map(|column| arrow_field(source_of(column)))
                .collect::<ArrowFields>(),
        ))
    });
    Arc::clone(&SCHEMA)
}

fn source_of(column: usize) -> Source {
    match column - column.min(Field::COUNT) {
        _ if column < Field::COUNT => Source::Field(Field::ALL[column]),
        0 => Source::Extra,
        1 => Source::Object,
        2 => Source::Line,
        _ => panic!("the table has {NUM_COLUMNS} columns"),
    }
}

/// [`flows_schema`] with dictionaries of text for text.
pub fn words_schema() -> SchemaRef {
    let plain = flows_schema();
    let words = plain.fields().iter().map(|field| {
        if *field.data_type() == DataType::Utf8 {
            field.as_ref().clone().with_data_type(Words::data_type())
        } else {
            field.as_ref().clone()
        }
    });
    Arc::new(Schema::new(words.collect::<ArrowFields>()))
}

fn arrow_field(source: Source) -> ArrowField {
    let Source::Field(field) = source else {
        return match source {
            Source::Extra => ArrowField::new("extra", text_map(), true),
            Source::Object => ArrowField::new("source", DataType::Utf8, false),
            _ => ArrowField::new("line", DataType::Int64, false),
        };
    };
    let kind = match field.kind() {
        Kind::Text => DataType::Utf8,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    };
    ArrowField::new(field.column(), kind, true)
}

const UTC: &str = "UTC";

/// Names that Parquet's specification gives to the parts of a map.
fn map_names() -> MapFieldNames {
    MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    }
}

fn text_map() -> DataType {
    let names = map_names();
    let entry = ArrowFields::from(vec![
        ArrowField::new(names.key, DataType::Utf8, false),
        ArrowField::new(names.value, DataType::Utf8, true),
    ]);
    DataType::Map(
        Arc::new(ArrowField::new(names.entry, DataType::Struct(entry), false)),
        false,
    )
}

/// A column of text being built.
enum TextColumn {
    Plain(StringBuilder),
    Words(Words),
}

/// A row on its way into a [`FlowsBuilder`], as [`FlowsBuilder::push`] takes it.
pub struct FlowRow<'a, T> {
    /// Start and end in seconds, 0 where absent.
    pub times: (u32, u32),
    /// The text of its fields.
    pub texts: T,
    /// The object.
    pub source: &'a str,
    /// The row in it.
    pub line: u64,
}

/// Collects rows into batches of the `flows` table, or of some of its columns.
pub struct FlowsBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

/// A column being built.
struct Column {
    values: Values,
    /// Rows at the end that have no value. Most fields of most layouts are absent throughout.
    nulls: usize,
}

enum Values {
    Text(Field, TextColumn),
    Int32(Field, Int32Builder),
    Int64(Field, Int64Builder),
    Time(Field, TimestampMicrosecondBuilder),
    Extra(Box<MapBuilder<StringBuilder, StringBuilder>>),
    Object(TextColumn),
    Line(Int64Builder),
}

impl FlowsBuilder {
    /// A builder of these columns of [`flows_schema`], in this order; none is all of them.
    ///
    /// # Panics
    /// When an index is no column's.
    pub fn new(projection: Option<&[usize]>) -> FlowsBuilder {
        let all: Vec<usize> = (0..NUM_COLUMNS).collect();
        let sources: Vec<Source> = projection
            .unwrap_or(&all)
            .iter()
            .map(|column| source_of(*column))
            .collect();
        let fields: ArrowFields = sources.iter().map(|source| arrow_field(*source)).collect();
        FlowsBuilder::of(Arc::new(Schema::new(fields)), sources)
    }

    /// A builder of these columns of [`words_schema`], in this order.
    ///
    /// # Panics
    /// When an index is no column's.
    pub fn of_words(columns: &[usize]) -> FlowsBuilder {
        let all = words_schema();
        let fields = columns.iter().map(|column| all.fields()[*column].clone());
        let schema = Arc::new(Schema::new(fields.collect::<ArrowFields>()));
        let sources = columns.iter().map(|column| source_of(*column));
        FlowsBuilder::of(schema, sources.collect())
    }

    fn of(schema: SchemaRef, sources: Vec<Source>) -> FlowsBuilder {
        let kinds = schema.fields().iter().map(|field| field.data_type());
        let columns = sources.into_iter().zip(kinds);
        FlowsBuilder {
            columns: columns
                .map(|(source, kind)| Column::new(source, kind))
                .collect(),
            schema,
            rows: 0,
        }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows since the last batch.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows since the last batch.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row, be it a record or a NODATA or SKIPDATA line. `times` are its start and end in seconds, 0 where
    /// absent; `source` names the object, `line` the row in it.
    pub fn push(&mut self, times: (u32, u32), texts: &impl Texts, source: &str, line: u64) {
        for column in &mut self.columns {
            column.push(times, texts, source, line);
        }
        self.rows += 1;
    }

    /// Appends rows, column by column: what a column knows of its values stays at hand.
    pub fn push_all<T: Texts>(&mut self, rows: &[FlowRow<'_, T>]) {
        for column in &mut self.columns {
            for row in rows {
                column.push(row.times, &row.texts, row.source, row.line);
            }
        }
        self.rows += rows.len();
    }

    /// Ends the batch and begins the next.
    pub fn finish(&mut self) -> RecordBatch {
        // Told, because a batch may have no columns.
        let rows = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new_with_options(self.schema(), arrays, &rows)
            .expect("builders make the types of the schema, and as many rows each")
    }
}

impl Column {
    fn new(source: Source, kind: &DataType) -> Column {
        let values = match source {
            Source::Field(field) => match field.kind() {
                Kind::Text => Values::Text(field, TextColumn::new(kind)),
                Kind::Int32 => Values::Int32(field, Int32Builder::new()),
                Kind::Int64 => Values::Int64(field, Int64Builder::new()),
                Kind::Time => {
                    Values::Time(field, TimestampMicrosecondBuilder::new().with_timezone(UTC))
                }
            },
            Source::Extra => {
                let (keys, values) = (StringBuilder::new(), StringBuilder::new());
                Values::Extra(Box::new(MapBuilder::new(Some(map_names()), keys, values)))
            }
            Source::Object => Values::Object(TextColumn::new(kind)),
            Source::Line => Values::Line(Int64Builder::new()),
        };
        Column { values, nulls: 0 }
    }

    fn push(&mut self, times: (u32, u32), texts: &impl Texts, source: &str, line: u64) {
        let nulls = &mut self.nulls;
        match &mut self.values {
            Values::Text(field, column) => match texts.readable(*field) {
                Some(text) => {
                    column.push_nulls(std::mem::take(nulls));
                    column.push(&text);
                }
                None => *nulls += 1,
            },
            Values::Int32(field, column) => {
                let value = texts
                    .integer(*field)
                    .and_then(|number| number.try_into().ok());
                push_number(column, nulls, value);
            }
            Values::Int64(field, column) => push_number(column, nulls, texts.integer(*field)),
            Values::Time(field, column) => {
                let (start, end) = times;
                let seconds = if *field == Field::Start { start } else { end };
                let value = (seconds != 0).then(|| i64::from(seconds) * 1_000_000);
                push_number(column, nulls, value);
            }
            Values::Extra(column) => {
                let mut any = false;
                texts.extra(&mut |name, text| {
                    any = true;
                    column.keys().append_value(name.replace('-', "_"));
                    column.values().append_value(String::from_utf8_lossy(text));
                });
                column
                    .append(any)
                    .expect("keys and values are appended together");
            }
            Values::Object(column) => column.push(source),
            Values::Line(column) => column.append_value(line as i64),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let nulls = std::mem::take(&mut self.nulls);
        match &mut self.values {
            Values::Text(_, column) => {
                column.push_nulls(nulls);
                column.finish()
            }
            Values::Int32(_, column) => finish_numbers(column, nulls),
            Values::Int64(_, column) | Values::Line(column) => finish_numbers(column, nulls),
            Values::Time(_, column) => finish_numbers(column, nulls),
            Values::Extra(column) => Arc::new(column.finish()),
            Values::Object(column) => column.finish(),
        }
    }
}

impl TextColumn {
    fn new(kind: &DataType) -> TextColumn {
        if *kind == DataType::Utf8 {
            TextColumn::Plain(StringBuilder::new())
        } else {
            TextColumn::Words(Words::default())
        }
    }

    fn push(&mut self, text: &str) {
        match self {
            TextColumn::Plain(column) => column.append_value(text),
            TextColumn::Words(column) => column.push(Some(text)),
        }
    }

    fn push_nulls(&mut self, count: usize) {
        match self {
            TextColumn::Plain(column) => column.append_nulls(count),
            TextColumn::Words(column) => column.push_nulls(count),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            TextColumn::Plain(column) => Arc::new(column.finish()),
            TextColumn::Words(column) => column.finish(),
        }
    }
}

fn push_number<T: ArrowPrimitiveType>(
    column: &mut PrimitiveBuilder<T>,
    nulls: &mut usize,
    value: Option<T::Native>,
) {
    match value {
        Some(value) => {
            column.append_nulls(std::mem::take(nulls));
            column.append_value(value);
        }
        None => *nulls += 1,
    }
}

fn finish_numbers<T: ArrowPrimitiveType>(
    column: &mut PrimitiveBuilder<T>,
    nulls: usize,
) -> ArrayRef {
    column.append_nulls(nulls);
    Arc::new(column.finish())
}
