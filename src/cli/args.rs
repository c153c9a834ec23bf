//! The command line as typed: what clap knows about commands, options and their syntax. [`super::meant`] turns it into
//! settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::policy::PolicyCommand;
use super::sql::AnswerFormat;
use super::units::{self, When};
use crate::alert::Target;
use crate::app::settings::{DEFAULT_HORIZON, Format, Keep, MAX_HORIZON, Output};
use crate::generate::Scenario;
use crate::policy::{DETECTORS, Severity};
use crate::sql::Engine;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  findings at or above --fail-on that are neither listed by --known nor muted, or lints
  2  wrong usage or policy, or no object matched
  3  partial: some objects could not be read, and are named
  4  failed
Of several, the first of 4, 2, 3, 1.";

const SCAN_EXAMPLES: &str = "\
Examples:
  tidegate scan s3://my-logs/AWSLogs --policy policy.toml --since 7d
  tidegate scan logs/ --policy policy.toml --lake lake --output sarif=findings.sarif --fail-on high
  tidegate scan s3://my-logs/AWSLogs --policy policy.toml --since 2026-02-01 --until 2026-03-01 --plan";

const SQL_EXAMPLES: &str = "\
Tables:
  flows                                            raw logs, with --logs
  records, edges, findings, objects, quarantine    a lake's, with --lake; or judged on the fly, with --logs and --policy
  policy_rules, policy_tiers, policy_subnets, policy_groups, policy_destinations    with --policy

Examples:
  tidegate sql --logs logs/ -c \"select action, count(*), sum(bytes) from flows group by action\"
  tidegate sql --lake lake top-violations
  tidegate sql --lake lake host-timeline --param addr=10.0.64.7 --param since=7d
  tidegate sql --logs s3://my-logs/AWSLogs --policy policy.toml --format csv -f question.sql";

const WATCH_EXAMPLES: &str = "\
Examples:
  tidegate watch s3://my-logs/AWSLogs --policy policy.toml --state /var/lib/tidegate --lake s3://my-lake/prod --alert 'slack:https://hooks.slack.example/…?min=high'
  tidegate watch sqs://flow-logs s3://my-logs/AWSLogs --policy policy.toml --state /var/lib/tidegate --since 7d
  tidegate watch logs/ --policy policy.toml --state state --lake lake --alert stdout --until-idle
  tidegate watch --state /var/lib/tidegate --status";

/// Judges AWS VPC flow logs against a network segmentation policy.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct CommandLine {
    /// How log lines on standard error look.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judge historical flow logs against a policy.
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(Box<ScanArgs>),

    /// Follow flow logs as they are written, keep a lake of what was judged, and alert.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(Box<WatchArgs>),

    /// Ask questions in SQL of raw flow logs, of a lake, and of a policy.
    #[command(after_help = SQL_EXAMPLES)]
    Sql(Box<SqlArgs>),

    /// Work on policy files.
    #[command(subcommand)]
    Policy(PolicyCommand),

    /// What detectors there are, how they decide, and what is usual.
    #[command(subcommand)]
    Detect(DetectCommand),

    /// Write a synthetic VPC's flow logs, and what was planted in them.
    Generate(GenerateArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum DetectCommand {
    /// List the detectors: what each finds, and what may be set in `[detect.NAME]` of a policy.
    List {
        /// Show what this policy file sets.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },

    /// Print the manual's page about a detector.
    Explain {
        /// The detector.
        #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(DETECTORS.iter().map(|detector| detector.name)))]
        name: String,
    },

    /// Learn what is usual from a lake, and write it into a file: who talks with whom, how much, and which flow logs deliver.
    Learn {
        /// The lake: what `scan --lake` or `watch --lake` wrote with this policy.
        #[arg(long, value_name = "DIR|s3://…")]
        over: String,

        /// The policy file.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,

        /// Only hours from here on: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d.
        #[arg(long, value_name = "TIME", value_parser = units::when)]
        since: Option<When>,

        /// Only hours before this.
        #[arg(long, value_name = "TIME", value_parser = units::when)]
        until: Option<When>,

        /// The file to write.
        #[arg(short = 'o', long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// The folder to write into: DIR/logs and DIR/planted.ndjson.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// The seed: the same seed writes the same bytes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// What to write: `sample`, two hours of a small VPC in many layouts, or `bench`, four slots of a large one in version 5.
    #[arg(long, value_name = "PROFILE", default_value = "sample", value_parser = ["sample", "bench"])]
    pub profile: String,

    /// Writes traffic from this policy instead: what each of its rules allows and denies, and what a scan against it must find.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "scenario", "records", "heavy_slot", "records_per_connection"])]
    pub policy: Option<PathBuf>,

    /// Writes a quiet day with one attack that the detector of this name finds, or with none, instead of what breaks the
    /// policy.
    #[arg(long, value_name = "NAME", value_parser = scenario(), conflicts_with = "profile")]
    pub scenario: Option<Scenario>,

    /// About how many records to write [default: 50000, 4000000 of `bench`, or 60000 of a scenario].
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub records: Option<u64>,

    /// How many slots of five minutes they are spread over [default: 24, 4 of `bench`, 12 of a policy, or 288 of a
    /// scenario, which needs as many].
    #[arg(long, value_name = "N")]
    pub slots: Option<u32>,

    /// Gives this slot, counted from 0, ten times the records of the others.
    #[arg(long, value_name = "SLOT")]
    pub heavy_slot: Option<u32>,

    /// How many records a connection of `bench` has on average, 1 to 16.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub records_per_connection: u32,
}

#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// The name of a curated query; --list shows them.
    #[arg(value_name = "QUERY", conflicts_with_all = ["command", "file"])]
    pub query: Option<String>,

    /// The SQL to run; several statements are separated by semicolons.
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    pub command: Option<String>,

    /// A file with the SQL to run.
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The value of a parameter of the curated query: name=value; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", requires = "query", conflicts_with_all = ["command", "file"])]
    pub param: Vec<String>,

    /// List the curated queries and their parameters.
    #[arg(long)]
    pub list: bool,

    /// List the functions beside those of the engine.
    #[arg(long)]
    pub functions: bool,

    /// Print the statements that make the lake's tables in another engine.
    #[arg(long, value_name = "ENGINE", requires = "lake", value_parser = engine())]
    pub ddl: Option<Engine>,

    /// A folder of curated queries of one's own; may be given several times.
    #[arg(long, value_name = "DIR")]
    pub queries: Vec<PathBuf>,

    /// The lake to read: what `scan --lake` wrote.
    #[arg(long, value_name = "DIR|s3://…", help_heading = "Tables")]
    pub lake: Option<String>,

    /// Raw flow logs: s3://bucket/prefix, a file, a folder, or a glob; may be given several times.
    #[arg(long, value_name = "SOURCE", help_heading = "Tables")]
    pub logs: Vec<String>,

    /// The policy file; of several, each judges, and answers, from its `effective` day until that of the next.
    #[arg(long = "policy", value_name = "FILE", help_heading = "Tables")]
    pub policies: Vec<PathBuf>,

    /// A file of autonomous systems in MaxMind's format, such as GeoLite2-ASN: what asn() and as_name() know; else the policy's.
    #[arg(long, value_name = "FILE", help_heading = "Tables")]
    pub asn: Option<PathBuf>,

    /// A file of countries in MaxMind's format, such as GeoLite2-Country: what country() knows; else the policy's.
    #[arg(long, value_name = "FILE", help_heading = "Tables")]
    pub geo: Option<PathBuf>,

    /// The fields of lines that have no header: '${version} ${account-id} …'.
    #[arg(long, value_name = "FORMAT", help_heading = "Tables")]
    pub layout: Option<String>,

    /// The format of the answer.
    #[arg(long, value_name = "FORMAT", help_heading = "Answer", default_value = "table", value_parser = answer_format())]
    pub format: AnswerFormat,

    /// Write the answer into this file.
    #[arg(short = 'o', long, value_name = "FILE", help_heading = "Answer")]
    pub output: Option<PathBuf>,

    /// How many rows a table shows, or `all`.
    #[arg(long, value_name = "N|all", help_heading = "Answer", default_value = "1000", value_parser = units::limit)]
    pub rows: usize,

    /// Threads that a query is spread over; default: one per core.
    #[arg(long, value_name = "N", help_heading = "Resources", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// The bound on memory, such as 1GiB or 512MB; what does not fit goes to disk.
    #[arg(long, value_name = "SIZE", help_heading = "Resources", default_value = "1GiB", value_parser = units::memory)]
    pub memory: u64,

    /// Seconds that a query may take.
    #[arg(long, value_name = "SECONDS", help_heading = "Resources", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
}

/// Which logs are taken, whatever their time, and how they are read.
#[derive(Debug, Args)]
pub(super) struct Narrowed {
    /// Only these accounts, separated by commas.
    #[arg(long, value_name = "A,…", help_heading = "Selection", value_delimiter = ',', value_parser = units::account)]
    pub accounts: Vec<String>,

    /// Only these regions, separated by commas.
    #[arg(long, value_name = "R,…", help_heading = "Selection", value_delimiter = ',', value_parser = units::region)]
    pub regions: Vec<String>,

    /// The fields of lines that have no header: '${version} ${account-id} …'.
    #[arg(long, value_name = "FORMAT", help_heading = "Selection")]
    pub layout: Option<String>,
}

/// What is kept of what was judged, and where.
#[derive(Debug, Args)]
pub(super) struct Kept {
    /// Write edges, findings and judged records as Parquet into this folder or s3:// prefix.
    #[arg(long, value_name = "DIR|s3://…", help_heading = "Lake")]
    pub lake: Option<String>,

    /// Which judged records the lake keeps.
    #[arg(long, value_name = "WHICH", requires = "lake", help_heading = "Lake", default_value = "flagged", value_parser = keep())]
    pub keep: Keep,
}

/// What judging may take, and what it remembers.
#[derive(Debug, Args)]
pub(super) struct Judging {
    /// What is usual, as `detect learn` wrote it: for detectors that need to know.
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub baseline: Option<PathBuf>,

    /// Threads that decode and judge; default: one per core.
    #[arg(long, value_name = "N", help_heading = "Resources", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// The bound on memory, such as 1GiB or 512MB.
    #[arg(long, value_name = "SIZE", help_heading = "Resources", default_value = "1GiB", value_parser = units::memory)]
    pub memory: u64,

    /// Slots of five minutes that evidence of a connection's direction is carried over.
    #[arg(long, value_name = "SLOTS", help_heading = "Resources", default_value_t = DEFAULT_HORIZON,
          value_parser = clap::value_parser!(u32).range(0..=MAX_HORIZON as i64))]
    pub horizon: u32,
}

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// What to read: s3://bucket/prefix, a file, a folder, a glob, or - for standard input.
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<String>,

    /// The policy file; of several, each judges from its `effective` day until that of the next.
    #[arg(long, value_name = "FILE", required = true)]
    pub policy: Vec<PathBuf>,

    #[command(flatten)]
    pub kept: Kept,

    /// Replace whole hours of the lake, whichever policy or selection they were written with.
    #[arg(long, requires = "lake", help_heading = "Lake")]
    pub rejudge: bool,

    /// Only objects published from here on: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    pub since: Option<When>,

    /// Only objects published before this.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    pub until: Option<When>,

    #[command(flatten)]
    pub narrowed: Narrowed,

    /// Have detectors look at each day, as they do where there is a --lake: scans, beacons, volumes, silence.
    #[arg(long, help_heading = "Detection")]
    pub detect: bool,

    /// Only list: objects, bytes, days, and about how long a run would take and what S3 would charge.
    #[arg(long, help_heading = "Selection")]
    pub plan: bool,

    /// The format of standard output.
    #[arg(long, value_name = "FORMAT", help_heading = "Report", default_value = "text", value_parser = format())]
    pub format: Format,

    /// Write a further report into a file, such as sarif=findings.sarif; may be given several times.
    #[arg(long, value_name = "FORMAT=PATH", help_heading = "Report", value_parser = output)]
    pub output: Vec<Output>,

    /// How many findings the text report shows, or `all`.
    #[arg(long, value_name = "N|all", help_heading = "Report", default_value = "10", value_parser = units::limit)]
    pub limit: usize,

    /// Exit with 1 where a finding is at least this bad.
    #[arg(long, value_name = "SEVERITY", help_heading = "Report", value_parser = severity())]
    pub fail_on: Option<Severity>,

    /// A file of finding ids that were accepted earlier: shown as known, not counted by --fail-on.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub known: Option<PathBuf>,

    #[command(flatten)]
    pub judging: Judging,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// What to follow: sqs://queue with S3's notifications, s3://bucket/prefix, or a folder; a queue and the buckets that it tells of may be given together.
    #[arg(value_name = "SOURCE", required_unless_present = "status")]
    pub sources: Vec<String>,

    /// The policy file.
    #[arg(long, value_name = "FILE", required_unless_present = "status")]
    pub policy: Vec<PathBuf>,

    /// The folder that remembers what was seen, judged and announced.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,

    /// Tell /metrics for Prometheus, /healthz and /readyz here, such as 127.0.0.1:9184.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Say how far the watch of this --state is, and end.
    #[arg(long)]
    pub status: bool,

    /// Judge what is there, close all slots, and end.
    #[arg(long)]
    pub until_idle: bool,

    #[command(flatten)]
    pub kept: Kept,

    /// Where alerts go: stdout, file:PATH, webhook:URL, slack:URL, sns:ARN (of a topic) or securityhub:ARN (of a product), with conditions such as ?min=high&owner=NAME; may be given several times.
    #[arg(long, value_name = "TARGET", help_heading = "Alerts", value_parser = Target::parse)]
    pub alert: Vec<Target>,

    /// Judge what was published from here on before following: RFC 3339, a date (00:00 UTC), or an age such as 24h or 7d.
    #[arg(long, value_name = "TIME", help_heading = "Selection", value_parser = units::when)]
    pub since: Option<When>,

    #[command(flatten)]
    pub narrowed: Narrowed,

    /// How long stragglers are waited for before a slot of five minutes is closed.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "15m", value_parser = units::duration)]
    pub lateness: u32,

    /// How long after its end an hour that objects came late for is judged again.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "6h", value_parser = units::duration)]
    pub settle: u32,

    /// How often the sources are listed for new objects, where no queue tells of them.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "30s", value_parser = units::duration)]
    pub every: u32,

    /// How often a day of the sources is listed for what came late or was never told of.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "1h", value_parser = units::duration)]
    pub reconcile: u32,

    /// Take a queue that has no dead-letter queue: what cannot be understood comes again and again.
    #[arg(long)]
    pub allow_no_dlq: bool,

    /// How long another watch that writes to the same lake is believed to live without a sign of it.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "45s", value_parser = units::duration)]
    pub lease: u32,

    /// How long what was begun may go on once the end is asked for.
    #[arg(long, value_name = "DURATION", help_heading = "Time", default_value = "30s", value_parser = units::duration)]
    pub grace: u32,

    #[command(flatten)]
    pub judging: Judging,
}

fn keep() -> impl TypedValueParser<Value = Keep> {
    PossibleValuesParser::new(Keep::ALL.iter().map(|keep| keep.as_str()))
        .map(|word| Keep::from_word(&word).expect("the parser lets known words through only"))
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.iter().map(|format| format.as_str()))
        .map(|word| Format::from_word(&word).expect("the parser lets known words through only"))
}

fn answer_format() -> impl TypedValueParser<Value = AnswerFormat> {
    PossibleValuesParser::new(AnswerFormat::ALL.iter().map(|format| format.as_str())).map(|word| {
        AnswerFormat::from_word(&word).expect("the parser lets known words through only")
    })
}

fn engine() -> impl TypedValueParser<Value = Engine> {
    PossibleValuesParser::new(Engine::ALL.iter().map(|engine| engine.as_str()))
        .map(|word| Engine::from_word(&word).expect("the parser lets known words through only"))
}

fn scenario() -> impl TypedValueParser<Value = Scenario> {
    PossibleValuesParser::new(Scenario::ALL.iter().map(|scenario| scenario.as_str()))
        .map(|word| Scenario::from_word(&word).expect("the parser lets known words through only"))
}

/// `info` is no choice: it is never a finding.
fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(
        Severity::ALL
            .iter()
            .skip(1)
            .map(|severity| severity.as_str()),
    )
    .map(|word| Severity::from_word(&word).expect("the parser lets known words through only"))
}

fn output(text: &str) -> Result<Output, String> {
    output_in(Format::ALL, text)
}

/// Reads `FORMAT=PATH` with one of these formats.
pub(super) fn output_in(known: &[Format], text: &str) -> Result<Output, String> {
    let formats = || {
        known
            .iter()
            .map(|format| format.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some((word, path)) = text.split_once('=') else {
        return Err("expected FORMAT=PATH, such as sarif=findings.sarif".to_owned());
    };
    let Some(format) = Format::from_word(word).filter(|format| known.contains(format)) else {
        return Err(format!(
            "expected one of {} before the `=`, got `{word}`",
            formats()
        ));
    };
    if path.is_empty() {
        return Err("expected a path after the `=`, got nothing".to_owned());
    }
    if path == "-" {
        return Err(format!(
            "expected a path after the `=`, got `-`; --format {word} writes to standard output"
        ));
    }
    Ok(Output {
        format,
        path: path.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn check(arguments: &str, expected: &str) {
        let words = std::iter::once("tidegate").chain(arguments.split_whitespace());
        let found = match CommandLine::try_parse_from(words) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        assert!(
            found.contains(expected),
            "{arguments}: expected `{expected}` in `{found}`"
        );
    }

    #[test]
    fn definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn usage_errors_say_what_was_expected() {
        check("scan logs --policy p.toml", "ok");
        check(
            "scan --policy p.toml",
            "required arguments were not provided",
        );
        check(
            "scan logs --policy p.toml --fail-on info",
            "invalid value 'info'",
        );
        check(
            "scan logs --policy p.toml --keep all",
            "required arguments were not provided",
        );
        check("scan logs --policy p.toml --lake x --keep all", "ok");
        check(
            "scan logs --policy p.toml --output sarif",
            "expected FORMAT=PATH",
        );
        check(
            "scan logs --policy p.toml --output xml=a",
            "expected one of text, json, ndjson, csv, sarif, junit",
        );
        check(
            "scan logs --policy p.toml --output json=",
            "expected a path",
        );
        check(
            "scan logs --policy p.toml --output json=-",
            "--format json writes to standard output",
        );
        check("scan logs --policy p.toml --memory 1", "at least 64 MiB");
        check(
            "scan logs --policy p.toml --accounts 12",
            "expected an account id of 12 digits",
        );
        check(
            "scan logs --policy p.toml --since yesterday",
            "expected RFC 3339",
        );
        check(
            "scan logs --policy p.toml --threads 0",
            "0 is not in 1..=1024",
        );
        check("generate out --records 1e9", "expected a number");
    }
}
