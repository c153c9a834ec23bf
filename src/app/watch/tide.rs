//! Which slots and hours are due: pure bookkeeping over key times, without a clock, a ledger or a thread.
//!
//! The watermark is the newest key time less the lateness that is allowed for. A slot closes when the watermark has
//! passed its end, an hour is committed with its last slot, and settled when objects came late.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::fold::{SLOT_SECS, hour_at, slot_at};
use crate::ledger::{HourState, LedgerHour};

/// Seconds of an hour.
pub const HOUR_SECS: u32 = 3600;

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Judge a slot (its start, seconds) of an hour that is not over.
    Slot(u32),
    /// Judge and commit an hour.
    Hour(u32),
    /// Judge a committed hour again: objects came late.
    Again(u32),
    /// Nothing came late for a committed hour.
    Calm(u32),
}

/// How long is waited, seconds.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// After the newest key time, until a slot is closed.
    pub lateness: u32,
    /// After the end of an hour, until it is settled.
    pub settle: u32,
}

/// What is known of an hour that is not settled, or is due again.
#[derive(Debug)]
struct OpenHour {
    state: HourState,
    due: Option<u32>,
    /// Slots that have objects and were not judged since.
    slots: BTreeSet<u32>,
}

/// The hours that are not settled, and how far the watermark is.
#[derive(Debug)]
pub struct Tide {
    waits: Waits,
    /// The newest key time, seconds.
    newest: u32,
    hours: BTreeMap<u32, OpenHour>,
    /// How often objects of a slot came, of slots that had some since the start.
    versions: BTreeMap<u32, u64>,
}

impl Tide {
    /// Takes up the hours of a ledger, and the slots of open ones that have objects and are not judged.
    pub fn new(
        waits: Waits,
        newest: u32,
        hours: &[LedgerHour],
        unjudged: impl IntoIterator<Item = u32>,
    ) -> Tide {
        let mut tide = Tide {
            waits,
            newest,
            hours: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        hours.iter().for_each(|hour| tide.know(*hour));
        for slot in unjudged {
            if let Some(hour) = tide.hours.get_mut(&hour_at(slot)) {
                hour.slots.insert(slot);
            }
        }
        tide
    }

    /// Takes what the ledger says of an hour now.
    pub fn know(&mut self, hour: LedgerHour) {
        if hour.state == HourState::Settled && hour.due.is_none() {
            self.hours.remove(&hour.start);
            return;
        }
        let known = self.hours.entry(hour.start).or_insert(OpenHour {
            state: hour.state,
            due: hour.due,
            slots: BTreeSet::new(),
        });
        (known.state, known.due) = (hour.state, hour.due);
        if known.state != HourState::Open {
            known.slots.clear();
        }
    }

    /// There are objects up to this key time, whether or not they are new.
    pub fn hear_of(&mut self, time: u32) {
        self.newest = self.newest.max(time);
    }

    /// An object of an hour, known already, has come.
    pub fn came(&mut self, time: u32) {
        self.hear_of(time);
        let slot = slot_at(time);
        *self.versions.entry(slot).or_default() += 1;
        if let Some(hour) = self.hours.get_mut(&hour_at(slot))
            && hour.state == HourState::Open
        {
            hour.slots.insert(slot);
        }
    }

    /// A slot of an open hour was judged from the objects that had come when it was of this version.
    pub fn slot_judged(&mut self, slot: u32, version: u64) {
        if self.version(slot) == version
            && let Some(hour) = self.hours.get_mut(&hour_at(slot))
        {
            hour.slots.remove(&slot);
        }
    }

    /// How often objects of a slot came.
    pub fn version(&self, slot: u32) -> u64 {
        self.versions.get(&slot).copied().unwrap_or(0)
    }

    /// Forgets how often objects of slots before this instant came.
    pub fn forget_versions(&mut self, before: u32) {
        self.versions = self.versions.split_off(&before);
    }

    /// Up to where key times are thought to be complete: by the newest one, or by the clock where all that is there was
    /// taken (`now`, seconds).
    pub fn watermark(&self, now: Option<u32>) -> u32 {
        let newest = self.newest.max(now.unwrap_or(0));
        newest.saturating_sub(self.waits.lateness)
    }

    /// The newest key time, seconds.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// How many hours are open, committed and not settled, and due to be judged again; and slots that are not judged.
    pub fn counts(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        for hour in self.hours.values() {
            counts[match (hour.state, hour.due) {
                (HourState::Open, _) => 0,
                (_, None) => 1,
                (_, Some(_)) => 2,
            }] += 1;
            counts[3] += hour.slots.len() as u64;
        }
        counts
    }

    /// From which watermark on an hour that was settled is due when an object comes now.
    pub fn due_again(&self, watermark: u32) -> u32 {
        watermark.saturating_add(self.waits.lateness)
    }

    /// What is due at a watermark, the earliest first.
    pub fn due(&self, watermark: u32) -> Option<Due> {
        let passed = |end: u32| end <= watermark;
        self.hours.iter().find_map(|(&start, hour)| {
            let end = start + HOUR_SECS;
            let settles = passed(end.saturating_add(self.waits.settle));
            match (hour.state, hour.due) {
                (HourState::Open, _) if passed(end) => Some(Due::Hour(start)),
                (HourState::Open, _) => {
                    let mut closed = hour.slots.iter().filter(|slot| passed(**slot + SLOT_SECS));
                    closed.next().map(|slot| Due::Slot(*slot))
                }
                (HourState::Committed, Some(_)) => settles.then_some(Due::Again(start)),
                (HourState::Committed, None) => settles.then_some(Due::Calm(start)),
                (HourState::Settled, due) => {
                    due.filter(|due| passed(*due)).map(|_| Due::Again(start))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: u32 = 1_772_010_000;
    const WAITS: Waits = Waits {
        lateness: 900,
        settle: 6 * 3600,
    };

    fn hour(start: u32, state: HourState, due: Option<u32>) -> LedgerHour {
        LedgerHour { start, state, due }
    }

    #[test]
    fn slots_close_in_order_and_the_hour_with_its_last() {
        let mut tide = Tide::new(WAITS, 0, &[], []);
        tide.know(hour(NINE, HourState::Open, None));
        tide.came(NINE + 10);
        tide.came(NINE + 310);
        assert_eq!(tide.due(tide.watermark(None)), None);
        tide.came(NINE + 300 + 900);
        assert_eq!(tide.due(tide.watermark(None)), Some(Due::Slot(NINE)));
        tide.slot_judged(NINE, 1);
        assert_eq!(tide.due(tide.watermark(None)), None);
        // The clock moves it where nothing comes.
        let later = tide.watermark(Some(NINE + 600 + 900));
        assert_eq!(tide.due(later), Some(Due::Slot(NINE + 300)));
        let over = tide.watermark(Some(NINE + 3600 + 900));
        assert_eq!(tide.due(over), Some(Due::Hour(NINE)));
        tide.know(hour(NINE, HourState::Committed, None));
        assert_eq!(tide.due(over), None);
        assert_eq!(tide.due(over + 6 * 3600), Some(Due::Calm(NINE)));
        tide.know(hour(NINE, HourState::Settled, None));
        assert_eq!(tide.due(u32::MAX), None);
    }

    #[test]
    fn what_comes_while_a_slot_is_judged_has_it_judged_again() {
        let mut tide = Tide::new(WAITS, 0, &[hour(NINE, HourState::Open, None)], []);
        tide.came(NINE);
        let version = tide.version(NINE);
        tide.came(NINE + 1);
        tide.slot_judged(NINE, version);
        assert_eq!(tide.due(NINE + 300), Some(Due::Slot(NINE)));
        tide.slot_judged(NINE, tide.version(NINE));
        assert_eq!(tide.due(NINE + 300), None);
    }

    #[test]
    fn late_objects_have_their_hour_judged_again_when_it_settles_or_at_once_thereafter() {
        let late = hour(NINE, HourState::Committed, Some(NINE + 5000));
        let tide = Tide::new(WAITS, NINE, &[late], []);
        assert_eq!(tide.due(NINE + 3600 + 6 * 3600 - 1), None);
        assert_eq!(tide.due(NINE + 3600 + 6 * 3600), Some(Due::Again(NINE)));
        let later = hour(NINE, HourState::Settled, Some(NINE + 90_000));
        let tide = Tide::new(WAITS, NINE, &[later], []);
        assert_eq!(tide.due(NINE + 89_999), None);
        assert_eq!(tide.due(NINE + 90_000), Some(Due::Again(NINE)));
    }

    #[test]
    fn a_new_start_knows_which_slots_were_judged() {
        let tide = Tide::new(
            WAITS,
            NINE + 1500,
            &[hour(NINE, HourState::Open, None)],
            [NINE + 300],
        );
        assert_eq!(tide.due(tide.watermark(None)), Some(Due::Slot(NINE + 300)));
    }
}
