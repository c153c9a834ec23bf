//! What comes: lists the sources again and again, hears the queue, and enters what is new in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::alert::instant;
use crate::judge::fold::{SLOT_SECS, hour_at, slot_at};
use crate::ledger::{HourState, LedgerHour, LedgerObject, ObjectState};
use crate::sink::Hour;
use crate::source::{Object, S3};

use super::super::batch::open_listing;
use super::super::error::ScanError;
use super::super::lock;
use super::judging::{judged_by, short};
use super::{BEGIN, NEWEST, Watch};

/// How far ahead of its arrival an object's key time may be, seconds. Beyond it is set aside until its time has come.
const AHEAD: u32 = 3600;
/// How far before the newest key time the sources are listed again, seconds, beside the lateness: stragglers.
const OVERLAP: u32 = 3600;

/// How far before the newest key time they are listed for what came late, seconds. AWS speaks of logs that are delivered
/// hours late.
const RECONCILED: u32 = 86_400;

/// When the sources are listed next.
struct Due {
    /// For new objects; none where a queue tells of them.
    new: Option<Instant>,
    /// For what came late, too; none where nothing is listed.
    all: Option<Instant>,
}

impl Due {
    /// They were listed: for everything, or for new objects only.
    fn listed(&mut self, everything: bool, watch: &Watch<'_>) {
        let (settings, now) = (watch.settings, Instant::now());
        if everything {
            self.all = Some(now + settings.reconcile);
        }
        self.new = watch.queue.is_none().then(|| now + settings.every);
    }

    /// Whether they are to be listed now, and if so for everything.
    fn now(&self) -> Option<bool> {
        let now = Instant::now();
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        match (is_due(self.all), is_due(self.new)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }
}

impl Watch<'_> {
    /// Takes what comes, until the end is asked for or, where that is wanted, all that is there was taken.
    pub(super) fn take_in(&self) -> Result<(), ScanError> {
        let s3 = self.connect()?;
        let queue = self.queue;
        self.set_begin()?;
        self.look_at_what_waits(s3.clone())?;
        let mut due = Due {
            new: None,
            all: self.settings.lists().then(Instant::now),
        };
        // What a queue tells of need not be listed first.
        let follows = self.settings.judging.since.is_none() && !self.settings.until_idle;
        if queue.is_some() && due.all.is_some() && follows {
            due.listed(true, self);
        }
        let mut first = Some(self.first_since()?);
        while !self.stop.is_asked() {
            if let Some(everything) = due.now() {
                let since = first.unwrap_or_else(|| Some(self.since(everything)));
                let listed = self.persist("listing the sources", first.is_some(), || {
                    self.list(since, s3.clone())
                });
                let Some(began) = listed? else { break };
                if queue.is_none() {
                    lock(&self.sea).taken = Some(began);
                    self.stop.ring();
                }
                first = None;
                due.listed(everything, self);
            }
            let is_drained = match queue {
                Some(queue) => self.receive(queue, s3.clone())?,
                None => true,
            };
            if is_drained && self.settings.until_idle {
                break;
            }
            if queue.is_none() {
                self.stop.wait(self.settings.every, None);
            }
            self.take_what_was_ahead(s3.clone())?;
        }
        Ok(())
    }

    /// From when on the sources are listed, seconds: for new objects, or for everything that may have come late.
    fn since(&self, everything: bool) -> u32 {
        let settings = self.settings;
        let overlap = if everything {
            RECONCILED.max(settings.settle)
        } else {
            let pause = u32::try_from(settings.every.as_secs()).unwrap_or(u32::MAX);
            (settings.lateness + OVERLAP).max(pause.saturating_mul(2))
        };
        let newest = lock(&self.sea).tide.newest().min(self.clock.seconds());
        newest.saturating_sub(overlap)
    }

    /// Notes, once, from which hour on objects are judged.
    fn set_begin(&self) -> Result<(), ScanError> {
        let now = self.clock.seconds();
        let begin = match self.settings.judging.since {
            Some(since) => hour_at(since),
            // Whatever a queue tells of is new.
            None if self.settings.until_idle || self.queue.is_some() => 0,
            None => hour_at(now),
        };
        let begun = self.ledger.write(|change| {
            let begun = change.counter(BEGIN)?;
            // Zero stands for nothing noted, and one second for everything.
            if begun == 0 {
                change.set(BEGIN, u64::from(begin).max(1))?;
            }
            Ok(begun)
        })?;
        if self.settings.judging.since.is_some() && begun > u64::from(begin).max(1) {
            return Err(ScanError::Usage {
                message: format!(
                    "this watch began at {}, and cannot begin earlier now",
                    instant(u32::try_from(begun).unwrap_or(u32::MAX))
                ),
                hint: Some(
                    "what was before is for `tidegate scan` with a lake of its own, or for another --state with another --lake"
                        .to_owned(),
                ),
            });
        }
        Ok(())
    }

    /// From when on the sources are listed first: evidence for the first hour, or what may have come since the last run.
    fn first_since(&self) -> Result<Option<u32>, ScanError> {
        let begin = self.begin()?;
        let newest = lock(&self.sea).tide.newest();
        let resumed = newest.saturating_sub(self.settings.settle.max(RECONCILED));
        let since = if self.settings.until_idle {
            begin
        } else {
            begin.max(resumed)
        };
        let horizon = self.settings.judging.horizon * SLOT_SECS;
        Ok((since > 0).then(|| since.saturating_sub(horizon)))
    }

    /// Lists the sources, and takes what is new; when it began.
    fn list(&self, since: Option<u32>, s3: Option<S3>) -> Result<u32, ScanError> {
        let began = self.clock.seconds();
        let opened = open_listing(&self.settings.judging, self.runtime, since, None);
        let (mut listing, _) = match opened {
            Ok(opened) => opened,
            // What is empty now may fill.
            Err(ScanError::NoObjects { .. }) => return Ok(began),
            Err(error) => return Err(error),
        };
        if let Some(batch) = listing.take_timeless() {
            self.ledger
                .write(|change| change.set("without-key-time", batch.objects.len() as u64))?;
        }
        while let Some(batch) = self
            .runtime
            .block_on(listing.next())
            .map_err(ScanError::from)?
        {
            let new = self.enter(&batch.objects)?;
            self.look(&new, s3.clone())?;
            if self.stop.is_asked() {
                break;
            }
        }
        Ok(began)
    }

    /// Enters objects in the ledger; those that are new, and are worth a look. Those whose time lies ahead are set aside.
    pub(super) fn enter(&self, objects: &[Object]) -> Result<Vec<LedgerObject>, ScanError> {
        let now = self.clock.seconds();
        let seen = objects.iter().filter_map(|object| seen(object, now));
        let (here, ahead): (Vec<_>, Vec<_>) = seen.partition(|object| !is_ahead(object, now));
        if !ahead.is_empty() {
            self.ledger
                .write(|change| ahead.iter().try_for_each(|object| change.set_aside(object)))?;
        }
        self.enter_seen(&here)
    }

    fn enter_seen(&self, seen: &[LedgerObject]) -> Result<Vec<LedgerObject>, ScanError> {
        let begin = self.begin()?;
        let hours: BTreeSet<u32> = seen.iter().map(|object| hour_at(object.time)).collect();
        self.recall(&hours)?;
        let again = {
            let sea = lock(&self.sea);
            sea.tide.due_again(self.watermark(&sea))
        };
        let newest = seen.iter().map(|object| object.time).max().unwrap_or(0);
        let mut new = Vec::new();
        let hours = self.ledger.write(|change| {
            for object in seen {
                if hour_at(object.time) < begin {
                    // Of before: evidence only.
                    let start = hour_at(object.time);
                    change.put(&LedgerObject {
                        state: ObjectState::Judged,
                        ..object.clone()
                    })?;
                    if change.hour(start)?.is_none() {
                        change.put_hour(LedgerHour {
                            start,
                            state: HourState::Settled,
                            due: None,
                        })?;
                    }
                } else if change.see(object, again)? {
                    new.push(object.clone());
                }
            }
            change.set(NEWEST, u64::from(newest).max(change.counter(NEWEST)?))?;
            change.count("objects", new.len() as u64)?;
            let hours: BTreeSet<u32> = new.iter().map(|object| hour_at(object.time)).collect();
            let mut known = Vec::new();
            for start in hours {
                known.extend(change.hour(start)?);
            }
            Ok(known)
        })?;
        {
            let mut sea = lock(&self.sea);
            sea.tide.hear_of(newest);
            hours.iter().for_each(|hour| sea.tide.know(*hour));
            new.iter().for_each(|object| sea.tide.came(object.time));
        }
        if !new.is_empty() {
            self.stop.ring();
        }
        let history = self.history(&hours);
        new.retain(|object| !history.contains(&hour_at(object.time)));
        Ok(new)
    }

    /// Takes objects that were set aside because their key time lay ahead, once that has come near.
    fn take_what_was_ahead(&self, s3: Option<S3>) -> Result<(), ScanError> {
        let now = self.clock.seconds();
        let mut come = self.ledger.read()?.aside()?;
        come.retain(|object| !is_ahead(object, now));
        if come.is_empty() {
            return Ok(());
        }
        let new = self.enter_seen(&come)?;
        self.ledger.write(|change| {
            come.iter()
                .try_for_each(|object| change.take_up(&object.url))
        })?;
        self.look(&new, s3)
    }

    /// Enters what the lake says of hours that the ledger does not know: they were judged by another run.
    pub(super) fn recall(&self, hours: &BTreeSet<u32>) -> Result<(), ScanError> {
        let Some(lake) = self.lake else {
            return Ok(());
        };
        let known: BTreeSet<u32> = {
            let view = self.ledger.read()?;
            view.hours()?.iter().map(|hour| hour.start).collect()
        };
        for &start in hours.difference(&known) {
            if !lock(&self.committed).contains(&Hour::of(start)) {
                continue;
            }
            let rows = lake.objects(Hour::of(start)).map_err(anyhow::Error::from)?;
            let asides = lake.asides(Hour::of(start)).map_err(anyhow::Error::from)?;
            self.ledger.write(|change| {
                if let Some(digest) = &asides.resolver_logs {
                    change.set(&judged_by(start), short(digest))?;
                }
                for row in rows.iter().filter(|row| row.time != 0) {
                    change.put(&LedgerObject {
                        url: row.source.clone(),
                        time: row.time,
                        size: row.size,
                        etag: row.etag.clone().unwrap_or_default(),
                        arrived: 0,
                        state: ObjectState::Judged,
                    })?;
                }
                change.put_hour(LedgerHour {
                    start,
                    state: HourState::Committed,
                    due: None,
                })
            })?;
        }
        Ok(())
    }
}

/// Whether an object's key time is not to be believed yet.
fn is_ahead(object: &LedgerObject, now: u32) -> bool {
    object.time > now.saturating_add(AHEAD)
}

/// What the ledger is to know of an object that was listed; none where its key has no time.
fn seen(object: &Object, now: u32) -> Option<LedgerObject> {
    let time = object.key.as_ref()?.time;
    Some(LedgerObject {
        url: object.url.to_string(),
        time,
        size: object.size,
        etag: object.etag.as_deref().unwrap_or_default().to_owned(),
        arrived: u64::from(now),
        state: ObjectState::Seen,
    })
}

/// An object that the ledger knows, to be read.
pub(super) fn object(known: &LedgerObject) -> Option<Object> {
    Object::known(&known.url, known.size, &known.etag, known.time)
}

/// Objects by the slot that they belong to.
pub(super) fn by_slot(objects: &[LedgerObject]) -> BTreeMap<u32, Vec<&LedgerObject>> {
    let mut slots: BTreeMap<u32, Vec<&LedgerObject>> = BTreeMap::new();
    for object in objects {
        let slot = slot_at(object.time);
        slots.entry(slot).or_default().push(object);
    }
    slots
}
