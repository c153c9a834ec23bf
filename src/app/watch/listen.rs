//! Answers those who look after a watch: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever restarts it.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot::Receiver;

use super::super::error::ScanError;
use super::super::lock;
use super::Watch;

/// Who is answered at the same time.
const TOGETHER: usize = 64;
/// How long is waited for a request's head.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes a port, before anything else is done, so that one that is taken is told at once.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ScanError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let bound = bound.with_context(|| format!("cannot listen on {address}"));
    bound.map_err(ScanError::from)
}

impl Watch<'_> {
    /// Answers until the sender of `over` is gone. On a thread and a runtime of its own: answers come however busy the
    /// others are.
    pub(super) fn answer(
        &self,
        listener: TcpListener,
        mut over: Receiver<()>,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let mut answers = FuturesUnordered::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept(), if answers.len() < TOGETHER => accepted,
                    Some(()) = answers.next() => continue,
                    _ = &mut over => return Ok(()),
                };
                let Ok((stream, _)) = accepted else { continue };
                let service = service_fn(|request: Request<Incoming>| {
                    let answer = self.say(&request);
                    async { Ok::<_, Infallible>(answer) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // Whoever hangs up is not answered.
                answers.push(async {
                    let _ = tokio::time::timeout(PATIENCE, served).await;
                });
            }
        })
    }

    fn say(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, text) = match request.uri().path() {
            "/metrics" => match self.metrics() {
                Ok(text) => (StatusCode::OK, text),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" if self.is_ready() => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not all that is there was taken yet, or the end was asked for\n".to_owned(),
            ),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /metrics, /healthz and /readyz\n".to_owned(),
            ),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    /// Whether all that was there was taken once, and the end was not asked for.
    fn is_ready(&self) -> bool {
        lock(&self.sea).taken.is_some() && !self.stop.is_asked()
    }
}
