//! What text may be run: one query, or several that are each one; nothing that writes, sets, prepares or reads other places.
//!
//! The kinds of statement that are let through are listed, so that whatever a later version of the engine adds is refused
//! until somebody has thought about it. DataFusion is asked a second time when the statement is a plan.

use std::collections::VecDeque;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;

/// Nesting of a statement's expressions beyond which it is refused.
const MAX_DEPTH: usize = 128;

/// The statements of a text, each of which only reads.
///
/// # Errors
/// When it is no SQL, or a statement of it would do something else than read.
pub fn statements(text: &str) -> Result<VecDeque<Statement>> {
    let parser = DFParserBuilder::new(text).with_recursion_limit(MAX_DEPTH);
    let statements = parser.build()?.parse_statements()?;
    statements.iter().try_for_each(reads)?;
    Ok(statements)
}

/// What a plan may hold: no tables or settings are made or changed.
pub(super) fn options() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}

fn reads(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Explain(explain) => reads(&explain.statement),
        Statement::Statement(sql) => match &**sql {
            Sql::Query(_) | Sql::ShowTables { .. } | Sql::ShowColumns { .. } => Ok(()),
            Sql::ExplainTable { .. } | Sql::ShowFunctions { .. } => Ok(()),
            Sql::Explain { statement, .. } => reads(&Statement::Statement(statement.clone())),
            other => Err(refused(&other.to_string())),
        },
        other => Err(refused(&other.to_string())),
    }
}

fn refused(statement: &str) -> DataFusionError {
    let words: Vec<&str> = statement.split_whitespace().take(3).collect();
    DataFusionError::Plan(format!(
        "`{} …` is not run: only queries are (SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES, DESCRIBE)",
        words.join(" ")
    ))
}
