//! `tidegate policy`: work on policy files.

use std::path::PathBuf;

use super::args::PolicyCommand;
use super::report::words;
use super::{Exit, say};
use crate::app::policy_file;
use crate::policy::{Effect, Policy, RuleId};

pub(super) fn run(command: &PolicyCommand) -> Exit {
    match command {
        PolicyCommand::Check { files } => check(files),
    }
}

/// Checks every file, whatever is wrong with the others.
fn check(files: &[PathBuf]) -> Exit {
    Exit::most_urgent(files.iter().map(|file| match policy_file::load(file) {
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
