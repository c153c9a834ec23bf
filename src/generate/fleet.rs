//! What there is: the interfaces of the synthetic VPC, their addresses and what records say about them.
//!
//! The address plan is that of `policies/sec-003.toml`: five tiers in two zones of 10.0.0.0/16. Beside it stands a second
//! VPC, of another account, with the same addresses.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use xxhash_rust::xxh3::xxh3_64;

/// The region of both.
pub(super) const REGION: &str = "us-east-2";

/// A VPC and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vpc {
    /// `vpc-id`.
    pub id: Cow<'static, str>,
    /// `account-id`.
    pub account: Cow<'static, str>,
    /// `region`.
    pub region: Cow<'static, str>,
}

/// The VPC that the policy is about.
pub(super) static PROD: Vpc = Vpc {
    id: Cow::Borrowed("vpc-0a1b2c3d4e5f60718"),
    account: Cow::Borrowed("123456789012"),
    region: Cow::Borrowed(REGION),
};
/// The VPC that has the same addresses and is out of scope.
pub(super) static SANDBOX: Vpc = Vpc {
    id: Cow::Borrowed("vpc-0f9e8d7c6b5a43210"),
    account: Cow::Borrowed("210987654321"),
    region: Cow::Borrowed(REGION),
};

/// What an interface is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Role {
    LoadBalancer,
    VpcLink,
    Nat,
    /// An instance with a public address: nothing may reach it but the bastion.
    Edge,
    Etl,
    VectorService,
    /// An instance of app that has no group of its own.
    Worker,
    KmsEndpoint,
    StagingEtl,
    VectorLb,
    VectorDb,
    /// An instance of data that has no group of its own.
    Warehouse,
    Bastion,
    Resolver,
    TimeServer,
    TransitGateway,
    Collector,
    /// An instance of audit that has no group of its own.
    AuditHost,
    /// In the VPC's prefix, in no subnet that the policy knows.
    Unassigned,
    SandboxApp,
    SandboxData,
    /// An end of a policy that is not this VPC's: nothing is known of it but its address.
    Plain,
}

/// The place of a tier in a zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Tier {
    Public,
    App,
    Data,
    Mgmt,
    Audit,
    Other,
}

/// An elastic network interface, and all that a record says about it.
pub(super) struct Interface {
    pub vpc: Cow<'static, Vpc>,
    pub role: Role,
    pub tier: Tier,
    /// 0 or 1.
    pub zone: usize,
    /// `account-id`: `unknown` for some interfaces that AWS makes.
    pub account: Cow<'static, str>,
    pub id: String,
    pub subnet: Cow<'static, str>,
    pub az: Cow<'static, str>,
    /// `instance-id`; none for interfaces of services.
    pub instance: Option<String>,
    pub v4: Ipv4Addr,
    pub v6: Option<Ipv6Addr>,
    /// `ecs-service-name` of the task that owns it.
    pub ecs_service: Option<&'static str>,
}

/// Every interface, by role and zone.
pub(super) struct Fleet {
    pub interfaces: Vec<Interface>,
    by_role: Vec<(Role, usize, Vec<usize>)>,
}

/// How a role's interfaces are laid out.
struct Plan {
    role: Role,
    tier: Tier,
    /// First address in each zone.
    v4: [&'static str; 2],
    /// First IPv6 address in each zone, empty for none.
    v6: [&'static str; 2],
    subnet: [&'static str; 2],
    /// How many per zone: at most what the prefix of the role's group holds.
    count: [usize; 2],
}

/// How many interfaces the roles that scale have per zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub etl: usize,
    pub vector_service: usize,
    pub worker: usize,
    pub vector_db: usize,
    pub warehouse: usize,
}

const PUBLIC: [&str; 2] = ["subnet-0c1a00000000000a1", "subnet-0c1a00000000000b1"];
const APP: [&str; 2] = ["subnet-0c1a00000000000a2", "subnet-0c1a00000000000b2"];
const DATA: [&str; 2] = ["subnet-0c1a00000000000a3", "subnet-0c1a00000000000b3"];
const ENDPOINTS: [&str; 2] = ["subnet-0c1a00000000000a4", "subnet-0c1a00000000000b4"];
const STAGING: [&str; 2] = ["subnet-0c1a00000000000a5", ""];
const MGMT: [&str; 2] = ["subnet-0c1a00000000000a6", "subnet-0c1a00000000000b6"];
const AUDIT: [&str; 2] = ["subnet-0c1a00000000000a7", "subnet-0c1a00000000000b7"];
const LAB: [&str; 2] = ["subnet-0c1a00000000000a9", ""];
const SANDBOXES: [&str; 2] = ["subnet-05ad00000000000a1", "subnet-05ad00000000000b1"];
const ZONES: [&str; 2] = ["use2-az1", "use2-az2"];
const NO_V6: [&str; 2] = ["", ""];

/// The address plan; IPv6 addresses without what they begin with ([`V6`]).
#[rustfmt::skip] // a table
fn plans(scale: Scale) -> Vec<Plan> {
    let plan = |role, tier, subnet, v4, v6, count| Plan { role, tier, v4, v6, subnet, count };
    let both = |count| [count, count];
    vec![
        plan(Role::LoadBalancer, Tier::Public, PUBLIC, ["10.0.0.20", "10.0.96.20"], ["00:1::2", "10:1::2"], both(2)),
        plan(Role::VpcLink, Tier::Public, PUBLIC, ["10.0.0.36", "10.0.96.36"], NO_V6, both(2)),
        plan(Role::Nat, Tier::Public, PUBLIC, ["10.0.0.220", "10.0.96.220"], NO_V6, both(1)),
        plan(Role::Edge, Tier::Public, PUBLIC, ["10.0.1.10", "10.0.97.10"], ["00:9::10", "10:9::10"], both(4)),
        plan(Role::Etl, Tier::App, APP, ["10.0.33.4", "10.0.129.4"], ["01:33::4", "11:33::4"], both(scale.etl)),
        plan(Role::VectorService, Tier::App, APP, ["10.0.34.4", "10.0.130.4"], ["01:34::4", "11:34::4"], both(scale.vector_service)),
        plan(Role::Worker, Tier::App, APP, ["10.0.36.4", "10.0.132.4"], ["01:36::4", "11:36::4"], both(scale.worker)),
        plan(Role::KmsEndpoint, Tier::App, ENDPOINTS, ["10.0.48.9", "10.0.144.9"], ["04::9", "14::9"], both(1)),
        plan(Role::StagingEtl, Tier::App, STAGING, ["10.0.57.4", ""], NO_V6, [3, 0]),
        plan(Role::VectorLb, Tier::Data, DATA, ["10.0.64.20", "10.0.160.20"], ["02:1::2", "12:1::2"], both(1)),
        plan(Role::VectorDb, Tier::Data, DATA, ["10.0.66.4", "10.0.162.4"], NO_V6, both(scale.vector_db)),
        plan(Role::Warehouse, Tier::Data, DATA, ["10.0.68.4", "10.0.164.4"], NO_V6, both(scale.warehouse)),
        plan(Role::Bastion, Tier::Mgmt, MGMT, ["10.0.192.20", "10.0.208.20"], NO_V6, both(1)),
        plan(Role::Resolver, Tier::Mgmt, MGMT, ["10.0.192.50", "10.0.208.50"], NO_V6, both(2)),
        plan(Role::TimeServer, Tier::Mgmt, MGMT, ["10.0.192.70", "10.0.208.70"], NO_V6, both(1)),
        plan(Role::TransitGateway, Tier::Mgmt, MGMT, ["10.0.192.220", "10.0.208.220"], NO_V6, both(1)),
        plan(Role::Collector, Tier::Audit, AUDIT, ["10.0.224.20", "10.0.240.20"], NO_V6, both(2)),
        plan(Role::AuditHost, Tier::Audit, AUDIT, ["10.0.225.10", "10.0.241.10"], NO_V6, both(2)),
        plan(Role::Unassigned, Tier::Other, LAB, ["10.0.250.9", ""], NO_V6, [1, 0]),
        plan(Role::SandboxApp, Tier::Other, SANDBOXES, ["10.0.33.4", "10.0.129.4"], NO_V6, both(3)),
        plan(Role::SandboxData, Tier::Other, SANDBOXES, ["10.0.68.4", "10.0.164.4"], NO_V6, both(2)),
    ]
}

/// What the VPC's IPv6 addresses begin with.
const V6: &str = "2600:1f16:abcd:ef";

impl Fleet {
    /// The fleet of this scale.
    pub(super) fn new(scale: Scale) -> Fleet {
        let mut fleet = Fleet {
            interfaces: Vec::new(),
            by_role: Vec::new(),
        };
        for plan in plans(scale) {
            for zone in 0..2 {
                let members = (0..plan.count[zone])
                    .map(|number| fleet.add(&plan, zone, number))
                    .collect();
                fleet.by_role.push((plan.role, zone, members));
            }
        }
        fleet
    }

    /// A fleet of these interfaces; `hosts` finds none of them.
    pub(super) fn of(interfaces: Vec<Interface>) -> Fleet {
        Fleet {
            interfaces,
            by_role: Vec::new(),
        }
    }

    /// The interfaces of a role in a zone, as indices.
    pub(super) fn hosts(&self, role: Role, zone: usize) -> &[usize] {
        let found = self
            .by_role
            .iter()
            .find(|(of, at, _)| *of == role && *at == zone);
        &found.expect("every role is planned for both zones").2
    }

    /// Adds as many hosts again of a role in a zone: those with which a deployment replaces the others.
    pub(super) fn deploy(&mut self, scale: Scale, role: Role, zone: usize) {
        let plans = plans(scale);
        let plan = plans
            .iter()
            .find(|plan| plan.role == role)
            .expect("every role is planned");
        let count = plan.count[zone];
        let added: Vec<usize> = (count..2 * count)
            .map(|number| self.add(plan, zone, number))
            .collect();
        for (of, at, members) in &mut self.by_role {
            if *of == role && *at == zone {
                members.extend_from_slice(&added);
            }
        }
    }

    fn add(&mut self, plan: &Plan, zone: usize, number: usize) -> usize {
        let first: Ipv4Addr = plan.v4[zone]
            .parse()
            .expect("the plan's addresses are well formed");
        let v4 = Ipv4Addr::from_bits(first.to_bits() + number as u32);
        let v6 = Some(plan.v6[zone])
            .filter(|tail| !tail.is_empty())
            .map(|tail| {
                let first: Ipv6Addr = format!("{V6}{tail}")
                    .parse()
                    .expect("the plan's addresses are well formed");
                Ipv6Addr::from_bits(first.to_bits() + number as u128)
            });
        let sandbox = matches!(plan.role, Role::SandboxApp | Role::SandboxData);
        let vpc = if sandbox { &SANDBOX } else { &PROD };
        let digest = |what: &str| xxh3_64(format!("{what} {} {v4}", vpc.id).as_bytes());
        // Tasks run in the second zone only, so that both kinds of workload occur.
        let ecs_service = match (plan.role, zone) {
            (Role::Etl, 1) => Some("etl"),
            (Role::VectorService, 1) => Some("vector-service"),
            _ => None,
        };
        let is_instance = ecs_service.is_none() && !self::is_service(plan.role);
        self.interfaces.push(Interface {
            vpc: Cow::Borrowed(vpc),
            role: plan.role,
            tier: plan.tier,
            zone,
            account: if plan.role == Role::KmsEndpoint && zone == 1 {
                Cow::Borrowed("unknown")
            } else {
                vpc.account.clone()
            },
            id: format!("eni-0{:016x}", digest("interface")),
            subnet: Cow::Borrowed(plan.subnet[zone]),
            az: Cow::Borrowed(ZONES[zone]),
            instance: is_instance.then(|| format!("i-0{:016x}", digest("instance"))),
            v4,
            v6,
            ecs_service,
        });
        self.interfaces.len() - 1
    }
}

impl Interface {
    /// The address of the family.
    pub(super) fn addr(&self, v6: bool) -> IpAddr {
        match self.v6 {
            Some(addr) if v6 => IpAddr::V6(addr),
            _ => IpAddr::V4(self.v4),
        }
    }

    /// `interface-type`: only interfaces that AWS makes have one.
    pub(super) fn interface_type(&self) -> Option<&'static str> {
        match self.role {
            Role::Nat => Some("nat_gateway"),
            Role::TransitGateway => Some("transit_gateway"),
            Role::KmsEndpoint => Some("vpc_endpoint"),
            _ => None,
        }
    }

    /// The Auto Scaling group, where there is one.
    pub(super) fn scaling_group(&self) -> Option<&'static str> {
        (self.role == Role::Worker).then_some("batch-workers")
    }

    /// What it belongs to: an ECS service or an Auto Scaling group.
    pub(super) fn workload(&self) -> Option<&'static str> {
        self.ecs_service.or(self.scaling_group())
    }

    /// Whether it opens connections from ports as low as 1024, as load balancers and NAT gateways do.
    pub(super) fn has_low_ports(&self) -> bool {
        matches!(
            self.role,
            Role::LoadBalancer | Role::VectorLb | Role::VpcLink | Role::Nat | Role::VectorDb
        )
    }
}

/// Whether a role's interfaces are made by AWS, so that no instance owns them.
fn is_service(role: Role) -> bool {
    matches!(
        role,
        Role::LoadBalancer
            | Role::VpcLink
            | Role::Nat
            | Role::KmsEndpoint
            | Role::VectorLb
            | Role::Resolver
            | Role::TransitGateway
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_are_unique_within_a_vpc_and_ids_everywhere() {
        let fleet = Fleet::new(Scale {
            etl: 200,
            vector_service: 200,
            worker: 200,
            vector_db: 100,
            warehouse: 100,
        });
        let addresses: BTreeSet<_> = fleet
            .interfaces
            .iter()
            .map(|interface| (&interface.vpc.id, interface.v4))
            .collect();
        let ids: BTreeSet<_> = fleet
            .interfaces
            .iter()
            .map(|interface| &interface.id)
            .collect();
        assert_eq!(addresses.len(), fleet.interfaces.len());
        assert_eq!(ids.len(), fleet.interfaces.len());
    }
}
