//! What a prompt understands beside SQL: words behind a backslash.

use crate::policy::nearest;

/// A word that the prompt understands.
pub(super) struct Word {
    pub name: &'static str,
    /// What may follow.
    takes: &'static str,
    does: &'static str,
}

const fn word(name: &'static str, takes: &'static str, does: &'static str) -> Word {
    Word { name, takes, does }
}

/// All of them, in the order of the help.
pub(super) const WORDS: [Word; 12] = [
    word("d", "[TABLE]", "the tables, or the columns of one"),
    word("functions", "", "the functions beside those of the engine"),
    word(
        "queries",
        "[NAME]",
        "the curated queries and their parameters, or the text of one",
    ),
    word(
        "run",
        "NAME [PARAM=VALUE]…",
        "runs a curated query; values with blanks stand in quotes",
    ),
    word(
        "plot",
        "",
        "draws the last answer: bars, or lines over its column of time",
    ),
    word(
        "format",
        "[FORMAT]",
        "table, csv, tsv, json, ndjson, plot; parquet and arrow into a file",
    ),
    word("rows", "N|all", "how many rows a table shows"),
    word(
        "o",
        "[FILE]",
        "answers go into this file, one after the other; without a name to the terminal again",
    ),
    word("i", "FILE", "runs the SQL of a file"),
    word("timing", "[on|off]", "tells how long each answer took"),
    word("?", "", "this help"),
    word("q", "", "leaves, as Ctrl-D does"),
];

/// A line for the prompt itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub name: &'static str,
    pub words: Vec<String>,
}

/// The command of a line that is one; none for SQL.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn parse(line: &str) -> Option<Result<Command, (String, String)>> {
    let line = line.trim();
    let bare = line.trim_end_matches(';').trim_end();
    let rest = match bare {
        "help" => "?",
        "quit" | "exit" => "q",
        _ => line.strip_prefix('\\')?,
    };
    let mut words = split(rest).into_iter();
    let name = words.next().unwrap_or_default();
    let Some(known) = WORDS.iter().find(|word| word.name == name) else {
        let names = WORDS.iter().map(|word| word.name);
        let hint = match nearest(&name, names) {
            Some(near) => format!("there is `\\{near}`; `\\?` shows all"),
            None => "`\\?` shows all; SQL has no backslash before it".to_owned(),
        };
        return Some(Err((format!("there is no command `\\{name}`"), hint)));
    };
    let words: Vec<String> = words.collect();
    if known.takes.is_empty() && !words.is_empty() {
        let what = format!("`\\{name}` takes nothing behind it, got `{}`", words[0]);
        return Some(Err((what, "`\\?` shows what each takes".to_owned())));
    }
    if words.is_empty() && !known.takes.is_empty() && !known.takes.starts_with('[') {
        let what = format!("expected `\\{name} {}`, got nothing behind it", known.takes);
        return Some(Err((what, "`\\?` shows what each takes".to_owned())));
    }
    let name = known.name;
    Some(Ok(Command { name, words }))
}

/// The command in the last line of a question that was not ended: whoever is stuck types one.
pub(super) fn escape(text: &str) -> Option<&str> {
    let (_, last) = text.trim_end().rsplit_once('\n')?;
    let name = last.trim().strip_prefix('\\')?.split_whitespace().next()?;
    WORDS.iter().any(|word| word.name == name).then_some(last)
}

/// Words between blanks; those in single or double quotes hold blanks, too.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// All commands, for people.
pub(super) fn help() -> String {
    let mut text =
        String::from("SQL ends with a semicolon and may take several lines. Beside it:\n");
    for Word { name, takes, does } in &WORDS {
        let head = format!("\\{name} {takes}");
        text.push_str(&format!("  {head:<26} {does}\n"));
    }
    text.push_str(
        "Tab completes, Ctrl-R searches what was asked before, Ctrl-C ends a query that runs.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_quotes_are_one() {
        assert_eq!(
            split("run  x a='1 2' \"b c\"='' ''"),
            ["run", "x", "a=1 2", "b c=", ""]
        );
    }

    #[test]
    fn commands_are_told_from_sql_and_their_errors_name_what_is_nearest() {
        assert_eq!(parse("select 1;"), None);
        assert_eq!(parse("help me"), None);
        let known = |line| parse(line).expect("a command").expect("a known one");
        assert_eq!(known(" \\d flows ").words, ["flows"]);
        assert_eq!(known("exit;").name, "q");
        let wrong = |line| parse(line).expect("a command").expect_err("a wrong one");
        assert!(wrong("\\fromat csv").1.contains("`\\format`"));
        assert!(wrong("\\plot it").0.contains("got `it`"));
        assert!(wrong("\\").0.contains("`\\`"));
        assert!(wrong("\\run").0.contains("`\\run NAME"));
        assert_eq!(escape("select 1\n\\q"), Some("\\q"));
        assert_eq!(escape("select 1\n\\x"), None);
        assert_eq!(escape("\\q"), None);
    }
}
