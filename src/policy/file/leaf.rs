//! Leaves of the policy file: names, prefixes, ports, AWS ids, validities.

use crate::net::ports::{PortError, PortRange};
use crate::net::{Prefix, PrefixError, protocol};
use crate::policy::problem::{Problems, excerpt};
use crate::policy::section::{Section, Word};
use crate::policy::validity::Validity;

/// The longest name, bytes. Names stand in every row of a table.
const MAX_NAME: usize = 128;

/// Notes a name that would not stand well in tables, on terminals and beside the reserved words.
pub(super) fn check_name(name: &Word, what: &str, problems: &mut Problems) {
    let plain = |c: char| c.is_alphanumeric() || "-_./@+".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        problems.add_with_hint(
            &name.span,
            format!("`{}` cannot name a {what}", excerpt(name)),
            "use letters, digits and - _ . / @ +",
        );
    } else if name.len() > MAX_NAME {
        problems.add(
            &name.span,
            format!(
                "the name of a {what} has {} bytes: expected at most {MAX_NAME}",
                name.len()
            ),
        );
    }
}

/// `valid_from` and `valid_until`.
pub(super) fn validity(section: &mut Section<'_, '_>, problems: &mut Problems) -> Validity {
    let validity = Validity {
        from: section.instant("valid_from", problems),
        until: section.instant("valid_until", problems),
    };
    match (validity.from, validity.until) {
        (Some(from), Some(until)) if from >= until => {
            problems.add_with_hint(
                &section.span_of("valid_until"),
                "`valid_until` is not after `valid_from`: this is never in force",
                "valid_from is the first instant that counts, valid_until the first that does not; a bare date is 00:00 UTC",
            );
            Validity::default()
        }
        _ => validity,
    }
}

/// The prefixes of a list, with their places.
pub(super) fn prefixes(
    section: &mut Section<'_, '_>,
    key: &'static str,
    problems: &mut Problems,
) -> Vec<(Prefix, Word)> {
    let words = section.words(key, problems);
    words
        .into_iter()
        .filter_map(|word| Some((prefix(&word, problems)?, word)))
        .collect()
}

/// The prefix that a word writes.
pub(super) fn prefix(word: &Word, problems: &mut Problems) -> Option<Prefix> {
    match word.parse::<Prefix>() {
        Ok(prefix) => Some(prefix),
        Err(PrefixError::HostBits { meant }) => {
            let message = format!(
                "`{}` is no prefix: bits are set behind its length",
                excerpt(word)
            );
            problems.add_with_hint(&word.span, message, format!("did you mean `{meant}`?"));
            None
        }
        Err(error) => {
            problems.add(
                &word.span,
                format!("`{}` is no prefix: {error}", excerpt(word)),
            );
            None
        }
    }
}

/// The ports of a list.
pub(super) fn ports(words: &[Word], problems: &mut Problems) -> Vec<PortRange> {
    words
        .iter()
        .filter_map(|word| port_range(word, problems))
        .collect()
}

fn port_range(word: &Word, problems: &mut Problems) -> Option<PortRange> {
    match word.parse::<PortRange>() {
        Ok(range) => Some(range),
        Err(PortError::Protocol(name)) => {
            problems.unknown(&word.span, "protocol", &name, protocol::names());
            None
        }
        Err(error) => {
            problems.add(
                &word.span,
                format!("in `{}`: {}", excerpt(word), excerpt(&error.to_string())),
            );
            None
        }
    }
}

/// Texts of a list whose AWS form is a prefix and more, such as `vpc-0a1b`.
pub(super) fn ids(
    section: &mut Section<'_, '_>,
    key: &'static str,
    start: &str,
    problems: &mut Problems,
) -> Vec<Word> {
    let words = section.words(key, problems);
    for word in &words {
        let well_formed = word.strip_prefix(start).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
        if !well_formed {
            problems.add(
                &word.span,
                format!(
                    "`{}` in `{key}`: expected an id like {start}0a1b2c3d",
                    excerpt(word)
                ),
            );
        }
    }
    words
}

/// Twelve digits each.
pub(super) fn accounts(section: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Word> {
    let words = section.words("accounts", problems);
    for word in &words {
        if word.len() != 12 || !word.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.add(
                &word.span,
                format!(
                    "`{}` is no account: expected 12 digits, leading zeros included",
                    excerpt(word)
                ),
            );
        }
    }
    words
}

/// Region codes, like `us-east-2`.
pub(super) fn regions(section: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Word> {
    let words = section.words("regions", problems);
    for word in &words {
        let well_formed = word.text == "GLOBAL"
            || (word.contains('-')
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        if !well_formed {
            problems.add(
                &word.span,
                format!(
                    "`{}` is no region: expected a code like us-east-2",
                    excerpt(word)
                ),
            );
        }
    }
    words
}

/// Domain names, of which the first label may be `*`.
pub(super) fn domains(section: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Word> {
    let words = section.words("domains", problems);
    for word in &words {
        let name = word.strip_prefix("*.").unwrap_or(word);
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if word.len() > 253 || !name.contains('.') || !name.split('.').all(label) {
            problems.add(&word.span, format!("`{}` is no domain: expected a name like packages.example or *.packages.example", excerpt(word)));
        }
    }
    words
}

/// `resolver_grace`, a number with a unit: `24h`.
pub(super) fn grace(section: &mut Section<'_, '_>, problems: &mut Problems) -> Option<u32> {
    /// Ten minutes to 30 days, seconds. Less tells of hardly anything, as caches hold answers longer; more speaks for
    /// addresses that belong to others by then.
    const GRACES: std::ops::RangeInclusive<u32> = 600..=30 * 86_400;
    let word = section.word("resolver_grace", problems)?;
    let seconds = word.char_indices().next_back().and_then(|(at, unit)| {
        let unit = match unit {
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let digits = word[..at].bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = word[..at].parse().ok().filter(|_| digits)?;
        number.checked_mul(unit)
    });
    let seconds = seconds.filter(|seconds| GRACES.contains(seconds));
    if seconds.is_none() {
        problems.add(
            &word.span,
            format!(
                "`{}` in `resolver_grace`: expected 10m to 30d, like 24h",
                excerpt(&word)
            ),
        );
    }
    seconds
}
