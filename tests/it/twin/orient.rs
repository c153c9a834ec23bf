//! Who is the client: the ladder of evidence, and what a REJECT is.

use std::collections::BTreeSet;

use tidegate::net::services::is_service;

use super::decide::has_ports;
use super::seen::{End, Seen};
use super::slot::Slot;

/// A connection with a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oriented {
    pub client: End,
    pub server: End,
    pub evidence: &'static str,
    pub confidence: &'static str,
}

impl Oriented {
    /// Whether a record goes from the client to the server.
    pub fn is_request(&self, record: &Seen) -> bool {
        record.src == self.client
    }
}

/// What a REJECT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    Attempt,
    Return,
    PostClose,
    Stray,
}

/// A connection of a slot, with what the hour before knew.
pub struct Case<'s> {
    pub slot: &'s Slot,
    /// The slots of the horizon, earliest first.
    pub horizon: &'s [&'s Slot],
    /// The records of the connection in the slot, copies included.
    pub records: Vec<&'s Seen>,
}

impl<'s> Case<'s> {
    pub fn of(slot: &'s Slot, horizon: &'s [&'s Slot], record: &'s Seen) -> Case<'s> {
        Case {
            slot,
            horizon,
            records: slot.connection(record).collect(),
        }
    }

    /// Both ends, the smaller first.
    fn ends(&self) -> (End, End) {
        let Seen { src, dst, .. } = self.records[0];
        (src.min(dst).clone(), src.max(dst).clone())
    }

    fn protocol(&self) -> u8 {
        self.records[0].protocol
    }

    fn other(&self, end: &End) -> End {
        let (low, high) = self.ends();
        if *end == low { high } else { low }
    }

    fn with_client(
        &self,
        client: End,
        evidence: &'static str,
        confidence: &'static str,
    ) -> Oriented {
        Oriented {
            server: self.other(&client),
            client,
            evidence,
            confidence,
        }
    }

    fn with_server(
        &self,
        server: End,
        evidence: &'static str,
        confidence: &'static str,
    ) -> Oriented {
        Oriented {
            client: self.other(&server),
            server,
            evidence,
            confidence,
        }
    }

    /// The ladder: the first row that decides.
    pub fn orientation(&self) -> Oriented {
        self.by_syn()
            .or_else(|| self.by_syn_ack())
            .or_else(|| self.by_connection())
            .or_else(|| self.by_listener())
            .or_else(|| self.by_lone_reject())
            .or_else(|| self.by_fan_in())
            .or_else(|| self.by_service())
            .or_else(|| self.by_port())
            .unwrap_or_else(|| self.by_peer())
    }

    /// `syn`: SYN bit set, ACK bit clear, from one end only: source is the client.
    fn by_syn(&self) -> Option<Oriented> {
        let client = only(syn_sources(&self.records))?;
        Some(self.with_client(client, "syn", "certain"))
    }

    /// `syn_ack`: SYN and ACK bits set: source is the server; certain if the reverse SYN was seen, else strong.
    fn by_syn_ack(&self) -> Option<Oriented> {
        let server = only(syn_ack_sources(&self.records))?;
        let confidence = self.confidence_of_syn_ack(&server);
        Some(self.with_server(server, "syn_ack", confidence))
    }

    fn confidence_of_syn_ack(&self, server: &End) -> &'static str {
        let reverse_syn = self
            .records
            .iter()
            .any(|record| record.is_own_syn() && record.dst == *server);
        if reverse_syn { "certain" } else { "strong" }
    }

    /// `connection`: the same connection was decided by one of the above in an earlier slot of the horizon.
    fn by_connection(&self) -> Option<Oriented> {
        let client = self.client_in_horizon()?;
        Some(self.with_client(client, "connection", "strong"))
    }

    /// The client that the latest slot with own flags proves.
    pub fn client_in_horizon(&self) -> Option<End> {
        for earlier in self.horizon.iter().rev() {
            let records: Vec<&Seen> = earlier.connection(self.records[0]).collect();
            if let Some(client) = only(syn_sources(&records)) {
                return Some(client);
            }
            if let Some(server) = only(syn_ack_sources(&records)) {
                return Some(self.other(&server));
            }
        }
        None
    }

    /// `listener`: exactly one end has proven to accept connections: that end is the server.
    fn by_listener(&self) -> Option<Oriented> {
        let (low, high) = self.ends();
        let server = match (self.is_listener(&low), self.is_listener(&high)) {
            (true, false) => low,
            (false, true) => high,
            _ => return None,
        };
        Some(self.with_server(server, "listener", "strong"))
    }

    /// An accepted SYN-ACK from the end that answers an accepted SYN, in this slot or one of the horizon.
    fn is_listener(&self, end: &End) -> bool {
        self.horizon.iter().chain([&self.slot]).any(|slot| {
            slot.records.iter().any(|answer| {
                let is_answer = answer.protocol == self.protocol() && answer.src == *end;
                is_answer
                    && answer.is_syn_ack()
                    && answer.is_accepted()
                    && slot
                        .connection(answer)
                        .any(|syn| syn.src == answer.dst && syn.is_own_syn() && syn.is_accepted())
            })
        })
    }

    /// `lone_reject`: an attempt that was rejected, no record of the reverse direction, of a protocol without flags or
    /// with flags unknown: source is the client.
    fn by_lone_reject(&self) -> Option<Oriented> {
        let client = &self.records[0].src;
        let one_way = self.records.iter().all(|record| record.src == *client);
        // Without a reverse record nothing was accepted both ways, and without a decision of the horizon (a row above)
        // the connection is not otherwise known: what is no stray is an attempt.
        let attempt =
            |record: &&&Seen| record.is_rejected() && record.flags().is_none() && !is_stray(record);
        let attempted = self.records.iter().any(|record| attempt(&record));
        (one_way && attempted).then(|| self.with_client(client.clone(), "lone_reject", "medium"))
    }

    /// `fan_in`: over accepted two-way traffic of the slot one end has at least 4 distinct peer ends and 4 times the
    /// other's: that end is the server.
    fn by_fan_in(&self) -> Option<Oriented> {
        if !has_ports(self.protocol()) {
            return None;
        }
        let (low, high) = self.ends();
        let (peers_of_low, peers_of_high) = (self.peers(&low), self.peers(&high));
        let many = |own: usize, others: usize| own >= 4 && own >= 4 * others;
        let server = match () {
            () if many(peers_of_low, peers_of_high) => low,
            () if many(peers_of_high, peers_of_low) => high,
            () => return None,
        };
        Some(self.with_server(server, "fan_in", "medium"))
    }

    fn peers(&self, end: &End) -> usize {
        let mut peers = BTreeSet::new();
        for record in self
            .slot
            .records
            .iter()
            .filter(|record| record.protocol == self.protocol())
        {
            let peer = match () {
                () if record.src == *end => &record.dst,
                () if record.dst == *end => &record.src,
                () => continue,
            };
            let accepted = |from: &End, to: &End| {
                let mut records = self.slot.connection(record);
                records
                    .any(|record| record.src == *from && record.dst == *to && record.is_accepted())
            };
            if accepted(end, peer) && accepted(peer, end) {
                peers.insert(peer.clone());
            }
        }
        peers.len()
    }

    /// `service`: exactly one port is in the program's list, the other is 1024 or above: that end is the server.
    fn by_service(&self) -> Option<Oriented> {
        let (low, high) = self.ends();
        let listed = |end: &End| is_service(self.protocol(), end.port);
        let server = match (listed(&low), listed(&high)) {
            (true, false) if high.port >= 1024 => low,
            (false, true) if low.port >= 1024 => high,
            _ => return None,
        };
        Some(self.with_server(server, "service", "medium"))
    }

    /// `port`: exactly one end in 32768 to 65535 is the client, else the lower port is the server.
    fn by_port(&self) -> Option<Oriented> {
        let (low, high) = self.ends();
        if !has_ports(self.protocol()) || low.port == high.port {
            return None;
        }
        let client = match (low.port >= 32768, high.port >= 32768) {
            (true, false) => low,
            (false, true) => high,
            _ if low.port > high.port => low,
            _ => high,
        };
        Some(self.with_client(client, "port", "ambiguous"))
    }

    /// `peer`: the source of the earliest record (then the lower address) is shown as client.
    fn by_peer(&self) -> Oriented {
        let timed = |record: &&Seen| record.instant().unwrap_or(0);
        let earliest = self
            .records
            .iter()
            .map(timed)
            .min()
            .expect("a connection has records");
        let sources: BTreeSet<&End> = self
            .records
            .iter()
            .filter(|record| timed(record) == earliest)
            .map(|record| &record.src)
            .collect();
        let client = sources
            .into_iter()
            .min_by_key(|end| (end.addr, end.network.clone()))
            .expect("a source");
        self.with_client(client.clone(), "peer", "ambiguous")
    }

    /// What a record's row shows: its own evidence if it has a SYN such as only one end sent, and that says the same as
    /// its connection; else its connection's.
    pub fn shown(&self, record: &Seen, orientation: &Oriented) -> (&'static str, &'static str) {
        let only_one = |sources: BTreeSet<End>| only(sources).is_some();
        let syn_tells = only_one(syn_sources(&self.records));
        if record.is_own_syn() && syn_tells && orientation.is_request(record) {
            return ("syn", "certain");
        }
        let syn_ack_tells = only_one(syn_ack_sources(&self.records));
        if record.is_syn_ack() && syn_ack_tells && !orientation.is_request(record) {
            return ("syn_ack", self.confidence_of_syn_ack(&record.src));
        }
        (orientation.evidence, orientation.confidence)
    }

    /// What a REJECT is, first that fits.
    pub fn reject(&self, record: &Seen, orientation: &Oriented) -> Option<Reject> {
        if !record.is_rejected() {
            return None;
        }
        let accepted = |request: bool| {
            let mut accepted = self.records.iter().filter(|other| other.is_accepted());
            accepted.any(|other| orientation.is_request(other) == request)
        };
        let (request_accepted, reply_accepted) = (accepted(true), accepted(false));
        let known = (request_accepted && reply_accepted) || self.client_in_horizon().is_some();
        Some(match () {
            () if record.is_own_syn() => Reject::Attempt,
            () if !orientation.is_request(record) && request_accepted && !reply_accepted => {
                Reject::Return
            }
            () if known => Reject::PostClose,
            () if is_stray(record) => Reject::Stray,
            () => Reject::Attempt,
        })
    }
}

/// TCP with known flags and no SYN, or UDP from port 53, 123 or 443 to 32768 and above.
fn is_stray(record: &Seen) -> bool {
    let mid_connection = record.flags().is_some() && !record.has_syn();
    let late_reply = record.protocol == 17
        && [53, 123, 443].contains(&record.src.port)
        && record.dst.port >= 32768;
    mid_connection || late_reply
}

fn syn_sources(records: &[&Seen]) -> BTreeSet<End> {
    records
        .iter()
        .filter(|record| record.is_own_syn())
        .map(|record| record.src.clone())
        .collect()
}

fn syn_ack_sources(records: &[&Seen]) -> BTreeSet<End> {
    records
        .iter()
        .filter(|record| record.is_syn_ack())
        .map(|record| record.src.clone())
        .collect()
}

fn only(ends: BTreeSet<End>) -> Option<End> {
    let mut ends = ends.into_iter();
    let first = ends.next()?;
    ends.next().is_none().then_some(first)
}
