//! `sample-logs` against `policies/sec-003.toml`: all that was planted is found, nothing else above low, and every line is
//! accounted for. The same for what `generate` writes with another seed, and for the input of the benchmarks.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::cli_program::run;

/// What tells one finding from another: kind, subjects, port, protocol, rule.
type Identity = [String; 6];

#[test]
fn what_was_planted_in_sample_logs_is_found_and_nothing_else_above_low() {
    check(&root().join("sample-logs"));
}

#[test]
fn what_is_planted_with_another_seed_is_found_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let generated = run(
        folder.path(),
        &["generate", "out", "--seed", "20", "--records", "20000"],
    );
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    check(&folder.path().join("out"));
}

#[test]
fn what_is_planted_in_the_input_of_the_benchmarks_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let generated = run(
        folder.path(),
        &[
            "generate",
            "out",
            "--profile",
            "bench",
            "--records",
            "20000",
        ],
    );
    assert_eq!(generated.code, 0, "{}", generated.stderr);
    check(&folder.path().join("out"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Scans what `generate` wrote, and compares with what it says that it wrote.
fn check(folder: &Path) {
    let policy = root().join("policies/sec-003.toml").display().to_string();
    let logs = folder.display().to_string();
    let ran = run(
        folder,
        &["scan", &logs, "--policy", &policy, "--format", "json"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report in JSON");
    let found: BTreeMap<Identity, &Value> = items(&report["findings"])
        .iter()
        .map(|finding| {
            (
                identity(finding, "client_subject", "server_subject"),
                finding,
            )
        })
        .collect();

    let planted = std::fs::read_to_string(folder.join("planted.ndjson")).expect("planted.ndjson");
    let planted: BTreeMap<Identity, Value> = planted
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a planted finding"))
        .map(|finding| (identity(&finding, "client", "server"), finding))
        .collect();
    assert!(!planted.is_empty());
    for (identity, planted) in &planted {
        let Some(found) = found.get(identity) else {
            panic!("not found: {planted}")
        };
        assert_eq!(found["severity"], planted["severity"], "{planted}");
        assert_eq!(found["connections"], planted["connections"], "{planted}");
    }
    for (identity, found) in &found {
        let expected = planted.contains_key(identity) || found["severity"] == "low";
        assert!(expected, "not planted: {found}");
    }

    let totals = std::fs::read_to_string(folder.join("totals.json")).expect("totals.json");
    let totals: Value = serde_json::from_str(&totals).expect("totals in JSON");
    let coverage = &report["coverage"];
    for count in ["lines", "headers", "records", "no_data", "skip_data"] {
        assert_eq!(coverage["lines"][count], totals[count], "{count}");
    }
    assert_eq!(coverage["lines"]["malformed"], 0);
    assert_eq!(coverage["objects"], totals["objects"]);
    let out_of_scope = coverage["unjudged"]["out-of-scope"].as_u64();
    assert_eq!(
        out_of_scope.unwrap_or(0),
        totals["out_of_scope"].as_u64().expect("a number")
    );
}

fn identity(finding: &Value, client: &str, server: &str) -> Identity {
    ["kind", client, server, "server_port", "protocol", "rule"].map(|name| match name {
        // Planted findings about no protocol say 0.
        "protocol" => finding[name].as_u64().unwrap_or(0).to_string(),
        _ => finding[name].to_string(),
    })
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}
