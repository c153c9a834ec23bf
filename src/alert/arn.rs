//! Names of things in AWS, as alerts need them: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

/// The name of a thing that an account has in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn {
    /// As it is written.
    pub text: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
    /// What it is there.
    pub resource: String,
}

impl Arn {
    /// The name of something of this service; none if the text names something else.
    pub fn of(service: &str, text: &str) -> Option<Arn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, found, region, account, resource] = parts[..] else {
            return None;
        };
        // Hosts are made of them.
        let is_plain = |word: &str| {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !word.is_empty() && word.chars().all(is_plain)
        };
        let is_whole = is_plain(partition) && is_plain(region) && is_account(account);
        if found != service || !is_whole || resource.is_empty() {
            return None;
        }
        Some(Arn {
            text: text.to_owned(),
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

/// Whether a text is an account's id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The partition that a region is in.
pub fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_of_the_service_is_none() {
        let topic = "arn:aws-cn:sns:cn-north-1:123456789012:alerts";
        let arn = Arn::of("sns", topic).expect("a name");
        assert_eq!(
            (&*arn.partition, &*arn.region, &*arn.account, &*arn.resource),
            ("aws-cn", "cn-north-1", "123456789012", "alerts")
        );
        for text in [
            "",
            "alerts",
            "arn:aws:sqs:eu-west-1:123456789012:alerts",
            "arn:aws:sns:eu-west-1:1234:alerts",
            "arn:aws:sns::123456789012:alerts",
            "arn:aws:sns:evil.example/:123456789012:alerts",
            "arn:aws:sns:eu-west-1:123456789012:",
        ] {
            assert_eq!(Arn::of("sns", text), None, "{text}");
        }
    }
}
