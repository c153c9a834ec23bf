//! The ends between which traffic is made: for each class of addresses that the policy tells apart, one or two that stand for
//! it. Inside ones get an interface; each network gets a flow log and, where it has room, a NAT gateway.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use xxhash_rust::xxh3::xxh3_64;

use crate::flow::Field;
use crate::generate::connection::End;
use crate::generate::fleet::{Fleet, Interface, REGION, Role, Tier, Vpc};
use crate::generate::flowlog::{FlowLog, Format, Partition, up_to};
use crate::net::{Addr, aws};
use crate::policy::{
    self, AddressRange, ClassId, Known, NetworkId, NetworkRow, Policy, ZoneId, ZoneKind,
};

/// The account of networks that name none.
const ACCOUNT: &str = "123456789012";
/// The zone of subnets that name none.
const ZONE: &str = "use2-az1";

/// An end that stands for all that no rule tells from it.
pub(super) struct Spot {
    /// Its address, interface and service; the port is 0.
    pub end: End,
    pub addr: Addr,
    pub home: Option<NetworkId>,
    pub class: ClassId,
    /// The bits of `end.service`.
    pub services: u64,
    pub zone: ZoneId,
    /// Whether it is the second of its class, which only talks with the first.
    pub is_second: bool,
}

impl Spot {
    /// As the policy is asked about it: every record has the service fields.
    pub(super) fn asked(&self) -> policy::End<'static> {
        policy::End {
            home: self.home,
            class: self.class,
            groups: &[],
            known: Known::default(),
            services: self.services,
            services_known: true,
            domains: Default::default(),
        }
    }
}

/// Ends, and who records what they do.
pub(super) struct World {
    pub spots: Vec<Spot>,
    pub fleet: Fleet,
    /// A flow log for each network that records can belong to.
    pub logs: Vec<FlowLog>,
    /// The place in `logs` of each VPC's flow log, by the VPC's id.
    pub log_of: BTreeMap<Cow<'static, str>, usize>,
    /// The NAT gateway of each network, an index of its interface.
    pub gateways: BTreeMap<NetworkId, usize>,
}

impl World {
    /// The world of a policy at an instant, seconds since 1970. A network that no record would belong to has no ends in it.
    pub(super) fn of(policy: &Policy, at: u32) -> World {
        let mut builder = Builder {
            policy,
            at,
            interfaces: Vec::new(),
            spots: Vec::new(),
            logs: Vec::new(),
            log_of: BTreeMap::new(),
            gateways: BTreeMap::new(),
        };
        let networks: Vec<NetworkId> = policy.networks().collect();
        let mut recorded = Vec::new();
        for (network, row) in networks.into_iter().zip(policy.network_rows()) {
            if let Some((vpc, fields)) = recorded_as(policy, network, &row) {
                builder.add_network(network, &vpc, fields);
                recorded.push(network);
            }
        }
        builder.add_outside(&recorded);
        World {
            spots: builder.spots,
            fleet: Fleet::of(builder.interfaces),
            logs: builder.logs,
            log_of: builder.log_of,
            gateways: builder.gateways,
        }
    }
}

/// How records of a network say that they are: its VPC and the fields of its flow log, without the VPC where the network
/// goes by account and region alone. None if no record can belong to it.
fn recorded_as(
    policy: &Policy,
    network: NetworkId,
    row: &NetworkRow<'_>,
) -> Option<(Vpc, Vec<Field>)> {
    let first = |list: &[String]| list.first().cloned().map(Cow::Owned);
    let vpc = Vpc {
        id: first(row.vpcs).unwrap_or_else(|| id("vpc", row.name).into()),
        account: first(row.accounts).unwrap_or(Cow::Borrowed(ACCOUNT)),
        region: first(row.regions).unwrap_or(Cow::Borrowed(REGION)),
    };
    let belongs = |vpc_id| policy.network_of(vpc_id, Some(&vpc.account), Some(&vpc.region));
    let mut fields = up_to(11);
    if belongs(Some(&vpc.id)) != Some(network) {
        if belongs(None) != Some(network) {
            return None;
        }
        fields.retain(|field| !matches!(field, Field::VpcId | Field::NextHopVpcId));
    }
    Some((vpc, fields))
}

struct Builder<'p> {
    policy: &'p Policy,
    /// When, seconds since 1970.
    at: u32,
    interfaces: Vec<Interface>,
    spots: Vec<Spot>,
    logs: Vec<FlowLog>,
    log_of: BTreeMap<Cow<'static, str>, usize>,
    gateways: BTreeMap<NetworkId, usize>,
}

/// The ranges of a class by family: IPv6 is true.
type Ranges = BTreeMap<(ClassId, bool), Vec<AddressRange>>;

impl Builder<'_> {
    fn add_network(&mut self, network: NetworkId, vpc: &Vpc, fields: Vec<Field>) {
        self.log_of.insert(vpc.id.clone(), self.logs.len());
        self.logs.push(FlowLog {
            id: id("fl", &vpc.id).into(),
            account: vpc.account.clone(),
            region: vpc.region.clone(),
            fields,
            format: Format::Text,
            partition: Partition::Daily,
            shards: 1,
        });
        let (policy, at) = (self.policy, self.at);
        let ranges = policy.ranges_inside(network, at);
        for ((class, _), ranges) in by_class(&ranges) {
            let own = |addr: &Addr| {
                let place = policy.place(network, *addr, at);
                (place.home, place.class) == (Some(network), class)
                    && !addr.is_local()
                    && !policy.is_transit(Some(*addr), None)
                    && !policy.is_in_inventory(network, *addr)
            };
            let addrs = ranges.iter().flat_map(low_addresses).filter(own).take(2);
            for (number, addr) in addrs.enumerate() {
                let interface = self.add_interface(vpc, class, addr, Role::Plain);
                let end = End {
                    interface: Some(interface),
                    ..End::outside(addr.to_ip(), 0)
                };
                self.add_spot(end, (Some(network), class), 0, number > 0);
            }
        }
        self.add_gateway(network, vpc, &ranges);
    }

    /// A NAT gateway at the end of the largest range of IPv4, if that has room.
    fn add_gateway(&mut self, network: NetworkId, vpc: &Vpc, ranges: &[AddressRange]) {
        let v4 = ranges.iter().filter(|range| range.first.is_v4());
        let Some(range) = v4
            .max_by_key(|range| size(range))
            .filter(|range| size(range) >= 64)
        else {
            return;
        };
        let addr = offset(range.first, size(range) - 4);
        let gateway = self.add_interface(vpc, range.class, addr, Role::Nat);
        self.gateways.insert(network, gateway);
    }

    /// One address for each class outside, where networks leave one; on the internet also one for each AWS service that the
    /// policy names.
    fn add_outside(&mut self, recorded: &[NetworkId]) {
        let (policy, at) = (self.policy, self.at);
        let services = services_named(policy);
        for ((class, v6), ranges) in by_class(&policy.ranges_outside(at)) {
            let is_free = |addr: &Addr| {
                recorded.iter().all(|network| {
                    let place = policy.place(*network, *addr, at);
                    place.home.is_none() && place.class == class
                }) && !addr.is_local()
            };
            let usual = (0..=services.len()).map(|number| usual_outside(v6, number));
            let mut addrs = usual
                .chain(ranges.iter().flat_map(low_addresses))
                .filter(is_free);
            let Some(addr) = addrs.next() else { continue };
            let end = End::outside(addr.to_ip(), 0);
            self.add_spot(end, (None, class), 0, false);
            let zone = self.spots[self.spots.len() - 1].zone;
            if policy.zone_kind(zone) != ZoneKind::Internet {
                continue;
            }
            for (&(service, bits), addr) in services.iter().zip(addrs) {
                let end = End::outside(addr.to_ip(), 0).of(service);
                self.add_spot(end, (None, class), bits, false);
            }
        }
    }

    fn add_spot(
        &mut self,
        end: End,
        (home, class): (Option<NetworkId>, ClassId),
        services: u64,
        is_second: bool,
    ) {
        let mut spot = Spot {
            end,
            addr: Addr::from_ip(end.addr),
            home,
            class,
            services,
            zone: ZoneId(0),
            is_second,
        };
        spot.zone = self.policy.zone(&spot.asked());
        self.spots.push(spot);
    }

    /// Adds an interface to a VPC.
    fn add_interface(&mut self, vpc: &Vpc, class: ClassId, addr: Addr, role: Role) -> usize {
        let subnet = self.policy.subnet_of(class);
        let row = subnet.and_then(|subnet| self.policy.subnet_rows().nth(subnet as usize));
        // A name with other characters would break the line.
        let is_plain = |az: &&str| {
            az.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let az = row.and_then(|row| row.az).filter(is_plain);
        let (v4, v6) = match addr.to_ip() {
            IpAddr::V4(v4) => (v4, None),
            // Nothing asks for the IPv4 address of an end of IPv6.
            IpAddr::V6(v6) => (Ipv4Addr::UNSPECIFIED, Some(v6)),
        };
        self.interfaces.push(Interface {
            vpc: Cow::Owned(vpc.clone()),
            role,
            tier: Tier::Other,
            zone: 0,
            account: vpc.account.clone(),
            id: id("eni", &format!("{} {addr}", vpc.id)),
            subnet: id("subnet", &format!("{} {subnet:?}", vpc.id)).into(),
            az: az.map_or(Cow::Borrowed(ZONE), |az| Cow::Owned(az.to_owned())),
            instance: None,
            v4,
            v6,
            ecs_service: None,
        });
        self.interfaces.len() - 1
    }
}

/// An id of AWS's form, the same for the same text.
fn id(kind: &str, text: &str) -> String {
    format!(
        "{kind}-0{:016x}",
        xxh3_64(format!("{kind} {text}").as_bytes())
    )
}

fn by_class(ranges: &[AddressRange]) -> Ranges {
    let mut sorted = Ranges::new();
    for range in ranges {
        let key = (range.class, !range.first.is_v4());
        sorted.entry(key).or_default().push(*range);
    }
    sorted
}

/// How many addresses a range has; as many as fit for the largest.
fn size(range: &AddressRange) -> u128 {
    (range.last.bits() - range.first.bits()).saturating_add(1)
}

fn offset(first: Addr, by: u128) -> Addr {
    Addr::from_v6(first.bits() + by)
}

/// Some addresses near a range's beginning; of a large range not the first four, which AWS keeps in every subnet.
fn low_addresses(range: &AddressRange) -> impl Iterator<Item = Addr> + use<> {
    let first = range.first;
    let offsets = match size(range) {
        small @ ..=16 => 0..small,
        _ => 4..16,
    };
    offsets.map(move |by| offset(first, by))
}

/// Addresses that nobody has (RFC 2544, RFC 3849), to stand for the internet.
fn usual_outside(v6: bool, number: usize) -> Addr {
    let number = number as u32 % 64;
    if v6 {
        let place = 0x2001_0db8_dead_u128 << 80;
        Addr::from_v6(place + (u128::from(number) << 64) + 10)
    } else {
        Addr::from_v4(u32::from_be_bytes([198, 19, 64 + number as u8, 10]))
    }
}

/// The AWS services that destinations and rules name and records can, with their bits.
fn services_named(policy: &Policy) -> Vec<(&'static str, u64)> {
    let rules = policy.rule_rows();
    let is_named = |service: &str| {
        let word = format!("aws:{service}");
        let in_rule = rules.iter().any(|rule| {
            let words = [
                &rule.clients,
                &rule.clients_except,
                &rule.servers,
                &rule.servers_except,
            ];
            words.into_iter().flatten().any(|named| *named == word)
        });
        let in_destination = policy
            .destination_rows()
            .any(|row| row.aws_services.iter().any(|named| named == service));
        in_rule || in_destination
    };
    let all = aws::SERVICES.iter().enumerate();
    let named: Vec<(&'static str, u64)> = all
        .filter(|(_, service)| is_named(service))
        .map(|(bit, service)| (*service, 1 << bit))
        .collect();
    let any = rules.iter().any(|rule| {
        let words = rule.clients.iter().chain(&rule.servers);
        words.into_iter().any(|word| word == "aws:*")
    });
    match named.is_empty() && any {
        true => vec![("EBS", aws::Service::from_text(b"EBS").bits())],
        false => named,
    }
}
