//! `[detect.NAME]`: which detectors there are, what may be set of each, and what a file sets. What they do with it is
//! [`crate::detect`]'s.

mod table;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Severity;
use super::pinned::{Read, bytes_of};
use super::problem::{Problems, excerpt};
use super::section::{Section, Word};
use crate::net::{Prefix, hex};

pub use table::{COMMON, DETECTORS};

/// A detector as the policy's language knows it.
#[derive(Debug)]
pub struct Detector {
    /// Its name, and the kind of its findings.
    pub name: &'static str,
    /// How bad its findings are where the policy does not say.
    pub severity: Severity,
    /// What it finds, in a sentence.
    pub finds: &'static str,
    /// What may be set beside what all have.
    pub parameters: &'static [Parameter],
}

/// Something that may be set.
#[derive(Debug)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What holds where the policy does not say.
    pub default: Value,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// The value of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A whole number from 1 on.
    Number(u64),
    /// A whole number from 0 to 100.
    Percent(u64),
    /// Ports.
    Ports(&'static [u64]),
    /// Texts.
    Texts(&'static [&'static str]),
}

/// What holds of a detector: what the policy sets, and else the defaults.
#[derive(Debug)]
pub struct Detecting {
    detector: &'static Detector,
    /// Whether it is on.
    pub is_enabled: bool,
    /// How bad its findings are.
    pub severity: Severity,
    /// Who answers for them; empty if nobody is named.
    pub owner: String,
    numbers: BTreeMap<&'static str, Vec<u64>>,
    texts: BTreeMap<&'static str, Vec<String>>,
    lists: Vec<Watchlist>,
}

/// A list of addresses that a policy pins.
#[derive(Debug)]
pub struct Watchlist {
    /// The file as the policy names it.
    pub name: String,
    /// SHA-256 of the file, in hex, its first 12 digits.
    pub digest: String,
    /// What it lists, sorted.
    pub prefixes: Vec<Prefix>,
}

impl Detecting {
    fn new(detector: &'static Detector) -> Detecting {
        let mut detecting = Detecting {
            detector,
            is_enabled: true,
            severity: detector.severity,
            owner: String::new(),
            numbers: BTreeMap::new(),
            texts: BTreeMap::new(),
            lists: Vec::new(),
        };
        for parameter in detector.parameters {
            match parameter.default {
                Value::Number(number) | Value::Percent(number) => {
                    detecting.numbers.insert(parameter.name, vec![number]);
                }
                Value::Ports(numbers) => {
                    detecting.numbers.insert(parameter.name, numbers.to_vec());
                }
                Value::Texts(texts) => {
                    let texts = texts.iter().map(|&text| text.to_owned()).collect();
                    detecting.texts.insert(parameter.name, texts);
                }
            }
        }
        detecting
    }

    /// Which detector it is.
    pub fn detector(&self) -> &'static Detector {
        self.detector
    }

    /// A parameter that is a number; 0 if the detector has none of this name.
    pub fn number(&self, name: &str) -> u64 {
        self.numbers(name).first().copied().unwrap_or(0)
    }

    /// A parameter that is a list of numbers.
    pub fn numbers(&self, name: &str) -> &[u64] {
        self.numbers.get(name).map_or(&[], Vec::as_slice)
    }

    /// A parameter that is a list of texts.
    pub fn texts(&self, name: &str) -> &[String] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    /// All that is set, in words: what its findings depend on beside the logs. The same words are the same settings.
    pub(super) fn settings(&self) -> String {
        let lists: Vec<_> = self
            .lists
            .iter()
            .map(|list| (&list.name, &list.digest))
            .collect();
        format!(
            "{} {} {} {:?} {:?} {:?} {lists:?}",
            self.detector.name,
            self.is_enabled,
            self.severity.as_str(),
            self.owner,
            self.numbers,
            self.texts
        )
    }

    /// The lists that `files` names.
    pub fn lists(&self) -> &[Watchlist] {
        &self.lists
    }
}

/// The most that a number may be: as many mebibytes still are a number of 64 bits.
const MOST: u64 = 1 << 40;

/// A `[detect.NAME]` table as written.
pub(super) struct Written {
    detecting: Detecting,
    files: Vec<Word>,
    tiers: Vec<Word>,
}

/// Reads the `[detect.NAME]` tables of a file.
pub(super) fn written(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Written> {
    let mut all = Vec::new();
    for (name, mut section) in top.named("detect", problems) {
        let Some(detector) = DETECTORS.iter().find(|known| known.name == &*name) else {
            let known = DETECTORS.iter().map(|known| known.name);
            problems.unknown(&name.span, "detector", &name, known);
            continue;
        };
        let mut written = Written {
            detecting: Detecting::new(detector),
            files: Vec::new(),
            tiers: Vec::new(),
        };
        written.take(&mut section, problems);
        section.finish(problems);
        all.push(written);
    }
    all
}

impl Written {
    fn take(&mut self, section: &mut Section<'_, '_>, problems: &mut Problems) {
        let detecting = &mut self.detecting;
        detecting.is_enabled = section.flag("enabled", problems).unwrap_or(true);
        let severities = &Severity::ALL[1..];
        if let Some(severity) = section.choice("severity", severities, Severity::as_str, problems) {
            detecting.severity = severity;
        }
        if let Some(owner) = section.word("owner", problems) {
            detecting.owner = owner.text;
        }
        for parameter in detecting.detector.parameters {
            if !section.has(parameter.name) {
                continue;
            }
            match parameter.default {
                Value::Number(_) | Value::Percent(_) => {
                    let range = match parameter.default {
                        Value::Percent(_) => 0..=100,
                        _ => 1..=MOST,
                    };
                    if let Some(number) = section.number(parameter.name, range, problems) {
                        detecting.numbers.insert(parameter.name, vec![number]);
                    }
                }
                Value::Ports(_) => {
                    let ports = section.numbers(parameter.name, 0..=65_535, problems);
                    detecting.numbers.insert(parameter.name, ports);
                }
                Value::Texts(_) => {
                    let words = section.words(parameter.name, problems);
                    let texts = words.iter().map(|word| word.text.clone()).collect();
                    detecting.texts.insert(parameter.name, texts);
                    match parameter.name {
                        "files" => self.files = words,
                        "tiers" | "except_tiers" => self.tiers.extend(words),
                        "resolvers" => check_prefixes(&words, problems),
                        _ => {}
                    }
                }
            }
        }
    }
}

fn check_prefixes(words: &[Word], problems: &mut Problems) {
    for word in words {
        if let Err(error) = word.parse::<Prefix>() {
            problems.add(
                &word.span,
                format!(
                    "expected an address or a prefix, got `{}`: {error}",
                    excerpt(word)
                ),
            );
        }
    }
}

/// What holds of every detector, in the order of [`DETECTORS`].
pub(super) fn detecting(
    written: Vec<Written>,
    tiers: &[String],
    read: Read<'_>,
    problems: &mut Problems,
) -> Vec<Detecting> {
    let mut all: Vec<Detecting> = DETECTORS.iter().map(Detecting::new).collect();
    for mut table in written {
        for word in &table.tiers {
            if !tiers.contains(&word.text) {
                problems.unknown(&word.span, "tier", word, tiers.iter().map(String::as_str));
            }
        }
        for word in &table.files {
            if let Some(list) = watchlist(word, read, problems) {
                table.detecting.lists.push(list);
            }
        }
        let name = table.detecting.detector.name;
        if let Some(place) = all.iter_mut().find(|known| known.detector.name == name) {
            *place = table.detecting;
        }
    }
    all
}

/// Reads a list: an address or a prefix a line; what follows a `#` or a `;` is a comment.
fn watchlist(word: &Word, read: Read<'_>, problems: &mut Problems) -> Option<Watchlist> {
    let bytes = bytes_of(word, read, problems)?;
    let digest = hex(&Sha256::digest(&bytes)[..6]);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut prefixes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        match entry.parse::<Prefix>() {
            Ok(prefix) => prefixes.push(prefix),
            Err(error) => {
                let (file, line) = (excerpt(word), number + 1);
                problems.add(
                    &word.span,
                    format!("cannot use `{file}`, line {line}: expected an address or a prefix, got `{}`: {error}", excerpt(entry)),
                );
                return None;
            }
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Some(Watchlist {
        name: word.text.clone(),
        digest,
        prefixes,
    })
}
