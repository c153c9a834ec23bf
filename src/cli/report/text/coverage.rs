//! What was read, and how well it can be judged: first, because a clean report over half the logs is no clean report.

use super::super::words::{bytes, clean, count, counted, interval, percent};
use super::paint::Tone;
use super::{LABEL, Page};
use crate::app::report::Coverage;

/// Names in a list before the rest is summed up.
const MAX_NAMES: usize = 6;
/// Unreadable objects and malformed lines that are named; JSON and the lake have the others.
const MAX_SAMPLES: usize = 3;

pub(super) fn write(page: &mut Page, coverage: &Coverage) {
    page.title("Coverage");
    objects(page, coverage);
    lines(page, coverage);
    if let Some((first, last)) = coverage.times {
        page.item("time", &interval(first, last));
    }
    scope(page, coverage);
    evidence(page, coverage);
    format(page, coverage);
}

fn objects(page: &mut Page, coverage: &Coverage) {
    let mut text = format!(
        "{} read, {}",
        count(coverage.objects),
        bytes(coverage.bytes)
    );
    if coverage.decoded_bytes > coverage.bytes {
        text.push_str(&format!(
            " ({} decompressed)",
            bytes(coverage.decoded_bytes)
        ));
    }
    if !coverage.unreadable.is_empty() {
        text.push_str(&format!(
            "; {} unreadable",
            count(coverage.unreadable.len() as u64)
        ));
    }
    if coverage.ignored > 0 {
        text.push_str(&format!(
            "; {} ignored (no flow logs)",
            count(coverage.ignored)
        ));
    }
    page.item("objects", &text);
    for (url, why) in coverage.unreadable.iter().take(MAX_SAMPLES) {
        let mark = page
            .paint
            .tone(Tone::Bad, &format!("{:<LABEL$}", "  unreadable"));
        page.hanging(&mark, &format!("{url}: {why}"));
    }
    more(page, coverage.unreadable.len(), "object");
}

fn lines(page: &mut Page, coverage: &Coverage) {
    let tally = &coverage.lines;
    let classes = [
        (tally.records, "record", "records"),
        (tally.headers, "header", "headers"),
        (tally.blank, "blank", "blank"),
        (tally.no_data, "no data", "no data"),
        (
            tally.skip_data,
            "lost by AWS (SKIPDATA)",
            "lost by AWS (SKIPDATA)",
        ),
        (tally.malformed, "malformed", "malformed"),
    ];
    let classes: Vec<String> = classes
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| {
            format!(
                "{} {}",
                count(*number),
                if *number == 1 { one } else { many }
            )
        })
        .collect();
    let mut text = count(tally.lines);
    if !classes.is_empty() {
        text.push_str(&format!(" = {}", classes.join(" + ")));
    }
    page.item("lines", &text);
    for sample in coverage.malformed_samples.iter().take(MAX_SAMPLES) {
        let mark = page
            .paint
            .tone(Tone::Doubtful, &format!("{:<LABEL$}", "  malformed"));
        page.hanging(
            &mark,
            &format!("{}:{}: {}", sample.source, sample.line, sample.reason),
        );
    }
    more(
        page,
        (tally.malformed as usize).min(coverage.malformed_samples.len()),
        "sample",
    );
}

/// Says how many stand in JSON only.
fn more(page: &mut Page, number: usize, noun: &str) {
    if number > MAX_SAMPLES {
        page.item(
            "",
            &format!(
                "… {} more in --format json",
                counted((number - MAX_SAMPLES) as u64, noun)
            ),
        );
    }
}

fn scope(page: &mut Page, coverage: &Coverage) {
    let networks: Vec<(&str, u64)> = by_weight(
        coverage
            .networks
            .iter()
            .map(|(name, number)| (name.as_str(), *number)),
    );
    if !networks.is_empty() {
        let text = format!(
            "{}; {}",
            names(&networks, " records"),
            counted(coverage.interfaces, "interface")
        );
        page.item("networks", &text);
    }
    let outside: Vec<(&str, u64)> = by_weight(
        coverage
            .out_of_scope
            .iter()
            .map(|(name, number)| (name.as_str(), *number)),
    );
    if !outside.is_empty() {
        let total: u64 = outside.iter().map(|(_, number)| number).sum();
        page.item(
            "out of scope",
            &format!("{}: {}", counted(total, "record"), names(&outside, "")),
        );
    }
    let unjudged: Vec<(&str, u64)> = by_weight(
        coverage
            .unjudged
            .iter()
            .map(|(reason, number)| (*reason, *number)),
    );
    if !unjudged.is_empty() {
        let total: u64 = unjudged.iter().map(|(_, number)| number).sum();
        page.item(
            "unjudged",
            &format!("{}: {}", counted(total, "record"), names(&unjudged, "")),
        );
    }
}

fn evidence(page: &mut Page, coverage: &Coverage) {
    let total: u64 = coverage.orientation.values().sum();
    if total > 0 {
        let shares: Vec<String> = ladder(coverage)
            .map(|(evidence, number)| format!("{evidence} {}", percent(number, total)))
            .collect();
        page.item("direction by", &shares.join(", "));
    }
    if coverage.via_unknown > 0 {
        let text = format!(
            "{} matched a rule with `via` though no record tells the path",
            counted(coverage.via_unknown, "connection")
        );
        page.item("path", &text);
    }
    if coverage.evidence_let_go > 0 {
        page.item(
            "evidence",
            &format!(
                "{} beyond the cap were let go",
                counted(coverage.evidence_let_go, "carried entry")
            ),
        );
    }
}

/// The evidence in the order of the ladder, best first.
fn ladder(coverage: &Coverage) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    crate::judge::Orientation::ALL
        .iter()
        .filter_map(|orientation| {
            let number = *coverage.orientation.get(orientation.as_str())?;
            (number > 0).then_some((orientation.as_str(), number))
        })
}

fn format(page: &mut Page, coverage: &Coverage) {
    if coverage.assumed_layouts > 0 {
        let text = format!(
            "{} without a header: read by --layout or AWS's default format",
            counted(coverage.assumed_layouts, "object")
        );
        page.item("layout", &text);
    }
    if !coverage.lacking.is_empty() {
        let lacking: Vec<String> = coverage
            .lacking
            .iter()
            .map(|(field, purpose)| format!("{field} ({purpose})"))
            .collect();
        page.item(
            "lacking",
            &format!("in some objects: {}", lacking.join("; ")),
        );
    }
    // In one line, however long, so that it can be copied.
    if let Some(advised) = &coverage.advised_format {
        page.item("log format", "with this one, nothing would be lacking:");
        let advised = clean(advised);
        page.line(&advised);
    }
}

/// Sorted by number, largest first, then by name.
fn by_weight<'a>(entries: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut entries: Vec<_> = entries.filter(|(_, number)| *number > 0).collect();
    entries.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    entries
}

fn names(entries: &[(&str, u64)], unit: &str) -> String {
    let mut parts: Vec<String> = entries
        .iter()
        .take(MAX_NAMES)
        .map(|(name, number)| format!("{name} {}{unit}", count(*number)))
        .collect();
    if let Some(others @ [_, ..]) = entries.get(MAX_NAMES..) {
        let number: u64 = others.iter().map(|(_, number)| number).sum();
        parts.push(format!("{} others {}{unit}", others.len(), count(number)));
    }
    parts.join(", ")
}
