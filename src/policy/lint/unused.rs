//! Groups, destinations and services that nothing names.

use std::collections::HashSet;

use super::super::file::{File, RulePorts};
use super::super::section::Word;
use super::Found;
use super::table::UNUSED_NAME;

pub(super) fn lint(file: &File, found: &mut Found) {
    let mut ends: HashSet<&str> = HashSet::new();
    let mut services: HashSet<&str> = HashSet::new();
    for rule in &file.rules {
        for words in [&rule.from, &rule.from_except, &rule.to, &rule.to_except] {
            ends.extend(texts(words));
        }
        if let RulePorts::Services(words) = &rule.ports {
            services.extend(texts(words));
        }
    }
    for require in &file.requires {
        ends.extend(texts(&require.between));
    }
    for mute in &file.mutes {
        ends.extend(texts(&mute.from).chain(texts(&mute.to)));
        services.extend(texts(&mute.service));
    }
    let groups = file.groups.iter().map(|group| &group.name);
    for name in groups.filter(|name| !ends.contains(name.text.as_str())) {
        found.add(
            &UNUSED_NAME,
            &name.span,
            format!("no rule and no require names group `{}`", &**name),
            "remove it, or name it where it was meant to be",
        );
    }
    let destinations = file
        .destinations
        .iter()
        .map(|destination| &destination.name);
    for name in destinations.filter(|name| !ends.contains(name.text.as_str())) {
        found.add(
            &UNUSED_NAME,
            &name.span,
            format!("no rule, require or mute names destination `{}`", &**name),
            "it only gives its addresses a label and takes them out of `unlisted`; remove it unless that is what it is for",
        );
    }
    // A symmetric service says something of its ports, whoever names it.
    let services_named = file.services.iter().filter(|service| !service.symmetric);
    for name in services_named
        .map(|service| &service.name)
        .filter(|name| !services.contains(name.text.as_str()))
    {
        found.add(
            &UNUSED_NAME,
            &name.span,
            format!("no rule and no mute names service `{}`", &**name),
            "remove it, or name it where it was meant to be",
        );
    }
}

fn texts(words: &[Word]) -> impl Iterator<Item = &str> {
    words.iter().map(|word| word.text.as_str())
}
