//! Sends alerts to their target.

use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;

use super::ocsf::ocsf;
use super::target::{Format, Kind, Target};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read: what an error says.
const ANSWER: usize = 4096;
/// Findings of a digest that Slack is told one by one.
const SLACK_LINES: usize = 10;
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
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Sender {
    /// What sends to this target.
    ///
    /// # Errors
    /// When the secret that it names is not in the environment, the certificates of the system cannot be read, or a file
    /// cannot be opened.
    pub fn new(target: &Target) -> Result<Sender, String> {
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
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("cannot read the system's certificates: {error}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Sender {
            target: target.clone(),
            secret,
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Where it sends to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends alerts, each a JSON object, together where the target takes several; `now` is in seconds since 1970. How many
    /// of them, the first, were taken, and why the next was not.
    pub async fn send(&self, alerts: &[String], now: u64) -> (usize, Result<(), SendError>) {
        let alerts: Vec<String> = alerts.iter().map(|alert| self.formed(alert, now)).collect();
        let lines = || -> Vec<u8> {
            alerts
                .iter()
                .flat_map(|alert| [alert.as_bytes(), b"\n"].concat())
                .collect()
        };
        let whole = |done: std::io::Result<()>, where_to: &str| match done {
            Ok(()) => (alerts.len(), Ok(())),
            Err(error) => (
                0,
                Err(SendError::Later(format!(
                    "cannot write to {where_to}: {error}"
                ))),
            ),
        };
        match &self.target.kind {
            Kind::Stdout => {
                let mut out = std::io::stdout().lock();
                whole(
                    out.write_all(&lines()).and_then(|()| out.flush()),
                    "standard output",
                )
            }
            Kind::File(path) => whole(append(path, &lines()), &format!("`{}`", path.display())),
            Kind::Webhook(url) | Kind::Slack(url) => {
                for (place, alert) in alerts.iter().enumerate() {
                    if let Err(error) = self.post(url.as_str(), alert.clone(), now).await {
                        return (place, Err(error));
                    }
                }
                (alerts.len(), Ok(()))
            }
        }
    }

    /// An alert as the target wants it.
    fn formed(&self, alert: &str, now: u64) -> String {
        let value = || serde_json::from_str(alert).unwrap_or(Value::Null);
        match (&self.target.kind, self.target.format) {
            (Kind::Slack(_), _) => slack(&value()),
            (_, Format::Ocsf) => ocsf(&value(), now).to_string(),
            (_, Format::Json) => alert.to_owned(),
        }
    }

    async fn post(&self, url: &str, body: String, now: u64) -> Result<(), SendError> {
        let uri: Uri = url
            .parse()
            .map_err(|_| SendError::Never("its address is none".to_owned()))?;
        let mut request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                concat!("tidegate/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret, now, &body));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| SendError::Never(error.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| SendError::Later(whole_reason(&error)))?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let said = Limited::new(answer.into_body(), ANSWER).collect().await;
            let said = said.map(|said| said.to_bytes()).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let message = format!("it answered {status}: {}", said.trim());
            // What is wrong with the request stays wrong, but for being too early or too often.
            let stays = status.is_client_error() && ![408, 425, 429].contains(&status.as_u16());
            Err(if stays {
                SendError::Never(message)
            } else {
                SendError::Later(message)
            })
        };
        let late = || SendError::Later(format!("no answer in {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| Err(late()))
    }
}

/// The time and the HMAC-SHA-256 of time, dot and body, as `t=SECONDS,v1=HEX`: whoever has the secret can tell that the
/// body is ours, and not an old one.
fn signature(secret: &str, now: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.{body}").as_bytes());
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={now},v1={hex}")
}

/// An error with all that caused it.
fn whole_reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
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

/// An alert as Slack's incoming webhooks take it: a sentence, where it is, and by which rule.
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
fn slack(alert: &Value) -> String {
    let text = |name: &str| escaped(alert[name].as_str().unwrap_or_default());
    let points = |alert: &Value| {
        let text = |name: &str| escaped(alert[name].as_str().unwrap_or_default());
        format!(
            "*{}* {}: {}",
            text("severity"),
            text("event"),
            text("title")
        )
    };
    // Several in one.
    let several = alert["findings"].as_array().or(alert["alerts"].as_array());
    if let Some(several) = several {
        let mut lines = vec![format!("*{}*", text("title"))];
        lines.extend(several.iter().take(SLACK_LINES).map(points));
        let count = alert["count"].as_u64().unwrap_or(0);
        let left = count.saturating_sub(SLACK_LINES as u64);
        if left > 0 {
            lines.push(format!("and {left} more"));
        }
        return json!({ "text": lines.join("\n") }).to_string();
    }
    let mut lines = vec![points(alert)];
    let named = [
        ("rule", "rule"),
        ("owner", "owner"),
        ("account", "account_id"),
        ("interface", "interface_id"),
        ("finding", "finding_id"),
    ];
    let facts = named.iter().filter(|(_, name)| alert[*name].is_string());
    let facts: Vec<String> = facts
        .map(|(word, name)| format!("{word} `{}`", text(name)))
        .collect();
    lines.push(facts.join(" · "));
    json!({ "text": lines.join("\n") }).to_string()
}

/// Slack's own three characters, as it asks for them.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
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

    #[test]
    fn slack_is_told_in_words() {
        let told = slack(&json!({
            "event": "opened", "severity": "high", "title": "a <b> & c", "rule": "default", "owner": null,
        }));
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(
            told["text"],
            "*high* opened: a &lt;b&gt; &amp; c\nrule `default`"
        );
    }
}
