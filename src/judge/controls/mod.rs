//! What judged traffic says of the controls that rules implement: met, violated, or not evidenced.
//!
//! A control is met only where the logs of the period are complete and nothing in them is left open. Whatever is missing
//! is a reason, and one reason is enough.

mod coverage;
mod why;

pub use coverage::{Coverage, LogCoverage, Stretch};
pub use why::Why;

use std::ops::AddAssign;

use super::Verdict;
use crate::policy::Effect;

/// Connections by what became of them under a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Allowed, and not rejected.
    pub compliant: u64,
    /// Allowed, and rejected.
    pub overblocked: u64,
    /// Denied, and rejected.
    pub blocked: u64,
    /// Denied and sent; whether they got through is not known.
    pub attempted: u64,
    /// Denied, and let through.
    pub violation: u64,
    /// Allowed if evidence that is missing said so.
    pub unproven: u64,
    /// Those of `compliant` and `overblocked` whose path is unknown or mixed while the rule asks for one.
    pub path_unknown: u64,
}

impl Checked {
    /// Counts connections of a verdict; unjudged ones are nobody's.
    pub fn add(&mut self, verdict: Verdict, connections: u64) {
        let count = match verdict {
            Verdict::Compliant => &mut self.compliant,
            Verdict::Overblocked => &mut self.overblocked,
            Verdict::Blocked => &mut self.blocked,
            Verdict::Attempted => &mut self.attempted,
            Verdict::Violation => &mut self.violation,
            Verdict::Unproven => &mut self.unproven,
            Verdict::Unjudged => return,
        };
        *count += connections;
    }

    /// All of them.
    pub fn connections(&self) -> u64 {
        let allowed = self.compliant + self.overblocked + self.unproven;
        allowed + self.blocked + self.attempted + self.violation
    }
}

impl AddAssign for Checked {
    fn add_assign(&mut self, other: Checked) {
        self.compliant += other.compliant;
        self.overblocked += other.overblocked;
        self.blocked += other.blocked;
        self.attempted += other.attempted;
        self.violation += other.violation;
        self.unproven += other.unproven;
        self.path_unknown += other.path_unknown;
    }
}

/// A rule, and the connections that it decided in the period.
#[derive(Clone, Debug)]
pub struct ControlRule {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Whether what it decides can show in flow logs.
    pub observable: bool,
    /// Whether it, and what it names, was in force from the beginning of the period to its end.
    pub in_force: bool,
    /// What it decided.
    pub checked: Checked,
}

impl ControlRule {
    fn denies(&self) -> bool {
        !matches!(self.effect, Effect::Allow)
    }
}

/// What is said of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The logs are complete, and nothing in them is against it.
    Met,
    /// Its rules deny something that was let through.
    Violated,
    /// Neither is shown.
    NotEvidenced,
}

impl State {
    /// All of them, best first.
    pub const ALL: [State; 3] = [State::Met, State::Violated, State::NotEvidenced];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Met => "met",
            State::Violated => "violated",
            State::NotEvidenced => "not-evidenced",
        }
    }
}

/// The state of a control with these rules, and why it is not met. `by_default` is what the default decided between zones
/// of connections that these rules decided; `gaps` is what the logs of the period lack.
pub fn state(rules: &[ControlRule], by_default: &Checked, gaps: &[Why]) -> (State, Vec<Why>) {
    let mut all = Checked::default();
    for rule in rules {
        all += rule.checked;
    }
    let named = |is: &dyn Fn(&ControlRule) -> bool| -> Vec<String> {
        let rules = rules.iter().filter(|rule| is(rule));
        rules.map(|rule| rule.id.clone()).collect()
    };
    let mut why = Vec::new();
    let by_default = by_default.violation + by_default.attempted;
    let counts = [
        (all.violation, Why::Violations(all.violation)),
        (all.attempted, Why::Attempts(all.attempted)),
        (all.unproven, Why::Unproven(all.unproven)),
        (all.path_unknown, Why::PathUnknown(all.path_unknown)),
        (by_default, Why::ByDefault(by_default)),
    ];
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    why.extend(some.map(|(_, why)| why));
    let hidden = named(&|rule| !rule.observable);
    if !hidden.is_empty() {
        why.push(Why::NotObservable(hidden));
    }
    // An allow that was not in force let nothing through: its connections were denied by others.
    let absent = named(&|rule| rule.denies() && !rule.in_force);
    if !absent.is_empty() {
        why.push(Why::NotInForce(absent));
    }
    if all.connections() == 0 && !rules.iter().any(ControlRule::denies) {
        why.push(Why::NothingChecked);
    }
    why.extend_from_slice(gaps);
    let state = match (all.violation, why.is_empty()) {
        (0, true) => State::Met,
        (0, false) => State::NotEvidenced,
        _ => State::Violated,
    };
    (state, why)
}

/// A name cut into text and numbers: in this order `A.8.9` comes before `A.8.20`. Equal ones differ in zeros at most.
pub fn in_order(name: &str) -> Vec<(String, u128)> {
    let mut parts: Vec<(String, u128)> = Vec::new();
    let mut is_number = true;
    for c in name.chars() {
        let digit = c.to_digit(10).map(u128::from);
        if digit.is_none() && is_number {
            parts.push((String::new(), 0));
        }
        is_number = digit.is_some();
        let Some((text, number)) = parts.last_mut() else {
            parts.push((String::new(), digit.unwrap_or(0)));
            continue;
        };
        match digit {
            Some(digit) => *number = number.saturating_mul(10).saturating_add(digit),
            None => text.push(c),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
