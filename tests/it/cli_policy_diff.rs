//! `tidegate policy diff`.

use std::fs;
use std::path::Path;

use super::cli_program::{Ran, run};

const SAMPLE: &str = "policies/sec-003.toml";

/// The sample policy, and a copy in which each text is another.
fn folder_with(edits: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let old = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE));
    let old = old.expect("the sample policy");
    let mut new = old.clone();
    for (from, to) in edits {
        assert!(new.contains(from), "the sample policy has no `{from}`");
        new = new.replacen(from, to, 1);
    }
    fs::write(folder.path().join("old.toml"), old).expect("a file");
    fs::write(folder.path().join("new.toml"), new).expect("a file");
    folder
}

fn diff(edits: &[(&str, &str)], more: &[&str]) -> Ran {
    let arguments = [&["policy", "diff", "old.toml", "new.toml"], more].concat();
    run(folder_with(edits).path(), &arguments)
}

/// Without the rule, and without the test that names it.
const A_RULE_LESS: [(&str, &str); 2] = [
    (
        r#"[[allow]]
id = "time"
from = "any-tier"
to = "time-server"
service = "ntp"
exempt = ["encrypted-paths"]
reason = "Assumption: time comes from the servers in mgmt"
owner = "platform"
controls = ["NIST SC-7"]
"#,
        "",
    ),
    (
        r#"expect = "allow"
rule = "time"
"#,
        r#"expect = "deny"
"#,
    ),
];

const A_WIDER_PORT: (&str, &str) = (
    r#"from = "vector-service"
to = "vector-lb"
service = "https""#,
    r#"from = "vector-service"
to = "vector-lb"
ports = ["tcp/443", "tcp/8000-8999"]"#,
);

/// Staging's subnet becomes a part of data.
const A_MOVED_SUBNET: (&str, &str) = (
    r#"tier = "app"
az = "use2-az1"
cidrs = ["10.0.56.0/22"]"#,
    r#"tier = "data"
az = "use2-az1"
cidrs = ["10.0.56.0/22"]"#,
);

const A_VENDOR: (&str, &str) = (
    "# Administration\n",
    r#"
[[allow]]
id = "vendor-migration"
from = "app"
to = "internet"
ports = ["tcp/443"]
via = ["nat"]
not_before = 2026-01-01
expires = 2026-03-31
owner = "alice"
ticket = "SEC-812"
"#,
);

#[test]
fn a_policy_differs_in_nothing_from_itself() {
    let ran = diff(&[], &["--fail-on", "any", "--rules"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("policy_diff_none", ran.stdout);
    let reworded = (
        "Administration, recorded by the bastion",
        "Administration by the bastion",
    );
    let ran = diff(&[reworded], &[]);
    assert!(
        ran.stdout.contains("the hashes are equal"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_rule_that_is_gone_denies() {
    let ran = diff(&A_RULE_LESS, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!("policy_diff_rule_less", ran.stdout);
}

#[test]
fn a_wider_port_allows() {
    let ran = diff(&[A_WIDER_PORT], &[]);
    insta::assert_snapshot!("policy_diff_wider_port", ran.stdout);
}

#[test]
fn a_moved_subnet_and_a_rule_with_dates() {
    insta::assert_snapshot!("policy_diff_moved", diff(&[A_MOVED_SUBNET], &[]).stdout);
    insta::assert_snapshot!("policy_diff_vendor", diff(&[A_VENDOR], &[]).stdout);
    let then = diff(&[A_VENDOR], &["--at", "2025-12-31T23:59:59Z"]);
    assert!(
        then.stdout
            .contains("No difference in what is decided, though"),
        "{}",
        then.stdout
    );
}

#[test]
fn json_has_the_same_changes() {
    let ran = diff(&[A_WIDER_PORT], &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let mut changes = json["changes"].as_array().expect("a list").clone();
    // From 2027 on nobody knows, without the field that tells of encryption.
    for change in &changes {
        let expected = match change["encrypted"].as_array() {
            Some(of) if of.contains(&"unknown".into()) => "newly-unproven",
            _ => "newly-allowed",
        };
        assert_eq!(change["change"], expected, "{}", ran.stdout);
    }
    assert_eq!(changes[0]["old_rule"], "default");
    assert_eq!(changes[0]["new_rule"], "vector-service-to-load-balancer");
    insta::assert_snapshot!(
        "policy_diff_change_json",
        serde_json::to_string_pretty(&changes.remove(0)).expect("JSON")
    );
    assert_eq!(json["edits"][0]["name"], "vector-service-to-load-balancer");
}

#[test]
fn examples_are_decided_as_the_change_says() {
    let (old, new) = (A_WIDER_PORT.0, A_WIDER_PORT.1);
    let folder = folder_with(&[(old, new)]);
    let ran = run(
        folder.path(),
        &["policy", "diff", "old.toml", "new.toml", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    for (file, key) in [("old.toml", "old"), ("new.toml", "new")] {
        let text = fs::read_to_string(folder.path().join(file)).expect("a policy");
        let policy = tidegate::policy::Policy::parse(file, &text, &|_| {
            Err(std::io::ErrorKind::NotFound.into())
        });
        let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
        let changes = json["changes"].as_array().expect("a list");
        // Addresses alone tell nothing of encryption.
        let is_of_unknown = |change: &&serde_json::Value| {
            let encrypted = change["encrypted"].as_array();
            encrypted.is_none_or(|of| of.contains(&"unknown".into()))
        };
        assert_eq!(changes.iter().filter(is_of_unknown).count(), 2);
        for change in changes.iter().filter(is_of_unknown) {
            let example = &change["example"];
            let addr = |key: &str| {
                example[key]
                    .as_str()
                    .expect("text")
                    .parse()
                    .expect("an address")
            };
            let port = example["server_port"].as_u64().expect("a port") as u16;
            let at = example["at"]
                .as_str()
                .expect("text")
                .parse::<jiff::Timestamp>()
                .expect("an instant");
            let decision =
                policy.decide_by_addr(addr("client"), addr("server"), 6, port, at.as_second());
            assert_eq!(
                change[format!("{key}_answer")],
                decision.answer.as_str(),
                "{change}"
            );
            assert_eq!(
                change[format!("{key}_rule")],
                policy.rule(decision.rule).id,
                "{change}"
            );
        }
    }
}

#[test]
fn fail_on_is_exit_1() {
    let code = |edits: &[_], fail_on| diff(edits, &["--fail-on", fail_on]).code;
    assert_eq!(code(&A_RULE_LESS, "newly-denied"), 1);
    assert_eq!(code(&A_RULE_LESS, "newly-allowed"), 0);
    assert_eq!(code(&A_RULE_LESS, "any"), 1);
    assert_eq!(code(&[A_WIDER_PORT], "newly-allowed"), 1);
    assert_eq!(code(&[A_WIDER_PORT], "newly-denied"), 0);
}

#[test]
fn a_broken_policy_is_exit_2_and_both_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.toml"), "[policy]\nid = 1\n").expect("a file");
    run(folder.path(), &["policy", "diff", "a.toml", "b.toml"])
        .refused(2, &["a.toml:2:6", "cannot read the policy `b.toml`"]);
}

#[test]
fn a_large_policy_with_a_small_edit_is_compared_at_once() {
    let mut old =
        String::from("[policy]\nid = \"LARGE\"\n[networks.prod]\ncidrs = [\"10.0.0.0/8\"]\n");
    for tier in 0..50 {
        old += &format!("[[subnets]]\ntier = \"t{tier}\"\ncidrs = [\"10.{tier}.0.0/16\"]\n");
    }
    for group in 0..1000 {
        let (tier, part) = (group % 50, group / 50);
        let cidrs: Vec<String> = (0..5)
            .map(|at| format!("10.{tier}.{}.0/26", part * 5 + at))
            .collect();
        old += &format!("[groups.g{group}]\ncidrs = {cidrs:?}\n");
        let server = (group * 7 + 1) % 1000;
        old += &format!(
            "[[allow]]\nid = \"r{group}\"\nfrom = \"g{group}\"\nto = \"g{server}\"\nports = [\"tcp/{}\"]\n",
            1000 + group
        );
    }
    let new = old.replacen("ports = [\"tcp/1500\"]", "ports = [\"tcp/1500-1501\"]", 1);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("old.toml"), old).expect("a file");
    fs::write(folder.path().join("new.toml"), new).expect("a file");
    let ran = run(folder.path(), &["policy", "diff", "old.toml", "new.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.ends_with("1 newly allowed.\n"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains("tcp/1501: allowed by r500, was denied by default"),
        "{}",
        ran.stdout
    );
}
