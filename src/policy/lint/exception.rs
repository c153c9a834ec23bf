//! Rules with an end: exceptions that last, that are over, that are about to be.

use super::super::file::File;
use super::super::problem::Span;
use super::super::{Policy, day_or_instant};
use super::table::{EXPIRED_RULE, EXPIRING_RULE, LONG_EXCEPTION};
use super::{Found, Rules};

const DAY: i64 = 86_400;

/// The longest exception that is not remarked on, days: a quarter. What is needed for longer is no exception.
const MAX_DAYS: i64 = 90;

/// How long before its end a rule is remarked on, days: two weeks leave time to renew or to do without.
const SOON_DAYS: i64 = 14;

pub(super) fn lint(policy: &Policy, file: &File, rules: &Rules<'_>, at: i64, found: &mut Found) {
    for require in &file.requires {
        let (Some(id), Some(expires)) = (&require.id, require.validity.until) else {
            continue;
        };
        let title = format!("require `{}`", id.text);
        let over = "what it asked for is no longer asked for by it";
        ends(&title, (expires, &require.expires_span), over, at, found);
    }
    for rule in &rules.all {
        let Some(expires) = rule.condition.expires else {
            continue;
        };
        let span = &rule.written.expires_span;
        let title = rule.title();
        let over = if rule.is_deny() {
            "what it forbade is no longer forbidden by it"
        } else {
            "what it permitted is no longer permitted by it"
        };
        if ends(&title, (expires, span), over, at, found) {
            continue;
        }
        // Without a beginning it has lasted for an unknown time, and at least until its end from now on.
        let begins = rule.condition.not_before.or(policy.effective());
        let lasts = expires.saturating_sub(begins.unwrap_or(at));
        if !rule.is_deny() && lasts > MAX_DAYS * DAY {
            let days = lasts / DAY;
            let since = match begins {
                Some(begins) => format!("from {} on", day_or_instant(begins)),
                None => "from now on".to_owned(),
            };
            found.add(
                &LONG_EXCEPTION,
                span,
                format!("{title} lasts {days} days {since}: an exception is expected to end within {MAX_DAYS}"),
                "end it sooner, or make it a rule without an end",
            );
        }
    }
}

/// Notes that a rule is over, which means `over`, or is about to be; whether it is over.
fn ends(
    title: &str,
    (expires, span): (i64, &Span),
    over: &str,
    at: i64,
    found: &mut Found,
) -> bool {
    let left = expires.saturating_sub(at);
    if left <= 0 {
        found.add(
            &EXPIRED_RULE,
            span,
            format!("{title} ended on {}: {over}", day_or_instant(expires)),
            "remove it, or renew it with its owner",
        );
    } else if left <= SOON_DAYS * DAY {
        found.add(
            &EXPIRING_RULE,
            span,
            format!("{title} ends {}", days_left(left)),
            "ask its owner whether it is still needed",
        );
    }
    left <= 0
}

fn days_left(seconds: i64) -> String {
    match seconds / DAY {
        0 => "within a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    }
}
