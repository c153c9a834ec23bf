//! `[data]`: the files that are part of the policy.

use ::toml::de::DeValue;

use super::{bounded, leaf};
use crate::policy::problem::Problems;
use crate::policy::section::{Section, Word};

/// How many files an inventory may have: a day's for some years.
const MAX_INVENTORY: usize = 2048;

/// `[data]`: names of pinned files.
#[derive(Default)]
pub(in crate::policy) struct Data {
    pub(in crate::policy) ip_ranges: Option<Word>,
    pub(in crate::policy) prefix_list_files: Vec<Word>,
    pub(in crate::policy) inventory: Vec<InventoryFile>,
    /// Where Resolver query logs are: folders, files, `s3://` prefixes. They are no pinned files: logs grow.
    pub(in crate::policy) resolver_logs: Vec<Word>,
    /// Snapshots of what names resolved to.
    pub(in crate::policy) domain_snapshots: Vec<Word>,
    /// How long an answer speaks for connections, seconds; none is the default.
    pub(in crate::policy) resolver_grace: Option<u32>,
    /// Autonomous systems and countries, for the text of findings.
    pub(in crate::policy) asn: Option<Word>,
    pub(in crate::policy) geo: Option<Word>,
}

/// An entry of `inventory`.
pub(in crate::policy) struct InventoryFile {
    pub(in crate::policy) file: Word,
    /// From when on it says how things are, seconds since 1970; without a date always, before any that has one.
    pub(in crate::policy) valid_from: Option<i64>,
}

pub(super) fn data(top: &mut Section<'_, '_>, problems: &mut Problems) -> Data {
    let Some(mut section) = top.section("data", problems) else {
        return Data::default();
    };
    let data = Data {
        ip_ranges: section.word("ip_ranges", problems),
        prefix_list_files: section.words("prefix_list_files", problems),
        inventory: inventory(&mut section, problems),
        resolver_logs: section.words("resolver_logs", problems),
        domain_snapshots: section.words("domain_snapshots", problems),
        resolver_grace: leaf::grace(&mut section, problems),
        asn: section.word("asn", problems),
        geo: section.word("geo", problems),
    };
    section.finish(problems);
    data
}

/// A file, or a list of files, each a name or a table with a date.
fn inventory(section: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<InventoryFile> {
    let mut files = Vec::new();
    for item in section.items("inventory") {
        let file = match item.get_ref() {
            DeValue::String(text) => Some(InventoryFile {
                file: Word {
                    text: text.to_string(),
                    span: item.span(),
                },
                valid_from: None,
            }),
            DeValue::Table(table) => {
                let mut entry = Section::new("an entry of `inventory`", item.span(), table);
                let file = entry.required_word("file", problems);
                let valid_from = entry.instant("valid_from", problems);
                entry.finish(problems);
                file.map(|file| InventoryFile { file, valid_from })
            }
            _ => {
                problems.add_with_hint(
                    &item.span(),
                    "expected the name of a file, or a table, in `inventory`",
                    "write { file = \"enis.json\", valid_from = 2026-01-01 }",
                );
                None
            }
        };
        files.extend(file);
    }
    bounded(
        files,
        MAX_INVENTORY,
        "files of the inventory",
        |entry| entry.file.span.clone(),
        problems,
    )
}
