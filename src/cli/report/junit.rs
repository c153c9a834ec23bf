//! JUnit XML for CI: of a scan a suite of findings, each a test case that fails from a severity on, and a suite of objects,
//! in which the unreadable are errors. Other commands have suites of their own.

use super::{fields, words};
use crate::app::report::RunReport;
use crate::judge::Finding;
use crate::policy::Severity;

/// The report as JUnit XML. Findings below `fail_on` pass; known and muted ones are skipped.
pub(super) fn render(report: &RunReport, fail_on: Severity) -> String {
    let mut findings = Suite::new("findings");
    for finding in &report.findings {
        findings.add(
            &format!("tidegate.{}", finding.kind.as_str()),
            &name(finding),
            fate(report, finding, fail_on),
        );
    }
    if report.findings.is_empty() {
        findings.add("tidegate", "no findings", Fate::Passed);
    }
    let mut objects = Suite::new("objects");
    for (url, why) in &report.coverage.unreadable {
        let fate = Fate::Error {
            kind: "unreadable",
            message: why.clone(),
        };
        objects.add("tidegate.unreadable", url, fate);
    }
    if report.coverage.unreadable.is_empty() {
        objects.add("tidegate", "every object is readable", Fate::Passed);
    }
    document(
        &format!("tidegate {}", report.policy_id),
        &[findings, objects],
    )
}

/// Suites as a document of this name.
pub(in crate::cli) fn document(name: &str, suites: &[Suite]) -> String {
    let sum = |count: fn(&Suite) -> u64| suites.iter().map(count).sum::<u64>();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!(
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
        escape(name),
        sum(|suite| suite.tests),
        sum(|suite| suite.failures),
        sum(|suite| suite.errors),
        sum(|suite| suite.skipped),
    ));
    for suite in suites {
        suite.write(&mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

/// What became of a test case.
pub(in crate::cli) enum Fate {
    /// It passed.
    Passed,
    /// It was left out, and why.
    Skipped(&'static str),
    /// It failed.
    Failed {
        /// What kind of failure; a word.
        kind: &'static str,
        /// One line.
        message: String,
        /// What else there is to say.
        details: String,
    },
    /// It could not be tried.
    Error {
        /// What kind of error; a word.
        kind: &'static str,
        /// Why.
        message: String,
    },
}

/// A suite of test cases.
pub(in crate::cli) struct Suite {
    name: String,
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    cases: String,
}

impl Suite {
    /// A suite of this name, without cases.
    pub(in crate::cli) fn new(name: &str) -> Suite {
        Suite {
            name: name.to_owned(),
            tests: 0,
            failures: 0,
            errors: 0,
            skipped: 0,
            cases: String::new(),
        }
    }

    /// Adds a case.
    pub(in crate::cli) fn add(&mut self, class: &str, name: &str, fate: Fate) {
        self.tests += 1;
        let head = format!(
            "    <testcase classname=\"{}\" name=\"{}\"",
            escape(class),
            escape(name)
        );
        let case = match fate {
            Fate::Passed => format!("{head}/>\n"),
            Fate::Skipped(why) => {
                self.skipped += 1;
                format!("{head}>\n      <skipped message=\"{why}\"/>\n    </testcase>\n")
            }
            Fate::Failed {
                kind,
                message,
                details,
            } => {
                self.failures += 1;
                format!(
                    "{head}>\n      <failure type=\"{kind}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                    escape(&message),
                    escape(&details)
                )
            }
            Fate::Error { kind, message } => {
                self.errors += 1;
                format!(
                    "{head}>\n      <error type=\"{kind}\" message=\"{}\"/>\n    </testcase>\n",
                    escape(&message)
                )
            }
        };
        self.cases.push_str(&case);
    }

    fn write(&self, text: &mut String) {
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}  </testsuite>\n",
            escape(&self.name), self.tests, self.failures, self.errors, self.skipped, self.cases
        ));
    }
}

/// Steady over days and unique within a run, so that CI can follow a case.
fn name(finding: &Finding) -> String {
    let ends = [&finding.client, &finding.server].map(|end| end.subject.as_str());
    let ends = ends.into_iter().filter(|end| !end.is_empty());
    let service = words::service(finding.protocol, finding.server_port);
    let words = [
        ends.collect::<Vec<_>>().join(" -> "),
        service,
        format!("[{}]", finding.finding_id),
    ];
    let words = words.into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn fate(report: &RunReport, finding: &Finding, fail_on: Severity) -> Fate {
    if report.is_known(finding) {
        return Fate::Skipped("known");
    }
    if finding.muted {
        return Fate::Skipped("muted");
    }
    if finding.severity < fail_on {
        return Fate::Passed;
    }
    let mut details = match finding.rule.as_str() {
        "" => fields::reason(finding).to_owned(),
        rule => format!("rule {rule}: {}", fields::reason(finding)),
    };
    if let Some(lacked) = &finding.lacked {
        details.push_str(&format!("\nnearest allow lacked: {lacked}"));
    }
    details.push_str(&format!(
        "\n{}, {}, {}\n{}",
        words::counted(finding.connections, "connection"),
        words::bytes(finding.bytes),
        words::interval(finding.first_seen, finding.last_seen),
        match finding.line {
            0 => finding.source.clone(),
            line => format!("{}:{line}", finding.source),
        }
    ));
    Fate::Failed {
        kind: finding.severity.as_str(),
        message: finding.title.clone(),
        details,
    }
}

/// Text within XML; characters that XML 1.0 has no way to write become `�`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::sample;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    /// Elements of the document by name, attributes behind: a parser that knows nothing of the writer.
    fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let mut reader = Reader::from_str(text);
        let mut found = Vec::new();
        loop {
            let element = match reader.read_event().expect("well-formed XML") {
                Event::Start(element) | Event::Empty(element) => element,
                Event::Eof => return found,
                _ => continue,
            };
            let attributes = element
                .attributes()
                .map(|attribute| {
                    let attribute = attribute.expect("a well-formed attribute");
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .expect("a value");
                    (
                        String::from_utf8_lossy(attribute.key.as_ref()).into_owned(),
                        value.into_owned(),
                    )
                })
                .collect();
            found.push((
                String::from_utf8_lossy(element.name().as_ref()).into_owned(),
                attributes,
            ));
        }
    }

    fn count(text: &str, name: &str) -> usize {
        elements(text)
            .iter()
            .filter(|(element, _)| element == name)
            .count()
    }

    #[test]
    fn findings_fail_from_a_severity_on_and_known_ones_are_skipped() {
        let report = sample::report();
        let text = render(&report, Severity::Low);
        assert_eq!(count(&text, "testcase"), 5);
        assert_eq!(count(&text, "failure"), 2);
        assert_eq!(count(&text, "skipped"), 2);
        assert_eq!(count(&text, "error"), 1);
        assert_eq!(count(&render(&report, Severity::High), "failure"), 1);
        let totals = &elements(&text)[0];
        assert_eq!(totals.0, "testsuites");
        for (name, value) in [
            ("tests", "5"),
            ("failures", "2"),
            ("errors", "1"),
            ("skipped", "2"),
        ] {
            assert!(
                totals.1.contains(&(name.to_owned(), value.to_owned())),
                "{name}={value} in {totals:?}"
            );
        }
        insta::assert_snapshot!("report_junit", text);
    }

    #[test]
    fn text_from_outside_stays_text() {
        assert_eq!(
            escape("<a b=\"&\">\u{0}\u{1b}"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_clean_run_passes() {
        let text = render(&RunReport::default(), Severity::Low);
        assert_eq!(
            (
                count(&text, "testcase"),
                count(&text, "failure"),
                count(&text, "error")
            ),
            (2, 0, 0)
        );
    }
}
