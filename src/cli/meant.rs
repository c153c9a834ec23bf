//! From words as typed to settings as meant: times against now, files read, defaults filled in.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::args::{ScanArgs, WatchArgs};
use super::known;
use crate::app::error::ScanError;
use crate::app::settings::{Format, Output, ScanSettings, WatchSettings};
use crate::flow::{Field, Layout};
use crate::source::Queue;

/// Resolves the arguments of `scan`. `now` is in seconds since 1970.
///
/// # Errors
/// Wrong usage that clap cannot see: an empty time range, a known file that is none, an output that cannot be written.
pub(super) fn scan(args: &ScanArgs, now: u32) -> Result<ScanSettings, ScanError> {
    let since = args.since.map(|when| when.resolve(now));
    let until = args.until.map(|when| when.resolve(now));
    if let (Some(since), Some(until)) = (since, until)
        && until <= since
    {
        return Err(usage(
            "expected --until after --since".to_owned(),
            "--until is exclusive: one whole day is --since 2026-02-25 --until 2026-02-26",
        ));
    }
    if args.plan && !matches!(args.format, Format::Text | Format::Json) {
        return Err(usage(
            format!(
                "expected --format text or json with --plan, got {}",
                args.format.as_str()
            ),
            "a plan has no findings",
        ));
    }
    for (place, output) in args.output.iter().enumerate() {
        check_parent(output)?;
        if args.output[..place]
            .iter()
            .any(|other| other.path == output.path)
        {
            return Err(usage(
                format!(
                    "expected a file for each report, got `{}` twice",
                    output.path.display()
                ),
                "the second report would replace the first",
            ));
        }
    }
    Ok(ScanSettings {
        sources: args.sources.clone(),
        policies: args.policy.clone(),
        lake: args.kept.lake.clone(),
        keep: args.kept.keep,
        since,
        until,
        accounts: args.narrowed.accounts.clone(),
        regions: args.narrowed.regions.clone(),
        format: args.format,
        outputs: args.output.clone(),
        fail_on: args.fail_on,
        known: args
            .known
            .as_deref()
            .map(read_known)
            .transpose()?
            .unwrap_or_default(),
        plan: args.plan,
        rejudge: args.rejudge,
        layout: layout(args.narrowed.layout.as_deref())?,
        threads: threads(args.judging.threads),
        memory: args.judging.memory,
        horizon: args.judging.horizon,
        detect: args.detect,
        baseline: args.judging.baseline.clone(),
    })
}

/// Resolves the arguments of `watch`. `now` is in seconds since 1970.
///
/// # Errors
/// Wrong usage that clap cannot see.
pub(super) fn watch(args: &WatchArgs, now: u32) -> Result<WatchSettings, ScanError> {
    if args.sources.iter().any(|source| source == "-") {
        return Err(usage(
            "standard input cannot be watched: it has an end, and no names with times".to_owned(),
            "give a folder or s3://bucket/prefix; `tidegate scan -` judges what it is given",
        ));
    }
    let (queues, mut sources): (Vec<String>, Vec<String>) = args
        .sources
        .iter()
        .cloned()
        .partition(|source| Queue::is_one(source));
    if queues.len() > 1 {
        return Err(usage(
            format!("expected one queue, got {}", queues.join(" and ")),
            "have the buckets notify one queue, or run a watch for each, with a state and a lake of its own",
        ));
    }
    if sources.is_empty() {
        sources.clone_from(&queues);
    }
    for (place, target) in args.alert.iter().enumerate() {
        if args.alert[..place]
            .iter()
            .any(|other| other.id() == target.id())
        {
            return Err(usage(
                format!(
                    "expected each target of alerts once, got {} twice",
                    target.shown()
                ),
                "one --alert has all conditions of its target: ?min=high&kind=…",
            ));
        }
    }
    let judging = ScanSettings {
        sources,
        policies: args.policy.clone(),
        lake: args.kept.lake.clone(),
        keep: args.kept.keep,
        since: args.since.map(|when| when.resolve(now)),
        until: None,
        accounts: args.narrowed.accounts.clone(),
        regions: args.narrowed.regions.clone(),
        format: Format::Text,
        outputs: Vec::new(),
        fail_on: None,
        known: BTreeSet::new(),
        plan: false,
        rejudge: false,
        layout: layout(args.narrowed.layout.as_deref())?,
        threads: threads(args.judging.threads),
        memory: args.judging.memory,
        horizon: args.judging.horizon,
        detect: true,
        baseline: args.judging.baseline.clone(),
    };
    Ok(WatchSettings {
        judging,
        queue: queues.into_iter().next(),
        allow_no_dlq: args.allow_no_dlq,
        state: args.state.clone(),
        alerts: args.alert.clone(),
        lateness: args.lateness,
        settle: args.settle,
        every: Duration::from_secs(u64::from(args.every.max(1))),
        reconcile: Duration::from_secs(u64::from(args.reconcile.max(1))),
        until_idle: args.until_idle,
        grace: args.grace,
        listen: args.listen,
        lease: Duration::from_secs(u64::from(args.lease.max(1))),
    })
}

fn usage(message: String, hint: &str) -> ScanError {
    ScanError::Usage {
        message,
        hint: Some(hint.to_owned()),
    }
}

/// A report that cannot be written is better known before the run than after it.
fn check_parent(output: &Output) -> Result<(), ScanError> {
    let parent = match output.path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let shown = output.path.display();
    if !parent.is_dir() {
        return Err(usage(
            format!("cannot write the report `{shown}`: its folder does not exist"),
            "create the folder",
        ));
    }
    if output.path.is_dir() {
        return Err(usage(
            format!("cannot write the report `{shown}`: it is a folder"),
            "name a file in it",
        ));
    }
    Ok(())
}

fn read_known(path: &Path) -> Result<BTreeSet<String>, ScanError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        usage(
            format!("cannot read the known findings `{shown}`: {error}"),
            "--known takes a file with a finding id a line",
        )
    })?;
    known::parse(&text).map_err(|errors| {
        let lines: Vec<String> = errors
            .iter()
            .map(|(line, why)| format!("{shown}:{line}: {why}"))
            .collect();
        usage(
            lines.join("\n"),
            "--known takes a finding id a line, or what `--format ndjson` wrote",
        )
    })
}

/// The number of threads that was given, else one for each core.
pub(super) fn threads(given: Option<u16>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    given.map_or_else(cores, usize::from)
}

/// The layout of lines without a header, where one is given.
///
/// # Errors
/// When it is none.
pub(super) fn layout(text: Option<&str>) -> Result<Option<Arc<Layout>>, ScanError> {
    text.map(parse_layout)
        .transpose()
        .map(|layout| layout.map(Arc::new))
}

fn parse_layout(text: &str) -> Result<Layout, ScanError> {
    let wrong = |why: String| {
        usage(
            format!("cannot use the --layout: {why}"),
            "put it in single quotes, or the shell replaces ${…}",
        )
    };
    let layout = Layout::parse_format(text).map_err(|error| wrong(error.to_string()))?;
    let addresses = [Field::Srcaddr, Field::PktSrcaddr];
    if !addresses.into_iter().any(|field| layout.has(field)) {
        return Err(wrong(
            "none of its fields is `srcaddr` or `pkt-srcaddr`, as AWS writes them".to_owned(),
        ));
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Command, CommandLine};
    use clap::Parser;

    const NOW: u32 = 1_772_000_000;

    fn resolve(arguments: &[&str]) -> Result<ScanSettings, String> {
        let words = ["tidegate", "scan", "logs", "--policy", "p.toml"]
            .iter()
            .chain(arguments);
        let line = CommandLine::try_parse_from(words).expect("well formed arguments");
        let Command::Scan(args) = line.command else {
            unreachable!("the command is scan")
        };
        scan(&args, NOW).map_err(|error| error.to_string())
    }

    fn check_error(arguments: &[&str], expected: &str) {
        let error = resolve(arguments).expect_err("a usage error");
        assert!(
            error.contains(expected),
            "expected `{expected}` in `{error}`"
        );
    }

    #[test]
    fn ages_are_resolved_against_now() {
        let settings = resolve(&["--since", "7d", "--until", "24h"]).expect("settings");
        assert_eq!(settings.since, Some(NOW - 7 * 86_400));
        assert_eq!(settings.until, Some(NOW - 86_400));
        assert!(settings.threads >= 1);
        assert_eq!(settings.memory, crate::app::settings::DEFAULT_MEMORY);
    }

    #[test]
    fn what_clap_cannot_see_is_refused() {
        check_error(
            &["--since", "2026-02-25", "--until", "2026-02-25"],
            "expected --until after --since",
        );
        check_error(
            &["--plan", "--format", "csv"],
            "expected --format text or json with --plan, got csv",
        );
        check_error(
            &["--output", "json=no/such/folder/a.json"],
            "its folder does not exist",
        );
        check_error(
            &["--output", "json=a", "--output", "csv=a"],
            "expected a file for each report, got `a` twice",
        );
        check_error(
            &["--known", "no-such-file"],
            "cannot read the known findings",
        );
        check_error(
            &["--layout", "  "],
            "cannot use the --layout: expected fields",
        );
        check_error(&["--layout", "${version} ${srcaddr"], "got `${srcaddr`");
        check_error(&["--layout", "srcaddr srcaddr"], "got `srcaddr` twice");
        check_error(&["--layout", "${foo} ${bar}"], "none of its fields is");
    }

    #[test]
    fn layout_takes_names_with_or_without_braces() {
        let settings =
            resolve(&["--layout", "${version} pkt-srcaddr ${my-field}"]).expect("settings");
        let layout = settings.layout.expect("a layout");
        assert_eq!(layout.to_string(), "version pkt-srcaddr my-field");
    }
}
