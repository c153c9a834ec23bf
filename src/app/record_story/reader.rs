//! Reads objects, one after the other, and judges a record with its slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::app::error::ScanError;
use crate::app::work::Memory;
use crate::flow::{DecodeOptions, Decoded, MalformedLine, RecordSink, decode};
use crate::judge::close::prove;
use crate::judge::evidence::{Evidence, Horizon};
use crate::judge::facts::SlotFacts;
use crate::judge::fold::{Folder, ObjectFacts, SLOT_SECS, slot_at};
use crate::judge::part::{Parts, SlotPart};
use crate::judge::records::{RecordJudge, Rulings, Wanted};
use crate::judge::reporter::{KeyPlace, Reporters};
use crate::judge::ruling::SlotContext;
use crate::policy::Policy;
use crate::source::{Fetcher, Object};

use super::line::{Finder, Found, Line, Row};
use super::{ConnectionStory, JudgedRecord, told_connection};

/// Reads objects, one after the other.
pub(super) struct Reader<'p, 'r> {
    pub(super) policy: &'p Policy,
    pub(super) runtime: &'r Runtime,
    pub(super) fetcher: Fetcher,
    pub(super) options: DecodeOptions,
    /// Ends whose peers are counted at a time.
    pub(super) ends_at_once: usize,
    pub(super) memory: Memory,
    pub(super) reporters: Reporters,
    pub(super) num_read: u64,
    pub(super) unreadable: Vec<(Arc<str>, String)>,
}

impl<'p> Reader<'p, '_> {
    /// Decodes an object; or why that did not succeed.
    fn read(&mut self, object: &Object, sink: &mut impl RecordSink) -> Result<Decoded, String> {
        let mut object = object.clone();
        let body = self.runtime.block_on(self.fetcher.fetch(&mut object));
        let body = body.map_err(|error| error.reason.to_string())?;
        let input = body.input(&mut self.memory.read);
        let input = input.map_err(|error| error.to_string())?;
        let decoded = decode(input, &self.options, &mut self.memory.decode, sink);
        decoded.map_err(|error| error.to_string())
    }

    /// Finds the record on a line.
    pub(super) fn find(&mut self, target: &Object, line: u64) -> Result<Found, ScanError> {
        let mut finder = Finder {
            policy: self.policy,
            reporters: std::mem::take(&mut self.reporters),
            object: facts_of(target, None),
            line,
            found: Line::None,
        };
        let outcome = self.read(target, &mut finder);
        let Finder {
            reporters, found, ..
        } = finder;
        self.reporters = reporters;
        let why = match (found, outcome) {
            (Line::Record(found), Ok(_)) => return Ok(*found),
            (_, Err(why)) => {
                return Err(ScanError::Failed(anyhow::anyhow!(
                    "cannot read {}: {why}",
                    target.url
                )));
            }
            (Line::Status(word), _) => format!("it says {word}, which is no traffic"),
            (Line::Malformed(why), _) => format!("it is malformed: {why}"),
            (Line::None, _) => "there is none".to_owned(),
        };
        Err(ScanError::Usage {
            message: format!("no record on line {line} of {}: {why}", target.url),
            hint: Some(
                "lines of text count from 1, headers and blank lines included; rows of Parquet count from 1"
                    .to_owned(),
            ),
        })
    }

    /// Gathers the slots from the first to the last: the evidence of those before the last, and the last one whole.
    pub(super) fn gather(
        &mut self,
        objects: &[Object],
        (first, last): (u32, u32),
    ) -> Result<(BTreeMap<u32, Evidence>, SlotPart), ScanError> {
        let mut by_slot: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut parts = Parts::new();
        for (rank, object) in objects.iter().enumerate() {
            match &object.key {
                None => self.fold(object, rank, None, &mut parts),
                Some(key) => by_slot.entry(slot_at(key.time)).or_default().push(rank),
            }
        }
        let mut evidence = BTreeMap::new();
        for slot in (first..last).step_by(SLOT_SECS as usize) {
            for rank in by_slot.remove(&slot).unwrap_or_default() {
                self.fold(&objects[rank], rank, Some(slot), &mut parts);
            }
            let Some(part) = parts.remove(&slot) else {
                continue;
            };
            let (proofs, _) = prove(&part.table, self.ends_at_once).map_err(anyhow::Error::from)?;
            evidence.insert(slot, proofs.seal());
        }
        for rank in by_slot.remove(&last).unwrap_or_default() {
            self.fold(&objects[rank], rank, Some(last), &mut parts);
        }
        Ok((evidence, parts.remove(&last).unwrap_or_default()))
    }

    fn fold(&mut self, object: &Object, rank: usize, slot: Option<u32>, parts: &mut Parts) {
        let reporters = std::mem::take(&mut self.reporters);
        let mut unheard = |_, _: &MalformedLine, _: &[u8]| {};
        let mut facts = facts_of(object, slot);
        facts.rank = rank as u32;
        let mut folder = Folder::new(self.policy, &reporters, facts, parts, &mut unheard);
        let outcome = self.read(object, &mut folder);
        folder.finish(outcome.is_ok());
        self.reporters = reporters;
        self.num_read += 1;
        if let Err(why) = outcome {
            self.unreadable.push((object.url.clone(), why));
        }
    }

    /// Judges the record with its slot, and tells of its connection.
    pub(super) fn judge(
        &mut self,
        target: &Object,
        found: &Found,
        slot: u32,
        evidence: &BTreeMap<u32, Evidence>,
        part: &SlotPart,
    ) -> Result<(JudgedRecord, Option<ConnectionStory<'p>>), ScanError> {
        let (proofs, company) =
            prove(&part.table, self.ends_at_once).map_err(anyhow::Error::from)?;
        let own = proofs.seal();
        let horizon = Horizon {
            own: &own,
            earlier: evidence.values().rev().collect(),
        };
        let snapshot = self.reporters.snapshot();
        let facts = SlotFacts::new(self.policy, &snapshot, &part.notes.interfaces);
        let context = SlotContext {
            facts: &facts,
            horizon: &horizon,
            peers: &company.peers,
            talking: &company.talking,
            slot,
        };
        let mut rulings = Rulings::new(Wanted::All);
        rulings.take_unjudgeable_too();
        let connection = match &found.key {
            Some(key) => told_connection(self.policy, &context, &part.table, key, &mut rulings)
                .map_err(anyhow::Error::from)?,
            None => None,
        };

        let mut row = Row {
            line: found.record.line,
            judged: None,
        };
        let reporters = std::mem::take(&mut self.reporters);
        let object = facts_of(target, target.key.as_ref().map(|_| slot));
        let mut judge = RecordJudge::new(
            self.policy,
            &reporters,
            &facts,
            &rulings,
            object,
            slot,
            &mut row,
        );
        let outcome = self.read(target, &mut judge);
        self.reporters = reporters;
        outcome.map_err(|why| anyhow::anyhow!("cannot read {} again: {why}", target.url))?;
        let judged = row.judged.ok_or_else(|| {
            anyhow::anyhow!("{} changed while it was read: ask again", target.url)
        })?;
        Ok((judged, connection))
    }
}

/// What folding and judging know of an object; its rank is the first.
fn facts_of(object: &Object, slot: Option<u32>) -> ObjectFacts<'_> {
    let key = object.key.as_ref();
    ObjectFacts {
        slot,
        rank: 0,
        flow_log: key.map_or("", |key| &key.flow_log),
        place: KeyPlace {
            account: key.map(|key| &*key.account),
            region: key.map(|key| &*key.region),
        },
    }
}
