//! What is wrong with a policy file: every error of one run with its place, the source line and a hint.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::nearest::nearest;

/// How many errors of one file are kept. A generated file can have one in every line; nobody reads more than this.
const MAX_ERRORS: usize = 200;

/// How many errors of one file get a hint at most: comparing names takes time.
const MAX_HINTED: usize = 2000;

/// The widest excerpt of a source line, characters. A line can be megabytes long.
const MAX_EXCERPT: usize = 160;

/// All errors of one policy file. `Display` is the plain text, several lines an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyErrors {
    file: String,
    errors: Vec<PolicyError>,
    left_out: usize,
}

/// One error of a policy file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyError {
    /// What is wrong.
    pub message: String,
    /// The line, 1-based.
    pub line: usize,
    /// The column in characters, 1-based.
    pub column: usize,
    /// The line's text, cut around the place if it is very long.
    pub source_line: String,
    /// What to do about it: often the nearest known name.
    pub hint: Option<String>,
    /// The marked bytes of `source_line`.
    mark: Range<usize>,
}

impl PolicyErrors {
    /// The file's name as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The errors in the order of their places.
    pub fn errors(&self) -> &[PolicyError] {
        &self.errors
    }

    /// How many further errors are not listed.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The errors as a person reads them; `colour` adds terminal escapes.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for error in &self.errors {
            let title = Level::ERROR.primary_title(error.message.as_str());
            let snippet = Snippet::source(error.source_line.as_str())
                .line_start(error.line)
                .annotation(AnnotationKind::Primary.span(error.mark.clone()));
            let is_whole_line =
                error.source_line[..error.mark.start].chars().count() + 1 == error.column;
            let mut group = if is_whole_line {
                Group::with_title(title).element(snippet.path(self.file.as_str()))
            } else {
                let place = format!("{}:{}:{}", self.file, error.line, error.column);
                Group::with_title(title)
                    .element(Origin::path(place))
                    .element(snippet)
            };
            if let Some(hint) = &error.hint {
                group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
            }
            text.push_str(&renderer.render(&[group]));
            text.push_str("\n\n");
        }
        text.push_str(&self.summary());
        text
    }

    fn summary(&self) -> String {
        let total = self.errors.len() + self.left_out;
        let errors = if total == 1 {
            "1 error".to_owned()
        } else {
            format!("{total} errors")
        };
        match self.left_out {
            0 => format!("{}: {errors}", self.file),
            left_out => format!(
                "{}: {errors}, of which the last {left_out} are not shown",
                self.file
            ),
        }
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for PolicyErrors {}

/// Where something stands in the file: byte offsets.
pub(super) type Span = Range<usize>;

/// Collects what is wrong while the file is read.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<(Span, String, Option<String>)>,
}

impl Problems {
    /// Notes an error.
    pub(super) fn add(&mut self, span: &Span, message: impl Into<String>) {
        self.found.push((span.clone(), message.into(), None));
    }

    /// Notes an error with advice.
    pub(super) fn add_with_hint(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.found
            .push((span.clone(), message.into(), Some(hint.into())));
    }

    /// Notes a name that nothing has, with the nearest that something has.
    pub(super) fn unknown<'n>(
        &mut self,
        span: &Span,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let wants_hint = self.found.len() < MAX_HINTED;
        let near = if wants_hint {
            nearest(name, known)
        } else {
            None
        };
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        self.found.push((
            span.clone(),
            format!("unknown {what} `{}`", excerpt(name)),
            hint,
        ));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The errors by place, with their lines.
    pub(super) fn finish(mut self, file: &str, text: &str) -> PolicyErrors {
        self.found.sort_by_key(|(span, ..)| (span.start, span.end));
        self.found.dedup();
        let left_out = self.found.len().saturating_sub(MAX_ERRORS);
        self.found.truncate(MAX_ERRORS);
        let mut lines = Lines {
            text,
            line: 1,
            start: 0,
        };
        let errors = self
            .found
            .into_iter()
            .map(|(span, message, hint)| lines.place(span, message, hint))
            .collect();
        PolicyErrors {
            file: file.to_owned(),
            errors,
            left_out,
        }
    }
}

/// Walks forward through the file, so that many errors take one pass.
struct Lines<'t> {
    text: &'t str,
    line: usize,
    start: usize,
}

impl Lines<'_> {
    fn place(&mut self, span: Span, message: String, hint: Option<String>) -> PolicyError {
        let at = floor_boundary(self.text, span.start);
        while let Some(newline) = self.text[self.start..at].find('\n') {
            self.start += newline + 1;
            self.line += 1;
        }
        let rest = &self.text[self.start..];
        let whole = rest.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let from = (at - self.start).min(whole.len());
        let until =
            floor_boundary(whole, (span.end.max(at) - self.start).min(whole.len())).max(from);
        let (source_line, mark) = cut(whole, from..until);
        PolicyError {
            message,
            line: self.line,
            column: whole[..from].chars().count() + 1,
            source_line,
            hint,
            mark,
        }
    }
}

/// The part of a line around its mark, and the mark within that.
fn cut(line: &str, mark: Span) -> (String, Span) {
    if line.chars().nth(MAX_EXCERPT).is_none() {
        return (line.to_owned(), mark);
    }
    let lead = line[..mark.start]
        .char_indices()
        .rev()
        .take(40)
        .last()
        .map_or(mark.start, |(at, _)| at);
    let excerpt: String = line[lead..].chars().take(MAX_EXCERPT).collect();
    let until = floor_boundary(&excerpt, (mark.end - lead).min(excerpt.len()));
    (excerpt, mark.start - lead..until)
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A piece of input as messages quote it: cut short, what would not show or would move text on a terminal made visible.
pub(super) fn excerpt(text: &str) -> String {
    const MAX: usize = 60;
    let mut short = String::new();
    for c in text.chars().take(MAX) {
        match c {
            '"' | '\'' | '\\' => short.push(c),
            other => short.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, span: Span, expected: &str) {
        let mut problems = Problems::default();
        problems.add_with_hint(&span, "something is wrong", "make it right");
        assert_eq!(problems.finish("p.toml", text).to_string(), expected);
    }

    #[test]
    fn an_error_shows_file_line_column_source_and_hint() {
        check(
            "a = 1\nbee = 2\n",
            6..9,
            "error: something is wrong\n --> p.toml:2:1\n  |\n2 | bee = 2\n  | ^^^\n  |\n  = hint: make it right\n\np.toml: 1 error",
        );
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let mut problems = Problems::default();
        problems.add(&(4..5), "x");
        let errors = problems.finish("p.toml", "éé x");
        assert_eq!(errors.errors()[0].column, 3);
    }

    #[test]
    fn a_place_outside_the_text_or_within_a_character_is_harmless() {
        for (text, span) in [
            ("é", 1..1),
            ("", 5..9),
            ("abc", 2..77),
            ("a\r\nb", 1..2),
            ("a\n", 2..2),
        ] {
            let mut problems = Problems::default();
            problems.add(&span, "x");
            assert!(
                problems
                    .finish("p.toml", text)
                    .to_string()
                    .contains("p.toml:"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}x{}", "é".repeat(100_000), "é".repeat(100_000));
        let mut problems = Problems::default();
        problems.add(&(200_000..200_001), "here");
        let errors = problems.finish("p.toml", &text);
        assert_eq!(errors.errors()[0].column, 100_001);
        assert!(errors.errors()[0].source_line.chars().count() <= MAX_EXCERPT);
        assert!(errors.to_string().len() < 2000);
    }

    #[test]
    fn errors_beyond_the_bound_are_counted() {
        let mut problems = Problems::default();
        let text = "x\n".repeat(300);
        for line in 0..300 {
            problems.add(&(line * 2..line * 2 + 1), "bad");
        }
        let errors = problems.finish("p.toml", &text);
        assert_eq!(
            (errors.errors().len(), errors.left_out()),
            (MAX_ERRORS, 100)
        );
        assert!(
            errors
                .to_string()
                .ends_with("p.toml: 300 errors, of which the last 100 are not shown")
        );
    }

    #[test]
    fn colour_is_only_added_when_asked_for() {
        let mut problems = Problems::default();
        problems.add(&(0..1), "bad");
        let errors = problems.finish("p.toml", "a = 1");
        assert!(errors.render(true).contains('\u{1b}'));
        assert!(!errors.render(false).contains('\u{1b}'));
    }
}
