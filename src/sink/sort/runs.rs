//! A merge of sorted runs.

use std::fs::File;
use std::io::BufReader;

use arrow::ipc::reader::StreamReader;
use arrow::row::Rows;

use super::held::Held;
use super::{Sorting, failed};
use crate::sink::LakeError;
use crate::sink::merge::MergeHeap;

/// A merge of runs under way.
pub(super) struct Runs {
    cursors: Vec<Cursor>,
    heap: MergeHeap,
    /// The current batch of each run, and those left behind since the last batch was gathered.
    pub held: Vec<Held>,
}

/// A run's current row.
struct Cursor {
    reader: StreamReader<BufReader<File>>,
    keys: Rows,
    held: usize,
    row: usize,
}

impl Runs {
    pub fn open(files: Vec<File>, sorting: &Sorting) -> Result<Runs, LakeError> {
        let mut runs = Runs {
            cursors: Vec::new(),
            heap: MergeHeap::new(Vec::new(), |_, _| false),
            held: Vec::new(),
        };
        for file in files {
            let reader = StreamReader::try_new(BufReader::new(file), None).map_err(failed)?;
            let mut cursor = Cursor {
                reader,
                keys: sorting.converter.empty_rows(0, 0),
                held: 0,
                row: 0,
            };
            if cursor.load(sorting, &mut runs.held)? {
                runs.cursors.push(cursor);
            }
        }
        let cursors = &runs.cursors;
        runs.heap = MergeHeap::new((0..cursors.len()).collect(), |a, b| before(cursors, a, b));
        Ok(runs)
    }

    pub fn next_row(&mut self, sorting: &Sorting) -> Result<Option<(usize, usize)>, LakeError> {
        let Some(first) = self.heap.first() else {
            return Ok(None);
        };
        let cursor = &mut self.cursors[first];
        let place = (cursor.held, cursor.row);
        cursor.row += 1;
        let more = cursor.row < cursor.keys.num_rows() || cursor.load(sorting, &mut self.held)?;
        let cursors = &self.cursors;
        let order = |a: usize, b: usize| before(cursors, a, b);
        if more {
            self.heap.settle(order)
        } else {
            self.heap.remove_first(order)
        }
        Ok(Some(place))
    }

    /// Forgets the batches that no run is at any more.
    pub fn let_go(&mut self) {
        let mut kept: Vec<Option<Held>> = std::mem::take(&mut self.held)
            .into_iter()
            .map(Some)
            .collect();
        for cursor in &mut self.cursors {
            if cursor.row < cursor.keys.num_rows() {
                let held = kept[cursor.held]
                    .take()
                    .expect("each run has a batch of its own");
                cursor.held = self.held.len();
                self.held.push(held);
            }
        }
    }
}

impl Cursor {
    /// Goes to the run's next batch; false at its end.
    fn load(&mut self, sorting: &Sorting, held: &mut Vec<Held>) -> Result<bool, LakeError> {
        self.row = 0;
        self.keys.clear();
        let Some(batch) = self.reader.next().transpose().map_err(failed)? else {
            return Ok(false);
        };
        sorting
            .converter
            .append(&mut self.keys, &sorting.key_columns(&batch))
            .map_err(failed)?;
        self.held = held.len();
        held.push(Held::new(batch));
        Ok(true)
    }
}

fn before(cursors: &[Cursor], a: usize, b: usize) -> bool {
    let (first, second) = (&cursors[a], &cursors[b]);
    // Where keys are equal the earlier run comes first.
    first
        .keys
        .row(first.row)
        .cmp(&second.keys.row(second.row))
        .then(a.cmp(&b))
        .is_lt()
}
