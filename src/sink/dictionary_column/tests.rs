//! Columns against those of Parquet's own writer.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::ZstdLevel;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::flow::Words;
use crate::sink::encoder::{Encoder, Form};
use crate::sink::row_group::RowGroup;

const BATCH: usize = 5_000;

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(ZSTD_LEVEL).expect("a level"),
        ))
        .set_column_bloom_filter_fpp("text".into(), 0.01)
        .build()
}

/// What Parquet's reader finds in a file: its rows and what it says of them.
fn read(file: Bytes) -> (Vec<Option<String>>, Arc<ParquetMetaData>) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .expect("a Parquet file");
    let metadata = builder.metadata().clone();
    let mut rows = Vec::new();
    for batch in builder.build().expect("read") {
        let batch = batch.expect("read");
        let texts = batch.column(0).as_string::<i32>();
        rows.extend(texts.iter().map(|text| text.map(str::to_owned)));
    }
    (rows, metadata)
}

fn encode(rows: &[Option<String>], nullable: bool) -> Bytes {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let schema = Arc::new(Schema::new(vec![Field::new(
        "text",
        Words::data_type(),
        nullable,
    )]));
    let form = Form::new(schema.clone(), properties()).expect("a form");
    let mut group = RowGroup::new(&form).expect("begun");
    let mut words = Words::default();
    for batch in rows.chunks(BATCH) {
        for row in batch {
            words.push(row.as_deref());
        }
        let batch = RecordBatch::try_new(schema.clone(), vec![words.finish()]);
        group.write(&batch.expect("one column")).expect("taken");
    }
    let mut encoder = Encoder::new(file.reopen().expect("opened"), &form).expect("begun");
    encoder
        .append(group.end().expect("encoded"))
        .expect("written");
    encoder.close().expect("written");
    std::fs::read(file.path()).expect("read").into()
}

/// The same rows by Parquet's own writer.
fn twin(rows: &[Option<String>], nullable: bool) -> Bytes {
    let field = Field::new("text", DataType::Utf8, nullable);
    let texts: ArrayRef = Arc::new(StringArray::from_iter(rows));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![texts]);
    let batch = batch.expect("one column");
    let mut file = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut file, batch.schema(), Some(properties())).expect("begun");
    writer.write(&batch).expect("written");
    writer.close().expect("written");
    file.into()
}

#[test]
fn words_are_read_back_and_described_as_parquets_own_writer_would() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    // Different texts, the longest run of one of them, and one null in so many rows; 0 is none.
    let cases = [
        (1, 40, 0),
        (1, 40, 3),
        (2, 3, 0),
        (5, 20, 9),
        (300, 12, 40),
        (70_000, 2, 0),
        (9, 30_000, 5),
        (1, 1, 1),
    ];
    for (distinct, longest, null_in) in cases {
        let mut rows = Vec::new();
        while rows.len() < PAGE_ROWS * 2 + 777 {
            let text = format!("text {}", random.random_range(0..distinct));
            for _ in 0..random.random_range(1..=longest) {
                let is_null = null_in > 0 && random.random_range(0..null_in) == 0;
                rows.push((!is_null).then(|| text.clone()));
            }
        }
        let case = format!("{distinct} texts, runs of {longest}, a null in {null_in}");
        let file = encode(&rows, null_in > 0);
        let (found, about) = read(file.clone());
        assert!(found == rows, "{case}");
        let (_, expected) = read(twin(&rows, null_in > 0));
        let (ours, theirs) = (
            about.row_group(0).column(0),
            expected.row_group(0).column(0),
        );
        assert_eq!(ours.statistics(), theirs.statistics(), "{case}");
        assert_eq!(ours.num_values(), theirs.num_values(), "{case}");
        assert!(
            ours.compressed_size() <= theirs.compressed_size() * 5 / 4 + 256,
            "{case}: {} bytes, and Parquet's own {}",
            ours.compressed_size(),
            theirs.compressed_size()
        );
        check_pages(&about, &rows, &case);
        let filters = ReaderProperties::builder()
            .set_read_bloom_filter(true)
            .build();
        let options = ReadOptionsBuilder::new()
            .with_reader_properties(filters)
            .build();
        let reader = SerializedFileReader::new_with_options(file, options).expect("a Parquet file");
        let group = reader.get_row_group(0).expect("it has rows");
        let filter = group.get_column_bloom_filter(0).expect("a filter");
        assert!(
            rows.iter()
                .flatten()
                .all(|text| filter.check(text.as_str()))
        );
    }
}

/// Pages end every so many rows, and the index tells the least and the greatest text of each.
fn check_pages(about: &ParquetMetaData, rows: &[Option<String>], case: &str) {
    let offsets = &about.offset_index().expect("an index")[0][0];
    let firsts: Vec<i64> = offsets
        .page_locations()
        .iter()
        .map(|page| page.first_row_index)
        .collect();
    let pages: Vec<&[Option<String>]> = rows.chunks(PAGE_ROWS).collect();
    let expected = (0..pages.len()).map(|page| (page * PAGE_ROWS) as i64);
    assert_eq!(firsts, expected.collect::<Vec<_>>(), "{case}");
    let ColumnIndexMetaData::BYTE_ARRAY(index) = &about.column_index().expect("an index")[0][0]
    else {
        panic!("{case}: the column is text")
    };
    for (page, rows) in pages.iter().enumerate() {
        let texts = || rows.iter().flatten().map(|text| text.as_bytes());
        assert_eq!(index.min_value(page), texts().min(), "{case}");
        assert_eq!(index.max_value(page), texts().max(), "{case}");
        let nulls = rows.iter().filter(|row| row.is_none()).count();
        assert_eq!(index.null_count(page), Some(nulls as i64), "{case}");
    }
}

/// The file of one row group of such a column, by ourselves and by Parquet's own writer.
fn both(column: ArrayRef) -> [Bytes; 2] {
    let nullable = column.null_count() > 0;
    let field = Field::new("number", column.data_type().clone(), nullable);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(schema.clone(), vec![column]).expect("one column");
    let form = Form::new(schema.clone(), properties()).expect("a form");
    let mut group = RowGroup::new(&form).expect("begun");
    for from in (0..batch.num_rows()).step_by(BATCH) {
        let rows = batch.slice(from, BATCH.min(batch.num_rows() - from));
        group.write(&rows).expect("taken");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut encoder = Encoder::new(file.reopen().expect("opened"), &form).expect("begun");
    encoder
        .append(group.end().expect("encoded"))
        .expect("written");
    encoder.close().expect("written");
    let mut twin = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut twin, schema, Some(properties())).expect("begun");
    writer.write(&batch).expect("written");
    writer.close().expect("written");
    [
        std::fs::read(file.path()).expect("read").into(),
        twin.into(),
    ]
}

#[test]
fn integers_are_read_back_and_described_as_parquets_own_writer_would() {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for (distinct, null_in) in [
        (1, 0),
        (3, 4),
        (1_000, 9),
        (i64::MAX, 0),
        (i64::MAX, 2),
        (1, 1),
    ] {
        let rows: Vec<Option<i64>> = (0..PAGE_ROWS * 2 + 777)
            .map(|_| {
                let is_null = null_in > 0 && random.random_range(0..null_in) == 0;
                let sign = if random.random() { 1 } else { -1 };
                (!is_null).then(|| random.random_range(0..distinct) * sign)
            })
            .collect();
        let long: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().copied()));
        let times = Int64Array::from_iter(rows.iter().copied());
        let times = times.reinterpret_cast::<TimestampMicrosecondType>();
        let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
        let short = rows.iter().map(|row| row.map(|value| value as i32));
        let short: ArrayRef = Arc::new(Int32Array::from_iter(short));
        for column in [long, times, short] {
            let case = format!(
                "{:?}, {distinct} integers, a null in {null_in}",
                column.data_type()
            );
            let [ours, theirs] = both(column.clone()).map(|file| {
                let options =
                    ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
                let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
                let reader = reader
                    .expect("a Parquet file")
                    .with_batch_size(column.len());
                let about = reader.metadata().clone();
                let batch = reader
                    .build()
                    .expect("read")
                    .next()
                    .expect("rows")
                    .expect("read");
                (batch.column(0).clone(), about)
            });
            assert_eq!(ours.0.as_ref(), column.as_ref(), "{case}");
            let of = |about: &ParquetMetaData| about.row_group(0).column(0).statistics().cloned();
            assert_eq!(of(&ours.1), of(&theirs.1), "{case}");
            let range = |place: usize| {
                let from = place * PAGE_ROWS;
                let page = column.slice(from, PAGE_ROWS.min(column.len() - from));
                let page = arrow::compute::cast(&page, &DataType::Int64).expect("integers");
                let page = page.as_primitive::<Int64Type>();
                (arrow::compute::min(page), arrow::compute::max(page))
            };
            let index = &ours.1.column_index().expect("an index")[0][0];
            let found = |place: usize| match index {
                ColumnIndexMetaData::INT64(index) => (
                    index.min_value(place).copied(),
                    index.max_value(place).copied(),
                ),
                ColumnIndexMetaData::INT32(index) => {
                    let wide = |value: Option<&i32>| value.map(|value| i64::from(*value));
                    (wide(index.min_value(place)), wide(index.max_value(place)))
                }
                _ => panic!("{case}: the column is integers"),
            };
            for place in 0..column.len().div_ceil(PAGE_ROWS) {
                assert_eq!(found(place), range(place), "{case}, page {place}");
            }
        }
    }
}
