//! What is seen of each service between two places, and what of it is often enough.

use std::collections::{BTreeMap, BTreeSet};

use super::super::orient::EPHEMERAL;
use crate::judge::EdgeRow;
use crate::net::ports::PortRange;
use crate::policy::{GroupId, Path, Policy, ZoneId, ZoneKind, is_anybodys_zone};

/// So many ports from [`EPHEMERAL`] up between the same places are one range: servers that hand out ports.
const MANY_PORTS: usize = 10;

/// How often traffic has to be seen.
#[derive(Clone, Copy, Debug)]
pub struct Often {
    /// Connections.
    pub connections: u64,
    /// Distinct hours of the clock, at least 1.
    pub hours: usize,
}

/// Where an end is, as rules would call it: the narrowest group that holds it by prefix, else its zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Spot {
    /// Its zone.
    pub zone: ZoneId,
    /// Its group, if any.
    pub group: Option<GroupId>,
}

impl Spot {
    /// The word for it in `from` and `to`. An AWS service that anybody can be a customer of is the internet.
    pub fn word<'p>(&self, policy: &'p Policy) -> &'p str {
        let zone = policy.zone_name(self.zone);
        match (self.group, policy.zone_kind(self.zone)) {
            (Some(group), _) => policy.group_name(group),
            (None, ZoneKind::Aws) if is_anybodys_zone(zone) || zone == "aws:other" => "internet",
            (None, _) => zone,
        }
    }

    /// Whether it is in a network.
    pub fn is_inside(&self, policy: &Policy) -> bool {
        policy.zone_kind(self.zone).is_inside()
    }
}

/// A service between two places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Where the clients are.
    pub client: Spot,
    /// Where the servers are.
    pub server: Spot,
    /// The protocol and port; more than one port only where a range was made of many.
    pub ports: PortRange,
}

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Connections.
    pub connections: u64,
    /// Hours since 1970 in which there were any.
    pub hours: BTreeSet<u32>,
    /// The paths, none where unknown or not the same for all.
    pub paths: BTreeSet<Option<Path>>,
    /// By require of the base, how many connections break it.
    pub broken: Vec<u64>,
}

impl Sum {
    fn absorb(&mut self, other: &Sum) {
        self.connections += other.connections;
        self.hours.extend(&other.hours);
        self.paths.extend(&other.paths);
        self.broken
            .resize(self.broken.len().max(other.broken.len()), 0);
        for (sum, more) in self.broken.iter_mut().zip(&other.broken) {
            *sum += more;
        }
    }

    fn is_often(&self, often: Often) -> bool {
        self.connections >= often.connections && self.hours.len() >= often.hours
    }
}

/// All that was seen.
#[derive(Default)]
pub struct Seen {
    sums: BTreeMap<Key, Sum>,
}

impl Seen {
    /// Adds the connections of an edge; `broken` are the numbers of the requires that they break, out of so many.
    pub fn add(&mut self, key: Key, edge: &EdgeRow<'_>, broken: &[usize], requires: usize) {
        let sum = self.sums.entry(key).or_default();
        sum.connections += edge.connections;
        sum.hours.insert(edge.first_seen / 3600);
        sum.hours.insert(edge.last_seen / 3600);
        sum.paths.insert(edge.via);
        sum.broken.resize(requires, 0);
        for require in broken {
            sum.broken[*require] += edge.connections;
        }
    }

    /// What is often enough. Of many ephemeral ports between the same places a range is made first.
    pub fn often(mut self, often: Often) -> BTreeMap<Key, Sum> {
        self.fold_ephemeral();
        self.sums.retain(|_, sum| sum.is_often(often));
        self.sums
    }

    fn fold_ephemeral(&mut self) {
        let mut by_places: BTreeMap<(Spot, Spot, u8), Vec<Key>> = BTreeMap::new();
        for key in self.sums.keys().filter(|key| key.ports.first >= EPHEMERAL) {
            let places = (key.client, key.server, key.ports.protocol);
            by_places.entry(places).or_default().push(*key);
        }
        // In the order of the keys, so that the first and the last port are those of the range.
        for keys in by_places.values().filter(|keys| keys.len() >= MANY_PORTS) {
            let [first, .., last] = &keys[..] else {
                continue;
            };
            let ports = PortRange {
                last: last.ports.last,
                ..first.ports
            };
            let mut whole = Sum::default();
            for sum in keys.iter().filter_map(|key| self.sums.remove(key)) {
                whole.absorb(&sum);
            }
            self.sums.insert(Key { ports, ..*first }, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Spot = Spot {
        zone: ZoneId(0),
        group: None,
    };

    fn key(first: u16, last: u16) -> Key {
        Key {
            client: PLACE,
            server: PLACE,
            ports: PortRange {
                protocol: 6,
                first,
                last,
            },
        }
    }

    fn often(ports: &[u16], connections: u64, hours: usize) -> Vec<Key> {
        let sums = ports.iter().map(|port| {
            let sum = Sum {
                connections: 3,
                hours: BTreeSet::from([u32::from(*port) % 2]),
                paths: BTreeSet::from([None]),
                broken: vec![1],
            };
            (key(*port, *port), sum)
        });
        let seen = Seen {
            sums: sums.collect(),
        };
        let often = seen.often(Often { connections, hours });
        often.into_keys().collect()
    }

    #[test]
    fn what_is_seen_too_seldom_is_left_out() {
        assert_eq!(often(&[22, 443], 3, 1), [key(22, 22), key(443, 443)]);
        assert_eq!(often(&[22, 443], 4, 1), []);
        assert_eq!(often(&[22, 443], 3, 2), []);
    }

    #[test]
    fn many_ephemeral_ports_are_one_range_before_they_are_counted() {
        let many: Vec<u16> = (0..10).map(|place| 40_000 + place * 7).collect();
        assert_eq!(often(&many, 30, 2), [key(40_000, 40_063)]);
        assert_eq!(often(&many, 31, 2), []);
        assert_eq!(often(&many[1..], 3, 1).len(), 9);
        let low: Vec<u16> = (0..10).map(|place| 1024 + place).collect();
        assert_eq!(often(&low, 3, 1).len(), 10);
    }
}
