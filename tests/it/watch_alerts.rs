//! `watch` and the targets of its alerts: one that hangs, one that fails, one that is slow; what each is to get, and how it is
//! signed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::watch::{
    Running, alerts, announced, assert_conform, assert_valid, ends_well, logs, not_muted, scanned,
    until_idle,
};
use crate::watch_operation::{asks, free_address, waits};

/// What a target answers.
#[derive(Clone, Copy)]
enum Answers {
    Well,
    /// An error, so many times; then well.
    Badly(usize, u16),
    /// Well, after a while.
    Slowly(Duration),
    /// Never.
    Never,
}

/// A target: what it got, each with its signature.
struct Hook {
    url: String,
    got: Arc<Mutex<Vec<(Value, String)>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Hook {
    fn new(answers: Answers) -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let hook = Hook {
            url: format!("http://{}/in", listener.local_addr().expect("an address")),
            got: Arc::default(),
            answers: Arc::new(Mutex::new(answers)),
        };
        let (got, answers) = (hook.got.clone(), hook.answers.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (got, answers) = (got.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, &got, &answers));
            }
        });
        hook
    }

    fn answers(&self, answers: Answers) {
        *self.answers.lock().expect("no thread panicked") = answers;
    }

    /// How often it will still answer by an error.
    fn errors_left(&self) -> usize {
        match *self.answers.lock().expect("no thread panicked") {
            Answers::Badly(times, _) => times,
            _ => 0,
        }
    }

    fn got(&self) -> Vec<(Value, String)> {
        self.got.lock().expect("no thread panicked").clone()
    }

    fn alerts(&self) -> Vec<Value> {
        self.got().into_iter().map(|(alert, _)| alert).collect()
    }
}

/// Answers the requests of a connection.
fn serve(stream: TcpStream, got: &Mutex<Vec<(Value, String)>>, answers: &Mutex<Answers>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut signature) = (0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "x-tidegate-signature" => value.clone_into(&mut signature),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let answer = {
            let mut answers = answers.lock().expect("no thread panicked");
            let answer = *answers;
            if let Answers::Badly(times, status) = answer {
                *answers = match times {
                    1 => Answers::Well,
                    _ => Answers::Badly(times - 1, status),
                };
            }
            answer
        };
        let status = match answer {
            Answers::Well => 200,
            Answers::Badly(_, status) => status,
            Answers::Slowly(pause) => {
                std::thread::sleep(pause);
                200
            }
            // The connection stays as it is.
            Answers::Never => loop {
                std::thread::park();
            },
        };
        if status == 200 {
            let alert = serde_json::from_slice(&body).expect("JSON");
            got.lock()
                .expect("no thread panicked")
                .push((alert, signature));
        }
        let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\nok");
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_target_that_hangs_fails_or_is_slow_holds_up_nobody_else_and_gets_all_in_the_end() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let hangs = Hook::new(Answers::Never);
    let fails = Hook::new(Answers::Badly(2, 500));
    let slow = Hook::new(Answers::Slowly(Duration::from_millis(20)));
    let targets: Vec<String> = [&hangs, &fails, &slow]
        .iter()
        .map(|hook| format!("webhook:{}", hook.url))
        .collect();
    let mut more = vec!["--grace", "3s"];
    targets
        .iter()
        .for_each(|target| more.extend(["--alert", target]));
    let ran = until_idle(folder.path(), &more)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{errors}");
    let waiting = format!("alerts that their targets did not take: {}", findings.len());
    assert!(errors.contains(&waiting), "{errors}");
    assert!(errors.contains("it answered 500"), "{errors}");
    assert_eq!(announced(&alerts(&folder.path().join("alerts"))), findings);
    for hook in [&fails, &slow] {
        assert_eq!(announced(&hook.alerts()), findings);
        assert_eq!(hook.got().len(), findings.len(), "each once");
    }
    assert!(hangs.got().is_empty());
    // What waited goes out when the target is well again, and nothing else does.
    hangs.answers(Answers::Well);
    let ran = until_idle(folder.path(), &more)
        .output()
        .expect("the program runs");
    assert_eq!(
        ran.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(announced(&hangs.alerts()), findings);
    assert_eq!(slow.got().len(), findings.len(), "each once");
}

#[test]
fn whoever_asks_is_answered_until_the_last_alert_is_delivered() {
    let folder = logs(5, 6_000, 14);
    let hook = Hook::new(Answers::Badly(usize::MAX, 500));
    let (target, address) = (format!("webhook:{}", hook.url), free_address());
    let more = ["--alert", &target, "--listen", &address, "--grace", "60s"];
    let mut running = Running(until_idle(folder.path(), &more).spawn().expect("it runs"));
    waits("the end of judging", || {
        asks(&address, "/readyz").filter(|(status, _)| *status == 200)?;
        let (_, metrics) = asks(&address, "/metrics")?;
        let is_judged = |line| line == "tidegate_hours{state=\"open\"} 0";
        metrics.lines().any(is_judged).then_some(())
    });
    // From here on alerts are all that is left to do, for as long as the target wants.
    let left = hook.errors_left();
    waits("another try", || (hook.errors_left() < left).then_some(()));
    assert_eq!(asks(&address, "/healthz"), Some((200, "ok\n".to_owned())));
    hook.answers(Answers::Well);
    assert_eq!(running.0.wait().expect("it is our child").code(), Some(0));
    assert!(!hook.got().is_empty());
    assert_eq!(asks(&address, "/healthz"), None);
}

#[test]
fn targets_get_what_they_ask_for_signed_if_they_want() {
    let folder = logs(5, 8_000, 14);
    scanned(folder.path(), "logs", |_| ());
    let (all, high) = (Hook::new(Answers::Well), Hook::new(Answers::Well));
    // What is not taken for its own sake holds up no other.
    let picky = Hook::new(Answers::Badly(1, 400));
    let slack = Hook::new(Answers::Well);
    let targets = [
        format!("webhook:{}?secret-env=HOOK_SECRET", all.url),
        format!(
            "webhook:{}?min=high&kind=egress-violation&kind=cross-tier-violation",
            high.url
        ),
        format!("webhook:{}?min=high", picky.url),
        format!("slack:{}?min=critical", slack.url),
    ];
    let mut command = until_idle(folder.path(), &[]);
    targets.iter().for_each(|target| {
        command.args(["--alert", target]);
    });
    command.env("HOOK_SECRET", "s3cret");
    let ran = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{errors}");
    assert!(!errors.contains("s3cret"), "{errors}");
    for (_, signature) in all.got() {
        let (time, hash) = signature.split_once(",v1=").expect("a time and a hash");
        assert!(time.starts_with("t=1") && hash.len() == 64, "{signature}");
    }
    let text = |alert: &Value, name: &str| alert[name].as_str().expect(name).to_owned();
    let kinds = ["egress-violation", "cross-tier-violation"];
    let severities = ["high", "critical"];
    let is_high = |alert: &Value| severities.contains(&&*text(alert, "severity"));
    let wanted: Vec<Value> = all.alerts().into_iter().filter(is_high).collect();
    assert_eq!(announced(&picky.alerts()), announced(&wanted));
    let of_kinds = wanted
        .iter()
        .filter(|alert| kinds.contains(&&*text(alert, "kind")));
    let of_kinds: Vec<Value> = of_kinds.cloned().collect();
    assert!(!of_kinds.is_empty() && of_kinds.len() < wanted.len());
    assert_eq!(announced(&high.alerts()), announced(&of_kinds));
    let critical = wanted
        .iter()
        .filter(|alert| text(alert, "severity") == "critical");
    let told: Vec<String> = slack
        .alerts()
        .iter()
        .map(|told| text(told, "text"))
        .collect();
    assert_eq!(told.len(), critical.count());
    assert!(
        told.iter()
            .all(|told| told.starts_with("*critical* opened: ")),
        "{told:?}"
    );
}

#[test]
fn more_than_a_target_is_to_take_in_a_minute_comes_in_one() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let (hook, slack) = (Hook::new(Answers::Well), Hook::new(Answers::Well));
    let mut command = until_idle(folder.path(), &[]);
    command.args(["--alert", &format!("webhook:{}?rate=5", hook.url)]);
    command.args(["--alert", &format!("slack:{}?rate=1", slack.url)]);
    ends_well(command);
    let got = hook.alerts();
    assert_conform(&got);
    let (digests, single): (Vec<Value>, Vec<Value>) = got
        .into_iter()
        .partition(|alert| alert["event"] == "digest");
    assert_eq!(single.len(), 5);
    let others = digests
        .iter()
        .flat_map(|digest| digest["alerts"].as_array().expect("alerts"));
    let all: Vec<Value> = single.iter().chain(others).cloned().collect();
    assert_eq!(all.len(), findings.len(), "each once");
    assert_eq!(announced(&all), findings);
    let counts = digests
        .iter()
        .map(|digest| digest["count"].as_u64().expect("a number"));
    assert_eq!(counts.sum::<u64>(), findings.len() as u64 - 5);
    let told = slack.alerts();
    let text = told[1]["text"].as_str().expect("text");
    assert!(text.contains(" alerts in a short time*\n*"), "{text}");
}

#[test]
fn alerts_are_findings_of_ocsf_where_that_is_asked_for() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let hook = Hook::new(Answers::Well);
    let mut command = until_idle(folder.path(), &["--alert", "file:ocsf?format=ocsf"]);
    command.args([
        "--alert",
        &format!("webhook:{}?format=ocsf&rate=5", hook.url),
    ]);
    ends_well(command);
    let events = alerts(&folder.path().join("ocsf"));
    assert_valid(&events, &["tests/interop/validate_ocsf.py"]);
    let ids = events
        .iter()
        .map(|event| event["finding_info"]["uid"].as_str().expect("an id"));
    let ids: std::collections::BTreeSet<String> = ids.map(str::to_owned).collect();
    assert_eq!(ids, findings);
    // Digests are events, too.
    assert!((6..10).contains(&hook.got().len()), "{}", hook.got().len());
    assert_valid(&hook.alerts(), &["tests/interop/validate_ocsf.py"]);
}

#[test]
fn a_secret_that_is_not_there_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("logs")).expect("made");
    let mut command = until_idle(
        folder.path(),
        &["--alert", "webhook:http://hook.example?secret-env=NONE"],
    );
    let ran = command
        .env_remove("NONE")
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{errors}");
    assert!(errors.contains("expected the secret in $NONE"), "{errors}");
}
