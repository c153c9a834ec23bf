//! `tidegate policy test`: runs the `[[test]]` entries of policy files, or writes such entries from what a lake has found.

mod from_findings;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::error::ScanError;
use crate::app::policy_file;
use crate::app::settings::{Format, Output};
use crate::cli::args::output_in;
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::policy::{Answer, Policy, TestCase};

#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// The policy files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The format of standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    format: String,

    /// Write a further report into a file: text, json or junit, such as junit=policy.xml; may be given several times.
    #[arg(long, value_name = "FORMAT=PATH", value_parser = output)]
    output: Vec<Output>,

    /// Run no tests, but print some: [[test]] entries made from the findings of this lake, which FILE has judged.
    #[arg(long, value_name = "DIR|s3://…", conflicts_with_all = ["format", "output"])]
    from_findings: Option<String>,

    /// Only findings seen from here on: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d.
    #[arg(long, value_name = "TIME", requires = "from_findings", value_parser = units::when)]
    since: Option<When>,

    /// Only findings seen before this.
    #[arg(long, value_name = "TIME", requires = "from_findings", value_parser = units::when)]
    until: Option<When>,
}

fn output(text: &str) -> Result<Output, String> {
    output_in(&[Format::Text, Format::Json, Format::Junit], text)
}

/// Runs the tests of every file, whatever becomes of the others.
pub(super) fn run(args: &TestArgs) -> Exit {
    if let Some(lake) = &args.from_findings {
        return from_findings::run(args, lake);
    }
    let mut exits = Vec::new();
    let mut files = Vec::new();
    for file in &args.files {
        let outcome = policy_file::load(file);
        exits.push(match &outcome {
            Err(error) => say::failure(error),
            Ok(policy) => warn_if_empty(file, policy),
        });
        let ran = FileRun::new(file, outcome);
        if ran.num_failed() > 0 {
            exits.push(Exit::Findings);
        }
        files.push(ran);
    }
    for output in &args.output {
        exits.push(write(output, &files));
    }
    exits.push(say::printed(&match args.format.as_str() {
        "json" => report::json(&files),
        _ => report::text(&files),
    }));
    Exit::most_urgent(exits)
}

fn warn_if_empty(file: &Path, policy: &Policy) -> Exit {
    if policy.tests().is_empty() {
        say::warning(&format!("{} has no [[test]] to run", file.display()));
    }
    Exit::Done
}

fn write(output: &Output, files: &[FileRun]) -> Exit {
    let text = match output.format {
        Format::Json => report::json(files),
        Format::Junit => report::junit(files),
        _ => report::text(files),
    };
    let Err(error) = std::fs::write(&output.path, text) else {
        return Exit::Done;
    };
    say::error(
        &format!(
            "cannot write the {} report `{}`: {error}",
            output.format.as_str(),
            output.path.display()
        ),
        None,
    );
    Exit::Failed
}

/// What became of the tests of a file.
struct FileRun {
    /// The file as it was given.
    file: String,
    /// Its tests, or what is wrong with it.
    outcome: Result<PolicyRun, String>,
}

/// What became of the tests of a policy.
struct PolicyRun {
    id: String,
    hash: String,
    /// In the order of the file.
    cases: Vec<CaseRun>,
}

/// What became of a test.
struct CaseRun {
    test: TestCase,
    /// When its flow was judged, seconds since 1970.
    at: i64,
    passed: bool,
    answer: Answer,
    /// The rule that decided.
    rule: String,
    /// Its reason, empty if it has none.
    reason: String,
    /// What the nearest allow lacked.
    lacked: Option<String>,
}

impl FileRun {
    fn new(file: &Path, outcome: Result<Policy, ScanError>) -> FileRun {
        let outcome = outcome.map_err(|error| error.to_string());
        FileRun {
            file: file.display().to_string(),
            outcome: outcome.map(|policy| PolicyRun {
                cases: policy
                    .tests()
                    .iter()
                    .map(|test| CaseRun::new(&policy, test))
                    .collect(),
                id: policy.id().to_owned(),
                hash: policy.hash().to_owned(),
            }),
        }
    }

    fn cases(&self) -> &[CaseRun] {
        self.outcome.as_ref().map_or(&[], |policy| &policy.cases)
    }

    fn num_failed(&self) -> usize {
        self.cases().iter().filter(|case| !case.passed).count()
    }
}

impl CaseRun {
    fn new(policy: &Policy, test: &TestCase) -> CaseRun {
        let decision = policy.run_test(test);
        let rule = policy.rule(decision.rule);
        CaseRun {
            test: test.clone(),
            at: policy.instant_of(test),
            passed: policy.is_expected(test, &decision),
            answer: decision.answer,
            rule: rule.id.clone(),
            reason: rule.reason.clone(),
            lacked: decision
                .miss
                .map(|miss| policy.explain_miss(miss, policy.instant_of(test))),
        }
    }
}
