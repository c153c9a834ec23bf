//! `tidegate generate`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::cli_program::run;

#[test]
fn same_seed_writes_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str, seed: &str| {
        let ran = run(
            folder.path(),
            &["generate", name, "--seed", seed, "--records", "3_000"],
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.starts_with("wrote "), "{}", ran.stdout);
        files(&folder.path().join(name))
    };
    let first = make("a", "7");
    assert!(first.contains_key(Path::new("planted.ndjson")));
    assert!(first.keys().any(|path| path.starts_with("logs/AWSLogs")));
    assert_eq!(first, make("b", "7"));
    assert_ne!(first, make("c", "8"));
}

#[test]
fn logs_that_are_there_are_not_mixed_with_others() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("a folder");
    run(folder.path(), &["generate", "."]).refused(2, &["expected no logs in"]);
}

#[test]
fn a_scenario_writes_a_day_and_what_must_be_found_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["generate", "a", "--records", "3_000", "--scenario"];
    let ran = run(folder.path(), &[&args[..], &["watchlist"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let written = files(&folder.path().join("a"));
    assert!(written.contains_key(Path::new("watchlist.txt")));
    let planted = String::from_utf8_lossy(&written[Path::new("planted.ndjson")]);
    assert_eq!(planted.lines().count(), 1, "{planted}");
    assert!(planted.contains("\"kind\":\"watchlist\""), "{planted}");
}

#[test]
fn a_scenario_needs_a_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["generate", "a", "--scenario", "quiet", "--slots", "24"];
    run(folder.path(), &args).refused(2, &["expected at least 288 slots"]);
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .expect("a path below the folder")
                    .to_owned();
                found.insert(name, fs::read(&path).expect("a readable file"));
            }
        }
    }
    found
}
