//! Rules and requires in words: how each stands.

use super::Page;
use crate::cli::policy::explain::Told;
use crate::cli::report::words::{self, moment};
use crate::policy::{Part, RequireStanding, RequireState, RuleRow, RuleStanding, Standing};

/// The rules of one effect: those that match first, then those that nearly do, then those that lack evidence.
pub(super) fn section<'r>(
    told: &Told<'_>,
    title: &str,
    rules: impl Iterator<Item = &'r RuleStanding>,
    rows: &[RuleRow<'_>],
    page: &mut Page,
) {
    page.line("");
    page.line(title);
    let mut shown: Vec<&RuleStanding> = Vec::new();
    let mut num_apart = 0u64;
    for rule in rules {
        if rule.standing == Standing::Apart && !told.shows_all {
            num_apart += 1;
        } else {
            shown.push(rule);
        }
    }
    shown.sort_by_key(|rule| match rule.standing {
        Standing::Matched => 0,
        Standing::Unproven => 1,
        Standing::Nearly(Part::Requires) => 2,
        Standing::Nearly(Part::Expires | Part::NotBefore) => 3,
        Standing::Nearly(_) => 4,
        Standing::Apart => 5,
    });
    for rule in &shown {
        let row = &rows[usize::from(rule.rule.0)];
        page.entry(
            word(rule),
            &format!("{}: {}", row.rule.id, standing(told, rule, row)),
        );
    }
    match (num_apart, shown.is_empty()) {
        (0, true) => page.line("  none in the policy"),
        (0, false) => {}
        (1, true) => page.line("  the only one fails several conditions (--all shows it)"),
        (1, false) => page.line("  1 other fails several conditions (--all shows it)"),
        (number, is_alone) => page.line(&format!(
            "  {} {}several conditions each (--all shows them)",
            words::count(number),
            if is_alone { "fail " } else { "others fail " },
        )),
    }
}

/// How a rule stands, in a word.
fn word(rule: &RuleStanding) -> &'static str {
    match rule.standing {
        Standing::Matched => "matches",
        Standing::Unproven => "unproven",
        Standing::Nearly(Part::Requires) => "held back",
        Standing::Nearly(Part::Expires | Part::NotBefore) => "not in force",
        Standing::Nearly(_) => "nearly",
        Standing::Apart => "fails",
    }
}

fn standing(told: &Told<'_>, rule: &RuleStanding, row: &RuleRow<'_>) -> String {
    let by = || {
        let name = |word: &Option<String>| word.clone().unwrap_or_default();
        format!("from {} to {}", name(&rule.client), name(&rule.server))
    };
    match rule.standing {
        Standing::Matched => {
            let ports = row.ports.as_deref().unwrap_or("any");
            format!("{}, ports {ports}", by())
        }
        Standing::Unproven => doubts(rule),
        Standing::Nearly(part) => {
            let lacked = lacked(told, part, rule, row);
            match part {
                Part::From | Part::FromExcept | Part::To | Part::ToExcept => lacked,
                _ => format!("{}, but {lacked}", by()),
            }
        }
        Standing::Apart => {
            let failed = rule.failed.iter();
            let failed: Vec<String> = failed.map(|part| lacked(told, *part, rule, row)).collect();
            match rule.unproven.is_empty() {
                true => failed.join("; "),
                false => format!("{}; and {}", failed.join("; "), doubts(rule)),
            }
        }
    }
}

fn doubts(rule: &RuleStanding) -> String {
    let doubts = rule.unproven.iter().map(|doubt| {
        let needed = match doubt.evidence.is_empty() {
            true => String::new(),
            false => format!(", which needs {}", doubt.evidence.join(", ")),
        };
        match doubt.part {
            Part::Requires => format!("whether it breaks {}{needed}", doubt.word),
            part => format!(
                "whether `{}` holds for {}{needed}",
                part.as_str(),
                doubt.word
            ),
        }
    });
    let doubts: Vec<String> = doubts.collect();
    format!("not known {}", doubts.join("; "))
}

/// What a condition that fails asks for.
fn lacked(told: &Told<'_>, part: Part, rule: &RuleStanding, row: &RuleRow<'_>) -> String {
    let or = |words: &[String]| words.join(" or ");
    let at = |instant: Option<i64>| instant.map(moment).unwrap_or_default();
    match part {
        Part::From => format!("the client is not {}", or(&row.clients)),
        Part::FromExcept => format!(
            "the client is {}, which it excepts",
            or(&row.clients_except)
        ),
        Part::To => format!("the server is not {}", or(&row.servers)),
        Part::ToExcept => format!(
            "the server is {}, which it excepts",
            or(&row.servers_except)
        ),
        Part::Ports => match row.ports.as_deref().unwrap_or("any") {
            ports if ports.starts_with("not ") => {
                format!("the port is {}, which it excepts", &ports[4..])
            }
            ports => format!("the port is not {ports}"),
        },
        Part::Via => format!("the path is not {}", row.via.join(" or ")),
        Part::Family => "the address family is another".to_owned(),
        Part::NotBefore => format!("not in force before {}", at(row.not_before)),
        Part::Expires => format!("expired at {}", at(row.expires)),
        Part::Requires => {
            let broken = rule.broken.iter();
            let ids: Vec<&str> = broken.map(|id| told.policy.rule(*id).id.as_str()).collect();
            format!("it breaks {} and is not exempt", ids.join(", "))
        }
    }
}

/// The requires between the ends.
pub(super) fn requires(told: &Told<'_>, rows: &[RuleRow<'_>], page: &mut Page) {
    page.line("");
    page.line("requires");
    let requires = &told.about.explanation.requires;
    let between = |require: &&RequireStanding| require.state != RequireState::Elsewhere;
    for require in requires.iter().filter(between) {
        let row = &rows[usize::from(require.rule.0)];
        let mut what = row.ports.clone().unwrap_or_default();
        let state = match require.state {
            RequireState::Elsewhere => continue,
            RequireState::NotInForce => {
                let dates = [("from", row.not_before), ("until", row.expires)];
                for (word, at) in dates {
                    if let Some(at) = at {
                        what.push_str(&format!("; {word} {}", moment(at)));
                    }
                }
                "not in force"
            }
            RequireState::Satisfied => "satisfied",
            RequireState::Broken { unlabelled } => {
                if unlabelled {
                    what.push_str("; an end has no such label");
                }
                "broken"
            }
            RequireState::Unknown => "unproven",
        };
        if !require.exempt.is_empty() {
            let exempt = require.exempt.iter();
            let ids: Vec<&str> = exempt.map(|id| told.policy.rule(*id).id.as_str()).collect();
            what.push_str(&format!("; exempt: {}", ids.join(", ")));
        }
        page.entry(state, &format!("{}: {what}", row.rule.id));
    }
    match requires.iter().filter(|require| !between(require)).count() as u64 {
        0 if requires.is_empty() => page.line("  none in the policy"),
        0 => {}
        number => page.line(&format!(
            "  {} not between these ends",
            words::counted(number, "require")
        )),
    }
}
