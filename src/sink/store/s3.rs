//! An S3 prefix as a store. Objects appear whole by S3's own rules; large ones go up in parts, several at a time.

use std::fs::File;
use std::future::Future;
use std::io::{Seek, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;

use self::explain::explain;
use self::upload::{Plan, read_part};
use super::{Listed, StoreError, Tag};

mod explain;
mod upload;

/// Attempts per request, the first included: throttling during a long run must not end it.
const ATTEMPTS: u32 = 8;
/// Requests in flight where several are wanted; more means more memory for parts and more throttling.
const IN_FLIGHT: usize = 4;
/// Attempts to read a body to its end; the SDK itself retries only until the body begins.
const BODY_ATTEMPTS: u32 = 5;
/// Attempts of a conditional write that collides with another; S3 asks to repeat it then.
const CONFLICT_ATTEMPTS: u32 = 5;

#[derive(Clone)]
pub(super) struct S3 {
    client: Client,
    bucket: Arc<str>,
    /// Empty, or ending with a slash.
    prefix: Arc<str>,
    runtime: Handle,
}

impl S3 {
    pub fn open(place: &str, runtime: &Handle) -> Result<S3, StoreError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            let hint = Some("write s3://bucket/prefix".to_owned());
            return Err(StoreError {
                action: "open",
                url: format!("s3://{place}"),
                reason: "expected a bucket".to_owned(),
                hint,
            });
        }
        let shared = runtime.block_on(aws_config::load_defaults(
            aws_config::BehaviorVersion::latest(),
        ));
        let own_endpoint =
            shared.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let config = aws_sdk_s3::config::Builder::from(&shared)
            // Servers at an address of their own rarely answer to a bucket's host name.
            .force_path_style(own_endpoint)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .build();
        Ok(S3::new(Client::from_conf(config), bucket, prefix, runtime))
    }

    pub fn new(client: Client, bucket: &str, prefix: &str, runtime: &Handle) -> S3 {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() {
            Arc::from("")
        } else {
            Arc::from(format!("{prefix}/"))
        };
        S3 {
            client,
            bucket: Arc::from(bucket),
            prefix,
            runtime: runtime.clone(),
        }
    }

    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&*self.bucket)
            .prefix(self.key(folder))
            .into_paginator()
            .send();
        self.runtime.block_on(async {
            let mut files = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.failed("list", folder, &error))?;
                for object in page.contents() {
                    let name = object.key().and_then(|key| key.strip_prefix(&*self.prefix));
                    // Some consoles make empty objects that stand for folders.
                    let Some(name) = name.filter(|name| !name.ends_with('/') && !name.is_empty())
                    else {
                        continue;
                    };
                    files.push(Listed {
                        name: name.to_owned(),
                        size: object
                            .size()
                            .and_then(|size| size.try_into().ok())
                            .unwrap_or(0),
                    });
                }
            }
            Ok(files)
        })
    }

    pub fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.runtime.block_on(self.read(name, None))
    }

    pub fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.runtime.block_on(self.read(name, Some(range)))
    }

    pub fn get_each(&self, names: &[String]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let reads = futures::stream::iter(names)
            .map(|name| self.read(name, None))
            .buffered(4 * IN_FLIGHT);
        self.runtime.block_on(reads.try_collect())
    }

    async fn read(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut attempt = 1;
        loop {
            let Some(body) = self.body(name, range.as_ref()).await? else {
                return Ok(None);
            };
            match body.collect().await {
                Ok(bytes) => return Ok(Some(bytes.into_bytes())),
                Err(_) if attempt < BODY_ATTEMPTS => attempt += 1,
                Err(error) => return Err(self.broken(name, &error)),
            }
        }
    }

    pub fn fetch(&self, name: &str, temp: &Path) -> Result<Option<File>, StoreError> {
        let local =
            |error: std::io::Error| self.broken(name, &format_args!("temporary file: {error}"));
        self.runtime.block_on(async {
            let mut attempt = 1;
            'attempt: loop {
                let Some(mut body) = self.body(name, None).await? else {
                    return Ok(None);
                };
                let mut file = tempfile::tempfile_in(temp).map_err(local)?;
                while let Some(chunk) = body.next().await {
                    match chunk {
                        Ok(chunk) => file.write_all(&chunk).map_err(local)?,
                        Err(_) if attempt < BODY_ATTEMPTS => {
                            attempt += 1;
                            continue 'attempt;
                        }
                        Err(error) => return Err(self.broken(name, &error)),
                    }
                }
                file.rewind().map_err(local)?;
                return Ok(Some(file));
            }
        })
    }

    async fn body(
        &self,
        name: &str,
        range: Option<&Range<u64>>,
    ) -> Result<Option<ByteStream>, StoreError> {
        // The last byte is part of it.
        let range =
            range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        match self
            .client
            .get_object()
            .bucket(&*self.bucket)
            .key(self.key(name))
            .set_range(range)
            .send()
            .await
        {
            Ok(output) => Ok(Some(output.body)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_key()) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    pub fn exists(&self, name: &str) -> Result<bool, StoreError> {
        self.runtime.block_on(self.head(name))
    }

    async fn head(&self, name: &str) -> Result<bool, StoreError> {
        match self
            .client
            .head_object()
            .bucket(&*self.bucket)
            .key(self.key(name))
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_not_found()) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    pub fn put_file(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        let local =
            |error: std::io::Error| self.broken(name, &format_args!("temporary file: {error}"));
        let size = std::fs::metadata(path).map_err(local)?.len();
        match Plan::of(size) {
            Plan::Whole => self.put_bytes(name, &std::fs::read(path).map_err(local)?),
            Plan::Parts { part_size } => self
                .runtime
                .block_on(self.put_parts(path, name, size, part_size)),
        }
    }

    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&*self.bucket)
            .key(self.key(name))
            .body(ByteStream::from(bytes.to_vec()));
        self.wait("write", name, put.send()).map(drop)
    }

    async fn put_parts(
        &self,
        path: &Path,
        name: &str,
        size: u64,
        part_size: u64,
    ) -> Result<(), StoreError> {
        let key = self.key(name);
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&*self.bucket)
            .key(&key)
            .send()
            .await;
        let begun = begun.map_err(|error| self.failed("write", name, &error))?;
        let id = begun
            .upload_id()
            .ok_or_else(|| self.broken(name, &"the upload got no id"))?;

        let parts = futures::stream::iter(0..size.div_ceil(part_size))
            .map(|index| {
                self.put_part(
                    path,
                    name,
                    id,
                    index,
                    part_size.min(size - index * part_size),
                    index * part_size,
                )
            })
            .buffered(IN_FLIGHT)
            .try_collect::<Vec<CompletedPart>>();
        let finished = match parts.await {
            Ok(parts) => {
                let parts = CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build();
                let complete = self
                    .client
                    .complete_multipart_upload()
                    .bucket(&*self.bucket)
                    .key(&key)
                    .upload_id(id);
                complete
                    .multipart_upload(parts)
                    .send()
                    .await
                    .map(drop)
                    .map_err(|error| self.failed("write", name, &error))
            }
            Err(error) => Err(error),
        };
        if finished.is_err() {
            // Parts that were sent cost money until the upload is given up; that this fails too changes nothing.
            let _ = self
                .client
                .abort_multipart_upload()
                .bucket(&*self.bucket)
                .key(&key)
                .upload_id(id)
                .send()
                .await;
        }
        finished
    }

    async fn put_part(
        &self,
        path: &Path,
        name: &str,
        id: &str,
        index: u64,
        size: u64,
        offset: u64,
    ) -> Result<CompletedPart, StoreError> {
        let number = i32::try_from(index + 1).expect("an upload has at most 10,000 parts");
        let bytes = read_part(path, offset, size)
            .map_err(|error| self.broken(name, &format_args!("temporary file: {error}")))?;
        let put = self
            .client
            .upload_part()
            .bucket(&*self.bucket)
            .key(self.key(name))
            .upload_id(id)
            .part_number(number);
        let sent = put
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| self.failed("write", name, &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .build())
    }

    pub fn get_tagged(&self, name: &str) -> Result<Option<(Bytes, Tag)>, StoreError> {
        let get = self.client.get_object().bucket(&*self.bucket);
        let got = self.runtime.block_on(get.key(self.key(name)).send());
        let got = match got {
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            got => got.map_err(|error| self.failed("read", name, &error))?,
        };
        let tag = Tag(got.e_tag.unwrap_or_default());
        let body = self.runtime.block_on(got.body.collect());
        let body = body.map_err(|error| self.broken(name, &error))?;
        Ok(Some((body.into_bytes(), tag)))
    }

    pub fn put_tagged(
        &self,
        name: &str,
        bytes: &[u8],
        tag: Option<&Tag>,
    ) -> Result<Option<Tag>, StoreError> {
        let put = self.client.put_object().bucket(&*self.bucket);
        let put = put.key(self.key(name));
        let put = match tag {
            Some(Tag(tag)) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        let sent = put.body(ByteStream::from(bytes.to_vec())).send();
        match self.runtime.block_on(sent) {
            Ok(sent) => Ok(Some(Tag(sent.e_tag.unwrap_or_default()))),
            Err(error) => match error.code() {
                // Another was faster, is at it, or took it away.
                Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey") => Ok(None),
                _ => Err(self.failed("write", name, &error)),
            },
        }
    }

    pub fn cannot(&self, action: &'static str, name: &str) -> StoreError {
        StoreError {
            action,
            url: self.address(name),
            reason: "S3 has nothing of the kind".to_owned(),
            hint: None,
        }
    }

    pub fn put_bytes_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        for attempt in 1.. {
            let put = self
                .client
                .put_object()
                .bucket(&*self.bucket)
                .key(self.key(name))
                .if_none_match("*");
            let error = match self
                .runtime
                .block_on(put.body(ByteStream::from(bytes.to_vec())).send())
            {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            match error.code() {
                Some("PreconditionFailed") => return Ok(false),
                Some("ConditionalRequestConflict") if attempt < CONFLICT_ATTEMPTS => continue,
                // A server that does not know conditional writes: ask, then write.
                Some("NotImplemented") if self.exists(name)? => return Ok(false),
                Some("NotImplemented") => return self.put_bytes(name, bytes).map(|()| true),
                _ => return Err(self.failed("write", name, &error)),
            }
        }
        unreachable!("the last attempt returns")
    }

    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.wait(
            "delete",
            name,
            self.client
                .delete_object()
                .bucket(&*self.bucket)
                .key(self.key(name))
                .send(),
        )
        .map(drop)
    }

    fn wait<T, E>(
        &self,
        action: &'static str,
        name: &str,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, StoreError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.runtime
            .block_on(request)
            .map_err(|error| self.failed(action, name, &error))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn broken(&self, name: &str, reason: &dyn std::fmt::Display) -> StoreError {
        StoreError {
            action: "read or write",
            url: self.address(name),
            reason: reason.to_string(),
            hint: None,
        }
    }

    fn address(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }

    fn failed<E>(&self, action: &'static str, name: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let (reason, hint) = explain(error.code(), error.message(), status, || {
            DisplayErrorContext(error).to_string()
        });
        StoreError {
            action,
            url: self.address(name),
            reason,
            hint: hint.map(str::to_owned),
        }
    }
}
