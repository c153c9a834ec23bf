//! What an object's key says: AWS's own layouts, plain, hourly and hive.
//!
//! Resolver query logs lie beside flow logs, in `AWSLogs/<account>/vpcdnsquerylogs/<VPC>/YYYY/MM/DD/`, as
//! `<VPC>_vpcdnsquerylogs_<account>_<YYYYMMDD>T<HHmm>Z_<hash>.log.gz` (AWS, *Querying Amazon Route 53 Resolver query logs*;
//! the file's name is as seen in the field).
//!
//! Sources: AWS, *Flow log files* (VPC User Guide) and *Transit Gateway Flow Logs records in Amazon S3*. The folders are
//! `AWSLogs/<account>/vpcflowlogs/<region>/YYYY/MM/DD/[HH/]` or the same with hive names, the file is
//! `<account>_vpcflowlogs_<region>_<flow log>_<YYYYMMDD>T<HHmm>Z_<hash>.log.gz`. Everything that a run needs to know is
//! in the file's name, so a file that was copied elsewhere keeps its facts.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::{Date, date};

/// Which logs are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Logs {
    /// Flow logs of VPCs and transit gateways.
    #[default]
    Flow,
    /// Route 53 Resolver query logs.
    Resolver,
}

impl Logs {
    /// Whether a folder's name says that such logs are below.
    pub(super) fn is_folder(self, name: &str) -> bool {
        match self {
            Logs::Flow => is_flow_log_folder(name),
            Logs::Resolver => name == RESOLVER_LOGS,
        }
    }

    /// Whether a file that was found (not named) is read, as [`is_taken`]; queries are also exported as JSON.
    pub(super) fn is_taken(self, relative: &str) -> bool {
        match self {
            Logs::Flow => is_taken(relative),
            Logs::Resolver => {
                let taken = ["log", "txt", "gz", "zst", "json", "jsonl", "ndjson"];
                is_shown_with(relative, &taken)
            }
        }
    }
}

/// The service's name in folders and files of Resolver query logs.
const RESOLVER_LOGS: &str = "vpcdnsquerylogs";

/// Facts in the name of a flow log object, or of one of Resolver query logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The account in the name.
    pub account: Arc<str>,
    /// The region in the name; empty for Resolver query logs, whose names have none.
    pub region: Arc<str>,
    /// The flow log's id (`fl-…`); of Resolver query logs the VPC's.
    pub flow_log: Arc<str>,
    /// The publishing time in the name, seconds since 1970.
    pub time: u32,
}

impl KeyFacts {
    /// The facts in the last component of a key or path; none when the name is not AWS's.
    pub fn parse(key: &str) -> Option<KeyFacts> {
        KeyFacts::parse_shared(key, &mut Names::default())
    }

    /// The same, with equal names shared.
    pub(super) fn parse_shared(key: &str, names: &mut Names) -> Option<KeyFacts> {
        let name = key.rsplit('/').next()?;
        let mut parts = name.split('_');
        let account = parts.next().filter(|account| !account.is_empty())?;
        if parts.next()? != "vpcflowlogs" {
            return None;
        }
        let region = parts.next().filter(|region| !region.is_empty())?;
        let flow_log = parts.next().filter(|id| id.starts_with("fl-"))?;
        let time = key_time(parts.next()?)?;
        // The hash, and the extensions behind it.
        parts.next()?;
        Some(KeyFacts {
            account: names.share(account),
            region: names.share(region),
            flow_log: names.share(flow_log),
            time,
        })
    }

    /// The facts that a key of these logs has.
    pub(super) fn parse_of(logs: Logs, key: &str, names: &mut Names) -> Option<KeyFacts> {
        match logs {
            Logs::Flow => KeyFacts::parse_shared(key, names),
            Logs::Resolver => KeyFacts::parse_resolver(key, names),
        }
    }

    fn parse_resolver(key: &str, names: &mut Names) -> Option<KeyFacts> {
        let mut parts = key.rsplit('/').next()?.split('_');
        let vpc = parts.next().filter(|vpc| !vpc.is_empty())?;
        if parts.next()? != RESOLVER_LOGS {
            return None;
        }
        let account = parts.next().filter(|account| !account.is_empty())?;
        let time = key_time(parts.next()?)?;
        // The hash, and the extensions behind it.
        parts.next()?;
        Some(KeyFacts {
            account: names.share(account),
            region: names.share(""),
            flow_log: names.share(vpc),
            time,
        })
    }

    /// The day of the publishing time, UTC.
    pub fn day(&self) -> Date {
        day_of(self.time)
    }
}

/// Names that many keys have in common, each held once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        self.0.insert(shared.clone());
        shared
    }
}

/// `20260225T0605Z`, in seconds since 1970.
fn key_time(text: &str) -> Option<u32> {
    let (day, clock) = text.strip_suffix('Z')?.split_once('T')?;
    if day.len() != 8 || clock.len() != 4 {
        return None;
    }
    let day = date_of(&day[..4], day.get(4..6)?, day.get(6..)?)?;
    let hour: u32 = number(clock.get(..2)?)?;
    let minute: u32 = number(clock.get(2..)?)?;
    if hour > 23 || minute > 59 {
        return None;
    }
    u32::try_from(seconds_at(day) + i64::from(hour * 3600 + minute * 60)).ok()
}

/// The date of `2026`, `02`, `25`; none when it is none.
pub(super) fn date_of(year: &str, month: &str, day: &str) -> Option<Date> {
    Date::new(number(year)?, number(month)?, number(day)?).ok()
}

/// What follows all names of a flow log before a time (seconds), if this path's is one of them.
pub(super) fn later_name(path: &str, since: u32) -> Option<String> {
    if KeyFacts::parse(path)?.time >= since {
        return None;
    }
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    // Account, `vpcflowlogs`, region, flow log.
    let (time, _) = path[name..].match_indices('_').nth(3)?;
    let (day, minute) = (day_of(since), since % 86_400 / 60);
    let (hour, minute) = (minute / 60, minute % 60);
    let before = &path[..=name + time];
    Some(format!(
        "{before}{:04}{:02}{:02}T{hour:02}{minute:02}Z",
        day.year(),
        day.month(),
        day.day()
    ))
}

/// Digits only: the standard parser also takes a sign.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

const EPOCH: Date = date(1970, 1, 1);

/// Midnight UTC of a day, seconds since 1970.
pub(super) fn seconds_at(day: Date) -> i64 {
    day.duration_since(EPOCH).as_secs()
}

/// The day, UTC, of seconds since 1970.
pub(super) fn day_of(time: u32) -> Date {
    let days = jiff::SignedDuration::from_hours(i64::from(time / 86_400) * 24);
    EPOCH.saturating_add(days)
}

/// The folder that AWS reserves for its own logs.
pub(super) const AWS_LOGS: &str = "AWSLogs";

/// Where the first `AWSLogs` folder of a key or path ends (after its slash), if there is one.
pub(super) fn end_of_aws_logs(key: &str) -> Option<usize> {
    let mut start = 0;
    for component in key.split_inclusive('/') {
        start += component.len();
        if component.strip_suffix('/') == Some(AWS_LOGS) {
            return Some(start);
        }
    }
    None
}

/// Whether a folder's name says that flow logs are below: plain, hive as the VPC pages show it, hive as the transit
/// gateway page shows it.
pub(super) fn is_flow_log_folder(name: &str) -> bool {
    matches!(
        name,
        "vpcflowlogs" | "aws-service=vpcflowlogs" | "service=vpcflowlogs"
    )
}

/// Whether a file that was found (not named) is read: by its extension, and neither hidden nor in a hidden folder.
/// `relative` is its path below what the user named.
pub(super) fn is_taken(relative: &str) -> bool {
    is_shown_with(relative, &["log", "txt", "gz", "zst", "parquet"])
}

fn is_shown_with(relative: &str, extensions: &[&str]) -> bool {
    if relative
        .split('/')
        .any(|component| component.starts_with('.'))
    {
        return false;
    }
    let Some((_, extension)) = relative.rsplit_once('.') else {
        return false;
    };
    extensions
        .iter()
        .any(|taken| extension.eq_ignore_ascii_case(taken))
}

/// Whether the name says Parquet.
pub(super) fn is_parquet(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("parquet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_names_before_a_time_is_of_the_same_flow_log() {
        let path = "a_b/1_vpcflowlogs_us-east-2_fl-0a_20260225T0455Z_40abf395.log.gz";
        let later = later_name(path, 1_771_995_600 + 300);
        let expected = "a_b/1_vpcflowlogs_us-east-2_fl-0a_20260225T0505Z";
        assert_eq!(later.as_deref(), Some(expected));
        assert_eq!(later_name(path, 1_771_995_600 - 300), None);
        assert_eq!(later_name("a_b/x.log.gz", u32::MAX), None);
    }

    fn check(key: &str, expected: &str) {
        let got = match KeyFacts::parse(key) {
            Some(facts) => format!(
                "{} {} {} {}",
                facts.account,
                facts.region,
                facts.flow_log,
                jiff::Timestamp::from_second(facts.time.into()).expect("32 bits fit")
            ),
            None => "none".to_owned(),
        };
        assert_eq!(got, expected, "{key}");
    }

    #[test]
    fn facts_are_in_the_name_whatever_the_folders() {
        let name = "123456789010_vpcflowlogs_us-east-1_fl-0a1b_20260225T0605Z_d8f6.log.gz";
        let facts = "123456789010 us-east-1 fl-0a1b 2026-02-25T06:05:00Z";
        for folder in [
            "",
            "AWSLogs/123456789010/vpcflowlogs/us-east-1/2026/02/25/",
            "some/prefix/AWSLogs/123456789010/vpcflowlogs/us-east-1/2026/02/25/06/",
            "AWSLogs/aws-account-id=123456789010/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=02/day=25/",
            "AWSLogs/aws-account-id=123456789010/service=vpcflowlogs/aws-region=us-east-1/year=2026/month=02/day=25/hour=06/",
            "AWSLogs/o-abc123/123456789010/vpcflowlogs/us-east-1/2026/02/25/",
            "./copied by hand/",
        ] {
            check(&format!("{folder}{name}"), facts);
        }
    }

    #[test]
    fn resolver_logs_are_told_by_their_own_names() {
        let name = "vpc-0a1b_vpcdnsquerylogs_123456789012_20260225T0605Z_d8f6.log.gz";
        let parse = |key: &str| KeyFacts::parse_of(Logs::Resolver, key, &mut Names::default());
        let facts = parse(&format!(
            "AWSLogs/123456789012/vpcdnsquerylogs/vpc-0a1b/2026/02/25/{name}"
        ))
        .expect("a name of AWS's");
        assert_eq!(
            (
                &*facts.account,
                &*facts.flow_log,
                &*facts.region,
                facts.time
            ),
            ("123456789012", "vpc-0a1b", "", 1_771_999_500)
        );
        check(name, "none");
        for other in [
            "1_vpcflowlogs_us-east-1_fl-1_20260225T0605Z_a.log.gz",
            "vpc-1_vpcdnsquerylogs_1_20260225T0605Z",
            "vpc-1_vpcdnsquerylogs__20260225T0605Z_a.log.gz",
            "queries.json",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        for (file, flow, resolver) in [
            ("a.log.gz", true, true),
            ("a.json", false, true),
            ("b/a.NDJSON", false, true),
            ("b/a.ndjson", false, true),
            ("b/.a.json", false, false),
            ("a.parquet", true, false),
            ("a.csv", false, false),
        ] {
            assert_eq!(
                (Logs::Flow.is_taken(file), Logs::Resolver.is_taken(file)),
                (flow, resolver),
                "{file}"
            );
        }
    }

    #[test]
    fn region_has_any_shape() {
        for region in [
            "us-gov-west-1",
            "cn-north-1",
            "ap-southeast-5",
            "eusc-de-east-1",
            "x",
        ] {
            check(
                &format!("1_vpcflowlogs_{region}_fl-1_20240229T2359Z_a.log.parquet"),
                &format!("1 {region} fl-1 2024-02-29T23:59:00Z"),
            );
        }
    }

    #[test]
    fn other_names_say_nothing() {
        for key in [
            "",
            "flow.log",
            "1_vpcflowlogs_us-east-1_fl-1_20260225T0605Z",
            "1_vpcflowlogs_us-east-1_fl-1_20260230T0605Z_a.log.gz",
            "1_vpcflowlogs_us-east-1_fl-1_20260225T2405Z_a.log.gz",
            "1_vpcflowlogs_us-east-1_fl-1_20260225T+605Z_a.log.gz",
            "1_vpcflowlogs_us-east-1_fl-1_2026022\u{e9}T0605Z_a.log.gz",
            "1_vpcflowlogs_us-east-1_fl-1_19690225T0605Z_a.log.gz",
            "1_vpcflowlogs_us-east-1_xx-1_20260225T0605Z_a.log.gz",
            "_vpcflowlogs_us-east-1_fl-1_20260225T0605Z_a.log.gz",
            "1_CloudTrail_us-east-1_20260225T0605Z_a.json.gz",
            "1_vpcflowlogs_us-east-1_fl-1_20260225T0605Z_a.log.gz/",
        ] {
            check(key, "none");
        }
    }

    #[test]
    fn files_are_taken_by_extension_unless_hidden() {
        for taken in [
            "a.log",
            "b/c.TXT",
            "x.log.gz",
            "y.zst",
            "z.log.Parquet",
            "a b.gz",
        ] {
            assert!(is_taken(taken), "{taken}");
        }
        for ignored in [
            "a",
            "a.json",
            ".a.log",
            ".git/a.log",
            "b/.hidden.gz",
            "gz",
            "a.gz/",
            "a.csv",
        ] {
            assert!(!is_taken(ignored), "{ignored}");
        }
    }

    #[test]
    fn aws_logs_is_a_whole_folder() {
        assert_eq!(end_of_aws_logs("a/AWSLogs/1"), Some("a/AWSLogs/".len()));
        assert_eq!(end_of_aws_logs("AWSLogs/"), Some(8));
        assert_eq!(end_of_aws_logs("a/myAWSLogs/1"), None);
        assert_eq!(end_of_aws_logs("a/AWSLogs"), None);
        assert_eq!(end_of_aws_logs("awslogs/1"), None);
    }

    #[test]
    fn days_and_seconds_agree() {
        for time in [0, 86_399, 86_400, 1_772_000_000, u32::MAX] {
            let midnight = seconds_at(day_of(time));
            assert!(
                (0..86_400).contains(&(i64::from(time) - midnight)),
                "{time}"
            );
        }
    }
}
