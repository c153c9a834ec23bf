//! Curated queries: what each says of the sample, and of logs in which what it looks for was planted.

use std::fs;
use std::path::PathBuf;

use crate::cli_program::run;
use crate::sql::{PLACES, POLICY, lake, root, sql};

/// Values for parameters without a default, and for those that would find nothing in the sample.
fn given(query: &str, param: &tidegate::sql::Param) -> Option<&'static str> {
    Some(match (query, &*param.name) {
        ("before-and-after", "addr") => "addr=10.0.36.5",
        (_, "addr") => "addr=10.0.64.20",
        (_, "at") => "at=2026-02-25T06:00:00Z",
        (_, "list") => "list=198.19.0.0/16, 10.0.250.7",
        (_, "since") if param.default.is_none() => "since=2026-02-25T06:00:00Z",
        (_, "most") => "most=5",
        _ => return None,
    })
}

#[test]
fn every_curated_query_answers_as_before() {
    let queries = tidegate::sql::built_in();
    assert!(queries.len() >= 40, "{} queries", queries.len());
    for query in &queries {
        let mut options = vec![
            "--lake",
            lake(),
            "--policy",
            POLICY,
            "--format",
            "csv",
            &query.name,
        ];
        options.extend(PLACES);
        for value in query
            .params
            .iter()
            .filter_map(|param| given(&query.name, param))
        {
            options.extend(["--param", value]);
        }
        let ran = sql(&options);
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{}", query.name);
        insta::assert_snapshot!(
            format!("query_{}", query.name.replace('-', "_")),
            ran.stdout
        );
    }
}

#[test]
fn every_file_of_queries_is_a_query_of_the_program() {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root().join("queries"))
        .into_iter()
        .map(|entry| entry.expect("it can be read").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let mut known: Vec<PathBuf> = tidegate::sql::built_in()
        .iter()
        .map(|query| {
            root()
                .join("queries")
                .join(&query.theme)
                .join(format!("{}.sql", query.name))
        })
        .collect();
    known.sort();
    assert_eq!(files, known);
    // What the head says of tables is what the text names.
    for query in tidegate::sql::built_in() {
        for table in [
            "records",
            "edges",
            "findings",
            "objects",
            "quarantine",
            "flows",
            "policy_rules",
            "policy_tiers",
            "policy_subnets",
        ] {
            let code: String = query
                .sql
                .lines()
                .filter(|line| !line.starts_with("--"))
                .collect();
            let names = [format!("from {table}"), format!("join {table}")];
            let is_named = names.iter().any(|name| code.contains(name.as_str()));
            let is_told = query.tables.iter().any(|told| told == table);
            assert_eq!(is_named, is_told, "{}: {table}", query.name);
        }
    }
}

#[test]
fn queries_of_ones_own_are_listed_and_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = "-- title: Own\n-- answers: What is mine?\n-- read: One row.\n-- param n int 7: A number.\n-- tables: edges\nselect $n as n from edges limit 1\n";
    fs::write(folder.path().join("mine.sql"), own).expect("written");
    let queries = folder.path().to_str().expect("UTF-8");
    let listed = sql(&["--list", "--queries", queries]).stdout;
    assert!(
        listed.contains("mine") && listed.contains("What is mine?"),
        "{listed}"
    );
    let ran = sql(&[
        "--lake",
        lake(),
        "--queries",
        queries,
        "--format",
        "csv",
        "mine",
        "--param",
        "n=9",
    ]);
    assert_eq!((ran.code, &*ran.stdout), (0, "n\n9\n"), "{}", ran.stderr);
    fs::write(folder.path().join("bad.sql"), "-- titel: x\nselect 1\n").expect("written");
    sql(&["--list", "--queries", queries]).refused(2, &["bad.sql", "line 1", "titel"]);
}

/// Queries that find nothing in the sample.
const PLANTED: [&str; 9] = [
    "beacons",
    "between-regions",
    "bytes-by-group",
    "exceptions",
    "malformed",
    "peering",
    "port-scans",
    "unanswered",
    "unproven",
];

#[test]
fn queries_find_what_is_planted_for_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake").to_string_lossy().into_owned();
    let policy = ["--policy", "tests/queries/policy.toml"];
    let args = [
        "scan",
        "tests/queries/logs",
        "--lake",
        &lake,
        "--keep",
        "all",
    ];
    let ran = run(root(), &[&args[..], &policy].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in PLANTED {
        let ran = sql(&[&["--lake", &lake, "--format", "csv", name], &policy[..]].concat());
        assert_eq!((ran.code, &*ran.stderr), (0, ""), "{name}");
        assert!(ran.stdout.lines().count() > 1, "{name} found nothing");
        let file = format!("planted_{}", name.replace('-', "_"));
        insta::assert_snapshot!(file, ran.stdout);
    }
}
