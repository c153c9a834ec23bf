//! Parquet objects become rows: columns by name, each as AWS types it or as copies made by other tools have it.
//!
//! | what stands there | what it means |
//! |---|---|
//! | `srcaddr`, `account-id`, `Start` | the field, whatever the spelling |
//! | null, and in text `-`, `None` or nothing | missing |
//! | INT32, INT64, unsigned, whole floats, decimal text | a whole number |
//! | a timestamp | a time, its fraction lost |
//!
//! Everything that a footer says is checked against the object before it is used. The parquet crate is still not proof
//! against every lie, so its calls are fenced off in [`fenced`].

use std::cell::OnceCell;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};

use super::cell::{Bad, Cell, READABLE, word};
use super::decode::{DecodeError, DecodeOptions, Decoded, Input, Ranges};
use super::inflate::bound;
use super::record::{Fields, RecordSink};
use super::row::{Cells, Status, assemble, complaint, excerpt, is_checked, short_word};
use super::text::Times;
use super::{Column, Field, Layout, Tally};
use crate::net::Addr;
use crate::net::aws::Service;

/// What a Parquet object begins and ends with.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// Length and magic at the end of a Parquet object.
const TAIL: usize = 8;

/// The longest footer that is read; AWS's are some tens of KB.
const MAX_FOOTER: usize = 64 << 20;

/// Rows that are decoded at once.
const BATCH: usize = 8192;

/// Two ranges with less than this between them are asked for as one.
const GAP: u64 = 256 << 10;

/// Decodes a Parquet object, of which only the columns that the sink wants are read.
///
/// # Errors
/// When the object is broken, is none of a flow log, or cannot be read.
pub(crate) fn decode_parquet<S: RecordSink>(
    input: Input<'_>,
    options: &DecodeOptions,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    let metadata = Arc::new(footer(&input)?);
    check_footer(&metadata, &input, options)?;
    let plan = Plan::new(&metadata, sink)?;
    let reader_metadata = fenced(|| {
        let reader_options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::try_new(Arc::clone(&metadata), reader_options)
    })?;
    // Pages are checked only when they are read.
    sink.unverified();
    let mut decoded = Decoded {
        layout: plan.layout.to_string(),
        ..Decoded::default()
    };
    let mut times = Times::default();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let chunks = plan.fetch(group, &input, options)?;
        let reader = plan.reader(chunks, &reader_metadata, index)?;
        let before = decoded.tally.lines;
        decode_group(reader, &plan, &mut decoded.tally, &mut times, sink)?;
        let (rows, announced) = (decoded.tally.lines - before, group.num_rows().max(0) as u64);
        if rows != announced {
            return Err(broken(format!(
                "row group {index} announces {announced} rows and holds {rows}"
            )));
        }
        decoded.bytes += group.total_byte_size().max(0) as u64;
    }
    decoded.times = times.range();
    Ok(decoded)
}

fn decode_group<S: RecordSink>(
    mut reader: ParquetRecordBatchReader,
    plan: &Plan,
    tally: &mut Tally,
    times: &mut Times,
    sink: &mut S,
) -> Result<(), DecodeError> {
    while let Some(batch) = fenced(|| reader.next().transpose().map_err(ParquetError::from))? {
        let rows = Rows::new(&batch, plan)?;
        for row in 0..batch.num_rows() {
            tally.lines += 1;
            let row = Row { rows: &rows, row };
            match assemble(&row, tally.lines) {
                Ok((record, Status::Ok)) => {
                    tally.records += 1;
                    times.add(&record);
                    sink.record(&record, &row);
                }
                Ok((record, status)) => {
                    let skip = status == Status::SkipData;
                    *(if skip {
                        &mut tally.skip_data
                    } else {
                        &mut tally.no_data
                    }) += 1;
                    sink.status(&record, skip, &row);
                }
                Err(field) => {
                    tally.malformed += 1;
                    sink.malformed(
                        tally.lines,
                        &complaint(field, &row.shown(field)),
                        &row.line(),
                    );
                }
            }
        }
    }
    Ok(())
}

fn broken(what: impl std::fmt::Display) -> DecodeError {
    DecodeError::Parquet(format!(
        "broken Parquet object: {}",
        excerpt(what.to_string().as_bytes())
    ))
}

/// Calls into the parquet crate. It asserts and unwraps where a hostile footer or page disagrees with itself, and such
/// an object must not take the run with it: a panic is an error of the object. All that the calls work on is dropped
/// with the error, so nothing half changed is seen again.
fn fenced<T, E: std::fmt::Display>(call: impl FnOnce() -> Result<T, E>) -> Result<T, DecodeError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(broken),
        Err(_) => Err(broken("its parts contradict each other")),
    }
}

/// Reads and decodes the footer.
fn footer(input: &Input<'_>) -> Result<ParquetMetaData, DecodeError> {
    let size = input.size();
    if size < (MAGIC.len() + TAIL) as u64 {
        return Err(broken("it is too short"));
    }
    let tail = input.read(size - TAIL as u64, TAIL)?;
    let tail: [u8; TAIL] = tail[..]
        .try_into()
        .map_err(|_| broken("it ends too early"))?;
    let tail = FooterTail::try_new(&tail).map_err(|_| broken("it does not end as one"))?;
    let length = tail.metadata_length();
    if tail.is_encrypted_footer() {
        return Err(broken("its footer is encrypted"));
    }
    if length > MAX_FOOTER || length as u64 > size - (MAGIC.len() + TAIL) as u64 {
        return Err(broken(format!("its footer claims to have {length} bytes")));
    }
    let bytes = input.read(size - (TAIL + length) as u64, length)?;
    fenced(|| ParquetMetaDataReader::decode_metadata(&bytes))
}

/// Compares what the footer says with the object, so that nothing is allocated or asked for on its word.
fn check_footer(
    metadata: &ParquetMetaData,
    input: &Input<'_>,
    options: &DecodeOptions,
) -> Result<(), DecodeError> {
    let size = input.size();
    let most = bound(options, size);
    let num_columns = metadata.file_metadata().schema_descr().num_columns();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for group in metadata.row_groups() {
        let Ok(group_rows) = u64::try_from(group.num_rows()) else {
            return Err(broken("a negative number of rows"));
        };
        rows = rows.saturating_add(group_rows);
        if group.columns().len() != num_columns {
            return Err(broken("a row group without some of the columns"));
        }
        for column in group.columns() {
            let start = column
                .dictionary_page_offset()
                .unwrap_or_else(|| column.data_page_offset());
            let sizes = [
                start,
                column.data_page_offset(),
                column.compressed_size(),
                column.uncompressed_size(),
                column.num_values(),
            ];
            let [start, data, length, unpacked, values] =
                sizes.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
            // A nested column, which is not read, may hold many values in a row.
            let flat = column.column_descr().max_rep_level() == 0;
            if data < start
                || start.saturating_add(length) > size
                || data > size
                || flat && values > group_rows
            {
                return Err(broken(format!(
                    "column `{}` lies outside of it",
                    column.column_path().string()
                )));
            }
            bytes = bytes.saturating_add(unpacked);
        }
    }
    // A row of all the fields takes more than a byte, however well it packs, so rows are bounded as bytes are.
    if rows > most || bytes > most {
        return Err(DecodeError::Bomb { limit: most });
    }
    Ok(())
}

impl Input<'_> {
    fn size(&self) -> u64 {
        match self {
            Input::Bytes(bytes) => bytes.len() as u64,
            Input::Ranges(ranges) => ranges.size(),
        }
    }

    /// Reads bytes that are known to lie within the object.
    fn read(&self, start: u64, length: usize) -> Result<Bytes, DecodeError> {
        match self {
            Input::Bytes(bytes) => Ok(bytes.slice(start as usize..start as usize + length)),
            Input::Ranges(ranges) => read_exactly(*ranges, start, length),
        }
    }
}

fn read_exactly(ranges: &dyn Ranges, start: u64, length: usize) -> Result<Bytes, DecodeError> {
    let bytes = ranges.read(start, length)?;
    if bytes.len() != length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Which columns are read, and what they are.
struct Plan {
    /// All columns of the object that are not nested.
    layout: Layout,
    /// The columns that are read: their index among the leaves, and what they are; by ascending index.
    columns: Vec<(usize, Column)>,
    mask: ProjectionMask,
}

impl Plan {
    fn new(metadata: &ParquetMetaData, sink: &impl RecordSink) -> Result<Plan, DecodeError> {
        let schema = metadata.file_metadata().schema_descr();
        let mut layout = Layout {
            columns: Vec::new(),
        };
        let mut columns = Vec::new();
        for (leaf, descriptor) in schema.columns().iter().enumerate() {
            let [name] = descriptor.path().parts() else {
                continue;
            };
            if descriptor.max_rep_level() > 0 {
                continue;
            }
            let column = match Column::from_name(&name.to_ascii_lowercase()) {
                known if layout.columns.contains(&known) => Column::Unknown(name.clone()),
                column => column,
            };
            let wanted = match &column {
                Column::Known(field) => always_read(*field) || sink.wants(*field),
                Column::Unknown(_) => sink.wants_extra(),
            };
            if wanted {
                columns.push((leaf, column.clone()));
            }
            layout.columns.push(column);
        }
        let telling = [
            Field::Srcaddr,
            Field::Dstaddr,
            Field::PktSrcaddr,
            Field::PktDstaddr,
            Field::InterfaceId,
            Field::LogStatus,
        ];
        if !telling.iter().any(|field| layout.has(*field)) {
            let names: Vec<&str> = layout.columns.iter().map(Column::name).collect();
            let names = excerpt(names.join(" ").as_bytes());
            return Err(DecodeError::Parquet(format!(
                "expected the columns of a flow log, got `{names}`"
            )));
        }
        let mask = ProjectionMask::leaves(schema, columns.iter().map(|(leaf, _)| *leaf));
        Ok(Plan {
            layout,
            columns,
            mask,
        })
    }

    /// Reads the column chunks of a row group that are wanted, neighbours in one go.
    fn fetch(
        &self,
        group: &RowGroupMetaData,
        input: &Input<'_>,
        options: &DecodeOptions,
    ) -> Result<Chunks, DecodeError> {
        let size = input.size();
        if let Input::Bytes(bytes) = input {
            return Ok(Chunks {
                size,
                parts: vec![(0, (*bytes).clone())],
            });
        }
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (leaf, _) in &self.columns {
            let (start, length) = group.column(*leaf).byte_range();
            ranges.push((start, start + length));
        }
        ranges.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in ranges {
            match joined.last_mut() {
                Some(last) if start <= last.1.saturating_add(GAP) => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        let total: u64 = joined.iter().map(|(start, end)| end - start).sum();
        if total > options.whole_limit {
            let limit = options.whole_limit;
            return Err(broken(format!(
                "a row group needs {total} bytes in memory, at most {limit} are allowed"
            )));
        }
        let read =
            |(start, end): (u64, u64)| Ok((start, input.read(start, (end - start) as usize)?));
        let parts = joined
            .into_iter()
            .map(read)
            .collect::<Result<_, DecodeError>>()?;
        Ok(Chunks { size, parts })
    }

    fn reader(
        &self,
        chunks: Chunks,
        metadata: &ArrowReaderMetadata,
        group: usize,
    ) -> Result<ParquetRecordBatchReader, DecodeError> {
        fenced(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, metadata.clone())
                .with_projection(self.mask.clone())
                .with_row_groups(vec![group])
                .with_batch_size(BATCH)
                .build()
        })
    }
}

/// Whether a record cannot do without this field, if it is there.
fn always_read(field: Field) -> bool {
    is_checked(field) || matches!(field, Field::PktSrcAwsService | Field::PktDstAwsService)
}

/// The parts of an object that have been fetched.
struct Chunks {
    size: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// What has been fetched from `start` on.
    fn from(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let part = self
            .parts
            .iter()
            .find(|(at, bytes)| *at <= start && start <= at + bytes.len() as u64);
        let Some((at, bytes)) = part else {
            return Err(ParquetError::EOF(format!("no column at byte {start}")));
        };
        Ok(bytes.slice((start - at) as usize..))
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Box::new(self.from(start)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "no {length} bytes at byte {start}"
            )));
        }
        Ok(bytes.slice(..length))
    }
}

/// A batch, its columns brought to two types.
struct Rows<'a> {
    columns: Vec<Values>,
    /// The place of each field among the columns.
    places: [Option<u8>; Field::COUNT],
    plan: &'a Plan,
}

/// The values of a column.
struct Values {
    original: ArrayRef,
    /// As whole numbers, if the column has numbers; [`NO_NUMBER`] where one is not whole or too large.
    numbers: Option<Int64Array>,
    /// As text; made of numbers only if asked for.
    text: OnceCell<BinaryArray>,
}

/// Stands for a number that cannot be represented. Negative, as no field's is.
const NO_NUMBER: i64 = i64::MIN;

impl<'a> Rows<'a> {
    fn new(batch: &RecordBatch, plan: &'a Plan) -> Result<Rows<'a>, DecodeError> {
        if batch.num_columns() != plan.columns.len() {
            return Err(broken("other columns than announced"));
        }
        let mut places = [None; Field::COUNT];
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (place, (array, (_, column))) in batch.columns().iter().zip(&plan.columns).enumerate() {
            if let Column::Known(field) = column {
                places[*field as usize] = u8::try_from(place).ok();
            }
            columns.push(Values::new(array, column)?);
        }
        Ok(Rows {
            columns,
            places,
            plan,
        })
    }
}

impl Values {
    fn new(array: &ArrayRef, column: &Column) -> Result<Values, DecodeError> {
        let wrong = || {
            let (name, found) = (column.name(), array.data_type());
            DecodeError::Parquet(format!(
                "expected a number or text in column `{name}`, got {found}"
            ))
        };
        let text = OnceCell::new();
        let numbers = match array.data_type() {
            DataType::Utf8 | DataType::Binary => None,
            _ => whole_numbers(array),
        };
        if numbers.is_none() {
            // Text as it is, and what else can be shown as text (booleans, dates, decimals).
            let as_text = match array.data_type() {
                DataType::Utf8 | DataType::Binary => cast(array, &DataType::Binary),
                _ => cast(array, &DataType::Utf8).and_then(|text| cast(&text, &DataType::Binary)),
            };
            let as_text = as_text.map_err(|_| wrong())?;
            text.set(as_text.as_binary::<i32>().clone())
                .expect("it is new");
        }
        Ok(Values {
            original: Arc::clone(array),
            numbers,
            text,
        })
    }

    /// The column as text, just as it is.
    fn texts(&self) -> &BinaryArray {
        self.text.get_or_init(|| {
            let numbers = self
                .numbers
                .as_ref()
                .expect("a column without text has numbers");
            let text =
                cast(numbers, &DataType::Utf8).and_then(|text| cast(&text, &DataType::Binary));
            text.expect("integers have a text")
                .as_binary::<i32>()
                .clone()
        })
    }

    /// A value as text; none where it is missing.
    fn text(&self, row: usize) -> Option<&[u8]> {
        let texts = self.texts();
        let text = texts.is_valid(row).then(|| texts.value(row))?;
        (!matches!(text, b"-" | b"None" | b"")).then_some(text)
    }
}

/// A column of numbers or timestamps (as seconds) as 64-bit integers; none if it is neither.
fn whole_numbers(array: &ArrayRef) -> Option<Int64Array> {
    let numbers = match array.data_type() {
        DataType::UInt64 => {
            let numbers = array.as_primitive::<UInt64Type>();
            numbers.unary(|number| i64::try_from(number).unwrap_or(NO_NUMBER))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let numbers = cast(array, &DataType::Float64).ok()?;
            // What cannot be told apart from null in the tools that write such columns is null.
            let numbers = numbers
                .as_primitive::<Float64Type>()
                .iter()
                .map(|number| number.filter(|n| !n.is_nan()));
            // The largest float below 2^63 is far below i64::MAX.
            let whole = |number: f64| {
                if number.fract() == 0.0 && number.abs() < 9.2e18 {
                    number as i64
                } else {
                    NO_NUMBER
                }
            };
            numbers.map(|number| number.map(whole)).collect()
        }
        DataType::Timestamp(_, _) => {
            let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, None)).ok()?;
            cast(&seconds, &DataType::Int64)
                .ok()?
                .as_primitive::<Int64Type>()
                .clone()
        }
        kind if kind.is_integer() => cast(array, &DataType::Int64)
            .ok()?
            .as_primitive::<Int64Type>()
            .clone(),
        _ => return None,
    };
    Some(numbers)
}

/// One row of a batch.
struct Row<'a> {
    rows: &'a Rows<'a>,
    row: usize,
}

impl Row<'_> {
    fn values(&self, field: Field) -> Option<&Values> {
        self.rows.places[field as usize].map(|place| &self.rows.columns[usize::from(place)])
    }

    /// A malformed value as it stands in the object.
    fn shown(&self, field: Field) -> Vec<u8> {
        self.values(field)
            .map(|values| self.show(values))
            .unwrap_or_default()
    }

    fn show(&self, values: &Values) -> Vec<u8> {
        if values.original.is_null(self.row) {
            return b"-".to_vec();
        }
        let whole = |numbers: &Int64Array| numbers.value(self.row) != NO_NUMBER;
        if values.numbers.as_ref().is_none_or(whole) {
            return values.texts().value(self.row).to_vec();
        }
        match cast(&values.original.slice(self.row, 1), &DataType::Utf8) {
            Ok(text) => text.as_string::<i32>().value(0).as_bytes().to_vec(),
            Err(_) => b"-".to_vec(),
        }
    }

    /// The row as a line of text, of the columns that were read.
    fn line(&self) -> Vec<u8> {
        let columns: Vec<_> = self
            .rows
            .columns
            .iter()
            .map(|values| self.show(values))
            .collect();
        columns.join(&b' ')
    }
}

impl Cells for Row<'_> {
    fn number(&self, field: Field) -> Result<Option<u64>, Bad> {
        let Some(values) = self.values(field) else {
            return Ok(None);
        };
        if let Some(numbers) = &values.numbers {
            if numbers.is_null(self.row) {
                return Ok(None);
            }
            return u64::try_from(numbers.value(self.row))
                .map(Some)
                .map_err(|_| Bad);
        }
        let Some(text) = values.text(self.row) else {
            return Ok(None);
        };
        Cell::padded(text, &mut [0; 2 * READABLE + 16]).map_or(Err(Bad), Cell::number)
    }

    fn digit(&self, field: Field) -> Result<u8, Bad> {
        u8::try_from(self.number(field)?.unwrap_or(0)).map_err(|_| Bad)
    }

    fn address(&self, field: Field) -> Result<Option<Addr>, Bad> {
        let Some(text) = self.values(field).and_then(|values| values.text(self.row)) else {
            return Ok(None);
        };
        Cell::padded(text, &mut [0; 2 * READABLE + 16]).map_or(Err(Bad), Cell::address)
    }

    fn same(&self, one: Field, other: Field) -> bool {
        match (self.values(one), self.values(other)) {
            (Some(one), Some(other)) => one.text(self.row) == other.text(self.row),
            _ => false,
        }
    }

    fn word(&self, field: Field) -> Option<u64> {
        const DASH: u64 = word("-");
        self.values(field)
            .map(|values| values.text(self.row).map_or(DASH, short_word))
    }

    fn service(&self, field: Field) -> Service {
        match self.values(field) {
            None => Service::Unknown,
            Some(values) => values
                .text(self.row)
                .map_or(Service::None, Service::from_text),
        }
    }
}

impl Fields for Row<'_> {
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.values(field)?.text(self.row)
    }

    fn num_fields(&self) -> u16 {
        self.rows.plan.layout.columns.len() as u16
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (values, (_, column)) in self.rows.columns.iter().zip(&self.rows.plan.columns) {
            if let (Column::Unknown(name), Some(text)) = (column, values.text(self.row)) {
                each(name, text);
            }
        }
    }
}
