//! Which flow log writes what an interface records, and in which layout.

use std::borrow::Cow;

use super::fleet::{Fleet, Interface, PROD, REGION, Role, SANDBOX, Tier};
use super::gateway;
use crate::flow::Field;

/// How a flow log's objects are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// Text, gzip.
    Text,
    /// Parquet.
    Parquet,
}

/// How a flow log's keys are partitioned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Partition {
    Daily,
    Hourly,
    /// Hourly, with `name=` before each part.
    Hive,
}

/// A flow log.
pub(super) struct FlowLog {
    pub id: Cow<'static, str>,
    pub account: Cow<'static, str>,
    pub region: Cow<'static, str>,
    pub fields: Vec<Field>,
    pub format: Format,
    pub partition: Partition,
    /// Over how many objects a slot is spread.
    pub shards: u32,
}

impl FlowLog {
    /// `version` of its lines: the highest version among the fields.
    pub(super) fn version(&self) -> u8 {
        self.fields
            .iter()
            .map(|field| field.version())
            .max()
            .unwrap_or(2)
    }
}

/// The flow logs of a run.
pub(super) struct FlowLogs {
    pub logs: Vec<FlowLog>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// One for everything.
    One,
    /// One layout per part of the network; the first zone's data tier has Parquet in this slot.
    Many { parquet_slot: u32 },
}

/// Places in `FlowLogs::logs` of [`FlowLogs::mixed`].
pub(super) const VERSION_5: usize = 0;
pub(super) const VERSION_11: usize = 1;
const ALPHABETICAL: usize = 2;
const VERSION_2: usize = 3;
const PARQUET: usize = 4;
const GATEWAY: usize = 5;
const SECOND_VPC: usize = 6;
const SECOND_COPY: usize = 7;

impl FlowLogs {
    /// One flow log of the 29 fields up to version 5, over this many objects a slot.
    pub(super) fn one(shards: u32) -> FlowLogs {
        FlowLogs {
            logs: vec![log(
                "fl-0a5c1e7b93d2f4680",
                Format::Text,
                Partition::Daily,
                up_to(5),
                shards,
            )],
            kind: Kind::One,
        }
    }

    /// A flow log for each layout: version 5 in the first zone, all 54 fields in public and app of the second, another order in
    /// its data tier, the default format in audit, Parquet for one slot of the first zone's data tier, the transit gateway's,
    /// another account's, and one that watches the first zone's load balancers a second time.
    pub(super) fn mixed(parquet_slot: u32) -> FlowLogs {
        let mut alphabetical = up_to(5);
        alphabetical.sort_by_key(|field| field.name());
        let sandbox = FlowLog {
            account: SANDBOX.account.clone(),
            ..log(
                "fl-0c81f2d64e9ab3570",
                Format::Text,
                Partition::Hive,
                up_to(5),
                1,
            )
        };
        FlowLogs {
            logs: vec![
                log(
                    "fl-0a5c1e7b93d2f4680",
                    Format::Text,
                    Partition::Daily,
                    up_to(5),
                    1,
                ),
                log(
                    "fl-0b7e3d5f1a9c28460",
                    Format::Text,
                    Partition::Hourly,
                    up_to(11),
                    1,
                ),
                log(
                    "fl-01f4a8c6e2d09b735",
                    Format::Text,
                    Partition::Daily,
                    alphabetical,
                    1,
                ),
                log(
                    "fl-02d6b9e8f7c1a5340",
                    Format::Text,
                    Partition::Daily,
                    up_to(2),
                    1,
                ),
                log(
                    "fl-03e5c7a9b1d8f6240",
                    Format::Parquet,
                    Partition::Daily,
                    up_to(5),
                    1,
                ),
                log(
                    "fl-04f6d8b0c2e9a7350",
                    Format::Text,
                    Partition::Daily,
                    gateway::FIELDS.to_vec(),
                    1,
                ),
                sandbox,
                log(
                    "fl-06a8f0d2e4b1c9570",
                    Format::Text,
                    Partition::Daily,
                    second_copy(),
                    1,
                ),
            ],
            kind: Kind::Many { parquet_slot },
        }
    }

    /// The flow logs that watch the interface in this slot, as places in `logs`.
    pub(super) fn of(&self, interface: &Interface, slot: u32) -> &'static [usize] {
        let Kind::Many { parquet_slot } = self.kind else {
            return &[0];
        };
        if *interface.vpc == SANDBOX {
            return &[SECOND_VPC];
        }
        match (interface.tier, interface.zone) {
            (Tier::Public, 0) if interface.role == Role::LoadBalancer => &[VERSION_5, SECOND_COPY],
            (Tier::Data, 0) if slot == parquet_slot => &[PARQUET],
            (Tier::Public | Tier::App, 1) => &[VERSION_11],
            (Tier::Data, 1) => &[ALPHABETICAL],
            (Tier::Audit, _) => &[VERSION_2],
            _ => &[VERSION_5],
        }
    }

    /// Whether a flow log that watches the interface in this slot names the workload that it belongs to.
    pub(super) fn name_workloads(&self, interface: &Interface, slot: u32) -> bool {
        let names = |&place: &usize| self.logs[place].fields.contains(&Field::AsgTag);
        self.of(interface, slot).iter().any(names)
    }

    /// The transit gateway's flow log, if there is one.
    pub(super) fn of_gateway(&self) -> Option<usize> {
        matches!(self.kind, Kind::Many { .. }).then_some(GATEWAY)
    }

    /// Which interfaces exist for it: the second VPC needs a flow log of its own.
    pub(super) fn watches(&self, fleet: &Fleet, interface: usize) -> bool {
        matches!(self.kind, Kind::Many { .. }) || *fleet.interfaces[interface].vpc == PROD
    }
}

fn log(
    id: &'static str,
    format: Format,
    partition: Partition,
    fields: Vec<Field>,
    shards: u32,
) -> FlowLog {
    FlowLog {
        id: Cow::Borrowed(id),
        account: PROD.account.clone(),
        region: Cow::Borrowed(REGION),
        fields,
        format,
        partition,
        shards,
    }
}

/// The VPC fields up to this version, in AWS's order.
pub(super) fn up_to(version: u8) -> Vec<Field> {
    Field::ALL
        .iter()
        .copied()
        .filter(|field| field.version() <= version && field.version() != 6)
        .collect()
}

/// The fields of AWS's example of a custom format.
fn second_copy() -> Vec<Field> {
    use Field::*;
    vec![
        Version,
        VpcId,
        SubnetId,
        InstanceId,
        InterfaceId,
        AccountId,
        Type,
        Srcaddr,
        Dstaddr,
        Srcport,
        Dstport,
        PktSrcaddr,
        PktDstaddr,
        Protocol,
        Bytes,
        Packets,
        Start,
        End,
        Action,
        TcpFlags,
        LogStatus,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_have_the_documented_numbers_of_fields() {
        let numbers: Vec<_> = FlowLogs::mixed(0)
            .logs
            .iter()
            .map(|log| (log.fields.len(), log.version()))
            .collect();
        assert_eq!(
            numbers,
            [
                (29, 5),
                (54, 11),
                (29, 5),
                (14, 2),
                (29, 5),
                (36, 6),
                (29, 5),
                (21, 3)
            ]
        );
    }
}
