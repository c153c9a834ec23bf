//! `tidegate policy check`: what is wrong with policy files, and what is probably not meant.

mod json;
mod sarif;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::app::error::ScanError;
use crate::app::policy_file;
use crate::cli::report::words;
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::policy::{
    ERROR, Effect, LINTS, LintKind, LintLevel, Policy, PolicyErrors, PolicyLints, Remark, RuleId,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The policy files.
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    files: Vec<PathBuf>,

    /// How the answer looks.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,

    /// The instant for which dates are looked at: RFC 3339, a date, or an age. Default: now.
    #[arg(long, value_name = "TIME", value_parser = units::when)]
    at: Option<When>,

    /// Exit with 1 where a lint is at least this bad.
    #[arg(long, value_name = "LEVEL", value_enum)]
    fail_on: Option<FailOn>,

    /// Print the manual's page about a lint instead.
    #[arg(long, value_name = "CODE", conflicts_with = "files", ignore_case = true, value_parser = kind())]
    explain: Option<&'static LintKind>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// A list of errors and lints.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FailOn {
    Warning,
    Note,
}

/// Reads a lint's code, or its name.
fn kind() -> impl TypedValueParser<Value = &'static LintKind> {
    let codes = LINTS.map(|kind| PossibleValue::new(kind.code).alias(kind.name));
    PossibleValuesParser::new(codes).map(|text| {
        let is_meant = |kind: &&&LintKind| {
            kind.code.eq_ignore_ascii_case(&text) || kind.name.eq_ignore_ascii_case(&text)
        };
        LINTS.iter().find(is_meant).copied().unwrap_or(&ERROR)
    })
}

/// Checks every file, whatever is wrong with the others.
pub(super) fn run(args: &CheckArgs) -> Exit {
    if let Some(kind) = args.explain {
        return say::printed(kind.page);
    }
    let now = units::now();
    let at = args.at.map_or(now, |when| when.resolve(now));
    let checked: Vec<Checked<'_>> = args
        .files
        .iter()
        .map(|file| Checked {
            file,
            result: policy_file::check(file, at),
        })
        .collect();
    let shown = match args.format {
        Format::Text => Exit::most_urgent(checked.iter().map(print)),
        Format::Json => answer(&json::render(&checked), &checked),
        Format::Sarif => answer(&sarif::render(&checked), &checked),
    };
    let exits = checked.iter().map(|checked| checked.exit(args.fail_on));
    Exit::most_urgent(exits.chain([shown]))
}

/// A file and what came of it.
struct Checked<'a> {
    file: &'a Path,
    result: Result<(Policy, PolicyLints), ScanError>,
}

impl Checked<'_> {
    fn exit(&self, fail_on: Option<FailOn>) -> Exit {
        let (_, lints) = match &self.result {
            Ok(read) => read,
            Err(ScanError::Failed(_)) => return Exit::Failed,
            Err(_) => return Exit::Usage,
        };
        let least = match fail_on {
            None => return Exit::Done,
            Some(FailOn::Warning) => LintLevel::Warning,
            Some(FailOn::Note) => LintLevel::Note,
        };
        match lints.worst() {
            Some(worst) if worst >= least => Exit::Findings,
            _ => Exit::Done,
        }
    }

    /// The errors, if the file was read and is no policy.
    fn errors(&self) -> Option<&PolicyErrors> {
        match &self.result {
            Err(ScanError::Policy(errors)) => Some(errors),
            _ => None,
        }
    }

    /// Why the file could not be read, if so.
    fn unread(&self) -> Option<&ScanError> {
        match &self.result {
            Ok(_) | Err(ScanError::Policy(_)) => None,
            Err(error) => Some(error),
        }
    }

    /// Errors or lints, whichever there are.
    fn remarks(&self) -> Vec<(&'static LintKind, LintLevel, &Remark)> {
        match &self.result {
            Ok((_, lints)) => lints
                .lints()
                .iter()
                .map(|lint| (lint.kind, lint.level, &lint.remark))
                .collect(),
            Err(_) => self
                .errors()
                .into_iter()
                .flat_map(PolicyErrors::errors)
                .map(|error| (&ERROR, LintLevel::Error, error))
                .collect(),
        }
    }

    /// How many errors or lints are not listed.
    fn left_out(&self) -> usize {
        match &self.result {
            Ok((_, lints)) => lints.left_out(),
            Err(_) => self.errors().map_or(0, PolicyErrors::left_out),
        }
    }
}

/// Tells people about a file: what it holds, and its lints; errors go where errors go.
fn print(checked: &Checked<'_>) -> Exit {
    let (policy, lints) = match &checked.result {
        Ok(read) => read,
        Err(error) => return say::failure(error),
    };
    let mut text = format!("ok: {}: {}\n", checked.file.display(), summary(policy));
    if !lints.lints().is_empty() {
        text.push('\n');
        text.push_str(&lints.render(say::colour()));
    }
    say::printed(&text)
}

/// Writes an answer for programs, and tells people what it cannot hold.
fn answer(text: &str, checked: &[Checked<'_>]) -> Exit {
    for checked in checked {
        if let Some(error) = checked.unread() {
            say::failure(error);
        }
        if checked.left_out() > 0 {
            say::warning(&format!(
                "{}: {} more are not listed",
                checked.file.display(),
                words::count(checked.left_out() as u64)
            ));
        }
    }
    say::printed(text)
}

/// What the file holds, in a line.
fn summary(policy: &Policy) -> String {
    let rules = || (0..=policy.default_rule().0).map(|rule| policy.rule(RuleId(rule)).effect);
    let number =
        |wanted: fn(Effect) -> bool| rules().filter(|effect| wanted(*effect)).count() as u64;
    let requires = number(|effect| {
        matches!(
            effect,
            Effect::RequireZone | Effect::RequireLabels | Effect::RequireEncrypted
        )
    });
    let hash: String = policy.hash().chars().take(12).collect();
    format!(
        "{} with {}, {} allow, {} deny and {} require rules, {} (hash {hash})",
        words::clean(policy.id()),
        words::counted(policy.tiers().len() as u64, "tier"),
        words::count(number(|effect| effect == Effect::Allow)),
        words::count(number(|effect| effect == Effect::Deny)),
        words::count(requires),
        words::counted(policy.tests().len() as u64, "test"),
    )
}
