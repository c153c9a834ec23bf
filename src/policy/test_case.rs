//! The policy's own tests: `[[test]]`.

use super::file::{File, TestEnd};
use super::problem::Problems;
use super::ruleset::Rules;
use super::{Answer, Policy};
use crate::net::Addr;

/// A `[[test]]`: a flow, and what the policy is expected to say of it.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
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

/// Resolves the tests of a file.
pub(super) fn tests(file: &File, rules: &Rules, problems: &mut Problems) -> Vec<TestCase> {
    let mut tests = Vec::new();
    for test in &file.tests {
        let known = || rules.texts.iter().map(|rule| rule.id.as_str());
        if let Some(rule) = &test.rule
            && !known().any(|id| id == rule.text)
        {
            problems.unknown(&rule.span, "rule", rule, known());
        }
        let TestEnd { addr: server, port } = test.server;
        tests.push(TestCase {
            name: test.name.clone(),
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

impl Policy {
    /// What the policy says of a test's flow: seen from the first network (by name) that holds one of its ends, without
    /// service fields, path or encryption, at its instant, else when the policy takes effect.
    pub fn run_test(&self, test: &TestCase) -> super::Decision {
        let at = test.at.or(self.effective).unwrap_or(0);
        self.decide_by_addr(
            test.client,
            test.server,
            test.protocol,
            test.server_port,
            at,
        )
    }
}
