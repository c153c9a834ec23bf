//! A lake: its description, what it holds, and the way to its tables.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use sha2::{Digest, Sha256};

use super::LakeFiles;
use super::edges::EdgeReader;
use super::identity::{Description, FORMAT};
use super::objects::read_objects;
use super::table::{Notes, part_name};
use super::{Day, Hour, HourAsides, HourWriter, Identity, LakeError, ObjectRow, Store, Table};
use crate::net::hex;

/// The file that says what a lake belongs to.
pub(super) const DESCRIPTION: &str = "lake.json";
const POLICY_ID: &str = "tidegate.policy_id";
const POLICY_HASH: &str = "tidegate.policy_hash";
/// The note in an hour's `objects` file that says for which identity it was committed.
const IDENTITY: &str = "tidegate.identity";
/// Key of what an hour's ledger tells that no table does.
pub(super) const ASIDES: &str = "tidegate.asides";

/// A lake of one identity in a store. Cheap to clone; every method may be called from any thread but those of the
/// store's own runtime.
#[derive(Clone, Debug)]
pub struct Lake {
    store: Store,
    temp: Arc<Path>,
    identity: Arc<Identity>,
    digest: Arc<str>,
    /// The id and the hash of the policy that what is written says it was judged by.
    judged_by: Arc<(String, String)>,
    /// Whether hours of another identity may be among its own.
    mixed: bool,
}

impl Lake {
    /// Opens the lake in `store`, or begins one. Temporary files go to `temp`, which exists.
    ///
    /// A lake that was made for another identity is refused, unless `rejudge` says that its hours are to be judged again:
    /// then it belongs to the new identity from here on, and hours that still are of the old one do not count as
    /// committed.
    ///
    /// # Errors
    /// When the lake belongs to another identity, is of a newer format, or the store fails.
    pub fn open(
        store: Store,
        identity: Identity,
        rejudge: bool,
        temp: &Path,
    ) -> Result<Lake, LakeError> {
        let identity = identity.normalised();
        let mut description = Description::new(identity.clone());
        if !store.put_bytes_if_absent(DESCRIPTION, &description.to_json())? {
            let text = store.get(DESCRIPTION)?.unwrap_or_default();
            let found =
                Description::parse(&text).map_err(|(reason, hint)| LakeError::Description {
                    url: store.url(),
                    reason,
                    hint,
                })?;
            let differences = found.identity.differences(&identity);
            if !differences.is_empty() && !rejudge {
                return Err(LakeError::OtherIdentity {
                    url: store.url(),
                    differences,
                });
            }
            description = if differences.is_empty() {
                found
            } else {
                found.handed_to(identity.clone())
            };
            if !differences.is_empty() {
                store.put_bytes(DESCRIPTION, &description.to_json())?;
            }
        }
        let digest = Arc::from(identity.digest());
        let judged_by = (identity.policy_id.clone(), identity.policy_hash.clone());
        Ok(Lake {
            store,
            temp: Arc::from(temp),
            identity: Arc::new(identity),
            digest,
            judged_by: Arc::new(judged_by),
            mixed: !description.earlier.is_empty(),
        })
    }

    /// Opens the lake that a store holds, whatever it belongs to.
    ///
    /// # Errors
    /// When there is none, or one of a newer format, or the store fails.
    pub fn read(store: Store, temp: &Path) -> Result<Lake, LakeError> {
        let identity = LakeFiles::open(store.clone())?.identity().clone();
        Lake::open(store, identity, false, temp)
    }

    /// The same lake, what is written to which says that it was judged by this policy, one of several that the lake
    /// belongs to.
    pub fn judged_by(&self, policy_id: &str, policy_hash: &str) -> Lake {
        Lake {
            judged_by: Arc::new((policy_id.to_owned(), policy_hash.to_owned())),
            ..self.clone()
        }
    }

    /// The id and the hash of the policy that what is written says it was judged by.
    pub(super) fn policy(&self) -> (&str, &str) {
        (&self.judged_by.0, &self.judged_by.1)
    }

    /// Where its files are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it belongs to.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn temp(&self) -> &Path {
        &self.temp
    }

    /// The hours that are committed for this identity.
    ///
    /// # Errors
    /// When the store fails.
    pub fn committed_hours(
        &self,
        range: impl RangeBounds<Hour>,
    ) -> Result<BTreeSet<Hour>, LakeError> {
        Ok(self.survey(range)?.0)
    }

    /// The hours that were committed for another identity and not judged again since. Readers see their rows, too.
    ///
    /// # Errors
    /// When the store fails.
    pub fn outdated_hours(
        &self,
        range: impl RangeBounds<Hour>,
    ) -> Result<BTreeSet<Hour>, LakeError> {
        Ok(self.survey(range)?.1)
    }

    fn survey(
        &self,
        range: impl RangeBounds<Hour>,
    ) -> Result<(BTreeSet<Hour>, BTreeSet<Hour>), LakeError> {
        let hours: BTreeSet<Hour> = self
            .ledger_hours(&range)?
            .into_iter()
            .filter(|hour| range.contains(hour))
            .collect();
        if !self.mixed {
            return Ok((hours, BTreeSet::new()));
        }
        let asked: Vec<Hour> = hours.into_iter().collect();
        let (mut current, mut outdated) = (BTreeSet::new(), BTreeSet::new());
        // A few at a time: this is memory for their files.
        for some in asked.chunks(64) {
            for (hour, content) in some.iter().zip(self.ledgers(some)?) {
                let own = note(open(&ledger_name(*hour), content)?.metadata(), IDENTITY).as_deref()
                    == Some(&*self.digest);
                if own {
                    current.insert(*hour)
                } else {
                    outdated.insert(*hour)
                };
            }
        }
        Ok((current, outdated))
    }

    /// The hours that have a ledger, all of them or at least those of the range.
    fn ledger_hours(&self, range: &impl RangeBounds<Hour>) -> Result<Vec<Hour>, LakeError> {
        let all = format!("{}/", Table::Objects.name());
        // A lake of years has many hours: what concerns one day should not list them all.
        let folder = match (range.start_bound(), range.end_bound()) {
            (Bound::Included(first), Bound::Included(last) | Bound::Excluded(last))
                if first.day() == last.day() =>
            {
                Table::Objects.day_folder(first.day())
            }
            _ => all.clone(),
        };
        let ledgers = self.store.list(&folder)?;
        Ok(ledgers
            .iter()
            .filter_map(|ledger| ledger_hour(ledger.name.strip_prefix(&all)?))
            .collect())
    }

    fn ledgers(&self, hours: &[Hour]) -> Result<Vec<Bytes>, LakeError> {
        let names: Vec<String> = hours.iter().map(|hour| ledger_name(*hour)).collect();
        let contents = self.store.get_each(&names)?;
        let missing = |name: &String| LakeError::file(name, "it vanished while it was read");
        names
            .iter()
            .zip(contents)
            .map(|(name, content)| content.ok_or_else(|| missing(name)))
            .collect()
    }

    /// Begins the files of an hour, which replace those it has once they are committed.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn hour(&self, hour: Hour) -> Result<HourWriter, LakeError> {
        HourWriter::new(self.clone(), hour, None)
    }

    /// Begins the files of a slot (its start, seconds) of an hour that is not over, which replace those it has. They go
    /// when the hour is committed.
    ///
    /// # Errors
    /// When the temporary folder fails.
    pub fn open_slot(&self, slot: u32) -> Result<HourWriter, LakeError> {
        HourWriter::new(self.clone(), Hour::of(slot), Some(slot))
    }

    /// The objects that an hour was made from, and those that could not be read; empty if it is not committed.
    ///
    /// # Errors
    /// When the store fails or the file is none of this program.
    pub fn objects(&self, hour: Hour) -> Result<Vec<ObjectRow>, LakeError> {
        let name = ledger_name(hour);
        let Some(content) = self.store.get(&name)? else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        for batch in open(&name, content)?
            .build()
            .map_err(|error| LakeError::file(&name, error))?
        {
            rows.extend(read_objects(
                &name,
                &batch.map_err(|error| LakeError::file(&name, error))?,
            )?);
        }
        Ok(rows)
    }

    /// The edges of hours, in their order. Whether they are committed is for the caller to know.
    ///
    /// # Errors
    /// When the store fails.
    pub fn edges(&self, hours: impl IntoIterator<Item = Hour>) -> Result<EdgeReader, LakeError> {
        let mut files = Vec::new();
        for hour in hours {
            let listed = self.store.list(&Table::Edges.hour_folder(hour))?;
            files.extend(
                listed
                    .into_iter()
                    .map(|file| file.name)
                    .filter(|name| is_part(name)),
            );
        }
        Ok(EdgeReader::new(self.clone(), files))
    }

    /// What the findings of a day would be made from now: a digest of its committed hours, of what they hold, and of
    /// `texts`, which stands for whatever else goes into findings (reasons, owners, mutes).
    ///
    /// # Errors
    /// When the store fails.
    pub fn made_from(&self, day: Day, texts: &str) -> Result<String, LakeError> {
        let hours: Vec<Hour> = self
            .committed_hours(day.first_hour()..=day.last_hour())?
            .into_iter()
            .collect();
        let mut digest = Sha256::new();
        digest.update(format!("{FORMAT} {} {texts}\n", self.digest));
        for (hour, content) in hours.iter().zip(self.ledgers(&hours)?) {
            digest.update(format!("{hour} {}\n", hex(&Sha256::digest(content))));
        }
        Ok(hex(&digest.finalize()[..16]))
    }

    /// A file of the lake, which is there, as a local one.
    pub(super) fn fetch(&self, name: &str) -> Result<File, LakeError> {
        self.store
            .fetch(name, &self.temp)?
            .ok_or_else(|| LakeError::file(name, "it vanished while it was read"))
    }

    /// What every file says of the policy that made it.
    pub(super) fn notes(&self) -> Notes {
        let (id, hash) = self.policy();
        vec![(POLICY_ID, id.to_owned()), (POLICY_HASH, hash.to_owned())]
    }

    /// What an hour's ledger says beside.
    pub(super) fn ledger_notes(&self, asides: &HourAsides) -> Notes {
        let mut notes = self.notes();
        notes.push((IDENTITY, self.digest.to_string()));
        notes.push((ASIDES, asides.to_json()));
        notes
    }
}

/// The file whose presence commits an hour.
pub(super) fn ledger_name(hour: Hour) -> String {
    format!("{}{}", Table::Objects.hour_folder(hour), part_name(0))
}

/// The hour of a ledger, by its name below the table's folder.
pub(super) fn ledger_hour(name: &str) -> Option<Hour> {
    Hour::from_folder(name.strip_suffix(&format!("/{}", part_name(0)))?)
}

/// Whether a file is one of a table, not one that is being written.
pub(super) fn is_part(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.starts_with("part-") && file.ends_with(".parquet")
}

/// What a file notes under a key.
pub(super) fn note(about: &ParquetMetaData, key: &str) -> Option<String> {
    about
        .file_metadata()
        .key_value_metadata()?
        .iter()
        .find(|note| note.key == key)?
        .value
        .clone()
}

pub(super) fn open(
    name: &str,
    content: Bytes,
) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, LakeError> {
    ParquetRecordBatchReaderBuilder::try_new(content).map_err(|error| LakeError::file(name, error))
}
