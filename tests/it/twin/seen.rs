//! A record that can be judged: its network, its ends, its flags, as far as its layout shows them.

use std::net::IpAddr;

use super::place::{home, network_of};
use super::policy::TwinPolicy;
use super::record::{Layout, TwinObject, TwinRecord, canonical};

/// One end of a connection: the network that holds it (for an outside end the record's own), address and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    pub network: String,
    pub inside: bool,
    pub addr: IpAddr,
    /// 0 where the protocol has no ports.
    pub port: u16,
}

impl End {
    /// Whether it is the same address of the same network, on whatever port.
    pub fn same_host(&self, other: &End) -> bool {
        self.network == other.network && self.inside == other.inside && self.addr == other.addr
    }
}

/// A record that can be judged: in scope, with addresses, protocol, ports and action.
#[derive(Clone, Debug)]
pub struct Seen {
    pub flow_log: String,
    /// How many fields its layout has.
    pub fields: usize,
    /// Whether a transit gateway recorded it.
    pub gateway: bool,
    /// Whether its layout has `pkt-src-aws-service` and `pkt-dst-aws-service`.
    pub says_services: bool,
    /// The network that judges it.
    pub network: String,
    pub protocol: u8,
    pub src: End,
    pub dst: End,
    /// `srcaddr` and `dstaddr`: the hops as the interface saw them, without ports.
    pub hop_src: End,
    pub hop_dst: End,
    /// The record as its layout shows it.
    pub record: TwinRecord,
}

/// What became of a record before its connection was looked at.
#[derive(Clone, Debug)]
pub enum Scope {
    Unclaimed,
    MissingField { network: String },
    Seen(Box<Seen>),
}

/// The network, ends and fields of a record, as far as it has them.
pub fn scope(policy: &TwinPolicy, object: &TwinObject, index: usize) -> Scope {
    let record = object.records[index].seen_in(object.layout);
    let account = record
        .account
        .clone()
        .unwrap_or_else(|| object.account.clone());
    let region = record
        .region
        .clone()
        .unwrap_or_else(|| object.region.clone());
    let gateway = object.layout == Layout::Tgw;
    let network = if gateway {
        let by =
            |vpc: &Option<String>| network_of(policy, Some(vpc.as_deref()?), &account, &region);
        by(&record.tgw_src_vpc).or_else(|| by(&record.tgw_dst_vpc))
    } else {
        network_of(policy, record.vpc.as_deref(), &account, &region)
    };
    let Some(network) = network.map(|network| network.name.clone()) else {
        return Scope::Unclaimed;
    };

    let missing = Scope::MissingField {
        network: network.clone(),
    };
    let (Some(srcaddr), Some(dstaddr), Some(protocol)) =
        (record.srcaddr, record.dstaddr, record.protocol)
    else {
        return missing;
    };
    if !gateway && record.action.is_none() {
        return missing;
    }
    let ports = match (
        super::decide::has_ports(protocol),
        record.srcport,
        record.dstport,
    ) {
        (false, _, _) => (0, 0),
        (true, Some(srcport), Some(dstport)) => (srcport, dstport),
        (true, _, _) => return missing,
    };
    let end = |addr: IpAddr, port: u16| {
        let home = home(policy, &network, addr);
        End {
            inside: home.is_some(),
            network: home.unwrap_or_else(|| network.clone()),
            addr,
            port,
        }
    };
    let (hop_src, hop_dst) = (canonical(srcaddr), canonical(dstaddr));
    Scope::Seen(Box::new(Seen {
        flow_log: object.flow_log.clone(),
        fields: object.layout.fields().len(),
        gateway,
        says_services: object.layout.has("pkt-src-aws-service"),
        protocol,
        src: end(record.pkt_src.map_or(hop_src, canonical), ports.0),
        dst: end(record.pkt_dst.map_or(hop_dst, canonical), ports.1),
        hop_src: end(hop_src, 0),
        hop_dst: end(hop_dst, 0),
        network,
        record,
    }))
}

/// The interface that recorded it. What the records of a flow log without one share is one interface without a name.
pub fn interface<'r>(record: &'r TwinRecord, flow_log: &'r str) -> &'r str {
    record.interface.as_deref().unwrap_or(flow_log)
}

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

impl Seen {
    pub fn interface(&self) -> &str {
        interface(&self.record, &self.flow_log)
    }

    /// The flags, where the protocol has flags and the record knows them.
    pub fn flags(&self) -> Option<u8> {
        if self.protocol == 6 {
            self.record.flags
        } else {
            None
        }
    }

    pub fn is_own_syn(&self) -> bool {
        self.flags().is_some_and(|flags| flags & (SYN | ACK) == SYN)
    }

    pub fn is_syn_ack(&self) -> bool {
        self.flags()
            .is_some_and(|flags| flags & (SYN | ACK) == SYN | ACK)
    }

    pub fn has_syn(&self) -> bool {
        self.flags().is_some_and(|flags| flags & SYN != 0)
    }

    pub fn has_rst(&self) -> bool {
        self.flags().is_some_and(|flags| flags & RST != 0)
    }

    pub fn is_accepted(&self) -> bool {
        self.record.action.as_deref() == Some("ACCEPT")
    }

    pub fn is_rejected(&self) -> bool {
        self.record.action.as_deref() == Some("REJECT")
    }

    /// Ingress by `flow-direction`; without it, AWS puts the interface's own address in the place of the packet's only
    /// in `dstaddr` of ingress and in `srcaddr` of egress records.
    pub fn is_ingress(&self) -> bool {
        match self.record.direction.as_deref() {
            Some(direction) => direction == "ingress",
            None => self.hop_dst.addr != self.dst.addr && self.hop_src.addr == self.src.addr,
        }
    }

    pub fn is_egress(&self) -> bool {
        match self.record.direction.as_deref() {
            Some(direction) => direction == "egress",
            None => self.hop_src.addr != self.src.addr && self.hop_dst.addr == self.dst.addr,
        }
    }

    /// Whether both are records of one connection: protocol and both ends, never the interface.
    pub fn same_connection(&self, other: &Seen) -> bool {
        let forward = self.src == other.src && self.dst == other.dst;
        let reverse = self.src == other.dst && self.dst == other.src;
        self.protocol == other.protocol && (forward || reverse)
    }

    /// Its `start`, else its `end`.
    pub fn instant(&self) -> Option<u32> {
        self.record.start.or(self.record.end)
    }
}
