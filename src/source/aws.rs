//! The folders below `AWSLogs`: accounts, services, regions, days, hours. Each level is discovered by listing folders
//! only, and what the selection does not want is not descended into.
//!
//! ```text
//! AWSLogs/[o-…/]<account>/vpcflowlogs/<region>/2026/02/25/[06/]
//! AWSLogs/aws-account-id=<account>/aws-service=vpcflowlogs/aws-region=<region>/year=2026/month=02/day=25/[hour=06/]
//! ```

use futures::future::try_join_all;
use jiff::civil::{Date, date};

use super::key::{self, is_flow_log_folder, is_taken, number, seconds_at};
use super::tree::{Entry, Tree};
use super::{Selection, SourceError};

/// An `AWSLogs` folder.
#[derive(Debug)]
pub(super) struct AwsLogs {
    pub tree: Tree,
    /// The folder.
    pub root: String,
    /// What of it the user named: nothing else is read.
    pub given: String,
}

/// The days of one year, of one account and region.
#[derive(Debug)]
pub(super) struct Partition {
    /// The region's folder.
    prefix: String,
    hive: bool,
    /// Days with objects that the selection leaves, sorted.
    pub days: Vec<Date>,
}

/// What there is below an `AWSLogs` folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub partitions: Vec<Partition>,
    /// Files that lie in no day's folder, but below `vpcflowlogs`.
    pub files: Vec<Entry>,
    /// Files that are no flow logs.
    pub ignored: u64,
    /// Whether there is anything that the selection does not want.
    pub pruned: bool,
}

impl Found {
    fn take(&mut self, entry: Entry, root: &str) {
        if is_taken(entry.path.strip_prefix(root).unwrap_or(&entry.path)) {
            self.files.push(entry);
        } else {
            self.ignored += 1;
        }
    }

    fn merge(parts: Vec<Found>) -> Found {
        let mut all = Found::default();
        for part in parts {
            all.partitions.extend(part.partitions);
            all.files.extend(part.files);
            all.ignored += part.ignored;
            all.pruned |= part.pruned;
        }
        all
    }
}

impl AwsLogs {
    /// Looks for accounts, regions and days.
    pub async fn discover(&self, selection: &Selection) -> Result<Found, SourceError> {
        let mut ignored = 0;
        let mut accounts = Vec::new();
        for folder in self.accounts(&self.root, &mut ignored).await? {
            let name = last_name(&folder);
            // An organisation's id stands between `AWSLogs` and its accounts.
            if name.starts_with("o-") {
                accounts.extend(self.accounts(&folder, &mut ignored).await?);
            } else {
                accounts.push(folder);
            }
        }
        let all = accounts.len();
        accounts.retain(|folder| selection.wants_account(bare(last_name(folder))));
        let parts = accounts
            .iter()
            .map(|folder| self.account(folder, selection));
        let mut found = Found::merge(try_join_all(parts).await?);
        found.ignored += ignored;
        found.pruned |= accounts.len() < all;
        Ok(found)
    }

    async fn accounts(&self, folder: &str, ignored: &mut u64) -> Result<Vec<String>, SourceError> {
        let children = self.tree.children(folder, &self.given).await?;
        *ignored += children.files.len() as u64;
        Ok(children
            .folders
            .iter()
            .map(|name| format!("{folder}{name}/"))
            .collect())
    }

    async fn account(&self, folder: &str, selection: &Selection) -> Result<Found, SourceError> {
        let services = self.tree.children(folder, &self.given).await?;
        let mut found = Found {
            ignored: services.files.len() as u64,
            ..Found::default()
        };
        let mut regions = Vec::new();
        for name in services.folders {
            let service = format!("{folder}{name}/");
            if !selection.logs.is_folder(&name) {
                found.ignored += self.tree.count(&service).await?;
                continue;
            }
            let children = self.tree.children(&service, &self.given).await?;
            for file in children.files {
                found.take(file, &self.root);
            }
            for name in children.folders {
                if selection.wants_region(bare(&name)) {
                    regions.push(format!("{service}{name}/"));
                } else {
                    found.pruned = true;
                }
            }
        }
        let parts = regions.iter().map(|folder| self.region(folder, selection));
        let mut parts = try_join_all(parts).await?;
        parts.push(found);
        Ok(Found::merge(parts))
    }

    async fn region(&self, folder: &str, selection: &Selection) -> Result<Found, SourceError> {
        let mut found = Found::default();
        let children = self.tree.children(folder, &self.given).await?;
        for file in children.files {
            found.take(file, &self.root);
        }
        let mut years = Vec::new();
        for name in children.folders {
            let year = dated_somehow(&name, "year=", 4);
            match year.and_then(|year: i16| Date::new(year, 1, 1).ok()) {
                None => self.stray(&format!("{folder}{name}/"), &mut found).await?,
                Some(first) if wanted(first, first.last_of_year(), selection) => {
                    years.push(self.year(folder, name, first, selection));
                }
                Some(_) => found.pruned = true,
            }
        }
        let mut parts = try_join_all(years).await?;
        parts.push(found);
        Ok(Found::merge(parts))
    }

    async fn year(
        &self,
        region: &str,
        name: String,
        first: Date,
        selection: &Selection,
    ) -> Result<Found, SourceError> {
        let mut found = Found::default();
        let hive = name.contains('=');
        let folder = format!("{region}{name}/");
        let children = self.tree.children(&folder, &self.given).await?;
        for file in children.files {
            found.take(file, &self.root);
        }
        let mut days = Vec::new();
        for name in children.folders {
            let month = dated(&name, if hive { "month=" } else { "" }, 2);
            match month.and_then(|month| Date::new(first.year(), month, 1).ok()) {
                None => self.stray(&format!("{folder}{name}/"), &mut found).await?,
                Some(first) if wanted(first, first.last_of_month(), selection) => {
                    let folder = format!("{folder}{name}/");
                    days.extend(
                        self.month(&folder, hive, first, selection, &mut found)
                            .await?,
                    );
                }
                Some(_) => found.pruned = true,
            }
        }
        if !days.is_empty() {
            found.partitions.push(Partition {
                prefix: region.to_owned(),
                hive,
                days,
            });
        }
        Ok(found)
    }

    async fn month(
        &self,
        folder: &str,
        hive: bool,
        first: Date,
        selection: &Selection,
        found: &mut Found,
    ) -> Result<Vec<Date>, SourceError> {
        let children = self.tree.children(folder, &self.given).await?;
        for file in children.files {
            found.take(file, &self.root);
        }
        let mut days = Vec::new();
        for name in children.folders {
            let day = dated(&name, if hive { "day=" } else { "" }, 2);
            match day.and_then(|day| Date::new(first.year(), first.month(), day).ok()) {
                None => self.stray(&format!("{folder}{name}/"), found).await?,
                Some(day) if wanted(day, day, selection) => days.push(day),
                Some(_) => found.pruned = true,
            }
        }
        Ok(days)
    }

    /// A folder below `vpcflowlogs` that is none of AWS's.
    async fn stray(&self, folder: &str, found: &mut Found) -> Result<(), SourceError> {
        let prefix = self.start_in(folder).to_owned();
        let nested = self
            .tree
            .walk(&prefix, &mut |entry| found.take(entry, &self.root))
            .await?;
        // AWS reserves the name, so what lies below a second such folder is nothing of AWS's.
        found.ignored += nested.len() as u64;
        Ok(())
    }

    /// The files of a partition's day; of those hours only that the selection leaves, where the layout has hours.
    pub async fn day(
        &self,
        partition: &Partition,
        day: Date,
        selection: &Selection,
    ) -> Result<Found, SourceError> {
        let folder = partition.day_folder(day);
        let mut found = Found::default();
        let (start, end) = span(day, day);
        if selection.wants_all_of(start, end) {
            self.stray(&folder, &mut found).await?;
            return Ok(found);
        }
        let tree = &self.tree;
        let children = tree
            .children_since(&folder, &self.given, selection.since)
            .await?;
        for file in children.files {
            found.take(file, &self.root);
        }
        for name in children.folders {
            let hour: Option<i64> = dated_somehow(&name, "hour=", 2);
            let wanted = match hour {
                Some(hour) => selection.wants_span(start + hour * 3600, start + (hour + 1) * 3600),
                None => true,
            };
            if wanted {
                self.stray(&format!("{folder}{name}/"), &mut found).await?;
            }
        }
        Ok(found)
    }

    /// Where to begin listing a folder: further down when the user named only a part of it.
    fn start_in<'a>(&'a self, folder: &'a str) -> &'a str {
        if self.given.starts_with(folder) {
            &self.given
        } else {
            folder
        }
    }
}

impl Partition {
    fn day_folder(&self, date: Date) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        if self.hive {
            format!(
                "{}year={year:04}/month={month:02}/day={day:02}/",
                self.prefix
            )
        } else {
            format!("{}{year:04}/{month:02}/{day:02}/", self.prefix)
        }
    }
}

/// The key time of an object in a day's folder. A name that its folder contradicts counts for the folder's midnight: days
/// are listed by folder, and one that is handed out is complete.
pub(super) fn time_in_folder(time: u32, day: Date) -> u32 {
    let (start, end) = span(day, day);
    if (start..end + super::FOLDER_SLACK).contains(&i64::from(time)) {
        return time;
    }
    // A year of four digits may lie beyond 2106, where 32 bits end.
    start.try_into().unwrap_or(u32::MAX)
}

/// Whether a key, from below its `AWSLogs` folder on, is that of a flow log.
pub(super) fn is_flow_log(below: &str) -> bool {
    let mut folders = below.split('/').take(3);
    folders.any(is_flow_log_folder) && is_taken(below)
}

/// The day of the folder that an object's key lies in; none if it lies in none.
pub(super) fn day_in(key: &str) -> Option<Date> {
    let parts: Vec<&str> = key.split('/').collect();
    parts.windows(3).find_map(|parts| {
        let year = dated_somehow(parts[0], "year=", 4)?;
        let month = dated_somehow(parts[1], "month=", 2)?;
        Date::new(year, month, dated_somehow(parts[2], "day=", 2)?).ok()
    })
}

/// From midnight of the first day until midnight after the last, seconds.
fn span(first: Date, last: Date) -> (i64, i64) {
    (seconds_at(first), seconds_at(last) + 86_400)
}

fn wanted(first: Date, last: Date, selection: &Selection) -> bool {
    let (start, end) = span(first, last);
    // AWS has no flow logs from before 2015; folders of the year 0 are somebody's joke.
    first >= date(1970, 1, 1) && selection.wants_span(start, end)
}

/// The number behind a hive key (or none), of exactly this many digits.
fn dated<T: std::str::FromStr>(name: &str, hive: &str, digits: usize) -> Option<T> {
    let text = name.strip_prefix(hive)?;
    if text.len() == digits {
        number(text)
    } else {
        None
    }
}

/// The number with or without a hive key.
fn dated_somehow<T: std::str::FromStr>(name: &str, hive: &str, digits: usize) -> Option<T> {
    dated(name, "", digits).or_else(|| dated(name, hive, digits))
}

/// `aws-region=eu-west-1` without its hive key.
fn bare(name: &str) -> &str {
    name.split_once('=').map_or(name, |(_, value)| value)
}

fn last_name(folder: &str) -> &str {
    folder
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

/// The `AWSLogs` folder that a prefix lies in, if it does.
pub(super) fn root_above(prefix: &str) -> Option<&str> {
    key::end_of_aws_logs(prefix).map(|end| &prefix[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_folders_have_their_width() {
        let check =
            |name, hive, expected| assert_eq!(dated::<u8>(name, hive, 2), expected, "{name}");
        check("02", "", Some(2));
        check("month=02", "month=", Some(2));
        check("02", "month=", None);
        check("month=02", "", None);
        check("2", "", None);
        check("month=2", "month=", None);
        check("002", "", None);
        check("+2", "", None);
    }

    #[test]
    fn a_key_lies_in_the_folder_of_a_day() {
        let check = |key: &str, expected: Option<Date>| assert_eq!(day_in(key), expected, "{key}");
        let day = Some(date(2026, 2, 5));
        check("AWSLogs/1/vpcflowlogs/eu-west-1/2026/02/05/x.log.gz", day);
        check(
            "AWSLogs/1/vpcflowlogs/eu-west-1/2026/02/05/06/x.log.gz",
            day,
        );
        check("a/aws-region=x/year=2026/month=02/day=05/hour=06/x.gz", day);
        check("x.log.gz", None);
        check("2026/02/x.log.gz", None);
        check("2026/02/31/x.log.gz", None);
    }

    #[test]
    fn flow_logs_are_told_from_what_lies_beside_them() {
        let check = |below: &str, expected| assert_eq!(is_flow_log(below), expected, "{below}");
        check("1/vpcflowlogs/eu-west-1/2026/02/05/x.log.gz", true);
        check("o-1/1/vpcflowlogs/eu-west-1/2026/02/05/x.log.gz", true);
        check("aws-account-id=1/aws-service=vpcflowlogs/x/y.parquet", true);
        check("1/CloudTrail/eu-west-1/2026/02/05/x.json.gz", false);
        check("1/vpcflowlogs/eu-west-1/2026/02/05/x.txt.sha", false);
    }

    #[test]
    fn day_folders_are_spelt_as_aws_spells_them() {
        let check = |hive, expected: &str| {
            let partition = Partition {
                prefix: "p/".to_owned(),
                hive,
                days: Vec::new(),
            };
            assert_eq!(partition.day_folder(date(2026, 2, 5)), expected);
        };
        check(false, "p/2026/02/05/");
        check(true, "p/year=2026/month=02/day=05/");
    }
}
