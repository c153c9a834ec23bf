//! Getting an object: as a whole, resumed where it broke, or by ranges. Half an object never counts.

use std::io::{self, Write};
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;

use super::{S3, Trouble, trouble};
use crate::flow::Ranges;
use crate::source::{Object, Unreadable};

/// Where a download goes.
#[derive(Debug)]
pub(in crate::source) enum Download {
    /// Into memory.
    Memory(BytesMut),
    /// Into a file, and how much of it is written.
    File(std::fs::File, u64),
}

impl Download {
    fn len(&self) -> u64 {
        match self {
            Download::Memory(bytes) => bytes.len() as u64,
            Download::File(_, written) => *written,
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        match self {
            Download::Memory(bytes) => bytes.clear(),
            Download::File(file, written) => {
                file.set_len(0)?;
                io::Seek::rewind(file)?;
                *written = 0;
            }
        }
        Ok(())
    }

    /// Files are written as the chunks come: into the page cache, which takes less time than a hop to another thread.
    fn push(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Download::Memory(bytes) => bytes.extend_from_slice(chunk),
            Download::File(file, written) => {
                file.write_all(chunk)?;
                *written += chunk.len() as u64;
            }
        }
        Ok(())
    }
}

/// Why a step of a download failed.
enum Setback {
    Service(Trouble),
    Disk(io::Error),
}

impl From<Trouble> for Setback {
    fn from(trouble: Trouble) -> Setback {
        Setback::Service(trouble)
    }
}

impl From<io::Error> for Setback {
    fn from(error: io::Error) -> Setback {
        Setback::Disk(error)
    }
}

impl S3 {
    /// Gets all of an object. What broke is resumed behind what is there, provided that the entity tag is still the same;
    /// otherwise `object` gets its new size and tag, and all starts again.
    pub(in crate::source) async fn download(
        &self,
        object: &mut Object,
        bucket: &str,
        key: &str,
        into: &mut Download,
    ) -> Result<(), Unreadable> {
        let retry = &self.inner.retry;
        let mut failures = 0;
        loop {
            let setback = match self.advance(object, bucket, key, into).await {
                Ok(()) => return Ok(()),
                Err(Setback::Disk(reason)) => return Err(Unreadable::Io { reason }),
                Err(Setback::Service(trouble)) => trouble,
            };
            failures += 1;
            let passes = matches!(setback, Trouble::Passing(_) | Trouble::Changed);
            if !passes || failures >= retry.tries {
                return Err(setback.reading(failures));
            }
            if setback == Trouble::Changed {
                object.etag = None;
                into.clear().map_err(|reason| Unreadable::Io { reason })?;
            }
            retry.pause(failures).await;
        }
    }

    /// One request, and its body for as long as it lasts.
    async fn advance(
        &self,
        object: &mut Object,
        bucket: &str,
        key: &str,
        into: &mut Download,
    ) -> Result<(), Setback> {
        if object.etag.is_none() {
            self.look_up(object, bucket, key).await?;
        }
        // Complete, yet it failed: then the checksum did not hold.
        if into.len() >= object.size {
            into.clear()?;
        }
        let start = into.len();
        let range = (start > 0).then(|| format!("bytes={start}-"));
        let mut answer = self.get(object, bucket, key, range).await?;
        let resumed = answer
            .content_range()
            .is_some_and(|range| range.starts_with(&format!("bytes {start}-")));
        if start > 0 && !resumed {
            // A server that knows no ranges sends everything again.
            into.clear()?;
        }
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| Trouble::Passing(trouble::in_full(&error)))?;
            into.push(&chunk)?;
        }
        if into.len() == object.size {
            return Ok(());
        }
        let got = into.len();
        if got > object.size {
            into.clear()?;
        }
        Err(Trouble::Passing(format!("expected {} bytes, got {got}", object.size)).into())
    }

    async fn get(
        &self,
        object: &Object,
        bucket: &str,
        key: &str,
        range: Option<String>,
    ) -> Result<GetObjectOutput, Trouble> {
        let request = self
            .inner
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_if_match(object.etag.as_deref().map(str::to_owned))
            .set_range(range);
        let answer = request.send().await.map_err(trouble::sort)?;
        let same = answer.e_tag().is_none() || answer.e_tag() == object.etag.as_deref();
        // Servers that do not know If-Match are found out here.
        if same {
            Ok(answer)
        } else {
            Err(Trouble::Changed)
        }
    }

    /// The object's size and entity tag as they are now.
    async fn look_up(&self, object: &mut Object, bucket: &str, key: &str) -> Result<(), Trouble> {
        let request = self.inner.client.head_object().bucket(bucket).key(key);
        let head = request.send().await.map_err(trouble::sort)?;
        object.size = u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0);
        object.etag = head.e_tag().map(Arc::from);
        Ok(())
    }
}

/// An object of S3 that is read by ranges, all of one entity tag.
#[derive(Debug)]
pub(in crate::source) struct S3Ranges {
    s3: S3,
    object: Object,
    bucket: Arc<str>,
    key: Arc<str>,
    runtime: Handle,
}

impl S3Ranges {
    /// Has to be called inside a tokio runtime; it is read from outside.
    pub fn new(s3: S3, object: Object, bucket: Arc<str>, key: Arc<str>) -> S3Ranges {
        S3Ranges {
            s3,
            object,
            bucket,
            key,
            runtime: Handle::current(),
        }
    }

    async fn get(&self, start: u64, length: usize) -> Result<Bytes, Unreadable> {
        let retry = &self.s3.inner.retry;
        let mut failures = 0;
        loop {
            let trouble = match self.get_once(start, length).await {
                Ok(bytes) => return Ok(bytes),
                Err(trouble) => trouble,
            };
            failures += 1;
            if !matches!(trouble, Trouble::Passing(_)) || failures >= retry.tries {
                return Err(trouble.reading(failures));
            }
            retry.pause(failures).await;
        }
    }

    async fn get_once(&self, start: u64, length: usize) -> Result<Bytes, Trouble> {
        let range = format!("bytes={start}-{}", start + length as u64 - 1);
        let answer = self
            .s3
            .get(&self.object, &self.bucket, &self.key, Some(range))
            .await?;
        let body = answer.body.collect().await;
        let bytes = body
            .map_err(|error| Trouble::Passing(trouble::in_full(&error)))?
            .into_bytes();
        if bytes.len() == length {
            return Ok(bytes);
        }
        Err(Trouble::Passing(format!(
            "expected {length} bytes, got {}",
            bytes.len()
        )))
    }
}

impl Ranges for S3Ranges {
    fn size(&self) -> u64 {
        self.object.size
    }

    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.object.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.runtime
            .block_on(self.get(start, length))
            .map_err(io::Error::other)
    }
}
