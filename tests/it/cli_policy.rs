//! `tidegate policy check`, and what `scan` says of a policy with errors.

use std::fs;
use std::path::Path;

use super::cli_program::run;

#[test]
fn the_sample_policy_is_ok() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = run(root, &["policy", "check", "policies/sec-003.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout
            .starts_with("ok: policies/sec-003.toml: SEC-003 with 5 tiers"),
        "{}",
        ran.stdout
    );
}

#[test]
fn every_error_is_reported_at_once_with_line_column_and_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"[policy]
id = "P"

[networks.prod]
cidrs = ["10.0.0.0/16"]

[[subnets]]
tier = "app"
cidrs = ["10.0.0.0/19"]

[[allow]]
id = "one"
from = "ap"
to = "app"

[[allow]]
id = "one"
from = "app"
to = "app"
prots = ["tcp/443"]
"#;
    fs::write(folder.path().join("p.toml"), text).expect("a file");
    let words = [
        "p.toml:13:8",
        "`ap`",
        "did you mean `app`?",
        "p.toml:17:6",
        "p.toml:20:1",
        "`prots`",
        "p.toml: 3 errors",
    ];
    run(folder.path(), &["policy", "check", "p.toml"]).refused(2, &words);
    fs::write(folder.path().join("a.log"), "").expect("a file");
    run(folder.path(), &["scan", "a.log", "--policy", "p.toml"]).refused(2, &words);
}

#[test]
fn a_file_that_is_no_policy_is_exit_2() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("binary"), b"\xff\xfe\x00").expect("a file");
    run(folder.path(), &["policy", "check", "binary"]).refused(2, &["`binary`", "expected UTF-8"]);
    run(folder.path(), &["policy", "check", "nowhere.toml"])
        .refused(2, &["cannot read the policy `nowhere.toml`"]);
    run(folder.path(), &["policy", "check", "."]).refused(2, &["cannot read the policy `.`"]);
}

#[test]
fn several_files_are_all_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/sec-003.toml");
    fs::copy(sample, folder.path().join("good.toml")).expect("a copy");
    fs::write(folder.path().join("bad.toml"), "[policy]\n").expect("a file");
    let ran = run(folder.path(), &["policy", "check", "bad.toml", "good.toml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stdout.starts_with("ok: good.toml"), "{}", ran.stdout);
    assert!(ran.stderr.contains("bad.toml"), "{}", ran.stderr);
}
