//! `tidegate policy test --from-findings`: tests on standard output, what was left out on standard error.

use super::TestArgs;
use crate::app::error::ScanError;
use crate::app::tests_from_findings::{FindingsSettings, MadeTests, make_tests};
use crate::cli::report::words;
use crate::cli::{Exit, say, units};

pub(super) fn run(args: &TestArgs, lake: &str) -> Exit {
    let [policy] = args.files.as_slice() else {
        return say::failure(&ScanError::Usage {
            message: format!(
                "expected one policy file with --from-findings, got {}",
                args.files.len()
            ),
            hint: Some("name the one that judged the lake".to_owned()),
        });
    };
    let now = units::now();
    let settings = FindingsSettings {
        lake,
        policy,
        since: args.since.map(|when| when.resolve(now)),
        until: args.until.map(|when| when.resolve(now)),
    };
    match make_tests(&settings) {
        Ok(made) => {
            warn(&made);
            say::printed(&made.text)
        }
        Err(error) => say::failure(&error),
    }
}

/// Says what is missing and why.
fn warn(made: &MadeTests) {
    let finding = |number: u64| words::counted(number, "finding");
    if made.otherwise > 0 {
        say::warning(&format!(
            "{} left out: a test knows addresses only, and by those of its heaviest ends the policy decides otherwise than by \
             the records, which also told who met whom, AWS services, paths, encryption, or what an interface is",
            finding(made.otherwise)
        ));
    }
    if made.without_flow > 0 {
        say::warning(&format!(
            "{} left out: no address or no single port of it was kept",
            finding(made.without_flow)
        ));
    }
    if made.tests == 0 {
        say::warning("no finding gave a test");
    }
}
