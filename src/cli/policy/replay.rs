//! `tidegate policy replay`: which connections a new policy would judge differently.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::over::{self, OverArgs, hanging};
use crate::alert::instant;
use crate::app::error::ScanError;
use crate::app::memory::{Shares, share_heap};
use crate::app::replay::{Replay, ReplaySettings, replay};
use crate::cli::bar::Bar;
use crate::cli::report::words;
use crate::cli::{Exit, say, units};
use crate::judge::replay::{Change, Changed, Counts};

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate policy replay policy.toml new.toml --over lake --since 7d
  tidegate policy replay policy.toml new.toml --over s3://my-logs/AWSLogs --since 24h --fail-on newly-denied";

#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The policy that was; of a lake, the one that it was judged by.
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy that is to be.
    #[arg(value_name = "NEW")]
    new: PathBuf,

    #[command(flatten)]
    over: OverArgs,

    /// Exit with 1 where a connection changes so (`any` is any change), or where a lake does not tell (`not-compared`); may be
    /// given several times.
    #[arg(long, value_name = "CHANGE", help_heading = "Report", value_parser = fail_on())]
    fail_on: Vec<FailOn>,

    /// The format of the answer.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Report",
        default_value = "text"
    )]
    format: AnswerAs,

    /// How many groups of connections the text shows, or `all`.
    #[arg(long, value_name = "N|all", help_heading = "Report", default_value = "20", value_parser = units::limit)]
    limit: usize,
}

/// The format of an answer about a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AnswerAs {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailOn {
    Any,
    This(Change),
    NotCompared,
}

impl FailOn {
    fn is_met(self, found: &Replay) -> bool {
        match self {
            FailOn::Any => !found.totals.is_empty(),
            FailOn::This(change) => found.totals.contains_key(&change),
            FailOn::NotCompared => found.unknown.connections > 0,
        }
    }
}

fn fail_on() -> impl TypedValueParser<Value = FailOn> {
    let changes = Change::ALL.iter().map(|change| change.as_str());
    PossibleValuesParser::new(changes.chain(["any", "not-compared"])).map(|word| match &*word {
        "not-compared" => FailOn::NotCompared,
        word => Change::from_word(word).map_or(FailOn::Any, FailOn::This),
    })
}

pub(super) fn run(args: &ReplayArgs, bar: &Bar) -> Exit {
    let found = settings(args).and_then(|settings| {
        share_heap(&Shares::of(settings.over.memory));
        replay(&settings, bar)
    });
    bar.clear();
    let found = match found {
        Ok(found) => found,
        Err(error) => return say::failure(&error),
    };
    over::warn(&found.notes, &found.unreadable);
    let fails = args.fail_on.iter().any(|fail_on| fail_on.is_met(&found));
    if !fails && !args.fail_on.is_empty() && found.unknown.connections > 0 {
        say::warning(&format!(
            "of {} the lake does not tell whether they change; `--fail-on not-compared` exits with 1 for them",
            words::counted(found.unknown.connections, "connection")
        ));
    }
    let printed = say::printed(&match args.format {
        AnswerAs::Text => text(&found, args.limit, say::width()),
        AnswerAs::Json => json_text(&found),
    });
    let mut exits = vec![printed];
    if fails {
        exits.push(Exit::Findings);
    }
    if !found.unreadable.is_empty() {
        exits.push(Exit::Partial);
    }
    Exit::most_urgent(exits)
}

fn settings(args: &ReplayArgs) -> Result<ReplaySettings, ScanError> {
    Ok(ReplaySettings {
        old: args.old.clone(),
        new: args.new.clone(),
        over: args.over.meant()?,
    })
}

fn text(replay: &Replay, limit: usize, width: usize) -> String {
    let mut page = hanging(
        "",
        &format!(
            "Replay of {}, now {}, over {}",
            over::name(&replay.old),
            over::name(&replay.new),
            replay.over
        ),
        width,
    );
    let mut compared = words::counted(replay.compared, "connection");
    if let Some((first, last)) = replay.times {
        compared.push_str(&format!(", {}", words::interval(first, last)));
    }
    page.push_str(&hanging("  compared      ", &compared, width));
    if let Some(unknown) = over::unknown(&replay.unknown) {
        page.push_str(&hanging("  not compared  ", &unknown, width));
    }
    if let Some(unknown) = over::via_unknown(replay.via_unknown) {
        page.push_str(&hanging("  unknown path  ", &unknown, width));
    }
    if replay.totals.is_empty() {
        page.push_str(match replay.unknown.connections {
            0 => "\nNo connection changes.\n",
            _ => "\nNo connection that could be compared changes.\n",
        });
        return page;
    }
    let mut left = limit;
    for (change, total) in &replay.totals {
        page.push_str(&format!("\n{}: {}\n", change.as_str(), over::counts(total)));
        let mut untold = *total;
        let groups = replay
            .changes
            .iter()
            .filter(|group| group.change == *change);
        for group in groups.take(left) {
            page.push_str(&group_text(group, width));
            untold.records -= group.counts.records;
            untold.connections -= group.counts.connections;
            untold.bytes = untold.bytes.saturating_sub(group.counts.bytes);
            left -= 1;
        }
        if untold != Counts::default() {
            let text = format!("… and {} in other groups", over::counts(&untold));
            page.push_str(&hanging("  ", &text, width));
        }
    }
    page
}

fn group_text(group: &Changed, width: usize) -> String {
    let ends = |zones: &[String; 2]| format!("{} → {}", zones[0], zones[1]);
    let mut head = format!(
        "{} {}",
        ends(&group.old_zones),
        words::service(Some(group.protocol), group.server_port)
    );
    if group.new_zones != group.old_zones {
        head.push_str(&format!(", now {}", ends(&group.new_zones)));
    }
    let said = |decision: Option<crate::policy::Answer>, rule: &str| match decision {
        Some(answer) => format!("{} by {rule}", answer.as_str()),
        None => format!("unjudged ({rule})"),
    };
    let rules = format!(
        "{}, now {}",
        said(group.old_decision, &group.old_rule),
        said(group.new_decision, &group.new_rule)
    );
    let seen = format!(
        "{}, {}, {}, {}",
        over::counts(&group.counts),
        words::counted(group.clients, "client"),
        words::counted(group.servers, "server"),
        words::interval(group.first_seen, group.last_seen)
    );
    let mut page = hanging("  ", &head, width);
    page.push_str(&hanging("      ", &rules, width));
    page.push_str(&hanging("      ", &seen, width));
    for example in &group.examples {
        // Whole, so that it can be copied.
        let line = format!(
            "      {} → {} {}:{}\n",
            example.client,
            example.server,
            words::clean(&example.source),
            example.line
        );
        page.push_str(&line);
    }
    page
}

fn json_text(replay: &Replay) -> String {
    let [first, last] = over::times_json(replay.times);
    let totals = replay.totals.iter().map(|(change, total)| {
        json!({
            "change": change.as_str(),
            "records": total.records,
            "connections": total.connections,
            "bytes": total.bytes,
            "in_no_group": over::counts_json(&replay.untold(*change)),
        })
    });
    let whole = json!({
        "old": over::name_json(&replay.old),
        "new": over::name_json(&replay.new),
        "over": replay.over,
        "judged": if replay.from_logs { "connections" } else { "edges" },
        "first_seen": first,
        "last_seen": last,
        "compared": replay.compared,
        "not_compared": over::counts_json(&replay.unknown),
        "via_unknown": replay.via_unknown,
        "totals": totals.collect::<Value>(),
        "changes": replay.changes.iter().map(group_json).collect::<Value>(),
        "notes": replay.notes,
        "unreadable": over::unreadable_json(&replay.unreadable),
    });
    format!("{whole:#}\n")
}

fn group_json(group: &Changed) -> Value {
    let examples = group.examples.iter().map(|example| {
        json!({
            "client_addr": example.client.to_string(),
            "server_addr": example.server.to_string(),
            "first_seen": instant(example.first_seen),
            "source": example.source,
            "line": example.line,
        })
    });
    json!({
        "change": group.change.as_str(),
        "old_decision": group.old_decision.map(|answer| answer.as_str()),
        "old_rule": group.old_rule,
        "new_decision": group.new_decision.map(|answer| answer.as_str()),
        "new_rule": group.new_rule,
        "client_tier": group.old_zones[0],
        "server_tier": group.old_zones[1],
        "new_client_tier": group.new_zones[0],
        "new_server_tier": group.new_zones[1],
        "server_port": group.server_port,
        "protocol": group.protocol,
        "records": group.counts.records,
        "connections": group.counts.connections,
        "bytes": group.counts.bytes,
        "clients": group.clients,
        "servers": group.servers,
        "first_seen": instant(group.first_seen),
        "last_seen": instant(group.last_seen),
        "examples": examples.collect::<Value>(),
    })
}
