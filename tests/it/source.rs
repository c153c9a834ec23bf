//! Sources: which objects are found, in which order, by which requests; and that half an object never counts.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tidegate::flow::Input;
use tidegate::source::{
    Batch, Body, Counts, FetchOptions, Fetcher, Listing, Object, ReadBuffer, Retry, S3, Selection,
    Source, SourceError,
};
use tokio::runtime::Runtime;

use crate::s3_server::{Fault, Op, S3Server};

const EAST: &str = "us-east-1";

/// Three tries, a millisecond apart.
const QUICK: Retry = Retry {
    tries: 3,
    first: Duration::from_millis(1),
    most: Duration::from_millis(1),
};

/// A bucket to list and fetch from.
struct Bucket {
    server: S3Server,
    runtime: Runtime,
    s3: S3,
}

impl Bucket {
    fn new() -> Bucket {
        let server = S3Server::start();
        server.create_bucket("logs");
        let runtime = Runtime::new().expect("a runtime");
        let s3 = S3::new(server.config(), QUICK);
        Bucket {
            server,
            runtime,
            s3,
        }
    }

    fn holding(keys: &[&str]) -> Bucket {
        let bucket = Bucket::new();
        for key in keys {
            bucket.server.put("logs", key, key.as_bytes().to_vec());
        }
        bucket
    }

    fn list(&self, sources: &[&str], selection: Selection) -> Result<Listed, SourceError> {
        self.runtime
            .block_on(list(sources, selection, Some(self.s3.clone())))
    }

    fn fetch_with(&self, key: &str, options: FetchOptions) -> (Object, Result<String, String>) {
        let listed = self
            .list(&[&format!("s3://logs/{key}")], Selection::default())
            .expect("the object is there");
        self.server.clear_log();
        let mut object = listed.objects.into_iter().next().expect("one object");
        let fetcher = Fetcher::new(Some(self.s3.clone()), options);
        let body = self.runtime.block_on(fetcher.fetch(&mut object));
        (object, body.map(text).map_err(|error| error.to_string()))
    }

    fn fetch(&self, key: &str) -> Result<String, String> {
        self.fetch_with(key, FetchOptions::default()).1
    }
}

/// All that a body holds.
fn text(body: Body) -> String {
    let bytes = match body
        .input(&mut ReadBuffer::default())
        .expect("a body that can be read")
    {
        Input::Bytes(bytes) => bytes.clone(),
        Input::Ranges(ranges) => ranges.read(0, ranges.size() as usize).expect("all of it"),
    };
    String::from_utf8(bytes.to_vec()).expect("tests store text")
}

struct Listed {
    batches: Vec<(String, usize)>,
    objects: Vec<Object>,
    counts: Counts,
    nothing: String,
}

impl Listed {
    fn urls(&self) -> Vec<&str> {
        self.objects.iter().map(|object| &*object.url).collect()
    }
}

async fn list(
    sources: &[&str],
    selection: Selection,
    s3: Option<S3>,
) -> Result<Listed, SourceError> {
    let sources: Result<Vec<Source>, SourceError> =
        sources.iter().map(|text| Source::parse(text)).collect();
    let mut listing = Listing::open(&sources?, selection, s3).await?;
    let mut batches = Vec::new();
    let mut objects = Vec::new();
    while let Some(Batch {
        day,
        objects: batch,
    }) = listing.next().await?
    {
        let day = day.map_or("none".to_owned(), |day| day.to_string());
        batches.push((day, batch.len()));
        objects.extend(batch);
    }
    Ok(Listed {
        batches,
        objects,
        counts: listing.counts(),
        nothing: listing.nothing_found(),
    })
}

fn local(sources: &[&str], selection: Selection) -> Result<Listed, SourceError> {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(list(sources, selection, None))
}

fn seconds(time: &str) -> u32 {
    let time: jiff::Timestamp = time.parse().expect("a time");
    time.as_second().try_into().expect("32 bits")
}

fn during(since: &str, until: &str) -> Selection {
    Selection {
        since: Some(seconds(since)),
        until: Some(seconds(until)),
        ..Selection::default()
    }
}

/// `20260225T0605Z` in one of AWS's layouts.
enum Layout {
    Plain,
    Hourly,
    Hive,
    HiveHourly,
}

fn key(layout: Layout, account: &str, region: &str, time: &str) -> String {
    let (year, month, day, hour) = (&time[..4], &time[4..6], &time[6..8], &time[9..11]);
    let folders = match layout {
        Layout::Plain => format!("{account}/vpcflowlogs/{region}/{year}/{month}/{day}/"),
        Layout::Hourly => format!("{account}/vpcflowlogs/{region}/{year}/{month}/{day}/{hour}/"),
        Layout::Hive => format!(
            "aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year={year}/month={month}/day={day}/"
        ),
        Layout::HiveHourly => format!(
            "aws-account-id={account}/service=vpcflowlogs/aws-region={region}/year={year}/month={month}/day={day}/hour={hour}/"
        ),
    };
    format!("AWSLogs/{folders}{account}_vpcflowlogs_{region}_fl-0a_{time}_d8.log.gz")
}

fn plain(time: &str) -> String {
    key(Layout::Plain, "111111111111", EAST, time)
}

#[test]
fn more_keys_than_a_page_holds_come_in_time_order() {
    let bucket = Bucket::new();
    let mut keys = BTreeSet::new();
    for slot in 0..1250 {
        // Some four days of one account, every tenth slot of another one too.
        let time = jiff::Timestamp::from_second(1_772_000_100 + 300 * slot).expect("a time");
        let time = time.strftime("%Y%m%dT%H%MZ").to_string();
        keys.insert(plain(&time));
        if slot % 10 == 0 {
            keys.insert(key(Layout::Plain, "222222222222", "eu-central-2", &time));
        }
    }
    for key in &keys {
        bucket.server.put("logs", &format!("org/{key}"), "");
    }
    let listed = bucket
        .list(&["s3://logs/org/"], Selection::default())
        .expect("a listing");
    assert_eq!(listed.counts.objects, 1375);
    assert_eq!(listed.batches.len(), 5);
    assert!(listed.objects.is_sorted_by_key(|object| {
        let facts = object.key.as_ref().expect("AWS's names");
        (facts.time, object.url.clone())
    }));
    let urls: BTreeSet<String> = listed
        .objects
        .iter()
        .map(|object| object.url.to_string())
        .collect();
    let expected: BTreeSet<String> = keys
        .iter()
        .map(|key| format!("s3://logs/org/{key}"))
        .collect();
    assert_eq!(urls, expected);

    // Pages of any size hold the same.
    bucket.server.page_size(7);
    let paged = bucket
        .list(&["s3://logs/"], Selection::default())
        .expect("a listing");
    assert_eq!(paged.urls(), listed.urls());

    // Of a day's 288 names and more only those of the afternoon are asked for, 7 at a time.
    let noon = 1_772_064_000 + 43_200;
    let afternoon = Selection {
        since: Some(noon),
        until: Some(noon + 42_900),
        ..Selection::default()
    };
    let later = bucket.list(&["s3://logs/"], afternoon).expect("a listing");
    let is_later = |object: &&Object| {
        let time = object.key.as_ref().expect("AWS's names").time;
        (noon..noon + 42_900).contains(&time)
    };
    let expected: Vec<&Object> = listed.objects.iter().filter(is_later).collect();
    assert_eq!(later.objects.len(), expected.len());
    let requests = later.counts.list_requests - paged.counts.list_requests;
    assert!((21..45).contains(&requests), "{requests} requests");

    // The same, flat: without AWS's folders the pages are cut at a thousand keys.
    let flat = Bucket::new();
    for key in &keys {
        let name = key.rsplit('/').next().expect("a name");
        flat.server.put("logs", &format!("copy/{name}"), "");
    }
    flat.server.clear_log();
    let copied = flat
        .list(&["s3://logs/copy"], Selection::default())
        .expect("a listing");
    assert_eq!(copied.batches, listed.batches);
    assert_eq!(
        flat.server.log_of(Op::List),
        [
            "LIST copy max-keys=1",
            "LIST copy/ max-keys=1",
            "LIST copy/",
            "LIST copy/ next-page"
        ]
    );
}

#[test]
fn only_prefixes_that_the_selection_leaves_are_listed() {
    let bucket = Bucket::new();
    let keys = [
        plain("20251231T2355Z"),
        plain("20260131T1200Z"),
        plain("20260224T2355Z"),
        plain("20260225T0000Z"),
        plain("20260225T0555Z"),
        plain("20260225T0600Z"),
        plain("20260225T0655Z"),
        plain("20260226T0000Z"),
        key(Layout::Hourly, "222222222222", EAST, "20260225T0455Z"),
        key(Layout::Hourly, "222222222222", EAST, "20260225T0555Z"),
        key(Layout::Hourly, "222222222222", EAST, "20260225T0605Z"),
        key(Layout::Hourly, "222222222222", EAST, "20260225T0805Z"),
        key(Layout::HiveHourly, "222222222222", EAST, "20260225T0630Z"),
        key(Layout::HiveHourly, "222222222222", EAST, "20260225T1030Z"),
        key(Layout::Plain, "222222222222", "eu-west-1", "20260225T0605Z"),
        key(Layout::Plain, "333333333333", EAST, "20260225T0605Z"),
        "AWSLogs/222222222222/CloudTrail/us-east-1/2026/02/25/trail.json.gz".to_owned(),
    ];
    for key in &keys {
        bucket.server.put("logs", key, "");
    }
    let selection = Selection {
        accounts: vec!["111111111111".to_owned(), "222222222222".to_owned()],
        regions: vec![EAST.to_owned()],
        ..during("2026-02-25T06:00:00Z", "2026-02-25T07:00:00Z")
    };
    let listed = bucket
        .list(&["s3://logs/AWSLogs/"], selection)
        .expect("a listing");
    let mut expected: Vec<String> = [5, 6, 10, 12]
        .map(|index| format!("s3://logs/{}", keys[index]))
        .into();
    expected.sort_by_key(|url| url.rsplit('_').nth(1).map(str::to_owned));
    assert_eq!(listed.urls(), expected);
    assert_eq!(listed.batches, [("2026-02-25".to_owned(), 4)]);
    // Another service's folder, not what lies in it.
    assert_eq!(listed.counts.ignored, 1);

    let mut requests = bucket.server.log_of(Op::List);
    requests.sort();
    let base = "LIST AWSLogs/";
    let hive = "aws-account-id=222222222222/";
    let hive_day =
        format!("{hive}service=vpcflowlogs/aws-region=us-east-1/year=2026/month=02/day=25/");
    let mut wanted: Vec<String> = [
        " max-keys=1",
        " delimiter=/",
        "111111111111/ delimiter=/",
        "111111111111/vpcflowlogs/ delimiter=/",
        "111111111111/vpcflowlogs/us-east-1/ delimiter=/",
        "111111111111/vpcflowlogs/us-east-1/2026/ delimiter=/",
        "111111111111/vpcflowlogs/us-east-1/2026/02/ delimiter=/",
        "111111111111/vpcflowlogs/us-east-1/2026/02/25/ delimiter=/",
        "222222222222/ delimiter=/",
        "222222222222/vpcflowlogs/ delimiter=/",
        "222222222222/vpcflowlogs/us-east-1/ delimiter=/",
        "222222222222/vpcflowlogs/us-east-1/2026/ delimiter=/",
        "222222222222/vpcflowlogs/us-east-1/2026/02/ delimiter=/",
        "222222222222/vpcflowlogs/us-east-1/2026/02/25/ delimiter=/",
        // The hour before is five minutes away.
        "222222222222/vpcflowlogs/us-east-1/2026/02/25/05/",
        "222222222222/vpcflowlogs/us-east-1/2026/02/25/06/",
        &format!("{hive} delimiter=/"),
        &format!("{hive}service=vpcflowlogs/ delimiter=/"),
        &format!("{hive}service=vpcflowlogs/aws-region=us-east-1/ delimiter=/"),
        &format!("{hive}service=vpcflowlogs/aws-region=us-east-1/year=2026/ delimiter=/"),
        &format!("{hive}service=vpcflowlogs/aws-region=us-east-1/year=2026/month=02/ delimiter=/"),
        &format!("{hive_day} delimiter=/"),
        &format!("{hive_day}hour=06/"),
    ]
    .map(|request| format!("{base}{request}"))
    .into();
    wanted.sort();
    assert_eq!(requests, wanted);
    assert_eq!(listed.counts.list_requests, wanted.len() as u64);
}

#[test]
fn every_layout_is_found_below_any_prefix() {
    let layouts = [
        Layout::Plain,
        Layout::Hourly,
        Layout::Hive,
        Layout::HiveHourly,
    ];
    for (index, layout) in layouts.into_iter().enumerate() {
        let key = key(layout, "111111111111", "us-gov-west-1", "20260225T0605Z");
        let organisation = key.replacen("AWSLogs/", "AWSLogs/o-a1b2c3d4e5/", 1);
        for (key, source) in [
            (key.clone(), "s3://logs"),
            (format!("vpc/{key}"), "s3://logs"),
            (format!("a/b/c/d/{key}"), "s3://logs/a"),
            (organisation, "s3://logs/AWSLogs"),
            (key.clone(), "s3://logs/AWSLogs/"),
        ] {
            let bucket = Bucket::holding(&[&key]);
            let selection = during("2026-02-25T00:00:00Z", "2026-02-26T00:00:00Z");
            let listed = bucket.list(&[source], selection).expect("a listing");
            assert_eq!(
                listed.urls(),
                [format!("s3://logs/{key}")],
                "layout {index} of {source}"
            );
            let facts = listed.objects[0].key.as_ref().expect("AWS's name");
            assert_eq!(
                (
                    &*facts.account,
                    &*facts.region,
                    &*facts.flow_log,
                    facts.time
                ),
                (
                    "111111111111",
                    "us-gov-west-1",
                    "fl-0a",
                    seconds("2026-02-25T06:05:00Z")
                )
            );
        }
    }
}

#[test]
fn a_prefix_inside_of_the_tree_is_not_discovered_again() {
    let keys = [
        plain("20260225T0605Z"),
        plain("20260225T0610Z"),
        plain("20260226T0605Z"),
    ];
    let bucket = Bucket::holding(&keys.each_ref().map(String::as_str));
    let folder = "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/02/25/";
    let check = |source: &str, found: usize, requests: &[String]| {
        bucket.server.clear_log();
        let listed = bucket
            .list(&[&format!("s3://logs/{source}")], Selection::default())
            .expect("a listing");
        assert_eq!(listed.objects.len(), found, "{source}");
        assert_eq!(bucket.server.log_of(Op::List), requests, "{source}");
    };
    let first = |prefix: &str| format!("LIST {prefix} max-keys=1");
    check(folder, 2, &[first(folder), format!("LIST {folder}")]);
    // An object, whole.
    check(&keys[0], 1, &[first(&keys[0])]);
    // A prefix as S3 means it.
    let cut = &keys[0][..keys[0].len() - 12];
    check(
        cut,
        1,
        &[first(cut), first(&format!("{cut}/")), format!("LIST {cut}")],
    );
    let days = "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/02/2";
    check(
        days,
        3,
        &[
            first(days),
            first(&format!("{days}/")),
            format!("LIST {days} delimiter=/"),
            format!("LIST {folder}"),
            format!("LIST {}", folder.replace("/25/", "/26/")),
        ],
    );
}

#[test]
fn what_is_no_flow_log_is_counted() {
    let bucket = Bucket::holding(&[
        &plain("20260225T0605Z"),
        "AWSLogs/111111111111/elasticloadbalancing/us-east-1/2026/02/25/a.log.gz",
        "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/02/25/notes.md",
        "AWSLogs/readme.txt",
        "a folder/",
        "export/000000.GZ",
        "export/.hidden.log",
        "export/aws-logs-write-test",
        "export/table.Parquet",
        "zz.csv",
    ]);
    let listed = bucket
        .list(&["s3://logs"], Selection::default())
        .expect("a listing");
    assert_eq!(
        listed.urls(),
        [
            format!("s3://logs/{}", plain("20260225T0605Z")).as_str(),
            "s3://logs/export/000000.GZ",
            "s3://logs/export/table.Parquet"
        ]
    );
    assert_eq!(
        listed.batches,
        [("2026-02-25".to_owned(), 1), ("none".to_owned(), 2)]
    );
    // A folder of another service, two files below AWSLogs, three elsewhere.
    assert_eq!(listed.counts.ignored, 6);
}

#[test]
fn a_name_that_its_folder_contradicts_counts_for_midnight() {
    let folder = "AWSLogs/111111111111/vpcflowlogs/us-east-1";
    let in_folder = |day: &str, time: &str| {
        let key = plain(time);
        format!("{folder}/{day}/{}", key.rsplit('/').next().expect("a name"))
    };
    let early = in_folder("2026/02/27", "20260225T0605Z");
    let late = in_folder("2026/02/27", "20260303T0605Z");
    // On the stroke of midnight the folder of the evening will do.
    let midnight = in_folder("2026/02/26", "20260227T0000Z");
    let stray = in_folder("restored", "20260225T0605Z");
    let bucket = Bucket::holding(&[&early, &late, &midnight, &stray]);
    let listed = bucket
        .list(&["s3://logs"], Selection::default())
        .expect("a listing");
    let batches: Vec<(&str, usize)> = listed
        .batches
        .iter()
        .map(|(day, count)| (day.as_str(), *count))
        .collect();
    assert_eq!(batches, [("2026-02-25", 1), ("2026-02-27", 3)]);
    assert_eq!(
        listed.urls(),
        [&stray, &midnight, &early, &late].map(|key| format!("s3://logs/{key}"))
    );
    let selection = during("2026-02-27T00:00:00Z", "2026-02-27T00:05:00Z");
    let same = bucket.list(&["s3://logs"], selection).expect("a listing");
    assert_eq!(same.urls(), listed.urls()[1..]);
}

#[test]
fn the_lake_of_a_run_is_no_source_of_it() {
    let except = |lake: &str| Selection {
        except: Some(lake.to_owned()),
        ..Selection::default()
    };
    let bucket = Bucket::holding(&["a.log", "lake/edges/x.parquet", "lakes/b.log"]);
    let check = |sources: &[&str], lake: &str, urls: &[&str]| {
        let listed = bucket.list(sources, except(lake)).expect("a listing");
        assert_eq!(listed.urls(), urls, "{lake}");
    };
    let others = ["s3://logs/a.log", "s3://logs/lakes/b.log"];
    let all = [
        "s3://logs/a.log",
        "s3://logs/lake/edges/x.parquet",
        "s3://logs/lakes/b.log",
    ];
    check(&["s3://logs"], "s3://logs/lake", &others);
    check(&["s3://logs"], "s3://logs/lake/", &others);
    check(&["s3://logs"], "s3://other/lake/", &all);
    check(&["s3://logs/lake"], "s3://logs/lake/", &all[1..2]);

    let folder = folder(&["a.log", "lake/edges/x.parquet", "lakes/b.log"]);
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let check = |source: &str, lake: &str, names: &[&str]| {
        let listed = local(&[&path(source)], except(&path(lake))).expect("a listing");
        assert_eq!(below(folder.path(), &listed), names, "{lake}");
    };
    check("", "lakes/../lake", &["a.log", "lakes/b.log"]);
    check(
        "",
        "none",
        &["a.log", "lake/edges/x.parquet", "lakes/b.log"],
    );
    check("lake", "lake", &["lake/edges/x.parquet"]);
}

#[test]
fn an_object_named_twice_is_read_once() {
    let key = plain("20260225T0605Z");
    let bucket = Bucket::holding(&[&key, "x/flat.log"]);
    let sources = [
        "s3://logs",
        "s3://logs/AWSLogs",
        &format!("s3://logs/{key}"),
        "s3://logs/x",
    ];
    let listed = bucket
        .list(&sources, Selection::default())
        .expect("a listing");
    assert_eq!(
        listed.urls(),
        [&*format!("s3://logs/{key}"), "s3://logs/x/flat.log"]
    );
    assert_eq!(listed.counts.objects, 2);
}

#[test]
fn sources_that_cannot_be_listed_say_why() {
    let check = |bucket: &Bucket, source: &str, error: &str, hint: &str| {
        let failed = bucket
            .list(&[source], Selection::default())
            .err()
            .expect("no listing");
        assert_eq!(failed.to_string(), error);
        let said = failed.hint().unwrap_or_default();
        assert!(said.contains(hint), "{said}");
    };
    let bucket = Bucket::holding(&["a/b.log"]);
    check(
        &bucket,
        "s3://logs/c",
        "no object in the bucket begins with `s3://logs/c`",
        "case-sensitive",
    );
    check(&bucket, "s3://other/c", "no such bucket: `other`", "");

    bucket
        .server
        .fail(Op::List, "denied/", 1, Fault::access_denied());
    check(
        &bucket,
        "s3://logs/denied/",
        "access denied to list `s3://logs/denied/`: AccessDenied (403): Access Denied",
        "s3:ListBucket",
    );

    bucket
        .server
        .fail(Op::List, "moved/", 1, Fault::elsewhere("eu-west-1"));
    check(
        &bucket,
        "s3://logs/moved/",
        "bucket `logs` is not in region us-east-1 but in eu-west-1",
        "set AWS_REGION=eu-west-1",
    );

    bucket.server.fail(Op::List, "busy/", 3, Fault::slow_down());
    check(
        &bucket,
        "s3://logs/busy/",
        "cannot list `s3://logs/busy/`: gave up after 3 tries: SlowDown (503): Please reduce your request rate",
        "check the network",
    );
}

#[test]
fn throttled_listings_go_on() {
    let bucket = Bucket::holding(&[&plain("20260225T0605Z"), "x/a.log"]);
    bucket.server.fail(Op::List, "", 2, Fault::slow_down());
    bucket.server.fail(
        Op::List,
        "AWSLogs/111111111111/vpcflowlogs/",
        2,
        Fault::internal_error(),
    );
    let listed = bucket
        .list(&["s3://logs"], Selection::default())
        .expect("a listing");
    assert_eq!(listed.objects.len(), 2);
}

#[test]
fn throttled_objects_are_fetched_in_the_end() {
    let bucket = Bucket::holding(&["a.log"]);
    bucket.server.fail(Op::Get, "a.log", 2, Fault::slow_down());
    assert_eq!(bucket.fetch("a.log"), Ok("a.log".to_owned()));
    assert_eq!(bucket.server.log_of(Op::Get).len(), 3);

    bucket
        .server
        .fail(Op::Get, "a.log", 3, Fault::internal_error());
    let error = bucket.fetch("a.log").expect_err("three failures");
    assert_eq!(
        error,
        "s3://logs/a.log: gave up after 3 tries: InternalError (500): We encountered an internal error. Please try again"
    );
}

#[test]
fn a_broken_body_is_resumed_where_it_broke() {
    let bucket = Bucket::new();
    bucket.server.put("logs", "a.log", "0123456789");
    let check = |options: FetchOptions| {
        bucket.server.fail(Op::Get, "a.log", 1, Fault::Truncate(4));
        bucket.server.fail(Op::Get, "a.log", 1, Fault::Truncate(3));
        let (object, body) = bucket.fetch_with("a.log", options);
        assert_eq!(body, Ok("0123456789".to_owned()));
        let etag = object.etag.expect("S3 gives one");
        let etag = etag.trim_matches('"');
        assert_eq!(
            bucket.server.log_of(Op::Get),
            [
                format!("GET a.log if-match={etag}"),
                format!("GET a.log range=bytes=4- if-match={etag}"),
                format!("GET a.log range=bytes=7- if-match={etag}"),
            ]
        );
    };
    check(FetchOptions::default());
    // By way of a temporary file.
    check(FetchOptions {
        whole_limit: 5,
        ..FetchOptions::default()
    });
}

#[test]
fn a_slow_body_is_waited_for() {
    let bucket = Bucket::holding(&["a.log"]);
    bucket.server.fail(Op::Get, "a.log", 1, Fault::Dribble);
    assert_eq!(bucket.fetch("a.log"), Ok("a.log".to_owned()));
    assert_eq!(bucket.server.log_of(Op::Get).len(), 1);
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let bucket = Bucket::new();
    bucket.server.put("logs", "a.log", "0123456789");
    bucket.server.fail(Op::Get, "a.log", 1, Fault::Truncate(4));
    bucket.server.fail(Op::Get, "a.log", 1, Fault::IgnoreRange);
    assert_eq!(bucket.fetch("a.log"), Ok("0123456789".to_owned()));
}

#[test]
fn an_object_that_was_replaced_is_read_afresh() {
    let check = |fault: Fault, options: FetchOptions| {
        let bucket = Bucket::new();
        bucket.server.put("logs", "a.log", "0123456789");
        bucket.server.fail(Op::Get, "a.log", 1, fault);
        let (object, body) = bucket.fetch_with("a.log", options);
        assert_eq!(body, Ok("another".to_owned()));
        assert_eq!(object.size, 7);
        let requests = bucket.server.log();
        let last = requests.last().expect("requests").to_string();
        let etag = object.etag.expect("S3 gives one");
        assert_eq!(
            last,
            format!("GET a.log if-match={}", etag.trim_matches('"'))
        );
    };
    let spooled = FetchOptions {
        whole_limit: 5,
        ..FetchOptions::default()
    };
    check(Fault::Replace("another"), FetchOptions::default());
    check(
        Fault::TruncateAndReplace(4, "another"),
        FetchOptions::default(),
    );
    check(Fault::TruncateAndReplace(4, "another"), spooled);
}

#[test]
fn half_an_object_never_counts() {
    let bucket = Bucket::new();
    bucket.server.put("logs", "a.log", "0123456789");
    bucket.server.fail(Op::Get, "a.log", 3, Fault::Truncate(2));
    let error = bucket.fetch("a.log").expect_err("six of ten bytes");
    assert!(
        error.starts_with("s3://logs/a.log: gave up after 3 tries: "),
        "{error}"
    );
}

#[test]
fn objects_that_cannot_be_read_are_named_with_the_reason() {
    let check = |fault: Fault, reason: &str| {
        let bucket = Bucket::holding(&["a.log"]);
        bucket.server.fail(Op::Get, "a.log", 1, fault);
        let error = bucket.fetch("a.log").expect_err("not to be read");
        assert_eq!(error, format!("s3://logs/a.log: {reason}"));
        // Nothing that will not pass is tried again.
        assert_eq!(bucket.server.log_of(Op::Get).len(), 1);
    };
    check(
        Fault::access_denied(),
        "access denied, reading needs s3:GetObject on it: AccessDenied (403): Access Denied",
    );
    check(
        Fault::key_denied(),
        "encrypted with a key that cannot be used, reading needs kms:Decrypt on it: AccessDenied (403): User: \
         arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:Decrypt",
    );
    check(Fault::Vanish, "deleted since it was listed");
    check(
        Fault::Error {
            status: 403,
            code: "InvalidObjectState",
            message: "",
            region: None,
        },
        "archived, it has to be restored first",
    );
}

#[test]
fn large_parquet_objects_are_read_by_ranges() {
    let bucket = Bucket::new();
    bucket.server.put("logs", "a.log.parquet", "0123456789");
    let listed = bucket
        .list(&["s3://logs/a.log.parquet"], Selection::default())
        .expect("a listing");
    let mut object = listed.objects.into_iter().next().expect("one object");
    let fetcher = Fetcher::new(
        Some(bucket.s3.clone()),
        FetchOptions {
            ranged_parquet: 10,
            ..FetchOptions::default()
        },
    );
    bucket.server.clear_log();
    let body = bucket
        .runtime
        .block_on(fetcher.fetch(&mut object))
        .expect("a body");
    let Body::Ranges(ranges) = body else {
        panic!("expected ranges, got {body:?}");
    };
    assert!(bucket.server.log().is_empty());
    bucket
        .server
        .fail(Op::Get, "a.log.parquet", 1, Fault::slow_down());
    bucket
        .server
        .fail(Op::Get, "a.log.parquet", 1, Fault::Truncate(1));
    assert_eq!(ranges.read(6, 4).expect("within"), "6789");
    let etag = object.etag.expect("S3 gives one");
    let request = format!(
        "GET a.log.parquet range=bytes=6-9 if-match={}",
        etag.trim_matches('"')
    );
    assert_eq!(
        bucket.server.log_of(Op::Get),
        [&*request, &*request, &*request]
    );
    assert!(ranges.read(6, 5).is_err());
    assert_eq!(ranges.read(6, 0).expect("nothing"), "");
    // One part of each of two objects would be worse than an error.
    bucket.server.put("logs", "a.log.parquet", "abcdefghij");
    let error = ranges.read(0, 4).expect_err("another object");
    assert_eq!(error.to_string(), "replaced while it was read, 1 times");
}

#[test]
fn objects_are_fetched_whatever_fails_for_their_neighbours() {
    let bucket = Bucket::new();
    for index in 0..200 {
        let key = format!("x/{index:03}.log");
        bucket.server.put("logs", &key, key.clone());
        match index % 10 {
            3 => bucket.server.fail(Op::Get, &key, 1, Fault::Truncate(2)),
            5 => bucket.server.fail(Op::Get, &key, 2, Fault::slow_down()),
            7 => bucket.server.fail(Op::Get, &key, 1, Fault::access_denied()),
            _ => {}
        }
    }
    let listed = bucket
        .list(&["s3://logs/x/"], Selection::default())
        .expect("a listing");
    let fetcher = Fetcher::new(Some(bucket.s3.clone()), FetchOptions::default());
    assert_eq!(listed.objects.len(), 200);
    for (index, mut object) in listed.objects.into_iter().enumerate() {
        let body = bucket.runtime.block_on(fetcher.fetch(&mut object));
        let key = format!("x/{index:03}.log");
        assert_eq!(*object.url, format!("s3://logs/{key}"));
        match body {
            Ok(body) => assert_eq!(text(body), key),
            Err(error) => {
                assert_eq!(index % 10, 7, "{error}");
                assert_eq!(error.url, object.url);
            }
        }
    }
}

/// Writes files and gives their folder.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, file).expect("a file");
    }
    folder
}

fn below(root: &Path, listed: &Listed) -> Vec<String> {
    let root = format!("{}/", root.display());
    listed
        .urls()
        .iter()
        .map(|url| url.replace(&root, ""))
        .collect()
}

#[test]
fn a_local_folder_is_listed_like_a_bucket() {
    let keys = [
        plain("20260224T2355Z"),
        plain("20260225T0000Z"),
        key(Layout::HiveHourly, "222222222222", EAST, "20260225T0630Z"),
        key(Layout::Hourly, "222222222222", EAST, "20260226T0000Z"),
    ];
    let others = [
        "AWSLogs/111111111111/CloudTrail/us-east-1/a.json.gz",
        "AWSLogs/111111111111/CloudTrail/us-east-1/b.json.gz",
        "elsewhere/b.txt",
        "elsewhere/a.log",
        "elsewhere/a.md",
    ];
    let files: Vec<&str> = keys.iter().map(String::as_str).chain(others).collect();
    let folder = folder(&files);
    let root = folder.path().to_str().expect("UTF-8").to_owned();

    let listed = local(&[&root], Selection::default()).expect("a listing");
    assert_eq!(below(folder.path(), &listed)[..4], keys);
    assert_eq!(
        below(folder.path(), &listed)[4..],
        ["elsewhere/a.log", "elsewhere/b.txt"]
    );
    assert_eq!(listed.counts.ignored, 3);
    let days: Vec<&str> = listed.batches.iter().map(|(day, _)| day.as_str()).collect();
    assert_eq!(days, ["2026-02-24", "2026-02-25", "2026-02-26", "none"]);

    // A slash more or less makes no difference, and dates prune.
    let selection = during("2026-02-25T00:00:00Z", "2026-02-26T00:00:00Z");
    let listed = local(&[&format!("{root}/AWSLogs//")], selection).expect("a listing");
    assert_eq!(below(folder.path(), &listed), keys[1..3]);

    let account = local(
        &[&format!("{root}/AWSLogs/111111111111")],
        Selection::default(),
    )
    .expect("a listing");
    assert_eq!(below(folder.path(), &account), keys[..2]);
}

#[test]
fn a_file_that_is_named_is_taken_whatever_its_name() {
    let folder = folder(&["a/.odd name", "a/b.log", "a/c.md"]);
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let sources = [
        path("a/.odd name"),
        path("a"),
        path("a/../a/b.log"),
        path("a/*.md"),
    ];
    let sources = sources.each_ref().map(String::as_str);
    let listed = local(&sources, Selection::default()).expect("a listing");
    // Of two names of one file, the first.
    assert_eq!(
        below(folder.path(), &listed),
        ["a/../a/b.log", "a/.odd name", "a/c.md"]
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let folder = folder(&["real/a.log", "logs/b.log"]);
    let link = |from: &str, to: &str| {
        std::os::unix::fs::symlink(folder.path().join(from), folder.path().join(to))
            .expect("a link");
    };
    link("real", "logs/linked");
    link("logs", "logs/circle");
    link("nowhere", "logs/broken.log");
    let root = folder.path().join("logs");
    let listed = local(&[root.to_str().expect("UTF-8")], Selection::default()).expect("a listing");
    assert_eq!(below(&root, &listed), ["b.log", "linked/a.log"]);
}

#[test]
fn a_listing_without_objects_says_what_is_there_instead() {
    let folder = folder(&[&plain("20260225T0605Z"), "notes.md"]);
    let root = folder.path().to_str().expect("UTF-8");
    let name = plain("20260225T0605Z")
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    std::fs::write(folder.path().join(name), "").expect("a file");
    let listed = local(
        &[root],
        during("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z"),
    )
    .expect("a listing");
    assert!(listed.objects.is_empty());
    assert_eq!(
        listed.nothing,
        format!(
            "no flow logs of these times, accounts and regions in {root}, but others; 1 files there are of another kind"
        )
    );
}

/// The program's own connection: this test runs itself with the server's environment.
#[test]
fn connects_by_the_environment() {
    const CHILD: &str = "TIDEGATE_TEST_CONNECT";
    if let Ok(source) = std::env::var(CHILD) {
        let runtime = Runtime::new().expect("a runtime");
        let outcome = runtime.block_on(async {
            let s3 = S3::connect().await?;
            list(&[&source], Selection::default(), Some(s3)).await
        });
        match outcome {
            Ok(listed) => println!("listed {:?}", listed.urls()),
            Err(error) => println!("failed {error}"),
        }
        return;
    }
    let server = S3Server::start();
    server.put("logs", "x/a.log", "");
    let check = |without: &str, expected: &str| {
        let output = std::process::Command::new(std::env::current_exe().expect("a test binary"))
            .args([
                "--exact",
                "source::connects_by_the_environment",
                "--nocapture",
            ])
            .envs(server.env())
            .env(CHILD, "s3://logs/x")
            .env_remove(without)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(expected), "{said}");
    };
    check("", "listed [\"s3://logs/x/a.log\"]");
    check("AWS_REGION", "listed [\"s3://logs/x/a.log\"]");
    check("AWS_ACCESS_KEY_ID", "failed no usable AWS credentials: ");
}
