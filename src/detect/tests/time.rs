//! Rhythms, volumes, what lasts, and what is new: what a day or a baseline says.

use super::*;

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
            "egress-volume: app 10.0.1.1 sent 1024 MiB out in an hour, usually 1 MiB: 1024 MiB in an hour, over a thousand robust deviations above the median of 1 MiB by the other hours of the day",
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
        "app 10.0.1.1 read 1024 MiB from data in an hour, usually 1 MiB"
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
