//! What a suspicion rests on: counts, times and addresses of edges, and one of them as an example.

use super::baseline::KnownLog;
use super::seen::Seen;
use crate::judge::sketch::Distinct;
use crate::judge::subject::{heaviest, shown};
use crate::judge::{Confidence, Inside, Outcome, Subject};
use crate::net::Addr;

/// Addresses of an end whose bytes are counted: the ten heaviest of them are named. Those that come later are only counted.
const WEIGHED: usize = 256;

/// Edges that belong to one suspicion.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// Earliest start, seconds.
    pub first_seen: u32,
    /// Latest end, seconds.
    pub last_seen: u32,
    pub records: u64,
    pub connections: u64,
    pub packets: u64,
    pub bytes: u64,
    pub client: TracedEnd,
    pub server: TracedEnd,
    /// Of the first edge.
    pub example: Option<Box<Example>>,
}

/// One edge as an example.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub network: String,
    pub source: String,
    pub line: u64,
    pub confidence: Confidence,
    pub outcome: Option<Outcome>,
    /// As [`Inside::texts`] has them.
    pub inside: [Option<String>; 6],
}

/// One end of a suspicion's edges. Most have one address, and there are many of them.
#[derive(Clone, Debug, Default)]
pub(super) struct TracedEnd {
    /// What it is, steadily: of the first edge.
    pub name: String,
    /// Its zone: of the first edge.
    pub zone: String,
    /// Addresses with their bytes, sorted.
    bytes: Vec<(Addr, u64)>,
    /// All addresses, where there are more.
    all: Option<Box<Distinct>>,
}

impl Trace {
    /// A trace of one edge.
    pub fn of(seen: &Seen<'_>) -> Trace {
        let mut trace = Trace::default();
        trace.add(seen);
        trace
    }

    /// A trace of a flow log, which has no connections: it delivered from one instant until the other, this object among
    /// others.
    pub fn of_source(log: &KnownLog, object: &str, from: u32, until: u32) -> Trace {
        let place = Inside {
            account_id: log.account.as_deref(),
            region: log.region.as_deref(),
            ..Inside::default()
        };
        Trace {
            first_seen: from,
            last_seen: until,
            example: Some(Box::new(Example {
                network: String::new(),
                source: object.to_owned(),
                line: 0,
                confidence: Confidence::Certain,
                outcome: None,
                inside: place.texts().map(|text| text.map(str::to_owned)),
            })),
            ..Trace::default()
        }
    }

    /// Takes an edge in.
    pub fn add(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        if self.example.is_none() {
            self.begin(seen);
        }
        let ends = [edge.client_addr, edge.server_addr];
        self.count(ends, (edge.first_seen, edge.last_seen), seen.counts());
    }

    /// Counts traffic between two ends, first and last seen then: records, connections, packets, bytes.
    pub fn count(&mut self, ends: [Addr; 2], seen: (u32, u32), counts: [u64; 4]) {
        let [records, connections, packets, bytes] = counts;
        self.first_seen = self.first_seen.min(seen.0);
        self.last_seen = self.last_seen.max(seen.1);
        self.records += records;
        self.connections += connections;
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.client.add(ends[0], bytes);
        self.server.add(ends[1], bytes);
    }

    /// Its names and its example, and nothing counted.
    pub fn without_counts(&self) -> Trace {
        let end = |end: &TracedEnd| TracedEnd {
            name: end.name.clone(),
            zone: end.zone.clone(),
            ..TracedEnd::default()
        };
        Trace {
            first_seen: u32::MAX,
            client: end(&self.client),
            server: end(&self.server),
            example: self.example.clone(),
            ..Trace::default()
        }
    }

    fn begin(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        self.first_seen = edge.first_seen;
        self.client.name = seen.client_name().to_owned();
        self.client.zone = edge.client_zone.to_owned();
        self.server.name = seen.server_name().to_owned();
        self.server.zone = edge.server_zone.to_owned();
        self.example = Some(Box::new(Example {
            network: edge.network.to_owned(),
            source: edge.source.to_owned(),
            line: edge.line,
            confidence: edge.confidence,
            outcome: edge.outcome,
            inside: edge.inside.texts().map(|text| text.map(str::to_owned)),
        }));
    }

    /// Takes in another trace of the same suspicion.
    pub fn absorb(&mut self, other: Trace) {
        if self.example.is_none() {
            *self = other;
            return;
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.records += other.records;
        self.connections += other.connections;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.client.absorb(&other.client);
        self.server.absorb(&other.server);
    }
}

impl TracedEnd {
    fn add(&mut self, addr: Addr, bytes: u64) {
        if let Some(all) = &mut self.all {
            all.add_addr(addr);
        }
        match self.bytes.binary_search_by_key(&addr, |(known, _)| *known) {
            Ok(place) => {
                let known = &mut self.bytes[place].1;
                *known = known.saturating_add(bytes);
            }
            Err(place) if self.bytes.len() < WEIGHED => {
                self.bytes.reserve_exact(usize::from(self.bytes.is_empty()));
                self.bytes.insert(place, (addr, bytes));
            }
            Err(_) => self.counted().add_addr(addr),
        }
    }

    /// The sketch of all addresses, begun if there is none.
    fn counted(&mut self) -> &mut Distinct {
        let bytes = &self.bytes;
        self.all.get_or_insert_with(|| {
            let mut all = Distinct::default();
            bytes.iter().for_each(|(addr, _)| all.add_addr(*addr));
            Box::new(all)
        })
    }

    fn absorb(&mut self, other: &TracedEnd) {
        if let Some(all) = &other.all {
            self.counted().absorb(all);
        }
        for (addr, bytes) in &other.bytes {
            self.add(*addr, *bytes);
        }
    }

    /// It in a title.
    pub fn shown(&self) -> String {
        shown(&self.name, &self.zone)
    }

    /// How many addresses.
    pub fn addresses(&self) -> u64 {
        match &self.all {
            Some(all) => all.estimate(),
            None => self.bytes.len() as u64,
        }
    }

    /// As a finding names it: by this name, where there is one.
    pub fn subject(&self, name: Option<&str>) -> Subject {
        Subject {
            subject: name.unwrap_or_default().to_owned(),
            zone: name.map_or_else(String::new, |_| self.zone.clone()),
            addresses: self.addresses(),
            heaviest: heaviest(self.bytes.iter().copied()),
        }
    }
}
