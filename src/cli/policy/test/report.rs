//! What `policy test` reports: text for people, JSON for programs, JUnit for CI.

use serde_json::{Value, json};

use super::{CaseRun, FileRun};
use crate::cli::report::junit::{self, Fate, Suite};
use crate::cli::report::words::{self, moment};

/// The report for people: every test that fails, then a line for each file that could be read.
pub(super) fn text(files: &[FileRun]) -> String {
    let mut text = String::new();
    for file in files {
        let Ok(policy) = &file.outcome else { continue };
        for case in policy.cases.iter().filter(|case| !case.passed) {
            let place = format!("{}:{}", file.file, case.test.line);
            text.push_str(&format!(
                "FAILED {}: {}\n",
                words::clean(&place),
                words::clean(&case.test.name)
            ));
            for (key, value) in details(case) {
                text.push_str(&format!("  {key:<9} {}\n", words::clean(&value)));
            }
            text.push('\n');
        }
        let summary = format!(
            "{}: {}: {}, {} passed, {} failed\n",
            if file.num_failed() == 0 {
                "ok"
            } else {
                "failed"
            },
            words::clean(&file.file),
            words::counted(policy.cases.len() as u64, "test"),
            words::count((policy.cases.len() - file.num_failed()) as u64),
            words::count(file.num_failed() as u64),
        );
        text.push_str(&summary);
    }
    text
}

/// What there is to say of a test that fails, by key.
fn details(case: &CaseRun) -> Vec<(&'static str, String)> {
    let mut details = vec![
        (
            "flow",
            format!("{}, at {}", case.test.flow, moment(case.at)),
        ),
        ("expected", expected(case)),
        ("got", got(case)),
    ];
    if !case.reason.is_empty() {
        details.push(("reason", case.reason.clone()));
    }
    if let Some(lacked) = &case.lacked {
        details.push(("lacked", format!("the nearest allow: {lacked}")));
    }
    details
}

fn expected(case: &CaseRun) -> String {
    let answer = case.test.expect.as_str();
    match &case.test.rule {
        Some(rule) => format!("{answer} by {rule}"),
        None => answer.to_owned(),
    }
}

fn got(case: &CaseRun) -> String {
    format!("{} by {}", case.answer.as_str(), case.rule)
}

/// The report as one object.
pub(super) fn json(files: &[FileRun]) -> String {
    let sum = |count: fn(&FileRun) -> usize| files.iter().map(count).sum::<usize>();
    let report = json!({
        "tests": sum(|file| file.cases().len()),
        "failed": sum(FileRun::num_failed),
        "files": files.iter().map(file_json).collect::<Vec<Value>>(),
    });
    format!("{report:#}\n")
}

fn file_json(file: &FileRun) -> Value {
    match &file.outcome {
        Err(error) => json!({ "file": file.file, "error": error }),
        Ok(policy) => json!({
            "file": file.file,
            "policy_id": policy.id,
            "policy_hash": policy.hash,
            "tests": policy.cases.iter().map(case_json).collect::<Vec<Value>>(),
        }),
    }
}

fn case_json(case: &CaseRun) -> Value {
    let reason = Some(&case.reason).filter(|reason| !reason.is_empty());
    json!({
        "name": case.test.name,
        "line": case.test.line,
        "flow": case.test.flow,
        "at": moment(case.at),
        "passed": case.passed,
        "expected": { "decision": case.test.expect.as_str(), "rule": case.test.rule },
        "got": { "decision": case.answer.as_str(), "rule": case.rule, "reason": reason },
        "lacked": case.lacked,
    })
}

/// The report as JUnit XML: a suite for each file.
pub(super) fn junit(files: &[FileRun]) -> String {
    const CLASS: &str = "tidegate.policy";
    let suite = |file: &FileRun| {
        let mut suite = Suite::new(&file.file);
        match &file.outcome {
            Err(error) => suite.add(
                CLASS,
                "the policy can be read",
                Fate::Error {
                    kind: "policy",
                    message: error.clone(),
                },
            ),
            Ok(policy) if policy.cases.is_empty() => suite.add(CLASS, "no tests", Fate::Passed),
            Ok(policy) => {
                for case in &policy.cases {
                    suite.add(CLASS, &case.test.name, fate(file, case));
                }
            }
        }
        suite
    };
    let suites: Vec<Suite> = files.iter().map(suite).collect();
    junit::document("tidegate policy test", &suites)
}

fn fate(file: &FileRun, case: &CaseRun) -> Fate {
    if case.passed {
        return Fate::Passed;
    }
    let lines = details(case)
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}\n"));
    Fate::Failed {
        kind: "decision",
        message: format!("expected {}, got {}", expected(case), got(case)),
        details: format!(
            "{}:{}\n{}",
            file.file,
            case.test.line,
            lines.collect::<String>()
        ),
    }
}
