//! What a ledger holds at one moment.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use redb::{
    Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError,
    Value,
};

use tempfile::NamedTempFile;

use super::change::{announced_from, hour_from, object_from};
use super::{
    ABOUT, ASIDE, Announced, COUNTS, FINDINGS, FORMAT, HOURS, LedgerError, LedgerHour,
    LedgerObject, OBJECTS, OUTBOX, ObjectState, SLOTS, Waiting,
};

/// A ledger as it was when this was made, whatever is written since.
pub struct View {
    transaction: ReadTransaction,
    path: PathBuf,
    /// A copy that it is of, which is there for as long as this is.
    copy: Option<(Database, NamedTempFile)>,
}

type Found<T> = Result<T, redb::Error>;

impl View {
    pub(super) fn new(db: &impl ReadableDatabase, path: &Path) -> Result<View, LedgerError> {
        let begun = db.begin_read();
        Ok(View {
            transaction: begun.map_err(|error| LedgerError::of(path, error.into()))?,
            path: path.to_owned(),
            copy: None,
        })
    }

    /// What a copy holds, which goes with this.
    pub(super) fn of_copy(
        db: Database,
        file: NamedTempFile,
        path: &Path,
    ) -> Result<View, LedgerError> {
        let mut view = View::new(&db, path)?;
        view.copy = Some((db, file));
        Ok(view)
    }

    /// A table; none if nothing was ever written.
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Found<Option<ReadOnlyTable<K, V>>> {
        match self.transaction.open_table(table) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn told<T>(&self, found: Found<T>) -> Result<T, LedgerError> {
        found.map_err(|error| LedgerError::of(&self.path, error))
    }

    pub(super) fn check_format(&self) -> Result<(), LedgerError> {
        match self.about("format")? {
            Some(found) if found != FORMAT => Err(LedgerError::OtherFormat {
                path: self.path.clone(),
                found,
                expected: FORMAT,
            }),
            _ => Ok(()),
        }
    }

    /// What it says of itself under a name: `scope`, `format`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn about(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let found = || -> Found<Option<String>> {
            let Some(table) = self.table(ABOUT)? else {
                return Ok(None);
            };
            Ok(table.get(name)?.map(|text| text.value().to_owned()))
        };
        self.told(found())
    }

    /// The objects of hours that begin in a range, by hour and URL.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn objects(&self, hours: Range<u32>) -> Result<Vec<LedgerObject>, LedgerError> {
        let found = || -> Found<Vec<LedgerObject>> {
            let mut objects = Vec::new();
            let Some(table) = self.table(OBJECTS)? else {
                return Ok(objects);
            };
            for entry in table.range((hours.start, "")..(hours.end, ""))? {
                let (key, value) = entry?;
                objects.push(object_from(key.value(), value.value()));
            }
            Ok(objects)
        };
        self.told(found())
    }

    /// Objects that were set aside.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn aside(&self) -> Result<Vec<LedgerObject>, LedgerError> {
        let found = || -> Found<Vec<LedgerObject>> {
            let mut objects = Vec::new();
            let Some(table) = self.table(ASIDE)? else {
                return Ok(objects);
            };
            for entry in table.range::<&str>(..)? {
                let (url, value) = entry?;
                let (time, size, etag) = value.value();
                objects.push(LedgerObject {
                    url: url.value().to_owned(),
                    time,
                    size,
                    etag: etag.to_owned(),
                    arrived: 0,
                    state: ObjectState::Seen,
                });
            }
            Ok(objects)
        };
        self.told(found())
    }

    /// All hours that it knows, in order.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn hours(&self) -> Result<Vec<LedgerHour>, LedgerError> {
        let found = || -> Found<Vec<LedgerHour>> {
            let mut hours = Vec::new();
            let Some(table) = self.table(HOURS)? else {
                return Ok(hours);
            };
            for entry in table.range::<u32>(..)? {
                let (start, value) = entry?;
                hours.push(hour_from(start.value(), value.value()));
            }
            Ok(hours)
        };
        self.told(found())
    }

    /// Slots of open hours that were judged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn judged_slots(&self) -> Result<BTreeSet<u32>, LedgerError> {
        let found = || -> Found<BTreeSet<u32>> {
            let mut slots = BTreeSet::new();
            let Some(table) = self.table(SLOTS)? else {
                return Ok(slots);
            };
            for entry in table.range::<u32>(..)? {
                slots.insert(entry?.0.value());
            }
            Ok(slots)
        };
        self.told(found())
    }

    /// All findings that were announced, by id.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn findings(&self) -> Result<Vec<(String, Announced)>, LedgerError> {
        let found = || -> Found<Vec<(String, Announced)>> {
            let mut findings = Vec::new();
            let Some(table) = self.table(FINDINGS)? else {
                return Ok(findings);
            };
            for entry in table.range::<&str>(..)? {
                let (id, value) = entry?;
                findings.push((id.value().to_owned(), announced_from(value.value())));
            }
            Ok(findings)
        };
        self.told(found())
    }

    /// The first alerts that wait for a sink and may be tried `now` (milliseconds since 1970), at most so many, in their order.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn waiting(&self, sink: &str, most: usize, now: u64) -> Result<Vec<Waiting>, LedgerError> {
        let found = || -> Found<Vec<Waiting>> {
            let mut waiting = Vec::new();
            let Some(table) = self.table(OUTBOX)? else {
                return Ok(waiting);
            };
            for entry in table.range((sink, 0)..=(sink, u64::MAX))? {
                let (key, value) = entry?;
                let (alert, tries, due) = value.value();
                if due > now {
                    continue;
                }
                waiting.push(Waiting {
                    number: key.value().1,
                    alert: alert.to_owned(),
                    tries,
                    due,
                });
                if waiting.len() == most {
                    break;
                }
            }
            Ok(waiting)
        };
        self.told(found())
    }

    /// How many alerts wait, by sink.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn outbox(&self) -> Result<std::collections::BTreeMap<String, u64>, LedgerError> {
        let found = || -> Found<std::collections::BTreeMap<String, u64>> {
            let mut depth = std::collections::BTreeMap::new();
            let Some(table) = self.table(OUTBOX)? else {
                return Ok(depth);
            };
            for entry in table.range::<(&str, u64)>(..)? {
                let (key, _) = entry?;
                *depth.entry(key.value().0.to_owned()).or_default() += 1;
            }
            Ok(depth)
        };
        self.told(found())
    }

    /// A counter, or a time; 0 if it was never set.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn counter(&self, name: &str) -> Result<u64, LedgerError> {
        let found = || -> Found<u64> {
            let Some(table) = self.table(COUNTS)? else {
                return Ok(0);
            };
            Ok(table.get(name)?.map_or(0, |count| count.value()))
        };
        self.told(found())
    }
}
