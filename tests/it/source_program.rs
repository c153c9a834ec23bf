//! The program reads from a bucket, from a folder and from standard input, and says what it could not read.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use walkdir::WalkDir;

use crate::cli_program::{Ran, command};
use crate::s3_server::{Fault, Op, S3Server};

const POLICY: &str = "policies/sec-003.toml";
const SAMPLE: &str = "sample-logs/logs";

/// A server whose bucket `logs` holds the sample, and its keys.
fn sample_server() -> (S3Server, Vec<String>) {
    let server = S3Server::start();
    let mut keys = Vec::new();
    for entry in WalkDir::new(root().join(SAMPLE)).sort_by_file_name() {
        let entry = entry.expect("the sample can be read");
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(root().join(SAMPLE));
            let key = below
                .expect("below the sample")
                .to_str()
                .expect("UTF-8")
                .to_owned();
            server.put("logs", &key, std::fs::read(entry.path()).expect("a file"));
            keys.push(key);
        }
    }
    (server, keys)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scan(source: &str, server: Option<&S3Server>, more: &[&str], input: Stdio) -> Ran {
    let mut command = command(root());
    command
        .args(["scan", source, "--policy", POLICY])
        .args(more);
    command.envs(server.map(S3Server::env).unwrap_or_default());
    let output = command.stdin(input).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ran {
        code: output.status.code().expect("the program ends by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn report(source: &str, server: Option<&S3Server>) -> (i32, Value) {
    let ran = scan(source, server, &["--format", "json"], Stdio::null());
    let report = serde_json::from_str(&ran.stdout);
    (
        ran.code,
        report.unwrap_or_else(|error| panic!("{error}: {}", ran.stderr)),
    )
}

#[test]
fn a_bucket_says_what_a_folder_says() {
    let (server, keys) = sample_server();
    server.page_size(5);
    server.fail(Op::List, "", 1, Fault::slow_down());
    for (index, key) in keys.iter().enumerate().step_by(40) {
        let fault = if index % 80 == 0 {
            Fault::Truncate(1000)
        } else {
            Fault::slow_down()
        };
        server.fail(Op::Get, key, 1, fault);
    }
    let (code, from_bucket) = report("s3://logs", Some(&server));
    assert_eq!(code, 0);
    let (_, from_folder) = report(SAMPLE, None);
    let as_folder = from_bucket
        .to_string()
        .replace("s3://logs/", &format!("{SAMPLE}/"));
    assert_eq!(as_folder, from_folder.to_string());
    assert!(server.log_of(Op::List).len() > 20);
    let resumed = server
        .log()
        .iter()
        .filter(|request| request.to_string().contains(" range="))
        .count();
    assert!(resumed > 0);
}

#[test]
fn objects_that_cannot_be_read_are_named_and_the_rest_is_judged() {
    let (server, keys) = sample_server();
    let [denied, encrypted, gone] = [&keys[3], &keys[10], &keys[20]];
    // What holds judged records is read twice; nothing of these is, so they fail at most twice.
    server.fail(Op::Get, denied, 2, Fault::access_denied());
    server.fail(Op::Get, encrypted, 2, Fault::key_denied());
    server.fail(Op::Get, gone, 2, Fault::Vanish);
    let (code, report) = report("s3://logs", Some(&server));
    assert_eq!(code, 3);
    let named = report["coverage"]["unreadable"].to_string();
    for (key, reason) in [
        (denied, "access denied"),
        (encrypted, "kms:Decrypt"),
        (gone, "deleted since it was listed"),
    ] {
        assert!(named.contains(&format!("s3://logs/{key}")), "{named}");
        assert!(named.contains(reason), "{named}");
    }
    assert_eq!(report["coverage"]["objects"], keys.len() - 3);
}

#[test]
fn records_take_no_second_request_while_objects_have_room() {
    let (server, keys) = sample_server();
    let lake = tempfile::tempdir().expect("a folder");
    let lake = lake.path().to_str().expect("UTF-8");
    let more = ["--lake", lake, "--format", "json"];
    let ran = scan("s3://logs", Some(&server), &more, Stdio::null());
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    assert!(
        report["lake"]["rows"]["records"].as_u64() > Some(0),
        "{report}"
    );
    let requests = server.log_of(Op::Get);
    for key in keys {
        let of_key = requests.iter().filter(|request| request.contains(&key));
        assert_eq!(of_key.count(), 1, "{key}: {requests:?}");
    }
}

#[test]
fn objects_that_cannot_be_read_a_second_time_are_told_of() {
    let (server, mut keys) = sample_server();
    // Once as always, then denied. Blank lines make them larger than what is kept of objects under the limit.
    keys.retain(|key| key.ends_with(".log.gz"));
    keys.sort_by_key(|key| server.get("logs", key).map(|object| object.len()));
    for key in &keys[keys.len() - 3..] {
        let packed = server.get("logs", key).expect("an object");
        let mut text = Vec::new();
        let read = MultiGzDecoder::new(&packed[..]).read_to_end(&mut text);
        read.expect("the sample is whole");
        text.resize(text.len() + (9 << 20), b'\n');
        server.put("logs", key, text);
        server.fail(Op::Get, key, 1, Fault::IgnoreRange);
        server.fail(Op::Get, key, 1, Fault::access_denied());
    }
    let lake = tempfile::tempdir().expect("a folder");
    let lake = lake.path().to_str().expect("UTF-8");
    let run = |more: &[&str]| {
        let more = [
            &["--memory", "64MiB", "--lake", lake, "--format", "json"],
            more,
        ]
        .concat();
        let ran = scan("s3://logs", Some(&server), &more, Stdio::null());
        serde_json::from_str::<Value>(&ran.stdout).expect("a report")
    };
    let told = "objects that were judged but could not be read again for `records`";
    let first = run(&[]);
    let warnings = first["warnings"].to_string();
    assert!(
        warnings.contains(told) && warnings.contains("access denied"),
        "{warnings}"
    );
    // What had nothing to be read again for is denied now; after that nothing is.
    run(&["--rejudge"]);
    let again = run(&["--rejudge"]);
    assert!(!again["warnings"].to_string().contains(told));
    let [few, all] = [first, again].map(|report| report["lake"]["rows"]["records"].as_u64());
    assert!(few < all, "{few:?} of {all:?}");
}

#[test]
fn sources_that_cannot_be_listed_end_the_run_with_advice() {
    let server = S3Server::start();
    server.put("logs", "x/a.log", "");
    let check = |source: &str, code: i32, words: &[&str]| {
        scan(source, Some(&server), &[], Stdio::null()).refused(code, words);
    };
    check("s3://nothing/x", 2, &["no such bucket: `nothing`"]);
    check(
        "s3://logs/y",
        2,
        &["begins with `s3://logs/y`", "case-sensitive"],
    );
    check("s3://logs/*", 2, &["s3://logs/*", "--accounts"]);
    check("nowhere/x", 2, &["no such file or folder: `nowhere/x`"]);
    server.fail(Op::List, "denied/", 1, Fault::access_denied());
    check("s3://logs/denied/", 4, &["access denied", "s3:ListBucket"]);
    server.fail(Op::List, "moved/", 1, Fault::elsewhere("eu-west-1"));
    check(
        "s3://logs/moved/",
        2,
        &["eu-west-1", "AWS_REGION=eu-west-1"],
    );
    scan("s3://logs/x", None, &[], Stdio::null())
        .refused(4, &["no usable AWS credentials", "AWS_PROFILE"]);
}

#[test]
fn standard_input_is_an_object() {
    let (_, keys) = sample_server();
    let path = root().join(SAMPLE).join(&keys[0]);
    let file = std::fs::File::open(&path).expect("the sample is there");
    let ran = scan("-", None, &["--format", "json"], file.into());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let from_input: Value = serde_json::from_str(&ran.stdout).expect("a report");
    let (_, from_file) = report(path.to_str().expect("UTF-8"), None);
    assert_eq!(
        from_input["coverage"]["lines"],
        from_file["coverage"]["lines"]
    );
    assert_eq!(from_input["coverage"]["objects"], 1);

    // What nothing came out of must not look like logs without findings.
    let ran = scan("-", None, &[], std::process::Stdio::null());
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("no object holds a line"),
        "{}",
        ran.stderr
    );
}
