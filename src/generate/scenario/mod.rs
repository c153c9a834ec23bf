//! A quiet day of the synthetic VPC with one attack, for one detector; or with none, so that nothing may be found.
//!
//! `script` is what an attack is written with, `quiet` what is unusual and harmless on every such day; `within` and `across`
//! hold the attacks, `gaps` what flow logs lack.

mod across;
mod gaps;
mod quiet;
mod script;
mod within;

use super::fleet::Fleet;
use super::flowlog::FlowLogs;
use super::plant::{Bed, Plants, outside};
use script::Script;

pub(super) use across::WATCHLIST;
pub(super) use gaps::Gaps;

/// How many slots a day has; attacks have their times of day in the first.
pub(super) const SLOTS_PER_DAY: u32 = 288;

/// What happens on the day: nothing, or what the detector of this name must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing that is to be found.
    Quiet,
    /// Many ports of one host are tried.
    PortScan,
    /// One port of many addresses is tried.
    HostSweep,
    /// One client is turned away again and again.
    DeniedBurst,
    /// A port that rejected the internet lets it in.
    ExposureOpened,
    /// Who was turned away gets in.
    ProbeThenSuccess,
    /// Something allowed happens that never happened before.
    FirstSeen,
    /// A host sends far more out than it does otherwise.
    EgressVolume,
    /// A host reads far more from data than it does otherwise.
    DataPull,
    /// A host calls an address outside at regular intervals.
    Beacon,
    /// A host keeps a connection to an address outside for hours.
    LongSession,
    /// A host tries a port for administration at many others.
    LateralFanout,
    /// A host opens many short sessions at a port for administration.
    CredentialGuessing,
    /// A host asks a resolver outside.
    DnsBypass,
    /// A host sends data out in pings.
    Tunnel,
    /// A host calls an address on a watch list.
    Watchlist,
    /// A flow log falls silent.
    SilentSource,
    /// Flow logs lack records.
    CoverageGap,
}

impl Scenario {
    /// Every scenario, in order.
    pub const ALL: &'static [Scenario] = &[
        Scenario::Quiet,
        Scenario::PortScan,
        Scenario::HostSweep,
        Scenario::DeniedBurst,
        Scenario::ExposureOpened,
        Scenario::ProbeThenSuccess,
        Scenario::FirstSeen,
        Scenario::EgressVolume,
        Scenario::DataPull,
        Scenario::Beacon,
        Scenario::LongSession,
        Scenario::LateralFanout,
        Scenario::CredentialGuessing,
        Scenario::DnsBypass,
        Scenario::Tunnel,
        Scenario::Watchlist,
        Scenario::SilentSource,
        Scenario::CoverageGap,
    ];

    /// The name as it is typed: that of the detector, or `quiet`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scenario::Quiet => "quiet",
            Scenario::PortScan => "port-scan",
            Scenario::HostSweep => "host-sweep",
            Scenario::DeniedBurst => "denied-burst",
            Scenario::ExposureOpened => "exposure-opened",
            Scenario::ProbeThenSuccess => "probe-then-success",
            Scenario::FirstSeen => "first-seen",
            Scenario::EgressVolume => "egress-volume",
            Scenario::DataPull => "data-pull",
            Scenario::Beacon => "beacon",
            Scenario::LongSession => "long-session",
            Scenario::LateralFanout => "lateral-fanout",
            Scenario::CredentialGuessing => "credential-guessing",
            Scenario::DnsBypass => "dns-bypass",
            Scenario::Tunnel => "tunnel",
            Scenario::Watchlist => "watchlist",
            Scenario::SilentSource => "silent-source",
            Scenario::CoverageGap => "coverage-gap",
        }
    }

    /// The scenario of this name.
    pub fn from_word(word: &str) -> Option<Scenario> {
        Scenario::ALL
            .iter()
            .copied()
            .find(|scenario| scenario.as_str() == word)
    }

    /// How bad it is, by the defaults of the detector.
    const fn severity(self) -> &'static str {
        match self {
            Scenario::ProbeThenSuccess | Scenario::SilentSource => "critical",
            Scenario::DeniedBurst
            | Scenario::FirstSeen
            | Scenario::LongSession
            | Scenario::CoverageGap => "medium",
            _ => "high",
        }
    }

    /// Writes the attack into the day.
    fn play(self, script: &mut Script<'_>) {
        match self {
            Scenario::Quiet => {}
            Scenario::PortScan => within::port_scan(script),
            Scenario::HostSweep => within::host_sweep(script),
            Scenario::DeniedBurst => within::denied_burst(script),
            Scenario::ExposureOpened => across::exposure_opened(script),
            Scenario::ProbeThenSuccess => across::probe_then_success(script),
            Scenario::FirstSeen => within::first_seen(script),
            Scenario::EgressVolume => across::egress_volume(script),
            Scenario::DataPull => within::data_pull(script),
            Scenario::Beacon => across::beacon(script),
            Scenario::LongSession => across::long_session(script),
            Scenario::LateralFanout => within::lateral_fanout(script),
            Scenario::CredentialGuessing => within::credential_guessing(script),
            Scenario::DnsBypass => across::dns_bypass(script),
            Scenario::Tunnel => across::tunnel(script),
            Scenario::Watchlist => across::watchlist(script),
            Scenario::SilentSource => gaps::silent_source(script),
            Scenario::CoverageGap => gaps::coverage_gap(script),
        }
    }
}

/// Everything planted in a run of so many slots from `first`, which begins a day: what is unusual and harmless, then the
/// attack.
pub(super) fn plant(
    scenario: Scenario,
    fleet: &Fleet,
    logs: &FlowLogs,
    first: u32,
    slots: u32,
) -> Plants {
    let bed = Bed::new(fleet, logs, first, slots);
    let mut script = Script::new(bed, scenario, first);
    quiet::play_all(&mut script);
    scenario.play(&mut script);
    script.finish()
}

#[cfg(test)]
mod tests;
