//! Reading TOML with places: a file becomes a tree whose every value knows where it stands, and a [`Section`] takes
//! keys out of one table and names those that nobody asked for.
//!
//! The tree is walked by hand rather than through serde, because serde stops at the first error of a file and loses
//! places inside flattened and untagged types.

use std::collections::BTreeMap;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::problem::{Problems, Span, excerpt};

/// The largest policy file, bytes. Parsing takes some sixty times that in the worst case; long address lists belong into
/// pinned prefix lists.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The deepest key, `a.b.c`, in parts. The parser bounds brackets but not dots, and a tree too deep ends the stack.
const MAX_KEY_PARTS: usize = 16;

/// Files up to this size get all of their syntax errors, larger ones the first: each error costs some hundred bytes.
const MAX_BYTES_FOR_ALL_SYNTAX_ERRORS: usize = 256 << 10;

/// Reads the tree; syntax errors are noted, and what could be read in spite of them is returned. None if nothing can be
/// said of the rest.
pub(super) fn read<'t>(text: &'t str, problems: &mut Problems) -> Option<DeTable<'t>> {
    if text.len() > MAX_BYTES {
        let size = format!("{} MiB", MAX_BYTES >> 20);
        problems.add_with_hint(
            &(0..0),
            format!("the file has {} bytes: expected at most {size}", text.len()),
            "keep long address lists in files of their own and name them in [data] prefix_list_files",
        );
        return None;
    }
    if let Some(at) = too_deep(text) {
        problems.add(
            &(at..at + 1),
            format!("expected a key of at most {MAX_KEY_PARTS} parts"),
        );
        return None;
    }
    let (tree, errors) = if text.len() <= MAX_BYTES_FOR_ALL_SYNTAX_ERRORS {
        let (tree, errors) = DeTable::parse_recoverable(text);
        (Some(tree), errors)
    } else {
        match DeTable::parse(text) {
            Ok(tree) => (Some(tree), Vec::new()),
            Err(error) => (None, vec![error]),
        }
    };
    for error in errors {
        problems.add(
            &error.span().unwrap_or(text.len()..text.len()),
            error.message(),
        );
    }
    tree.map(Spanned::into_inner)
}

/// The byte of the first dot that makes a key deeper than [`MAX_KEY_PARTS`]; dots in strings and comments do not count.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut dots = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = behind_string(bytes, at);
                continue;
            }
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - at);
                continue;
            }
            b'.' => {
                dots += 1;
                if dots >= MAX_KEY_PARTS {
                    return Some(at);
                }
            }
            b'\n' | b'=' | b',' | b'[' | b'{' | b'}' => dots = 0,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The first byte behind the string that begins here; an unclosed one ends with its line (or the file, if of many).
fn behind_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let many_lines = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if many_lines { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !many_lines => return at,
            _ if byte == quote && !many_lines => return at + 1,
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// A text with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

impl std::ops::Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// One table of the file while its keys are taken.
pub(super) struct Section<'a, 't> {
    /// How messages call it: `[[allow]]`.
    title: String,
    /// Where it begins.
    pub(super) span: Span,
    table: &'a DeTable<'t>,
    asked: Vec<&'static str>,
}

impl<'a, 't> Section<'a, 't> {
    pub(super) fn new(
        title: impl Into<String>,
        span: Span,
        table: &'a DeTable<'t>,
    ) -> Section<'a, 't> {
        Section {
            title: title.into(),
            span,
            table,
            asked: Vec::new(),
        }
    }

    /// Whether the key is there; it counts as known from now on.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.take(key).is_some()
    }

    /// Whether the key's value is a list of nothing.
    pub(super) fn is_empty_list(&mut self, key: &'static str) -> bool {
        let value = self.take(key);
        value
            .and_then(|value| value.get_ref().as_array())
            .is_some_and(|list| list.is_empty())
    }

    /// Where the key's value stands, else the section's own place.
    pub(super) fn span_of(&mut self, key: &'static str) -> Span {
        self.take(key).map_or(self.span.clone(), Spanned::span)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'t>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    fn wrong(
        &self,
        problems: &mut Problems,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) {
        let found = value.get_ref().type_str();
        problems.add(
            &value.span(),
            format!(
                "expected {expected} in `{key}` of {}, got {}",
                self.title,
                article(found)
            ),
        );
    }

    /// A text.
    pub(super) fn word(&mut self, key: &'static str, problems: &mut Problems) -> Option<Word> {
        let value = self.take(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Word {
                text: text.to_owned(),
                span: value.span(),
            }),
            None => {
                self.wrong(problems, key, value, "a text");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required_word(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Word> {
        if !self.has(key) {
            self.missing(key, problems);
        }
        self.word(key, problems)
    }

    /// Notes that a key must be there.
    pub(super) fn missing(&self, key: &str, problems: &mut Problems) {
        problems.add(&self.span, format!("{} lacks `{key}`", self.title));
    }

    /// A text or a list of texts; empty if the key is not there.
    pub(super) fn words(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Word> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        self.words_of(key, value, problems)
    }

    /// A text or a list of texts: the value of `key`.
    pub(super) fn words_of(
        &self,
        key: &str,
        value: &Spanned<DeValue<'t>>,
        problems: &mut Problems,
    ) -> Vec<Word> {
        match value.get_ref() {
            DeValue::String(text) => vec![Word {
                text: text.to_string(),
                span: value.span(),
            }],
            DeValue::Array(items) => {
                let mut words = Vec::with_capacity(items.len());
                for item in items.iter() {
                    match item.get_ref().as_str() {
                        Some(text) => words.push(Word {
                            text: text.to_owned(),
                            span: item.span(),
                        }),
                        None => self.wrong(problems, key, item, "a list of texts"),
                    }
                }
                words
            }
            _ => {
                self.wrong(problems, key, value, "a text or a list of texts");
                Vec::new()
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(problems, key, value, "true or false");
        }
        flag
    }

    /// An instant as seconds since 1970, rounded up; a bare date is 00:00 UTC.
    pub(super) fn instant(&mut self, key: &'static str, problems: &mut Problems) -> Option<i64> {
        let value = self.take(key)?;
        let Some(written) = value.get_ref().as_datetime() else {
            self.wrong(problems, key, value, "a date or a time");
            return None;
        };
        match seconds(written) {
            Ok(seconds) => Some(seconds),
            Err(hint) => {
                problems.add_with_hint(
                    &value.span(),
                    format!("`{written}` names no instant"),
                    hint,
                );
                None
            }
        }
    }

    /// One of the words of a vocabulary.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        all: &[T],
        name: fn(T) -> &'static str,
        problems: &mut Problems,
    ) -> Option<T> {
        let word = self.word(key, problems)?;
        choose(&word, key, all, name, problems)
    }

    /// A text to text table, like labels.
    pub(super) fn pairs(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> BTreeMap<String, Word> {
        let Some(value) = self.take(key) else {
            return BTreeMap::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(problems, key, value, "a table like { env = \"prod\" }");
            return BTreeMap::new();
        };
        let mut pairs = BTreeMap::new();
        for (name, value) in table {
            match value.get_ref().as_str() {
                Some(text) => {
                    pairs.insert(
                        name.get_ref().to_string(),
                        Word {
                            text: text.to_owned(),
                            span: value.span(),
                        },
                    );
                }
                None => self.wrong(problems, key, value, "texts"),
            }
        }
        pairs
    }

    /// A table below this one, `[key]`.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Section<'a, 't>> {
        let value = self.take(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::new(format!("[{key}]"), value.span(), table)),
            None => {
                self.wrong(problems, key, value, "a table");
                None
            }
        }
    }

    /// The tables of a list, `[[key]]`.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<Section<'a, 't>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let title = format!("[[{key}]]");
        let DeValue::Array(items) = value.get_ref() else {
            problems.add_with_hint(
                &value.span(),
                format!("expected a list of tables in `{key}`"),
                format!("write {title}"),
            );
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(&title, item.span(), table)),
                None => self.wrong(problems, key, item, "a list of tables"),
            }
        }
        sections
    }

    /// The named entries of a table of things, `[key.NAME]`, in the order of the file, with whatever they are.
    pub(super) fn entries(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<(Word, &'a Spanned<DeValue<'t>>)> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            problems.add_with_hint(
                &value.span(),
                format!("expected named tables in `{key}`"),
                format!("write [{key}.NAME]"),
            );
            return Vec::new();
        };
        entries_of(table)
    }

    /// All of this table's entries, whatever they are called, in the order of the file.
    pub(super) fn all_entries(&self) -> Vec<(Word, &'a Spanned<DeValue<'t>>)> {
        entries_of(self.table)
    }

    /// The named tables of a table of things, `[key.NAME]`, in the order of the file.
    pub(super) fn named(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<(Word, Section<'a, 't>)> {
        let mut named = Vec::new();
        for (name, value) in self.entries(key, problems) {
            match value.get_ref().as_table() {
                Some(table) => {
                    let title = format!("[{key}.{}]", excerpt(&name));
                    let span = name.span.clone();
                    named.push((name, Section::new(title, span, table)));
                }
                None => {
                    let found = article(value.get_ref().type_str());
                    problems.add(
                        &value.span(),
                        format!("expected a table, got {found}: [{key}.{}]", excerpt(&name)),
                    );
                }
            }
        }
        named
    }

    /// Checks that all values are plain: numbers, texts, flags, instants or lists of those.
    pub(super) fn finish_parameters(self, problems: &mut Problems) {
        for (key, value) in self.table {
            let plain = |value: &DeValue<'_>| !value.is_table() && !value.is_array();
            let well_formed = match value.get_ref() {
                DeValue::Array(items) => items.iter().all(|item| plain(item.get_ref())),
                other => plain(other),
            };
            if !well_formed {
                self.wrong(
                    problems,
                    key.get_ref(),
                    value,
                    "a number, a text, a flag or a list of those",
                );
            }
        }
    }

    /// Names the keys that nobody asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        for (key, _) in self.table {
            if !self
                .asked
                .iter()
                .any(|asked| *asked == key.get_ref().as_ref())
            {
                let what = if self.title.is_empty() {
                    "key".to_owned()
                } else {
                    format!("key in {}:", self.title)
                };
                problems.unknown(
                    &key.span(),
                    &what,
                    key.get_ref(),
                    self.asked.iter().copied(),
                );
            }
        }
    }
}

fn entries_of<'a, 't>(table: &'a DeTable<'t>) -> Vec<(Word, &'a Spanned<DeValue<'t>>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            (
                Word {
                    text: name.get_ref().to_string(),
                    span: name.span(),
                },
                value,
            )
        })
        .collect();
    entries.sort_by_key(|(name, _)| name.span.start);
    entries
}

/// The value that a word names, else an error with the nearest.
pub(super) fn choose<T: Copy>(
    word: &Word,
    what: &str,
    all: &[T],
    name: fn(T) -> &'static str,
    problems: &mut Problems,
) -> Option<T> {
    let found = all.iter().copied().find(|value| name(*value) == word.text);
    if found.is_none() {
        let words: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        let hint = match super::problem::nearest(word, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", words.join(", ")),
        };
        problems.add_with_hint(
            &word.span,
            format!("unknown word `{}` in `{what}`", excerpt(word)),
            hint,
        );
    }
    found
}

fn article(type_name: &str) -> String {
    match type_name {
        "string" => "a text".to_owned(),
        "array" | "integer" => format!("an {type_name}"),
        other => format!("a {other}"),
    }
}

/// Seconds since 1970, rounded up to the next whole second; the error is a hint.
fn seconds(written: &::toml::value::Datetime) -> Result<i64, &'static str> {
    const NO_DATE: &str =
        "write a date, 2026-03-31, or a time with an offset, 2026-03-31T12:00:00Z";
    let date = written.date.ok_or(NO_DATE)?;
    let midnight = days_since_1970(date.year, date.month, date.day) * 86_400;
    let Some(time) = written.time else {
        return Ok(midnight);
    };
    let offset_minutes = match written
        .offset
        .ok_or("say in which zone: append Z for UTC, or an offset like +01:00")?
    {
        ::toml::value::Offset::Z => 0,
        ::toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let of_day = i64::from(time.hour) * 3600
        + i64::from(time.minute) * 60
        + i64::from(time.second.unwrap_or(0));
    let fraction = i64::from(time.nanosecond.unwrap_or(0) > 0);
    Ok(midnight + of_day + fraction - offset_minutes * 60)
}

/// Days from 1970-01-01 in the Gregorian calendar, by counting leap years.
fn days_since_1970(year: u16, month: u8, day: u8) -> i64 {
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8);
    let epoch = jiff::civil::date(1970, 1, 1);
    date.map_or(0, |date| i64::from((date - epoch).get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> String {
        let mut problems = Problems::default();
        let tree = read(text, &mut problems);
        drop(tree);
        problems
            .finish("p.toml", text)
            .errors()
            .iter()
            .map(|error| format!("{}:{} {}\n", error.line, error.column, error.message))
            .collect()
    }

    #[test]
    fn a_key_deeper_than_the_bound_is_an_error_not_a_stack_overflow() {
        for hostile in [
            "a.".repeat(500_000) + "b = 1",
            "[".to_owned() + &"a.".repeat(500_000) + "b]",
            "x = { ".to_owned() + &"a . ".repeat(100_000) + "b = 1 }",
        ] {
            assert!(problems_of(&hostile).ends_with("expected a key of at most 16 parts\n"));
        }
    }

    #[test]
    fn brackets_deeper_than_the_bound_are_an_error_not_a_stack_overflow() {
        for hostile in [
            "a = ".to_owned() + &"[".repeat(500_000),
            "a = ".to_owned() + &"{a=".repeat(50_000),
            "a = ".to_owned() + &"[".repeat(100_000) + &"]".repeat(100_000),
        ] {
            assert!(!problems_of(&hostile).is_empty());
        }
    }

    #[test]
    fn dots_in_strings_comments_and_numbers_are_no_depth() {
        let dots = ".".repeat(100);
        let text = format!(
            "a = \"{dots}\"\nb = '{dots}' # {dots}\nc = \"\"\"\n{dots}\"\\\"\"{dots}\"\"\"\nd = '''{dots}'{dots}'''\ne = [{}]\n",
            "1.5, ".repeat(100)
        );
        assert_eq!(problems_of(&text), "");
    }

    #[test]
    fn a_file_that_is_too_large_is_an_error() {
        assert!(problems_of(&"#".repeat(50_000_000)).contains("expected at most 4 MiB"));
    }

    #[test]
    fn all_syntax_errors_are_named() {
        assert_eq!(
            problems_of("a = \nb = 1\nb = 2\nc = 'x\n").lines().count(),
            3
        );
    }

    #[test]
    fn instants_are_seconds_and_a_bare_date_is_midnight_utc() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let written: ::toml::value::Datetime = text.parse().expect("a TOML date");
            assert_eq!(
                seconds(&written).map_err(|hint| &hint[..3]),
                expected,
                "{text}"
            );
        };
        check("1970-01-02", Ok(86_400));
        check("2026-03-31", Ok(1_774_915_200));
        check("2026-03-31T00:00:00Z", Ok(1_774_915_200));
        check("2026-03-31T01:30:00+01:30", Ok(1_774_915_200));
        check("2026-03-30T23:59:59.5Z", Ok(1_774_915_200));
        check("0000-01-01", Ok(-62_167_219_200));
        check("2026-03-31T00:00:00", Err("say"));
        check("12:00:00", Err("wri"));
    }
}
