//! The account of one connection: its records by share, counted once.

use crate::judge::Reason;
use crate::judge::connection::{Lane, Origin, Side, Tag, View};
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
    Own,
    /// What came after its close.
    PostClose,
    /// What belongs to no known connection.
    Stray,
}

impl Share {
    pub const ALL: [Share; 3] = [Share::Own, Share::PostClose, Share::Stray];
}

/// What kinds of records each reporter had, as bits, by the reporters' numbers.
#[derive(Clone, Debug, Default)]
pub struct Actions(Vec<u8>);

impl Actions {
    const ACCEPT: u8 = 1;
    const REJECT: u8 = 2;
    const EXPOSED: u8 = 4;

    /// Notes a record; `is_exposed` is whether its connection came from outside and was judged.
    #[inline]
    fn add(&mut self, tag: Tag, is_exposed: bool) {
        let bit = match tag.lane() {
            Lane::Accepted => Actions::ACCEPT,
            Lane::Forwarded => return,
            _ => Actions::REJECT,
        };
        let place = tag.reporter().0 as usize;
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        self.0[place] |= bit | if is_exposed { Actions::EXPOSED } else { 0 };
    }

    /// Takes in what another table saw.
    pub fn absorb(&mut self, other: &Actions) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (known, bits) in self.0.iter_mut().zip(&other.0) {
            *known |= bits;
        }
    }

    /// Whether a reporter had any ACCEPT, any REJECT, and judged connections from public addresses.
    pub fn of(&self, reporter: ReporterId) -> [bool; 3] {
        let bits = self.0.get(reporter.0 as usize).copied().unwrap_or(0);
        [Actions::ACCEPT, Actions::REJECT, Actions::EXPOSED].map(|bit| bits & bit != 0)
    }
}

/// The account of one connection: its records by share, counted once however many flow logs and interfaces tell of
/// them. Used again from connection to connection.
#[derive(Default)]
pub(super) struct Account {
    streams: Vec<Stream>,
}

/// What one (flow log, interface) says of one direction, as far as it belongs to one share.
struct Stream {
    sender: Side,
    stream: u32,
    share: Share,
    reporter: ReporterId,
    /// Another flow log tells the same and counts instead.
    is_copy: bool,
    records: u64,
    packets: u64,
    bytes: u64,
    origin: Origin,
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
        (actions, is_exposed): (&mut Actions, bool),
    ) -> u64 {
        self.streams.clear();
        for (tag, view) in views {
            actions.add(tag, is_exposed);
            let stream = facts.reporter(tag.reporter()).stream;
            let (sender, share) = (tag.sender(), share_of(tag));
            let is_it = |known: &&mut Stream| {
                (known.stream, known.sender, known.share) == (stream, sender, share)
            };
            match self.streams.iter_mut().find(is_it) {
                Some(known) => known.add(view),
                None => self.streams.push(Stream {
                    sender,
                    stream,
                    share,
                    reporter: tag.reporter(),
                    is_copy: false,
                    records: u64::from(view.records),
                    packets: view.packets,
                    bytes: view.bytes,
                    origin: view.origin,
                    start: view.start,
                    end: view.end,
                }),
            }
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
                copies += own.records;
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
        for stream in self.streams.iter().filter(|stream| stream.share == share) {
            let way = usize::from(stream.sender != client);
            totals.packets[way] = totals.packets[way].max(stream.packets);
            totals.bytes[way] = totals.bytes[way].max(stream.bytes);
            if stream.is_copy {
                continue;
            }
            totals.records += stream.records;
            totals.origin = totals.origin.min(stream.origin);
            if stream.start != 0 {
                totals.start = totals.start.min(stream.start);
            }
            totals.end = totals.end.max(stream.end);
        }
        (totals.origin != Origin(u64::MAX)).then_some(totals)
    }
}

impl Stream {
    fn add(&mut self, view: &View) {
        self.records += u64::from(view.records);
        self.packets = self.packets.saturating_add(view.packets);
        self.bytes = self.bytes.saturating_add(view.bytes);
        self.origin = self.origin.min(view.origin);
        self.start = match (self.start, view.start) {
            (0, start) | (start, 0) => start,
            (a, b) => a.min(b),
        };
        self.end = self.end.max(view.end);
    }
}
