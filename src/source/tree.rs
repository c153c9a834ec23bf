//! Folders and files, local or in a bucket, as the listing sees them: text with slashes.
//!
//! A folder ends with a slash; the root of a bucket is empty. `given` is what the user named: nothing that does not begin
//! with it is listed, and folders above it are passed without a request.

use std::path::PathBuf;
use std::sync::Arc;

use super::key::{Logs, Names};
use super::s3::S3;
use super::{KeyFacts, Location, Object, SourceError, local};

/// Where folders are.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// The file system.
    Local,
    /// A bucket.
    S3(S3, Arc<str>),
}

/// A file or object that was found.
#[derive(Debug)]
pub(super) struct Entry {
    /// The path or key.
    pub path: String,
    /// The local file; its name need not be UTF-8, `path` then is its likeness.
    pub file: Option<PathBuf>,
    pub size: u64,
    pub etag: Option<Arc<str>>,
}

/// What lies directly in a folder, sorted.
#[derive(Debug, Default)]
pub(super) struct Children {
    /// Names, without slashes.
    pub folders: Vec<String>,
    pub files: Vec<Entry>,
}

impl Tree {
    /// What lies directly in `folder`, as far as it begins with `given`.
    pub async fn children(&self, folder: &str, given: &str) -> Result<Children, SourceError> {
        self.children_since(folder, given, None).await
    }

    /// The same; of those whose names have an earlier time than `since` (seconds) some may be missing.
    pub async fn children_since(
        &self,
        folder: &str,
        given: &str,
        since: Option<u32>,
    ) -> Result<Children, SourceError> {
        let below = given.strip_prefix(folder).unwrap_or_default();
        if let Some((name, _)) = below.split_once('/') {
            return Ok(Children {
                folders: vec![name.to_owned()],
                files: Vec::new(),
            });
        }
        match self {
            Tree::Local => local::children(folder),
            Tree::S3(s3, bucket) => {
                s3.children(bucket, folder, &format!("{folder}{below}"), since)
                    .await
            }
        }
    }

    /// Hands every file that begins with `prefix` to `found`, in order, but for what lies in an `AWSLogs` folder further
    /// down: those folders are returned.
    pub async fn walk(
        &self,
        prefix: &str,
        found: &mut (impl FnMut(Entry) + Send),
    ) -> Result<Vec<String>, SourceError> {
        match self {
            Tree::Local => local::walk(prefix, found),
            Tree::S3(s3, bucket) => s3.walk(bucket, prefix, found).await,
        }
    }

    /// How many files of another kind lie in `folder`. In a bucket the folder counts as one: to list what another service
    /// wrote would cost more than the run.
    pub async fn count(&self, folder: &str) -> Result<u64, SourceError> {
        let mut files = 0;
        match self {
            Tree::S3(..) => files = 1,
            Tree::Local => {
                local::walk(folder, &mut |_| files += 1)?;
            }
        }
        Ok(files)
    }

    /// The folder that `words` name (a path or an `s3://` url), as text of this tree; none when it is not below `given`.
    pub fn inside(&self, given: &str, words: &str) -> Option<String> {
        match self {
            Tree::Local => local::inside(given, words),
            Tree::S3(_, bucket) => {
                let key = words.strip_prefix("s3://")?.strip_prefix(&**bucket)?;
                let folder = format!("{}/", key.strip_prefix('/')?.trim_end_matches('/'));
                (folder.starts_with(given) && folder != given).then_some(folder)
            }
        }
    }

    /// The object of an entry.
    pub fn object(&self, entry: Entry, logs: Logs, names: &mut Names) -> Object {
        let key = KeyFacts::parse_of(logs, &entry.path, names);
        let (url, location) = match self {
            Tree::Local => {
                let file = entry.file.unwrap_or_else(|| PathBuf::from(&entry.path));
                (entry.path.into(), Location::File(file))
            }
            Tree::S3(_, bucket) => {
                let url = format!("s3://{bucket}/{}", entry.path).into();
                let location = Location::S3 {
                    bucket: bucket.clone(),
                    key: entry.path.into(),
                };
                (url, location)
            }
        };
        Object {
            url,
            size: entry.size,
            etag: entry.etag,
            key,
            location,
        }
    }
}
