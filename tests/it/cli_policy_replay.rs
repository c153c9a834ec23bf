//! `tidegate policy replay` and `usage`: over generated logs, against what two scans say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate::generate::{Options, generate};
use tidegate::judge::Edge;
use tidegate::sink::{Hour, Lake, Store};

use super::cli_program::{ok, run};

/// Change, old rule, new rule, zones by the old and by the new policy, port, protocol.
pub(super) type Key = (String, String, String, [String; 4], Option<u64>, u64);

/// Records, connections, bytes.
pub(super) type Counts = [u64; 3];

const SAMPLE: &str = include_str!("../../policies/sec-003.toml");

/// Logs of two hours, the sample policy in a file of this name, and a lake of it.
pub(super) fn prepared(seed: u64, policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed,
        records: 20_000,
        slots: 18,
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    fs::write(folder.path().join(policy), SAMPLE).expect("written");
    scan(folder.path(), policy, "lake");
    folder
}

pub(super) fn scan(folder: &Path, policy: &str, lake: &str) {
    let arguments = [
        "scan", "logs", "--policy", policy, "--lake", lake, "--keep", "none",
    ];
    ok(folder, &arguments);
}

fn replay(folder: &Path, new: &str, over: &str) -> Value {
    replay_of(folder, "old.toml", new, over)
}

pub(super) fn replay_of(folder: &Path, old: &str, new: &str, over: &str) -> Value {
    let arguments = [
        "policy", "replay", old, new, "--over", over, "--format", "json",
    ];
    serde_json::from_str(&ok(folder, &arguments).stdout).expect("JSON")
}

/// The groups of a replay.
pub(super) fn changes(replay: &Value) -> BTreeMap<Key, Counts> {
    let groups = replay["changes"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let key = |group: &Value| {
        (
            text(&group["change"]),
            text(&group["old_rule"]),
            text(&group["new_rule"]),
            [
                "client_tier",
                "server_tier",
                "new_client_tier",
                "new_server_tier",
            ]
            .map(|zone| text(&group[zone])),
            group["server_port"].as_u64(),
            number(&group["protocol"]),
        )
    };
    let counts = |group: &Value| ["records", "connections", "bytes"].map(|of| number(&group[of]));
    groups
        .iter()
        .map(|group| (key(group), counts(group)))
        .collect()
}

pub(super) fn total(changes: &BTreeMap<Key, Counts>) -> u64 {
    changes
        .values()
        .map(|[_, connections, _]| connections)
        .sum()
}

pub(super) fn edges(lake: &Path) -> Vec<(Hour, Edge)> {
    let temp = tempfile::tempdir().expect("a folder");
    let lake = Lake::read(Store::local(lake), temp.path()).expect("a lake");
    let mut all = Vec::new();
    for hour in lake.committed_hours(..).expect("hours") {
        let edges = lake.edges([hour]).expect("edges").edges();
        all.extend(edges.map(|edge| (hour, edge.expect("an edge"))));
    }
    all
}

fn amounts(edge: &Edge) -> Counts {
    [
        edge.records,
        edge.connections,
        edge.bytes_to_server + edge.bytes_to_client,
    ]
}

/// What changes between the edges of two scans: edges of the same ends, service, evidence and outcome are the same traffic.
pub(super) fn joined(old: &Path, new: &Path) -> BTreeMap<Key, Counts> {
    type Rows = [Vec<Edge>; 2];
    let mut by_traffic: BTreeMap<String, Rows> = BTreeMap::new();
    for (side, lake) in [old, new].into_iter().enumerate() {
        for (hour, edge) in edges(lake) {
            let traffic = format!(
                "{hour} {} {} {} {:?} {} {:?} {:?}",
                edge.network,
                edge.client_addr,
                edge.server_addr,
                edge.server_port,
                edge.protocol,
                edge.orientation,
                edge.outcome
            );
            by_traffic.entry(traffic).or_default()[side].push(edge);
        }
    }
    let mut changes = BTreeMap::new();
    for (traffic, [old, new]) in &by_traffic {
        let mut pairs: Vec<(&Edge, &Edge, Counts)> = Vec::new();
        match (old.as_slice(), new.as_slice()) {
            ([old], new) => pairs.extend(new.iter().map(|new| (old, new, amounts(new)))),
            (old, [new]) => pairs.extend(old.iter().map(|old| (old, new, amounts(old)))),
            // What differs in zones or rules within the hour has amounts of its own.
            (old, new) => {
                for old in old {
                    let alike = |new: &&Edge| amounts(new) == amounts(old) && new.line == old.line;
                    let new = new.iter().find(alike);
                    let new = new.unwrap_or_else(|| panic!("{traffic}: {old:?}"));
                    pairs.push((old, new, amounts(old)));
                }
            }
        }
        for (old, new, amounts) in pairs {
            let change = match new.decision.map(|decision| decision.as_str()) {
                _ if old.decision == new.decision && old.rule == new.rule => continue,
                _ if old.decision == new.decision => "other-rule",
                Some("deny") => "newly-denied",
                Some("allow") => "newly-allowed",
                Some(_) => "newly-unproven",
                None => "newly-unjudged",
            };
            let zones = [
                &old.client_zone,
                &old.server_zone,
                &new.client_zone,
                &new.server_zone,
            ];
            let key = (
                change.to_owned(),
                old.rule.clone(),
                new.rule.clone(),
                zones.map(String::clone),
                new.server_port.map(u64::from),
                u64::from(new.protocol),
            );
            let sums: &mut Counts = changes.entry(key).or_default();
            for (sum, amount) in sums.iter_mut().zip(amounts) {
                *sum += amount;
            }
        }
    }
    changes
}

/// The sample policy with one text replaced by another.
fn with(old: &str, new: &str) -> String {
    assert!(SAMPLE.contains(old), "{old}");
    SAMPLE.replacen(old, new, 1)
}

fn added(rules: &str) -> String {
    format!("{SAMPLE}\n{rules}")
}

/// Policies, and whether they judge anything differently.
fn variants() -> Vec<(&'static str, String, bool)> {
    let dns = "[[allow]]\nid = \"dns\"\nfrom = \"any-tier\"";
    let in_app = "tier = \"app\"\naz = \"use2-az1\"\ncidrs = [\"10.0.32.0/19\"";
    vec![
        ("rule removed", with(dns, "[[allow]]\nid = \"dns\"\nfrom = \"audit\""), true),
        (
            "allow added",
            added("[[allow]]\nid = \"added\"\nfrom = \"any\"\nto = \"any-tier\"\nports = [\"tcp/*\"]\n"),
            true,
        ),
        ("ports widened", with("https = [\"tcp/443\"]", "https = [\"tcp/1-9999\"]"), true),
        (
            "subnet of another tier",
            with(in_app, &in_app.replace("\"app\"", "\"data\"")),
            true,
        ),
        (
            "group changed",
            with("cidrs = [\"10.0.33.0/24\", ", "cidrs = [\"10.0.33.0/29\", "),
            true,
        ),
        (
            "severity changed",
            with("severity = \"critical\"\n", "severity = \"low\"\n"),
            false,
        ),
        (
            "require added",
            added("[[require]]\nid = \"a-same-env\"\nbetween = \"any-tier\"\nsame = [\"env\"]\n"),
            true,
        ),
        (
            "rule ended within the traffic",
            with(
                "id = \"time\"\n",
                "id = \"time\"\nexpires = 2026-02-25T06:00:00Z\nticket = \"T-1\"\n",
            ),
            true,
        ),
        (
            "group ended within the traffic",
            with(
                "cidrs = [\"10.0.33.0/24\", ",
                "valid_until = 2026-02-25T06:00:00Z\ncidrs = [\"10.0.33.0/24\", ",
            ),
            true,
        ),
        (
            "destination begun within the traffic",
            with(
                "cidrs = [\"198.51.100.0/24\"]",
                "cidrs = [\"198.51.100.0/24\"]\nvalid_from = 2026-02-25T06:02:00Z",
            ),
            true,
        ),
        ("icmp denied", with("ping = [\"icmp\", \"icmpv6\"]", "ping = [\"icmpv6\"]"), true),
        ("path no matter", with("via = [\"nat\"]\n", ""), false),
        (
            "destination gone",
            with("cidrs = [\"198.51.100.0/24\"]", "cidrs = [\"198.51.101.0/24\"]"),
            true,
        ),
        (
            "nothing at all",
            "[policy]\nid = \"SEC-003\"\n[networks.prod]\nvpcs = [\"vpc-0a1b2c3d4e5f60718\"]\naccounts = [\"123456789012\"]\nregions = [\"us-east-2\"]\ncidrs = [\"10.0.0.0/16\", \"2600:1f16:abcd:ef00::/56\"]\n".to_owned(),
            true,
        ),
    ]
}

#[test]
fn replay_says_what_two_scans_say() {
    let folder = prepared(5, "old.toml");
    for (name, text, is_changed) in variants() {
        let file = format!("{}.toml", name.replace(' ', "-"));
        fs::write(folder.path().join(&file), text).expect("written");
        let lake = format!("lake-{file}");
        scan(folder.path(), &file, &lake);
        let expected = joined(&folder.path().join("lake"), &folder.path().join(&lake));
        assert_eq!(!expected.is_empty(), is_changed, "{name}: {expected:#?}");
        let from_logs = replay(folder.path(), &file, "logs");
        let from_lake = replay(folder.path(), &file, "lake");
        let unknown = from_lake["not_compared"]["connections"].as_u64();
        let unknown = unknown.expect("a number");
        if name != "nothing at all" {
            assert_eq!(from_logs["judged"], "connections", "{name}");
            assert_eq!(changes(&from_logs), expected, "{name}, over logs");
        }
        // What the lake cannot tell is named; what it tells is so.
        let told = changes(&from_lake);
        for (key, counts) in &told {
            let all = expected.get(key).copied().unwrap_or_default();
            let is_within = counts.iter().zip(all).all(|(told, all)| *told <= all);
            assert!(is_within, "{name}: {key:?}: told {counts:?} of {all:?}");
        }
        let missing = total(&expected) - total(&told);
        assert!(missing <= unknown, "{name}: {missing} of {unknown}");
        if unknown == 0 {
            assert_eq!(told, expected, "{name}, over the lake");
        }
        let compared = from_lake["compared"].as_u64().expect("a number") + unknown;
        if name != "nothing at all" {
            assert_eq!(from_logs["compared"], compared, "{name}");
        }
        let exact = [
            "rule removed",
            "allow added",
            "ports widened",
            "subnet of another tier",
            "group changed",
            "severity changed",
        ];
        if exact.contains(&name) {
            assert_eq!(unknown, 0, "{name}");
        }
    }
}

#[test]
fn a_lake_is_replayed_the_same_on_any_number_of_threads() {
    let folder = prepared(13, "old.toml");
    for (name, text, _) in variants() {
        fs::write(folder.path().join("new.toml"), text).expect("written");
        let on = |threads: &str| {
            let arguments = [
                "policy", "replay", "old.toml", "new.toml", "--over", "lake", "--format", "json",
            ];
            ok(
                folder.path(),
                &[&arguments[..], &["--threads", threads]].concat(),
            )
            .stdout
        };
        let one = on("1");
        for threads in ["2", "7"] {
            assert_eq!(on(threads), one, "{name}, on {threads} threads");
        }
    }
}

#[test]
fn evidence_that_a_lake_does_not_keep_is_named_and_logs_have_it() {
    let folder = prepared(6, "old.toml");
    let text = added(
        "[groups.workers]\ntags = { service = \"etl\" }\n\n[[require]]\nid = \"a-encrypted\"\nbetween = [\"app\", \"data\"]\nencrypted = true\n",
    );
    fs::write(folder.path().join("new.toml"), text).expect("written");
    scan(folder.path(), "new.toml", "lake-new");
    let expected = joined(&folder.path().join("lake"), &folder.path().join("lake-new"));
    assert!(total(&expected) > 0);
    let from_logs = replay(folder.path(), "new.toml", "logs");
    assert_eq!(changes(&from_logs), expected);
    assert_eq!(from_logs["not_compared"]["connections"], 0);
    let ran = ok(
        folder.path(),
        &["policy", "replay", "old.toml", "new.toml", "--over", "lake"],
    );
    assert!(
        ran.stdout
            .contains("decided by evidence that a lake does not keep"),
        "{}",
        ran.stdout
    );
    let from_lake = replay(folder.path(), "new.toml", "lake");
    let unknown = from_lake["not_compared"]["connections"].as_u64();
    let missing = total(&expected) - total(&changes(&from_lake));
    assert!(
        missing > 0 && Some(missing) <= unknown,
        "{missing} {unknown:?}"
    );
}

#[test]
fn a_policy_replayed_with_itself_changes_nothing() {
    let folder = prepared(7, "old.toml");
    for over in ["logs", "lake"] {
        let arguments = [
            "policy",
            "replay",
            "old.toml",
            "old.toml",
            "--over",
            over,
            "--fail-on",
            "any",
        ];
        let ran = ok(folder.path(), &arguments);
        assert!(
            ran.stdout.contains("No connection changes."),
            "{}",
            ran.stdout
        );
        let found = replay(folder.path(), "old.toml", over);
        assert_eq!(found["changes"], Value::Array(Vec::new()));
        assert_eq!(found["totals"], Value::Array(Vec::new()));
        assert_eq!(found["not_compared"]["connections"], 0, "{over}");
        assert!(found["compared"].as_u64() > Some(1000), "{over}");
    }
}

#[test]
fn exit_codes_tell_what_changed() {
    let folder = prepared(8, "old.toml");
    let dns = "id = \"dns\"\nfrom = \"any-tier\"";
    let denied = with(dns, "id = \"dns\"\nfrom = \"audit\"");
    fs::write(folder.path().join("new.toml"), denied).expect("written");
    let code = |old: &str, new: &str, fail_on: &str, over: &str| {
        let arguments = [
            "policy",
            "replay",
            old,
            new,
            "--over",
            over,
            "--fail-on",
            fail_on,
        ];
        run(folder.path(), &arguments).code
    };
    for over in ["logs", "lake"] {
        assert_eq!(code("old.toml", "new.toml", "newly-denied", over), 1);
        assert_eq!(code("old.toml", "new.toml", "any", over), 1);
        assert_eq!(code("old.toml", "new.toml", "newly-allowed", over), 0);
    }
    assert_eq!(code("new.toml", "old.toml", "newly-allowed", "logs"), 1);
    assert_eq!(code("new.toml", "old.toml", "newly-denied", "logs"), 0);
    run(
        folder.path(),
        &[
            "policy",
            "replay",
            "old.toml",
            "new.toml",
            "--over",
            "lake",
            "--fail-on",
            "gone",
        ],
    )
    .refused(2, &["invalid value 'gone'", "newly-denied"]);
}

#[test]
fn a_lake_of_another_policy_is_judged_again_by_both_and_it_says_so() {
    let folder = prepared(9, "old.toml");
    let dns = "id = \"dns\"\nfrom = \"any-tier\"";
    let less = with(dns, "id = \"dns\"\nfrom = \"audit\"");
    fs::write(folder.path().join("new.toml"), less).expect("written");
    fs::write(
        folder.path().join("third.toml"),
        with("https = [\"tcp/443\"]", "https = [\"tcp/8443\"]"),
    )
    .expect("written");
    scan(folder.path(), "third.toml", "lake-third");
    let arguments = [
        "policy",
        "replay",
        "old.toml",
        "new.toml",
        "--over",
        "lake-third",
    ];
    let ran = ok(folder.path(), &arguments);
    assert!(
        ran.stderr
            .contains("judged by another policy than the old one"),
        "{}",
        ran.stderr
    );
    let from_logs = changes(&replay(folder.path(), "new.toml", "logs"));
    let from_lake = replay(folder.path(), "new.toml", "lake-third");
    let unknown = from_lake["not_compared"]["connections"].as_u64();
    let told = changes(&from_lake);
    assert!(total(&told) > 0);
    assert!(
        total(&from_logs) - total(&told) <= unknown.expect("a number"),
        "{told:#?} {from_logs:#?}"
    );
}

#[test]
fn policies_of_other_networks_are_compared_by_edges_and_it_says_so() {
    let folder = prepared(10, "old.toml");
    let wider = with("cidrs = [\"10.0.0.0/16\", ", "cidrs = [\"10.0.0.0/15\", ");
    fs::write(folder.path().join("new.toml"), wider).expect("written");
    let arguments = [
        "policy", "replay", "old.toml", "new.toml", "--over", "logs", "--format", "json",
    ];
    let ran = ok(folder.path(), &arguments);
    assert!(
        ran.stderr.contains("the policies differ in networks"),
        "{}",
        ran.stderr
    );
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(found["judged"], "edges");
}

#[test]
fn what_is_not_there_is_an_error() {
    let folder = prepared(11, "old.toml");
    // The lake is begun before it turns out that there is nothing for it.
    let arguments = [
        "scan",
        "logs",
        "--policy",
        "old.toml",
        "--lake",
        "empty",
        "--since",
        "2030-01-01",
    ];
    assert_eq!(run(folder.path(), &arguments).code, 2);
    for command in [
        vec!["policy", "replay", "old.toml", "old.toml"],
        vec!["policy", "usage", "old.toml"],
    ] {
        let over = |what| [&command[..], &["--over", what]].concat();
        run(folder.path(), &over("empty")).refused(2, &["holds no hour of that time"]);
        run(folder.path(), &over("nowhere")).refused(2, &["nowhere"]);
    }
    run(
        folder.path(),
        &["policy", "replay", "old.toml", "no.toml", "--over", "lake"],
    )
    .refused(2, &["cannot read the policy `no.toml`"]);
}

fn usage(folder: &Path, policy: &str, over: &str) -> Value {
    let arguments = [
        "policy", "usage", policy, "--over", over, "--format", "json",
    ];
    serde_json::from_str(&ok(folder, &arguments).stdout).expect("JSON")
}

/// Records, connections and bytes by rule, of rules that decided something.
fn by_rule(usage: &Value) -> BTreeMap<String, Counts> {
    let rules = usage["rules"].as_array().expect("a list").iter();
    let number = |rule: &Value, name: &str| rule[name].as_u64().expect("a number");
    rules
        .filter(|rule| number(rule, "records") > 0)
        .map(|rule| {
            (
                rule["rule"].as_str().expect("an id").to_owned(),
                ["records", "connections", "bytes"].map(|name| number(rule, name)),
            )
        })
        .collect()
}

#[test]
fn usage_adds_up_to_what_the_lake_holds_by_rule() {
    let folder = prepared(12, "old.toml");
    let question = "select rule, sum(records) as records, sum(connections) as connections, \
        sum(bytes_to_server + bytes_to_client) as bytes, count(distinct client_addr) as clients, \
        count(distinct server_addr) as servers from edges where decision is not null group by rule";
    let ran = ok(
        folder.path(),
        &[
            "sql", "--lake", "lake", "--format", "ndjson", "-c", question,
        ],
    );
    let rows: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let found = usage(folder.path(), "old.toml", "lake");
    let number = |row: &Value, name: &str| row[name].as_u64().expect("a number");
    let expected: BTreeMap<String, Counts> = rows
        .iter()
        .map(|row| {
            (
                row["rule"].as_str().expect("an id").to_owned(),
                ["records", "connections", "bytes"].map(|name| number(row, name)),
            )
        })
        .collect();
    assert_eq!(by_rule(&found), expected);
    let rules = found["rules"].as_array().expect("a list");
    for row in &rows {
        let rule = rules.iter().find(|rule| rule["rule"] == row["rule"]);
        let rule = rule.expect("the rule");
        for name in ["clients", "servers"] {
            assert_eq!(rule[name], row[name], "{}", row["rule"]);
        }
    }
    assert_eq!(by_rule(&usage(folder.path(), "old.toml", "logs")), expected);
    // Judged again from the edges of another policy's lake, as far as they tell.
    let other = with("https = [\"tcp/443\"]", "https = [\"tcp/8443\"]");
    fs::write(folder.path().join("other.toml"), other).expect("written");
    scan(folder.path(), "other.toml", "lake-other");
    let again = usage(folder.path(), "old.toml", "lake-other");
    let unknown = number(&again["not_compared"], "connections");
    let sum = |rules: &BTreeMap<String, Counts>| rules.values().map(|[_, one, _]| one).sum::<u64>();
    assert!(sum(&expected) - sum(&by_rule(&again)) <= unknown);
    for (rule, counts) in by_rule(&again) {
        assert!(counts[1] <= expected[&rule][1], "{rule}");
    }
}

#[test]
fn usage_tells_unused_and_wide_rules() {
    let folder = prepared(13, "old.toml");
    let text = with("service = \"ntp\"\n", "ports = [\"udp/1-1024\"]\n")
        + "
[[allow]]
id = \"never\"
from = \"audit\"
to = \"public\"
ports = [\"tcp/1\"]

[[allow]]
id = \"hidden\"
from = \"audit\"
to = \"public\"
ports = [\"tcp/2\"]
observable = false

[[allow]]
id = \"over\"
from = \"audit\"
to = \"public\"
ports = [\"tcp/3\"]
expires = 2020-01-01
owner = \"alice\"
ticket = \"T-1\"
";
    fs::write(folder.path().join("new.toml"), text).expect("written");
    let found = usage(folder.path(), "new.toml", "logs");
    let rules = found["rules"].as_array().expect("a list");
    let rule = |id: &str| {
        let found = rules.iter().find(|rule| rule["rule"] == id);
        found.unwrap_or_else(|| panic!("{id}"))
    };
    assert_eq!(rule("never")["state"], "unused");
    assert_eq!(rule("hidden")["state"], "not-observable");
    assert_eq!(rule("over")["state"], "not-in-force");
    assert_eq!(rule("time")["state"], "used");
    assert_eq!(rule("time")["narrower"]["ports"], "udp/123");
    let arguments = ["policy", "usage", "new.toml", "--over", "logs"];
    let ran = ok(folder.path(), &arguments);
    for text in [
        "Unused\n",
        "never",
        "Cannot show in flow logs\n  api-gateway-to-lambda, callers-sign-requests, endpoint-policies, hidden,\n",
        "Not in force at that time\n  app-to-package-names, encrypted-paths, over\n",
        "Wider than this traffic needs\n",
        "ports udp/123\n",
    ] {
        assert!(ran.stdout.contains(text), "`{text}` in\n{}", ran.stdout);
    }
}

/// A tier with a way out over four servers, of paths that are known, unknown, both, and several; and pings of two tiers.
fn prepared_paths() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action \
        log-status vpc-id flow-direction traffic-path\n"
        .to_owned();
    let mut flow = |server: &str, ports: [u16; 2], protocol: u8, path: &str| {
        let [client_port, server_port] = ports;
        let record = |ends: String, rest: &str| {
            format!(
                "2 123456789012 eni-0a1b2c3d4e5f60001 {ends} {protocol} 5 500 1772000000 1772000050 ACCEPT OK \
                vpc-0a1b2c3d4e5f60718 {rest}\n"
            )
        };
        let there = format!("10.0.0.5 {server} {client_port} {server_port}");
        let back = format!("{server} 10.0.0.5 {server_port} {client_port}");
        log.push_str(&record(there, &format!("egress {path}")));
        log.push_str(&record(back, "ingress -"));
    };
    let ways = [
        ("203.0.113.1", "8"),
        ("203.0.113.2", "-"),
        ("203.0.113.3", "8"),
        ("203.0.113.3", "-"),
        ("203.0.113.4", "3"),
        ("203.0.113.4", "8"),
    ];
    for (port, (server, path)) in (40_000..).zip(ways) {
        flow(server, [port, 443], 6, path);
    }
    for server in ["10.0.1.7", "10.0.1.8"] {
        flow(server, [0, 0], 1, "1");
    }
    fs::create_dir(folder.path().join("logs")).expect("a folder");
    fs::write(folder.path().join("logs/a.log"), log).expect("written");
    let plain = "[policy]
id = \"P\"

[networks.prod]
vpcs = [\"vpc-0a1b2c3d4e5f60718\"]
cidrs = [\"10.0.0.0/16\"]

[tiers.app]
[tiers.data]
[tiers.mgmt]

[[subnets]]
tier = \"app\"
cidrs = [\"10.0.0.0/24\"]

[[subnets]]
tier = \"data\"
cidrs = [\"10.0.1.0/24\"]

[[subnets]]
tier = \"mgmt\"
cidrs = [\"10.0.2.0/24\"]

[[allow]]
id = \"ping\"
from = [\"data\", \"mgmt\"]
to = \"app\"
ports = [\"icmp\"]

[[allow]]
id = \"out\"
from = \"app\"
to = \"internet\"
ports = [\"tcp/1-1024\"]
";
    let denied = |via: &str| {
        format!(
            "{plain}\n[[deny]]\nid = \"no\"\nfrom = \"app\"\nto = \"internet\"\nvia = [\"{via}\"]\n"
        )
    };
    for (name, text) in [
        ("plain", plain.to_owned()),
        ("by-nat", format!("{plain}via = [\"nat\"]\n")),
        (
            "by-gateway",
            format!("{plain}via = [\"internet-gateway\"]\n"),
        ),
        ("not-by-gateway", denied("internet-gateway")),
        ("not-by-vgw", denied("vgw")),
    ] {
        fs::write(folder.path().join(format!("{name}.toml")), text).expect("written");
    }
    folder
}

#[test]
fn edges_of_an_unknown_or_mixed_path_are_told_only_where_no_path_matters() {
    let folder = prepared_paths();
    let policies = [
        "plain",
        "by-nat",
        "by-gateway",
        "not-by-gateway",
        "not-by-vgw",
    ]
    .map(|name| format!("{name}.toml"));
    let (mut changed, mut left_out) = (0, 0);
    for old in &policies {
        let lake = format!("lake-{old}");
        scan(folder.path(), old, &lake);
        for new in &policies {
            let replay = |over: &str| -> Value {
                let arguments = [
                    "policy", "replay", old, new, "--over", over, "--format", "json",
                ];
                serde_json::from_str(&ok(folder.path(), &arguments).stdout).expect("JSON")
            };
            let (from_logs, from_lake) = (replay("logs"), replay(&lake));
            assert_eq!(from_logs["judged"], "connections", "{old} {new}");
            let (expected, told) = (changes(&from_logs), changes(&from_lake));
            let unknown = from_lake["not_compared"]["connections"].as_u64();
            let unknown = unknown.expect("a number");
            for (key, counts) in &told {
                let all = expected.get(key).copied().unwrap_or_default();
                let is_within = counts.iter().zip(all).all(|(told, all)| *told <= all);
                assert!(is_within, "{old} {new}: {key:?}: {counts:?} of {all:?}");
            }
            let missing = total(&expected) - total(&told);
            assert!(missing <= unknown, "{old} {new}: {missing} of {unknown}");
            let compared = from_lake["compared"].as_u64().expect("a number");
            assert_eq!(from_logs["compared"], compared + unknown, "{old} {new}");
            if old == new {
                assert_eq!(unknown, 0, "{old}");
            }
            changed += total(&told);
            left_out += missing;
        }
    }
    assert!(changed > 0 && left_out > 0, "{changed} {left_out}");
}

#[test]
fn usage_counts_connections_of_an_unknown_path_as_a_scan_does() {
    let folder = prepared_paths();
    let mut counted = Vec::new();
    for policy in ["plain.toml", "by-nat.toml", "not-by-gateway.toml"] {
        let lake = format!("lake-{policy}");
        let arguments = [
            "scan", "logs", "--policy", policy, "--lake", &lake, "--format", "json",
        ];
        let scanned: Value =
            serde_json::from_str(&ok(folder.path(), &arguments).stdout).expect("JSON");
        let expected = &scanned["coverage"]["via_unknown"];
        for over in ["logs", &lake] {
            let usage = usage(folder.path(), policy, over);
            assert_eq!(usage["via_unknown"], *expected, "{policy} over {over}");
        }
        counted.push(expected.as_u64().expect("a number"));
    }
    // Of the servers, one has connections of an unknown path only, one some.
    assert_eq!(counted, [0, 2, 2]);
}

#[test]
fn what_was_not_compared_does_not_pass_in_silence() {
    let folder = prepared_paths();
    scan(folder.path(), "plain.toml", "lake");
    let replay = |more: &[&str]| {
        let base = ["policy", "replay", "plain.toml", "not-by-vgw.toml"];
        run(folder.path(), &[&base[..], more].concat())
    };
    let ran = replay(&["--over", "lake", "--fail-on", "any"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("No connection that could be compared changes."),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("--fail-on not-compared"),
        "{}",
        ran.stderr
    );
    let ran = replay(&["--over", "lake"]);
    assert!(
        !ran.stderr.contains("--fail-on not-compared"),
        "{}",
        ran.stderr
    );
    for (over, fail_on, expected) in [
        ("lake", "not-compared", 1),
        ("lake", "newly-denied not-compared", 1),
        ("logs", "not-compared", 0),
        ("logs", "newly-denied", 1),
    ] {
        let mut more = vec!["--over", over];
        for change in fail_on.split(' ') {
            more.extend(["--fail-on", change]);
        }
        assert_eq!(replay(&more).code, expected, "{more:?}");
    }
}

#[test]
fn usage_tells_no_ends_of_peers() {
    let folder = prepared_paths();
    let found = usage(folder.path(), "plain.toml", "logs");
    let rules = found["rules"].as_array().expect("a list");
    let rule = |id: &str| {
        let found = rules.iter().find(|rule| rule["rule"] == id);
        found.unwrap_or_else(|| panic!("{id}"))
    };
    // The rule holds from data to app; the pings are shown the other way round.
    assert_eq!(rule("ping")["state"], "used");
    assert_eq!(rule("ping")["connections"], 2);
    assert_eq!(rule("ping")["narrower"], Value::Null);
    assert_eq!(rule("out")["narrower"]["ports"], "tcp/443");
    assert_ne!(rule("out")["narrower"]["to"], Value::Array(Vec::new()));
}

#[test]
fn a_time_that_widens_to_whole_hours_is_told() {
    let folder = prepared_paths();
    scan(folder.path(), "plain.toml", "lake");
    for command in [
        &["policy", "replay", "plain.toml", "plain.toml"][..],
        &["policy", "usage", "plain.toml"],
    ] {
        let since = |time: &str| {
            let more = ["--over", "lake", "--since", time];
            ok(folder.path(), &[command, &more].concat()).stderr
        };
        let widened = since("2026-02-25T06:10:00Z");
        let expected = "a lake holds whole hours: reading from 2026-02-25T06:00:00Z until the end";
        assert!(widened.contains(expected), "{widened}");
        let whole = since("2026-02-25T06:00:00Z");
        assert!(!whole.contains("whole hours"), "{whole}");
    }
}
