//! `watch`: it leaves the lake that a scan leaves and announces what a scan finds, through crashes, whatever the order in
//! which objects come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tidegate::generate::{Layouts, Options, generate};

use crate::interop::python;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");

/// Logs of some hours, in `logs` of a folder.
pub(crate) fn logs(seed: u64, records: u64, slots: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed,
        records,
        slots,
        layouts: Layouts::Mixed,
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    folder
}

pub(crate) fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml")
}

/// What `scan` makes of a source: a lake `scanned` in a folder, and the ids of its findings by whether they are muted.
pub(crate) fn scanned(
    folder: &Path,
    source: &str,
    env: impl Fn(&mut Command),
) -> BTreeMap<String, bool> {
    let mut command = Command::new(BINARY);
    env(&mut command);
    command.current_dir(folder);
    command.args([
        "scan", source, "--lake", "scanned", "--format", "ndjson", "--policy",
    ]);
    let ran = command.arg(policy()).output().expect("the program runs");
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let findings = text.lines().map(|line| {
        let finding: Value = serde_json::from_str(line).expect("JSON");
        let id = finding["finding_id"].as_str().expect("an id").to_owned();
        (id, finding["muted"].as_bool().expect("a word"))
    });
    findings.collect()
}

/// A watch over the logs of a folder that ends when it has judged what is there; alerts go to `alerts` in the folder.
pub(crate) fn until_idle(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder);
    command.args([
        "watch",
        "logs",
        "--state",
        "state",
        "--lake",
        "watched",
        "--until-idle",
    ]);
    command
        .args(["--alert", "file:alerts", "--policy"])
        .arg(policy());
    command
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A program that goes on, and ends with this whatever becomes of the test.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn ends_well(mut command: Command) {
    let ran = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{command:?}: {errors}");
}

/// The alerts in a file: each as often as it was sent.
pub(crate) fn alerts(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let alerts = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("an alert"));
    alerts.collect()
}

/// That alerts are what their schema promises.
pub(crate) fn assert_conform(alerts: &[Value]) {
    assert_valid(
        alerts,
        &["tests/interop/validate_alerts.py", "schemas/alert.json"],
    );
}

/// That alerts are what a script of the tests takes them for.
pub(crate) fn assert_valid(alerts: &[Value], script: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.args(script.iter().map(|name| root.join(name)));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut input = child.stdin.take().expect("a pipe");
    for alert in alerts {
        writeln!(input, "{alert}").expect("it is read");
    }
    drop(input);
    let ran = child.wait_with_output().expect("it ends");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

/// The findings that alerts are about.
pub(crate) fn announced(alerts: &[Value]) -> BTreeSet<String> {
    let ids = alerts
        .iter()
        .map(|alert| alert["finding_id"].as_str().expect("an id"));
    ids.map(str::to_owned).collect()
}

pub(crate) fn not_muted(findings: &BTreeMap<String, bool>) -> BTreeSet<String> {
    let open = findings.iter().filter(|(_, muted)| !**muted);
    open.map(|(id, _)| id.clone()).collect()
}

/// Every file of a folder by its name, but for `lake.json`, which says how a lake was asked for.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let found = walkdir::WalkDir::new(folder).into_iter();
    let found = found.map(|entry| entry.expect("a readable folder"));
    let files =
        found.filter(|entry| entry.file_type().is_file() && entry.file_name() != "lake.json");
    let files = files.map(|entry| {
        let name = entry.path().strip_prefix(folder).expect("below");
        let bytes = fs::read(entry.path()).expect("a readable file");
        (name.display().to_string(), bytes)
    });
    files.collect()
}

pub(crate) fn assert_same_lake(folder: &Path, one: &str, other: &str) {
    assert_same_files(&files(&folder.join(one)), &files(&folder.join(other)));
}

fn assert_same_files(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "the same files");
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

/// That lakes that were asked for in other words hold the same edges, records and malformed lines.
pub(crate) fn assert_same_tables(folder: &Path, one: &str, other: &str) {
    let tables = |lake: &str| -> BTreeMap<String, Vec<u8>> {
        let files = files(&folder.join(lake)).into_iter();
        let counts = ["edges/", "records/", "quarantine/"];
        let tables = files.filter(|(name, _)| counts.iter().any(|table| name.starts_with(table)));
        tables.collect()
    };
    assert_same_files(&tables(one), &tables(other));
}

/// Every object of a folder's logs, moved aside, to come later: its name below `logs`.
fn held_back(folder: &Path) -> Vec<PathBuf> {
    fs::rename(folder.join("logs"), folder.join("later")).expect("moved");
    fs::create_dir(folder.join("logs")).expect("made");
    let found = walkdir::WalkDir::new(folder.join("later")).sort_by_file_name();
    let found = found.into_iter().map(|entry| entry.expect("readable"));
    let files = found.filter(|entry| entry.file_type().is_file());
    let later = folder.join("later");
    let names = files.map(|entry| entry.path().strip_prefix(&later).expect("below").to_owned());
    names.collect()
}

fn comes(folder: &Path, name: &Path) {
    let to = folder.join("logs").join(name);
    fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    fs::rename(folder.join("later").join(name), to).expect("it comes");
}

#[test]
fn a_watch_leaves_the_lake_and_announces_the_findings_of_a_scan() {
    let folder = logs(5, 15_000, 30);
    let findings = scanned(folder.path(), "logs", |_| ());
    ends_well(until_idle(folder.path(), &[]));
    assert_same_lake(folder.path(), "scanned", "watched");
    let sent = alerts(&folder.path().join("alerts"));
    assert_eq!(announced(&sent), not_muted(&findings));
    assert_eq!(sent.len(), not_muted(&findings).len(), "each once");
    assert_conform(&sent);
    // There is nothing more to say.
    ends_well(until_idle(folder.path(), &[]));
    assert_eq!(alerts(&folder.path().join("alerts")).len(), sent.len());
    assert_same_lake(folder.path(), "scanned", "watched");
}

#[test]
fn objects_in_any_order_and_late_ones_leave_the_same_lake() {
    let folder = logs(7, 12_000, 26);
    let findings = scanned(folder.path(), "logs", |_| ());
    let mut names = held_back(folder.path());
    names.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    for some in names.chunks(names.len().div_ceil(4)) {
        some.iter().for_each(|name| comes(folder.path(), name));
        ends_well(until_idle(folder.path(), &[]));
    }
    assert_same_lake(folder.path(), "scanned", "watched");
    let sent = announced(&alerts(&folder.path().join("alerts")));
    let missing: Vec<_> = not_muted(&findings).difference(&sent).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// How often a watch is killed; `TIDEGATE_KILLS` for more.
fn kills() -> u64 {
    let asked = std::env::var("TIDEGATE_KILLS").ok();
    asked.and_then(|kills| kills.parse().ok()).unwrap_or(25)
}

#[test]
fn a_watch_that_is_killed_again_and_again_repeats_and_loses_nothing() {
    let folder = logs(9, 12_000, 26);
    let findings = scanned(folder.path(), "logs", |_| ());
    let names = held_back(folder.path());
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let kills = kills();
    let mut names = names.iter();
    let each = names.len().div_ceil(kills as usize);
    for _ in 0..kills {
        names
            .by_ref()
            .take(each)
            .for_each(|name| comes(folder.path(), name));
        let mut child = until_idle(folder.path(), &[])
            .spawn()
            .expect("the program runs");
        // A run takes about a second here; wherever it is then, it must do.
        std::thread::sleep(Duration::from_millis(dice.random_range(5..700)));
        kill(&mut child);
    }
    ends_well(until_idle(folder.path(), &[]));
    assert_same_lake(folder.path(), "scanned", "watched");
    let sent = alerts(&folder.path().join("alerts"));
    let missing: Vec<_> = not_muted(&findings)
        .difference(&announced(&sent))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    // One that was sent twice is the same one.
    let mut by_id: BTreeMap<String, &Value> = BTreeMap::new();
    for alert in &sent {
        let id = alert["alert_id"].as_str().expect("an id").to_owned();
        let known = *by_id.entry(id).or_insert(alert);
        assert_eq!(known, alert);
    }
}

fn kill(child: &mut Child) {
    child.kill().expect("it is killed, or has ended");
    child.wait().expect("it is our child");
}
