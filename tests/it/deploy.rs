//! What is given for operation: its options exist, its permissions are those that the manual lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli_program::run;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect("a readable file")
}

#[test]
fn the_unit_starts_a_watch_with_options_that_exist() {
    let unit = file("deploy/tidegate.service");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start = start.expect("a command").to_owned();
    let words: Vec<&str> = start.split(' ').collect();
    let folder = tempfile::tempdir().expect("a folder");
    let help = run(folder.path(), &["watch", "--help"]).stdout;
    for option in words.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{option}");
    }
    // Of every line of a section one key.
    let lines = unit
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    assert!(lines.clone().all(|line| line.contains('=')), "{unit}");
    // The grace of the program is within that of the system.
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().expect("seconds");
    let grace = words.iter().skip_while(|word| **word != "--grace").nth(1);
    let stop = lines
        .clone()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    assert!(seconds(grace.expect("a grace")) < seconds(stop.expect("a time")));
}

/// The actions that a policy of IAM allows.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        _ => vec![policy.clone()],
    };
    let actions = statements
        .iter()
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        });
    actions
        .map(|action| action.as_str().expect("an action").to_owned())
        .collect()
}

#[test]
fn the_policy_of_a_watch_allows_what_the_manual_lists() {
    let whole: Value = serde_json::from_str(&file("deploy/iam-watch.json")).expect("JSON");
    let page = file("docs/iam.md");
    let blocks = page.split("```json\n").skip(1);
    let listed = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let mut listed: BTreeSet<String> = listed
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .flat_map(|policy: Value| actions(&policy))
        .collect();
    // Where keys are used.
    listed.retain(|action| !action.starts_with("kms:"));
    assert_eq!(actions(&whole), listed);
}

#[test]
fn the_image_and_the_queue_are_what_they_should_be() {
    let image = file("deploy/Dockerfile");
    let last = image.rsplit("\nFROM ").next().expect("a stage");
    assert!(
        last.contains("distroless") && last.contains("\nUSER nonroot\n"),
        "{last}"
    );
    let terraform = file("deploy/notifications.tf");
    assert_eq!(
        terraform.matches('{').count(),
        terraform.matches('}').count()
    );
    for word in [
        "redrive_policy",
        "deadLetterTargetArn",
        "s3:ObjectCreated:*",
        "aws:SourceArn",
    ] {
        assert!(terraform.contains(word), "{word}");
    }
}
