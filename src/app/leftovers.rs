//! What is left over of an object when it has been folded, for whoever reads it a second time: its text, and which
//! connection each line belongs to. As much as memory allows; nobody needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::flow::Scratch;
use crate::judge::lines::LineHashes;

use super::lock;

/// What is left over of an object.
#[derive(Default)]
pub struct Leftover {
    /// The text that it was inflated to.
    pub text: Option<Vec<u8>>,
    /// Which connections its lines belong to.
    pub lines: Option<LineHashes>,
}

/// What is left over of open slots' objects, by rank.
pub struct Leftovers {
    /// Bytes that texts may take, and those that wait to be written over.
    texts: usize,
    /// Bytes that all else may take.
    lines: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_rank: HashMap<usize, Arc<Leftover>>,
    /// Memory of texts that nobody needs any more: each page that comes from the system anew costs an interruption.
    free: Vec<Vec<u8>>,
    texts: usize,
    lines: usize,
}

impl Leftovers {
    /// Nothing is left over yet; texts and lines may take so many bytes.
    pub fn new(texts: usize, lines: usize) -> Leftovers {
        Leftovers {
            texts,
            lines,
            kept: Mutex::default(),
        }
    }

    /// Keeps what is left over of an object, as far as memory allows: its lines, and the text that was decoded last.
    pub fn keep(&self, rank: usize, lines: Option<LineHashes>, scratch: &mut Scratch) {
        let mut kept = lock(&self.kept);
        let lines = lines.filter(|lines| kept.lines + lines.memory() <= self.lines);
        kept.lines += lines.as_ref().map_or(0, LineHashes::memory);
        let text = self.take_text(&mut kept, scratch);
        if lines.is_some() || text.is_some() {
            kept.by_rank
                .insert(rank, Arc::new(Leftover { text, lines }));
        }
    }

    fn take_text(&self, kept: &mut Kept, scratch: &mut Scratch) -> Option<Vec<u8>> {
        let free = kept.free.pop().unwrap_or_default();
        let freed = free.capacity();
        match scratch.text_memory() {
            Some(memory) if kept.texts - freed + memory <= self.texts => {
                kept.texts = kept.texts - freed + memory;
                scratch.take_text(free)
            }
            _ => {
                kept.free.extend((freed > 0).then_some(free));
                None
            }
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
            kept.lines -= leftover.lines.as_ref().map_or(0, LineHashes::memory);
            let held = leftover.text.as_ref().map_or(0, Vec::capacity);
            match Arc::try_unwrap(leftover) {
                Ok(leftover) => kept.free.extend(leftover.text),
                Err(_) => kept.texts -= held,
            }
        }
    }
}
