//! By which names a server outside was asked for, in words.

use super::Page;
use crate::cli::report::words::{self, moment};
use crate::policy::{DomainLevel, Lookup, NamesStory};

/// Names that are shown of each kind.
const MAX_NAMES: usize = 10;

/// What Resolver logs tell of the server.
pub(super) fn names(story: &NamesStory<'_>, page: &mut Page) {
    let mut label = "names";
    for (who, lookups) in [
        ("the client", &story.of_client),
        ("others of its network", &story.of_others),
    ] {
        for lookup in lookups.iter().take(MAX_NAMES) {
            page.entry(
                label,
                &format!("{}, asked by {who} {}", name(lookup), times(lookup)),
            );
            label = "";
        }
        if let Some(more) = lookups
            .len()
            .checked_sub(MAX_NAMES)
            .filter(|more| *more > 0)
        {
            page.entry(
                "",
                &format!("… {} more asked by {who}", words::count(more as u64)),
            );
        }
    }
    if story.of_client.is_empty() && story.of_others.is_empty() {
        let none = match story.domains.known {
            true => "none that led to it: no destination by domain",
            false => "none that led to it, but no Resolver logs cover this time",
        };
        page.entry("names", none);
    }
    if !story.destinations.is_empty() {
        page.entry("by name", &story.destinations.join(", "));
    }
    if let Some(by_name) = &story.by_name {
        let level = match by_name.level {
            DomainLevel::Client => "client: the client itself was answered with this address",
            DomainLevel::Network => {
                "network: another client of the same network was answered with this address"
            }
            DomainLevel::Snapshot => "snapshot: a pinned snapshot has this address for such a name",
        };
        page.entry("level", level);
    }
    if story.domains.shared {
        page.entry(
            "shared",
            "the address also answered for names that no rule allows",
        );
    }
}

fn name(lookup: &Lookup<'_>) -> String {
    match lookup.aliases.as_slice() {
        [] => lookup.name.to_owned(),
        aliases => format!("{} ({})", lookup.name, aliases.join(", ")),
    }
}

fn times(lookup: &Lookup<'_>) -> String {
    let first = moment(i64::from(lookup.first));
    if lookup.first == lookup.last {
        return format!("at {first}");
    }
    format!("from {first} to {}", moment(i64::from(lookup.last)))
}
