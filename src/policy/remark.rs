//! What is said of a place of a policy file: a message with its line, the line's text and advice, as people read it.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::problem::Span;

/// The widest excerpt of a source line, characters. A line can be megabytes long.
pub(super) const MAX_EXCERPT: usize = 160;

/// A message about a place of a policy file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// What is wrong, or probably not meant.
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

impl Remark {
    /// The remark as a person reads it, without a line break at its end. `code` stands behind the level.
    pub(super) fn render(
        &self,
        renderer: &Renderer,
        file: &str,
        level: Level<'_>,
        code: Option<&str>,
    ) -> String {
        let mut title = level.primary_title(self.message.as_str());
        if let Some(code) = code {
            title = title.id(code);
        }
        let snippet = Snippet::source(self.source_line.as_str())
            .line_start(self.line)
            .annotation(AnnotationKind::Primary.span(self.mark.clone()));
        let is_whole_line = self.source_line[..self.mark.start].chars().count() + 1 == self.column;
        let mut group = if is_whole_line {
            Group::with_title(title).element(snippet.path(file))
        } else {
            let place = format!("{file}:{}:{}", self.line, self.column);
            Group::with_title(title)
                .element(Origin::path(place))
                .element(snippet)
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
        }
        renderer.render(&[group])
    }
}

/// A renderer for a terminal or for anything else.
pub(super) fn renderer(colour: bool) -> Renderer {
    if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
}

/// Walks forward through the file, so that many remarks take one pass, however long its lines are.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// The line that was come to, 1-based.
    line: usize,
    /// Where that line begins and ends, without its line break.
    start: usize,
    end: usize,
    /// A byte of that line and how many characters stand before it.
    counted: (usize, usize),
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Lines<'t> {
        Lines {
            text,
            line: 1,
            start: 0,
            end: text.find('\n').unwrap_or(text.len()),
            counted: (0, 0),
        }
    }

    /// The remark about a place. Places come in the order in which they begin.
    pub(super) fn remark(&mut self, span: &Span, message: String, hint: Option<String>) -> Remark {
        let at = floor_boundary(self.text, span.start);
        while self.end < at {
            self.start = self.end + 1;
            self.line += 1;
            let rest = &self.text[self.start..];
            self.end = rest
                .find('\n')
                .map_or(self.text.len(), |length| self.start + length);
            self.counted = (self.start, 0);
        }
        let whole = self.text[self.start..self.end].trim_end_matches('\r');
        let from = (at - self.start).min(whole.len());
        let until =
            floor_boundary(whole, (span.end.max(at) - self.start).min(whole.len())).max(from);
        let (source_line, mark) = cut(whole, from..until);
        Remark {
            message,
            line: self.line,
            column: self.characters_before(self.start + from) + 1,
            source_line,
            hint,
            mark,
        }
    }

    /// How many characters of the line stand before a byte.
    fn characters_before(&mut self, at: usize) -> usize {
        let (counted_to, characters) = self.counted;
        if at < counted_to {
            return self.text[self.start..at].chars().count();
        }
        let characters = characters + self.text[counted_to..at].chars().count();
        self.counted = (at, characters);
        characters
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_remarks_on_many_lines_have_the_places_that_counting_gives() {
        let text = "é = 1\r\n\nab = \"ü\" # x\nlast";
        let mut lines = Lines::new(text);
        for (at, _) in text.char_indices().filter(|(_, c)| !"\r\n".contains(*c)) {
            let remark = lines.remark(&(at..at + 1), String::new(), None);
            let before = &text[..at];
            let line = before.matches('\n').count() + 1;
            let in_line = before.rsplit('\n').next().unwrap_or_default();
            let expected = (line, in_line.chars().count() + 1);
            assert_eq!((remark.line, remark.column), expected, "byte {at}");
        }
    }
}
