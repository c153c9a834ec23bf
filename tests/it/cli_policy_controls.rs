//! `tidegate policy controls`: each state reached, every gap found, the numbers those of the lake.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate::generate::{Options, generate};

use super::cli_program::{Ran, run};

const POLICY: &str = r#"[policy]
id = "P"

[networks.prod]
cidrs = ["10.0.0.0/16"]

[[subnets]]
tier = "app"
cidrs = ["10.0.1.0/24"]

[[subnets]]
tier = "data"
cidrs = ["10.0.2.0/24"]

[destinations.repo]
domains = ["repo.example.com"]

[[allow]]
id = "searches"
from = "app"
to = "data"
ports = ["tcp/443"]
controls = ["USED 1"]

[[allow]]
id = "never"
from = "data"
to = "app"
ports = ["tcp/9999"]
controls = ["UNUSED 1"]

[[deny]]
id = "no-ssh"
from = "any"
to = "data"
ports = ["tcp/22"]
controls = ["SSH 10", "SSH 9"]

[[deny]]
id = "no-telnet"
from = "any"
to = "data"
ports = ["tcp/23"]
controls = ["TELNET 1"]

[[deny]]
id = "no-ftp"
from = "any"
to = "data"
ports = ["tcp/21"]
controls = ["FTP 1"]

[[deny]]
id = "hidden"
from = "any"
to = "data"
ports = ["tcp/25"]
observable = false
controls = ["HIDDEN 1"]

[[deny]]
id = "later"
from = "any"
to = "data"
ports = ["tcp/110"]
not_before = 2026-02-25T05:30:00Z
controls = ["LATER 1"]

[[allow]]
id = "out"
from = "app"
to = "internet"
ports = ["tcp/443"]
via = ["nat"]
controls = ["PATH 1"]

[[allow]]
id = "packages"
from = "app"
to = "repo"
ports = ["tcp/8443"]
controls = ["PROOF 1"]
"#;

/// A mute of what breaks `no-telnet`.
const MUTE: &str = r#"
[[mute]]
finding = "cross-tier-violation"
rule = "no-telnet"
owner = "alice"
reason = "accepted"
expires = 2099-01-01
"#;

/// Published with the first object: 2026-02-25T05:00:00Z.
const START: u32 = 1_771_995_600;
const LOG: &str = "fl-0a5c1e7b93d2f4680";

/// A record of the interface of a server or, going out, of a client.
fn record(at: u32, ends: &str, action: &str, flags: u8, direction: &str) -> String {
    let until = at + 30;
    format!(
        "5 123456789012 eni-0aaaaaaaaaaaaaaaa {ends} 6 5 500 {at} {until} {action} OK {flags} {direction}\n"
    )
}

/// A connection from app to a server in data that answers.
fn answered(at: u32, client_port: u16, port: u16) -> String {
    let request = format!("10.0.1.5 10.0.2.5 {client_port} {port}");
    let reply = format!("10.0.2.5 10.0.1.5 {port} {client_port}");
    record(at, &request, "ACCEPT", 2, "ingress") + &record(at, &reply, "ACCEPT", 18, "egress")
}

/// Writes the object of a flow log of the slot of this number after [`START`].
fn object(folder: &Path, log: &str, slot: u32, lines: &str) {
    let minutes = slot * 5;
    let (hour, minute) = (5 + minutes / 60, minutes % 60);
    let place = folder.join("logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25");
    fs::create_dir_all(&place).expect("a folder");
    let head = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction";
    let name = format!(
        "123456789012_vpcflowlogs_us-east-2_{log}_20260225T{hour:02}{minute:02}Z_{slot:08x}.log.gz"
    );
    fs::write(place.join(name), format!("{head}\n{lines}")).expect("written");
}

/// Slots with a search each, and what else is in some of them.
fn slots(folder: &Path, slots: impl IntoIterator<Item = u32>, more: &[(u32, String)]) {
    for slot in slots {
        let mut lines = answered(START + slot * 300 + 10, 40_000 + slot as u16, 443);
        let more = more.iter().filter(|(of, _)| *of == slot);
        more.for_each(|(_, more)| lines.push_str(more));
        object(folder, LOG, slot, &lines);
    }
}

/// What touches each rule, in the first hour.
fn touching() -> Vec<(u32, String)> {
    let at = |slot: u32| START + slot * 300 + 10;
    let out = |port: u16| format!("10.0.1.5 93.184.216.34 4300{} {port}", port % 10);
    vec![
        (
            3,
            record(at(3), "10.0.1.5 10.0.2.5 41000 22", "REJECT", 2, "ingress"),
        ),
        (4, answered(at(4), 42_000, 23)),
        (5, record(at(5), &out(443), "ACCEPT", 2, "egress")),
        (6, record(at(6), &out(8443), "ACCEPT", 2, "egress")),
    ]
}

fn folder(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.toml"), policy).expect("written");
    folder
}

fn scan(folder: &Path, policy: &str, lake: &str) -> Ran {
    let arguments = [
        "scan", "logs", "--policy", policy, "--lake", lake, "--keep", "none",
    ];
    run(folder, &arguments)
}

/// Logs of the first hour, judged.
fn prepared(policy: &str) -> tempfile::TempDir {
    let folder = folder(policy);
    slots(folder.path(), 0..12, &touching());
    assert_eq!(scan(folder.path(), "p.toml", "lake").code, 0);
    folder
}

fn controls(folder: &Path, more: &[&str]) -> Ran {
    let arguments = ["policy", "controls", "p.toml", "--over", "lake"];
    run(folder, &[&arguments[..], more].concat())
}

fn json(folder: &Path, more: &[&str]) -> Value {
    let ran = controls(folder, &[&["--format", "json"][..], more].concat());
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{more:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn of<'j>(found: &'j Value, name: &str) -> &'j Value {
    let all = found["controls"].as_array().expect("a list");
    let control = all.iter().find(|control| control["control"] == name);
    control.unwrap_or_else(|| panic!("{name}"))
}

/// The state of a control, and its reasons.
fn said(found: &Value, name: &str) -> (String, Vec<String>) {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let control = of(found, name);
    let why = control["why"].as_array().expect("a list").iter();
    let why = why.map(|why| text(&why["reason"])).collect();
    (text(&control["state"]), why)
}

fn assert_said(found: &Value, name: &str, state: &str, why: &[&str]) {
    let why: Vec<String> = why.iter().map(|why| (*why).to_owned()).collect();
    assert_eq!(said(found, name), (state.to_owned(), why), "{name}");
}

#[test]
fn each_state_is_reached_for_each_reason() {
    let folder = prepared(POLICY);
    let found = json(folder.path(), &[]);
    let names: Vec<&str> = found["controls"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|control| control["control"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "FTP 1", "HIDDEN 1", "LATER 1", "PATH 1", "PROOF 1", "SSH 9", "SSH 10", "TELNET 1",
            "UNUSED 1", "USED 1",
        ]
    );
    assert_said(&found, "USED 1", "met", &[]);
    assert_said(&found, "FTP 1", "met", &[]);
    assert_said(&found, "SSH 9", "met", &[]);
    assert_said(&found, "SSH 10", "met", &[]);
    assert_said(&found, "TELNET 1", "violated", &["violations"]);
    assert_said(&found, "HIDDEN 1", "not-evidenced", &["not-observable"]);
    assert_said(&found, "LATER 1", "not-evidenced", &["not-in-force"]);
    assert_said(&found, "PATH 1", "not-evidenced", &["path-unknown"]);
    assert_said(&found, "PROOF 1", "not-evidenced", &["unproven"]);
    assert_said(&found, "UNUSED 1", "not-evidenced", &["nothing-checked"]);
    let counts = |name: &str| {
        let checked = &of(&found, name)["checked"];
        [
            "connections",
            "compliant",
            "blocked",
            "violation",
            "unproven",
        ]
        .map(|count| checked[count].as_u64().expect("a number"))
    };
    assert_eq!(counts("USED 1"), [12, 12, 0, 0, 0]);
    assert_eq!(counts("SSH 9"), [1, 0, 1, 0, 0]);
    assert_eq!(counts("TELNET 1"), [1, 0, 0, 1, 0]);
    assert_eq!(counts("PROOF 1"), [1, 0, 0, 0, 1]);
    assert_eq!(counts("FTP 1"), [0; 5]);
    let findings = &of(&found, "TELNET 1")["findings"];
    assert_eq!(findings[0]["kind"], "cross-tier-violation");
    assert_eq!(findings[0]["muted"], false);
    assert_eq!(of(&found, "TELNET 1")["num_findings"], 1);
    assert_eq!(found["period"]["from"], "2026-02-25T05:00:00Z");
    assert_eq!(found["period"]["until"], "2026-02-25T06:00:00Z");
    assert_eq!(found["coverage"]["complete"], true);
    assert_eq!(found["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["lake"]["sources"][0], "logs");

    let text = controls(folder.path(), &[]).stdout;
    for line in [
        "  4 met, 1 violated, 5 not evidenced\n",
        "  hours         1 of 1 hour have objects\n",
        "USED 1: met\n  allow searches: 12 compliant\n",
        "SSH 9: met\n  deny no-ssh: 1 blocked\n",
        "TELNET 1: violated\n  - let through although its rules deny them: 1 connection\n",
        "FTP 1: met\n  deny no-ftp: no connection\n",
    ] {
        assert!(text.contains(line), "`{line}` in\n{text}");
    }
    let csv = controls(folder.path(), &["--format", "csv"]).stdout;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 11);
    assert!(
        rows[0].starts_with("control,state,why,rules,connections,"),
        "{csv}"
    );
    assert!(
        rows[8].starts_with("TELNET 1,violated,violations,no-telnet,1,0,0,0,0,1,0,0,1,0,"),
        "{csv}"
    );
    let width = rows[0].split(',').count();
    assert!(
        rows.iter().all(|row| row.split(',').count() == width),
        "{csv}"
    );
}

#[test]
fn a_muted_violation_is_one_and_shown_as_muted() {
    let folder = prepared(&format!("{POLICY}{MUTE}"));
    let found = json(folder.path(), &[]);
    assert_said(&found, "TELNET 1", "violated", &["violations"]);
    let control = of(&found, "TELNET 1");
    assert_eq!(
        (&control["num_muted"], &control["findings"][0]["muted"]),
        (&1.into(), &true.into())
    );
    let text = controls(folder.path(), &[]).stdout;
    assert!(text.contains("  1 finding (1 muted)\n"), "{text}");
}

#[test]
fn missing_hours_make_nothing_met() {
    let folder = folder(POLICY);
    slots(folder.path(), (0..12).chain(24..36), &touching());
    assert_eq!(scan(folder.path(), "p.toml", "lake").code, 0);
    let found = json(folder.path(), &[]);
    let gaps = ["hours-missing", "logs-silent"];
    assert_said(&found, "USED 1", "not-evidenced", &gaps);
    assert_said(&found, "FTP 1", "not-evidenced", &gaps);
    let all = ["violations", "hours-missing", "logs-silent"];
    assert_said(&found, "TELNET 1", "violated", &all);
    let coverage = &found["coverage"];
    assert_eq!(
        (&coverage["hours"], &coverage["hours_with_objects"]),
        (&3.into(), &2.into())
    );
    assert_eq!(coverage["missing"].as_array().map(Vec::len), Some(1));
    assert_eq!(coverage["missing"][0]["from"], "2026-02-25T06:00:00Z");
    assert_eq!(coverage["missing"][0]["until"], "2026-02-25T07:00:00Z");
    let silent = &coverage["flow_logs"][0]["silent"][0];
    assert_eq!(silent["from"], "2026-02-25T05:55:00Z");
    assert_eq!(silent["until"], "2026-02-25T07:00:00Z");

    // Each hour alone is complete; a longer period than the lake is not.
    let of_hours = |since: &str, until: &str| {
        let time = |hour: &str| format!("2026-02-25T{hour}:00Z");
        json(
            folder.path(),
            &["--since", &time(since), "--until", &time(until)],
        )
    };
    assert_said(&of_hours("05:00", "06:00"), "USED 1", "met", &[]);
    let last = of_hours("07:10", "07:50");
    assert_eq!(last["period"]["until"], "2026-02-25T08:00:00Z");
    assert_said(&last, "USED 1", "met", &[]);
    assert_said(&last, "TELNET 1", "met", &[]);
    assert_said(&of_hours("07:00", "09:00"), "FTP 1", "not-evidenced", &gaps);
    assert_said(&of_hours("04:00", "06:00"), "FTP 1", "not-evidenced", &gaps);
    // Nothing at all.
    let nothing = of_hours("20:00", "22:00");
    let gaps = ["hours-missing", "networks-unseen"];
    assert_said(&nothing, "FTP 1", "not-evidenced", &gaps);
    assert_eq!(
        nothing["coverage"]["missing"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_flow_log_that_is_silent_within_an_hour_makes_nothing_met() {
    let folder = folder(POLICY);
    // The last before the gap is published at 05:15, the next at 05:35.
    slots(folder.path(), (0..4).chain(7..12), &[]);
    assert_eq!(scan(folder.path(), "p.toml", "lake").code, 0);
    let found = json(folder.path(), &[]);
    assert_said(&found, "FTP 1", "not-evidenced", &["logs-silent"]);
    let silent = &found["coverage"]["flow_logs"][0]["silent"][0];
    assert_eq!(silent["from"], "2026-02-25T05:15:00Z");
    assert_eq!(silent["until"], "2026-02-25T05:35:00Z");
    let text = controls(folder.path(), &[]).stdout;
    assert!(
        text.contains("fl-0a5c1e7b93d2f4680 of 123456789012: 2026-02-25 05:15:00 to"),
        "{text}"
    );
    // Two objects fewer are no silence.
    slots(folder.path(), 5..6, &[]);
    assert_eq!(scan(folder.path(), "p.toml", "lake2").code, 0);
    let arguments = [
        "policy", "controls", "p.toml", "--over", "lake2", "--format", "json",
    ];
    let found = serde_json::from_str(&run(folder.path(), &arguments).stdout).expect("JSON");
    assert_said(&found, "FTP 1", "met", &[]);
}

#[test]
fn lost_lines_and_logs_that_tell_half_make_nothing_met() {
    fn check(spoil: impl Fn(&Path), why: &str, max_lost: &str) {
        let folder = folder(POLICY);
        slots(folder.path(), 0..12, &[]);
        spoil(folder.path());
        let code = scan(folder.path(), "p.toml", "lake").code;
        assert!(matches!(code, 0 | 3), "{why}: {code}");
        assert_said(&json(folder.path(), &[]), "FTP 1", "not-evidenced", &[why]);
        let found = json(folder.path(), &["--max-lost", max_lost]);
        let expected = if why == "lost" {
            "met"
        } else {
            "not-evidenced"
        };
        assert_eq!(said(&found, "FTP 1").0, expected, "{why}");
    }
    let at = START + 10;
    let skipped = format!(
        "5 123456789012 eni-0aaaaaaaaaaaaaaaa - - - - - - - {at} {} - SKIPDATA - -\n",
        at + 30
    );
    let search = answered(at, 40_000, 443);
    let with = |line: &str| format!("{search}{line}");
    // 1 of 25 lines: 4 %.
    check(
        |folder| object(folder, LOG, 0, &with(&skipped)),
        "lost",
        "4%",
    );
    check(
        |folder| object(folder, LOG, 0, &with("5 not a record\n")),
        "lost",
        "4",
    );
    let other = "fl-0b5c1e7b93d2f4680";
    let rejected = |folder: &Path| {
        for slot in 0..12 {
            let ends = format!("10.0.1.5 10.0.2.6 {} 80", 45_000 + slot);
            let at = START + slot * 300 + 10;
            object(
                folder,
                other,
                slot,
                &record(at, &ends, "REJECT", 2, "ingress"),
            );
        }
    };
    check(rejected, "reject-only", "100");
    let broken = |folder: &Path| {
        let place = folder.join("logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25");
        let name =
            format!("123456789012_vpcflowlogs_us-east-2_{LOG}_20260225T0500Z_ffffffff.log.gz");
        fs::write(place.join(name), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]).expect("written");
    };
    check(broken, "unreadable", "100");
    let network = "accounts = [\"123456789012\"]\n\n[networks.other]\naccounts = [\"210987654321\"]\ncidrs = [\"10.9.0.0/16\"]\n\n[[subnets]]\n";
    let policy = POLICY.replacen("\n[[subnets]]\n", network, 1);
    let policy = policy.replace(
        "cidrs = [\"10.0.1.0/24\"]",
        "network = \"prod\"\ncidrs = [\"10.0.1.0/24\"]",
    );
    let policy = policy.replace(
        "cidrs = [\"10.0.2.0/24\"]",
        "network = \"prod\"\ncidrs = [\"10.0.2.0/24\"]",
    );
    let folder = prepared(&policy);
    assert_said(
        &json(folder.path(), &[]),
        "FTP 1",
        "not-evidenced",
        &["networks-unseen"],
    );
}

#[test]
fn what_only_the_default_denies_is_under_no_control_and_keeps_it_from_being_met() {
    let folder = folder(POLICY);
    let at = START + 2 * 300 + 10;
    slots(folder.path(), 0..12, &[(2, answered(at, 44_000, 8080))]);
    assert_eq!(scan(folder.path(), "p.toml", "lake").code, 0);
    let found = json(folder.path(), &[]);
    // Between the zones of its connections; a deny that decided nothing has none.
    assert_said(&found, "USED 1", "not-evidenced", &["denied-by-default"]);
    assert_eq!(of(&found, "USED 1")["denied_by_default"]["violation"], 1);
    assert_said(&found, "FTP 1", "met", &[]);
    assert_eq!(found["denied_by_default"]["violation"], 1);
    let text = controls(folder.path(), &[]).stdout;
    assert!(
        text.ends_with("Under no control\n  default: 1 violation\n"),
        "{text}"
    );
}

#[test]
fn exit_codes_tell_what_fails() {
    let folder = prepared(POLICY);
    let code = |arguments: &[&str]| controls(folder.path(), arguments).code;
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&["--fail-on", "violated"]), 1);
    assert_eq!(code(&["--fail-on", "not-evidenced"]), 1);
    controls(folder.path(), &["--fail-on", "met"]).refused(2, &["invalid value 'met'", "violated"]);
    controls(folder.path(), &["--max-lost", "200"]).refused(2, &["from 0 to 100 percent"]);
    let same = ["--since", "2026-02-25", "--until", "2026-02-25"];
    controls(folder.path(), &same).refused(2, &["expected --until after --since"]);
    // Nothing is violated: what is not evidenced fails only where it is asked for.
    let quiet = self::folder(POLICY);
    slots(quiet.path(), 0..12, &[]);
    assert_eq!(scan(quiet.path(), "p.toml", "lake").code, 0);
    let code = |arguments: &[&str]| controls(quiet.path(), arguments).code;
    assert_eq!(code(&["--fail-on", "violated"]), 0);
    assert_eq!(code(&["--fail-on", "not-evidenced"]), 1);
}

#[test]
fn what_is_no_evidence_is_refused() {
    let folder = prepared(POLICY);
    let other = |name: &'static str, text: String| {
        fs::write(folder.path().join(name), text).expect("written");
        move |lake: &'static str| ["policy", "controls", name, "--over", lake].map(str::to_owned)
    };
    let changed = other("other.toml", POLICY.replace("tcp/443", "tcp/444"));
    run(folder.path(), &changed("lake")).refused(2, &["judged by another policy", "--rejudge"]);
    let bare: String = POLICY
        .lines()
        .filter(|line| !line.starts_with("controls"))
        .map(|line| format!("{line}\n"))
        .collect();
    // Controls are no part of the hash: it is the same policy, of another file.
    let without = other("bare.toml", bare);
    run(folder.path(), &without("lake")).refused(2, &["no rule of `bare.toml` names a control"]);
    let own = other("p.toml", POLICY.to_owned());
    for place in ["nowhere", "logs"] {
        run(folder.path(), &own(place)).refused(2, &["expected a lake", place]);
    }
    let later = ["--since", "2030-01-01"];
    controls(folder.path(), &later).refused(2, &["holds no hour of that time"]);
}

/// Rows of a question, each as JSON.
fn rows(folder: &Path, question: &str) -> Vec<Value> {
    let arguments = [
        "sql", "--lake", "lake", "--format", "ndjson", "-c", question,
    ];
    let ran = run(folder, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Generated logs of the sample's network, judged.
fn generated() -> tempfile::TempDir {
    let folder = folder(include_str!("../../policies/sec-003.toml"));
    let options = Options {
        seed: 21,
        records: 20_000,
        ..Options::default()
    };
    generate(folder.path(), &options).expect("generated");
    assert_eq!(scan(folder.path(), "p.toml", "lake").code, 0);
    folder
}

#[test]
fn numbers_are_those_of_the_lake() {
    let folder = generated();
    let found = json(folder.path(), &[]);
    let number = |row: &Value, name: &str| row[name].as_u64().expect("a number");
    let text = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in rows(
        folder.path(),
        "select rule, verdict, sum(connections) as connections from edges where decision is not null group by rule, verdict",
    ) {
        let key = (text(&row, "rule"), text(&row, "verdict"));
        expected.insert(key, number(&row, "connections"));
    }
    let findings = rows(
        folder.path(),
        "select rule, count(*) as findings from findings where rule <> '' group by rule",
    );
    let verdicts = [
        "compliant",
        "overblocked",
        "blocked",
        "attempted",
        "violation",
        "unproven",
    ];
    let all = found["controls"].as_array().expect("a list");
    assert!(all.len() > 8, "{}", all.len());
    let mut touched = 0;
    for control in all {
        let rules = control["rules"].as_array().expect("a list");
        let mut sums = BTreeMap::new();
        for rule in rules {
            for verdict in verdicts {
                let count = number(&rule["checked"], verdict);
                let key = (text(rule, "rule"), verdict.to_owned());
                assert_eq!(count, expected.get(&key).copied().unwrap_or(0), "{key:?}");
                *sums.entry(verdict).or_insert(0) += count;
                touched += u64::from(count > 0);
            }
        }
        for (verdict, sum) in sums {
            assert_eq!(number(&control["checked"], verdict), sum, "{verdict}");
        }
        let is_own = |row: &&Value| rules.iter().any(|rule| rule["rule"] == row["rule"]);
        let own = findings
            .iter()
            .filter(is_own)
            .map(|row| number(row, "findings"));
        assert_eq!(number(control, "num_findings"), own.sum::<u64>());
        // The default decides under no control; between its zones it decides no more than in all.
        let by_default = number(&control["denied_by_default"], "violation");
        assert!(by_default <= number(&found["denied_by_default"], "violation"));
        let is_violated = number(&control["checked"], "violation") > 0;
        assert_eq!(control["state"] == "violated", is_violated);
    }
    assert!(touched > 20, "{touched}");
    for verdict in verdicts {
        let key = ("default".to_owned(), verdict.to_owned());
        let expected = expected.get(&key).copied().unwrap_or(0);
        assert_eq!(number(&found["denied_by_default"], verdict), expected);
    }
    let objects = &rows(
        folder.path(),
        "select count(*) as objects, sum(records) as records, sum(skip_data) as skip_data, sum(malformed) as malformed, sum(lines) as lines, count(distinct coalesce(flow_log_id, '')) as logs from objects",
    )[0];
    let coverage = &found["coverage"];
    assert_eq!(coverage["objects"], objects["objects"]);
    for name in ["records", "skip_data", "malformed", "lines"] {
        assert_eq!(coverage["lines"][name], objects[name], "{name}");
    }
    let logs = coverage["flow_logs"].as_array().expect("a list");
    assert_eq!(logs.len() as u64, number(objects, "logs"));
    assert!(number(coverage, "out_of_scope") > 0);
}

#[test]
fn the_same_lake_gives_the_same_evidence() {
    let (one, other) = (generated(), generated());
    for format in ["text", "json", "csv"] {
        let told = |folder: &Path| controls(folder, &["--format", format]).stdout;
        let first = told(one.path());
        assert!(!first.is_empty());
        assert_eq!(first, told(one.path()), "{format}");
        assert_eq!(first, told(other.path()), "{format}");
    }
    // One object less is other evidence.
    let digest = |more: &[&str]| json(one.path(), more)["inputs_sha256"].clone();
    assert_ne!(digest(&[]), digest(&["--until", "2026-02-25T06:00:00Z"]));
}
