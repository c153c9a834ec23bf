//! One answer: whatever the threads, the memory, the order in which objects are named, the division of a run in time, or
//! a kill in the middle, a lake holds the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tidegate::generate::{Layouts, Options, generate};
use tidegate::policy::UNASSIGNED;

const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");

/// Logs of nine hours in many slots, with all layouts, made once a test.
fn logs(records: u64, slots: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed: 11,
        records,
        slots,
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    folder
}

fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml")
}

fn command(folder: &Path, lake: &str, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .current_dir(folder)
        .args(["scan", "logs", "--policy"])
        .arg(policy())
        .args(["--lake", lake])
        .args(more);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn scan(folder: &Path, lake: &str, more: &[&str]) {
    let ran = command(folder, lake, more)
        .output()
        .expect("the program runs");
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{more:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Every file of a lake by its name, but for `lake.json`, which says how the lake was asked for.
fn files(lake: &Path) -> BTreeMap<String, Vec<u8>> {
    let found = walkdir::WalkDir::new(lake)
        .into_iter()
        .map(|entry| entry.expect("a readable lake"));
    let files =
        found.filter(|entry| entry.file_type().is_file() && entry.file_name() != "lake.json");
    files
        .map(|entry| {
            let name = entry
                .path()
                .strip_prefix(lake)
                .expect("below the lake")
                .display()
                .to_string();
            (name, std::fs::read(entry.path()).expect("a readable file"))
        })
        .collect()
}

/// The judged records of a lake, in the order of its files.
fn records(lake: &Path) -> RecordBatch {
    let files = files(lake);
    let tables = files
        .into_iter()
        .filter(|(name, _)| name.starts_with("records/"));
    let batches: Vec<RecordBatch> = tables
        .flat_map(|(_, bytes)| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes));
            reader.expect("a file").build().expect("read")
        })
        .collect::<Result<_, _>>()
        .expect("read");
    concat_batches(&batches[0].schema(), &batches).expect("files of one schema")
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, what: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{what}: the same files");
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{what}: {name} differs");
    }
}

#[test]
fn threads_memory_and_a_second_run_leave_the_same_bytes() {
    let folder = logs(30_000, 18);
    scan(folder.path(), "one", &["--keep", "all", "--threads", "1"]);
    let one = files(&folder.path().join("one"));
    assert!(
        one.keys().any(|name| name.starts_with("records/")),
        "{:?}",
        one.keys()
    );
    for (lake, more) in [
        ("two", ["--threads", "2"]),
        ("seven", ["--threads", "7"]),
        ("small", ["--memory", "64MiB"]),
    ] {
        scan(
            folder.path(),
            lake,
            &[&["--keep", "all"], &more[..]].concat(),
        );
        assert_same(&one, &files(&folder.path().join(lake)), lake);
    }
    scan(folder.path(), "two", &["--keep", "all"]);
    assert_same(
        &one,
        &files(&folder.path().join("two")),
        "a second run over the same lake",
    );
    scan(folder.path(), "two", &["--keep", "all", "--rejudge"]);
    assert_same(&one, &files(&folder.path().join("two")), "judged again");
}

#[test]
fn some_hours_of_a_day_are_judged_as_in_a_scan_of_the_whole_day() {
    let folder = logs(20_000, 48);
    scan(folder.path(), "whole", &["--keep", "all"]);
    scan(
        folder.path(),
        "middle",
        &[
            "--keep",
            "all",
            "--since",
            "2026-02-25T06:00:00Z",
            "--until",
            "2026-02-25T08:00:00Z",
        ],
    );
    let of_middle =
        |(name, _): &(String, Vec<u8>)| name.contains("hour=06") || name.contains("hour=07");
    let whole: BTreeMap<_, _> = files(&folder.path().join("whole"))
        .into_iter()
        .filter(of_middle)
        .collect();
    let middle: BTreeMap<_, _> = files(&folder.path().join("middle"))
        .into_iter()
        .filter(|(name, _)| name.contains("hour="))
        .collect();
    assert!(!whole.is_empty());
    assert_same(&whole, &middle, "hours 6 and 7");
    scan(folder.path(), "middle", &["--keep", "all"]);
    assert_same(
        &files(&folder.path().join("whole")),
        &files(&folder.path().join("middle")),
        "completed later",
    );
}

#[test]
fn objects_without_key_times_give_the_same_lake_in_any_order_of_naming() {
    let folder = logs(6_000, 6);
    let flat = folder.path().join("flat");
    std::fs::create_dir(&flat).expect("a folder");
    let mut names = Vec::new();
    for (number, entry) in walkdir::WalkDir::new(folder.path().join("logs"))
        .sort_by_file_name()
        .into_iter()
        .enumerate()
    {
        let entry = entry.expect("readable logs");
        if entry.file_type().is_file() {
            let ending = if entry.path().to_string_lossy().ends_with("parquet") {
                "parquet"
            } else {
                "log.gz"
            };
            let name = format!("flat/{number:04}.{ending}");
            std::fs::copy(entry.path(), folder.path().join(&name)).expect("copied");
            names.push(name);
        }
    }
    let scan = |lake: &str, names: &[String], threads: &str| {
        let mut command = Command::new(BINARY);
        command
            .current_dir(folder.path())
            .arg("scan")
            .args(names)
            .arg("--policy")
            .arg(policy());
        command.args(["--lake", lake, "--keep", "all", "--threads", threads]);
        command.args(["--format", "ndjson"]);
        let ran = command.output().expect("the program runs");
        assert_eq!(
            ran.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).expect("text")
    };
    let first = scan("forward", &names, "1");
    assert!(!first.is_empty(), "there are findings");
    names.reverse();
    scan("backward", &names, "3");
    assert_same(
        &files(&folder.path().join("forward")),
        &files(&folder.path().join("backward")),
        "named backward",
    );
    assert_eq!(
        scan("forward", &names, "2"),
        first,
        "a second run reports what the lake holds"
    );
}

#[test]
fn a_run_that_is_killed_and_run_again_leaves_what_an_undisturbed_one_leaves() {
    let folder = logs(20_000, 36);
    scan(folder.path(), "undisturbed", &["--keep", "all"]);
    let undisturbed = files(&folder.path().join("undisturbed"));
    let lake = folder.path().join("killed");
    for committed in 0..3 {
        let mut run = command(
            folder.path(),
            "killed",
            &["--keep", "all", "--threads", "2"],
        )
        .spawn()
        .expect("started");
        // Killed as soon as another file of the next hour is in place: at whatever point the run then is.
        let enough = undisturbed.len() * (committed + 1) / 4;
        while run.try_wait().expect("a child").is_none() && files_in(&lake) < enough {
            std::thread::yield_now();
        }
        let _ = run.kill();
        run.wait().expect("a child");
    }
    scan(folder.path(), "killed", &["--keep", "all"]);
    assert_same(&undisturbed, &files(&lake), "killed three times");
}

fn files_in(lake: &Path) -> usize {
    walkdir::WalkDir::new(lake)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .count()
}

#[test]
fn flagged_records_are_those_of_all_that_are_flagged() {
    let folder = logs(6_000, 20);
    let all = scan_flagged_and_all(folder.path());
    // Copies by a second flow log are in the logs, so that not all records of a flagged connection are.
    let rules = all.column_by_name("rule").expect("a column");
    assert!(
        rules
            .as_string::<i32>()
            .iter()
            .flatten()
            .any(|rule| rule == "duplicate")
    );
}

#[test]
fn flagged_records_of_large_objects_are_those_of_all_that_are_flagged() {
    // Most of an object of some 15 MB is not inflated a second time.
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        records: 60_000,
        slots: 1,
        layouts: Layouts::Version5 { objects: 1 },
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    scan_flagged_and_all(folder.path());
}

/// Scans for flagged records and for all: the flagged ones are those of all that are flagged. All of them.
fn scan_flagged_and_all(folder: &Path) -> RecordBatch {
    for keep in ["flagged", "all"] {
        scan(folder, keep, &["--keep", keep]);
    }
    let [flagged, all] = ["flagged", "all"].map(|lake| records(&folder.join(lake)));
    let texts = |name: &str| {
        all.column_by_name(name)
            .expect("a column")
            .as_string::<i32>()
    };
    let (verdicts, tiers) = (texts("verdict"), ["client_tier", "server_tier"].map(texts));
    let is_flagged = (0..all.num_rows()).map(|row| {
        let is_unassigned = tiers
            .iter()
            .any(|tier| tier.is_valid(row) && tier.value(row) == UNASSIGNED);
        is_unassigned || !["compliant", "unjudged"].contains(&verdicts.value(row))
    });
    let is_flagged: BooleanArray = is_flagged.map(Some).collect();
    let expected = filter_record_batch(&all, &is_flagged).expect("filtered");
    assert!(expected.num_rows() > 100 && expected.num_rows() < all.num_rows() / 2);
    assert!(
        flagged == expected,
        "{} rows, expected {}",
        flagged.num_rows(),
        expected.num_rows()
    );
    all
}
