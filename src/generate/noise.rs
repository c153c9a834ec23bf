//! Noise from the internet: scanners, backscatter, and what NAT gateways record as accepted though nobody asked for it.
//!
//! None of it reaches a load balancer: what does is planted (`plant`), because the policy calls every attempt critical.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::connection::{Connection, End, Fate, GRE, ICMP, ICMPV6, Route, Straggler};
use super::fleet::Role;
use super::recorder::SYN_ACK;
use super::stage::Stage;

/// Ports that scanners like, of TCP.
const SCANNED: [u16; 14] = [
    22, 23, 25, 80, 443, 445, 1433, 3306, 3389, 5900, 6379, 8080, 8443, 9200,
];
/// Ports that scanners like, of UDP.
const PROBED: [u16; 6] = [53, 123, 161, 1900, 5060, 11211];

/// Something comes in that nobody asked for: one record.
pub(super) fn play(stage: &mut Stage<'_>) {
    let zone = stage.dice.below(2) as usize;
    let start = stage.from + stage.dice.between(0, 299);
    let times = (start, start);
    let (source, v6) = source(stage);
    let edge = stage.dice.pick(stage.fleet.hosts(Role::Edge, zone));
    let at = |port| End::inside(stage.fleet, edge, v6, port);
    let connection = match stage.dice.below(100) {
        // A NAT gateway lets in whatever comes, and drops it afterwards.
        0..30 if !v6 => {
            let gateway = stage.fleet.hosts(Role::Nat, zone)[0];
            let port = stage.dice.pick(&SCANNED);
            let server = End::inside(stage.fleet, gateway, false, port);
            Connection {
                request: (1, 44),
                ..Connection::tcp(source, server, times).but(Fate::Delivered)
            }
        }
        30..40 => {
            let port = stage.dice.pick(&PROBED);
            Connection::udp(source, at(port), times).but(Fate::RejectedByServer)
        }
        // Late or forged answers of UDP services.
        40..44 => {
            let source = End {
                port: stage.dice.pick(&[53, 123, 443]),
                ..source
            };
            let port = stage.dice.between(32768, 60999) as u16;
            Connection::udp(source, at(port), times).but(Fate::RejectedByServer)
        }
        44..48 => {
            let protocol = if v6 {
                ICMPV6
            } else {
                stage.dice.pick(&[ICMP, GRE])
            };
            let (client, server) = (End { port: 0, ..source }, at(0));
            Connection {
                protocol,
                ..Connection::udp(client, server, times)
            }
            .but(Fate::RejectedByServer)
        }
        // Scanners that come from a port of a service, to look like an answer.
        48..52 => {
            let server = at(stage.dice.between(1024, 65535) as u16);
            one_syn(
                End {
                    port: 443,
                    ..source
                },
                server,
                times,
            )
        }
        // Backscatter: somebody forged one of our addresses as the source of a SYN.
        52..56 => {
            let (client, server) = (
                at(stage.dice.between(1024, 65535) as u16),
                End { port: 80, ..source },
            );
            let connection = Connection::tcp(client, server, times).by(Route::InternetGateway);
            stage.stragglers.push(Straggler {
                connection,
                from_client: false,
                at: start,
                flags: SYN_ACK,
            });
            return;
        }
        _ => one_syn(source, at(stage.dice.pick(&SCANNED)), times),
    };
    // The second zone blocks public access altogether.
    let blocked_public_access = zone == 1 && connection.fate == Fate::RejectedByServer;
    stage.connections.push(Connection {
        blocked_public_access,
        ..connection.by(Route::InternetGateway)
    });
}

fn one_syn(client: End, server: End, times: (u32, u32)) -> Connection {
    Connection {
        request: (1, 44),
        ..Connection::tcp(client, server, times).but(Fate::RejectedByServer)
    }
}

/// An address on the internet that means no good, and whether it is IPv6.
fn source(stage: &mut Stage<'_>) -> (End, bool) {
    let port = stage.dice.between(1024, 65535) as u16;
    if stage.v6 {
        let host = stage.dice.between(1, 0xffff) as u16;
        let net = stage.dice.between(1, 40) as u16;
        return (
            End::outside(
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, net, 0, 0, 0, host)),
                port,
            ),
            true,
        );
    }
    // RFC 2544's range for benchmarks: as large as an internet provider's, and nobody's.
    let bits = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + stage.dice.between(1, 0xffff);
    (
        End::outside(IpAddr::V4(Ipv4Addr::from_bits(bits)), port),
        false,
    )
}
