//! The policy's own tests: `[[test]]`.

use super::file::{File, TestEnd};
use super::problem::Problems;
use super::ruleset::Rules;
use super::{Answer, Decision, Policy};
use crate::net::{Addr, protocol};

/// A `[[test]]`: a flow, and what the policy is expected to say of it.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
    /// The line of the file that it begins on, from 1.
    pub line: usize,
    /// The flow as the file writes it.
    pub flow: String,
    /// The client's address.
    pub client: Addr,
    /// The server's address.
    pub server: Addr,
    /// IANA protocol number.
    pub protocol: u8,
    /// The server's port; 0 where the protocol has none.
    pub server_port: u16,
    /// The instant, seconds since 1970, if the test names one.
    pub at: Option<i64>,
    /// What the policy should say.
    pub expect: Answer,
    /// The id of the rule that should decide, if the test names one.
    pub rule: Option<String>,
}

/// Resolves the tests of a file with this text.
pub(super) fn tests(
    text: &str,
    file: &File,
    rules: &Rules,
    problems: &mut Problems,
) -> Vec<TestCase> {
    let mut tests = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for test in &file.tests {
        let known = || rules.texts.iter().map(|rule| rule.id.as_str());
        if let Some(rule) = &test.rule
            && !known().any(|id| id == rule.text)
        {
            problems.unknown(&rule.span, "rule", rule, known());
        }
        // The tests of a file stand in its order, so that their lines take one pass.
        let between = text.get(counted..test.span.start).unwrap_or_default();
        line += between.matches('\n').count();
        counted = counted.max(test.span.start);
        let TestEnd { addr: server, port } = test.server;
        tests.push(TestCase {
            name: test.name.clone(),
            line,
            flow: test.flow.clone(),
            client: test.client.addr,
            server,
            protocol: test.protocol,
            server_port: port.unwrap_or(0),
            at: test.at,
            expect: test.expect,
            rule: test.rule.as_ref().map(|rule| rule.text.clone()),
        });
    }
    tests
}

/// A flow as tests write it: `10.0.32.5 -> 10.0.64.20:443 tcp`; without a port where the protocol has none.
pub fn flow_text(client: Addr, server: Addr, protocol: u8, server_port: Option<u16>) -> String {
    let name = protocol::name(protocol).map_or_else(|| protocol.to_string(), str::to_owned);
    let server = match server_port {
        Some(port) => std::net::SocketAddr::new(server.to_ip(), port).to_string(),
        None => server.to_string(),
    };
    format!("{client} -> {server} {name}")
}

impl Policy {
    /// What the policy says of a test's flow: seen from the first network (by name) that holds one of its ends, without
    /// service fields, path or encryption, at its instant, else when the policy takes effect.
    pub fn run_test(&self, test: &TestCase) -> Decision {
        self.decide_by_addr(
            test.client,
            test.server,
            test.protocol,
            test.server_port,
            self.instant_of(test),
        )
    }

    /// When a test's flow is judged, seconds since 1970: at its own instant, else when the policy takes effect, else in
    /// 1970.
    pub fn instant_of(&self, test: &TestCase) -> i64 {
        test.at.or(self.effective).unwrap_or(0)
    }

    /// Whether a decision is what a test expects: the answer, and the rule if it names one.
    pub fn is_expected(&self, test: &TestCase, decision: &Decision) -> bool {
        let by = &self.rule(decision.rule).id;
        decision.answer == test.expect && test.rule.as_ref().is_none_or(|rule| rule == by)
    }
}
