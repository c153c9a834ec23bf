//! Help, wrong usage, wrong paths, broken pipes: what a person meets first.

use super::cli_program::{command, run};

#[test]
fn help_names_every_command_option_and_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = run(folder.path(), &["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for word in [
        "scan",
        "watch",
        "sql",
        "policy",
        "detect",
        "generate",
        "Exit codes:",
        "0  done",
        "4  failed",
    ] {
        assert!(
            ran.stdout.contains(word),
            "expected `{word}` in:\n{}",
            ran.stdout
        );
    }
    let ran = run(folder.path(), &["scan", "--help"]);
    let options = [
        "SOURCE",
        "--policy",
        "--lake",
        "--keep",
        "--since",
        "--until",
        "--accounts",
        "--regions",
        "--format",
        "--output",
        "--fail-on",
        "--known",
        "--plan",
        "--rejudge",
        "--layout",
        "--threads",
        "--memory",
        "--horizon",
        "--log-format",
    ];
    for option in options {
        assert!(
            ran.stdout.contains(option),
            "expected `{option}` in:\n{}",
            ran.stdout
        );
    }
}

#[test]
fn version_is_the_package_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = run(folder.path(), &["--version"]);
    assert_eq!(
        ran.stdout,
        format!("tidegate {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_is_exit_2_and_says_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |arguments: &str, word: &str| {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        run(folder.path(), &arguments).refused(2, &[word]);
    };
    check("", "Usage: tidegate");
    check("scna", "similar subcommand");
    check("scan --policy p.toml", "<SOURCE>");
    check("scan logs", "--policy <FILE>");
    check("scan logs --policy p.toml --polcy x", "similar argument");
    check(
        "scan logs --policy p.toml --fail-on awful",
        "[possible values: low, medium, high, critical]",
    );
    check(
        "scan logs --policy p.toml --since soon",
        "expected RFC 3339",
    );
    check(
        "scan logs --policy p.toml --since 1h --until 2h",
        "expected --until after --since",
    );
    check("scan logs --policy p.toml --rejudge", "--lake");
}

#[test]
fn nobody_reading_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = command(folder.path())
        .args(["scan", "--help"])
        .spawn()
        .expect("the program starts");
    // Closed before or after the program writes: neither may make it fail.
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("the program ends").code(), Some(0));
}

#[test]
fn closed_standard_error_is_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "scan", "logs", "--policy", "p.toml", "--since", "1h", "--until", "2h",
    ];
    let mut child = command(folder.path())
        .args(arguments)
        .spawn()
        .expect("the program starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("the program ends").code(), Some(2));
}
