//! What is measured of a watch, for Prometheus: counters since its start, and what its ledger and its tide say now.
//!
//! Source: Prometheus, *Text-based exposition format*, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

use super::super::error::ScanError;
use super::super::lock;
use super::super::report::RunReport;
use super::Watch;
use super::deliver::{GIVEN_UP, SENT};

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;
/// Values by name, then by labels.
type Values = BTreeMap<&'static str, BTreeMap<Labels, u64>>;

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Meters {
    all: Mutex<Values>,
    /// What slots of hours that are not over have added, by hour.
    open: Mutex<BTreeMap<u32, Values>>,
}

/// What each metric is: name, kind, help.
const METRICS: [(&str, &str, &str); 16] = [
    (
        "tidegate_objects_total",
        "counter",
        "Objects entered in the ledger.",
    ),
    (
        "tidegate_lines_total",
        "counter",
        "Lines of judged objects, by what they are.",
    ),
    (
        "tidegate_connections_total",
        "counter",
        "Connections of judged slots, by the zones of both ends and the verdict.",
    ),
    (
        "tidegate_group_bytes_total",
        "counter",
        "Bytes of judged connections that members of a group sent (out) and received (in).",
    ),
    (
        "tidegate_unreadable_objects_total",
        "counter",
        "Objects that could not be read when they were judged.",
    ),
    (
        "tidegate_failures_total",
        "counter",
        "Work that failed and was tried again, by what it was.",
    ),
    (
        "tidegate_messages_not_understood_total",
        "counter",
        "Messages of the queue that name no objects.",
    ),
    (
        "tidegate_alerts_sent_total",
        "counter",
        "Alerts that their targets took.",
    ),
    (
        "tidegate_alerts_given_up_total",
        "counter",
        "Alerts that their targets refused again and again.",
    ),
    (
        "tidegate_alerts_waiting",
        "gauge",
        "Alerts that wait for their target.",
    ),
    (
        "tidegate_findings_open",
        "gauge",
        "Findings that were announced and are not resolved.",
    ),
    (
        "tidegate_hours",
        "gauge",
        "Hours that are not settled, by how far they are.",
    ),
    (
        "tidegate_slots_waiting",
        "gauge",
        "Slots of open hours that are not judged.",
    ),
    (
        "tidegate_lag_seconds",
        "gauge",
        "How old the newest object is, by its key time.",
    ),
    (
        "tidegate_watermark_seconds",
        "gauge",
        "Up to where key times are complete, seconds since 1970.",
    ),
    (
        "tidegate_resident_memory_bytes",
        "gauge",
        "Memory that the process has.",
    ),
];

impl Meters {
    /// Adds to a counter.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &str)], more: u64) {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.add(name, labels.collect(), more);
    }

    /// Takes what was judged of a slot of this hour.
    pub fn slot_judged(&self, hour: u32, report: &RunReport) {
        let mut open = lock(&self.open);
        let known = open.entry(hour).or_default();
        for (name, labels, count) in counts(report) {
            *known
                .entry(name)
                .or_default()
                .entry(labels.clone())
                .or_default() += count;
            self.add(name, labels, count);
        }
    }

    /// Takes what was judged of this hour as a whole, but for what its slots have added.
    pub fn hour_judged(&self, hour: u32, report: &RunReport) {
        let known = lock(&self.open).remove(&hour).unwrap_or_default();
        for (name, labels, count) in counts(report) {
            let before = known.get(name).and_then(|values| values.get(&labels));
            self.add(
                name,
                labels,
                count.saturating_sub(before.copied().unwrap_or(0)),
            );
        }
    }

    fn add(&self, name: &'static str, labels: Labels, more: u64) {
        let mut counters = lock(&self.all);
        *counters.entry(name).or_default().entry(labels).or_default() += more;
    }
}

/// What a report adds to counters: each name and labels once.
fn counts(report: &RunReport) -> Vec<(&'static str, Labels, u64)> {
    let mut all = Vec::new();
    let mut note = |name, labels: &[(&'static str, &str)], more| {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        all.push((name, labels.collect(), more));
    };
    let lines = &report.coverage.lines;
    for (what, count) in [
        ("blank", lines.blank),
        ("header", lines.headers),
        ("record", lines.records),
        ("no_data", lines.no_data),
        ("skip_data", lines.skip_data),
        ("malformed", lines.malformed),
    ] {
        note("tidegate_lines_total", &[("outcome", what)], count);
    }
    for ((client, server), cell) in &report.matrix {
        for (verdict, count) in [
            ("compliant", cell.compliant),
            ("violation", cell.violation),
            ("attempted", cell.attempted),
            ("blocked", cell.blocked),
            ("overblocked", cell.overblocked),
            ("unproven", cell.unproven),
        ] {
            if count > 0 {
                let labels = [
                    ("client", &**client),
                    ("server", server),
                    ("verdict", verdict),
                ];
                note("tidegate_connections_total", &labels, count);
            }
        }
    }
    for (group, bytes) in &report.group_bytes {
        for (direction, bytes) in ["out", "in"].into_iter().zip(bytes) {
            let labels = [("group", &**group), ("direction", direction)];
            note("tidegate_group_bytes_total", &labels, *bytes);
        }
    }
    let unreadable = report.coverage.unreadable.len() as u64;
    note("tidegate_unreadable_objects_total", &[], unreadable);
    all
}

impl Watch<'_> {
    /// All metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// When the ledger fails.
    pub(super) fn metrics(&self) -> Result<String, ScanError> {
        let mut all = lock(&self.meters.all).clone();
        let mut set = |name: &'static str, labels: &[(&'static str, &str)], value: u64| {
            let labels = labels
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()));
            all.entry(name).or_default().insert(labels.collect(), value);
        };
        let view = self.ledger.read()?;
        set("tidegate_objects_total", &[], view.counter("objects")?);
        set("tidegate_alerts_sent_total", &[], view.counter(SENT)?);
        set(
            "tidegate_alerts_given_up_total",
            &[],
            view.counter(GIVEN_UP)?,
        );
        let odd = view.counter("messages-not-understood")?;
        set("tidegate_messages_not_understood_total", &[], odd);
        let outbox = view.outbox()?;
        for sender in self.senders {
            let depth = outbox.get(&sender.target().id()).copied().unwrap_or(0);
            set(
                "tidegate_alerts_waiting",
                &[("target", &sender.target().shown())],
                depth,
            );
        }
        let findings = view.findings()?;
        let open = findings.iter().filter(|(_, known)| !known.resolved);
        set("tidegate_findings_open", &[], open.count() as u64);
        {
            let sea = lock(&self.sea);
            let [open, committed, late, slots] = sea.tide.counts();
            set("tidegate_hours", &[("state", "open")], open);
            set("tidegate_hours", &[("state", "committed")], committed);
            set("tidegate_hours", &[("state", "late")], late);
            set("tidegate_slots_waiting", &[], slots);
            let lag = self.clock.seconds().saturating_sub(sea.tide.newest());
            if sea.tide.newest() > 0 {
                set("tidegate_lag_seconds", &[], u64::from(lag));
            }
            let watermark = sea.tide.watermark(sea.taken);
            set("tidegate_watermark_seconds", &[], u64::from(watermark));
        }
        if let Some(bytes) = resident() {
            set("tidegate_resident_memory_bytes", &[], bytes);
        }
        Ok(exposed(&all))
    }
}

fn exposed(all: &Values) -> String {
    let mut text = String::new();
    for (name, kind, help) in METRICS {
        let Some(values) = all.get(name) else {
            continue;
        };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels = match &labels[..] {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Bytes of memory that the process has, as Linux tells; none elsewhere.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_help_and_labels_are_escaped() {
        let meters = Meters::default();
        meters.count("tidegate_failures_total", &[("what", "a \"b\"\\")], 2);
        meters.count("tidegate_failures_total", &[("what", "a \"b\"\\")], 1);
        let text = exposed(&lock(&meters.all));
        assert_eq!(
            text,
            "# HELP tidegate_failures_total Work that failed and was tried again, by what it was.\n\
             # TYPE tidegate_failures_total counter\n\
             tidegate_failures_total{what=\"a \\\"b\\\"\\\\\"} 3\n"
        );
    }
}
