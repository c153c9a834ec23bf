//! CSV as RFC 4180 has it: a header, one finding a row, CRLF. Lists are joined by `; `.
//!
//! Names of workloads come from logs, and logs from whoever may tag an instance. So text that a spreadsheet would run as a
//! formula (it begins with `=`, `+`, `-` or `@`) gets a `'` in front, and control characters become `�`.

use serde_json::Value;

use super::{fields, words};
use crate::alert;
use crate::app::report::RunReport;

/// The findings as CSV.
pub(super) fn render(report: &RunReport) -> String {
    let rows: Vec<fields::Fields> = report
        .findings
        .iter()
        .map(|finding| fields::of(report, finding))
        .collect();
    let mut text = String::new();
    push_row(&mut text, &NAMES.map(Value::from));
    for row in &rows {
        debug_assert!(
            row.0.iter().map(|(name, _)| *name).eq(NAMES),
            "the header names the fields in their order"
        );
        push_row(&mut text, row.0.iter().map(|(_, value)| value));
    }
    text
}

/// The header, there even when no finding is.
const NAMES: [&str; 44] = [
    "finding_id",
    "kind",
    "severity",
    "confidence",
    "title",
    "network",
    "client_subject",
    "client_tier",
    "client_addresses",
    "client_heaviest",
    "server_subject",
    "server_tier",
    "server_addresses",
    "server_heaviest",
    "server_names",
    "server_names_total",
    "server_names_level",
    "server_port",
    "protocol",
    "rule",
    "reason",
    "owner",
    "controls",
    "lacked",
    "outcome",
    "via",
    "account_id",
    "region",
    "vpc_id",
    "subnet_id",
    "interface_id",
    "instance_id",
    "first_seen",
    "last_seen",
    "records",
    "connections",
    "packets",
    "bytes",
    "source",
    "line",
    "policy_id",
    "policy_hash",
    "muted",
    "known",
];

/// Adds a row of cells.
pub(in crate::cli) fn push_row<'v>(text: &mut String, cells: impl IntoIterator<Item = &'v Value>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        push_cell(text, cell);
    }
    text.push_str("\r\n");
}

fn push_cell(text: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(word) => push_text(text, word),
        Value::Array(list) => {
            push_text(text, &list.iter().map(item).collect::<Vec<_>>().join("; "))
        }
        other => text.push_str(&other.to_string()),
    }
}

/// An element of a list: text as it is, an address with its bytes, and whose it is, in brackets.
fn item(value: &Value) -> String {
    match (value.as_str(), value["addr"].as_str()) {
        (Some(word), _) => word.to_owned(),
        (None, Some(addr)) => {
            let origin = alert::origin(value);
            let whose = if origin.is_unknown() { "" } else { ", " };
            format!("{addr} ({}{whose}{origin})", value["bytes"])
        }
        (None, None) => value.to_string(),
    }
}

fn push_text(text: &mut String, word: &str) {
    let word = words::clean(word);
    let formula = word.starts_with(['=', '+', '-', '@']);
    let quoted = word.contains([',', '"']);
    if quoted {
        text.push('"');
    }
    if formula {
        text.push('\'');
    }
    text.push_str(&word.replace('"', "\"\""));
    if quoted {
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::sample;

    /// Reads CSV back, the slow and obvious way.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut row = Vec::new();
        let mut cell = String::new();
        let mut inside = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if inside && chars.peek() == Some(&'"') => {
                    cell.push('"');
                    chars.next();
                }
                '"' => inside = !inside,
                ',' if !inside => row.push(std::mem::take(&mut cell)),
                '\r' if !inside => {}
                '\n' if !inside => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                other => cell.push(other),
            }
        }
        assert!(
            !inside && cell.is_empty() && row.is_empty(),
            "the last row is ended"
        );
        rows
    }

    #[test]
    fn csv_parses_back() {
        let report = sample::report();
        let text = render(&report);
        let rows = parse(&text);
        assert_eq!(rows.len(), 1 + report.findings.len());
        assert!(rows.iter().all(|row| row.len() == NAMES.len()));
        let column = |name: &str| {
            NAMES
                .iter()
                .position(|other| *other == name)
                .expect("a column")
        };
        assert_eq!(rows[1][column("reason")], report.findings[0].reason);
        assert_eq!(
            rows[1][column("client_heaviest")],
            "10.0.32.17 (3000000); 10.0.32.18 (400000)"
        );
        assert_eq!(
            rows[4][column("client_subject")],
            "'=HYPERLINK(\"http://x\",1)"
        );
        assert_eq!(rows[4][column("server_port")], "");
        insta::assert_snapshot!("report_csv", text);
    }

    #[test]
    fn header_is_there_without_findings() {
        assert_eq!(
            render(&RunReport::default()),
            format!("{}\r\n", NAMES.join(","))
        );
    }
}
