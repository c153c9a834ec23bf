//! The difference for people: first what is written otherwise, then what is decided otherwise, in blocks of the same
//! ports, rules and conditions.

use std::fmt::Write as _;

use super::{Compared, addresses, cidrs};
use crate::cli::report::words;
use crate::net::ports::{NUM_PAIRS, PortSet};
use crate::policy::diff::{
    Change, ChangeKind, Decided, Diff, Edit, Edited, Example, Membership, Side,
};
use crate::policy::{Answer, Policy, day_or_instant};

/// How many prefixes or words of an edit a line shows; JSON has them all.
const MAX_SHOWN: usize = 6;

/// Columns up to which examples of a block stand in a column of their own.
const MAX_ALIGNED: usize = 56;

pub(super) fn render(compared: &Compared) -> String {
    let diff = &compared.diff;
    let mut text = String::new();
    for (which, (file, policy)) in ["Old", "New"].into_iter().zip(&compared.policies) {
        let hash: String = policy.hash().chars().take(12).collect();
        line(
            &mut text,
            &format!("{which}: {}, {file} ({hash})", policy.id()),
        );
    }
    let when = match compared.options.at {
        Some(at) => format!("At {}.", date(at)),
        None if diff.from == 0 => "At any time.".to_owned(),
        None => format!("From {} on.", date(diff.from)),
    };
    line(&mut text, &when);
    for network in &diff.not_compared {
        let told = format!("Only one of them has the network {network}: not compared from there.");
        line(&mut text, &told);
    }
    if !(diff.edits.is_empty() && diff.moved.is_empty()) {
        line(&mut text, "\nWritten otherwise");
        for edit in &diff.edits {
            line(&mut text, &format!("  {}", edited(edit)));
        }
        for moved in &diff.moved {
            let shown = short(&cidrs(&moved.ranges));
            let mut told = format!("  addresses {shown}: {}, now {}", moved.before, moved.now);
            if !moved.dates.is_empty() {
                told.push_str(&format!("; {}", dates(&moved.dates)));
            }
            line(&mut text, &told);
        }
    }
    let networks: Vec<&str> = diff.changes.iter().map(|change| &*change.network).collect();
    let has_several = networks.iter().any(|network| *network != networks[0])
        || compared
            .policies
            .iter()
            .any(|(_, policy)| !policy.has_one_network());
    for kind in ChangeKind::ALL {
        let changes = diff.changes.iter().filter(|change| change.kind == *kind);
        let changes: Vec<&Change> = changes.collect();
        if changes.is_empty() {
            continue;
        }
        line(&mut text, &format!("\n{}", title(*kind)));
        blocks(&mut text, &changes, has_several);
    }
    text.push('\n');
    line(&mut text, &summary(compared));
    text
}

/// Adds changes in blocks of the same ports, rules and conditions.
pub(in crate::cli::policy) fn blocks(text: &mut String, changes: &[&Change], has_several: bool) {
    for block in changes.chunk_by(|a, b| is_one_block(a, b)) {
        let head = head(block[0], has_several);
        line(text, &format!("  {head}"));
        lines_of(text, block);
    }
}

/// Adds a line. Names and tags come from files: what could steer a terminal is taken out.
fn line(text: &mut String, line: &str) {
    for part in line.split('\n') {
        writeln!(text, "{}", words::clean(part)).expect("writing to memory");
    }
}

fn title(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::NewlyAllowed => "Newly allowed",
        ChangeKind::NewlyDenied => "Newly denied",
        ChangeKind::NewlyUnproven => "Newly unproven",
        ChangeKind::OtherRule => "By another rule",
    }
}

fn summary(compared: &Compared) -> String {
    let Diff { changes, .. } = &compared.diff;
    let [old, new] = &compared.policies;
    if changes.is_empty() {
        let same_hash = old.1.hash() == new.1.hash();
        let more = match (same_hash, compared.options.with_rules) {
            (true, _) => "; the hashes are equal",
            (false, true) => ", though the hashes differ",
            (false, false) => {
                ", though the hashes differ (--rules shows where another rule gives the same answer)"
            }
        };
        let aside = match same_hash {
            true => "",
            false => aside([&old.1, &new.1]),
        };
        return format!("No difference in what is decided{more}{aside}.");
    }
    let counts = ChangeKind::ALL.iter().filter_map(|kind| {
        let number = changes.iter().filter(|change| change.kind == *kind).count();
        let what = title(*kind).to_lowercase();
        (number > 0).then(|| format!("{} {what}", words::count(number as u64)))
    });
    format!("{}.", counts.collect::<Vec<_>>().join(", "))
}

/// What is not compared of such policies.
fn aside(policies: [&Policy; 2]) -> &'static str {
    let has = |is: fn(&Policy) -> bool| policies.iter().any(|policy| is(policy));
    match (has(Policy::goes_by_names), has(Policy::has_inventory)) {
        (false, false) => "",
        (true, false) => "; names that addresses were asked for by are not compared",
        (false, true) => "; which addresses an inventory puts into groups is not compared",
        (true, true) => {
            "; names that addresses were asked for by, and which addresses an inventory puts into groups, are not compared"
        }
    }
}

fn edited(edit: &Edit) -> String {
    let name = format!("{} {}", edit.what, edit.name);
    match edit.edited {
        Edited::Added => format!("{name}: new"),
        Edited::Removed => format!("{name}: gone"),
        Edited::Changed => {
            let removed = edit.removed.iter().map(|says| format!("- {says}"));
            let added = edit.added.iter().map(|says| format!("+ {says}"));
            format!(
                "{name}: {}",
                short(&removed.chain(added).collect::<Vec<_>>())
            )
        }
    }
}

/// The first few of a list.
fn short(all: &[String]) -> String {
    let shown = all[..all.len().min(MAX_SHOWN)].join(", ");
    match all.len() - all.len().min(MAX_SHOWN) {
        0 => shown,
        more => format!("{shown} and {} more", words::count(more as u64)),
    }
}

fn is_one_block(a: &Change, b: &Change) -> bool {
    let head = |change: &Change| {
        (
            change.network.clone(),
            [change.before.clone(), change.now.clone()],
            change.ports.clone(),
            change.paths.clone(),
            change.encrypted.clone(),
            change.dates.clone(),
        )
    };
    head(a) == head(b)
}

/// What the lines of a block share: `tcp/443: allowed by b, was denied by default`, then the conditions.
fn head(change: &Change, has_several_networks: bool) -> String {
    let now = decided(&change.now);
    let before = decided(&change.before);
    let mut head = format!("{}: {now}, was {before}", ports(&change.ports));
    let or = |words: Vec<String>| words.join(" or ");
    if !change.paths.is_empty() {
        let paths = change.paths.iter().map(|path| match path {
            Some(path) => path.as_str().to_owned(),
            None => "an unknown path".to_owned(),
        });
        head.push_str(&format!("; via {}", or(paths.collect())));
    }
    if !change.encrypted.is_empty() {
        let words = change.encrypted.iter().map(|encrypted| match encrypted {
            Some(true) => "encrypted".to_owned(),
            Some(false) => "not encrypted".to_owned(),
            None => "encryption unknown".to_owned(),
        });
        head.push_str(&format!("; {}", or(words.collect())));
    }
    if !change.dates.is_empty() {
        head.push_str(&format!("; {}", dates(&change.dates)));
    }
    if has_several_networks {
        head.push_str(&format!("; seen from {}", change.network));
    }
    head
}

fn dates(dates: &[(u32, Option<u32>)]) -> String {
    let dates = dates.iter().map(|(from, until)| match until {
        Some(until) => format!("from {} until {}", date(*from), date(*until)),
        None => format!("from {} on", date(*from)),
    });
    dates.collect::<Vec<_>>().join(" or ")
}

fn decided(decided: &Decided) -> String {
    let answer = match decided.answer {
        Answer::Allow => "allowed",
        Answer::Deny => "denied",
        Answer::Unproven => "unproven",
    };
    format!("{answer} by {}", decided.rule)
}

/// A set of ports, or what it lacks, whichever is shorter.
fn ports(ports: &PortSet) -> String {
    if ports.num_pairs() == NUM_PAIRS {
        return "any port".to_owned();
    }
    let rest = ports.complement();
    if rest.ranges().len() < ports.ranges().len() {
        format!("any port but {rest}")
    } else {
        ports.to_string()
    }
}

/// The lines of a block: client, server, an example.
fn lines_of(text: &mut String, block: &[&Change]) {
    let sides: Vec<String> = block.iter().map(|change| ends(change)).collect();
    let widths = sides.iter().map(|ends| ends.chars().count());
    let widest = widths.filter(|width| *width <= MAX_ALIGNED).max();
    for (change, ends) in block.iter().zip(sides) {
        let example = example(&change.example);
        match widest.filter(|widest| ends.chars().count() <= *widest) {
            Some(widest) => line(text, &format!("    {ends:widest$}  {example}")),
            None => line(text, &format!("    {ends}\n      {example}")),
        }
    }
}

/// A connection, and what records must say of its ends if anything.
fn example(example: &Example) -> String {
    let ends = [
        ("client", &example.client_evidence),
        ("server", &example.server_evidence),
    ];
    let needed = ends
        .into_iter()
        .filter_map(|(end, evidence)| Some(format!("{end}: {}", evidence.as_ref()?)));
    let needed: Vec<String> = needed.collect();
    if needed.is_empty() {
        return format!("e.g. {}", example.flow());
    }
    format!("e.g. {} ({})", example.flow(), needed.join("; "))
}

fn ends(change: &Change) -> String {
    // Addresses that are listed show their family.
    let sides = [&change.client, &change.server];
    let lists_some = sides.into_iter().any(|side| !addresses(side).0.is_empty());
    let family = match change.ipv4.filter(|_| !lists_some) {
        Some(true) => ", IPv4 only",
        Some(false) => ", IPv6 only",
        None => "",
    };
    format!(
        "{} -> {}{family}",
        side(&change.client),
        side(&change.server)
    )
}

/// `app`, `app [etl]`, `app [not etl]`, `app [etl] 10.0.33.0/24`, `internet if service none`.
fn side(side: &Side) -> String {
    let mut text = side.zone.clone();
    if let Some(before) = &side.zone_before {
        text.push_str(&format!(" (was {before})"));
    }
    if let Some(network) = &side.network {
        text.push_str(&format!(" in {network}"));
    }
    let part = &side.part;
    if !part.groups.is_empty() {
        text.push_str(&format!(" [{}]", groups(&part.groups)));
    }
    if !part.except_groups.is_empty() {
        text.push_str(&format!(" [not {}]", groups(&part.except_groups)));
    }
    let (own, rest) = addresses(side);
    if !own.is_empty() {
        text.push_str(&format!(" {}", short(&own)));
    }
    if !rest.is_empty() {
        text.push_str(&format!(" but not {}", short(&rest)));
    }
    if !part.evidence.is_empty() {
        text.push_str(&format!(" if {}", evidence(&part.evidence)));
    }
    if !part.evidence_except.is_empty() {
        text.push_str(&format!(" unless {}", evidence(&part.evidence_except)));
    }
    text
}

/// `service unknown or none or S3`.
fn evidence(texts: &[String]) -> String {
    let bare = texts.iter().map(|text| text.strip_prefix("service "));
    match bare.collect::<Option<Vec<&str>>>() {
        Some(bare) => format!("service {}", bare.join(" or ")),
        None => texts.join(" or "),
    }
}

fn groups(groups: &[Membership]) -> String {
    let names = groups.iter().map(group);
    names.collect::<Vec<_>>().join(" or ")
}

/// A group, with a word if only one of the policies has the ends in it.
pub(super) fn group(membership: &Membership) -> String {
    let when = match (membership.before, membership.now) {
        (true, true) => "",
        (true, false) => " (before)",
        (false, _) => " (now)",
    };
    format!("{}{when}", membership.group)
}

fn date(seconds: u32) -> String {
    day_or_instant(i64::from(seconds))
}
