//! The allows: pairs of a rule that lets out and a rule that lets in.
//!
//! For every line that lets in, the members of its source are asked what their own groups let out to each member of the
//! group. Sources that reach the same servers by the same ports are one; they go by the name of the whole source if they
//! are all of it, else by the names of the groups that they are, and what is left of them by a group of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::let_out::LetOuts;
use super::member::{Carriers, Seen, prefixes};
use super::network::Network;
use super::place::Places;
use super::ports::{Ports, meet};
use super::rule::{Fact, Said, enter, ports_text};
use super::sheet::Sheet;
use crate::config::{Config, Direction, GroupRule, Peer};
use crate::net::Prefix;
use crate::net::ports::PortRange;

/// Enters the allows of a network.
pub(super) fn allows(
    config: &Config,
    network: &Network<'_>,
    carriers: &Carriers<'_>,
    places: &mut Places,
    sheet: &mut Sheet,
) {
    let mut pairing = Pairing {
        config,
        network,
        carriers,
        places: &mut *places,
        sheet: &mut *sheet,
        facts: BTreeMap::new(),
        let_outs: LetOuts::new(config, network, carriers),
    };
    for (number, carried) in carriers.groups.iter().enumerate() {
        for rule in &carried.group.rules {
            pairing.note_what_is_lost(&carried.group.id, rule);
            match rule.direction {
                Direction::Ingress => pairing.let_in(number, rule),
                Direction::Egress => pairing.let_outside(number, rule),
            }
        }
    }
    let facts = pairing.facts;
    enter(&facts, network, sheet);
}

struct Pairing<'p, 'c> {
    config: &'c Config,
    network: &'p Network<'p>,
    carriers: &'p Carriers<'c>,
    places: &'p mut Places,
    sheet: &'p mut Sheet,
    facts: BTreeMap<Fact, Said>,
    let_outs: LetOuts<'p, 'c>,
}

/// Who may come in by one line, as far as they are of the network.
struct Sources {
    members: BTreeSet<usize>,
    /// The group that they are; none if they go by prefixes.
    group: Option<usize>,
    prefixes: Vec<Prefix>,
}

/// By which ports which servers are reached.
type Reached = BTreeMap<Ports, BTreeSet<usize>>;

impl Pairing<'_, '_> {
    fn note_what_is_lost(&mut self, group: &str, rule: &GroupRule) {
        let way = match rule.direction {
            Direction::Ingress => "in",
            Direction::Egress => "out",
        };
        if let Some((kind, _)) = rule.traffic.icmp {
            self.sheet.note(format!("{group}: lets ICMP of type {kind} {way}; flow logs do not tell types, so the draft permits all of ICMP"));
        }
        match &rule.peer {
            Peer::ForeignGroup { account, id } => self.sheet.note(format!(
                "{group}: lets {id} of account {account} {way}; the addresses behind that are not in the input"
            )),
            Peer::Group(id) if matches!(self.carriers.seen(id), Seen::Elsewhere) => {
                let what = if self.config.groups.iter().any(|known| known.id == *id) {
                    "which is another VPC's; say by connected_to that they are peers, and write the rule"
                } else {
                    "which is not in the input"
                };
                self.sheet.note(format!("{group}: lets {id} {way}, {what}"));
            }
            _ => {}
        }
    }

    /// A line that lets in: from the outside, and from members of the network whose groups let that out.
    fn let_in(&mut self, group: usize, rule: &GroupRule) {
        for is_v4 in self.families(&rule.peer) {
            let servers = self.carriers.of(group, is_v4).clone();
            if servers.is_empty() {
                continue;
            }
            let to = vec![self.carriers.groups[group].name.clone()];
            let ports = Ports::of(rule.traffic.ports);
            for from in self.outside(&rule.peer, is_v4) {
                self.add(from, &to, &ports, is_v4, rule);
            }
            let Some(sources) = self.sources(&rule.peer, is_v4) else {
                continue;
            };
            self.let_in_from_members(group, rule, &servers, &sources, is_v4);
        }
    }

    fn let_in_from_members(
        &mut self,
        group: usize,
        rule: &GroupRule,
        servers: &BTreeSet<usize>,
        sources: &Sources,
        is_v4: bool,
    ) {
        let mut alike: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for client in &sources.members {
            alike
                .entry(self.let_outs.groups(*client))
                .or_default()
                .insert(*client);
        }
        let mut by_reach: BTreeMap<Reached, BTreeSet<usize>> = BTreeMap::new();
        for clients in alike.into_values() {
            let Some(client) = clients.first() else {
                continue;
            };
            let reached = self.reached(*client, servers, rule);
            by_reach.entry(reached).or_default().extend(clients);
        }
        if sources.members.is_empty() {
            // A prefix in which nobody is yet: what it is meant for is kept.
            let all = Reached::from([(Ports::of(rule.traffic.ports), servers.clone())]);
            by_reach.insert(all, BTreeSet::new());
        } else if by_reach.keys().all(BTreeMap::is_empty) {
            self.note_never_let_out(group, rule, sources);
        }
        for (reached, clients) in by_reach {
            if reached.is_empty() {
                continue;
            }
            let froms = if clients == sources.members {
                self.whole(sources)
            } else {
                let base = self.whole_text(sources);
                self.cover(&clients, is_v4, &base)
            };
            for (ports, served) in reached {
                let name = self.carriers.groups[group].name.clone();
                let tos = if served == *servers {
                    vec![name]
                } else {
                    self.cover(&served, is_v4, &name)
                };
                for from in &froms {
                    for to in &tos {
                        self.add(from.clone(), std::slice::from_ref(to), &ports, is_v4, rule);
                    }
                }
            }
        }
    }

    fn note_never_let_out(&mut self, group: usize, rule: &GroupRule, sources: &Sources) {
        // 0.0.0.0/0 is about the outside.
        if sources.prefixes.iter().any(|prefix| prefix.is_empty()) {
            return;
        }
        let base = self.whole_text(sources);
        let to = &self.carriers.groups[group];
        let ports = ports_text(&Ports::of(rule.traffic.ports));
        self.sheet.note(format!(
            "{} ({}): lets {ports} in from {base}, but no group there lets that out; not permitted",
            to.group.id, to.name
        ));
    }

    /// A line that lets out: to the outside.
    fn let_outside(&mut self, group: usize, rule: &GroupRule) {
        for is_v4 in self.families(&rule.peer) {
            if self.carriers.of(group, is_v4).is_empty() {
                continue;
            }
            let to = self.outside(&rule.peer, is_v4);
            if !to.is_empty() {
                let from = self.carriers.groups[group].name.clone();
                self.add(from, &to, &Ports::of(rule.traffic.ports), is_v4, rule);
            }
        }
    }

    fn add(&mut self, from: String, to: &[String], ports: &Ports, is_v4: bool, rule: &GroupRule) {
        let fact = Fact {
            to: to.to_vec(),
            ports: ports.clone(),
            from,
        };
        let said = self.facts.entry(fact).or_default();
        said.families.insert(is_v4);
        said.reasons.extend(rule.description.clone());
    }

    /// The families in which a peer can be anybody.
    fn families(&self, peer: &Peer) -> Vec<bool> {
        let of_prefixes: BTreeSet<bool> = prefixes(self.config, peer)
            .iter()
            .map(|prefix| prefix.is_v4())
            .collect();
        let is_open = match peer {
            Peer::Group(_) => true,
            Peer::PrefixList(_) => of_prefixes.is_empty(),
            Peer::Cidr(_) | Peer::ForeignGroup { .. } => false,
        };
        let families = self.network.families();
        families
            .filter(|is_v4| is_open || of_prefixes.contains(is_v4))
            .collect()
    }

    /// The names of a peer's outside part.
    fn outside(&mut self, peer: &Peer, is_v4: bool) -> Vec<String> {
        match peer {
            Peer::Cidr(prefix) => self.places.outside(self.network, *prefix),
            Peer::PrefixList(id) => {
                let list = self.config.prefix_list(id);
                let is_known = list.is_some_and(|list| list.entries.is_some());
                let reaches_out = prefixes(self.config, peer)
                    .iter()
                    .any(|prefix| prefix.is_v4() == is_v4 && !self.network.holds(*prefix));
                if is_known && !reaches_out {
                    return Vec::new();
                }
                let word = self.places.outside_list(self.network, id, list, self.sheet);
                word.into_iter().collect()
            }
            Peer::Group(_) | Peer::ForeignGroup { .. } => Vec::new(),
        }
    }

    /// A peer's inside part; none if it has none.
    fn sources(&self, peer: &Peer, is_v4: bool) -> Option<Sources> {
        if let Peer::Group(id) = peer {
            let Seen::Group(number) = self.carriers.seen(id) else {
                return None;
            };
            let members = self.carriers.of(number, is_v4).clone();
            return (!members.is_empty()).then_some(Sources {
                members,
                group: Some(number),
                prefixes: Vec::new(),
            });
        }
        let mut inside = prefixes(self.config, peer).to_vec();
        inside.retain(|prefix| {
            prefix.is_v4() == is_v4 && !self.network.inside_part(*prefix).is_empty()
        });
        if inside.is_empty() {
            return None;
        }
        let is_whole = inside
            .iter()
            .any(|prefix| self.network.is_covered_by(*prefix));
        let members = self
            .carriers
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| {
                let is_held = |addr: &Prefix| inside.iter().any(|prefix| prefix.covers(*addr));
                member.is_v4 == is_v4 && member.addrs.first().map_or(is_whole, is_held)
            });
        Some(Sources {
            members: members.map(|(number, _)| number).collect(),
            group: None,
            prefixes: inside,
        })
    }

    /// By which ports a client reaches which servers through a line that lets in.
    fn reached(&mut self, client: usize, servers: &BTreeSet<usize>, rule: &GroupRule) -> Reached {
        let mut by_let_out: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for server in servers {
            let let_out = self.let_outs.of(client, *server);
            by_let_out.entry(let_out).or_default().insert(*server);
        }
        let mut reached = Reached::new();
        for (let_out, servers) in by_let_out {
            if let Some(ports) = self.reach(let_out, rule) {
                reached.entry(ports).or_default().extend(servers);
            }
        }
        reached
    }

    /// The ports by which what is let out comes in through a line; none if by none.
    fn reach(&mut self, let_out: usize, rule: &GroupRule) -> Option<Ports> {
        let let_out = self.let_outs.get(let_out);
        let met: Vec<Option<PortRange>> = let_out
            .ranges
            .iter()
            .filter_map(|range| meet(*range, rule.traffic.ports))
            .collect();
        let ports = Ports::union(&met)?;
        for prefix in &let_out.assumed {
            self.sheet.note(format!("{prefix}: which interfaces lie there is not in the input; what may go out to it is taken to reach every group that lets it in"));
        }
        Some(ports)
    }

    /// The names of all of a line's sources.
    fn whole(&mut self, sources: &Sources) -> Vec<String> {
        if let Some(group) = sources.group {
            return vec![self.carriers.groups[group].name.clone()];
        }
        let is_partly_known = !self.network.is_fully_known;
        let mut names = Vec::new();
        for prefix in &sources.prefixes {
            if is_partly_known && !self.network.is_covered_by(*prefix) {
                self.sheet.note(format!("{prefix}: which interfaces lie there is not in the input; what may come in from it is permitted to all of it, whatever their groups let out"));
            }
            names.extend(self.places.inside(self.network, *prefix));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What a line's sources are called where only a part of them is meant.
    fn whole_text(&self, sources: &Sources) -> String {
        match (sources.group, sources.prefixes.first()) {
            (Some(group), _) => self.carriers.groups[group].name.clone(),
            (None, Some(prefix)) => prefix.to_string().replace(':', "-"),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// Names for some members: groups that are wholly among them, and one for the rest.
    fn cover(&mut self, members: &BTreeSet<usize>, is_v4: bool, base: &str) -> Vec<String> {
        let mut left = members.clone();
        let mut groups: Vec<usize> = (0..self.carriers.groups.len())
            .filter(|group| {
                let of = self.carriers.of(*group, is_v4);
                !of.is_empty() && of.is_subset(members)
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(self.carriers.of(*group, is_v4).len()));
        let mut names = Vec::new();
        for group in groups {
            let of = self.carriers.of(group, is_v4);
            if of.iter().any(|member| left.contains(member)) {
                left.retain(|member| !of.contains(member));
                names.push(self.carriers.groups[group].name.clone());
            }
        }
        let cidrs: Vec<Prefix> = left
            .iter()
            .flat_map(|member| self.carriers.members[*member].addrs.iter().copied())
            .collect();
        if !cidrs.is_empty() {
            let wanted = format!("{base}-part");
            let comment =
                format!("a part of {base}: the groups that they carry besides make a difference");
            names.push(self.places.group_of(self.network, &wanted, cidrs, &comment));
        }
        names
    }
}
