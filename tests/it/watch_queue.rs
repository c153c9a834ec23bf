//! `watch` and its queue: notifications by whatever way, duplicates, what is no notification, a queue without a dead-letter
//! queue.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tidegate::app::watch::status::Status;

use crate::moto::Moto;
use crate::watch::{
    BINARY, Running, alerts, announced, assert_same_tables, files, logs, not_muted, policy, scanned,
};

const BUCKET: &str = "flow-logs";
const QUEUE: &str = "sqs://notices";

fn watch(moto: &Moto, folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    moto.env(&mut command);
    command.current_dir(folder);
    command.args([
        "watch",
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
    command.output().expect("the program runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_a_queue_tells_of_is_judged_once_and_what_it_is_not_told_is_left() {
    let folder = logs(5, 6_000, 14);
    let moto = Moto::start();
    moto.bucket(BUCKET);
    let queue = moto.queue("notices", Some(2));
    moto.notifies(BUCKET, "notices");
    // In an order that has nothing to do with their times.
    let objects = files(&folder.path().join("logs"));
    for (key, bytes) in &objects {
        moto.put(BUCKET, key, bytes.clone());
    }
    // Some are told of again, by other ways.
    let etag = |key: &str| {
        let asked = moto.s3.head_object().bucket(BUCKET).key(key).send();
        let told = moto.runtime.block_on(asked).expect("an object");
        told.e_tag.expect("a tag").trim_matches('"').to_owned()
    };
    for (key, bytes) in objects.iter().step_by(7) {
        let event = json!({
            "source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": bytes.len(), "etag": etag(key)}},
        });
        moto.send(&queue, &event.to_string());
        let encoded: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let record = json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Copy",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": encoded, "size": bytes.len(), "eTag": etag(key)}}});
        let notice = json!({"Records": [record, record]}).to_string();
        moto.send(
            &queue,
            &json!({"Type": "Notification", "Message": notice}).to_string(),
        );
    }
    moto.send(&queue, "hello");
    let ran = watch(&moto, folder.path(), &[QUEUE]);
    assert_eq!(ran.status.code(), Some(0), "{}", errors(&ran));
    assert!(
        errors(&ran).contains("left to its redrive policy: no JSON"),
        "{}",
        errors(&ran)
    );
    let findings = scanned(folder.path(), "s3://flow-logs", |command| moto.env(command));
    assert_same_tables(folder.path(), "scanned", "watched");
    let sent = alerts(&folder.path().join("alerts"));
    assert_eq!(announced(&sent), not_muted(&findings));
    assert_eq!(sent.len(), not_muted(&findings).len(), "each once");
    // What is no notification goes where the queue's owner looks for it.
    assert_eq!(moto.depth(&queue), 1);
    let dead = queue.replace("notices", "notices-dead");
    for _ in 0..20 {
        if moto.depth(&dead) == 1 {
            break;
        }
        let ran = watch(&moto, folder.path(), &[QUEUE]);
        assert_eq!(ran.status.code(), Some(0), "{}", errors(&ran));
    }
    assert_eq!((moto.depth(&queue), moto.depth(&dead)), (0, 1));
}

#[test]
fn a_bucket_that_is_listed_and_its_queue_name_each_object_once() {
    let folder = logs(6, 3_000, 14);
    let moto = Moto::start();
    moto.bucket(BUCKET);
    let queue = moto.queue("notices", Some(2));
    // The first objects were there before anybody was told.
    let objects: Vec<_> = files(&folder.path().join("logs")).into_iter().collect();
    let (before, after) = objects.split_at(objects.len() / 2);
    for (key, bytes) in before {
        moto.put(BUCKET, key, bytes.clone());
    }
    moto.notifies(BUCKET, "notices");
    for (key, bytes) in after {
        moto.put(BUCKET, key, bytes.clone());
    }
    let ran = watch(
        &moto,
        folder.path(),
        &[QUEUE, "s3://flow-logs", "--since", "2026-01-01"],
    );
    assert_eq!(ran.status.code(), Some(0), "{}", errors(&ran));
    let findings = scanned(folder.path(), "s3://flow-logs", |command| moto.env(command));
    assert_same_tables(folder.path(), "scanned", "watched");
    assert_eq!(
        announced(&alerts(&folder.path().join("alerts"))),
        not_muted(&findings)
    );
    assert_eq!(moto.depth(&queue), 0);
}

#[test]
fn queues_that_will_not_do_are_refused_with_advice() {
    let folder = tempfile::tempdir().expect("a folder");
    let moto = Moto::start();
    moto.queue("notices", None);
    let ran = watch(&moto, folder.path(), &[QUEUE]);
    assert_eq!(ran.status.code(), Some(2), "{}", errors(&ran));
    assert!(
        errors(&ran).contains("has no dead-letter queue"),
        "{}",
        errors(&ran)
    );
    let ran = watch(&moto, folder.path(), &[QUEUE, "--allow-no-dlq"]);
    assert_eq!(ran.status.code(), Some(0), "{}", errors(&ran));
    let ran = watch(&moto, folder.path(), &["sqs://none", "--allow-no-dlq"]);
    assert_eq!(ran.status.code(), Some(2), "{}", errors(&ran));
    assert!(
        errors(&ran).contains("aws sqs list-queues"),
        "{}",
        errors(&ran)
    );
}

#[test]
fn a_queue_that_is_never_empty_is_judged_as_it_goes() {
    let folder = logs(5, 3_000, 26);
    let moto = Moto::start();
    moto.bucket(BUCKET);
    let queue = moto.queue("notices", Some(2));
    moto.notifies(BUCKET, "notices");
    let mut command = Command::new(BINARY);
    moto.env(&mut command);
    command.current_dir(folder.path());
    command.args([
        "watch", QUEUE, "--state", "state", "--lake", "watched", "--policy",
    ]);
    command
        .arg(policy())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _running = Running(command.spawn().expect("the program runs"));
    let objects = files(&folder.path().join("logs"));
    for (key, bytes) in &objects {
        moto.put(BUCKET, key, bytes.clone());
    }
    // Ever another message, none of them news.
    let until = Instant::now() + Duration::from_secs(40);
    loop {
        let status = tidegate::app::watch::status::status(&folder.path().join("state"));
        let is_judged = |status: &Status| {
            status.objects == objects.len() as u64 && status.hours[1] + status.hours[2] >= 2
        };
        if status.as_ref().is_ok_and(is_judged) {
            break;
        }
        assert!(Instant::now() < until, "nothing is judged: {status:?}");
        moto.send(&queue, r#"{"Event": "s3:TestEvent"}"#);
    }
}
