//! Brings alerts to a target: from its queue in the ledger, in order, again and again until it takes them. A target that
//! hangs or fails holds up nobody else.

use std::time::Duration;

use crate::alert::{SendError, Sender};
use crate::ledger::Waiting;

use super::super::error::ScanError;
use super::super::lock;
use super::{TICK, Watch};

/// Alerts that are sent together where the target takes several.
const TOGETHER: usize = 100;
/// How long is waited after a target failed, at first and at most, milliseconds.
const PAUSES: (u64, u64) = (1000, 300_000);

impl Watch<'_> {
    /// Delivers until nothing more will come and all is delivered, or there is no more time.
    pub(super) fn deliver(&self, sender: &Sender) {
        loop {
            let rings = self.stop.rings();
            let done = lock(&self.sea).done;
            let grace = Duration::from_secs(u64::from(self.settings.grace));
            let is_late = done.is_some_and(|done| done.elapsed() > grace);
            match self.deliver_some(sender) {
                Ok(Delivered::Some) => {}
                Ok(Delivered::All) if done.is_some() => return,
                _ if is_late || self.stop.is_abort() => return,
                Ok(Delivered::All) => self.stop.wait(TICK, Some(rings)),
                Ok(Delivered::NotNow) => self.pause(),
                Err(error) => {
                    tracing::error!("alerts wait: {error}");
                    self.pause();
                }
            }
        }
    }

    /// Waits a moment, whether or not the end is asked for: what waits is wanted to go.
    fn pause(&self) {
        std::thread::sleep(Duration::from_millis(100));
    }

    fn deliver_some(&self, sender: &Sender) -> Result<Delivered, ScanError> {
        let target = sender.target();
        let id = target.id();
        let waiting = self.ledger.read()?.waiting(&id, TOGETHER)?;
        if waiting.is_empty() {
            return Ok(Delivered::All);
        }
        let now = self.clock.now();
        let due: Vec<Waiting> = waiting
            .into_iter()
            .filter(|alert| alert.due <= now)
            .collect();
        if due.is_empty() {
            return Ok(Delivered::NotNow);
        }
        let texts: Vec<String> = due.iter().map(|alert| alert.alert.clone()).collect();
        let (taken, outcome) = self.runtime.block_on(sender.send(&texts, now / 1000));
        let numbers: Vec<u64> = due.iter().map(|alert| alert.number).collect();
        let (sent, left) = numbers.split_at(taken);
        self.ledger.write(|change| {
            change.sent(&id, sent)?;
            change.count("alerts-sent", sent.len() as u64)?;
            let Err(error) = &outcome else { return Ok(()) };
            let tries = due[taken].tries;
            let (first, most) = PAUSES;
            let pause = first.saturating_mul(1 << tries.min(16)).min(most);
            // One that is not taken for its own sake holds up no other.
            let held = match error {
                SendError::Never(_) => &left[..1],
                SendError::Later(_) => left,
            };
            change.not_sent(&id, held, now + pause)
        })?;
        match outcome {
            Ok(()) => Ok(Delivered::Some),
            Err(error) => {
                let count = left.len();
                tracing::warn!(
                    "{} did not take an alert, {count} wait: {error}",
                    target.shown()
                );
                Ok(Delivered::NotNow)
            }
        }
    }
}

enum Delivered {
    /// Some were.
    Some,
    /// Nothing waits.
    All,
    /// What waits is not to be tried yet.
    NotNow,
}
