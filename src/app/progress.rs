//! How a mode says how far it is. What becomes of it (a bar, nothing) is `cli`'s business.

/// Hears how far a run is. Called from any thread. Where nobody watches, nothing is done with it.
pub trait Progress: Send + Sync {
    /// Another day is listed: so much more is to be read.
    fn begin(&self, _objects: u64, _bytes: u64) {}

    /// So much more is done: whole objects, bytes as stored, records.
    fn advance(&self, _objects: u64, _bytes: u64, _records: u64) {}

    /// What the run does now, in two or three words: `listing`, `judging`, `writing findings`.
    fn stage(&self, _what: &str) {}

    /// Whether nobody waits for the run any more: it ends with an error soon.
    fn is_over(&self) -> bool {
        false
    }
}

/// Nobody watches.
pub struct Unwatched;

impl Progress for Unwatched {}
