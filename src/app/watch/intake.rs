//! What comes: lists the sources again and again, enters what is new in the ledger, and announces at once what objects
//! show by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::judge::fold::SLOT_SECS;
use crate::ledger::{HourState, LedgerHour, LedgerObject, ObjectState, hour_of};
use crate::sink::Hour;
use crate::source::{Object, Queue, S3, Selection, noticed};

use super::super::batch::open_listing;
use super::super::error::ScanError;
use super::super::lock;
use super::super::run::{Carried, Run};
use super::super::settings::{Keep, ScanSettings};
use super::super::stop::UntilAborted;
use super::tide::HOUR_SECS;
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

/// How long a queue is waited for that is empty, seconds: the most that SQS allows.
const QUEUE_WAIT: i32 = 20;

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

    /// Receives some messages and takes the objects that they name; whether there were none. A message is deleted once its
    /// objects are in the ledger.
    fn receive(&self, queue: &Queue, s3: Option<S3>) -> Result<bool, ScanError> {
        let began = self.clock.seconds();
        let wait = if self.settings.until_idle {
            1
        } else {
            QUEUE_WAIT
        };
        let received = self.persist("receiving from the queue", false, || {
            let received = self.runtime.block_on(async {
                tokio::select! {
                    received = queue.receive(wait) => received.map_err(ScanError::from),
                    () = self.end_is_asked() => Ok(Vec::new()),
                }
            });
            if received.is_err() {
                lock(&self.sea).is_behind = true;
            }
            received
        });
        let Some(messages) = received? else {
            return Ok(true);
        };
        if messages.is_empty() {
            {
                let mut sea = lock(&self.sea);
                (sea.taken, sea.is_behind) = (Some(began), false);
            }
            self.stop.ring();
            return Ok(true);
        }
        let kept = {
            let _in_runtime = self.runtime.enter();
            queue.keep(messages.clone())
        };
        let selection = Selection {
            accounts: self.settings.judging.accounts.clone(),
            regions: self.settings.judging.regions.clone(),
            ..Selection::default()
        };
        let (mut understood, mut objects, mut odd) = (Vec::new(), Vec::new(), 0);
        for message in &messages {
            match noticed(&message.body) {
                Ok(named) => {
                    let named = named.iter().filter_map(Object::noticed);
                    objects.extend(named.filter(|object| {
                        object.key.as_ref().is_some_and(|key| selection.wants(key))
                    }));
                    understood.push(message.clone());
                }
                Err(reason) => {
                    odd += 1;
                    tracing::warn!(
                        "a message of the queue is left to its redrive policy: {reason}"
                    );
                }
            }
        }
        let entered = self.enter(&objects);
        let done = self.runtime.block_on(async {
            match &entered {
                Ok(_) => queue.delete(&understood).await,
                Err(_) => queue.give_back(&messages).await,
            }
        });
        drop(kept);
        if let Err(error) = done {
            // They come again, and are known then.
            tracing::warn!("{error}");
        }
        let new = entered?;
        if odd > 0 {
            self.ledger
                .write(|change| change.count("messages-not-understood", odd))?;
        }
        self.look(&new, s3)?;
        Ok(false)
    }

    async fn end_is_asked(&self) {
        while !self.stop.is_asked() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Notes, once, from which hour on objects are judged.
    fn set_begin(&self) -> Result<(), ScanError> {
        let now = self.clock.seconds();
        let begin = match self.settings.judging.since {
            Some(since) => hour_of(since),
            None if self.settings.until_idle => 0,
            None => hour_of(now),
        };
        self.ledger.write(|change| {
            // Zero stands for nothing noted, and one second for everything.
            if change.counter(BEGIN)? == 0 {
                change.set(BEGIN, u64::from(begin).max(1))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// From when on the sources are listed first: evidence for the first hour, or what may have come since the last run.
    fn first_since(&self) -> Result<Option<u32>, ScanError> {
        let begin = self.begin()?;
        let newest = lock(&self.sea).tide.newest();
        let resumed = newest.saturating_sub(self.settings.settle.max(OVERLAP));
        let since = begin.max(resumed);
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

    /// Enters objects in the ledger; those that are new, and are worth a look: whose hour is judged whole in a moment, they
    /// are not.
    fn enter(&self, objects: &[Object]) -> Result<Vec<LedgerObject>, ScanError> {
        let now = self.clock.seconds();
        let seen: Vec<LedgerObject> = objects
            .iter()
            .filter_map(|object| seen(object, now))
            .collect();
        self.enter_seen(&seen)
    }

    fn enter_seen(&self, seen: &[LedgerObject]) -> Result<Vec<LedgerObject>, ScanError> {
        let begin = self.begin()?;
        let hours: BTreeSet<u32> = seen.iter().map(|object| hour_of(object.time)).collect();
        self.recall(&hours)?;
        let again = {
            let sea = lock(&self.sea);
            let watermark = self.watermark(&sea);
            sea.tide.due_again(watermark)
        };
        let is_here = |object: &LedgerObject| object.state != ObjectState::Ahead;
        let here = seen.iter().filter(|object| is_here(object));
        let newest = here.map(|object| object.time).max().unwrap_or(0);
        let mut new = Vec::new();
        let hours = self.ledger.write(|change| {
            for object in seen {
                if hour_of(object.time) < begin {
                    // Of before: evidence only.
                    let (start, state) = (hour_of(object.time), HourState::Settled);
                    change.put(&LedgerObject {
                        state: ObjectState::Judged,
                        ..object.clone()
                    })?;
                    if change.hour(start)?.is_none() {
                        change.put_hour(LedgerHour {
                            start,
                            state,
                            due: None,
                        })?;
                    }
                } else if change.see(object, again)? {
                    new.push(object.clone());
                }
            }
            change.set(NEWEST, u64::from(newest).max(change.counter(NEWEST)?))?;
            change.count("objects", new.len() as u64)?;
            let mut known = Vec::new();
            for object in new.iter().filter(|object| is_here(object)) {
                known.extend(change.hour(hour_of(object.time))?);
            }
            Ok(known)
        })?;
        new.retain(is_here);
        {
            let mut sea = lock(&self.sea);
            sea.tide.hear_of(newest);
            hours.iter().for_each(|hour| sea.tide.know(*hour));
            new.iter().for_each(|object| sea.tide.came(object.time));
        }
        if !new.is_empty() {
            self.stop.ring();
        }
        let over = self.clock.seconds().saturating_sub(self.settings.lateness);
        let is_history = |hour: &LedgerHour| {
            hour.state == HourState::Open && hour.start.saturating_add(HOUR_SECS) <= over
        };
        let history = hours.iter().filter(|hour| is_history(hour));
        let history: BTreeSet<u32> = history.map(|hour| hour.start).collect();
        new.retain(|object| !history.contains(&hour_of(object.time)));
        Ok(new)
    }

    /// Takes objects that were set aside because their key time lay ahead, once that has come near.
    fn take_what_was_ahead(&self, s3: Option<S3>) -> Result<(), ScanError> {
        let now = self.clock.seconds();
        let soon = hour_of(now)..hour_of(now.saturating_add(AHEAD)) + 1;
        let ahead: Vec<LedgerObject> = self
            .ledger
            .read()?
            .objects(soon)?
            .into_iter()
            .filter(|object| object.state == ObjectState::Ahead && object.time <= now + AHEAD)
            .map(|object| LedgerObject {
                state: ObjectState::Seen,
                ..object
            })
            .collect();
        if ahead.is_empty() {
            return Ok(());
        }
        let new = self.enter_seen(&ahead)?;
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
            self.ledger.write(|change| {
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

    /// Looks at objects that a run before this one took and did not come to look at.
    fn look_at_what_waits(&self, s3: Option<S3>) -> Result<(), ScanError> {
        let view = self.ledger.read()?;
        let mut waiting = Vec::new();
        for hour in view.hours()? {
            if hour.state == HourState::Settled && hour.due.is_none() {
                continue;
            }
            let objects = view.objects(hour.start..hour.start + 1)?;
            waiting.extend(
                objects
                    .into_iter()
                    .filter(|object| object.state == ObjectState::Seen),
            );
        }
        self.look(&waiting, s3)
    }

    /// Announces what objects show by themselves, whatever comes later.
    fn look(&self, new: &[LedgerObject], s3: Option<S3>) -> Result<(), ScanError> {
        let objects: Vec<Object> = new.iter().filter_map(object).collect();
        if objects.is_empty() || self.senders.is_empty() {
            return Ok(());
        }
        let settings = ScanSettings {
            // Beside the thread that judges hours.
            threads: 1,
            memory: self.settings.judging.memory / 4,
            keep: Keep::None,
            ..self.settings.judging.clone()
        };
        let progress = UntilAborted(self.stop);
        let run = Run {
            settings: &settings,
            policy: self.policy,
            runtime: self.runtime,
            temp: self.temp,
            lake: None,
            open_slot: None,
            certain: true,
            asked: None,
            committed: BTreeSet::new(),
            since: None,
            until: None,
            progress: &progress,
        };
        let shared = run.share(s3);
        run.judge_batch(objects, &shared, &mut Carried::default())?;
        let days = shared.hours.finish().days;
        let findings: Vec<_> = days.into_values().flat_map(|day| day.findings).collect();
        self.announce(&findings, |change| {
            new.iter().try_for_each(|object| change.looked(object))
        })
    }
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
        state: if time > now.saturating_add(AHEAD) {
            ObjectState::Ahead
        } else {
            ObjectState::Seen
        },
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
        let slot = object.time - object.time % SLOT_SECS;
        slots.entry(slot).or_default().push(object);
    }
    slots
}
