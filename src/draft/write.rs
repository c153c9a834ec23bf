//! The draft as text: TOML in the order in which people read a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Settings;
use super::ports::Ports;
use super::sheet::{DestinationEntry, GroupEntry, NetworkEntry, RuleEntry, Sheet, SubnetEntry};
use crate::net::ports::PortRange;
use crate::net::{protocol, services};

/// Columns of a line, and of a list before it is broken.
const WIDTH: usize = 119;

/// Writes the whole file.
pub(super) fn file(sheet: &Sheet, settings: &Settings, is_fully_known: bool) -> String {
    let mut out = Out::default();
    head(&mut out, sheet, settings, is_fully_known);
    sheet.networks.iter().for_each(|one| network(&mut out, one));
    if !sheet.subnets.is_empty() {
        out.section("Tiers and their subnets");
        for tier in &sheet.tiers {
            out.line(&format!("[tiers.{}]", key(tier)));
        }
        sheet.subnets.iter().for_each(|one| subnet(&mut out, one));
    }
    if !sheet.groups.is_empty() {
        out.section("Groups");
        let mut groups: Vec<&GroupEntry> = sheet.groups.iter().collect();
        groups.sort_by_key(|group| (group.network.as_deref(), group.name.as_str()));
        groups.into_iter().for_each(|one| group(&mut out, one));
    }
    if !sheet.destinations.is_empty() {
        out.section("Places outside");
        let mut all: Vec<&DestinationEntry> = sheet.destinations.iter().collect();
        all.sort_by_key(|one| one.name.as_str());
        all.into_iter().for_each(|one| destination(&mut out, one));
    }
    let services = service_names(sheet);
    if !services.is_empty() {
        out.section("Services");
        out.line("[services]");
        for (range, name) in &services {
            out.line(&format!("{} = [{}]", key(name), quoted(&range.to_string())));
        }
    }
    if !sheet.denies.is_empty() {
        out.section("What network ACLs refuse");
        for one in &sheet.denies {
            rule(&mut out, "deny", one, &services);
        }
    }
    if !sheet.allows.is_empty() {
        out.section("What security groups permit");
        let mut allows: Vec<&RuleEntry> = sheet.allows.iter().collect();
        allows.sort_by(|a, b| (&a.to, &a.id).cmp(&(&b.to, &b.id)));
        for one in allows {
            rule(&mut out, "allow", one, &services);
        }
    }
    if !sheet.nat.is_empty() {
        out.section("NAT gateways");
        out.line("[transit]");
        let nat: Vec<String> = sheet
            .nat
            .iter()
            .map(|addr| addr.first().to_string())
            .collect();
        out.list("nat", &nat);
    }
    if !sheet.notes.is_empty() {
        out.section("Not carried over");
        for note in &sheet.notes {
            out.comment(&format!("- {note}"));
        }
    }
    out.text
}

fn head(out: &mut Out, sheet: &Sheet, settings: &Settings, is_fully_known: bool) {
    out.comment(&format!(
        "A draft of a segmentation policy, made from {}.",
        settings.origin
    ));
    out.line("#");
    out.comment("It says what security groups and network ACLs permit there, not what ought to be permitted. Before it is used:");
    out.line("#");
    out.comment("- Give the policy its id, title and owner, and every rule an owner.");
    out.comment("- Look at what is marked \"Review:\", and take out what is not needed.");
    if is_fully_known {
        out.comment("- Groups hold the addresses of the interfaces that carried a security group when the input was made. Where those come and go, give the prefixes that they are taken from.");
    } else {
        out.comment("- Groups go by security group where the input does not hold every interface: what could be in one is unproven until there is an inventory, or until its prefixes stand here.");
    }
    if sheet.networks.len() > 1 {
        out.comment("- Networks that are peers, or share a transit gateway, need connected_to.");
    }
    if !sheet.notes.is_empty() {
        out.comment("- Read what could not be carried over, at the end.");
    }
    out.line("");
    out.line("[policy]");
    out.line("id = \"DRAFT\"");
    out.line("title = \"Draft, to be reviewed\"");
}

fn network(out: &mut Out, entry: &NetworkEntry) {
    out.gap();
    if let Some(comment) = &entry.comment {
        out.comment(comment);
    }
    out.line(&format!("[networks.{}]", key(&entry.name)));
    for (name, value) in [
        ("vpcs", &entry.vpc),
        ("accounts", &entry.account),
        ("regions", &entry.region),
    ] {
        out.list(name, value.as_slice());
    }
    out.list("cidrs", &texts(&entry.cidrs));
}

fn subnet(out: &mut Out, entry: &SubnetEntry) {
    out.gap();
    if let Some(comment) = &entry.comment {
        out.comment(comment);
    }
    out.line("[[subnets]]");
    out.text_of("id", entry.id.as_deref());
    out.text_of("network", entry.network.as_deref());
    out.text_of("tier", Some(&entry.tier));
    out.text_of("az", entry.az.as_deref());
    out.list("cidrs", &texts(&entry.cidrs));
    if !entry.labels.is_empty() {
        let labels = entry.labels.iter();
        let pairs: Vec<String> = labels
            .map(|(name, value)| format!("{} = {}", key(name), quoted(value)))
            .collect();
        out.line(&format!("labels = {{ {} }}", pairs.join(", ")));
    }
}

fn group(out: &mut Out, entry: &GroupEntry) {
    out.gap();
    if !entry.comment.is_empty() {
        out.comment(&entry.comment);
    }
    out.line(&format!("[groups.{}]", key(&entry.name)));
    out.text_of("network", entry.network.as_deref());
    if entry.security_group.is_some() && entry.cidrs.is_empty() {
        out.comment("Review: no address is in the input; needs an inventory, or cidrs");
    }
    out.list("security_groups", entry.security_group.as_slice());
    if !entry.cidrs.is_empty() {
        out.list("cidrs", &texts(&entry.cidrs));
    }
}

fn destination(out: &mut Out, entry: &DestinationEntry) {
    out.gap();
    if let Some(comment) = &entry.comment {
        out.comment(comment);
    }
    out.line(&format!("[destinations.{}]", key(&entry.name)));
    out.list("aws_services", entry.aws_service.as_slice());
    out.list("prefix_lists", entry.prefix_list.as_slice());
    if entry.aws_service.is_none() && entry.prefix_list.is_none() {
        out.list_or_empty("cidrs", &texts(&entry.cidrs));
    }
}

fn rule(out: &mut Out, effect: &str, entry: &RuleEntry, services: &BTreeMap<PortRange, String>) {
    out.gap();
    if let Some(comment) = &entry.comment {
        out.comment(comment);
    }
    out.line(&format!("[[{effect}]]"));
    out.text_of("id", Some(&entry.id));
    out.names("from", &entry.from);
    out.names("from_except", &entry.from_except);
    out.names("to", &entry.to);
    out.names("to_except", &entry.to_except);
    match &entry.ports {
        Ports::Any => {}
        Ports::Only(set) => match set.ranges() {
            [only] if services.contains_key(only) => out.text_of("service", Some(&services[only])),
            ranges => out.list("ports", &texts(ranges)),
        },
        Ports::Except(set) => out.list("ports_except", &texts(set.ranges())),
    }
    let family = entry.ipv4.map(|is_v4| if is_v4 { "ipv4" } else { "ipv6" });
    out.text_of("family", family);
    let reason = flat(&entry.reason);
    if !reason.is_empty() {
        out.text_of("reason", Some(&reason));
    }
}

/// Names for what rules ask for by one port: IANA's or the product's; `udp-53` where that is taken, or not in the letters
/// of a name.
fn service_names(sheet: &Sheet) -> BTreeMap<PortRange, String> {
    let rules = sheet.allows.iter().chain(&sheet.denies);
    let single = rules.filter_map(|rule| match &rule.ports {
        Ports::Only(set) => match set.ranges() {
            [only] => Some(*only),
            _ => None,
        },
        Ports::Any | Ports::Except(_) => None,
    });
    let named: BTreeMap<PortRange, &str> = single
        .filter(|range| range.first == range.last && protocol::has_ports(range.protocol))
        .filter_map(|range| {
            let name = services::service_name(range.protocol, range.first)?;
            Some((range, name))
        })
        .collect();
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for (range, name) in named {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_free = name.chars().all(plain) && !taken.contains(name);
        let name = if is_free {
            name.to_owned()
        } else {
            range.to_string().replace('/', "-")
        };
        if taken.insert(name.clone()) {
            names.insert(range, name);
        }
    }
    names
}

fn texts<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

/// Text as it grows.
#[derive(Default)]
struct Out {
    text: String,
}

impl Out {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line, unless there is one.
    fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
    }

    fn section(&mut self, title: &str) {
        self.gap();
        self.line(&format!("# {}", "-".repeat(WIDTH - 2)));
        self.comment(title);
        self.gap();
    }

    /// A comment, broken at spaces. Nothing in it can end it.
    fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in plain(text).split_whitespace() {
            if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = String::from(if text.starts_with("- ") { "#  " } else { "#" });
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn text_of(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(&format!("{name} = {}", quoted(value)));
        }
    }

    /// One name as it is, several as a list.
    fn names(&mut self, name: &str, names: &[String]) {
        match names {
            [only] => self.text_of(name, Some(only)),
            several => self.list(name, several),
        }
    }

    /// A list; nothing if it is empty.
    fn list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.list_or_empty(name, values);
        }
    }

    fn list_or_empty(&mut self, name: &str, values: &[String]) {
        let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        let line = format!("{name} = [{}]", quoted.join(", "));
        if line.chars().count() <= WIDTH {
            self.line(&line);
            return;
        }
        self.line(&format!("{name} = ["));
        let mut row = String::from("   ");
        for value in quoted {
            if row.chars().count() + value.chars().count() + 2 > WIDTH && row.len() > 3 {
                self.line(&row);
                row = String::from("   ");
            }
            let _ = write!(row, " {value},");
        }
        self.line(&row);
        self.line("]");
    }
}

/// A key of TOML, quoted where it has to be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A basic string of TOML. What could turn a terminal's text about is escaped with what TOML asks to be.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if is_unseen(c) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Text for a comment.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_unseen(c) { ' ' } else { c })
        .collect()
}

/// Text in one line, its words one space apart.
fn flat(text: &str) -> String {
    let text = plain(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Control characters, and those that turn the direction of text.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_cannot_leave_its_string_or_its_comment() {
        assert_eq!(
            quoted("a\"b\\c\nd\u{202e}"),
            "\"a\\\"b\\\\c\\U0000000Ad\\U0000202E\""
        );
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(flat(" one\r\n  two\t\u{202e}three "), "one two three");
        let mut out = Out::default();
        out.comment("one\ntwo\r[policy]");
        assert_eq!(out.text, "# one two [policy]\n");
    }

    #[test]
    fn long_lists_and_comments_are_broken() {
        let mut out = Out::default();
        let many: Vec<String> = (0..40).map(|i| format!("10.0.{i}.0/24")).collect();
        out.list("cidrs", &many);
        out.comment(&"word ".repeat(60));
        assert!(out.text.lines().all(|line| line.chars().count() <= WIDTH));
        let read: toml::Table = out.text.parse().expect("TOML");
        assert_eq!(read["cidrs"].as_array().map(Vec::len), Some(40));
    }
}
