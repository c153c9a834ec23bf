//! Detectors over a day of logs: each attack is found, a quiet day is quiet, and a lake, a stream and another memory say the
//! same.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tidegate::generate::{Options, Scenario, generate};
use tidegate::policy::DETECTORS;

use crate::watch::{BINARY, alerts, ends_well, policy, until_idle};

/// The logs of a day with this attack, in `logs` of a folder; the watchlist, if there is one, beside them.
fn day(scenario: Scenario, seed: u64, records: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        seed,
        records,
        ..Options::day(scenario)
    };
    generate(folder.path(), &options).expect("generated");
    let mut text = fs::read_to_string(policy()).expect("a policy");
    if scenario == Scenario::Watchlist {
        text.push_str("\n[detect.watchlist]\nfiles = [\"watchlist.txt\"]\n");
    }
    fs::write(folder.path().join("policy.toml"), text).expect("written");
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let ran = Command::new(BINARY)
        .current_dir(folder)
        .args(args)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{args:?}: {errors}");
    ran
}

fn is_detected(finding: &Value) -> bool {
    let names = DETECTORS.iter().map(|detector| detector.name);
    names.into_iter().any(|name| finding["kind"] == name)
}

/// What detectors find in a scan with these options.
fn detected(folder: &Path, more: &[&str]) -> Vec<Value> {
    let args = [
        "scan",
        "logs",
        "--policy",
        "policy.toml",
        "--format",
        "ndjson",
    ];
    let ran = run(folder, &[&args, more].concat());
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let findings = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    findings.filter(is_detected).collect()
}

/// A quiet day's baseline, in a folder of its own.
fn baseline(seed: u64, records: u64) -> tempfile::TempDir {
    let quiet = day(Scenario::Quiet, seed, records);
    let args = [
        "scan",
        "logs",
        "--policy",
        "policy.toml",
        "--lake",
        "lake",
        "--keep",
        "none",
    ];
    run(quiet.path(), &args);
    let args = [
        "detect",
        "learn",
        "--over",
        "lake",
        "--policy",
        "policy.toml",
        "-o",
        "baseline.json",
    ];
    let ran = run(quiet.path(), &args);
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        "learned from 24 hours, wrote baseline.json\n"
    );
    quiet
}

const RECORDS: u64 = 20_000;

/// What else an attack is, in the eyes of other detectors.
fn also(scenario: Scenario) -> &'static [&'static str] {
    match scenario {
        Scenario::HostSweep => &["lateral-fanout"],
        Scenario::ProbeThenSuccess => &["exposure-opened"],
        Scenario::LateralFanout => &["probe-then-success"],
        Scenario::DnsBypass => &["beacon"],
        _ => &[],
    }
}

#[test]
fn a_quiet_day_is_quiet() {
    for (seed, records) in [(1, 60_000), (2, 20_000), (3, 20_000)] {
        let folder = day(Scenario::Quiet, seed, records);
        assert_eq!(
            detected(folder.path(), &["--detect"]),
            Vec::<Value>::new(),
            "seed {seed}"
        );
    }
}

#[test]
fn each_attack_is_found_by_its_detector_and_named_as_it_is() {
    let known = baseline(1, RECORDS);
    let known = known.path().join("baseline.json").display().to_string();
    for &scenario in Scenario::ALL {
        if scenario == Scenario::Quiet {
            continue;
        }
        let folder = day(scenario, 1, RECORDS);
        let needs_baseline = scenario == Scenario::FirstSeen;
        let with_baseline: &[&str] = if needs_baseline {
            &["--baseline", &known]
        } else {
            &[]
        };
        let found = detected(folder.path(), &[&["--detect"], with_baseline].concat());
        let planted = fs::read_to_string(folder.path().join("planted.ndjson")).expect("readable");
        let planted: Vec<Value> = planted
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        for one in &planted {
            // A detector may be about one end, or about any port, where the plant says more.
            let fits = |finding: &Value, of: &str, planted: &str| {
                finding[of] == one[planted] || finding[of] == "" || finding[of].is_null()
            };
            let is_it = |finding: &&Value| {
                finding["kind"] == one["kind"]
                    && finding["severity"] == one["severity"]
                    && fits(finding, "client_subject", "client")
                    && fits(finding, "server_subject", "server")
                    && fits(finding, "server_port", "server_port")
                    && finding["client_subject"] != finding["server_subject"]
            };
            let finding = found.iter().find(is_it);
            let finding = finding.unwrap_or_else(|| panic!("{one}\nis not among {found:#?}"));
            let (planted, counted) = (&one["connections"], &finding["connections"]);
            assert!(
                counted.as_u64() >= planted.as_u64().map(|all| all * 9 / 10),
                "{finding}"
            );
        }
        for finding in &found {
            let is_planted = planted.iter().any(|one| one["kind"] == finding["kind"]);
            let is_also = also(scenario).iter().any(|kind| finding["kind"] == *kind);
            assert!(is_planted || is_also, "{}: {finding}", scenario.as_str());
            if needs_baseline {
                let reason = finding["reason"].as_str().unwrap_or_default();
                assert!(reason.contains("the baseline "), "{reason}");
            }
        }
    }
}

#[test]
fn a_lake_another_memory_and_a_stream_say_the_same() {
    let folder = day(Scenario::PortScan, 5, 6000);
    let folder = folder.path();
    let plain = detected(folder, &["--detect"]);
    assert!(!plain.is_empty());
    assert_eq!(plain, detected(folder, &["--lake", "scanned"]));
    assert_eq!(
        plain,
        detected(folder, &["--lake", "scanned"]),
        "as the lake has it"
    );
    assert_eq!(
        plain,
        detected(folder, &["--detect", "--memory", "64MiB", "--threads", "1"])
    );
    // In parts: the day's findings are made from what the lake holds.
    detected(
        folder,
        &["--lake", "parts", "--until", "2026-02-25T10:00:00Z"],
    );
    assert_eq!(plain, detected(folder, &["--lake", "parts"]));
    assert_eq!(Vec::<Value>::new(), detected(folder, &[]), "nobody asked");

    ends_well(until_idle(folder, &[]));
    let told = alerts(&folder.join("alerts"));
    let told: Vec<&Value> = told.iter().filter(|alert| is_detected(alert)).collect();
    let mut ids: Vec<&Value> = told.iter().map(|alert| &alert["finding_id"]).collect();
    let mut expected: Vec<&Value> = plain.iter().map(|finding| &finding["finding_id"]).collect();
    ids.sort_by_key(|id| id.to_string());
    expected.sort_by_key(|id| id.to_string());
    assert_eq!(ids, expected);
}

#[test]
fn detectors_are_listed_and_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(policy(), folder.path().join("policy.toml")).expect("copied");
    let ran = run(folder.path(), &["detect", "list"]);
    let listed = String::from_utf8(ran.stdout).expect("UTF-8");
    for detector in &DETECTORS {
        assert!(
            listed.contains(&format!("{} (", detector.name)),
            "{}",
            detector.name
        );
        let ran = run(folder.path(), &["detect", "explain", detector.name]);
        let page = String::from_utf8(ran.stdout).expect("UTF-8");
        assert!(page.starts_with(&format!("# {}\n", detector.name)));
    }
    let more = "\n[detect.port-scan]\ntargets = 7\n[detect.beacon]\nenabled = false\n";
    let text = fs::read_to_string(policy()).expect("a policy") + more;
    fs::write(folder.path().join("policy.toml"), text).expect("written");
    let ran = run(
        folder.path(),
        &["detect", "list", "--policy", "policy.toml"],
    );
    let listed = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(
        listed.contains("  targets = 7  #") && listed.contains("beacon (off):"),
        "{listed}"
    );
}

#[test]
fn what_is_no_baseline_is_refused_and_so_is_another_policy_s_lake() {
    let folder = day(Scenario::Quiet, 1, 2000);
    let fails = |args: &[&str], expected: &str| {
        let ran = Command::new(BINARY)
            .current_dir(folder.path())
            .args(args)
            .output();
        let ran = ran.expect("the program runs");
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    };
    let scan = [
        "scan",
        "logs",
        "--policy",
        "policy.toml",
        "--detect",
        "--baseline",
    ];
    fails(
        &[&scan[..], &["none.json"]].concat(),
        "cannot use the baseline `none.json`",
    );
    fails(
        &[&scan[..], &["policy.toml"]].concat(),
        "expected what `tidegate detect learn` writes",
    );
    let old = r#"{"schema":"tidegate.baseline/0","policy_id":"","from":"","until":"","hours":0,"edges":[],"volumes":[],"logs":[],"interfaces":[]}"#;
    fs::write(folder.path().join("old.json"), old).expect("written");
    fails(&[&scan[..], &["old.json"]].concat(), "learn it again");

    run(
        folder.path(),
        &["scan", "logs", "--policy", "policy.toml", "--lake", "lake"],
    );
    let text = fs::read_to_string(policy()).expect("a policy");
    let other = text.replacen("10.0.0.0/16", "10.0.0.0/15", 1);
    fs::write(folder.path().join("other.toml"), other).expect("written");
    let learn = |lake: &str, policy: &str, expected: &str| {
        fails(
            &[
                "detect", "learn", "--over", lake, "--policy", policy, "-o", "out.json",
            ],
            expected,
        );
    };
    learn("lake", "other.toml", "was judged by another policy");
    learn("logs", "policy.toml", "no such file");
    fails(
        &[
            "detect",
            "learn",
            "--over",
            "lake",
            "--policy",
            "policy.toml",
            "--since",
            "2027-01-01",
            "-o",
            "out.json",
        ],
        "holds no hour of that time",
    );
}
