//! A record as AWS writes it: what one interface saw of one direction in one capture window, and how each field is written.

use std::io::Write;
use std::net::IpAddr;

use super::fleet::{Interface, Vpc};
use crate::flow::Field;

/// Something that has a text for every field of a layout.
pub(super) trait Line {
    /// Appends the field's text, `-` where there is none.
    fn write(&self, field: Field, out: &mut Vec<u8>);
}

/// Whether a line holds a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// A record.
    Ok,
    /// No traffic in the capture window.
    NoData,
    /// Records were lost inside AWS.
    SkipData,
}

/// A line of a VPC flow log.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub status: Status,
    /// Who reports.
    pub interface: &'a Interface,
    pub egress: bool,
    pub src: (IpAddr, u16),
    pub dst: (IpAddr, u16),
    pub pkt_src: IpAddr,
    pub pkt_dst: IpAddr,
    pub protocol: u8,
    pub packets: u64,
    pub bytes: u64,
    pub start: u32,
    pub end: u32,
    pub reject: bool,
    pub flags: u8,
    /// `traffic-path`, of egress records only.
    pub path: Option<u8>,
    pub src_service: Option<&'static str>,
    pub dst_service: Option<&'static str>,
    /// The interface at the next hop, where it is one of the same VPC.
    pub next_hop: Option<&'a Interface>,
    pub encryption: u8,
    pub blocked_public_access: bool,
    /// The highest version among the fields of the log.
    pub version: u8,
}

impl<'a> Row<'a> {
    /// A line without a record.
    pub(super) fn status(
        interface: &'a Interface,
        status: Status,
        start: u32,
        end: u32,
    ) -> Row<'a> {
        let addr = interface.addr(false);
        Row {
            status,
            interface,
            egress: false,
            src: (addr, 0),
            dst: (addr, 0),
            pkt_src: addr,
            pkt_dst: addr,
            protocol: 0,
            packets: 0,
            bytes: 0,
            start,
            end,
            reject: false,
            flags: 0,
            path: None,
            src_service: None,
            dst_service: None,
            next_hop: None,
            encryption: 0,
            blocked_public_access: false,
            version: 2,
        }
    }
}

/// The cluster that every task runs in.
const CLUSTER: &str = "pipeline";

impl Line for Row<'_> {
    fn write(&self, field: Field, out: &mut Vec<u8>) {
        let interface = self.interface;
        match field {
            Field::Version => number(out, self.version.into()),
            Field::AccountId => text(out, &interface.account),
            Field::InterfaceId => text(out, &interface.id),
            Field::Start => number(out, self.start.into()),
            Field::End => number(out, self.end.into()),
            Field::LogStatus => text(
                out,
                match self.status {
                    Status::Ok => "OK",
                    Status::NoData => "NODATA",
                    Status::SkipData => "SKIPDATA",
                },
            ),
            Field::VpcId => text(out, &interface.vpc.id),
            Field::SubnetId => text(out, &interface.subnet),
            Field::InstanceId => optional(out, interface.instance.as_deref()),
            Field::Region => text(out, &interface.vpc.region),
            Field::AzId => text(out, &interface.az),
            Field::InterfaceType => optional(out, interface.interface_type()),
            Field::EcsClusterArn
            | Field::EcsClusterName
            | Field::EcsContainerId
            | Field::EcsServiceName
            | Field::EcsTaskDefinitionArn
            | Field::EcsTaskArn
            | Field::EcsTaskId => self.write_task(field, out),
            Field::InstanceTag => optional(
                out,
                interface.instance.as_ref().map(|_| match interface.zone {
                    0 => "prod",
                    // A space, as AWS writes it.
                    _ => "prod%20dr",
                }),
            ),
            Field::AsgTag => optional(out, interface.scaling_group()),
            // Nothing of the packet is known of a line without a record.
            _ if self.status != Status::Ok => out.push(b'-'),
            Field::Srcaddr => address(out, self.src.0),
            Field::Dstaddr => address(out, self.dst.0),
            Field::Srcport => number(out, self.src.1.into()),
            Field::Dstport => number(out, self.dst.1.into()),
            Field::Protocol => number(out, self.protocol.into()),
            Field::Packets => number(out, self.packets),
            // AWS leaves the size out of what Block Public Access rejects.
            Field::Bytes if self.blocked_public_access => out.push(b'-'),
            Field::Bytes => number(out, self.bytes),
            Field::Action => text(out, if self.reject { "REJECT" } else { "ACCEPT" }),
            Field::TcpFlags => number(out, self.flags.into()),
            Field::Type => text(
                out,
                if self.pkt_src.is_ipv4() {
                    "IPv4"
                } else {
                    "IPv6"
                },
            ),
            Field::PktSrcaddr => address(out, self.pkt_src),
            Field::PktDstaddr => address(out, self.pkt_dst),
            Field::PktSrcAwsService => optional(out, self.src_service),
            Field::PktDstAwsService => optional(out, self.dst_service),
            Field::FlowDirection => text(out, if self.egress { "egress" } else { "ingress" }),
            Field::TrafficPath => match self.path {
                Some(code) => number(out, code.into()),
                None => out.push(b'-'),
            },
            Field::RejectReason => optional(out, self.blocked_public_access.then_some("BPA")),
            Field::EncryptionStatus => number(out, self.encryption.into()),
            Field::NextHopInterfaceId => optional(out, self.next_hop.map(|hop| hop.id.as_str())),
            Field::NextHopSubnetId => optional(out, self.next_hop.map(|hop| &*hop.subnet)),
            Field::NextHopAzId => optional(out, self.next_hop.map(|hop| &*hop.az)),
            Field::NextHopVpcId => optional(out, self.next_hop.map(|hop| &*hop.vpc.id)),
            Field::NextHopInterfaceType => {
                optional(out, self.next_hop.and_then(Interface::interface_type))
            }
            _ => out.push(b'-'),
        }
    }
}

impl Row<'_> {
    fn write_task(&self, field: Field, out: &mut Vec<u8>) {
        let Some(service) = self.interface.ecs_service else {
            out.push(b'-');
            return;
        };
        // The digits of the interface's id are as good as those of a task.
        let task = self.interface.id.trim_start_matches("eni-");
        let Vpc {
            account, region, ..
        } = &*self.interface.vpc;
        let arn = format!("arn:aws:ecs:{region}:{account}");
        let value = match field {
            Field::EcsClusterArn => format!("{arn}:cluster/{CLUSTER}"),
            Field::EcsClusterName => CLUSTER.to_owned(),
            Field::EcsServiceName => service.to_owned(),
            Field::EcsTaskDefinitionArn => format!("{arn}:task-definition/{service}:7"),
            Field::EcsTaskArn => format!("{arn}:task/{CLUSTER}/{task}"),
            _ => task.to_owned(),
        };
        text(out, &value);
    }
}

/// Appends a decimal number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends an address; IPv6 in its short form.
pub(super) fn address(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => {
            for (index, octet) in addr.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                number(out, octet.into());
            }
        }
        IpAddr::V6(addr) => write!(out, "{addr}").expect("writing to memory does not fail"),
    }
}

/// Appends a text.
pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(value.as_bytes());
}

/// Appends a text, or `-` where there is none.
pub(super) fn optional(out: &mut Vec<u8>, value: Option<&str>) {
    text(out, value.unwrap_or("-"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn numbers_and_addresses_are_written_as_the_standard_library_does() {
        for value in [0, 7, 10, 4_294_967_296, u64::MAX] {
            check(|out| number(out, value), &value.to_string());
        }
        for addr in [
            "10.0.33.4",
            "255.255.255.255",
            "2600:1f16:abcd:ef01:33::4",
            "::1",
        ] {
            check(|out| address(out, addr.parse().expect("an address")), addr);
        }
        check(|out| optional(out, None), "-");
    }
}
