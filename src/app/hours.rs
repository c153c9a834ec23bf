//! The hours of a run: what their slots amount to is gathered here, and committed hour by hour.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::detect::DayDetection;
use crate::judge::edges::{Actions, Asides, EdgeEntry, EdgeTable, EdgeWords, GroupBytes};
use crate::judge::part::{SlotPart, Unjudgeable};
use crate::judge::reporter::{Reporter, ReporterId, Reporters};
use crate::policy::Policy;
use crate::sink::{
    Day, Hour, HourAsides, HourWriter, Lake, ObjectRow, RecordBlock, RecordPacker, RecordSorter,
    RowCounts, SortedRuns,
};

use super::days::{Days, Detects, GatheredDay};
use super::lock;
use super::malformed::MalformedLines;
use super::memory::{Shares, give_back};
use super::order::in_order;
use super::over;
use super::resolver::ResolverReport;
use super::summary::Summary;

/// What a thread's table of edges may take however little the share of the threads: below two pieces of its
/// memory and their index it would be written to disk in small runs, bytes.
const TABLE_AT_LEAST: usize = 5 << 19;

/// What an hour has gathered so far. Shared by the threads that work on it.
pub struct HourState {
    start: u32,
    /// Bytes that one thread's table may take.
    table_share: usize,
    /// Whether bytes are counted by group.
    counts_groups: bool,
    /// Who reported in it.
    pub reporters: Arc<Reporters>,
    tables: Mutex<Vec<EdgeTable>>,
    /// Edges that went to disk.
    runs: SortedRuns<EdgeEntry>,
    rows: Mutex<Rows>,
    records: Option<Mutex<RecordSorter>>,
}

/// Rows that wait for the commit.
#[derive(Default)]
struct Rows {
    objects: Vec<ObjectRow>,
    malformed: Vec<MalformedLines>,
    /// Whoever has records that count. An object that broke may have named others.
    reported: BTreeSet<ReporterId>,
    unjudgeable: BTreeMap<ReporterId, Unjudgeable>,
}

impl HourState {
    /// A table for a thread to put edges into; [`HourState::give_back`] takes it again.
    pub fn take_table(&self) -> EdgeTable {
        let known = lock(&self.tables).pop();
        known.unwrap_or_else(|| {
            let table = EdgeTable::new(self.reporters.clone());
            match self.counts_groups {
                true => table.counting_groups(),
                false => table,
            }
        })
    }

    /// Takes a thread's table back.
    pub fn give_back(&self, table: EdgeTable) {
        lock(&self.tables).push(table);
    }

    /// Empties a table that has outgrown its share.
    ///
    /// # Errors
    /// When edges go to disk and cannot.
    pub fn make_room(&self, table: &mut EdgeTable) -> io::Result<()> {
        if table.memory() > self.table_share {
            self.put_aside(table, 1)?;
        }
        Ok(())
    }

    /// Writes a table's edges to disk, sorted by so many threads.
    fn put_aside(&self, table: &mut EdgeTable, threads: usize) -> io::Result<()> {
        let edges: Vec<&EdgeEntry> = table.entries().collect();
        self.runs.add(in_order(&edges, threads)).map_err(|error| {
            let what = format!("cannot write edges to the temporary folder: {error}");
            io::Error::new(error.kind(), what)
        })?;
        table.clear();
        Ok(())
    }

    /// Takes the account of an object, and its malformed lines if it counts.
    pub fn object(&self, row: ObjectRow, malformed: Option<MalformedLines>) {
        let mut rows = lock(&self.rows);
        rows.objects.push(row);
        rows.malformed
            .extend(malformed.filter(|lines| !lines.is_empty()));
    }

    /// Takes what a judged slot says beside its connections: who reported, and records that no connection took.
    pub fn notes(&self, part: &SlotPart) {
        let mut rows = lock(&self.rows);
        let interfaces = part.notes.interfaces.values();
        rows.reported
            .extend(interfaces.flat_map(|notes| &notes.reporters));
        for (reporter, counts) in &part.notes.unjudgeable {
            *rows.unjudgeable.entry(*reporter).or_default() += *counts;
        }
    }

    /// Takes judged records.
    ///
    /// # Errors
    /// When they go to disk and cannot.
    pub fn records(&self, block: RecordBlock) -> anyhow::Result<()> {
        if let Some(records) = &self.records {
            lock(records).push(block)?;
        }
        Ok(())
    }

    /// Puts together the judged records of a thread; none where none are kept.
    pub fn record_packer(&self) -> Option<RecordPacker> {
        Some(lock(self.records.as_ref()?).packer())
    }

    /// Leaves out all judged records of the object of this rank, which broke when it was read again.
    pub fn leave_out(&self, rank: u32) {
        if let Some(records) = &self.records {
            lock(records).leave_out(rank);
        }
    }

    /// What it tells beside its edges and objects.
    fn asides(&self, reporters: &[Reporter], connections: Asides, actions: &Actions) -> HourAsides {
        let rows = lock(&self.rows);
        let mut asides = HourAsides {
            connections,
            ..HourAsides::default()
        };
        let known = |id: &ReporterId| reporters.get(id.0 as usize);
        for reporter in rows.reported.iter().filter_map(known) {
            let interface = reporter.inside().interface_id;
            let name = interface.unwrap_or(&reporter.flow_log);
            asides.interfaces.add(name.as_bytes());
        }
        for (number, reporter) in reporters.iter().enumerate() {
            let seen = actions.of(ReporterId(number as u32));
            if seen.contains(&true) && !reporter.flow_log.is_empty() {
                let known = asides
                    .actions
                    .entry(reporter.flow_log.to_string())
                    .or_default();
                *known = std::array::from_fn(|bit| known[bit] | seen[bit]);
            }
        }
        for (id, counts) in &rows.unjudgeable {
            asides.missing_field += counts.missing_field;
            if counts.out_of_scope > 0
                && let Some(reporter) = known(id)
            {
                *asides.out_of_scope.entry(reporter.place()).or_default() += counts.out_of_scope;
            }
        }
        asides
    }

    /// All judged records; none if there are none.
    fn take_records(&self, temp: &Path) -> Option<RecordSorter> {
        let mut records = lock(self.records.as_ref()?);
        let records = std::mem::replace(&mut *records, RecordSorter::new(temp, 0));
        (!records.is_empty()).then_some(records)
    }
}

/// The hours of a run: open ones, and what the committed ones add up to.
pub struct Hours<'a> {
    policy: &'a Policy,
    lake: Option<&'a Lake>,
    /// The slot, of an hour that is not over, that the lake takes instead of whole hours.
    open_slot: Option<u32>,
    keep_records: bool,
    /// Whether detectors look at all edges.
    detects: bool,
    counts_groups: bool,
    /// The Resolver logs that the policy goes by.
    resolver: Option<&'a ResolverReport>,
    temp: &'a Path,
    shares: Shares,
    /// Threads of the run, at least one.
    threads: usize,
    open: Mutex<BTreeMap<u32, Arc<HourState>>>,
    total: Mutex<Total<'a>>,
}

/// What committed hours add up to.
struct Total<'a> {
    summary: Summary<'a>,
    days: Days<'a>,
    written: BTreeSet<Hour>,
    rows: RowCounts,
}

/// What a run's hours came to.
pub struct Outcome<'a> {
    /// The material of the report.
    pub summary: Summary<'a>,
    /// Findings from the hours of this run, by day.
    pub days: BTreeMap<Day, GatheredDay>,
    /// Hours that were written.
    pub written: BTreeSet<Hour>,
    /// Rows that were written, by table.
    pub rows: RowCounts,
}

impl<'a> Hours<'a> {
    /// No hours yet. Temporary files go to `temp`; `shares` bounds the rows of an hour in memory.
    pub fn new(
        policy: &'a Policy,
        lake: Option<&'a Lake>,
        keep_records: bool,
        temp: &'a Path,
        shares: Shares,
        threads: usize,
        detects: Option<Detects<'a>>,
    ) -> Hours<'a> {
        let total = Total {
            summary: Summary::new(policy),
            days: Days::new(policy, detects),
            written: BTreeSet::new(),
            rows: RowCounts::new(),
        };
        Hours {
            policy,
            lake,
            open_slot: None,
            keep_records,
            detects: detects.is_some(),
            counts_groups: false,
            resolver: None,
            temp,
            shares,
            threads: threads.max(1),
            open: Mutex::default(),
            total: Mutex::new(total),
        }
    }

    /// Has the lake take what there is as this slot of an hour that is not over.
    pub fn of_open_slot(mut self, slot: Option<u32>) -> Hours<'a> {
        self.open_slot = slot;
        self
    }

    /// Has bytes counted by group, too.
    pub fn counting_groups(mut self, counts: bool) -> Hours<'a> {
        self.counts_groups = counts;
        self
    }

    /// Has hours say by which Resolver logs they were judged.
    pub fn going_by(mut self, resolver: Option<&'a ResolverReport>) -> Hours<'a> {
        self.resolver = resolver;
        self
    }

    /// The hour that begins at this instant, opened with these reporters if it is not open.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn open(
        &self,
        start: u32,
        reporters: impl FnOnce() -> Arc<Reporters>,
    ) -> anyhow::Result<Arc<HourState>> {
        let mut open = lock(&self.open);
        if let Some(hour) = open.get(&start) {
            return Ok(hour.clone());
        }
        let reporters = reporters();
        let merging = reporters.clone();
        let combine = move |known: &mut EdgeEntry, other: &EdgeEntry| known.merge(other, &merging);
        let keeps = self.lake.is_some() && self.keep_records;
        let records = keeps.then(|| Mutex::new(RecordSorter::new(self.temp, self.shares.records)));
        let hour = Arc::new(HourState {
            start,
            counts_groups: self.counts_groups,
            table_share: (self.shares.edges / self.threads).max(TABLE_AT_LEAST),
            reporters,
            tables: Mutex::default(),
            runs: SortedRuns::new(self.temp, EdgeEntry::compare, combine),
            rows: Mutex::default(),
            records,
        });
        open.insert(start, hour.clone());
        Ok(hour)
    }

    /// Gives back what was freed where memory is tight.
    pub fn relieve(&self) {
        if self.shares.is_tight {
            give_back();
        }
    }

    /// A gatherer of what connections tell whose edges nobody needs: those that can feed no finding, where neither a lake
    /// nor detectors take all. Else none.
    pub fn untold(&self) -> Option<Summary<'a>> {
        let all_are_needed = self.lake.is_some() || self.detects;
        (!all_are_needed).then(|| Summary::new(self.policy))
    }

    /// Takes what was gathered of edges that nobody needed.
    pub fn tell(&self, gathered: Summary<'a>) {
        lock(&self.total).summary.absorb(gathered);
    }

    /// Commits an hour: its edges go into the report, and with the rest of its rows into the lake. Hours come in order.
    ///
    /// # Errors
    /// When the lake or the temporary folder fails.
    pub fn commit(&self, start: u32, urls: &[Arc<str>]) -> anyhow::Result<()> {
        let Some(hour) = lock(&self.open).remove(&start) else {
            return Ok(());
        };
        let name = Hour::of(start);
        let failed = || format!("cannot commit the hour {name} to the lake");
        // Encoding records takes the most memory of all.
        if self.shares.is_tight {
            give_back();
        }
        let mut writer = match self.lake {
            Some(lake) => {
                let writer = match self.open_slot {
                    Some(slot) => lake.open_slot(slot),
                    None => lake.hour(name),
                };
                Some(writer?.with_threads(self.threads.min(self.shares.writers)))
            }
            None => None,
        };
        if let (Some(writer), Some(records)) = (&mut writer, hour.take_records(self.temp)) {
            writer.records(records, urls).with_context(failed)?;
        }
        self.commit_edges(&hour, urls, writer.as_mut())
            .with_context(failed)?;
        self.commit_rows(&hour, writer.as_mut())?;
        let Some(writer) = writer else { return Ok(()) };
        let rows = writer.commit().with_context(failed)?;
        let mut total = lock(&self.total);
        total.written.insert(name);
        for (table, count) in rows {
            *total.rows.entry(table).or_default() += count;
        }
        Ok(())
    }

    fn commit_edges(
        &self,
        hour: &HourState,
        urls: &[Arc<str>],
        mut writer: Option<&mut HourWriter>,
    ) -> anyhow::Result<()> {
        let reporters = hour.reporters.snapshot();
        let mut words = EdgeWords::new(self.policy, &reporters, urls);
        let mut tables = std::mem::take(&mut *lock(&hour.tables));
        let (mut connections, mut actions) = (Asides::default(), Actions::default());
        let mut groups = GroupBytes::default();
        for table in &mut tables {
            connections += table.take_asides();
            actions.absorb(&table.take_actions());
            if let Some(counted) = table.take_groups() {
                groups.absorb(&counted);
            }
        }
        let mut asides = hour.asides(&reporters, connections, &actions);
        let of_hour = |read: &ResolverReport| read.digest_of(Hour::of(hour.start));
        asides.resolver_logs = self.resolver.map(of_hour);
        let mut guard = lock(&self.total);
        let total = &mut *guard;
        total.summary.add_asides(&asides);
        total.summary.add_groups(&groups);
        let name = Hour::of(hour.start);
        let (summary, day) = (&mut total.summary, total.days.begin_hour(name));
        let all_words = words.clone();
        let mut gather = |edge: &EdgeEntry| {
            let story = edge.told().story;
            let may_feed = story.may_feed(self.policy);
            let is_detected = self.detects && DayDetection::looks_at(story.reason);
            if !may_feed && !is_detected {
                return;
            }
            let row = words.row(edge);
            if may_feed {
                day.findings.add(&row);
            }
            if let Some(detection) = day.detection.as_mut().filter(|_| is_detected) {
                detection.add(&row);
            }
        };
        if let Some(writer) = &mut writer {
            writer.asides(asides.clone());
        }
        if hour.runs.is_empty() {
            let mut table = EdgeTable::new(hour.reporters.clone());
            tables.into_iter().for_each(|other| table.merge(other));
            let edges: Vec<&EdgeEntry> = table.entries().collect();
            let sorted = (writer.is_some() || self.detects).then(|| in_order(&edges, self.threads));
            let tell = || {
                edges.iter().for_each(|edge| summary.add(&edge.told()));
                match &sorted {
                    Some(sorted) => sorted.iter().for_each(|edge| gather(edge)),
                    None => {
                        let feeding = edges.iter().filter(|edge| edge.may_feed(self.policy));
                        let feeding: Vec<&EdgeEntry> = feeding.copied().collect();
                        in_order(&feeding, 1).into_iter().for_each(gather);
                    }
                }
            };
            let write = |writer: &mut HourWriter| {
                let sorted = sorted.iter().flatten().copied();
                writer.edges(&all_words, sorted.map(Ok))
            };
            match writer {
                None => tell(),
                Some(writer) if self.threads == 1 => {
                    tell();
                    write(writer)?;
                }
                Some(writer) => std::thread::scope(|scope| {
                    scope.spawn(tell);
                    write(writer)
                })?,
            }
        } else {
            for mut table in tables {
                hour.put_aside(&mut table, self.threads)?;
            }
            let mut edges = hour.runs.merge()?.inspect(|edge| {
                let Ok(edge) = edge else { return };
                summary.add(&edge.told());
                gather(edge);
            });
            match writer {
                Some(writer) => writer.edges(&all_words, edges)?,
                None => edges.try_for_each(|edge| edge.map(drop))?,
            }
        }
        day.end_hour(name, &lock(&hour.rows).objects, &asides);
        Ok(())
    }

    fn commit_rows(&self, hour: &HourState, writer: Option<&mut HourWriter>) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut *lock(&hour.rows));
        let Some(writer) = writer else { return Ok(()) };
        for lines in rows.malformed {
            lines.each(|line| Ok(writer.quarantine(&line)?))?;
        }
        rows.objects.into_iter().for_each(|row| writer.object(row));
        Ok(())
    }

    /// Takes the edges of an hour that the lake holds already into the report.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn recall(&self, lake: &Lake, hour: Hour) -> anyhow::Result<()> {
        let mut total = lock(&self.total);
        total.summary.add_asides(&lake.asides(hour)?);
        Ok(over::read(lake, hour, &mut |edge| {
            total.summary.recall(edge)
        })?)
    }

    /// What the hours came to.
    pub fn finish(self) -> Outcome<'a> {
        let total = self
            .total
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Outcome {
            summary: total.summary,
            days: total.days.finish(),
            written: total.written,
            rows: total.rows,
        }
    }
}
