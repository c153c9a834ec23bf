//! What the threads of a batch share, and how they fold its objects.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;

use crate::flow::{
    DecodeOptions, Decoded, Input, MalformedLine, RecordSink, Scratch, decode, decode_text,
};
use crate::judge::fold::{Folder, ObjectFacts, hour_at};
use crate::judge::lines::HashFilter;
use crate::judge::part::{Parts, SlotPart};
use crate::judge::reporter::{KeyPlace, Reporters};
use crate::policy::Policy;
use crate::sink::{Hour, ObjectRow};
use crate::source::{Body, FetchError, Fetcher, Object, ReadBuffer};

use super::asked::{Asked, AskedRows};
use super::comparing::Comparing;
use super::coverage::CoverageGatherer;
use super::hours::{HourState, Hours};
use super::leftovers::{Leftover, Leftovers};
use super::malformed::MalformedLines;
use super::pipeline::{Board, Gathered};
use super::progress::Progress;
use super::room::{Room, TableMemory};
use super::settings::Keep;
use super::spill::Run;

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
    /// Whether these are counted.
    pub counts_timeless: bool,
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
    /// Which judged records are written, or asked for.
    pub keep: Keep,
    /// Whether only what no later record can change is told.
    pub certain: bool,
    /// Who asks for judged records, instead of the lake: they come of objects that are read again, or, if nothing is kept
    /// for that, of the rulings.
    pub asked: Option<&'a Asked<'a>>,
    /// The other policy that is asked of every connection, too.
    pub comparing: Option<&'a Comparing<'a>>,
    /// The memory of the connections of all open slots.
    pub tables: TableMemory,
    /// Bounds of decoding.
    pub options: DecodeOptions,
    /// Bytes that the rulings on one slot's records may take before the records are written.
    pub rulings_memory: usize,
    /// Ends of a slot's connections whose peers a thread counts at a time.
    pub ends_at_once: usize,
    /// What is kept of open slots' objects.
    pub leftovers: Leftovers,
    /// Fetches objects.
    pub fetcher: &'a Fetcher,
    /// What fetching runs on.
    pub runtime: &'a tokio::runtime::Runtime,
    /// The reporters of all hours, where records may go to any of them; else each hour has its own.
    pub reporters: Option<Arc<Reporters>>,
}

impl Batch<'_, '_> {
    /// Takes records of a slot's rulings to whoever asks; none if nobody does, or asks for more than they tell.
    pub fn asked_rulings(&self, slot: u32) -> Option<AskedRows<'_>> {
        let asked = self.asked.filter(|_| self.keep == Keep::None)?;
        Some(AskedRows::new(asked, Hour::of(slot)))
    }

    /// The hour of a slot, opened.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn hour(&self, slot: u32) -> anyhow::Result<Arc<HourState>> {
        self.hours
            .open(hour_at(slot), || self.reporters.clone().unwrap_or_default())
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

    /// Folds an object into parts: its account, and the runs of slots that went to disk. Whatever is wrong with the object
    /// is in its account; what is wrong with the machine is an error.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub(super) fn fold(
        &self,
        rank: usize,
        slot: Option<u32>,
        fetched: Fetched,
        reporters: &Reporters,
        parts: &mut Parts,
        memory: &mut Memory,
    ) -> anyhow::Result<(Account, Vec<(u32, Run)>)> {
        let object = &self.objects[rank];
        let mut malformed = MalformedLines::new(object.url.clone());
        let mut failed: io::Result<()> = Ok(());
        let mut note = |line, why: &MalformedLine, text: &[u8]| {
            if failed.is_ok() {
                failed = malformed.push(line, why, text, self.temp);
            }
        };
        let mut room = Room::new(&self.tables, self.temp, parts);
        let mut ask_for_room =
            |slot, part: &mut SlotPart, unverified| room.make(slot, part, unverified);
        let facts = self.facts(object, rank, slot);
        let mut folder = Folder::new(self.policy, reporters, facts, parts, &mut note)
            .ask_for_room(&mut ask_for_room);
        if self.keep == Keep::Flagged && slot.is_some() {
            folder = folder.note_lines(self.leftovers.most_rejected());
        }
        let body = match &fetched {
            Ok(Body::Bytes(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        if let Err(error) = &fetched
            && error.reason.may_pass()
        {
            self.coverage.may_pass(&object.url);
        }
        let mut outcome = self.read(fetched, memory, &mut folder);
        let lines = folder.finish(outcome.is_ok());
        if self.keep != Keep::None
            && slot.is_some()
            && let Ok(decoded) = &mut outcome
        {
            let leftover = Leftover::of(body, lines, decoded);
            self.leftovers.keep(rank, leftover);
        }
        failed?;
        let runs = room.finish(parts, outcome.is_ok())?;
        Ok(((object_row(object, &outcome), malformed), runs))
    }

    /// Decodes an object once more, for another sink, from what is left over of it if possible; or why that did not succeed.
    /// With a filter the sink gets what that lets through, and perhaps the rest.
    pub(super) fn read_again(
        &self,
        rank: usize,
        leftover: Option<&Leftover>,
        filter: Option<&HashFilter>,
        memory: &mut Memory,
        sink: &mut impl RecordSink,
    ) -> Result<(), String> {
        if let Some(text) = leftover.and_then(|leftover| leftover.text.as_ref()) {
            let decoded = decode_text(text, &self.options, &mut memory.decode, sink);
            return decoded.map(drop).map_err(|error| error.to_string());
        }
        if let Some((filter, leftover)) = filter.zip(leftover)
            && self.read_some_again(rank, leftover, filter, memory, sink)?
        {
            return Ok(());
        }
        self.read(self.fetch_again(rank, leftover), memory, sink)
            .map(drop)
    }

    /// Decodes the lines of an object that a filter lets through, without reading all of it: the rejected records that are
    /// left over, and what else there is between marks. False, and the sink has nothing, if all has to be read.
    fn read_some_again(
        &self,
        rank: usize,
        leftover: &Leftover,
        filter: &HashFilter,
        memory: &mut Memory,
        sink: &mut impl RecordSink,
    ) -> Result<bool, String> {
        /// The part of an object from which on it is simpler to read all.
        const MOST: f64 = 0.5;
        let (Some(lines), Some(rejected)) = (&leftover.lines, &leftover.rejected) else {
            return Ok(false);
        };
        let (options, scratch) = (&self.options, &mut memory.decode);
        let others = lines.others_in(filter, rejected.lines.lines());
        if rejected.marks.share(&others) > MOST {
            return Ok(false);
        }
        let layout = &rejected.layout;
        if !others.is_empty() {
            let body = self.fetch_again(rank, Some(leftover));
            let body = body.map_err(|error| error.reason.to_string())?;
            let input = body.input(&mut memory.read);
            let Input::Bytes(bytes) = input.map_err(|error| error.to_string())? else {
                return Ok(false);
            };
            let marks = &rejected.marks;
            let decoded = marks.decode(bytes, &others, layout, options, scratch, sink);
            if !decoded.map_err(|error| error.to_string())? {
                return Ok(false);
            }
        }
        let decoded = rejected.lines.decode(layout, options, scratch, sink);
        decoded.map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// What is left over of an object's bytes, or the object fetched once more.
    fn fetch_again(&self, rank: usize, leftover: Option<&Leftover>) -> Fetched {
        match leftover.and_then(|leftover| leftover.body.clone()) {
            Some(body) => Ok(Body::Bytes(body)),
            None => {
                let mut object = self.objects[rank].clone();
                self.runtime.block_on(self.fetcher.fetch(&mut object))
            }
        }
    }

    /// Decodes what was fetched; or why that did not succeed.
    fn read(
        &self,
        fetched: Fetched,
        memory: &mut Memory,
        sink: &mut impl RecordSink,
    ) -> Result<Decoded, String> {
        let body = fetched.map_err(|error| error.reason.to_string())?;
        let input = body
            .input(&mut memory.read)
            .map_err(|error| error.to_string())?;
        decode(input, &self.options, &mut memory.decode, sink).map_err(|error| error.to_string())
    }
}

/// What threads make of these works, each of one.
pub(super) fn on_threads<T: Send, W: FnOnce() -> T + Send>(
    works: impl Iterator<Item = W>,
) -> Vec<T> {
    std::thread::scope(|scope| {
        let running: Vec<_> = works.map(|work| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// What became of an object and of its malformed lines.
pub(super) type Account = (ObjectRow, MalformedLines);

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

/// Memory that a thread uses again from object to object.
#[derive(Default)]
pub(super) struct Memory {
    pub read: ReadBuffer,
    pub decode: Scratch,
}

impl Batch<'_, '_> {
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
                let reporters = self.reporters.as_deref();
                let (account, runs) = self.fold(
                    rank,
                    None,
                    fetched,
                    reporters.unwrap_or(&Reporters::default()),
                    &mut parts,
                    &mut memory,
                )?;
                accounts.push(account);
                for (slot, run) in runs {
                    gathered.entry(slot).or_default().runs.push(run);
                }
            }
            for (slot, part) in parts {
                gathered.entry(slot).or_default().parts.push(part);
            }
            Ok((gathered, accounts))
        };
        let results = on_threads((0..threads).map(|_| &gather));
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
            self.enter(hour.as_deref(), row, malformed, self.counts_timeless);
        }
        Ok(())
    }

    /// Enters the account of an object in the report, if it counts, and in the ledger of its hour.
    pub(super) fn enter(
        &self,
        hour: Option<&HourState>,
        row: ObjectRow,
        malformed: MalformedLines,
        counts: bool,
    ) {
        self.progress.advance(1, row.size, row.lines.records);
        if counts {
            self.coverage.object(&row, &malformed);
        }
        if let Some(hour) = hour {
            let is_read = row.layout.is_some();
            hour.object(row, is_read.then_some(malformed));
        }
    }
}
