//! The names that led to the addresses of a finding's server, outside: what its clients had asked for, by Resolver logs.

use std::collections::BTreeSet;

use super::sketch::Distinct;
use crate::net::Addr;
use crate::policy::{DomainLevel, Policy};

/// Names that a finding lists.
const MAX_NAMES: usize = 10;

/// The names that were asked for and that led to the addresses of a finding's server, outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// The first of them by name, at most ten; as asked for, without what they are aliases of.
    pub names: Vec<String>,
    /// How many there are: exact up to 4096, then an estimate.
    pub total: u64,
    /// Who asked for them: clients of the finding, or else others of their network. None where nobody did.
    pub level: Option<DomainLevel>,
}

impl ServerNames {
    /// Takes in those of a later day: what clients themselves asked for comes before what others did, and of numbers the
    /// larger stays.
    pub(super) fn absorb(&mut self, later: &ServerNames) {
        let place = |names: &ServerNames| names.level.map_or(usize::MAX, |level| level as usize);
        if place(later) > place(self) {
            return;
        }
        if place(later) < place(self) {
            *self = later.clone();
            return;
        }
        self.names.extend_from_slice(&later.names);
        self.names.sort();
        self.names.dedup();
        self.total = self.total.max(later.total).max(self.names.len() as u64);
        self.names.truncate(MAX_NAMES);
    }
}

/// Gathers names, those that clients asked for apart from those that only others of their network did.
#[derive(Default)]
pub struct NamesGatherer {
    of_clients: Gathered,
    of_others: Gathered,
}

/// Names of which the first are kept.
#[derive(Default)]
struct Gathered {
    first: BTreeSet<String>,
    distinct: Distinct,
}

impl NamesGatherer {
    /// Adds the names that led a client to a server, for times from the first to the last (seconds); none where no Resolver
    /// logs tell.
    pub fn add(&mut self, policy: &Policy, network: &str, ends: [Addr; 2], times: [u32; 2]) {
        let Some((level, names)) = policy.names_asked(network, ends, times) else {
            return;
        };
        let gathered = match level {
            DomainLevel::Client => &mut self.of_clients,
            DomainLevel::Network | DomainLevel::Snapshot => &mut self.of_others,
        };
        names.into_iter().for_each(|name| gathered.add(name));
    }

    /// The names that clients asked for; if there are none, those that others did.
    pub fn finish(self) -> ServerNames {
        let (level, gathered) = match self.of_clients.first.is_empty() {
            false => (DomainLevel::Client, self.of_clients),
            true => (DomainLevel::Network, self.of_others),
        };
        ServerNames {
            level: (!gathered.first.is_empty()).then_some(level),
            total: gathered.distinct.estimate(),
            names: gathered.first.into_iter().collect(),
        }
    }
}

impl Gathered {
    fn add(&mut self, name: &str) {
        self.distinct.add(name.as_bytes());
        if !self.first.contains(name) {
            self.first.insert(name.to_owned());
        }
        if self.first.len() > MAX_NAMES {
            self.first.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(level: Option<DomainLevel>, names: std::ops::Range<usize>) -> ServerNames {
        let total = names.len() as u64;
        ServerNames {
            names: names.map(|name| format!("{name:02}.example")).collect(),
            total,
            level,
        }
    }

    #[test]
    fn the_first_ten_are_kept_and_all_are_counted() {
        let mut gatherer = NamesGatherer::default();
        for name in (0..40).rev().chain(0..40) {
            gatherer.of_others.add(&format!("{name:02}.example"));
        }
        let found = gatherer.finish();
        assert_eq!(found.names, names(None, 0..10).names);
        assert_eq!((found.total, found.level), (40, Some(DomainLevel::Network)));
        assert_eq!(NamesGatherer::default().finish(), ServerNames::default());
    }

    #[test]
    fn what_clients_asked_for_comes_before_what_others_did() {
        let (client, network) = (Some(DomainLevel::Client), Some(DomainLevel::Network));
        for (one, later, expected) in [
            (
                names(client, 0..2),
                names(network, 2..4),
                names(client, 0..2),
            ),
            (
                names(network, 2..4),
                names(client, 0..2),
                names(client, 0..2),
            ),
            (
                names(None, 0..0),
                names(network, 2..4),
                names(network, 2..4),
            ),
            (
                names(client, 0..2),
                names(client, 1..4),
                names(client, 0..4),
            ),
        ] {
            let mut all = one;
            all.absorb(&later);
            assert_eq!(all, expected);
        }
    }
}
