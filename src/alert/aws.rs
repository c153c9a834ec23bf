//! Requests to services of AWS: signed by Signature Version 4 and sent by the client that webhooks are sent by.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! Each target needs one operation of its service. The SDK's crate of a service has all of them, and takes minutes to compile.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::Mutex;

use super::arn::Arn;
use super::post::{AGENT, Http, ask, in_time, said, whole_reason};
use super::{SendError, cut};

/// How much of an answer is read: Security Hub names up to a hundred findings that it did not take.
const ANSWER: usize = 1 << 20;
/// How much of what an error says is told.
const TOLD: usize = 300;
/// How long credentials are used before they are asked for again, where they do not say: as the SDK does.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// How long before their end credentials are not used any more. Smaller, and they end on the way.
const MARGIN: Duration = Duration::from_secs(60);
/// Parts of the codes of errors that may pass by themselves.
const PASSING: [&str; 8] = [
    "Throttl",
    "TooManyRequests",
    "LimitExceeded",
    "Timeout",
    "Internal",
    "Unavailable",
    "ExpiredToken",
    "RequestExpired",
];
/// What a failure says of the target, not of the alert: no permission, no such topic, too early, too often.
const OF_THE_TARGET: [u16; 6] = [401, 403, 404, 408, 425, 429];

/// A service in a region. Clones share connections and credentials.
#[derive(Clone)]
pub(super) struct Service {
    name: &'static str,
    region: String,
    endpoint: String,
    provider: SharedCredentialsProvider,
    known: Arc<Mutex<Option<Known>>>,
    http: Http,
}

/// Credentials, and until when they are used.
struct Known {
    credentials: Credentials,
    until: SystemTime,
}

impl Service {
    /// The service that has this thing, with the SDK's own settings: profile, role, SSO, `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(super) async fn connect(
        name: &'static str,
        arn: &Arn,
        http: Http,
    ) -> Result<Service, String> {
        let shared = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let Some(provider) = shared.credentials_provider() else {
            return Err("no AWS credentials are configured".to_owned());
        };
        let own = std::env::var(format!("AWS_ENDPOINT_URL_{}", name.to_ascii_uppercase())).ok();
        let service = Service {
            name,
            region: arn.region.clone(),
            endpoint: endpoint(name, arn, own.as_deref().or(shared.endpoint_url())),
            provider,
            known: Arc::default(),
            http,
        };
        let found = service.credentials().await;
        found.map_err(|error| error.to_string())?;
        Ok(service)
    }

    /// Sends a POST request; what is answered.
    pub(super) async fn call(
        &self,
        path: &str,
        content_type: &str,
        body: String,
    ) -> Result<String, SendError> {
        in_time(self.answered(path, content_type, body)).await
    }

    async fn answered(
        &self,
        path: &str,
        content_type: &str,
        body: String,
    ) -> Result<String, SendError> {
        let credentials = self.credentials().await?;
        let request = self.signed(path, content_type, body, credentials)?;
        let answer = ask(&self.http, request).await?;
        let status = answer.status();
        let kind = answer.headers().get("x-amzn-errortype");
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let said = said(answer, ANSWER).await;
        if status.is_success() {
            return Ok(said);
        }
        let (code, message) = failure(kind.as_deref(), &said);
        if code.contains("ExpiredToken") {
            *self.known.lock().await = None;
        }
        Err(refusal(status, &code, &message))
    }

    async fn credentials(&self) -> Result<Credentials, SendError> {
        let mut known = self.known.lock().await;
        let now = SystemTime::now();
        if let Some(known) = &*known
            && now + MARGIN < known.until
        {
            return Ok(known.credentials.clone());
        }
        let found = self.provider.provide_credentials().await;
        let credentials = found.map_err(|error| {
            SendError::Later(format!("no AWS credentials: {}", whole_reason(&error)))
        })?;
        let fresh = now + FRESH;
        *known = Some(Known {
            credentials: credentials.clone(),
            until: credentials.expiry().map_or(fresh, |end| end.min(fresh)),
        });
        Ok(credentials)
    }

    fn signed(
        &self,
        path: &str,
        content_type: &str,
        body: String,
        credentials: Credentials,
    ) -> Result<Request<Full<Bytes>>, SendError> {
        let url = format!("{}{path}", self.endpoint);
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| SendError::Never(whole_reason(&error)))?
            .into();
        let headers = [(header::CONTENT_TYPE.as_str(), content_type)];
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let signable = signable.map_err(|error| SendError::Never(whole_reason(&error)))?;
        let signed = sign(signable, &params);
        let signed = signed.map_err(|error| SendError::Never(whole_reason(&error)))?;
        let mut request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, content_type)
            .header(header::USER_AGENT, AGENT);
        for (name, value) in signed.output().headers() {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        request.map_err(|error| SendError::Never(error.to_string()))
    }
}

/// Where a service is asked: where it is configured to be, else AWS's own.
fn endpoint(name: &str, arn: &Arn, configured: Option<&str>) -> String {
    if let Some(configured) = configured.filter(|configured| !configured.is_empty()) {
        return configured.trim_end_matches('/').to_owned();
    }
    let suffix = match &*arn.partition {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    format!("https://{name}.{}.{suffix}", arn.region)
}

/// Whether an error of this code may pass by itself.
pub(super) fn may_pass(code: &str) -> bool {
    PASSING.iter().any(|word| code.contains(word))
}

/// The code and the message of an error, in the JSON or the XML that AWS answers with.
fn failure(kind: Option<&str>, said: &str) -> (String, String) {
    let json: Value = serde_json::from_str(said).unwrap_or(Value::Null);
    let word = |names: &[&str], tag: &str| -> String {
        let in_json = names.iter().find_map(|name| json[*name].as_str());
        let in_xml = || {
            let (_, rest) = said.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once("</")?.0)
        };
        in_json.or_else(in_xml).unwrap_or_default().to_owned()
    };
    let code = match kind {
        // Behind a colon stands where the error is described.
        Some(kind) => kind.split(':').next().unwrap_or_default().to_owned(),
        None => word(&["__type", "Code", "code"], "Code"),
    };
    (code, word(&["Message", "message"], "Message"))
}

/// The error of an answer. What is wrong with the alert stays wrong; what is wrong with the target may be mended.
fn refusal(status: StatusCode, code: &str, message: &str) -> SendError {
    // What follows the first line may repeat the request, and with it a token.
    let line = message.lines().next().unwrap_or_default();
    let line = line.split("&#x").next().unwrap_or_default();
    let line = cut(line.trim(), TOLD);
    let told = match (code, &*line) {
        ("", "") => format!("it answered {status}"),
        (code, "") => format!("it answered {status}: {code}"),
        ("", line) => format!("it answered {status}: {line}"),
        (code, line) => format!("it answered {status}: {code}: {line}"),
    };
    let is_of_the_target = OF_THE_TARGET.contains(&status.as_u16()) || may_pass(code);
    if status.is_client_error() && !is_of_the_target {
        SendError::Never(told)
    } else {
        SendError::Later(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_asked_where_it_is() {
        fn check(text: &str, configured: Option<&str>, expected: &str) {
            let arn = Arn::of("sns", text).expect("a name");
            assert_eq!(endpoint("sns", &arn, configured), expected, "{text}");
        }
        let topic = "arn:aws:sns:eu-west-1:123456789012:alerts";
        check(topic, None, "https://sns.eu-west-1.amazonaws.com");
        check(topic, Some(""), "https://sns.eu-west-1.amazonaws.com");
        check(topic, Some("http://[::1]:9/"), "http://[::1]:9");
        check(
            "arn:aws-cn:sns:cn-north-1:123456789012:alerts",
            None,
            "https://sns.cn-north-1.amazonaws.com.cn",
        );
    }

    #[test]
    fn what_aws_says_of_a_failure_is_told_and_decides_whether_to_try_again() {
        fn check(status: u16, kind: Option<&str>, said: &str, expected: &str) {
            let (code, message) = failure(kind, said);
            let status = StatusCode::from_u16(status).expect("a status");
            let told = match refusal(status, &code, &message) {
                SendError::Later(told) => format!("later: {told}"),
                SendError::Never(told) => format!("never: {told}"),
            };
            assert_eq!(told, expected, "{said}");
        }
        check(
            400,
            None,
            "<ErrorResponse><Error><Code>InvalidParameter</Code><Message>too long</Message></Error></ErrorResponse>",
            "never: it answered 400 Bad Request: InvalidParameter: too long",
        );
        check(
            400,
            None,
            "<Error><Code>Throttling</Code></Error>",
            "later: it answered 400 Bad Request: Throttling",
        );
        check(
            403,
            Some("SignatureDoesNotMatch:http://x"),
            r#"{"message": "it does not match.\n\nx-amz-security-token:s3cret"}"#,
            "later: it answered 403 Forbidden: SignatureDoesNotMatch: it does not match.",
        );
        check(
            401,
            None,
            r#"{"Code": "InvalidAccessException", "Message": "not subscribed"}"#,
            "later: it answered 401 Unauthorized: InvalidAccessException: not subscribed",
        );
        check(
            500,
            None,
            "oops",
            "later: it answered 500 Internal Server Error",
        );
    }
}
