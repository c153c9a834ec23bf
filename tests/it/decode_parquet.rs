use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field as ArrowField, Int32Type, Int64Type, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tidegate::flow::field::Kind;
use tidegate::flow::{
    Column, DecodeOptions, Field, Fields, Input, Layout, MalformedLine, Ranges, Record, RecordSink,
    Scratch, decode, flows_schema,
};

use crate::decode::{Remote, Words, in_words_of};

/// How a writer types its columns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    /// AWS: INT32 and INT64 as documented, null for `-`; text with a literal `-`.
    Aws,
    /// All numbers 64 bits wide, hyphens in names.
    Wide,
    /// Rewritten by pandas: numbers as doubles, `None` in text.
    Pandas,
    /// Everything as text.
    Text,
    /// `start` and `end` as timestamps.
    Timestamps,
}

const STYLES: [Style; 5] = [
    Style::Aws,
    Style::Wide,
    Style::Pandas,
    Style::Text,
    Style::Timestamps,
];

fn column(column: &Column, style: Style, values: &[&str]) -> (ArrowField, ArrayRef) {
    let kind = match column {
        Column::Known(field) => field.kind(),
        Column::Unknown(_) => Kind::Text,
    };
    let name = match style {
        Style::Wide => column.name().to_owned(),
        _ => column.name().replace('-', "_"),
    };
    let numbers = || values.iter().map(|value| value.parse::<i64>().ok());
    let array: ArrayRef = match (kind, style) {
        (Kind::Text, Style::Pandas) => {
            let none = |value: &&str| {
                if *value == "-" {
                    "None".to_owned()
                } else {
                    value.to_string()
                }
            };
            Arc::new(StringArray::from_iter_values(values.iter().map(none)))
        }
        (Kind::Text, _) | (_, Style::Text) => Arc::new(StringArray::from_iter_values(values)),
        (_, Style::Pandas) => Arc::new(
            numbers()
                .map(|n| n.map(|n| n as f64))
                .collect::<Float64Array>(),
        ),
        (Kind::Time, Style::Timestamps) => Arc::new(
            numbers()
                .map(|n| n.map(|n| n * 1000))
                .collect::<TimestampMillisecondArray>(),
        ),
        (Kind::Int32, Style::Aws | Style::Timestamps) => Arc::new(
            numbers()
                .map(|n| n.and_then(|n| n.try_into().ok()))
                .collect::<Int32Array>(),
        ),
        _ => Arc::new(numbers().collect::<Int64Array>()),
    };
    (
        ArrowField::new(name, array.data_type().clone(), true),
        array,
    )
}

/// A Parquet object of these rows, with gzip pages and several row groups.
fn parquet(layout: &Layout, rows: &[Vec<String>], style: Style) -> Bytes {
    let (fields, arrays): (Vec<_>, Vec<_>) = layout
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let values: Vec<&str> = rows.iter().map(|row| row[at].as_str()).collect();
            column(name, style, &values)
        })
        .unzip();
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length");
    write(&batch)
}

fn write(batch: &RecordBatch) -> Bytes {
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .set_max_row_group_row_count(Some(7))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("plain types");
    writer.write(batch).expect("writing to memory");
    writer.into_inner().expect("writing to memory").into()
}

/// What the sink was handed, in words and as rows of the `flows` table.
fn decoded(input: Input<'_>, options: &DecodeOptions) -> (Vec<String>, String, RecordBatch) {
    let bytes = match &input {
        Input::Bytes(bytes) => Bytes::clone(bytes),
        Input::Ranges(ranges) => ranges.read(0, ranges.size() as usize).expect("in memory"),
    };
    let (lines, summary) = in_words_of(Input::Bytes(&bytes), options);
    let mut words = Words::default();
    decode(input, options, &mut Scratch::default(), &mut words).expect("decodes");
    (lines, summary, words.flows.finish())
}

/// The same rows must give the same as text and as Parquet of any style, in memory and behind ranges.
fn check_equal(header: &str, rows: &[Vec<String>], styles: &[Style]) {
    let layout = Layout::parse_format(header).expect("a layout");
    let lines: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
    let options = DecodeOptions {
        layout: Some(Arc::new(layout.clone())),
        ..DecodeOptions::default()
    };
    let text = Bytes::from(lines.join("\n"));
    let expected = decoded(Input::Bytes(&text), &options);
    for style in styles {
        let object = parquet(&layout, rows, *style);
        let remote = Remote {
            bytes: object.clone(),
            fails_at: u64::MAX,
        };
        for input in [Input::Bytes(&object), Input::Ranges(&remote)] {
            let found = decoded(input, &DecodeOptions::default());
            assert_eq!(found.0, expected.0, "{style:?}");
            assert_eq!(found.1, expected.1, "{style:?}");
            assert_eq!(found.2, expected.2, "{style:?}");
        }
    }
}

fn rows(text: &str) -> Vec<Vec<String>> {
    text.trim()
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

const FULL: &str = "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id interface-id region action tcp-flags pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction encryption-status brand-new log-status";
const FULL_ROWS: &str = "
5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 012345678901 vpc-0 eni-0 us-east-1 ACCEPT 19 52.95.128.179 10.0.0.71 S3 - - ingress 0 x OK
5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 012345678901 vpc-0 eni-0 us-east-1 REJECT 3 10.0.0.72 52.95.128.179 - S3 8 egress - - OK
5 2001:db8::1 2001:db8::2 34210 443 17 1616729292 1616729349 IPv6 9000000000 4294967296 unknown vpc-0 eni-0 us-east-1 ACCEPT - 2001:db8::1 - NEW - 1 egress 3 - OK
5 - - - - - 1616729292 1616729349 - - - 012345678901 vpc-0 eni-0 us-east-1 - - - - - - - - - - NODATA
5 - - - - - 1616729292 1616729292 - - - 012345678901 vpc-0 eni-0 us-east-1 - - - - - - - - - - SKIPDATA
";

#[test]
fn the_same_rows_give_the_same_as_text_and_as_parquet() {
    check_equal(FULL, &rows(FULL_ROWS), &STYLES);
}

#[test]
fn what_is_malformed_as_text_is_malformed_as_parquet() {
    let text = "10.0.0.1 70000 6 1616729292\n10.0.0.256 1 6 1616729292\n10.0.0.1 1 -6 1616729292\n10.0.0.1 1 6 99\n";
    check_equal("srcaddr srcport protocol start", &rows(text), &STYLES);
    check_equal(
        "action flow-direction log-status",
        &rows("ACCEPT in OK\naccept - OK\nREJECT - FINE\n"),
        &STYLES,
    );
    check_equal(
        "srcaddr bytes protocol",
        &rows("10.0.0.1 1.5 1\n10.0.0.1 x 1\n"),
        &[Style::Text],
    );
}

fn cell(name: &str) -> BoxedStrategy<String> {
    let Column::Known(field) = Column::from_name(name) else {
        return prop::sample::select(vec!["-", "a%20b", "x"])
            .prop_map(str::to_owned)
            .boxed();
    };
    let words = |words: &[&str]| {
        prop::sample::select(
            words
                .iter()
                .map(|word| word.to_string())
                .collect::<Vec<_>>(),
        )
    };
    match field {
        Field::Srcaddr | Field::Dstaddr | Field::PktSrcaddr | Field::PktDstaddr => {
            words(&["10.0.0.1", "10.0.0.2", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.1", "-", "10.0.0.300"]).boxed()
        }
        Field::Action => words(&["ACCEPT", "REJECT", "-", "ACCEPTED"]).boxed(),
        Field::LogStatus => words(&["OK", "OK", "OK", "NODATA", "SKIPDATA", "-", "ok"]).boxed(),
        Field::FlowDirection => words(&["ingress", "egress", "-"]).boxed(),
        Field::PktSrcAwsService | Field::PktDstAwsService => words(&["S3", "EC2", "-", "OTHER"]).boxed(),
        Field::Start | Field::End => words(&["1616729292", "1616729349", "-", "4102444800"]).boxed(),
        _ if field.kind() == Kind::Text => words(&["eni-0", "-", "x\u{e9}"]).boxed(),
        _ => prop_oneof![4 => (0..300_i32).prop_map(|n| n.to_string()), 1 => Just("-".into()), 1 => (-9..70_000_i32).prop_map(|n| n.to_string())].boxed(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_rows_give_the_same_as_text_and_as_parquet(
        rows in prop::collection::vec(FULL.split(' ').map(cell).collect::<Vec<_>>(), 1..20),
    ) {
        check_equal(FULL, &rows, &STYLES);
    }
}

#[test]
fn the_flows_table_holds_rows_as_logged() {
    let layout = Layout::parse_format(FULL).expect("a layout");
    let object = parquet(&layout, &rows(FULL_ROWS), Style::Aws);
    let batch = decoded(Input::Bytes(&object), &DecodeOptions::default()).2;
    assert_eq!(batch.schema(), flows_schema());
    let named = |name: &str| batch.column_by_name(name).expect("a column of the table");
    let texts = |name: &str| {
        named(name)
            .as_string::<i32>()
            .iter()
            .map(|text| text.unwrap_or("null"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts("account_id"),
        [
            "012345678901",
            "012345678901",
            "unknown",
            "012345678901",
            "012345678901"
        ]
    );
    assert_eq!(
        texts("log_status"),
        ["OK", "OK", "OK", "NODATA", "SKIPDATA"]
    );
    assert_eq!(
        texts("pkt_src_aws_service"),
        ["S3", "null", "NEW", "null", "null"]
    );
    assert_eq!(texts("tgw_id"), ["null"; 5]);
    assert_eq!(texts("source"), ["object"; 5]);
    let ports: Vec<_> = named("dstport")
        .as_primitive::<Int32Type>()
        .iter()
        .collect();
    assert_eq!(ports, [Some(34210), Some(80), Some(443), None, None]);
    let bytes: Vec<_> = named("bytes").as_primitive::<Int64Type>().iter().collect();
    assert_eq!(
        bytes,
        [Some(15044), Some(471), Some(4294967296), None, None]
    );
    let lines: Vec<_> = named("line")
        .as_primitive::<Int64Type>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
    let start = arrow::compute::cast(named("start"), &DataType::Int64).expect("a timestamp");
    assert_eq!(
        start.as_primitive::<Int64Type>().value(0),
        1_616_729_292_000_000
    );
    let extra = named("extra").as_map();
    assert_eq!(extra.keys().as_string::<i32>().value(0), "brand_new");
    assert_eq!(extra.values().as_string::<i32>().value(0), "x");
    assert_eq!(extra.null_count(), 4);
}

#[test]
fn the_flows_table_can_be_built_in_part() {
    let schema = flows_schema();
    assert_eq!(schema.fields().len(), 75);
    let columns: Vec<usize> = ["line", "srcaddr"]
        .iter()
        .map(|name| schema.index_of(name).expect("a column"))
        .collect();
    let mut builder = tidegate::flow::FlowsBuilder::new(Some(&columns));
    assert_eq!(
        builder.schema().as_ref(),
        &schema.project(&columns).expect("columns of the table")
    );
    assert_eq!(builder.finish().num_rows(), 0);
}

/// Wants no text, and adds up ports so that rows are read.
#[derive(Default)]
struct Numbers {
    rows: u64,
    texts: u64,
}

impl RecordSink for Numbers {
    fn record(&mut self, _: &Record, fields: &impl Fields) {
        self.rows += 1;
        self.texts += u64::from(fields.text(Field::InstanceTag).is_some());
    }
    fn status(&mut self, _: &Record, _: bool, _: &impl Fields) {}
    fn malformed(&mut self, _: u64, _: &MalformedLine, _: &[u8]) {}
    fn unverified(&mut self) {}
    fn wants(&self, _: Field) -> bool {
        false
    }
    fn wants_extra(&self) -> bool {
        false
    }
}

struct Counting(Remote, AtomicU64);

impl Ranges for Counting {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read(&self, start: u64, length: usize) -> std::io::Result<Bytes> {
        self.1.fetch_add(length as u64, Ordering::Relaxed);
        self.0.read(start, length)
    }
}

#[test]
fn only_wanted_columns_are_read() {
    let header = "srcaddr instance-tag brand-new dstport";
    let mut noise = 1_u64;
    // Words that do not pack: neighbours closer than the gap that is worth a request are read with each other.
    let mut fat = |_| {
        let mut text = String::new();
        for _ in 0..20_000 {
            noise = noise
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            text += &format!("{:x}", noise >> 32);
        }
        text
    };
    let rows: Vec<_> = (0..7)
        .map(|n| vec!["10.0.0.1".into(), fat(n), fat(n), "443".into()])
        .collect();
    let object = parquet(
        &Layout::parse_format(header).expect("a layout"),
        &rows,
        Style::Aws,
    );
    let size = object.len() as u64;
    assert!(size > 1 << 20);
    let ranges = Counting(
        Remote {
            bytes: object,
            fails_at: u64::MAX,
        },
        AtomicU64::new(0),
    );
    let mut sink = Numbers::default();
    decode(
        Input::Ranges(&ranges),
        &DecodeOptions::default(),
        &mut Scratch::default(),
        &mut sink,
    )
    .expect("decodes");
    assert_eq!((sink.rows, sink.texts), (7, 0));
    let read = ranges.1.load(Ordering::Relaxed);
    assert!(read < 100_000, "read {read} bytes of {size}");
}

#[test]
fn columns_that_cannot_be_read_are_named() {
    let array: ArrayRef = Arc::new(arrow::array::BooleanArray::from(vec![true]));
    let batch = RecordBatch::try_from_iter([("color", array)]).expect("one column");
    let (_, error) = in_words_of(Input::Bytes(&write(&batch)), &DecodeOptions::default());
    assert_eq!(
        error,
        "error: expected the columns of a flow log, got `color`"
    );
}

fn sample() -> &'static Bytes {
    static SAMPLE: OnceLock<Bytes> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let rows: Vec<_> = std::iter::repeat_n(rows(FULL_ROWS), 4).flatten().collect();
        parquet(
            &Layout::parse_format(FULL).expect("a layout"),
            &rows,
            Style::Aws,
        )
    })
}

fn check_broken(object: Vec<u8>, expected: &str) {
    let (_, error) = in_words_of(Input::Bytes(&object.into()), &DecodeOptions::default());
    assert_eq!(error, format!("error: {expected}"));
}

#[test]
fn broken_footers_are_errors() {
    let size = sample().len();
    check_broken(b"PAR1".to_vec(), "broken Parquet object: it is too short");
    check_broken(
        b"PAR1PAR1PAR1".to_vec(),
        "broken Parquet object: its footer claims to have 827474256 bytes",
    );
    check_broken(
        sample()[..size - 1].to_vec(),
        "broken Parquet object: it does not end as one",
    );
    let mut long = sample().to_vec();
    long[size - 8..size - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    check_broken(
        long,
        "broken Parquet object: its footer claims to have 4294967295 bytes",
    );
    let mut empty = sample().to_vec();
    empty[size - 8..size - 4].copy_from_slice(&0_u32.to_le_bytes());
    let (_, error) = in_words_of(Input::Bytes(&empty.into()), &DecodeOptions::default());
    assert!(
        error.starts_with("error: broken Parquet object: "),
        "{error}"
    );
}

#[test]
fn a_source_that_fails_in_mid_object_is_told() {
    let object = sample().clone();
    let remote = Remote {
        fails_at: object.len() as u64 - 1,
        bytes: object,
    };
    let (_, error) = in_words_of(Input::Ranges(&remote), &DecodeOptions::default());
    assert_eq!(error, "error: the connection broke");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_object_that_lies_never_panics(at in any::<prop::sample::Index>(), value: u8, second in any::<prop::sample::Index>(), footer: bool) {
        let mut object = sample().to_vec();
        // Most of the lies that can be told are told in the footer.
        let tail = object.len() - 8;
        let length = u32::from_le_bytes(object[tail..tail + 4].try_into().expect("four bytes")) as usize;
        let from = if footer { tail - length } else { 4 };
        let range = tail - from;
        object[from + at.index(range)] = value;
        object[from + second.index(range)] ^= 0x80;
        let object = Bytes::from(object);
        let remote = Remote { bytes: object.clone(), fails_at: u64::MAX };
        in_words_of(Input::Bytes(&object), &DecodeOptions::default());
        in_words_of(Input::Ranges(&remote), &DecodeOptions::default());
    }
}
