//! What a word at the prompt may become.

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::command::WORDS;
use super::output::AnswerFormat;
use crate::sql::{CuratedQuery, Names};

/// Words of SQL that are worth completing.
const KEYWORDS: [&str; 44] = [
    "all",
    "analyze",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "filter",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "interval",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "select",
    "union",
    "using",
    "where",
    "with",
];

/// What words are completed from.
pub(super) struct Words {
    pub names: Names,
    pub queries: Vec<CuratedQuery>,
}

impl Words {
    /// Where the word before `pos` begins, and what it may become.
    fn of(&self, text: &str, pos: usize) -> (usize, Vec<String>) {
        let before = &text[..pos];
        if let Some(command) = before.trim_start().strip_prefix('\\') {
            let word = before
                .rsplit(char::is_whitespace)
                .next()
                .unwrap_or_default();
            let start = before.len() - word.len().min(command.len());
            return (start, self.of_command(command, &before[start..]));
        }
        if before.matches('\'').count() % 2 == 1 {
            return (pos, Vec::new());
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let start = before.trim_end_matches(is_part).len();
        let (before, word) = before.split_at(start);
        if let Some(before) = before.strip_suffix('.') {
            let table = &before[before.trim_end_matches(is_part).len()..];
            return (start, beginning(word, self.columns(text, Some(table))));
        }
        let tables = self.names.tables.iter().map(|(name, _)| name.clone());
        let last = before.split_whitespace().next_back().unwrap_or_default();
        if ["from", "join"].contains(&&*last.to_lowercase()) {
            return (start, beginning(word, tables));
        }
        if word.is_empty() {
            return (start, Vec::new());
        }
        let functions = self.names.functions.iter().map(|name| format!("{name}("));
        let in_capitals = word.starts_with(char::is_uppercase);
        let keywords = KEYWORDS.iter().map(|word| {
            if in_capitals {
                word.to_uppercase()
            } else {
                (*word).to_owned()
            }
        });
        let all = self.columns(text, None).into_iter();
        let all = all.chain(tables).chain(functions).chain(keywords);
        (start, beginning(word, all))
    }

    /// What the last word of a command may become.
    fn of_command(&self, command: &str, word: &str) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        // The one that is being written does not count.
        let behind = words.len() - usize::from(!word.is_empty());
        match (words.first(), behind) {
            (_, 0) => beginning(word, WORDS.iter().map(|word| word.name.to_owned())),
            (Some(&"d"), 1) => {
                let tables = self.names.tables.iter();
                beginning(word, tables.map(|(name, _)| name.clone()))
            }
            (Some(&"run" | &"queries"), 1) => {
                let queries = self.queries.iter();
                beginning(word, queries.map(|query| query.name.clone()))
            }
            (Some(&"run"), _) => {
                let query = self.queries.iter().find(|query| query.name == words[1]);
                let params = query.into_iter().flat_map(|query| &query.params);
                beginning(word, params.map(|param| format!("{}=", param.name)))
            }
            (Some(&"format"), 1) => {
                let formats = AnswerFormat::ALL.iter();
                beginning(word, formats.map(|format| format.as_str().to_owned()))
            }
            (Some(&"timing"), 1) => beginning(word, ["on", "off"].map(str::to_owned)),
            _ => Vec::new(),
        }
    }

    /// The columns of a table; of those that a text names if there is no such table; else of all.
    fn columns(&self, text: &str, table: Option<&str>) -> Vec<String> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let named = |name: &str| text.split(|c| !is_part(c)).any(|word| word == name);
        let tables = &self.names.tables;
        let this = tables.iter().filter(|(name, _)| Some(&**name) == table);
        let mut of: Vec<_> = this.collect();
        if of.is_empty() {
            of = tables.iter().filter(|(name, _)| named(name)).collect();
        }
        if of.is_empty() {
            of = tables.iter().collect();
        }
        let columns = of.into_iter().flat_map(|(_, columns)| columns);
        // A word of SQL's own stands in quotes.
        let columns = columns.map(|name| {
            if KEYWORDS.contains(&&**name) {
                format!("\"{name}\"")
            } else {
                name.clone()
            }
        });
        columns.collect()
    }
}

/// Those that begin with what is written, in any case, without quotes; each once.
fn beginning(written: &str, all: impl IntoIterator<Item = String>) -> Vec<String> {
    let written = written.to_lowercase();
    let mut found: Vec<String> = Vec::new();
    for word in all {
        let bare = word.trim_start_matches('"').to_lowercase();
        if bare.starts_with(&written) && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

impl Completer for Words {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let (start, found) = self.of(line, pos);
        let suggestions = found.into_iter().map(|value| Suggestion {
            append_whitespace: !value.ends_with(['(', '=']),
            value,
            span: Span::new(start, pos),
            ..Suggestion::default()
        });
        CompletionResult::fresh(suggestions.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &str) -> Vec<String> {
        let table = |name: &str, columns: &[&str]| {
            (
                name.to_owned(),
                columns.iter().map(|c| (*c).to_owned()).collect(),
            )
        };
        let words = Words {
            names: Names {
                tables: vec![
                    table("edges", &["client", "bytes"]),
                    table("flows", &["srcaddr", "end"]),
                ],
                functions: vec!["cidr_contains".to_owned(), "count".to_owned()],
            },
            queries: crate::sql::built_in(),
        };
        let (start, found) = words.of(text, text.len());
        found
            .into_iter()
            .map(|word| format!("{}{word}", &text[..start]))
            .collect()
    }

    #[test]
    fn names_of_what_is_asked_come_before_words_of_sql() {
        assert_eq!(
            completed("select c"),
            [
                "client",
                "cidr_contains(",
                "count(",
                "case",
                "cast",
                "cross"
            ]
            .map(|word| format!("select {word}"))
        );
        assert_eq!(completed("SELECT * FR"), ["SELECT * FROM"]);
        assert_eq!(completed("select * from f"), ["select * from flows"]);
        assert_eq!(completed("select * from ").len(), 2);
        assert_eq!(completed("select * JOIN e"), ["select * JOIN edges"]);
        assert_eq!(
            completed("select * from flows f where f.e"),
            ["select * from flows f where f.\"end\""]
        );
        assert_eq!(
            completed("select flows."),
            ["select flows.srcaddr", "select flows.\"end\""]
        );
        assert!(completed("select ").is_empty());
        assert!(completed("select 'c").is_empty());
    }

    #[test]
    fn commands_and_what_follows_them() {
        assert_eq!(completed("\\f"), ["\\functions", "\\format"]);
        assert_eq!(completed("\\d e"), ["\\d edges"]);
        assert_eq!(completed("\\format nd"), ["\\format ndjson"]);
        assert_eq!(completed("\\run top"), ["\\run top-violations"]);
        assert_eq!(
            completed("\\run host-timeline ad"),
            ["\\run host-timeline addr="]
        );
        assert!(completed("\\run nothing x").is_empty());
        // A blank of two bytes.
        assert_eq!(completed("\\run\u{a0}top"), ["\\run\u{a0}top-violations"]);
    }
}
