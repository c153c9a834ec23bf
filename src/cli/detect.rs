//! `tidegate detect`: what detectors there are, how they decide, and what is usual.

use std::path::Path;

use super::args::DetectCommand;
use super::report::words;
use super::{Exit, say, units};
use crate::app::learn::{LearnSettings, learn};
use crate::app::policy_file;
use crate::detect::page;
use crate::policy::{COMMON, DETECTORS, Detecting, Value};

pub(super) fn run(command: &DetectCommand) -> Exit {
    match command {
        DetectCommand::List { policy } => list(policy.as_deref()),
        DetectCommand::Explain { name } => say::printed(page(name).unwrap_or_default()),
        DetectCommand::Learn {
            over,
            policy,
            since,
            until,
            output,
        } => {
            let now = units::now();
            let settings = LearnSettings {
                lake: over,
                policy,
                since: since.map(|when| when.resolve(now)),
                until: until.map(|when| when.resolve(now)),
            };
            write(&settings, output)
        }
    }
}

/// Lists the detectors, with what holds by a policy, or else by default.
fn list(policy: Option<&Path>) -> Exit {
    let policy = match policy.map(policy_file::load).transpose() {
        Ok(policy) => policy,
        Err(error) => return say::failure(&error),
    };
    let mut text = String::new();
    for (number, detector) in DETECTORS.iter().enumerate() {
        let set = policy.as_ref().map(|policy| &policy.detecting()[number]);
        let severity = set.map_or(detector.severity, |set| set.severity).as_str();
        let state = match set {
            Some(set) if !set.is_enabled => "off",
            _ => severity,
        };
        text.push_str(&format!(
            "{} ({state}): {}\n",
            detector.name, detector.finds
        ));
        for parameter in detector.parameters {
            let value = value(set, parameter.name, parameter.default);
            text.push_str(&format!(
                "  {} = {value}  # {}\n",
                parameter.name, parameter.doc
            ));
        }
    }
    text.push_str("\nEach also takes:\n");
    for (name, doc) in COMMON {
        text.push_str(&format!("  {name}  # {doc}\n"));
    }
    say::printed(&text)
}

/// A parameter's value as a policy file has it.
fn value(set: Option<&Detecting>, name: &str, default: Value) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let quoted = |text: &str| format!("\"{text}\"");
    match (default, set) {
        (Value::Number(number) | Value::Percent(number), None) => number.to_string(),
        (Value::Number(_) | Value::Percent(_), Some(set)) => set.number(name).to_string(),
        (Value::Ports(numbers), None) => list(numbers.iter().map(u64::to_string).collect()),
        (Value::Ports(_), Some(set)) => {
            list(set.numbers(name).iter().map(u64::to_string).collect())
        }
        (Value::Texts(texts), None) => list(texts.iter().map(|text| quoted(text)).collect()),
        (Value::Texts(_), Some(set)) => {
            list(set.texts(name).iter().map(|text| quoted(text)).collect())
        }
    }
}

fn write(settings: &LearnSettings<'_>, output: &Path) -> Exit {
    let learned = match learn(settings) {
        Ok(learned) => learned,
        Err(error) => return say::failure(&error),
    };
    if let Err(error) = std::fs::write(output, &learned.file) {
        say::error(
            &format!("cannot write `{}`: {error}", output.display()),
            None,
        );
        return Exit::Failed;
    }
    if learned.let_go > 0 {
        say::warning(&format!(
            "{} more were not learned: a baseline holds a million connections and as many subjects",
            words::count(learned.let_go)
        ));
    }
    say::printed(&format!(
        "learned from {}, wrote {}\n",
        words::counted(learned.hours, "hour"),
        output.display()
    ))
}
