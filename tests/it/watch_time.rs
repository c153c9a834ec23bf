//! `watch` as time goes by: what goes out at once, when slots close, what of an open hour can be asked, settlement. The clock
//! is the test's; the program is called as a library.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate::alert::Target;
use tidegate::app::settings::{DEFAULT_HORIZON, Format, Keep, ScanSettings, WatchSettings};
use tidegate::app::stop::{Clock, Stop};
use tidegate::app::watch::status::{Status, status};
use tidegate::app::watch::watch;
use tidegate::generate::{Options, generate};
use tidegate::source::KeyFacts;

use crate::watch::{
    BINARY, alerts, announced, assert_conform, assert_same_lake, files, logs, not_muted, policy,
    scanned,
};

/// A clock that is set.
pub(crate) struct SetClock(pub AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst) * 1000
    }
}

/// Logs that are published as the clock goes on, beside a watch that follows them.
struct Days {
    folder: tempfile::TempDir,
    /// What is still to be published: key time, name below `logs`; the latest first.
    to_come: Vec<(u32, PathBuf)>,
    clock: Arc<SetClock>,
    stop: Arc<Stop>,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// A watch over `logs` of a folder, whose lake is `watched`, and whose alerts go to `alerts`.
pub(crate) fn settings(root: &Path) -> WatchSettings {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    WatchSettings {
        judging: ScanSettings {
            sources: vec![text(root.join("logs"))],
            policies: vec![policy()],
            lake: Some(text(root.join("watched"))),
            keep: Keep::Flagged,
            since: None,
            until: None,
            accounts: Vec::new(),
            regions: Vec::new(),
            format: Format::Text,
            outputs: Vec::new(),
            fail_on: None,
            known: BTreeSet::new(),
            plan: false,
            rejudge: false,
            layout: None,
            threads: 2,
            memory: 256 << 20,
            horizon: DEFAULT_HORIZON,
            detect: true,
            baseline: None,
        },
        queue: None,
        allow_no_dlq: false,
        state: root.join("state"),
        alerts: vec![
            Target::parse(&format!("file:{}", text(root.join("alerts")))).expect("a target"),
        ],
        lateness: 900,
        settle: 6 * 3600,
        every: Duration::from_millis(20),
        reconcile: Duration::from_millis(200),
        until_idle: false,
        grace: 10,
        listen: None,
        lease: Duration::from_secs(45),
    }
}

impl Days {
    fn new(seed: u64, records: u64, slots: u32) -> Days {
        Days::of(logs(seed, records, slots))
    }

    /// Those of a folder.
    fn of(folder: tempfile::TempDir) -> Days {
        let root = folder.path().to_owned();
        scanned(&root, &root.join("logs").to_string_lossy(), |_| ());
        fs::rename(root.join("logs"), root.join("later")).expect("moved");
        fs::create_dir(root.join("logs")).expect("made");
        let found = walkdir::WalkDir::new(root.join("later")).into_iter();
        let found = found.map(|entry| entry.expect("readable"));
        let files = found.filter(|entry| entry.file_type().is_file());
        let mut to_come: Vec<(u32, PathBuf)> = files
            .map(|entry| {
                let name = entry.path().strip_prefix(root.join("later"));
                let name = name.expect("below").to_owned();
                let facts = KeyFacts::parse(&name.to_string_lossy()).expect("AWS's name");
                (facts.time, name)
            })
            .collect();
        to_come.sort_by(|a, b| b.cmp(a));
        let first = to_come.last().expect("objects").0;
        Days {
            folder,
            to_come,
            clock: Arc::new(SetClock(AtomicU64::new(u64::from(first)))),
            stop: Arc::default(),
        }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn settings(&self) -> WatchSettings {
        settings(self.root())
    }

    /// Publishes the objects of the next key time when it has come; that time.
    fn publish(&mut self) -> Option<u32> {
        let time = self.put()?;
        self.clock.0.fetch_max(u64::from(time), Ordering::SeqCst);
        Some(time)
    }

    /// Puts the objects of the next key time, whatever time it is; that time.
    fn put(&mut self) -> Option<u32> {
        let time = self.to_come.last()?.0;
        while let Some((_, name)) = self.to_come.pop_if(|(other, _)| *other == time) {
            let to = self.root().join("logs").join(&name);
            fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            fs::rename(self.root().join("later").join(&name), to).expect("it comes");
        }
        Some(time)
    }

    /// Sets the clock forward.
    fn sleep(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Waits until the watch has come so far.
    fn waits(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = status(&self.root().join("state"));
            if let Ok(found) = &found
                && is_so(found)
            {
                return found.clone();
            }
            assert!(Instant::now() < until, "{what} does not come: {found:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The findings of a scan of all that was published, but for muted ones.
    fn findings(&self) -> BTreeSet<String> {
        let logs = self.root().join("logs");
        not_muted(&scanned(self.root(), &logs.to_string_lossy(), |_| ()))
    }

    fn announced(&self) -> BTreeSet<String> {
        announced(&alerts(&self.root().join("alerts")))
    }

    /// The rows that `sql` counts in a table of the lake.
    fn counts(&self, what: &str) -> String {
        let mut command = Command::new(BINARY);
        command.current_dir(self.root());
        command.args(["sql", "--lake", "watched", "--format", "csv", "-c", what]);
        let ran = command.output().expect("the program runs");
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        text.lines().nth(1).expect("a row").to_owned()
    }

    /// Begins to watch.
    fn begin(&self) -> std::thread::JoinHandle<()> {
        let (settings, clock, stop) = (self.settings(), self.clock.clone(), self.stop.clone());
        let watching = std::thread::spawn(move || {
            watch(&settings, &*clock, &stop).expect("it watches");
        });
        self.waits("a beginning", |status| status.begin.is_some());
        watching
    }

    /// Ends the watch that was begun.
    fn end(&self, watching: std::thread::JoinHandle<()>) {
        self.stop.ask();
        watching.join().expect("it ended well");
    }
}

/// A test that fails leaves no watch behind.
impl Drop for Days {
    fn drop(&mut self) {
        self.stop.abort();
    }
}

fn all_is_over(status: &Status) -> bool {
    status.hours[0] == 0 && status.hours[1] > 0 && status.outbox.is_empty()
}

#[test]
fn what_nothing_can_change_goes_out_at_once_and_the_rest_when_its_slot_closes() {
    for seed in [5, 6, 7] {
        let mut days = Days::new(seed, 10_000, 26);
        // Too early for any slot to close. They come together: what one shows may take another to know who is who.
        for _ in 0..3 {
            days.publish();
        }
        let watching = days.begin();
        days.waits("an alert", |status| status.sent > 0);
        let early = days.waits("an end of alerts", |status| status.outbox.is_empty());
        assert_eq!(early.hours, [1, 0, 0]);
        let at_once = days.announced();
        while days.publish().is_some() {
            let published = days.folder.path().join("logs");
            let files = walkdir::WalkDir::new(published).into_iter().flatten();
            let files = files.filter(|entry| entry.file_type().is_file()).count() as u64;
            days.waits("an object", |status| status.objects == files);
        }
        days.sleep(2 * 3600);
        days.waits("the end of all hours", all_is_over);
        days.end(watching);
        assert_same_lake(days.root(), "scanned", "watched");
        let findings = days.findings();
        assert!(at_once.is_subset(&findings), "seed {seed}");
        assert_eq!(days.announced(), findings, "seed {seed}");
    }
}

#[test]
fn slots_of_an_hour_that_is_not_over_can_be_asked_for() {
    let mut days = Days::new(5, 10_000, 14);
    let watching = days.begin();
    let first = days.to_come.last().expect("objects").0;
    let mut published = Vec::new();
    while days
        .to_come
        .last()
        .is_some_and(|(time, _)| *time <= first + 2400)
    {
        let time = days.to_come.last().expect("objects").0;
        let count = days
            .to_come
            .iter()
            .filter(|(other, _)| *other == time)
            .count();
        days.publish();
        published.push((time, count));
    }
    // The newest is at 40 minutes, so that what was published until 25 is complete.
    let closed: usize = published
        .iter()
        .filter(|(time, _)| *time < first + 1500)
        .map(|(_, count)| count)
        .sum();
    days.waits("five judged slots", |status| status.slots == 5);
    assert_eq!(
        days.counts("select count(*) from objects"),
        closed.to_string()
    );
    assert_eq!(days.counts("select count(distinct time) from objects"), "5");
    assert_ne!(days.counts("select count(*) from edges"), "0");
    assert_ne!(days.counts("select count(*) from records"), "0");
    let folder = days.root().join("watched");
    let is_open = || {
        let found = walkdir::WalkDir::new(&folder).into_iter().flatten();
        found
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("_open-"))
            .count()
    };
    assert!(is_open() >= 15, "edges, records and objects of five slots");
    while days.publish().is_some() {}
    days.sleep(2 * 3600);
    days.waits("the end of all hours", all_is_over);
    days.end(watching);
    assert_eq!(is_open(), 0);
    assert_same_lake(days.root(), "scanned", "watched");
}

#[test]
fn an_object_that_comes_late_is_told_of_at_once_and_judged_when_its_hour_settles() {
    let mut days = Days::new(8, 10_000, 26);
    // The largest of the second slot comes hours later.
    let second = days.to_come.last().expect("objects").0 + 300;
    let size = |name: &PathBuf| {
        let file = days.root().join("later").join(name);
        fs::metadata(file).expect("it is there").len()
    };
    let late = days.to_come.iter().enumerate();
    let late = late.filter(|(_, (time, _))| *time == second);
    let (place, _) = late
        .max_by_key(|(_, (_, name))| size(name))
        .expect("objects");
    let late = days.to_come.remove(place);
    let watching = days.begin();
    while days.publish().is_some() {}
    days.sleep(2 * 3600);
    let before = days.waits("the end of all hours", |status| status.hours == [0, 3, 0]);
    assert_eq!(before.settled, 0);
    days.to_come.push(late);
    days.publish();
    days.waits("a late object", |status| status.hours[2] == 1);
    let [scan, watch] = ["scanned", "watched"].map(|lake| files(&days.root().join(lake)));
    assert!(scan != watch, "it was judged too early");
    days.sleep(6 * 3600);
    days.waits("settlement", |status| {
        status.hours[2] == 0 && status.settled > 0
    });
    days.end(watching);
    assert_same_lake(days.root(), "scanned", "watched");
    let findings = days.findings();
    let missing: Vec<_> = findings.difference(&days.announced()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Logs, and the same a day later.
fn logs_of_two_days() -> tempfile::TempDir {
    let folder = logs(5, 4_000, 14);
    let next = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed: 5,
        records: 4_000,
        slots: 14,
        start: Options::default().start + 86_400,
        ..Options::default()
    };
    generate(next.path(), &options).expect("generated");
    let found = walkdir::WalkDir::new(next.path().join("logs")).into_iter();
    for entry in found.flatten().filter(|entry| entry.file_type().is_file()) {
        let name = entry.path().strip_prefix(next.path()).expect("below");
        let to = folder.path().join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(entry.path(), to).expect("copied");
    }
    folder
}

/// Publishes an object without a record, so many days after the first, when it has come.
fn nothing_comes(days: &Days, later: u32) {
    let time = Options::default().start + later * 86_400;
    let key = jiff::Timestamp::from_second(i64::from(time)).expect("a time");
    let name = format!(
        "1_vpcflowlogs_x_fl-1_{}_1.log",
        key.strftime("%Y%m%dT%H%MZ")
    );
    fs::write(days.root().join("logs").join(name), "version\n").expect("written");
    days.clock.0.fetch_max(u64::from(time), Ordering::SeqCst);
}

/// The alerts of an event that were sent.
fn of_event(days: &Days, event: &str) -> Vec<serde_json::Value> {
    let sent = alerts(&days.root().join("alerts")).into_iter();
    sent.filter(|alert| alert["event"] == event).collect()
}

#[test]
fn what_is_not_seen_for_a_while_is_resolved_once() {
    let mut days = Days::new(5, 4_000, 14);
    let watching = days.begin();
    while days.publish().is_some() {}
    days.sleep(2 * 3600);
    days.waits("the end of all hours", all_is_over);
    let opened = days.announced();
    // That the clock goes on says nothing.
    days.sleep(4 * 86_400);
    days.waits("four quiet days", |status| {
        status.settled > 0 && status.outbox.is_empty()
    });
    assert_eq!(alerts(&days.root().join("alerts")).len(), opened.len());
    nothing_comes(&days, 6);
    days.waits("resolved findings", |status| {
        status.findings == 0 && status.outbox.is_empty()
    });
    days.end(watching);
    let resolved = of_event(&days, "resolved");
    assert_conform(&resolved);
    assert_eq!(announced(&resolved), opened);
    assert_eq!(resolved.len(), opened.len(), "each once");
}

#[test]
fn what_recurs_is_told_once_a_day() {
    // The same on the next day.
    let mut days = Days::of(logs_of_two_days());
    let watching = days.begin();
    let first = days.to_come.last().expect("objects").0;
    while days
        .to_come
        .last()
        .is_some_and(|(time, _)| *time < first + 43_200)
    {
        days.publish();
    }
    days.sleep(2 * 3600);
    days.waits("the end of all hours", all_is_over);
    let opened = days.announced();
    while days.publish().is_some() {}
    days.sleep(2 * 3600);
    days.waits("the end of all hours", |status| status.hours == [0, 4, 0]);
    // A day is over when a later log says so.
    nothing_comes(&days, 3);
    days.waits("a digest", |_| !of_event(&days, "digest").is_empty());
    days.end(watching);
    let digests = of_event(&days, "digest");
    assert_conform(&digests);
    let [digest] = digests.try_into().expect("one digest");
    let named: BTreeSet<String> = digest["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["finding_id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(digest["count"], named.len());
    assert!(!named.is_empty() && named.is_subset(&opened));
}

#[test]
fn an_object_whose_time_lies_far_ahead_waits_for_it() {
    let mut days = Days::new(5, 4_000, 26);
    let (first, all) = (
        days.to_come.last().expect("objects").0,
        days.to_come.len() as u64,
    );
    let near = days
        .to_come
        .iter()
        .filter(|(time, _)| *time <= first + 3600)
        .count() as u64;
    while days.put().is_some() {}
    let watching = days.begin();
    days.waits("what is near", |status| status.objects == near);
    let known = days.waits("no more", |status| status.newest == Some(first + 3600));
    assert_eq!(known.objects, near);
    days.sleep(3600);
    days.waits("what was far", |status| {
        status.objects > near && status.objects < all
    });
    days.sleep(3 * 3600);
    days.waits("the end of all hours", |status| status.hours == [0, 3, 0]);
    days.end(watching);
    assert_same_lake(days.root(), "scanned", "watched");
}

#[test]
fn a_connection_to_the_outside_goes_out_at_once() {
    const FIELDS: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                          action log-status vpc-id subnet-id tcp-flags flow-direction";
    let start = Options::default().start;
    let line = |source: &str, target: &str, ports: &str, flags: u8, direction: &str| {
        format!(
            "5 123456789012 eni-0a1b2c3d4e5f60718 {source} {target} {ports} 6 4 450 {} {} ACCEPT OK vpc-0a1b2c3d4e5f60718 \
             subnet-0c1a00000000000a2 {flags} {direction}\n",
            start - 90,
            start - 60
        )
    };
    let (client, server) = ("10.0.36.5", "198.51.100.9");
    let text = format!("{FIELDS}\n")
        + &line(client, server, "40000 4444", 2, "egress")
        + &line(server, client, "4444 40000", 18, "ingress");
    let folder = tempfile::tempdir().expect("a folder");
    let key = jiff::Timestamp::from_second(i64::from(start)).expect("a time");
    let key = key.strftime("%Y%m%dT%H%MZ");
    let name = format!("123456789012_vpcflowlogs_us-east-2_fl-0a_{key}_1.log");
    fs::create_dir(folder.path().join("logs")).expect("made");
    fs::write(folder.path().join("logs").join(name), text).expect("written");
    let mut days = Days::of(folder);
    let watching = days.begin();
    days.publish();
    let status = days.waits("an alert", |status| status.sent > 0);
    assert_eq!((status.hours, status.slots), ([1, 0, 0], 0));
    days.end(watching);
    assert_eq!(days.announced(), days.findings());
}
