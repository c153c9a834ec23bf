//! `tidegate generate`: a synthetic VPC's logs.

use super::args::GenerateArgs;
use super::report::words;
use super::{Exit, say};
use crate::generate::{GenerateError, Options, Summary, generate};

pub(super) fn run(args: &GenerateArgs) -> Exit {
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
        Err(error) => {
            say::error(&error.to_string(), None);
            match error {
                GenerateError::NotEmpty(_) | GenerateError::Options { .. } => Exit::Usage,
                GenerateError::Io { .. } => Exit::Failed,
            }
        }
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
