//! Why a source cannot be listed. Objects that cannot be fetched are another matter: see [`super::FetchError`].

/// Why a source cannot be listed. The message says what was tried on what; [`SourceError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path that does not exist.
    #[error("no such file or folder: `{path}`")]
    NotFound {
        /// The path as given.
        path: String,
        /// The longest part of it that does exist.
        nearest: Option<String>,
    },
    /// A glob that matches nothing.
    #[error("nothing matches `{glob}`")]
    NoMatch {
        /// The glob as given.
        glob: String,
    },
    /// A glob that is none.
    #[error("expected a glob in `{glob}`: {reason}")]
    BadGlob {
        /// The glob as given.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something with a scheme that is not read here, or an `s3://` without a bucket.
    #[error("expected a file, a folder, a glob, `s3://bucket/prefix` or `-`, got `{text}`")]
    Words {
        /// The source as given.
        text: String,
        /// What would be right.
        advice: Option<&'static str>,
    },
    /// The file system refused.
    #[error("cannot read `{path}`: {reason}")]
    Io {
        /// The file or folder.
        path: String,
        /// Its reason.
        reason: std::io::Error,
    },
    /// A bucket in which no key begins like this.
    #[error("no object in the bucket begins with `{url}`")]
    EmptyPrefix {
        /// The source as given.
        url: String,
    },
    /// A bucket that does not exist.
    #[error("no such bucket: `{bucket}`")]
    NoBucket {
        /// Its name.
        bucket: String,
    },
    /// No credentials, or such as AWS refuses.
    #[error("no usable AWS credentials: {reason}")]
    Credentials {
        /// What the SDK or AWS says.
        reason: String,
    },
    /// The bucket is in another region.
    #[error("bucket `{bucket}` is not in region {used}{}", .region.as_ref().map(|region| format!(" but in {region}")).unwrap_or_default())]
    Region {
        /// The bucket.
        bucket: String,
        /// The region that was asked.
        used: String,
        /// The region that the bucket is in, if the answer says.
        region: Option<String>,
    },
    /// Listing is not allowed.
    #[error("access denied to list `{url}`: {reason}")]
    Denied {
        /// What was listed.
        url: String,
        /// What S3 says.
        reason: String,
    },
    /// The service did not answer, or with passing errors only.
    #[error("cannot list `{url}`: gave up after {tries} tries: {reason}")]
    Unreachable {
        /// What was listed.
        url: String,
        /// How often it was tried.
        tries: u32,
        /// The last error.
        reason: String,
    },
    /// A queue that cannot be used.
    #[error("cannot {queue}: {reason}")]
    Queue {
        /// What was tried, and on which queue.
        queue: String,
        /// What SQS says.
        reason: String,
        /// What would be right.
        advice: Option<&'static str>,
    },
    /// The service answered with something else.
    #[error("cannot list `{url}`: {reason}")]
    Service {
        /// What was listed.
        url: String,
        /// What S3 says.
        reason: String,
    },
}

impl SourceError {
    /// What to do about it, if there is anything to say.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            SourceError::NotFound {
                nearest: Some(nearest),
                ..
            } => format!("`{nearest}` exists"),
            SourceError::Words {
                advice: Some(advice),
                ..
            }
            | SourceError::Queue {
                advice: Some(advice),
                ..
            } => (*advice).to_owned(),
            SourceError::EmptyPrefix { .. } => {
                "prefixes are case-sensitive; `aws s3 ls` with a shorter one shows what is there".to_owned()
            }
            SourceError::Credentials { .. } => {
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for SSO run `aws sso login`".to_owned()
            }
            SourceError::Region {
                region: Some(region),
                ..
            } => format!("set AWS_REGION={region}"),
            SourceError::Region { region: None, .. } => {
                "set AWS_REGION to the bucket's region; `aws s3api get-bucket-location` tells it".to_owned()
            }
            SourceError::Denied { .. } => {
                "reading needs s3:ListBucket on the bucket and s3:GetObject on its objects".to_owned()
            }
            SourceError::Unreachable { .. } => {
                "check the network, AWS_REGION and AWS_ENDPOINT_URL".to_owned()
            }
            _ => return None,
        })
    }

    /// Whether what was asked for is wrong, rather than that the answer could not be had.
    pub fn is_usage(&self) -> bool {
        match self {
            SourceError::NotFound { .. }
            | SourceError::NoMatch { .. }
            | SourceError::BadGlob { .. }
            | SourceError::Words { .. }
            | SourceError::EmptyPrefix { .. }
            | SourceError::NoBucket { .. }
            | SourceError::Region { .. }
            | SourceError::Queue {
                advice: Some(_), ..
            } => true,
            SourceError::Io { .. }
            | SourceError::Credentials { .. }
            | SourceError::Denied { .. }
            | SourceError::Unreachable { .. }
            | SourceError::Queue { advice: None, .. }
            | SourceError::Service { .. } => false,
        }
    }
}
