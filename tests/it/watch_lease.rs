//! Two watches on one lake: the second one waits, and takes over when the first is gone, however it went.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::moto::Moto;
use crate::watch::{BINARY, Running, assert_same_lake, logs, policy, scanned};

const PATIENCE: Duration = Duration::from_secs(60);

/// A watch that goes on, with a state of its own.
fn begins(
    folder: &Path,
    lake: &str,
    state: &str,
    more: &[&str],
    env: impl Fn(&mut Command),
) -> Running {
    let mut command = Command::new(BINARY);
    env(&mut command);
    command.current_dir(folder);
    command.args([
        "watch",
        "logs",
        "--lake",
        lake,
        "--state",
        state,
        "--since",
        "2026-01-01",
    ]);
    command
        .args(["--lease", "2s", "--every", "1s", "--policy"])
        .arg(policy());
    command
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    Running(command.spawn().expect("the program runs"))
}

/// Waits until a watch has judged all hours of its sources.
fn has_judged(folder: &Path, state: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = tidegate::app::watch::status::status(&folder.join(state));
        if status.is_ok_and(|status| status.newest.is_some() && status.hours[0] == 0) {
            return;
        }
        assert!(Instant::now() < until, "{state} does not come to its end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a watch says that it waits.
fn waits(running: &mut Running) {
    let lines = BufReader::new(running.0.stderr.take().expect("a pipe")).lines();
    let mut said = Vec::new();
    let mut lines = lines
        .map_while(Result::ok)
        .inspect(|line| said.push(line.clone()));
    let is_waiting = lines.any(|line| line.contains("another watch writes to"));
    assert!(is_waiting, "{said:?}");
}

#[test]
fn a_second_watch_takes_over_when_the_first_is_killed() {
    let folder = logs(5, 4_000, 14);
    scanned(folder.path(), "logs", |_| ());
    let first = begins(folder.path(), "watched", "one", &[], |_| ());
    has_judged(folder.path(), "one");
    let mut second = begins(folder.path(), "watched", "two", &[], |_| ());
    waits(&mut second);
    assert!(second.0.try_wait().expect("it is our child").is_none());
    drop(first);
    has_judged(folder.path(), "two");
    drop(second);
    assert_same_lake(folder.path(), "scanned", "watched");
}

#[test]
fn in_a_bucket_a_watch_that_gives_no_sign_of_life_is_taken_over_from() {
    let folder = logs(5, 2_000, 14);
    let moto = Moto::start();
    moto.bucket("lake");
    let env = |command: &mut Command| moto.env(command);
    let mut first = begins(folder.path(), "s3://lake/a", "one", &[], env);
    has_judged(folder.path(), "one");
    let mut second = begins(folder.path(), "s3://lake/a", "two", &[], env);
    waits(&mut second);
    // As long as the first lives, the second waits.
    std::thread::sleep(Duration::from_secs(4));
    assert!(first.0.try_wait().expect("it is our child").is_none());
    let begun = tidegate::app::watch::status::status(&folder.path().join("two"));
    assert!(begun.is_ok_and(|status| status.begin.is_none()));
    drop(first);
    has_judged(folder.path(), "two");
    // One that ends well leaves the lease to the next at once.
    let ended = Command::new("kill")
        .args(["-TERM", &second.0.id().to_string()])
        .status();
    assert!(ended.expect("it is told").success());
    assert_eq!(second.0.wait().expect("it is our child").code(), Some(0));
    let third = begins(folder.path(), "s3://lake/a", "three", &[], env);
    has_judged(folder.path(), "three");
    drop(third);
}
