//! Brings alerts to a target: from its queue in the ledger, in order, again and again until it takes them. A target that
//! hangs or fails holds up nobody else.

use std::time::{Duration, Instant};

use crate::alert::{SendError, Sender, flood};
use crate::ledger::Waiting;

use super::super::error::ScanError;
use super::super::lock;
use super::{TICK, Watch};

/// The counter of alerts that were delivered.
pub(super) const SENT: &str = "alerts-sent";
/// The ledger's counter of alerts that were given up.
pub(super) const GIVEN_UP: &str = "alerts-refused";
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
        if now < pace.rests_until {
            return Ok(Delivered::NotNow);
        }
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
        let outcomes = self.runtime.block_on(sender.send(&texts, now));
        let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        pace.sent(taken, Instant::now());
        let fate = Fate::of(&due, &stands_for, &outcomes);
        let given_up = self.ledger.write(|change| {
            let mut given_up = 0;
            change.sent(&id, &numbers(&fate.sent))?;
            change.count(SENT, fate.sent.len() as u64)?;
            // One that is not taken for its own sake holds up no other, and is not tried for ever.
            for held in fate.refused.iter().filter(|held| !held.is_empty()) {
                if held[0].tries >= TRIES {
                    change.sent(&id, &numbers(held))?;
                    change.count(GIVEN_UP, held.len() as u64)?;
                    given_up += held.len();
                } else {
                    let due = now + pause(held[0].tries);
                    change.not_sent(&id, &numbers(held), true, due)?;
                }
            }
            if let Some(first) = fate.later.first() {
                let due = now + pause(first.tries);
                change.not_sent(&id, &numbers(&fate.later), true, due)?;
                change.not_sent(&id, &numbers(&fate.behind), false, due)?;
            }
            Ok(given_up)
        })?;
        if target.keeps_order()
            && let Some(first) = fate.later.first()
        {
            pace.rests_until = now + pause(first.tries);
        }
        let Some(error) = outcomes.into_iter().find_map(Result::err) else {
            return Ok(Delivered::Some);
        };
        if given_up > 0 {
            let shown = target.shown();
            tracing::error!(
                "{shown} refused {given_up} alerts {TRIES} times; they are given up: {error}"
            );
        }
        let count = due.len() - fate.sent.len() - given_up;
        tracing::warn!(
            "{} did not take an alert, {count} wait: {error}",
            target.shown()
        );
        Ok(Delivered::NotNow)
    }
}

/// How long an alert waits that was tried so often, milliseconds.
fn pause(tries: u32) -> u64 {
    let (first, most) = PAUSES;
    first.saturating_mul(1 << tries.min(16)).min(most)
}

/// The numbers of alerts in their queue.
fn numbers(alerts: &[&Waiting]) -> Vec<u64> {
    alerts.iter().map(|alert| alert.number).collect()
}

/// What is to become of alerts that were to be sent.
struct Fate<'a> {
    /// They were taken.
    sent: Vec<&'a Waiting>,
    /// They were not taken for their own sake: those of each text.
    refused: Vec<Vec<&'a Waiting>>,
    /// They are tried again together.
    later: Vec<&'a Waiting>,
    /// They stood behind those, were not tried, and wait with them.
    behind: Vec<&'a Waiting>,
}

impl<'a> Fate<'a> {
    /// By what became of the first texts, each of which stands for so many of the alerts. Others were not tried, and wait as
    /// they are unless something is to be tried later.
    fn of(
        due: &'a [Waiting],
        stands_for: &[usize],
        outcomes: &[Result<(), SendError>],
    ) -> Fate<'a> {
        let mut fate = Fate {
            sent: Vec::new(),
            refused: Vec::new(),
            later: Vec::new(),
            behind: Vec::new(),
        };
        let mut rest = due;
        for (outcome, count) in outcomes.iter().zip(stands_for) {
            let (these, others) = rest.split_at(*count);
            match outcome {
                Ok(()) => fate.sent.extend(these),
                Err(SendError::Never(_)) => fate.refused.push(these.iter().collect()),
                Err(SendError::Later(_)) => fate.later.extend(these),
            }
            rest = others;
        }
        if !fate.later.is_empty() {
            fate.behind.extend(rest);
        }
        fate
    }
}

/// How fast a target is told: so many alerts a minute one by one, and what else there is in that minute in one.
#[derive(Default)]
struct Pace {
    began: Option<Instant>,
    sent: usize,
    /// Whether nothing more will come.
    is_last: bool,
    /// Until when a target that keeps order is told nothing, milliseconds since 1970.
    rests_until: u64,
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

    #[test]
    fn what_fails_for_a_while_keeps_what_stands_behind_it() {
        fn check(outcomes: &[Result<(), SendError>], expected: [&[u64]; 4]) {
            let due: Vec<Waiting> = (0..5)
                .map(|number| Waiting {
                    number,
                    alert: String::new(),
                    tries: 0,
                    due: 0,
                })
                .collect();
            let fate = Fate::of(&due, &[1, 1, 2, 1], outcomes);
            let refused = fate.refused.concat();
            let found = [&fate.sent, &refused, &fate.later, &fate.behind];
            let found = found.map(|alerts| numbers(alerts));
            assert_eq!(found, expected, "{outcomes:?}");
        }
        let never = || Err(SendError::Never(String::new()));
        let later = || Err(SendError::Later(String::new()));
        check(&[Ok(())], [&[0], &[], &[], &[]]);
        check(&[Ok(()), never()], [&[0], &[1], &[], &[]]);
        check(&[Ok(()), later()], [&[0], &[], &[1], &[2, 3, 4]]);
        check(
            &[Ok(()), later(), Ok(()), never()],
            [&[0, 2, 3], &[4], &[1], &[]],
        );
    }
}
