//! A scan by several policies is a scan by each over the days on which it is in force: the same lake, the same findings, every
//! line counted once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate::generate::{Options, generate};
use tidegate::judge::Finding;
use tidegate::sink::{Day, Lake, Store};

use super::cli_program::{ok, run};

const SAMPLE: &str = include_str!("../../policies/sec-003.toml");

/// 2026-02-26T00:00:00Z: the new policy takes effect.
const MIDNIGHT: u32 = 1_772_064_000;

const POLICIES: [&str; 4] = ["--policy", "old.toml", "--policy", "new.toml"];

/// Logs of three hours around midnight, the policy in force before it and the one after, which permits less and has another
/// map.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed: 7,
        records: 12_000,
        start: MIDNIGHT - 18 * 300,
        slots: 36,
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    let permit = "id = \"etl-to-vector-service\"\nfrom = \"etl\"\nto = \"vector-service\"\nservice = \"https\"\n";
    let other = permit.replace("service = \"https\"", "ports = [\"tcp/1\"]");
    let effective = "effective = 2025-11-15";
    assert!(SAMPLE.contains(permit) && SAMPLE.contains(effective));
    let new = SAMPLE
        .replace(permit, &other)
        .replace(effective, "effective = 2026-02-26")
        .replace("[[subnets]]\n", "[[subnets]]\nnetwork = \"prod\"\n");
    // Networks are numbered by name: the first one now comes after the other.
    let annex = "\n[networks.annex]\nvpcs = [\"vpc-9\"]\ncidrs = [\"10.77.0.0/16\"]\n";
    fs::write(folder.path().join("old.toml"), SAMPLE).expect("written");
    fs::write(folder.path().join("new.toml"), new + annex).expect("written");
    folder
}

fn scan(folder: &Path, sources: &[&str], lake: &str, more: &[&str]) {
    let kept = ["--lake", lake, "--keep", "all"];
    ok(folder, &[&["scan"], sources, &kept, more].concat());
}

fn report(folder: &Path, sources: &[&str], more: &[&str]) -> Value {
    let format = ["--format", "json"];
    let ran = ok(folder, &[&["scan"], sources, &format, more].concat());
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// The files of some tables of lakes, which do not say what the lake was asked for.
fn files(folder: &Path, lakes: &[&str], tables: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (lake, table) in lakes
        .iter()
        .flat_map(|lake| tables.iter().map(move |table| (lake, table)))
    {
        let lake = folder.join(lake);
        for entry in walkdir::WalkDir::new(lake.join(table)) {
            let entry = entry.expect("a readable lake");
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(&lake).expect("below the lake");
                let bytes = fs::read(entry.path()).expect("a readable file");
                let known = files.insert(name.display().to_string(), bytes);
                assert!(known.is_none(), "two lakes have {}", name.display());
            }
        }
    }
    files
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

fn findings(folder: &Path, lake: &str, day: u32) -> Vec<Finding> {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let url = folder.join(lake).display().to_string();
    let store = Store::open(&url, runtime.handle()).expect("a store");
    let lake = Lake::read(store, folder).expect("a lake");
    lake.read_findings(Day::of(day)).expect("findings")
}

const JUDGED: [&str; 2] = ["edges", "records"];
const BEFORE: [&str; 4] = ["--policy", "old.toml", "--until", "2026-02-26"];
const AFTER: [&str; 4] = ["--policy", "new.toml", "--since", "2026-02-26"];

#[test]
fn each_policy_judges_its_days_as_if_it_were_alone() {
    let folder = prepared();
    let folder = folder.path();
    scan(folder, &["logs"], "both", &POLICIES);
    scan(folder, &["logs"], "old", &BEFORE);
    scan(folder, &["logs"], "new", &AFTER);
    let both = files(folder, &["both"], &JUDGED);
    assert_same(&both, &files(folder, &["old", "new"], &JUDGED));
    for (lake, day) in [("old", MIDNIGHT - 1), ("new", MIDNIGHT)] {
        let found = findings(folder, "both", day);
        assert!(!found.is_empty());
        assert_eq!(found, findings(folder, lake, day));
    }
    // They do not agree about each other's days.
    scan(folder, &["logs"], "only-new", &["--policy", "new.toml"]);
    scan(folder, &["logs"], "only-old", &["--policy", "old.toml"]);
    for (other, day) in [("only-new", MIDNIGHT - 1), ("only-old", MIDNIGHT)] {
        assert_ne!(findings(folder, other, day), findings(folder, "both", day));
    }
    // The order of the files and the number of threads mean nothing.
    let turned = [
        "--policy",
        "new.toml",
        "--policy",
        "old.toml",
        "--threads",
        "3",
    ];
    scan(folder, &["logs"], "turned", &turned);
    assert_same(&both, &files(folder, &["turned"], &JUDGED));
    let lake = |name: &str| fs::read_to_string(folder.join(name).join("lake.json")).expect("read");
    assert_eq!(lake("both"), lake("turned"));
}

#[test]
fn the_report_counts_every_line_once_and_names_who_judged() {
    let folder = prepared();
    let folder = folder.path();
    let [both, old, new, whole] = [&POLICIES[..], &BEFORE, &AFTER, &["--policy", "old.toml"]]
        .map(|policies| report(folder, &["logs"], policies));
    assert_eq!(both["coverage"]["lines"], whole["coverage"]["lines"]);
    assert_eq!(both["coverage"]["objects"], whole["coverage"]["objects"]);
    assert_eq!(both["coverage"]["ignored"], whole["coverage"]["ignored"]);
    assert_eq!(
        both["coverage"]["interfaces"],
        whole["coverage"]["interfaces"]
    );
    let cells = |report: &Value| -> BTreeMap<(String, String), u64> {
        let matrix = report["matrix"].as_array().expect("a list").iter();
        let count = |cell: &Value| {
            let verdicts = [
                "compliant",
                "violation",
                "attempted",
                "blocked",
                "overblocked",
                "unproven",
            ];
            verdicts
                .iter()
                .map(|verdict| cell[verdict].as_u64().expect("a number"))
                .sum()
        };
        matrix
            .map(|cell| {
                (
                    (
                        cell["client_zone"].to_string(),
                        cell["server_zone"].to_string(),
                    ),
                    count(cell),
                )
            })
            .collect()
    };
    let mut sum = cells(&old);
    for (zones, count) in cells(&new) {
        *sum.entry(zones).or_default() += count;
    }
    assert_eq!(cells(&both), sum);
    let ids = |report: &Value| -> BTreeMap<String, String> {
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .map(|finding| {
                (
                    finding["finding_id"].to_string(),
                    finding["policy_hash"].to_string(),
                )
            })
            .collect()
    };
    // What both found is the later one's.
    let mut expected = ids(&old);
    expected.extend(ids(&new));
    assert_eq!(ids(&both), expected);
    assert!(ids(&old).len() < expected.len());
    let policies = both["policies"].as_array().expect("both policies");
    let midnight = "2026-02-26T00:00:00Z";
    assert_eq!(policies[0]["hash"], old["policy"]["hash"]);
    assert_eq!(policies[0]["until"], midnight);
    assert_eq!(policies[1]["hash"], new["policy"]["hash"]);
    assert_eq!(policies[1]["from"], midnight);
    assert!(whole["policies"].is_null());
    let text = ok(folder, &[&["scan", "logs"][..], &POLICIES].concat()).stdout;
    assert!(
        text.contains("until 2026-02-26\n") && text.contains("from 2026-02-26\n"),
        "{text}"
    );
}

#[test]
fn objects_without_key_times_are_judged_by_both_and_counted_once() {
    let folder = prepared();
    let folder = folder.path();
    fs::create_dir(folder.join("flat")).expect("a folder");
    let logs = walkdir::WalkDir::new(folder.join("logs")).sort_by_file_name();
    for (number, entry) in logs.into_iter().enumerate() {
        let entry = entry.expect("readable logs");
        if entry.file_type().is_file() {
            let is_parquet = entry.path().extension().is_some_and(|end| end == "parquet");
            let end = if is_parquet { "parquet" } else { "log.gz" };
            let name = folder.join(format!("flat/{number:04}.{end}"));
            fs::copy(entry.path(), name).expect("copied");
        }
    }
    // One that has records of both days, and a line that is none.
    let line = |end: u32| {
        let start = end - 30;
        format!(
            "3 123456789012 eni-1 10.0.0.50 10.0.64.20 40000 5432 6 3 180 {start} {end} ACCEPT OK vpc-0a1b2c3d4e5f60718 2\n"
        )
    };
    let head = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id tcp-flags\n";
    let across = format!("{head}{}{}no record\n", line(MIDNIGHT - 1), line(MIDNIGHT));
    fs::write(folder.join("flat/across.log"), across).expect("written");
    let sources = ["flat"];
    let [both, whole] = [&POLICIES[..], &["--policy", "old.toml"]]
        .map(|policies| report(folder, &sources, policies));
    for count in ["lines", "objects", "bytes", "unreadable", "malformed"] {
        assert_eq!(both["coverage"][count], whole["coverage"][count], "{count}");
    }
    assert_eq!(both["coverage"]["lines"]["malformed"], 1);
    scan(folder, &sources, "both", &POLICIES);
    scan(folder, &sources, "old", &BEFORE);
    scan(folder, &sources, "new", &AFTER);
    let found = files(folder, &["both"], &JUDGED);
    assert!(found.keys().any(|name| name.contains("date=2026-02-26")));
    assert_same(&found, &files(folder, &["old", "new"], &JUDGED));
    // The ledger has each object once, where a single policy has it.
    scan(folder, &sources, "whole", &["--policy", "old.toml"]);
    let ledger = |lake: &str| {
        let question = "select source, count(*) as n, min(lines) as lines from objects group by source order by source";
        ok(
            folder,
            &["sql", "--lake", lake, "--format", "csv", "-c", question],
        )
        .stdout
    };
    assert_eq!(ledger("both"), ledger("whole"));
    // Standard input can be read once only, by whoever comes first.
    let input = fs::read(folder.join("flat/across.log")).expect("read");
    let mut command = super::cli_program::command(folder);
    command
        .args(["scan", "-", "--format", "json"])
        .args(POLICIES);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, &input).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["coverage"]["lines"]["records"], 2);
    let judged = told["coverage"]["orientation"]
        .as_object()
        .expect("evidence")
        .values();
    assert_eq!(
        judged
            .map(|count| count.as_u64().expect("a number"))
            .sum::<u64>(),
        2
    );
}

#[test]
fn a_lake_belongs_to_all_its_policies() {
    let folder = prepared();
    let folder = folder.path();
    scan(folder, &["logs"], "lake", &POLICIES);
    let first = files(
        folder,
        &["lake"],
        &["edges", "records", "findings", "objects"],
    );
    // Again: nothing is judged, and the report is the same.
    let with_lake = [&POLICIES[..], &["--lake", "lake", "--keep", "all"]].concat();
    let again = report(folder, &["logs"], &with_lake);
    assert_eq!(again["lake"]["hours_written"], 0);
    assert_eq!(again["lake"]["hours_kept"], 4);
    let fresh = report(folder, &["logs"], &[&POLICIES[..], &["--detect"]].concat());
    for part in ["matrix", "findings", "policies", "findings_open"] {
        assert_eq!(again[part], fresh[part], "{part}");
    }
    assert_same(
        &first,
        &files(
            folder,
            &["lake"],
            &["edges", "records", "findings", "objects"],
        ),
    );
    scan(
        folder,
        &["logs"],
        "lake",
        &[&POLICIES[..], &["--rejudge"]].concat(),
    );
    assert_same(
        &first,
        &files(
            folder,
            &["lake"],
            &["edges", "records", "findings", "objects"],
        ),
    );
    // Time narrows what is judged, and a policy without a day in it judges nothing.
    scan(
        folder,
        &["logs"],
        "late",
        &[&POLICIES[..], &["--since", "2026-02-26"]].concat(),
    );
    let late: BTreeMap<_, _> = files(folder, &["lake"], &JUDGED)
        .into_iter()
        .filter(|(name, _)| name.contains("date=2026-02-26"))
        .collect();
    assert_same(&late, &files(folder, &["late"], &JUDGED));
    let refused = [
        "scan", "logs", "--policy", "new.toml", "--lake", "lake", "--keep", "all",
    ];
    run(folder, &refused).refused(2, &["policy hash"]);
}

#[test]
fn known_findings_and_the_exit_code_cover_all_days() {
    let folder = prepared();
    let folder = folder.path();
    let arguments = [
        &[
            "scan",
            "logs",
            "--fail-on",
            "low",
            "--output",
            "ndjson=found",
        ][..],
        &POLICIES,
    ]
    .concat();
    assert_eq!(run(folder, &arguments).code, 1);
    let arguments = [
        &["scan", "logs", "--fail-on", "low", "--known", "found"][..],
        &POLICIES,
    ]
    .concat();
    let ran = run(folder, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn queries_judge_and_answer_by_the_policy_of_the_day() {
    let folder = prepared();
    let folder = folder.path();
    scan(folder, &["logs"], "both", &POLICIES);
    let ask = |tables: &[&str], question: &str| {
        let asked = ["-c", question, "--format", "csv"];
        ok(folder, &[&["sql"], tables, &asked, &POLICIES].concat()).stdout
    };
    for question in [
        "select * exclude (policy_id, policy_hash) from findings order by finding_id, first_seen",
        "select policy_hash, count(*) n from findings group by 1 order by 1",
        "select date, hour, verdict, rule, client_tier, server_tier, sum(records) n from edges group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6",
        "select verdict, rule, client_groups, count(*) n from records group by 1, 2, 3 order by 1, 2, 3",
    ] {
        let on_the_fly = ask(&["--logs", "logs"], question);
        assert_eq!(on_the_fly, ask(&["--lake", "both"], question), "{question}");
        assert!(on_the_fly.lines().count() > 2, "{question}: {on_the_fly}");
    }
    let rules = ask(
        &[],
        "select deciding_rule('10.0.33.10', '10.0.34.20', 443, 6, at) as rule, zone('10.77.0.1', at) as place \
         from (values (timestamp '2026-02-25T23:59:59Z'), (timestamp '2026-02-26T00:00:00Z')) as times(at)",
    );
    assert_eq!(
        rules,
        "rule,place\netl-to-vector-service,private\ndefault,unassigned\n"
    );
    let permits = "select count(*) n from policy_rules where rule = 'etl-to-vector-service' and ports = 'tcp/1'";
    assert_eq!(ask(&[], permits), "n\n1\n");
    let undated = ["sql", "-c", "select zone('10.0.64.7')"];
    run(folder, &[&undated[..], &POLICIES].concat())
        .refused(2, &["more than one answer", "zone(addr, at)"]);
}

#[test]
fn policies_whose_days_cannot_be_told_apart_are_refused() {
    let folder = prepared();
    let folder = folder.path();
    let write = |name: &str, effective: &str| {
        let text = SAMPLE.replace("effective = 2025-11-15\n", effective);
        fs::write(folder.join(name), text).expect("written");
    };
    write("none.toml", "");
    write("also-none.toml", "");
    write("noon.toml", "effective = 2026-02-26T12:00:00Z\n");
    let scan = |one: &str, other: &str, more: &[&str]| {
        let arguments = ["scan", "logs", "--policy", one, "--policy", other];
        run(folder, &[&arguments[..], more].concat())
    };
    scan("none.toml", "also-none.toml", &[]).refused(2, &["both lack `effective`", "hint:"]);
    scan("old.toml", "old.toml", &[]).refused(2, &["take effect at the same time", "hint:"]);
    scan("old.toml", "noon.toml", &[])
        .refused(2, &["`noon.toml` takes effect within a day", "hint:"]);
    scan("old.toml", "noon.toml", &["--plan"]).refused(2, &["within a day"]);
    assert_eq!(scan("none.toml", "new.toml", &["--plan"]).code, 0);
    let watch = ["watch", "logs", "--state", "state", "--until-idle"];
    run(folder, &[&watch[..], &POLICIES].concat())
        .refused(2, &["expected one policy, got 2", "hint:"]);
    // What comes before all of them, the earliest judges, and it is told of.
    fs::write(
        folder.join("later.toml"),
        SAMPLE.replace("effective = 2025-11-15", "effective = 2026-03-01"),
    )
    .expect("written");
    let ran = scan("new.toml", "later.toml", &["--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("no policy is in force before 2026-02-26: days from 2026-02-25 on"),
        "{}",
        ran.stderr
    );
}
