//! Where a lake's files are: a local folder or an S3 prefix, behind one blocking interface.
//!
//! Names are relative to the root and separated by `/` on every system. A file appears whole or not at all.

mod local;
mod s3;

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use local::Local;
use s3::S3;

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name below the store's root.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}

/// What tells contents of one file in S3 from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {url}: {reason}{}", hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
pub struct StoreError {
    /// What was attempted: `read`, `write`, `list`, `delete`.
    pub action: &'static str,
    /// The file or folder.
    pub url: String,
    /// Why it failed.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A local folder or an S3 prefix. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Local(Local),
    S3(S3),
}

impl Store {
    /// The store at `url`: `s3://bucket/prefix`, else a local path. Nothing is made or asked yet, but for the AWS
    /// settings and credentials, which are the SDK's own.
    ///
    /// Every method blocks, and must therefore not be called on a thread of the runtime itself.
    ///
    /// # Errors
    /// When an S3 address has no bucket.
    pub fn open(url: &str, runtime: &tokio::runtime::Handle) -> Result<Store, StoreError> {
        let backend = match url.strip_prefix("s3://") {
            Some(place) => Backend::S3(S3::open(place, runtime)?),
            None => Backend::Local(Local::new(Path::new(url))),
        };
        Ok(Store { backend })
    }

    /// The store in a local folder, which is made when the first file is written.
    pub fn local(folder: &Path) -> Store {
        Store {
            backend: Backend::Local(Local::new(folder)),
        }
    }

    /// The store below a prefix of a bucket, through a client that is configured already.
    pub fn s3(
        client: aws_sdk_s3::Client,
        bucket: &str,
        prefix: &str,
        runtime: &tokio::runtime::Handle,
    ) -> Store {
        Store {
            backend: Backend::S3(S3::new(client, bucket, prefix, runtime)),
        }
    }

    /// Where it is, for people: the path or `s3://bucket/prefix`, without a slash at the end.
    pub fn url(&self) -> String {
        match &self.backend {
            Backend::Local(local) => local.url(),
            Backend::S3(s3) => s3.url(),
        }
    }

    /// The files below a folder (`edges/date=2026-02-25/`, or empty for all), however deep, sorted by name. A folder
    /// that does not exist has none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        assert!(
            folder.is_empty() || folder.ends_with('/'),
            "a folder's name ends with a slash"
        );
        let mut files = match &self.backend {
            Backend::Local(local) => local.list(folder)?,
            Backend::S3(s3) => s3.list(folder)?,
        };
        files.sort();
        Ok(files)
    }

    /// The content of a file; none if there is no such file.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        match &self.backend {
            Backend::Local(local) => local.get(name),
            Backend::S3(s3) => s3.get(name),
        }
    }

    /// The contents of files in the order of their names, several fetched at once; none for those that do not exist.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get_each(&self, names: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        match &self.backend {
            Backend::Local(local) => names.iter().map(|name| local.get(name)).collect(),
            Backend::S3(s3) => s3.get_each(names),
        }
    }

    /// The bytes of a file from `range.start` until `range.end`, fewer where it ends before; none if there is no such file.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        match &self.backend {
            Backend::Local(local) => local.get_range(name, range),
            Backend::S3(s3) => s3.get_range(name, range),
        }
    }

    /// A file's content as a local file, at its start: the file itself, or a nameless copy in `temp`. None if there is
    /// no such file.
    ///
    /// # Errors
    /// When the store or the local disk fails.
    pub fn fetch(&self, name: &str, temp: &Path) -> Result<Option<File>, StoreError> {
        match &self.backend {
            Backend::Local(local) => local.open(name),
            Backend::S3(s3) => s3.fetch(name, temp),
        }
    }

    /// Whether there is such a file.
    ///
    /// # Errors
    /// When the store fails.
    pub fn exists(&self, name: &str) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Local(local) => local.exists(name),
            Backend::S3(s3) => s3.exists(name),
        }
    }

    /// Puts a local file in place under `name`, replacing what was there; the file at `path` may be gone afterwards.
    ///
    /// # Errors
    /// When the store fails; `name` then holds what it held before.
    pub fn put_file(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Local(local) => local.put_file(path, name),
            Backend::S3(s3) => s3.put_file(path, name),
        }
    }

    /// Puts content in place under `name`, replacing what was there.
    ///
    /// # Errors
    /// When the store fails; `name` then holds what it held before.
    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Local(local) => local.put_bytes(name, bytes),
            Backend::S3(s3) => s3.put_bytes(name, bytes),
        }
    }

    /// Puts content in place under `name` unless there is such a file; says whether the file now holds this content
    /// (because it was put, or was there already).
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_bytes_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        let put = match &self.backend {
            Backend::Local(local) => local.put_bytes_if_absent(name, bytes)?,
            Backend::S3(s3) => s3.put_bytes_if_absent(name, bytes)?,
        };
        // A request that was repeated after a lost answer finds its own file there.
        Ok(put || self.get(name)?.as_deref() == Some(bytes))
    }

    /// Whether it is a local folder.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.backend, Backend::Local(_))
    }

    /// A local file that is locked against all other processes until it is dropped; none if another has locked it.
    ///
    /// # Errors
    /// When the file cannot be opened, or is in S3.
    pub(super) fn lock(&self, name: &str) -> Result<Option<File>, StoreError> {
        match &self.backend {
            Backend::Local(local) => local.lock(name),
            Backend::S3(s3) => Err(s3.cannot("lock", name)),
        }
    }

    /// The content of a file in S3, and what tells it from other contents; none if there is no such file.
    ///
    /// # Errors
    /// When the store fails, or is local.
    pub(super) fn get_tagged(&self, name: &str) -> Result<Option<(Bytes, Tag)>, StoreError> {
        match &self.backend {
            Backend::Local(local) => Err(local.cannot("read with its tag", name)),
            Backend::S3(s3) => s3.get_tagged(name),
        }
    }

    /// Puts content into S3 if what is there still has this tag, or, without one, if nothing is there; the new tag, or none
    /// if that is not so.
    ///
    /// # Errors
    /// When the store fails, knows no conditional writes, or is local.
    pub(super) fn put_tagged(
        &self,
        name: &str,
        bytes: &[u8],
        tag: Option<&Tag>,
    ) -> Result<Option<Tag>, StoreError> {
        match &self.backend {
            Backend::Local(local) => Err(local.cannot("write by its tag", name)),
            Backend::S3(s3) => s3.put_tagged(name, bytes, tag),
        }
    }

    /// Deletes a file; no error if there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Local(local) => local.delete(name),
            Backend::S3(s3) => s3.delete(name),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.url())
    }
}
