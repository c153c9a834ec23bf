//! Where bytes come from: files, folders, globs, standard input and S3. Lists, prunes by what keys say, fetches.
//!
//! ```text
//! Source::parse ──▶ Listing::open ──▶ Listing::next (a day at a time) ──▶ Fetcher::fetch ──▶ Body
//!     words           AWSLogs trees        objects in time order           several at once    bytes or ranges
//! ```
//!
//! Local folders and buckets are listed by the same code ([`Listing`]); only the two kinds of tree below it differ. An
//! object is fetched wholly or not at all: a body that breaks is resumed against the same entity tag, or started afresh.

use std::sync::Arc;

use tempfile::TempPath;

mod aws;
mod error;
mod fetch;
mod key;
mod listing;
mod local;
mod notice;
mod queue;
mod s3;
mod spec;
mod spool;
mod tree;

pub use error::SourceError;
pub use fetch::{Body, FetchError, FetchOptions, Fetcher, LocalFile, ReadBuffer, Unreadable};
pub use key::{KeyFacts, Logs};
pub use listing::{Batch, Counts, Listing, WHAT_IS_TAKEN};
pub use notice::{Noticed, noticed};
pub use queue::{Kept, Message, Queue};
pub use s3::{Retry, S3};
pub use spec::Source;

/// An object that a run may read.
#[derive(Clone, Debug)]
pub struct Object {
    /// The path as given, or `s3://bucket/key`: the `source` column. Names an object uniquely within a run.
    pub url: Arc<str>,
    /// Size in bytes as stored.
    pub size: u64,
    /// The entity tag, for S3; with its quotes, as S3 gives it.
    pub etag: Option<Arc<str>>,
    /// What the key says; none for keys that are not AWS's.
    pub key: Option<KeyFacts>,
    /// How to get it.
    pub location: Location,
}

impl Object {
    /// An object that a notification named; none if it is no flow log, by the rules of listings, or its key has no time.
    pub fn noticed(noticed: &Noticed) -> Option<Object> {
        let Noticed { bucket, key, .. } = noticed;
        let is_flow_log = match key::end_of_aws_logs(key) {
            Some(end) => aws::is_flow_log(&key[end..]),
            None => key::is_taken(key),
        };
        let facts = KeyFacts::parse(key).filter(|_| is_flow_log)?;
        let time = aws::day_in(key).map_or(facts.time, |day| aws::time_in_folder(facts.time, day));
        let url = format!("s3://{bucket}/{key}");
        Object::known(&url, noticed.size, &noticed.etag, time)
    }

    /// An object that was listed before: its URL, size in bytes, entity tag if it has one, and the key time (seconds) that
    /// it was listed with. None where the URL has no key time.
    pub fn known(url: &str, size: u64, etag: &str, time: u32) -> Option<Object> {
        let mut key = KeyFacts::parse(url)?;
        key.time = time;
        let location = match url
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
        {
            Some((bucket, key)) => Location::S3 {
                bucket: bucket.into(),
                key: key.into(),
            },
            None => Location::File(url.into()),
        };
        Some(Object {
            url: url.into(),
            size,
            etag: (!etag.is_empty()).then(|| etag.into()),
            key: Some(key),
            location,
        })
    }
}

/// How to get an object's bytes.
#[derive(Clone, Debug)]
pub enum Location {
    /// A local file.
    File(std::path::PathBuf),
    /// What standard input held, in a file that goes when the last clone of this goes.
    Spooled(Arc<TempPath>),
    /// An object in S3.
    S3 {
        /// The bucket.
        bucket: Arc<str>,
        /// The key.
        key: Arc<str>,
    },
}

/// Which objects are wanted. Objects whose keys say nothing are always wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Which logs.
    pub logs: Logs,
    /// Key times from here on, seconds, inclusive.
    pub since: Option<u32>,
    /// Key times before this, seconds, exclusive.
    pub until: Option<u32>,
    /// Only these accounts; empty is all.
    pub accounts: Vec<String>,
    /// Only these regions; empty is all.
    pub regions: Vec<String>,
    /// Nothing below this folder (or `s3://` prefix) is taken unless it is named itself: the lake that a run writes is no
    /// source of it.
    pub except: Option<String>,
}

impl Selection {
    /// Whether an object with these facts in its key is wanted.
    pub fn wants(&self, facts: &KeyFacts) -> bool {
        self.since.is_none_or(|since| since <= facts.time)
            && self.until.is_none_or(|until| facts.time < until)
            && self.wants_account(&facts.account)
            && self.wants_region(&facts.region)
    }

    fn wants_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    fn wants_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|wanted| wanted == region)
    }

    /// Whether a folder of keys from `start` until `end` (seconds) may hold a wanted one. A folder's date and its keys'
    /// times may differ by [`FOLDER_SLACK`].
    fn wants_span(&self, start: i64, end: i64) -> bool {
        self.since
            .is_none_or(|since| i64::from(since) < end + FOLDER_SLACK)
            && self
                .until
                .is_none_or(|until| start - FOLDER_SLACK < i64::from(until))
    }

    /// Whether every key of a folder from `start` until `end` (seconds) is wanted, as far as time goes.
    fn wants_all_of(&self, start: i64, end: i64) -> bool {
        self.since.is_none_or(|since| i64::from(since) <= start)
            && self.until.is_none_or(|until| end <= i64::from(until))
    }
}

/// How far a key's time may lie outside the day or hour that its folder names, seconds: one publishing interval, so that
/// an object published on the stroke of midnight is found in either folder. Larger lists neighbours for nothing.
const FOLDER_SLACK: i64 = 300;
