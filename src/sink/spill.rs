//! Sorts rows of fixed size in bounded memory and combines those that are equal.
//!
//! Rows gather in memory; when the budget is full they are sorted and combined, and if that did not make much room they go
//! to a nameless temporary file as their raw bytes, a *run*. Sixteen runs become one of the next level, so that the number
//! of open files grows with the logarithm of the data. The result is the same whatever the budget and the order of rows,
//! if combining is commutative and associative.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use bytemuck::{AnyBitPattern, NoUninit};

use super::merge::{Levels, MergeHeap, Run, RunWriter};

/// The least number of rows that are sorted in memory, however small the budget.
const MIN_ROWS: usize = 64;

/// Sorts rows, and combines those that `compare` calls equal, in bounded memory.
///
/// `combine` adds the second row to the first and says whether it did; rows that it leaves apart stay in no given order.
pub struct ExternalSorter<T, C, M> {
    dir: PathBuf,
    capacity: usize,
    compare: C,
    combine: M,
    rows: Vec<T>,
    runs: Levels<Run>,
}

impl<T, C, M> ExternalSorter<T, C, M>
where
    T: AnyBitPattern + NoUninit,
    C: Fn(&T, &T) -> Ordering,
    M: FnMut(&mut T, &T) -> bool,
{
    /// A sorter that holds at most `budget` bytes of rows in memory and puts the others into files in `dir`, which vanish
    /// with it.
    pub fn new(dir: &Path, budget: usize, compare: C, combine: M) -> Self {
        let capacity = (budget / size_of::<T>().max(1)).max(MIN_ROWS);
        ExternalSorter {
            dir: dir.to_owned(),
            capacity,
            compare,
            combine,
            rows: Vec::new(),
            runs: Levels::default(),
        }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, row: T) -> io::Result<()> {
        if self.rows.len() == self.capacity {
            self.make_room()?;
        }
        if self.rows.len() == self.rows.capacity() {
            // Doubling must not take the buffer beyond the budget.
            let more = self
                .rows
                .len()
                .max(MIN_ROWS)
                .min(self.capacity - self.rows.len());
            self.rows.reserve_exact(more);
        }
        self.rows.push(row);
        Ok(())
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> usize {
        self.rows.capacity() * size_of::<T>()
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.runs.is_empty()
    }

    /// Whether rows went to files.
    pub fn has_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    fn make_room(&mut self) -> io::Result<()> {
        self.sort_and_combine();
        // Sorting again and again for little gain would cost more than a file does.
        if self.rows.len() > self.capacity / 2 {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn sort_and_combine(&mut self) {
        self.rows.sort_unstable_by(&self.compare);
        let (compare, combine) = (&self.compare, &mut self.combine);
        self.rows
            .dedup_by(|next, kept| compare(kept, next) == Ordering::Equal && combine(kept, next));
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut writer = RunWriter::new(&self.dir)?;
        for row in &self.rows {
            writer.push([bytemuck::bytes_of(row)])?;
        }
        self.rows.clear();
        let (dir, compare, combine) = (&self.dir, &self.compare, &mut self.combine);
        self.runs.add(writer.finish()?, |runs| {
            let mut merge = Merge::new(runs, compare)?;
            let mut writer = RunWriter::new(dir)?;
            while let Some(row) = merge.next(compare, combine)? {
                writer.push([bytemuck::bytes_of(&row)])?;
            }
            writer.finish()
        })
    }

    /// The rows in order, equal ones combined.
    ///
    /// # Errors
    /// When a temporary file cannot be written or read.
    pub fn finish(mut self) -> io::Result<Merged<T, C, M>> {
        self.sort_and_combine();
        if self.runs.is_empty() {
            return Ok(Merged {
                source: Source::Memory(self.rows.into_iter()),
                compare: self.compare,
                combine: self.combine,
            });
        }
        self.spill()?;
        drop(std::mem::take(&mut self.rows));
        let merge = Merge::new(self.runs.into_runs(), &self.compare)?;
        Ok(Merged {
            source: Source::Runs(merge),
            compare: self.compare,
            combine: self.combine,
        })
    }
}

/// Rows in order, equal ones combined.
pub struct Merged<T, C, M> {
    source: Source<T>,
    compare: C,
    combine: M,
}

enum Source<T> {
    Memory(std::vec::IntoIter<T>),
    Runs(Merge<T>),
}

impl<T, C, M> Iterator for Merged<T, C, M>
where
    T: AnyBitPattern + NoUninit,
    C: Fn(&T, &T) -> Ordering,
    M: FnMut(&mut T, &T) -> bool,
{
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<io::Result<T>> {
        match &mut self.source {
            Source::Memory(rows) => rows.next().map(Ok),
            Source::Runs(merge) => merge.next(&self.compare, &mut self.combine).transpose(),
        }
    }
}

struct RunReader<T> {
    file: BufReader<File>,
    left: u64,
    head: T,
}

impl<T: AnyBitPattern + NoUninit> RunReader<T> {
    /// A reader at the run's first row; none if it has none.
    fn open(run: Run) -> io::Result<Option<RunReader<T>>> {
        let (file, left) = run.open();
        let mut reader = RunReader {
            file,
            left,
            head: T::zeroed(),
        };
        Ok(reader.advance()?.then_some(reader))
    }

    fn advance(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        self.file
            .read_exact(bytemuck::bytes_of_mut(&mut self.head))?;
        Ok(true)
    }
}

/// A merge of runs under way.
struct Merge<T> {
    readers: Vec<RunReader<T>>,
    heap: MergeHeap,
}

impl<T: AnyBitPattern + NoUninit> Merge<T> {
    fn new(runs: Vec<Run>, compare: &impl Fn(&T, &T) -> Ordering) -> io::Result<Merge<T>> {
        let mut readers = Vec::new();
        for run in runs {
            readers.extend(RunReader::open(run)?);
        }
        let heap = MergeHeap::new((0..readers.len()).collect(), |a, b| {
            before(&readers, compare, a, b)
        });
        Ok(Merge { readers, heap })
    }

    fn next(
        &mut self,
        compare: &impl Fn(&T, &T) -> Ordering,
        combine: &mut impl FnMut(&mut T, &T) -> bool,
    ) -> io::Result<Option<T>> {
        let Some(mut row) = self.take(compare)? else {
            return Ok(None);
        };
        while let Some(first) = self.heap.first() {
            let next = &self.readers[first].head;
            if compare(&row, next) != Ordering::Equal || !combine(&mut row, next) {
                break;
            }
            self.take(compare)?;
        }
        Ok(Some(row))
    }

    fn take(&mut self, compare: &impl Fn(&T, &T) -> Ordering) -> io::Result<Option<T>> {
        let Some(first) = self.heap.first() else {
            return Ok(None);
        };
        let row = self.readers[first].head;
        let more = self.readers[first].advance()?;
        let order = |a: usize, b: usize| before(&self.readers, compare, a, b);
        if more {
            self.heap.settle(order)
        } else {
            self.heap.remove_first(order)
        }
        Ok(Some(row))
    }
}

fn before<T>(
    readers: &[RunReader<T>],
    compare: &impl Fn(&T, &T) -> Ordering,
    a: usize,
    b: usize,
) -> bool {
    // Equal heads come in the order of their runs.
    compare(&readers[a].head, &readers[b].head).then(a.cmp(&b)) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A sum by key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::AnyBitPattern, bytemuck::NoUninit)]
    #[repr(C)]
    struct Sum {
        key: u64,
        sum: u32,
        least: u32,
    }

    fn sort(dir: &Path, budget: usize, rows: &[Sum]) -> (Vec<Sum>, bool) {
        let combine = |into: &mut Sum, from: &Sum| {
            into.sum += from.sum;
            into.least = into.least.min(from.least);
            true
        };
        let mut sorter =
            ExternalSorter::new(dir, budget, |a: &Sum, b: &Sum| a.key.cmp(&b.key), combine);
        for row in rows {
            sorter.push(*row).expect("taken");
            assert!(sorter.memory() <= budget.max(MIN_ROWS * size_of::<Sum>()));
        }
        let spilled = sorter.has_spilled();
        (
            sorter
                .finish()
                .expect("finished")
                .collect::<io::Result<_>>()
                .expect("read"),
            spilled,
        )
    }

    #[test]
    fn any_budget_and_any_order_give_the_same_sums() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for keys in [10, 3_000, 1_000_000] {
            let mut rows: Vec<Sum> = (0..20_000)
                .map(|_| Sum {
                    key: random.random_range(0..keys),
                    sum: 1,
                    least: random.next_u32(),
                })
                .collect();
            let (expected, spilled) = sort(dir.path(), usize::MAX >> 8, &rows);
            assert!(!spilled);
            assert!(expected.is_sorted_by(|a, b| a.key < b.key));
            assert_eq!(expected.iter().map(|row| row.sum).sum::<u32>(), 20_000);
            for budget in [0, 5_000, 100_000] {
                rows.shuffle(&mut random);
                let (sorted, spilled) = sort(dir.path(), budget, &rows);
                assert_eq!(
                    spilled,
                    keys > 10 && (keys > 3_000 || budget < 100_000),
                    "{keys} keys in {budget} bytes"
                );
                assert_eq!(sorted, expected, "{keys} keys in {budget} bytes");
            }
        }
    }

    #[test]
    fn nothing_is_left_in_the_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let rows: Vec<Sum> = (0..1000)
            .map(|key| Sum {
                key,
                sum: 1,
                least: 1,
            })
            .collect();
        sort(dir.path(), 0, &rows);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        assert_eq!(sort(dir.path(), 0, &[]), (vec![], false));
    }
}
