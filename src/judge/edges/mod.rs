//! The edges of an hour: what its slots' rulings add up to, one fixed-size entry per edge.

mod account;
mod entry;
mod group_bytes;
mod one_by_one;
mod parts;
mod words;

use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::account::Actions;
use self::account::{Account, Share};
pub use self::entry::{EdgeEntry, EdgeKey, Story};
pub use self::group_bytes::GroupBytes;
pub use self::one_by_one::OneByOne;
pub use self::parts::{EdgeParts, OwnPart, StoryNumber};
pub use self::words::EdgeWords;
use super::Reason;
use super::arena::{HashArena, prefetch};
use super::connection::{Connection, Key, Tag, View};
use super::facts::SlotFacts;
use super::outcome::{Reject, classify};
use super::reporter::Reporters;
use super::ruling::{Judged, Ruling};
use super::traffic::Traffic;
use crate::net::Addr;
use crate::policy::{ByName, DomainLevel, Policy};

/// How many entries wait for their cache lines together.
const BATCH: usize = 64;

/// The edges of an hour, as far as they are in memory.
pub struct EdgeTable {
    reporters: Arc<Reporters>,
    entries: HashArena<EdgeEntry>,
    /// Entries with their hashes, on their way into `entries`.
    pending: Vec<(u64, EdgeEntry)>,
    account: Account,
    asides: Asides,
    actions: Actions,
    /// None where nobody asks.
    groups: Option<GroupBytes>,
}

/// What a report tells of an edge, or of one connection of it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What it is.
    pub story: Story,
    /// The client's address.
    pub client: Addr,
    /// Judged records.
    pub records: u64,
    /// Connections.
    pub connections: u64,
}

/// What edges do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asides {
    /// Records that are copies by other flow logs of the same interface.
    pub duplicates: u64,
    /// Connections on which a rule with a path matched although theirs is unknown.
    pub via_unknown: u64,
    /// Connections that are allowed by a name that their client asked for.
    #[serde(default)]
    pub by_client: u64,
    /// Connections that are allowed by a name that another client of the network asked for.
    #[serde(default)]
    pub by_network: u64,
    /// Connections that are allowed by a name that a pinned snapshot has the address of.
    #[serde(default)]
    pub by_snapshot: u64,
    /// Of all these, those to an address that also answered for a name that no allow is about.
    #[serde(default)]
    pub shared: u64,
}

impl Asides {
    /// Takes how a connection is allowed by a name, if it is.
    fn add(&mut self, by_name: Option<ByName>) {
        let Some(ByName { level, shared }) = by_name else {
            return;
        };
        match level {
            DomainLevel::Client => self.by_client += 1,
            DomainLevel::Network => self.by_network += 1,
            DomainLevel::Snapshot => self.by_snapshot += 1,
        }
        self.shared += u64::from(shared);
    }
}

impl std::ops::AddAssign for Asides {
    fn add_assign(&mut self, other: Asides) {
        self.duplicates += other.duplicates;
        self.via_unknown += other.via_unknown;
        self.by_client += other.by_client;
        self.by_network += other.by_network;
        self.by_snapshot += other.by_snapshot;
        self.shared += other.shared;
    }
}

impl EdgeTable {
    /// An empty table of an hour with these reporters.
    pub fn new(reporters: Arc<Reporters>) -> EdgeTable {
        EdgeTable {
            reporters,
            entries: HashArena::default(),
            pending: Vec::with_capacity(BATCH),
            account: Account::default(),
            asides: Asides::default(),
            actions: Actions::default(),
            groups: None,
        }
    }

    /// Has it count bytes by group, too.
    pub fn counting_groups(mut self) -> EdgeTable {
        self.groups = Some(GroupBytes::default());
        self
    }

    /// Adds what a ruling amounts to: the connection itself, and its records that came after its close; as much of it as
    /// `keep` says.
    #[allow(clippy::too_many_arguments)] // what a connection is known by, and one question
    pub fn add<'v>(
        &mut self,
        policy: &Policy,
        facts: &SlotFacts<'_>,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
        traffic: &Traffic,
        ruling: &Ruling,
        keep: &mut impl FnMut(&Told) -> bool,
    ) {
        let key = connection.key();
        let share_of = shares(&key, traffic, ruling);
        let is_inside = |zone| policy.zone_kind(zone).is_inside();
        let is_exposed = matches!(ruling.judged, Judged::Decided { .. })
            && is_inside(ruling.zones.server)
            && !is_inside(ruling.zones.client)
            && !key.end(ruling.oriented.client).addr.is_private();
        let actions = (&mut self.actions, is_exposed);
        self.asides.duplicates += self.account.fill(facts, views, share_of, actions);
        if let Judged::Decided { decision, .. } = ruling.judged {
            self.asides.via_unknown += u64::from(decision.via_unknown);
        }
        self.asides.add(ruling.by_name);
        let mut connections = 1;
        for share in Share::ALL {
            let judged = match share {
                Share::Own => ruling.judged,
                Share::PostClose => ruling.judged_alone(Reason::PostClose),
                Share::Stray => ruling.judged_alone(Reason::Stray),
            };
            let Some(totals) = self.account.totals(share, ruling.oriented.client) else {
                continue;
            };
            if let (Some(groups), Share::Own) = (&mut self.groups, share) {
                groups.add(policy, facts, &key, ruling, &totals);
            }
            let told = Told {
                story: Story::of(&key, ruling, &judged),
                client: key.end(ruling.oriented.client).addr,
                records: totals.records,
                connections: std::mem::take(&mut connections),
            };
            if keep(&told) {
                let mut entry = EdgeEntry::of(policy, facts, connection, ruling, &judged, &totals);
                entry.connections = told.connections;
                self.insert(&entry);
            }
        }
    }

    fn insert(&mut self, entry: &EdgeEntry) {
        let hash = entry.key.hash();
        self.entries.prefetch_index(hash);
        self.pending.push((hash, *entry));
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.entries.reserve(self.pending.len());
        for (hash, _) in &self.pending {
            self.entries.prefetch_row(*hash);
        }
        for (hash, entry) in self.pending.drain(..) {
            let is = |known: &EdgeEntry| known.key == entry.key;
            let (place, is_new) = self.entries.place_or_insert(hash, is, || entry);
            if !is_new {
                self.entries.at_mut(place).merge(&entry, &self.reporters);
            }
        }
    }

    /// Takes in another table of the same hour.
    pub fn merge(&mut self, mut other: EdgeTable) {
        if self.entries.len() < other.entries.len() {
            std::mem::swap(self, &mut other);
        }
        other.flush();
        other.entries.iter().for_each(|entry| self.insert(entry));
        self.asides += other.asides;
        self.actions.absorb(&other.actions);
    }

    /// Takes out what edges do not show.
    pub fn take_asides(&mut self) -> Asides {
        std::mem::take(&mut self.asides)
    }

    /// Takes out how many bytes there were by group; none where nobody asked.
    pub fn take_groups(&mut self) -> Option<GroupBytes> {
        self.groups.take()
    }

    /// Takes out which actions reporters' records had.
    pub fn take_actions(&mut self) -> Actions {
        std::mem::take(&mut self.actions)
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        self.entries.memory()
    }

    /// All edges, in no particular order.
    pub fn entries(&mut self) -> impl Iterator<Item = &EdgeEntry> {
        self.flush();
        self.entries.iter()
    }

    /// Forgets all edges.
    pub fn clear(&mut self) {
        self.pending.clear();
        self.entries = HashArena::default();
    }
}

/// Which share of a connection a record belongs to.
fn shares<'c>(
    key: &'c Key,
    traffic: &'c Traffic,
    ruling: &'c Ruling,
) -> impl Fn(Tag) -> Share + 'c {
    // A reason that ranks before theirs holds for late records too: then there is one share, and one largest sum.
    let is_one_story = matches!(ruling.judged, Judged::Not(reason) if reason < Reason::PostClose);
    move |tag| {
        if is_one_story || !tag.lane().is_reject() {
            return Share::Own;
        }
        match classify(key, traffic, &ruling.oriented, tag.lane(), tag.sender()) {
            Reject::PostClose => Share::PostClose,
            Reject::Stray => Share::Stray,
            Reject::Attempt | Reject::Return => Share::Own,
        }
    }
}

/// Gives one entry after the other, while those that follow, all over the memory, are being fetched.
pub fn fetched_ahead<E: Borrow<EdgeEntry>>(entries: &[E]) -> impl Iterator<Item = &EdgeEntry> {
    const AHEAD: usize = 8;
    entries.iter().enumerate().map(|(place, entry)| {
        if let Some(later) = entries.get(place + AHEAD) {
            prefetch(later.borrow());
        }
        entry.borrow()
    })
}
