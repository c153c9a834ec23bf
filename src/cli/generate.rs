//! `tidegate generate`: a synthetic VPC's logs, or traffic from a policy.

use std::path::Path;

use super::args::GenerateArgs;
use super::report::words;
use super::{Exit, say};
use crate::app::policy_file;
use crate::generate::{
    GenerateError, Options, PolicyOptions, Summary, Unmade, generate, generate_from,
};

pub(super) fn run(args: &GenerateArgs) -> Exit {
    if let Some(policy) = &args.policy {
        return run_from(policy, args);
    }
    let profile = match (args.scenario, args.profile.as_str()) {
        (Some(scenario), _) => Options::day(scenario),
        (None, "bench") => Options::bench(args.records_per_connection),
        (None, _) => Options::default(),
    };
    let options = Options {
        seed: args.seed,
        records: args.records.unwrap_or(profile.records),
        slots: args.slots.unwrap_or(profile.slots),
        heavy_slot: args.heavy_slot,
        ..profile
    };
    match generate(&args.dir, &options) {
        Ok(summary) => say::printed(&summary_text(args, &summary)),
        Err(error) => failed(&error),
    }
}

/// Writes traffic from a policy, and tells of the rules that nothing was made for.
fn run_from(policy: &Path, args: &GenerateArgs) -> Exit {
    let policy = match policy_file::load(policy) {
        Ok(policy) => policy,
        Err(error) => return say::failure(&error),
    };
    let defaults = PolicyOptions::default();
    let options = PolicyOptions {
        seed: args.seed,
        slots: args.slots.unwrap_or(defaults.slots),
        ..defaults
    };
    match generate_from(&args.dir, &policy, &options) {
        Ok((summary, unmade)) => {
            for Unmade { rule, why } in &unmade {
                say::warning(&format!("no traffic for the rule `{rule}`: {why}"));
            }
            say::printed(&summary_text(args, &summary))
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &GenerateError) -> Exit {
    say::error(&error.to_string(), None);
    match error {
        GenerateError::NotEmpty(_) | GenerateError::Options { .. } | GenerateError::NoNetwork => {
            Exit::Usage
        }
        GenerateError::Io { .. } => Exit::Failed,
    }
}

fn summary_text(args: &GenerateArgs, summary: &Summary) -> String {
    format!(
        "wrote {} in {} to {}, and {} to {}\n",
        words::counted(summary.records, "record"),
        words::counted(summary.objects, "object"),
        args.dir.join("logs").display(),
        words::counted(summary.planted, "planted finding"),
        args.dir.join("planted.ndjson").display(),
    )
}
