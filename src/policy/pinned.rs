//! Pinned inputs that `[data]` names: AWS's `ip-ranges.json`, managed prefix lists and the inventory. They are read once,
//! by the caller; what they hold is part of the policy, and so are their digests.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::file::Data;
use super::inventory::{self, Stated};
use super::names::ServiceNames;
use super::problem::{Problems, excerpt};
use super::section::Word;
use crate::flow::resolver::domain_name;
use crate::net::{Addr, Prefix};

/// Reads a pinned file: its name as the policy has it, relative to the policy file.
pub(super) type Read<'r> = &'r dyn Fn(&str) -> std::io::Result<Vec<u8>>;

/// What the pinned files hold.
#[derive(Default)]
pub(super) struct Pinned {
    /// None if the file pins none.
    pub(super) ranges: Option<Vec<Range>>,
    /// By id; none if the file pins none.
    pub(super) prefix_lists: Option<BTreeMap<String, Vec<Prefix>>>,
    /// What names resolved to at some time, by snapshots; none if the file pins none.
    pub(super) snapshots: Option<Vec<Resolved>>,
    /// Whether Resolver logs are named, which are read when there is something to judge.
    pub(super) has_resolver_logs: bool,
    /// SHA-256 of every file read, those of the inventory aside; sorted.
    pub(super) digests: Vec<[u8; 32]>,
    /// None if the file names none.
    pub(super) inventory: Option<Stated>,
}

/// One range of `ip-ranges.json`.
pub(super) struct Range {
    pub(super) prefix: Prefix,
    /// A region code, or `GLOBAL`.
    pub(super) region: String,
    /// The bit of its service.
    pub(super) service: u8,
}

/// A name, and what it resolved to.
pub(super) struct Resolved {
    /// As compared: lower case, without a final dot.
    pub(super) name: String,
    pub(super) addresses: Vec<Addr>,
}

/// Reads all pinned files; services that only the ranges name get bits of their own.
pub(super) fn read(
    data: &Data,
    services: &mut ServiceNames,
    read: Read<'_>,
    problems: &mut Problems,
) -> Pinned {
    let mut pinned = Pinned {
        has_resolver_logs: !data.resolver_logs.is_empty(),
        ..Pinned::default()
    };
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
    for word in &data.domain_snapshots {
        let Some(bytes) = bytes_of(word, read, problems) else {
            continue;
        };
        pinned.digests.push(Sha256::digest(&bytes).into());
        match snapshot(&bytes) {
            Ok(names) => pinned.snapshots.get_or_insert_default().extend(names),
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
    pinned.inventory = inventory::read(&data.inventory, read, problems);
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
    #[error("expected a day like 2026-02-01 in `date`, got `{0}`")]
    Date(String),
    #[error("expected addresses for `{name}`, got `{text}`")]
    Address { name: String, text: String },
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

/// A snapshot of what names resolved to on a day: `{"date": "2026-02-01", "names": {"a.example": ["192.0.2.7"]}}`. The day
/// is for those who read the file: the snapshot holds for all times.
fn snapshot(bytes: &[u8]) -> Result<Vec<Resolved>, PinnedError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Snapshot {
        date: String,
        names: BTreeMap<String, Vec<String>>,
    }
    let file: Snapshot = serde_json::from_slice(bytes)?;
    if file.date.parse::<jiff::civil::Date>().is_err() {
        return Err(PinnedError::Date(excerpt(&file.date)));
    }
    let resolved = |(name, addresses): (String, Vec<String>)| {
        let addr = |text: &String| {
            text.parse().map_err(|_| PinnedError::Address {
                name: excerpt(&name),
                text: excerpt(text),
            })
        };
        Ok(Resolved {
            addresses: addresses.iter().map(addr).collect::<Result<_, _>>()?,
            name: domain_name(&name),
        })
    };
    file.names.into_iter().map(resolved).collect()
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
