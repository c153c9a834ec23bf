//! The small world that random records come from: its addresses and interfaces, and the record that one of them makes.

use std::net::IpAddr;

use super::random_records::{Choice, Conversation, Seat};
use super::record::{Layout, TwinObject, TwinRecord};
use super::table::{ACCOUNT, REGION, SLOT};

/// An address of the world: where it is, whose interface has it, and what AWS's service field says of it.
pub struct Host {
    pub addr: &'static str,
    /// The interface and the address that it reports as its own; none outside.
    pub interface: Option<(&'static str, &'static str)>,
    pub service: Option<&'static str>,
}

const fn inside(addr: &'static str, interface: &'static str) -> Host {
    Host {
        addr,
        interface: Some((interface, addr)),
        service: None,
    }
}

const fn outside(addr: &'static str, service: Option<&'static str>) -> Host {
    Host {
        addr,
        interface: None,
        service,
    }
}

pub const HOSTS: [Host; 19] = [
    inside("10.0.0.30", "eni-web"),
    inside("10.0.32.5", "eni-app5"),
    inside("10.0.32.6", "eni-app6"),
    inside("10.0.33.5", "eni-app33"),
    inside("10.0.64.20", "eni-data"),
    // A secondary address of the same interface.
    Host {
        addr: "10.0.64.21",
        interface: Some(("eni-data", "10.0.64.20")),
        service: None,
    },
    inside("10.0.200.1", "eni-none"),
    inside("10.0.0.220", "eni-nat"),
    inside("2600:1f16:abcd:ef01::5", "eni-app5v6"),
    inside("2600:1f16:abcd:ef02::20", "eni-datav6"),
    inside("10.9.0.5", "eni-shared5"),
    inside("10.9.0.6", "eni-shared6"),
    outside("198.51.100.7", None),
    outside("203.0.113.9", None),
    outside("192.168.1.1", None),
    outside("52.1.1.1", Some("S3")),
    outside("54.1.1.1", Some("EC2")),
    outside("2a00:1450::1", None),
    outside("169.254.169.254", None),
];

const NAT: &str = "10.0.0.220";

#[derive(Default)]
pub struct Objects {
    pub objects: Vec<TwinObject>,
}

impl Objects {
    pub fn add(&mut self, conversation: &Conversation, choice: &Choice, layouts: [Layout; 2]) {
        let (flow_log, layout) = match (choice.seat, choice.second_log) {
            (Seat::Gateway, _) => ("fl-3", Layout::Tgw),
            (_, false) => ("fl-1", layouts[0]),
            (_, true) => ("fl-2", layouts[1]),
        };
        let slot = (i64::from(SLOT) + 300 * choice.slot) as u32;
        let record = record(conversation, choice, slot);
        let found = self
            .objects
            .iter_mut()
            .find(|object| object.slot == slot && object.flow_log == flow_log);
        if let Some(object) = found {
            object.records.push(record);
            return;
        }
        self.objects.push(TwinObject {
            account: ACCOUNT.to_string(),
            region: REGION.to_string(),
            flow_log: flow_log.to_string(),
            slot,
            number: self.objects.len(),
            layout,
            records: vec![record],
        });
    }

    /// Several peers that talk with one end, both ways, without flags that tell.
    pub fn add_crowd(&mut self, peers: usize, server: usize, tcp: bool, layouts: [Layout; 2]) {
        for peer in 0..peers {
            let conversation = Conversation {
                protocol: if tcp { 6 } else { 17 },
                a: (1 + peer % 3, 40000 + peer as u16),
                b: (server, 45000),
                lab: false,
            };
            for reversed in [false, true] {
                let choice = Choice {
                    conversation: 0,
                    reversed,
                    seat: if reversed { Seat::Target } else { Seat::Source },
                    flags: Some(0),
                    accepted: true,
                    slot: 0,
                    second_log: false,
                    offset: 1,
                    bytes: 100,
                    path: None,
                    next_hop_nat: false,
                    says_service: true,
                    encryption: None,
                    teaches: 0,
                    flaw: 0,
                };
                self.add(&conversation, &choice, layouts);
            }
        }
    }
}

fn record(conversation: &Conversation, choice: &Choice, slot: u32) -> TwinRecord {
    let (src, dst) = match choice.reversed {
        false => (conversation.a, conversation.b),
        true => (conversation.b, conversation.a),
    };
    let (src_host, dst_host) = (&HOSTS[src.0], &HOSTS[dst.0]);
    let addr = |host: &Host| {
        host.addr
            .parse::<IpAddr>()
            .expect("an address of the world")
    };
    let nat: IpAddr = NAT.parse().expect("an address");
    let attachment: IpAddr = "10.0.0.10".parse().expect("an address");
    let v4 = addr(src_host).is_ipv4() && addr(dst_host).is_ipv4();

    // Who reports: interface, direction at it, and the hops that it shows.
    let at_source = src_host
        .interface
        .map(|(interface, own)| (interface, "egress", own, dst_host.addr));
    let at_target = dst_host
        .interface
        .map(|(interface, own)| (interface, "ingress", src_host.addr, own));
    let through = |interface: &'static str, own: IpAddr| {
        if src_host.interface.is_some() && choice.teaches != 7 {
            (interface, "ingress", addr(src_host), own)
        } else {
            (interface, "egress", own, addr(dst_host))
        }
    };
    let plain = |seat: Option<(&'static str, &'static str, &'static str, &'static str)>| {
        seat.map(|(interface, direction, src, dst)| {
            (
                interface,
                direction,
                src.parse().expect("an address"),
                dst.parse().expect("an address"),
            )
        })
    };
    let seat: Option<(&str, &str, IpAddr, IpAddr)> = match choice.seat {
        Seat::Source => plain(at_source.or(at_target)),
        Seat::Target => plain(at_target.or(at_source)),
        Seat::Nat if v4 => Some(through("eni-nat", nat)),
        Seat::Attachment if v4 => Some(through("eni-attachment", attachment)),
        _ => None,
    };
    let (interface, direction, hop_src, hop_dst) = match seat {
        Some((interface, direction, src, dst)) => (Some(interface), Some(direction), src, dst),
        None => (None, None, addr(src_host), addr(dst_host)),
    };
    let egress = direction == Some("egress");
    let (account, vpc) = place(interface, conversation);
    // Interfaces of VPCs with the same addresses are others.
    let interface = interface.map(|name| {
        if conversation.lab {
            format!("{name}-lab")
        } else {
            name.to_string()
        }
    });
    let service = |host: &Host| {
        host.service
            .filter(|_| choice.says_service)
            .map(str::to_string)
    };
    let is_app = interface
        .as_deref()
        .is_some_and(|name| name.starts_with("eni-app"));
    let interface_type = match interface.as_deref() {
        Some("eni-nat") if choice.teaches & 1 == 1 => Some("nat_gateway"),
        Some("eni-attachment") if choice.teaches & 1 == 1 => Some("transit_gateway"),
        Some("eni-web") if choice.teaches & 1 == 1 => Some("network_load_balancer"),
        _ => None,
    };
    let flawed = |flaw: u8| choice.flaw == flaw;
    let times = (slot + 10 + choice.offset, slot + 60 + choice.offset);
    TwinRecord {
        account: Some(account.to_string()),
        instance: interface
            .as_ref()
            .filter(|_| choice.teaches & 2 == 2)
            .map(|name| name.replace("eni", "i")),
        ecs_service: (is_app && choice.teaches & 1 == 1).then(|| "etl".to_string()),
        instance_tag: (is_app && choice.teaches & 4 == 4).then(|| "blue".to_string()),
        interface,
        srcaddr: (!flawed(1)).then_some(hop_src),
        dstaddr: Some(hop_dst),
        srcport: (!flawed(2)).then_some(if has_ports(conversation.protocol) {
            src.1
        } else {
            0
        }),
        dstport: Some(if has_ports(conversation.protocol) {
            dst.1
        } else {
            0
        }),
        protocol: (!flawed(3)).then_some(conversation.protocol),
        packets: Some(choice.bytes / 50),
        bytes: Some(choice.bytes),
        start: (!flawed(4)).then_some(times.0),
        end: Some(times.1),
        action: (!flawed(5)).then(|| if choice.accepted { "ACCEPT" } else { "REJECT" }.to_string()),
        vpc: Some(if flawed(6) { "vpc-unknown" } else { vpc }.to_string()),
        flags: choice.flags,
        pkt_src: (!flawed(1)).then(|| addr(src_host)),
        pkt_dst: Some(addr(dst_host)),
        region: Some(REGION.to_string()),
        src_service: service(src_host),
        dst_service: service(dst_host),
        direction: direction.map(str::to_string),
        path: choice.path.filter(|_| egress),
        encryption: choice.encryption,
        interface_tag: None,
        asg_tag: None,
        interface_type: interface_type.map(str::to_string),
        next_hop_type: (egress && choice.next_hop_nat).then(|| "nat_gateway".to_string()),
        next_hop_id: None,
        tgw_src_vpc: (choice.teaches != 3).then(|| vpc.to_string()),
        tgw_dst_vpc: Some(vpc.to_string()),
    }
}

fn has_ports(protocol: u8) -> bool {
    protocol == 6 || protocol == 17
}

/// Account and VPC of the interface that reports.
fn place(interface: Option<&str>, conversation: &Conversation) -> (&'static str, &'static str) {
    match interface {
        _ if conversation.lab => ("333322221111", "vpc-lab"),
        Some(name) if name.starts_with("eni-shared") => ("222222222222", "vpc-shared"),
        _ => (ACCOUNT, "vpc-prod"),
    }
}
