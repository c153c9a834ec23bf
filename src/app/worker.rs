//! A thread of a batch: takes tasks from the board and does them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;

use crate::flow::{
    DecodeOptions, Decoded, Fields, FlowsBuilder, MalformedLine, Record, Scratch, decode,
};
use crate::judge::JudgementRow;
use crate::judge::close::{Partitions, judge_slot, prove};
use crate::judge::evidence::{EVIDENCE_CAP, Evidence, Horizon};
use crate::judge::facts::SlotFacts;
use crate::judge::fold::{Folder, ObjectFacts, Parts, SlotPart};
use crate::judge::records::{JudgedSink, RecordJudge, Rulings, Wanted};
use crate::judge::reporter::{KeyPlace, Reporters};
use crate::judge::ruling::Judge;
use crate::policy::Policy;
use crate::sink::{JudgementBuilder, ObjectRow};
use crate::source::{Body, FetchError, Fetcher, Object, ReadBuffer};

use super::coverage::CoverageGatherer;
use super::hours::{HourState, Hours};
use super::malformed::MalformedLines;
use super::memory::give_back;
use super::pipeline::{Board, Gathered, Task, hour_of};
use super::progress::Progress;
use super::settings::Keep;
use super::spill::{Run, SlotConnections};

/// A table below this size stays in memory even when the bound is reached: writing it would free too little, bytes.
const SPILL_AT_LEAST: usize = 8 << 20;

/// Judged records that are handed on together.
const RECORD_ROWS: usize = 8192;

/// An object as it was fetched, or why it could not be.
pub type Fetched = Result<Body, FetchError>;

/// What the threads of a batch share.
pub struct Batch<'a, 'h> {
    /// The policy.
    pub policy: &'a Policy,
    /// The objects, by rank of their URL.
    pub objects: &'a [Object],
    /// How many of them, the first, have no key time.
    pub num_timeless: usize,
    /// Their URLs.
    pub urls: Vec<Arc<str>>,
    /// The hours of the run.
    pub hours: &'a Hours<'h>,
    /// What is said of objects.
    pub coverage: &'a CoverageGatherer,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Temporary files.
    pub temp: &'a Path,
    /// Which judged records are written.
    pub keep: Keep,
    /// Bytes that the connections of all open slots may take before they go to disk.
    pub table_memory: usize,
    /// Bytes that they take.
    pub tables: AtomicUsize,
    /// Bounds of decoding.
    pub options: DecodeOptions,
    /// Fetches objects.
    pub fetcher: &'a Fetcher,
    /// What fetching runs on.
    pub runtime: &'a tokio::runtime::Runtime,
    /// The reporters of all hours, where records may go to any of them; else each hour has its own.
    pub reporters: Option<Arc<Reporters>>,
}

impl Batch<'_, '_> {
    /// The hour of a slot, opened.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn hour(&self, slot: u32) -> anyhow::Result<Arc<HourState>> {
        self.hours
            .open(hour_of(slot), || self.reporters.clone().unwrap_or_default())
    }

    /// Starts fetching what the board says may be fetched now, in its order.
    pub fn fetch_ahead(&self, board: &Arc<Board<Fetched>>) {
        let objects: Vec<(usize, usize, Object)> = board
            .to_fetch()
            .into_iter()
            .map(|(slot, place)| (slot, place, self.objects[place].clone()))
            .collect();
        if objects.is_empty() {
            return;
        }
        let (board, fetcher) = (board.clone(), self.fetcher.clone());
        self.runtime.spawn(async move {
            let fetch = async |(slot, place, mut object): (usize, usize, Object)| {
                let size = object.size;
                let fetched = fetcher.fetch(&mut object).await;
                board.arrived(slot, place, size, fetched);
            };
            // One task for all, because separate ones begin in any order.
            futures::stream::iter(objects)
                .for_each_concurrent(None, fetch)
                .await;
        });
    }

    /// The facts of an object that folding needs; `slot` is none for objects without a key time.
    pub fn facts<'o>(&self, object: &'o Object, rank: usize, slot: Option<u32>) -> ObjectFacts<'o> {
        let key = object.key.as_ref();
        ObjectFacts {
            slot,
            rank: rank as u32,
            flow_log: key.map_or("", |key| &key.flow_log),
            place: KeyPlace {
                account: key.map(|key| &*key.account),
                region: key.map(|key| &*key.region),
            },
        }
    }

    /// Folds an object into parts; its account. Whatever is wrong with the object is in its account; what is wrong with
    /// the machine is an error.
    ///
    /// # Errors
    /// When the temporary folder fails.
    fn fold(
        &self,
        rank: usize,
        slot: Option<u32>,
        fetched: Fetched,
        reporters: &Reporters,
        parts: &mut Parts,
        memory: &mut Memory,
    ) -> anyhow::Result<Account> {
        let object = &self.objects[rank];
        let mut malformed = MalformedLines::new(object.url.clone());
        let mut failed: io::Result<()> = Ok(());
        let mut note = |line, why: &MalformedLine, text: &[u8]| {
            if failed.is_ok() {
                failed = malformed.push(line, why, text, self.temp);
            }
        };
        let outcome = match fetched {
            Err(error) => Err(error.reason.to_string()),
            Ok(body) => match body.input(&mut memory.read) {
                Err(error) => Err(error.to_string()),
                Ok(input) => {
                    let facts = self.facts(object, rank, slot);
                    let mut folder = Folder::new(self.policy, reporters, facts, parts, &mut note);
                    let decoded = decode(input, &self.options, &mut memory.decode, &mut folder);
                    folder.finish(decoded.is_ok());
                    decoded.map_err(|error| error.to_string())
                }
            },
        };
        failed?;
        Ok((object_row(object, &outcome), malformed))
    }
}

/// What became of an object and of its malformed lines.
type Account = (ObjectRow, MalformedLines);

/// The account of an object. One that is nothing but malformed lines counts as unreadable, its lines notwithstanding.
fn object_row(object: &Object, outcome: &Result<Decoded, String>) -> ObjectRow {
    let key = object.key.as_ref();
    let mut row = ObjectRow {
        source: object.url.to_string(),
        time: key.map_or(0, |key| key.time),
        size: object.size,
        etag: object.etag.as_deref().map(str::to_owned),
        account_id: key.map(|key| key.account.to_string()),
        region: key.map(|key| key.region.to_string()),
        flow_log_id: key.map(|key| key.flow_log.to_string()),
        ..ObjectRow::default()
    };
    match outcome {
        Err(reason) => row.unreadable = Some(reason.clone()),
        Ok(decoded) => {
            row.decoded_size = decoded.bytes;
            row.layout = Some(decoded.layout.clone());
            row.layout_assumed = decoded.assumed;
            row.lines = decoded.tally;
            (row.first_seen, row.last_seen) = decoded.times.unwrap_or_default();
            let lines = &decoded.tally;
            if lines.malformed > 0 && lines.records + lines.no_data + lines.skip_data == 0 {
                row.unreadable = Some(format!(
                    "none of its {} lines is a flow log record",
                    lines.malformed
                ));
            }
        }
    }
    row
}

/// One thread.
pub struct Worker<'a, 'h> {
    batch: &'a Batch<'a, 'h>,
    board: &'a Arc<Board<Fetched>>,
    judge: Judge<'a>,
    memory: Memory,
}

/// Memory that a thread uses again from object to object.
#[derive(Default)]
struct Memory {
    read: ReadBuffer,
    decode: Scratch,
}

impl<'a, 'h> Worker<'a, 'h> {
    /// A thread that takes tasks from this board.
    pub fn new(batch: &'a Batch<'a, 'h>, board: &'a Arc<Board<Fetched>>) -> Worker<'a, 'h> {
        Worker {
            batch,
            board,
            judge: Judge::new(batch.policy),
            memory: Memory::default(),
        }
    }

    /// Works until nothing is left.
    ///
    /// # Errors
    /// When the machine or the lake fails; objects never make it fail.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut current = None;
        self.batch.fetch_ahead(self.board);
        while let Some(task) = self.board.next(&mut current) {
            match task {
                Task::Fold { slot, object, body } => self.fold(slot, object, body)?,
                Task::Prove(slot) => self.prove(slot)?,
                Task::Judge(slot) => self.judge(slot)?,
                Task::Commit(hour) => {
                    self.batch.hours.commit(hour, &self.batch.urls)?;
                    give_back();
                    self.board.committed();
                }
            }
            self.batch.fetch_ahead(self.board);
        }
        Ok(())
    }

    fn fold(&mut self, slot: usize, object: usize, fetched: Fetched) -> anyhow::Result<()> {
        let start = self.board.start(slot);
        let hour = self.batch.hour(start)?;
        let part = self.board.take_part(slot);
        let before = part.memory();
        let mut parts = Parts::from([(start, part)]);
        let (row, malformed) = self.batch.fold(
            object,
            Some(start),
            fetched,
            &hour.reporters,
            &mut parts,
            &mut self.memory,
        )?;
        if self.board.is_judged(slot) {
            self.batch.enter(Some(&hour), row, malformed);
        }
        let mut part = parts.remove(&start).unwrap_or_default();
        let run = self.batch.make_room(before, &mut part)?;
        self.board.folded(slot, Some(part), run);
        Ok(())
    }

    fn prove(&mut self, slot: usize) -> anyhow::Result<()> {
        let Gathered { parts, mut runs } = self.board.take_gathered(slot);
        let held: usize = parts.iter().map(SlotPart::memory).sum();
        let mut whole = SlotPart::default();
        for mut part in parts {
            // Runs are read partition by partition. A table beside them would be searched through for each.
            if !runs.is_empty() && !part.table.is_empty() {
                runs.push(Run::write(&part.table, self.batch.temp)?);
                part.table = Default::default();
            }
            whole.merge(part);
        }
        self.batch.held(held, whole.memory());
        let mut evidence = Evidence::default();
        SlotConnections {
            table: &whole.table,
            runs: &runs,
        }
        .each(&mut |table| {
            prove(table, &mut evidence);
            Ok(())
        })?;
        evidence.seal(EVIDENCE_CAP);
        self.batch.coverage.let_go(evidence.let_go);
        let judged = self.board.is_judged(slot);
        if !judged {
            self.batch.held(whole.memory(), 0);
        }
        self.board.proven(
            slot,
            evidence,
            Gathered {
                parts: vec![whole],
                runs,
            },
        );
        Ok(())
    }

    fn judge(&mut self, slot: usize) -> anyhow::Result<()> {
        let start = self.board.start(slot);
        let hour = self.batch.hour(start)?;
        let Gathered { mut parts, runs } = self.board.take_gathered(slot);
        let part = parts.pop().unwrap_or_default();
        let reporters = hour.reporters.snapshot();
        let facts = SlotFacts::new(self.batch.policy, &reporters, &part.interfaces);
        let (own, earlier) = self.board.horizon(slot);
        let horizon = Horizon {
            own: &own,
            earlier: earlier.iter().map(|evidence| &**evidence).collect(),
        };
        let connections = SlotConnections {
            table: &part.table,
            runs: &runs,
        };
        let mut edges = hour.take_table();
        let wanted = match self.batch.keep {
            Keep::None => None,
            Keep::Flagged => Some(Wanted::Flagged),
            Keep::All => Some(Wanted::All),
        };
        let mut rulings = wanted.map(Rulings::new);
        let policy = self.batch.policy;
        judge_slot(
            &mut self.judge,
            &connections,
            start,
            &facts,
            &horizon,
            &mut edges,
            &mut |table, place, traffic, ruling| {
                if let Some(rulings) = &mut rulings {
                    rulings.keep(
                        policy,
                        &facts,
                        table.at(place),
                        table.views(place),
                        traffic,
                        ruling,
                    );
                }
                Ok(())
            },
        )?;
        hour.give_back(edges)?;
        let unjudgeable: Vec<_> = part
            .unjudgeable
            .iter()
            .map(|(reporter, counts)| (*reporter, *counts))
            .collect();
        hour.unjudgeable(unjudgeable);
        self.batch.held(part.memory(), 0);
        drop(part);
        if let Some(rulings) = rulings.filter(|rulings| !rulings.is_empty()) {
            self.write_records(slot, start, &hour, &facts, &rulings)?;
        }
        self.board.judged(slot);
        Ok(())
    }

    /// Reads the slot's objects a second time, for the judged records that are wanted.
    fn write_records(
        &mut self,
        slot: usize,
        start: u32,
        hour: &HourState,
        facts: &SlotFacts<'_>,
        rulings: &Rulings,
    ) -> anyhow::Result<()> {
        let objects = (0..self.batch.num_timeless).chain(self.board.objects(slot));
        let mut rows = RecordRows {
            hour,
            raw: FlowsBuilder::new(None),
            judgements: JudgementBuilder::default(),
            url: "",
            failed: Ok(()),
        };
        for rank in objects.filter(|rank| rulings.wants_object(*rank as u32)) {
            let mut object = self.batch.objects[rank].clone();

            // Whatever could not be read the first time is in the account already.
            let Ok(body) = self
                .batch
                .runtime
                .block_on(self.batch.fetcher.fetch(&mut object))
            else {
                continue;
            };
            rows.url = &self.batch.urls[rank];
            let facts_of_object = self.batch.facts(
                &self.batch.objects[rank],
                rank,
                object.key.as_ref().map(|_| start),
            );
            let mut judge = RecordJudge::new(
                self.batch.policy,
                &hour.reporters,
                facts,
                rulings,
                facts_of_object,
                start,
                &mut rows,
            );
            let Ok(input) = body.input(&mut self.memory.read) else {
                continue;
            };
            let decoded = decode(
                input,
                &self.batch.options,
                &mut self.memory.decode,
                &mut judge,
            );
            if decoded.is_err() {
                continue;
            }
            rows.flush()?;
        }
        rows.flush()
    }
}

/// Judged records on their way into the hour.
struct RecordRows<'a> {
    hour: &'a HourState,
    raw: FlowsBuilder,
    judgements: JudgementBuilder,
    url: &'a str,
    failed: anyhow::Result<()>,
}

impl RecordRows<'_> {
    fn flush(&mut self) -> anyhow::Result<()> {
        std::mem::replace(&mut self.failed, Ok(()))?;
        let raw = self.raw.finish();
        if raw.num_rows() > 0 {
            self.hour.records(raw, &mut self.judgements)?;
        }
        Ok(())
    }
}

impl JudgedSink for RecordRows<'_> {
    fn judged(&mut self, record: &Record, fields: &impl Fields, row: &JudgementRow<'_>) {
        self.raw.push(record, fields, self.url, record.line);
        self.judgements.push(row);
        if self.raw.len() == RECORD_ROWS && self.failed.is_ok() {
            self.failed = self.flush();
        }
    }
}

impl Batch<'_, '_> {
    /// Works on the board's tasks with so many threads; the evidence for the slots that follow.
    ///
    /// # Errors
    /// When the machine or the lake fails.
    pub fn work(
        &self,
        board: &Arc<Board<Fetched>>,
        threads: usize,
    ) -> anyhow::Result<BTreeMap<u32, Arc<Evidence>>> {
        let results: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
            let work = || {
                let result = Worker::new(self, board).run();
                if result.is_err() {
                    board.stop();
                }
                result
            };
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        results.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(board.take_evidence())
    }

    /// Folds all objects, none of which has a key time, with so many threads: what they hold, by slot.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn fold_timeless(&self, threads: usize) -> anyhow::Result<BTreeMap<u32, Gathered>> {
        let next = AtomicUsize::new(0);
        let gather = || -> anyhow::Result<(BTreeMap<u32, Gathered>, Vec<Account>)> {
            let (mut memory, mut parts) = (Memory::default(), Parts::new());
            let (mut gathered, mut accounts): (BTreeMap<u32, Gathered>, _) =
                (BTreeMap::new(), Vec::new());
            loop {
                let rank = next.fetch_add(1, Ordering::Relaxed);
                let Some(object) = self.objects.get(rank) else {
                    break;
                };
                let fetched = self
                    .runtime
                    .block_on(self.fetcher.fetch(&mut object.clone()));
                let before = parts.values().map(SlotPart::memory).sum();
                accounts.push(self.fold(
                    rank,
                    None,
                    fetched,
                    self.reporters.as_deref().unwrap_or(&Reporters::default()),
                    &mut parts,
                    &mut memory,
                )?);
                self.held(before, parts.values().map(SlotPart::memory).sum());
                for (slot, part) in &mut parts {
                    let memory = part.memory();
                    gathered
                        .entry(*slot)
                        .or_default()
                        .runs
                        .extend(self.make_room(memory, part)?);
                }
            }
            for (slot, part) in parts {
                gathered.entry(slot).or_default().parts.push(part);
            }
            Ok((gathered, accounts))
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(gather)).collect();
            running
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        let (mut slots, mut accounts): (BTreeMap<u32, Gathered>, Vec<Account>) = Default::default();
        for result in results {
            let (gathered, more) = result?;
            for (slot, more) in gathered {
                let all = slots.entry(slot).or_default();
                all.parts.extend(more.parts);
                all.runs.extend(more.runs);
            }
            accounts.extend(more);
        }
        self.enter_timeless(slots.keys().next().copied(), accounts)?;
        Ok(slots)
    }

    /// Enters objects without key times in the ledger of the first hour that they have records of.
    fn enter_timeless(&self, first: Option<u32>, accounts: Vec<Account>) -> anyhow::Result<()> {
        let hour = first.map(|slot| self.hour(slot)).transpose()?;
        for (row, malformed) in accounts {
            self.enter(hour.as_deref(), row, malformed);
        }
        Ok(())
    }

    /// Enters the account of an object in the report, and in the ledger of its hour.
    fn enter(&self, hour: Option<&HourState>, row: ObjectRow, malformed: MalformedLines) {
        self.progress.advance(1, row.size, row.lines.records);
        self.coverage.object(&row, &malformed);
        if let Some(hour) = hour {
            let counts = row.layout.is_some();
            hour.object(row, counts.then_some(malformed));
        }
    }

    /// Notes that a part's memory changed.
    fn held(&self, before: usize, after: usize) {
        self.tables.fetch_add(after, Ordering::Relaxed);
        self.tables.fetch_sub(before, Ordering::Relaxed);
    }

    /// Writes a part's connections to disk if all open slots together take too much memory.
    ///
    /// # Errors
    /// When the temporary folder fails.
    fn make_room(&self, before: usize, part: &mut SlotPart) -> io::Result<Option<Run>> {
        let now = part.memory();
        self.held(before, now);
        if self.tables.load(Ordering::Relaxed) < self.table_memory
            || part.table.memory() < SPILL_AT_LEAST
        {
            return Ok(None);
        }
        let run = Run::write(&part.table, self.temp)?;
        part.table = Default::default();
        self.held(now, part.memory());
        Ok(Some(run))
    }
}
