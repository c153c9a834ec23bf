//! The bucket's side: a client with the SDK's own settings, and every request tried again while the failure may pass.
//!
//! The SDK's retries are off: a body that breaks half-way is beyond them, and one counter for both is easier to bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, ProvideCredentials, Region, StalledStreamProtectionConfig,
};
use tokio::sync::Semaphore;

use super::SourceError;

mod get;
mod list;
mod retry;
mod trouble;

pub(super) use get::{Download, S3Ranges};
pub use retry::Retry;
pub(super) use trouble::Trouble;

/// A connection to S3. Clones share it.
#[derive(Clone, Debug)]
pub struct S3 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    retry: Retry,
    region: String,
    /// Bounds listings in flight.
    lists: Semaphore,
    list_requests: AtomicU64,
}

/// Listings in flight at once. S3 takes 5,500 GET and LIST requests a second and prefix; more than this many would only
/// queue on the machine.
const LISTS_IN_FLIGHT: usize = 24;

/// To connect, TLS included. Larger makes a wrong endpoint slow to notice.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// To the first byte of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a body may stand still before it counts as broken (and is resumed).
const STALL_GRACE: Duration = Duration::from_secs(20);

impl S3 {
    /// Connects with the SDK's own settings: profile, region, role, SSO, `AWS_ENDPOINT_URL` (then with the bucket in the
    /// path, as other servers than AWS's want it).
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn connect() -> Result<S3, SourceError> {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let no_credentials = |reason: String| SourceError::Credentials { reason };
        match shared.credentials_provider() {
            None => return Err(no_credentials("none are configured".to_owned())),
            Some(provider) => {
                if let Err(error) = provider.provide_credentials().await {
                    return Err(no_credentials(trouble::in_full(&error)));
                }
            }
        }
        let mut config = aws_sdk_s3::config::Builder::from(&shared);
        if shared.region().is_none() {
            // Any region's endpoint tells where a bucket is.
            config = config.region(Region::new("us-east-1"));
        }
        let other_server =
            shared.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        config = config.force_path_style(other_server);
        Ok(S3::new(config, Retry::default()))
    }

    /// Connects with given settings; tries and pauses are as `retry` says, whatever the settings say.
    pub fn new(config: aws_sdk_s3::config::Builder, retry: Retry) -> S3 {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let stalls = StalledStreamProtectionConfig::enabled()
            .grace_period(STALL_GRACE)
            .build();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(stalls)
            .build();
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        S3 {
            inner: Arc::new(Inner {
                client: Client::from_conf(config),
                retry,
                region,
                lists: Semaphore::new(LISTS_IN_FLIGHT),
                list_requests: AtomicU64::new(0),
            }),
        }
    }

    /// LIST requests so far, those that failed included.
    pub fn list_requests(&self) -> u64 {
        self.inner.list_requests.load(Ordering::Relaxed)
    }
}
