//! A lake in other engines: DuckDB, Polars and PyArrow count and sum what the program itself does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli_program::command;

/// Python with what `tests/requirements.txt` names, which `scripts/test` installs.
pub(crate) fn python() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    let target = program.ancestors().nth(2).expect("the target folder");
    let python = target.join("python/bin/python");
    assert!(
        python.exists(),
        "scripts/test installs {}",
        python.display()
    );
    python
}

fn output(command: &mut Command) -> String {
    let ran = command.output().expect("it starts");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {errors}");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

fn tidegate(args: &[&str]) -> String {
    output(command(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args))
}

/// A lake of the sample with all records.
fn lake(dir: &Path) -> String {
    let lake = dir.join("lake").to_string_lossy().into_owned();
    let policy = ["--policy", "policies/sec-003.toml"];
    let args = ["scan", "sample-logs/logs", "--keep", "all", "--lake", &lake];
    tidegate(&[&args[..], &policy].concat());
    lake
}

/// What the program says to a question of `read_lake.py`.
fn told(lake: &str, question: &str) -> Value {
    let [table, number, word] = question.split('.').collect::<Vec<_>>()[..] else {
        panic!("a table, a number, a word: {question}");
    };
    let ask = |text: &str| -> Vec<Vec<Value>> {
        let rows = tidegate(&["sql", "--lake", lake, "--format", "ndjson", "-c", text]);
        let rows = rows.lines().map(|row| {
            let row: BTreeMap<String, Value> = serde_json::from_str(row).expect("JSON");
            row.into_values().collect()
        });
        rows.collect()
    };
    let total = ask(&format!(
        "select count(*) as a, coalesce(sum(\"{number}\"), 0) as b from {table}"
    ));
    let by = ask(&format!(
        "select coalesce(\"{word}\", '') as a, count(*) as b from {table} group by 1 order by 1"
    ));
    json!([total[0][0], total[0][1], by])
}

#[test]
fn other_engines_read_the_same_out_of_a_lake() {
    let dir = tempfile::tempdir().expect("a folder");
    let lake = lake(dir.path());
    let statements = dir.path().join("duckdb.sql");
    let ddl = tidegate(&["sql", "--lake", &lake, "--ddl", "duckdb"]);
    std::fs::write(&statements, ddl).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/read_lake.py");
    let told_by_all = output(
        Command::new(python())
            .arg(script)
            .arg(&lake)
            .arg(&statements),
    );
    let engines: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(&told_by_all).expect("JSON");
    assert_eq!(
        Vec::from_iter(engines.keys()),
        ["duckdb", "polars", "pyarrow"]
    );
    for question in engines["duckdb"].keys() {
        let own = told(&lake, question);
        let rows = own[0].as_i64().expect("a count");
        assert!(rows > 0, "{question} has no rows");
        for (engine, told) in &engines {
            assert_eq!(told[question], own, "{engine}: {question}");
        }
    }
}

#[test]
fn the_query_of_the_readme_says_the_same_in_duckdb() {
    let dir = tempfile::tempdir().expect("a folder");
    let lake = lake(dir.path());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("it is there");
    let block = |fence: &str| {
        let (_, rest) = readme.split_once(fence).expect("the README shows it");
        let (text, _) = rest.split_once("```").expect("the block ends");
        text.trim().trim_end_matches(';').to_owned()
    };
    let (own, theirs) = (block("```sql tidegate\n"), block("```sql duckdb\n"));
    let theirs = theirs.replace("'lake/", &format!("'{lake}/"));
    let program = "import csv, duckdb, sys
csv.writer(sys.stdout, lineterminator='\\n').writerows(duckdb.sql(sys.argv[1]).fetchall())";
    let theirs = output(Command::new(python()).args(["-c", program, &theirs]));
    let own = tidegate(&["sql", "--lake", &lake, "--format", "csv", "-c", &own]);
    let (_names, own) = own.split_once('\n').expect("a line of names");
    assert_eq!(theirs, own);
    assert!(own.lines().count() > 2, "it has rows");
}
