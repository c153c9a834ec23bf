//! Sorts rows of bytes in bounded memory: the same rows out whatever order and number they came in.
//!
//! Rows gather in memory, in the blocks in which they come. When the budget is full they become a sorted *run* in a
//! nameless temporary file; sixteen runs become one of the next level.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::LakeError;
use super::merge::{Levels, MergeHeap, Run, RunWriter};
use super::row_group;
use crate::judge::prefetch_bytes;

/// Rows of a block, after which it is time to hand it on.
const BLOCK_ROWS: usize = 8192;
/// Bytes of a block, likewise.
const BLOCK_BYTES: usize = 1 << 20;
/// Rows of a row group: half as many as of narrower tables, because a thread builds it as one batch.
const GROUP_ROWS: usize = row_group::GROUP_ROWS / 2;
/// Bytes of rows after which a row group ends although it could take more: only rows of very long text get there.
const GROUP_BYTES: usize = 32 << 20;

/// Some rows, one after the other.
#[derive(Default)]
pub(super) struct RowBlock {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl RowBlock {
    /// An empty one that need not grow before it is full.
    pub fn with_room() -> RowBlock {
        RowBlock {
            // The last row may go beyond.
            bytes: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 64),
            ends: Vec::with_capacity(BLOCK_ROWS),
        }
    }

    /// Appends the row that `write` appends to what it is given; whether the block is full.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.ends.len() >= BLOCK_ROWS || self.bytes.len() >= BLOCK_BYTES
    }

    fn row(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Takes rows in any order and gives them in the order of their bytes.
pub(super) struct RowSorter {
    dir: PathBuf,
    budget: usize,
    blocks: Vec<RowBlock>,
    places: Vec<Place>,
    blocks_memory: usize,
    runs: Levels<Run>,
}

/// Where a row is, and its first bytes, which nearly always tell.
#[derive(Clone, Copy)]
pub(super) struct Place {
    head: [u64; 4],
    block: u32,
    row: u32,
}

impl RowSorter {
    /// A sorter that holds about `budget` bytes in memory and puts the rest into files in `dir`, which vanish with it.
    pub fn new(dir: &Path, budget: usize) -> RowSorter {
        RowSorter {
            dir: dir.to_owned(),
            budget,
            blocks: Vec::new(),
            places: Vec::new(),
            blocks_memory: 0,
            runs: Levels::default(),
        }
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> usize {
        self.blocks_memory + self.places.capacity() * size_of::<Place>()
    }

    /// Whether rows went to files.
    pub fn has_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.runs.is_empty()
    }

    /// Takes a block.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, mut block: RowBlock) -> io::Result<()> {
        if block.bytes.len() < BLOCK_BYTES / 2 {
            block.bytes.shrink_to_fit();
        }
        let number = self.blocks.len() as u32;
        self.places.extend((0..block.ends.len()).map(|row| Place {
            head: head(block.row(row)),
            block: number,
            row: row as u32,
        }));
        self.blocks_memory += block.memory();
        self.blocks.push(block);
        if self.memory() > self.budget {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn sort(&mut self) {
        let blocks = &self.blocks;
        let row = |place: &Place| blocks[place.block as usize].row(place.row as usize);
        self.places.sort_unstable_by(|one, other| {
            let by_head = one.head.cmp(&other.head);
            by_head.then_with(|| row(one).cmp(row(other)))
        });
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = RunWriter::new(&self.dir)?;
        for place in &self.places {
            write_row(
                &mut run,
                self.blocks[place.block as usize].row(place.row as usize),
            )?;
        }
        self.blocks = Vec::new();
        self.places = Vec::new();
        self.blocks_memory = 0;
        self.runs.add(run.finish()?, |runs| {
            let mut merge = Merge::new(runs)?;
            let mut merged = RunWriter::new(&self.dir)?;
            while let Some(row) = merge.next()? {
                write_row(&mut merged, row)?;
            }
            merged.finish()
        })
    }

    /// The rows in order.
    ///
    /// # Errors
    /// When a temporary file cannot be written or read.
    pub fn finish(mut self) -> io::Result<SortedRows> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(SortedRows::Memory {
                blocks: self.blocks,
                places: self.places,
            });
        }
        if !self.places.is_empty() {
            self.spill()?;
        }
        Ok(SortedRows::Runs(Merge::new(self.runs.into_runs())?))
    }
}

/// What to say of a row that cannot be read as what it was written as.
pub(super) fn came_back_other() -> LakeError {
    let message = "a row came back other than it was put aside";
    LakeError::Temporary(io::Error::new(io::ErrorKind::InvalidData, message))
}

/// The first 32 bytes of a row as numbers of the same order; what a shorter row lacks is zero.
fn head(row: &[u8]) -> [u64; 4] {
    let mut head = [[0; 8]; 4];
    let bytes = head.as_flattened_mut();
    let length = row.len().min(bytes.len());
    bytes[..length].copy_from_slice(&row[..length]);
    head.map(u64::from_be_bytes)
}

/// Rows in order.
pub(super) enum SortedRows {
    Memory {
        blocks: Vec<RowBlock>,
        places: Vec<Place>,
    },
    Runs(Merge),
}

impl SortedRows {
    /// The rows of one row group after the other, cut by content only; none at the end, or an error when a temporary file
    /// cannot be read.
    pub fn groups<'s>(
        &'s mut self,
    ) -> Box<dyn FnMut() -> Result<Option<GroupRows<'s>>, LakeError> + 's> {
        match self {
            SortedRows::Memory { blocks, places } => {
                let (blocks, mut rest) = (&blocks[..], &places[..]);
                Box::new(move || {
                    let all = GroupRows::Here(blocks, rest);
                    let (some, others) = rest.split_at(all.cut(GROUP_ROWS, GROUP_BYTES));
                    rest = others;
                    Ok((!some.is_empty()).then_some(GroupRows::Here(blocks, some)))
                })
            }
            SortedRows::Runs(merge) => Box::new(|| {
                let mut some = RowBlock::default();
                while some.ends.len() < GROUP_ROWS && some.bytes.len() < GROUP_BYTES {
                    let Some(row) = merge.next().map_err(LakeError::Temporary)? else {
                        break;
                    };
                    some.push(|rows| rows.extend_from_slice(row));
                }
                Ok((!some.ends.is_empty()).then_some(GroupRows::Read(some)))
            }),
        }
    }
}

/// The rows of a row group, in order.
pub(super) enum GroupRows<'a> {
    /// Rows where they are in memory.
    Here(&'a [RowBlock], &'a [Place]),
    /// Rows that were read.
    Read(RowBlock),
}

impl GroupRows<'_> {
    /// The rows. Those that follow, all over the memory, are being fetched meanwhile.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        const AHEAD: usize = 8;
        (0..self.len()).map(|index| {
            if index + AHEAD < self.len() {
                prefetch_bytes(self.row(index + AHEAD));
            }
            self.row(index)
        })
    }

    /// How many of the first rows come together: so many, or fewer of so many bytes.
    fn cut(&self, rows: usize, bytes: usize) -> usize {
        let (mut count, mut found) = (0, 0);
        while count < self.len().min(rows) && found < bytes {
            found += self.row(count).len();
            count += 1;
        }
        count
    }

    fn len(&self) -> usize {
        match self {
            GroupRows::Here(_, places) => places.len(),
            GroupRows::Read(block) => block.ends.len(),
        }
    }

    fn row(&self, index: usize) -> &[u8] {
        match self {
            GroupRows::Here(blocks, places) => {
                let place = places[index];
                blocks[place.block as usize].row(place.row as usize)
            }
            GroupRows::Read(block) => block.row(index),
        }
    }
}

/// Appends a row to a run, behind its length.
fn write_row(run: &mut RunWriter, row: &[u8]) -> io::Result<()> {
    run.push([&(row.len() as u64).to_le_bytes(), row])
}

/// A run at one of its rows.
struct RunReader {
    file: BufReader<File>,
    left: u64,
    row: Vec<u8>,
}

impl RunReader {
    /// Goes to the next row; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let mut length = [0; 8];
        self.file.read_exact(&mut length)?;
        self.row.resize(u64::from_le_bytes(length) as usize, 0);
        self.file.read_exact(&mut self.row)?;
        Ok(true)
    }
}

/// A merge of runs under way.
pub(super) struct Merge {
    readers: Vec<RunReader>,
    heap: MergeHeap,
    /// Whether the first run's row was given out.
    is_given: bool,
}

impl Merge {
    fn new(runs: Vec<Run>) -> io::Result<Merge> {
        let mut readers = Vec::new();
        for run in runs {
            let (file, left) = run.open();
            let mut reader = RunReader {
                file,
                left,
                row: Vec::new(),
            };
            if reader.advance()? {
                readers.push(reader);
            }
        }
        let before = |a: usize, b: usize| readers[a].row < readers[b].row;
        Ok(Merge {
            heap: MergeHeap::new((0..readers.len()).collect(), before),
            readers,
            is_given: false,
        })
    }

    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if let Some(first) = self.heap.first().filter(|_| self.is_given) {
            let more = self.readers[first].advance()?;
            let before = |a: usize, b: usize| self.readers[a].row < self.readers[b].row;
            if more {
                self.heap.settle(before);
            } else {
                self.heap.remove_first(before);
            }
        }
        self.is_given = true;
        Ok(self.heap.first().map(|first| &*self.readers[first].row))
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn sort(
        dir: &Path,
        budget: usize,
        rows: &[Vec<u8>],
        most: usize,
        random: &mut ChaCha8Rng,
    ) -> (Vec<Vec<u8>>, bool) {
        let mut sorter = RowSorter::new(dir, budget);
        let mut rest = rows;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(random.random_range(1..=most.min(rest.len())));
            let mut block = RowBlock::default();
            for row in some {
                block.push(|rows| rows.extend_from_slice(row));
            }
            sorter.push(block).expect("taken");
            assert!(sorter.memory() <= budget);
            rest = others;
        }
        let spilled = sorter.has_spilled();
        let mut sorted = sorter.finish().expect("sorted");
        let mut found = Vec::new();
        let mut groups = sorted.groups();
        while let Some(group) = groups().expect("read") {
            found.extend(group.rows().map(<[u8]>::to_vec));
        }
        drop(groups);
        (found, spilled)
    }

    #[test]
    fn any_budget_and_any_order_give_the_order_of_the_standard_library() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut random = ChaCha8Rng::seed_from_u64(11);
        // Few different bytes, so that many rows begin alike, end within the head, or are the same.
        let mut rows: Vec<Vec<u8>> = (0..5_000)
            .map(|_| {
                (0..random.random_range(0..40))
                    .map(|_| random.random_range(0..2))
                    .collect()
            })
            .collect();
        let mut expected = rows.clone();
        expected.sort();
        for (budget, most) in [(usize::MAX, 900), (20_000, 90), (0, 100)] {
            rows.shuffle(&mut random);
            let (found, spilled) = sort(dir.path(), budget, &rows, most, &mut random);
            assert_eq!(spilled, budget < usize::MAX);
            assert!(found == expected, "{budget} bytes");
        }
        assert_eq!(sort(dir.path(), 0, &[], 1, &mut random), (vec![], false));
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }
}
