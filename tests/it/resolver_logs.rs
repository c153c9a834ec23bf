//! Rules by domain, judged by Resolver logs: from a folder, from a bucket, over time, and what is not known.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::cli_program::{Ran, command, ok, run};
use super::s3_server::{Op, S3Server};

/// 2026-02-25T06:00:00Z.
pub(crate) const SIX: u32 = 1_771_999_200;
pub(crate) const DAY: u32 = 86_400;

pub(crate) const POLICY: &str = r#"
[policy]
id = "NAMES"

[networks.prod]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16"]

[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/19"]

[destinations.repos]
domains = ["packages.example", "*.docker.example"]

[[allow]]
id = "to-repos"
from = "app"
to = "repos"
ports = ["tcp/443"]

[data]
resolver_logs = ["resolver/"]
"#;

/// A Resolver query as AWS writes it: `10.0.32.5 packages.example > alias.example 192.0.2.10`.
pub(crate) fn query(at: u32, text: &str) -> String {
    let mut words = text.split_whitespace();
    let (client, name) = (
        words.next().expect("a client"),
        words.next().expect("a name"),
    );
    let answers: Vec<Value> = words
        .filter(|word| *word != ">")
        .map(|data| match data.parse::<std::net::IpAddr>() {
            Ok(addr) if addr.is_ipv4() => {
                serde_json::json!({"Rdata": data, "Type": "A", "Class": "IN"})
            }
            Ok(_) => serde_json::json!({"Rdata": data, "Type": "AAAA", "Class": "IN"}),
            Err(_) => {
                serde_json::json!({"Rdata": format!("{data}."), "Type": "CNAME", "Class": "IN"})
            }
        })
        .collect();
    let line = serde_json::json!({
        "version": "1.100000", "account_id": "123456789012", "region": "us-east-2", "vpc_id": "vpc-1",
        "query_timestamp": instant(at), "query_name": format!("{name}."), "query_type": "A", "query_class": "IN",
        "rcode": "NOERROR", "answers": answers, "srcaddr": client, "srcport": "4711", "transport": "UDP",
        "srcids": {"instance": "i-1"},
    });
    format!("{line}\n")
}

fn instant(at: u32) -> String {
    let instant = jiff::Timestamp::from_second(i64::from(at)).expect("a time");
    instant.to_string()
}

/// The queries of the story: who asked for what, seconds from six o'clock.
fn queries() -> String {
    let mut text = String::new();
    let soon = SIX + DAY / 4;
    for (at, what) in [
        (SIX - 3600, "10.0.32.5 Packages.example 192.0.2.10"),
        (
            SIX - 60,
            "10.0.32.5 www.vendor.example > hub.docker.example > x.cdn.example 192.0.2.20 2001:db8::20",
        ),
        (SIX - 30, "10.0.32.5 evil.example 192.0.2.40"),
        (SIX - DAY - 1, "10.0.32.5 packages.example 192.0.2.50"),
        (SIX - DAY + 60, "10.0.32.5 packages.example 192.0.2.51"),
        (SIX - 20, "10.0.32.5 packages.example 192.0.2.60"),
        (SIX - 10, "10.0.32.7 ads.example 192.0.2.60"),
        (SIX - 10, "10.0.32.5 docker.example 192.0.2.70"),
        (SIX + 120, "10.0.32.5 packages.example 192.0.2.80"),
        (soon, "10.0.32.9 nothing.example"),
    ] {
        text += &query(at, what);
    }
    text
}

/// The servers of the story with what is said of a connection to port 443 at six, and at six three days later.
const STORY: [(&str, &str, &str, &str); 9] = [
    (
        "10.0.32.5",
        "192.0.2.10",
        "compliant to-repos",
        "asked for it",
    ),
    (
        "10.0.32.6",
        "192.0.2.10",
        "compliant to-repos",
        "another asked for it",
    ),
    (
        "10.0.32.5",
        "192.0.2.20",
        "compliant to-repos",
        "by an alias",
    ),
    (
        "10.0.32.5",
        "192.0.2.30",
        "violation default",
        "nobody asked",
    ),
    (
        "10.0.32.5",
        "192.0.2.40",
        "violation default",
        "for another name",
    ),
    (
        "10.0.32.5",
        "192.0.2.50",
        "violation default",
        "longer ago than the grace",
    ),
    (
        "10.0.32.5",
        "192.0.2.51",
        "compliant to-repos",
        "within the grace",
    ),
    ("10.0.32.5", "192.0.2.60", "compliant to-repos", "shared"),
    (
        "10.0.32.5",
        "192.0.2.70",
        "violation default",
        "a star does not cover the name itself",
    ),
];

/// Flow log lines of connections at an instant.
pub(crate) fn flows<'s>(at: u32, ends: impl Iterator<Item = (&'s str, &'s str)>) -> String {
    let mut text = "version vpc-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction\n".to_owned();
    for (port, (client, server)) in (40_000..).zip(ends) {
        let last = at + 30;
        let eni = client.rsplit('.').next().expect("an address");
        let _ = writeln!(
            text,
            "5 vpc-1 eni-{eni} {client} {server} {port} 443 6 10 1000 {at} {last} ACCEPT OK 3 egress"
        );
        let _ = writeln!(
            text,
            "5 vpc-1 eni-{eni} {server} {client} 443 {port} 6 10 9000 {at} {last} ACCEPT OK 19 ingress"
        );
    }
    text
}

fn story_flows(at: u32) -> String {
    flows(
        at,
        STORY.iter().map(|(client, server, ..)| (*client, *server)),
    )
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).expect("memory");
    packer.finish().expect("memory")
}

pub(crate) fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

/// A folder with the policy, the story's queries and its flows at six.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "p.toml", POLICY);
    write(folder.path(), "resolver/queries.log.gz", gzip(&queries()));
    write(folder.path(), "logs/flow.log", story_flows(SIX));
    folder
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr))
}

/// `client server verdict rule` of a lake's edges.
pub(crate) fn verdicts(folder: &Path, lake: &str) -> Vec<String> {
    let question = "select client_addr, server_addr, verdict, rule from edges order by 2, 1";
    let ran = ok(
        folder,
        &["sql", "--lake", lake, "--format", "csv", "-c", question],
    );
    let rows = ran.stdout.lines().skip(1);
    rows.map(|row| row.replace(',', " ")).collect()
}

fn expected() -> Vec<String> {
    let mut rows: Vec<String> = STORY
        .iter()
        .map(|(client, server, said, _)| format!("{client} {server} {said}"))
        .collect();
    rows.sort_by_key(|row| {
        row.split(' ')
            .rev()
            .skip(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    rows
}

#[test]
fn connections_are_judged_by_the_names_that_were_asked_for() {
    let folder = place();
    let at = folder.path();
    let scan = [
        "scan", "logs", "--policy", "p.toml", "--lake", "lake", "--format", "json",
    ];
    let report = report(&ok(at, &scan));
    assert_eq!(verdicts(at, "lake"), expected());
    assert_eq!(
        report["coverage"]["by_name"],
        serde_json::json!({"client": 4, "network": 1, "snapshot": 0, "shared": 1})
    );
    let read = &report["resolver_logs"];
    assert_eq!(
        (&read["objects"], &read["queries"], &read["answers"]),
        (&1.into(), &10.into(), &10.into())
    );
    assert_eq!(read["first_query"], instant(SIX - DAY - 1));
    let named: Vec<String> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["kind"] == "egress-violation")
        .map(|finding| {
            format!(
                "{} {} {} {}",
                finding["server_subject"],
                finding["server_names"],
                finding["server_names_total"],
                finding["server_names_level"]
            )
        })
        .collect();
    // One finding for the neighbourhood: what was asked for longer ago than the grace does not speak.
    assert_eq!(
        named,
        [r#""192.0.2.0/24" ["docker.example","evil.example"] 2 "client""#]
    );
}

#[test]
fn a_run_is_the_same_whatever_the_threads_the_memory_and_the_time_asked_for() {
    let folder = place();
    let at = folder.path();
    write(at, "logs/later.log", story_flows(SIX + 600));
    let scan = |more: &[&str]| {
        let fixed = ["scan", "logs", "--policy", "p.toml", "--format", "ndjson"];
        ok(at, &[&fixed[..], more].concat()).stdout
    };
    let whole = scan(&[]);
    assert!(whole.contains("evil.example"));
    assert_eq!(scan(&["--threads", "1", "--memory", "64MiB"]), whole);
    assert_eq!(
        scan(&[
            "--threads",
            "4",
            "--since",
            "2026-02-25",
            "--until",
            "2026-02-26"
        ]),
        whole
    );
    // At ten past six the answer of one day and a minute less is over, and 192.0.2.80 was not asked about.
    let said = ok(
        at,
        &[
            "policy",
            "explain",
            "p.toml",
            "10.0.32.5",
            "192.0.2.51:443/tcp",
            "--at",
            "2026-02-25T06:02:00Z",
        ],
    );
    assert!(said.stdout.contains("deny by default"), "{}", said.stdout);
}

#[test]
fn a_time_that_no_logs_cover_is_unproven() {
    let folder = place();
    let at = folder.path();
    write(at, "logs/flow.log", story_flows(SIX + 3 * DAY));
    ok(
        at,
        &["scan", "logs", "--policy", "p.toml", "--lake", "lake"],
    );
    let rows = verdicts(at, "lake");
    assert_eq!(rows.len(), STORY.len());
    assert!(
        rows.iter().all(|row| row.ends_with("unproven to-repos")),
        "{rows:?}"
    );
    // A minute after the last query, too: nobody knows what was asked since.
    write(at, "logs/flow.log", story_flows(SIX + DAY / 4 + 60));
    ok(
        at,
        &["scan", "logs", "--policy", "p.toml", "--lake", "other"],
    );
    let said = verdicts(at, "other");
    assert!(
        said.contains(&"10.0.32.5 192.0.2.30 unproven to-repos".to_owned()),
        "{said:?}"
    );
    assert!(
        said.contains(&"10.0.32.5 192.0.2.10 compliant to-repos".to_owned()),
        "{said:?}"
    );
}

#[test]
fn a_bucket_says_what_a_folder_says_and_only_its_days_are_read() {
    let folder = place();
    let at = folder.path();
    let from_folder = report(&ok(
        at,
        &["scan", "logs", "--policy", "p.toml", "--format", "json"],
    ));
    let server = S3Server::start();
    let key = |time: u32| {
        let instant = instant(time);
        let (day, clock) = (
            instant[..10].replace('-', "/"),
            instant[11..16].replace(':', ""),
        );
        let name = format!(
            "vpc-1_vpcdnsquerylogs_123456789012_{}T{clock}Z_abc.log.gz",
            day.replace('/', "")
        );
        format!("AWSLogs/123456789012/vpcdnsquerylogs/vpc-1/{day}/{name}")
    };
    let mut keys = Vec::new();
    for line in queries().lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let time: jiff::Timestamp = value["query_timestamp"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a time");
        // Those of a minute in one object, published five minutes later.
        let key = key(time.as_second() as u32 + 300);
        let before = server
            .get("dns", &key)
            .map(|bytes| bytes.to_vec())
            .unwrap_or_default();
        server.put("dns", &key, [before, gzip(&format!("{line}\n"))].concat());
        keys.push(key);
    }
    let far = [key(SIX - 20 * DAY), key(SIX + 20 * DAY)];
    for key in &far {
        server.put(
            "dns",
            key,
            gzip(&query(SIX - 20 * DAY, "10.0.32.5 old.example 192.0.2.10")),
        );
    }
    server.put(
        "dns",
        "AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25/x.log.gz",
        "not a query",
    );
    write(at, "p.toml", POLICY.replace("resolver/", "s3://dns/"));
    let scan = |more: &[&str]| {
        let fixed = ["scan", "logs", "--policy", "p.toml", "--format", "json"];
        let output = command(at)
            .args([&fixed[..], more].concat())
            .envs(server.env())
            .output()
            .expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran {
            code: output.status.code().expect("it ends"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    };
    let ran = scan(&["--since", "2026-02-25", "--until", "2026-02-26"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let from_bucket = report(&ran);
    for key in &far {
        assert!(
            !server
                .log_of(Op::Get)
                .iter()
                .any(|line| line.contains(key.as_str())),
            "{key}"
        );
    }
    for part in ["matrix", "findings_total"] {
        assert_eq!(from_bucket[part], from_folder[part], "{part}");
    }
    assert_eq!(
        from_bucket["coverage"]["by_name"],
        from_folder["coverage"]["by_name"]
    );
    assert_eq!(from_bucket["resolver_logs"]["queries"], 10);
    keys.sort();
    keys.dedup();
    assert_eq!(from_bucket["resolver_logs"]["objects"], keys.len());
    // All of it, where no time is asked for.
    assert_eq!(report(&scan(&[]))["resolver_logs"]["queries"], 12);
}

#[test]
fn lines_that_are_no_queries_are_counted_and_objects_that_break_are_told() {
    let folder = place();
    let at = folder.path();
    let hostile = format!(
        "{{\n\n[]\n{}not json at all \u{1b}[31m\n{}",
        query(SIX - 5, "10.0.32.5 a.packages.example 192.0.2.90"),
        "{\"query_name\":".repeat(2000)
    );
    write(at, "resolver/hostile.json", &hostile);
    let ran = ok(
        at,
        &["scan", "logs", "--policy", "p.toml", "--format", "json"],
    );
    let read = &report(&ran)["resolver_logs"];
    assert_eq!(
        (&read["malformed"], &read["blank"]),
        (&4.into(), &1.into()),
        "{read}"
    );
    assert!(ran.stderr.contains("hostile.json:1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'));
    // What an object that breaks off would have said, nobody knows: what no other object allows is unproven.
    let whole = gzip(&queries());
    write(at, "resolver/broken.log.gz", &whole[..whole.len() - 8]);
    let ran = run(
        at,
        &["scan", "logs", "--policy", "p.toml", "--lake", "lake"],
    );
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("objects of Resolver logs that could not be read: 1;"),
        "{}",
        ran.stderr
    );
    let said = verdicts(at, "lake");
    assert!(
        said.contains(&"10.0.32.5 192.0.2.30 unproven to-repos".to_owned()),
        "{said:?}"
    );
    assert!(
        said.contains(&"10.0.32.5 192.0.2.10 compliant to-repos".to_owned()),
        "{said:?}"
    );
    write(at, "resolver/broken.log.gz", "no query\n");
    let ran = run(
        at,
        &["scan", "logs", "--policy", "p.toml", "--format", "json"],
    );
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("none of its 1 lines is a Resolver query"),
        "{}",
        ran.stderr
    );
}

#[test]
fn explain_tells_who_asked_for_what_and_when() {
    let folder = place();
    let at = folder.path();
    let explain = |server: &str, client: &str| {
        let server = format!("{server}:443/tcp");
        ok(
            at,
            &[
                "policy",
                "explain",
                "p.toml",
                client,
                &server,
                "--at",
                "2026-02-25T06:00:00Z",
            ],
        )
        .stdout
    };
    let text = explain("192.0.2.20", "10.0.32.5");
    for part in [
        "www.vendor.example (hub.docker.example, x.cdn.example), asked by the client at 2026-02-25T05:59:00Z",
        "level         client: ",
        "allow by to-repos",
    ] {
        assert!(text.contains(part), "expected `{part}` in:\n{text}");
    }
    let text = explain("192.0.2.60", "10.0.32.6");
    for part in [
        "packages.example, asked by others of its network",
        "level         network: ",
        "shared",
    ] {
        assert!(text.contains(part), "expected `{part}` in:\n{text}");
    }
    let text = explain("192.0.2.30", "10.0.32.5");
    assert!(
        text.contains("none that led to it: no destination by domain"),
        "{text}"
    );
    let record = ok(
        at,
        &[
            "policy",
            "explain",
            "p.toml",
            "--record",
            "logs/flow.log:2",
            "--format",
            "json",
        ],
    );
    let story = report(&record);
    assert_eq!(
        story.to_string().matches("\"asked_by_client\":[{").count(),
        1,
        "{story}"
    );
    assert!(
        story.to_string().contains("\"level\":\"client\""),
        "{story}"
    );
}

#[test]
fn a_deny_by_domain_holds_what_was_asked_for_and_doubts_what_nobody_knows() {
    let folder = place();
    let at = folder.path();
    let deny = "[[deny]]\nid = \"no-repos\"\nfrom = \"app\"\nto = \"repos\"\n[[allow]]\nid = \"out\"\nfrom = \"app\"\nto = \"internet\"\n";
    write(at, "p.toml", format!("{POLICY}{deny}"));
    ok(at, &["policy", "check", "p.toml"]);
    let said = |time: u32| {
        write(at, "logs/flow.log", story_flows(time));
        let lake = format!("lake-{time}");
        ok(at, &["scan", "logs", "--policy", "p.toml", "--lake", &lake]);
        verdicts(at, &lake)
    };
    let now = said(SIX);
    assert!(
        now.contains(&"10.0.32.5 192.0.2.10 violation no-repos".to_owned()),
        "{now:?}"
    );
    assert!(
        now.contains(&"10.0.32.5 192.0.2.30 compliant out".to_owned()),
        "{now:?}"
    );
    let later = said(SIX + 3 * DAY);
    assert!(
        later.iter().all(|row| row.ends_with("unproven no-repos")),
        "{later:?}"
    );
    // Who comes asks for no name.
    write(
        at,
        "p.toml",
        format!("{POLICY}[[deny]]\nid = \"x\"\nfrom = \"repos\"\nto = \"app\"\n"),
    );
    run(at, &["policy", "check", "p.toml"])
        .refused_with(2, "nobody asks for the name of who comes");
}

#[test]
fn two_policies_over_logs_go_each_by_its_own_names() {
    let folder = place();
    let at = folder.path();
    let nameless = POLICY.replace("[data]\nresolver_logs = [\"resolver/\"]\n", "");
    write(at, "old.toml", nameless);
    let ran = ok(
        at,
        &[
            "policy", "replay", "old.toml", "p.toml", "--over", "logs", "--format", "json",
        ],
    );
    let replay = report(&ran);
    let totals = replay["totals"].as_array().expect("changes");
    for (change, connections) in [("newly-allowed", 5), ("newly-denied", 4)] {
        let mut of_kind = totals.iter().filter(|total| total["change"] == change);
        let total = of_kind.next().expect("such a change");
        assert_eq!(total["connections"], connections, "{change}");
    }
    assert_eq!(totals.len(), 2, "{totals:?}");
}

#[test]
fn sql_over_logs_goes_by_names() {
    let folder = place();
    let question = "select count(*) from edges where verdict = 'compliant'";
    let ran = ok(
        folder.path(),
        &[
            "sql", "--logs", "logs", "--policy", "p.toml", "--format", "csv", "-c", question,
        ],
    );
    assert!(ran.stdout.ends_with("\n5\n"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_done_says_so() {
    let folder = place();
    let at = folder.path();
    let with = |from: &str, to: &str| {
        write(at, "other.toml", POLICY.replace(from, to));
        run(at, &["scan", "logs", "--policy", "other.toml"])
    };
    with("\"resolver/\"", "\"gone/\"").refused(2, &["`resolver_logs` of the policy", "gone"]);
    let watch = [
        "watch",
        "logs",
        "--policy",
        "other.toml",
        "--state",
        "state",
    ];
    run(at, &watch).refused(2, &["`resolver_logs` of the policy", "gone"]);
    std::fs::create_dir(at.join("empty")).expect("a folder");
    with("\"resolver/\"", "\"empty/\"").refused(2, &["no Resolver query logs in empty/"]);
    for grace in ["24", "5m", "31d", "1.5h", "-1h", "99999999999h"] {
        let ran = with("[data]", &format!("[data]\nresolver_grace = \"{grace}\""));
        ran.refused(2, &["`resolver_grace`: expected 10m to 30d"]);
    }
    let many: String = (0..65)
        .map(|number| format!("[destinations.d{number}]\ndomains = [\"d{number}.example\"]\n"))
        .collect();
    with("[data]", &format!("{many}[data]"))
        .refused(2, &["expected at most 64 destinations with `domains`"]);
}

#[test]
fn a_longer_grace_lets_an_answer_speak_longer() {
    let folder = place();
    let at = folder.path();
    write(at, "p.toml", format!("{POLICY}resolver_grace = \"2d\"\n"));
    ok(
        at,
        &["scan", "logs", "--policy", "p.toml", "--lake", "lake"],
    );
    let said = verdicts(at, "lake");
    assert!(
        said.contains(&"10.0.32.5 192.0.2.50 compliant to-repos".to_owned()),
        "{said:?}"
    );
}

impl Ran {
    /// Asserts the exit code and a word, on either output.
    fn refused_with(&self, code: i32, word: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(word), "expected `{word}` in:\n{all}");
    }
}

#[test]
fn the_page_shows_a_policy_and_a_query_that_are_read() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/names.md"))
        .expect("a page");
    let block = |language: &str| {
        let (_, rest) = page
            .split_once(&format!("```{language}\n"))
            .expect("a block");
        rest.split_once("```").expect("its end").0.to_owned()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(
        at,
        "p.toml",
        block("toml").replace("s3://my-dns-logs/", "resolver/"),
    );
    // One query of the page's, and one that shows that the logs go on.
    let shown = block("json");
    let later = shown
        .replace("06:00:00", "07:00:00")
        .replace("www.packages", "other");
    write(
        at,
        "resolver/a.json",
        format!(
            "{}\n{}\n",
            shown.replace('\n', " "),
            later.replace('\n', " ")
        ),
    );
    let explain = |to: &str| {
        let policy = std::fs::read_to_string(at.join("p.toml")).expect("a policy");
        write(
            at,
            "other.toml",
            policy.replace("packages.example\"", &format!("{to}\"")),
        );
        let time = "2026-02-25T06:30:00Z";
        ok(
            at,
            &[
                "policy",
                "explain",
                "other.toml",
                "10.0.32.5",
                "192.0.2.7:443/tcp",
                "--at",
                time,
            ],
        )
        .stdout
    };
    assert!(explain("www.packages.example").contains("allow by packages"));
    assert!(explain("x.cdn.example").contains("allow by packages"));
    assert!(explain("packages.example").contains("deny by default"));
}

#[test]
fn a_lake_tells_of_hours_that_other_logs_judged() {
    let folder = place();
    let at = folder.path();
    let scan = ["scan", "logs", "--policy", "p.toml", "--lake", "lake"];
    ok(at, &scan);
    let again = ok(at, &scan);
    assert!(
        !again.stderr.contains("other Resolver logs"),
        "{}",
        again.stderr
    );
    write(
        at,
        "resolver/late.json",
        query(SIX - 5, "10.0.32.5 packages.example 192.0.2.30"),
    );
    let again = ok(at, &scan);
    assert!(
        again
            .stderr
            .contains("judged by other Resolver logs than there are now: 1"),
        "{}",
        again.stderr
    );
    assert_eq!(verdicts(at, "lake"), expected());
    ok(at, &[&scan[..], &["--rejudge"]].concat());
    assert!(verdicts(at, "lake").contains(&"10.0.32.5 192.0.2.30 compliant to-repos".to_owned()));
}
