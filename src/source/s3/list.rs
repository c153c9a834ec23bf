//! Listing a bucket: ListObjectsV2, page by page.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object as Listed;

use super::{S3, Trouble, trouble};
use crate::source::SourceError;
use crate::source::key::{end_of_aws_logs, later_name};
use crate::source::tree::{Children, Entry};

/// What of a bucket to list.
#[derive(Clone, Debug, Default)]
struct Range<'a> {
    prefix: &'a str,
    /// Folders are named, not listed.
    by_folder: bool,
    after: Option<String>,
    /// At most so many keys, then no further page.
    first: Option<i32>,
}

impl S3 {
    /// What lies directly in `folder` and begins with `prefix` (which begins with the folder). Pages of objects whose names
    /// have an earlier time than `since` (seconds) are jumped over: the names of a flow log are in order of their times.
    pub(in crate::source) async fn children(
        &self,
        bucket: &str,
        folder: &str,
        prefix: &str,
        since: Option<u32>,
    ) -> Result<Children, SourceError> {
        let mut range = Range {
            prefix,
            by_folder: true,
            ..Range::default()
        };
        let mut children = Children::default();
        let mut token = None;
        loop {
            let page = self.page(bucket, &range, token).await?;
            for common in page.common_prefixes.unwrap_or_default() {
                let path = common.prefix.unwrap_or_default();
                if let Some(name) = path.strip_prefix(folder) {
                    children.folders.push(name.trim_end_matches('/').to_owned());
                }
            }
            let contents = page.contents.unwrap_or_default().into_iter();
            children.files.extend(contents.filter_map(entry));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(children);
            }
            let last = children.files.last().map(|entry| entry.path.as_str());
            let later = last
                .zip(since)
                .and_then(|(last, since)| later_name(last, since));
            // A server that does not know how to jump comes back to where it was.
            if later.is_some() && later > range.after {
                (range.after, token) = (later, None);
            }
        }
    }

    /// Hands every object whose key begins with `prefix` to `found`, but for those in an `AWSLogs` folder at or below the
    /// prefix's own: these folders are returned, and jumped over.
    pub(in crate::source) async fn walk(
        &self,
        bucket: &str,
        prefix: &str,
        found: &mut (impl FnMut(Entry) + Send),
    ) -> Result<Vec<String>, SourceError> {
        let folder = prefix.rfind('/').map_or(0, |slash| slash + 1);
        let mut range = Range {
            prefix,
            ..Range::default()
        };
        let mut aws_logs = Vec::new();
        let mut token = None;
        'pages: loop {
            let page = self.page(bucket, &range, token.take()).await?;
            for entry in page
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(entry)
            {
                if let Some(end) = end_of_aws_logs(&entry.path[folder..]) {
                    let root = entry.path[..folder + end].to_owned();
                    if aws_logs.last() == Some(&root) {
                        // A server that does not know how to jump.
                        continue;
                    }
                    // `0` follows `/`: the first key that is not below the folder.
                    range.after = Some(format!("{}0", root.trim_end_matches('/')));
                    aws_logs.push(root);
                    continue 'pages;
                }
                found(entry);
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(aws_logs);
            }
        }
    }

    /// The first object whose key begins with `prefix`.
    pub(in crate::source) async fn first(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Option<Entry>, SourceError> {
        let range = Range {
            prefix,
            first: Some(1),
            ..Range::default()
        };
        let page = self.page(bucket, &range, None).await?;
        Ok(page
            .contents
            .unwrap_or_default()
            .into_iter()
            .next()
            .map(|listed| Entry {
                path: listed.key.unwrap_or_default(),
                file: None,
                size: u64::try_from(listed.size.unwrap_or(0)).unwrap_or(0),
                etag: listed.e_tag.map(Arc::from),
            }))
    }

    async fn page(
        &self,
        bucket: &str,
        range: &Range<'_>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, SourceError> {
        let inner = &self.inner;
        let _permit = inner
            .lists
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let mut failures = 0;
        loop {
            inner.list_requests.fetch_add(1, Ordering::Relaxed);
            let request = inner
                .client
                .list_objects_v2()
                .bucket(bucket)
                .prefix(range.prefix)
                .set_delimiter(range.by_folder.then(|| "/".to_owned()))
                .set_start_after(range.after.clone())
                .set_max_keys(range.first)
                .set_continuation_token(token.clone());
            let trouble = match request.send().await {
                Ok(page) => return Ok(page),
                Err(error) => trouble::sort(error),
            };
            failures += 1;
            if !matches!(trouble, Trouble::Passing(_)) || failures >= inner.retry.tries {
                let url = format!("s3://{bucket}/{}", range.prefix);
                return Err(trouble.listing(&url, bucket, &inner.region, failures));
            }
            inner.retry.pause(failures).await;
        }
    }
}

/// An object of a page; the empty objects that consoles make for folders are none.
fn entry(listed: Listed) -> Option<Entry> {
    let path = listed.key?;
    if path.ends_with('/') {
        return None;
    }
    Some(Entry {
        path,
        file: None,
        size: u64::try_from(listed.size.unwrap_or(0)).unwrap_or(0),
        etag: listed.e_tag.map(Arc::from),
    })
}
