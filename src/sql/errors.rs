//! Errors of queries in words for people: what is nearest to a name that there is not.

use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::parser::ParserError;

use super::names::tables;
use crate::policy::nearest;

/// The same error, with the nearest table where it names one that there is not. DataFusion does so for columns and
/// functions.
pub(super) fn with_nearest(error: DataFusionError, context: &SessionContext) -> DataFusionError {
    let text = error.strip_backtrace();
    let missing = text
        .split_once("table 'tidegate.public.")
        .and_then(|(_, rest)| rest.split_once("' not found"));
    let Some((missing, _)) = missing else {
        return error;
    };
    let tables = tables(context);
    let near = nearest(missing, tables.iter().map(String::as_str));
    let hint = match (near, what_brings(missing)) {
        (_, Some(option)) => format!("\nhint: `{missing}` needs {option}"),
        (Some(near), _) => format!("\nhint: there is `{near}`"),
        (None, None) if tables.is_empty() => {
            "\nhint: --logs, --lake and --policy bring tables".to_owned()
        }
        (None, None) => format!("\nhint: there are {}", tables.join(", ")),
    };
    DataFusionError::Plan(format!("there is no table `{missing}`{hint}"))
}

/// The option that brings a table which is not there.
fn what_brings(table: &str) -> Option<&'static str> {
    if table == "flows" {
        return Some("--logs");
    }
    if table.starts_with("policy_") {
        return super::policy_tables::NAMES
            .contains(&table)
            .then_some("--policy");
    }
    crate::sink::Table::from_name(table)
        .map(|_| "--lake, or --logs and --policy to judge on the fly")
}

/// What a query failed by, for people, and what to do.
pub fn explain(error: &DataFusionError) -> (String, Option<String>) {
    let root = error.find_root();
    let text = match root {
        DataFusionError::SQL(parser, _) => match &**parser {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
                format!("cannot read this SQL: {text}")
            }
            ParserError::RecursionLimitExceeded => "the statement nests too deep".to_owned(),
        },
        DataFusionError::ArrowError(arrow, _) => arrow.to_string(),
        other => other.strip_backtrace(),
    };
    // What sort of error the engine calls it helps nobody.
    let sorts = [
        "Execution error: ",
        "Error during planning: ",
        "External error: ",
        "Schema error: ",
        "Parser error: ",
        "Cast error: ",
    ];
    let bare = sorts.iter().find_map(|sort| text.strip_prefix(sort));
    let text = bare.unwrap_or(&text);
    if let DataFusionError::ResourcesExhausted(_) = root {
        let hint = "give more --memory, or ask for less: fewer columns, a shorter time, a limit";
        return (text.to_owned(), Some(hint.to_owned()));
    }
    if let Some((what, hint)) = text.split_once("\nhint: ") {
        return (what.to_owned(), Some(hint.to_owned()));
    }
    // Where the nearest name is told, all others are too many.
    let is_near = text.contains("Did you mean");
    let what = match text.split_once(" Valid fields are ") {
        Some((what, _)) if is_near => what.trim_end_matches('.'),
        _ => text,
    };
    (what.to_owned(), hint(text).map(str::to_owned))
}

/// What to do about some mistakes that are easily made.
fn hint(text: &str) -> Option<&'static str> {
    if text.contains("found: end at") {
        return Some("`end` is a word of SQL's own: write \"end\"");
    }
    if text.starts_with("No field named \"") {
        return Some("text stands in single quotes: 'ACCEPT'; double quotes name columns");
    }
    if text.contains("parsing timestamp") {
        return Some("a time is written as '2026-02-25T06:00:00Z'");
    }
    if text.contains("to value of Int") {
        return Some("compare with a number, or with its name: protocol_name(protocol) = 'tcp'");
    }
    None
}
