//! What `watch` must remember, in one file that survives crashes: objects seen and judged, hours, slots, findings that
//! were announced, and alerts that wait for their sinks.
//!
//! All changes that belong together are one transaction ([`Ledger::write`]): after a crash they are all there or none is.

mod change;
mod error;
mod read;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::{Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, TableDefinition};

pub use change::Change;
pub use error::LedgerError;
pub use read::View;

/// The version of the tables below. Another is refused.
const FORMAT: &str = "1";
/// The file in the state folder.
const FILE: &str = "ledger.redb";
/// Pages that are kept in memory, bytes.
const CACHE: usize = 32 << 20;

/// What the ledger says of itself: its format, and the scope that it was made for.
const ABOUT: TableDefinition<&str, &str> = TableDefinition::new("about");
/// An hour (start, seconds) and a URL.
type ObjectKey = (u32, &'static str);
/// Key time, size, entity tag, arrival (seconds), how far it is.
type ObjectValue = (u32, u64, &'static str, u64, u8);
/// Objects by hour and URL.
const OBJECTS: TableDefinition<ObjectKey, ObjectValue> = TableDefinition::new("objects");
/// Objects that are set aside, by URL: key time, size, entity tag.
const ASIDE: TableDefinition<&str, (u32, u64, &str)> = TableDefinition::new("aside");
/// Hours by their start: how far they are, and from which watermark on they are due again (0 where they are not).
const HOURS: TableDefinition<u32, (u8, u32)> = TableDefinition::new("hours");
/// Slots, by their start, of hours that are not committed: those that were judged.
const SLOTS: TableDefinition<u32, ()> = TableDefinition::new("slots");
/// Findings by id: when it opened and was last seen (seconds of event time), severity, whether resolved, and what it is.
const FINDINGS: TableDefinition<&str, (u32, u32, u8, bool, &str)> =
    TableDefinition::new("findings");
/// Alerts by sink and number: the alert, tries so far, not to be tried before (milliseconds since 1970).
const OUTBOX: TableDefinition<(&str, u64), (&str, u32, u64)> = TableDefinition::new("outbox");
/// Counters and times by name.
const COUNTS: TableDefinition<&str, u64> = TableDefinition::new("counts");

/// How far an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum ObjectState {
    /// It is there.
    Seen = 0,
    /// What it shows by itself was announced.
    Looked = 1,
    /// It is in a committed hour.
    Judged = 2,
}

/// How far an hour is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum HourState {
    /// Objects still come.
    Open = 0,
    /// It is committed; late objects have it judged again at settlement.
    Committed = 1,
    /// It was settled.
    Settled = 2,
}

/// An object as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerObject {
    /// Path or `s3://bucket/key`.
    pub url: String,
    /// Key time, seconds since 1970.
    pub time: u32,
    /// Bytes as stored; 0 where unknown.
    pub size: u64,
    /// The entity tag with its quotes; empty where there is none.
    pub etag: String,
    /// When it arrived, seconds since 1970.
    pub arrived: u64,
    /// How far it is.
    pub state: ObjectState,
}

/// An hour as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerHour {
    /// Its start, seconds since 1970.
    pub start: u32,
    /// How far it is.
    pub state: HourState,
    /// The watermark from which on it is due to be judged again; none where nothing came since.
    pub due: Option<u32>,
}

/// A finding that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// When it opened (for the last time), seconds of event time.
    pub opened: u32,
    /// The latest event time that it was seen at, seconds.
    pub last_seen: u32,
    /// The highest severity that was announced, as a rank.
    pub severity: u8,
    /// Whether it was resolved since.
    pub resolved: bool,
    /// What it is, in the words of whoever announces.
    pub brief: String,
}

/// An alert that waits for a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number in the sink's queue.
    pub number: u64,
    /// The alert.
    pub alert: String,
    /// Tries so far.
    pub tries: u32,
    /// Not before, milliseconds since 1970.
    pub due: u64,
}

/// The ledger of one scope. Any thread may read; one writes at a time.
pub struct Ledger {
    db: Database,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger in a state folder, or begins one there, which only its owner reads. `scope` says what it is of.
    ///
    /// # Errors
    /// When another process has it open, it is corrupt or of another version or scope, or the disk fails. Whatever is
    /// there then stays as it is.
    pub fn open(folder: &Path, scope: &str) -> Result<Ledger, LedgerError> {
        let path = folder.join(FILE);
        let io = |reason| LedgerError::Io {
            path: path.clone(),
            reason,
        };
        let mut made = DirBuilder::new();
        made.recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io)?;
        let is_new = !path.exists();
        if is_new {
            // For its owner alone from the first moment: alerts are in it.
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&path)
                .map_err(io)?;
        }
        let failed = |error| LedgerError::of(&path, error);
        let db = builder().create(&path);
        let ledger = Ledger {
            db: db.map_err(|error| failed(error.into()))?,
            path: path.clone(),
        };
        ledger.write(|change| change.begin(scope))?;
        Ok(ledger)
    }

    /// Makes changes that belong together: all of them, or none where it fails.
    ///
    /// # Errors
    /// When the disk or `work` fails.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let failed = |error| LedgerError::of(&self.path, error);
        let transaction = self
            .db
            .begin_write()
            .map_err(|error| failed(error.into()))?;
        let done = {
            let mut change = Change::new(&transaction, &self.path)?;
            work(&mut change)?
        };
        transaction.commit().map_err(|error| failed(error.into()))?;
        Ok(done)
    }

    /// What it holds now.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(&self) -> Result<View, LedgerError> {
        View::new(&self.db, &self.path)
    }

    /// What the ledger in a state folder holds, whether or not another process writes to it; none if there is none.
    ///
    /// # Errors
    /// When it is corrupt or of another version, or the disk fails.
    pub fn look(folder: &Path) -> Result<Option<View>, LedgerError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let db: Result<ReadOnlyDatabase, _> = builder().open_read_only(&path);
        let view = match db {
            Ok(db) => View::new(&db, &path)?,
            // It was not ended well, which the next run mends: until then a copy that is mended tells.
            Err(DatabaseError::RepairAborted) => {
                let failed = |reason| LedgerError::Io {
                    path: path.clone(),
                    reason,
                };
                let copy = tempfile::NamedTempFile::new().map_err(failed)?;
                std::fs::copy(&path, copy.path()).map_err(failed)?;
                let db = builder().open(copy.path());
                let db = db.map_err(|error| LedgerError::of(&path, error.into()))?;
                View::of_copy(db, copy, &path)?
            }
            Err(error) => return Err(LedgerError::of(&path, error.into())),
        };
        view.check_format()?;
        Ok(Some(view))
    }
}

/// How ledgers are opened: one process writes, others may look.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE)
        .set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

impl ObjectState {
    fn of(number: u8) -> ObjectState {
        match number {
            0 => ObjectState::Seen,
            1 => ObjectState::Looked,
            _ => ObjectState::Judged,
        }
    }
}

impl HourState {
    fn of(number: u8) -> HourState {
        match number {
            0 => HourState::Open,
            1 => HourState::Committed,
            _ => HourState::Settled,
        }
    }
}

#[cfg(test)]
mod tests;
