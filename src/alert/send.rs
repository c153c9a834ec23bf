//! Sends alerts to their target.

use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Uri, header};
use http_body_util::Full;
use serde_json::Value;
use sha2::Sha256;

use super::asff::{Product, asff};
use super::aws::Service;
use super::ocsf::ocsf;
use super::post::{AGENT, Http, ask, client, in_time, said};
use super::slack::slack;
use super::target::{Format, Kind, Target};
use super::{hub, sns};
use crate::net::hex;

/// How much of a webhook's answer is read: what an error says.
const ANSWER: usize = 4096;
/// The header that carries the signature of a body.
const SIGNATURE: &str = "x-tidegate-signature";

/// Why alerts were not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It may succeed later.
    #[error("{0}")]
    Later(String),
    /// It never will, as far as the target says.
    #[error("{0}")]
    Never(String),
}

/// Sends to one target. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    target: Target,
    secret: Option<String>,
    http: Http,
    /// The service of AWS that has the target.
    service: Option<Service>,
}

impl Sender {
    /// What sends to this target.
    ///
    /// # Errors
    /// When the secret that it names is not in the environment, there are no credentials for AWS, the certificates of the
    /// system cannot be read, or a file cannot be opened.
    pub async fn open(target: &Target) -> Result<Sender, String> {
        let secret = match &target.secret_env {
            Some(name) => match std::env::var(name) {
                Ok(secret) if !secret.is_empty() => Some(secret),
                _ => {
                    let shown = target.shown();
                    return Err(format!(
                        "{shown}: expected the secret in ${name}, found none"
                    ));
                }
            },
            None => None,
        };
        if let Kind::File(path) = &target.kind {
            append(path, &[])
                .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        }
        let http = client()?;
        let service = match &target.kind {
            Kind::Sns(arn) => Some(Service::connect("sns", arn, http.clone()).await),
            Kind::SecurityHub(arn) => {
                Some(Service::connect("securityhub", arn, http.clone()).await)
            }
            _ => None,
        };
        let service = service
            .transpose()
            .map_err(|reason| format!("{}: {reason}", target.shown()))?;
        Ok(Sender {
            target: target.clone(),
            secret,
            http,
            service,
        })
    }

    /// Where it sends to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends alerts, each a JSON object, together where the target takes several; `now` is in milliseconds since 1970. What
    /// became of the first of them, at least of one, in their order; the others were not tried.
    pub async fn send(&self, alerts: &[String], now: u64) -> Vec<Result<(), SendError>> {
        match &self.target.kind {
            Kind::Stdout => {
                let lines = self.lines(alerts, now);
                let mut out = std::io::stdout().lock();
                let written = out.write_all(&lines).and_then(|()| out.flush());
                whole(alerts.len(), written, "standard output")
            }
            Kind::File(path) => {
                let written = append(path, &self.lines(alerts, now));
                whole(alerts.len(), written, &format!("`{}`", path.display()))
            }
            Kind::SecurityHub(product) => {
                hub::import(self.service(), &Product::of(product), alerts, now).await
            }
            Kind::Webhook(_) | Kind::Slack(_) | Kind::Sns(_) => {
                let mut outcomes = Vec::new();
                for alert in alerts {
                    let outcome = self.send_one(alert, now).await;
                    let is_taken = outcome.is_ok();
                    outcomes.push(outcome);
                    if !is_taken {
                        break;
                    }
                }
                outcomes
            }
        }
    }

    async fn send_one(&self, alert: &str, now: u64) -> Result<(), SendError> {
        let Some(form) = self.formed(alert, now) else {
            return Ok(());
        };
        match &self.target.kind {
            Kind::Webhook(url) | Kind::Slack(url) => self.post(url.as_str(), form, now).await,
            Kind::Sns(topic) => sns::publish(self.service(), topic, alert, &form).await,
            Kind::Stdout | Kind::File(_) | Kind::SecurityHub(_) => {
                unreachable!("what takes several at once is not told one by one")
            }
        }
    }

    fn service(&self) -> &Service {
        let service = self.service.as_ref();
        service.expect("a target in AWS is opened with its service")
    }

    /// Alerts as the target wants them, a line each.
    fn lines(&self, alerts: &[String], now: u64) -> Vec<u8> {
        let formed = alerts.iter().filter_map(|alert| self.formed(alert, now));
        formed
            .flat_map(|alert| [alert.as_bytes(), b"\n"].concat())
            .collect()
    }

    /// An alert as the target wants it; none where its form has no place for it.
    fn formed(&self, alert: &str, now: u64) -> Option<String> {
        let value = || serde_json::from_str(alert).unwrap_or(Value::Null);
        match (&self.target.kind, self.target.format) {
            (Kind::Slack(_), _) => Some(slack(&value())),
            (_, Format::Json) => Some(alert.to_owned()),
            (_, Format::Ocsf) => Some(ocsf(&value(), now / 1000).to_string()),
            (_, Format::Asff) => {
                let value = value();
                let finding = asff(&value, &Product::of_alert(&value), now)?;
                Some(finding.to_string())
            }
        }
    }

    async fn post(&self, url: &str, body: String, now: u64) -> Result<(), SendError> {
        let uri: Uri = url
            .parse()
            .map_err(|_| SendError::Never("its address is none".to_owned()))?;
        let mut request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, AGENT);
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret, now / 1000, &body));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| SendError::Never(error.to_string()))?;
        in_time(self.answered(request)).await
    }

    async fn answered(&self, request: Request<Full<Bytes>>) -> Result<(), SendError> {
        let answer = ask(&self.http, request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let said = said(answer, ANSWER).await;
        let message = format!("it answered {status}: {said}");
        // What is wrong with the request stays wrong, but for being too early or too often.
        let stays = status.is_client_error() && ![408, 425, 429].contains(&status.as_u16());
        Err(if stays {
            SendError::Never(message)
        } else {
            SendError::Later(message)
        })
    }
}

/// What became of alerts that were written together.
fn whole(count: usize, written: std::io::Result<()>, where_to: &str) -> Vec<Result<(), SendError>> {
    match written {
        Ok(()) => (0..count).map(|_| Ok(())).collect(),
        Err(error) => vec![Err(SendError::Later(format!(
            "cannot write to {where_to}: {error}"
        )))],
    }
}

/// The time and the HMAC-SHA-256 of time, dot and body, as `t=SECONDS,v1=HEX`: whoever has the secret can tell that the
/// body is ours, and not an old one.
fn signature(secret: &str, now: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.{body}").as_bytes());
    format!("t={now},v1={}", hex(&mac.finalize().into_bytes()))
}

/// Appends lines to a file that its owner alone reads where it is new, and waits until the disk has them. A line that is
/// not whole, because the disk was full, is not left there, or ended.
fn append(path: &std::path::Path, lines: &[u8]) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let end: &[u8] = if last == *b"\n" { b"" } else { b"\n" };
    let written = file
        .write_all(&[end, lines].concat())
        .and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(length);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_time_and_body() {
        // By `printf '1700000000.{}' | openssl dgst -sha256 -hmac secret`.
        assert_eq!(
            signature("secret", 1_700_000_000, "{}"),
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }

    #[test]
    fn a_line_that_was_torn_takes_no_other_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("alerts");
        std::fs::write(&path, "one\ntw").expect("written");
        append(&path, b"three\n").expect("appended");
        append(&path, b"four\n").expect("appended");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text, "one\ntw\nthree\nfour\n");
    }
}
