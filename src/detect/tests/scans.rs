//! Scans, bursts, doors, logins: what many attempts of one client say.

use super::*;

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
fn targets_are_counted_exactly_whatever_their_order() {
    let mut many = ports(1..20_001, rejected(edge()));
    many.extend(ports(100..300, rejected(edge())));
    many.reverse();
    let found = detect("", &many);
    assert!(
        found[0].title.contains(" tried 20000 ports of "),
        "{}",
        found[0].title
    );
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
