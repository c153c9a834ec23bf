//! Requests to targets: one kind of client, a bound on how long an answer takes and how much of it is read, and errors with
//! all that caused them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::SendError;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who asks.
pub(super) const AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// A client. Clones share its connections.
pub(super) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts whom the system trusts.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(super) fn client() -> Result<Http, String> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("cannot read the system's certificates: {error}"))?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn ask(
    http: &Http,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, SendError> {
    let answer = http.request(request).await;
    answer.map_err(|error| SendError::Later(whole_reason(&error)))
}

/// What an answer says, as text; nothing if that is more than so many bytes, or breaks.
pub(super) async fn said(answer: Response<Incoming>, most: usize) -> String {
    let said = Limited::new(answer.into_body(), most).collect().await;
    let said = said.map(|said| said.to_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// The work's result, if it comes in time.
pub(super) async fn in_time<T>(
    work: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    let late = || SendError::Later(format!("no answer in {} s", PATIENCE.as_secs()));
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| Err(late()))
}

/// An error with all that caused it.
pub(super) fn whole_reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
