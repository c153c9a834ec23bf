//! Attacks across the VPC's border: what comes in, and what goes out.

use super::super::connection::{Connection, End, Fate, ICMP, Route};
use super::super::fleet::Role;
use super::outside;
use super::script::{Script, tcp};

/// The watch list that goes with the logs.
pub(in crate::generate) const WATCHLIST: &str = "\
# Addresses from which attackers are known to command their tools.
198.19.203.0/28
";

/// A client on the internet, each time another one, tries a port of an instance in public. The ordinary scanners do not try
/// this port, or they would still be rejected when it is open.
fn knock(script: &mut Script<'_>, hour: u32, third: u32, seconds: u32) -> Connection {
    let addr = format!("198.18.60.{}", 1 + 3 * hour + third);
    let client = outside(&addr, script.port());
    let server = script.server(Role::Edge, 0, 2, 8888);
    let start = script.at(hour, 7 + 20 * third);
    tcp(client, server, start, seconds).by(Route::InternetGateway)
}

/// An instance in public rejects clients on the internet from 01:00 to 11:00, three an hour, and lets such clients in from
/// 14:00.
pub(super) fn exposure_opened(script: &mut Script<'_>) {
    for hour in 1..11 {
        for third in 0..3 {
            let closed = knock(script, hour, third, 3).but(Fate::RejectedByServer);
            script.play(closed);
        }
    }
    let mut open = Vec::new();
    for hour in 14..23 {
        for third in 0..3 {
            open.push(knock(script, hour, third, 20));
        }
    }
    script.attack(
        "a port that was closed is open to the internet",
        "internet",
        &open,
    );
}

/// At 09:00 a client on the internet is rejected at eight ports of two instances in public, and at 09:20 one lets it in.
pub(super) fn probe_then_success(script: &mut Script<'_>) {
    const PROBED: [u16; 8] = [22, 21, 23, 80, 3389, 5900, 8080, 8443];
    let begin = script.at(9, 0) + 10;
    for (number, port) in PROBED.into_iter().enumerate() {
        let client = outside("198.18.99.9", script.port());
        let server = script.server(Role::Edge, 0, number % 2, port);
        let probe = tcp(client, server, begin + 4 * number as u32, 2)
            .by(Route::InternetGateway)
            .but(Fate::RejectedByServer);
        script.play(probe);
    }
    let client = outside("198.18.99.9", script.port());
    let server = script.server(Role::Edge, 0, 1, 22);
    let success = tcp(client, server, script.at(9, 20) + 30, 150)
        .by(Route::InternetGateway)
        .moving(8_000, 24_000);
    script.attack("who was turned away gets in", "internet", &[success]);
}

/// A connection of a worker of the first zone to a server outside, through NAT.
fn way_out(script: &mut Script<'_>, worker: usize, server: End, time: (u32, u32)) -> Connection {
    let client = script.client(Role::Worker, 0, worker);
    let (start, seconds) = time;
    tcp(client, server, start, seconds).by(script.nat(0))
}

/// From 14:00 to 15:00 a worker sends 6 GB to a package repository, and a little in every other hour.
pub(super) fn egress_volume(script: &mut Script<'_>) {
    let repository = outside("198.51.100.20", 443);
    for hour in (0..24_u32).filter(|&hour| hour != 14) {
        let time = (script.at(hour, 21) + 10, 30);
        let little = way_out(script, 2, repository, time);
        script.play(little.moving(30_000 + 1_000 * u64::from(hour), 250_000));
    }
    let mut much = Vec::new();
    for number in 0..6 {
        let time = (script.at(14, 1 + 10 * number), 410);
        much.push(way_out(script, 2, repository, time).moving(1_000_000_000, 2_000_000));
    }
    script.attack(
        "a worker sends far more than it does",
        "package-repos",
        &much,
    );
}

/// From 00:10 to 23:50 a worker calls the same address every ten minutes, give or take 20 seconds.
pub(super) fn beacon(script: &mut Script<'_>) {
    let mut calls = Vec::new();
    for number in 0..143_u32 {
        let jitter = number * 7919 % 41;
        let start = script.at(0, 10) + 600 * number + jitter - 20;
        let call = way_out(script, 4, outside("198.19.200.10", 443), (start, 0));
        calls.push(Connection {
            request: (6, 1_200 + 8 * u64::from(number % 5)),
            reply: (5, 900),
            ..call
        });
    }
    script.attack("a worker calls home", "198.19.200.0/24", &calls);
}

/// From 06:00 a worker keeps one connection for nine hours, with a few packets in every capture window.
pub(super) fn long_session(script: &mut Script<'_>) {
    let time = (script.at(6, 0) + 30, 9 * 3600);
    let session = way_out(script, 5, outside("198.19.201.10", 443), time);
    let session = Connection {
        request: (1_100, 160_000),
        reply: (1_100, 140_000),
        ..session
    };
    script.attack(
        "a worker keeps a connection open",
        "198.19.201.0/24",
        &[session],
    );
}

/// All day a worker asks a resolver outside, 20 times in the clear and three times over TLS.
pub(super) fn dns_bypass(script: &mut Script<'_>) {
    let mut queries = Vec::new();
    for number in 0..20 {
        let client = script.client(Role::Worker, 0, 1);
        let start = script.at(0, 25 + 70 * number);
        let query = Connection {
            request: (1, 70),
            reply: (1, 210),
            ..Connection::udp(client, outside("198.19.53.53", 53), (start, start))
        };
        queries.push(query.by(script.nat(0)));
    }
    script.attack(
        "a worker asks a resolver outside",
        "198.19.53.0/24",
        &queries,
    );
    let mut queries = Vec::new();
    for hour in [8, 12, 16] {
        let time = (script.at(hour, 10), 2);
        queries.push(way_out(script, 1, outside("198.19.53.54", 853), time));
    }
    script.attack(
        "a worker asks a resolver outside over TLS",
        "198.19.53.0/24",
        &queries,
    );
}

/// From 17:00 a worker sends 30 MB in pings within an hour, and is answered.
pub(super) fn tunnel(script: &mut Script<'_>) {
    let client = script.server(Role::Worker, 0, 2, 0);
    let gateway = script.gateway(0);
    let start = script.at(17, 0) + 30;
    let pings = Connection {
        protocol: ICMP,
        request: (24_000, 30_000_000),
        reply: (24_000, 3_000_000),
        ..tcp(client, outside("198.19.202.10", 0), start, 3300)
    };
    // ICMP has no ports.
    let pings = pings.by(Route::Nat { gateway, port: 0 });
    script.attack(
        "a worker hides traffic in pings",
        "198.19.202.0/24",
        &[pings],
    );
}

/// A worker calls an address on the watch list three times.
pub(super) fn watchlist(script: &mut Script<'_>) {
    let mut calls = Vec::new();
    for (hour, minute) in [(7, 16), (12, 46), (18, 31)] {
        let time = (script.at(hour, minute), 30);
        calls.push(way_out(script, 0, outside("198.19.203.10", 443), time));
    }
    script.attack(
        "a worker calls an address on a watch list",
        "198.19.203.0/24",
        &calls,
    );
}
