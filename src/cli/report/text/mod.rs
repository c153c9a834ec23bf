//! The report for people: coverage first, then who talks to whom, then findings, worst first; a screen or two.

mod coverage;
mod finding;
mod matrix;
mod paint;
mod resolver;

use super::{Look, words};
use crate::app::report::RunReport;
use crate::judge::Finding;
use crate::policy::Severity;
use paint::{Paint, Tone};

/// The report as text.
pub(super) fn render(report: &RunReport, look: &Look) -> String {
    let mut page = Page::new(look);
    heading(&mut page, report);
    coverage::write(&mut page, &report.coverage);
    resolver::write(&mut page, report);
    matrix::write(&mut page, report);
    findings(&mut page, report, look.limit);
    tail(&mut page, report);
    page.text
}

/// Text that grows downward.
struct Page {
    text: String,
    width: usize,
    paint: Paint,
}

/// Columns of the labels on the left.
const LABEL: usize = 20;

impl Page {
    fn new(look: &Look) -> Page {
        Page {
            text: String::new(),
            width: look.width.max(40),
            paint: Paint::new(look.colour),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.line("");
        self.strong(title);
    }

    fn strong(&mut self, title: &str) {
        for line in words::wrap(title, self.width) {
            let line = self.paint.tone(Tone::Strong, &line);
            self.line(&line);
        }
    }

    /// A sentence of its own.
    fn sentence(&mut self, sentence: &str) {
        for line in words::wrap(sentence, self.width) {
            self.line(&line);
        }
    }

    /// A label and its text, wrapped with a hanging indent.
    fn item(&mut self, label: &str, text: &str) {
        self.hanging(&format!("  {label:<width$}", width = LABEL - 2), text);
    }

    /// `head`, then text wrapped under where `head` ends. The head counts as [`LABEL`] columns, its colours aside.
    fn hanging(&mut self, head: &str, text: &str) {
        let lines = words::wrap(&words::clean(text), self.width.saturating_sub(LABEL));
        for (index, line) in lines.iter().enumerate() {
            let lead = if index == 0 {
                head.to_owned()
            } else {
                " ".repeat(LABEL)
            };
            self.line(&format!("{lead}{line}"));
        }
    }
}

fn heading(page: &mut Page, report: &RunReport) {
    let name = match report.policy_title.is_empty() {
        true => report.policy_id.clone(),
        false => format!("{}, {}", report.policy_id, report.policy_title),
    };
    let hash: String = report.policy_hash.chars().take(12).collect();
    let what = match report.policies.is_empty() {
        true => "Policy",
        false => "Policies",
    };
    page.strong(&words::clean(&format!("{what} {name} ({hash})")));
    for policy in &report.policies {
        let hash: String = policy.hash.chars().take(12).collect();
        let told = format!("  {} ({hash}) {}", policy.id, policy.days());
        page.line(&words::clean(&told));
    }
}

fn findings(page: &mut Page, report: &RunReport, limit: usize) {
    let total: u64 = report.findings_total.values().sum();
    if total == 0 {
        page.title("Findings: none");
        return;
    }
    page.title(&format!("Findings: {}", summary(report)));
    // What was accepted earlier stands behind what needs a decision; within each, the report's order (worst first).
    let (open, accepted): (Vec<&Finding>, Vec<&Finding>) = report
        .findings
        .iter()
        .partition(|finding| !report.is_known(finding) && !finding.muted);
    let shown = open.len().min(limit);
    for finding in &open[..shown] {
        finding::write(page, finding, &report.origins);
    }
    let accepted_shown = accepted.len().min(limit.saturating_sub(shown));
    if accepted_shown > 0 {
        page.line("");
    }
    for finding in &accepted[..accepted_shown] {
        let why = if finding.muted { "muted" } else { "known" };
        finding::write_accepted(page, finding, why);
    }
    let left = total.saturating_sub((shown + accepted_shown) as u64);
    if left > 0 {
        page.line("");
        page.sentence(&format!(
            "… and {} more; --limit all shows them, --output ndjson=FILE keeps them",
            words::count(left)
        ));
    }
}

/// `2 critical, 5 high (4 known, 1 muted)`.
fn summary(report: &RunReport) -> String {
    let by_severity: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter_map(|severity| {
            let number = *report.findings_total.get(severity.as_str())?;
            (number > 0).then(|| format!("{} {}", words::count(number), severity.as_str()))
        })
        .collect();
    let total: u64 = report.findings_total.values().sum();
    let open: u64 = report.findings_open.values().sum();
    let known = report.known.len() as u64;
    let accepted = total.saturating_sub(open);
    let mut summary = by_severity.join(", ");
    if accepted > 0 {
        let muted = accepted.saturating_sub(known);
        let parts = [(known.min(accepted), "known"), (muted, "muted")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{} {word}", words::count(*number)))
            .collect();
        summary.push_str(&format!(" (of these {})", parts.join(", ")));
    }
    summary
}

fn tail(page: &mut Page, report: &RunReport) {
    let noise = &report.noise;
    if noise.connections > 0 {
        page.line("");
        let text = format!(
            "internet: {} ({}) from {}, denied or unasked for; no finding",
            words::counted(noise.connections, "connection"),
            words::counted(noise.records, "record"),
            match noise.addresses {
                1 => "1 address".to_owned(),
                number => format!("{} addresses", words::count(number)),
            },
        );
        page.hanging(&format!("{:<LABEL$}", "Noise"), &text);
    }
    if let Some(lake) = &report.lake {
        let rows: Vec<String> = lake
            .rows
            .iter()
            .filter(|(_, number)| **number > 0)
            .map(|(table, number)| format!("{table} {}", words::count(*number)))
            .collect();
        let mut text = format!(
            "{}: {} written",
            lake.url,
            words::counted(lake.hours_written, "hour")
        );
        if lake.hours_kept > 0 {
            text.push_str(&format!(", {} there before", words::count(lake.hours_kept)));
        }
        if !rows.is_empty() {
            text.push_str(&format!("; rows: {}", rows.join(", ")));
        }
        page.line("");
        page.hanging(&format!("{:<LABEL$}", "Lake"), &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::sample;

    fn look(width: usize, limit: usize) -> Look {
        Look {
            width,
            colour: false,
            limit,
            fail_on: None,
        }
    }

    #[test]
    fn report_at_100_columns() {
        insta::assert_snapshot!("report_text", render(&sample::report(), &look(100, 10)));
    }

    #[test]
    fn report_at_60_columns() {
        let text = render(&sample::report(), &look(60, 2));
        insta::assert_snapshot!("report_text_narrow", text);
    }

    #[test]
    fn lines_fit_the_width_but_for_what_must_be_copied() {
        for width in [60, 80, 100, 140] {
            for line in render(&sample::report(), &look(width, 10)).lines() {
                let copied = line.contains("${") || line.contains(".log.gz:");
                assert!(copied || line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let plain = render(&sample::report(), &look(100, 10));
        let coloured = render(
            &sample::report(),
            &Look {
                colour: true,
                ..look(100, 10)
            },
        );
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains('\u{1b}'));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').expect("an escape that ends").1;
        }
        stripped.push_str(rest);
        let trimmed = |text: &str| {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(trimmed(&stripped), trimmed(&plain));
    }

    #[test]
    fn a_clean_run_says_so() {
        let text = render(&RunReport::default(), &look(80, 10));
        assert!(text.contains("Findings: none"), "{text}");
    }
}
