//! What is wrong with a policy file: every error of one run with its place, the source line and a hint.

use std::fmt;
use std::ops::Range;

use annotate_snippets::Level;

use super::nearest::nearest;
use super::remark::{Lines, Remark, renderer};

/// How many errors of one file are kept. A generated file can have one in every line; nobody reads more than this.
const MAX_ERRORS: usize = 200;

/// How many errors of one file get a hint at most: comparing names takes time.
const MAX_HINTED: usize = 2000;

/// All errors of one policy file. `Display` is the plain text, several lines an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyErrors {
    file: String,
    errors: Vec<Remark>,
    left_out: usize,
}

impl PolicyErrors {
    /// The file's name as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The errors in the order of their places.
    pub fn errors(&self) -> &[Remark] {
        &self.errors
    }

    /// How many further errors are not listed.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The errors as a person reads them; `colour` adds terminal escapes.
    pub fn render(&self, colour: bool) -> String {
        let renderer = renderer(colour);
        let mut text = String::new();
        for error in &self.errors {
            text.push_str(&error.render(&renderer, &self.file, Level::ERROR, None));
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
        let mut lines = Lines::new(text);
        let errors = self
            .found
            .into_iter()
            .map(|(span, message, hint)| lines.remark(&span, message, hint))
            .collect();
        PolicyErrors {
            file: file.to_owned(),
            errors,
            left_out,
        }
    }
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
    use crate::policy::remark::MAX_EXCERPT;

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
