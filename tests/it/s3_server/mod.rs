//! An S3 server inside the test process, in memory, over real HTTP on a port of its own: for tests of the library and of
//! the program. It checks signatures, pages listings, holds conditions on writes, and fails as it is told to.
//!
//! ```ignore
//! let server = S3Server::start();
//! server.put("logs", "AWSLogs/…", "…");
//! server.fail(Op::Get, "AWSLogs/…", 2, Fault::slow_down());
//! Command::new(program).envs(server.env());
//! assert_eq!(server.log()[0].to_string(), "GET AWSLogs/… range=bytes=10- if-match=…");
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

mod promises;
mod service;

const ACCESS_KEY: &str = "AKIDTEST";
const SECRET_KEY: &str = "a secret of no worth";

/// A running server; it ends when this is dropped.
pub struct S3Server {
    address: SocketAddr,
    state: Shared,
    // Dropped first: its receiver ends the server's thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    uploads: HashMap<String, Upload>,
    uploads_begun: u64,
    faults: HashMap<(Op, String), VecDeque<Fault>>,
    log: Vec<Request>,
    page: Option<usize>,
}

#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    /// Without quotes.
    etag: String,
}

struct Upload {
    bucket: String,
    key: String,
    parts: BTreeMap<i32, Stored>,
}

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// ListObjectsV2; its key is the prefix.
    List,
    /// GetObject.
    Get,
    /// HeadObject.
    Head,
    /// PutObject.
    Put,
    /// DeleteObject.
    Delete,
    /// CreateMultipartUpload.
    Begin,
    /// UploadPart.
    Part,
    /// CompleteMultipartUpload.
    Complete,
    /// AbortMultipartUpload.
    Abort,
}

/// A request as the server saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What it does.
    pub op: Op,
    /// The bucket.
    pub bucket: String,
    /// The key; the prefix of a listing.
    pub key: String,
    /// Headers and parameters that matter, `name=value`.
    pub details: Vec<String>,
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            format!("{:?}", self.op).to_uppercase(),
            self.key
        )?;
        for detail in &self.details {
            write!(formatter, " {detail}")?;
        }
        Ok(())
    }
}

/// How a request fails.
#[derive(Clone, Debug)]
pub enum Fault {
    /// With an answer of S3's.
    Error {
        /// The status.
        status: u16,
        /// S3's code.
        code: &'static str,
        /// What it says.
        message: &'static str,
        /// `x-amz-bucket-region`.
        region: Option<&'static str>,
    },
    /// Its body breaks off after so many bytes.
    Truncate(usize),
    /// Its body breaks off after so many bytes, and the object is another one from then on.
    TruncateAndReplace(usize, &'static str),
    /// The object was replaced just before.
    Replace(&'static str),
    /// The object was deleted just before.
    Vanish,
    /// Its body comes byte by byte.
    Dribble,
    /// `Range` is not understood: everything is sent.
    IgnoreRange,
}

impl Fault {
    fn error(status: u16, code: &'static str, message: &'static str) -> Fault {
        Fault::Error {
            status,
            code,
            message,
            region: None,
        }
    }

    /// 503 SlowDown.
    pub fn slow_down() -> Fault {
        Fault::error(503, "SlowDown", "Please reduce your request rate.")
    }

    /// 500 InternalError.
    pub fn internal_error() -> Fault {
        Fault::error(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        )
    }

    /// 403 AccessDenied.
    pub fn access_denied() -> Fault {
        Fault::error(403, "AccessDenied", "Access Denied")
    }

    /// 403 as S3 answers where the key may not be used.
    pub fn key_denied() -> Fault {
        let message =
            "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:Decrypt";
        Fault::error(403, "AccessDenied", message)
    }

    /// 301 PermanentRedirect, which names the region.
    pub fn elsewhere(region: &'static str) -> Fault {
        Fault::Error {
            status: 301,
            code: "PermanentRedirect",
            message: "The bucket you are attempting to access must be addressed using the specified endpoint.",
            region: Some(region),
        }
    }
}

impl S3Server {
    /// Starts a server without buckets.
    pub fn start() -> S3Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Shared::default();
        let (stop, stopped) = oneshot::channel();
        let service = service(state.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, service) => {}
                }
            });
        });
        S3Server {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:…`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings of a client that may use the server.
    pub fn config(&self) -> Builder {
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.endpoint())
            .force_path_style(true)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
    }

    /// Environment of a program that may use the server. Nothing of the machine's own AWS settings is left.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Makes an empty bucket.
    pub fn create_bucket(&self, bucket: &str) {
        self.state().buckets.entry(bucket.to_owned()).or_default();
    }

    /// Stores an object; makes its bucket.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let stored = Stored::new(bytes.into());
        let mut state = self.state();
        let bucket = state.buckets.entry(bucket.to_owned()).or_default();
        bucket.insert(key.to_owned(), stored);
    }

    /// What an object holds.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let state = self.state();
        let stored = state.buckets.get(bucket)?.get(key)?;
        Some(stored.bytes.clone())
    }

    /// The keys that begin like this, sorted.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let state = self.state();
        let keys = state
            .buckets
            .get(bucket)
            .into_iter()
            .flat_map(BTreeMap::keys);
        keys.filter(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Multipart uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }

    /// Makes the next `times` requests of this kind on this key fail.
    pub fn fail(&self, op: Op, key: &str, times: usize, fault: Fault) {
        let mut state = self.state();
        let faults = state.faults.entry((op, key.to_owned())).or_default();
        faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Makes pages of listings hold so many keys and folders at most (1,000 as in S3 unless said).
    pub fn page_size(&self, keys: usize) {
        self.state().page = Some(keys);
    }

    /// The requests so far.
    pub fn log(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    /// The requests of a kind so far, as text.
    pub fn log_of(&self, op: Op) -> Vec<String> {
        let log = self.log();
        let of_kind = log.iter().filter(|request| request.op == op);
        of_kind.map(Request::to_string).collect()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.state().log.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic in there has failed the test's requests already.
            let _ = thread.join();
        }
    }
}

impl Stored {
    fn new(bytes: Bytes) -> Stored {
        let etag = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes));
        Stored { bytes, etag }
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().expect("no request panics")
}

fn service(state: Shared) -> s3s::service::S3Service {
    let mut builder = S3ServiceBuilder::new(service::Memory { state });
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.build()
}

async fn serve(listener: std::net::TcpListener, service: s3s::service::S3Service) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let service = service.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Fails when a client hangs up, or a body breaks off as it was told to.
            let _ = connection.await;
        });
    }
}
