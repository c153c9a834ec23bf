//! Changes to a ledger, within one transaction.

use std::collections::BTreeSet;
use std::path::Path;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::judge::fold::{hour_at, slot_at};

use super::{
    ABOUT, ASIDE, Announced, COUNTS, FINDINGS, FORMAT, HOURS, HourState, LedgerError, LedgerHour,
    LedgerObject, OBJECTS, OUTBOX, ObjectKey, ObjectState, ObjectValue, SLOTS,
};

/// A transaction that is being made.
pub struct Change<'t> {
    path: &'t Path,
    about: Table<'t, &'static str, &'static str>,
    objects: Table<'t, ObjectKey, ObjectValue>,
    aside: Table<'t, &'static str, (u32, u64, &'static str)>,
    hours: Table<'t, u32, (u8, u32)>,
    slots: Table<'t, u32, ()>,
    findings: Table<'t, &'static str, (u32, u32, u8, bool, &'static str)>,
    outbox: Table<'t, (&'static str, u64), (&'static str, u32, u64)>,
    counts: Table<'t, &'static str, u64>,
}

impl<'t> Change<'t> {
    pub(super) fn new(
        transaction: &'t WriteTransaction,
        path: &'t Path,
    ) -> Result<Change<'t>, LedgerError> {
        let open = || -> Result<Change<'t>, redb::Error> {
            Ok(Change {
                path,
                about: transaction.open_table(ABOUT)?,
                objects: transaction.open_table(OBJECTS)?,
                aside: transaction.open_table(ASIDE)?,
                hours: transaction.open_table(HOURS)?,
                slots: transaction.open_table(SLOTS)?,
                findings: transaction.open_table(FINDINGS)?,
                outbox: transaction.open_table(OUTBOX)?,
                counts: transaction.open_table(COUNTS)?,
            })
        };
        open().map_err(|error| LedgerError::of(path, error))
    }

    fn failed(&self, error: redb::StorageError) -> LedgerError {
        LedgerError::of(self.path, error.into())
    }

    /// A new ledger notes its format and scope; an old one must be of them.
    pub(super) fn begin(&mut self, scope: &str) -> Result<(), LedgerError> {
        for (name, expected) in [("format", FORMAT), ("scope", scope)] {
            let found = self.about.get(name).map_err(|error| self.failed(error))?;
            let found = found.map(|found| found.value().to_owned());
            match found {
                None => {
                    let put = self.about.insert(name, expected).map(drop);
                    put.map_err(|error| self.failed(error))?;
                }
                Some(found) if found == expected => {}
                Some(found) if name == "format" => {
                    return Err(LedgerError::OtherFormat {
                        path: self.path.to_owned(),
                        found,
                        expected: FORMAT,
                    });
                }
                Some(found) => {
                    return Err(LedgerError::OtherScope {
                        path: self.path.to_owned(),
                        found,
                        expected: expected.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn about_for_tests(&mut self, name: &str, value: &str) -> Result<(), LedgerError> {
        let put = self.about.insert(name, value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Enters an object; false if it is known with this entity tag and size. One of a committed hour makes the hour due
    /// again at the watermark `due`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn see(&mut self, object: &LedgerObject, due: u32) -> Result<bool, LedgerError> {
        let hour = hour_at(object.time);
        let key = (hour, object.url.as_str());
        let known = self.objects.get(key).map_err(|error| self.failed(error))?;
        let is_known = known.is_some_and(|known| {
            let (_, size, etag, _, _) = known.value();
            size == object.size && etag == object.etag
        });
        if is_known {
            return Ok(false);
        }
        self.put(object)?;
        let slot = slot_at(object.time);
        let reopened = self.slots.remove(slot).map(drop);
        reopened.map_err(|error| self.failed(error))?;
        let (state, was_due) = match self.hour(hour)? {
            Some(known) => (known.state, known.due),
            None => (HourState::Open, None),
        };
        let due = was_due.map_or(due, |was_due| was_due.min(due));
        let due = (state != HourState::Open).then_some(due);
        self.put_hour(LedgerHour {
            start: hour,
            state,
            due,
        })?;
        Ok(true)
    }

    /// Sets an object aside: its key time lies so far ahead that it is not believed yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn set_aside(&mut self, object: &LedgerObject) -> Result<(), LedgerError> {
        let value = (object.time, object.size, object.etag.as_str());
        let put = self.aside.insert(object.url.as_str(), value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Takes an object that was set aside.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn take_up(&mut self, url: &str) -> Result<(), LedgerError> {
        let gone = self.aside.remove(url).map(drop);
        gone.map_err(|error| self.failed(error))
    }

    /// Enters what is known of an object, in place of what was.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put(&mut self, object: &LedgerObject) -> Result<(), LedgerError> {
        let value = (
            object.time,
            object.size,
            object.etag.as_str(),
            object.arrived,
            object.state as u8,
        );
        let key = (hour_at(object.time), object.url.as_str());
        let put = self.objects.insert(key, value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Notes that what an object shows by itself was announced.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn looked(&mut self, object: &LedgerObject) -> Result<(), LedgerError> {
        let key = (hour_at(object.time), object.url.as_str());
        let known = self.objects.get(key).map_err(|error| self.failed(error))?;
        let is_same = known.is_some_and(|known| {
            let (_, size, etag, _, state) = known.value();
            size == object.size
                && etag == object.etag
                && ObjectState::of(state) == ObjectState::Seen
        });
        if is_same {
            self.put(&LedgerObject {
                state: ObjectState::Looked,
                ..object.clone()
            })?;
        }
        Ok(())
    }

    /// An hour; none if nothing is known of it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn hour(&self, start: u32) -> Result<Option<LedgerHour>, LedgerError> {
        let found = self.hours.get(start).map_err(|error| self.failed(error))?;
        Ok(found.map(|found| hour_from(start, found.value())))
    }

    /// Enters an hour.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put_hour(&mut self, hour: LedgerHour) -> Result<(), LedgerError> {
        let value = (hour.state as u8, hour.due.unwrap_or(0));
        let put = self.hours.insert(hour.start, value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Notes that an hour is judged as these objects have it, and is in this state. Objects that came since, or came
    /// anew, leave it due, from the watermark `again` on where it is settled; so do those that `lacked` says could not be
    /// read yet. Where it goes by more than objects, `whole_at` says when a settled hour is due for that.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn judged(
        &mut self,
        start: u32,
        state: HourState,
        objects: &[LedgerObject],
        lacked: &BTreeSet<String>,
        again: u32,
        whole_at: Option<u32>,
    ) -> Result<(), LedgerError> {
        for object in objects {
            let key = (start, object.url.as_str());
            let known = self.objects.get(key).map_err(|error| self.failed(error))?;
            let is_same = known.is_some_and(|known| {
                let (_, size, etag, _, _) = known.value();
                size == object.size && etag == object.etag
            });
            if is_same && lacked.contains(&object.url) {
                self.put(&LedgerObject {
                    state: ObjectState::Looked,
                    ..object.clone()
                })?;
            } else if is_same {
                self.put(&LedgerObject {
                    state: ObjectState::Judged,
                    ..object.clone()
                })?;
            }
        }
        let came_since = self.has_unjudged(start)?;
        let whole_at = whole_at.filter(|_| state == HourState::Settled);
        let due = [came_since.then_some(again), whole_at];
        let due = due.into_iter().flatten().min();
        self.put_hour(LedgerHour { start, state, due })?;
        let end = start + 3600;
        let gone = self.slots.retain_in(start..end, |_, ()| false);
        gone.map_err(|error| self.failed(error))
    }

    /// Whether an hour has objects that are not judged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn has_unjudged(&self, start: u32) -> Result<bool, LedgerError> {
        let failed = |error| LedgerError::of(self.path, redb::StorageError::into(error));
        let of_hour = self.objects.range((start, "")..(start + 1, ""));
        for entry in of_hour.map_err(failed)? {
            let (_, value) = entry.map_err(failed)?;
            if ObjectState::of(value.value().4) < ObjectState::Judged {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that a slot of an open hour was judged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn slot_judged(&mut self, start: u32) -> Result<(), LedgerError> {
        let put = self.slots.insert(start, ()).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// What was announced of a finding.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn announced(&self, id: &str) -> Result<Option<Announced>, LedgerError> {
        let found = self.findings.get(id).map_err(|error| self.failed(error))?;
        Ok(found.map(|found| announced_from(found.value())))
    }

    /// All findings that were announced, by id.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn findings(&self) -> Result<Vec<(String, Announced)>, LedgerError> {
        let mut findings = Vec::new();
        let all = self.findings.iter().map_err(|error| self.failed(error))?;
        for entry in all {
            let (id, value) = entry.map_err(|error| self.failed(error))?;
            findings.push((id.value().to_owned(), announced_from(value.value())));
        }
        Ok(findings)
    }

    /// Notes what was announced of a finding.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn announce(&mut self, id: &str, what: &Announced) -> Result<(), LedgerError> {
        let value = (
            what.opened,
            what.last_seen,
            what.severity,
            what.resolved,
            what.brief.as_str(),
        );
        let put = self.findings.insert(id, value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Forgets a finding: if it comes back, it is new.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget_finding(&mut self, id: &str) -> Result<(), LedgerError> {
        let gone = self.findings.remove(id).map(drop);
        gone.map_err(|error| self.failed(error))
    }

    /// Puts an alert into a sink's queue.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn queue(&mut self, sink: &str, alert: &str) -> Result<(), LedgerError> {
        let number = self.count("alerts", 1)?;
        let put = self.outbox.insert((sink, number), (alert, 0, 0)).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Takes alerts that a sink has got out of its queue.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sent(&mut self, sink: &str, numbers: &[u64]) -> Result<(), LedgerError> {
        for number in numbers {
            let gone = self.outbox.remove((sink, *number)).map(drop);
            gone.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Notes that a sink did not take alerts, and from when on (milliseconds since 1970) to try again; or that those were not
    /// tried, and wait as long.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn not_sent(
        &mut self,
        sink: &str,
        numbers: &[u64],
        were_tried: bool,
        due: u64,
    ) -> Result<(), LedgerError> {
        for number in numbers {
            let key = (sink, *number);
            let found = self.outbox.get(key).map_err(|error| self.failed(error))?;
            let Some((alert, tries)) = found.map(|found| {
                let (alert, tries, _) = found.value();
                (alert.to_owned(), tries)
            }) else {
                continue;
            };
            let value = (
                alert.as_str(),
                tries.saturating_add(u32::from(were_tried)),
                due,
            );
            let put = self.outbox.insert(key, value).map(drop);
            put.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Adds to a counter; what it is then.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn count(&mut self, name: &str, more: u64) -> Result<u64, LedgerError> {
        let now = self.counter(name)?.saturating_add(more);
        self.set(name, now)?;
        Ok(now)
    }

    /// A counter, or a time; 0 if it was never set.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn counter(&self, name: &str) -> Result<u64, LedgerError> {
        let found = self.counts.get(name).map_err(|error| self.failed(error))?;
        Ok(found.map_or(0, |found| found.value()))
    }

    /// Sets a counter, or a time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), LedgerError> {
        let put = self.counts.insert(name, value).map(drop);
        put.map_err(|error| self.failed(error))
    }

    /// Takes a counter away.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn unset(&mut self, name: &str) -> Result<(), LedgerError> {
        let gone = self.counts.remove(name).map(drop);
        gone.map_err(|error| self.failed(error))
    }

    /// Forgets settled hours before this instant, with their objects; which they were. What comes of them later is looked
    /// up in the lake.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget(&mut self, before: u32) -> Result<Vec<u32>, LedgerError> {
        let mut old = Vec::new();
        for entry in self
            .hours
            .range(..before)
            .map_err(|error| self.failed(error))?
        {
            let (start, value) = entry.map_err(|error| self.failed(error))?;
            let hour = hour_from(start.value(), value.value());
            if hour.state == HourState::Settled && hour.due.is_none() {
                old.push(hour.start);
            }
        }
        for start in &old {
            let gone = self.hours.remove(*start).map(drop);
            gone.map_err(|error| self.failed(error))?;
            let range = (*start, "")..(start + 1, "");
            let gone = self.objects.retain_in(range, |_, _| false);
            gone.map_err(|error| self.failed(error))?;
        }
        Ok(old)
    }
}

pub(super) fn hour_from(start: u32, (state, due): (u8, u32)) -> LedgerHour {
    LedgerHour {
        start,
        state: HourState::of(state),
        due: (due > 0).then_some(due),
    }
}

pub(super) fn announced_from(
    (opened, last_seen, severity, resolved, brief): (u32, u32, u8, bool, &str),
) -> Announced {
    Announced {
        opened,
        last_seen,
        severity,
        resolved,
        brief: brief.to_owned(),
    }
}

pub(super) fn object_from(
    (_, url): (u32, &str),
    (time, size, etag, arrived, state): (u32, u64, &str, u64, u8),
) -> LedgerObject {
    LedgerObject {
        url: url.to_owned(),
        time,
        size,
        etag: etag.to_owned(),
        arrived,
        state: ObjectState::of(state),
    }
}
