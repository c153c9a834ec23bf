//! Detectors over days that tests make up: edges in, findings out.

use std::collections::BTreeSet;

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
const DAY: u32 = 1_771_977_600;
const HOUR: u32 = 3600;

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

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

fn host(net: u8, number: u32) -> Addr {
    Addr::from_v4(0x0a00_0000 | u32::from(net) << 8 | number)
}

/// The same edge, turned away.
fn rejected(edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        outcome: Some(Outcome::RejectedServer),
        verdict: Verdict::Blocked,
        ..edge
    }
}

/// The same edge, permitted.
fn allowed(edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        verdict: Verdict::Compliant,
        decision: Some(Answer::Allow),
        ..edge
    }
}

/// An edge of app's 10.0.1.1 to an unlisted address outside on 443.
fn outward() -> EdgeRow<'static> {
    EdgeRow {
        server_addr: addr("198.18.9.9"),
        server_port: Some(443),
        server_zone: "internet",
        ..edge()
    }
}

/// An edge of an unlisted address outside to app's 10.0.1.1 on 22.
fn inward() -> EdgeRow<'static> {
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
fn later(hours: u32, edge: EdgeRow<'static>) -> EdgeRow<'static> {
    EdgeRow {
        first_seen: edge.first_seen + hours * HOUR,
        last_seen: edge.last_seen + hours * HOUR,
        ..edge
    }
}

/// What detectors say of a day with these edges, each in the hour that it begins in.
fn detect_with(
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

fn detect(more: &str, edges: &[EdgeRow<'static>]) -> Vec<Finding> {
    detect_with(&policy(more), None, edges, &[])
}

/// Asserts that detectors say just this of a day: kinds, titles and reasons, a line each.
fn check(found: &[Finding], expected: &[&str]) {
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

fn ports(numbers: std::ops::Range<u16>, edge: EdgeRow<'static>) -> Vec<EdgeRow<'static>> {
    let with = |port| EdgeRow {
        server_port: Some(port),
        ..edge
    };
    numbers.map(with).collect()
}

fn hosts(numbers: std::ops::Range<u32>, edge: EdgeRow<'static>) -> Vec<EdgeRow<'static>> {
    let with = |number| EdgeRow {
        server_addr: host(2, number),
        ..edge
    };
    numbers.map(with).collect()
}

#[test]
fn a_port_scan_needs_many_ports_of_one_server_of_which_some_fail() {
    let scan = |count: u16| ports(3000..3000 + count, rejected(edge()));
    check(
        &detect("", &scan(20)),
        &[
            "port-scan: app 10.0.1.1 tried 20 ports of data 10.0.2.1: 20 ports in an hour, 20 of them without an answer; the limit is 20",
        ],
    );
    check(&detect("", &scan(19)), &[]);
    check(
        &detect("[detect.port-scan]\ntargets = 19\n", &scan(19))
            .iter()
            .take(1)
            .cloned()
            .collect::<Vec<_>>(),
        &[
            "port-scan: app 10.0.1.1 tried 19 ports of data 10.0.2.1: 19 ports in an hour, 19 of them without an answer; the limit is 19",
        ],
    );
    check(
        &detect("[detect.port-scan]\nenabled = false\n", &scan(20)),
        &[],
    );
    // All answered, as a health checker has it; and replies, which ports alone call connections.
    check(&detect("", &ports(3000..3040, edge())), &[]);
    let replies = EdgeRow {
        orientation: Orientation::Port,
        ..rejected(edge())
    };
    check(&detect("", &ports(3000..3040, replies)), &[]);
    // With FIN, or without any flag, nothing is judged of it, and still it is a scan.
    let stray = EdgeRow {
        orientation: Orientation::LoneReject,
        outcome: None,
        verdict: Verdict::Unjudged,
        rule: "stray",
        decision: None,
        severity: None,
        ..edge()
    };
    assert_eq!(detect("", &ports(1..21, stray)).len(), 1);
    check(&detect("", &ports(3000..3040, stray)), &[]);
    // Half an hour each in two hours is no hour.
    let mut halves = ports(3000..3010, rejected(edge()));
    halves.extend(ports(3010..3020, later(1, rejected(edge()))));
    check(&detect("", &halves), &[]);
}

#[test]
fn scanners_from_the_internet_are_told_of_once_something_answers() {
    let mut scan = ports(3000..3030, rejected(inward()));
    check(&detect("", &scan), &[]);
    scan.push(EdgeRow {
        first_seen: DAY + 100,
        last_seen: DAY + 160,
        server_port: Some(3999),
        ..inward()
    });
    let found = detect("", &scan);
    let kinds: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
    assert_eq!(kinds, ["port-scan", "probe-then-success"]);
    assert_eq!(found[0].client.subject, "internet");
}

#[test]
fn a_sweep_is_one_port_of_many_hosts() {
    let http = EdgeRow {
        server_port: Some(80),
        ..rejected(edge())
    };
    let found = detect("", &hosts(1..31, http));
    check(
        &found,
        &[
            "host-sweep: app 10.0.1.1 tried tcp/80 of 30 hosts: 30 hosts in an hour, 30 of them without an answer; the limit is 20",
        ],
    );
    assert_eq!(
        (found[0].server.addresses, found[0].server.subject.as_str()),
        (30, "")
    );
    check(
        &detect(
            "",
            &hosts(
                1..31,
                EdgeRow {
                    server_port: Some(80),
                    ..edge()
                },
            ),
        ),
        &[],
    );
}

#[test]
fn distinct_targets_are_what_a_set_of_all_would_count() {
    // Beyond the exact bound an estimate, whatever the order.
    let mut many = ports(1..20_001, rejected(edge()));
    many.reverse();
    let found = detect("", &many);
    let title = &found[0].title;
    let tried: u64 = title
        .split(' ')
        .find_map(|word| word.parse().ok())
        .expect("a count");
    assert!((19_000..21_000).contains(&tried), "{title}");
}

#[test]
fn a_burst_is_of_denied_attempts_of_somebody_inside() {
    let attempts = |edge: EdgeRow<'static>| {
        vec![EdgeRow {
            connections: 100,
            ..edge
        }]
    };
    check(
        &detect("", &attempts(rejected(edge()))),
        &[
            "denied-burst: app 10.0.1.1 was turned away 100 times in an hour: 100 denied attempts in an hour, distinct servers: 1; the limit is 100",
        ],
    );
    check(&detect("", &attempts(rejected(inward()))), &[]);
    let overblocked = EdgeRow {
        verdict: Verdict::Overblocked,
        ..allowed(rejected(edge()))
    };
    check(&detect("", &attempts(overblocked)), &[]);
}

#[test]
fn a_door_that_was_shut_and_opens_is_told_of() {
    let knocks = EdgeRow {
        connections: 3,
        ..rejected(inward())
    };
    let shut_then_open = [knocks, later(2, inward())];
    let found = detect("", &shut_then_open);
    check(
        &found,
        &[
            "exposure-opened: app 10.0.1.1 was shut to internet on tcp/22, and now lets them in: 3 attempts were rejected in the hours before; clients that got in since, which the policy does not allow: 1",
        ],
    );
    // Open first, or in the same hour, or as the policy wants it, or for others.
    check(&detect("", &[inward(), later(2, knocks)]), &[]);
    check(&detect("", &[knocks, inward()]), &[]);
    check(&detect("", &[knocks, later(2, allowed(inward()))]), &[]);
    let partner = EdgeRow {
        client_zone: "private",
        client_addr: addr("172.16.0.1"),
        ..inward()
    };
    check(&detect("", &[knocks, later(2, partner)]), &[]);
}

#[test]
fn probes_make_a_success_suspicious_and_only_one_after_them() {
    let probes = |count: u16| ports(3000..3000 + count, rejected(inward()));
    let mut day = probes(5);
    day.push(later(1, inward()));
    check(
        &detect("", &day),
        &[
            "probe-then-success: internet tried 5 doors, and got in to app 10.0.1.1 on tcp/22: 5 servers and ports turned it away before; the limit is 5",
        ],
    );
    let mut few = probes(4);
    few.push(later(1, inward()));
    check(&detect("", &few), &[]);
    // In before it tried the others.
    let after = |edge: EdgeRow<'static>| later(1, edge);
    let mut before: Vec<_> = probes(5).into_iter().map(after).collect();
    before.push(inward());
    before.push(later(2, inward()));
    check(&detect("", &before), &[]);
    let mut public = probes(5);
    public.push(later(1, allowed(inward())));
    check(&detect("", &public), &[]);
}

/// A baseline of a week in which these edges came in every hour.
fn learned(policy: &Policy, edges: &[EdgeRow<'static>], logs: &[LogHour<'static>]) -> Baseline {
    let mut learner = Learner::new(policy);
    for hour in 1..=168 {
        edges.iter().for_each(|edge| learner.add(edge));
        logs.iter().for_each(|log| learner.add_log(log));
        learner.end_hour(DAY - hour * HOUR);
    }
    Baseline::parse(&learner.finish()).expect("a baseline")
}

#[test]
fn what_the_baseline_does_not_know_is_new_where_it_matters() {
    let policy = policy("");
    let baseline = learned(&policy, &[edge()], &[]);
    let detect = |edges: &[EdgeRow<'static>]| detect_with(&policy, Some(&baseline), edges, &[]);
    check(&detect(&[edge()]), &[]);
    // Another address of the same tier is no news, another port is.
    check(
        &detect(&[EdgeRow {
            client_addr: addr("10.0.1.77"),
            ..edge()
        }]),
        &[],
    );
    let new = EdgeRow {
        server_port: Some(8080),
        ..allowed(edge())
    };
    let found = detect(&[new]);
    assert_eq!(
        found[0].title,
        "app 10.0.1.1 uses data 10.0.2.1 on tcp/8080, which the baseline does not know"
    );
    assert!(
        found[0].reason.contains(baseline.digest()),
        "{}",
        found[0].reason
    );
    // Out of app is not watched, and without a baseline nothing is new.
    check(&detect(&[allowed(outward())]), &[]);
    check(&detect_with(&policy, None, &[new], &[]), &[]);
}

/// The same edge in each of so many hours, with so many bytes to the server.
fn hourly(hours: u32, bytes: u64, edge: EdgeRow<'static>) -> Vec<EdgeRow<'static>> {
    let with = |hour| EdgeRow {
        bytes_to_server: bytes,
        bytes_to_client: bytes,
        ..later(hour, edge)
    };
    (0..hours).map(with).collect()
}

const GIB: u64 = 1 << 30;

#[test]
fn more_than_usual_is_told_of_by_the_day_or_by_the_baseline() {
    let out = allowed(outward());
    let burst = EdgeRow {
        bytes_to_server: GIB,
        ..later(9, out)
    };
    let mut day = hourly(8, 1 << 20, out);
    day.push(burst);
    check(
        &detect("", &day),
        &[
            "egress-volume: app 10.0.1.1 sent 1024 MiB out in an hour, usual are 1 MiB: 1024 MiB in an hour, over a thousand robust deviations above the median of 1 MiB by the other hours of the day",
        ],
    );
    // Seven hours say nothing; a baseline does, and knows that this hour of the week is always so.
    let few = [&day[1..8], &[burst]].concat();
    check(&detect("", &few), &[]);
    let policy = policy("");
    let usual = learned(
        &policy,
        &[EdgeRow {
            bytes_to_server: 1 << 20,
            ..out
        }],
        &[],
    );
    let found = detect_with(&policy, Some(&usual), &[burst], &[]);
    assert_eq!(found.len(), 1);
    let heavy = learned(
        &policy,
        &[EdgeRow {
            bytes_to_server: GIB,
            ..out
        }],
        &[],
    );
    check(&detect_with(&policy, Some(&heavy), &[burst], &[]), &[]);
}

#[test]
fn reading_from_data_is_measured_by_what_comes_back() {
    let read = allowed(edge());
    let mut day = hourly(9, 1 << 20, read);
    day.push(EdgeRow {
        bytes_to_client: GIB,
        ..later(10, read)
    });
    let found = detect("", &day);
    let kinds: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
    assert_eq!(kinds, ["data-pull"]);
    assert_eq!(
        found[0].title,
        "app 10.0.1.1 read 1024 MiB from data in an hour, usual are 1 MiB"
    );
    // Replication stays within the tier.
    let within = |edge: &EdgeRow<'static>| EdgeRow {
        client_zone: "data",
        ..*edge
    };
    check(
        &detect("", &day.iter().map(within).collect::<Vec<_>>()),
        &[],
    );
}

/// Connections at these times (seconds of the day), as edges by hour.
fn calls(times: impl Iterator<Item = u32>, edge: EdgeRow<'static>) -> Vec<EdgeRow<'static>> {
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

#[test]
fn beacons_are_regular_rare_and_unlisted() {
    let every = |seconds: u32, edge| calls((0..43_200).step_by(seconds as usize), edge);
    check(
        &detect("", &every(600, outward())),
        &[
            "beacon: app 10.0.1.1 calls internet 198.18.9.0/24 on tcp/443 every 10 minutes: 72 connections over 12 hours, 600 s apart but for 25 %",
        ],
    );
    assert_eq!(detect("", &every(3600, outward())).len(), 1);
    // By a known destination, by a port that is regular by nature, below what aggregation shows, for too short.
    check(
        &detect(
            "",
            &every(
                600,
                EdgeRow {
                    server_zone: "private",
                    server_addr: addr("172.16.0.9"),
                    ..outward()
                },
            ),
        ),
        &[],
    );
    check(
        &detect(
            "",
            &every(
                600,
                EdgeRow {
                    server_port: Some(123),
                    protocol: 17,
                    ..outward()
                },
            ),
        ),
        &[],
    );
    check(&detect("", &every(60, outward())), &[]);
    check(
        &detect("", &calls((0..14_400).step_by(600), outward())),
        &[],
    );
    // By many: everybody's update server.
    let many: Vec<_> = (1..=4)
        .flat_map(|number| {
            every(
                600,
                EdgeRow {
                    client_addr: host(1, number),
                    ..outward()
                },
            )
        })
        .collect();
    check(&detect("", &many), &[]);
}

#[test]
fn one_client_does_not_take_all_the_room_of_beacons() {
    let policy = policy("");
    let mut day = DayDetection::new(&policy, None, &|_, _| true, DAY);
    for hour in 0..12 {
        // Before the client that calls, by its address.
        for number in 0..40_000_u32 {
            day.add(&EdgeRow {
                client_addr: host(1, 0),
                server_addr: Addr::from_v4(0xc613_0000 + number),
                ..later(hour, outward())
            });
        }
        let calls = calls((0..HOUR).step_by(600), later(0, outward()));
        calls.iter().for_each(|edge| day.add(&later(hour, *edge)));
        day.end_hour(DAY + hour * HOUR);
    }
    let (found, let_go) = day.finish();
    let kinds: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
    assert!(kinds.contains(&"beacon") && let_go > 0, "{kinds:?}");
}

#[test]
fn random_calls_are_no_beacon() {
    let mut state = 7_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    for _ in 0..200 {
        // Exponential gaps with a mean of ten minutes: nobody's clock.
        let mut time = 0.0;
        let times: Vec<u32> = std::iter::from_fn(|| {
            time += -600.0 * (1.0 - random()).ln();
            (time < 86_400.0).then_some(time as u32)
        })
        .collect();
        check(&detect("", &calls(times.into_iter(), outward())), &[]);
    }
}

#[test]
fn a_long_session_has_no_new_syn_for_hours() {
    let goes_on = |hours: std::ops::Range<u32>| -> Vec<EdgeRow<'static>> {
        let open = EdgeRow {
            orientation: Orientation::Connection,
            connections: 12,
            last_seen: DAY + HOUR,
            ..outward()
        };
        hours.map(|hour| later(hour, open)).collect()
    };
    let with_syn = |mut edges: Vec<EdgeRow<'static>>| {
        edges.push(edge());
        edges
    };
    check(
        &detect("", &with_syn(goes_on(0..6))),
        &[
            "long-session: app 10.0.1.1 holds a connection with internet 198.18.9.0/24 on tcp/443 open for 6 hours: traffic without a new SYN for 6 hours; the limit is 6",
        ],
    );
    check(&detect("", &with_syn(goes_on(0..5))), &[]);
    // Without flags anywhere nothing shows that there was no new SYN; and with a gap it is two.
    check(&detect("", &goes_on(0..6)), &[]);
    let other = vec![later(3, edge())];
    let gap = [goes_on(0..3), other, goes_on(4..7)].concat();
    check(&detect("", &with_syn(gap)), &[]);
    // With new connections every hour it is none that stays open.
    let polls = [
        goes_on(0..6),
        (0..6).map(|hour| later(hour, outward())).collect(),
    ]
    .concat();
    check(&detect("", &polls), &[]);
}

#[test]
fn administration_of_many_hosts_is_mgmt_s_alone() {
    let ssh = EdgeRow {
        server_port: Some(22),
        ..edge()
    };
    check(
        &detect("", &hosts(1..11, ssh)),
        &[
            "lateral-fanout: app 10.0.1.1 reached for logins or databases of 10 hosts: 10 hosts in an hour; the limit is 10",
        ],
    );
    check(&detect("", &hosts(1..10, ssh)), &[]);
    check(
        &detect(
            "",
            &hosts(
                1..30,
                EdgeRow {
                    server_port: Some(443),
                    ..edge()
                },
            ),
        ),
        &[],
    );
    let mgmt = EdgeRow {
        client_zone: "mgmt",
        client_addr: addr("10.0.3.1"),
        ..ssh
    };
    check(&detect("", &hosts(1..30, mgmt)), &[]);
}

#[test]
fn guessing_is_many_short_sessions_with_a_login() {
    let guesses = EdgeRow {
        server_port: Some(22),
        connections: 30,
        packets_to_server: 30 * 12,
        packets_to_client: 30 * 12,
        ..allowed(edge())
    };
    check(
        &detect("", &[guesses]),
        &[
            "credential-guessing: app 10.0.1.1 opened 30 short sessions with data 10.0.2.1 on tcp/22: 30 sessions in an hour, of 24 packets on average; the limit is 30",
        ],
    );
    check(
        &detect(
            "",
            &[EdgeRow {
                packets_to_client: 30 * 100,
                ..guesses
            }],
        ),
        &[],
    );
    // One that stays open is told of in each slot.
    let open = EdgeRow {
        orientation: Orientation::Connection,
        ..guesses
    };
    check(&detect("", &[open]), &[]);
    // A session for each question is what applications do with databases that they may use.
    check(
        &detect(
            "",
            &[EdgeRow {
                server_port: Some(5432),
                ..guesses
            }],
        ),
        &[],
    );
    assert_eq!(
        detect(
            "",
            &[EdgeRow {
                server_port: Some(5432),
                decision: Some(Answer::Deny),
                ..guesses
            }]
        )
        .len(),
        1
    );
}

#[test]
fn resolvers_outside_are_a_bypass_unless_a_rule_allows_them() {
    let ask = |server: &str, port, protocol| EdgeRow {
        server_addr: addr(server),
        server_port: Some(port),
        protocol,
        ..outward()
    };
    check(
        &detect("", &[ask("198.18.9.9", 53, 17)]),
        &[
            "dns-bypass: app 10.0.1.1 asks the resolver internet 198.18.9.0/24 on udp/53, past the VPC's own: DNS to the outside, which no rule allows",
        ],
    );
    for (edge, expected) in [
        (ask("198.18.9.9", 853, 6), 1),
        (ask("8.8.8.8", 443, 6), 1),
        (ask("198.18.9.9", 443, 6), 0),
        (allowed(ask("198.18.9.9", 53, 17)), 0),
        (rejected(ask("198.18.9.9", 53, 17)), 0),
    ] {
        assert_eq!(detect("", &[edge]).len(), expected, "{edge:?}");
    }
    let more = "[detect.dns-bypass]\nresolvers = [\"198.18.9.0/24\"]\n";
    assert_eq!(detect(more, &[ask("198.18.9.9", 443, 6)]).len(), 1);
}

#[test]
fn tunnels_are_bytes_in_what_carries_none() {
    let carried = |protocol, bytes, edge: EdgeRow<'static>| EdgeRow {
        protocol,
        server_port: None,
        orientation: Orientation::Peer,
        bytes_to_server: bytes,
        ..edge
    };
    check(
        &detect("", &[carried(1, 1 << 20, outward())]),
        &[
            "tunnel: app 10.0.1.1 and internet 198.18.9.0/24 exchange 1 MiB over icmp: 1 MiB went out in an hour; the limit is 1 MiB",
        ],
    );
    for (edge, expected) in [
        (carried(1, (1 << 20) - 1, outward()), 0),
        (allowed(carried(1, 1 << 20, outward())), 1),
        (carried(47, 1 << 16, outward()), 1),
        (allowed(carried(50, 1 << 30, outward())), 0),
        (carried(1, 1 << 20, edge()), 0),
        (rejected(carried(1, 1 << 20, outward())), 0),
    ] {
        assert_eq!(detect("", &[edge]).len(), expected, "{edge:?}");
    }
}

#[test]
fn listed_addresses_are_met_outward_always_and_inward_once_answered() {
    let list = "[detect.watchlist]\nfiles = [\"list.txt\"]\n";
    let to = |server: &str| EdgeRow {
        server_addr: addr(server),
        ..outward()
    };
    let from = |client: &str| EdgeRow {
        client_addr: addr(client),
        ..inward()
    };
    for (edge, expected) in [
        (to("198.18.5.0"), Some(Severity::High)),
        (to("198.18.5.255"), Some(Severity::High)),
        (to("198.18.6.0"), None),
        (to("198.18.6.1"), Some(Severity::High)),
        (to("2001:db8::1"), Some(Severity::High)),
        (to("2001:db8:1::1"), None),
        (rejected(to("198.18.5.7")), Some(Severity::Medium)),
        (from("198.18.5.7"), Some(Severity::High)),
        (rejected(from("198.18.5.7")), None),
    ] {
        let found = detect(list, &[edge]);
        let severity = found.first().map(|finding| finding.severity);
        assert_eq!(severity, expected, "{edge:?}");
    }
    assert!(detect("", &[to("198.18.5.7")]).is_empty());
}

/// A flow log that delivers in these hours.
fn log(name: &'static str, hours: std::ops::Range<u32>) -> Vec<LogHour<'static>> {
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
fn a_flow_log_that_stops_while_others_go_on_is_told_of() {
    let detect = |logs: &[LogHour<'static>]| detect_with(&policy(""), None, &[], logs);
    let found = detect(&[log("fl-1", 0..6), log("fl-2", 0..4)].concat());
    check(
        &found,
        &[
            "silent-source: flow log fl-2 delivered nothing for 2 hours: no object for 2 hours in which others delivered, of account 111111111111 in eu-west-1; the limit is 2",
        ],
    );
    assert_eq!(found[0].severity, Severity::Critical);
    assert_eq!(
        (found[0].client.subject.as_str(), found[0].protocol),
        ("flow log fl-2", None)
    );
    check(
        &detect(&[log("fl-1", 0..6), log("fl-2", 0..5)].concat()),
        &[],
    );
    // So is a pause that is over; new ones are none of it.
    let pause = [log("fl-1", 0..6), log("fl-2", 0..3), log("fl-2", 5..6)].concat();
    assert_eq!(detect(&pause).len(), 1);
    check(
        &detect(&[log("fl-1", 0..6), log("fl-2", 0..2)].concat()),
        &[],
    );
}

#[test]
fn what_delivers_now_and_then_is_not_silent() {
    let now_and_then = [log("fl-2", 0..2), log("fl-2", 4..6), log("fl-2", 8..9)].concat();
    let with = |hours| [log("fl-1", 0..hours), now_and_then.clone()].concat();
    check(&detect_with(&policy(""), None, &[], &with(13)), &[]);
    assert_eq!(detect_with(&policy(""), None, &[], &with(14)).len(), 1);
    // One object an hour may be one by chance, but not twelve times in a row.
    let few = |hours| -> Vec<_> {
        let one = |log| LogHour { objects: 1, ..log };
        let few = log("fl-2", 0..hours).into_iter().map(one);
        few.chain(log("fl-1", 0..hours + 2)).collect()
    };
    check(&detect_with(&policy(""), None, &[], &few(11)), &[]);
    assert_eq!(detect_with(&policy(""), None, &[], &few(12)).len(), 1);
}

#[test]
fn logs_that_are_silent_at_different_times_are_two_findings() {
    let one = [log("fl-1", 0..5), log("fl-1", 9..20)].concat();
    let other = [log("fl-2", 0..12), log("fl-2", 16..20)].concat();
    let found = detect_with(&policy(""), None, &[], &[one, other].concat());
    let named: Vec<&str> = found
        .iter()
        .map(|finding| finding.client.subject.as_str())
        .collect();
    assert_eq!(
        BTreeSet::from_iter(named),
        BTreeSet::from(["flow log fl-1", "flow log fl-2"])
    );
}

#[test]
fn a_whole_account_that_stops_is_one_finding() {
    let elsewhere: Vec<_> = log("fl-9", 0..8)
        .into_iter()
        .map(|log| LogHour {
            account: Some("222222222222"),
            ..log
        })
        .collect();
    let logs = [elsewhere, log("fl-1", 0..4), log("fl-2", 0..4)].concat();
    let found = detect_with(&policy(""), None, &[], &logs);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].client.subject, "account 111111111111 in eu-west-1");
}

#[test]
fn a_baseline_knows_who_should_have_spoken() {
    let policy = policy("");
    let known = [log("fl-1", 0..1), log("fl-2", 0..1)].concat();
    let baseline = learned(&policy, &[edge()], &known);
    let found = detect_with(&policy, Some(&baseline), &[], &log("fl-1", 0..2));
    let named: Vec<&str> = found
        .iter()
        .map(|finding| finding.client.subject.as_str())
        .collect();
    assert_eq!(named, ["flow log fl-2"]);
    // An interface that was never silent for a week, and now is.
    let other = EdgeRow {
        inside: Inside::default(),
        ..edge()
    };
    let edges = [edge(), later(1, other), later(2, other)];
    let found = detect_with(&policy, Some(&baseline), &edges, &[]);
    let silent: Vec<_> = found
        .iter()
        .filter(|finding| finding.client.subject == "eni-1")
        .collect();
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0].severity, Severity::Medium);
}

#[test]
fn gaps_are_records_that_aws_lost_and_actions_that_nobody_asked_for() {
    let with = |change: fn(LogHour<'static>) -> LogHour<'static>, hours: u32| -> Vec<_> {
        log("fl-1", 0..hours).into_iter().map(change).collect()
    };
    let detect = |logs: &[LogHour<'static>]| detect_with(&policy(""), None, &[], logs);
    check(
        &detect(&with(
            |log| LogHour {
                skip_data: 60,
                ..log
            },
            6,
        )),
        &[
            "coverage-gap: flow log fl-1 lacks records that AWS could not capture (SKIPDATA): 360 of 6360 lines are SKIPDATA; the limit is 5 %",
        ],
    );
    check(
        &detect(&with(
            |log| LogHour {
                rejects: false,
                ..log
            },
            6,
        )),
        &[
            "coverage-gap: flow log fl-1 tells of ACCEPT only: 6000 records in 6 hours, all of them ACCEPT: its traffic type seems not to be ALL",
        ],
    );
    check(
        &detect(&with(
            |log| LogHour {
                skip_data: 50,
                ..log
            },
            6,
        )),
        &[],
    );
    check(
        &detect(&with(
            |log| LogHour {
                rejects: false,
                ..log
            },
            5,
        )),
        &[],
    );
    let inside = |log| LogHour {
        rejects: false,
        is_exposed: false,
        ..log
    };
    check(&detect(&with(inside, 24)), &[]);
    let rejects_only = |log| LogHour {
        accepts: false,
        is_exposed: false,
        ..log
    };
    assert_eq!(detect(&with(rejects_only, 6)).len(), 1);
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
        let is_it = |known: &&crate::policy::Detecting| known.detector().name == detector.name;
        assert!(set.detecting().iter().any(|known| is_it(&known)));
        assert!(block.is_some_and(|block| block.contains(&format!("[detect.{}]", detector.name))));
    }
}
