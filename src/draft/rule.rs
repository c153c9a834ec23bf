//! Facts become rules: those that differ in their sources only are one, with an id that tells what it permits.

use std::collections::{BTreeMap, BTreeSet};

use super::network::Network;
use super::place::EVERYWHERE;
use super::ports::Ports;
use super::sheet::{RuleEntry, Sheet};
use crate::net::ports::PortRange;

/// One thing that is permitted: who, to whom, by what.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    pub(super) to: Vec<String>,
    pub(super) ports: Ports,
    pub(super) from: String,
}

/// For which families, and what people said of it.
#[derive(Default)]
pub(super) struct Said {
    pub(super) families: BTreeSet<bool>,
    pub(super) reasons: BTreeSet<String>,
}

/// What rules that differ in their sources only have in common: who is asked, on which ports, for which families.
type Common<'f> = (&'f [String], &'f Ports, &'f BTreeSet<bool>);

/// Facts that differ in their sources only become one rule.
pub(super) fn enter(facts: &BTreeMap<Fact, Said>, network: &Network<'_>, sheet: &mut Sheet) {
    let mut rules: BTreeMap<Common<'_>, (Vec<String>, BTreeSet<&str>)> = BTreeMap::new();
    for (fact, said) in facts {
        let key = (fact.to.as_slice(), &fact.ports, &said.families);
        let (from, reasons) = rules.entry(key).or_default();
        from.push(fact.from.clone());
        reasons.extend(said.reasons.iter().map(String::as_str));
    }
    let has_both = network.families().count() == 2;
    for ((to, ports, families), (mut from, reasons)) in rules {
        let everybody = ["inside", EVERYWHERE[0], EVERYWHERE[1]];
        if everybody
            .iter()
            .all(|word| from.iter().any(|one| one == word))
        {
            from.retain(|one| !everybody.contains(&one.as_str()));
            from.push("any".to_owned());
        }
        let ipv4 = (has_both && families.len() == 1).then(|| families.contains(&true));
        let family = match ipv4 {
            Some(true) => "-ipv4",
            Some(false) => "-ipv6",
            None => "",
        };
        let (from_text, to_text) = (words_text(&from), words_text(to));
        let wanted = format!("{from_text}-to-{to_text}-{}{family}", ports_text(ports));
        let reasons: Vec<&str> = reasons.into_iter().collect();
        let id = sheet.claim_id(&wanted);
        sheet.allows.push(RuleEntry {
            id,
            comment: review(&from, to, ports),
            from,
            from_except: Vec::new(),
            to: to.to_vec(),
            to_except: Vec::new(),
            ports: ports.clone(),
            ipv4,
            reason: reasons.join("; "),
        });
    }
}

/// What people should look at.
fn review(from: &[String], to: &[String], ports: &Ports) -> Option<String> {
    let is_everywhere = |words: &[String]| {
        let mut words = words.iter();
        words.any(|word| word == "any" || word == EVERYWHERE[0])
    };
    let is_any_port = *ports == Ports::Any;
    match (is_everywhere(from), is_everywhere(to)) {
        (true, _) if is_any_port => Some("Review: everybody may come in, by every port".to_owned()),
        (true, _) => Some("Review: everybody may come in".to_owned()),
        (_, true) if is_any_port => Some(
            "Review: everything may go everywhere, which is what AWS gives a new group; name what is needed".to_owned(),
        ),
        _ => None,
    }
}

/// Names as a part of an id: the widest first, and everywhere outside as one word.
fn words_text(words: &[String]) -> String {
    let is_everywhere = EVERYWHERE
        .iter()
        .all(|word| words.iter().any(|one| one == word));
    let mut shown: Vec<&str> = words.iter().map(String::as_str).collect();
    if is_everywhere {
        shown.retain(|word| !EVERYWHERE.contains(word));
        shown.insert(0, EVERYWHERE[0]);
    }
    match shown.as_slice() {
        [one] => (*one).to_owned(),
        [one, two] => format!("{one}-and-{two}"),
        [one, rest @ ..] => format!("{one}-and-{}-more", rest.len()),
        [] => String::new(),
    }
}

/// Ports as a part of an id.
pub(super) fn ports_text(ports: &Ports) -> String {
    let set = match ports {
        Ports::Any => return "any".to_owned(),
        Ports::Only(set) => set,
        Ports::Except(set) => set,
    };
    let but = if matches!(ports, Ports::Except(_)) {
        "not-"
    } else {
        ""
    };
    let text = |range: &PortRange| range.to_string().replace("/*", "").replace('/', "-");
    match set.ranges() {
        [one] => format!("{but}{}", text(one)),
        [one, rest @ ..] => format!("{but}{}-and-{}-more", text(one), rest.len()),
        [] => "none".to_owned(),
    }
}
