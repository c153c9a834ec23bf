//! Which interfaces see a connection, and what stands in their records.
//!
//! Source: AWS, *Flow log record examples* (NAT gateway, transit gateway) and *Flow log limitations* in the VPC User Guide.
//! `srcaddr` and `dstaddr` are the hop, the `pkt-` fields the packet's own ends.

use std::net::IpAddr;

use super::connection::{Connection, Fate, Route};
use super::fleet::Fleet;

/// One direction of a connection at one interface.
#[derive(Clone, Copy)]
pub(super) struct Leg {
    /// The index of who reports.
    pub interface: usize,
    pub egress: bool,
    /// From client to server.
    pub is_request: bool,
    pub src: (IpAddr, u16),
    pub dst: (IpAddr, u16),
    pub pkt_src: IpAddr,
    pub pkt_dst: IpAddr,
    pub reject: bool,
    pub path: Option<u8>,
    pub next_hop: Option<usize>,
}

/// Every interface and direction that sees the connection.
pub(super) fn legs(fleet: &Fleet, connection: &Connection) -> Vec<Leg> {
    let Connection {
        client,
        server,
        route,
        fate,
        ..
    } = *connection;
    let has_reply = matches!(
        fate,
        Fate::Established | Fate::Refused | Fate::ReplyRejected
    );
    let direct = |interface: usize, egress: bool, is_request: bool| {
        let (from, to) = if is_request {
            (client, server)
        } else {
            (server, client)
        };
        Leg {
            interface,
            egress,
            is_request,
            src: (from.addr, from.port),
            dst: (to.addr, to.port),
            pkt_src: from.addr,
            pkt_dst: to.addr,
            reject: false,
            path: egress.then(|| way_out(route)),
            next_hop: next_hop(route, if egress { to.interface } else { from.interface }),
        }
    };
    let mut legs = Vec::with_capacity(8);
    let leaves = fate != Fate::RejectedByClient;
    let arrives = leaves && fate != Fate::Unanswered;
    let returns = has_reply && fate != Fate::ReplyRejected;

    if let Some(at) = client.interface {
        legs.push(Leg {
            reject: !leaves,
            ..direct(at, true, true)
        });
    }
    legs.extend(
        leaves
            .then(|| hops(fleet, connection, true))
            .into_iter()
            .flatten(),
    );
    if let Some(at) = server.interface.filter(|_| arrives) {
        legs.push(Leg {
            reject: fate == Fate::RejectedByServer,
            ..direct(at, false, true)
        });
    }
    if let Some(at) = server.interface.filter(|_| has_reply) {
        legs.push(Leg {
            reject: !returns,
            ..direct(at, true, false)
        });
    }
    legs.extend(
        returns
            .then(|| hops(fleet, connection, false))
            .into_iter()
            .flatten(),
    );
    if let Some(at) = client.interface.filter(|_| returns) {
        legs.push(direct(at, false, false));
    }
    legs
}

/// What the interfaces on the way record of a direction.
fn hops(fleet: &Fleet, connection: &Connection, is_request: bool) -> Vec<Leg> {
    let Connection {
        client,
        server,
        route,
        ..
    } = *connection;
    let (from, to) = if is_request {
        (client, server)
    } else {
        (server, client)
    };
    let plain = |interface: usize, egress: bool, src: (IpAddr, u16), dst: (IpAddr, u16)| Leg {
        interface,
        egress,
        is_request,
        src,
        dst,
        pkt_src: src.0,
        pkt_dst: dst.0,
        reject: false,
        path: None,
        next_hop: None,
    };
    match route {
        Route::Local
        | Route::InternetGateway
        | Route::GatewayEndpoint { .. }
        | Route::Straight { .. } => Vec::new(),
        Route::Nat { gateway, port } => {
            let addr = fleet.interfaces[gateway].addr(false);
            let inner = client.interface;
            if is_request {
                vec![
                    Leg {
                        pkt_dst: to.addr,
                        next_hop: inner,
                        ..plain(gateway, false, (from.addr, from.port), (addr, to.port))
                    },
                    Leg {
                        path: Some(8),
                        ..plain(gateway, true, (addr, port), (to.addr, to.port))
                    },
                ]
            } else {
                vec![
                    plain(gateway, false, (from.addr, from.port), (addr, port)),
                    Leg {
                        pkt_src: from.addr,
                        path: Some(1),
                        next_hop: inner,
                        ..plain(gateway, true, (addr, from.port), (to.addr, to.port))
                    },
                ]
            }
        }
        Route::TransitGateway { attachment } => {
            let addr = fleet.interfaces[attachment].addr(false);
            let leg = if is_request {
                Leg {
                    pkt_src: from.addr,
                    path: Some(1),
                    next_hop: to.interface,
                    ..plain(attachment, true, (addr, from.port), (to.addr, to.port))
                }
            } else {
                Leg {
                    pkt_dst: to.addr,
                    next_hop: from.interface,
                    ..plain(attachment, false, (from.addr, from.port), (addr, to.port))
                }
            };
            vec![leg]
        }
    }
}

/// `traffic-path` of what leaves an end's interface.
fn way_out(route: Route) -> u8 {
    match route {
        Route::Local | Route::Nat { .. } | Route::TransitGateway { .. } => 1,
        Route::InternetGateway => 8,
        Route::GatewayEndpoint { code } | Route::Straight { code } => code,
    }
}

/// The neighbour of an end's interface.
fn next_hop(route: Route, other: Option<usize>) -> Option<usize> {
    match route {
        Route::Local => other,
        Route::Nat { gateway, .. } => Some(gateway),
        Route::TransitGateway { attachment } => Some(attachment),
        Route::InternetGateway | Route::GatewayEndpoint { .. } | Route::Straight { .. } => None,
    }
}
