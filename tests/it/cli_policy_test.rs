//! `tidegate policy test`: the tests of a policy, and tests made from what a lake has found.

use std::fs;
use std::path::Path;

use super::cli_program::run;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const FAILING: &str = r#"[policy]
id = "P"
effective = 2026-01-01

[networks.prod]
cidrs = ["10.0.0.0/16"]

[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/19"]

[[subnets]]
tier = "data"
cidrs = ["10.0.64.0/19"]

[[allow]]
id = "app-to-data"
from = "app"
to = "data"
ports = ["tcp/443"]
reason = "searches"

[[allow]]
id = "ended"
from = "data"
to = "app"
owner = "alice"
ticket = "T-1"
expires = 2026-03-31

[[test]]
name = "searches"
flow = "10.0.32.5:41022 -> 10.0.64.20:443 tcp"
expect = "allow"
rule = "app-to-data"

[[test]]
name = "\u001b[31mother\u202e ports <&\" too"
flow = "10.0.32.5:41022 -> 10.0.64.20:80 tcp"
expect = "allow"

[[test]]
name = "ping is denied, but not by a rule of its own"
flow = "10.0.64.20 -> 10.0.32.5 icmp"
at = 2026-04-01
expect = "deny"
rule = "ended"

[[test]]
name = "searches are denied"
flow = "10.0.32.5 -> 10.0.64.20:443 tcp"
expect = "deny"
"#;

#[test]
fn the_tests_of_the_sample_policy_pass() {
    let ran = run(root(), &["policy", "test", "policies/sec-003.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let text = fs::read_to_string(root().join("policies/sec-003.toml")).expect("the policy");
    let number = text.matches("\n[[test]]").count();
    assert_eq!(
        ran.stdout,
        format!("ok: policies/sec-003.toml: {number} tests, {number} passed, 0 failed\n")
    );
}

#[test]
fn a_test_that_fails_is_told_with_its_place_and_the_rule_that_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.toml"), FAILING).expect("a file");
    let ran = run(folder.path(), &["policy", "test", "p.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert_eq!(
        ran.stdout,
        "\
FAILED p.toml:37: \u{fffd}[31mother\u{fffd} ports <&\" too
  flow      10.0.32.5:41022 -> 10.0.64.20:80 tcp, at 2026-01-01T00:00:00Z
  expected  allow
  got       deny by default
  reason    no rule permits it
  lacked    the nearest allow: allowed on tcp/443 only (app-to-data)

FAILED p.toml:42: ping is denied, but not by a rule of its own
  flow      10.0.64.20 -> 10.0.32.5 icmp, at 2026-04-01T00:00:00Z
  expected  deny by ended
  got       deny by default
  reason    no rule permits it
  lacked    the nearest allow: expired on 2026-03-31 (ended)

FAILED p.toml:49: searches are denied
  flow      10.0.32.5 -> 10.0.64.20:443 tcp, at 2026-01-01T00:00:00Z
  expected  deny
  got       allow by app-to-data
  reason    searches

failed: p.toml: 4 tests, 1 passed, 3 failed
"
    );
}

#[test]
fn reports_for_programs_and_for_ci_tell_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.toml"), FAILING).expect("a file");
    let arguments = [
        "policy",
        "test",
        "p.toml",
        "--format",
        "json",
        "--output",
        "junit=p.xml",
        "--output",
        "text=p.txt",
    ];
    let ran = run(folder.path(), &arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (&report["tests"], &report["failed"]),
        (&4.into(), &3.into())
    );
    let file = &report["files"][0];
    assert_eq!(
        (&file["file"], &file["policy_id"]),
        (&"p.toml".into(), &"P".into())
    );
    let test = &file["tests"][2];
    assert_eq!(test["line"], 42);
    assert_eq!(test["passed"], false);
    assert_eq!(test["at"], "2026-04-01T00:00:00Z");
    assert_eq!(test["expected"]["rule"], "ended");
    assert_eq!(test["got"]["decision"], "deny");
    assert_eq!(test["got"]["rule"], "default");
    assert_eq!(test["lacked"], "expired on 2026-03-31 (ended)");

    let text = fs::read_to_string(folder.path().join("p.txt")).expect("the text report");
    assert_eq!(
        text,
        run(folder.path(), &["policy", "test", "p.toml"]).stdout
    );

    let document = fs::read_to_string(folder.path().join("p.xml")).expect("the JUnit report");
    assert_eq!(elements(&document, b"testcase"), 4);
    assert_eq!(elements(&document, b"failure"), 3);
    assert!(
        document.contains("<testsuite name=\"p.toml\" tests=\"4\" failures=\"3\" errors=\"0\""),
        "{document}"
    );
    assert!(
        document.contains("message=\"expected deny by ended, got deny by default\""),
        "{document}"
    );
    assert!(document.contains("p.toml:42\n"), "{document}");
}

/// Elements of this name, by a parser that knows nothing of the writer.
fn elements(document: &str, name: &[u8]) -> usize {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(document);
    let mut number = 0;
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(element) | Event::Empty(element) => {
                number += usize::from(element.name().as_ref() == name);
            }
            Event::Eof => return number,
            _ => {}
        }
    }
}

#[test]
fn every_file_is_tested_whatever_is_wrong_with_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let without_tests = FAILING.split("[[test]]").next().expect("a head");
    fs::write(place("none.toml"), without_tests).expect("a file");
    fs::write(place("fails.toml"), FAILING).expect("a file");
    fs::write(place("broken.toml"), "[policy]\n").expect("a file");
    let files = ["policy", "test", "broken.toml", "none.toml", "fails.toml"];
    let ran = run(
        folder.path(),
        &[&files[..], &["--output", "junit=p.xml"]].concat(),
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.stdout.contains("ok: none.toml: 0 tests"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("failed: fails.toml: 4 tests"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("broken.toml: "), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("warning: none.toml has no [[test]] to run"),
        "{}",
        ran.stderr
    );
    let document = fs::read_to_string(place("p.xml")).expect("the JUnit report");
    assert_eq!(elements(&document, b"testsuite"), 3);
    assert_eq!(elements(&document, b"error"), 1);

    let ran = run(folder.path(), &["policy", "test", "none.toml"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "ok: none.toml: 0 tests, 0 passed, 0 failed\n")
    );
}

#[test]
fn wrong_usage_is_refused_with_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.toml"), FAILING).expect("a file");
    let refused = |arguments: &[&str], words: &[&str]| {
        let arguments = [&["policy", "test", "p.toml"], arguments].concat();
        run(folder.path(), &arguments).refused(2, words);
    };
    refused(
        &["--output", "sarif=a"],
        &["expected one of text, json, junit before the `=`"],
    );
    refused(&["--format", "junit"], &["invalid value 'junit'"]);
    refused(&["--since", "7d"], &["--from-findings"]);
    refused(
        &["--from-findings", "lake", "--output", "json=a"],
        &["cannot be used with"],
    );
    refused(
        &["p.toml", "--from-findings", "lake"],
        &["expected one policy file", "got 2"],
    );
    refused(&["--from-findings", "nowhere"], &["nowhere"]);
    let ran = run(
        folder.path(),
        &[
            "policy",
            "test",
            "p.toml",
            "--output",
            "json=no/such/folder",
        ],
    );
    assert_eq!(ran.code, 4);
    assert!(
        ran.stderr.contains("cannot write the json report"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("failed: p.toml"), "{}", ran.stdout);
}

#[test]
fn tests_made_from_findings_pass_under_the_policy_that_made_these() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    fs::copy(root().join("policies/sec-003.toml"), place("p.toml")).expect("a copy");
    let logs = root().join("sample-logs/logs");
    let logs = logs.to_str().expect("a path in UTF-8");
    let scanned = run(
        folder.path(),
        &["scan", logs, "--policy", "p.toml", "--lake", "lake"],
    );
    assert_eq!(scanned.code, 0, "{}", scanned.stderr);
    let make = ["policy", "test", "p.toml", "--from-findings", "lake"];
    let made = run(folder.path(), &make);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(run(folder.path(), &make).stdout, made.stdout);
    let number = made.stdout.matches("[[test]]").count();
    assert!(number > 10, "{}", made.stdout);
    // Of the sample's findings some were told by service fields and paths.
    assert!(
        made.stderr.contains("a test knows addresses only"),
        "{}",
        made.stderr
    );

    let policy = fs::read_to_string(place("p.toml")).expect("the policy");
    let without_tests = policy.split("[[test]]").next().expect("a head");
    fs::write(
        place("more.toml"),
        format!("{without_tests}\n{}", made.stdout),
    )
    .expect("a file");
    let ran = run(folder.path(), &["policy", "test", "more.toml"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            0,
            &*format!("ok: more.toml: {number} tests, {number} passed, 0 failed\n")
        )
    );

    // The sample is of 2026-02-25, from 05:00 to 07:00.
    let between = |since: &str, until: &str| {
        let time = ["--since", since, "--until", until];
        run(folder.path(), &[&make[..], &time].concat())
    };
    let whole = between("2026-02-25", "2026-02-26");
    assert_eq!(whole.stdout, made.stdout);
    between("2026-02-20", "2026-02-21").refused(2, &["holds no hour of that time"]);
    let early = between("2026-02-25T00:00:00Z", "2026-02-25T05:30:00Z");
    let early_number = early.stdout.matches("[[test]]").count();
    assert!(
        (1..number).contains(&early_number),
        "{early_number} of {number}"
    );

    fs::write(
        place("other.toml"),
        policy
            .replace("id = \"time\"", "id = \"clock\"")
            .replace("rule = \"time\"", "rule = \"clock\""),
    )
    .expect("a file");
    run(
        folder.path(),
        &["policy", "test", "other.toml", "--from-findings", "lake"],
    )
    .refused(2, &["judged by another policy", "scan --rejudge"]);
}
