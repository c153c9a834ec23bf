//! `tidegate policy usage`: what traffic uses of a policy.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::over::{self, OverArgs, hanging};
use super::replay::AnswerAs;
use crate::app::memory::{Shares, share_heap};
use crate::app::usage::{UsageReport, UsageSettings, UsedRule, usage};
use crate::cli::bar::Bar;
use crate::cli::report::words;
use crate::cli::{Exit, say};
use crate::judge::replay::Narrower;
use crate::net::Prefix;
use crate::policy::Effect;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate policy usage policy.toml --over lake --since 30d
  tidegate policy usage policy.toml --over logs/ --format json";

#[derive(Debug, Args)]
pub(in crate::cli) struct UsageArgs {
    /// The policy file.
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    #[command(flatten)]
    over: OverArgs,

    /// The format of the answer.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Report",
        default_value = "text"
    )]
    format: AnswerAs,
}

pub(super) fn run(args: &UsageArgs, bar: &Bar) -> Exit {
    let found = args.over.meant().and_then(|over| {
        share_heap(&Shares::of(over.memory));
        let policy = args.policy.clone();
        usage(&UsageSettings { policy, over }, bar)
    });
    bar.clear();
    let found = match found {
        Ok(found) => found,
        Err(error) => return say::failure(&error),
    };
    over::warn(&found.notes, &found.unreadable);
    let printed = say::printed(&match args.format {
        AnswerAs::Text => text(&found, say::width()),
        AnswerAs::Json => json_text(&found),
    });
    if found.unreadable.is_empty() {
        printed
    } else {
        Exit::most_urgent([printed, Exit::Partial])
    }
}

fn text(report: &UsageReport, width: usize) -> String {
    let mut head = format!(
        "Usage of {} over {}",
        over::name(&report.policy),
        report.over
    );
    if let Some((first, last)) = report.times {
        head.push_str(&format!(", {}", words::interval(first, last)));
    }
    let mut page = hanging("", &head, width);
    let facts = [
        over::unknown(&report.unknown),
        over::via_unknown(report.via_unknown),
        (report.unjudged.connections > 0).then(|| {
            format!(
                "{} not judged",
                words::counted(report.unjudged.connections, "connection")
            )
        }),
    ];
    for fact in facts.into_iter().flatten() {
        page.push_str(&hanging("  ", &fact, width));
    }
    page.push_str(&table(&report.rules, width));
    for (state, title) in [
        ("unproven", "Allow nothing for certain: evidence is missing"),
        ("unused", "Unused"),
        ("not-in-force", "Not in force at that time"),
        ("not-observable", "Cannot show in flow logs"),
    ] {
        let rules = report.rules.iter().filter(|rule| rule.state() == state);
        let rules = rules.filter(|rule| rule.effect != Effect::Default);
        let ids: Vec<&str> = rules.map(|rule| &*rule.id).collect();
        if !ids.is_empty() {
            page.push_str(&format!("\n{title}\n"));
            page.push_str(&hanging("  ", &ids.join(", "), width));
        }
    }
    let mut narrower = report
        .rules
        .iter()
        .filter_map(|rule| Some((rule, rule.narrower()?)))
        .peekable();
    if narrower.peek().is_some() {
        page.push_str("\nWider than this traffic needs\n");
    }
    for (rule, narrower) in narrower {
        page.push_str(&hanging("  ", &rule.id, width));
        for line in narrower_lines(narrower) {
            page.push_str(&hanging("      ", &line, width));
        }
    }
    page
}

/// Rules with hits, those with the most first.
fn table(rules: &[UsedRule], width: usize) -> String {
    let mut used: Vec<&UsedRule> = rules
        .iter()
        .filter(|rule| rule.usage.counts.connections > 0)
        .collect();
    used.sort_by(|a, b| {
        let connections = |rule: &UsedRule| rule.usage.counts.connections;
        (connections(b), &a.id).cmp(&(connections(a), &b.id))
    });
    if used.is_empty() {
        return "\nNo rule decided anything.\n".to_owned();
    }
    let mut page = "\nRules by connections\n".to_owned();
    for rule in used {
        let usage = &rule.usage;
        let mut text = format!(
            "{}, {}, {}",
            over::counts(&usage.counts),
            words::counted(usage.clients, "client"),
            words::counted(usage.servers, "server")
        );
        if let Some((first, last)) = usage.times {
            text.push_str(&format!(", {}", words::interval(first, last)));
        }
        if usage.unproven > 0 {
            text.push_str(&format!(
                ", of them {} unproven",
                words::count(usage.unproven)
            ));
        }
        let id = words::clean(&rule.id);
        page.push_str(&format!("  {} {id}\n", rule.effect.as_str()));
        page.push_str(&hanging("      ", &text, width));
    }
    page
}

fn narrower_lines(narrower: &Narrower) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(ports) = &narrower.ports {
        lines.push(format!("ports {ports}"));
    }
    let mut line = |head: &str, words: Vec<String>| {
        if !words.is_empty() {
            lines.push(format!("{head} {}", words.join(", ")));
        }
    };
    line("clients only in", narrower.from_zones.clone());
    line("clients within", shown(&narrower.from));
    line("no client is", narrower.from_unmet.clone());
    line("servers only in", narrower.to_zones.clone());
    line("servers within", shown(&narrower.to));
    line("no server is", narrower.to_unmet.clone());
    lines
}

fn shown(prefixes: &[Prefix]) -> Vec<String> {
    prefixes.iter().map(ToString::to_string).collect()
}

fn json_text(report: &UsageReport) -> String {
    let [first, last] = over::times_json(report.times);
    let rules = report.rules.iter().map(|rule| {
        let usage = &rule.usage;
        let [first, last] = over::times_json(usage.times);
        json!({
            "rule": rule.id,
            "effect": rule.effect.as_str(),
            "owner": rule.owner,
            "state": rule.state(),
            "records": usage.counts.records,
            "connections": usage.counts.connections,
            "bytes": usage.counts.bytes,
            "unproven": usage.unproven,
            "clients": usage.clients,
            "servers": usage.servers,
            "first_seen": first,
            "last_seen": last,
            "observable": rule.observable,
            "in_force": usage.in_force,
            "narrower": rule.narrower().map(narrower_json),
        })
    });
    let whole = json!({
        "policy": over::name_json(&report.policy),
        "over": report.over,
        "first_seen": first,
        "last_seen": last,
        "rules": rules.collect::<Value>(),
        "unjudged": over::counts_json(&report.unjudged),
        "not_compared": over::counts_json(&report.unknown),
        "via_unknown": report.via_unknown,
        "notes": report.notes,
        "unreadable": over::unreadable_json(&report.unreadable),
    });
    format!("{whole:#}\n")
}

fn narrower_json(narrower: &Narrower) -> Value {
    json!({
        "ports": narrower.ports,
        "from_unmet": narrower.from_unmet,
        "to_unmet": narrower.to_unmet,
        "from_zones": narrower.from_zones,
        "to_zones": narrower.to_zones,
        "from": shown(&narrower.from),
        "to": shown(&narrower.to),
    })
}
