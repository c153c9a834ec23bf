//! A UTC day under the eyes of all detectors that are on.

use hashbrown::HashMap;

use super::baseline::Baseline;
use super::cases::Cases;
use super::seen::Seen;
use super::{
    EdgeDetector, LogDetector, beacon, coverage_gap, credential_guessing, data_pull, denied_burst,
    dns_bypass, egress_volume, exposure_opened, first_seen, host_sweep, lateral_fanout,
    long_session, port_scan, probe_then_success, silent_source, tunnel, watchlist,
};
use crate::judge::{EdgeRow, Finding, Reason, Verdict};
use crate::net::Addr;
use crate::policy::{Detecting, Policy, ZoneKind};

/// What a flow log delivered in an hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogHour<'a> {
    /// When the hour begins, seconds.
    pub hour: u32,
    /// The account in its keys.
    pub account: Option<&'a str>,
    /// The region in its keys.
    pub region: Option<&'a str>,
    /// The flow log's id in its keys.
    pub flow_log: &'a str,
    /// Objects.
    pub objects: u64,
    /// Records.
    pub records: u64,
    /// Lines that say that records are missing.
    pub skip_data: u64,
    /// Whether any record was accepted.
    pub accepts: bool,
    /// Whether any record was rejected.
    pub rejects: bool,
    /// Whether any record was of a judged connection from a public address.
    pub is_exposed: bool,
    /// One of its objects.
    pub source: &'a str,
}

/// The detectors of one UTC day.
pub struct DayDetection<'a> {
    policy: &'a Policy,
    baseline: Option<&'a Baseline>,
    /// By name. Nearly all edges are of the network of the one before.
    networks: Vec<(String, Network<'a>)>,
    last_network: usize,
    zones: HashMap<&'a str, ZoneKind>,
    logs: Vec<Box<dyn LogDetector + Send + 'a>>,
    cases: Cases<'a>,
}

/// The detectors of one network.
struct Network<'a> {
    detectors: Vec<Box<dyn EdgeDetector + Send + 'a>>,
    /// The client whose edges are coming.
    client: Option<Addr>,
}

impl<'a> DayDetection<'a> {
    /// Detectors that have seen nothing yet of the UTC day that begins at this instant. `reads` is whether logs of an account
    /// and a region are read at all: of others, that the baseline may know, nothing is expected.
    pub fn new(
        policy: &'a Policy,
        baseline: Option<&'a Baseline>,
        reads: &dyn Fn(Option<&str>, Option<&str>) -> bool,
        day: u32,
    ) -> DayDetection<'a> {
        let mut logs: Vec<Box<dyn LogDetector + Send + 'a>> = Vec::new();
        for detecting in policy.detecting().iter().filter(|known| known.is_enabled) {
            match detecting.detector().name {
                "silent-source" => {
                    logs.push(Box::new(silent_source::Logs::new(
                        detecting, baseline, reads,
                    )));
                }
                "coverage-gap" => logs.push(Box::new(coverage_gap::CoverageGap::new(detecting))),
                _ => {}
            }
        }
        let zone = |zone| (policy.zone_name(zone), policy.zone_kind(zone));
        DayDetection {
            policy,
            baseline,
            networks: Vec::new(),
            last_network: 0,
            zones: policy.zones().map(zone).collect(),
            logs,
            cases: Cases::new(policy, day),
        }
    }

    /// Whether it looks at edges that were not judged for this reason: none is those that were. ICMP of ends that talk may
    /// be a road, and strays may be probes.
    pub fn looks_at(reason: Option<Reason>) -> bool {
        matches!(reason, None | Some(Reason::Diagnostic | Reason::Stray))
    }

    /// Looks at an edge. Those of an hour come by client, and hours in order.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        let is_unjudged = edge.verdict == Verdict::Unjudged;
        let reason = Reason::from_word(edge.rule).filter(|_| is_unjudged);
        if reason.is_some() != is_unjudged || !DayDetection::looks_at(reason) {
            return;
        }
        let kind = |zone: &str| self.zones.get(zone).copied();
        // What an older policy knew is the internet now.
        let (client, server) = (
            kind(edge.client_zone).unwrap_or(ZoneKind::Internet),
            kind(edge.server_zone).unwrap_or(ZoneKind::Internet),
        );
        let place = self.network(edge.network);
        let (_, network) = &mut self.networks[place];
        if network.client != Some(edge.client_addr) {
            network.end_client(&mut self.cases);
            network.client = Some(edge.client_addr);
        }
        let seen = Seen::new(edge, client, server);
        for detector in &mut network.detectors {
            match reason {
                Some(Reason::Stray) => detector.see_stray(&seen),
                _ => detector.see(&seen),
            }
        }
    }

    /// The place of a network among the others.
    fn network(&mut self, name: &str) -> usize {
        let is_it = |(known, _): &(String, Network<'_>)| known == name;
        if self.networks.get(self.last_network).is_some_and(is_it) {
            return self.last_network;
        }
        self.last_network = self.networks.iter().position(is_it).unwrap_or_else(|| {
            let network = Network {
                detectors: edge_detectors(self.policy, self.baseline),
                client: None,
            };
            self.networks.push((name.to_owned(), network));
            self.networks.len() - 1
        });
        self.last_network
    }

    /// Looks at what a flow log delivered, in any order within an hour.
    pub fn add_log(&mut self, log: &LogHour<'_>) {
        for detector in &mut self.logs {
            detector.see(log);
        }
    }

    /// Ends the hour that began at this instant.
    pub fn end_hour(&mut self, hour: u32) {
        for (_, network) in &mut self.networks {
            network.end_client(&mut self.cases);
            for detector in &mut network.detectors {
                detector.end_hour(hour, &mut self.cases);
            }
        }
        for detector in &mut self.logs {
            detector.end_hour(hour);
        }
    }

    /// The findings of the day, and how much was not looked at, or not raised, because there was too much of it.
    pub fn finish(mut self) -> (Vec<Finding>, u64) {
        let mut let_go = 0;
        for (_, network) in &mut self.networks {
            for detector in &mut network.detectors {
                detector.end_day(&mut self.cases);
                let_go += detector.let_go();
            }
        }
        for detector in &mut self.logs {
            detector.end_day(&mut self.cases);
        }
        let_go += self.cases.let_go();
        (self.cases.finish(), let_go)
    }
}

impl Network<'_> {
    fn end_client(&mut self, cases: &mut Cases<'_>) {
        if self.client.take().is_some() {
            for detector in &mut self.detectors {
                detector.end_client(cases);
            }
        }
    }
}

/// The detectors of a network that are on.
fn edge_detectors<'a>(
    policy: &'a Policy,
    baseline: Option<&'a Baseline>,
) -> Vec<Box<dyn EdgeDetector + Send + 'a>> {
    let enabled = policy.detecting().iter().filter(|known| known.is_enabled);
    enabled
        .filter_map(|detecting| edge_detector(policy, baseline, detecting))
        .collect()
}

fn edge_detector<'a>(
    policy: &'a Policy,
    baseline: Option<&'a Baseline>,
    set: &'a Detecting,
) -> Option<Box<dyn EdgeDetector + Send + 'a>> {
    Some(match set.detector().name {
        "port-scan" => Box::new(port_scan::PortScan::new(set)),
        "host-sweep" => Box::new(host_sweep::HostSweep::new(set)),
        "denied-burst" => Box::new(denied_burst::DeniedBurst::new(set)),
        "exposure-opened" => Box::new(exposure_opened::ExposureOpened::new(set)),
        "probe-then-success" => Box::new(probe_then_success::ProbeThenSuccess::new(set)),
        "first-seen" => Box::new(first_seen::FirstSeen::new(policy, set, baseline?)),
        "egress-volume" => Box::new(egress_volume::EgressVolume::new(set, baseline)),
        "data-pull" => Box::new(data_pull::DataPull::new(policy, set, baseline)),
        "beacon" => Box::new(beacon::Beacon::new(set)),
        "long-session" => Box::new(long_session::LongSession::new(set)),
        "lateral-fanout" => Box::new(lateral_fanout::LateralFanout::new(set)),
        "credential-guessing" => Box::new(credential_guessing::CredentialGuessing::new(set)),
        "dns-bypass" => Box::new(dns_bypass::DnsBypass::new(set)),
        "tunnel" => Box::new(tunnel::Tunnel::new(set)),
        "watchlist" => Box::new(watchlist::Watched::new(set)),
        "silent-source" => Box::new(silent_source::Interfaces::new(set, baseline?)),
        _ => return None,
    })
}
