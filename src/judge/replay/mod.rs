//! Two policies over the same traffic: which connections they judge differently; and one policy over traffic: what it used
//! of its rules.
//!
//! `pair` says what a change is, `worlds` judges an edge of a lake again, in every world that it could come from, and
//! `ground` asks a policy in one; `changes` and `usage` add up what came of it, `narrow` finds the few ports and prefixes
//! that hold what was seen.

mod changes;
mod ground;
mod narrow;
mod pair;
mod usage;
mod worlds;

pub use changes::{Changed, Changes, Example, Seen, Told};
pub use pair::{Change, Pair, Said};
pub use usage::{Narrower, RuleUse, Usage};
pub use worlds::{Again, Rejudge};

use super::EdgeRow;

/// How much traffic it is, counted as edges count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Judged records.
    pub records: u64,
    /// Connections, each once per slot.
    pub connections: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

impl Counts {
    /// Of an edge.
    pub fn of(edge: &EdgeRow<'_>) -> Counts {
        Counts {
            records: edge.records,
            connections: edge.connections,
            bytes: edge.bytes(),
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.records += other.records;
        self.connections += other.connections;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
