//! Work on a slot that several threads share, piece by piece.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::judge::close::{Company, Pieces};
use crate::judge::part::SlotPart;
use crate::judge::records::Rulings;

use super::kept::Recording;
use super::lock;
use super::spill::{Run, SlotConnections};

/// Pieces of work, each claimed by one thread.
pub struct Claims {
    next: AtomicUsize,
    count: usize,
}

impl Claims {
    /// So many pieces that nobody works on yet.
    pub fn of(count: usize) -> Claims {
        Claims {
            next: AtomicUsize::new(0),
            count,
        }
    }

    /// Whether there are pieces that nobody works on yet.
    pub fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.count
    }

    /// Claims pieces, one by one: their numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            (number < self.count).then_some(number)
        })
        .fuse()
    }
}

/// What threads share in a slot that is proven.
#[derive(Clone)]
pub enum Share {
    /// Its connections are judged.
    Judge(Arc<Judging>),
    /// Its records are read again.
    Record(Arc<Recording>),
}

impl Share {
    /// Whether another thread would find something to do.
    pub fn has_more(&self) -> bool {
        match self {
            Share::Judge(judging) => judging.claims.has_more(),
            Share::Record(recording) => recording.has_more(),
        }
    }
}

/// A slot that is proven, and judged piece by piece.
pub struct Judging {
    /// All that was gathered of it. Its connections are here unless they are in runs.
    pub part: SlotPart,
    runs: Vec<Run>,
    /// What its connections say of one another.
    pub company: Company,
    /// The pieces of its connections.
    pub claims: Claims,
    rulings: Mutex<Option<Rulings>>,
}

impl Judging {
    /// Nothing judged yet.
    pub fn new(part: SlotPart, runs: Vec<Run>, company: Company) -> Judging {
        let connections = SlotConnections {
            table: &part.table,
            runs: &runs,
        };
        Judging {
            claims: Claims::of(connections.count()),
            part,
            runs,
            company,
            rulings: Mutex::new(None),
        }
    }

    /// Its connections.
    pub fn connections(&self) -> SlotConnections<'_> {
        SlotConnections {
            table: &self.part.table,
            runs: &self.runs,
        }
    }

    /// Takes the rulings that a thread keeps for the slot's records.
    pub fn keep(&self, rulings: Rulings) {
        let mut kept = lock(&self.rulings);
        match &mut *kept {
            Some(known) => known.absorb(rulings),
            none => *none = Some(rulings),
        }
    }

    /// The rulings of all threads, once they are done; none if no records are kept.
    pub fn take_rulings(&self) -> Option<Rulings> {
        lock(&self.rulings).take()
    }
}
