//! `tidegate policy suggest`: a policy learned from traffic. The policy is data, what is said of it is for people.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use super::over::{self, OverArgs, hanging};
use crate::app::memory::{Shares, share_heap};
use crate::app::suggest::{SuggestSettings, Suggestion, suggest};
use crate::cli::bar::Bar;
use crate::cli::report::words;
use crate::cli::{Exit, say};
use crate::judge::suggest::{LeftOut, Often, Why};

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate policy suggest --over lake --base policy.toml > suggested.toml
  tidegate policy suggest --over logs/ --base map.toml --min-connections 50 --output suggested.toml";

/// Groups told of each reason; the policy's own comments have more.
const HEAVIEST: usize = 3;

#[derive(Debug, Args)]
pub(in crate::cli) struct SuggestArgs {
    /// The policy file with the map (networks, subnets, groups, destinations, services), denies and requires: logs and lakes do not say what belongs together.
    #[arg(long, value_name = "FILE")]
    base: PathBuf,

    #[command(flatten)]
    over: OverArgs,

    /// Keep the allows, tests and mutes of the base, and learn only what its allows do not cover.
    #[arg(long, help_heading = "Learning")]
    keep_allows: bool,

    /// How many connections of a service between two places make it worth a rule.
    #[arg(
        long,
        value_name = "N",
        help_heading = "Learning",
        default_value = "10"
    )]
    min_connections: NonZeroU32,

    /// In how many distinct hours of the clock; of traffic with fewer, in all of them.
    #[arg(long, value_name = "N", help_heading = "Learning", default_value = "2")]
    min_hours: NonZeroU32,

    /// Write the policy to this file instead of standard output.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &SuggestArgs, bar: &Bar) -> Exit {
    let found = args.over.meant().and_then(|over| {
        share_heap(&Shares::of(over.memory));
        let settings = SuggestSettings {
            base: args.base.clone(),
            over,
            keep_allows: args.keep_allows,
            often: Often {
                connections: u64::from(args.min_connections.get()),
                hours: args.min_hours.get() as usize,
            },
        };
        suggest(&settings, bar)
    });
    bar.clear();
    let found = match found {
        Ok(found) => found,
        Err(error) => return say::failure(&error),
    };
    over::warn(&found.notes, &found.unreadable);
    let written = match &args.output {
        None => say::printed(&found.text),
        Some(path) => match std::fs::write(path, &found.text) {
            Ok(()) => Exit::Done,
            Err(error) => {
                let path = path.display();
                say::error(&format!("cannot write the policy to {path}: {error}"), None);
                Exit::Failed
            }
        },
    };
    say::note(&summary(&found, say::PIPE_WIDTH));
    if found.unreadable.is_empty() {
        written
    } else {
        Exit::most_urgent([written, Exit::Partial])
    }
}

fn summary(found: &Suggestion, width: usize) -> String {
    let mut head = format!(
        "{} learned; the policy covers {} of {} that the network let through",
        words::counted(found.rules as u64, "rule"),
        words::count(found.covered),
        words::counted(found.accepted, "connection")
    );
    if found.beyond > 0 {
        head.push_str(&format!(
            ", {} of them without having been learned from",
            words::count(found.beyond)
        ));
    }
    let mut page = hanging("", &head, width);
    for why in Why::ALL {
        let groups: Vec<&LeftOut> = found
            .left_out
            .iter()
            .filter(|left| left.why == *why)
            .collect();
        if groups.is_empty() {
            continue;
        }
        let connections = groups.iter().map(|group| group.connections).sum();
        let line = format!(
            "left out, {}: {}",
            why.text(),
            words::counted(connections, "connection")
        );
        page.push_str(&hanging("  ", &line, width));
        for group in groups.iter().take(HEAVIEST) {
            page.push_str(&hanging("      ", &group.to_string(), width));
        }
        if groups.len() > HEAVIEST {
            let more = words::count((groups.len() - HEAVIEST) as u64);
            page.push_str(&format!("      and {more} more\n"));
        }
    }
    page
}
