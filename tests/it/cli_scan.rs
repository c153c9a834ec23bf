//! `tidegate scan` over the sample: reports that agree with each other, exit codes, errors for people.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::cli_program::{Ran, command, run};

const POLICY: &str = "policies/sec-003.toml";
const LOGS: &str = "sample-logs/logs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Scans the sample with further arguments.
fn scan(arguments: &[&str]) -> Ran {
    run(
        root(),
        &[&["scan", LOGS, "--policy", POLICY], arguments].concat(),
    )
}

/// The sample's report, made once.
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let ran = scan(&["--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    serde_json::from_str(&ran.stdout).expect("JSON")
});

fn findings() -> &'static Vec<Value> {
    REPORT["findings"].as_array().expect("findings")
}

/// A folder with a version 2 log of one connection that the sample's policy denies.
fn small_logs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(root().join(POLICY), folder.path().join("p.toml")).expect("a copy");
    let log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id tcp-flags\n\
               3 123456789012 eni-1 10.0.0.50 10.0.64.20 40000 5432 6 3 180 1771999200 1771999230 ACCEPT OK vpc-0a1b2c3d4e5f60718 2\n";
    fs::write(folder.path().join("a.log"), log).expect("a file");
    folder
}

#[test]
fn every_line_of_the_sample_is_accounted_for() {
    let lines = &REPORT["coverage"]["lines"];
    let count = |class: &str| lines[class].as_u64().expect("a number");
    let classes = [
        "blank",
        "headers",
        "records",
        "no_data",
        "skip_data",
        "malformed",
    ];
    assert_eq!(
        count("lines"),
        classes.iter().map(|class| count(class)).sum::<u64>()
    );
    let totals =
        fs::read_to_string(root().join("sample-logs/totals.json")).expect("totals of the sample");
    let totals: Value = serde_json::from_str(&totals).expect("JSON");
    for class in ["lines", "headers", "records", "no_data", "skip_data"] {
        assert_eq!(lines[class], totals[class], "{class}");
    }
    assert_eq!(REPORT["coverage"]["objects"], totals["objects"]);
}

#[test]
fn every_format_has_the_same_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let outputs = ["ndjson", "csv", "sarif", "junit", "text"]
        .map(|format| format!("{format}={}", path(format).display()));
    let arguments: Vec<&str> = outputs
        .iter()
        .flat_map(|output| ["--output", output.as_str()])
        .collect();
    let ran = scan(&[&["--format", "ndjson"], &arguments[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = |name: &str| fs::read_to_string(path(name)).expect("a report");
    assert_eq!(
        ran.stdout,
        read("ndjson"),
        "standard output and a file get the same"
    );
    let ids = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| line["finding_id"].to_string())
            .collect::<Vec<_>>()
    };
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(ids(&lines), ids(findings()));
    assert_eq!(read("csv").lines().count(), 1 + findings().len());
    let sarif: Value = serde_json::from_str(&read("sarif")).expect("JSON");
    assert_eq!(
        sarif["runs"][0]["results"].as_array().map(Vec::len),
        Some(findings().len())
    );
    for finding in findings() {
        let id = finding["finding_id"].as_str().expect("an id");
        for format in ["csv", "sarif", "junit"] {
            assert!(read(format).contains(id), "{id} in {format}");
        }
    }
    assert!(read("text").contains("Coverage"));
}

#[test]
fn findings_are_worst_first_and_lead_to_a_raw_line() {
    let rank = |finding: &Value| {
        let severity = finding["severity"].as_str().expect("a severity");
        ["critical", "high", "medium", "low"]
            .iter()
            .position(|word| *word == severity)
            .expect("no finding is info")
    };
    assert!(findings().iter().map(rank).is_sorted());
    for finding in findings() {
        let source = finding["source"].as_str().expect("a source");
        assert!(root().join(source).is_file(), "{source}");
        assert!(finding["line"].as_u64() >= Some(1));
    }
}

#[test]
fn text_is_a_screen_or_two_without_colour_in_a_pipe() {
    let ran = scan(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains('\u{1b}'));
    let lines = ran.stdout.lines().count();
    assert!((40..=130).contains(&lines), "{lines} lines");
    let order = ["Coverage", "Connections", "Findings:"]
        .map(|title| ran.stdout.find(title).expect("a title"));
    assert!(order.is_sorted());
    insta::assert_snapshot!("sample_text", ran.stdout);
}

#[test]
fn fail_on_counts_what_is_not_known() {
    assert_eq!(scan(&["--fail-on", "critical", "--format", "csv"]).code, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let known = folder.path().join("known.ndjson");
    let output = format!("ndjson={}", known.display());
    assert_eq!(scan(&["--output", &output]).code, 0);
    let known = known.display().to_string();
    let ran = scan(&["--fail-on", "low", "--known", &known, "--format", "json"]);
    assert_eq!(ran.code, 0, "everything is known");
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(
        report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .all(|finding| finding["known"] == true)
    );
    assert_eq!(
        report["known"].as_array().map(Vec::len),
        Some(findings().len())
    );
}

#[test]
fn threads_and_memory_change_nothing() {
    let of = |arguments: &[&str]| scan(&[&["--format", "json"], arguments].concat()).stdout;
    let one = of(&["--threads", "1"]);
    assert_eq!(one, of(&["--threads", "3"]));
    assert_eq!(one, of(&["--threads", "2", "--memory", "64MiB"]));
}

/// Without a lake most connections never become edges, so this compares two ways to the same numbers.
#[test]
fn a_lake_changes_nothing_in_the_report() {
    let place = tempfile::tempdir().expect("a folder");
    let lake = place.path().join("lake");
    let lake = lake.to_str().expect("a path in UTF-8");
    // A lake has detectors look at its days.
    let plain = scan(&["--format", "json", "--detect"]);
    let plain: Value = serde_json::from_str(&plain.stdout).expect("JSON");
    for _first_and_again in 0..2 {
        let ran = scan(&["--format", "json", "--lake", lake]);
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        for part in ["matrix", "noise", "findings", "zones"] {
            assert_eq!(report[part], plain[part], "{part}");
        }
        assert_eq!(report["matrix"], REPORT["matrix"]);
        assert_eq!(report["coverage"], REPORT["coverage"]);
    }
}

/// The address of a scanner is Amazon's, which only the records of the second slot say. Once the first connection was noise
/// without a lake and none with one, and a second run forgot the malformed line.
#[test]
fn what_slots_say_differently_is_told_alike_with_a_lake() {
    let folder = small_logs();
    let fields = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id";
    let row = |start: u32| {
        format!(
            "3 123456789012 eni-1 45.33.32.7 10.0.32.50 40000 161 17 1 60 {start} {} REJECT OK vpc-0a1b2c3d4e5f60718",
            start + 30
        )
    };
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder");
    for (time, log) in [
        ("0600", format!("{fields}\n{}\n", row(1_771_999_200))),
        (
            "0605",
            format!(
                "{fields} pkt-src-aws-service\n{} EC2\nno record\n",
                row(1_771_999_500)
            ),
        ),
    ] {
        let name = format!("123456789012_vpcflowlogs_us-east-2_fl-1_20260225T{time}Z_12345678.log");
        fs::write(logs.join(name), log).expect("a file");
    }
    let report = |more: &[&str]| -> Value {
        let arguments = ["scan", "logs", "--policy", "p.toml", "--format", "json"];
        let ran = run(folder.path(), &[&arguments[..], more].concat());
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let without = report(&[]);
    assert_eq!(
        without["zones"],
        serde_json::json!(["app", "aws:EC2", "internet"])
    );
    let malformed = &without["coverage"]["malformed_samples"];
    assert_eq!(malformed.as_array().map(Vec::len), Some(1));
    for _first_and_again in 0..2 {
        let with = report(&["--lake", "lake"]);
        for part in ["matrix", "noise", "findings", "zones", "coverage"] {
            assert_eq!(with[part], without[part], "{part}");
        }
    }
}

#[test]
fn plan_lists_and_reads_nothing() {
    let ran = scan(&["--plan"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("Plan: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("2026-02-25"), "{}", ran.stdout);
    let plan: Value =
        serde_json::from_str(&scan(&["--plan", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(plan["objects"], REPORT["coverage"]["objects"]);
    assert_eq!(plan["bytes"], REPORT["coverage"]["bytes"]);
}

#[test]
fn what_is_not_there_is_exit_2_and_says_where_it_was_looked_for() {
    let folder = small_logs();
    let check = |arguments: &[&str], words: &[&str]| {
        run(
            folder.path(),
            &[&["scan", "--policy", "p.toml"], arguments].concat(),
        )
        .refused(2, words);
    };
    check(&["nowhere"], &["nowhere"]);
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    check(&["empty"], &["empty"]);
    check(&["*.parquet"], &["*.parquet"]);
    check(
        &["a.log", "--known", "nowhere"],
        &["cannot read the known findings `nowhere`"],
    );
    check(
        &["a.log", "--output", "json=no/where.json"],
        &["no/where.json", "its folder does not exist"],
    );
    run(folder.path(), &["scan", "a.log", "--policy", "q.toml"])
        .refused(2, &["cannot read the policy `q.toml`"]);
    let ran = scan(&["--since", "2030-01-01"]);
    ran.refused(2, &[LOGS]);
}

#[test]
fn unreadable_objects_are_named_and_the_rest_is_judged() {
    let folder = small_logs();
    // A gzip member that ends in its middle.
    fs::write(
        folder.path().join("b.log.gz"),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b",
    )
    .expect("a file");
    let ran = run(
        folder.path(),
        &["scan", ".", "--policy", "p.toml", "--fail-on", "low"],
    );
    assert_eq!(ran.code, 3, "partial goes before findings: {}", ran.stderr);
    assert!(ran.stdout.contains("b.log.gz"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 unreadable"), "{}", ran.stdout);
    let ran = run(
        folder.path(),
        &["scan", ".", "--policy", "p.toml", "--format", "ndjson"],
    );
    assert_eq!(ran.code, 3);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("b.log.gz"), "{}", ran.stderr);
}

#[test]
fn standard_input_is_a_source() {
    let folder = small_logs();
    let log = fs::File::open(folder.path().join("a.log")).expect("a file");
    let output = command(folder.path())
        .args(["scan", "-", "--policy", "p.toml", "--format", "json"])
        .stdin(log)
        .output()
        .expect("the program starts");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["coverage"]["lines"]["records"], 1);
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let folder = small_logs();
    let arguments = [
        "scan",
        "a.log",
        "--policy",
        "p.toml",
        "--output",
        "json=/dev/full",
        "--output",
        "csv=out.csv",
    ];
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.code, 4);
    assert!(
        ran.stderr
            .contains("cannot write the json report `/dev/full`"),
        "{}",
        ran.stderr
    );
    assert!(
        folder.path().join("out.csv").is_file(),
        "the other reports are written"
    );
    assert!(ran.stdout.contains("Coverage"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = small_logs();
    let mut child = command(folder.path())
        .args(["scan", "a.log", "--policy", "p.toml", "--format", "json"])
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("the program ends").code(), Some(0));
}

#[test]
fn a_lake_is_completed_and_belongs_to_one_selection() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("lake").display().to_string();
    let lake = |arguments: &[&str]| -> Value {
        let ran = scan(&[&["--lake", &place, "--format", "json"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert!(
            report["findings"]
                .as_array()
                .is_some_and(|findings| !findings.is_empty())
        );
        report["lake"].clone()
    };
    let check = |arguments: &[&str], written: u64, kept: u64| {
        let summary = lake(arguments);
        assert_eq!(
            (
                summary["hours_written"].as_u64(),
                summary["hours_kept"].as_u64()
            ),
            (Some(written), Some(kept))
        );
    };
    check(&["--until", "2026-02-25T06:00:00Z"], 1, 0);
    check(&[], 1, 1);
    check(&[], 0, 2);
    check(&["--rejudge"], 2, 0);
    let words = [
        "the lake at",
        "holds something else",
        "us-east-2",
        "hint: give another folder",
        "--rejudge",
    ];
    scan(&["--lake", &place, "--regions", "us-east-2"]).refused(2, &words);
}

#[test]
fn objects_that_come_after_their_hour_was_written_are_told_of() {
    let folder = small_logs();
    let day = "logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25";
    fs::create_dir_all(folder.path().join(day)).expect("folders");
    let arrive = |time: &str| {
        let name = format!(
            "123456789012_vpcflowlogs_us-east-2_fl-0a5c1e7b93d2f4680_20260225T{time}Z_ba71d3f4.log"
        );
        fs::copy(
            folder.path().join("a.log"),
            folder.path().join(day).join(name),
        )
        .expect("a copy");
    };
    let run = |arguments: &[&str]| {
        let output = command(folder.path())
            .args(["scan", "logs", "--policy", "p.toml", "--lake", "lake"])
            .args(arguments)
            .output()
            .expect("the program runs");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    arrive("0600");
    assert!(!run(&[]).contains("came or changed"));
    assert!(!run(&[]).contains("came or changed"));
    arrive("0630");
    let told = run(&[]);
    assert!(
        told.contains(
            "objects that came or changed after the lake's hours were written: 1, the first"
        ) && told.contains("--rejudge"),
        "{told}"
    );
    assert!(!run(&["--rejudge"]).contains("came or changed"));
}

#[test]
fn logs_are_text_or_json_on_standard_error() {
    let folder = small_logs();
    let of = |format: &str| {
        let output = command(folder.path())
            .args([
                "scan",
                "a.log",
                "--policy",
                "p.toml",
                "--lake",
                "lake",
                "--log-format",
                format,
            ])
            .env("RUST_LOG", "trace")
            .output()
            .expect("the program starts");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for line in of("json").lines().filter(|line| line.starts_with('{')) {
        let log: Value = serde_json::from_str(line).expect("a log line is JSON");
        assert!(
            log["level"].is_string() && log["timestamp"].is_string(),
            "{line}"
        );
    }
    assert!(!of("text").contains('\u{1b}'));
}
