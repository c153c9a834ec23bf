//! Fetching an object: into memory when it is small, as ranges when it is large or when only columns of it are wanted.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::key::is_parquet;
use super::s3::{Download, S3, S3Ranges};
use super::{Location, Object};
use crate::flow::{Input, Ranges};

/// Why an object could not be fetched, with its name.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct FetchError {
    /// The object.
    pub url: Arc<str>,
    /// Why, without the name.
    pub reason: Unreadable,
}

/// Why an object could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// 403.
    #[error("access denied, reading needs s3:GetObject on it: {reason}")]
    Denied {
        /// What S3 says.
        reason: String,
    },
    /// Its encryption key cannot be used.
    #[error("encrypted with a key that cannot be used, reading needs kms:Decrypt on it: {reason}")]
    Key {
        /// What S3 says.
        reason: String,
    },
    /// In Glacier, or an archive tier.
    #[error("archived, it has to be restored first")]
    Archived,
    /// It was there when it was listed.
    #[error("deleted since it was listed")]
    Gone,
    /// It was replaced again and again.
    #[error("replaced while it was read, {tries} times")]
    Changing {
        /// How often it was tried.
        tries: u32,
    },
    /// The service did not answer, or with passing errors only, or bodies broke.
    #[error("gave up after {tries} tries: {reason}")]
    Unreachable {
        /// How often it was tried.
        tries: u32,
        /// The last error.
        reason: String,
    },
    /// The service refused for another reason.
    #[error("refused: {reason}")]
    Refused {
        /// What S3 says.
        reason: String,
    },
    /// The file system refused.
    #[error("{reason}")]
    Io {
        /// Its reason.
        reason: io::Error,
    },
}

impl Unreadable {
    /// Whether it may be fetched at another time: the service is back, a permission is given.
    pub fn may_pass(&self) -> bool {
        match self {
            Unreadable::Archived | Unreadable::Gone => false,
            Unreadable::Io { reason } => reason.kind() != io::ErrorKind::NotFound,
            Unreadable::Denied { .. }
            | Unreadable::Key { .. }
            | Unreadable::Changing { .. }
            | Unreadable::Unreachable { .. }
            | Unreadable::Refused { .. } => true,
        }
    }
}

/// An object's bytes, or a way to them.
pub enum Body {
    /// All of them.
    Bytes(Bytes),
    /// A local file that is read whole when its turn comes.
    File(LocalFile),
    /// A file or ranged requests. To be read outside of the async runtime.
    Ranges(Box<dyn Ranges>),
}

/// Memory that files are read into, used again from file to file.
#[derive(Default)]
pub struct ReadBuffer(Bytes);

impl Body {
    /// As decoding wants it; a file is read now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn input<'a>(&'a self, buffer: &'a mut ReadBuffer) -> io::Result<Input<'a>> {
        match self {
            Body::Bytes(bytes) => Ok(Input::Bytes(bytes)),
            Body::Ranges(ranges) => Ok(Input::Ranges(&**ranges)),
            Body::File(file) => {
                let mut memory = Vec::from(std::mem::take(&mut buffer.0));
                memory.clear();
                memory.reserve_exact(file.size as usize + 1);
                (&file.file).read_to_end(&mut memory)?;
                buffer.0 = memory.into();
                Ok(Input::Bytes(&buffer.0))
            }
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Bytes(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Body::File(file) => write!(formatter, "a file of {} bytes", file.size),
            Body::Ranges(ranges) => write!(formatter, "ranges of {} bytes", ranges.size()),
        }
    }
}

/// What is held in memory and what is not.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Objects up to this size as stored are held in memory; larger ones are read in place, or from a temporary file. AWS
    /// writes at most 75 MB. Larger lets few objects fill the memory; smaller makes disk traffic.
    pub whole_limit: u64,
    /// Parquet objects from this size on are read by ranges. Smaller makes more requests than the bytes are worth.
    pub ranged_parquet: u64,
    /// The folder for temporary files; none is the system's.
    pub temporary: Option<PathBuf>,
}

impl Default for FetchOptions {
    fn default() -> FetchOptions {
        FetchOptions {
            whole_limit: 96 << 20,
            ranged_parquet: 16 << 20,
            temporary: None,
        }
    }
}

/// Local files that are read at the same time. More would only arrive out of order.
const LOCAL_READS: usize = 4;

/// Fetches objects. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Fetcher {
    s3: Option<S3>,
    options: FetchOptions,
    local_reads: Arc<Semaphore>,
}

impl Fetcher {
    /// A fetcher of local objects, and of those in S3 if there is a connection.
    pub fn new(s3: Option<S3>, options: FetchOptions) -> Fetcher {
        let local_reads = Arc::new(Semaphore::new(LOCAL_READS));
        Fetcher {
            s3,
            options,
            local_reads,
        }
    }

    /// Fetches an object. One that was replaced since it was listed is read as it is now, and gets its new size and
    /// entity tag.
    ///
    /// # Errors
    /// When it cannot be had after all tries, or not wholly.
    pub async fn fetch(&self, object: &mut Object) -> Result<Body, FetchError> {
        let fetched = match object.location.clone() {
            Location::File(path) => self.local(object.size, path).await,
            Location::Spooled(path) => self.local(object.size, path.to_path_buf()).await,
            Location::S3 { bucket, key } => self.remote(object, bucket, key).await,
        };
        fetched.map_err(|reason| FetchError {
            url: object.url.clone(),
            reason,
        })
    }

    /// Whether the object is not held in memory.
    fn in_place(&self, size: u64, name: &str) -> bool {
        size > self.options.whole_limit || (is_parquet(name) && size >= self.options.ranged_parquet)
    }

    async fn local(&self, size: u64, path: PathBuf) -> Result<Body, Unreadable> {
        let in_place = self.in_place(size, &path.to_string_lossy());
        let read = move || -> io::Result<Body> {
            let file = LocalFile::open(&path)?;
            if in_place {
                return Ok(Body::Ranges(Box::new(file)));
            }
            file.announce();
            Ok(Body::File(file))
        };
        let turn = self.local_reads.acquire().await;
        let body = tokio::task::spawn_blocking(read)
            .await
            .expect("reading a file does not panic");
        drop(turn);
        body.map_err(|reason| Unreadable::Io { reason })
    }

    async fn remote(
        &self,
        object: &mut Object,
        bucket: Arc<str>,
        key: Arc<str>,
    ) -> Result<Body, Unreadable> {
        let Some(s3) = &self.s3 else {
            return Err(Unreadable::Refused {
                reason: "there is no connection to S3".to_owned(),
            });
        };
        if !self.in_place(object.size, &key) {
            let mut into = Download::Memory(BytesMut::with_capacity(object.size as usize));
            s3.download(object, &bucket, &key, &mut into).await?;
            return Ok(into.into_body());
        }
        if is_parquet(&key) && object.etag.is_some() {
            let ranges = S3Ranges::new(s3.clone(), object.clone(), bucket, key);
            return Ok(Body::Ranges(Box::new(ranges)));
        }
        let file = match &self.options.temporary {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let mut into = Download::File(file.map_err(|reason| Unreadable::Io { reason })?, 0);
        s3.download(object, &bucket, &key, &mut into).await?;
        Ok(into.into_body())
    }
}

impl Download {
    fn into_body(self) -> Body {
        match self {
            Download::Memory(bytes) => Body::Bytes(bytes.freeze()),
            Download::File(file, size) => Body::Ranges(Box::new(LocalFile { file, size })),
        }
    }
}

/// A local file.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    size: u64,
}

impl LocalFile {
    fn open(path: &Path) -> io::Result<LocalFile> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(LocalFile { file, size })
    }

    /// Has the system begin to read it, so that nobody waits for the disk when its turn comes.
    fn announce(&self) {
        #[cfg(target_os = "linux")]
        {
            let all = std::num::NonZeroU64::new(self.size);
            // A hint: where it is not taken, reading only takes longer.
            let _ = rustix::fs::fadvise(&self.file, 0, all, rustix::fs::Advice::WillNeed);
        }
    }
}

impl Ranges for LocalFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut buffer, start)?;
        Ok(buffer.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &Path, size: u64) -> Object {
        Object {
            url: path.to_string_lossy().into(),
            size,
            etag: None,
            key: None,
            location: Location::File(path.to_owned()),
        }
    }

    fn fetch(name: &str, options: FetchOptions) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, "0123456789").expect("a file");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let fetcher = Fetcher::new(None, options);
        let body = runtime
            .block_on(fetcher.fetch(&mut object(&path, 10)))
            .expect("the file is there");
        let mut buffer = ReadBuffer(Bytes::from_static(b"what was read before"));
        match body.input(&mut buffer).expect("the file can be read") {
            Input::Bytes(bytes) => format!("whole {}", String::from_utf8_lossy(bytes)),
            Input::Ranges(ranges) => {
                let part = ranges.read(3, 4).expect("within the file");
                assert!(ranges.read(3, 8).is_err());
                assert!(ranges.read(u64::MAX, 1).is_err());
                format!("ranges {}", String::from_utf8_lossy(&part))
            }
        }
    }

    #[test]
    fn large_objects_are_read_in_place() {
        let limits = |whole_limit, ranged_parquet| FetchOptions {
            whole_limit,
            ranged_parquet,
            temporary: None,
        };
        assert_eq!(fetch("a.log", limits(10, 10)), "whole 0123456789");
        assert_eq!(fetch("a.log", limits(9, 10)), "ranges 3456");
        assert_eq!(fetch("a.parquet", limits(10, 11)), "whole 0123456789");
        assert_eq!(fetch("a.Parquet", limits(10, 10)), "ranges 3456");
    }

    #[test]
    fn a_missing_file_is_named() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let fetcher = Fetcher::new(None, FetchOptions::default());
        let mut object = object(Path::new("nothing/here.log"), 1);
        let error = runtime
            .block_on(fetcher.fetch(&mut object))
            .expect_err("no such file");
        assert_eq!(
            error.to_string(),
            "nothing/here.log: No such file or directory (os error 2)"
        );
    }
}
