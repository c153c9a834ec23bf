//! `watch` and the targets of its alerts in AWS: a topic of SNS, Security Hub, and what it does not take at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::moto::{ACCOUNT, Moto, REGION};
use crate::watch::{
    alerts, announced, assert_conform, ends_well, logs, not_muted, scanned, until_idle,
};

fn product() -> String {
    format!("arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Has the program talk to a server of the test alone.
fn credentials(command: &mut Command) {
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ENDPOINT_URL");
}

#[test]
fn a_topic_gets_each_alert_with_what_subscriptions_filter_by() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let moto = Moto::start();
    let (all, high) = (moto.queue("all", None), moto.queue("high", None));
    let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:alerts");
    let ask = |body: String| moto.ask("sns", "/", &body);
    ask("Action=CreateTopic&Version=2010-03-31&Name=alerts".to_owned());
    for (queue, filter) in [
        ("all", String::new()),
        (
            "high",
            "&Attributes.entry.1.key=FilterPolicy\
             &Attributes.entry.1.value=%7B%22severity%22%3A%5B%22high%22%2C%22critical%22%5D%7D"
                .to_owned(),
        ),
    ] {
        ask(format!(
            "Action=Subscribe&Version=2010-03-31&TopicArn={topic}&Protocol=sqs\
             &Endpoint=arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}{filter}"
        ));
    }
    let mut command = until_idle(
        folder.path(),
        &["--alert", &format!("sns:{topic}?rate=100000")],
    );
    moto.env(&mut command);
    ends_well(command);
    let told = |queue: &str| -> Vec<(Value, Value)> {
        let messages = moto.take(queue).into_iter().map(|message| {
            let envelope: Value = serde_json::from_str(&message).expect("JSON");
            let alert = serde_json::from_str(&text(&envelope["Message"])).expect("JSON");
            (envelope, alert)
        });
        messages.collect()
    };
    let got = told(&all);
    assert_eq!(got.len(), findings.len(), "each once");
    for (envelope, alert) in &got {
        let expected = format!(
            "tidegate: {} opened {}",
            text(&alert["severity"]),
            text(&alert["title"])
        );
        let subject = text(&envelope["Subject"]);
        assert!(subject.len() <= 100 && subject.is_ascii(), "{subject}");
        assert_eq!(subject[..25], expected[..25]);
        for name in ["severity", "kind", "event"] {
            assert_eq!(envelope["MessageAttributes"][name]["Value"], alert[name]);
        }
    }
    let got: Vec<Value> = got.into_iter().map(|(_, alert)| alert).collect();
    assert_conform(&got);
    assert_eq!(announced(&got), findings);
    let wanted: Vec<Value> = got
        .into_iter()
        .filter(|alert| ["high", "critical"].contains(&&*text(&alert["severity"])))
        .collect();
    let filtered: Vec<Value> = told(&high).into_iter().map(|(_, alert)| alert).collect();
    assert!(!wanted.is_empty());
    assert_eq!(announced(&filtered), announced(&wanted));
}

#[test]
fn security_hub_has_each_finding_once_however_often_it_is_told() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    let moto = Moto::start();
    moto.ask("securityhub", "/accounts", "{}");
    let imported = || -> Vec<Value> {
        let mut found = Vec::new();
        let mut asked = json!({"MaxResults": 100});
        loop {
            let answer = moto.ask("securityhub", "/findings", &asked.to_string());
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            found.extend(answer["Findings"].as_array().expect("findings").clone());
            if answer["NextToken"].is_null() {
                return found;
            }
            asked["NextToken"] = answer["NextToken"].clone();
        }
    };
    let target = format!("securityhub:{}", product());
    let mut before: Option<BTreeSet<String>> = None;
    for _ in 0..2 {
        let mut command = until_idle(folder.path(), &["--alert", &target]);
        moto.env(&mut command);
        ends_well(command);
        let found = imported();
        assert_eq!(found.len(), findings.len(), "each once");
        let mut ids = BTreeSet::new();
        for finding in &found {
            assert_eq!(finding["AwsAccountId"], ACCOUNT);
            assert_eq!(finding["ProductArn"], product());
            assert_eq!(finding["RecordState"], "ACTIVE");
            ids.insert(text(&finding["Id"]));
        }
        let ends: BTreeSet<String> = ids
            .iter()
            .filter_map(|id| Some(id.rsplit_once('/')?.1.to_owned()))
            .collect();
        assert_eq!(ends, findings);
        assert!(before.is_none_or(|before| before == ids), "ids are stable");
        before = Some(ids);
        // A watch that remembers nothing tells all again.
        for name in ["state", "watched"] {
            std::fs::remove_dir_all(folder.path().join(name)).expect("removed");
        }
    }
}

/// A request: its head's lines, and its body.
type Asked = (Vec<String>, String);

/// Plays Security Hub: fails each of some findings once, and notes what it was asked to import, and how it was signed.
struct Hub {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Hub {
    /// A hub that fails the first finding that it sees by the first code, the second by the second.
    fn that_fails(codes: [&'static str; 2]) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let hub = Hub {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            asked: Arc::default(),
        };
        let (asked, failed) = (hub.asked.clone(), Arc::new(Mutex::new(BTreeMap::new())));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, failed) = (asked.clone(), failed.clone());
                std::thread::spawn(move || serve(stream, codes, &asked, &failed));
            }
        });
        hub
    }
}

/// Answers the requests of a connection.
fn serve(
    stream: TcpStream,
    codes: [&'static str; 2],
    asked: &Mutex<Vec<(Vec<String>, String)>>,
    failed: &Mutex<BTreeMap<String, &'static str>>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut signature, mut first) = (0, String::new(), String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                line.clone_into(&mut first);
            }
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "authorization" => value.clone_into(&mut signature),
                _ => {}
            }
        }
        assert_eq!(first, "POST /findings/import HTTP/1.1");
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let findings = body["Findings"].as_array().expect("findings");
        let ids: Vec<String> = findings
            .iter()
            .map(|finding| text(&finding["Id"]))
            .collect();
        let mut failures = Vec::new();
        let mut failed = failed.lock().expect("no thread panicked");
        for id in &ids {
            if failed.len() < codes.len() && !failed.contains_key(id) {
                let code = codes[failed.len()];
                failed.insert(id.clone(), code);
                failures.push(json!({"Id": id, "ErrorCode": code, "ErrorMessage": "no"}));
            }
        }
        drop(failed);
        let answer = json!({
            "SuccessCount": ids.len() - failures.len(), "FailedCount": failures.len(), "FailedFindings": failures,
        });
        asked
            .lock()
            .expect("no thread panicked")
            .push((ids, signature));
        let answer = answer.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn what_security_hub_does_not_take_is_sent_again_and_nothing_else_is() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    for codes in [
        ["InternalException", "InvalidInput"],
        ["InvalidInput", "ThrottlingException"],
    ] {
        let hub = Hub::that_fails(codes);
        let target = format!("securityhub:{}", product());
        let mut command = until_idle(folder.path(), &["--alert", &target]);
        credentials(&mut command);
        command.env("AWS_ENDPOINT_URL_SECURITYHUB", &hub.url);
        let ran = command.output().expect("the program runs");
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{errors}");
        assert!(errors.contains(&format!("{}: no", codes[0])), "{errors}");
        let asked = hub.asked.lock().expect("no thread panicked").clone();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for (ids, signature) in &asked {
            assert!((1..=100).contains(&ids.len()), "{}", ids.len());
            let scope = format!("/{REGION}/securityhub/aws4_request");
            assert!(
                signature.starts_with("AWS4-HMAC-SHA256 Credential=test/")
                    && signature.contains(&scope),
                "{signature}"
            );
            for id in ids {
                *times.entry(id.clone()).or_default() += 1;
            }
        }
        assert_eq!(times.len(), findings.len());
        let again = times.values().filter(|times| **times == 2).count();
        assert_eq!(again, codes.len());
        assert!(times.values().all(|times| *times <= 2), "{times:?}");
        for name in ["state", "watched"] {
            std::fs::remove_dir_all(folder.path().join(name)).expect("removed");
        }
    }
}

#[test]
fn alerts_are_findings_of_asff_where_that_is_asked_for() {
    let folder = logs(5, 8_000, 14);
    let findings = not_muted(&scanned(folder.path(), "logs", |_| ()));
    ends_well(until_idle(
        folder.path(),
        &["--alert", "file:asff?format=asff"],
    ));
    let told = alerts(&folder.path().join("asff"));
    assert_eq!(told.len(), findings.len(), "each once");
    for finding in &told {
        assert_eq!(finding["SchemaVersion"], "2018-10-08");
        let account = text(&finding["AwsAccountId"]);
        assert!(text(&finding["ProductArn"]).contains(&account));
        assert!(!text(&finding["Resources"][0]["Id"]).is_empty());
    }
}

#[test]
fn a_target_in_aws_without_credentials_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("logs")).expect("made");
    let target = format!("securityhub:{}", product());
    let mut command = until_idle(folder.path(), &["--alert", &target]);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ] {
        command.env_remove(name);
    }
    command
        .env("HOME", folder.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let ran = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{errors}");
    assert!(errors.contains("no AWS credentials"), "{errors}");
}
