//! `tidegate policy controls`: what a lake evidences of the controls that rules implement.

mod json;
mod text;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::over;
use crate::app::controls::{ControlsReport, ControlsSettings, controls};
use crate::app::error::ScanError;
use crate::cli::units::{self, When};
use crate::cli::{Exit, say};
use crate::judge::controls::State;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate policy controls policy.toml --over lake --since 2026-02-01 --until 2026-03-01
  tidegate policy controls policy.toml --over s3://my-lake/prod --since 7d --format json --fail-on not-evidenced";

#[derive(Debug, Args)]
pub(in crate::cli) struct ControlsArgs {
    /// The policy file: the one that the lake was judged by.
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The lake, as `scan --lake` or `watch` wrote it: a folder or s3://bucket/prefix.
    #[arg(long, value_name = "LAKE")]
    over: String,

    /// The period begins with the hour of this time: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d; default: the lake's first hour.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    since: Option<When>,

    /// The period ends before this time, in whole hours; default: the end of the lake's last hour.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    until: Option<When>,

    /// How much of the lines may be SKIPDATA, malformed or not to be judged before nothing counts as met, percent.
    #[arg(long, value_name = "PERCENT", help_heading = "Report", default_value = "0", value_parser = percent)]
    max_lost: f64,

    /// Exit with 1 where a control is violated, or (`not-evidenced`) where any is not met.
    #[arg(long, value_name = "STATE", help_heading = "Report", value_parser = fail_on())]
    fail_on: Option<State>,

    /// The format of the answer.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Report",
        default_value = "text"
    )]
    format: ControlsAs,
}

/// The format of an answer about controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ControlsAs {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// One row for each control.
    Csv,
}

fn fail_on() -> impl TypedValueParser<Value = State> {
    let failing = [State::Violated, State::NotEvidenced];
    PossibleValuesParser::new(failing.map(State::as_str)).map(|word| {
        if word == State::Violated.as_str() {
            State::Violated
        } else {
            State::NotEvidenced
        }
    })
}

/// Reads a share of 100: `0.1`, `0.1%`.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let share = number
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to 100 percent, such as 0.1".to_owned())
}

pub(super) fn run(args: &ControlsArgs) -> Exit {
    let found = match settings(args).and_then(|settings| controls(&settings)) {
        Ok(found) => found,
        Err(error) => return say::failure(&error),
    };
    let printed = say::printed(&match args.format {
        ControlsAs::Text => text::text(&found, say::width()),
        ControlsAs::Json => json::json_text(&found),
        ControlsAs::Csv => json::csv(&found),
    });
    if fails(&found, args.fail_on) {
        Exit::most_urgent([printed, Exit::Findings])
    } else {
        printed
    }
}

fn settings(args: &ControlsArgs) -> Result<ControlsSettings, ScanError> {
    let (since, until) = over::times(args.since, args.until)?;
    Ok(ControlsSettings {
        policy: args.policy.clone(),
        lake: args.over.clone(),
        since,
        until,
        max_lost: args.max_lost,
    })
}

fn fails(found: &ControlsReport, fail_on: Option<State>) -> bool {
    let is_failing = |state: State| match fail_on {
        None => false,
        Some(State::Violated) => state == State::Violated,
        Some(_) => state != State::Met,
    };
    found
        .controls
        .iter()
        .any(|control| is_failing(control.state))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_is_of_100() {
        for (text, expected) in [("0", 0.0), ("0.1", 0.1), ("0.1%", 0.1), ("100%", 100.0)] {
            assert_eq!(percent(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "-1", "100.1", "NaN", "a", "1%%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
