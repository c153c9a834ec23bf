//! Records of an hour in a lake: any order and any memory give the same bytes, in the order of the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate::flow::field::Field as RawField;
use tidegate::flow::{Action, Direction, Record, Texts};
use tidegate::judge::{Confidence, Flags, JudgementRow, Observer, Orientation, Outcome, Verdict};
use tidegate::net::Addr;
use tidegate::net::aws::Service;
use tidegate::policy::{Answer, Severity};
use tidegate::sink::{Hour, HourWriter, RecordSorter};

use super::lake::{Place, SIX, addr, fill, snapshot};

/// The texts of a raw row: an interface, an address, and a field that nobody knows.
struct RawTexts {
    interface: Option<&'static str>,
    srcaddr: String,
    note: Option<String>,
}

impl Texts for RawTexts {
    fn text(&self, field: RawField) -> Option<&[u8]> {
        match field {
            RawField::Srcaddr => Some(self.srcaddr.as_bytes()),
            RawField::InterfaceId => self.interface.map(str::as_bytes),
            _ => None,
        }
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        if let Some(note) = &self.note {
            each("some-note", note.as_bytes());
        }
    }
}

/// A record that the row number decides, with its texts and the rank of its object.
fn raw(row: u64) -> (Record, RawTexts, u32) {
    // Some rows are long enough to end a batch before its time.
    let length = if row.is_multiple_of(997) {
        3 << 20
    } else {
        row % 50
    };
    let texts = RawTexts {
        interface: [None, Some("eni-1"), Some("eni-2")][(row % 3) as usize],
        srcaddr: format!("10.0.{}.{}", row % 3, row % 200),
        note: row.is_multiple_of(4).then(|| "x".repeat(length as usize)),
    };
    let start = if row.is_multiple_of(10) {
        0
    } else {
        SIX + (row % 60) as u32
    };
    let record = Record {
        src: addr(&texts.srcaddr),
        dst: addr("10.0.64.20"),
        pkt_src: addr(&texts.srcaddr),
        pkt_dst: addr("10.0.64.20"),
        src_port: 41_000,
        dst_port: 5432,
        protocol: 6,
        complete: true,
        action: Action::Accept,
        direction: Direction::Ingress,
        tcp_flags: None,
        traffic_path: 0,
        encryption: None,
        src_service: Service::None,
        dst_service: Service::None,
        packets: 1,
        bytes: 40,
        start,
        end: start,
        line: row,
    };
    (record, texts, (row % 5) as u32)
}

/// URLs of objects by rank.
pub(super) fn urls() -> Vec<Arc<str>> {
    (0..5)
        .map(|rank| format!("s3://logs/{rank}").into())
        .collect()
}

/// Puts the judged rows of [`raw`] into this sorter.
fn put(sorter: &mut RecordSorter, rows: &[u64]) {
    let mut packer = sorter.packer();
    for row in rows {
        let (record, texts, object) = raw(*row);
        let groups = ["etl", "vectors"];
        let judgement = JudgementRow {
            network: Some("prod"),
            client_addr: (row % 6 != 0).then(|| Addr::from_v4(0x0a00_0000 + (row % 17) as u32)),
            client_port: Some(41_000),
            server_addr: Some(addr("10.0.64.20")),
            server_port: None,
            client_tier: Some("app"),
            server_tier: Some("data"),
            client_groups: &groups[..(row % 3) as usize],
            server_groups: &[],
            orientation: Some(Orientation::Syn),
            confidence: Some(Confidence::Certain),
            observer: Some(Observer::Client),
            outcome: Some(Outcome::Established),
            via: None,
            decision: Some(Answer::Deny),
            rule: "default",
            verdict: Verdict::Violation,
            severity: Some(Severity::High),
            flags: Flags {
                cross_tier_violation: true,
                ..Flags::default()
            },
        };
        let reporter = packer.reporter(&texts);
        if let Some(full) = packer.push(&record, &texts, reporter, object, &judgement) {
            sorter.push(full).expect("taken");
        }
    }
    sorter.push(packer.take()).expect("taken");
}

/// Puts records into an hour.
pub(super) fn take_records(hour: &mut HourWriter, rows: &[u64]) {
    let mut sorter = RecordSorter::new(&std::env::temp_dir(), usize::MAX);
    put(&mut sorter, rows);
    hour.records(sorter, &urls()).expect("taken");
}

#[test]
fn an_object_that_is_left_out_leaves_no_record() {
    let lines = |left_out: Option<u32>, rows: &[u64], budget| {
        let place = Place::new();
        let mut sorter = RecordSorter::new(place.temp.path(), budget);
        let (some, others) = rows.split_at(rows.len() / 2);
        put(&mut sorter, some);
        left_out
            .into_iter()
            .for_each(|object| sorter.leave_out(object));
        put(&mut sorter, others);
        let mut hour = place.lake().hour(Hour::of(SIX)).expect("begun");
        hour.records(sorter, &urls()).expect("taken");
        hour.commit().expect("committed");
        snapshot(&place.store())
    };
    // The object of a row is its number modulo five.
    let all: Vec<u64> = (1..900).collect();
    let others: Vec<u64> = (1..900).filter(|row| row % 5 != 3).collect();
    let expected = lines(None, &others, usize::MAX);
    for budget in [0, usize::MAX] {
        assert!(lines(Some(3), &all, budget) == expected, "{budget}");
    }
}

/// A lake of one hour whose records came as these batches through a sorter of this budget.
fn lake_of(
    batches: &[Vec<u64>],
    budget: usize,
    random: &mut ChaCha8Rng,
) -> (BTreeMap<String, Vec<u8>>, bool) {
    let place = Place::new();
    let lake = place.lake();
    let mut sorter = RecordSorter::new(place.temp.path(), budget);
    for rows in batches {
        put(&mut sorter, rows);
    }
    let spilled = sorter.has_spilled();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    fill(&mut hour, 9_000, 500, random);
    hour.records(sorter, &urls()).expect("taken");
    let rows = hour.commit().expect("committed");
    assert_eq!(
        rows["records"],
        batches.iter().map(|rows| rows.len() as u64).sum::<u64>()
    );
    (snapshot(&place.store()), spilled)
}

#[test]
fn any_order_and_any_budget_give_the_same_bytes() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut rows: Vec<u64> = (1..=12_000).collect();
    let (expected, spilled) = lake_of(&[rows.clone()], usize::MAX, &mut random);
    assert!(!spilled && expected.keys().any(|name| name.starts_with("records/")));
    for (budget, most) in [
        (usize::MAX, 500),
        (8 << 20, 2_000),
        (1 << 20, 300),
        (0, 150),
    ] {
        rows.shuffle(&mut random);
        let mut batches = Vec::new();
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(random.random_range(1..=most.min(rest.len())));
            batches.push(batch.to_vec());
            rest = others;
        }
        let (found, spilled) = lake_of(&batches, budget, &mut random);
        assert_eq!(spilled, budget < usize::MAX);
        assert!(
            found == expected,
            "{} batches in {budget} bytes",
            batches.len()
        );
    }
}

#[test]
fn records_are_in_the_order_of_the_table_and_have_all_that_was_put_in() {
    let place = Place::new();
    let mut sorter = RecordSorter::new(place.temp.path(), 0);
    for rows in [vec![9, 61, 10], vec![], vec![1, 121, 7], vec![20]] {
        put(&mut sorter, &rows);
    }
    let lake = place.lake();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    hour.records(sorter, &urls()).expect("taken");
    hour.commit().expect("committed");
    let path = format!("lake/records/{}/part-0000.parquet", Hour::of(SIX).folder());
    let file = std::fs::File::open(place.root.path().join(path)).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file");
    let found: Vec<RecordBatch> = reader
        .build()
        .expect("read")
        .map(|batch| batch.expect("read"))
        .collect();
    let [found] = &found[..] else {
        panic!("few rows are one batch")
    };
    let lines = found
        .column_by_name("line")
        .expect("a column")
        .as_primitive::<Int64Type>();
    // Without a start first; then by start, and where that is the same by client (10.0.0.1, 10.0.0.10, 10.0.0.2).
    assert_eq!(lines.values().to_vec(), [10, 20, 1, 61, 121, 7, 9]);
    let texts = |name: &str, place: usize| {
        let column = found
            .column_by_name(name)
            .expect("a column")
            .as_string::<i32>();
        column
            .is_valid(place)
            .then(|| column.value(place).to_owned())
    };
    let shown = |name: &str, place: usize| texts(name, place).unwrap_or_default();
    assert_eq!(shown("source", 0), "s3://logs/0");
    assert_eq!(shown("srcaddr", 0), "10.0.1.10");
    let interfaces = (0..7).map(|place| shown("interface_id", place));
    assert_eq!(
        interfaces.collect::<Vec<_>>(),
        ["eni-1", "eni-2", "eni-1", "eni-1", "eni-1", "eni-1", ""]
    );
    assert_eq!(
        (
            shown("client_addr", 0),
            texts("via", 0),
            texts("dstaddr", 0)
        ),
        ("10.0.0.10".to_owned(), None, None)
    );
    assert_eq!(
        (shown("rule", 6), shown("verdict", 6), shown("severity", 6)),
        (
            "default".to_owned(),
            "violation".to_owned(),
            "high".to_owned()
        )
    );
    let ports = found
        .column_by_name("client_port")
        .expect("a column")
        .as_primitive::<Int32Type>();
    assert_eq!(ports.value(0), 41_000);
    assert!(
        found
            .column_by_name("server_port")
            .expect("a column")
            .is_null(0)
    );
    let groups = found
        .column_by_name("client_groups")
        .expect("a column")
        .as_list::<i32>()
        .value(1);
    assert_eq!(
        groups
            .as_string::<i32>()
            .iter()
            .flatten()
            .collect::<Vec<_>>(),
        ["etl", "vectors"]
    );
    let flags = [
        "cross_tier_violation",
        "denied_attempt",
        "ingress_violation",
    ];
    let flags = flags.map(|name| {
        found
            .column_by_name(name)
            .expect("a column")
            .as_boolean()
            .value(3)
    });
    assert_eq!(flags, [true, false, false]);
    let extra = found.column_by_name("extra").expect("a column").as_map();
    assert_eq!(
        extra.value(1).column(0).as_string::<i32>().value(0),
        "some_note"
    );
    assert!(extra.is_null(0));
}
