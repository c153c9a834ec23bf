//! A suggested policy as text: the base as it is written, then the learned rules, then what was left out.

use std::collections::{BTreeMap, BTreeSet};

use super::base::Base;
use super::{Kept, Suggestion};
use crate::alert::instant;
use crate::judge::EdgeRow;
use crate::judge::suggest::{Learned, LeftOut, Often, Why, counted};
use crate::net::ports::{PortRange, PortSet};
use crate::net::{protocol, services};
use crate::policy::Policy;

/// A service of the base that grants more (protocol, port) pairs than this does not name one of them.
const MOST_PAIRS: u32 = 16;

/// Groups told of each reason.
const HEAVIEST: usize = 10;

/// When the traffic was.
#[derive(Default)]
pub(super) struct Traffic {
    /// Hours since 1970.
    pub hours: BTreeSet<u32>,
    times: Option<(u32, u32)>,
}

impl Traffic {
    /// Takes an edge.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        self.hours.insert(edge.first_seen / 3600);
        self.hours.insert(edge.last_seen / 3600);
        edge.widen(&mut self.times);
    }
}

/// The policy with all rules, without what is for people: what decides is the same.
pub(super) fn draft(base: &Base, rules: &[Learned]) -> String {
    let mut text = base.text.clone();
    let services = Services::new(&base.policy, rules.iter());
    text.push_str(&services.text());
    for (rule, name) in rules.iter().zip(names(base, rules)) {
        text.push_str(&section(base, rule, &name, &services));
    }
    text
}

/// The whole file.
pub(super) fn whole(
    base: &Base,
    rules: &[Kept],
    suggestion: &Suggestion,
    traffic: &Traffic,
    often: Often,
) -> String {
    let mut text = base.text.clone();
    text.push_str(&format!(
        "\n# {}\n# Learned from {} by `tidegate policy suggest`: what was seen in at least {} connections and {} hours.\n",
        "-".repeat(117),
        times(traffic.times),
        often.connections,
        often.hours
    ));
    text.push_str("# That traffic was seen does not mean that it ought to be: read each rule, and give it an owner.\n");
    let learned: Vec<Learned> = rules.iter().map(|(rule, _)| rule.clone()).collect();
    let services = Services::new(&base.policy, learned.iter());
    text.push_str(&services.text());
    for ((rule, used), name) in rules.iter().zip(names(base, &learned)) {
        text.push('\n');
        if let Some(review) = rule.review {
            text.push_str(&format!("# review: {review}\n"));
        }
        if !rule.exempt.is_empty() {
            text.push_str("# review: the requires in exempt are broken by what was seen\n");
        }
        text.push_str(section(base, rule, &name, &services).trim_start());
        let reason = match used.connections {
            0 => "seen, and all of it is allowed by rules that say more".to_owned(),
            connections => format!(
                "seen: {} from {} to {}, {}",
                counted(connections, "connection"),
                counted(used.clients.estimate(), "client"),
                counted(used.servers.estimate(), "server"),
                times(used.times)
            ),
        };
        text.push_str(&format!("reason = \"{reason}\"\n# owner = \"\"\n"));
    }
    text.push_str(&format!(
        "\n# Covered: {} of {} that the network let through; {} of them fit these rules without having been learned from.\n",
        suggestion.covered,
        counted(suggestion.accepted, "connection"),
        suggestion.beyond
    ));
    text.push_str(&left_out(&suggestion.left_out));
    text
}

fn left_out(left: &[LeftOut]) -> String {
    let mut text = String::new();
    for why in Why::ALL {
        let groups: Vec<&LeftOut> = left.iter().filter(|left| left.why == *why).collect();
        if groups.is_empty() {
            continue;
        }
        let connections: u64 = groups.iter().map(|group| group.connections).sum();
        text.push_str(&format!(
            "#\n# Left out, {}: {}\n",
            why.text(),
            counted(connections, "connection")
        ));
        for group in groups.iter().take(HEAVIEST) {
            text.push_str(&format!("#   {}\n", in_comment(&group.to_string())));
        }
        if let Some(rest) = groups.get(HEAVIEST..).filter(|rest| !rest.is_empty()) {
            let connections: u64 = rest.iter().map(|group| group.connections).sum();
            text.push_str(&format!(
                "#   and {} between {} other pairs or services\n",
                counted(connections, "connection"),
                rest.len()
            ));
        }
    }
    text
}

/// The ids of rules, in their order: `seen-app-to-resolver-dns`. No rule of the base has one of them.
pub(super) fn names(base: &Base, rules: &[Learned]) -> Vec<String> {
    let services = Services::new(&base.policy, rules.iter());
    let rows = base.policy.rule_rows();
    let mut taken: BTreeSet<String> = rows.iter().map(|row| row.rule.id.clone()).collect();
    rules
        .iter()
        .map(|rule| {
            let used = services.of(rule);
            let name = format!(
                "seen-{}-to-{}-{}",
                short(&rule.from),
                short(&rule.to),
                short(&used)
            );
            let name = name.replace(':', "-");
            let numbered = (2..=taken.len() + 2).map(|number| format!("{name}-{number}"));
            let mut all = std::iter::once(name.clone()).chain(numbered);
            // Of one more name than are taken one is free.
            let name = all.find(|name| !taken.contains(name)).unwrap_or(name);
            taken.insert(name.clone());
            name
        })
        .collect()
}

fn short(words: &[String]) -> String {
    let cut = |word: &String| word.chars().take(30).collect::<String>();
    match words {
        [] => String::new(),
        [only] => cut(only),
        [first, rest @ ..] => format!("{}-and-{}", cut(first), rest.len()),
    }
}

fn section(base: &Base, rule: &Learned, name: &str, services: &Services) -> String {
    let mut text = format!(
        "\n[[allow]]\nid = {}\nfrom = {}\nto = {}\nservice = {}\n",
        quoted(name),
        list(&rule.from),
        list(&rule.to),
        list(&services.of(rule))
    );
    if let Some(via) = rule.via {
        text.push_str(&format!("via = [{}]\n", quoted(via.as_str())));
    }
    if !rule.exempt.is_empty() {
        let ids = rule
            .exempt
            .iter()
            .map(|require| quoted(&base.requires[*require]));
        text.push_str(&format!(
            "exempt = [{}]\n",
            ids.collect::<Vec<_>>().join(", ")
        ));
    }
    text
}

/// What ports are called: by services of the base, or by new ones.
struct Services {
    names: BTreeMap<PortRange, String>,
    new: BTreeSet<PortRange>,
}

impl Services {
    fn new<'r>(policy: &Policy, rules: impl Iterator<Item = &'r Learned>) -> Services {
        let ranges: BTreeSet<PortRange> = rules.flat_map(|rule| &rule.ports).copied().collect();
        let mut taken: BTreeSet<String> =
            policy.services().map(|(name, _)| name.to_owned()).collect();
        let mut services = Services {
            names: BTreeMap::new(),
            new: BTreeSet::new(),
        };
        for range in ranges {
            let name = match of_base(policy, range) {
                Some(name) => name.to_owned(),
                None => {
                    services.new.insert(range);
                    new_name(range, &taken)
                }
            };
            taken.insert(name.clone());
            services.names.insert(range, name);
        }
        services
    }

    /// The names of a rule's services, each once.
    fn of(&self, rule: &Learned) -> Vec<String> {
        let names: BTreeSet<&String> = rule
            .ports
            .iter()
            .filter_map(|range| self.names.get(range))
            .collect();
        names.into_iter().cloned().collect()
    }

    /// The sections of new ones.
    fn text(&self) -> String {
        let new = self.new.iter().filter_map(|range| {
            let name = self.names.get(range)?;
            Some(format!(
                "\n[services.{}]\nports = [{}]\n",
                quoted(name),
                quoted(&range.to_string())
            ))
        });
        new.collect()
    }
}

/// The service of the base with the fewest ports that holds them all; of equals the first by name.
fn of_base(policy: &Policy, range: PortRange) -> Option<&str> {
    let wanted: PortSet = [range].into_iter().collect();
    let holding = policy
        .services()
        .filter(|(_, ports)| ports.covers(&wanted) && ports.num_pairs() <= MOST_PAIRS);
    let best = holding.min_by_key(|(name, ports)| (ports.num_pairs(), *name));
    best.map(|(name, _)| name)
}

/// The name that a port has by the program's list of services, else `tcp-8443`; one that is not taken.
fn new_name(range: PortRange, taken: &BTreeSet<String>) -> String {
    let is_plain = |name: &&str| name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let known = match range.first == range.last {
        true => services::service_name(range.protocol, range.first).filter(is_plain),
        false => None,
    };
    let by_number = match protocol::name(range.protocol) {
        Some(_) => range.to_string().replace('/', "-"),
        None => format!("protocol-{range}"),
    };
    let names = known
        .map(str::to_owned)
        .into_iter()
        .chain([by_number.clone()]);
    let numbered = (2..=taken.len() + 2).map(|number| format!("{by_number}-{number}"));
    let mut all = names.chain(numbered);
    all.find(|name| !taken.contains(name)).unwrap_or(by_number)
}

fn times(times: Option<(u32, u32)>) -> String {
    times.map_or_else(
        || "no traffic".to_owned(),
        |(first, last)| format!("{} to {}", instant(first), instant(last)),
    )
}

fn list(words: &[String]) -> String {
    match words {
        [only] => quoted(only),
        words => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("[{}]", words.join(", "))
        }
    }
}

/// A TOML string. Names have neither quotes nor control characters.
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

/// Text without what a TOML comment may not hold.
fn in_comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}
