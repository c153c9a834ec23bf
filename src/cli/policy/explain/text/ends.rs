//! One end in words: what it is a member of, by which prefix, and why it has its label.

use super::Page;
use crate::cli::report::words::moment;
use crate::policy::{EndStory, Holding, InterfaceStory, SubnetStory, ZoneKind};

/// An end.
pub(super) fn end(title: &str, story: &EndStory<'_>, page: &mut Page) {
    page.line("");
    page.line(&format!("{title} {}", story.addr));
    match &story.network {
        Some(network) => page.entry("network", &holding(network)),
        None => page.entry("network", "none: outside"),
    }
    match story.subnets.first() {
        Some(own) => page.entry("subnet", &subnet(own)),
        None if story.network.is_some() => page.entry("subnet", "none"),
        None => {}
    }
    if story.network.is_some() {
        page.entry("groups", &list(&story.groups));
    }
    if !story.groups_by_facts.is_empty() {
        let names = story.groups_by_facts.join(", ");
        page.entry("", &format!("by its interface's records: {names}"));
    }
    interfaces(story, page);
    if !story.possible_groups.is_empty() {
        page.entry(
            "",
            &format!(
                "and perhaps {}: no evidence tells",
                story.possible_groups.join(", ")
            ),
        );
    }
    if story.network.is_none() {
        page.entry("destinations", &list(&story.destinations));
        services(story, page);
    }
    page.entry("zone", &format!("{}: {}", story.zone, because(story)));
}

/// What the inventory knows.
fn interfaces(story: &EndStory<'_>, page: &mut Page) {
    if !story.has_inventory {
        return;
    }
    if !story.groups_by_inventory.is_empty() {
        let names = story.groups_by_inventory.join(", ");
        page.entry("", &format!("by the inventory: {names}"));
    }
    for one in &story.interfaces {
        page.entry("inventory", &interface(one, story.network.is_none()));
    }
    if story.interfaces.is_empty() && story.network.is_some() {
        page.entry("inventory", "knows no interface with this address then");
    }
}

/// An interface of the inventory, and which file says so.
fn interface(one: &InterfaceStory<'_>, is_outside: bool) -> String {
    let mut words = vec![one.id.to_owned()];
    words.extend(one.kind.map(|kind| format!("of type {kind}")));
    words.extend(one.instance.map(|instance| format!("of {instance}")));
    if !one.security_groups.is_empty() {
        words.push(format!("in {}", one.security_groups.join(", ")));
    }
    let since = match one.from {
        Some(from) => format!("{}, from {} on", one.file, moment(from)),
        None => one.file.to_owned(),
    };
    let own = if is_outside {
        "one's own public address: "
    } else {
        ""
    };
    format!("{own}{}; says {since}", words.join(" "))
}

/// AWS services of an end outside, by its records and by pinned ranges.
fn services(story: &EndStory<'_>, page: &mut Page) {
    let is_public = !matches!(story.kind, ZoneKind::Private | ZoneKind::Local);
    if story.services_known {
        let named = match story.services_by_field.is_empty() {
            true => "none".to_owned(),
            false => story.services_by_field.join(", "),
        };
        page.entry("AWS services", &format!("{named}: by its records"));
    }
    if story.has_ranges {
        page.entry(
            "AWS services",
            &format!("{}: by pinned ranges", list(&story.services)),
        );
    } else if is_public && !story.services_known {
        page.entry(
            "AWS services",
            "not known: no ip_ranges are pinned, and no record names any",
        );
    }
}

/// Why an end has its zone and no other.
fn because(story: &EndStory<'_>) -> String {
    match story.kind {
        ZoneKind::Tier => match story.subnets.as_slice() {
            [_, others @ ..] if !others.is_empty() => {
                let others: Vec<String> = others.iter().map(subnet).collect();
                format!(
                    "the tier of its subnet, whose prefix is longer than that of {}",
                    others.join("; ")
                )
            }
            _ => "the tier of its subnet, the only one that holds it".to_owned(),
        },
        ZoneKind::Unassigned => "in the network's prefix, in no subnet".to_owned(),
        ZoneKind::Destination => match story.destinations.as_slice() {
            [first, second, ..] if first.prefix.len() == second.prefix.len() => format!(
                "of the destinations with the longest prefix the first by name, before {}",
                second.name
            ),
            [_, second, ..] => format!(
                "the destination with the longest prefix, longer than that of {}",
                holding(second)
            ),
            [_] => "the destination that holds it".to_owned(),
            [] => "by the AWS service that its records name".to_owned(),
        },
        ZoneKind::Aws => match story.services.as_slice() {
            [first, second, ..] if first.name == story.zone.trim_start_matches("aws:") => format!(
                "in no destination; the longest range, of equal ones the most specific service, before {}",
                holding(second)
            ),
            [only] if only.name == story.zone.trim_start_matches("aws:") => {
                "in no destination; the AWS service whose range holds it".to_owned()
            }
            _ => "in no destination; by the AWS service that its records name".to_owned(),
        },
        ZoneKind::Private | ZoneKind::Local => match story.special {
            Some(prefix) => format!("in no network and no destination, but in {prefix}"),
            None => "in no network and no destination".to_owned(),
        },
        ZoneKind::Internet => {
            "in no network and no destination, neither private nor local, of no AWS service that is known"
                .to_owned()
        }
    }
}

fn holding(held: &Holding<'_>) -> String {
    format!("{} ({})", held.name, held.prefix)
}

fn list(held: &[Holding<'_>]) -> String {
    if held.is_empty() {
        return "none".to_owned();
    }
    let held: Vec<String> = held.iter().map(holding).collect();
    held.join(", ")
}

fn subnet(subnet: &SubnetStory<'_>) -> String {
    let mut facts = vec![format!("tier {}", subnet.tier)];
    facts.extend(subnet.az.map(|az| format!("az {az}")));
    facts.extend(
        subnet
            .labels
            .iter()
            .map(|(key, value)| format!("{key} {value}")),
    );
    let id = subnet.id.map(|id| format!("{id}, ")).unwrap_or_default();
    format!("{id}{} ({})", facts.join(", "), subnet.prefix)
}
