//! Who reported a record: a flow log, and the interface with all that its records say of it. Interned per hour.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::flow::{Field, Fields};
use crate::policy::{InterfaceFacts, NetworkId, Policy, carries_others};

use super::Inside;

/// A reporter of the hour, an index into [`Reporters`]. The numbers depend on the order of arrival: never let them
/// decide anything, compare the [`Reporter`]s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReporterId(pub u32);

/// A flow log and an interface, as the records of the interface describe it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reporter {
    /// How many fields the flow log's records have: of several flow logs on one interface, the richest counts.
    pub num_fields: u16,
    /// The flow log's id, empty where keys do not name one.
    pub flow_log: Box<str>,
    /// The texts of [`Field::OF_REPORTER`], tag values percent-decoded.
    pub texts: [Option<Box<str>>; Field::OF_REPORTER.len()],
    /// The network whose records these are; none out of scope.
    pub network: Option<NetworkId>,
    /// Number of the interface within the hour: equal for reporters of one interface.
    pub interface: u32,
    /// Number of (flow log, interface) within the hour.
    pub stream: u32,
}

impl Reporter {
    /// Whether, of two flow logs on one interface, this one's records count and the other's are copies: the one with
    /// more fields, then the one with the lower id.
    pub fn counts_before(&self, other: &Reporter) -> bool {
        (std::cmp::Reverse(self.num_fields), &self.flow_log)
            < (std::cmp::Reverse(other.num_fields), &other.flow_log)
    }

    /// The text of one of [`Field::OF_REPORTER`].
    pub fn text(&self, field: Field) -> Option<&str> {
        self.texts[field.place_of_reporter()?].as_deref()
    }

    /// Whether its records are a transit gateway's.
    pub fn is_transit_gateway(&self) -> bool {
        self.text(Field::TgwAttachmentId).is_some()
            || self
                .text(Field::ResourceType)
                .is_some_and(|kind| kind.starts_with("TransitGateway"))
    }

    /// Whether it is a NAT gateway without an interface of its own.
    pub fn is_regional_nat(&self) -> bool {
        self.text(Field::ResourceId)
            .is_some_and(|id| id.starts_with("nat-"))
            || self.text(Field::InterfaceType) == Some("regional_nat_gateway")
    }

    /// The type of the interface: as its records tell it, else as the inventory does, where that matters for whose flows
    /// it carries.
    pub fn interface_type<'r>(&'r self, policy: &'r Policy) -> Option<&'r str> {
        let by_inventory = || policy.interface_type(self.text(Field::InterfaceId)?);
        self.text(Field::InterfaceType).or_else(by_inventory)
    }

    /// Whether its type alone says that it carries others' flows; `None` where neither records nor the inventory tell the
    /// type.
    pub fn carries_others(&self, policy: &Policy) -> Option<bool> {
        if self.is_regional_nat() {
            return Some(true);
        }
        self.interface_type(policy).map(carries_others)
    }

    /// What groups may be defined by.
    pub fn facts(&self) -> InterfaceFacts<'_> {
        InterfaceFacts {
            interface: self.text(Field::InterfaceId),
            instance: self.text(Field::InstanceId),
            interface_type: self.text(Field::InterfaceType),
            ecs_service: self.text(Field::EcsServiceName),
            tags: [
                self.text(Field::InstanceTag),
                self.text(Field::InstanceTag2),
                self.text(Field::InterfaceTag),
                self.text(Field::InterfaceTag2),
                self.text(Field::AsgTag),
                self.text(Field::AsgTag2),
            ],
        }
    }

    /// The workload that its addresses belong to: the Auto Scaling group, else the ECS service.
    pub fn workload(&self) -> Option<&str> {
        self.text(Field::AsgTag)
            .or_else(|| self.text(Field::EcsServiceName))
    }

    /// Where it lives.
    pub fn inside(&self) -> Inside<'_> {
        Inside {
            account_id: self.text(Field::AccountId),
            region: self.text(Field::Region),
            vpc_id: self.text(Field::VpcId),
            subnet_id: self.text(Field::SubnetId),
            interface_id: self
                .text(Field::InterfaceId)
                .or_else(|| self.text(Field::ResourceId)),
            instance_id: self.text(Field::InstanceId),
        }
    }

    /// What records out of scope are counted under: the VPC, else account and region.
    pub fn place(&self) -> String {
        match self
            .text(Field::VpcId)
            .or_else(|| self.text(Field::TgwSrcVpcId))
        {
            Some(vpc) => vpc.to_owned(),
            None => format!(
                "account {} in {}",
                self.text(Field::AccountId).unwrap_or("unknown"),
                self.text(Field::Region).unwrap_or("an unknown region")
            ),
        }
    }
}

/// The reporters of an hour, shared by all threads that work on it.
#[derive(Default)]
pub struct Reporters {
    known: Mutex<Known>,
}

/// What tells interfaces apart: an id, or the flow log where records have none.
type InterfaceName = (Option<Box<str>>, Option<Box<str>>);

#[derive(Default)]
struct Known {
    all: Vec<Reporter>,
    by_value: HashMap<Reporter, ReporterId>,
    interfaces: HashMap<InterfaceName, u32>,
    streams: HashMap<(Box<str>, u32), u32>,
}

impl Reporters {
    /// The reporter of a record, interned.
    pub fn intern(
        &self,
        policy: &Policy,
        flow_log: &str,
        default: &KeyPlace<'_>,
        fields: &impl Fields,
    ) -> (ReporterId, Reporter) {
        let mut texts: [Option<Box<str>>; Field::OF_REPORTER.len()] = Default::default();
        for (text, field) in texts.iter_mut().zip(Field::OF_REPORTER) {
            *text = fields.text(field).map(|bytes| owned(field, bytes));
        }
        let mut reporter = Reporter {
            num_fields: fields.layout().columns.len() as u16,
            flow_log: flow_log.into(),
            texts,
            network: None,
            interface: 0,
            stream: 0,
        };
        reporter.network = network_of(policy, &reporter, default);
        let mut known = self.lock();
        let id = reporter
            .text(Field::InterfaceId)
            .or(reporter.text(Field::ResourceId))
            .or(reporter.text(Field::TgwAttachmentId));
        // Without an id nothing says that two flow logs tell of one interface.
        let interface = match id {
            Some(id) => (Some(Box::from(id)), None),
            None => (None, Some(Box::from(flow_log))),
        };
        let next = known.interfaces.len() as u32;
        reporter.interface = *known.interfaces.entry(interface).or_insert(next);
        let next = known.streams.len() as u32;
        reporter.stream = *known
            .streams
            .entry((reporter.flow_log.clone(), reporter.interface))
            .or_insert(next);
        if let Some(&id) = known.by_value.get(&reporter) {
            return (id, reporter);
        }
        let id = ReporterId(known.all.len() as u32);
        assert!(
            id.0 < 1 << 26,
            "an hour has fewer than 2^26 reporters, because tags have 26 bits for them"
        );
        known.all.push(reporter.clone());
        known.by_value.insert(reporter.clone(), id);
        (id, reporter)
    }

    /// Of two reporters (their numbers + 1; 0 is none) the one with the smaller value: the numbers themselves depend on
    /// the order of arrival.
    pub fn smaller<T: Ord>(&self, a: u32, b: u32, value: impl Fn(&Reporter) -> T) -> u32 {
        if a == 0 || b == 0 || a == b {
            return a.max(b);
        }
        let known = self.lock();
        let of = |number: u32| value(&known.all[number as usize - 1]);
        if of(b) < of(a) { b } else { a }
    }

    /// All reporters so far, by their numbers.
    pub fn snapshot(&self) -> Vec<Reporter> {
        self.lock().all.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Account and region of the object's key, for records that lack these fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyPlace<'a> {
    /// The account in the key.
    pub account: Option<&'a str>,
    /// The region in the key.
    pub region: Option<&'a str>,
}

fn network_of(policy: &Policy, reporter: &Reporter, default: &KeyPlace<'_>) -> Option<NetworkId> {
    let account = reporter
        .text(Field::AccountId)
        .filter(|account| *account != "unknown")
        .or(default.account);
    let region = reporter.text(Field::Region).or(default.region);
    if reporter.is_transit_gateway() {
        let by_vpc = |field| {
            reporter
                .text(field)
                .and_then(|vpc| policy.network_of(Some(vpc), account, region))
        };
        return by_vpc(Field::TgwSrcVpcId)
            .or_else(|| by_vpc(Field::TgwDstVpcId))
            .or_else(|| {
                let unnamed = reporter.text(Field::TgwSrcVpcId).is_none()
                    && reporter.text(Field::TgwDstVpcId).is_none();
                unnamed
                    .then(|| policy.network_of(None, account, region))
                    .flatten()
            });
    }
    policy.network_of(reporter.text(Field::VpcId), account, region)
}

fn owned(field: Field, bytes: &[u8]) -> Box<str> {
    let is_tag = matches!(
        field,
        Field::InstanceTag
            | Field::InstanceTag2
            | Field::InterfaceTag
            | Field::InterfaceTag2
            | Field::AsgTag
            | Field::AsgTag2
    );
    if is_tag && bytes.contains(&b'%') {
        return String::from_utf8_lossy(&percent_decoded(bytes)).into();
    }
    String::from_utf8_lossy(bytes).into()
}

/// Tag values come percent-encoded (AWS, *Flow log limitations*); a `%` without two hex digits stays as it is.
fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push((high << 4 | low) as u8);
            rest = after;
            continue;
        }
        out.push(first);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn tag_values_are_percent_decoded_and_broken_escapes_stay() {
        let check = |text: &str, expected: &str| {
            assert_eq!(percent_decoded(text.as_bytes()), expected.as_bytes())
        };
        check("a%20b", "a b");
        check("100%", "100%");
        check("%zz%41", "%zzA");
        check("%c3%A9", "é");
    }
}
