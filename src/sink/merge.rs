//! What sorting outside of memory turns on: runs in temporary files, runs by level, and a heap of sorted sources, the one
//! with the least head on top.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::Path;

/// Bytes read ahead of each run in a merge, and gathered before they are written.
const READ_AHEAD: usize = 128 << 10;
/// Runs that are merged at once. More means fewer passes over the data, and more memory for their read buffers.
const FAN_IN: usize = 16;

/// Sorted rows in a nameless temporary file.
pub(super) struct Run {
    file: File,
    rows: u64,
}

impl Run {
    /// Its rows one after the other, and how many there are.
    pub fn open(self) -> (BufReader<File>, u64) {
        let file = BufReader::with_capacity(READ_AHEAD, self.file);
        (file, self.rows)
    }
}

/// Writes a run.
pub(super) struct RunWriter {
    file: BufWriter<File>,
    rows: u64,
}

impl RunWriter {
    /// Begins a run in this folder.
    ///
    /// # Errors
    /// When the folder cannot take it.
    pub fn new(dir: &Path) -> io::Result<RunWriter> {
        Ok(RunWriter {
            file: BufWriter::with_capacity(READ_AHEAD, tempfile::tempfile_in(dir)?),
            rows: 0,
        })
    }

    /// Appends a row, which stands in these pieces.
    ///
    /// # Errors
    /// When the folder is full.
    pub fn push<const N: usize>(&mut self, pieces: [&[u8]; N]) -> io::Result<()> {
        self.rows += 1;
        pieces
            .into_iter()
            .try_for_each(|piece| self.file.write_all(piece))
    }

    /// Ends the run.
    ///
    /// # Errors
    /// When the folder is full.
    pub fn finish(self) -> io::Result<Run> {
        let file = self.file.into_inner();
        let mut file = file.map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Run {
            file,
            rows: self.rows,
        })
    }
}

/// Sorted runs by level; a run of one level was merged from as many as fit of the level below. So the number of open files
/// grows with the logarithm of the data.
pub(super) struct Levels<R>(Vec<Vec<R>>);

impl<R> Default for Levels<R> {
    fn default() -> Levels<R> {
        Levels(Vec::new())
    }
}

impl<R> Levels<R> {
    /// Whether there are no runs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a run; where a level is full, `merge` makes one of its runs.
    ///
    /// # Errors
    /// When `merge` fails.
    pub fn add(
        &mut self,
        mut run: R,
        mut merge: impl FnMut(Vec<R>) -> io::Result<R>,
    ) -> io::Result<()> {
        for level in 0.. {
            if self.0.len() == level {
                self.0.push(Vec::new());
            }
            self.0[level].push(run);
            if self.0[level].len() < FAN_IN {
                break;
            }
            run = merge(std::mem::take(&mut self.0[level]))?;
        }
        Ok(())
    }

    /// All runs.
    pub fn into_runs(self) -> Vec<R> {
        self.0.into_iter().flatten().collect()
    }
}

/// Sources by their heads. The heads live with the caller, who says which of two sources comes first.
pub(super) struct MergeHeap {
    heap: Vec<usize>,
}

impl MergeHeap {
    /// A heap of the sources that have a head.
    pub fn new(sources: Vec<usize>, before: impl Fn(usize, usize) -> bool) -> MergeHeap {
        let mut heap = MergeHeap { heap: sources };
        for at in (0..heap.heap.len() / 2).rev() {
            heap.sift_down(at, &before);
        }
        heap
    }

    /// The source with the least head; none when all are at their end.
    pub fn first(&self) -> Option<usize> {
        self.heap.first().copied()
    }

    /// Finds the first source anew after the head of the first has changed.
    pub fn settle(&mut self, before: impl Fn(usize, usize) -> bool) {
        self.sift_down(0, &before);
    }

    /// Takes the first source out after it has come to its end.
    pub fn remove_first(&mut self, before: impl Fn(usize, usize) -> bool) {
        self.heap.swap_remove(0);
        self.sift_down(0, &before);
    }

    fn sift_down(&mut self, mut at: usize, before: &impl Fn(usize, usize) -> bool) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && before(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_in_order() {
        let sources: Vec<Vec<u32>> = vec![
            vec![5, 9, 9],
            vec![1, 2, 30],
            vec![],
            vec![7],
            vec![0, 8, 9, 40],
        ];
        let mut at = vec![0; sources.len()];
        let with_head = (0..sources.len())
            .filter(|source| !sources[*source].is_empty())
            .collect();
        let mut heap = MergeHeap::new(with_head, |a, b| sources[a][0] < sources[b][0]);
        let mut merged = Vec::new();
        while let Some(first) = heap.first() {
            merged.push(sources[first][at[first]]);
            at[first] += 1;
            let before = |a: usize, b: usize| sources[a][at[a]] < sources[b][at[b]];
            if at[first] == sources[first].len() {
                heap.remove_first(before)
            } else {
                heap.settle(before)
            }
        }
        let mut expected = sources.concat();
        expected.sort();
        assert_eq!(merged, expected);
    }
}
