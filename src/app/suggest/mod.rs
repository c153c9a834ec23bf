//! `policy suggest`: the rules that the accepted traffic of logs or of a lake asks for, on the map of a base policy.
//!
//! The edges are read three times: for the clients that scan; for what is seen often enough, each edge judged by the base
//! without its allows; and judged by the policy that came of it, so that what it covers and what it leaves out is told by
//! the same judgement as `policy replay`.

mod base;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::error::ScanError;
use super::over::{Over, outdated_note};
use super::progress::Progress;
use super::traffic::Traffic;
use crate::judge::replay::{Again, Pair, Rejudge, Said, Told};
use crate::judge::sketch::Distinct;
use crate::judge::suggest::{
    Class, Key, Learned, Left, LeftOut, Often, Scanners, Scans, Seen, Spot, Sum, Why, is_accepted,
    merged,
};
use crate::judge::{EdgeRow, Orientation};
use crate::net::ports::PortRange;
use crate::net::protocol::has_ports;
use crate::policy::{Answer, Effect, NetworkId, Policy};
use crate::sink::Lake;

use base::Base;

/// What is asked.
#[derive(Clone, Debug)]
pub struct SuggestSettings {
    /// The policy file with the map, the denies and the requires.
    pub base: PathBuf,
    /// The traffic.
    pub over: Over,
    /// Whether the allows of the base stay, and only what they do not cover is learned.
    pub keep_allows: bool,
    /// How often traffic has to be seen; the hours are at most those that the traffic has.
    pub often: Often,
}

/// A policy that was learned, and how it fits the traffic.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The policy file, complete.
    pub text: String,
    /// How many rules were learned.
    pub rules: usize,
    /// Judged connections that the network let through.
    pub accepted: u64,
    /// Those that the suggested policy allows.
    pub covered: u64,
    /// Those of them that were not learned from but fit the rules of what was.
    pub beyond: u64,
    /// What it does not allow, by reason, the most connections first.
    pub left_out: Vec<LeftOut>,
    /// What there is to know about the answer, a sentence each.
    pub notes: Vec<String>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
}

/// What a rule allowed.
#[derive(Default)]
struct Use {
    connections: u64,
    clients: Distinct,
    servers: Distinct,
    times: Option<(u32, u32)>,
}

/// Learns a policy from traffic.
///
/// # Errors
/// When the base, the logs or the lake are not as they should be, or nothing of that time is there.
pub fn suggest(
    settings: &SuggestSettings,
    progress: &dyn Progress,
) -> Result<Suggestion, ScanError> {
    let base = Base::load(&settings.base, settings.keep_allows)?;
    let mut traffic = Traffic::open(&settings.over)?;
    let (lake, background) = traffic.lake(&settings.base, progress)?;
    let mut suggestion = over_lake(settings, lake, &base)?;
    suggestion.unreadable = background.unreadable;
    suggestion.notes.extend(background.notes);
    Ok(suggestion)
}

fn over_lake(
    settings: &SuggestSettings,
    lake: &Lake,
    base: &Base,
) -> Result<Suggestion, ScanError> {
    let over = &settings.over;
    let is_recorded = lake.identity().policy_hash == base.policy.hash();
    let mut scans = Scans::default();
    let mut traffic = text::Traffic::default();
    let outdated = over.each_edge(lake, &mut |edge| {
        scans.add(edge);
        traffic.add(edge);
    })?;
    let scanners = scans.scanners();
    let often = Often {
        connections: settings.often.connections,
        hours: settings.often.hours.min(traffic.hours.len()).max(1),
    };
    let learned = learn(over, lake, base, &scanners, is_recorded, often)?;
    let rules = merged(&base.policy, &learned, often.connections);
    let draft = base.parse(&text::draft(base, &rules))?;
    let mut fit = Fit::new(base, &draft, &scanners, &learned, is_recorded);
    over.each_edge(lake, &mut |edge| fit.add(edge))?;
    let names = text::names(base, &rules);
    let kept: Vec<Kept> = rules
        .into_iter()
        .zip(names)
        .map(|(rule, name)| (rule, fit.used.remove(&name).unwrap_or_default()))
        .collect();
    let mut notes: Vec<String> = outdated_note(outdated).into_iter().collect();
    if !is_recorded {
        notes.push(
            "the lake was judged by another policy: the base is judged from its edges".to_owned(),
        );
    }
    let mut suggestion = Suggestion {
        text: String::new(),
        rules: kept.len(),
        accepted: fit.accepted,
        covered: fit.covered,
        beyond: fit.beyond,
        left_out: fit.left.finish(),
        notes,
        unreadable: Vec::new(),
    };
    suggestion.text = text::whole(base, &kept, &suggestion, &traffic, often);
    base.parse(&suggestion.text)?;
    Ok(suggestion)
}

/// What is seen often enough of what the base does not deny.
fn learn(
    over: &Over,
    lake: &Lake,
    base: &Base,
    scanners: &Scanners,
    is_recorded: bool,
    often: Often,
) -> Result<BTreeMap<Key, Sum>, ScanError> {
    let probes = base.probes()?;
    let mut rejudges: Vec<Rejudge<'_>> = probes
        .iter()
        .map(|probe| {
            let pair = Pair {
                old: &base.policy,
                new: probe,
            };
            Rejudge::new(pair, is_recorded).by_answer()
        })
        .collect();
    let ground = Ground::new(&base.policy);
    let mut seen = Seen::default();
    over.each_edge(lake, &mut |edge| {
        if Class::of(edge, scanners) != Class::Accepted {
            return;
        }
        let mut answers = rejudges.iter_mut().map(|rejudge| told(rejudge, edge));
        let Some(Some(first)) = answers.next() else {
            return;
        };
        let is_known = base.keeps_allows && first.old.answer() == Some(Answer::Allow);
        if first.new.answer() != Some(Answer::Allow) || is_known {
            return;
        }
        let broken: Vec<usize> = answers
            .enumerate()
            .filter(|(_, told)| told.is_some_and(|told| told.new.answer() == Some(Answer::Deny)))
            .map(|(require, _)| require)
            .collect();
        let Some(key) = ground.key(edge, &first) else {
            return;
        };
        seen.add(key, edge, &broken, base.requires.len());
        if ground.needs_both_ways(edge) {
            let back = Key {
                client: key.server,
                server: key.client,
                ..key
            };
            if back != key {
                seen.add(back, edge, &broken, base.requires.len());
            }
        }
    })?;
    Ok(seen.often(often))
}

fn told(rejudge: &mut Rejudge<'_>, edge: &EdgeRow<'_>) -> Option<Told> {
    match rejudge.again(edge) {
        Again::Told { told, .. } => Some(told),
        Again::Unknown => None,
    }
}

/// The map that ends are called by.
struct Ground<'p> {
    policy: &'p Policy,
    networks: HashMap<&'p str, NetworkId>,
}

impl<'p> Ground<'p> {
    fn new(policy: &'p Policy) -> Ground<'p> {
        let networks = policy.networks();
        Ground {
            policy,
            networks: networks
                .map(|network| (policy.network_name(network), network))
                .collect(),
        }
    }

    /// The service that an edge is of; none if the base has no such network.
    fn key(&self, edge: &EdgeRow<'_>, told: &Told) -> Option<Key> {
        let network = *self.networks.get(edge.network)?;
        let ends = [edge.client_addr, edge.server_addr];
        // Of groups that change in between, those count in which it was first seen.
        let group = |addr| {
            let place = self.policy.place(network, addr, edge.first_seen);
            self.policy.narrowest_group(place.class, addr)
        };
        let [client, server] = [0, 1].map(|end| Spot {
            zone: told.old_zones[end],
            group: group(ends[end]),
        });
        let port = edge.server_port.unwrap_or(0);
        Some(Key {
            client,
            server,
            ports: PortRange {
                protocol: edge.protocol,
                first: port,
                last: port,
            },
        })
    }

    /// Whether equals have to be allowed both ways: the same port at both ends, and no symmetric service.
    fn needs_both_ways(&self, edge: &EdgeRow<'_>) -> bool {
        let port = edge.server_port.unwrap_or(0);
        edge.orientation == Orientation::Peer
            && has_ports(edge.protocol)
            && !self.policy.is_symmetric(edge.protocol, port)
    }
}

/// How the suggested policy fits the traffic.
struct Fit<'p> {
    draft: &'p Policy,
    rejudge: Rejudge<'p>,
    ground: Ground<'p>,
    scanners: &'p Scanners,
    /// What was learned of one port, and of ranges.
    learned: BTreeSet<Key>,
    ranges: Vec<Key>,
    /// By the id of the rule.
    used: HashMap<String, Use>,
    accepted: u64,
    covered: u64,
    beyond: u64,
    left: Left,
}

impl<'p> Fit<'p> {
    fn new(
        base: &'p Base,
        draft: &'p Policy,
        scanners: &'p Scanners,
        learned: &BTreeMap<Key, Sum>,
        is_recorded: bool,
    ) -> Fit<'p> {
        let pair = Pair {
            old: &base.policy,
            new: draft,
        };
        let is_range = |key: &&Key| key.ports.first != key.ports.last;
        Fit {
            draft,
            rejudge: Rejudge::new(pair, is_recorded).by_answer(),
            ground: Ground::new(&base.policy),
            scanners,
            learned: learned.keys().copied().collect(),
            ranges: learned.keys().filter(is_range).copied().collect(),
            used: HashMap::new(),
            accepted: 0,
            covered: 0,
            beyond: 0,
            left: Left::default(),
        }
    }

    fn add(&mut self, edge: &EdgeRow<'_>) {
        let class = Class::of(edge, self.scanners);
        let is_accepted = class != Class::NotJudged && is_accepted(edge);
        if is_accepted {
            self.accepted += edge.connections;
        }
        let told = told(&mut self.rejudge, edge);
        if let Some(told) = &told
            && let Said::Decided(Answer::Allow, rule) = told.new
        {
            let rule = &self.draft.rule(rule).id;
            match self.used.get_mut(rule) {
                Some(used) => used.add(edge),
                None => {
                    let mut used = Use::default();
                    used.add(edge);
                    self.used.insert(rule.clone(), used);
                }
            }
            if is_accepted {
                self.covered += edge.connections;
                let is_known = told.old.answer() == Some(Answer::Allow);
                let is_learned = class == Class::Accepted && self.is_learned(edge, told);
                if !is_learned && !is_known {
                    self.beyond += edge.connections;
                }
            }
            return;
        }
        let (why, rule) = why(class, told.as_ref(), edge, self.draft);
        let key = told.and_then(|told| self.ground.key(edge, &told));
        let places = match &key {
            Some(key) => [&key.client, &key.server].map(|spot| spot.word(self.ground.policy)),
            None => [edge.client_zone, edge.server_zone],
        };
        self.left.add(edge, why, rule, places, is_accepted);
    }

    fn is_learned(&self, edge: &EdgeRow<'_>, told: &Told) -> bool {
        let Some(key) = self.ground.key(edge, told) else {
            return false;
        };
        let holds = |range: &Key| {
            (range.client, range.server) == (key.client, key.server)
                && range.ports.protocol == key.ports.protocol
                && (range.ports.first..=range.ports.last).contains(&key.ports.first)
        };
        self.learned.contains(&key) || self.ranges.iter().any(holds)
    }
}

impl Use {
    fn add(&mut self, edge: &EdgeRow<'_>) {
        edge.widen(&mut self.times);
        self.connections += edge.connections;
        self.clients.add_addr(edge.client_addr);
        self.servers.add_addr(edge.server_addr);
    }
}

/// Why the suggested policy does not allow an edge, and which rule or reason says so.
fn why<'a>(
    class: Class,
    told: Option<&Told>,
    edge: &EdgeRow<'a>,
    draft: &'a Policy,
) -> (Why, &'a str) {
    match class {
        Class::NotJudged => return (Why::NotJudged, edge.rule),
        Class::NotAccepted => return (Why::NotAccepted, ""),
        Class::Scan => return (Why::Scan, ""),
        Class::Reply => return (Why::Reply, ""),
        Class::Accepted => {}
    }
    match told.map(|told| told.new) {
        None => (Why::Untold, ""),
        Some(Said::Not(reason)) => (Why::NotJudged, reason.as_str()),
        Some(Said::Decided(Answer::Unproven, rule)) => (Why::Unproven, &draft.rule(rule).id),
        Some(Said::Decided(_, rule)) => {
            let rule = draft.rule(rule);
            match rule.effect {
                Effect::Deny => (Why::Denied, &rule.id),
                Effect::RequireZone | Effect::RequireLabels | Effect::RequireEncrypted => {
                    (Why::Require, &rule.id)
                }
                Effect::Allow | Effect::Default => (Why::Rare, ""),
            }
        }
    }
}

/// A learned rule and what it allowed.
type Kept = (Learned, Use);
