//! Detectors over days that tests make up: edges in, findings out.

mod logs;
mod roads;
mod scans;
mod time;

use super::*;
use crate::judge::{Confidence, EdgeRow, Finding, Inside, Orientation, Outcome, Verdict};
use crate::net::Addr;
use crate::policy::{Answer, Policy, Severity};

const POLICY: &str = r#"
[policy]
id = "TEST"
[networks.prod]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16"]
[tiers.data]
criticality = "high"
[[subnets]]
tier = "app"
cidrs = ["10.0.1.0/24"]
[[subnets]]
tier = "data"
cidrs = ["10.0.2.0/24"]
[[subnets]]
tier = "mgmt"
cidrs = ["10.0.3.0/24"]
[[subnets]]
tier = "audit"
cidrs = ["10.0.4.0/24"]
[[subnets]]
tier = "public"
cidrs = ["10.0.5.0/24"]
"#;

/// 2026-02-25T00:00:00Z.
pub(super) const DAY: u32 = 1_771_977_600;
pub(super) const HOUR: u32 = 3600;

pub(super) fn policy(more: &str) -> Policy {
    let lists = |name: &str| match name {
        "list.txt" | "watchlist.txt" => {
            Ok(b"# bad\n198.18.5.0/24 # a net\n198.18.6.1\n2001:db8::/48\n".to_vec())
        }
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let text = format!("{POLICY}{more}");
    match Policy::parse("policy.toml", &text, &lists) {
        Ok(policy) => policy,
        Err(errors) => panic!("{}", errors.render(false)),
    }
}

/// An edge of app's 10.0.1.1 to data's 10.0.2.1 on 5432 that was answered and is denied, once, at the day's first minute.
pub(super) fn edge() -> EdgeRow<'static> {
    EdgeRow {
        network: "prod",
        client_addr: addr("10.0.1.1"),
        server_addr: addr("10.0.2.1"),
        server_port: Some(5432),
        protocol: 6,
        orientation: Orientation::Syn,
        outcome: Some(Outcome::Established),
        verdict: Verdict::Violation,
        rule: "default",
        decision: Some(Answer::Deny),
        client_zone: "app",
        server_zone: "data",
        client_workload: None,
        server_workload: None,
        via: None,
        confidence: Confidence::Certain,
        severity: Some(Severity::High),
        lacked: None,
        records: 2,
        connections: 1,
        packets_to_server: 10,
        packets_to_client: 10,
        bytes_to_server: 1000,
        bytes_to_client: 1000,
        first_seen: DAY,
        last_seen: DAY + 60,
        source: "a",
        line: 1,
        inside: Inside {
            interface_id: Some("eni-1"),
            ..Inside::default()
        },
    }
}

pub(super) fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

pub(super) fn host(net: u8, number: u32) -> Addr {
    Addr::from_v4(0x0a00_0000 | u32::from(net) << 8 | number)
}

/// The same edge, turned away.
pub(super) fn rejected(edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        outcome: Some(Outcome::RejectedServer),
        verdict: Verdict::Blocked,
        ..edge
    }
}

/// The same edge, permitted.
pub(super) fn allowed(edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        verdict: Verdict::Compliant,
        decision: Some(Answer::Allow),
        ..edge
    }
}

/// An edge of app's 10.0.1.1 to an unlisted address outside on 443.
pub(super) fn outward() -> EdgeRow<'static> {
    EdgeRow {
        server_addr: addr("198.18.9.9"),
        server_port: Some(443),
        server_zone: "internet",
        ..edge()
    }
}

/// An edge of an unlisted address outside to app's 10.0.1.1 on 22.
pub(super) fn inward() -> EdgeRow<'static> {
    EdgeRow {
        client_addr: addr("198.18.9.9"),
        client_zone: "internet",
        server_addr: addr("10.0.1.1"),
        server_port: Some(22),
        server_zone: "app",
        ..edge()
    }
}

/// The same edge so many hours later.
pub(super) fn later(hours: u32, edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        first_seen: edge.first_seen + hours * HOUR,
        last_seen: edge.last_seen + hours * HOUR,
        ..edge
    }
}

/// What detectors say of a day with these edges, each in the hour that it begins in.
pub(super) fn detect_with(
    policy: &Policy,
    baseline: Option<&Baseline>,
    edges: &[EdgeRow<'static>],
    logs: &[LogHour<'static>],
) -> Vec<Finding> {
    let mut day = DayDetection::new(policy, baseline, &|_, _| true, DAY);
    for hour in (DAY..DAY + 24 * HOUR).step_by(HOUR as usize) {
        let mut of_hour: Vec<&EdgeRow<'_>> = edges
            .iter()
            .filter(|edge| (hour..hour + HOUR).contains(&edge.first_seen))
            .collect();
        let of_logs: Vec<_> = logs.iter().filter(|log| log.hour == hour).collect();
        if of_hour.is_empty() && of_logs.is_empty() {
            continue;
        }
        of_hour.sort_by_key(|edge| (edge.client_addr, edge.server_addr, edge.server_port));
        of_hour.into_iter().for_each(|edge| day.add(edge));
        of_logs.into_iter().for_each(|log| day.add_log(log));
        day.end_hour(hour);
    }
    day.finish().0
}

pub(super) fn detect(more: &str, edges: &[EdgeRow<'static>]) -> Vec<Finding> {
    detect_with(&policy(more), None, edges, &[])
}

/// Asserts that detectors say just this of a day: kinds, titles and reasons, a line each.
pub(super) fn check(found: &[Finding], expected: &[&str]) {
    let found: Vec<String> = found
        .iter()
        .map(|finding| {
            format!(
                "{}: {}: {}",
                finding.kind.as_str(),
                finding.title,
                finding.reason
            )
        })
        .collect();
    assert_eq!(found, expected);
}

pub(super) fn ports(
    numbers: std::ops::Range<u16>,
    edge: EdgeRow<'static>,
) -> Vec<EdgeRow<'static>> {
    let with = |port| EdgeRow {
        server_port: Some(port),
        ..edge
    };
    numbers.map(with).collect()
}

pub(super) fn hosts(
    numbers: std::ops::Range<u32>,
    edge: EdgeRow<'static>,
) -> Vec<EdgeRow<'static>> {
    let with = |number| EdgeRow {
        server_addr: host(2, number),
        ..edge
    };
    numbers.map(with).collect()
}

/// A baseline of a week in which these edges came in every hour.
pub(super) fn learned(
    policy: &Policy,
    edges: &[EdgeRow<'static>],
    logs: &[LogHour<'static>],
) -> Baseline {
    let mut learner = Learner::new(policy);
    for hour in 1..=168 {
        edges.iter().for_each(|edge| learner.add(edge));
        logs.iter().for_each(|log| learner.add_log(log));
        learner.end_hour(DAY - hour * HOUR);
    }
    Baseline::parse(&learner.finish()).expect("a baseline")
}

/// The same edge in each of so many hours, with so many bytes to the server.
pub(super) fn hourly(hours: u32, bytes: u64, edge: EdgeRow<'static>) -> Vec<EdgeRow<'static>> {
    let with = |hour| EdgeRow {
        bytes_to_server: bytes,
        bytes_to_client: bytes,
        ..later(hour, edge)
    };
    (0..hours).map(with).collect()
}

pub(super) const GIB: u64 = 1 << 30;

/// Connections at these times (seconds of the day), as edges by hour.
pub(super) fn calls(
    times: impl Iterator<Item = u32>,
    edge: EdgeRow<'static>,
) -> Vec<EdgeRow<'static>> {
    let mut hours = std::collections::BTreeMap::<u32, EdgeRow<'static>>::new();
    for time in times {
        let entry = hours.entry(time / HOUR).or_insert(EdgeRow {
            connections: 0,
            first_seen: DAY + time,
            ..edge
        });
        entry.connections += 1;
        entry.last_seen = DAY + time + 60;
    }
    hours.into_values().collect()
}

/// A flow log that delivers in these hours.
pub(super) fn log(name: &'static str, hours: std::ops::Range<u32>) -> Vec<LogHour<'static>> {
    let of = |hour| LogHour {
        hour: DAY + hour * HOUR,
        account: Some("111111111111"),
        region: Some("eu-west-1"),
        flow_log: name,
        objects: 12,
        records: 1000,
        skip_data: 0,
        accepts: true,
        rejects: true,
        is_exposed: true,
        source: "object",
    };
    hours.map(of).collect()
}

#[test]
fn owners_severities_and_mutes_are_the_policy_s() {
    let settings = "[detect.port-scan]\nowner = \"soc\"\nseverity = \"low\"\n\
        [[mute]]\nfinding = \"port-scan\"\nfrom = \"app\"\nto = \"data\"\nowner = \"alice\"\nreason = \"pentest\"\n";
    let found = detect(settings, &ports(3000..3020, rejected(edge())));
    let finding = &found[0];
    assert_eq!(
        (finding.owner.as_str(), finding.severity, finding.muted),
        ("soc", Severity::Low, true)
    );
    assert_eq!(
        (finding.client.subject.as_str(), finding.connections),
        ("10.0.1.1", 20)
    );
}

#[test]
fn memory_has_a_bound_and_what_goes_beyond_is_counted() {
    let policy = policy("");
    let mut day = DayDetection::new(&policy, None, &|_, _| true, DAY);
    // More doors than a day remembers.
    for number in 0..70_000_u32 {
        let knock = EdgeRow {
            client_addr: Addr::from_v4(0xc612_0000 + number),
            server_addr: host((number >> 8) as u8 & 1, number & 0xff),
            server_port: Some((number >> 9) as u16 + 1024),
            ..rejected(inward())
        };
        day.add(&knock);
    }
    day.end_hour(DAY);
    let (found, let_go) = day.finish();
    assert!(found.is_empty());
    assert!(let_go > 0);
}

#[test]
fn pages_are_of_the_detectors_that_there_are() {
    for detector in &crate::policy::DETECTORS {
        let page = page(detector.name).expect("a page");
        for parameter in detector.parameters {
            assert!(
                page.contains(&format!("`{}`", parameter.name)),
                "{}: {}",
                detector.name,
                parameter.name
            );
        }
        for heading in [
            "What it finds",
            "Why it matters",
            "How it decides",
            "Parameters",
            "Blind spots",
            "Example",
            "References",
        ] {
            assert!(
                page.contains(&format!("## {heading}\n")),
                "{}: {heading}",
                detector.name
            );
        }
    }
    assert!(page("none").is_none());
}

#[test]
fn settings_in_the_pages_are_understood() {
    for detector in &crate::policy::DETECTORS {
        let page = page(detector.name).expect("a page");
        let block = page
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let set = policy(block.expect("an example"));
        let plain = policy("");
        let shown = |policy: &Policy| format!("{:?}", policy.detecting());
        assert_ne!(shown(&set), shown(&plain), "{}", detector.name);
        assert!(block.is_some_and(|block| block.contains(&format!("[detect.{}]", detector.name))));
    }
}

#[test]
fn every_page_advises() {
    for detector in &crate::policy::DETECTORS {
        let advice = super::advice(detector.name).unwrap_or_default();
        let is_one_line = advice.len() > 60 && !advice.contains('\n');
        assert!(is_one_line, "{}", detector.name);
    }
    assert_eq!(super::advice("nothing"), None);
}
