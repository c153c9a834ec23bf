//! Rows of fixed size that do not fit into memory: sorted *runs* of them in nameless temporary files, merged when they are
//! read back, equal rows combined into one.
//!
//! A run holds the rows' raw bytes. Sixteen runs become one of the next level, so that the number of open files grows with
//! the logarithm of the data. The result is the same whatever rows make up a run, and in whatever order runs come, if
//! combining is commutative and associative.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::{AnyBitPattern, NoUninit};

use super::merge::{Levels, MergeHeap, Run, RunWriter};

/// Adds the second row to the first, its equal.
type Combine<T> = Box<dyn Fn(&mut T, &T) + Send + Sync>;

/// Sorted runs of rows, shared by the threads that write them.
pub struct SortedRuns<T> {
    dir: PathBuf,
    order: Order<T>,
    runs: Mutex<Levels<Run>>,
}

/// Which row comes first, and what becomes of equal ones.
struct Order<T> {
    compare: fn(&T, &T) -> Ordering,
    combine: Combine<T>,
}

impl<T: AnyBitPattern + NoUninit> SortedRuns<T> {
    /// No runs yet. They go into files in `dir`, which vanish with it; `combine` adds the second row to the first where
    /// `compare` calls them equal.
    pub fn new(
        dir: &Path,
        compare: fn(&T, &T) -> Ordering,
        combine: impl Fn(&mut T, &T) + Send + Sync + 'static,
    ) -> SortedRuns<T> {
        SortedRuns {
            dir: dir.to_owned(),
            order: Order {
                compare,
                combine: Box::new(combine),
            },
            runs: Mutex::default(),
        }
    }

    /// Whether there are no runs.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Writes a run: rows in order.
    ///
    /// # Errors
    /// When a temporary file cannot be written or read.
    pub fn add<'r>(&self, rows: impl IntoIterator<Item = &'r T>) -> io::Result<()>
    where
        T: 'r,
    {
        let mut writer = RunWriter::new(&self.dir)?;
        for row in rows {
            writer.push([bytemuck::bytes_of(row)])?;
        }
        self.lock().add(writer.finish()?, |runs| {
            let mut merge = Merge::new(runs, &self.order)?;
            let mut writer = RunWriter::new(&self.dir)?;
            while let Some(row) = merge.next(&self.order)? {
                writer.push([bytemuck::bytes_of(&row)])?;
            }
            writer.finish()
        })
    }

    /// Takes all runs: their rows in order, equal ones combined.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    pub fn merge(&self) -> io::Result<impl Iterator<Item = io::Result<T>>> {
        let runs = std::mem::take(&mut *self.lock());
        let mut merge = Merge::new(runs.into_runs(), &self.order)?;
        Ok(std::iter::from_fn(move || {
            merge.next(&self.order).transpose()
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Levels<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn new(runs: Vec<Run>, order: &Order<T>) -> io::Result<Merge<T>> {
        let mut readers = Vec::new();
        for run in runs {
            readers.extend(RunReader::open(run)?);
        }
        let heap = MergeHeap::new((0..readers.len()).collect(), |a, b| {
            order.is_before(&readers, a, b)
        });
        Ok(Merge { readers, heap })
    }

    fn next(&mut self, order: &Order<T>) -> io::Result<Option<T>> {
        let Some(mut row) = self.take(order)? else {
            return Ok(None);
        };
        while let Some(first) = self.heap.first() {
            let next = &self.readers[first].head;
            if (order.compare)(&row, next) != Ordering::Equal {
                break;
            }
            (order.combine)(&mut row, next);
            self.take(order)?;
        }
        Ok(Some(row))
    }

    fn take(&mut self, order: &Order<T>) -> io::Result<Option<T>> {
        let Some(first) = self.heap.first() else {
            return Ok(None);
        };
        let row = self.readers[first].head;
        let more = self.readers[first].advance()?;
        let is_before = |a: usize, b: usize| order.is_before(&self.readers, a, b);
        if more {
            self.heap.settle(is_before)
        } else {
            self.heap.remove_first(is_before)
        }
        Ok(Some(row))
    }
}

impl<T> Order<T> {
    /// Whether the head of one reader comes before that of another; equal heads come in the order of their runs.
    fn is_before(&self, readers: &[RunReader<T>], a: usize, b: usize) -> bool {
        let heads = (self.compare)(&readers[a].head, &readers[b].head);
        heads.then(a.cmp(&b)) == Ordering::Less
    }
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

    fn combine(into: &mut Sum, from: &Sum) {
        into.sum += from.sum;
        into.least = into.least.min(from.least);
    }

    fn merged(dir: &Path, runs: impl Iterator<Item = Vec<Sum>>) -> Vec<Sum> {
        let all = SortedRuns::new(dir, |a: &Sum, b: &Sum| a.key.cmp(&b.key), combine);
        assert!(all.is_empty());
        for mut run in runs {
            run.sort_by_key(|row| row.key);
            all.add(&run).expect("written");
            assert!(!all.is_empty());
        }
        let rows = all.merge().expect("opened");
        rows.collect::<io::Result<_>>().expect("read")
    }

    #[test]
    fn any_division_into_runs_and_any_order_give_the_same_sums() {
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
            let mut expected = std::collections::BTreeMap::new();
            for row in &rows {
                let known = expected.entry(row.key);
                known.and_modify(|sum| combine(sum, row)).or_insert(*row);
            }
            let expected: Vec<Sum> = expected.into_values().collect();
            // One run, several, more than are merged at once, and more than the square of that.
            for most in [20_000, 6_000, 700, 50] {
                rows.shuffle(&mut random);
                let runs = rows.chunks(most).map(<[Sum]>::to_vec);
                assert!(
                    merged(dir.path(), runs) == expected,
                    "{keys} keys, {most} rows a run"
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_in_the_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let row = |key| Sum {
            key,
            sum: 1,
            least: 1,
        };
        merged(dir.path(), (0..20).map(|run| vec![row(run); 9]));
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        assert_eq!(merged(dir.path(), std::iter::empty()), vec![]);
        assert_eq!(merged(dir.path(), [vec![]].into_iter()), vec![]);
    }
}
