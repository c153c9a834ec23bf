//! Denies whose evidence is missing: they are errors of the file.

use super::file;
use super::meant::Places;
use super::names::{Name, Names, Place};
use super::problem::{Problems, excerpt};

/// A deny that cannot be told from its evidence would let pass what it forbids, silently: it is refused.
pub(super) fn check_evidence(
    rule: &file::Rule,
    places: &Places,
    names: &Names,
    has_ranges: bool,
    problems: &mut Problems,
) {
    let mut unheard = Problems::default();
    for (words, place) in [
        (&rule.from, Place::End),
        (&rule.to, Place::End),
        (&rule.from_except, Place::Except),
        (&rule.to_except, Place::Except),
    ] {
        for word in words {
            let Some(name) = names.resolve(word, place, &mut unheard) else {
                continue;
            };
            if let Some((lacking, hint)) = evidence_lacking(name, place, places, has_ranges) {
                problems.add_with_hint(
                    &word.span,
                    format!("a deny cannot go by `{}`: {lacking}", excerpt(word)),
                    hint,
                );
            }
        }
    }
}

/// What a deny lacks that goes by this name, and what to do. In an exception the records' own service field may do: a
/// record without it is then not denied by this rule, but `unproven` or denied by default.
fn evidence_lacking(
    name: Name,
    place: Place,
    places: &Places,
    has_ranges: bool,
) -> Option<(String, &'static str)> {
    const BY_PREFIX: &str = "name its prefixes: cidrs = […]";
    const BY_RANGES: &str = "pin AWS's ranges: [data] ip_ranges = \"ip-ranges.json\"";
    let needs_ranges = place == Place::End && !has_ranges;
    match name {
        Name::Group(group) => {
            let group = &places.groups[usize::from(group)];
            let what = match group.by_inventory.first() {
                Some(what) => what.clone(),
                None => format!("tag {}", group.tags.keys().next()?),
            };
            Some((
                format!("it depends on {what}, and no inventory is loaded"),
                BY_PREFIX,
            ))
        }
        Name::Destination(destination) => {
            let destination = &places.destinations[usize::from(destination)];
            if let Some(domain) = destination.domains.first() {
                return Some((
                    format!("it depends on the domain {domain}, and no Resolver logs are loaded"),
                    BY_PREFIX,
                ));
            }
            if let Some(list) = destination.missing_lists.first() {
                return Some((
                    format!("it depends on the prefix list {list}, and no file holds that"),
                    "name the file in [data] prefix_list_files",
                ));
            }
            (destination.services != 0 && needs_ranges).then(|| {
                (
                    "it depends on AWS services, which not every record names".to_owned(),
                    BY_RANGES,
                )
            })
        }
        Name::Aws(_) | Name::AnyAws | Name::Unlisted if needs_ranges => Some((
            "it depends on AWS services, which not every record names".to_owned(),
            BY_RANGES,
        )),
        _ => None,
    }
}
