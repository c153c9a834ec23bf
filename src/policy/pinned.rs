//! Pinned inputs that `[data]` names: AWS's `ip-ranges.json` and managed prefix lists. They are read once, by the
//! caller; what they hold is part of the policy, and so are their digests.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::file::Data;
use super::names::ServiceNames;
use super::problem::{Problems, excerpt};
use super::section::Word;
use crate::net::Prefix;

/// Reads a pinned file: its name as the policy has it, relative to the policy file.
pub(super) type Read<'r> = &'r dyn Fn(&str) -> std::io::Result<Vec<u8>>;

/// What the pinned files hold.
#[derive(Default)]
pub(super) struct Pinned {
    /// None if the file pins none.
    pub(super) ranges: Option<Vec<Range>>,
    /// By id; none if the file pins none.
    pub(super) prefix_lists: Option<BTreeMap<String, Vec<Prefix>>>,
    /// SHA-256 of every file read, sorted.
    pub(super) digests: Vec<[u8; 32]>,
}

/// One range of `ip-ranges.json`.
pub(super) struct Range {
    pub(super) prefix: Prefix,
    /// A region code, or `GLOBAL`.
    pub(super) region: String,
    /// The bit of its service.
    pub(super) service: u8,
}

/// Reads all pinned files; services that only the ranges name get bits of their own.
pub(super) fn read(
    data: &Data,
    services: &mut ServiceNames,
    read: Read<'_>,
    problems: &mut Problems,
) -> Pinned {
    let mut pinned = Pinned::default();
    if let Some(word) = &data.ip_ranges
        && let Some(bytes) = bytes_of(word, read, problems)
    {
        pinned.digests.push(Sha256::digest(&bytes).into());
        match ip_ranges(&bytes, services) {
            Ok(ranges) => pinned.ranges = Some(ranges),
            Err(error) => problems.add(
                &word.span,
                format!("cannot use `{}`: {error}", excerpt(word)),
            ),
        }
    }
    for word in &data.prefix_list_files {
        let Some(bytes) = bytes_of(word, read, problems) else {
            continue;
        };
        pinned.digests.push(Sha256::digest(&bytes).into());
        match prefix_lists(&bytes) {
            Ok(lists) => {
                for (id, prefixes) in lists {
                    let all = pinned
                        .prefix_lists
                        .get_or_insert_default()
                        .entry(id)
                        .or_default();
                    all.extend(prefixes);
                }
            }
            Err(error) => problems.add(
                &word.span,
                format!("cannot use `{}`: {error}", excerpt(word)),
            ),
        }
    }
    if !data.prefix_list_files.is_empty() {
        pinned.prefix_lists.get_or_insert_default();
    }
    pinned.digests.sort_unstable();
    pinned
}

pub(super) fn bytes_of(word: &Word, read: Read<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
    match read(word) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            problems.add_with_hint(
                &word.span,
                format!("cannot read `{}`: {error}", excerpt(word)),
                "the path is relative to the policy file",
            );
            None
        }
    }
}

/// Why a pinned file cannot be used.
#[derive(Debug, thiserror::Error)]
enum PinnedError {
    #[error("expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`{text}` is no prefix: {error}")]
    Prefix {
        text: String,
        error: crate::net::PrefixError,
    },
    #[error("expected a list of prefixes for `{0}`")]
    List(String),
    #[error("expected {{\"PrefixLists\": […]}} or {{\"pl-…\": [\"10.0.0.0/8\", …]}}")]
    Shape,
}

/// `ip-ranges.json` as AWS publishes it (AWS, *AWS IP address JSON file format*).
#[derive(Deserialize)]
struct IpRanges {
    prefixes: Vec<IpRange>,
    #[serde(default)]
    ipv6_prefixes: Vec<IpRange>,
}

#[derive(Deserialize)]
struct IpRange {
    #[serde(alias = "ipv6_prefix")]
    ip_prefix: String,
    #[serde(default)]
    region: String,
    service: String,
}

fn ip_ranges(bytes: &[u8], services: &mut ServiceNames) -> Result<Vec<Range>, PinnedError> {
    let file: IpRanges = serde_json::from_slice(bytes)?;
    let all: Vec<IpRange> = file
        .prefixes
        .into_iter()
        .chain(file.ipv6_prefixes)
        .collect();
    let mut names: Vec<&str> = all.iter().map(|range| range.service.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        services.bit_or_add(name);
    }
    all.iter()
        .map(|range| {
            let prefix = prefix(&range.ip_prefix)?;
            Ok(Range {
                prefix,
                region: range.region.clone(),
                service: services.bit_or_add(&range.service),
            })
        })
        .collect()
}

fn prefix(text: &str) -> Result<Prefix, PinnedError> {
    text.parse().map_err(|error| PinnedError::Prefix {
        text: excerpt(text),
        error,
    })
}

/// Prefix lists: what `get-managed-prefix-list-entries` says, gathered under `PrefixLists`, or a table of ids.
fn prefix_lists(bytes: &[u8]) -> Result<Vec<(String, Vec<Prefix>)>, PinnedError> {
    #[derive(Deserialize)]
    struct List {
        #[serde(rename = "PrefixListId")]
        id: String,
        #[serde(rename = "Entries", default)]
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "Cidr")]
        cidr: String,
    }
    let serde_json::Value::Object(mut file) = serde_json::from_slice(bytes)? else {
        return Err(PinnedError::Shape);
    };
    if let Some(lists) = file.remove("PrefixLists") {
        let lists: Vec<List> = serde_json::from_value(lists)?;
        let read = |list: List| {
            Ok((
                list.id,
                list.entries
                    .iter()
                    .map(|entry| prefix(&entry.cidr))
                    .collect::<Result<_, _>>()?,
            ))
        };
        return lists.into_iter().map(read).collect();
    }
    let mut lists = Vec::new();
    for (id, entries) in file {
        if !id.starts_with("pl-") {
            return Err(PinnedError::Shape);
        }
        let entries = entries
            .as_array()
            .ok_or_else(|| PinnedError::List(excerpt(&id)))?;
        let mut prefixes = Vec::with_capacity(entries.len());
        for entry in entries {
            prefixes.push(prefix(
                entry
                    .as_str()
                    .ok_or_else(|| PinnedError::List(excerpt(&id)))?,
            )?);
        }
        lists.push((id, prefixes));
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lists(json: &str, expected: &str) {
        let found = match prefix_lists(json.as_bytes()) {
            Ok(lists) => lists
                .iter()
                .map(|(id, prefixes)| {
                    format!(
                        "{id} {} ",
                        prefixes
                            .iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join(",")
                    )
                })
                .collect(),
            Err(error) => error.to_string(),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn prefix_lists_are_read_in_both_forms() {
        check_lists(
            r#"{"PrefixLists":[{"PrefixListId":"pl-1","Entries":[{"Cidr":"10.0.0.0/8","Description":"x"}]}]}"#,
            "pl-1 10.0.0.0/8 ",
        );
        check_lists(
            r#"{"pl-1":["10.0.0.0/8","2001:db8::/32"],"pl-2":[]}"#,
            "pl-1 10.0.0.0/8,2001:db8::/32 pl-2  ",
        );
    }

    #[test]
    fn prefix_lists_that_cannot_be_used_say_why() {
        check_lists("[]", "expected {\"PrefixLists\"");
        check_lists(r#"{"lists":[]}"#, "expected {\"PrefixLists\"");
        check_lists(
            r#"{"pl-1":"10.0.0.0/8"}"#,
            "expected a list of prefixes for `pl-1`",
        );
        check_lists(
            r#"{"pl-1":["10.0.0.1/8"]}"#,
            "`10.0.0.1/8` is no prefix: expected no bits",
        );
        check_lists("{", "expected JSON: EOF");
        check_lists(&"[".repeat(100_000), "expected JSON: recursion limit");
    }

    #[test]
    fn services_that_only_the_ranges_name_get_bits_of_their_own() {
        let mut services = ServiceNames::new();
        let json = r#"{"syncToken":"1","prefixes":[{"ip_prefix":"3.5.0.0/19","region":"us-east-2","service":"S3","network_border_group":"us-east-2"},
            {"ip_prefix":"3.5.0.0/19","region":"us-east-2","service":"NEWSERVICE"}],
            "ipv6_prefixes":[{"ipv6_prefix":"2600:1ff0::/32","region":"GLOBAL","service":"AMAZON"}]}"#;
        let ranges = ip_ranges(json.as_bytes(), &mut services).expect("ranges");
        let names: Vec<&str> = ranges
            .iter()
            .map(|range| services.name(range.service))
            .collect();
        assert_eq!(names, ["S3", "NEWSERVICE", "AMAZON"]);
        assert_eq!(ranges[2].prefix.to_string(), "2600:1ff0::/32");
    }
}
