//! Attacks within the VPC: what a host does that somebody else commands.

use std::net::Ipv4Addr;

use super::super::connection::{Connection, Fate};
use super::super::fleet::Role;
use super::script::{Script, tcp};

/// At 10:00 a worker tries 60 ports of a warehouse, which rejects all but three; those are closed.
pub(super) fn port_scan(script: &mut Script<'_>) {
    let begin = script.at(10, 0);
    let mut probes = Vec::new();
    for number in 0..60_u16 {
        let client = script.client(Role::Worker, 0, 1);
        let server = script.server(Role::Warehouse, 0, 1, 21 + 151 * number);
        let fate = if number % 20 == 10 {
            Fate::Refused
        } else {
            Fate::RejectedByServer
        };
        let start = begin + 9 * u32::from(number);
        probes.push(tcp(client, server, start, 2).but(fate));
    }
    let planted = script.attack("a worker scans a warehouse's ports", "", &probes);
    planted.server_port = None;
}

/// At 11:00 a worker tries port 5432 of 40 addresses of data: four have a host, which rejects it.
pub(super) fn host_sweep(script: &mut Script<'_>) {
    let begin = script.at(11, 0);
    let mut probes = Vec::new();
    for number in 0..40_u8 {
        let client = script.client(Role::Worker, 0, 3);
        let addr = Ipv4Addr::new(10, 0, 68, number + 1);
        let server = script.at_address(addr, 5432);
        let fate = match server.interface {
            Some(_) => Fate::RejectedByServer,
            None => Fate::Unanswered,
        };
        let start = begin + 14 * u32::from(number);
        probes.push(tcp(client, server, start, 2).but(fate));
    }
    let planted = script.attack("a worker looks for databases", "", &probes);
    planted.server = String::new();
}

/// At 09:00 a task of ETL is turned away 300 times by a warehouse.
pub(super) fn denied_burst(script: &mut Script<'_>) {
    let begin = script.at(9, 0);
    let mut attempts = Vec::new();
    for number in 0..300_u32 {
        let client = script.client(Role::Etl, 1, 0);
        let server = script.server(Role::Warehouse, 1, 0, 5432);
        let attempt = tcp(client, server, begin + 2 * number, 1);
        attempts.push(attempt.but(Fate::RejectedByServer));
    }
    script.attack(
        "a warehouse turns a task away again and again",
        "",
        &attempts,
    );
}

/// At 20:10 the bastion administers a time server: the policy allows it, and it happens at no other time.
pub(super) fn first_seen(script: &mut Script<'_>) {
    let bastion = script.client(Role::Bastion, 0, 0);
    let server = script.server(Role::TimeServer, 0, 0, 22);
    let session = tcp(bastion, server, script.at(20, 10) + 30, 200).moving(9_000, 30_000);
    script.attack("the bastion administers a time server", "", &[session]);
}

/// An instance of the vector service asks the internal load balancer.
fn search(script: &mut Script<'_>, start: u32, seconds: u32) -> Connection {
    let client = script.client(Role::VectorService, 0, 1);
    let server = script.server(Role::VectorLb, 0, 0, 443);
    tcp(client, server, start, seconds)
}

/// From 13:00 to 14:00 an instance of the vector service reads 6 GB through the internal load balancer, and a little in
/// every other hour.
pub(super) fn data_pull(script: &mut Script<'_>) {
    for hour in (0..24_u32).filter(|&hour| hour != 13) {
        let start = script.at(hour, 31) + 10;
        let little = search(script, start, 20).moving(4_000, 60_000 + 1_000 * u64::from(hour));
        script.play(little);
    }
    let mut pulls = Vec::new();
    for number in 0..6 {
        let start = script.at(13, 1 + 10 * number);
        pulls.push(search(script, start, 410).moving(600_000, 1_000_000_000));
    }
    script.attack("the vector service reads far more than it does", "", &pulls);
}

/// From 16:00 a worker tries ssh at 15 hosts within half an hour: five let it in, five are closed, five reject it.
pub(super) fn lateral_fanout(script: &mut Script<'_>) {
    let hosts = [
        (Role::Worker, 1..6_usize),
        (Role::Etl, 0..3),
        (Role::VectorService, 0..2),
        (Role::Warehouse, 0..3),
        (Role::Edge, 0..2),
    ];
    let mut start = script.at(16, 0);
    let mut tries = Vec::new();
    for (role, numbers) in hosts {
        for number in numbers {
            let client = script.client(Role::Worker, 0, 0);
            let server = script.server(role, 0, number, 22);
            tries.push(match tries.len() % 3 {
                0 => tcp(client, server, start, 40).moving(5_000, 9_000),
                1 => tcp(client, server, start, 0).but(Fate::Refused),
                _ => tcp(client, server, start, 2).but(Fate::RejectedByServer),
            });
            start += 110;
        }
    }
    let planted = script.attack("a worker tries ssh at many hosts", "", &tries);
    planted.server = String::new();
}

/// From 19:00 a worker opens 80 short ssh sessions to a warehouse within 20 minutes.
pub(super) fn credential_guessing(script: &mut Script<'_>) {
    let begin = script.at(19, 0) + 2;
    let mut sessions = Vec::new();
    for number in 0..80_u32 {
        let client = script.client(Role::Worker, 0, 3);
        let server = script.server(Role::Warehouse, 0, 3, 22);
        sessions.push(Connection {
            request: (12, 2200),
            reply: (12, 2200),
            ..tcp(client, server, begin + 15 * number, 4)
        });
    }
    script.attack("a worker guesses passwords of a warehouse", "", &sessions);
}
