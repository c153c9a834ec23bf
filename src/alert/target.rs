//! Where alerts go, as people write it: `stdout`, `file:PATH`, `webhook:URL`, `slack:URL`, `sns:ARN`, `securityhub:ARN`, each
//! with conditions.

use std::path::PathBuf;

use url::Url;

use super::Brief;
use super::arn::Arn;
use crate::judge::Kind as FindingKind;
use crate::policy::{Severity, words};

/// Where alerts go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its kind, and where it is.
    pub kind: Kind,
    /// Only from this severity on.
    pub min: Severity,
    /// Only of rules of this owner.
    pub owner: Option<String>,
    /// Only of these kinds; empty is all.
    pub kinds: Vec<FindingKind>,
    /// The environment variable that has the secret which signs requests.
    pub secret_env: Option<String>,
    /// How many alerts a minute go one by one; the others go together.
    pub rate: u32,
    /// The form of an alert.
    pub format: Format,
}

words! {
    /// The form of an alert.
    Format {
        /// JSON by our own schema.
        Json = "json",
        /// An event of the Open Cybersecurity Schema Framework.
        Ocsf = "ocsf",
        /// A finding in AWS's Security Finding Format.
        Asff = "asff",
    }
}

/// What takes the alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard output, an alert a line.
    Stdout,
    /// A file, an alert a line, appended.
    File(PathBuf),
    /// A POST request with the alert as its body.
    Webhook(Url),
    /// An incoming webhook of Slack.
    Slack(Url),
    /// A topic of Amazon SNS.
    Sns(Arn),
    /// AWS Security Hub: the product by whose name an account imports findings of its own.
    SecurityHub(Arn),
}

/// Alerts a minute that people can follow.
const DEFAULT_RATE: u32 = 60;

/// The conditions that a target may have.
const CONDITIONS: [&str; 6] = ["min", "owner", "kind", "secret-env", "rate", "format"];

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

impl Target {
    /// Understands a target. Conditions stand behind a `?` and are separated by `&`: `min=high`, `owner=NAME`,
    /// `kind=KIND` (several times), `rate=N` (a minute), `format=FORMAT`, `secret-env=NAME`. What else stands there belongs to the address.
    ///
    /// # Errors
    /// When it is none, in words for people.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let (conditions, others): (Vec<_>, Vec<_>) = pairs
            .into_owned()
            .partition(|(name, _)| CONDITIONS.contains(&name.as_str()));
        let (word, address) = place.split_once(':').unwrap_or((place, ""));
        let url = || -> Result<Url, TargetError> {
            let mut url = Url::parse(address).map_err(|error| {
                TargetError(format!(
                    "expected {word}:https://…, got `{address}`: {error}"
                ))
            })?;
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return wrong(format!("expected {word}:https://…, got `{address}`"));
            }
            if !others.is_empty() {
                url.query_pairs_mut().extend_pairs(&others);
            }
            Ok(url)
        };
        let kind = match word {
            "stdout" if address.is_empty() => Kind::Stdout,
            "file" if !address.is_empty() => Kind::File(PathBuf::from(address)),
            "webhook" => Kind::Webhook(url()?),
            "slack" => Kind::Slack(url()?),
            "sns" => Kind::Sns(topic(address)?),
            "securityhub" => Kind::SecurityHub(product(address)?),
            _ => {
                return wrong(format!(
                    "expected stdout, file:PATH, webhook:URL, slack:URL, sns:ARN or securityhub:ARN, got `{text}`"
                ));
            }
        };
        let takes_others = matches!(kind, Kind::Webhook(_) | Kind::Slack(_));
        if let (false, Some((name, _))) = (takes_others, others.first()) {
            return wrong(format!(
                "expected one of {} behind the `?`, got `{name}`",
                CONDITIONS.join(", ")
            ));
        }
        let format = match kind {
            Kind::SecurityHub(_) => Format::Asff,
            _ => Format::Json,
        };
        let mut target = Target {
            kind,
            min: Severity::Low,
            owner: None,
            kinds: Vec::new(),
            secret_env: None,
            rate: DEFAULT_RATE,
            format,
        };
        for (name, value) in conditions {
            target.condition(&name, value)?;
        }
        Ok(target)
    }

    fn condition(&mut self, name: &str, value: String) -> Result<(), TargetError> {
        match name {
            "min" => {
                let known = Severity::from_word(&value).filter(|known| *known > Severity::Info);
                let Some(min) = known else {
                    return wrong(format!(
                        "expected min=low, medium, high or critical, got `{value}`"
                    ));
                };
                self.min = min;
            }
            "owner" => self.owner = Some(value),
            "kind" => {
                let Some(kind) = FindingKind::from_word(&value) else {
                    let words: Vec<&str> =
                        FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
                    return wrong(format!(
                        "expected kind= one of {}, got `{value}`",
                        words.join(", ")
                    ));
                };
                self.kinds.push(kind);
            }
            "secret-env" if matches!(self.kind, Kind::Webhook(_)) => self.secret_env = Some(value),
            "secret-env" => {
                return wrong("secret-env is for webhooks: only they are signed".to_owned());
            }
            "format" if matches!(self.kind, Kind::Slack(_)) => {
                return wrong("Slack has a form of its own: leave out format=".to_owned());
            }
            "format" if matches!(self.kind, Kind::SecurityHub(_)) => {
                return wrong("Security Hub takes ASFF: leave out format=".to_owned());
            }
            "format" => {
                let Some(format) = Format::from_word(&value) else {
                    return wrong(format!("expected format=json, ocsf or asff, got `{value}`"));
                };
                self.format = format;
            }
            "rate" if matches!(self.kind, Kind::SecurityHub(_)) => {
                return wrong("Security Hub takes each finding: leave out rate=".to_owned());
            }
            _ => match value.parse() {
                Ok(rate @ 1..) => self.rate = rate,
                _ => {
                    return wrong(format!(
                        "expected rate= a number of alerts a minute, got `{value}`"
                    ));
                }
            },
        }
        Ok(())
    }

    /// Whether an alert about this finding goes there.
    pub fn wants(&self, finding: &Brief) -> bool {
        let kind = FindingKind::from_word(&finding.kind);
        Severity::from_word(&finding.severity) >= Some(self.min)
            && self
                .owner
                .as_ref()
                .is_none_or(|owner| *owner == finding.owner)
            && (self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.contains(&kind)))
    }

    /// How many alerts a minute it takes one by one; none where there is no such bound, or no form for several in one.
    pub fn rate(&self) -> Option<usize> {
        match self.kind {
            _ if self.format == Format::Asff => None,
            Kind::Stdout | Kind::File(_) | Kind::SecurityHub(_) => None,
            Kind::Webhook(_) | Kind::Slack(_) | Kind::Sns(_) => Some(self.rate as usize),
        }
    }

    /// Whether nothing goes there while something that came before is to be tried again: of a finding the last alert counts.
    pub fn keeps_order(&self) -> bool {
        match &self.kind {
            Kind::SecurityHub(_) => true,
            Kind::Sns(topic) => topic.resource.ends_with(".fifo"),
            _ => false,
        }
    }

    /// What its queue is known by from run to run: not the address, which may hold a secret.
    pub fn id(&self) -> String {
        let (word, address) = match &self.kind {
            Kind::Stdout => ("stdout", String::new()),
            Kind::File(path) => ("file", path.display().to_string()),
            Kind::Webhook(url) => ("webhook", url.to_string()),
            Kind::Slack(url) => ("slack", url.to_string()),
            Kind::Sns(arn) => ("sns", arn.text.clone()),
            Kind::SecurityHub(arn) => ("securityhub", arn.text.clone()),
        };
        let hash = xxhash_rust::xxh3::xxh3_64(address.as_bytes());
        format!("{word}-{hash:016x}")
    }

    /// What people know it by, without what may be secret of its address.
    pub fn shown(&self) -> String {
        let host = |word: &str, url: &Url| format!("{word}:{}", url.host_str().unwrap_or("?"));
        match &self.kind {
            Kind::Stdout => "stdout".to_owned(),
            Kind::File(path) => format!("file:{}", path.display()),
            Kind::Webhook(url) => host("webhook", url),
            Kind::Slack(url) => host("slack", url),
            Kind::Sns(arn) => format!("sns:{}", arn.text),
            Kind::SecurityHub(arn) => format!("securityhub:{}", arn.text),
        }
    }
}

/// The topic of this name.
fn topic(text: &str) -> Result<Arn, TargetError> {
    // A subscription's name goes on.
    let topic = Arn::of("sns", text).filter(|arn| !arn.resource.contains([':', '/']));
    topic.ok_or_else(|| {
        TargetError(format!(
            "expected sns:arn:aws:sns:REGION:ACCOUNT:TOPIC, got `{text}`"
        ))
    })
}

/// The product of this name: the one that an account has for findings of its own.
fn product(text: &str) -> Result<Arn, TargetError> {
    let is_own = |arn: &Arn| arn.resource == format!("product/{}/default", arn.account);
    let product = Arn::of("securityhub", text).filter(is_own);
    product.ok_or_else(|| {
        TargetError(format!(
            "expected securityhub:arn:aws:securityhub:REGION:ACCOUNT:product/ACCOUNT/default, got `{text}`"
        ))
    })
}

fn wrong<T>(message: String) -> Result<T, TargetError> {
    Err(TargetError(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match Target::parse(text) {
            Ok(target) => format!("{} from {}", target.shown(), target.min.as_str()),
            Err(error) => error.to_string(),
        };
        assert!(
            found.contains(expected),
            "{text}: expected `{expected}` in `{found}`"
        );
    }

    #[test]
    fn targets_are_understood_or_what_is_wrong_is_said() {
        check("stdout", "stdout from low");
        check(
            "file:/var/log/alerts.ndjson?min=high",
            "file:/var/log/alerts.ndjson from high",
        );
        check(
            "webhook:https://hooks.example/x?min=critical&kind=egress-violation",
            "webhook:hooks.example from critical",
        );
        check("mail:me", "expected stdout, file:PATH");
        check("stdout:x", "expected stdout, file:PATH");
        check("file:", "expected stdout, file:PATH");
        check("webhook:hooks.example", "expected webhook:https://");
        check("slack:ftp://x/y", "expected slack:https://");
        check(
            "stdout?min=info",
            "expected min=low, medium, high or critical",
        );
        check("stdout?severity=high", "expected one of min, owner, kind");
        check("stdout?kind=odd", "expected kind= one of denied-attempt");
        check("stdout?format=xml", "expected format=json, ocsf or asff");
        check("stdout?format=asff", "stdout from low");
        check(
            "slack:https://x.example?format=ocsf",
            "Slack has a form of its own",
        );
        check("stdout?rate=0", "a number of alerts a minute");
        check(
            "slack:https://x.example?secret-env=S",
            "secret-env is for webhooks",
        );
    }

    #[test]
    fn targets_in_aws_are_names_of_the_right_things() {
        let topic = "arn:aws:sns:eu-west-1:123456789012:alerts";
        let product = "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default";
        check(
            &format!("sns:{topic}?min=high"),
            &format!("sns:{topic} from high"),
        );
        check(&format!("sns:{topic}?format=ocsf&rate=5"), "from low");
        check(&format!("sns:{product}"), "expected sns:arn:aws:sns:REGION");
        check(
            &format!("sns:{topic}:1-2-3"),
            "expected sns:arn:aws:sns:REGION",
        );
        check(
            &format!("sns:{topic}?x=y"),
            "expected one of min, owner, kind",
        );
        check("sns:alerts", "expected sns:arn:aws:sns:REGION");
        check(
            &format!("securityhub:{product}?min=critical"),
            &format!("securityhub:{product} from critical"),
        );
        for wrong in [
            topic,
            "arn:aws:securityhub:eu-west-1:123456789012:hub/default",
            "arn:aws:securityhub:eu-west-1:123456789012:product/210987654321/default",
        ] {
            check(
                &format!("securityhub:{wrong}"),
                "expected securityhub:arn:aws:securityhub:REGION:ACCOUNT:product/ACCOUNT/default",
            );
        }
        check(
            &format!("securityhub:{product}?format=asff"),
            "leave out format=",
        );
        check(&format!("securityhub:{product}?rate=5"), "leave out rate=");
        check(
            &format!("securityhub:{product}?secret-env=S"),
            "secret-env is for webhooks",
        );
    }

    #[test]
    fn what_has_no_form_for_several_in_one_has_no_rate() {
        let rate = |text: &str| Target::parse(text).expect("a target").rate();
        let topic = "sns:arn:aws:sns:eu-west-1:123456789012:alerts";
        assert_eq!(rate(topic), Some(60));
        assert_eq!(rate(&format!("{topic}?rate=5&format=asff")), None);
        let product = "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default";
        assert_eq!(rate(&format!("securityhub:{product}")), None);
    }

    #[test]
    fn a_webhook_keeps_what_is_its_own_and_shows_no_secret() {
        let target = Target::parse("webhook:https://hooks.example/in?token=s3cret&min=high")
            .expect("a target");
        let Kind::Webhook(url) = &target.kind else {
            panic!("{target:?}");
        };
        assert_eq!(url.as_str(), "https://hooks.example/in?token=s3cret");
        assert!(!target.shown().contains("s3cret") && !target.id().contains("s3cret"));
        assert_ne!(
            target.id(),
            Target::parse("webhook:https://hooks.example/in")
                .expect("a target")
                .id()
        );
    }
}
