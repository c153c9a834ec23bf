//! The policies that ship: each is whole, keeps its own tests, and traffic that is generated from it is judged as planted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate::policy::{Effect, Policy};

use super::cli_program::run;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let entries = fs::read_dir(folder).expect("the folder of policies");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    assert_eq!(files.len(), 5, "{files:?}");
    files
}

fn read(path: &Path) -> (String, Policy) {
    let text = fs::read_to_string(path).expect("a policy");
    let no_files = |file: &str| Err(std::io::Error::other(format!("no {file} is pinned")));
    let policy = Policy::parse(&path.display().to_string(), &text, &no_files)
        .unwrap_or_else(|errors| panic!("{errors}"));
    (text, policy)
}

#[test]
fn every_policy_that_ships_keeps_its_own_tests() {
    for path in files() {
        let (_, policy) = read(&path);
        let name = path.file_name().expect("a file").to_string_lossy();
        assert!(policy.tests().len() >= 12, "{name}");
        for test in policy.tests() {
            let decision = policy.run_test(test);
            let decided = &policy.rule(decision.rule).id;
            assert_eq!(
                decision.answer, test.expect,
                "{name}: {}: by {decided}",
                test.name
            );
            if let Some(rule) = &test.rule {
                assert_eq!(decided, rule, "{name}: {}", test.name);
            }
        }
        for subject in ["health check", "zone", "failover"] {
            let is_tested = policy
                .tests()
                .iter()
                .any(|test| test.name.contains(subject));
            assert!(is_tested, "{name} has no test about: {subject}");
        }
    }
}

#[test]
fn every_policy_that_ships_says_what_is_left_open_and_why_each_rule_is_there() {
    for path in files() {
        let (text, policy) = read(&path);
        let name = path.file_name().expect("a file").to_string_lossy();
        let head: String = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        assert!(head.contains("leaves open"), "{name}");
        for row in policy.rule_rows() {
            assert!(!row.rule.reason.is_empty(), "{name}: {}", row.rule.id);
        }
    }
}

#[test]
fn traffic_from_every_policy_that_ships_is_judged_as_planted() {
    for path in files() {
        check(&path, &read(&path).1, "7");
    }
}

#[test]
fn traffic_from_the_examples_of_the_reference_is_judged_as_planted() {
    let folder = tempfile::tempdir().expect("a folder");
    let examples = super::policy_docs::whole_examples();
    assert!(examples.len() > 3);
    for (number, text) in examples.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.toml"));
        fs::write(&path, text).expect("a policy");
        check(&path, &read(&path).1, "3");
    }
}

#[test]
fn traffic_from_an_unusual_policy_is_judged_as_planted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/unusual_policy.toml");
    for seed in ["1", "2", "3"] {
        check(&path, &read(&path).1, seed);
    }
}

#[test]
fn the_same_seed_writes_the_same_traffic_and_another_one_other_traffic() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = files()[0].display().to_string();
    let planted = |name: &str, seed: &str| {
        let ran = run(
            folder.path(),
            &["generate", name, "--policy", &policy, "--seed", seed],
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let file = |name: &str| fs::read(folder.path().join(name)).expect("a file");
        (
            file(&format!("{name}/planted.ndjson")),
            file(&format!("{name}/totals.json")),
        )
    };
    let first = planted("a", "7");
    assert_eq!(first, planted("b", "7"));
    assert_ne!(first, planted("c", "8"));
}

#[test]
fn what_no_traffic_can_be_made_for_is_named_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"[policy]
id = "P"

[networks.prod]
vpcs = ["vpc-0a1b2c3d4e5f60718"]
cidrs = ["10.0.0.0/16"]

[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/19"]

[destinations.names]
domains = ["packages.example"]

[[allow]]
id = "by-name"
from = "app"
to = "names"
ports = ["tcp/443"]

[[allow]]
id = "past"
from = "app"
to = "internet"
ports = ["tcp/25"]
expires = 2020-01-01
owner = "alice"
ticket = "SEC-1"

[[allow]]
id = "second-to-the-first"
from = "app"
to = "app"
ports = ["tcp/22"]

[[deny]]
id = "nothing-within"
from = "app"
to = "app"
"#;
    fs::write(folder.path().join("p.toml"), text).expect("a policy");
    let ran = run(folder.path(), &["generate", "out", "--policy", "p.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let expected = [
        "warning: no traffic for the rule `by-name`: it goes by domain names, tags, ids or security groups, which generated traffic does not show",
        "warning: no traffic for the rule `past`: it is not in force at the time of the traffic",
        "warning: no traffic for the rule `second-to-the-first`: nothing that has an end inside is decided by it first",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_policy_goes_with_no_profile_and_has_to_be_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = files()[0].display().to_string();
    let args = ["generate", "out", "--policy", &policy, "--profile", "bench"];
    run(folder.path(), &args).refused(2, &["--policy", "--profile"]);
    run(
        folder.path(),
        &["generate", "out", "--policy", "nowhere.toml"],
    )
    .refused(2, &["cannot read the policy `nowhere.toml`"]);
    assert!(!folder.path().join("out").exists());
}

/// What tells one finding from another, and what is said of it: kind, subjects, port, protocol, rule; severity, connections.
type Said = ([String; 6], [String; 2]);

/// Generates from the policy, scans, and compares; then asks which rules were used.
fn check(path: &Path, policy: &Policy, seed: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let name = path.display().to_string();
    let made = run(
        folder.path(),
        &["generate", "out", "--policy", &name, "--seed", seed],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    let scan = ["scan", "out/logs", "--policy", &name, "--format", "json"];
    let ran = run(folder.path(), &scan);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report in JSON");
    let found: BTreeSet<Said> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| said(finding, "client_subject", "server_subject"))
        .collect();
    let planted = fs::read_to_string(folder.path().join("out/planted.ndjson")).expect("a file");
    let planted: BTreeSet<Said> = planted
        .lines()
        .map(|line| serde_json::from_str(line).expect("a planted finding"))
        .map(|finding: Value| said(&finding, "client", "server"))
        .collect();
    let not_found: Vec<&Said> = planted.difference(&found).collect();
    let not_planted: Vec<&Said> = found.difference(&planted).collect();
    assert!(
        not_found.is_empty() && not_planted.is_empty(),
        "{name}\nplanted and not found: {not_found:#?}\nfound and not planted: {not_planted:#?}"
    );
    assert!(!planted.is_empty(), "{name}");
    assert_eq!(report["coverage"]["lines"]["malformed"], 0, "{name}");

    let used = used_rules(folder.path(), &name);
    for row in policy.rule_rows() {
        let id = &row.rule.id;
        let is_used = used.get(id).is_some_and(|connections| *connections > 0);
        let is_named = made.stderr.contains(&format!("`{id}`"));
        assert!(
            is_used || is_named || row.rule.effect == Effect::Default,
            "{name}: `{id}` is not used, and nobody says why"
        );
        assert!(
            !(is_used && is_named),
            "{name}: `{id}` is used\n{}",
            made.stderr
        );
    }
}

fn said(finding: &Value, client: &str, server: &str) -> Said {
    let identity =
        ["kind", client, server, "server_port", "protocol", "rule"].map(|name| match name {
            // Planted findings about no protocol say 0.
            "protocol" => finding[name].as_u64().unwrap_or(0).to_string(),
            _ => finding[name].to_string(),
        });
    (
        identity,
        ["severity", "connections"].map(|name| finding[name].to_string()),
    )
}

/// How many connections each rule decided, as the curated query says.
fn used_rules(folder: &Path, policy: &str) -> BTreeMap<String, u64> {
    let query = [
        "sql",
        "--logs",
        "out/logs",
        "--policy",
        policy,
        "--format",
        "csv",
        "rules-used",
    ];
    let ran = run(folder, &query);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = ran.stdout.lines().skip(1).map(|line| {
        let mut cells = line.split(',');
        let mut cell = || cells.next().unwrap_or_default().to_owned();
        let (rule, _, connections) = (cell(), cell(), cell());
        (rule, connections.parse().expect("a number"))
    });
    rows.collect()
}
