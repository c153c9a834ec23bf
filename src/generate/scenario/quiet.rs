//! What is unusual and harmless on the day of every scenario: `policies/sec-003.toml` allows all of it, and nothing is to be
//! found of it. That a deployment replaces tasks, and which database answers, is the [`Roster`]'s.
//!
//! [`Roster`]: super::super::roster::Roster

use super::super::SLOT_SECS;
use super::super::connection::{Connection, End, Fate, ICMP, Route};
use super::super::fleet::Role;
use super::script::{Script, tcp};
use super::{SLOTS_PER_DAY, outside};

/// Writes all of it into the day.
pub(super) fn play_all(script: &mut Script<'_>) {
    for slot in 0..SLOTS_PER_DAY {
        for zone in 0..2 {
            health_check(script, slot, zone);
        }
    }
    failover(script);
    backup(script);
    administration(script);
}

/// A load balancer looks whether the other zone's ETL is well; once an hour it is told that a packet was too large.
fn health_check(script: &mut Script<'_>, slot: u32, zone: usize) {
    let start = script.at(0, 0) + slot * SLOT_SECS + 100;
    let client = script.client(Role::LoadBalancer, zone, 0);
    let server = script.on_duty(slot, Role::Etl, 1 - zone, 443);
    script.play(tcp(client, server, start, 2).moving(130, 210));
    if slot % 12 == 5 {
        script.play(icmp_error(server, client, start + 1));
    }
}

/// One end of a connection tells the other, by ICMP, that something is wrong with it.
fn icmp_error(from: End, to: End, at: u32) -> Connection {
    let (from, to) = (End { port: 0, ..from }, End { port: 0, ..to });
    Connection {
        protocol: ICMP,
        request: (1, 576),
        ..Connection::udp(from, to, (at, at))
    }
    .but(Fate::Delivered)
}

/// A database dies, and for four minutes the load balancers try it again and again: without an answer, or with a reset.
fn failover(script: &mut Script<'_>) {
    let begin = script.at(15, 0) + 20;
    for number in 0..30 {
        let client = script.client(Role::VectorLb, number % 2, 0);
        let server = script.server(Role::VectorDb, 0, 0, 443);
        let fate = if number % 5 == 4 {
            Fate::Refused
        } else {
            Fate::Unanswered
        };
        let start = begin + 8 * number as u32;
        script.play(tcp(client, server, start, 3).but(fate));
    }
}

/// The vector service writes its nightly snapshot into S3, through the gateway endpoint.
fn backup(script: &mut Script<'_>) {
    let client = script.client(Role::VectorService, 0, 0);
    let store = outside("192.0.2.70", 443).of("S3");
    let backup = tcp(client, store, script.at(2, 0) + 30, 1200)
        .moving(200_000_000, 400_000)
        .by(Route::GatewayEndpoint { code: 7 });
    script.play(backup);
}

/// Somebody administers two hosts, half an hour each, from the bastion of their zone.
fn administration(script: &mut Script<'_>) {
    for (role, number, minute) in [(Role::VectorService, 1, 5), (Role::Edge, 0, 40)] {
        let bastion = script.client(Role::Bastion, 0, 0);
        let host = script.server(role, 0, number, 22);
        let session = tcp(bastion, host, script.at(8, minute), 1800).moving(90_000, 400_000);
        script.play(session);
    }
}
