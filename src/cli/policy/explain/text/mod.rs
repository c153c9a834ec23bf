//! An explanation for people: both ends, the rules, the requires, the decision.

mod ends;
mod names;
mod rules;

use super::Told;
use crate::cli::report::words::{self, moment};
use crate::policy::{Answer, Effect, RuleId, Step, Tie};

/// The explanation.
pub(super) fn render(told: &Told<'_>) -> String {
    let mut page = Page::default();
    head(told, &mut page);
    body(told, &mut page);
    opposite(told, &mut page);
    page.text
}

/// Both ends, the rules, the requires and the decision.
pub(super) fn body(told: &Told<'_>, page: &mut Page) {
    ends::end("client", &told.about.client, page);
    ends::end("server", &told.about.server, page);
    if let Some(story) = &told.about.names {
        names::names(story, page);
    }
    let rows = told.policy.rule_rows();
    let standings = &told.about.explanation.rules;
    for (title, effect) in [("denies", Effect::Deny), ("allows", Effect::Allow)] {
        let of_effect = standings
            .iter()
            .filter(|rule| told.policy.rule(rule.rule).effect == effect);
        rules::section(told, title, of_effect, &rows, page);
    }
    rules::requires(told, &rows, page);
    decision(told, page);
}

/// Lines of text from outside, cleaned.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(words::clean(line).trim_end());
        self.text.push('\n');
    }

    /// A line of a table whose first column is a key.
    pub(super) fn entry(&mut self, key: &str, value: &str) {
        self.line(&format!("  {key:<13} {value}"));
    }
}

fn head(told: &Told<'_>, page: &mut Page) {
    let flow = &told.flow;
    let port = crate::net::protocol::has_ports(flow.protocol).then_some(flow.server_port);
    page.line(&format!(
        "{} -> {} {} at {}",
        flow.client,
        flow.server,
        words::service(Some(flow.protocol), port),
        moment(flow.at)
    ));
    let name = |network| told.policy.network_name(network);
    let seen_from = format!("seen from network {}", name(told.about.network));
    match told.about.held_by.as_slice() {
        [] => page.line(
            "neither end is in a network of the policy: records of such a flow are not judged (unmapped)",
        ),
        [only] if *only == told.about.network => page.line(&seen_from),
        several => {
            let several: Vec<&str> = several.iter().map(|network| name(*network)).collect();
            page.line(&format!(
                "{seen_from}; its ends lie in {} (--network chooses)",
                several.join(", ")
            ));
        }
    }
}

fn decision(told: &Told<'_>, page: &mut Page) {
    let policy = told.policy;
    let explanation = &told.about.explanation;
    let decision = &explanation.decision;
    let rule = policy.rule(decision.rule);
    page.line("");
    page.line(&format!("{} by {}", decision.answer.as_str(), rule.id));
    page.entry("step", step(explanation.step));
    if let (Some(tie), [first, second, ..]) = (explanation.tie(), &*explanation.qualified) {
        let id = |rule: RuleId| policy.rule(rule).id.as_str();
        let more = explanation.qualified.len() - 2;
        let others = match more {
            0 => String::new(),
            _ => format!(" and {} more", words::count(more as u64)),
        };
        page.entry(
            "named",
            &format!(
                "{} before {}{others}: {}",
                id(first.rule),
                id(second.rule),
                tie_words(tie)
            ),
        );
    }
    if !rule.reason.is_empty() {
        page.entry("reason", &rule.reason);
    }
    if !rule.owner.is_empty() {
        page.entry("owner", &rule.owner);
    }
    if !rule.controls.is_empty() {
        page.entry("controls", &rule.controls.join(", "));
    }
    if let Some(severity) = decision.severity {
        page.entry("severity", severity.as_str());
    }
    if let Some(miss) = decision.miss {
        page.entry("nearest allow", &policy.explain_miss(miss, told.flow.at));
    }
    if decision.via_unknown {
        page.entry(
            "path",
            "addresses tell none: a rule with `via` matches until records say otherwise",
        );
    }
}

/// What the opposite direction would change, where one allowed direction is enough.
fn opposite(told: &Told<'_>, page: &mut Page) {
    let decision = &told.about.explanation.decision;
    let Some(opposite) = &told.opposite else {
        return;
    };
    if opposite.answer == decision.answer {
        return;
    }
    let flow = &told.flow;
    let port = crate::net::protocol::has_ports(flow.protocol).then_some(flow.server_port);
    let between = match port {
        Some(_) => " with this port at both ends",
        None => "",
    };
    let answer = match opposite.answer {
        Answer::Allow => "allowed",
        Answer::Deny => "denied",
        Answer::Unproven => "unproven",
    };
    page.entry(
        "opposite",
        &format!(
            "where scan cannot tell who starts {}{between}, one allowed direction is enough, and the opposite one is {answer} by {}",
            words::service(Some(flow.protocol), port),
            told.policy.rule(opposite.rule).id
        ),
    );
}

/// The step, as the policy's manual numbers them.
pub(super) fn step(step: Step) -> &'static str {
    match step {
        Step::Deny => "1: a deny matches, whatever allows say",
        Step::Allow => {
            "2: an allow matches, is in force, and its requires are satisfied or exempted"
        }
        Step::Require => {
            "2: allows match, and every one of them breaks a require; the first require by id is named"
        }
        Step::Evidence => "3: an allow could have matched, but evidence is missing",
        Step::Default => "4: no rule matches",
    }
}

fn tie_words(tie: Tie) -> &'static str {
    match tie {
        Tie::From => "its name in `from` is more specific",
        Tie::To => "as specific in `from`, and more specific in `to`",
        Tie::Ports => "as specific in `from` and `to`, and for fewer ports",
        Tie::Id => "its id comes first, and nothing else tells them apart",
    }
}
