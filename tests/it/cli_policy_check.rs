//! The lints of `tidegate policy check`: how they are shown, in which formats, with which exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::cli_program::{Ran, run};

/// A policy with a warning (a tier without subnets) and a note (a service that nothing uses).
const LINTED: &str = r#"[policy]
id = "P"

[networks.prod]
cidrs = ["10.0.0.0/16"]

[tiers.audit]

[services]
"größe" = ["tcp/443"]
"#;

const WRONG: &str = "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/33\"]\n";

fn checked(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("linted.toml"), LINTED).expect("a file");
    fs::write(folder.path().join("wrong.toml"), WRONG).expect("a file");
    fs::write(
        folder.path().join("fine.toml"),
        "[policy]\nid = \"P\"\n[networks.n]\ncidrs = [\"10.0.0.0/16\"]\n",
    )
    .expect("a file");
    run(folder.path(), &[&["policy", "check"], arguments].concat())
}

#[test]
fn lints_follow_the_ok_and_change_no_exit_code() {
    let ran = checked(&["linted.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let (first, rest) = ran.stdout.split_once('\n').expect("lines");
    assert!(
        first.starts_with("ok: linted.toml: P with 1 tier"),
        "{first}"
    );
    let expected = "
warning[P012]: tier `audit` has no subnets, so no address is in it
 --> linted.toml:7:8
  |
7 | [tiers.audit]
  |        ^^^^^
  |
  = hint: add [[subnets]] with this tier, or remove it

note[P011]: no rule and no mute names service `größe`
  --> linted.toml:10:1
   |
10 | \"größe\" = [\"tcp/443\"]
   | ^^^^^^^
   |
   = hint: remove it, or name it where it was meant to be

linted.toml: 1 warning and 1 note
";
    assert_eq!(rest, expected);
}

#[test]
fn a_file_without_lints_says_ok_in_one_line() {
    let ran = checked(&["fine.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout.lines().count(), 1);
}

#[test]
fn fail_on_decides_which_lints_fail() {
    for (arguments, code) in [
        (&["linted.toml", "--fail-on", "warning"][..], 1),
        (&["linted.toml", "--fail-on", "note"], 1),
        (&["fine.toml", "--fail-on", "note"], 0),
        (&["linted.toml", "wrong.toml", "--fail-on", "note"], 2),
        (
            &["linted.toml", "--format", "json", "--fail-on", "warning"],
            1,
        ),
        (&["wrong.toml", "--format", "json"], 2),
        (&["nowhere.toml", "--format", "sarif"], 2),
    ] {
        assert_eq!(checked(arguments).code, code, "{arguments:?}");
    }
    checked(&["linted.toml", "--fail-on", "low"]).refused(2, &["invalid value 'low'"]);
}

#[test]
fn dates_are_looked_at_for_the_instant_that_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "{LINTED}\n[[allow]]\nid = \"a\"\nfrom = \"inside\"\nto = \"inside\"\nservice = \"größe\"\nexpires = 2026-03-31\nowner = \"x\"\nticket = \"y\"\n"
    );
    fs::write(folder.path().join("p.toml"), text).expect("a file");
    for (at, code) in [
        ("2026-01-15", "none"),
        ("2026-03-20T12:00:00Z", "P010"),
        ("2026-03-31", "P009"),
        ("2025-12-01", "P008"),
    ] {
        let ran = run(
            folder.path(),
            &["policy", "check", "p.toml", "--at", at, "--format", "json"],
        );
        let list: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let codes: Vec<&str> = list
            .as_array()
            .expect("a list")
            .iter()
            .filter(|lint| lint["line"] == 17)
            .filter_map(|lint| lint["code"].as_str())
            .collect();
        let expected: Vec<&str> = [code].into_iter().filter(|code| *code != "none").collect();
        assert_eq!(codes, expected, "{at}");
    }
}

#[test]
fn json_has_errors_and_lints_with_their_places() {
    let ran = checked(&["linted.toml", "wrong.toml", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    let list: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let expected = serde_json::json!([
        {
            "code": "P012", "name": "empty-tier", "level": "warning",
            "message": "tier `audit` has no subnets, so no address is in it",
            "file": "linted.toml", "line": 7, "column": 8,
            "hint": "add [[subnets]] with this tier, or remove it",
        },
        {
            "code": "P011", "name": "unused-name", "level": "note",
            "message": "no rule and no mute names service `größe`",
            "file": "linted.toml", "line": 10, "column": 1,
            "hint": "remove it, or name it where it was meant to be",
        },
        {
            "code": "E000", "name": "error", "level": "error",
            "message": "`10.0.0.0/33` is no prefix: expected a length up to 32",
            "file": "wrong.toml", "line": 4, "column": 10,
            "hint": null,
        },
    ]);
    assert_eq!(list, expected);
    assert_eq!(checked(&["fine.toml", "--format", "json"]).stdout, "[]\n");
}

#[test]
fn json_has_an_error_without_a_place_for_a_file_that_cannot_be_read() {
    let ran = checked(&["nowhere.toml", "fine.toml", "--format", "json"]);
    assert_eq!(ran.code, 2);
    let list: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    let error = &list[0];
    let words = ["code", "name", "level", "file"].map(|field| error[field].as_str());
    let expected = ["E000", "error", "error", "nowhere.toml"].map(Some);
    assert_eq!(words, expected);
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.starts_with("cannot read the policy `nowhere.toml`: "),
        "{message}"
    );
    assert_eq!(
        (&error["line"], &error["column"]),
        (&Value::Null, &Value::Null)
    );
    assert!(!ran.stderr.contains("--policy"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("expected a policy, a TOML file"),
        "{}",
        ran.stderr
    );
}

#[test]
fn sarif_has_a_rule_for_each_lint_and_a_result_at_each_place() {
    let ran = checked(&[
        "linted.toml",
        "wrong.toml",
        "nowhere.toml",
        "--format",
        "sarif",
    ]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("cannot read the policy `nowhere.toml`"),
        "{}",
        ran.stderr
    );
    let log: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let log_run = &log["runs"][0];
    let rules = log_run["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules");
    assert_eq!(rules.len(), tidegate::policy::LINTS.len());
    for rule in rules {
        for text in [&rule["shortDescription"]["text"], &rule["help"]["text"]] {
            assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{rule}");
        }
    }
    let results = log_run["results"].as_array().expect("results");
    let shown: Vec<String> = results
        .iter()
        .map(|result| {
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(result["partialFingerprints"]["tidegateLint/v1"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            let (uri, region) = (&place["artifactLocation"]["uri"], &place["region"]);
            let words = [&result["ruleId"], &result["level"], uri]
                .map(|word| word.as_str().expect("a word"));
            format!(
                "{} {}:{}",
                words.join(" "),
                region["startLine"],
                region["startColumn"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "P012 warning linted.toml 7:8",
            "P011 note linted.toml 10:1",
            "E000 error wrong.toml 4:10"
        ]
    );
    let invocation = &log_run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn pages_are_printed_by_code_or_name() {
    for word in ["P001", "p001", "shadowed-rule"] {
        let ran = checked(&["--explain", word]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert!(
            ran.stdout.starts_with("# P001 shadowed-rule\n"),
            "{}",
            ran.stdout
        );
    }
    checked(&["--explain", "P999"]).refused(2, &["invalid value 'P999'", "P001"]);
    checked(&["--explain", "P001", "fine.toml"]).refused(2, &["cannot be used with"]);
    checked(&[]).refused(2, &["required arguments"]);
}

#[test]
fn every_lint_stands_in_the_reference_with_a_link_to_its_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let reference = fs::read_to_string(docs.join("policy.md")).expect("the policy reference");
    for kind in tidegate::policy::LINTS {
        let row = format!(
            "| `{}` | [{name}](lints/{name}.md) |",
            kind.code,
            name = kind.name
        );
        assert!(reference.contains(&row), "{row}");
    }
    let pages = fs::read_dir(docs.join("lints")).expect("a folder").count();
    assert_eq!(pages, tidegate::policy::LINTS.len());
}

#[test]
fn scan_knows_nothing_of_lints() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.toml"), LINTED).expect("a file");
    fs::write(
        folder.path().join("a.log"),
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n2 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 40 1772000000 1772000060 ACCEPT OK\n",
    )
    .expect("a file");
    let ran = run(folder.path(), &["scan", "a.log", "--policy", "p.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        !ran.stderr.contains("P012") && !ran.stdout.contains("P012"),
        "{}",
        ran.stderr
    );
}
