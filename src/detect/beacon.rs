//! `beacon`: connections at regular intervals to an address that nobody listed and few use.
//!
//! Flow logs tell when a window of aggregation began (a minute at best), and edges only the first and the last of an hour.
//! So intervals are means within an hour, and gaps between the last of one hour and the first of the next.

use std::collections::BTreeMap;

use super::EdgeDetector;
use super::bounded::Bounded;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::stats::median;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::net::protocol::{TCP, UDP};
use crate::policy::Detecting;

/// Pairs that are remembered of a day.
const PAIRS_CAP: usize = 32_768;
/// The shortest interval that can be told from the aggregation, seconds: twice its minute.
const SHORTEST: u64 = 120;
/// What aggregation alone moves an interval by, seconds.
const BLUR: u64 = 75;
/// How many percent of the intervals must be regular.
const REGULAR: usize = 90;

type Pair = (Addr, Addr, u16, u8);

pub(super) struct Beacon {
    hours: usize,
    connections: u64,
    clients: usize,
    jitter: u64,
    except: Vec<u64>,
    /// Whether the network's logs tell flags: some connection had a SYN.
    has_flags: bool,
    /// How many pairs there are of each client.
    of_client: BTreeMap<Addr, usize>,
    pairs: Bounded<Pair, Series>,
}

/// The connections of a pair, hour by hour.
#[derive(Default)]
struct Series {
    now: Option<Hour>,
    hours: Vec<Hour>,
    trace: Trace,
}

/// The connections of an hour: how many, the first and the last of them, seconds.
#[derive(Clone, Copy)]
struct Hour {
    count: u64,
    first: u32,
    last: u32,
}

impl Beacon {
    pub fn new(set: &Detecting) -> Beacon {
        Beacon {
            hours: set.number("hours") as usize,
            connections: set.number("connections"),
            clients: set.number("clients") as usize,
            jitter: set.number("jitter"),
            except: set.numbers("except_ports").to_vec(),
            has_flags: false,
            of_client: BTreeMap::new(),
            pairs: Bounded::new(PAIRS_CAP),
        }
    }

    /// The interval of a series, if it is regular, seconds.
    fn interval(&self, series: &Series) -> Option<u64> {
        let count: u64 = series.hours.iter().map(|hour| hour.count).sum();
        if series.hours.len() < self.hours || count < self.connections {
            return None;
        }
        let mut intervals = intervals(&series.hours);
        let usual = median(&mut intervals)?;
        let slack = (usual.saturating_mul(self.jitter) / 100).max(BLUR);
        let is_regular = |interval: &&u64| interval.abs_diff(usual) <= slack;
        let regular = intervals.iter().filter(is_regular).count();
        (usual >= SHORTEST && regular * 100 >= intervals.len() * REGULAR).then_some(usual)
    }
}

/// The mean interval of each hour with several connections, and the gaps between hours.
fn intervals(hours: &[Hour]) -> Vec<u64> {
    let within = hours.iter().filter(|hour| hour.count > 1);
    let within = within.map(|hour| u64::from(hour.last - hour.first) / (hour.count - 1));
    let gaps = hours
        .windows(2)
        .map(|two| u64::from(two[1].first.saturating_sub(two[0].last)));
    within.chain(gaps).collect()
}

impl EdgeDetector for Beacon {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        self.has_flags |= seen.has_own_syn();
        let is_candidate = seen.client.is_inside()
            && seen.is_with_anybody()
            && matches!(edge.protocol, TCP | UDP)
            && seen.is_let_through()
            // Where the network's logs have flags, a connection without its SYN is one that goes on.
            && (edge.protocol == UDP || seen.has_own_syn() || !self.has_flags);
        let Some(port) = edge.server_port.filter(|_| is_candidate) else {
            return;
        };
        if self.except.contains(&u64::from(port)) {
            return;
        }
        let pair = (edge.server_addr, edge.client_addr, port, edge.protocol);
        let of_client = self.of_client.entry(edge.client_addr).or_default();
        let Some(series) = self.pairs.entry_of_client(pair, of_client) else {
            return;
        };
        series.trace.add(seen);
        let hour = series.now.get_or_insert(Hour {
            count: 0,
            first: edge.first_seen,
            last: edge.first_seen,
        });
        hour.count += edge.connections;
        hour.first = hour.first.min(edge.first_seen);
        hour.last = hour.last.max(last_start(
            edge.first_seen,
            edge.last_seen,
            edge.connections,
        ));
    }

    fn end_hour(&mut self, _hour: u32, _cases: &mut Cases<'_>) {
        for series in self.pairs.values_mut() {
            series.hours.extend(series.now.take());
        }
    }

    fn end_day(&mut self, cases: &mut Cases<'_>) {
        let mut clients: BTreeMap<Addr, usize> = BTreeMap::new();
        let pairs = self.pairs.take();
        let mut before = None;
        for (server, client, ..) in pairs.keys() {
            if before.replace((*server, *client)) != Some((*server, *client)) {
                *clients.entry(*server).or_default() += 1;
            }
        }
        for ((server, _, port, protocol), series) in pairs {
            let is_rare = clients
                .get(&server)
                .is_none_or(|count| *count <= self.clients);
            let Some(interval) = self.interval(&series).filter(|_| is_rare) else {
                continue;
            };
            let (hours, trace) = (series.hours.len(), series.trace);
            cases.raise(Suspicion {
                kind: Kind::Beacon,
                about: About::Both,
                port: Some(port),
                protocol: Some(protocol),
                severity: None,
                weight: trace.connections,
                title: format!(
                    "{} calls {} on {} every {}",
                    trace.client.shown(),
                    trace.server.shown(),
                    service(protocol, Some(port)),
                    shown(interval)
                ),
                reason: format!(
                    "{} connections over {hours} hours, {interval} s apart but for {} %",
                    trace.connections, self.jitter
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.pairs.let_go()
    }
}

/// When the last of an edge's connections began, about: the window that tells of its end is a minute long.
fn last_start(first: u32, last: u32, connections: u64) -> u32 {
    if connections < 2 {
        return first;
    }
    last.saturating_sub(60).max(first)
}

fn shown(seconds: u64) -> String {
    match seconds {
        0..5400 => format!("{} minutes", (seconds + 30) / 60),
        _ => format!("{} hours", (seconds + 1800) / 3600),
    }
}
