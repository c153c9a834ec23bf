//! `watch` under steady load for three minutes, which are three hours for it: it keeps up, and its memory stays as it is.
//! `benches/watch.py sustained` measures it at another rate, for half an hour, by the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate::app::memory::{Shares, share_heap};
use tidegate::app::settings::WatchSettings;
use tidegate::app::stop::{Clock, Stop};
use tidegate::app::watch::status::status;
use tidegate::app::watch::watch;
use tidegate::generate::{Options, generate};

use crate::watch_time::settings;

const LASTS: Duration = Duration::from_secs(180);
/// How much faster the watch's clock goes: a slot is 5 seconds, an hour a minute.
const FASTER: u64 = 60;
/// Objects a second, of some 2,500 records each.
const PER_SECOND: u64 = 3;
/// What it may use, bytes.
const MEMORY: u64 = 256 << 20;
/// 2026-02-25T04:40:00Z: an hour is over in each of the three minutes.
const START: u64 = 1_771_994_400;

/// A clock that began when the test did, and is faster.
struct FastClock(Instant);

impl Clock for FastClock {
    fn now(&self) -> u64 {
        START * 1000 + self.0.elapsed().as_millis() as u64 * FASTER
    }
}

/// A key of this time.
fn key(time: u64, number: u64) -> String {
    let at = i64::try_from(time - time % 300).expect("seconds");
    let at = jiff::Timestamp::from_second(at).expect("a time");
    let day = at.strftime("%Y/%m/%d").to_string();
    let time = at.strftime("%Y%m%dT%H%MZ").to_string();
    format!(
        "AWSLogs/123456789012/vpcflowlogs/us-east-2/{day}/123456789012_vpcflowlogs_us-east-2_fl-0a1b2c3d4e5f60718_{time}_{number:08x}.log.gz"
    )
}

/// Puts an object, whole at once as in a bucket.
fn put(object: &Path, target: &Path) {
    fs::create_dir_all(target.parent().expect("a folder")).expect("made");
    fs::hard_link(object, target).expect("linked");
}

/// Memory that this process has, bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    1024 * kilobytes
        .and_then(|number| number.parse::<u64>().ok())
        .expect("a number")
}

/// The middle and the largest.
fn middle_and_most(mut values: Vec<u64>) -> [u64; 2] {
    values.sort_unstable();
    [values[values.len() / 2], values[values.len() - 1]]
}

#[test]
fn memory_stays_as_it_is_while_hours_go_by() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        records: 40_000,
        large: false,
        ..Options::bench(4)
    };
    generate(&folder.path().join("made"), &options).expect("generated");
    let made = walkdir::WalkDir::new(folder.path().join("made/logs")).sort_by_file_name();
    let objects: Vec<PathBuf> = made
        .into_iter()
        .map(|entry| entry.expect("a readable folder"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.into_path())
        .collect();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("made");

    let stop: Arc<Stop> = Arc::default();
    // As the program does: else each thread has a heap of its own, and keeps what it freed.
    share_heap(&Shares::of(MEMORY));
    let mut settings = WatchSettings {
        lateness: 60,
        every: Duration::from_millis(250),
        reconcile: Duration::from_secs(60),
        ..settings(folder.path())
    };
    settings.judging.memory = MEMORY;
    let (began, mut number) = (Instant::now(), 0_u64);
    let mut last_minutes = [Vec::new(), Vec::new()];
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&settings, &FastClock(began), &stop));
        while began.elapsed() < LASTS && !watching.is_finished() {
            let past = began.elapsed().as_secs();
            while number < past * PER_SECOND {
                let target = logs.join(key(START + past * FASTER, number));
                put(&objects[number as usize % objects.len()], &target);
                number += 1;
            }
            match past / 60 {
                0 => {}
                minute => last_minutes[(minute as usize - 1).min(1)].push(resident()),
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        let until = Instant::now() + Duration::from_secs(60);
        let keeps_up = || status(&settings.state).is_ok_and(|found| found.objects == number);
        while !keeps_up() {
            assert!(Instant::now() < until, "{:?}", status(&settings.state));
            std::thread::sleep(Duration::from_millis(250));
        }
        stop.ask();
        watching
            .join()
            .expect("it does not panic")
            .expect("it ends well");
    });
    for hour in ["04", "05", "06"] {
        let over = format!("watched/edges/date=2026-02-25/hour={hour}");
        assert!(folder.path().join(over).is_dir(), "hour {hour} is over");
    }
    let [second, third] = last_minutes.map(middle_and_most);
    for (before, after) in second.into_iter().zip(third) {
        let [second, third] = [second, third].map(|minute| minute.map(|bytes| bytes >> 20));
        assert!(
            after <= before + before / 4,
            "MiB, middle and most: {second:?}, then {third:?}"
        );
    }
}
