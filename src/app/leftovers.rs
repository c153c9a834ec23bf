//! What is left over of an object when it has been folded, for whoever reads it a second time: its bytes, if they had to be
//! fetched over the network, and which connection each line belongs to. As much as memory allows; nobody needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::judge::lines::LineHashes;

use super::lock;

/// What is left over of an object.
pub struct Leftover {
    /// Its bytes as they were fetched.
    pub body: Option<Bytes>,
    /// Which connections its lines belong to.
    pub lines: Option<LineHashes>,
}

/// What is left over of open slots' objects, by rank.
pub struct Leftovers {
    /// Bytes that bodies may take.
    bodies: usize,
    /// Bytes that all else may take.
    lines: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_rank: HashMap<usize, Arc<Leftover>>,
    bodies: usize,
    lines: usize,
}

impl Leftover {
    /// Bytes that its body and its lines take.
    fn memory(&self) -> (usize, usize) {
        let body = self.body.as_ref().map_or(0, Bytes::len);
        (body, self.lines.as_ref().map_or(0, LineHashes::memory))
    }
}

impl Leftovers {
    /// Nothing is left over yet; bodies and lines may take so many bytes.
    pub fn new(bodies: usize, lines: usize) -> Leftovers {
        Leftovers {
            bodies,
            lines,
            kept: Mutex::default(),
        }
    }

    /// Keeps what is left over of an object, as far as memory allows.
    pub fn keep(&self, rank: usize, lines: Option<LineHashes>, body: Option<Bytes>) {
        let mut kept = lock(&self.kept);
        let leftover = Leftover {
            body: body.filter(|body| kept.bodies + body.len() <= self.bodies),
            lines: lines.filter(|lines| kept.lines + lines.memory() <= self.lines),
        };
        let (body, lines) = leftover.memory();
        kept.bodies += body;
        kept.lines += lines;
        if body + lines > 0 {
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
            let (body, lines) = leftover.memory();
            kept.bodies -= body;
            kept.lines -= lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_while_there_is_room_for_it() {
        let leftovers = Leftovers::new(100, 0);
        let body = |length: usize| Some(Bytes::from(vec![7; length]));
        leftovers.keep(0, Some(LineHashes::default()), body(60));
        leftovers.keep(1, None, body(60));
        leftovers.keep(2, None, body(40));
        let kept = |rank| {
            leftovers
                .get(rank)
                .and_then(|leftover| Some(leftover.body.as_ref()?.len()))
        };
        assert_eq!([0, 1, 2].map(kept), [Some(60), None, Some(40)]);
        leftovers.forget(&[0, 1]);
        leftovers.keep(3, None, body(61));
        leftovers.keep(4, None, body(60));
        assert_eq!([0, 2, 3, 4].map(kept), [None, Some(40), None, Some(60)]);
    }
}
