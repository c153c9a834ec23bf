//! `watch` as it is operated: metrics, health, signals, a state that is in use, damaged or lost.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tidegate::generate::{Options, Scenario, generate};

use crate::s3_server::{Fault, Op, S3Server};
use crate::watch::{
    BINARY, Running, alerts, announced, assert_same_lake, ends_well, files, logs, not_muted,
    policy, scanned, until_idle,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A watch that goes on, and answers at this address.
fn begins(folder: &Path) -> (Running, String) {
    begins_with(folder, "file:alerts", Stdio::null())
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").to_string()
}

/// The same with this target of alerts, and this standard output.
fn begins_with(folder: &Path, target: &str, output: Stdio) -> (Running, String) {
    let address = free_address();
    let mut command = Command::new(BINARY);
    command.current_dir(folder);
    command.args([
        "watch",
        "logs",
        "--state",
        "state",
        "--lake",
        "watched",
        "--since",
        "2026-01-01",
    ]);
    command
        .args(["--alert", target, "--listen", &address, "--policy"])
        .arg(policy());
    command.stdout(output).stderr(Stdio::piped());
    let running = Running(command.spawn().expect("the program runs"));
    (running, address)
}

/// The status and the body of an answer; none where nobody answers yet.
pub(crate) fn asks(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

pub(crate) fn waits<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The bytes that members of a group sent and received, as the lake's edges tell; what came after a close is none of it.
fn bytes_of(folder: &Path, group: &str) -> [u64; 2] {
    let is_member = |end: &str| format!("array_has(groups({end}_addr), '{group}')");
    let sum = |own: &str, other: &str| {
        format!(
            "coalesce(sum(case when {} then bytes_to_{other} end), 0) + coalesce(sum(case when {} then bytes_to_{own} end), 0)",
            is_member("client"),
            is_member("server"),
        )
    };
    let question = format!(
        "select {} as sent, {} as received from edges where rule not in ('post-close', 'stray')",
        sum("client", "server"),
        sum("server", "client"),
    );
    let mut command = Command::new(BINARY);
    command.current_dir(folder);
    command.args([
        "sql", "--lake", "scanned", "--format", "csv", "-c", &question, "--policy",
    ]);
    let ran = command.arg(policy()).output().expect("the program runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let row = text
        .lines()
        .nth(1)
        .unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&ran.stderr)));
    let numbers: Vec<u64> = row
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    [numbers[0], numbers[1]]
}

#[test]
fn metrics_and_health_are_told_and_a_signal_ends_it_well() {
    let folder = logs(5, 6_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let (mut child, address) = begins(folder.path());
    waits("readiness", || {
        asks(&address, "/readyz").filter(|(status, _)| *status == 200)
    });
    assert_eq!(asks(&address, "/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(
        asks(&address, "/other").map(|(status, _)| status),
        Some(404)
    );
    let sent = format!("tidegate_alerts_sent_total {}", findings.len());
    let metrics = waits("all alerts", || {
        let (_, metrics) = asks(&address, "/metrics")?;
        metrics.lines().any(|line| line == sent).then_some(metrics)
    });
    let objects = walkdir::WalkDir::new(folder.path().join("logs"))
        .into_iter()
        .flatten();
    let objects = objects.filter(|entry| entry.file_type().is_file()).count();
    for expected in [
        &*format!("tidegate_objects_total {objects}"),
        "tidegate_alerts_waiting{target=\"file:alerts\"} 0",
        &*format!("tidegate_findings_open {}", findings.len()),
        "tidegate_hours{state=\"open\"} 0",
        "# TYPE tidegate_connections_total counter",
        "tidegate_group_bytes_total{group=\"bastion\",direction=\"out\"} ",
        "tidegate_lines_total{outcome=\"record\"} ",
        "verdict=\"violation\"",
        "tidegate_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(expected), "`{expected}` in:\n{metrics}");
    }
    for group in ["etl", "vector-db", "bastion"] {
        let expected = bytes_of(folder.path(), group);
        waits("bytes of all hours", || {
            let (_, metrics) = asks(&address, "/metrics")?;
            let counted = ["out", "in"].map(|direction| {
                let labels = format!("{{group=\"{group}\",direction=\"{direction}\"}} ");
                let name = format!("tidegate_group_bytes_total{labels}");
                let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
                line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
            });
            (counted == expected).then_some(())
        });
    }
    let told = Command::new("kill")
        .args(["-TERM", &child.0.id().to_string()])
        .status();
    assert!(told.expect("it is told").success());
    assert_eq!(child.0.wait().expect("it is our child").code(), Some(0));
    assert_same_lake(folder.path(), "scanned", "watched");
    let mut status = Command::new(BINARY);
    status.current_dir(folder.path());
    let told = status
        .args(["watch", "--state", "state", "--status"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.contains(&format!(
            "alerts           {} delivered, 0 waiting",
            findings.len()
        )),
        "{told}"
    );
}

#[test]
fn a_target_that_blocks_holds_nobody_up_once_the_end_is_asked_for_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        records: 2000,
        ..Options::day(Scenario::PortScan)
    };
    generate(folder.path(), &options).expect("generated");
    // Nobody reads the pipe, which holds less than the scan's findings are.
    let (mut child, address) = begins_with(folder.path(), "stdout", Stdio::piped());
    waits("alerts that wait", || {
        let (_, metrics) = asks(&address, "/metrics")?;
        let name = "tidegate_alerts_waiting{target=\"stdout\"} ";
        let waiting = metrics.lines().find_map(|line| line.strip_prefix(name))?;
        (waiting.parse::<u64>().ok()? > 60).then_some(())
    });
    let id = child.0.id().to_string();
    let terminate = || {
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("it is told").success());
    };
    terminate();
    // It heeds the first: it takes no more, says so, and answers nobody once it judges no more.
    waits("unreadiness", || match asks(&address, "/readyz") {
        Some((200, _)) => None,
        _ => Some(()),
    });
    assert!(
        child.0.try_wait().expect("it is our child").is_none(),
        "it still drains"
    );
    let began = Instant::now();
    terminate();
    assert_eq!(child.0.wait().expect("it is our child").code(), Some(4));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    // What was not delivered waits for the next run.
    let mut status = Command::new(BINARY);
    status.current_dir(folder.path());
    let told = status
        .args(["watch", "--state", "state", "--status"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.contains(" 0 delivered, ") && !told.contains(" 0 waiting"),
        "{told}"
    );
}

#[test]
fn a_state_that_is_in_use_or_damaged_is_refused_and_one_that_is_lost_is_taken_from_the_lake() {
    let folder = logs(5, 4_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let (mut child, address) = begins(folder.path());
    waits("readiness", || {
        asks(&address, "/readyz").filter(|(status, _)| *status == 200)
    });
    let mut second = until_idle(folder.path(), &[]);
    let ran = second.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{errors}");
    assert!(errors.contains("in use by another process"), "{errors}");
    child.0.kill().expect("it is killed");
    child.0.wait().expect("it is our child");
    ends_well(until_idle(folder.path(), &[]));
    let ledger = folder.path().join("state/ledger.redb");
    let whole = fs::read(&ledger).expect("a ledger");
    fs::write(&ledger, &whole[..100]).expect("damaged");
    let ran = until_idle(folder.path(), &[])
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{errors}");
    assert!(errors.contains("move it away"), "{errors}");
    assert_eq!(fs::read(&ledger).expect("it is there").len(), 100);
    // What was judged is in the lake: nothing is judged again, and nobody is told again.
    fs::remove_dir_all(folder.path().join("state")).expect("removed");
    let before = alerts(&folder.path().join("alerts"));
    assert_eq!(announced(&before), findings);
    ends_well(until_idle(folder.path(), &[]));
    assert_eq!(alerts(&folder.path().join("alerts")).len(), before.len());
    assert_same_lake(folder.path(), "scanned", "watched");
}

/// A bucket with the logs of a folder.
fn served(folder: &Path) -> (S3Server, Vec<String>) {
    let server = S3Server::start();
    let files = files(&folder.join("logs"));
    let keys = files.keys().cloned().collect();
    for (key, bytes) in files {
        server.put("logs", &key, bytes);
    }
    (server, keys)
}

#[test]
fn an_object_that_cannot_be_fetched_is_judged_by_the_next_run() {
    let folder = logs(5, 4_000, 14);
    let (server, keys) = served(folder.path());
    let findings = not_muted(&scanned(folder.path(), "s3://logs", |command| {
        command.envs(server.env());
    }));
    let watch = || {
        let mut command = Command::new(BINARY);
        command.current_dir(folder.path()).envs(server.env());
        command.args([
            "watch",
            "s3://logs",
            "--state",
            "state",
            "--lake",
            "watched",
        ]);
        command
            .args(["--until-idle", "--alert", "file:alerts", "--policy"])
            .arg(policy());
        command
            .stdout(Stdio::null())
            .output()
            .expect("the program runs")
    };
    for key in keys.iter().step_by(20) {
        server.fail(Op::Get, key, 1, Fault::access_denied());
    }
    let ran = watch();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{errors}");
    assert!(
        errors.contains("objects that could not be read: "),
        "{errors}"
    );
    let ran = watch();
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_same_lake(folder.path(), "scanned", "watched");
    let sent = announced(&alerts(&folder.path().join("alerts")));
    assert!(findings.is_subset(&sent));
}

#[test]
fn a_ledger_that_was_left_open_tells_its_status() {
    let folder = logs(5, 4_000, 14);
    let (mut child, address) = begins(folder.path());
    waits("readiness", || {
        asks(&address, "/readyz").filter(|(status, _)| *status == 200)
    });
    child.0.kill().expect("it is killed");
    child.0.wait().expect("it is our child");
    let mut status = Command::new(BINARY);
    status.current_dir(folder.path());
    let told = status
        .args(["watch", "--state", "state", "--status"])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(
        text.contains("newest object    2026-02-25"),
        "{text}{}",
        String::from_utf8_lossy(&told.stderr)
    );
}

#[test]
fn wrong_usage_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("made");
    let says = |more: &[&str], expected: &str| {
        let ran = until_idle(folder.path(), more)
            .output()
            .expect("the program runs");
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    };
    says(
        &["--alert", "file:alerts?min=high"],
        "each target of alerts once",
    );
    says(&["--alert", "file:/dev/null"], "it is no file");
    says(&["--lateness", "soon"], "expected a duration such as 30s");
    says(&["sqs://a", "sqs://b"], "expected one queue");
    assert!(!folder.path().join("state").exists());
    // One that has begun does not begin earlier.
    let ran = until_idle(folder.path(), &["--since", "2026-03-01"]).output();
    assert_eq!(ran.expect("the program runs").status.code(), Some(0));
    says(&["--since", "2026-02-01"], "cannot begin earlier now");
}
