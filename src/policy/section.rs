//! One table of the file while its keys are taken: each key once, by type; what nobody asked for is an error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::instant::seconds;
use super::nearest::nearest;
use super::problem::{Problems, Span, excerpt};

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

    /// A value or the values of a list, whatever they are; empty if the key is not there.
    pub(super) fn items(&mut self, key: &'static str) -> Vec<&'a Spanned<DeValue<'t>>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
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

    /// A whole number of this range.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<u64> {
        let value = self.take(key)?;
        let number = whole_number(value.get_ref()).filter(|number| range.contains(number));
        if number.is_none() {
            let (from, to) = range.into_inner();
            let expected = format!("a whole number from {from} to {to}");
            self.wrong(problems, key, value, &expected);
        }
        number
    }

    /// A list of whole numbers of this range; empty if the key is not there.
    pub(super) fn numbers(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Vec<u64> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let (from, to) = (range.start(), range.end());
        let expected = format!("whole numbers from {from} to {to}");
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(problems, key, value, &format!("a list of {expected}"));
            return Vec::new();
        };
        let mut numbers = Vec::with_capacity(items.len());
        for item in items.iter() {
            match whole_number(item.get_ref()).filter(|number| range.contains(number)) {
                Some(number) => numbers.push(number),
                None => self.wrong(problems, key, item, &expected),
            }
        }
        numbers
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
        let hint = match nearest(word, words.iter().copied()) {
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

fn whole_number(value: &DeValue<'_>) -> Option<u64> {
    let written = value.as_integer()?;
    u64::from_str_radix(written.as_str(), written.radix()).ok()
}
