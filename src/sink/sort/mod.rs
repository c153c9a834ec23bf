//! Sorts an hour's records in bounded memory: the same batches out whatever order, size and number they came in.
//!
//! Batches gather in memory with the keys of their rows in a form that compares as bytes. When the budget is full they
//! become a sorted *run* in a nameless temporary file; sixteen runs become one of the next level. Batches come out cut by
//! their content only: after so many rows, or after so many bytes of long rows.

mod held;
mod pending;
mod runs;

use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::row::{RowConverter, Rows, SortField};

use self::held::{Held, gather};
use self::pending::Pending;
use self::runs::Runs;
use super::columns::BATCH_ROWS;
use super::merge::FAN_IN;
use super::{LakeError, Table};

/// Bytes after which a batch ends although it could take more rows: only rows of very long text get there.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes of a batch in a run. Each run of a merge holds one or two of them.
const RUN_BATCH_BYTES: usize = 512 << 10;

/// Takes batches in any order and gives their rows in the order of a table.
///
/// Rows whose key is the same (in `records` and `quarantine`: lines of one number in one object) come in the order in
/// which they were pushed.
pub struct RecordSorter {
    sorting: Sorting,
    dir: PathBuf,
    budget: usize,
    pending: Pending,
    held: Vec<Held>,
    keys: Rows,
    batches_memory: usize,
    levels: Vec<Vec<File>>,
}

/// How to sort.
struct Sorting {
    schema: SchemaRef,
    columns: Vec<usize>,
    converter: RowConverter,
}

impl RecordSorter {
    /// A sorter of `records`. It holds about `budget` bytes in memory and puts the rest into files in `dir`, which vanish
    /// with it.
    ///
    /// # Errors
    /// When the schema lacks a column of the order.
    pub fn new(schema: SchemaRef, dir: &Path, budget: usize) -> Result<RecordSorter, LakeError> {
        RecordSorter::for_table(Table::Records, schema, dir, budget)
    }

    pub(super) fn for_table(
        table: Table,
        schema: SchemaRef,
        dir: &Path,
        budget: usize,
    ) -> Result<RecordSorter, LakeError> {
        let columns = table
            .order()
            .iter()
            .map(|name| schema.index_of(name))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let fields = columns
            .iter()
            .map(|column| SortField::new(schema.field(*column).data_type().clone()))
            .collect();
        let converter = RowConverter::new(fields).map_err(failed)?;
        let keys = converter.empty_rows(0, 0);
        let sorting = Sorting {
            schema,
            columns,
            converter,
        };
        Ok(RecordSorter {
            pending: Pending::new(sorting.schema.fields().len(), budget),
            sorting,
            dir: dir.to_owned(),
            budget,
            held: Vec::new(),
            keys,
            batches_memory: 0,
            levels: Vec::new(),
        })
    }

    /// The schema of the batches it takes.
    pub fn schema(&self) -> SchemaRef {
        self.sorting.schema.clone()
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> usize {
        // Beside batches and keys: a weight a row, and its place twice when they are sorted.
        self.pending.memory()
            + self.batches_memory
            + self.keys.size()
            + self.keys.num_rows() * 6 * size_of::<u32>()
    }

    /// Whether rows went to files.
    pub fn has_spilled(&self) -> bool {
        !self.levels.is_empty()
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// When the batch has other columns, or a temporary file cannot be written.
    pub fn push(&mut self, batch: RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if batch.schema_ref().fields() != self.sorting.schema.fields() {
            return Err(failed(ArrowError::SchemaError(
                "expected a batch with the columns of the others".to_owned(),
            )));
        }
        if self.pending.push(batch) {
            self.take_pending()?;
        }
        if self.memory() > self.budget {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn take_pending(&mut self) -> Result<(), LakeError> {
        let Some((batch, memory)) = self.pending.join(&self.sorting.schema)? else {
            return Ok(());
        };
        let columns = self.sorting.key_columns(&batch);
        self.sorting
            .converter
            .append(&mut self.keys, &columns)
            .map_err(failed)?;
        self.batches_memory += memory;
        self.held.push(Held::new(batch));
        Ok(())
    }

    /// The places of all rows in memory, sorted: which batch, which row.
    fn sorted_places(&self) -> Vec<(u32, u32)> {
        let mut places: Vec<(u32, u32, u32)> = Vec::with_capacity(self.keys.num_rows());
        for (index, held) in self.held.iter().enumerate() {
            for row in 0..held.batch.num_rows() {
                places.push((places.len() as u32, index as u32, row as u32));
            }
        }
        places.sort_unstable_by(|a, b| {
            self.keys
                .row(a.0 as usize)
                .cmp(&self.keys.row(b.0 as usize))
                .then(a.0.cmp(&b.0))
        });
        places
            .into_iter()
            .map(|(_, batch, row)| (batch, row))
            .collect()
    }

    fn take_memory(&mut self) -> Result<Memory, LakeError> {
        self.take_pending()?;
        let places = self.sorted_places();
        self.keys = self.sorting.converter.empty_rows(0, 0);
        self.batches_memory = 0;
        Ok(Memory {
            held: std::mem::take(&mut self.held),
            places: places.into_iter(),
        })
    }

    fn spill(&mut self) -> Result<(), LakeError> {
        let mut source = Source::Memory(self.take_memory()?);
        let run = self.write_run(&mut source)?;
        self.add_run(run, 0)
    }

    fn add_run(&mut self, run: File, level: usize) -> Result<(), LakeError> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(run);
        if self.levels[level].len() < FAN_IN {
            return Ok(());
        }
        let runs = std::mem::take(&mut self.levels[level]);
        let merged = self.write_run(&mut Source::Runs(Runs::open(runs, &self.sorting)?))?;
        self.add_run(merged, level + 1)
    }

    fn write_run(&self, source: &mut Source) -> Result<File, LakeError> {
        let file = tempfile::tempfile_in(&self.dir).map_err(LakeError::Temporary)?;
        let mut writer =
            StreamWriter::try_new(BufWriter::new(file), &self.sorting.schema).map_err(failed)?;
        while let Some(batch) = source.next_batch(&self.sorting, RUN_BATCH_BYTES)? {
            writer.write(&batch).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        let buffered = writer.into_inner().map_err(failed)?;
        let mut file = buffered
            .into_inner()
            .map_err(|error| LakeError::Temporary(error.into_error()))?;
        file.rewind().map_err(LakeError::Temporary)?;
        Ok(file)
    }

    /// The rows in order.
    ///
    /// # Errors
    /// When a temporary file cannot be written or read.
    pub fn finish(mut self) -> Result<SortedBatches, LakeError> {
        if self.levels.is_empty() {
            let source = Source::Memory(self.take_memory()?);
            return Ok(SortedBatches {
                source,
                sorting: self.sorting,
            });
        }
        self.take_pending()?;
        if !self.held.is_empty() {
            self.spill()?;
        }
        // Runs of higher levels hold what came earlier, and where keys are equal the earlier run comes first.
        let runs = std::mem::take(&mut self.levels)
            .into_iter()
            .rev()
            .flatten()
            .collect();
        Ok(SortedBatches {
            source: Source::Runs(Runs::open(runs, &self.sorting)?),
            sorting: self.sorting,
        })
    }
}

impl Sorting {
    fn key_columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.columns
            .iter()
            .map(|column| batch.column(*column).clone())
            .collect()
    }
}

/// Batches in order, cut by content only.
pub struct SortedBatches {
    source: Source,
    sorting: Sorting,
}

impl Iterator for SortedBatches {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Result<RecordBatch, LakeError>> {
        self.source
            .next_batch(&self.sorting, BATCH_BYTES)
            .transpose()
    }
}

/// Where sorted rows come from.
enum Source {
    Memory(Memory),
    Runs(Runs),
}

impl Source {
    /// The next rows: at most a batch, and no more once they have `limit` bytes.
    fn next_batch(
        &mut self,
        sorting: &Sorting,
        limit: usize,
    ) -> Result<Option<RecordBatch>, LakeError> {
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        let mut bytes = 0;
        while chosen.len() < BATCH_ROWS && bytes < limit {
            let Some((batch, row)) = self.next_row(sorting)? else {
                break;
            };
            bytes += self.held()[batch].weights[row] as usize;
            chosen.push((batch, row));
        }
        if chosen.is_empty() {
            return Ok(None);
        }
        let batch = gather(&sorting.schema, self.held(), &chosen)?;
        if let Source::Runs(runs) = self {
            runs.let_go();
        }
        Ok(Some(batch))
    }

    fn next_row(&mut self, sorting: &Sorting) -> Result<Option<(usize, usize)>, LakeError> {
        match self {
            Source::Memory(memory) => Ok(memory
                .places
                .next()
                .map(|(batch, row)| (batch as usize, row as usize))),
            Source::Runs(runs) => runs.next_row(sorting),
        }
    }

    fn held(&self) -> &[Held] {
        match self {
            Source::Memory(memory) => &memory.held,
            Source::Runs(runs) => &runs.held,
        }
    }
}

/// Batches in memory, and the order of their rows.
struct Memory {
    held: Vec<Held>,
    places: std::vec::IntoIter<(u32, u32)>,
}

fn failed(error: ArrowError) -> LakeError {
    match error {
        ArrowError::IoError(_, error) => LakeError::Temporary(error),
        error => LakeError::file("sorting", error),
    }
}
