//! Who carries a security group: for whom its rules hold, and whom rules mean that name it as their peer.

use std::collections::HashSet;

use crate::config::Config;
use crate::net::{Addr, Prefix, merged};
use crate::policy::PortsBetween;
use crate::policy::diff::prefixes;

/// The addresses that carry a group, as far as the configuration tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Carriers {
    /// Of interfaces and endpoints; prefixes where such are delegated. Sorted.
    pub(super) prefixes: Vec<Prefix>,
    single: HashSet<Addr>,
    delegated: Vec<Prefix>,
    /// Whether these are all: the configuration may hold only some interfaces.
    pub(super) is_complete: bool,
}

impl Carriers {
    pub(super) fn of(config: &Config, group: &str) -> Carriers {
        let is_it = |groups: &[String]| groups.iter().any(|id| id == group);
        let interfaces = config.interfaces.iter().filter(|one| is_it(&one.groups));
        let endpoints = config.endpoints.iter().filter(|one| is_it(&one.groups));
        let mut prefixes: Vec<Prefix> = interfaces
            .flat_map(|one| &one.addrs)
            .chain(endpoints.flat_map(|one| &one.addrs))
            .copied()
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let is_single = |prefix: &&Prefix| prefix.first() == prefix.last();
        Carriers {
            single: prefixes
                .iter()
                .filter(is_single)
                .map(|prefix| prefix.first())
                .collect(),
            delegated: prefixes
                .iter()
                .filter(|prefix| !is_single(prefix))
                .copied()
                .collect(),
            is_complete: config.has_all_interfaces,
            prefixes,
        }
    }

    /// Whether an address carries the group, or may: of a configuration that does not hold all nobody can tell.
    pub(super) fn may_contain(&self, addr: Addr) -> bool {
        self.contains(addr) || !self.is_complete
    }

    /// The prefixes of all that carry the group, or may: anybody inside of the network that is asked about, if these are not
    /// all.
    pub(super) fn possible(&self, between: &PortsBetween<'_>) -> Vec<Prefix> {
        if self.is_complete {
            return self.prefixes.clone();
        }
        let inside = between.ranges_inside();
        let ranges: Vec<(Addr, Addr)> = inside
            .iter()
            .map(|range| (range.first, range.last))
            .collect();
        merged(
            prefixes(&ranges)
                .into_iter()
                .chain(self.prefixes.iter().copied()),
        )
    }

    pub(super) fn contains(&self, addr: Addr) -> bool {
        self.single.contains(&addr) || self.delegated.iter().any(|prefix| prefix.contains(addr))
    }
}
