//! An hour's way into the lake: rows into files aside, then the files into place, the ledger last.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tempfile::TempDir;

use super::columns::BATCH_ROWS;
use super::dictionary_column::PAGE_ROWS;
use super::edge_columns::{EdgeColumns, edges_schema};
use super::objects::ObjectBatch;
use super::quarantine::QuarantineSorter;
use super::record_columns::records_schema;
use super::row_group::GROUP_ROWS;
use super::table::{OPEN, TableWriter, WriteBatch, open_name, open_prefix, part_name};
use super::{Hour, HourAsides, Lake, LakeError, ObjectRow, QuarantineRow, RecordSorter, Table};
use crate::judge::EdgeRow;
use crate::judge::edges::{EdgeEntry, EdgeWords, fetched_ahead};
use crate::net::Addr;

/// Rows by table.
pub type RowCounts = BTreeMap<&'static str, u64>;

/// Takes the rows of one hour. Nothing of them is in the lake until it is committed.
pub struct HourWriter {
    lake: Lake,
    hour: Hour,
    /// The slot, where the hour is not over.
    open_slot: Option<u32>,
    threads: usize,
    folder: TempDir,
    edges: EdgeColumns,
    edge_files: TableWriter,
    last_edge: Option<(Addr, Addr)>,
    objects: Vec<ObjectRow>,
    asides: HourAsides,
    quarantine: QuarantineSorter,
    records: Option<TableWriter>,
}

impl HourWriter {
    pub(super) fn new(
        lake: Lake,
        hour: Hour,
        open_slot: Option<u32>,
    ) -> Result<HourWriter, LakeError> {
        let folder = tempfile::tempdir_in(lake.temp()).map_err(LakeError::Temporary)?;
        let (schema, notes) = (edges_schema(), lake.notes());
        let edge_files = TableWriter::new(Table::Edges, schema, notes, folder.path())?;
        let quarantine = QuarantineSorter::new(folder.path());
        Ok(HourWriter {
            lake,
            hour,
            open_slot,
            threads: 1,
            folder,
            edges: EdgeColumns::new(),
            edge_files,
            last_edge: None,
            objects: Vec::new(),
            asides: HourAsides::default(),
            quarantine,
            records: None,
        })
    }

    /// Takes an edge. Edges come ordered by client, then server address, as [`Addr`] orders them, and beyond that by
    /// anything that depends on their content only.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    ///
    /// # Panics
    /// When an edge comes after a greater one.
    pub fn edge(&mut self, edge: &EdgeRow<'_>) -> Result<(), LakeError> {
        let ends = Some((edge.client_addr, edge.server_addr));
        assert!(self.last_edge <= ends, "edges come in order");
        self.last_edge = ends;
        self.edges.push_row(edge);
        if self.edges.len() == BATCH_ROWS {
            self.write_edges()
        } else {
            Ok(())
        }
    }

    fn write_edges(&mut self) -> Result<(), LakeError> {
        self.edge_files.write(&self.edges.finish()?)
    }

    /// Has so many threads write each large table. The files are the same.
    pub fn with_threads(mut self, threads: usize) -> HourWriter {
        self.threads = threads;
        self
    }

    /// Takes edges, whose words are these, in the same order, by several threads.
    ///
    /// # Errors
    /// When a temporary file cannot be read or written.
    ///
    /// # Panics
    /// When an edge comes after a greater one.
    pub fn edges<E: Borrow<EdgeEntry> + Send>(
        &mut self,
        words: &EdgeWords<'_>,
        mut edges: impl Iterator<Item = io::Result<E>>,
    ) -> Result<(), LakeError> {
        self.write_edges()?;
        let ends = |edge: &EdgeEntry| Some((edge.client(), edge.server()));
        let worker = || {
            let (mut words, mut rows) = (words.clone(), EdgeColumns::new());
            move |edges: Vec<E>, write: WriteBatch<'_>| {
                let mut last = None;
                for edge in fetched_ahead(&edges) {
                    assert!(last <= ends(edge), "edges come in order");
                    last = ends(edge);
                    rows.push(edge, &mut words);
                    if rows.len() == PAGE_ROWS {
                        write(&rows.finish()?)?;
                    }
                }
                // Encoding takes room enough.
                drop(edges);
                write(&rows.finish()?)
            }
        };
        let last = &mut self.last_edge;
        self.edge_files.write_groups(self.threads, worker, || {
            let some: io::Result<Vec<E>> = edges.by_ref().take(GROUP_ROWS).collect();
            let some = some.map_err(LakeError::Temporary)?;
            if let [first, .., end] | [first @ end] = &some[..] {
                assert!(*last <= ends(first.borrow()), "edges come in order");
                *last = ends(end.borrow());
            }
            Ok((!some.is_empty()).then_some(some))
        })
    }

    /// Takes an object that was read or could not be. Objects come in any order.
    pub fn object(&mut self, object: ObjectRow) {
        self.objects.push(object);
    }

    /// Takes what is told of the hour that no row of its tables shows.
    pub fn asides(&mut self, asides: HourAsides) {
        self.asides = asides;
    }

    /// Takes a line that could not be decoded. Lines come in any order.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn quarantine(&mut self, line: &QuarantineRow<'_>) -> Result<(), LakeError> {
        self.quarantine.push(line)
    }

    /// Takes all judged records of the hour, of objects with these URLs by rank.
    ///
    /// # Errors
    /// When a temporary file cannot be read or written.
    pub fn records(&mut self, records: RecordSorter, urls: &[Arc<str>]) -> Result<(), LakeError> {
        let (notes, folder) = (self.lake.notes(), self.folder.path());
        let mut files = TableWriter::new(Table::Records, records_schema(), notes, folder)?;
        records.write(urls, self.threads, &mut files)?;
        self.records = Some(files);
        Ok(())
    }

    /// Ends the files and looks up what has to be done to put them in place.
    ///
    /// # Errors
    /// When a temporary file cannot be written or the store cannot be listed.
    pub fn prepare(mut self) -> Result<Publication, LakeError> {
        self.write_edges()?;
        let objects = self.object_files()?;
        let quarantine = self.quarantine.write(|schema| {
            TableWriter::new(
                Table::Quarantine,
                schema,
                self.lake.notes(),
                self.folder.path(),
            )
        })?;
        let tables = [
            (Table::Records, self.records),
            (Table::Edges, Some(self.edge_files)),
            (Table::Quarantine, Some(quarantine)),
            (Table::Objects, Some(objects)),
        ];
        let mut rows = RowCounts::new();
        let mut puts = Vec::new();
        for (table, files) in tables {
            let Some(files) = files else { continue };
            rows.insert(table.name(), files.rows());
            let place = table.hour_folder(self.hour);
            // The first file of a table last, so that of `objects` last of all.
            for (index, path) in files.finish()?.into_iter().enumerate().rev() {
                let name = match self.open_slot {
                    Some(slot) => open_name(slot, index),
                    None => part_name(index),
                };
                puts.push((path, format!("{place}{name}")));
            }
        }
        let steps = plan(&self.lake, self.hour, self.open_slot, puts)?;
        Ok(Publication {
            lake: self.lake,
            hour: self.hour,
            _folder: self.folder,
            steps,
            rows,
        })
    }

    /// Puts the hour into the lake, in place of what it held of the hour; the number of rows by table.
    ///
    /// # Errors
    /// When a temporary file or the store fails. The hour is then not committed, but if it was before and the failure was
    /// in preparing.
    pub fn commit(self) -> Result<RowCounts, LakeError> {
        self.prepare()?.finish()
    }

    fn object_files(&mut self) -> Result<TableWriter, LakeError> {
        let schema = Arc::new(Schema::new(ObjectBatch::fields()));
        let mut files = TableWriter::new(
            Table::Objects,
            schema.clone(),
            self.lake.ledger_notes(&self.asides),
            self.folder.path(),
        )?;
        files.at_least_one()?;
        self.objects.sort_by(|a, b| a.source.cmp(&b.source));
        for some in self.objects.chunks(BATCH_ROWS) {
            let mut rows = ObjectBatch::default();
            rows.push(some);
            let batch = RecordBatch::try_new(schema.clone(), rows.finish());
            files.write(&batch.map_err(|error| LakeError::file("objects", error))?)?;
        }
        Ok(files)
    }
}

/// One change to the store.
enum Step {
    Delete(String),
    Put(PathBuf, String),
    /// Puts the ledger: from here on the hour is committed.
    Commit(PathBuf, String),
}

/// The steps that replace an hour, or an open slot of one: the ledger goes first and comes last, so that nothing
/// half-replaced ever counts. Open slots go after their hour has come: until then they are what is there of it.
fn plan(
    lake: &Lake,
    hour: Hour,
    open_slot: Option<u32>,
    mut puts: Vec<(PathBuf, String)>,
) -> Result<VecDeque<Step>, LakeError> {
    let (path, ledger) = puts
        .pop()
        .expect("the ledger has a file, and it is the last");
    let new: BTreeSet<&str> = puts.iter().map(|(_, name)| name.as_str()).collect();
    let (mut steps, mut afterwards) = (VecDeque::new(), Vec::new());
    let own = open_slot.map(open_prefix);
    for table in Table::HOURLY {
        let folder = table.hour_folder(hour);
        for listed in lake.store().list(&folder)? {
            let file = &listed.name[folder.len()..];
            if own.as_ref().is_some_and(|own| !file.starts_with(own)) {
                continue;
            }
            if listed.name == ledger {
                steps.push_front(Step::Delete(listed.name));
            } else if own.is_none() && file.starts_with(OPEN) {
                afterwards.push(Step::Delete(listed.name));
            } else if !new.contains(listed.name.as_str()) {
                steps.push_back(Step::Delete(listed.name));
            }
        }
    }
    steps.extend(puts.into_iter().map(|(path, name)| Step::Put(path, name)));
    steps.push_back(Step::Commit(path, ledger));
    steps.extend(afterwards);
    Ok(steps)
}

/// An hour whose files are written and wait to be put in place, step by step. Dropped before its ledger is, it leaves an
/// hour that is not committed, and that the next run replaces.
pub struct Publication {
    lake: Lake,
    hour: Hour,
    _folder: TempDir,
    steps: VecDeque<Step>,
    rows: RowCounts,
}

impl Publication {
    /// How many steps are left.
    pub fn steps_left(&self) -> usize {
        self.steps.len()
    }

    /// Takes the next step; false when none is left.
    ///
    /// # Errors
    /// When the store fails, or another process committed the hour meanwhile.
    pub fn step(&mut self) -> Result<bool, LakeError> {
        let Some(step) = self.steps.pop_front() else {
            return Ok(false);
        };
        let store = self.lake.store();
        match step {
            Step::Delete(name) => store.delete(&name)?,
            Step::Put(path, name) => store.put_file(&path, &name)?,
            Step::Commit(path, name) => {
                let content = std::fs::read(&path).map_err(LakeError::Temporary)?;
                if !store.put_bytes_if_absent(&name, &content)? {
                    return Err(LakeError::Taken { hour: self.hour });
                }
            }
        }
        Ok(true)
    }

    /// Takes all steps that are left; the number of rows by table.
    ///
    /// # Errors
    /// As [`Publication::step`].
    pub fn finish(mut self) -> Result<RowCounts, LakeError> {
        while self.step()? {}
        Ok(self.rows)
    }
}
