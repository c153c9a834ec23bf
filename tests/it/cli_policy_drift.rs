//! `tidegate policy drift`: the policy, the configuration and the traffic of the manual's example, and what is no use to it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cli_program::{Ran, ok, run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const EXAMPLE: [&str; 5] = [
    "policy",
    "drift",
    "docs/drift/shop.toml",
    "--config",
    "docs/drift/shop.json",
];

fn drift(options: &[&str]) -> Ran {
    run(root(), &[&EXAMPLE, options].concat())
}

fn drift_json(options: &[&str]) -> Value {
    let ran = ok(root(), &[&EXAMPLE, options, &["--format", "json"]].concat());
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// Kind, zones, rule and ports of each gap.
fn gaps(found: &Value) -> Vec<String> {
    let gaps = found["gaps"].as_array().expect("a list");
    let text = |gap: &Value, key: &str| gap[key].as_str().unwrap_or_default().to_owned();
    gaps.iter()
        .map(|gap| {
            let keys = ["kind", "client_zone", "server_zone", "rule", "ports"];
            keys.map(|key| text(gap, key)).join(" ")
        })
        .collect()
}

#[test]
fn the_example_of_the_manual_is_what_the_program_prints() {
    let page = fs::read_to_string(root().join("docs/drift.md")).expect("the page");
    let blocks = page.split("```text\n").skip(1);
    let shown = blocks
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .find(|block| block.starts_with("Open"))
        .expect("the page shows gaps");
    let ran = drift(&["--over", "docs/drift/shop.log"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains(shown),
        "expected\n{shown}\nin\n{}",
        ran.stdout
    );
}

#[test]
fn every_gap_of_the_example_is_found() {
    let found = drift_json(&[]);
    assert_eq!(
        gaps(&found),
        [
            "open internet app default tcp/22",
            "open private app default tcp/22",
            "open office app default tcp/22",
            "open private web default tcp/443",
            "closed app data metrics tcp/9100",
            "reply-cut app data orders tcp/5432",
        ]
    );
    assert_eq!(found["traffic"], Value::Null);
    assert_eq!(found["gaps"][0]["traffic"], Value::Null);
    let part = &found["gaps"][0]["parts"][0];
    assert_eq!(part["server"]["interfaces"], 2);
    assert_eq!(
        part["server"]["security_groups"],
        json!(["sg-0aaa0000000000002"])
    );
    let groups = &part["hops"][1]["by"][0];
    assert_eq!(groups["what"], "group-rule");
    assert_eq!(groups["id"], "sg-0aaa0000000000002");
    assert_eq!(groups["traffic"], "tcp/22");
    assert_eq!(
        groups["description"],
        "Temporary, remove after the migration"
    );
    let cut = &found["gaps"][5]["parts"][0]["hops"];
    assert_eq!(cut[0]["hop"], "server-acl-reply");
    assert_eq!(cut[0]["client_ports"], "1024-32767");
    assert_eq!(cut[0]["by"][0]["what"], "acl-closing");
}

#[test]
fn traffic_is_told_of_each_gap_and_of_what_the_configuration_does_not_let_through() {
    let found = drift_json(&["--over", "docs/drift/shop.log"]);
    let all = gaps(&found);
    let of = |text: &str| {
        let at = all.iter().position(|gap| gap.starts_with(text));
        &found["gaps"][at.unwrap_or_else(|| panic!("{text} in {all:?}"))]["traffic"]
    };
    let ssh = of("open internet app");
    assert_eq!(ssh["accepted"]["connections"], 1);
    assert_eq!(ssh["accepted"]["bytes"], 14_000);
    assert_eq!(ssh["accepted"]["line"], 2);
    assert_eq!(of("open office app")["accepted"], Value::Null);
    assert_eq!(of("closed app data")["rejected"]["connections"], 1);
    assert_eq!(of("closed app data")["accepted"], Value::Null);
    assert_eq!(of("reply-cut app data")["accepted"]["records"], 2);
    assert_eq!(
        of("seen app data default tcp/6379")["accepted"]["connections"],
        1
    );
    assert_eq!(found["traffic"]["elsewhere"]["connections"], 0);
}

#[test]
fn a_kind_that_is_asked_for_fails() {
    assert_eq!(drift(&["--fail-on", "seen,cannot-tell"]).code, 0);
    assert_eq!(drift(&["--fail-on", "seen,open"]).code, 1);
    let seen = ["--over", "docs/drift/shop.log", "--fail-on", "seen"];
    assert_eq!(drift(&seen).code, 1);
    drift(&["--fail-on", "wide"]).refused(2, &["possible values: open, closed, reply-cut"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("odd.json"), "{\"Odd\": []}").expect("a file");
    fs::copy(
        root().join("docs/drift/shop.toml"),
        folder.path().join("p.toml"),
    )
    .expect("a copy");
    let drift = |files: &[&str]| {
        let arguments = [&["policy", "drift", "p.toml", "--config"], files].concat();
        run(folder.path(), &arguments)
    };
    drift(&["a.json", "b.json"]).refused(2, &["cannot read `a.json`", "cannot read `b.json`"]);
    drift(&["odd.json"]).refused(2, &["odd.json", "unknown key `Odd`"]);
    run(folder.path(), &["policy", "drift", "p.toml"]).refused(2, &["--config"]);
}

/// The describe calls of `tests/import`.
fn described() -> Vec<String> {
    let names = [
        "vpcs",
        "subnets",
        "security-groups",
        "network-acls",
        "network-interfaces",
        "vpc-endpoints",
        "prefix-lists",
        "pl-0f000000000000001",
        "nat-gateways",
    ];
    let path = |name: &str| format!("{}/tests/import/describe/{name}.json", root().display());
    names.map(path).to_vec()
}

/// The drift of the draft that they give from a configuration.
fn drift_of_draft(config: &[&str]) -> Value {
    let files = described();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let import = [
        &["policy", "import", "aws"],
        &files[..],
        &["--output", "p.toml"],
    ];
    ok(folder.path(), &import.concat());
    let drift = [
        &["policy", "drift", "p.toml", "--format", "json", "--config"],
        config,
    ];
    serde_json::from_str(&ok(folder.path(), &drift.concat()).stdout).expect("JSON")
}

#[test]
fn what_a_draft_says_of_its_own_configuration_is_neither_open_nor_closed() {
    let files = described();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let found = drift_of_draft(&files);
    // What no policy says: that replies are cut; and what nobody knows: the entries of a prefix list.
    let counts = json!({"open": 0, "closed": 0, "reply-cut": 4, "cannot-tell": 6, "seen": 0});
    assert_eq!(found["counts"], counts);
    let gaps = found["gaps"].as_array().expect("a list");
    for gap in gaps.iter().filter(|gap| gap["kind"] == "cannot-tell") {
        let why = &gap["parts"][0]["hops"][0]["why"];
        let expected = "the entries of the prefix list pl-7ba54012 are not in the input";
        assert_eq!(*why, json!([expected]));
    }
}

#[test]
fn terraform_and_describe_calls_may_be_mixed() {
    let state = format!("{}/tests/import/terraform/state.json", root().display());
    let files = described();
    let found = drift_of_draft(&[&state, &files[4]]);
    let counts = json!({"open": 0, "closed": 0, "reply-cut": 4, "cannot-tell": 6, "seen": 0});
    assert_eq!(found["counts"], counts);
    assert_eq!(found["partly_known"], json!([]));
    // By Terraform alone, what other interfaces there are is not known, and said so.
    let alone = drift_of_draft(&[&state]);
    assert_eq!(alone["partly_known"], json!(["vpc-0f00000000000001a"]));
    assert_eq!(alone["counts"]["open"], 0);
    assert!(alone["counts"]["cannot-tell"].as_u64() > Some(6));
}

#[test]
fn a_comparison_of_nothing_is_refused() {
    let files = described();
    let policy = root().join("docs/drift/shop.toml");
    let policy = policy.to_string_lossy();
    let drift = |files: &[&str]| {
        let arguments = [&["policy", "drift", &*policy, "--config"], files].concat();
        run(root(), &arguments)
    };
    let words = [
        "nothing to compare",
        "vpc-0f00000000000001a",
        "list them in `vpcs`",
    ];
    drift(&[&files[0], &files[1]]).refused(2, &words);
    drift(&[&files[7]]).refused(2, &["nothing to compare", "describe-network-interfaces"]);
}
