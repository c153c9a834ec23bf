//! The same lake in S3, over HTTP: as in a folder, and through throttling, broken answers and refusals.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tidegate::judge::Finding;
use tidegate::sink::{Hour, Identity, Lake, Store};
use tokio::runtime::Runtime;

use super::lake::{SIX, edge, fill, finding, identity, object, snapshot};
use super::lake_records::take_records;
use super::s3_server::{Fault, Op, S3Server};

const HOUR: &str = "date=2026-02-25/hour=06/part-0000.parquet";

/// A server with one bucket, and what it takes to talk to it.
struct Bucket {
    server: S3Server,
    runtime: Runtime,
    temp: TempDir,
}

impl Bucket {
    fn new() -> Bucket {
        let server = S3Server::start();
        server.create_bucket("lakes");
        Bucket {
            server,
            runtime: Runtime::new().expect("a runtime"),
            temp: tempfile::tempdir().expect("a folder"),
        }
    }

    fn store(&self) -> Store {
        let retry = RetryConfig::standard()
            .with_max_attempts(4)
            .with_initial_backoff(Duration::from_millis(1));
        let client = Client::from_conf(self.server.config().retry_config(retry).build());
        Store::s3(client, "lakes", "/flow/lake/", self.runtime.handle())
    }

    fn lake(&self) -> Lake {
        Lake::open(self.store(), identity(), false, self.temp.path()).expect("the lake opens")
    }
}

/// Two hours with rows in every table, and the findings of their day.
fn write(lake: &Lake) {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for second in [SIX, SIX + 3600] {
        let mut hour = lake.hour(Hour::of(second)).expect("begun");
        fill(&mut hour, 2000, 40, &mut random);
        take_records(&mut hour, &[10, 20, 1]);
        hour.commit().expect("committed");
    }
    let day = Hour::of(SIX).day();
    let findings: Vec<Finding> = (0..20).map(finding).collect();
    lake.write_findings(
        day,
        &findings,
        0,
        &lake.made_from(day, "texts").expect("digested"),
    )
    .expect("written");
}

/// The lake that [`write`] leaves in a folder.
fn in_a_folder() -> BTreeMap<String, Vec<u8>> {
    let (root, temp) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let lake = Lake::open(Store::local(root.path()), identity(), false, temp.path())
        .expect("the lake opens");
    write(&lake);
    snapshot(lake.store())
}

#[test]
fn a_lake_in_s3_is_that_in_a_folder_file_by_file() {
    let bucket = Bucket::new();
    bucket.server.page_size(2);
    let lake = bucket.lake();
    assert_eq!(lake.store().url(), "s3://lakes/flow/lake");
    write(&lake);
    let found = snapshot(lake.store());
    assert!(found == in_a_folder(), "{:?}", found.keys());
    assert!(
        bucket
            .server
            .keys("lakes", "")
            .iter()
            .all(|key| key.starts_with("flow/lake/"))
    );

    let hours = lake.committed_hours(..).expect("listed");
    assert_eq!(
        hours.into_iter().collect::<Vec<_>>(),
        [Hour::of(SIX), Hour::of(SIX + 3600)]
    );
    let edges = lake
        .edges([Hour::of(SIX)])
        .expect("found")
        .edges()
        .map(|edge| edge.expect("read"));
    assert!(edges.eq((0..2000).map(edge)));
    assert_eq!(
        lake.objects(Hour::of(SIX)).expect("read"),
        (0..12).map(object).collect::<Vec<_>>()
    );
    assert_eq!(
        lake.read_findings(Hour::of(SIX).day()).expect("read").len(),
        20
    );
}

#[test]
fn a_run_that_died_is_completed_in_s3_too() {
    let bucket = Bucket::new();
    let lake = bucket.lake();
    let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
    fill(&mut hour, 100, 3, &mut ChaCha8Rng::seed_from_u64(1));
    take_records(&mut hour, &[1]);
    let mut publication = hour.prepare().expect("prepared");
    while publication.steps_left() > 1 {
        publication.step().expect("done");
    }
    drop(publication);
    assert_eq!(bucket.server.keys("lakes", "flow/lake/records/").len(), 1);
    assert_eq!(lake.committed_hours(..).expect("listed").len(), 0);

    let lake = bucket.lake();
    write(&lake);
    assert!(snapshot(lake.store()) == in_a_folder());
}

#[test]
fn throttling_and_broken_answers_do_not_show() {
    let bucket = Bucket::new();
    let key = |name: &str| format!("flow/lake/{name}");
    bucket
        .server
        .fail(Op::Put, &key("lake.json"), 2, Fault::internal_error());
    bucket.server.fail(
        Op::Put,
        &key(&format!("edges/{HOUR}")),
        3,
        Fault::slow_down(),
    );
    bucket.server.fail(
        Op::Put,
        &key(&format!("objects/{HOUR}")),
        1,
        Fault::slow_down(),
    );
    bucket.server.fail(
        Op::List,
        &key("records/date=2026-02-25/hour=06/"),
        2,
        Fault::slow_down(),
    );
    bucket.server.fail(
        Op::Get,
        &key(&format!("objects/{HOUR}")),
        2,
        Fault::Truncate(100),
    );
    let lake = bucket.lake();
    write(&lake);
    assert!(snapshot(lake.store()) == in_a_folder());

    bucket.server.fail(
        Op::Get,
        &key(&format!("edges/{HOUR}")),
        3,
        Fault::Truncate(5000),
    );
    let edges = lake.edges([Hour::of(SIX)]).expect("found").edges();
    assert!(
        edges
            .map(|edge| edge.expect("read"))
            .eq((0..2000).map(edge))
    );
}

#[test]
fn another_policy_is_refused_and_the_ledger_is_written_once() {
    let bucket = Bucket::new();
    let lake = bucket.lake();
    let other = Identity {
        policy_hash: "4567".to_owned(),
        ..identity()
    };
    let error = Lake::open(bucket.store(), other, false, bucket.temp.path())
        .expect_err("refused")
        .to_string();
    assert!(
        error
            .starts_with("the lake at s3://lakes/flow/lake holds something else:\n  policy hash: "),
        "{error}"
    );

    let prepare = |objects: u64| {
        let mut hour = lake.hour(Hour::of(SIX)).expect("begun");
        (0..objects).for_each(|index| hour.object(object(index)));
        hour.prepare().expect("prepared")
    };
    let (first, same, other) = (prepare(1), prepare(1), prepare(2));
    first.finish().expect("committed");
    same.finish().expect("the same content is no conflict");
    let error = other.finish().expect_err("other content is").to_string();
    assert!(
        error.contains("was committed by another process meanwhile"),
        "{error}"
    );
    assert_eq!(lake.objects(Hour::of(SIX)).expect("read"), [object(0)]);
    let puts = bucket.server.log_of(Op::Put);
    assert!(
        puts.iter()
            .filter(|put| put.contains("/objects/"))
            .all(|put| put.ends_with("if-none-match=*")),
        "{puts:?}"
    );
}

#[test]
fn a_server_without_conditional_writes_is_asked_first() {
    let bucket = Bucket::new();
    let unknown = || Fault::Error {
        status: 501,
        code: "NotImplemented",
        message: "A header is not implemented.",
        region: None,
    };
    bucket.server.fail(Op::Put, "flow/lake/x", 1, unknown());
    let store = bucket.store();
    assert!(store.put_bytes_if_absent("x", b"first").expect("put"));
    bucket.server.fail(Op::Put, "flow/lake/x", 1, unknown());
    assert!(!store.put_bytes_if_absent("x", b"second").expect("refused"));
    assert_eq!(
        store.get("x").expect("read").as_deref(),
        Some(&b"first"[..])
    );
}

/// A file of random bytes.
fn random_file(folder: &TempDir, size: usize) -> (std::path::PathBuf, Vec<u8>) {
    let mut bytes = vec![0; size];
    ChaCha8Rng::seed_from_u64(9).fill_bytes(&mut bytes);
    let path = folder.path().join("file");
    std::fs::write(&path, &bytes).expect("written");
    (path, bytes)
}

#[test]
fn a_large_file_goes_up_in_parts() {
    let bucket = Bucket::new();
    let store = bucket.store();
    let (path, bytes) = random_file(&bucket.temp, (20 << 20) + 1);
    store.put_file(&path, "records/large").expect("put");
    assert!(
        bucket
            .server
            .get("lakes", "flow/lake/records/large")
            .is_some_and(|found| found == bytes)
    );
    assert_eq!(
        (
            bucket.server.log_of(Op::Part).len(),
            bucket.server.log_of(Op::Put).len()
        ),
        (3, 0)
    );
    assert!(
        store.exists("records/large").expect("asked")
            && !store.exists("records/other").expect("asked")
    );
    store.delete("records/large").expect("deleted");
    store.delete("records/large").expect("deleted before");
    assert!(!store.exists("records/large").expect("asked"));
}

#[test]
fn a_large_file_that_fails_leaves_no_parts_behind() {
    let bucket = Bucket::new();
    let (path, _) = random_file(&bucket.temp, 12 << 20);
    // Each of the two parts is tried four times at most: a refusal in mid-body may look like a broken connection.
    let key = "flow/lake/records/large";
    bucket.server.fail(Op::Part, key, 8, Fault::access_denied());
    let error = bucket
        .store()
        .put_file(&path, "records/large")
        .expect_err("refused")
        .to_string();
    assert!(
        error.starts_with("cannot write s3://lakes/flow/lake/records/large: "),
        "{error}"
    );
    assert_eq!(bucket.server.open_uploads(), 0);
    assert_eq!(bucket.server.keys("lakes", "").len(), 0);
}

#[test]
fn refusals_say_what_to_do() {
    fn check(op: Op, key: &str, fault: Fault, expected: &str) {
        let bucket = Bucket::new();
        bucket.server.fail(op, key, 1, fault);
        let lake = Lake::open(bucket.store(), identity(), false, bucket.temp.path());
        let error = match lake.and_then(|lake| lake.committed_hours(..)) {
            Ok(_) => panic!("no error from {op:?} {key}"),
            Err(error) => error.to_string(),
        };
        assert!(
            error.starts_with("cannot ")
                && error.contains("s3://lakes/flow/lake/")
                && error.contains(expected),
            "{error}"
        );
    }
    check(
        Op::Put,
        "flow/lake/lake.json",
        Fault::access_denied(),
        "s3:PutObject",
    );
    check(
        Op::List,
        "flow/lake/objects/",
        Fault::access_denied(),
        "s3:ListBucket",
    );
    check(
        Op::Put,
        "flow/lake/lake.json",
        Fault::elsewhere("eu-west-1"),
        "set AWS_REGION",
    );

    let bucket = Bucket::new();
    let client = Client::from_conf(bucket.server.config().build());
    let store = Store::s3(client, "no-such-bucket", "", bucket.runtime.handle());
    let error = Lake::open(store, identity(), false, bucket.temp.path())
        .expect_err("no bucket")
        .to_string();
    assert!(
        error.starts_with("cannot write s3://no-such-bucket/lake.json: ")
            && error.contains("hint: make the bucket first"),
        "{error}"
    );
}
