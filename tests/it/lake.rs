//! A lake: what is written is read back, the same rows give the same bytes, a crash repeats and loses nothing.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::{DataType, Field, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tidegate::flow::Tally;
use tidegate::flow::field::{Field as RawField, Kind as RawKind};
use tidegate::judge::findings::may_feed;
use tidegate::judge::{Confidence, Edge, Finding, Kind, Orientation, Outcome, Subject, Verdict};
use tidegate::net::Addr;
use tidegate::policy::{Answer, DomainLevel, Path as Way, Severity, UNASSIGNED};
use tidegate::sink::{
    Day, Hour, HourWriter, Identity, Lake, ObjectRow, Publication, QuarantineRow, Store,
    records_schema,
};

/// 2026-02-25, 06:00 UTC.
pub(super) const SIX: u32 = 1_771_999_200;

pub(super) fn identity() -> Identity {
    Identity {
        policy_id: "SEC-003".to_owned(),
        policy_hash: "0123abcd".to_owned(),
        sources: vec!["s3://logs/AWSLogs".to_owned()],
        keep: "flagged".to_owned(),
        ..Identity::default()
    }
}

/// A lake in a folder of its own, and the folder for temporary files.
pub(super) struct Place {
    pub(super) root: TempDir,
    pub(super) temp: TempDir,
}

impl Place {
    pub(super) fn new() -> Place {
        Place {
            root: tempfile::tempdir().expect("a folder"),
            temp: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(super) fn store(&self) -> Store {
        Store::local(&self.root.path().join("lake"))
    }

    pub(super) fn lake(&self) -> Lake {
        self.open(identity(), false).expect("the lake opens")
    }

    fn open(&self, identity: Identity, rejudge: bool) -> Result<Lake, tidegate::sink::LakeError> {
        Lake::open(self.store(), identity, rejudge, self.temp.path())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = std::fs::read_dir(self.temp.path()).expect("listed").count();
            assert_eq!(left, 0, "temporary files are gone");
        }
    }
}

/// Every file of a store with its content.
pub(super) fn snapshot(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let files = store.list("").expect("listed").into_iter();
    files
        .map(|file| {
            (
                file.name.clone(),
                store
                    .get(&file.name)
                    .expect("read")
                    .expect("it is listed")
                    .to_vec(),
            )
        })
        .collect()
}

fn names(store: &Store) -> Vec<String> {
    store
        .list("")
        .expect("listed")
        .into_iter()
        .map(|file| file.name)
        .collect()
}

pub(super) fn addr(text: &str) -> Addr {
    text.parse().expect("a test address")
}

/// Edge number `index` of many, in their order, with every column null in some and filled in others.
pub(super) fn edge(index: u32) -> Edge {
    let some = |text: &str, every: u32| {
        index
            .is_multiple_of(every)
            .then(|| format!("{text}{}", index % 7))
    };
    Edge {
        network: "prod".to_owned(),
        client_addr: Addr::from_v4(0x0a00_0000 + index / 3),
        server_addr: if index % 3 == 2 {
            addr("2001:db8::7")
        } else {
            Addr::from_v4(0x0a01_0000 + index % 3)
        },
        server_port: (!index.is_multiple_of(5)).then_some((index % 65_536) as u16),
        protocol: [6, 17, 1][index as usize % 3],
        orientation: Orientation::ALL[index as usize % Orientation::ALL.len()],
        outcome: Outcome::ALL.get(index as usize % 9).copied(),
        verdict: Verdict::ALL[index as usize % Verdict::ALL.len()],
        rule: format!("rule-{}", index % 4),
        decision: Answer::ALL.get(index as usize % 4).copied(),
        client_zone: "app".to_owned(),
        server_zone: if index.is_multiple_of(11) {
            UNASSIGNED.to_owned()
        } else {
            "aws:S3".to_owned()
        },
        client_workload: some("asg-", 2),
        server_workload: some("service-", 3),
        via: Way::ALL.get(index as usize % 8).copied(),
        confidence: Confidence::ALL[index as usize % 4],
        severity: Severity::ALL.get(index as usize % 6).copied(),
        lacked: some("expired on 2026-0", 4),
        records: u64::from(index),
        connections: 1,
        packets_to_server: 2,
        packets_to_client: 3,
        bytes_to_server: u64::from(index) << 33,
        bytes_to_client: i64::MAX as u64,
        first_seen: if index == 0 { 0 } else { SIX + index % 3600 },
        last_seen: SIX + 3600,
        source: format!("s3://logs/{}", index % 12),
        line: u64::from(index) + 1,
        account_id: some("00123456789", 2),
        region: some("us-east-", 3),
        vpc_id: some("vpc-", 4),
        subnet_id: some("subnet-", 5),
        interface_id: some("eni-", 6),
        instance_id: some("i-", 7),
    }
}

pub(super) fn object(index: u64) -> ObjectRow {
    ObjectRow {
        source: format!("s3://logs/{index:02}"),
        time: SIX + 300 * index as u32,
        size: 1000 + index,
        decoded_size: 8000,
        etag: index.is_multiple_of(2).then(|| format!("etag-{index}")),
        account_id: Some("123456789012".to_owned()),
        region: Some("us-east-2".to_owned()),
        flow_log_id: Some("fl-1".to_owned()),
        layout: Some("version account-id".to_owned()),
        layout_assumed: index == 3,
        lines: Tally {
            lines: 15,
            blank: 1,
            headers: 2,
            records: 3,
            no_data: 4,
            skip_data: 5,
            malformed: 0,
        },
        first_seen: SIX,
        last_seen: if index == 5 { 0 } else { SIX + 300 },
        unreadable: (index == 7).then(|| "access denied".to_owned()),
    }
}

/// Fills an hour; what is unordered by contract comes in the order of `random`.
pub(super) fn fill(hour: &mut HourWriter, edges: u32, malformed: u64, random: &mut ChaCha8Rng) {
    for index in 0..edges {
        hour.edge(&edge(index).row()).expect("taken");
    }
    let mut objects: Vec<ObjectRow> = (0..12).map(object).collect();
    objects.shuffle(random);
    objects.into_iter().for_each(|object| hour.object(object));
    let mut lines: Vec<u64> = (1..=malformed).collect();
    lines.shuffle(random);
    for line in lines {
        let source = format!("s3://logs/{:02}", line % 12);
        let row = QuarantineRow {
            source: &source,
            line,
            reason: "expected 14 fields, got 3",
            text: b"2 \xff eni",
        };
        hour.quarantine(&row).expect("taken");
    }
}

#[test]
fn edges_are_read_back_as_they_were_written() {
    let place = Place::new();
    let lake = place.lake();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    // More than a batch of the writer.
    let edges: Vec<Edge> = (0..20_000).map(edge).collect();
    for edge in &edges {
        hour.edge(&edge.row()).expect("taken");
    }
    hour.object(object(0));
    let rows = hour.commit().expect("committed");
    assert_eq!(
        rows,
        BTreeMap::from([("edges", 20_000), ("objects", 1), ("quarantine", 0)])
    );

    let read: Vec<Edge> = lake
        .edges([Hour::of(SIX)])
        .expect("found")
        .edges()
        .map(|edge| edge.expect("read"))
        .collect();
    assert_eq!(read, edges);

    let may_feed = |edge: &Edge| {
        let is_unassigned =
            [&edge.client_zone, &edge.server_zone].contains(&&UNASSIGNED.to_owned());
        may_feed(edge.verdict, edge.severity, is_unassigned)
    };
    let expected: Vec<Edge> = edges.into_iter().filter(may_feed).collect();
    let feeding: Vec<Edge> = lake
        .edges([Hour::of(SIX)])
        .expect("found")
        .only_feeding()
        .edges()
        .map(|edge| edge.expect("read"))
        .collect();
    assert_eq!(feeding, expected);
    assert!((1_000..19_000).contains(&feeding.len()));
    assert_eq!(
        names(lake.store()),
        [
            "edges/date=2026-02-25/hour=06/part-0000.parquet",
            "lake.json",
            "objects/date=2026-02-25/hour=06/part-0000.parquet"
        ]
    );
}

#[test]
fn objects_are_the_ledger_and_are_read_back_by_name() {
    let place = Place::new();
    let lake = place.lake();
    let hours = [Hour::of(SIX), Hour::of(SIX + 3600), Hour::of(SIX + 86_400)];
    for hour in hours {
        let mut writer = lake.hour(hour).expect("begun");
        (0..12).rev().for_each(|index| writer.object(object(index)));
        writer.commit().expect("committed");
    }
    assert_eq!(
        lake.objects(hours[0]).expect("read"),
        (0..12).map(object).collect::<Vec<_>>()
    );
    assert_eq!(lake.objects(Hour::of(0)).expect("read"), []);
    assert_eq!(
        lake.committed_hours(..)
            .expect("listed")
            .into_iter()
            .collect::<Vec<_>>(),
        hours
    );
    assert_eq!(
        lake.committed_hours(hours[1]..hours[2])
            .expect("listed")
            .into_iter()
            .collect::<Vec<_>>(),
        [hours[1]]
    );
    assert_eq!(lake.outdated_hours(..).expect("listed").len(), 0);
}

pub(super) fn finding(index: usize) -> Finding {
    let end = |subject: &str, addresses: usize| Subject {
        subject: subject.to_owned(),
        zone: "app".to_owned(),
        addresses: addresses as u64,
        heaviest: (0..addresses.min(10))
            .map(|at| (Addr::from_v4(0x0a00_0000 + at as u32), 1000 - at as u64))
            .collect(),
    };
    let some = |text: &str| index.is_multiple_of(2).then(|| text.to_owned());
    Finding {
        finding_id: format!("{index:016x}"),
        day: Hour::of(SIX).day().start(),
        kind: Kind::ALL[index % Kind::ALL.len()],
        severity: Severity::ALL[1 + index % 4],
        confidence: Confidence::ALL[index % 4],
        title: "app reaches data on a port that no rule allows".to_owned(),
        network: "prod".to_owned(),
        client: end("etl", index),
        server: end("10.0.64.9", 1),
        server_names: tidegate::judge::ServerNames {
            names: (0..index % 4)
                .map(|name| format!("{name}.example"))
                .collect(),
            total: 12,
            level: DomainLevel::ALL.get(index % 3).copied(),
        },
        server_port: (!index.is_multiple_of(3)).then_some(5432),
        protocol: Some(6),
        rule: "default".to_owned(),
        reason: some("because").unwrap_or_default(),
        owner: some("data-platform").unwrap_or_default(),
        controls: (0..index % 3)
            .map(|control| format!("NIST SC-{control}"))
            .collect(),
        lacked: some("port"),
        outcome: Outcome::ALL.get(index % 9).copied(),
        via: Way::ALL.get(index % 8).copied(),
        account_id: some("123456789012"),
        region: some("us-east-2"),
        vpc_id: some("vpc-1"),
        subnet_id: some("subnet-1"),
        interface_id: some("eni-1"),
        instance_id: some("i-1"),
        first_seen: SIX,
        last_seen: SIX + 60,
        records: 4,
        connections: 3,
        packets: 2,
        bytes: 1,
        source: "s3://logs/00".to_owned(),
        line: 9,
        muted: index % 2 == 1,
    }
}

#[test]
fn findings_are_read_back_worst_first() {
    let place = Place::new();
    let lake = place.lake();
    let day = Hour::of(SIX).day();
    let mut expected: Vec<Finding> = (0..40).map(finding).collect();
    lake.write_findings(day, &expected, 7, "digest")
        .expect("written");
    expected.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.finding_id.cmp(&b.finding_id))
    });
    assert_eq!(lake.read_findings(day).expect("read"), expected);
    assert_eq!(
        lake.findings_made_from(day).expect("read"),
        Some(("digest".to_owned(), 7))
    );

    // A day without findings says so, and the earlier ones are gone.
    lake.write_findings(day, &[], 0, "later digest")
        .expect("written");
    assert_eq!(lake.read_findings(day).expect("read"), []);
    assert_eq!(
        lake.findings_made_from(day).expect("read"),
        Some(("later digest".to_owned(), 0))
    );
    assert_eq!(lake.findings_made_from(Day::of(0)).expect("read"), None);
}

#[test]
fn findings_are_stale_once_an_hour_of_their_day_changed() {
    let place = Place::new();
    let lake = place.lake();
    let day = Hour::of(SIX).day();
    let commit = |second: u32, edges: u32, objects: u64| {
        let mut hour = lake.hour(Hour::of(second)).expect("begun");
        (0..edges).for_each(|index| hour.edge(&edge(index).row()).expect("taken"));
        (0..objects).for_each(|index| hour.object(object(index)));
        hour.commit().expect("committed");
        lake.made_from(day, "texts").expect("digested")
    };
    let first = commit(SIX, 1, 1);
    let with_another_hour = commit(SIX + 3600, 1, 1);
    assert_ne!(first, with_another_hour);
    assert_eq!(
        commit(SIX + 86_400, 1, 1),
        with_another_hour,
        "an hour of another day does not matter"
    );
    assert_eq!(
        commit(SIX + 3600, 1, 1),
        with_another_hour,
        "the same hour again does not matter"
    );
    assert_ne!(
        commit(SIX + 3600, 1, 2),
        with_another_hour,
        "an object more matters"
    );
    assert_ne!(
        lake.made_from(day, "other texts").expect("digested"),
        lake.made_from(day, "texts").expect("digested")
    );
}

#[test]
fn a_crash_after_any_step_leaves_what_an_undisturbed_run_leaves() {
    let hour = Hour::of(SIX);
    let prepare = |lake: &Lake, edges: u32, malformed: u64| -> Publication {
        let mut random = ChaCha8Rng::seed_from_u64(u64::from(edges));
        let mut writer = lake.hour(hour).expect("begun");
        fill(&mut writer, edges, malformed, &mut random);
        writer.prepare().expect("prepared")
    };
    let undisturbed = Place::new();
    prepare(&undisturbed.lake(), 50, 0)
        .finish()
        .expect("committed");
    let expected = snapshot(&undisturbed.store());

    // Whether the hour is new, or takes the place of one that had a table more.
    for replaced in [false, true] {
        for steps in 0.. {
            let place = Place::new();
            let lake = place.lake();
            if replaced {
                prepare(&lake, 70, 30).finish().expect("committed");
            }
            // What a writer leaves that died in the middle of a file.
            lake.store()
                .put_bytes("edges/date=2026-02-25/hour=06/_part-0000.parquet", b"PAR1")
                .expect("put");

            let mut publication = prepare(&lake, 50, 0);
            let all = publication.steps_left();
            for _ in 0..steps {
                assert!(publication.step().expect("done"));
            }
            drop(publication);
            let counts = lake.committed_hours(..).expect("listed").contains(&hour);
            assert_eq!(
                counts,
                steps == all || (replaced && steps == 0),
                "after {steps} of {all} steps"
            );

            prepare(&lake, 50, 0).finish().expect("committed");
            assert!(
                snapshot(&place.store()) == expected,
                "after {steps} of {all} steps: {:?}",
                names(&place.store())
            );
            if steps == all {
                break;
            }
        }
    }
}

#[test]
fn an_hour_that_another_process_committed_is_not_overwritten() {
    let place = Place::new();
    let lake = place.lake();
    let begin = |edges: u32| {
        let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
        fill(&mut hour, edges, 0, &mut ChaCha8Rng::seed_from_u64(1));
        hour.object(object(u64::from(edges) + 20));
        hour.prepare().expect("prepared")
    };
    let (ours, same, other) = (begin(1), begin(1), begin(2));
    ours.finish().expect("committed");
    same.finish().expect("the same content is no conflict");
    let error = other.finish().expect_err("other content is").to_string();
    assert!(
        error.starts_with("2026-02-25T06 was committed by another process")
            && error.contains("hint:"),
        "{error}"
    );
}

#[test]
fn a_lake_of_another_policy_is_refused_with_advice() {
    let place = Place::new();
    place.lake();
    place.lake();
    let before = snapshot(&place.store());
    let other = Identity {
        policy_hash: "4567".to_owned(),
        accounts: vec!["1".to_owned(), "2".to_owned()],
        ..identity()
    };
    let error = place.open(other, false).expect_err("refused").to_string();
    let expected = format!(
        "the lake at {} holds something else:\n  policy hash: the lake has `0123abcd`, this run has `4567`\n  accounts: the lake has none given, this run has `1, 2`\nhint: give another folder to --lake, or judge these hours again with --rejudge",
        place.store().url()
    );
    assert_eq!(error, expected);
    assert!(snapshot(&place.store()) == before, "nothing was touched");
}

#[test]
fn after_a_change_of_policy_only_hours_judged_again_count() {
    let place = Place::new();
    let commit = |lake: &Lake, second: u32| {
        let mut hour = lake.hour(Hour::of(second)).expect("begun");
        hour.object(object(0));
        hour.commit().expect("committed");
    };
    let (six, seven) = (Hour::of(SIX), Hour::of(SIX + 3600));
    let lake = place.lake();
    commit(&lake, six.start());
    commit(&lake, seven.start());

    let other = Identity {
        policy_hash: "4567".to_owned(),
        ..identity()
    };
    let lake = place.open(other.clone(), true).expect("opened");
    assert_eq!(lake.committed_hours(..).expect("listed").len(), 0);
    commit(&lake, six.start());
    // The run died; the next one needs no --rejudge to go on.
    let lake = place.open(other, false).expect("opened");
    assert!(
        lake.committed_hours(..)
            .expect("listed")
            .into_iter()
            .eq([six])
    );
    assert!(
        lake.outdated_hours(..)
            .expect("listed")
            .into_iter()
            .eq([seven])
    );
    // And the way back is the same.
    assert!(place.open(identity(), false).is_err());
    let lake = place.open(identity(), true).expect("opened");
    assert!(
        lake.committed_hours(..)
            .expect("listed")
            .into_iter()
            .eq([seven])
    );
}

#[test]
fn a_description_that_is_none_is_refused_with_advice() {
    fn check(content: &str, expected: &str) {
        let place = Place::new();
        place
            .store()
            .put_bytes("lake.json", content.as_bytes())
            .expect("put");
        let error = place
            .open(identity(), true)
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("lake.json: ") && error.contains(expected) && error.contains("\nhint: "),
            "{error}"
        );
    }
    check("{}", "missing field `format`");
    check(
        "{\"format\": 99, \"identity\": 7}",
        "expected a lake of format 1 or less, got 99",
    );
    check("", "EOF");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_for_people() {
    let place = Place::new();
    std::fs::write(place.root.path().join("lake"), "a file").expect("written");
    let error = place
        .open(identity(), false)
        .expect_err("no folder")
        .to_string();
    assert!(
        error.starts_with("cannot write ")
            && error.contains("hint: a file stands where a folder is needed"),
        "{error}"
    );
    assert!(Path::new(&place.store().url()).is_file());
}

/// A column as the manual lists it: name, type, whether it is ever null.
type Listed = (String, String, bool);

/// The columns that a page lists under a heading.
fn listed(page: &str, heading: &str) -> Vec<Listed> {
    let start = page
        .find(&format!("\n## `{heading}`\n"))
        .expect("a heading for each table");
    let section = page[start + 1..].split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        (
            cells[0].trim_matches('`').to_owned(),
            cells[1].to_owned(),
            cells[2] != "never",
        )
    })
    .collect()
}

fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 => "text".to_owned(),
        DataType::Dictionary(_, texts) => type_name(texts),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "long".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => {
            "time".to_owned()
        }
        DataType::List(item) => format!("list of {}", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => panic!("{other} is no plain type"),
    }
}

fn columns<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<Listed> {
    let column = |field: &Field| {
        (
            field.name().clone(),
            type_name(field.data_type()),
            field.is_nullable(),
        )
    };
    fields.into_iter().map(column).collect()
}

#[test]
fn the_manual_lists_every_column_as_it_is_written() {
    let page = include_str!("../../docs/tables.md");
    let place = Place::new();
    let lake = place.lake();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    fill(&mut hour, 10, 10, &mut ChaCha8Rng::seed_from_u64(1));
    hour.commit().expect("committed");
    lake.write_findings(Hour::of(SIX).day(), &[finding(1)], 0, "digest")
        .expect("written");
    for (table, folder) in [
        ("edges", "/hour=06"),
        ("objects", "/hour=06"),
        ("quarantine", "/hour=06"),
        ("findings", ""),
    ] {
        let name = format!("{table}/date=2026-02-25{folder}/part-0000.parquet");
        let content = lake.store().get(&name).expect("read").expect("it is there");
        let reader = ParquetRecordBatchReaderBuilder::try_new(content).expect("a Parquet file");
        let schema = reader.schema().clone();
        assert_eq!(
            columns(schema.fields().iter().map(AsRef::as_ref)),
            listed(page, table),
            "{table}"
        );
    }

    let raw = RawField::ALL.iter().map(|field| {
        let kind = match field.kind() {
            RawKind::Text => "text",
            RawKind::Int32 => "integer",
            RawKind::Int64 => "long",
            RawKind::Time => "time",
        };
        (field.column().to_owned(), kind.to_owned(), true)
    });
    // The manual begins with what the judgement adds.
    let schema = records_schema();
    let judgement = schema.fields().iter().skip(RawField::COUNT + 3);
    let mut expected = columns(judgement.map(AsRef::as_ref));
    expected.extend(raw);
    for (name, kind, null) in [
        ("extra", "map of text to text", true),
        ("source", "text", false),
        ("line", "long", false),
    ] {
        expected.push((name.to_owned(), kind.to_owned(), null));
    }
    assert_eq!(listed(page, "records"), expected);
}

#[test]
fn addresses_have_bloom_filters_as_small_as_the_file() {
    let place = Place::new();
    let lake = place.lake();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    (0..3000).for_each(|index| hour.edge(&edge(index).row()).expect("taken"));
    hour.commit().expect("committed");
    let content = lake
        .store()
        .get("edges/date=2026-02-25/hour=06/part-0000.parquet")
        .expect("read")
        .expect("it is there");
    let options = ReaderProperties::builder()
        .set_read_bloom_filter(true)
        .build();
    let options = ReadOptionsBuilder::new()
        .with_reader_properties(options)
        .build();
    let file = SerializedFileReader::new_with_options(content, options).expect("a Parquet file");
    let group = file.get_row_group(0).expect("a row group");
    for (column, there, absent) in [
        (1, "10.0.3.231", "10.0.3.232"),
        (2, "2001:db8::7", "10.1.0.2"),
    ] {
        let about = group.metadata().column(column);
        let size = about.bloom_filter_length().expect("a bloom filter");
        assert!(size < 8192, "{size} bytes for {}", about.column_path());
        let filter = group.get_column_bloom_filter(column).expect("it is read");
        assert!(
            filter.check(there) && !filter.check(absent),
            "{}",
            about.column_path()
        );
    }
}
