//! The hours of a run: what their slots amount to is gathered here, and committed hour by hour.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::judge::Finding;
use crate::judge::edges::{Asides, EdgeEntry, EdgeTable, EdgeWords, in_order};
use crate::judge::findings::DayFindings;
use crate::judge::part::{SlotPart, Unjudgeable};
use crate::judge::reporter::{Reporter, ReporterId, Reporters};
use crate::policy::Policy;
use crate::sink::{
    Day, ExternalSorter, Hour, HourAsides, HourWriter, Lake, ObjectRow, RecordBlock, RecordSorter,
    RowCounts,
};

use super::lock;
use super::malformed::MalformedLines;
use super::memory::{Shares, give_back};
use super::summary::Summary;

type EdgeSorter = ExternalSorter<
    EdgeEntry,
    fn(&EdgeEntry, &EdgeEntry) -> std::cmp::Ordering,
    Box<dyn FnMut(&mut EdgeEntry, &EdgeEntry) -> bool + Send>,
>;

/// What an hour has gathered so far. Shared by the threads that work on it.
pub struct HourState {
    start: u32,
    shares: Shares,
    /// Who reported in it.
    pub reporters: Arc<Reporters>,
    tables: Mutex<Vec<EdgeTable>>,
    sorter: Mutex<EdgeSorter>,
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
        lock(&self.tables)
            .pop()
            .unwrap_or_else(|| EdgeTable::new(self.reporters.clone()))
    }

    /// Takes a thread's table back.
    pub fn give_back(&self, table: EdgeTable) {
        lock(&self.tables).push(table);
    }

    /// Empties a table that has outgrown its share.
    ///
    /// # Errors
    /// When edges go to disk and cannot.
    pub fn make_room(&self, table: &mut EdgeTable) -> std::io::Result<()> {
        if table.memory() > self.shares.edge_table {
            let mut sorter = lock(&self.sorter);
            for entry in table.drain() {
                sorter.push(entry)?;
            }
        }
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
        let interfaces = part.interfaces.values();
        rows.reported
            .extend(interfaces.flat_map(|notes| &notes.reporters));
        for (reporter, counts) in &part.unjudgeable {
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

    /// What it tells beside its edges and objects.
    fn asides(&self, reporters: &[Reporter], connections: Asides) -> HourAsides {
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
    keep_records: bool,
    temp: &'a Path,
    shares: Shares,
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

/// Findings of a run's days, where no lake holds their edges.
#[derive(Default)]
struct Days<'a> {
    /// The day that is being gathered.
    open: Option<(Day, DayFindings<'a>)>,
    findings: Vec<Finding>,
    let_go: u64,
}

/// What a run's hours came to.
pub struct Outcome<'a> {
    /// The material of the report.
    pub summary: Summary<'a>,
    /// Findings of all days, in the order of days.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound of their day.
    pub findings_let_go: u64,
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
    ) -> Hours<'a> {
        let total = Total {
            summary: Summary::new(policy),
            days: Days::default(),
            written: BTreeSet::new(),
            rows: RowCounts::new(),
        };
        Hours {
            policy,
            lake,
            keep_records,
            temp,
            shares,
            open: Mutex::default(),
            total: Mutex::new(total),
        }
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
        let combine = move |known: &mut EdgeEntry, other: &EdgeEntry| {
            known.merge(other, &merging);
            true
        };
        let keeps = self.lake.is_some() && self.keep_records;
        let records = keeps.then(|| Mutex::new(RecordSorter::new(self.temp, self.shares.records)));
        let hour = Arc::new(HourState {
            start,
            shares: self.shares,
            reporters,
            tables: Mutex::default(),
            sorter: Mutex::new(ExternalSorter::new(
                self.temp,
                self.shares.edges,
                EdgeEntry::compare,
                Box::new(combine),
            )),
            rows: Mutex::default(),
            records,
        });
        open.insert(start, hour.clone());
        Ok(hour)
    }

    /// A gatherer of what connections tell whose edges nobody needs: those that can feed no finding, where no lake takes
    /// all. None with a lake.
    pub fn untold(&self) -> Option<Summary<'a>> {
        self.lake.is_none().then(|| Summary::new(self.policy))
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
        // Encoding records takes the most memory of all.
        if self.shares.is_tight || hour.records.is_some() {
            give_back();
        }
        let mut writer = match self.lake {
            Some(lake) => Some(lake.hour(name)?),
            None => None,
        };
        if let (Some(writer), Some(records)) = (&mut writer, hour.take_records(self.temp)) {
            writer.records(records, urls);
        }
        self.commit_edges(&hour, urls, writer.as_mut())?;
        self.commit_rows(&hour, writer.as_mut())?;
        let Some(writer) = writer else { return Ok(()) };
        let rows = writer
            .commit()
            .with_context(|| format!("cannot commit the hour {name} to the lake"))?;
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
        writer: Option<&mut HourWriter>,
    ) -> anyhow::Result<()> {
        let reporters = hour.reporters.snapshot();
        let mut words = EdgeWords::new(self.policy, &reporters, urls);
        let empty: EdgeSorter =
            ExternalSorter::new(self.temp, 0, EdgeEntry::compare, Box::new(|_, _| true));
        let mut sorter = std::mem::replace(&mut *lock(&hour.sorter), empty);
        let mut table = EdgeTable::new(hour.reporters.clone());
        for other in lock(&hour.tables).drain(..) {
            table.merge(other);
        }
        let asides = hour.asides(&reporters, table.take_asides());
        let mut guard = lock(&self.total);
        let total = &mut *guard;
        total.summary.add_asides(&asides);
        let summary = &mut total.summary;
        let edges: Box<dyn Iterator<Item = std::io::Result<EdgeEntry>>> = if sorter.is_empty() {
            let needed = |edge: &&EdgeEntry| writer.is_some() || edge.may_feed(self.policy);
            let edges = table.entries();
            let edges = edges.inspect(|edge| summary.add(&edge.told()));
            let edges: Vec<&EdgeEntry> = edges.filter(needed).collect();
            Box::new(in_order(edges.into_iter()).copied().map(Ok))
        } else {
            for edge in table.drain() {
                sorter.push(edge)?;
            }
            Box::new(sorter.finish()?.inspect(|edge| {
                if let Ok(edge) = edge {
                    summary.add(&edge.told());
                }
            }))
        };
        if let Some(writer) = writer {
            writer.asides(asides);
            writer.edges(&words, edges)?;
            return Ok(());
        }
        let day = total
            .days
            .begin_hour(self.policy, Hour::of(hour.start).day());
        for edge in edges {
            let edge = edge?;
            if edge.may_feed(self.policy) {
                day.add(&words.row(&edge));
            }
        }
        day.end_hour();
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
        let mut reader = lake.edges([hour])?;
        let mut total = lock(&self.total);
        total.summary.add_asides(&lake.asides(hour)?);
        while let Some(block) = reader.next_block()? {
            for place in 0..block.len() {
                total.summary.recall(&block.row(place)?);
            }
        }
        Ok(())
    }

    /// What the hours came to.
    pub fn finish(self) -> Outcome<'a> {
        let mut total = self
            .total
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        total.days.end_day();
        Outcome {
            summary: total.summary,
            findings: total.days.findings,
            findings_let_go: total.days.let_go,
            written: total.written,
            rows: total.rows,
        }
    }
}

impl<'a> Days<'a> {
    /// The findings of the day of the hour that follows.
    fn begin_hour(&mut self, policy: &'a Policy, day: Day) -> &mut DayFindings<'a> {
        if self.open.as_ref().is_some_and(|(open, _)| *open != day) {
            self.end_day();
        }
        let (_, findings) = self
            .open
            .get_or_insert_with(|| (day, DayFindings::new(policy, day.start())));
        findings
    }

    fn end_day(&mut self) {
        if let Some((_, day)) = self.open.take() {
            self.let_go += day.let_go();
            self.findings.extend(day.finish());
        }
    }
}

/// The findings of a day from all its committed edges, written into the lake unless it has them already.
///
/// # Errors
/// When the lake fails.
pub fn rebuild_findings(policy: &Policy, lake: &Lake, day: Day) -> anyhow::Result<Vec<Finding>> {
    let made_from = lake.made_from(day, &policy.texts_digest())?;
    if lake.findings_made_from(day)?.as_ref() == Some(&made_from) {
        return Ok(lake.read_findings(day)?);
    }
    let mut findings = DayFindings::new(policy, day.start());
    for hour in lake.committed_hours(day.first_hour()..=day.last_hour())? {
        let mut reader = lake.edges([hour])?.only_feeding();
        while let Some(block) = reader.next_block()? {
            for place in 0..block.len() {
                findings.add(&block.row(place)?);
            }
        }
        findings.end_hour();
    }
    let findings = findings.finish();
    lake.write_findings(day, &findings, &made_from)?;
    Ok(findings)
}
