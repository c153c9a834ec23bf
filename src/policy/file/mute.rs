//! Findings that are known and accepted.

use super::bounded;
use super::rule::{MAX_RULES, check_dates};
use crate::policy::problem::Problems;
use crate::policy::section::{Section, Word};

/// `[[mute]]`.
pub(in crate::policy) struct Mute {
    pub(in crate::policy) finding: Option<Word>,
    pub(in crate::policy) from: Vec<Word>,
    pub(in crate::policy) to: Vec<Word>,
    pub(in crate::policy) service: Vec<Word>,
    pub(in crate::policy) rule: Vec<Word>,
    pub(in crate::policy) owner: String,
    pub(in crate::policy) reason: String,
    pub(in crate::policy) not_before: Option<i64>,
    pub(in crate::policy) expires: Option<i64>,
}

pub(super) fn mutes(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Mute> {
    let mut mutes = Vec::new();
    for mut section in bounded(
        top.list("mute", problems),
        MAX_RULES,
        "mutes",
        |section| section.span.clone(),
        problems,
    ) {
        let mute = Mute {
            finding: section.required_word("finding", problems),
            from: section.words("from", problems),
            to: section.words("to", problems),
            service: section.words("service", problems),
            rule: section.words("rule", problems),
            owner: section
                .required_word("owner", problems)
                .map(|word| word.text)
                .unwrap_or_default(),
            reason: section
                .required_word("reason", problems)
                .map(|word| word.text)
                .unwrap_or_default(),
            not_before: section.instant("not_before", problems),
            expires: section.instant("expires", problems),
        };
        section.word("ticket", problems);
        check_dates(&mut section, mute.not_before, mute.expires, problems);
        section.finish(problems);
        mutes.push(mute);
    }
    mutes
}
