//! Who of the fleet is on duty when: on the day of a scenario a deployment replaces ETL's tasks, and a database fails over.

use super::fleet::{Fleet, Role};

/// The slot of the day, counted from 0, in which every task of ETL has been replaced: noon.
const DEPLOYED: u32 = 144;
/// The slot of the day in which the first database dies: 15:00.
const FAILED: u32 = 180;
/// For how many slots nobody talks to it.
const OUTAGE: u32 = 2;

/// Who is on duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Roster {
    /// Everybody, always.
    Everybody,
    /// Those who are on the day of a scenario, in this slot of it.
    Day {
        /// The slot, counted from 0.
        slot: u32,
    },
}

impl Roster {
    /// The interfaces of a role in a zone that are on duty, as indices.
    pub(super) fn hosts(self, fleet: &Fleet, role: Role, zone: usize) -> &[usize] {
        let hosts = fleet.hosts(role, zone);
        let Roster::Day { slot } = self else {
            return hosts;
        };
        match (role, zone) {
            (Role::Etl, 1) if slot < DEPLOYED => &hosts[..hosts.len() / 2],
            (Role::Etl, 1) => &hosts[hosts.len() / 2..],
            (Role::VectorDb, 0) if (FAILED..FAILED + OUTAGE).contains(&slot) => &hosts[1..],
            _ => hosts,
        }
    }

    /// The vector databases of a zone that answer searches: on the day of a scenario the first zone's last one stands by
    /// until the first one dies, which stands by afterwards.
    pub(super) fn databases(self, fleet: &Fleet, zone: usize) -> &[usize] {
        let hosts = fleet.hosts(Role::VectorDb, zone);
        match self {
            Roster::Day { slot } if zone == 0 && slot < FAILED => &hosts[..hosts.len() - 1],
            Roster::Day { .. } if zone == 0 => &hosts[1..],
            _ => hosts,
        }
    }

    /// Whether the interface exists: a task's comes and goes with the task.
    pub(super) fn has(self, fleet: &Fleet, index: usize) -> bool {
        let interface = &fleet.interfaces[index];
        interface.role != Role::Etl
            || self
                .hosts(fleet, interface.role, interface.zone)
                .contains(&index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn a_deployment_leaves_as_many_tasks_and_none_of_the_old() {
        let scale = Options::default().scale();
        let mut fleet = Fleet::new(scale);
        fleet.deploy(scale, Role::Etl, 1);
        let at = |slot| Roster::Day { slot }.hosts(&fleet, Role::Etl, 1);
        let (before, after) = (at(DEPLOYED - 1), at(DEPLOYED));
        assert_eq!(before.len(), after.len());
        for &task in after {
            assert!(!before.contains(&task));
            assert!(!Roster::Day { slot: 0 }.has(&fleet, task));
            assert_eq!(fleet.interfaces[task].workload(), Some("etl"));
        }
    }

    #[test]
    fn the_database_that_stood_by_takes_over() {
        let fleet = Fleet::new(Options::default().scale());
        let all = fleet.hosts(Role::VectorDb, 0);
        let at = |slot| Roster::Day { slot }.databases(&fleet, 0);
        assert_eq!(at(FAILED - 1), &all[..2]);
        assert_eq!(at(FAILED), &all[1..]);
        assert_eq!(Roster::Everybody.databases(&fleet, 0), all);
    }
}
