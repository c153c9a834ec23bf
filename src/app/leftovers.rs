//! What is left over of an object when it has been folded, for whoever reads it a second time: its bytes, if they had to be
//! fetched over the network, or its text, which connection each line belongs to, its rejected records, and how to get at others. As much
//! as memory allows; nobody needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::flow::{Decoded, Excerpt, Marks};
use crate::judge::lines::{LineHashes, LineNotes};

use super::lock;

/// What is left over of an object.
pub struct Leftover {
    /// Its bytes as they were fetched.
    pub body: Option<Bytes>,
    /// Its text.
    pub text: Option<Vec<u8>>,
    /// Which connections its lines belong to.
    pub lines: Option<LineHashes>,
    /// Its rejected records; only beside `lines`.
    pub rejected: Option<Rejected>,
}

/// The rejected records of an object, which need not be read for them again.
pub struct Rejected {
    /// Their lines.
    pub lines: Excerpt,
    /// How they are laid out.
    pub layout: String,
    /// Where the object may be read from for others.
    pub marks: Marks,
}

/// What is left over of open slots' objects, by rank.
pub struct Leftovers {
    /// Bytes that bodies and texts may take.
    bodies: usize,
    /// Bytes that hashes of lines may take.
    lines: usize,
    /// Bytes that rejected records and marks may take.
    rejected: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_rank: HashMap<usize, Arc<Leftover>>,
    /// Bytes in use: of bodies and texts, of hashes of lines, of rejected records and marks.
    memory: [usize; 3],
}

impl Leftover {
    /// What is left over of an object that was read to its end.
    pub fn of(body: Option<Bytes>, notes: Option<LineNotes>, decoded: &mut Decoded) -> Leftover {
        let (lines, rejected) = match notes {
            Some(LineNotes { hashes, rejected }) => (Some(hashes), rejected),
            None => (None, None),
        };
        let rejected = rejected.zip(decoded.marks.take());
        Leftover {
            body,
            text: decoded.text.take(),
            lines,
            rejected: rejected.map(|(lines, marks)| Rejected {
                lines,
                layout: decoded.layout.clone(),
                marks,
            }),
        }
    }

    /// Bytes that it takes, likewise.
    fn memory(&self) -> [usize; 3] {
        let text = self.text.as_ref().map_or(0, Vec::capacity);
        let body = text + self.body.as_ref().map_or(0, Bytes::len);
        let lines = self.lines.as_ref().map_or(0, LineHashes::memory);
        [
            body,
            lines,
            self.rejected.as_ref().map_or(0, Rejected::memory),
        ]
    }
}

impl Rejected {
    fn memory(&self) -> usize {
        self.lines.memory() + self.marks.memory()
    }
}

impl Leftovers {
    /// Nothing is left over yet; bodies, hashes of lines, and rejected records may take so many bytes.
    pub fn new(bodies: usize, lines: usize, rejected: usize) -> Leftovers {
        Leftovers {
            bodies,
            lines,
            rejected,
            kept: Mutex::default(),
        }
    }

    /// Bytes that the rejected records of one object may take, and as many its marks.
    pub fn most_rejected(&self) -> usize {
        self.rejected / 8
    }

    /// Keeps what is left over of an object, as far as memory allows.
    pub fn keep(&self, rank: usize, mut leftover: Leftover) {
        let mut kept = lock(&self.kept);
        let [bodies, lines, rejected] = kept.memory;
        if bodies + leftover.memory()[0] > self.bodies {
            leftover.text = None;
        }
        let [body, own_lines, own_rejected] = leftover.memory();
        if bodies + body > self.bodies {
            leftover.body = None;
        }
        if lines + own_lines > self.lines {
            leftover.lines = None;
        }
        if rejected + own_rejected > self.rejected || leftover.lines.is_none() {
            leftover.rejected = None;
        }
        let memory = leftover.memory();
        if memory != [0; 3] {
            (0..3).for_each(|sort| kept.memory[sort] += memory[sort]);
            kept.by_rank.insert(rank, Arc::new(leftover));
        }
    }

    /// What is left over of an object, if anything.
    pub fn get(&self, rank: usize) -> Option<Arc<Leftover>> {
        lock(&self.kept).by_rank.get(&rank).cloned()
    }

    /// Forgets what is left over of these objects.
    pub fn forget(&self, ranks: &[usize]) {
        let mut kept = lock(&self.kept);
        for rank in ranks {
            let Some(leftover) = kept.by_rank.remove(rank) else {
                continue;
            };
            let memory = leftover.memory();
            (0..3).for_each(|sort| kept.memory[sort] -= memory[sort]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(length: usize) -> Leftover {
        Leftover {
            body: Some(Bytes::from(vec![7; length])),
            text: None,
            lines: None,
            rejected: None,
        }
    }

    #[test]
    fn a_body_is_kept_while_there_is_room_for_it() {
        let leftovers = Leftovers::new(100, 0, 0);
        for (rank, length) in [(0, 60), (1, 60), (2, 40)] {
            leftovers.keep(rank, body(length));
        }
        let kept = |rank| {
            leftovers
                .get(rank)
                .and_then(|leftover| Some(leftover.body.as_ref()?.len()))
        };
        assert_eq!([0, 1, 2].map(kept), [Some(60), None, Some(40)]);
        leftovers.forget(&[0, 1]);
        leftovers.keep(3, body(61));
        leftovers.keep(4, body(60));
        assert_eq!([0, 2, 3, 4].map(kept), [None, Some(40), None, Some(60)]);
    }

    #[test]
    fn rejected_records_are_kept_beside_lines_while_there_is_room() {
        let rejected = || {
            let mut lines = Excerpt::default();
            lines.push(2, &[b'x'; 50]);
            Rejected {
                lines,
                layout: String::new(),
                marks: Marks::default(),
            }
        };
        let mut lines = LineHashes::default();
        lines.note(1, 1);
        let (hashes, size) = (lines.memory(), rejected().memory());
        let leftovers = Leftovers::new(0, hashes, 2 * size - 1);
        let leftover = |lines| Leftover {
            body: None,
            text: None,
            lines,
            rejected: Some(rejected()),
        };
        let is_kept = |rank| {
            leftovers
                .get(rank)
                .is_some_and(|kept| kept.rejected.is_some())
        };
        leftovers.keep(0, leftover(Some(lines)));
        leftovers.keep(1, leftover(None));
        assert_eq!([0, 1].map(is_kept), [true, false]);
        leftovers.forget(&[0, 1]);
        for rank in [2, 3] {
            leftovers.keep(rank, leftover(Some(LineHashes::default())));
        }
        assert_eq!([2, 3].map(is_kept), [true, false]);
    }
}
