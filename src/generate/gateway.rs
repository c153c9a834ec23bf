//! What a transit gateway logs: connections from the operators' VPN, one line a direction, with no action.
//!
//! Source: AWS, *Transit Gateway Flow Log records*: the default format is all fields of versions 2 to 6.

use super::connection::{Connection, Route};
use super::fleet::{Fleet, Interface, PROD, REGION};
use super::recorder::{Part, flags, parts};
use super::row::{Line, address, number, optional, text};
use crate::flow::Field;

const GATEWAY: &str = "tgw-0d2b7c4e9f1a63850";
const VPC_ATTACHMENT: &str = "tgw-attach-0a1b5d9e3c7f24680";
const VPN_ATTACHMENT: &str = "tgw-attach-0f8e6a2c4b1d97530";
const IDLE_ATTACHMENT: &str = "tgw-attach-05c9d1b7e3a64f028";

/// The default format, in AWS's order.
pub(super) const FIELDS: [Field; 36] = [
    Field::Version,
    Field::ResourceType,
    Field::AccountId,
    Field::TgwId,
    Field::TgwAttachmentId,
    Field::TgwSrcVpcAccountId,
    Field::TgwDstVpcAccountId,
    Field::TgwSrcVpcId,
    Field::TgwDstVpcId,
    Field::TgwSrcSubnetId,
    Field::TgwDstSubnetId,
    Field::TgwSrcEni,
    Field::TgwDstEni,
    Field::TgwSrcAzId,
    Field::TgwDstAzId,
    Field::TgwPairAttachmentId,
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::LogStatus,
    Field::Type,
    Field::PacketsLostNoRoute,
    Field::PacketsLostBlackhole,
    Field::PacketsLostMtuExceeded,
    Field::PacketsLostTtlExpired,
    Field::TcpFlags,
    Field::Region,
    Field::FlowDirection,
    Field::PktSrcAwsService,
    Field::PktDstAwsService,
];

/// A line of a transit gateway flow log.
pub(super) struct GatewayRow<'a> {
    connection: Connection,
    is_request: bool,
    part: Part,
    /// The interface of the VPC's attachment.
    attachment: &'a Interface,
}

/// The lines of a connection that came through the transit gateway; none of any other.
pub(super) fn lines<'a>(fleet: &'a Fleet, connection: &Connection) -> Vec<GatewayRow<'a>> {
    let Route::TransitGateway { attachment } = connection.route else {
        return Vec::new();
    };
    let attachment = &fleet.interfaces[attachment];
    let line = |is_request, part| GatewayRow {
        connection: *connection,
        is_request,
        part,
        attachment,
    };
    let direction = |is_request| {
        parts(0, connection.start, connection.end).map(move |part| line(is_request, part))
    };
    let has_reply = connection.reply.0 > 0;
    direction(true)
        .chain(direction(false).filter(|_| has_reply))
        .collect()
}

impl GatewayRow<'_> {
    /// When the last packet passed.
    pub(super) fn end(&self) -> u32 {
        self.part.end
    }

    /// A fact of the VPC's side: it is the destination of requests and the source of replies.
    fn vpc_side(&self, is_source: bool, fact: &str, out: &mut Vec<u8>) {
        optional(out, (is_source != self.is_request).then_some(fact));
    }
}

impl Line for GatewayRow<'_> {
    fn write(&self, field: Field, out: &mut Vec<u8>) {
        let Connection {
            client,
            server,
            request,
            reply,
            ..
        } = self.connection;
        let (from, to) = if self.is_request {
            (client, server)
        } else {
            (server, client)
        };
        let (packets, bytes) = self
            .part
            .share(if self.is_request { request } else { reply });
        let (own, pair) = if self.is_request {
            (VPN_ATTACHMENT, VPC_ATTACHMENT)
        } else {
            (VPC_ATTACHMENT, VPN_ATTACHMENT)
        };
        match field {
            Field::Version => number(out, 6),
            Field::ResourceType => text(out, "TransitGateway"),
            Field::AccountId => text(out, &PROD.account),
            Field::TgwId => text(out, GATEWAY),
            Field::TgwAttachmentId => text(out, own),
            Field::TgwPairAttachmentId => text(out, pair),
            Field::TgwSrcVpcAccountId => self.vpc_side(true, &PROD.account, out),
            Field::TgwDstVpcAccountId => self.vpc_side(false, &PROD.account, out),
            Field::TgwSrcVpcId => self.vpc_side(true, &PROD.id, out),
            Field::TgwDstVpcId => self.vpc_side(false, &PROD.id, out),
            Field::TgwSrcSubnetId => self.vpc_side(true, &self.attachment.subnet, out),
            Field::TgwDstSubnetId => self.vpc_side(false, &self.attachment.subnet, out),
            Field::TgwSrcEni => self.vpc_side(true, &self.attachment.id, out),
            Field::TgwDstEni => self.vpc_side(false, &self.attachment.id, out),
            Field::TgwSrcAzId => self.vpc_side(true, &self.attachment.az, out),
            Field::TgwDstAzId => self.vpc_side(false, &self.attachment.az, out),
            Field::Srcaddr => address(out, from.addr),
            Field::Dstaddr => address(out, to.addr),
            Field::Srcport => number(out, from.port.into()),
            Field::Dstport => number(out, to.port.into()),
            Field::Protocol => number(out, self.connection.protocol.into()),
            Field::Packets => number(out, packets),
            Field::Bytes => number(out, bytes),
            Field::Start => number(out, self.part.start.into()),
            Field::End => number(out, self.end().into()),
            Field::LogStatus => text(out, "OK"),
            Field::Type => text(out, "IPv4"),
            Field::PacketsLostNoRoute
            | Field::PacketsLostBlackhole
            | Field::PacketsLostMtuExceeded
            | Field::PacketsLostTtlExpired => number(out, 0),
            Field::TcpFlags => number(
                out,
                flags(&self.connection, self.is_request, &self.part).into(),
            ),
            Field::Region => text(out, REGION),
            // As the gateway sees it: every line is written where the traffic enters.
            Field::FlowDirection => text(out, "ingress"),
            _ => out.push(b'-'),
        }
    }
}

/// A line that says that an attachment had no traffic.
pub(super) struct IdleRow {
    /// When the capture window began, seconds.
    pub start: u32,
}

impl Line for IdleRow {
    fn write(&self, field: Field, out: &mut Vec<u8>) {
        match field {
            Field::Version => number(out, 6),
            Field::ResourceType => text(out, "TransitGateway"),
            Field::AccountId => text(out, &PROD.account),
            Field::TgwId => text(out, GATEWAY),
            Field::TgwAttachmentId => text(out, IDLE_ATTACHMENT),
            Field::Start => number(out, self.start.into()),
            Field::End => number(out, (self.start + 59).into()),
            Field::LogStatus => text(out, "NODATA"),
            Field::Region => text(out, REGION),
            _ => out.push(b'-'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::End;
    use super::super::fleet::{Role, Scale};
    use super::*;

    #[test]
    fn the_vpc_is_the_destination_of_requests_and_the_source_of_replies() {
        let fleet = Fleet::new(Scale {
            etl: 1,
            vector_service: 1,
            worker: 1,
            vector_db: 1,
            warehouse: 1,
        });
        let attachment = fleet.hosts(Role::TransitGateway, 0)[0];
        let bastion = fleet.hosts(Role::Bastion, 0)[0];
        let client = End::outside("172.20.3.9".parse().expect("an address"), 50000);
        let connection =
            Connection::tcp(client, End::inside(&fleet, bastion, false, 443), (60, 90))
                .by(Route::TransitGateway { attachment });
        let shown: Vec<String> = lines(&fleet, &connection)
            .iter()
            .map(|line| {
                let mut out = Vec::new();
                for field in [
                    Field::TgwSrcVpcId,
                    Field::TgwDstVpcId,
                    Field::Srcaddr,
                    Field::Dstport,
                    Field::TcpFlags,
                ] {
                    line.write(field, &mut out);
                    out.push(b' ');
                }
                String::from_utf8(out).expect("text")
            })
            .collect();
        assert_eq!(
            shown,
            [
                "- vpc-0a1b2c3d4e5f60718 172.20.3.9 443 3 ",
                "vpc-0a1b2c3d4e5f60718 - 10.0.192.20 50000 19 "
            ]
        );
    }
}
