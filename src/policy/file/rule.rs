//! What is said of places: rules, requires, tests, mutes.

use super::{bounded, leaf};
use crate::net::ports::PortSet;
use crate::net::{Addr, protocol};
use crate::policy::problem::{Problems, excerpt};
use crate::policy::tree::{Section, Word, choose};
use crate::policy::{Answer, Path, Severity};

/// Bounds of a file. A rule's number has 16 bits.
const MAX_RULES: usize = 16_384;
const MAX_TESTS: usize = 65_536;

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
    pub(in crate::policy) severity: Option<Severity>,
    pub(in crate::policy) exempt: Vec<Word>,
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
    pub(in crate::policy) severity: Option<Severity>,
    pub(in crate::policy) texts: Texts,
}

/// `[[test]]`.
pub(in crate::policy) struct Test {
    pub(in crate::policy) name: String,
    pub(in crate::policy) client: TestEnd,
    pub(in crate::policy) server: TestEnd,
    pub(in crate::policy) protocol: u8,
    pub(in crate::policy) at: Option<i64>,
    pub(in crate::policy) expect: Answer,
    pub(in crate::policy) rule: Option<Word>,
}

/// One end of a test's flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::policy) struct TestEnd {
    pub(in crate::policy) addr: Addr,
    pub(in crate::policy) port: Option<u16>,
}

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
        severity: section.choice("severity", Severity::ALL, Severity::as_str, problems),
        exempt: if effect == Effect::Allow {
            section.words("exempt", problems)
        } else {
            Vec::new()
        },
        texts: texts(&mut section, problems),
    };
    section.flag("observable", problems);
    section.word("ticket", problems);
    check_dates(&mut section, rule.not_before, rule.expires, problems);
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
    section.finish(problems);
    rule
}

fn check_dates(
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
        section.finish(problems);
        requires.push(require);
    }
    requires
}

pub(super) fn tests(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Test> {
    let mut tests = Vec::new();
    for mut section in bounded(
        top.list("test", problems),
        MAX_TESTS,
        "tests",
        |section| section.span.clone(),
        problems,
    ) {
        let name = section.required_word("name", problems);
        let flow = section.required_word("flow", problems);
        let at = section.instant("at", problems);
        if !section.has("expect") {
            section.missing("expect", problems);
        }
        let expect = section.choice("expect", Answer::ALL, Answer::as_str, problems);
        let rule = section.word("rule", problems);
        section.finish(problems);
        let parsed = flow.and_then(|flow| match test_flow(&flow) {
            Ok(parsed) => Some(parsed),
            Err(expected) => {
                problems.add_with_hint(
                    &flow.span,
                    format!("`{}` is no flow: expected {expected}", excerpt(&flow)),
                    "write client -> server and the protocol: 10.0.32.5:41022 -> 10.0.64.20:443 tcp",
                );
                None
            }
        });
        if let (Some(name), Some((client, server, protocol)), Some(expect)) = (name, parsed, expect)
        {
            tests.push(Test {
                name: name.text,
                client,
                server,
                protocol,
                at,
                expect,
                rule,
            });
        }
    }
    tests
}

/// Reads `10.0.32.5:41022 -> 10.0.64.20:443 tcp`; the error says what was expected.
fn test_flow(text: &str) -> Result<(TestEnd, TestEnd, u8), &'static str> {
    let mut words = text.split_ascii_whitespace();
    let (Some(client), Some("->"), Some(server), Some(name), None) = (
        words.next(),
        words.next(),
        words.next(),
        words.next(),
        words.next(),
    ) else {
        return Err("four words");
    };
    let protocol = protocol::number(name).ok_or("a protocol at the end")?;
    let (client, server) = (test_end(client)?, test_end(server)?);
    match (
        protocol::has_ports(protocol),
        client.port.is_some(),
        server.port.is_some(),
    ) {
        (false, false, false) => Ok((client, server, protocol)),
        (false, _, _) => Err("no ports, because the protocol has none"),
        (true, _, true) => Ok((client, server, protocol)),
        (true, _, false) => Err("the server's port"),
    }
}

fn test_end(text: &str) -> Result<TestEnd, &'static str> {
    const EXPECTED: &str = "ends like 10.0.32.5:41022 or [2001:db8::1]:443";
    if let Ok(addr) = text.parse() {
        return Ok(TestEnd { addr, port: None });
    }
    if let Ok(with_port) = text.parse::<std::net::SocketAddr>() {
        return Ok(TestEnd {
            addr: Addr::from_ip(with_port.ip()),
            port: Some(with_port.port()),
        });
    }
    Err(EXPECTED)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_of_tests_name_both_ends_and_the_protocol() {
        let check = |text: &str, expected: &str| {
            let found = match test_flow(text) {
                Ok((client, server, protocol)) => format!(
                    "{} {:?} {} {:?} {protocol}",
                    client.addr, client.port, server.addr, server.port
                ),
                Err(expected) => expected.to_owned(),
            };
            assert_eq!(found, expected, "{text}");
        };
        check(
            "10.0.32.5:41022 -> 10.0.64.20:443 tcp",
            "10.0.32.5 Some(41022) 10.0.64.20 Some(443) 6",
        );
        check(
            "10.0.32.5 -> 10.0.64.20:443 tcp",
            "10.0.32.5 None 10.0.64.20 Some(443) 6",
        );
        check(
            "[2001:db8::1]:5 -> [2001:db8::2]:443  udp",
            "2001:db8::1 Some(5) 2001:db8::2 Some(443) 17",
        );
        check(
            "2001:db8::1 -> 2001:db8::2 icmpv6",
            "2001:db8::1 None 2001:db8::2 None 58",
        );
        check("10.0.0.1 -> 10.0.0.2 tcp", "the server's port");
        check(
            "10.0.0.1:1 -> 10.0.0.2:2 icmp",
            "no ports, because the protocol has none",
        );
        check("10.0.0.1:1 -> 10.0.0.2:2", "four words");
        check("10.0.0.1:1 -> 10.0.0.2:2 tpc", "a protocol at the end");
        check(
            "10.0.0.1:1 -> host:2 tcp",
            "ends like 10.0.32.5:41022 or [2001:db8::1]:443",
        );
    }
}
