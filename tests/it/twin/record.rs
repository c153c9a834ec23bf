//! Records as plain data, printed as lines of a flow log in a given layout: the program reads the lines, the twin the
//! data, and of the data only what the layout shows.

use std::net::{IpAddr, Ipv6Addr};

/// The fields of a record that judgement depends on. None prints as `-`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinRecord {
    pub account: Option<String>,
    pub interface: Option<String>,
    pub srcaddr: Option<IpAddr>,
    pub dstaddr: Option<IpAddr>,
    pub srcport: Option<u16>,
    pub dstport: Option<u16>,
    pub protocol: Option<u8>,
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    pub start: Option<u32>,
    pub end: Option<u32>,
    pub action: Option<String>,
    pub vpc: Option<String>,
    pub instance: Option<String>,
    pub flags: Option<u8>,
    pub pkt_src: Option<IpAddr>,
    pub pkt_dst: Option<IpAddr>,
    pub region: Option<String>,
    pub src_service: Option<String>,
    pub dst_service: Option<String>,
    pub direction: Option<String>,
    pub path: Option<u8>,
    pub ecs_service: Option<String>,
    pub encryption: Option<u8>,
    pub instance_tag: Option<String>,
    pub interface_tag: Option<String>,
    pub asg_tag: Option<String>,
    pub interface_type: Option<String>,
    pub next_hop_type: Option<String>,
    pub next_hop_id: Option<String>,
    pub tgw_src_vpc: Option<String>,
    pub tgw_dst_vpc: Option<String>,
}

/// The layouts that the tests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// The 14 fields of version 2.
    V2,
    /// All 29 fields up to version 5.
    V5,
    /// Those of version 5 without `flow-direction`.
    V5NoDirection,
    /// Those of version 5 and what versions 7 to 11 add of interest.
    V11,
    /// A transit gateway's own 36 fields.
    Tgw,
}

const V2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                  action log-status";
const V3: &str = "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr";
const V4: &str = "region az-id sublocation-type sublocation-id";
const V5: &str = "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path";
const V11: &str = "ecs-service-name encryption-status instance-tag interface-tag asg-tag interface-type \
                   next-hop-interface-type next-hop-interface-id";
const TGW: &str = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id \
                   tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id \
                   tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport \
                   dstport protocol packets bytes start end log-status type packets-lost-no-route \
                   packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region \
                   flow-direction pkt-src-aws-service pkt-dst-aws-service";

impl Layout {
    pub fn fields(self) -> Vec<&'static str> {
        let parts: &[&'static str] = match self {
            Layout::V2 => &[V2],
            Layout::V5 | Layout::V5NoDirection => &[V2, V3, V4, V5],
            Layout::V11 => &[V2, V3, V4, V5, V11],
            Layout::Tgw => &[TGW],
        };
        let fields = parts.iter().flat_map(|part| part.split_whitespace());
        fields
            .filter(|&field| self != Layout::V5NoDirection || field != "flow-direction")
            .collect()
    }

    pub fn has(self, field: &str) -> bool {
        self.fields().contains(&field)
    }
}

/// An object: the records that one flow log published for one slot, or a part of them.
#[derive(Clone, Debug)]
pub struct TwinObject {
    pub account: String,
    pub region: String,
    pub flow_log: String,
    /// The publishing time: seconds, a multiple of 300.
    pub slot: u32,
    /// Tells objects of one flow log and slot apart.
    pub number: usize,
    pub layout: Layout,
    pub records: Vec<TwinRecord>,
}

/// An object as the program is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextObject {
    pub url: String,
    pub text: String,
}

impl TwinObject {
    /// The object's key in AWS's default layout: the `source` of its rows.
    pub fn url(&self) -> String {
        let time = jiff::Timestamp::from_second(i64::from(self.slot)).expect("a 32-bit time");
        let TwinObject {
            account,
            region,
            flow_log,
            number,
            ..
        } = self;
        let folder = time.strftime("%Y/%m/%d");
        let stamp = time.strftime("%Y%m%dT%H%MZ");
        format!(
            "AWSLogs/{account}/vpcflowlogs/{region}/{folder}/{account}_vpcflowlogs_{region}_{flow_log}_{stamp}_{number:08x}.log.gz"
        )
    }

    pub fn print(&self) -> TextObject {
        let fields = self.layout.fields();
        let mut text = fields.join(" ");
        for record in &self.records {
            text.push('\n');
            let values: Vec<String> = fields.iter().map(|field| record.value(field)).collect();
            text.push_str(&values.join(" "));
        }
        text.push('\n');
        TextObject {
            url: self.url(),
            text,
        }
    }
}

impl TwinRecord {
    /// What stands in the line under this field.
    fn value(&self, field: &str) -> String {
        let text = |value: &Option<String>| value.clone();
        let value = match field {
            "version" => Some("11".to_string()),
            "resource-type" => Some("TransitGateway".to_string()),
            "log-status" => Some("OK".to_string()),
            "tgw-id" => Some("tgw-0123456789abcdef0".to_string()),
            "tgw-attachment-id" => Some("tgw-attach-0123456789abcdef0".to_string()),
            "type" => self
                .srcaddr
                .map(|addr| if addr.is_ipv4() { "IPv4" } else { "IPv6" }.to_string()),
            "account-id" => text(&self.account),
            "interface-id" => text(&self.interface),
            "srcaddr" => self.srcaddr.map(|addr| addr.to_string()),
            "dstaddr" => self.dstaddr.map(|addr| addr.to_string()),
            "srcport" => self.srcport.map(|port| port.to_string()),
            "dstport" => self.dstport.map(|port| port.to_string()),
            "protocol" => self.protocol.map(|protocol| protocol.to_string()),
            "packets" => self.packets.map(|packets| packets.to_string()),
            "bytes" => self.bytes.map(|bytes| bytes.to_string()),
            "start" => self.start.map(|start| start.to_string()),
            "end" => self.end.map(|end| end.to_string()),
            "action" => text(&self.action),
            "vpc-id" => text(&self.vpc),
            "instance-id" => text(&self.instance),
            "tcp-flags" => self.flags.map(|flags| flags.to_string()),
            "pkt-srcaddr" => self.pkt_src.map(|addr| addr.to_string()),
            "pkt-dstaddr" => self.pkt_dst.map(|addr| addr.to_string()),
            "region" => text(&self.region),
            "pkt-src-aws-service" => text(&self.src_service),
            "pkt-dst-aws-service" => text(&self.dst_service),
            "flow-direction" => text(&self.direction),
            "traffic-path" => self.path.map(|path| path.to_string()),
            "ecs-service-name" => text(&self.ecs_service),
            "encryption-status" => self.encryption.map(|status| status.to_string()),
            "instance-tag" => text(&self.instance_tag),
            "interface-tag" => text(&self.interface_tag),
            "asg-tag" => text(&self.asg_tag),
            "interface-type" => text(&self.interface_type),
            "next-hop-interface-type" => text(&self.next_hop_type),
            "next-hop-interface-id" => text(&self.next_hop_id),
            "tgw-src-vpc-id" => text(&self.tgw_src_vpc),
            "tgw-dst-vpc-id" => text(&self.tgw_dst_vpc),
            _ => None,
        };
        value.unwrap_or_else(|| "-".to_string())
    }

    /// The record as a reader of this layout sees it: what the layout lacks is not there.
    pub fn seen_in(&self, layout: Layout) -> TwinRecord {
        fn keep<T: Clone>(fields: &[&str], field: &str, value: &Option<T>) -> Option<T> {
            if fields.contains(&field) {
                value.clone()
            } else {
                None
            }
        }
        let fields = layout.fields();
        TwinRecord {
            account: keep(&fields, "account-id", &self.account),
            interface: keep(&fields, "interface-id", &self.interface),
            srcaddr: self.srcaddr,
            dstaddr: self.dstaddr,
            srcport: self.srcport,
            dstport: self.dstport,
            protocol: self.protocol,
            packets: self.packets,
            bytes: self.bytes,
            start: self.start,
            end: self.end,
            action: keep(&fields, "action", &self.action),
            vpc: keep(&fields, "vpc-id", &self.vpc),
            instance: keep(&fields, "instance-id", &self.instance),
            flags: keep(&fields, "tcp-flags", &self.flags),
            pkt_src: keep(&fields, "pkt-srcaddr", &self.pkt_src),
            pkt_dst: keep(&fields, "pkt-dstaddr", &self.pkt_dst),
            region: keep(&fields, "region", &self.region),
            src_service: keep(&fields, "pkt-src-aws-service", &self.src_service),
            dst_service: keep(&fields, "pkt-dst-aws-service", &self.dst_service),
            direction: keep(&fields, "flow-direction", &self.direction),
            path: keep(&fields, "traffic-path", &self.path),
            ecs_service: keep(&fields, "ecs-service-name", &self.ecs_service),
            encryption: keep(&fields, "encryption-status", &self.encryption),
            instance_tag: keep(&fields, "instance-tag", &self.instance_tag),
            interface_tag: keep(&fields, "interface-tag", &self.interface_tag),
            asg_tag: keep(&fields, "asg-tag", &self.asg_tag),
            interface_type: keep(&fields, "interface-type", &self.interface_type),
            next_hop_type: keep(&fields, "next-hop-interface-type", &self.next_hop_type),
            next_hop_id: keep(&fields, "next-hop-interface-id", &self.next_hop_id),
            tgw_src_vpc: keep(&fields, "tgw-src-vpc-id", &self.tgw_src_vpc),
            tgw_dst_vpc: keep(&fields, "tgw-dst-vpc-id", &self.tgw_dst_vpc),
        }
    }
}

/// IPv4-mapped IPv6 is IPv4; 64:ff9b::/96 is the IPv4 address inside it.
pub fn canonical(addr: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = addr.to_canonical() else {
        return addr.to_canonical();
    };
    let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    if v6.segments()[..6] == nat64.segments()[..6] {
        let [.., a, b, c, d] = v6.octets();
        return IpAddr::from([a, b, c, d]);
    }
    addr
}
