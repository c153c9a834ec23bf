//! Who was answered with which address for which name, and when: what Resolver logs tell, ready to be asked about
//! connections.
//!
//! An answer at `t` speaks for connections from `t` until a grace after it, both included: the resolver logs only what it
//! has to ask for, so a client may use what it was told long after. Time falls into buckets as long as the grace, and of a
//! bucket the first and the last answer with the same words are kept. That loses nothing: between two answers that are less
//! than a grace apart there is no instant that neither speaks for. So merging is by min and max, and the answer about an
//! instant draws on two buckets, whoever else is in the table.
//!
//! Of each answer there are two entries: the client's, and anybody's of its network.

mod gather;

#[cfg(test)]
mod tests;

pub use gather::{Gathered, LookupsBuilder};

use super::NetworkId;
use super::domains::Domains;
use crate::net::Addr;

/// Stands for any client of a network, and for any address: no end has this one.
const ANYBODY: Addr = Addr::from_v6(0);

/// The number of no name: of entries that tell that anything was asked at all.
const NO_NAME: u32 = 0;

/// Names of an address that are looked through at most, where they are told: whoever owns a domain can make any number of
/// them. Of more, the first are told.
const MAX_NAMES: usize = 4096;

/// What Resolver logs tell.
pub struct Lookups {
    /// Seconds.
    grace: u32,
    /// Sorted by key.
    entries: Vec<Entry>,
    names: Vec<AskedName>,
    /// What decisions go by: the entries of answers with sets of destinations in place of names, each set once. However many
    /// names an address has, it has few of these. Sorted by key.
    by_set: Vec<Entry>,
    /// Sets of destinations, a bit each.
    sets: Vec<u64>,
    /// The destinations that an allow lets somebody go to, a bit each.
    allowed: u64,
    /// Whether all answers for names of destinations are here, as far as there are logs: what is not here was not answered.
    is_whole: bool,
    /// The instants, first and last, for which that does not hold, because logs could not be read.
    lacking: Vec<(u32, u32)>,
}

/// What makes an entry this entry. The order is that in which entries are looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    network: u16,
    /// Who was answered, or [`ANYBODY`].
    client: Addr,
    /// With which address, or [`ANYBODY`] where it only matters that something was asked.
    addr: Addr,
    /// Seconds since 1970 by the grace.
    bucket: u32,
    /// The number of a name, or of a set of destinations.
    name: u32,
}

/// The first and the last answer of a bucket, seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    key: Key,
    first: u32,
    last: u32,
}

/// A name as it was asked for, with what it is an alias of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct AskedName {
    name: Box<str>,
    /// CNAMEs, in the order of the answer.
    aliases: Box<[Box<str>]>,
    /// The destinations that any of these names belongs to, a bit each.
    destinations: u64,
}

/// A name that somebody asked for and that led to an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lookup<'l> {
    /// The name that was asked for.
    pub name: &'l str,
    /// What it is an alias of, in the order of the answer.
    pub aliases: Vec<&'l str>,
    /// The first such answer that speaks for the time that was asked about, seconds.
    pub first: u32,
    /// The last one.
    pub last: u32,
}

impl Lookups {
    /// What is known of a server at an instant, for a client of a network.
    pub(super) fn domains(
        &self,
        network: NetworkId,
        client: Addr,
        server: Addr,
        at: u32,
    ) -> Domains {
        let mut domains = Domains {
            known: self.is_whole && !self.lacks(at) && self.covers(network, at),
            ..Domains::default()
        };
        let speaking = |client| {
            let entries = self.speaking(&self.by_set, network, client, server, [at, at]);
            entries.map(move |entry| self.sets[entry.key.name as usize])
        };
        domains.by_client = speaking(client).fold(0, |all, destinations| all | destinations);
        for destinations in speaking(ANYBODY) {
            domains.by_network |= destinations;
            domains.shared |= destinations & self.allowed == 0;
        }
        domains.by_network |= domains.by_client;
        domains
    }

    /// The names that a client of a network asked for and that led to an address, as far as they speak for an instant from
    /// the first to the last (seconds); without a client, those that anybody asked for. By name; at most 4096.
    pub fn names(
        &self,
        network: NetworkId,
        client: Option<Addr>,
        addr: Addr,
        times: [u32; 2],
    ) -> Vec<Lookup<'_>> {
        let mut found: Vec<Lookup<'_>> = self
            .speaking(
                &self.entries,
                network,
                client.unwrap_or(ANYBODY),
                addr,
                times,
            )
            .take(MAX_NAMES)
            .map(|entry| {
                let name = self.name(entry);
                Lookup {
                    name: &name.name,
                    aliases: name.aliases.iter().map(|alias| &**alias).collect(),
                    first: entry.first,
                    last: entry.last,
                }
            })
            .collect();
        found.sort();
        found.dedup_by(|later, earlier| {
            let is_same = later.name == earlier.name && later.aliases == earlier.aliases;
            if is_same {
                earlier.last = earlier.last.max(later.last);
            }
            is_same
        });
        found
    }

    /// Whether answers that speak for an instant may be in logs that could not be read.
    fn lacks(&self, at: u32) -> bool {
        let mut lacking = self.lacking.iter();
        lacking.any(|(first, last)| (*first..=*last).contains(&at))
    }

    /// Whether logs of a network cover an instant: something was asked within the grace before it, and within the grace
    /// after it.
    pub fn covers(&self, network: NetworkId, at: u32) -> bool {
        let grace = self.grace;
        let (first, last) = (at.saturating_sub(grace), at.saturating_add(grace));
        let around = self.entries_of(&self.entries, network, ANYBODY, ANYBODY, [first, last]);
        let (mut before, mut after) = (false, false);
        for entry in around {
            // A bucket is no longer than the grace: its first and last stand for all that is between them.
            before |= entry.first <= at && entry.last >= first;
            after |= entry.last >= at && entry.first <= last;
        }
        before && after
    }

    /// The entries of a client and an address that speak for an instant from the first to the last.
    fn speaking<'e>(
        &self,
        entries: &'e [Entry],
        network: NetworkId,
        client: Addr,
        addr: Addr,
        [first, last]: [u32; 2],
    ) -> impl Iterator<Item = &'e Entry> + use<'e> {
        let grace = self.grace;
        let earliest = first.saturating_sub(grace);
        self.entries_of(entries, network, client, addr, [earliest, last])
            .filter(move |entry| entry.first <= last && entry.last.saturating_add(grace) >= first)
    }

    /// The entries of the buckets of these times.
    fn entries_of<'e>(
        &self,
        entries: &'e [Entry],
        network: NetworkId,
        client: Addr,
        addr: Addr,
        [first, last]: [u32; 2],
    ) -> impl Iterator<Item = &'e Entry> + use<'e> {
        let key = |bucket| Key {
            network: network.0,
            client,
            addr,
            bucket,
            name: NO_NAME,
        };
        let (from, until) = (first / self.grace, last / self.grace);
        let start = key(from);
        let at = entries.partition_point(|entry| entry.key < start);
        entries[at..].iter().take_while(move |entry| {
            let of = Key {
                bucket: from,
                name: NO_NAME,
                ..entry.key
            };
            of == start && entry.key.bucket <= until
        })
    }

    fn name(&self, entry: &Entry) -> &AskedName {
        &self.names[entry.key.name as usize]
    }
}
