//! What text may be run: one query, or several that are each one; nothing that writes, sets, prepares or reads other places.
//!
//! The kinds of statement that are let through are listed, so that whatever a later version of the engine adds is refused
//! until somebody has thought about it. DataFusion is asked a second time when the statement is a plan.

use std::collections::VecDeque;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Nesting of a statement's expressions beyond which it is refused.
const MAX_DEPTH: usize = 128;
/// Bytes of a text. Chains such as `a or b or …` nest as deep as they are long, and threads have [`STACK`] for that.
const MAX_TEXT: usize = 128 << 10;
/// Bytes of stack that a thread needs for the longest text: it is walked by recursion many times over.
pub const STACK: usize = 512 << 20;

/// The statements of a text, each of which only reads. To be called, and its result dropped, where there is [`STACK`].
///
/// # Errors
/// When it is no SQL, or a statement of it would do something else than read.
pub fn statements(text: &str) -> Result<VecDeque<Statement>> {
    if text.len() > MAX_TEXT {
        return Err(DataFusionError::Plan(format!(
            "expected SQL of at most {MAX_TEXT} bytes, got {}; long lists are better joined from `values`, or given to in_cidrs",
            text.len()
        )));
    }
    let parser = DFParserBuilder::new(text).with_recursion_limit(MAX_DEPTH);
    let statements = parser.build()?.parse_statements()?;
    statements.iter().try_for_each(reads)?;
    Ok(statements)
}

/// Whether somebody who types a text has ended it: with a semicolon outside of quotes and comments.
pub fn is_whole(text: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => {
            let is_blank = |token: &&Token| matches!(token, Token::Whitespace(_));
            let last = tokens.iter().rev().find(|token| !is_blank(token));
            last == Some(&Token::SemiColon)
        }
        // A quote or a comment is open, or there is something to be told of.
        Err(error) => {
            let open = ["Unterminated", "EOF"];
            !open.iter().any(|word| error.message.contains(word))
        }
    }
}

/// What a plan may hold: no tables or settings are made or changed.
pub(super) fn options() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}

fn reads(statement: &Statement) -> Result<()> {
    let explained = match statement {
        Statement::Explain(explain) => &explain.statement,
        other => other,
    };
    match explained {
        Statement::Statement(sql) => match &**sql {
            Sql::Query(_) | Sql::ShowTables { .. } | Sql::ShowColumns { .. } => Ok(()),
            Sql::ExplainTable { .. } | Sql::ShowFunctions { .. } => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_whole_with_a_semicolon_outside_of_quotes_and_comments() {
        for whole in [
            "select 1;",
            "select ';';\n",
            "select 1; -- why",
            "select 1;\nselect 2 /* ; */ ;",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in [
            "",
            "select 1",
            "select ';",
            "select \"a;",
            "select 1 /* ;",
            "select 1 -- ;",
            "select $$ ;",
        ] {
            assert!(!is_whole(open), "{open}");
        }
    }
}
