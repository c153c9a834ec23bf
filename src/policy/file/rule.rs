//! What is said of places: rules and requires.

use super::{bounded, leaf};
use crate::net::ports::PortSet;
use crate::policy::problem::{Problems, Span};
use crate::policy::section::{Section, Word, choose};
use crate::policy::validity::Validity;
use crate::policy::{Path, Severity};

/// How many allows, denies and requires a file may have of each: a rule's number has 16 bits.
pub(super) const MAX_RULES: usize = 16_384;

/// Whether a rule permits or forbids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::policy) enum Effect {
    Allow,
    Deny,
}

impl Effect {
    fn key(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }
}

/// What rules and requires say for people.
#[derive(Clone, Default)]
pub(in crate::policy) struct Texts {
    pub(in crate::policy) reason: String,
    pub(in crate::policy) owner: String,
    pub(in crate::policy) controls: Vec<String>,
}

/// `[[allow]]` or `[[deny]]`.
pub(in crate::policy) struct Rule {
    pub(in crate::policy) effect: Effect,
    pub(in crate::policy) id: Option<Word>,
    pub(in crate::policy) from: Vec<Word>,
    pub(in crate::policy) from_except: Vec<Word>,
    pub(in crate::policy) to: Vec<Word>,
    pub(in crate::policy) to_except: Vec<Word>,
    pub(in crate::policy) ports: RulePorts,
    pub(in crate::policy) via: Vec<Path>,
    /// Only IPv4, or only IPv6.
    pub(in crate::policy) ipv4: Option<bool>,
    pub(in crate::policy) not_before: Option<i64>,
    pub(in crate::policy) expires: Option<i64>,
    /// Where `expires` stands, else the rule.
    pub(in crate::policy) expires_span: Span,
    pub(in crate::policy) severity: Option<Severity>,
    pub(in crate::policy) exempt: Vec<Word>,
    /// Whether what it decides can show in flow logs.
    pub(in crate::policy) observable: bool,
    pub(in crate::policy) texts: Texts,
}

/// The ports of a rule as written.
pub(in crate::policy) enum RulePorts {
    Any,
    Services(Vec<Word>),
    Only(PortSet),
    Except(PortSet),
}

/// `[[require]]`.
pub(in crate::policy) struct Require {
    pub(in crate::policy) id: Option<Word>,
    pub(in crate::policy) between: Vec<Word>,
    /// `az` and labels.
    pub(in crate::policy) same: Vec<Word>,
    pub(in crate::policy) encrypted: bool,
    pub(in crate::policy) validity: Validity,
    pub(in crate::policy) expires_span: Span,
    pub(in crate::policy) severity: Option<Severity>,
    pub(in crate::policy) texts: Texts,
}

pub(super) fn rules(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Rule> {
    let mut rules = Vec::new();
    for effect in [Effect::Allow, Effect::Deny] {
        let sections = bounded(
            top.list(effect.key(), problems),
            MAX_RULES,
            "rules",
            |section| section.span.clone(),
            problems,
        );
        for section in sections {
            rules.push(rule(effect, section, problems));
        }
    }
    rules
}

fn rule(effect: Effect, mut section: Section<'_, '_>, problems: &mut Problems) -> Rule {
    let rule = Rule {
        effect,
        id: rule_id(&mut section, problems),
        from: required_names(&mut section, "from", problems),
        from_except: section.words("from_except", problems),
        to: required_names(&mut section, "to", problems),
        to_except: section.words("to_except", problems),
        ports: rule_ports(&mut section, problems),
        via: paths(&mut section, problems),
        ipv4: section.choice(
            "family",
            &[true, false],
            |ipv4| if ipv4 { "ipv4" } else { "ipv6" },
            problems,
        ),
        not_before: section.instant("not_before", problems),
        expires: section.instant("expires", problems),
        expires_span: section.span_of("expires"),
        severity: section.choice("severity", Severity::ALL, Severity::as_str, problems),
        exempt: if effect == Effect::Allow {
            section.words("exempt", problems)
        } else {
            Vec::new()
        },
        observable: section.flag("observable", problems).unwrap_or(true),
        texts: texts(&mut section, problems),
    };
    check_dates(&mut section, rule.not_before, rule.expires, problems);
    check_expiry(&mut section, problems);
    section.finish(problems);
    rule
}

/// What ends has to have somebody who ends it.
fn check_expiry(section: &mut Section<'_, '_>, problems: &mut Problems) {
    section.word("ticket", problems);
    if section.has("expires") {
        let lacking: Vec<&str> = [
            ("owner", section.has("owner")),
            ("ticket", section.has("ticket")),
        ]
        .iter()
        .filter(|(_, given)| !given)
        .map(|(key, _)| *key)
        .collect();
        if !lacking.is_empty() {
            let message = format!(
                "a rule that expires needs an owner and a ticket: `{}` is missing",
                lacking.join("` and `")
            );
            problems.add_with_hint(
                &section.span_of("expires"),
                message,
                "say who ends it, and where that is tracked",
            );
        }
    }
}

pub(super) fn check_dates(
    section: &mut Section<'_, '_>,
    not_before: Option<i64>,
    expires: Option<i64>,
    problems: &mut Problems,
) {
    if let (Some(not_before), Some(expires)) = (not_before, expires)
        && not_before >= expires
    {
        problems.add(
            &section.span_of("expires"),
            "`expires` is not after `not_before`: this is never in force",
        );
    }
}

fn rule_id(section: &mut Section<'_, '_>, problems: &mut Problems) -> Option<Word> {
    let id = section.required_word("id", problems)?;
    leaf::check_name(&id, "rule", problems);
    Some(id)
}

fn required_names(
    section: &mut Section<'_, '_>,
    key: &'static str,
    problems: &mut Problems,
) -> Vec<Word> {
    if !section.has(key) {
        section.missing(key, problems);
        return Vec::new();
    }
    let names = section.words(key, problems);
    if section.is_empty_list(key) {
        problems.add_with_hint(
            &section.span_of(key),
            format!("`{key}` names nothing"),
            "`any` is every endpoint",
        );
    }
    names
}

fn rule_ports(section: &mut Section<'_, '_>, problems: &mut Problems) -> RulePorts {
    const KEYS: [&str; 3] = ["service", "ports", "ports_except"];
    let given: Vec<&'static str> = KEYS.into_iter().filter(|key| section.has(key)).collect();
    let services = section.words("service", problems);
    let ports = section.words("ports", problems);
    let ports_except = section.words("ports_except", problems);
    let read = |words: &[Word], problems: &mut Problems| {
        leaf::ports(words, problems).into_iter().collect()
    };
    match given.as_slice() {
        [] => RulePorts::Any,
        [only] if section.is_empty_list(only) => {
            problems.add_with_hint(
                &section.span_of(only),
                format!("`{only}` names nothing"),
                "leave it out for any port",
            );
            RulePorts::Any
        }
        ["service"] => RulePorts::Services(services),
        ["ports"] => RulePorts::Only(read(&ports, problems)),
        ["ports_except"] => RulePorts::Except(read(&ports_except, problems)),
        [first, second, ..] => {
            problems.add(
                &section.span_of(second),
                format!(
                    "`{second}` beside `{first}`: expected one of service, ports and ports_except"
                ),
            );
            RulePorts::Any
        }
        [_] => RulePorts::Any,
    }
}

fn paths(section: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Path> {
    let words = section.words("via", problems);
    if section.is_empty_list("via") {
        problems.add_with_hint(
            &section.span_of("via"),
            "`via` names nothing",
            "leave it out for any path",
        );
    }
    words
        .iter()
        .filter_map(|word| choose(word, "via", Path::ALL, Path::as_str, problems))
        .collect()
}

fn texts(section: &mut Section<'_, '_>, problems: &mut Problems) -> Texts {
    let mut text = |key| {
        section
            .word(key, problems)
            .map(|word| word.text)
            .unwrap_or_default()
    };
    let (reason, owner) = (text("reason"), text("owner"));
    let controls = section
        .words("controls", problems)
        .into_iter()
        .map(|word| word.text)
        .collect();
    Texts {
        reason,
        owner,
        controls,
    }
}

pub(super) fn requires(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Require> {
    let mut requires = Vec::new();
    for mut section in bounded(
        top.list("require", problems),
        MAX_RULES,
        "requires",
        |section| section.span.clone(),
        problems,
    ) {
        let require = Require {
            id: rule_id(&mut section, problems),
            between: required_names(&mut section, "between", problems),
            same: section.words("same", problems),
            encrypted: section.flag("encrypted", problems).unwrap_or(false),
            validity: Validity {
                from: section.instant("not_before", problems),
                until: section.instant("expires", problems),
            },
            expires_span: section.span_of("expires"),
            severity: section.choice("severity", Severity::ALL, Severity::as_str, problems),
            texts: texts(&mut section, problems),
        };
        match (require.same.is_empty(), section.has("encrypted")) {
            (true, false) => problems.add_with_hint(
                &section.span,
                "this require asks for nothing",
                "give same = [\"az\"], labels, or encrypted = true",
            ),
            (false, true) => problems.add_with_hint(
                &section.span_of("encrypted"),
                "`encrypted` beside `same`",
                "write two requires, so that each can be exempted and named",
            ),
            (true, true) if !require.encrypted => {
                problems.add(&section.span_of("encrypted"), "expected `encrypted = true`")
            }
            _ => {}
        }
        let Validity { from, until } = require.validity;
        check_dates(&mut section, from, until, problems);
        check_expiry(&mut section, problems);
        section.finish(problems);
        requires.push(require);
    }
    requires
}
