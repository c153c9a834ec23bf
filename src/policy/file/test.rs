//! The policy's own tests.

use super::bounded;
use crate::net::{Addr, protocol};
use crate::policy::Answer;
use crate::policy::problem::{Problems, Span, excerpt};
use crate::policy::section::{Section, Word};

/// How many tests a file may have.
const MAX_TESTS: usize = 65_536;

/// `[[test]]`.
pub(in crate::policy) struct Test {
    /// Where it begins.
    pub(in crate::policy) span: Span,
    pub(in crate::policy) name: String,
    /// The flow as written.
    pub(in crate::policy) flow: String,
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
        let span = section.span.clone();
        section.finish(problems);
        let parsed = flow.as_ref().and_then(|flow| match test_flow(flow) {
            Ok(parsed) => Some(parsed),
            Err(expected) => {
                problems.add_with_hint(
                    &flow.span,
                    format!("`{}` is no flow: expected {expected}", excerpt(flow)),
                    "write client -> server and the protocol: 10.0.32.5:41022 -> 10.0.64.20:443 tcp",
                );
                None
            }
        });
        if let (Some(name), Some(flow), Some((client, server, protocol)), Some(expect)) =
            (name, flow, parsed, expect)
        {
            tests.push(Test {
                span,
                name: name.text,
                flow: flow.text,
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
