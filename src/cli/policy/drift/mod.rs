//! `tidegate policy drift`: what a policy intends, what AWS is configured to let through, what the logs show.

mod json;
mod text;

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::over::{self, ReadingArgs};
use super::replay::AnswerAs;
use crate::app::config_files;
use crate::app::drift::{DriftReport, DriftSettings, find_drift};
use crate::app::memory::{Shares, share_heap};
use crate::app::policy_file;
use crate::cli::bar::Bar;
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::config::from_either;
use crate::drift::GapKind;
use crate::policy::Policy;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate policy drift policy.toml --config aws/*.json
  tidegate policy drift policy.toml --config state.json --over lake --since 30d --fail-on open,seen";

#[derive(Debug, Args)]
pub(in crate::cli) struct DriftArgs {
    /// The policy file.
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// How AWS is configured: JSON of `terraform show -json` or of `aws ec2 describe-…`; docs/import.md lists what is read.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,

    /// Traffic: a lake, as `scan --lake` wrote it, or logs: s3://bucket/prefix, a file, a folder, or a glob.
    #[arg(long, value_name = "SOURCE|LAKE")]
    over: Option<String>,

    #[command(flatten)]
    reading: ReadingArgs,

    /// The instant that rules with dates are asked at: RFC 3339, a date or an age; default: now.
    #[arg(long, value_name = "TIME", value_parser = units::when)]
    at: Option<When>,

    /// The format of the answer.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Report",
        default_value = "text"
    )]
    format: AnswerAs,

    /// How many gaps of each kind the text shows, each with its three widest groups of connections; or `all`.
    #[arg(long, value_name = "N|all", help_heading = "Report", default_value = "20", value_parser = units::limit)]
    limit: usize,

    /// Exit with 1 if there is a gap of one of these kinds; several with commas between.
    #[arg(long, value_name = "KIND,…", help_heading = "Report", value_delimiter = ',', value_parser = kind())]
    fail_on: Vec<GapKind>,
}

fn kind() -> impl TypedValueParser<Value = GapKind> {
    let words = GapKind::ALL.iter().map(|kind| kind.as_str());
    PossibleValuesParser::new(words)
        .map(|word| GapKind::from_word(&word).expect("the parser takes no other word"))
}

/// What is printed.
struct Answer<'a> {
    policy: &'a Policy,
    /// The configuration's files, as named.
    config: Vec<String>,
    at: u32,
    report: &'a DriftReport<'a>,
}

pub(super) fn run(args: &DriftArgs, bar: &Bar) -> Exit {
    let over = match args.over.as_deref().map(|what| args.reading.of(what)) {
        Some(Err(error)) => return say::failure(&error),
        Some(Ok(over)) => Some(over),
        None => None,
    };
    let policy = match policy_file::load(&args.policy) {
        Ok(policy) => policy,
        Err(error) => return say::failure(&error),
    };
    let config = match config_files::load(&args.config, from_either) {
        Ok(config) => config,
        Err(errors) => return super::import::refused(&errors),
    };
    if let Some(over) = &over {
        share_heap(&Shares::of(over.memory));
    }
    let at = units::now();
    let at = args.at.map_or(at, |when| when.resolve(at));
    let settings = DriftSettings {
        policy: (&policy, &args.policy),
        config: &config,
        over: over.as_ref(),
        at,
    };
    let found = find_drift(&settings, bar);
    bar.clear();
    let report = match found {
        Ok(report) => report,
        Err(error) => return say::failure(&error),
    };
    over::warn(&report.notes, &report.unreadable);
    let answer = Answer {
        policy: &policy,
        config: args
            .config
            .iter()
            .map(|file| file.display().to_string())
            .collect(),
        at,
        report: &report,
    };
    let mut exits = vec![say::printed(&match args.format {
        AnswerAs::Text => text::text(&answer, args.limit, say::width()),
        AnswerAs::Json => json::json_text(&answer),
    })];
    let mut gaps = report.drift.gaps.iter();
    if gaps.any(|gap| args.fail_on.contains(&gap.kind)) {
        exits.push(Exit::Findings);
    }
    if !report.unreadable.is_empty() {
        exits.push(Exit::Partial);
    }
    Exit::most_urgent(exits)
}
