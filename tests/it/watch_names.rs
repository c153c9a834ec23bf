//! `watch` by a policy that goes by Resolver logs: they come while it runs, and in the end it says what a scan says.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate::app::stop::Stop;
use tidegate::app::watch::status::{Status, status};
use tidegate::app::watch::watch;

use crate::cli_program::{ok, run};
use crate::resolver_logs::{DAY, POLICY, SIX, flows, gzip, query, verdicts, write};
use crate::watch::{alerts, assert_same_lake};
use crate::watch_time::{SetClock, settings};

/// Publishes flow log lines of an instant, at this key time.
fn publish_flows(folder: &Path, at: u32, name: &str, ends: &[(&str, &str)]) {
    let (day, stamp) = times(at);
    let key = format!(
        "logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/{day}/123456789012_vpcflowlogs_us-east-2_fl-1_{stamp}Z_{name}.log.gz"
    );
    write(folder, &key, gzip(&flows(at, ends.iter().copied())));
}

/// Publishes queries, at this key time.
fn publish_queries(folder: &Path, at: u32, name: &str, queries: &[(u32, &str)]) {
    let lines: String = queries.iter().map(|(at, text)| query(*at, text)).collect();
    write(folder, &key_of_queries(at, name), gzip(&lines));
}

fn key_of_queries(at: u32, name: &str) -> String {
    let (day, stamp) = times(at);
    format!(
        "resolver/AWSLogs/123456789012/vpcdnsquerylogs/vpc-1/{day}/vpc-1_vpcdnsquerylogs_123456789012_{stamp}Z_{name}.log.gz"
    )
}

/// The day as keys have it, and day and time.
fn times(at: u32) -> (String, String) {
    let instant = jiff::Timestamp::from_second(i64::from(at)).expect("a time");
    let written = |form: &str| instant.strftime(form).to_string();
    (written("%Y/%m/%d"), written("%Y%m%dT%H%M"))
}

const ENDS: [(&str, &str); 3] = [
    ("10.0.32.5", "192.0.2.10"),
    ("10.0.32.5", "192.0.2.20"),
    ("10.0.32.5", "192.0.2.30"),
];

/// A folder with the policy, connections at six, and what was asked before: of one of the three servers only.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "p.toml", POLICY);
    publish_flows(folder.path(), SIX, "a", &ENDS);
    let asked = [(SIX - 600, "10.0.32.5 packages.example 192.0.2.10")];
    publish_queries(folder.path(), SIX - 300, "a", &asked);
    folder
}

fn scan(folder: &Path) {
    let source = folder.join("logs");
    let source = source.to_str().expect("text");
    let lake = ["--policy", "p.toml", "--lake", "scanned", "--rejudge"];
    let ran = run(folder, &[&["scan", source][..], &lake].concat());
    // 3 where Resolver logs could not be read.
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
}

/// What the edges of the lake of six o'clock say of each server.
fn said(folder: &Path) -> Vec<String> {
    let all = verdicts(folder, "watched").into_iter();
    all.map(|row| row.replacen("10.0.32.5 192.0.2.", "", 1))
        .collect()
}

/// A watch that runs by a clock that is set.
struct Watching {
    root: PathBuf,
    clock: Arc<SetClock>,
    stop: Arc<Stop>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watching {
    /// Begins to watch the logs of a folder at an instant.
    fn begin(root: &Path, at: u32) -> Watching {
        let mut settings = settings(root);
        settings.judging.policies = vec![root.join("p.toml")];
        let clock = Arc::new(SetClock(AtomicU64::new(u64::from(at))));
        let stop = Arc::<Stop>::default();
        let theirs = (clock.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            watch(&settings, &*theirs.0, &theirs.1).expect("it watches");
        });
        let watching = Watching {
            root: root.to_owned(),
            clock,
            stop,
            thread: Some(thread),
        };
        watching.waits("a beginning", |status| status.begin.is_some());
        watching
    }

    fn is(&self, at: u32) {
        self.clock.0.store(u64::from(at), Ordering::SeqCst);
    }

    fn waits(&self, what: &str, is_so: impl Fn(&Status) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let found = status(&self.root.join("state"));
            if found.as_ref().is_ok_and(&is_so) {
                return;
            }
            assert!(Instant::now() < until, "{what} does not come: {found:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self) {
        self.stop.ask();
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("it ended well");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.abort();
    }
}

#[test]
fn what_is_there_is_judged_as_a_scan_judges_it() {
    let folder = place();
    let root = folder.path();
    let asked = [
        (SIX + 60, "10.0.32.5 hub.docker.example 192.0.2.20"),
        (SIX + 90, "10.0.32.9 nothing.example"),
    ];
    publish_queries(root, SIX + 300, "b", &asked);
    publish_flows(root, SIX + 600, "b", &ENDS);
    publish_flows(root, SIX + DAY, "c", &ENDS);
    // What cannot be read may have held answers for its own time, and for no other.
    write(root, &key_of_queries(SIX - 4 * DAY, "broken"), "no gzip");
    scan(root);
    assert!(
        verdicts(root, "scanned").contains(&"10.0.32.5 192.0.2.30 violation default".to_owned())
    );
    let lake = root.join("watched");
    let watch = [
        "watch",
        root.join("logs").to_str().expect("text"),
        "--policy",
        "p.toml",
        "--state",
        "state",
        "--lake",
        lake.to_str().expect("text"),
        "--until-idle",
        "--alert",
        "file:alerts",
    ]
    .map(str::to_owned);
    let watch: Vec<&str> = watch.iter().map(String::as_str).collect();
    ok(root, &watch);
    assert_same_lake(root, "scanned", "watched");
    let sent = alerts(&root.join("alerts")).len();
    assert!(sent > 0);
    // Another answer has the hours judged again that it speaks for.
    let late = [(SIX - 30, "10.0.32.5 packages.example 192.0.2.30")];
    publish_queries(root, SIX - 20, "late", &late);
    // What is settled for good hears of them with an object that comes late.
    for day in [SIX, SIX + DAY] {
        publish_flows(root, day + 900, "late", &ENDS[..1]);
    }
    scan(root);
    ok(root, &watch);
    assert_same_lake(root, "scanned", "watched");
}

#[test]
fn an_hour_is_judged_again_when_it_settles_and_when_all_logs_are_there() {
    let folder = place();
    let root = folder.path();
    let mut watching = Watching::begin(root, SIX);
    // Nobody knows yet what was asked after six.
    watching.is(SIX + 3 * 3600);
    watching.waits("the end of the hour", |status| status.hours == [0, 1, 0]);
    let default = "compliant to-repos";
    assert_eq!(
        said(root),
        [
            "10 compliant to-repos",
            "20 unproven to-repos",
            "30 unproven to-repos"
        ]
    );
    let asked = [
        (SIX - 60, "10.0.32.5 hub.docker.example 192.0.2.20"),
        (SIX + 90, "10.0.32.9 nothing.example"),
    ];
    publish_queries(root, SIX + 300, "b", &asked);
    watching.is(SIX + 8 * 3600);
    watching.waits("settlement", |status| status.hours == [0, 0, 1]);
    assert_eq!(
        said(root),
        [
            format!("10 {default}"),
            format!("20 {default}"),
            "30 violation default".to_owned()
        ]
    );
    // The grace is a day: what an hour goes by is all there a day and two hours after it has begun.
    let late = [(SIX - 30, "10.0.32.5 packages.example 192.0.2.30")];
    publish_queries(root, SIX + 20 * 3600, "late", &late);
    watching.is(SIX + 27 * 3600);
    let is_over = |status: &Status| status.hours == [0, 1, 0] && status.settled == 1;
    watching.waits("the end of it", is_over);
    assert_eq!(said(root)[2], format!("30 {default}"));
    scan(root);
    watching.end();
    assert_same_lake(root, "scanned", "watched");
    let told = fs::read_to_string(root.join("alerts")).expect("alerts");
    assert!(told.contains("unproven") && told.contains("egress-violation"));
}

#[test]
fn what_names_may_allow_is_not_told_of_at_once() {
    let folder = place();
    publish_flows(
        folder.path(),
        SIX + 1,
        "web",
        &[("10.0.32.6", "198.51.100.9")],
    );
    let root = folder.path();
    let mut watching = Watching::begin(root, SIX);
    watching.waits("objects", |status| status.objects == 2);
    watching.is(SIX + 3 * 3600);
    watching.waits("the end of the hour", |status| status.hours == [0, 1, 0]);
    watching.end();
    for alert in alerts(&root.join("alerts")) {
        assert_eq!(alert["kind"], "unproven", "{alert}");
    }
}

#[test]
fn what_was_judged_and_not_announced_is_announced_after_a_crash() {
    let folder = place();
    let root = folder.path();
    let mut watching = Watching::begin(root, SIX);
    watching.is(SIX + 3 * 3600);
    watching.waits("the end of the hour", |status| status.hours == [0, 1, 0]);
    watching.end();
    let ledger = fs::read_dir(root.join("state")).expect("a folder");
    let ledger: Vec<PathBuf> = ledger
        .map(|entry| entry.expect("readable").path())
        .collect();
    let kept: Vec<Vec<u8>> = ledger
        .iter()
        .map(|file| fs::read(file).expect("readable"))
        .collect();
    let asked = [(SIX + 90, "10.0.32.9 nothing.example")];
    publish_queries(root, SIX + 300, "b", &asked);
    for _ in 0..2 {
        let _ = fs::remove_file(root.join("alerts"));
        let mut watching = Watching::begin(root, SIX + 8 * 3600);
        watching.waits("settlement", |status| status.hours == [0, 0, 1]);
        watching.waits("alerts", |status| {
            status.outbox.is_empty() && status.sent > 0
        });
        watching.end();
        assert_eq!(said(root)[2], "30 violation default");
        let kinds = alerts(&root.join("alerts")).into_iter();
        let mut kinds = kinds.map(|alert| alert["kind"].clone());
        assert!(kinds.any(|kind| kind == "egress-violation"));
        // The ledger is as it was before, and the lake as it is now.
        for (file, bytes) in ledger.iter().zip(&kept) {
            fs::write(file, bytes).expect("written");
        }
    }
}

#[test]
fn what_another_run_judged_is_judged_again_only_by_other_logs() {
    let folder = place();
    let root = folder.path();
    publish_queries(
        root,
        SIX + 300,
        "b",
        &[(SIX + 90, "10.0.32.9 nothing.example")],
    );
    scan(root);
    fs::rename(root.join("scanned"), root.join("watched")).expect("moved");
    let edges = |root: &Path| fs::metadata(edges_of_six(root)).and_then(|file| file.modified());
    let before = edges(root).expect("edges");
    let mut watching = Watching::begin(root, SIX + 600);
    watching.waits("the hour", |status| status.hours == [0, 1, 0]);
    watching.end();
    let mut watching = Watching::begin(root, SIX + 8 * 3600);
    watching.waits("settlement", |status| status.hours == [0, 0, 1]);
    watching.end();
    assert_eq!(edges(root).expect("edges"), before);
    assert!(alerts(&root.join("alerts")).is_empty());
}

fn edges_of_six(root: &Path) -> PathBuf {
    root.join("watched/edges/date=2026-02-25/hour=06/part-0000.parquet")
}

#[test]
fn logs_that_change_are_read_again() {
    let folder = place();
    let root = folder.path();
    let asked = |queries: &[(u32, &str)]| {
        let lines: String = queries.iter().map(|(at, text)| query(*at, text)).collect();
        write(root, "resolver/all.log", lines);
    };
    let first = (SIX + 60, "10.0.32.9 nothing.example");
    asked(&[first]);
    let mut watching = Watching::begin(root, SIX);
    watching.is(SIX + 3 * 3600);
    watching.waits("the end of the hour", |status| status.hours == [0, 1, 0]);
    assert_eq!(said(root)[1], "20 violation default");
    asked(&[first, (SIX - 90, "10.0.32.5 packages.example 192.0.2.20")]);
    watching.is(SIX + 8 * 3600);
    watching.waits("settlement", |status| status.hours == [0, 0, 1]);
    assert_eq!(said(root)[1], "20 compliant to-repos");
    watching.end();
    scan(root);
    assert_same_lake(root, "scanned", "watched");
}
