//! What a run's edges add up to for its report: matrix, evidence, noise.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::judge::edges::{Asides, GroupBytes, Story, Told};
use crate::judge::sketch::Distinct;
use crate::judge::{EdgeRow, Reason, Verdict};
use crate::policy::{Policy, Severity, ZoneKind};
use crate::sink::HourAsides;

use super::report::{Coverage, Noise, RunReport};

/// Gathers what the report says of edges. The order of edges does not matter.
pub struct Summary<'a> {
    policy: &'a Policy,
    networks: Names,
    zones: Names,
    stories: HashMap<Story, Sums>,
    unjudged: BTreeMap<&'static str, u64>,
    noisy: Distinct,
    connections: Asides,
    interfaces: Distinct,
    out_of_scope: BTreeMap<String, u64>,
    groups: GroupBytes,
    /// Of policies beside this one: their tiers, and bytes by their groups.
    other_tiers: Vec<String>,
    other_groups: BTreeMap<String, [u64; 2]>,
}

/// What the edges of one story add up to.
#[derive(Default)]
struct Sums {
    records: u64,
    connections: u64,
    is_noise: bool,
}

impl<'a> Summary<'a> {
    /// Nothing yet.
    pub fn new(policy: &'a Policy) -> Summary<'a> {
        let zones = policy.zones().map(|zone| policy.zone_name(zone));
        let networks = policy
            .networks()
            .map(|network| policy.network_name(network));
        Summary {
            policy,
            networks: Names::of(networks),
            zones: Names::of(zones),
            stories: HashMap::new(),
            unjudged: BTreeMap::new(),
            noisy: Distinct::default(),
            connections: Asides::default(),
            interfaces: Distinct::default(),
            out_of_scope: BTreeMap::new(),
            groups: GroupBytes::default(),
            other_tiers: Vec::new(),
            other_groups: BTreeMap::new(),
        }
    }

    /// Takes what another one was told.
    pub fn absorb(&mut self, other: Summary<'_>) {
        for (story, sums) in other.stories {
            let known = self.stories.entry(story).or_default();
            known.records += sums.records;
            known.connections += sums.connections;
            known.is_noise = sums.is_noise;
        }
        self.noisy.absorb(&other.noisy);
    }

    /// Takes what another one was told of the traffic of other days, by a policy that may have other names.
    pub fn join(&mut self, other: Summary<'_>) {
        for (story, sums) in other.stories {
            let story = Story {
                network: self.networks.number(other.networks.name(story.network)),
                client_zone: self.zones.number(other.zones.name(story.client_zone)),
                server_zone: self.zones.number(other.zones.name(story.server_zone)),
                ..story
            };
            let known = self.stories.entry(story).or_default();
            known.records += sums.records;
            known.connections += sums.connections;
            known.is_noise = sums.is_noise;
        }
        for (reason, records) in other.unjudged {
            *self.unjudged.entry(reason).or_default() += records;
        }
        for (place, records) in other.out_of_scope {
            *self.out_of_scope.entry(place).or_default() += records;
        }
        self.noisy.absorb(&other.noisy);
        self.interfaces.absorb(&other.interfaces);
        self.connections += other.connections;
        self.other_tiers
            .extend(other.policy.tiers().iter().cloned());
        self.other_tiers.extend(other.other_tiers);
        let groups = other.groups.iter();
        let named = groups.map(|(group, bytes)| (other.policy.group_name(group).to_owned(), bytes));
        for (group, [sent, received]) in named.chain(other.other_groups) {
            let bytes = self.other_groups.entry(group).or_default();
            *bytes = [
                bytes[0].saturating_add(sent),
                bytes[1].saturating_add(received),
            ];
        }
    }

    /// Takes an edge that the lake held, of a policy that may have had other names.
    pub fn recall(&mut self, edge: &EdgeRow<'_>) {
        let story = Story {
            network: self.networks.number(edge.network),
            client_zone: self.zones.number(edge.client_zone),
            server_zone: self.zones.number(edge.server_zone),
            orientation: edge.orientation,
            verdict: edge.verdict,
            reason: Reason::from_word(edge.rule),
            severity: edge.severity,
        };
        self.add(&Told {
            story,
            client: edge.client_addr,
            records: edge.records,
            connections: edge.connections,
        });
    }

    /// Takes an edge of this run, or a connection of it.
    pub fn add(&mut self, told: &Told) {
        let (policy, zones, story) = (self.policy, &self.zones, told.story);
        let sums = self.stories.entry(story).or_insert_with(|| Sums {
            is_noise: is_noise(policy, zones, &story),
            ..Sums::default()
        });
        sums.records += told.records;
        sums.connections += told.connections;
        if sums.is_noise {
            self.noisy.add_addr(told.client);
        }
    }

    /// Takes what an hour tells beside its edges.
    pub fn add_asides(&mut self, asides: &HourAsides) {
        self.connections += asides.connections;
        let out_of_scope = asides.out_of_scope.values().sum();
        for (reason, records) in [
            (Reason::Duplicate, asides.connections.duplicates),
            (Reason::MissingField, asides.missing_field),
            (Reason::OutOfScope, out_of_scope),
        ] {
            if records > 0 {
                *self.unjudged.entry(reason.as_str()).or_default() += records;
            }
        }
        self.interfaces.absorb(&asides.interfaces);
        for (place, records) in &asides.out_of_scope {
            *self.out_of_scope.entry(place.clone()).or_default() += records;
        }
    }

    /// Takes bytes by group.
    pub fn add_groups(&mut self, groups: &GroupBytes) {
        self.groups.absorb(groups);
    }

    /// Writes it into the report.
    pub fn finish(self, report: &mut RunReport) {
        let coverage: &mut Coverage = &mut report.coverage;
        coverage.unjudged = self.unjudged;
        coverage.via_unknown = self.connections.via_unknown;
        coverage.by_client = self.connections.by_client;
        coverage.by_network = self.connections.by_network;
        coverage.by_snapshot = self.connections.by_snapshot;
        coverage.shared = self.connections.shared;
        coverage.interfaces = self.interfaces.estimate();
        coverage.out_of_scope = self.out_of_scope;
        let name = |group| self.policy.group_name(group).to_owned();
        let groups = self.groups.iter();
        report.group_bytes = groups.map(|(group, bytes)| (name(group), bytes)).collect();
        for (group, [sent, received]) in self.other_groups {
            let bytes = report.group_bytes.entry(group).or_default();
            *bytes = [
                bytes[0].saturating_add(sent),
                bytes[1].saturating_add(received),
            ];
        }
        report.noise = Noise {
            addresses: self.noisy.estimate(),
            ..Noise::default()
        };
        for (story, sums) in self.stories {
            let network = self.networks.name(story.network).to_owned();
            *coverage.networks.entry(network).or_default() += sums.records;
            if sums.is_noise {
                report.noise.records += sums.records;
                report.noise.connections += sums.connections;
            }
            if story.verdict == Verdict::Unjudged {
                let reason = story.reason.map_or("other", Reason::as_str);
                *coverage.unjudged.entry(reason).or_default() += sums.records;
                continue;
            }
            let evidence = story.orientation.as_str();
            *coverage.orientation.entry(evidence).or_default() += sums.records;
            let zones =
                [story.client_zone, story.server_zone].map(|zone| self.zones.name(zone).to_owned());
            let cell = report.matrix.entry(zones.into()).or_default();
            let count = match story.verdict {
                Verdict::Compliant => &mut cell.compliant,
                Verdict::Violation => &mut cell.violation,
                Verdict::Attempted => &mut cell.attempted,
                Verdict::Blocked => &mut cell.blocked,
                Verdict::Overblocked => &mut cell.overblocked,
                Verdict::Unproven | Verdict::Unjudged => &mut cell.unproven,
            };
            *count += sums.connections;
        }
        let mut tiers = self.policy.tiers().to_vec();
        for tier in self.other_tiers {
            if !tiers.contains(&tier) {
                tiers.push(tier);
            }
        }
        report.zones = shown_zones(&tiers, report);
    }
}

/// The zones of the matrix: tiers in the policies' order, then the others by name.
fn shown_zones(tiers: &[String], report: &RunReport) -> Vec<String> {
    let shown: BTreeSet<&String> = report
        .matrix
        .keys()
        .flat_map(|(client, server)| [client, server])
        .collect();
    let others = shown.iter().filter(|zone| !tiers.contains(zone));
    let tiers = tiers.iter().filter(|tier| shown.contains(tier));
    tiers.chain(others.copied()).cloned().collect()
}

/// Whether an edge is what anybody on the internet sends to everybody.
fn is_noise(policy: &Policy, zones: &Names, story: &Story) -> bool {
    match story.verdict {
        Verdict::Unjudged => matches!(
            story.reason,
            Some(Reason::NatUnsolicited | Reason::Unsolicited)
        ),
        Verdict::Compliant => false,
        _ => {
            let client = policy.zone_named(zones.name(story.client_zone));
            story.severity == Some(Severity::Info)
                && client.is_some_and(|zone| policy.zone_kind(zone) == ZoneKind::Internet)
        }
    }
}

/// Names by number: those of the policy by its own numbers, then others as they come.
struct Names(Vec<String>);

impl Names {
    fn of<'n>(names: impl Iterator<Item = &'n str>) -> Names {
        Names(names.map(str::to_owned).collect())
    }

    fn number(&mut self, name: &str) -> u16 {
        let known = self.0.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        }) as u16
    }

    fn name(&self, number: u16) -> &str {
        &self.0[usize::from(number)]
    }
}
