//! Errors of queries in words for people: what is nearest to a name that there is not.

use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;

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

/// What a query failed by, for people.
pub fn explain(error: &DataFusionError) -> (String, Option<String>) {
    let text = error.strip_backtrace();
    if let DataFusionError::ResourcesExhausted(_) = error.find_root() {
        let hint = "give more --memory, or ask for less: fewer columns, a shorter time, a limit";
        return (text, Some(hint.to_owned()));
    }
    match text.split_once("\nhint: ") {
        Some((what, hint)) => (what.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    }
}
