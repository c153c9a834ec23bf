//! The judged records of a slot: its objects are read a second time, and each record is given the ruling on its
//! connection.

use hashbrown::HashSet;

use crate::flow::{Action, Field, Fields, MalformedLine, Record, RecordSink};
use crate::policy::{NetworkId, Policy, ZoneKind};

use super::arena::HashArena;
use super::connection::{Connection, Key, Lane, Side, Tag, View};
use super::facts::SlotFacts;
use super::fold::{ObjectFacts, connection_of, slot_of};
use super::judgement_rows::{JudgementRows, Stored, is_copy};
use super::lines::{HashFilter, LineHashes};
use super::memo::Memo;
use super::reporter::{ReporterId, Reporters};
use super::ruling::Ruling;
use super::traffic::Traffic;
use super::{JudgementRow, Reason, Verdict};

/// Which records are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Those that are neither compliant nor unjudged, and those with an unassigned end.
    Flagged,
    /// All.
    All,
}

/// The rulings that a slot's records will ask for.
pub struct Rulings {
    wanted: Wanted,
    by_key: HashArena<Stored>,
    /// Copies by other flow logs: key, sender, stream.
    copies: HashSet<(Key, Side, u32)>,
    /// Objects that hold wanted records, by rank modulo 64.
    objects: u64,
    /// Whether records that no ruling is about are wanted as well.
    unjudgeable_too: bool,
}

impl Rulings {
    /// No rulings yet.
    pub fn new(wanted: Wanted) -> Rulings {
        Rulings {
            wanted,
            by_key: HashArena::default(),
            copies: HashSet::new(),
            objects: 0,
            unjudgeable_too: false,
        }
    }

    /// Takes out what there is, to begin with other connections of the same slot.
    pub fn take(&mut self) -> Rulings {
        let next = Rulings::new(self.wanted);
        std::mem::replace(self, next)
    }

    /// Wants the records that no ruling is about as well, if all are wanted. To be said once a slot.
    pub fn take_unjudgeable_too(&mut self) {
        self.unjudgeable_too = self.wanted == Wanted::All;
    }

    /// Whether the object of this rank may hold wanted records.
    pub fn wants_object(&self, rank: u32) -> bool {
        self.unjudgeable_too || self.objects & 1 << (rank % 64) != 0
    }

    /// Whether no record is wanted.
    pub fn is_empty(&self) -> bool {
        !self.unjudgeable_too && self.by_key.len() == 0
    }

    /// The connections whose records are wanted; none if all are.
    pub fn filter(&self) -> Option<HashFilter> {
        let only_some = self.wanted == Wanted::Flagged;
        let keys = self.by_key.iter().map(|stored| &stored.key);
        only_some.then(|| HashFilter::of(self.by_key.len(), keys))
    }

    /// Memory in use, bytes.
    pub fn memory(&self) -> usize {
        self.by_key.memory() + self.copies.capacity() * size_of::<(Key, Side, u32)>()
    }

    /// Keeps a ruling if records of its connection are wanted.
    pub fn keep<'v>(
        &mut self,
        policy: &Policy,
        facts: &SlotFacts<'_>,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)> + Clone,
        traffic: &Traffic,
        ruling: &Ruling,
    ) {
        if self.wanted == Wanted::Flagged && !is_flagged(policy, ruling.verdict(), ruling) {
            return;
        }
        let key = connection.key();
        for (tag, _) in views.clone() {
            if is_copy(facts, views.clone(), tag) {
                let stream = facts.reporter(tag.reporter()).stream;
                self.copies.insert((key, tag.sender(), stream));
            }
        }
        let stored = Stored::of(connection, views, traffic, ruling);
        self.objects |= connection.objects;
        self.insert(stored);
    }

    fn insert(&mut self, stored: Stored) {
        self.by_key.reserve(1);
        let key = stored.key;
        let is = |known: &Stored| known.key == key;
        self.by_key.place_or_insert(key.hash(), is, || stored);
    }

    /// Takes the rulings on other connections of the same slot.
    pub fn absorb(&mut self, mut other: Rulings) {
        if self.by_key.len() < other.by_key.len() {
            std::mem::swap(self, &mut other);
        }
        self.copies.extend(other.copies);
        self.objects |= other.objects;
        for stored in other.by_key.into_rows() {
            self.insert(stored);
        }
    }
}

/// Whether a record with this verdict, of a connection with this ruling, is flagged.
fn is_flagged(policy: &Policy, verdict: Verdict, ruling: &Ruling) -> bool {
    let is_unassigned = |zone| policy.zone_kind(zone) == ZoneKind::Unassigned;
    !matches!(verdict, Verdict::Compliant | Verdict::Unjudged)
        || is_unassigned(ruling.zones.client)
        || is_unassigned(ruling.zones.server)
}

/// What takes judged records.
pub trait JudgedSink {
    /// What it makes of [`Field::OF_REPORTER`].
    type Reporter: Copy;

    /// Takes the fields that tell who reported, once for many records of an object.
    fn reporter(&mut self, fields: &impl Fields) -> Self::Reporter;

    /// Takes a record with its judgement.
    fn judged(
        &mut self,
        record: &Record,
        fields: &impl Fields,
        reporter: Self::Reporter,
        row: &JudgementRow<'_>,
    );

    /// Whether it looks at a field beside [`Field::OF_REPORTER`]; others may be left undecoded.
    fn wants(&self, _field: Field) -> bool {
        true
    }

    /// Whether it looks at fields that AWS does not document.
    fn wants_extra(&self) -> bool {
        true
    }

    /// Whether it looks at the groups of the ends.
    fn wants_groups(&self) -> bool {
        true
    }
}

/// Reads an object of the slot again and hands on the wanted records with their judgement.
pub struct RecordJudge<'a, S: JudgedSink> {
    policy: &'a Policy,
    reporters: &'a Reporters,
    facts: &'a SlotFacts<'a>,
    rulings: &'a Rulings,
    rows: JudgementRows<'a>,
    object: ObjectFacts<'a>,
    slot: u32,
    one_network: bool,
    lines: Option<(&'a LineHashes, &'a HashFilter)>,
    sink: &'a mut S,
    memo: Memo<(ReporterId, S::Reporter)>,
}

impl<'a, S: JudgedSink> RecordJudge<'a, S> {
    /// A judge of the records that one object has of one slot.
    pub fn new(
        policy: &'a Policy,
        reporters: &'a Reporters,
        facts: &'a SlotFacts<'a>,
        rulings: &'a Rulings,
        object: ObjectFacts<'a>,
        slot: u32,
        sink: &'a mut S,
    ) -> Self {
        let one_network = policy.has_one_network();
        RecordJudge {
            policy,
            reporters,
            facts,
            rulings,
            rows: JudgementRows::new(policy, facts, sink.wants_groups()),
            object,
            slot,
            one_network,
            lines: None,
            sink,
            memo: Memo::default(),
        }
    }

    /// Has the judge pass over lines of the object that belong to other connections than those of the filter.
    pub fn only_lines(mut self, lines: Option<(&'a LineHashes, &'a HashFilter)>) -> Self {
        self.lines = lines;
        self
    }

    fn reporter(&mut self, fields: &impl Fields) -> (ReporterId, S::Reporter) {
        if let Some(met) = self.memo.find(fields) {
            return *self.memo.at(met);
        }
        let (id, _) = self.reporters.intern(
            self.policy,
            self.object.flow_log,
            &self.object.place,
            fields,
        );
        let met = (id, self.sink.reporter(fields));
        self.memo.insert(fields, met);
        met
    }

    fn unjudgeable(
        &mut self,
        record: &Record,
        fields: &impl Fields,
        reporter: S::Reporter,
        network: Option<NetworkId>,
        reason: Reason,
    ) {
        if !self.rulings.unjudgeable_too {
            return;
        }
        let row = self.rows.unjudgeable(network, reason);
        self.sink.judged(record, fields, reporter, &row);
    }

    fn judge(
        &mut self,
        record: &Record,
        fields: &impl Fields,
        reporter: S::Reporter,
        key: &Key,
        tag: Tag,
    ) {
        let stored = self
            .rulings
            .by_key
            .find(key.hash(), |known| known.key == *key);
        let Some(stored) = stored else {
            return;
        };
        let sender = tag.sender();
        let stream = self.facts.reporter(tag.reporter()).stream;
        let is_copy = self.rulings.copies.contains(&(*key, sender, stream));
        let own = stored.own_orientation(record, sender);
        let (rulings, sink) = (self.rulings, &mut *self.sink);
        let policy = self.policy;
        self.rows.judged(stored, tag, is_copy, Some(own), |row| {
            // A copy, or what came after the close, is not judged though its connection is.
            if rulings.wanted == Wanted::All || is_flagged(policy, row.verdict, &stored.ruling) {
                sink.judged(record, fields, reporter, row);
            }
        });
    }
}

impl<S: JudgedSink> RecordSink for RecordJudge<'_, S> {
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        if self.object.slot.unwrap_or_else(|| slot_of(record)) != self.slot {
            return;
        }
        let (id, own) = self.reporter(fields);
        if !self.facts.knows(id) {
            // The object changed since it was judged; what is new in it was not.
            return;
        }
        let reporter = self.facts.reporter(id);
        let Some(network) = reporter.network else {
            return self.unjudgeable(record, fields, own, None, Reason::OutOfScope);
        };
        if !record.complete || (record.action == Action::Absent && !reporter.is_transit_gateway()) {
            return self.unjudgeable(record, fields, own, Some(network), Reason::MissingField);
        }
        let (key, sender) = connection_of(self.policy, self.one_network, network, record);
        self.judge(
            record,
            fields,
            own,
            &key,
            Tag::new(id, record.told_direction(), Lane::of(record), sender),
        );
    }

    #[inline]
    fn wants_line(&self, line: u64) -> bool {
        self.lines
            .is_none_or(|(lines, filter)| lines.may_be_in(line, filter))
    }

    fn status(&mut self, _record: &Record, _skip: bool, _fields: &impl Fields) {}

    fn malformed(&mut self, _line: u64, _why: &MalformedLine, _text: &[u8]) {}

    fn unverified(&mut self) {}

    fn wants(&self, field: Field) -> bool {
        field.is_of_reporter() || self.sink.wants(field)
    }

    fn wants_extra(&self) -> bool {
        self.sink.wants_extra()
    }
}
