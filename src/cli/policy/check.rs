//! `tidegate policy check`: what is wrong with policy files.

use std::path::PathBuf;

use clap::Args;

use crate::app::policy_file;
use crate::cli::report::words;
use crate::cli::{Exit, say};
use crate::policy::{Effect, Policy, RuleId};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The policy files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Checks every file, whatever is wrong with the others.
pub(super) fn run(args: &CheckArgs) -> Exit {
    Exit::most_urgent(args.files.iter().map(|file| match policy_file::load(file) {
        Ok(policy) => say::printed(&format!("ok: {}: {}\n", file.display(), summary(&policy))),
        Err(error) => say::failure(&error),
    }))
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
