//! What interfaces record of a connection: each its own direction and action, once per capture window.

use super::connection::{Connection, Fate, Life, Route, Straggler, TCP};
use super::fleet::{Fleet, Interface};
use super::leg::{Leg, legs};
use super::row::{Row, Status};

/// AWS aggregates over at most a minute on Nitro instances.
const WINDOW_SECS: u32 = 60;

/// Bits of `tcp-flags`. ACK is recorded with SYN only.
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// What a server's answer to a SYN shows.
pub(super) const SYN_ACK: u8 = SYN | ACK;

/// Turns connections into records.
pub(super) struct Recorder<'a> {
    pub fleet: &'a Fleet,
    /// Whether each interface has capture windows of its own, as in AWS; else all begin with the minute.
    pub staggered: bool,
}

/// The part of a connection in a capture window.
pub(super) struct Part {
    index: u64,
    count: u64,
    /// First packet, seconds since 1970.
    pub start: u32,
    /// Last packet, seconds since 1970.
    pub end: u32,
}

impl Part {
    /// This part's share of what a direction moved in all, packets and bytes.
    pub(super) fn share(&self, (packets, bytes): (u64, u64)) -> (u64, u64) {
        let share = |total: u64| {
            (total * (self.index + 1) / self.count - total * self.index / self.count).max(1)
        };
        let packets = share(packets);
        (packets, share(bytes).max(packets * 40))
    }
}

impl<'a> Recorder<'a> {
    /// Calls `emit` for every record of the connection: by interface and direction, each in the order of time.
    pub(super) fn record(&self, connection: &Connection, emit: &mut impl FnMut(Row<'a>)) {
        for leg in legs(self.fleet, connection) {
            let interface = &self.fleet.interfaces[leg.interface];
            for part in self.parts(interface, connection.start, connection.end) {
                emit(self.row(connection, &leg, &part));
            }
        }
    }

    /// Calls `emit` for the two records of a packet that comes after its connection is over.
    pub(super) fn record_straggler(&self, straggler: &Straggler, emit: &mut impl FnMut(Row<'a>)) {
        let Straggler {
            connection,
            from_client,
            at,
            flags,
        } = *straggler;
        let (sender, receiver) = match from_client {
            true => (connection.client, connection.server),
            false => (connection.server, connection.client),
        };
        for (end, egress) in [(sender, true), (receiver, false)] {
            let Some(index) = end.interface else { continue };
            let leg = Leg {
                interface: index,
                egress,
                is_request: from_client,
                src: (sender.addr, sender.port),
                dst: (receiver.addr, receiver.port),
                pkt_src: sender.addr,
                pkt_dst: receiver.addr,
                reject: !egress,
                path: egress.then_some(1),
                next_hop: if egress {
                    receiver.interface
                } else {
                    sender.interface
                },
            };
            let part = Part {
                index: 0,
                count: 1,
                start: at,
                end: at,
            };
            let late = Connection {
                request: (1, 52),
                reply: (1, 52),
                ..connection
            };
            emit(Row {
                flags,
                ..self.row(&late, &leg, &part)
            });
        }
    }

    fn row(&self, connection: &Connection, leg: &Leg, part: &Part) -> Row<'a> {
        let (packets, bytes) = part.share(if leg.is_request {
            connection.request
        } else {
            connection.reply
        });
        let (from, to) = match leg.is_request {
            true => (connection.client, connection.server),
            false => (connection.server, connection.client),
        };
        Row {
            status: Status::Ok,
            interface: &self.fleet.interfaces[leg.interface],
            egress: leg.egress,
            src: leg.src,
            dst: leg.dst,
            pkt_src: leg.pkt_src,
            pkt_dst: leg.pkt_dst,
            protocol: connection.protocol,
            packets,
            bytes,
            start: part.start,
            end: part.end,
            reject: leg.reject,
            flags: flags(connection, leg.is_request, part),
            path: leg.path,
            src_service: from.service,
            dst_service: to.service,
            next_hop: leg.next_hop.map(|hop| &self.fleet.interfaces[hop]),
            // Between instances of a VPC the hypervisor encrypts; what leaves is up to the application.
            encryption: if connection.route == Route::Local && !connection.plain {
                1
            } else {
                0
            },
            blocked_public_access: connection.blocked_public_access && leg.reject,
            version: 2,
        }
    }

    /// What falls into each of the interface's capture windows.
    fn parts(
        &self,
        interface: &Interface,
        start: u32,
        end: u32,
    ) -> impl Iterator<Item = Part> + use<> {
        let offset = if self.staggered {
            interface.v4.to_bits().wrapping_mul(2_654_435_761) % WINDOW_SECS
        } else {
            0
        };
        parts(offset, start, end)
    }
}

/// Cuts the time from first to last packet at the ends of capture windows that begin so many seconds after the minute.
pub(super) fn parts(offset: u32, start: u32, end: u32) -> impl Iterator<Item = Part> {
    let window_of = move |at: u32| (at - offset) / WINDOW_SECS;
    let first = window_of(start);
    let count = window_of(end) - first + 1;
    (0..count).map(move |index| {
        let opens = (first + index) * WINDOW_SECS + offset;
        let part_start = start.max(opens);
        Part {
            index: index.into(),
            count: count.into(),
            start: part_start,
            end: end.min(opens + WINDOW_SECS - 1),
        }
    })
}

/// The OR of the flags in a capture window.
pub(super) fn flags(connection: &Connection, is_request: bool, part: &Part) -> u8 {
    if connection.protocol != TCP {
        return 0;
    }
    let opening = if is_request { SYN } else { SYN_ACK };
    match connection.fate {
        Fate::Refused if !is_request => return RST,
        Fate::Established => {}
        _ => return opening,
    }
    if connection.life == Life::Middle {
        return 0;
    }
    let mut flags = 0;
    if part.index == 0 {
        flags |= opening;
    }
    if part.index + 1 == part.count {
        flags |= match (connection.life, is_request) {
            (Life::Reset, true) => RST,
            (Life::Reset, false) => 0,
            _ => FIN,
        };
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::super::connection::End;
    use super::super::fleet::{Role, Scale};
    use super::super::row::Line;
    use super::*;
    use crate::flow::Field;

    const SHOWN: [Field; 10] = [
        Field::Srcaddr,
        Field::Dstaddr,
        Field::PktSrcaddr,
        Field::PktDstaddr,
        Field::Srcport,
        Field::Dstport,
        Field::Action,
        Field::TcpFlags,
        Field::FlowDirection,
        Field::TrafficPath,
    ];

    fn fleet() -> Fleet {
        Fleet::new(Scale {
            etl: 2,
            vector_service: 2,
            worker: 2,
            vector_db: 2,
            warehouse: 2,
        })
    }

    fn check(fleet: &Fleet, connection: &Connection, expected: &[&str]) {
        let recorder = Recorder {
            fleet,
            staggered: false,
        };
        let mut lines = Vec::new();
        recorder.record(connection, &mut |row| {
            let mut line = Vec::new();
            for field in SHOWN {
                row.write(field, &mut line);
                line.push(b' ');
            }
            lines.push(String::from_utf8(line).expect("text").trim_end().to_owned());
        });
        assert_eq!(lines, expected);
    }

    /// From the first worker's port 40000 to the first warehouse's port 5432, in one capture window.
    fn query(fleet: &Fleet) -> Connection {
        let client = End::inside(fleet, fleet.hosts(Role::Worker, 0)[0], false, 40000);
        let server = End::inside(fleet, fleet.hosts(Role::Warehouse, 0)[0], false, 5432);
        Connection::tcp(client, server, (6000, 6030))
    }

    #[test]
    fn both_ends_record_both_directions() {
        let fleet = fleet();
        check(
            &fleet,
            &query(&fleet),
            &[
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 3 egress 1",
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 3 ingress -",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 ACCEPT 19 egress 1",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 ACCEPT 19 ingress -",
            ],
        );
    }

    #[test]
    fn the_client_accepts_what_the_server_rejects() {
        let fleet = fleet();
        check(
            &fleet,
            &query(&fleet).but(Fate::RejectedByServer),
            &[
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 2 egress 1",
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 REJECT 2 ingress -",
            ],
        );
    }

    #[test]
    fn a_network_acl_rejects_the_reply_of_an_accepted_request() {
        let fleet = fleet();
        check(
            &fleet,
            &query(&fleet).but(Fate::ReplyRejected),
            &[
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 2 egress 1",
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 2 ingress -",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 REJECT 18 egress 1",
            ],
        );
    }

    #[test]
    fn flags_of_a_long_connection_stand_in_its_first_and_last_window_only() {
        let fleet = fleet();
        let mut connection = query(&fleet);
        connection.end = connection.start + 130;
        connection.client.interface = None;
        check(
            &fleet,
            &connection,
            &[
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 2 ingress -",
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 0 ingress -",
                "10.0.36.4 10.0.68.4 10.0.36.4 10.0.68.4 40000 5432 ACCEPT 1 ingress -",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 ACCEPT 18 egress 1",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 ACCEPT 0 egress 1",
                "10.0.68.4 10.0.36.4 10.0.68.4 10.0.36.4 5432 40000 ACCEPT 1 egress 1",
            ],
        );
    }

    #[test]
    fn a_nat_gateway_records_four_legs() {
        let fleet = fleet();
        let gateway = fleet.hosts(Role::Nat, 0)[0];
        let mut connection = query(&fleet).by(Route::Nat {
            gateway,
            port: 2000,
        });
        connection.server = End::outside("198.51.100.7".parse().expect("an address"), 443);
        check(
            &fleet,
            &connection,
            &[
                "10.0.36.4 198.51.100.7 10.0.36.4 198.51.100.7 40000 443 ACCEPT 3 egress 1",
                "10.0.36.4 10.0.0.220 10.0.36.4 198.51.100.7 40000 443 ACCEPT 3 ingress -",
                "10.0.0.220 198.51.100.7 10.0.0.220 198.51.100.7 2000 443 ACCEPT 3 egress 8",
                "198.51.100.7 10.0.0.220 198.51.100.7 10.0.0.220 443 2000 ACCEPT 19 ingress -",
                "10.0.0.220 10.0.36.4 198.51.100.7 10.0.36.4 443 40000 ACCEPT 19 egress 1",
                "198.51.100.7 10.0.36.4 198.51.100.7 10.0.36.4 443 40000 ACCEPT 19 ingress -",
            ],
        );
    }

    #[test]
    fn a_transit_gateway_attachment_shows_its_own_address_towards_the_vpc() {
        let fleet = fleet();
        let attachment = fleet.hosts(Role::TransitGateway, 0)[0];
        let mut connection = query(&fleet).by(Route::TransitGateway { attachment });
        connection.client = End::outside("172.20.3.9".parse().expect("an address"), 40000);
        check(
            &fleet,
            &connection,
            &[
                "10.0.192.220 10.0.68.4 172.20.3.9 10.0.68.4 40000 5432 ACCEPT 3 egress 1",
                "172.20.3.9 10.0.68.4 172.20.3.9 10.0.68.4 40000 5432 ACCEPT 3 ingress -",
                "10.0.68.4 172.20.3.9 10.0.68.4 172.20.3.9 5432 40000 ACCEPT 19 egress 1",
                "10.0.68.4 10.0.192.220 10.0.68.4 172.20.3.9 5432 40000 ACCEPT 19 ingress -",
            ],
        );
    }
}
