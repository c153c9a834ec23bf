//! The segmentation policy: one TOML file says what may talk to what; everything else is denied.
//!
//! [`Policy::parse`] reads the file and names all of its errors at once; the result is compiled: address space into
//! classes, the decision into a function of (class, class, protocol, ports, services, path, instant). No I/O: what the
//! file pins (`[data]`) is handed in.

mod decide;
mod word;

mod names_protocol;
pub use decide::{Decider, Decision, End, Lacked, Miss, Question};
pub(crate) use word::words;
pub use word::{Answer, Criticality, Path, Severity};

use crate::net::Addr;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $inner);)*
    };
}

ids! {
    /// A network of the policy, an index in the order of their names.
    NetworkId(u16);
    /// A class of addresses that no rule tells apart: one network's view of one set of memberships by prefix.
    ClassId(u32);
    /// The label shown for an end: a tier, `unassigned`, a destination, `aws:S3`, `private`, `local`, `internet`.
    ZoneId(u16);
    /// A group, an index in the order of their names.
    GroupId(u16);
    /// An allow, deny or require rule, or the default.
    RuleId(u16);
}

/// A compiled policy.
pub struct Policy {}

/// Where an address belongs, seen from one network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The network that holds the address: the record's own, or one connected to it; none outside.
    pub home: Option<NetworkId>,
    /// Its memberships by prefix.
    pub class: ClassId,
}

/// What the records of a slot teach about an interface, for groups that prefixes do not define.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterfaceFacts<'a> {
    /// `interface-id`.
    pub interface: Option<&'a str>,
    /// `instance-id`.
    pub instance: Option<&'a str>,
    /// `interface-type`.
    pub interface_type: Option<&'a str>,
    /// `ecs-service-name`.
    pub ecs_service: Option<&'a str>,
    /// Values of the six tag fields (percent-decoded): instance, interface and Auto Scaling group tags.
    pub tags: [Option<&'a str>; 6],
}

impl Policy {
    /// The network whose records these are (POLICY.md section 2, first paragraph); none is out of scope.
    pub fn network_of(
        &self,
        _vpc: Option<&str>,
        _account: Option<&str>,
        _region: Option<&str>,
    ) -> Option<NetworkId> {
        unimplemented!("written next")
    }

    /// Whether the policy has one network only, so that every inside address is at home there.
    pub fn has_one_network(&self) -> bool {
        unimplemented!("written next")
    }

    /// Where an address belongs, seen from `network`: a flat look-up for IPv4, longest prefix for IPv6.
    pub fn place(&self, _network: NetworkId, _addr: Addr) -> Place {
        unimplemented!("written next")
    }

    /// The [[subnets]] entry (an index) that holds the class's addresses, if any. Two addresses of one network with the
    /// same answer are of the same subnet.
    pub fn subnet_of(&self, _class: ClassId) -> Option<u32> {
        unimplemented!("written next")
    }

    /// The label of an end: tier, else `unassigned` inside a network, else the longest matching destination, else
    /// `aws:SERVICE`, else `private`, else `local`, else `internet`.
    pub fn zone(&self, _end: &End<'_>) -> ZoneId {
        unimplemented!("written next")
    }

    /// The zone's name as shown.
    pub fn zone_name(&self, _zone: ZoneId) -> &str {
        unimplemented!("written next")
    }

    /// What kind of zone it is, for flags and severity.
    pub fn zone_kind(&self, _zone: ZoneId) -> ZoneKind {
        unimplemented!("written next")
    }

    /// The criticality of a tier; medium for every other zone.
    pub fn criticality(&self, _zone: ZoneId) -> Criticality {
        unimplemented!("written next")
    }

    /// The groups that an interface's facts put its addresses in, beyond those by prefix; sorted, without duplicates.
    pub fn groups_by_facts(
        &self,
        _network: NetworkId,
        _facts: &InterfaceFacts<'_>,
    ) -> Vec<GroupId> {
        unimplemented!("written next")
    }

    /// Whether any group is defined by interface facts; if not, [`Policy::groups_by_facts`] is always empty.
    pub fn has_groups_by_facts(&self) -> bool {
        unimplemented!("written next")
    }

    /// The groups of a class by prefix, sorted.
    pub fn groups_of(&self, _class: ClassId) -> &[GroupId] {
        unimplemented!("written next")
    }

    /// The group's name.
    pub fn group_name(&self, _group: GroupId) -> &str {
        unimplemented!("written next")
    }

    /// Whether `[transit]` lists the address, seen from `network`, or the interface.
    pub fn is_transit(&self, _addr: Option<Addr>, _interface: Option<&str>) -> bool {
        unimplemented!("written next")
    }

    /// The network's name.
    pub fn network_name(&self, _network: NetworkId) -> &str {
        unimplemented!("written next")
    }

    /// The rule, require or default.
    pub fn rule(&self, _rule: RuleId) -> &Rule {
        unimplemented!("written next")
    }

    /// Whether (protocol, port) is a symmetric service: declared `symmetric = true`, or by default UDP 123, 500, 4500,
    /// 137, 138, 5353, 51820.
    pub fn is_symmetric(&self, _protocol: u8, _port: u16) -> bool {
        unimplemented!("written next")
    }

    /// The mute that covers a finding, if any.
    pub fn mute(&self, _finding: &MuteQuestion<'_>) -> Option<&Mute> {
        unimplemented!("written next")
    }

    /// `[policy] id`.
    pub fn id(&self) -> &str {
        unimplemented!("written next")
    }

    /// `[policy] title`, empty if it has none.
    pub fn title(&self) -> &str {
        unimplemented!("written next")
    }

    /// SHA-256, in hex, over what decides (POLICY.md section 1): not over texts, tests, mutes or detectors.
    pub fn hash(&self) -> &str {
        unimplemented!("written next")
    }

    /// Names of the tiers in the order of the file, for the matrix.
    pub fn tiers(&self) -> &[String] {
        unimplemented!("written next")
    }
}

/// What kind of place a zone is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ZoneKind {
    /// A tier.
    Tier,
    /// In a network's prefix, in no tier.
    Unassigned,
    /// A named destination.
    Destination,
    /// An AWS service.
    Aws,
    /// Private address space outside the networks.
    Private,
    /// Link-local, multicast, loopback, broadcast.
    Local,
    /// Everything else.
    Internet,
}

impl ZoneKind {
    /// Whether the zone lies inside the networks.
    pub fn is_inside(self) -> bool {
        matches!(self, ZoneKind::Tier | ZoneKind::Unassigned)
    }
}

/// What a rule says about itself.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The rule's id; `default` for the default.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// `reason`, empty if it has none.
    pub reason: String,
    /// `owner`, empty if it has none.
    pub owner: String,
    /// `controls`.
    pub controls: Vec<String>,
    /// `severity`, if the rule sets one.
    pub severity: Option<Severity>,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// `[[allow]]`.
    Allow,
    /// `[[deny]]`.
    Deny,
    /// `[[require]]` with `same = ["az"]` among its conditions.
    RequireZone,
    /// `[[require]]` of labels only.
    RequireLabels,
    /// `[[require]]` of encryption.
    RequireEncrypted,
    /// The default deny.
    Default,
}

/// A `[[mute]]`.
#[derive(Clone, Debug)]
pub struct Mute {
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// What a mute is asked about.
#[derive(Clone, Copy, Debug)]
pub struct MuteQuestion<'a> {
    /// The finding's kind.
    pub kind: &'a str,
    /// Zone of the client.
    pub client_zone: ZoneId,
    /// Zone of the server.
    pub server_zone: ZoneId,
    /// IANA protocol number.
    pub protocol: u8,
    /// Server port, if the protocol has ports.
    pub server_port: Option<u16>,
    /// The id of the rule, or the reason of an unjudged connection.
    pub rule: &'a str,
    /// When: seconds since 1970.
    pub at: u32,
}
