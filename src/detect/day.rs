//! A UTC day under the eyes of all detectors that are on.

use std::collections::BTreeMap;

use super::baseline::Baseline;
use super::cases::Cases;
use super::seen::Seen;
use super::{
    EdgeDetector, LogDetector, beacon, coverage_gap, credential_guessing, data_pull, denied_burst,
    dns_bypass, egress_volume, exposure_opened, first_seen, host_sweep, lateral_fanout,
    long_session, port_scan, probe_then_success, silent_source, tunnel, watchlist,
};
use crate::judge::subject::zone_kind;
use crate::judge::{EdgeRow, Finding, Reason, Verdict};
use crate::net::Addr;
use crate::policy::{Detecting, Policy};

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
    /// Whether any record was of a connection from outside.
    pub is_exposed: bool,
    /// One of its objects.
    pub source: &'a str,
}

/// The detectors of one UTC day.
pub struct DayDetection<'a> {
    policy: &'a Policy,
    baseline: Option<&'a Baseline>,
    networks: BTreeMap<String, Network<'a>>,
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
        DayDetection {
            policy,
            baseline,
            networks: BTreeMap::new(),
            logs,
            cases: Cases::new(policy, day),
        }
    }

    /// Looks at an edge. Those of an hour come by client, and hours in order.
    pub fn add(&mut self, edge: &EdgeRow<'_>) {
        // ICMP of ends that talk is not judged, but may be a road; strays may be probes.
        let reason = (edge.verdict == Verdict::Unjudged).then(|| Reason::from_word(edge.rule));
        let is_stray = match reason.flatten() {
            None if edge.verdict == Verdict::Unjudged => return,
            None | Some(Reason::Diagnostic) => false,
            Some(Reason::Stray) => true,
            Some(_) => return,
        };
        if !self.networks.contains_key(edge.network) {
            let network = Network {
                detectors: edge_detectors(self.policy, self.baseline),
                client: None,
            };
            self.networks.insert(edge.network.to_owned(), network);
        }
        let Some(network) = self.networks.get_mut(edge.network) else {
            return;
        };
        if network.client != Some(edge.client_addr) {
            network.end_client(&mut self.cases);
            network.client = Some(edge.client_addr);
        }
        let (client, server) = (
            zone_kind(self.policy, edge.client_zone),
            zone_kind(self.policy, edge.server_zone),
        );
        let seen = Seen::new(edge, client, server);
        for detector in &mut network.detectors {
            match is_stray {
                true => detector.see_stray(&seen),
                false => detector.see(&seen),
            }
        }
    }

    /// Looks at what a flow log delivered, in any order within an hour.
    pub fn add_log(&mut self, log: &LogHour<'_>) {
        for detector in &mut self.logs {
            detector.see(log);
        }
    }

    /// Ends the hour that began at this instant.
    pub fn end_hour(&mut self, hour: u32) {
        for network in self.networks.values_mut() {
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
        for network in self.networks.values_mut() {
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
