//! The account of an object's lines.

use super::Record;

/// Lines of an object, or of a run, by what became of them. `lines` is always the sum of the others.
///
/// JSON objects on one line count as lines of their own; rows of a Parquet object count as lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Tally {
    /// All lines.
    pub lines: u64,
    /// Empty lines, or white space only.
    pub blank: u64,
    /// Header lines, repeated ones included.
    pub headers: u64,
    /// Lines that became records (log status OK).
    pub records: u64,
    /// Lines that say that there was no traffic.
    pub no_data: u64,
    /// Lines that say that AWS lost records.
    pub skip_data: u64,
    /// Lines that could not be decoded.
    pub malformed: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.lines += other.lines;
        self.blank += other.blank;
        self.headers += other.headers;
        self.records += other.records;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.malformed += other.malformed;
    }
}

impl Tally {
    /// Whether every line is in exactly one of the classes.
    pub fn adds_up(&self) -> bool {
        self.lines
            == self.blank
                + self.headers
                + self.records
                + self.no_data
                + self.skip_data
                + self.malformed
    }
}

/// Earliest and latest time of records, where 0 is no time.
pub(crate) struct Times {
    /// One less than the earliest, so that no time is the latest of all.
    earliest: u32,
    latest: u32,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            earliest: u32::MAX,
            latest: 0,
        }
    }
}

impl Times {
    /// Takes a record's `start` and `end`.
    #[inline(always)]
    pub fn add(&mut self, record: &Record) {
        let before = record.start.wrapping_sub(1).min(record.end.wrapping_sub(1));
        self.earliest = self.earliest.min(before);
        self.latest = self.latest.max(record.start.max(record.end));
    }

    /// Both; none if no record had a time.
    pub fn range(&self) -> Option<(u32, u32)> {
        (self.latest > 0).then(|| (self.earliest + 1, self.latest))
    }
}
