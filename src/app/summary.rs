//! What a run's edges add up to for its report: matrix, evidence, noise.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::judge::edges::Asides;
use crate::judge::sketch::Distinct;
use crate::judge::{EdgeRow, Orientation, Reason, Verdict};
use crate::policy::{Policy, Severity, ZoneKind};

use super::report::{Cell, Coverage, Noise, RunReport};

/// Gathers what the report says of edges. The order of edges does not matter.
#[derive(Default)]
pub struct Summary {
    /// By client's zone, then server's.
    matrix: HashMap<String, HashMap<String, Cell>>,
    networks: HashMap<String, u64>,
    orientation: HashMap<Orientation, u64>,
    unjudged: HashMap<&'static str, u64>,
    noise: Noise,
    noisy: Distinct,
    via_unknown: u64,
}

impl Summary {
    /// Takes an edge.
    pub fn add(&mut self, policy: &Policy, edge: &EdgeRow<'_>) {
        *self.networks.entry_ref(edge.network).or_default() += edge.records;
        let from_internet = policy
            .zone_named(edge.client_zone)
            .is_some_and(|zone| policy.zone_kind(zone) == ZoneKind::Internet);
        let is_noise = match edge.verdict {
            Verdict::Unjudged => {
                edge.rule == Reason::NatUnsolicited.as_str()
                    || edge.rule == Reason::Unsolicited.as_str()
            }
            Verdict::Compliant => false,
            _ => from_internet && edge.severity == Some(Severity::Info),
        };
        if is_noise {
            self.noise.connections += edge.connections;
            self.noise.records += edge.records;
            self.noisy.add_addr(edge.client_addr);
        }
        if edge.verdict == Verdict::Unjudged {
            let reason = Reason::from_word(edge.rule).map_or("other", Reason::as_str);
            *self.unjudged.entry(reason).or_default() += edge.records;
            return;
        }
        *self.orientation.entry(edge.orientation).or_default() += edge.records;
        let row = self.matrix.entry_ref(edge.client_zone).or_default();
        let cell = row.entry_ref(edge.server_zone).or_default();
        let count = match edge.verdict {
            Verdict::Compliant => &mut cell.compliant,
            Verdict::Violation => &mut cell.violation,
            Verdict::Attempted => &mut cell.attempted,
            Verdict::Blocked => &mut cell.blocked,
            Verdict::Overblocked => &mut cell.overblocked,
            Verdict::Unproven | Verdict::Unjudged => &mut cell.unproven,
        };
        *count += edge.connections;
    }

    /// Takes what edges do not show.
    pub fn add_asides(&mut self, asides: Asides) {
        self.via_unknown += asides.via_unknown;
        if asides.duplicates > 0 {
            *self.unjudged.entry(Reason::Duplicate.as_str()).or_default() += asides.duplicates;
        }
    }

    /// Takes records that no connection took.
    pub fn add_unjudged(&mut self, reason: Reason, records: u64) {
        if records > 0 {
            *self.unjudged.entry(reason.as_str()).or_default() += records;
        }
    }

    /// Writes it into the report.
    pub fn finish(self, policy: &Policy, report: &mut RunReport) {
        let shown: BTreeSet<&String> = self
            .matrix
            .iter()
            .flat_map(|(client, row)| row.keys().chain([client]))
            .collect();
        let tiers = policy.tiers().iter().filter(|tier| shown.contains(tier));
        let mut zones: Vec<String> = tiers.cloned().collect();
        zones.extend(
            shown
                .into_iter()
                .filter(|zone| !policy.tiers().contains(zone))
                .cloned(),
        );
        report.zones = zones;
        report.matrix = self
            .matrix
            .into_iter()
            .flat_map(|(client, row)| {
                row.into_iter()
                    .map(move |(server, cell)| ((client.clone(), server), cell))
            })
            .collect();
        report.noise = Noise {
            addresses: self.noisy.estimate(),
            ..self.noise
        };
        let coverage: &mut Coverage = &mut report.coverage;
        coverage.networks = self.networks.into_iter().collect();
        coverage.orientation = self
            .orientation
            .into_iter()
            .map(|(evidence, records)| (evidence.as_str(), records))
            .collect();
        coverage.unjudged = self.unjudged.into_iter().collect();
        coverage.via_unknown = self.via_unknown;
    }
}
