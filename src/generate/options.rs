//! What to generate: how much of what, and how it is spread.

use super::fleet::Scale;
use super::scenario::SLOTS_PER_DAY;
use super::{GenerateError, SLOT_SECS, Scenario};

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fixes every choice.
    pub seed: u64,
    /// About how many records to write.
    pub records: u64,
    /// The publishing time of the first objects, seconds since 1970, a multiple of 300.
    pub start: u32,
    /// How many slots of five minutes; at least 1.
    pub slots: u32,
    /// The slot that has ten times the records of the others, if any.
    pub heavy_slot: Option<u32>,
    /// Which flow logs there are.
    pub layouts: Layouts,
    /// How much of the records is noise from the internet, percent.
    pub noise: u32,
    /// How much of the records is IPv6, percent; at most about 30 can be had.
    pub ipv6: u32,
    /// How many records a connection has on average, 1 to 16; none leaves it to how long they last. As noise is one record a
    /// connection, more than some 100 / `noise` cannot be had.
    pub records_per_connection: Option<u32>,
    /// Whether there are as many hosts as in a large VPC.
    pub large: bool,
    /// What is planted instead of what breaks the policy, if anything; the run takes a day then, or more.
    pub scenario: Option<Scenario>,
}

/// Which flow logs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layouts {
    /// Many: versions 2, 5 and 11, another order, Parquet, a transit gateway's, a second VPC's of another account.
    Mixed,
    /// One of version 5 with 29 fields, over so many objects a slot.
    Version5 {
        /// Objects per slot.
        objects: u32,
    },
}

/// 2014-01-01T00:00:00Z: flow logs came in 2015, and readers take earlier times for errors.
const EARLIEST: u32 = 1_388_534_400;
/// 2100-01-01T00:00:00Z.
const LATEST: u32 = 4_102_444_800;

/// 2026-02-25T00:00:00Z.
const DAY_START: u32 = 1_771_977_600;
/// 2026-02-25T05:00:00Z.
pub(super) const DEFAULT_START: u32 = 1_771_995_600;

impl Default for Options {
    /// What `sample-logs` is made with: two hours of a small VPC.
    fn default() -> Options {
        Options {
            seed: 1,
            records: 50_000,
            start: DEFAULT_START,
            slots: 24,
            heavy_slot: None,
            layouts: Layouts::Mixed,
            noise: 10,
            ipv6: 5,
            records_per_connection: None,
            large: false,
            scenario: None,
        }
    }
}

impl Options {
    /// What the benchmarks measure: 4 million records of version 5 in 16 objects of 4 slots. Beyond 4 records per connection
    /// there is less noise, as there must be.
    pub fn bench(records_per_connection: u32) -> Options {
        Options {
            noise: if records_per_connection <= 4 { 10 } else { 1 },
            records: 4_000_000,
            slots: 4,
            layouts: Layouts::Version5 { objects: 4 },
            records_per_connection: Some(records_per_connection),
            large: true,
            ..Options::default()
        }
    }

    /// A day of a small VPC, from midnight UTC, with one attack or none.
    pub fn day(scenario: Scenario) -> Options {
        Options {
            records: 60_000,
            start: DAY_START,
            slots: SLOTS_PER_DAY,
            scenario: Some(scenario),
            ..Options::default()
        }
    }

    /// How many hosts there are.
    pub(super) fn scale(&self) -> Scale {
        match self.large {
            false => Scale {
                etl: 5,
                vector_service: 3,
                worker: 6,
                vector_db: 3,
                warehouse: 4,
            },
            true => Scale {
                etl: 180,
                vector_service: 120,
                worker: 200,
                vector_db: 60,
                warehouse: 60,
            },
        }
    }

    /// Refuses what cannot be had.
    pub(super) fn check(&self) -> Result<(), GenerateError> {
        let wrong = |wants, got: u32| {
            Err(GenerateError::Options {
                wants,
                got: got.into(),
            })
        };
        check_times(self.start, self.slots)?;
        if self.scenario.is_some() && self.slots < SLOTS_PER_DAY {
            return wrong("at least 288 slots, a day, for a scenario", self.slots);
        }
        let shares = self.noise.saturating_add(self.ipv6);
        if shares > 100 {
            return wrong(
                "shares of noise and IPv6 of at most 100 percent together",
                shares,
            );
        }
        match self.records_per_connection {
            Some(records @ (0 | 17..)) => wrong("1 to 16 records per connection", records),
            _ => Ok(()),
        }
    }
}

/// Refuses slots that do not make a run.
pub(super) fn check_times(start: u32, slots: u32) -> Result<(), GenerateError> {
    let wrong = |wants, got: u32| {
        Err(GenerateError::Options {
            wants,
            got: got.into(),
        })
    };
    if slots == 0 {
        return wrong("at least one slot", 0);
    }
    if !start.is_multiple_of(SLOT_SECS) {
        return wrong("a start at a multiple of 300 seconds", start);
    }
    let end = slots
        .checked_mul(SLOT_SECS)
        .and_then(|length| start.checked_add(length));
    if start < EARLIEST || end.is_none_or(|end| end > LATEST) {
        return wrong("a time between 2014 and 2100", start);
    }
    Ok(())
}

/// How long connections last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As they do.
    Natural,
    /// This many capture windows of a minute, within their slot.
    Windows(u32),
}
