//! One run: slot after slot, connections are made, recorded, and written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::connection::{Connection, Route};
use super::dice::Dice;
use super::fleet::{Fleet, Interface, Role, SANDBOX};
use super::flowlog::FlowLogs;
use super::object::Objects;
use super::plant::{self, Planted};
use super::recorder::Recorder;
use super::roster::Roster;
use super::row::{Row, Status};
use super::scenario::{self, Gaps};
use super::stage::Stage;
use super::traffic::{self, KINDS, Kind};
use super::{GenerateError, Layouts, Options, Pace, SLOT_SECS, Summary, gateway, noise};

/// How often something of the second VPC happens, percent of all that happens.
const SANDBOX_PERCENT: u32 = 4;
/// How often an interface's records of a capture window are lost, of 1000.
const SKIPPED_PER_MILLE: u64 = 8;

/// Generates below `logs`; what was written and what was planted.
pub(super) fn run(
    logs: &Path,
    options: &Options,
) -> Result<(Summary, Vec<Planted>), GenerateError> {
    let mut fleet = Fleet::new(options.scale());
    if options.scenario.is_some() {
        fleet.deploy(options.scale(), Role::Etl, 1);
    }
    let parquet_slot = options.slots / 2;
    let flow_logs = match options.layouts {
        Layouts::Mixed => FlowLogs::mixed(parquet_slot),
        Layouts::Version5 { objects } => FlowLogs::one(objects.max(1)),
    };
    let (first, slots) = (options.start, options.slots);
    let plants = match options.scenario {
        Some(scenario) => scenario::plant(scenario, &fleet, &flow_logs, first, slots),
        None => plant::plant(&fleet, &flow_logs, first, slots, parquet_slot),
    };
    let mut run = Run {
        options,
        fleet: &fleet,
        flow_logs: &flow_logs,
        recorder: Recorder {
            fleet: &fleet,
            staggered: options.records_per_connection.is_none(),
        },
        objects: Objects::new(
            logs.to_owned(),
            &flow_logs.logs,
            options.seed,
            options.start,
        ),
        dice: Dice::new(options.seed),
        summary: Summary {
            planted: plants.planted.len() as u64,
            ..Summary::default()
        },
        busy: BTreeSet::new(),
        gaps: Gaps::of(options.scenario),
        planted: 0,
        unwritten: 0,
        unwritten_noise: 0,
        lost: BTreeMap::new(),
    };
    for slot in 0..options.slots {
        run.play_slot(slot, &plants.connections);
        run.write_status_lines(slot);
        run.objects.close_before(slot + 1)?;
    }
    Ok((run.summary, plants.planted))
}

struct Run<'a> {
    options: &'a Options,
    fleet: &'a Fleet,
    flow_logs: &'a FlowLogs,
    recorder: Recorder<'a>,
    objects: Objects<'a>,
    dice: Dice,
    summary: Summary,
    /// Slots and interfaces (by id) that have records.
    busy: BTreeSet<(u32, &'a str)>,
    /// What the flow logs lack.
    gaps: Gaps,
    /// Records of what a scenario plants.
    planted: u64,
    /// Records that were made, and are lacking.
    unwritten: u64,
    /// Of those, the ones from the internet that nobody asked for.
    unwritten_noise: u64,
    /// The interfaces of which a capture window was lost, by slot, minutes since 1970, and id.
    lost: BTreeMap<(u32, u32, &'a str), &'a Interface>,
}

impl<'a> Run<'a> {
    /// What is planted in the slot, then as much ordinary traffic as is due.
    fn play_slot(&mut self, slot: u32, planted: &[Connection]) {
        let before = self.made();
        let from = self.options.start + slot * SLOT_SECS;
        for connection in planted
            .iter()
            .filter(|planted| (from..from + SLOT_SECS).contains(&planted.start))
        {
            self.record(connection, true);
        }
        let due: u64 = if self.options.scenario.is_some() {
            // What is planted comes on top: an attack does not thin out the day.
            self.planted += self.made() - before;
            (0..=slot).map(|slot| self.quota(slot)).sum()
        } else {
            before + self.quota(slot)
        };
        let roster = self.roster(slot);
        let has_sandbox = self.options.layouts == Layouts::Mixed;
        while self.made() < due {
            let before = self.made();
            let (written, unwritten) = (self.summary.records, self.unwritten);
            let noise = self.summary.noise + self.unwritten_noise;
            let is_noise = noise * 100 < before * u64::from(self.options.noise);
            let v6 = self.summary.ipv6 * 100 < before * u64::from(self.options.ipv6);
            let in_sandbox = has_sandbox && !is_noise && self.dice.percent(SANDBOX_PERCENT);
            let play = match (is_noise, in_sandbox) {
                (true, _) => noise::play as fn(&mut Stage<'_>),
                (_, true) => traffic::SANDBOX.play,
                _ => self.choose(v6).play,
            };
            let pace = self.pace();
            let mut stage = Stage {
                fleet: self.fleet,
                roster,
                has_gaps: self.gaps.any(),
                dice: &mut self.dice,
                from,
                is_first: slot == 0,
                pace,
                v6: v6 && !in_sandbox,
                connections: Vec::new(),
                stragglers: Vec::new(),
            };
            play(&mut stage);
            let (connections, stragglers) = (stage.connections, stage.stragglers);
            for connection in &connections {
                self.record(connection, false);
            }
            // Where records are left out, a straggler's connection may be one of those.
            let is_whole = self
                .options
                .records_per_connection
                .is_none_or(|most| most >= 4);
            for straggler in stragglers.iter().filter(|_| is_whole || is_noise) {
                let mut rows = Vec::new();
                self.recorder
                    .record_straggler(straggler, &mut |row| rows.push(row));
                rows.into_iter().for_each(|row| self.write(row));
            }
            if is_noise {
                self.summary.noise += self.summary.records - written;
                self.unwritten_noise += self.unwritten - unwritten;
            }
        }
    }

    /// How many of the records that are due were made: those that are lacking count, those that a scenario plants do not.
    fn made(&self) -> u64 {
        self.summary.records + self.unwritten - self.planted
    }

    /// Who is on duty in a slot.
    fn roster(&self, slot: u32) -> Roster {
        match self.options.scenario {
            Some(_) => Roster::Day { slot },
            None => Roster::Everybody,
        }
    }

    /// A kind of traffic: IPv6 is had only where the kind can.
    fn choose(&mut self, v6: bool) -> &'static Kind {
        let fits = |kind: &&Kind| kind.can_v6 || !v6;
        let total = KINDS.iter().filter(fits).map(|kind| kind.weight).sum();
        let mut at = self.dice.below(total);
        for kind in KINDS.iter().filter(fits) {
            match at.checked_sub(kind.weight) {
                Some(rest) => at = rest,
                None => return kind,
            }
        }
        &KINDS[0]
    }

    /// How many records a slot is due.
    fn quota(&self, slot: u32) -> u64 {
        let heavy = self
            .options
            .heavy_slot
            .filter(|&heavy| heavy < self.options.slots);
        let shares = u64::from(self.options.slots) + if heavy.is_some() { 9 } else { 0 };
        self.options.records / shares * if heavy == Some(slot) { 10 } else { 1 }
    }

    /// How long the next connection lasts: long enough to have the records that the average lacks.
    fn pace(&self) -> Pace {
        let Some(wanted) = self.options.records_per_connection else {
            return Pace::Natural;
        };
        let lacking = self.summary.records < self.summary.connections * u64::from(wanted);
        let windows = wanted.div_ceil(4) + u32::from(lacking && wanted >= 4);
        Pace::Windows(windows.min(SLOT_SECS / 60))
    }

    /// Writes what is recorded of a connection. What is planted is recorded wholly; of other connections as many records are
    /// kept as they are to have at most: fewer than four leave out some of the two directions at the two ends.
    fn record(&mut self, connection: &Connection, is_planted: bool) {
        let mut rows = Vec::with_capacity(8);
        self.recorder.record(connection, &mut |row| rows.push(row));
        let wanted = self.options.records_per_connection;
        if let Some(most @ 0..4) = wanted.filter(|_| !is_planted) {
            rows.truncate(most as usize);
        }
        // Behind a NAT gateway it is another connection.
        let behind_nat = matches!(connection.route, Route::Nat { gateway, .. } if {
            let nat = self.fleet.interfaces[gateway].addr(false);
            rows.iter().any(|row| row.pkt_src == nat || row.pkt_dst == nat)
        });
        self.summary.connections += 1 + u64::from(behind_nat);
        rows.into_iter().for_each(|row| self.write(row));
        if let Some(log) = self.flow_logs.of_gateway() {
            for line in gateway::lines(self.fleet, connection) {
                if let Some(slot) = self.slot_of(line.end()) {
                    self.objects.add((slot, log, 0), &line, &mut self.summary);
                    self.summary.records += 1;
                }
            }
        }
    }

    /// Writes a row into every flow log that watches its interface and does not lack it; what ends after the run is not
    /// written.
    fn write(&mut self, row: Row<'a>) {
        let Some(slot) = self.slot_of(row.end) else {
            return;
        };
        self.busy.insert((slot, &row.interface.id));
        for &place in self.flow_logs.of(row.interface, slot) {
            if self.gaps.leave_out(place, slot, &row) {
                self.unwritten += u64::from(row.status == Status::Ok);
            } else if let Some(minute) = self.gaps.lost_minute(place, &row) {
                self.unwritten += 1;
                let key = (slot, minute, row.interface.id.as_str());
                self.lost.insert(key, row.interface);
            } else {
                self.write_into(place, slot, row);
            }
        }
    }

    /// Writes a row into one flow log.
    fn write_into(&mut self, place: usize, slot: u32, row: Row<'a>) {
        let log = &self.flow_logs.logs[place];
        let number = shard(row.interface, log.shards);
        let row = Row {
            version: log.version(),
            ..row
        };
        self.objects
            .add((slot, place, number), &row, &mut self.summary);
        match row.status {
            Status::NoData => self.summary.no_data += 1,
            Status::SkipData => self.summary.skip_data += 1,
            Status::Ok => {
                self.summary.records += 1;
                self.summary.ipv6 += u64::from(row.pkt_src.is_ipv6());
                self.summary.out_of_scope += u64::from(*row.interface.vpc == SANDBOX);
            }
        }
    }

    /// A line for each interface that had no traffic, and for records that AWS lost.
    fn write_status_lines(&mut self, slot: u32) {
        self.write_lost(slot);
        let fleet = self.fleet;
        let roster = self.roster(slot);
        for (index, interface) in fleet.interfaces.iter().enumerate() {
            if !self.flow_logs.watches(fleet, index) {
                continue;
            }
            let start = self.options.start + slot * SLOT_SECS + self.dice.between(0, 200);
            let status = match self.busy.contains(&(slot, interface.id.as_str())) {
                false if !roster.has(fleet, index) => continue,
                false => Status::NoData,
                true if self.dice.below(1000) < SKIPPED_PER_MILLE => Status::SkipData,
                true => continue,
            };
            self.write(Row::status(interface, status, start, start + 59));
        }
        self.busy = self.busy.split_off(&(slot + 1, ""));
        // Over a day a gateway's log is never without a line: some attachment has no traffic.
        if let (Some(_), Some(log)) = (self.options.scenario, self.flow_logs.of_gateway()) {
            let start = self.options.start + slot * SLOT_SECS;
            let line = gateway::IdleRow { start };
            self.objects.add((slot, log, 0), &line, &mut self.summary);
            self.summary.no_data += 1;
        }
    }

    /// A line for each capture window of the slot that was lost.
    fn write_lost(&mut self, slot: u32) {
        let Some(place) = self.gaps.patchy() else {
            return;
        };
        let later = self.lost.split_off(&(slot + 1, 0, ""));
        for ((_, minute, _), interface) in std::mem::replace(&mut self.lost, later) {
            let start = minute * 60;
            let row = Row::status(interface, Status::SkipData, start, start + 59);
            self.write_into(place, slot, row);
        }
    }

    fn slot_of(&self, end: u32) -> Option<u32> {
        Some((end - self.options.start) / SLOT_SECS).filter(|&slot| slot < self.options.slots)
    }
}

/// Which of a slot's objects an interface's records go to. The busiest interfaces have neighbouring addresses in both zones,
/// and are spread.
fn shard(interface: &Interface, shards: u32) -> u32 {
    (interface.v4.to_bits() + 2 * interface.zone as u32) % shards
}
