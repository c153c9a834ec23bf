//! How a mode says how far it is. What becomes of it (a bar, nothing) is `cli`'s business.

/// Hears how far a run is. Called from any thread.
pub trait Progress: Send + Sync {
    /// Another day is listed: so much more is to be read.
    fn begin(&self, objects: u64, bytes: u64);

    /// So much more is done: whole objects, bytes as stored, records.
    fn advance(&self, objects: u64, bytes: u64, records: u64);

    /// What the run does now, in two or three words: `listing`, `judging`, `writing findings`.
    fn stage(&self, what: &str);
}

/// Progress that nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _objects: u64, _bytes: u64) {}

    fn advance(&self, _objects: u64, _bytes: u64, _records: u64) {}

    fn stage(&self, _what: &str) {}
}
