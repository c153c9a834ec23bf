//! The account of one connection: its records by share, counted once.

use crate::judge::Reason;
use crate::judge::connection::{Origin, Side, Tag, View};
use crate::judge::facts::SlotFacts;
use crate::judge::reporter::ReporterId;
use crate::judge::ruling::{Judged, Ruling};

impl Ruling {
    /// What is said of records that are unjudged by themselves: the connection's own reason if that ranks before theirs.
    pub fn judged_alone(&self, reason: Reason) -> Judged {
        match self.judged {
            Judged::Not(own) if own < reason => Judged::Not(own),
            _ => Judged::Not(reason),
        }
    }
}

/// Which part of a connection a record belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Share {
    /// The connection's own story.
    Own = 0,
    /// What came after its close.
    PostClose = 1,
    /// What belongs to no known connection.
    Stray = 2,
}

impl Share {
    pub const ALL: [Share; 3] = [Share::Own, Share::PostClose, Share::Stray];
}

/// The account of one connection: its records by share, counted once however many flow logs and interfaces tell of
/// them. Used again from connection to connection.
#[derive(Default)]
pub(super) struct Account {
    streams: Vec<Stream>,
}

/// What one (flow log, interface) says of one direction.
struct Stream {
    sender: Side,
    stream: u32,
    reporter: ReporterId,
    /// Another flow log tells the same and counts instead.
    is_copy: bool,
    sums: [Sums; 3],
}

#[derive(Clone, Copy, Default)]
struct Sums {
    records: u64,
    packets: u64,
    bytes: u64,
    origin: Option<Origin>,
    start: u32,
    end: u32,
}

/// What a share of a connection adds up to.
pub(super) struct Totals {
    pub records: u64,
    /// From client to server, from server to client.
    pub packets: [u64; 2],
    pub bytes: [u64; 2],
    pub origin: Origin,
    pub start: u32,
    pub end: u32,
}

impl Account {
    /// Takes the views of a connection; how many records are copies by other flow logs.
    pub fn fill<'v>(
        &mut self,
        facts: &SlotFacts<'_>,
        views: impl Iterator<Item = (Tag, &'v View)>,
        share_of: impl Fn(Tag) -> Share,
    ) -> u64 {
        self.streams.clear();
        for (tag, view) in views {
            let stream = facts.reporter(tag.reporter()).stream;
            let sums = match self
                .streams
                .iter_mut()
                .find(|known| known.stream == stream && known.sender == tag.sender())
            {
                Some(known) => &mut known.sums,
                None => {
                    self.streams.push(Stream {
                        sender: tag.sender(),
                        stream,
                        reporter: tag.reporter(),
                        is_copy: false,
                        sums: Default::default(),
                    });
                    let last = self.streams.len() - 1;
                    &mut self.streams[last].sums
                }
            };
            sums[share_of(tag) as usize].add(view);
        }
        self.mark_copies(facts)
    }

    /// Of several flow logs that report one direction at one interface only the first's records count; how many do not.
    fn mark_copies(&mut self, facts: &SlotFacts<'_>) -> u64 {
        if self.streams.len() < 2 {
            return 0;
        }
        let mut copies = 0;
        let reporter = |stream: &Stream| facts.reporter(stream.reporter);
        for place in 0..self.streams.len() {
            let own = &self.streams[place];
            let is_copy = self.streams.iter().any(|other| {
                other.sender == own.sender
                    && other.stream != own.stream
                    && reporter(other).interface == reporter(own).interface
                    && reporter(other).counts_before(reporter(own))
            });
            if is_copy {
                copies += own.sums.iter().map(|sums| sums.records).sum::<u64>();
                self.streams[place].is_copy = true;
            }
        }
        copies
    }

    /// What a share adds up to; none if it has no records.
    pub fn totals(&self, share: Share, client: Side) -> Option<Totals> {
        let mut totals = Totals {
            records: 0,
            packets: [0; 2],
            bytes: [0; 2],
            origin: Origin(u64::MAX),
            start: u32::MAX,
            end: 0,
        };
        for stream in &self.streams {
            let sums = &stream.sums[share as usize];
            let Some(origin) = sums.origin else { continue };
            let way = usize::from(stream.sender != client);
            totals.packets[way] = totals.packets[way].max(sums.packets);
            totals.bytes[way] = totals.bytes[way].max(sums.bytes);
            if stream.is_copy {
                continue;
            }
            totals.records += sums.records;
            totals.origin = totals.origin.min(origin);
            if sums.start != 0 {
                totals.start = totals.start.min(sums.start);
            }
            totals.end = totals.end.max(sums.end);
        }
        (totals.origin != Origin(u64::MAX)).then_some(totals)
    }
}

impl Sums {
    fn add(&mut self, view: &View) {
        self.records += u64::from(view.records);
        self.packets = self.packets.saturating_add(view.packets);
        self.bytes = self.bytes.saturating_add(view.bytes);
        self.origin = Some(
            self.origin
                .map_or(view.origin, |origin| origin.min(view.origin)),
        );
        self.start = match (self.start, view.start) {
            (0, start) | (start, 0) => start,
            (a, b) => a.min(b),
        };
        self.end = self.end.max(view.end);
    }
}
