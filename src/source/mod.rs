//! Where bytes come from: files, folders, globs, standard input and S3. Lists, prunes by what keys say, fetches.

use std::sync::Arc;

mod key;

pub use key::KeyFacts;

/// An object that a run may read.
#[derive(Clone, Debug)]
pub struct Object {
    /// The path as given, or `s3://bucket/key`: the `source` column. Names an object uniquely within a run.
    pub url: Arc<str>,
    /// Size in bytes as stored.
    pub size: u64,
    /// The entity tag, for S3.
    pub etag: Option<Arc<str>>,
    /// What the key says; none for keys that are not AWS's.
    pub key: Option<KeyFacts>,
    /// How to get it.
    pub location: Location,
}

/// How to get an object's bytes.
#[derive(Clone, Debug)]
pub enum Location {
    /// A local file.
    File(std::path::PathBuf),
    /// An object in S3.
    S3 {
        /// The bucket.
        bucket: Arc<str>,
        /// The key.
        key: Arc<str>,
    },
}

/// Which objects are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Key times from here on, seconds, inclusive.
    pub since: Option<u32>,
    /// Key times before this, seconds, exclusive.
    pub until: Option<u32>,
    /// Only these accounts; empty is all.
    pub accounts: Vec<String>,
    /// Only these regions; empty is all.
    pub regions: Vec<String>,
}
