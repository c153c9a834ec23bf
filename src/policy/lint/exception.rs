//! Rules with an end: exceptions that last, that are over, that are about to be.

use super::super::{Policy, day_or_instant};
use super::table::{EXPIRED_RULE, EXPIRING_RULE, LONG_EXCEPTION};
use super::{Found, Rules};

const DAY: i64 = 86_400;

/// The longest exception that is not remarked on, days: a quarter. What is needed for longer is no exception.
const MAX_DAYS: i64 = 90;

/// How long before its end a rule is remarked on, days: two weeks leave time to renew or to do without.
const SOON_DAYS: i64 = 14;

pub(super) fn lint(policy: &Policy, rules: &Rules<'_>, at: i64, found: &mut Found) {
    for rule in &rules.all {
        let Some(expires) = rule.condition.expires else {
            continue;
        };
        let span = &rule.written.expires_span;
        let title = rule.title();
        if rule.is_over(at) {
            let effect = if rule.is_deny() {
                "what it forbade is no longer forbidden by it"
            } else {
                "what it permitted is no longer permitted by it"
            };
            found.add(
                &EXPIRED_RULE,
                span,
                format!("{title} ended on {}: {effect}", day_or_instant(expires)),
                "remove it, or renew it with its owner",
            );
            continue;
        }
        let left = expires.saturating_sub(at);
        if left <= SOON_DAYS * DAY {
            found.add(
                &EXPIRING_RULE,
                span,
                format!("{title} ends {}", days_left(left)),
                "ask its owner whether it is still needed",
            );
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

fn days_left(seconds: i64) -> String {
    match seconds / DAY {
        0 => "within a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    }
}
