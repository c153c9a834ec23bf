//! A run: slots of some objects are judged, and their hours committed. What is judged, and from where, is for the modes to
//! say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::flow::DecodeOptions;
use crate::judge::evidence::Evidence;
use crate::judge::fold::{SLOT_SECS, slot_at};
use crate::judge::part::SlotPart;
use crate::judge::reporter::Reporters;
use crate::policy::Policy;
use crate::sink::{Day, Hour, Lake};
use crate::source::{FetchOptions, Fetcher, Object, S3};

use super::asked::Asked;
use super::comparing::Comparing;
use super::coverage::CoverageGatherer;
use super::days::Detects;
use super::error::ScanError;
use super::hours::Hours;
use super::leftovers::Leftovers;
use super::memory::Shares;
use super::pipeline::{Board, Gathered, Limits, SlotPlan};
use super::progress::Progress;
use super::resolver::ResolverReport;
use super::room::TableMemory;
use super::settings::{Keep, ScanSettings};
use super::work::Batch;

/// Objects that are fetched ahead. Fewer leave a thread waiting for S3's first byte; more only take memory.
const OBJECTS_AHEAD: usize = 16;

/// Objects whose keys have no time, and what they hold of each slot.
#[derive(Default)]
pub(super) struct Timeless {
    pub objects: Vec<Object>,
    pub slots: BTreeMap<u32, Gathered>,
    /// Shared by all hours, since their records may go to any.
    reporters: Option<Arc<Reporters>>,
}

/// One run.
pub(super) struct Run<'a> {
    /// How to judge: threads, memory, horizon, layout, which records are kept.
    pub settings: &'a ScanSettings,
    pub policy: &'a Policy,
    /// What was read of the Resolver logs that the policy goes by; none where it names none.
    pub resolver: Option<&'a ResolverReport>,
    pub runtime: &'a Runtime,
    pub temp: &'a Path,
    /// What takes the hours, or the open slots.
    pub lake: Option<&'a Lake>,
    /// The only slot, if it is taken as one of an hour that is not over.
    pub open_slot: Option<u32>,
    /// Whether only what no later record can change is told.
    pub certain: bool,
    pub asked: Option<&'a Asked<'a>>,
    /// Another policy that is asked of every connection, too.
    pub comparing: Option<&'a Comparing<'a>>,
    /// Whether bytes are counted by the policy's groups.
    pub counts_groups: bool,
    /// Who looks at days, beside the judgement of single connections.
    pub detects: Option<Detects<'a>>,
    /// Hours that the lake holds and that stay as they are.
    pub committed: BTreeSet<Hour>,
    /// Slots from here on are judged; none from the first.
    pub since: Option<u32>,
    /// Slots before this are judged; none until the last.
    pub until: Option<u32>,
    /// Whether objects without key times, which each run of a scan reads, are counted here.
    pub counts_timeless: bool,
    pub progress: &'a dyn Progress,
}

/// What all threads of a run share.
pub(super) struct Shared<'a> {
    pub hours: Hours<'a>,
    pub coverage: CoverageGatherer,
    pub fetcher: Fetcher,
}

/// Committed hours that objects were found for, with these objects and their sizes.
pub(super) type Kept = BTreeMap<Hour, Vec<(Arc<str>, u64)>>;

/// What is carried from day to day of a run.
#[derive(Default)]
pub(super) struct Carried {
    /// What slots before those that come proved, by start.
    pub evidence: BTreeMap<u32, Arc<Evidence>>,
    pub kept: Kept,
    pub timeless: Timeless,
}

impl<'a> Run<'a> {
    /// What the threads of this run share, with the connection of sources in S3.
    pub fn share(&self, s3: Option<S3>) -> Shared<'a> {
        let settings = self.settings;
        let shares = Shares::of(settings.memory);
        let keeps = settings.keep != Keep::None;
        let hours = Hours::new(
            self.policy,
            self.lake,
            keeps,
            self.temp,
            shares,
            settings.threads,
            self.detects,
        );
        let options = FetchOptions {
            whole_limit: shares.object,
            ..FetchOptions::default()
        };
        let hours = hours
            .counting_groups(self.counts_groups)
            .going_by(self.resolver);
        Shared {
            hours: hours.of_open_slot(self.open_slot),
            coverage: CoverageGatherer::default(),
            fetcher: Fetcher::new(s3, options),
        }
    }

    /// Whether a slot lies in the time that was asked for.
    fn wants(&self, slot: u32) -> bool {
        self.since.is_none_or(|since| slot >= since) && self.until.is_none_or(|until| slot < until)
    }

    /// Whether a slot is to be judged: it is wanted, and its hour is not in the lake yet.
    fn judges(&self, slot: u32) -> bool {
        self.wants(slot) && !self.committed.contains(&Hour::of(slot))
    }

    /// Whether what a slot proves may be asked for: it or a slot of the hour after is judged, as far as one can know.
    fn is_needed(&self, slot: u32) -> bool {
        (0..=self.settings.horizon).any(|later| self.judges(slot.saturating_add(later * SLOT_SECS)))
    }

    /// Folds the objects whose keys have no time. Their records go to the slots of their ends, so all of them are read
    /// before any slot is judged.
    pub fn fold_timeless(
        &self,
        shared: &Shared<'_>,
        carried: &mut Carried,
    ) -> Result<(), ScanError> {
        let mut timeless = std::mem::take(&mut carried.timeless);
        timeless.objects.sort_by(|a, b| a.url.cmp(&b.url));
        timeless.reporters = Some(Arc::default());
        let objects = std::mem::take(&mut timeless.objects);
        let bytes = objects.iter().map(|object| object.size).sum();
        self.progress.begin(objects.len() as u64, bytes);
        let batch = self.new_batch(&objects, 0, timeless.reporters.clone(), shared);
        let slots = batch
            .fold_timeless(self.settings.threads)
            .map_err(ScanError::Failed)?;
        drop(batch);
        let hours = slots
            .keys()
            .filter(|slot| self.wants(**slot))
            .map(|slot| Hour::of(*slot));
        for hour in hours.filter(|hour| self.committed.contains(hour)) {
            carried.kept.entry(hour).or_default();
        }
        timeless.slots = slots
            .into_iter()
            .filter(|(start, _)| self.is_needed(*start))
            .collect();
        timeless.objects = objects;
        carried.timeless = timeless;
        Ok(())
    }

    /// Judges the slots of a day's objects, and those of objects without key times up to the day's end. Without
    /// objects, all that are left.
    pub fn judge_batch(
        &self,
        day: Vec<Object>,
        shared: &Shared<'_>,
        carried: &mut Carried,
    ) -> Result<(), ScanError> {
        let mut objects = carried.timeless.objects.clone();
        let num_timeless = objects.len();
        objects.extend(day);
        objects[num_timeless..].sort_by(|a, b| a.url.cmp(&b.url));
        let mut slots: BTreeMap<u32, SlotPlan> = BTreeMap::new();
        let mut last = u32::MAX;
        for (rank, object) in objects.iter().enumerate() {
            let Some(key) = &object.key else { continue };
            let start = slot_at(key.time);
            last = Day::of(key.time).last_hour().start() + 3599;
            if self.wants(start) && self.committed.contains(&Hour::of(start)) {
                let listed = carried.kept.entry(Hour::of(start)).or_default();
                listed.push((object.url.clone(), object.size));
            }
            if self.is_needed(start) {
                slots
                    .entry(start)
                    .or_insert_with(|| self.slot(start))
                    .objects
                    .push((rank, object.size));
            }
        }
        let later = if last == u32::MAX {
            BTreeMap::new()
        } else {
            carried.timeless.slots.split_off(&(last + 1))
        };
        let due = std::mem::replace(&mut carried.timeless.slots, later);
        for start in due.keys() {
            slots.entry(*start).or_insert_with(|| self.slot(*start));
        }
        let judged = slots
            .values()
            .filter(|slot| slot.judged)
            .flat_map(|slot| &slot.objects);
        let (count, bytes) = judged.fold((0, 0), |(count, bytes), (_, size)| {
            (count + 1, bytes + size)
        });
        self.progress.begin(count, bytes);
        let batch = self.new_batch(
            &objects,
            num_timeless,
            carried.timeless.reporters.clone(),
            shared,
        );
        let limits = Limits {
            threads: self.settings.threads,
            horizon: self.settings.horizon,
            objects: OBJECTS_AHEAD.max(self.settings.threads),
            bytes: Shares::of(self.settings.memory).ahead,
        };
        let starts: Vec<u32> = slots.keys().copied().collect();
        let board = Board::new(
            slots.into_values().collect(),
            std::mem::take(&mut carried.evidence),
            limits,
        );
        for (start, gathered) in due {
            if let Ok(place) = starts.binary_search(&start) {
                let held = gathered.parts.iter().map(SlotPart::memory).sum();
                batch.tables.changed(0, held);
                board.seed(place, gathered);
            }
        }
        carried.evidence = batch
            .work(&Arc::new(board), self.settings.threads)
            .map_err(ScanError::Failed)?;
        Ok(())
    }

    fn slot(&self, start: u32) -> SlotPlan {
        SlotPlan {
            start,
            objects: Vec::new(),
            judged: self.judges(start),
        }
    }

    fn new_batch<'b, 'h>(
        &'b self,
        objects: &'b [Object],
        num_timeless: usize,
        reporters: Option<Arc<Reporters>>,
        shared: &'b Shared<'h>,
    ) -> Batch<'b, 'h> {
        let shares = Shares::of(self.settings.memory);
        let asked = self.asked.filter(|_| self.lake.is_none());
        let keep = match (self.lake, asked) {
            (Some(_), _) => self.settings.keep,
            (None, Some(asked)) if asked.is_of_rulings() => Keep::None,
            (None, Some(_)) => Keep::All,
            (None, None) => Keep::None,
        };
        // Nothing is kept of rejected records, nor of rows for a lake, where all records are asked for.
        let read_again = asked.filter(|_| keep != Keep::None);
        let bodies = match read_again {
            Some(_) => shares.bodies + shares.rejected + shares.records,
            None => shares.bodies,
        };
        let leftovers = Leftovers::new(bodies, shares.lines, shares.rejected);
        Batch {
            policy: self.policy,
            urls: objects.iter().map(|object| object.url.clone()).collect(),
            objects,
            num_timeless,
            counts_timeless: self.counts_timeless,
            hours: &shared.hours,
            coverage: &shared.coverage,
            progress: self.progress,
            temp: self.temp,
            keep,
            certain: self.certain,
            asked,
            comparing: self.comparing,
            tables: TableMemory::new(shares.tables),
            options: DecodeOptions {
                layout: self.settings.layout.clone(),
                max_row_group: shares.object,
                max_marks: match keep {
                    Keep::Flagged => leftovers.most_rejected(),
                    Keep::None | Keep::All => 0,
                },
                // Each thread holds one before it is known whether there is room for it.
                max_text: read_again.map_or(0, |_| bodies / self.settings.threads.max(1)),
                ..DecodeOptions::default()
            },
            rulings_memory: shares.rulings / self.settings.threads.max(1),
            ends_at_once: shares.ends,
            leftovers,
            fetcher: &shared.fetcher,
            runtime: self.runtime,
            reporters,
        }
    }
}
