//! Route 53 Resolver query logs: which client asked for which name, and which addresses it was answered with.
//!
//! A line is a JSON object; several may stand on one line. Around it may stand what CloudWatch Logs and Firehose put there,
//! as around flow logs (`wrapped`).
//!
//! Sources: AWS, *Values that appear in VPC Resolver query logs* and *Querying Amazon Route 53 Resolver query logs* (Athena
//! User Guide). Answers carry no TTL, and only queries that miss the resolver's cache are logged.

use std::borrow::Cow;

use serde::Deserialize;

use super::row::excerpt;
use super::wrapped::{starts_with_time, unwrap};
use crate::net::Addr;

/// A query that was answered with addresses, or with none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverQuery {
    /// When it was asked, seconds since 1970; from 2014 to 2100.
    pub at: u32,
    /// `vpc_id`; not all logs have it.
    pub vpc: Option<String>,
    /// `account_id`.
    pub account: Option<String>,
    /// `region`.
    pub region: Option<String>,
    /// Who asked: `srcaddr`.
    pub client: Addr,
    /// The name that was asked for, as [`domain_name`] has it.
    pub name: String,
    /// The names that it is an alias of (CNAME), in the order of the answer.
    pub aliases: Vec<String>,
    /// The addresses of the answer (A and AAAA), sorted, each once.
    pub addresses: Vec<Addr>,
}

/// Why a line is no query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedQuery {
    /// A line longer than the bound.
    #[error("expected a line of at most {limit} bytes, got more")]
    TooLong {
        /// The bound in bytes.
        limit: usize,
    },
    /// It is no JSON object with the fields of a query.
    #[error("expected a Resolver query as JSON ({reason}), got `{text}`")]
    Shape {
        /// What the parser says.
        reason: String,
        /// What stands there, cut short.
        text: String,
    },
    /// A field does not hold what its name promises.
    #[error("expected {wants} in `{field}`, got `{text}`")]
    Field {
        /// AWS's name of the field.
        field: &'static str,
        /// What would be right.
        wants: &'static str,
        /// What stands there, cut short.
        text: String,
    },
}

/// A domain name as it is compared: lower case, without the dot at its end.
pub fn domain_name(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text);
    text.to_ascii_lowercase()
}

/// Hands the queries of a line to `each`, in order, and why what else it holds is none. False for a line of white space
/// only, or one that CloudWatch sends to see whether anybody listens.
pub fn queries_of_line(
    line: &[u8],
    each: &mut dyn FnMut(Result<ResolverQuery, MalformedQuery>),
) -> bool {
    let mut text = line.trim_ascii();
    if starts_with_time(text) {
        let end = text.iter().position(u8::is_ascii_whitespace);
        text = text[end.unwrap_or(text.len())..].trim_ascii_start();
    }
    if text.is_empty() {
        return false;
    }
    let mut any = false;
    let mut objects = serde_json::Deserializer::from_slice(text).into_iter::<Line<'_>>();
    let mut start = 0;
    while let Some(object) = objects.next() {
        let end = objects.byte_offset();
        match object {
            Ok(line) if line.is_wrapping() => {
                // What is wrapped is a line by itself, in which nothing is wrapped again.
                let inner = unwrap(&text[start..end]);
                any |= inner.as_ref().map_or(true, |inner| !inner.is_empty());
                match inner {
                    Ok(inner) => inner
                        .iter()
                        .for_each(|inner| each(query_of_text(inner.as_bytes()))),
                    Err(error) => each(Err(shape(&error, &text[start..end]))),
                }
            }
            Ok(line) => {
                any = true;
                each(line.query());
            }
            Err(error) => {
                any = true;
                each(Err(shape(&error, &text[start..])));
            }
        }
        start = end;
    }
    any
}

fn query_of_text(text: &[u8]) -> Result<ResolverQuery, MalformedQuery> {
    match serde_json::from_slice::<Line<'_>>(text) {
        Ok(line) => line.query(),
        Err(error) => Err(shape(&error, text)),
    }
}

fn shape(error: &dyn std::fmt::Display, text: &[u8]) -> MalformedQuery {
    MalformedQuery::Shape {
        reason: error.to_string(),
        text: excerpt(text),
    }
}

/// A line as it is written. Which fields there must be depends on whether it is wrapped, so all are optional here.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    query_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    query_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    srcaddr: Option<Cow<'a, str>>,
    #[serde(borrow)]
    vpc_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    region: Option<Cow<'a, str>>,
    #[serde(borrow)]
    answers: Option<Answers<'a>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(rename = "logEvents")]
    log_events: Option<serde::de::IgnoredAny>,
    #[serde(borrow, rename = "messageType")]
    message_type: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answers<'a> {
    #[serde(borrow)]
    Many(Vec<Answer<'a>>),
    #[serde(borrow)]
    One(Answer<'a>),
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, rename = "Rdata", alias = "rdata")]
    data: Cow<'a, str>,
    #[serde(borrow, rename = "Type", alias = "type")]
    kind: Cow<'a, str>,
}

impl Line<'_> {
    fn is_wrapping(&self) -> bool {
        self.query_name.is_none()
            && (self.message.is_some()
                || self.log_events.is_some()
                || self.message_type.as_deref() == Some("CONTROL_MESSAGE"))
    }

    fn query(self) -> Result<ResolverQuery, MalformedQuery> {
        let answers = match self.answers {
            None => Vec::new(),
            Some(Answers::Many(answers)) => answers,
            Some(Answers::One(answer)) => vec![answer],
        };
        let mut aliases = Vec::new();
        let mut addresses = Vec::new();
        for answer in &answers {
            match &*answer.kind {
                "A" | "AAAA" => addresses.push(addr("answers", &answer.data)?),
                "CNAME" => aliases.push(name("answers", &answer.data)?),
                _ => {}
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let owned = |text: Option<Cow<'_, str>>| {
            text.map(Cow::into_owned)
                .filter(|text| !text.is_empty() && text != "-")
        };
        Ok(ResolverQuery {
            at: time(&self.query_timestamp.unwrap_or_default())?,
            client: addr("srcaddr", &self.srcaddr.unwrap_or_default())?,
            name: name("query_name", &self.query_name.unwrap_or_default())?,
            vpc: owned(self.vpc_id),
            account: owned(self.account_id),
            region: owned(self.region),
            aliases,
            addresses,
        })
    }
}

fn field(field: &'static str, wants: &'static str, text: &str) -> MalformedQuery {
    MalformedQuery::Field {
        field,
        wants,
        text: excerpt(text.as_bytes()),
    }
}

fn addr(of: &'static str, text: &str) -> Result<Addr, MalformedQuery> {
    let wants = "an IPv4 or IPv6 address";
    let parsed = text.parse().map_err(|_| field(of, wants, text))?;
    // An address of all zeros is nobody's.
    if parsed == Addr::from_v6(0) {
        return Err(field(of, wants, text));
    }
    Ok(parsed)
}

fn name(of: &'static str, text: &str) -> Result<String, MalformedQuery> {
    /// Bytes of the longest name as text, with its dot (RFC 1035); each byte may be written as `\000`.
    const LONGEST: usize = 4 * 255;
    let is_name = !text.is_empty()
        && text.len() <= LONGEST
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if !is_name {
        return Err(field(of, "a domain name", text));
    }
    Ok(domain_name(text))
}

/// Seconds of a time like `2026-02-25T06:00:00Z`; without an offset it is UTC.
fn time(text: &str) -> Result<u32, MalformedQuery> {
    /// From 2014, before there were such logs, to 2100: as for flow logs.
    const TIMES: std::ops::Range<i64> = 1_388_534_400..4_102_444_800;
    let instant = text.parse::<jiff::Timestamp>().or_else(|error| {
        let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| error)?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC)?;
        Ok::<_, jiff::Error>(zoned.timestamp())
    });
    instant
        .ok()
        .map(|instant| instant.as_second())
        .filter(|seconds| TIMES.contains(seconds))
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| {
            field(
                "query_timestamp",
                "a time from 2014 to 2100, like 2026-02-25T06:00:00Z",
                text,
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line holds, a word or two each.
    fn told(line: &str) -> Vec<String> {
        let mut told = Vec::new();
        let mut each = |query: Result<ResolverQuery, MalformedQuery>| {
            told.push(match query {
                Ok(query) => format!(
                    "{} {} {} {} [{}] {:?}",
                    query.at,
                    query.vpc.as_deref().unwrap_or("-"),
                    query.client,
                    query.name,
                    query.aliases.join(" "),
                    query.addresses
                ),
                Err(error) => error.to_string(),
            });
        };
        let any = queries_of_line(line.as_bytes(), &mut each);
        assert_eq!(any, !told.is_empty(), "{line}");
        told
    }

    fn check(line: &str, expected: &str) {
        assert_eq!(told(line), [expected], "{line}");
    }

    const QUERY: &str = r#"{"version":"1.100000","account_id":"123456789012","region":"us-east-2","vpc_id":"vpc-1","query_timestamp":"2026-02-25T06:00:00Z","query_name":"WWW.Packages.example.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"x.cdn.example.","Type":"CNAME","Class":"IN"},{"Rdata":"192.0.2.7","Type":"A","Class":"IN"},{"Rdata":"::ffff:192.0.2.7","Type":"AAAA","Class":"IN"}],"srcaddr":"10.0.32.5","srcport":"4711","transport":"UDP","srcids":{"instance":"i-1"}}"#;
    const TOLD: &str =
        "1771999200 vpc-1 10.0.32.5 www.packages.example [x.cdn.example] [192.0.2.7]";

    #[test]
    fn a_query_is_read_in_all_its_wrappings() {
        check(QUERY, TOLD);
        check(&format!("2026-02-25T06:00:01.123Z {QUERY}\r"), TOLD);
        assert_eq!(told(&format!("{QUERY}{QUERY} {QUERY}")), [TOLD; 3]);
        let message = serde_json::to_string(QUERY).expect("text");
        check(&format!(r#"{{"message":{message}}}"#), TOLD);
        let data = format!(
            r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"message":{message}}},{{"message":{message}}}]}}"#
        );
        assert_eq!(told(&data), [TOLD; 2]);
        assert!(told(r#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}"#).is_empty());
        assert!(told("  ").is_empty());
        assert!(told("2026-02-25T06:00:01.123Z").is_empty());
    }

    #[test]
    fn a_query_without_answers_is_one_all_the_same() {
        let least = r#"{"query_timestamp":"2026-02-25T06:00:00","query_name":"a.example","srcaddr":"10.0.0.1"}"#;
        check(least, "1771999200 - 10.0.0.1 a.example [] []");
        let one = r#"{"query_timestamp":"2026-02-25T06:00:00.9Z","query_name":"a.example","srcaddr":"10.0.0.1","vpc_id":"-","answers":{"Rdata":"2001:db8::1","Type":"AAAA","Class":"IN"}}"#;
        check(one, "1771999200 - 10.0.0.1 a.example [] [2001:db8::1]");
        let other = r#"{"query_timestamp":"2026-02-25T06:00:00Z","query_name":"a.example","srcaddr":"10.0.0.1","answers":[{"Rdata":"10 mx.example.","Type":"MX","Class":"IN"}]}"#;
        check(other, "1771999200 - 10.0.0.1 a.example [] []");
    }

    #[test]
    fn what_is_no_query_says_why() {
        let with = |from: &str, to: &str| QUERY.replacen(from, to, 1);
        for (line, part) in [
            ("[]".to_owned(), "expected a Resolver query as JSON"),
            ("{".to_owned(), "expected a Resolver query as JSON"),
            ("2 1234 eni-0 x".to_owned(), "expected a Resolver query"),
            ("{}".to_owned(), "in `query_timestamp`, got ``"),
            (
                with("2026-02-25T06:00:00Z", "1999-01-01T00:00:00Z"),
                "expected a time from 2014",
            ),
            (
                with("2026-02-25T06:00:00Z", "soon"),
                "expected a time from 2014",
            ),
            (
                with("\"192.0.2.7\"", "\"192.0.2.700\""),
                "in `answers`, got `192.0.2.700`",
            ),
            (
                with("\"192.0.2.7\"", "\"0::0\""),
                "in `answers`, got `0::0`",
            ),
            (with("10.0.32.5", "host"), "in `srcaddr`, got `host`"),
            (
                with("WWW.Packages.example.", "a b"),
                "a domain name in `query_name`",
            ),
            (
                with("\"10.0.32.5\"", "7"),
                "expected a Resolver query as JSON",
            ),
            ("[".repeat(100_000), "expected a Resolver query as JSON"),
        ] {
            let told = told(&line);
            assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
        }
        // What comes before the damage counts.
        let told = told(&format!("{QUERY}{{\"a\":"));
        assert_eq!((told.len(), &*told[0]), (2, TOLD));
    }

    #[test]
    fn names_are_compared_without_case_and_final_dot() {
        assert_eq!(domain_name("A.Example."), "a.example");
        assert_eq!(domain_name("a.example"), "a.example");
        assert_eq!(domain_name("."), "");
    }
}
