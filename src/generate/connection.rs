//! A connection as it happened, before any interface recorded it.

use std::net::IpAddr;

use super::fleet::Fleet;

/// IANA numbers of the protocols that occur.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
pub(super) const GRE: u8 = 47;
pub(super) const ICMPV6: u8 = 58;

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub addr: IpAddr,
    pub port: u16,
    /// The index of its interface, if it has one in the fleet.
    pub interface: Option<usize>,
    /// The AWS service that the address belongs to, as records name it.
    pub service: Option<&'static str>,
}

impl End {
    /// An end at an interface of the fleet.
    pub(super) fn inside(fleet: &Fleet, interface: usize, v6: bool, port: u16) -> End {
        End {
            addr: fleet.interfaces[interface].addr(v6),
            port,
            interface: Some(interface),
            service: None,
        }
    }

    /// An end that no interface of the fleet has.
    pub(super) fn outside(addr: IpAddr, port: u16) -> End {
        End {
            addr,
            port,
            interface: None,
            service: None,
        }
    }

    /// The same end, as an address of this AWS service.
    pub(super) fn of(self, service: &'static str) -> End {
        End {
            service: Some(service),
            ..self
        }
    }
}

/// The way between the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Within the VPC.
    Local,
    /// One end is on the other side of the internet gateway.
    InternetGateway,
    /// From inside out through this NAT gateway, which sends from the port given.
    Nat { gateway: usize, port: u16 },
    /// Through a gateway endpoint; AWS's code is 7, and 2 in older records.
    GatewayEndpoint { code: u8 },
    /// Straight out of the VPC by another way, with AWS's code for it: 3 a virtual private gateway, 4 peering, 6 a local gateway.
    Straight { code: u8 },
    /// From outside in through the transit gateway, by this attachment's interface.
    TransitGateway { attachment: usize },
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Both directions flow.
    Established,
    /// The server's host answers with RST.
    Refused,
    /// The server's security group or network ACL stops the request; the client's interface let it go.
    RejectedByServer,
    /// The client's own security group or network ACL stops the request.
    RejectedByClient,
    /// The request is let in, and the network ACL of the server's subnet stops the reply.
    ReplyRejected,
    /// It arrives, and nobody answers.
    Delivered,
    /// It leaves, and nothing is known of it afterwards.
    Unanswered,
}

/// How much of a TCP connection's life falls into the time that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// From SYN to FIN.
    Whole,
    /// From SYN to RST by the client.
    Reset,
    /// It was open before and stays open: no flags at all.
    Middle,
}

/// A connection as it happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub client: End,
    pub server: End,
    pub protocol: u8,
    pub route: Route,
    pub fate: Fate,
    pub life: Life,
    /// First packet, seconds since 1970.
    pub start: u32,
    /// Last packet, seconds since 1970.
    pub end: u32,
    /// Packets and bytes from the client.
    pub request: (u64, u64),
    /// Packets and bytes from the server.
    pub reply: (u64, u64),
    /// Block Public Access is what rejects it.
    pub blocked_public_access: bool,
    /// Nothing encrypts it, although it stays within the VPC.
    pub plain: bool,
}

impl Connection {
    /// A TCP connection within the VPC that is established and closed; the fields are public to be changed.
    pub(super) fn tcp(client: End, server: End, (start, end): (u32, u32)) -> Connection {
        Connection {
            client,
            server,
            protocol: TCP,
            route: Route::Local,
            fate: Fate::Established,
            life: Life::Whole,
            start,
            end,
            request: (8, 1200),
            reply: (7, 4200),
            blocked_public_access: false,
            plain: false,
        }
    }

    /// The same over UDP, one packet each way.
    pub(super) fn udp(client: End, server: End, times: (u32, u32)) -> Connection {
        Connection {
            protocol: UDP,
            request: (1, 76),
            reply: (1, 76),
            ..Connection::tcp(client, server, times)
        }
    }

    /// The same on another way.
    pub(super) fn by(self, route: Route) -> Connection {
        Connection { route, ..self }
    }

    /// The same with another fate; what never came about moves the three packets of an unanswered SYN.
    pub(super) fn but(self, fate: Fate) -> Connection {
        let attempt = match (self.protocol, fate) {
            (_, Fate::Established | Fate::Delivered) => self.request,
            (TCP, Fate::Refused) => (1, 60),
            (TCP, _) => (3, 180),
            _ => self.request,
        };
        let reply = match fate {
            Fate::Established => self.reply,
            Fate::Refused => (1, 40),
            Fate::ReplyRejected if self.protocol == TCP => (3, 180),
            Fate::ReplyRejected => self.reply,
            _ => (0, 0),
        };
        Connection {
            fate,
            request: attempt,
            reply,
            ..self
        }
    }

    /// The same with this much sent and received, in bytes.
    pub(super) fn moving(self, sent: u64, received: u64) -> Connection {
        let packets = |bytes: u64| 4 + bytes / 1100;
        Connection {
            request: (packets(sent), sent + 320),
            reply: (packets(received), received + 280),
            ..self
        }
    }
}

/// What is recorded after a connection is over: a packet that one side's interface still sends and the other's rejects,
/// because it no longer knows the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Straggler {
    /// The connection that is over.
    pub connection: Connection,
    /// Whether the client sent it (after an idle time-out) or the server (after a close).
    pub from_client: bool,
    /// When, seconds since 1970.
    pub at: u32,
    /// `tcp-flags` of the packet: 0 for data, 1 for a late FIN, 4 for a late RST.
    pub flags: u8,
}
