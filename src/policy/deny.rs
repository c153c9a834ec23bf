//! Denies whose evidence is missing: they are errors of the file.

use super::file;
use super::meant::Places;
use super::names::{Name, Names, Place};
use super::pinned::Pinned;
use super::problem::{Problems, excerpt};

/// A deny that cannot be told from its evidence would let pass what it forbids, silently: it is refused.
pub(super) fn check_evidence(
    rule: &file::Rule,
    places: &Places,
    names: &Names,
    pinned: &Pinned,
    problems: &mut Problems,
) {
    let mut unheard = Problems::default();
    for (words, side, place) in [
        (&rule.from, Side::From, Place::End),
        (&rule.to, Side::To, Place::End),
        (&rule.from_except, Side::From, Place::Except),
        (&rule.to_except, Side::To, Place::Except),
    ] {
        for word in words {
            let Some(name) = names.resolve(word, place, &mut unheard) else {
                continue;
            };
            let lacking = evidence_lacking(name, side, place, places, pinned);
            if let Some((lacking, hint)) = lacking {
                problems.add_with_hint(
                    &word.span,
                    format!("a deny cannot go by `{}`: {lacking}", excerpt(word)),
                    hint,
                );
            }
        }
    }
}

/// Which end a list is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    From,
    To,
}

/// What a deny lacks that goes by this name, and what to do. In an exception the records' own service field may do: a
/// record without it is then not denied by this rule, but `unproven` or denied by default.
fn evidence_lacking(
    name: Name,
    side: Side,
    place: Place,
    places: &Places,
    pinned: &Pinned,
) -> Option<(String, &'static str)> {
    const BY_PREFIX: &str = "name its prefixes: cidrs = […]";
    const BY_RANGES: &str = "pin AWS's ranges: [data] ip_ranges = \"ip-ranges.json\"";
    let needs_ranges = place == Place::End && pinned.ranges.is_none();
    match name {
        Name::Group(_) if pinned.inventory.is_some() => None,
        Name::Group(group) => {
            let group = &places.groups[usize::from(group)];
            let what = match group.by_inventory().next() {
                Some(what) => what,
                None => format!("tag {}", group.tags.keys().next()?),
            };
            Some((
                format!("it depends on {what}, and no inventory is loaded"),
                "name its prefixes, cidrs = […], or an inventory, [data] inventory = [\"enis.json\"]",
            ))
        }
        Name::Destination(destination) => {
            let destination = &places.destinations[usize::from(destination)];
            let unheard = match (places.has_resolver_logs, side) {
                (false, _) => Some("no Resolver logs are loaded"),
                (true, Side::From) => Some("nobody asks for the name of who comes"),
                (true, Side::To) => None,
            };
            if let (Some(domain), Some(why)) = (destination.domains.first(), unheard) {
                return Some((
                    format!("it depends on the domain {domain}, and {why}"),
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
