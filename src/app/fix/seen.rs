//! The edges behind findings, added up by pairs of addresses.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::network::connection;
use super::{Found, MAX_PAIRS};
use crate::app::error::ScanError;
use crate::app::over;
use crate::config::permit::Connection;
use crate::judge::{Edge, EdgeRow, Verdict};
use crate::net::Addr;
use crate::sink::{Hour, Lake};

/// How many edges are looked at one by one, some 600 bytes each; of all findings together, and of one.
const MAX_EDGES: [usize; 2] = [50_000, 5000];

/// How many pairs of addresses are told apart, some 150 bytes each; of all findings together. More are not counted as pairs.
const MAX_TOLD_APART: usize = 500_000;

/// The edges behind a finding.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The first of them by time; all if there are at most 5000, or fewer where many findings are asked for.
    pub edges: Vec<Edge>,
    /// How many there are.
    pub num_edges: u64,
    /// Their connections, each once per slot.
    pub connections: u64,
    /// The heaviest pairs, at most [`MAX_PAIRS`].
    pub pairs: Vec<PairSeen>,
    /// How many pairs there are, as far as they are told apart.
    pub num_pairs: usize,
}

/// What was seen between two addresses on one port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairSeen {
    /// The connection.
    pub connection: Connection,
    /// Connections of the edges, each once per slot.
    pub connections: u64,
    /// Those among them that the network let through, or of which nobody knows that it did not.
    pub let_through: u64,
    /// Bytes in both directions.
    pub bytes: u64,
    /// Earliest `start`, seconds.
    pub first_seen: u32,
    /// Latest `end`, seconds.
    pub last_seen: u32,
}

/// Client, server, protocol, port.
type PairKey = (Addr, Addr, u8, u16);

/// The edges of these hours behind each of the findings.
pub(super) fn behind(
    lake: &Lake,
    hours: &BTreeSet<Hour>,
    found: &[Found],
) -> Result<Vec<Seen>, ScanError> {
    let mut gathered: Vec<(Seen, HashMap<PairKey, PairSeen>)> =
        found.iter().map(|_| Default::default()).collect();
    let all = found.len().max(1);
    let bounds = Bounds {
        edges: (MAX_EDGES[0] / all).min(MAX_EDGES[1]),
        pairs: MAX_TOLD_APART / all,
    };
    for hour in hours {
        let of_day = |found: &Found| found.days.contains(&hour.day());
        if !found.iter().any(of_day) {
            continue;
        }
        over::read(lake, *hour, &mut |edge| {
            for (found, (seen, pairs)) in found.iter().zip(&mut gathered) {
                if of_day(found) && found.finding.is_fed_by(edge) {
                    seen.add(edge, pairs, &bounds);
                }
            }
        })?;
    }
    let whole = gathered.into_iter().map(|(mut seen, pairs)| {
        seen.num_pairs = pairs.len();
        let mut pairs: Vec<(PairKey, PairSeen)> = pairs.into_iter().collect();
        pairs.sort_by_key(|(key, pair)| (Reverse((pair.bytes, pair.connections)), *key));
        seen.pairs = pairs
            .into_iter()
            .take(MAX_PAIRS)
            .map(|(_, pair)| pair)
            .collect();
        seen
    });
    Ok(whole.collect())
}

/// How much is held of one finding.
struct Bounds {
    edges: usize,
    pairs: usize,
}

impl Seen {
    fn add(&mut self, edge: &EdgeRow<'_>, pairs: &mut HashMap<PairKey, PairSeen>, bounds: &Bounds) {
        self.num_edges += 1;
        self.connections += edge.connections;
        if self.edges.len() < bounds.edges {
            self.edges.push(Edge::from(*edge));
        }
        let connection = connection(edge);
        let key = (
            connection.client,
            connection.server,
            connection.protocol,
            connection.server_port,
        );
        let is_full = pairs.len() >= bounds.pairs;
        if is_full && !pairs.contains_key(&key) {
            return;
        }
        let pair = pairs.entry(key).or_insert(PairSeen {
            connection,
            connections: 0,
            let_through: 0,
            bytes: 0,
            first_seen: edge.first_seen,
            last_seen: edge.last_seen,
        });
        pair.connections += edge.connections;
        if matches!(edge.verdict, Verdict::Violation | Verdict::Attempted) {
            pair.let_through += edge.connections;
        }
        pair.bytes = pair
            .bytes
            .saturating_add(edge.bytes_to_server)
            .saturating_add(edge.bytes_to_client);
        pair.first_seen = pair.first_seen.min(edge.first_seen);
        pair.last_seen = pair.last_seen.max(edge.last_seen);
    }

    /// The connections of the heaviest pairs.
    pub(super) fn heaviest(&self) -> Vec<Connection> {
        self.pairs.iter().map(|pair| pair.connection).collect()
    }

    /// Those that the network let through, or of which nobody knows that it did not.
    pub(super) fn let_through(&self) -> Vec<Connection> {
        let through = self.pairs.iter().filter(|pair| pair.let_through > 0);
        through.map(|pair| pair.connection).collect()
    }
}
