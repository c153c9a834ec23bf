//! Broken and hostile objects: each is counted or named, the rest is judged, and the exit code says so.

use std::io::{Read, Write};
use std::path::Path;

use serde_json::Value;

use super::cli_program::{Ran, run};

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// A record of the policy's network in the default format.
fn record(port: u32) -> String {
    format!(
        "2 123456789012 eni-0aaaaaaaaaaaaaaa1 10.0.32.5 10.0.64.20 {port} 443 6 10 840 1771995600 1771995660 ACCEPT OK"
    )
}

fn text(records: u32) -> Vec<u8> {
    let mut lines = vec![HEADER.to_owned()];
    lines.extend((0..records).map(|number| record(40_000 + number)));
    lines.join("\n").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("written to memory");
    encoder.finish().expect("written to memory")
}

/// Scans a folder that holds a good object of 10 records and the given one; the exit code and the report.
fn scan(name: &str, object: &[u8]) -> (i32, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("logs")).expect("a folder");
    std::fs::write(folder.path().join("logs/good.log"), text(10)).expect("written");
    std::fs::write(folder.path().join("logs").join(name), object).expect("written");
    let policy = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("policies/sec-003.toml")
        .display()
        .to_string();
    let Ran {
        code,
        stdout,
        stderr,
    } = run(
        folder.path(),
        &["scan", "logs", "--policy", &policy, "--format", "json"],
    );
    let report: Value =
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
    let lines = &report["coverage"]["lines"];
    let number = |name: &str| lines[name].as_u64().expect("a number");
    let parts = [
        "blank",
        "headers",
        "records",
        "no_data",
        "skip_data",
        "malformed",
    ];
    assert_eq!(
        number("lines"),
        parts.iter().map(|part| number(part)).sum::<u64>(),
        "{lines}"
    );
    (code, report)
}

/// The object is named as unreadable with such a reason, and nothing of it counts.
fn check_unreadable(name: &str, object: &[u8], reason: &str) {
    let (code, report) = scan(name, object);
    assert_eq!(code, 3, "{name}");
    let unreadable = report["coverage"]["unreadable"].to_string();
    assert!(
        unreadable.contains(name) && unreadable.contains(reason),
        "{name}: {unreadable}"
    );
    assert_eq!(
        report["coverage"]["lines"]["records"], 10,
        "{name}: only the good object counts"
    );
}

/// The object counts, with so many records and malformed lines.
fn check_counted(name: &str, object: &[u8], records: u64, malformed: u64) {
    let (code, report) = scan(name, object);
    assert_eq!(code, 0, "{name}: {}", report["coverage"]);
    assert_eq!(
        report["coverage"]["lines"]["records"],
        10 + records,
        "{name}"
    );
    assert_eq!(
        report["coverage"]["lines"]["malformed"], malformed,
        "{name}"
    );
}

#[test]
fn truncated_gzip_is_unreadable() {
    let mut object = gzip(&text(1000));
    object.truncate(object.len() / 2);
    check_unreadable("cut.log.gz", &object, "gzip");
}

#[test]
fn gzip_with_a_wrong_checksum_is_unreadable() {
    let mut object = gzip(&text(1000));
    let place = object.len() - 6;
    object[place] ^= 0xff;
    check_unreadable("crc.log.gz", &object, "gzip");
}

/// Once the scan panicked: the part of the slot had notes but no connection when the broken object was taken back.
#[test]
fn an_object_that_breaks_before_its_first_record_harms_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder
        .path()
        .join("logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25");
    std::fs::create_dir_all(&logs).expect("a folder");
    let foreign = String::from_utf8(text(5)).expect("UTF-8");
    let foreign = foreign.replace("123456789012", "999999999999");
    let mut broken = gzip(&text(0));
    let checksum = broken.len() - 8;
    broken[checksum] ^= 1;
    for (number, object) in [gzip(foreign.as_bytes()), broken, gzip(&text(10))]
        .iter()
        .enumerate()
    {
        let name = format!(
            "123456789012_vpcflowlogs_us-east-2_fl-0a1b2c3d4e5f60718_20260225T0500Z_0000000{number}.log.gz"
        );
        std::fs::write(logs.join(name), object).expect("written");
    }
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml");
    let policy = policy.display().to_string();
    let more = ["--threads", "1", "--format", "json"];
    let scan = [&["scan", "logs", "--policy", &policy][..], &more].concat();
    let ran = run(folder.path(), &scan);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    assert_eq!(report["coverage"]["lines"]["records"], 15);
    assert!(
        report["coverage"]["unreadable"]
            .to_string()
            .contains("wrong checksum")
    );
}

#[test]
fn a_gzip_bomb_is_unreadable() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(b'a').take(64 << 20), &mut encoder).expect("in memory");
    let object = encoder.finish().expect("in memory");
    check_unreadable("bomb.log.gz", &object, "after decompression");
}

#[test]
fn a_line_of_100_megabytes_is_one_malformed_line() {
    let mut object = text(5);
    object.push(b'\n');
    object.resize(object.len() + (100 << 20), b'x');
    object.push(b'\n');
    object.extend_from_slice(record(1).as_bytes());
    check_counted("long.log", &object, 6, 1);
}

#[test]
fn nul_bytes_and_invalid_utf8_are_malformed_lines_or_text() {
    let mut object = text(3);
    object.extend_from_slice(b"\n\0\0\0 \0\n\xff\xfe \xff\n");
    object.extend_from_slice(
        record(1)
            .replace("eni-0aaaaaaaaaaaaaaa1", "eni-X")
            .as_bytes(),
    );
    let place = object.len() - 40;
    assert!(object[place..].is_ascii());
    check_counted("nul.log", &object, 4, 2);
}

#[test]
fn an_object_of_nothing_but_malformed_lines_is_named() {
    let object = format!("{HEADER}\nnot a record\nnor this\n");
    let (code, report) = scan("prose.log", object.as_bytes());
    assert_eq!(code, 3);
    assert!(
        report["coverage"]["unreadable"]
            .to_string()
            .contains("prose.log")
    );
    assert_eq!(report["coverage"]["lines"]["malformed"], 2);
}

#[test]
fn parquet_that_lies_about_its_footer_is_unreadable() {
    for footer in [u32::MAX, 1 << 30, 8, 0] {
        let mut object = b"PAR1".to_vec();
        object.extend_from_slice(&[7; 1000]);
        object.extend_from_slice(&footer.to_le_bytes());
        object.extend_from_slice(b"PAR1");
        check_unreadable("lie.log.parquet", &object, "arquet");
    }
}

#[test]
fn an_empty_object_and_one_with_a_header_only_count_as_they_are() {
    check_counted("empty.log", b"", 0, 0);
    check_counted("header.log", HEADER.as_bytes(), 0, 0);
    check_counted("empty.log.gz", &gzip(b""), 0, 0);
}
