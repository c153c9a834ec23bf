//! Rules that do nothing: nothing matches them, a deny matches whatever they match, or another rule does all that they do.

use super::cover::Shapes;
use super::table::{ALWAYS_DENIED, DUPLICATE_RULE, LintLevel, NEVER_MATCHES, SHADOWED_RULE};
use super::{Found, Rule, Rules};

/// One lint for a rule at most, the strongest that holds.
pub(super) fn lint(rules: &Rules<'_>, shapes: &Shapes<'_>, at: i64, found: &mut Found) {
    for (number, rule) in rules.all.iter().enumerate() {
        let span = &rule.id.span;
        let title = rule.title();
        match pointless(rules, shapes, number, at) {
            Some(Pointless::Never(why)) => found.add(
                &NEVER_MATCHES,
                span,
                format!("{title} matches nothing: {why}"),
                "remove it, or correct its conditions",
            ),
            Some(Pointless::Denied(deny)) => found.add(
                &ALWAYS_DENIED,
                span,
                format!(
                    "{title} never permits anything: {} matches whatever it matches",
                    rules.reference(deny)
                ),
                "a deny wins over every allow: narrow the deny, or remove the allow",
            ),
            Some(Pointless::Duplicate(other)) => found.add(
                &DUPLICATE_RULE,
                span,
                format!("{title} matches just what {} matches", rules.reference(other)),
                "keep one of the two",
            ),
            Some(Pointless::Shadowed(other)) if rule.is_deny() => found.add_at(
                &SHADOWED_RULE,
                LintLevel::Note,
                span,
                format!(
                    "{title} forbids nothing that {} does not forbid",
                    rules.reference(other)
                ),
                "it only gives findings its own name and reason; remove it unless that is what it is for",
            ),
            Some(Pointless::Shadowed(other)) => found.add(
                &SHADOWED_RULE,
                span,
                format!(
                    "{title} permits nothing that {} does not permit",
                    rules.reference(other)
                ),
                "remove it, or narrow the other, which permits more than this one asks for",
            ),
            None => {}
        }
    }
}

/// Why a rule changes no answer; others are numbers in [`Rules`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pointless {
    Never(&'static str),
    Denied(usize),
    Duplicate(usize),
    Shadowed(usize),
}

fn pointless(rules: &Rules<'_>, shapes: &Shapes<'_>, number: usize, at: i64) -> Option<Pointless> {
    let rule = &rules.all[number];
    if let Some(why) = never(shapes, number) {
        return Some(Pointless::Never(why));
    }
    // That it is over is said of it, and reason enough to remove it.
    if rule.is_over(at) {
        return None;
    }
    let others = || (0..rules.all.len()).filter(|other| *other != number);
    if !rule.is_deny() {
        let mut denies = others().filter(|other| rules.all[*other].is_deny());
        if let Some(deny) = denies.find(|deny| shapes.denies_all(*deny, number)) {
            return Some(Pointless::Denied(deny));
        }
    }
    // A rule with a severity of its own gives findings that severity, which the other would not.
    let is_alike =
        |other: &Rule<'_>| other.is_deny() == rule.is_deny() && other.severity == rule.severity;
    let mut shadowed = None;
    for other in others().filter(|other| is_alike(&rules.all[*other])) {
        if !shapes.covers(other, number) {
            continue;
        }
        // Of rules that match the same, the first of the file stays.
        match shapes.covers(number, other) {
            true if other < number => return Some(Pointless::Duplicate(other)),
            true => {}
            false => shadowed = shadowed.or(Some(Pointless::Shadowed(other))),
        }
    }
    shadowed
}

/// Why nothing can match a rule, if so.
fn never(shapes: &Shapes<'_>, number: usize) -> Option<&'static str> {
    let shape = &shapes.all[number];
    if shapes.from(number).may.is_empty() {
        Some("no address is left in its `from`")
    } else if shapes.to(number).may.is_empty() {
        Some("no address is left in its `to`")
    } else if shape.ports.ranges().is_empty() {
        Some("its ports are none")
    } else if shape.times.0 >= shape.times.1 {
        Some("it is never in force")
    } else {
        None
    }
}
