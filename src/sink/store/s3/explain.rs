//! Errors of S3 in words for people.

/// What an error of S3 means for people, and what they can do.
pub(super) fn explain(
    code: Option<&str>,
    message: Option<&str>,
    status: Option<u16>,
    context: impl Fn() -> String,
) -> (String, Option<&'static str>) {
    let hint = match (code, status) {
        (Some("AccessDenied" | "AllAccessDisabled"), _) | (None, Some(403)) => Some(
            "the lake needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects, and s3:ListBucket on the bucket",
        ),
        (Some("NoSuchBucket"), _) => Some("make the bucket first, or correct its name"),
        (
            Some(
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ),
            _,
        )
        | (None, Some(301)) => Some("the bucket is in another region: set AWS_REGION to it"),
        (
            Some("ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken"),
            _,
        ) => Some("renew the AWS credentials"),
        _ => None,
    };
    if let Some(code) = code {
        return (
            message.map_or_else(|| code.to_owned(), |message| format!("{message} ({code})")),
            hint,
        );
    }
    let context = context();
    if context.contains("credentials") {
        return (
            context,
            Some("give AWS credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID, a role or single sign-on"),
        );
    }
    (context, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do() {
        fn check(code: Option<&str>, status: Option<u16>, context: &str, wants: &str) {
            let (_, hint) = explain(code, Some("no"), status, || context.to_owned());
            assert!(
                hint.unwrap_or_default().contains(wants),
                "{code:?} {hint:?}"
            );
        }
        check(Some("AccessDenied"), Some(403), "", "s3:PutObject");
        check(None, Some(403), "", "s3:PutObject");
        check(Some("NoSuchBucket"), Some(404), "", "make the bucket");
        check(Some("PermanentRedirect"), Some(301), "", "AWS_REGION");
        check(Some("ExpiredToken"), Some(400), "", "renew");
        check(
            None,
            None,
            "dispatch failure: no providers in chain provided credentials",
            "AWS_PROFILE",
        );
    }
}
