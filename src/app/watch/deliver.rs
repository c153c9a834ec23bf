//! Brings alerts to a target: from its queue in the ledger, in order, again and again until it takes them. A target that
//! hangs or fails holds up nobody else.

use std::time::{Duration, Instant};

use crate::alert::{SendError, Sender, flood};

use super::super::error::ScanError;
use super::super::lock;
use super::{TICK, Watch};

/// The counter of alerts that were delivered.
pub(super) const SENT: &str = "alerts-sent";
/// The time that a target's rate is of.
const MINUTE: Duration = Duration::from_secs(60);
/// Alerts that are sent together where the target takes several.
const TOGETHER: usize = 100;
/// How often an alert is tried that its target refuses for its own sake: some three days.
const TRIES: u32 = 900;
/// Alerts that one message stands for at most.
const FLOOD: usize = 10_000;
/// How long is waited after a target failed, at first and at most, milliseconds.
const PAUSES: (u64, u64) = (1000, 300_000);

impl Watch<'_> {
    /// Delivers until nothing more will come and all is delivered, or there is no more time.
    pub(super) fn deliver(&self, sender: &Sender) {
        let mut pace = Pace::default();
        loop {
            let rings = self.stop.rings();
            let done = lock(&self.sea).done;
            let grace = Duration::from_secs(u64::from(self.settings.grace));
            let is_late = done.is_some_and(|done| done.elapsed() > grace);
            // Nothing more will come: what is left goes now.
            pace.is_last = done.is_some();
            match self.deliver_some(sender, &mut pace) {
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

    /// Delivers what waits, as much as the target is to take now.
    fn deliver_some(&self, sender: &Sender, pace: &mut Pace) -> Result<Delivered, ScanError> {
        let target = sender.target();
        let id = target.id();
        let next = pace.next(target.rate(), Instant::now());
        let most = match next {
            Next::Together => FLOOD,
            _ => TOGETHER,
        };
        let now = self.clock.now();
        let view = self.ledger.read()?;
        let due = view.waiting(&id, most, now)?;
        if due.is_empty() {
            let is_empty = view.waiting(&id, 1, u64::MAX)?.is_empty();
            return Ok(if is_empty {
                Delivered::All
            } else {
                Delivered::NotNow
            });
        }
        let numbers: Vec<u64> = due.iter().map(|alert| alert.number).collect();
        let mut texts: Vec<String> = due.iter().map(|alert| alert.alert.clone()).collect();
        // How many alerts each of the texts stands for.
        let mut stands_for = vec![1; texts.len()];
        match next {
            Next::Some(most) if texts.len() > most => {
                texts.truncate(most);
                stands_for.truncate(most);
            }
            Next::Some(_) => {}
            Next::Together => {
                stands_for = vec![texts.len()];
                texts = vec![flood(&texts)];
            }
            Next::None => return Ok(Delivered::NotNow),
        }
        let (taken, outcome) = self.runtime.block_on(sender.send(&texts, now / 1000));
        pace.sent(taken, Instant::now());
        let sent: usize = stands_for[..taken].iter().sum();
        let (sent, left) = numbers.split_at(sent);
        self.ledger.write(|change| {
            change.sent(&id, sent)?;
            change.count(SENT, sent.len() as u64)?;
            let Err(error) = &outcome else { return Ok(()) };
            let tries = due[sent.len()].tries;
            let (first, most) = PAUSES;
            let pause = first.saturating_mul(1 << tries.min(16)).min(most);
            // One that is not taken for its own sake holds up no other, and is not tried for ever.
            let held = match error {
                SendError::Never(_) => &left[..stands_for[taken]],
                SendError::Later(_) => left,
            };
            if matches!(error, SendError::Never(_)) && tries >= TRIES {
                change.sent(&id, held)?;
                return change.count("alerts-refused", held.len() as u64).map(drop);
            }
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

/// How fast a target is told: so many alerts a minute one by one, and what else there is in that minute in one.
#[derive(Default)]
struct Pace {
    began: Option<Instant>,
    sent: usize,
    /// Whether nothing more will come.
    is_last: bool,
}

/// What may be sent next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// So many, one by one.
    Some(usize),
    /// All that waits, in one.
    Together,
    /// Nothing before the minute is over.
    None,
}

impl Pace {
    fn next(&mut self, rate: Option<usize>, now: Instant) -> Next {
        let Some(rate) = rate else {
            return Next::Some(usize::MAX);
        };
        if self.began.is_none_or(|began| now - began >= MINUTE) {
            (self.began, self.sent) = (None, 0);
        }
        match self.sent {
            sent if sent < rate => Next::Some(rate - sent),
            sent if sent == rate || self.is_last => Next::Together,
            _ => Next::None,
        }
    }

    fn sent(&mut self, count: usize, now: Instant) {
        self.began.get_or_insert(now);
        self.sent += count;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_target_is_to_take_in_a_minute_comes_in_one() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        assert_eq!(pace.next(None, begin), Next::Some(usize::MAX));
        assert_eq!(pace.next(Some(3), begin), Next::Some(3));
        pace.sent(2, begin);
        assert_eq!(pace.next(Some(3), begin), Next::Some(1));
        pace.sent(1, begin);
        assert_eq!(pace.next(Some(3), begin), Next::Together);
        pace.sent(1, begin);
        assert_eq!(pace.next(Some(3), begin + MINUTE / 2), Next::None);
        assert_eq!(pace.next(Some(3), begin + MINUTE), Next::Some(3));
        pace.sent(4, begin + MINUTE);
        pace.is_last = true;
        assert_eq!(pace.next(Some(3), begin + MINUTE), Next::Together);
    }
}
