//! What a run reports, in the formats that people and programs read. Every format shows the same [`RunReport`].

pub(in crate::cli) mod csv;
mod fields;
mod json;
pub(super) mod junit;
mod plan;
pub(in crate::cli) mod sarif;
mod text;
pub(super) mod words;

#[cfg(test)]
mod sample;

use crate::app::report::RunReport;
use crate::app::settings::Format;
use crate::policy::Severity;

pub(super) use plan::{json as plan_json, text as plan_text};

/// How a report is to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Columns of text that fit.
    pub width: usize,
    /// Whether to colour.
    pub colour: bool,
    /// How many findings the text shows.
    pub limit: usize,
    /// The severity from which a finding fails (JUnit); low if none is given.
    pub fail_on: Option<Severity>,
}

/// Renders the report, its last line ended.
pub(super) fn render(report: &RunReport, format: Format, look: &Look) -> String {
    match format {
        Format::Text => text::render(report, look),
        Format::Json => json::report(report),
        Format::Ndjson => json::findings(report),
        Format::Csv => csv::render(report),
        Format::Sarif => sarif::render(report),
        Format::Junit => junit::render(report, look.fail_on.unwrap_or(Severity::Low)),
    }
}
