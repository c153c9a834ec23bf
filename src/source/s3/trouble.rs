//! What an error of the SDK means for us.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::source::{SourceError, Unreadable};

/// Why a request failed. Codes are those of AWS, *Error responses* (Amazon S3 API Reference).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) enum Trouble {
    /// Throttled, a fault on the server's side, a broken connection, a time-out: may pass.
    Passing(String),
    /// 403.
    Denied(String),
    /// The key that the object is encrypted with cannot be used.
    Kms(String),
    /// In a storage class that has to be restored from.
    Archived,
    /// 404.
    Gone,
    NoBucket,
    /// The bucket is elsewhere; where, if the answer says.
    Region(Option<String>),
    Credentials(String),
    /// The entity tag is not the one that was asked for.
    Changed,
    /// Anything else.
    Other(String),
}

/// Sorts an error.
pub(super) fn sort<E>(error: SdkError<E, HttpResponse>) -> Trouble
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(service) = &error else {
        let text = in_full(&error);
        return match &error {
            SdkError::ConstructionFailure(_) => Trouble::Other(text),
            // Names no kind when the credentials are at fault; its text does.
            SdkError::DispatchFailure(failure) if !failure.is_io() && !failure.is_timeout() => {
                if text.contains("redential") {
                    Trouble::Credentials(text)
                } else {
                    Trouble::Passing(text)
                }
            }
            _ => Trouble::Passing(text),
        };
    };
    let headers = service.raw().headers();
    let answer = Answer {
        status: service.raw().status().as_u16(),
        code: service.err().code().unwrap_or_default(),
        message: service.err().message().unwrap_or_default(),
        region: headers.get("x-amz-bucket-region"),
    };
    answer.sort()
}

struct Answer<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
    region: Option<&'a str>,
}

impl Answer<'_> {
    fn sort(&self) -> Trouble {
        if self.code.starts_with("KMS.") || self.message.contains("kms:") {
            return Trouble::Kms(self.text());
        }
        match self.code {
            "NoSuchBucket" => return Trouble::NoBucket,
            "InvalidObjectState" => return Trouble::Archived,
            "ExpiredToken"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "TokenRefreshRequired" => {
                return Trouble::Credentials(self.text());
            }
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => {
                return Trouble::Region(self.region());
            }
            // The last: the SDK sets its clock by such an answer.
            "RequestTimeout"
            | "SlowDown"
            | "Throttling"
            | "InternalError"
            | "ServiceUnavailable"
            | "RequestTimeTooSkewed" => {
                return Trouble::Passing(self.text());
            }
            _ => {}
        }
        match self.status {
            301 | 307 => Trouble::Region(self.region()),
            401 | 403 => Trouble::Denied(self.text()),
            404 => Trouble::Gone,
            // An object that shrank no longer has the range that is asked for.
            412 | 416 => Trouble::Changed,
            408 | 429 | 500.. => Trouble::Passing(self.text()),
            _ => Trouble::Other(self.text()),
        }
    }

    /// AWS names the region in a header, and in the words of one of the errors.
    fn region(&self) -> Option<String> {
        let in_words = || self.message.split_once("expecting '")?.1.split('\'').next();
        self.region.or_else(in_words).map(str::to_owned)
    }

    fn text(&self) -> String {
        match (self.code, self.message) {
            ("", _) => format!("status {}", self.status),
            (code, "") => format!("{code} ({})", self.status),
            (code, message) => format!(
                "{code} ({}): {}",
                self.status,
                message.trim_end_matches('.')
            ),
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

impl Trouble {
    /// As the reason why a source cannot be listed.
    pub(super) fn listing(self, url: &str, bucket: &str, used: &str, tries: u32) -> SourceError {
        let url = url.to_owned();
        match self {
            Trouble::Passing(reason) => SourceError::Unreachable { url, tries, reason },
            Trouble::Denied(reason) | Trouble::Kms(reason) => SourceError::Denied { url, reason },
            Trouble::NoBucket | Trouble::Gone => SourceError::NoBucket {
                bucket: bucket.to_owned(),
            },
            Trouble::Region(region) => SourceError::Region {
                bucket: bucket.to_owned(),
                used: used.to_owned(),
                region,
            },
            Trouble::Credentials(reason) => SourceError::Credentials { reason },
            Trouble::Other(reason) => SourceError::Service { url, reason },
            Trouble::Archived | Trouble::Changed => SourceError::Service {
                url,
                reason: "an answer that does not fit a listing".to_owned(),
            },
        }
    }

    /// As the reason why an object cannot be read.
    pub(super) fn reading(self, tries: u32) -> Unreadable {
        match self {
            Trouble::Passing(reason) => Unreadable::Unreachable { tries, reason },
            Trouble::Denied(reason) => Unreadable::Denied { reason },
            Trouble::Kms(reason) => Unreadable::Key { reason },
            Trouble::Archived => Unreadable::Archived,
            Trouble::Gone | Trouble::NoBucket => Unreadable::Gone,
            Trouble::Changed => Unreadable::Changing { tries },
            Trouble::Region(Some(region)) => Unreadable::Refused {
                reason: format!("its bucket is in {region}"),
            },
            Trouble::Region(None) => Unreadable::Refused {
                reason: "its bucket is in another region".to_owned(),
            },
            Trouble::Credentials(reason) | Trouble::Other(reason) => Unreadable::Refused { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, code: &str, message: &str, expected: Trouble) {
        let answer = Answer {
            status,
            code,
            message,
            region: None,
        };
        assert_eq!(answer.sort(), expected);
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let passing = |text: &str| Trouble::Passing(text.to_owned());
        check(
            503,
            "SlowDown",
            "Please reduce your request rate.",
            passing("SlowDown (503): Please reduce your request rate"),
        );
        check(500, "InternalError", "", passing("InternalError (500)"));
        check(502, "", "", passing("status 502"));
        check(429, "", "", passing("status 429"));
        check(400, "RequestTimeout", "", passing("RequestTimeout (400)"));
        check(
            403,
            "AccessDenied",
            "Access Denied",
            Trouble::Denied("AccessDenied (403): Access Denied".to_owned()),
        );
        check(403, "", "", Trouble::Denied("status 403".to_owned()));
        check(404, "NoSuchKey", "", Trouble::Gone);
        check(404, "", "", Trouble::Gone);
        check(404, "NoSuchBucket", "", Trouble::NoBucket);
        check(412, "PreconditionFailed", "", Trouble::Changed);
        check(416, "InvalidRange", "", Trouble::Changed);
        check(403, "InvalidObjectState", "", Trouble::Archived);
        check(
            400,
            "KMS.DisabledException",
            "",
            Trouble::Kms("KMS.DisabledException (400)".to_owned()),
        );
        check(
            403,
            "ExpiredToken",
            "",
            Trouble::Credentials("ExpiredToken (403)".to_owned()),
        );
        check(
            400,
            "InvalidArgument",
            "",
            Trouble::Other("InvalidArgument (400)".to_owned()),
        );
    }

    #[test]
    fn a_denied_key_is_not_a_denied_object() {
        let message = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:Decrypt on the resource";
        let expected = format!("AccessDenied (403): {message}");
        check(403, "AccessDenied", message, Trouble::Kms(expected));
    }

    #[test]
    fn the_region_is_in_a_header_or_in_words() {
        let message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'";
        check(
            400,
            "AuthorizationHeaderMalformed",
            message,
            Trouble::Region(Some("eu-west-1".to_owned())),
        );
        check(301, "PermanentRedirect", "", Trouble::Region(None));
        let answer = Answer {
            status: 301,
            code: "",
            message: "",
            region: Some("sa-east-1"),
        };
        assert_eq!(answer.sort(), Trouble::Region(Some("sa-east-1".to_owned())));
    }
}
