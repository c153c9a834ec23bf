//! The files of a lake as its readers see them, whoever it was made for: those of committed hours, of days, and of the
//! slots of hours that are not over.

use std::collections::BTreeSet;

use super::identity::{Description, Identity};
use super::lake::{DESCRIPTION, is_part, ledger_hour};
use super::table::OPEN;
use super::{Day, Hour, LakeError, Listed, Store, Table};

/// Days for which their folders are listed one by one. Of more, the whole table is listed: a thousand files a request.
const FEW_DAYS: usize = 3;

/// A lake to be read. Cheap to clone; every method blocks.
#[derive(Clone, Debug)]
pub struct LakeFiles {
    store: Store,
    identity: Identity,
}

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    /// Its name below the lake's root.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The day that it belongs to.
    pub day: Day,
    /// The hour that it belongs to; none for findings, which belong to days.
    pub hour: Option<Hour>,
}

impl LakeFiles {
    /// Opens the lake in a store.
    ///
    /// # Errors
    /// When there is none, or one of a newer format, or the store fails.
    pub fn open(store: Store) -> Result<LakeFiles, LakeError> {
        let failed = |reason: String, hint| LakeError::Description {
            url: store.url(),
            reason,
            hint,
        };
        let Some(text) = store.get(DESCRIPTION)? else {
            let hint = "a lake is what `tidegate scan --lake` writes; name its topmost folder";
            return Err(failed("there is no such file".to_owned(), hint));
        };
        let found = Description::parse(&text).map_err(|(reason, hint)| failed(reason, hint))?;
        let identity = found.identity;
        Ok(LakeFiles { store, identity })
    }

    /// What it belongs to.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where its files are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The files of a table whose hours (of findings, whose days) lie between the two, both included; sorted by time. What
    /// is not committed has none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn files(
        &self,
        table: Table,
        first: Option<Hour>,
        last: Option<Hour>,
    ) -> Result<Vec<LakeFile>, LakeError> {
        let is_wanted = |hour: Hour| {
            first.is_none_or(|first| first <= hour) && last.is_none_or(|last| hour <= last)
        };
        let is_wanted_day = |day: Day| {
            first.is_none_or(|first| first.day() <= day)
                && last.is_none_or(|last| day <= last.day())
        };
        let days = few_days(first, last);
        let mut files = Vec::new();
        let all = self.list(table, days.as_deref())?;
        let ledgers = match table {
            Table::Findings => BTreeSet::new(),
            Table::Objects => ledgers(&all),
            _ => ledgers(&self.list(Table::Objects, days.as_deref())?),
        };
        for listed in all {
            let Some((folder, _)) = listed.name.rsplit_once('/') else {
                continue;
            };
            let Some(folder) = folder.strip_prefix(table.name()) else {
                continue;
            };
            let folder = folder.trim_start_matches('/');
            let hour = Hour::from_folder(folder);
            let Some(day) = hour.map(Hour::day).or_else(|| Day::from_folder(folder)) else {
                continue;
            };
            let is_of_time = hour.map_or_else(|| is_wanted_day(day), is_wanted);
            let counts = is_part(&listed.name) || open_slot(&listed.name).is_some();
            if counts && is_of_time && hour.is_none() == (table == Table::Findings) {
                files.push(LakeFile {
                    name: listed.name,
                    size: listed.size,
                    day,
                    hour,
                });
            }
        }
        if table != Table::Findings {
            let counts = |hour: Hour, file: &LakeFile| match open_slot(&file.name) {
                _ if ledgers.contains(&(hour, None)) => is_part(&file.name),
                open => open.is_some() && ledgers.contains(&(hour, open.map(str::to_owned))),
            };
            files.retain(|file| file.hour.is_some_and(|hour| counts(hour, file)));
        }
        Ok(files)
    }

    fn list(&self, table: Table, days: Option<&[Day]>) -> Result<Vec<Listed>, LakeError> {
        let Some(days) = days else {
            return Ok(self.store.list(&format!("{}/", table.name()))?);
        };
        let mut files = Vec::new();
        for day in days {
            files.extend(self.store.list(&table.day_folder(*day))?);
        }
        Ok(files)
    }
}

/// What is committed by these files of `objects`: hours, and slots of hours that are not over.
fn ledgers(files: &[Listed]) -> BTreeSet<(Hour, Option<String>)> {
    let all = format!("{}/", Table::Objects.name());
    let ledger = |name: &str| {
        let name = name.strip_prefix(&all)?;
        let open = open_slot(name).map(str::to_owned);
        let hour = match open {
            Some(_) => Hour::from_folder(name.rsplit_once('/')?.0),
            None => ledger_hour(name),
        };
        Some((hour?, open))
    };
    files.iter().filter_map(|file| ledger(&file.name)).collect()
}

/// The slot that a file is of, as its name has it, if its hour is not over.
fn open_slot(name: &str) -> Option<&str> {
    let (_, file) = name.rsplit_once('/')?;
    Some(file.strip_prefix(OPEN)?.split_once('-')?.0)
}

/// The days from one hour to another, if they are few.
fn few_days(first: Option<Hour>, last: Option<Hour>) -> Option<Vec<Day>> {
    let (first, last) = (first?.day(), last?.day());
    let days: Vec<Day> = first.until(last).take(FEW_DAYS + 1).collect();
    (days.len() <= FEW_DAYS).then_some(days)
}
