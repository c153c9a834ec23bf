//! `tidegate policy diff`: what two policies decide differently.

pub(super) mod json;
pub(super) mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::app::policy_file;
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::policy::Policy;
use crate::policy::diff::{ChangeKind, Diff, Options, Range, Side, diff, prefixes};

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    /// The policy as it was.
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy as it is to be.
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Compare at this time only: RFC 3339, a date or an age; default: always from the later `effective` on.
    #[arg(long, value_name = "TIME", value_parser = units::when)]
    at: Option<When>,

    /// Also show where the answer stays and another rule gives it.
    #[arg(long)]
    rules: bool,

    /// How to print the difference.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = DiffFormat::Text)]
    format: DiffFormat,

    /// Exit with 1 if anything is newly allowed, newly denied, or shown as changed at all.
    #[arg(long, value_name = "CHANGE", value_enum)]
    fail_on: Option<FailOn>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum DiffFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FailOn {
    NewlyAllowed,
    NewlyDenied,
    Any,
}

impl FailOn {
    fn is_met(self, diff: &Diff) -> bool {
        let has = |kind| diff.changes.iter().any(|change| change.kind == kind);
        match self {
            FailOn::NewlyAllowed => has(ChangeKind::NewlyAllowed),
            FailOn::NewlyDenied => has(ChangeKind::NewlyDenied),
            FailOn::Any => !diff.changes.is_empty(),
        }
    }
}

/// Two policies with the names of their files, and how they differ.
struct Compared {
    /// The old one and the new one.
    policies: [(String, Policy); 2],
    options: Options,
    diff: Diff,
}

/// Compares two files, both of which are checked first.
pub(super) fn run(args: &DiffArgs) -> Exit {
    let (old, new) = match (policy_file::load(&args.old), policy_file::load(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let failures = [old.err(), new.err()];
            return Exit::most_urgent(failures.iter().flatten().map(say::failure));
        }
    };
    let options = Options {
        at: args.at.map(|at| at.resolve(units::now())),
        with_rules: args.rules,
    };
    let diff = match diff(&old, &new, &options) {
        Ok(diff) => diff,
        Err(error) => {
            say::error(
                &format!("cannot compare these policies: {error}"),
                Some("compare smaller parts of them, such as one network each"),
            );
            return Exit::Failed;
        }
    };
    let fails = args.fail_on.is_some_and(|fail_on| fail_on.is_met(&diff));
    let compared = Compared {
        policies: [
            (args.old.display().to_string(), old),
            (args.new.display().to_string(), new),
        ],
        options,
        diff,
    };
    let text = match args.format {
        DiffFormat::Text => text::render(&compared),
        DiffFormat::Json => json::render(&compared),
    };
    match say::printed(&text) {
        Exit::Done if fails => Exit::Findings,
        exit => exit,
    }
}

/// Ranges as prefixes.
fn cidrs(ranges: &[Range]) -> Vec<String> {
    prefixes(ranges).iter().map(ToString::to_string).collect()
}

/// The prefixes of a side that words do not say: its own, or those of its zone that are not its own, whichever are fewer.
/// Both are empty where words are enough.
fn addresses(side: &Side) -> (Vec<String>, Vec<String>) {
    if !side.part.is_by_address {
        return (Vec::new(), Vec::new());
    }
    let (own, rest) = (cidrs(&side.ranges), cidrs(&side.rest));
    if rest.len() < own.len() {
        (Vec::new(), rest)
    } else {
        (own, Vec::new())
    }
}
