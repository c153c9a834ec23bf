//! The edges of an hour, counted from the judged rows: which records, which connections, and traffic once.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::Judged;
use super::seen::Seen;

/// What makes an edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgeKey {
    /// The hour of the slot, in hours since 1970.
    pub hour: u32,
    pub network: String,
    pub client_addr: String,
    pub server_addr: String,
    pub server_port: Option<u16>,
    pub protocol: u8,
    pub orientation: String,
    pub outcome: Option<String>,
    pub verdict: String,
    pub rule: String,
    pub client_tier: Option<String>,
    pub server_tier: Option<String>,
}

/// What an edge counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeCounts {
    pub records: u64,
    pub connections: u64,
    pub packets_to_server: u64,
    pub packets_to_client: u64,
    pub bytes_to_server: u64,
    pub bytes_to_client: u64,
    pub first_seen: u32,
    pub last_seen: u32,
    pub source: String,
    pub line: u64,
}

/// The edges that the rows amount to.
pub fn edges(rows: &[Judged]) -> BTreeMap<EdgeKey, EdgeCounts> {
    let mut edges: BTreeMap<EdgeKey, EdgeCounts> = BTreeMap::new();
    for share in shares(rows) {
        let edge = edges.entry(share.key).or_default();
        edge.records += share.counts.records;
        edge.connections += share.counts.connections;
        edge.packets_to_server += share.counts.packets_to_server;
        edge.packets_to_client += share.counts.packets_to_client;
        edge.bytes_to_server += share.counts.bytes_to_server;
        edge.bytes_to_client += share.counts.bytes_to_client;
        let first = edge.records == share.counts.records;
        if first || share.counts.first_seen < edge.first_seen {
            edge.first_seen = share.counts.first_seen;
        }
        edge.last_seen = edge.last_seen.max(share.counts.last_seen);
        if first || (&share.counts.source, share.counts.line) < (&edge.source, edge.line) {
            edge.source = share.counts.source;
            edge.line = share.counts.line;
        }
    }
    edges
}

/// The part of a connection, in its slot, that goes into one edge.
struct Share {
    key: EdgeKey,
    counts: EdgeCounts,
}

fn shares(rows: &[Judged]) -> Vec<Share> {
    // Records of one connection and slot that say the same verdict and rule; copies by other flow logs stay with the
    // records that they are copies of, for the sums.
    let mut parts: BTreeMap<(String, &'static str), Vec<&Judged>> = BTreeMap::new();
    for row in rows {
        let Some(part) = &row.part else { continue };
        parts
            .entry((part.connection(), part.reason.unwrap_or("judged")))
            .or_default()
            .push(row);
    }
    let mut counted: BTreeSet<String> = BTreeSet::new();
    let mut shares = Vec::new();
    // The connection itself is counted with its own story, else with what was left of it.
    let order = |reason: &str| match reason {
        "stray" => 2,
        "post-close" => 1,
        _ => 0,
    };
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by_key(|((_, reason), _)| order(reason));
    for ((connection, _), members) in parts {
        if let Some(mut share) = share(&members) {
            share.counts.connections = u64::from(counted.insert(connection));
            shares.push(share);
        }
    }
    shares
}

fn share(members: &[&Judged]) -> Option<Share> {
    let own: Vec<&Judged> = members
        .iter()
        .copied()
        .filter(|member| member.row.rule != "duplicate")
        .collect();
    let first = own.first()?;
    let part = first.part.as_ref()?;
    let connection = &part.of_connection;
    let seen = |judged: &&Judged| judged.part.as_ref().map(|part| part.seen.clone());
    let all: Vec<Seen> = members.iter().filter_map(seen).collect();
    let to_server = |seen: &Seen| seen.src == connection.orientation.client;
    let largest = |toward_server: bool, amount: &dyn Fn(&Seen) -> u64| {
        let mut sums: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
        for seen in all.iter().filter(|seen| to_server(seen) == toward_server) {
            *sums
                .entry((seen.flow_log.clone(), seen.record.interface.clone()))
                .or_default() += amount(seen);
        }
        sums.into_values().max().unwrap_or(0)
    };
    let packets = |seen: &Seen| seen.record.packets.unwrap_or(0);
    let bytes = |seen: &Seen| seen.record.bytes.unwrap_or(0);
    let example = own
        .iter()
        .min_by_key(|judged| (judged.row.source.clone(), judged.row.line))?;
    Some(Share {
        key: EdgeKey {
            hour: part.slot / 3600,
            network: part.network(),
            client_addr: first.row.client_addr.clone()?,
            server_addr: first.row.server_addr.clone()?,
            server_port: first.row.server_port,
            protocol: part.seen.protocol,
            orientation: connection.orientation.evidence.to_string(),
            outcome: first.row.outcome.clone(),
            verdict: first.row.verdict.clone(),
            rule: first.row.rule.clone(),
            client_tier: first.row.client_tier.clone(),
            server_tier: first.row.server_tier.clone(),
        },
        counts: EdgeCounts {
            records: own.len() as u64,
            connections: 0,
            packets_to_server: largest(true, &packets),
            packets_to_client: largest(false, &packets),
            bytes_to_server: largest(true, &bytes),
            bytes_to_client: largest(false, &bytes),
            first_seen: own
                .iter()
                .filter_map(seen)
                .filter_map(|seen| seen.record.start.or(seen.record.end))
                .min()
                .unwrap_or(0),
            last_seen: own
                .iter()
                .filter_map(seen)
                .filter_map(|seen| seen.record.end.or(seen.record.start))
                .max()
                .unwrap_or(0),
            source: example.row.source.clone(),
            line: example.row.line,
        },
    })
}
