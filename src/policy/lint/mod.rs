//! Lints: what is not wrong in a policy file but probably not meant, one file per family. They are computed on demand,
//! from the compiled policy and the file as written; judging knows nothing of them.
//!
//! `table` has their codes, names and pages. `ends` and `cover` compare rules by the classes of addresses that they
//! hold, not by their text; `pointless` says which rules do nothing. `stateless` and `size` read rules as entries of a
//! network ACL. `wide`, `exception`, `unused` and `place` look at single entries.

mod cover;
mod ends;
mod exception;
mod place;
mod pointless;
mod size;
mod stateless;
mod table;
mod unused;
mod wide;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use annotate_snippets::Level;

use super::file::{self, File};
use super::problem::Span;
use super::remark::{Lines, Remark, renderer};
use super::ruleset::Condition;
use super::section::Word;
use super::{Policy, Severity};
use table::NOT_COMPARED;
pub use table::{ERROR, LINTS, LintKind, LintLevel};

/// How many lints of one file are kept. A generated file can have one in every line.
const MAX_LINTS: usize = 10_000;

/// A lint at its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    /// What kind it is of.
    pub kind: &'static LintKind,
    /// How bad it is here: the kind's level or a milder one.
    pub level: LintLevel,
    /// What is said, and where.
    pub remark: Remark,
}

/// All lints of one policy file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyLints {
    file: String,
    lints: Vec<Lint>,
    left_out: usize,
    worst: Option<LintLevel>,
}

impl PolicyLints {
    /// The lints in the order of their places.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// How many further lints are not listed.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The worst level, those not listed included; none if there are no lints.
    pub fn worst(&self) -> Option<LintLevel> {
        self.worst
    }

    /// The lints as a person reads them, several lines each, their number at the end; `colour` adds terminal escapes.
    /// Empty if there are none.
    pub fn render(&self, colour: bool) -> String {
        if self.lints.is_empty() {
            return String::new();
        }
        let renderer = renderer(colour);
        let mut text = String::new();
        for lint in &self.lints {
            let level = match lint.level {
                LintLevel::Note => Level::NOTE,
                LintLevel::Warning => Level::WARNING,
                LintLevel::Error => Level::ERROR,
            };
            let code = Some(lint.kind.code);
            text.push_str(&lint.remark.render(&renderer, &self.file, level, code));
            text.push_str("\n\n");
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    fn summary(&self) -> String {
        let count = |level: LintLevel| self.lints.iter().filter(|lint| lint.level == level).count();
        let counted = |level: LintLevel| match count(level) {
            0 => None,
            1 => Some(format!("1 {}", level.as_str())),
            several => Some(format!("{several} {}s", level.as_str())),
        };
        let levels = [LintLevel::Warning, LintLevel::Note];
        let counts: Vec<String> = levels.into_iter().filter_map(counted).collect();
        let counts = counts.join(" and ");
        match self.left_out {
            0 => format!("{}: {counts}", self.file),
            left_out => format!("{}: {counts}, and {left_out} more not shown", self.file),
        }
    }
}

/// Computes the lints of a file without errors; `at` is now, seconds since 1970.
pub(super) fn lints(policy: &Policy, file: &File, name: &str, text: &str, at: i64) -> PolicyLints {
    let rules = Rules::new(policy, file, text);
    let mut found = Found::default();
    wide::lint(file, &rules, &mut found);
    exception::lint(policy, file, &rules, at, &mut found);
    unused::lint(file, &mut found);
    place::lint(policy, file, &mut found);
    match cover::Shapes::new(policy, &rules) {
        Ok(shapes) => {
            pointless::lint(&rules, &shapes, at, &mut found);
            stateless::lint(policy, &rules, &shapes, at, &mut found);
            size::lint(policy, &rules, &shapes, at, &mut found);
        }
        Err(too_large) => found.add(
            &NOT_COMPARED,
            &(0..0),
            format!("rules were not compared with each other: {too_large}"),
            "give many addresses to few groups, and many services to few rules",
        ),
    }
    found.finish(name, text)
}

/// Collects lints.
#[derive(Default)]
struct Found {
    found: Vec<(Span, &'static LintKind, LintLevel, String, String)>,
}

impl Found {
    /// Notes a lint at the level of its kind.
    fn add(
        &mut self,
        kind: &'static LintKind,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add_at(kind, kind.level, span, message, hint);
    }

    /// Notes a lint at a milder level.
    fn add_at(
        &mut self,
        kind: &'static LintKind,
        level: LintLevel,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (message, hint) = (message.into(), hint.into());
        self.found.push((span.clone(), kind, level, message, hint));
    }

    /// The lints by place, of one place by code.
    fn finish(mut self, file: &str, text: &str) -> PolicyLints {
        self.found
            .sort_by_key(|(span, kind, ..)| (span.start, span.end, kind.code));
        let worst = self.found.iter().map(|(_, _, level, ..)| *level).max();
        let left_out = self.found.len().saturating_sub(MAX_LINTS);
        self.found.truncate(MAX_LINTS);
        let mut lines = Lines::new(text);
        let place = |(span, kind, level, message, hint)| Lint {
            kind,
            level,
            remark: lines.remark(&span, message, Some(hint)),
        };
        PolicyLints {
            file: file.to_owned(),
            lints: self.found.into_iter().map(place).collect(),
            left_out,
            worst,
        }
    }
}

/// An allow or deny: what it means and how it is written.
struct Rule<'a> {
    condition: &'a Condition,
    written: &'a file::Rule,
    id: &'a Word,
    severity: Option<Severity>,
}

impl Rule<'_> {
    fn is_deny(&self) -> bool {
        self.written.effect == file::Effect::Deny
    }

    /// Whether it is over at an instant, seconds since 1970.
    fn is_over(&self, at: i64) -> bool {
        self.condition.expires.is_some_and(|expires| at >= expires)
    }

    /// What messages call it: ``allow `id` ``.
    fn title(&self) -> String {
        let effect = if self.is_deny() { "deny" } else { "allow" };
        format!("{effect} `{}`", self.id.text)
    }
}

/// The allows and denies of a file, in its order.
struct Rules<'a> {
    all: Vec<Rule<'a>>,
    /// Where each line begins.
    line_starts: Vec<usize>,
}

impl<'a> Rules<'a> {
    fn new(policy: &'a Policy, file: &'a File, text: &str) -> Rules<'a> {
        let rules = &policy.rules;
        let conditions: HashMap<&str, &Condition> = rules
            .conditions()
            .map(|condition| (policy.rule(condition.rule).id.as_str(), condition))
            .collect();
        let mut all: Vec<Rule<'a>> = file
            .rules
            .iter()
            .filter_map(|written| {
                let id = written.id.as_ref()?;
                let condition = *conditions.get(id.text.as_str())?;
                Some(Rule {
                    condition,
                    written,
                    id,
                    severity: policy.rule(condition.rule).severity,
                })
            })
            .collect();
        all.sort_by_key(|rule| rule.id.span.start);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1));
        Rules {
            all,
            line_starts: line_starts.collect(),
        }
    }

    /// What a message about another rule calls this one: ``deny `id` (line 12)``.
    fn reference(&self, number: usize) -> String {
        let rule = &self.all[number];
        let start = rule.id.span.start;
        let line = self.line_starts.partition_point(|begins| *begins <= start);
        format!("{} (line {line})", rule.title())
    }

    /// The same for a rule by its policy number; its id alone for what is no allow or deny.
    fn reference_to(&self, policy: &Policy, id: super::RuleId) -> String {
        let same = |rule: &Rule<'_>| rule.condition.rule == id;
        match self.all.iter().position(same) {
            Some(number) => self.reference(number),
            None => format!("`{}`", policy.rule(id).id),
        }
    }
}
