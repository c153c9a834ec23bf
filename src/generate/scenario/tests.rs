//! Each scenario plants what it says, and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::generate::connection::{Connection, Fate};
use crate::generate::fleet::Role;
use crate::generate::{Options, Summary, generate};

fn planted(scenario: Scenario) -> Plants {
    let options = Options::day(scenario);
    let mut fleet = Fleet::new(options.scale());
    fleet.deploy(options.scale(), Role::Etl, 1);
    let logs = FlowLogs::mixed(options.slots / 2);
    plant(scenario, &fleet, &logs, options.start, options.slots)
}

/// What the attack adds to the quiet day.
fn attack(scenario: Scenario) -> Vec<Connection> {
    let quiet = planted(Scenario::Quiet).connections.len();
    planted(scenario).connections.split_off(quiet)
}

/// Generates a thin day into the folder.
fn generated(dir: &Path, scenario: Scenario) -> Summary {
    let options = Options {
        records: 3_000,
        ..Options::day(scenario)
    };
    generate(dir, &options).expect("generated")
}

/// How many objects each flow log has in the hours before noon and in those after.
fn objects(dir: &Path) -> BTreeMap<String, [usize; 2]> {
    let mut found: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir.join("logs")) {
        let name = entry
            .expect("a readable folder")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let parts: Vec<&str> = name.split('_').collect();
        if let ["vpcflowlogs", _, log, time, _] = parts[1..] {
            let is_after = &time["20260225T".len()..] >= "1200";
            found.entry(log.to_owned()).or_default()[usize::from(is_after)] += 1;
        }
    }
    found
}

#[test]
fn every_scenario_but_quiet_plants_what_its_detector_finds() {
    for &scenario in Scenario::ALL {
        let plants = planted(scenario);
        let is_quiet = scenario == Scenario::Quiet;
        assert_eq!(plants.planted.is_empty(), is_quiet, "{scenario:?}");
        for finding in &plants.planted {
            assert_eq!(finding.kind, scenario.as_str());
            assert!(!finding.client.is_empty(), "{finding:?}");
        }
        assert_eq!(Scenario::from_word(scenario.as_str()), Some(scenario));
    }
}

#[test]
fn every_scenario_keeps_within_its_day_and_no_two_connections_are_one() {
    for &scenario in Scenario::ALL {
        let plants = planted(scenario);
        let start = Options::day(scenario).start;
        let mut seen = BTreeSet::new();
        for connection in &plants.connections {
            let times = start..start + 86_400;
            assert!(
                times.contains(&connection.start) && times.contains(&connection.end),
                "{scenario:?}: {connection:?}"
            );
            let (client, server) = (connection.client, connection.server);
            let ends = (client.addr, client.port, server.addr, server.port);
            let is_new = seen.insert((ends, connection.protocol));
            // ICMP has no ports: once an hour the same host complains to the same peer.
            assert!(is_new || client.port == 0, "{scenario:?}: {connection:?}");
        }
    }
}

#[test]
fn attacks_are_as_large_as_they_are_said_to_be() {
    let check = |scenario: Scenario, number: usize, sent: u64, received: u64| {
        let connections = attack(scenario);
        assert_eq!(connections.len(), number, "{scenario:?}");
        let total = |way: fn(&Connection) -> u64| connections.iter().map(way).sum::<u64>();
        assert!(total(|one| one.request.1) >= sent, "{scenario:?}");
        assert!(total(|one| one.reply.1) >= received, "{scenario:?}");
    };
    check(Scenario::Quiet, 0, 0, 0);
    check(Scenario::PortScan, 60, 0, 0);
    check(Scenario::HostSweep, 40, 0, 0);
    check(Scenario::DeniedBurst, 300, 0, 0);
    check(Scenario::ExposureOpened, 57, 0, 0);
    check(Scenario::ProbeThenSuccess, 9, 0, 0);
    check(Scenario::FirstSeen, 1, 0, 0);
    check(Scenario::EgressVolume, 29, 6_000_000_000, 0);
    check(Scenario::DataPull, 29, 0, 6_000_000_000);
    check(Scenario::Beacon, 143, 143 * 1_200, 0);
    check(Scenario::LongSession, 1, 160_000, 140_000);
    check(Scenario::LateralFanout, 15, 0, 0);
    check(Scenario::CredentialGuessing, 80, 80 * 2_200, 80 * 2_200);
    check(Scenario::DnsBypass, 23, 0, 0);
    check(Scenario::Tunnel, 1, 30_000_000, 3_000_000);
    check(Scenario::Watchlist, 3, 0, 0);
    check(Scenario::SilentSource, 0, 0, 0);
    check(Scenario::CoverageGap, 0, 0, 0);
}

#[test]
fn scans_are_mostly_turned_away() {
    let count = |scenario: Scenario, fate: Fate| {
        let connections = attack(scenario);
        connections.iter().filter(|one| one.fate == fate).count()
    };
    assert_eq!(count(Scenario::PortScan, Fate::Refused), 3);
    assert_eq!(count(Scenario::PortScan, Fate::RejectedByServer), 57);
    assert_eq!(count(Scenario::HostSweep, Fate::RejectedByServer), 4);
    assert_eq!(count(Scenario::HostSweep, Fate::Unanswered), 36);
    assert_eq!(count(Scenario::LateralFanout, Fate::Established), 5);
}

#[test]
fn the_watch_list_goes_with_its_scenario_only() {
    for (scenario, expected) in [(Scenario::Watchlist, true), (Scenario::Quiet, false)] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let summary = generated(dir.path(), scenario);
        assert_eq!(dir.path().join("watchlist.txt").exists(), expected);
        assert!((4_000..12_000).contains(&summary.records), "{summary:?}");
    }
}

#[test]
fn the_silent_log_alone_has_no_objects_after_noon() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    generated(dir.path(), Scenario::SilentSource);
    let silent = planted(Scenario::SilentSource).planted[0].client.clone();
    for (log, [before, after]) in objects(dir.path()) {
        if silent == format!("flow log {log}") {
            assert_eq!((before, after), (144, 0));
        } else if before > 100 {
            assert!(after > 100, "{log}: {before}, {after}");
        }
    }
}

#[test]
fn a_log_with_gaps_loses_windows_and_the_same_ones_each_time() {
    let [once, again, whole] = [
        Scenario::CoverageGap,
        Scenario::CoverageGap,
        Scenario::Quiet,
    ]
    .map(|scenario| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        generated(dir.path(), scenario)
    });
    assert_eq!(once, again);
    assert!(once.skip_data > 3 * whole.skip_data, "{once:?} {whole:?}");
    let lines = once.headers + once.records + once.no_data + once.skip_data;
    assert_eq!(once.lines, lines);
}
