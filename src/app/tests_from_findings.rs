//! `policy test --from-findings`: tests of a policy, made from real flows that a lake tells of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Value;

use super::batch::runtime;
use super::error::ScanError;
use super::over::check_judged_by;
use super::policy_file;
use crate::alert::instant;
use crate::judge::{Finding, Kind};
use crate::net::{Addr, protocol};
use crate::policy::{Answer, Policy, flow_text};
use crate::sink::{Day, Lake, LakeError, Store};

/// What tests are to be made from.
#[derive(Clone, Debug)]
pub struct FindingsSettings<'a> {
    /// The lake.
    pub lake: &'a str,
    /// The policy file that it was judged by.
    pub policy: &'a Path,
    /// Findings last seen at this instant or later, seconds; none is from the first.
    pub since: Option<u32>,
    /// Findings first seen before this instant, seconds; none is to the last.
    pub until: Option<u32>,
}

/// Tests made from findings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MadeTests {
    /// `[[test]]` entries as a policy file has them, in the order in which their flows were first seen.
    pub text: String,
    /// How many.
    pub tests: u64,
    /// Findings left out because another one gave the same test.
    pub repeated: u64,
    /// Findings left out because addresses alone decide otherwise than the records did.
    pub otherwise: u64,
    /// Findings of connections left out because they keep no address or no single port.
    pub without_flow: u64,
}

/// Makes tests from the findings of a lake.
///
/// # Errors
/// When the policy or the lake are not as they should be, do not belong together, or no hour is there.
pub fn make_tests(settings: &FindingsSettings<'_>) -> Result<MadeTests, ScanError> {
    let policy = policy_file::load(settings.policy)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let store = Store::open(settings.lake, runtime.handle()).map_err(LakeError::from)?;
    let lake = Lake::read(store, temp.path())?;
    check_judged_by(
        (&lake, settings.lake),
        (&policy, settings.policy),
        "tests are made of what this policy decided: `scan --rejudge` judges a lake again",
    )?;
    Ok(tests_of(&policy, &findings(&lake, settings)?))
}

/// The findings of the days asked for, as far as they are of the time asked for.
fn findings(lake: &Lake, settings: &FindingsSettings<'_>) -> Result<Vec<Finding>, ScanError> {
    let since = settings.since.unwrap_or(0);
    let is_before_end = |instant: u32| settings.until.is_none_or(|until| instant < until);
    let hours = lake.committed_hours(Day::of(since).first_hour()..)?;
    let days: BTreeSet<Day> = hours.into_iter().map(|hour| hour.day()).collect();
    let mut findings = Vec::new();
    let mut num_days = 0;
    for day in days.into_iter().filter(|day| is_before_end(day.start())) {
        num_days += 1;
        let of_day = lake.read_findings(day)?.into_iter();
        findings.extend(
            of_day
                .filter(|finding| finding.last_seen >= since && is_before_end(finding.first_seen)),
        );
    }
    if num_days == 0 {
        return Err(ScanError::Usage {
            message: format!("the lake {} holds no hour of that time", settings.lake),
            hint: None,
        });
    }
    Ok(findings)
}

/// Tests of findings, each flow once, at the instant when it was first seen.
fn tests_of(policy: &Policy, findings: &[Finding]) -> MadeTests {
    let mut made = MadeTests::default();
    let mut first: BTreeMap<(String, Answer, &str), (u32, &Finding)> = BTreeMap::new();
    for finding in findings {
        let Some(answer) = answer_of(finding.kind) else {
            continue;
        };
        let Some(flow) = Example::of(finding) else {
            made.without_flow += 1;
            continue;
        };
        let at = finding.first_seen;
        let decision = policy.decide_by_addr(
            flow.client,
            flow.server,
            flow.protocol,
            flow.server_port.unwrap_or(0),
            i64::from(at),
        );
        if (decision.answer, policy.rule(decision.rule).id.as_str()) != (answer, &finding.rule) {
            made.otherwise += 1;
            continue;
        }
        let flow = flow_text(flow.client, flow.server, flow.protocol, flow.server_port);
        let key = (flow, answer, finding.rule.as_str());
        let order = |at: u32, finding: &Finding| (at, finding.finding_id.clone());
        match first.get_mut(&key) {
            None => {
                first.insert(key, (at, finding));
            }
            Some((known_at, known)) => {
                made.repeated += 1;
                if order(at, finding) < order(*known_at, known) {
                    (*known_at, *known) = (at, finding);
                }
            }
        }
    }
    let mut tests: Vec<_> = first.into_iter().collect();
    tests.sort_by(|(one_key, one), (other_key, other)| {
        (one.0, &one.1.finding_id, one_key).cmp(&(other.0, &other.1.finding_id, other_key))
    });
    made.tests = tests.len() as u64;
    let entries = tests.iter().map(|((flow, answer, rule), (at, finding))| {
        entry(&finding.title, flow, *at, *answer, rule)
    });
    made.text = entries.collect::<Vec<_>>().join("\n");
    made
}

/// What the policy said of the connections of such findings; none where they are not about single connections.
fn answer_of(kind: Kind) -> Option<Answer> {
    match kind {
        Kind::DeniedAttempt
        | Kind::EgressViolation
        | Kind::CrossTierViolation
        | Kind::IntraTierViolation
        | Kind::IngressViolation => Some(Answer::Deny),
        Kind::Overblocked => Some(Answer::Allow),
        Kind::Unproven => Some(Answer::Unproven),
        _ => None,
    }
}

/// The flow that stands for a finding: between the heaviest client and the heaviest server.
struct Example {
    client: Addr,
    server: Addr,
    protocol: u8,
    server_port: Option<u16>,
}

impl Example {
    fn of(finding: &Finding) -> Option<Example> {
        let protocol = finding.protocol?;
        let server_port = finding.server_port;
        if server_port.is_some() != protocol::has_ports(protocol) {
            return None;
        }
        Some(Example {
            client: finding.client.heaviest.first()?.0,
            server: finding.server.heaviest.first()?.0,
            protocol,
            server_port,
        })
    }
}

fn entry(name: &str, flow: &str, at: u32, expect: Answer, rule: &str) -> String {
    let text = |text: &str| Value::String(text.to_owned()).to_string();
    format!(
        "[[test]]\nname = {}\nflow = {}\nat = {}\nexpect = {}\nrule = {}\n",
        text(name),
        text(flow),
        instant(at),
        text(expect.as_str()),
        text(rule),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Confidence, Subject};
    use crate::policy::Severity;

    const POLICY: &str = r#"
[policy]
id = "P"
[networks.prod]
cidrs = ["10.0.0.0/16", "2600:1f16::/56"]
[[subnets]]
tier = "app"
cidrs = ["10.0.32.0/19", "2600:1f16::/64"]
[[subnets]]
tier = "data"
cidrs = ["10.0.64.0/19"]
[[deny]]
id = "no-ping"
from = "app"
to = "data"
ports = ["icmp"]
[[allow]]
id = "store"
from = "app"
to = "aws:S3"
"#;

    fn parse(text: &str) -> Policy {
        let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
        Policy::parse("p.toml", text, &no_files).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// A finding in short: `KIND CLIENT SERVER PROTOCOL PORT RULE`, `-` is none.
    fn finding(words: &str, at: u32, title: &str) -> Finding {
        let words: Vec<&str> = words.split(' ').collect();
        let end = |word: &str| Subject {
            subject: word.to_owned(),
            zone: String::new(),
            addresses: 1,
            heaviest: word.parse().map(|addr| (addr, 1)).into_iter().collect(),
        };
        Finding {
            finding_id: format!("{at:016x}"),
            day: 0,
            kind: Kind::from_word(words[0]).expect("a kind"),
            severity: Severity::Medium,
            confidence: Confidence::Certain,
            title: title.to_owned(),
            network: "prod".to_owned(),
            client: end(words[1]),
            server: end(words[2]),
            server_names: Default::default(),
            server_port: words[4].parse().ok(),
            protocol: protocol::number(words[3]),
            rule: words[5].to_owned(),
            reason: String::new(),
            owner: String::new(),
            controls: Vec::new(),
            lacked: None,
            outcome: None,
            via: None,
            account_id: None,
            region: None,
            vpc_id: None,
            subnet_id: None,
            interface_id: None,
            instance_id: None,
            first_seen: at,
            last_seen: at + 60,
            records: 1,
            connections: 1,
            packets: 1,
            bytes: 1,
            source: String::new(),
            line: 0,
            muted: false,
        }
    }

    #[test]
    fn tests_pass_under_the_policy_and_what_needs_more_than_addresses_is_counted() {
        let policy = parse(POLICY);
        let hostile = "a \"title\" = '\\'\n[[deny]]\u{1b}\u{202e} é";
        let findings = [
            finding(
                "cross-tier-violation 10.0.32.5 10.0.64.9 tcp 443 default",
                900,
                hostile,
            ),
            finding(
                "cross-tier-violation 10.0.32.5 10.0.64.9 tcp 443 default",
                60,
                "earlier",
            ),
            finding(
                "denied-attempt 2600:1f16::5 2600:1f16::9 udp 53 default",
                500,
                "six",
            ),
            finding(
                "denied-attempt 10.0.32.5 10.0.64.9 icmp - no-ping",
                700,
                hostile,
            ),
            finding(
                "unproven 10.0.32.5 198.51.100.7 tcp 443 store",
                800,
                "no evidence",
            ),
            // Judged by the record's service field, which a test has no word for.
            finding(
                "overblocked 10.0.32.5 198.51.100.7 tcp 443 store",
                800,
                "S3",
            ),
            // Without an address, without a port.
            finding(
                "denied-attempt internet 10.0.64.9 tcp 443 default",
                800,
                "nobody",
            ),
            finding(
                "denied-attempt 10.0.32.5 10.0.64.9 tcp - default",
                800,
                "no port",
            ),
            // Not about single connections.
            finding(
                "unassigned 10.0.200.5 10.0.64.9 tcp 443 default",
                800,
                "unassigned",
            ),
            finding("port-scan 10.0.32.5 10.0.64.9 tcp 443 default", 800, "scan"),
        ];
        let made = tests_of(&policy, &findings);
        let counts = (made.tests, made.repeated, made.otherwise, made.without_flow);
        assert_eq!(counts, (4, 1, 1, 2));
        let mut reversed = findings.to_vec();
        reversed.reverse();
        assert_eq!(tests_of(&policy, &reversed), made);

        let pasted = parse(&format!("{POLICY}\n{}", made.text));
        let names: Vec<&str> = pasted.tests().iter().map(|test| &*test.name).collect();
        assert_eq!(names, ["earlier", "six", hostile, "no evidence"]);
        for test in pasted.tests() {
            assert!(pasted.is_expected(test, &pasted.run_test(test)), "{test:?}");
            assert!(test.rule.is_some() && test.at.is_some());
        }
        assert_eq!(pasted.hash(), policy.hash());
        assert!(
            made.text.contains("flow = \"2600:1f16::5 -> [2600:1f16::9]:53 udp\"\nat = 1970-01-01T00:08:20Z\nexpect = \"deny\"\n"),
            "{}",
            made.text
        );
    }
}
