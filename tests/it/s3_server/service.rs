//! The operations, as far as readers and writers of logs need them.

use std::collections::BTreeMap;
use std::io;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, future, stream};
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::{Fault, Op, Request, Shared, State, Stored, Upload, lock};

/// Buckets in memory.
pub(super) struct Memory {
    pub state: Shared,
}

/// The smallest part of a multipart upload but the last one, bytes (AWS, *Amazon S3 multipart upload limits*).
const SMALLEST_PART: usize = 5 << 20;

type Answer<T> = S3Result<S3Response<T>>;

impl Memory {
    /// Notes a request, and lets it fail if it was told to; faults that change the answer are handed back.
    fn begin(
        &self,
        op: Op,
        bucket: &str,
        key: &str,
        details: Vec<Option<String>>,
    ) -> S3Result<Option<Fault>> {
        let mut state = lock(&self.state);
        state.log.push(Request {
            op,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            details: details.into_iter().flatten().collect(),
        });
        let faults = state.faults.get_mut(&(op, key.to_owned()));
        let fault = faults.and_then(|faults| faults.pop_front());
        match fault {
            Some(Fault::Error {
                status,
                code,
                message,
                region,
            }) => Err(error(status, code, message, region)),
            Some(Fault::Replace(text)) => {
                state.replace(bucket, key, text);
                Ok(None)
            }
            Some(Fault::Vanish) => {
                state
                    .buckets
                    .entry(bucket.to_owned())
                    .or_default()
                    .remove(key);
                Ok(None)
            }
            other => Ok(other),
        }
    }
}

impl State {
    fn bucket(&mut self, name: &str) -> S3Result<&mut BTreeMap<String, Stored>> {
        match self.buckets.get_mut(name) {
            Some(bucket) => Ok(bucket),
            None => Err(s3_error!(
                NoSuchBucket,
                "The specified bucket does not exist"
            )),
        }
    }

    fn object(&mut self, bucket: &str, key: &str) -> S3Result<Stored> {
        match self.bucket(bucket)?.get(key) {
            Some(stored) => Ok(stored.clone()),
            None => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
        }
    }

    fn replace(&mut self, bucket: &str, key: &str, text: &'static str) {
        let bucket = self.buckets.entry(bucket.to_owned()).or_default();
        bucket.insert(
            key.to_owned(),
            Stored::new(Bytes::from_static(text.as_bytes())),
        );
    }

    /// Stores an object if its conditions hold.
    fn store(
        &mut self,
        bucket: &str,
        key: &str,
        stored: Stored,
        if_match: Option<&IfMatch>,
        if_none_match: Option<&IfNoneMatch>,
    ) -> S3Result<ETag> {
        let bucket = self.bucket(bucket)?;
        let existing = bucket.get(key);
        if if_match.is_some() && existing.is_none() {
            return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
        }
        let matches =
            |condition: &ETagCondition| existing.is_some_and(|existing| holds(condition, existing));
        if if_match.is_some_and(|condition| !matches(condition))
            || if_none_match.is_some_and(matches)
        {
            return Err(failed_condition());
        }
        let etag = ETag::Strong(stored.etag.clone());
        bucket.insert(key.to_owned(), stored);
        Ok(etag)
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let details = vec![
            detail("delimiter", &input.delimiter),
            detail("start-after", &input.start_after),
            detail("max-keys", &input.max_keys),
            input
                .continuation_token
                .as_ref()
                .map(|_| "next-page".to_owned()),
        ];
        self.begin(Op::List, &input.bucket, &prefix, details)?;
        let mut state = lock(&self.state);
        let page = state.page.unwrap_or(1000);
        let page = page.min(
            input
                .max_keys
                .and_then(|keys| usize::try_from(keys).ok())
                .unwrap_or(page),
        );
        // The token is the last key or folder of the page before.
        let after = input
            .continuation_token
            .clone()
            .or(input.start_after)
            .unwrap_or_default();
        let mut contents = Vec::new();
        let mut folders: Vec<String> = Vec::new();
        let mut last = None;
        let mut truncated = false;
        for (key, stored) in state.bucket(&input.bucket)?.iter() {
            let Some(below) = key.strip_prefix(&prefix) else {
                continue;
            };
            let delimiter = input.delimiter.as_deref().unwrap_or_default();
            let folder = match below.find(delimiter) {
                Some(end) if !delimiter.is_empty() => {
                    Some(&key[..prefix.len() + end + delimiter.len()])
                }
                _ => None,
            };
            let item = folder.unwrap_or(key);
            if item <= after.as_str() || last.as_deref() == Some(item) {
                continue;
            }
            if contents.len() + folders.len() == page {
                truncated = true;
                break;
            }
            last = Some(item.to_owned());
            match folder {
                Some(folder) => folders.push(folder.to_owned()),
                None => contents.push(Object {
                    key: Some(key.clone()),
                    size: Some(stored.bytes.len() as i64),
                    e_tag: Some(ETag::Strong(stored.etag.clone())),
                    last_modified: Some(Timestamp::from(SystemTime::UNIX_EPOCH)),
                    ..Object::default()
                }),
            }
        }
        let folders = folders.into_iter().map(|prefix| CommonPrefix {
            prefix: Some(prefix),
        });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            key_count: Some(contents.len() as i32),
            max_keys: Some(page as i32),
            is_truncated: Some(truncated),
            next_continuation_token: last.filter(|_| truncated),
            common_prefixes: Some(folders.collect()),
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = request.input;
        self.begin(Op::Head, &input.bucket, &input.key, Vec::new())?;
        let stored = lock(&self.state).object(&input.bucket, &input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(stored.bytes.len() as i64),
            e_tag: Some(ETag::Strong(stored.etag)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        let range = input.range.as_ref().map(Range::to_header_string);
        let if_match = input.if_match.as_ref().map(text_of);
        let details = vec![detail("range", &range), detail("if-match", &if_match)];
        let fault = self.begin(Op::Get, &input.bucket, &input.key, details)?;
        let stored = lock(&self.state).object(&input.bucket, &input.key)?;
        if input
            .if_match
            .is_some_and(|condition| !holds(&condition, &stored))
        {
            return Err(failed_condition());
        }
        let size = stored.bytes.len();
        let range = input
            .range
            .filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
        let (bytes, content_range) = match range {
            None => (stored.bytes, None),
            Some(range) => {
                let range = range.check(size as u64)?;
                let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                (
                    stored.bytes.slice(range.start as usize..range.end as usize),
                    Some(text),
                )
            }
        };
        let length = bytes.len();
        let breaks_after = match fault {
            Some(Fault::Truncate(after)) => Some(after),
            Some(Fault::TruncateAndReplace(after, text)) => {
                lock(&self.state).replace(&input.bucket, &input.key, text);
                Some(after)
            }
            _ => None,
        };
        let sent = bytes.slice(..breaks_after.unwrap_or(length).min(length));
        let rest = stream::once(async move {
            // The connection has to send what there is before it hears of the end.
            tokio::task::yield_now().await;
            breaks_after.map(|_| Err(io::Error::other("the body breaks off here")))
        });
        let step = if matches!(fault, Some(Fault::Dribble)) {
            1
        } else {
            sent.len()
        };
        let chunks: Vec<Bytes> = sent
            .chunks(step.max(1))
            .map(|chunk| sent.slice_ref(chunk))
            .collect();
        let chunks = stream::iter(chunks).then(|chunk| async {
            tokio::task::yield_now().await;
            Ok(chunk)
        });
        let chunks = chunks.chain(rest.filter_map(future::ready));
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(chunks)),
            content_length: Some(length as i64),
            content_range,
            e_tag: Some(ETag::Strong(stored.etag)),
            ..GetObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let input = request.input;
        let details = conditions(input.if_match.as_ref(), input.if_none_match.as_ref());
        self.begin(Op::Put, &input.bucket, &input.key, details)?;
        let stored = Stored::new(collect(input.body).await?);
        let etag = lock(&self.state).store(
            &input.bucket,
            &input.key,
            stored,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag),
            ..PutObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let input = request.input;
        self.begin(Op::Delete, &input.bucket, &input.key, Vec::new())?;
        lock(&self.state).bucket(&input.bucket)?.remove(&input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = request.input;
        self.begin(Op::Begin, &input.bucket, &input.key, Vec::new())?;
        let mut state = lock(&self.state);
        state.bucket(&input.bucket)?;
        state.uploads_begun += 1;
        let id = format!("upload-{}", state.uploads_begun);
        let upload = Upload {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            parts: BTreeMap::new(),
        };
        state.uploads.insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let input = request.input;
        let details = vec![detail("part", &Some(input.part_number))];
        self.begin(Op::Part, &input.bucket, &input.key, details)?;
        let stored = Stored::new(collect(input.body).await?);
        let etag = ETag::Strong(stored.etag.clone());
        let mut state = lock(&self.state);
        let upload = state
            .uploads
            .get_mut(&input.upload_id)
            .ok_or_else(no_such_upload)?;
        upload.parts.insert(input.part_number, stored);
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(etag),
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let input = request.input;
        let details = conditions(input.if_match.as_ref(), input.if_none_match.as_ref());
        self.begin(Op::Complete, &input.bucket, &input.key, details)?;
        let mut state = lock(&self.state);
        let upload = state
            .uploads
            .get(&input.upload_id)
            .ok_or_else(no_such_upload)?;
        let wanted = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let bytes = upload.joined(&wanted)?;
        let mut stored = Stored::new(bytes);
        stored.etag = format!("{}-{}", stored.etag, wanted.len());
        let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
        let etag = state.store(
            &bucket,
            &key,
            stored,
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        state.uploads.remove(&input.upload_id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(etag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = request.input;
        self.begin(Op::Abort, &input.bucket, &input.key, Vec::new())?;
        let removed = lock(&self.state).uploads.remove(&input.upload_id);
        removed.ok_or_else(no_such_upload)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

impl Upload {
    /// The parts one behind the other, if they are what the client thinks they are.
    fn joined(&self, wanted: &[CompletedPart]) -> S3Result<Bytes> {
        let mut all = BytesMut::new();
        for (index, wanted_part) in wanted.iter().enumerate() {
            let number = wanted_part.part_number.unwrap_or_default();
            let etag = wanted_part.e_tag.as_ref().map(ETag::value);
            let part = self
                .parts
                .get(&number)
                .filter(|part| etag == Some(&part.etag));
            let Some(part) = part else {
                return Err(s3_error!(
                    InvalidPart,
                    "One or more of the specified parts could not be found."
                ));
            };
            let is_last = index + 1 == wanted.len();
            if !is_last && part.bytes.len() < SMALLEST_PART {
                return Err(s3_error!(
                    EntityTooSmall,
                    "Your proposed upload is smaller than the minimum"
                ));
            }
            all.extend_from_slice(&part.bytes);
        }
        Ok(all.freeze())
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let mut all = BytesMut::new();
    let Some(mut body) = body else {
        return Ok(Bytes::new());
    };
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(
            &chunk.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?,
        );
    }
    Ok(all.freeze())
}

fn holds(condition: &ETagCondition, stored: &Stored) -> bool {
    condition
        .as_etag()
        .is_none_or(|etag| etag.value() == stored.etag)
}

fn text_of(condition: &ETagCondition) -> String {
    condition.as_etag().map_or("*", ETag::value).to_owned()
}

fn conditions(
    if_match: Option<&IfMatch>,
    if_none_match: Option<&IfNoneMatch>,
) -> Vec<Option<String>> {
    vec![
        detail("if-match", &if_match.map(text_of)),
        detail("if-none-match", &if_none_match.map(text_of)),
    ]
}

fn detail(name: &str, value: &Option<impl std::fmt::Display>) -> Option<String> {
    value.as_ref().map(|value| format!("{name}={value}"))
}

fn failed_condition() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified multipart upload does not exist."
    )
}

fn error(status: u16, code: &str, message: &'static str, region: Option<&str>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).expect("codes are text");
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(http::StatusCode::from_u16(status).expect("a status"));
    if let Some(region) = region {
        let mut headers = http::HeaderMap::new();
        headers.insert(
            "x-amz-bucket-region",
            region.parse().expect("a region is ASCII"),
        );
        error.set_headers(headers);
    }
    error
}
