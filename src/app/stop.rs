//! How a mode that goes on and on is asked to end, and what time it is: both are handed in, so that tests have their own.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::lock;
use super::progress::Progress;

/// What time it is.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> u64;

    /// Seconds since 1970.
    fn seconds(&self) -> u32 {
        u32::try_from(self.now() / 1000).unwrap_or(u32::MAX)
    }
}

/// Asks for the end: work comes to a good end, or, when that is asked for, to any.
#[derive(Debug, Default)]
pub struct Stop {
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    is_asked: bool,
    is_abort: bool,
    /// Whether somebody rang since it was last waited.
    rings: u64,
}

impl Stop {
    /// Asks for a good end.
    pub fn ask(&self) {
        lock(&self.asked).is_asked = true;
        self.changed.notify_all();
    }

    /// Asks for an end now.
    pub fn abort(&self) {
        let mut asked = lock(&self.asked);
        (asked.is_asked, asked.is_abort) = (true, true);
        self.changed.notify_all();
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        lock(&self.asked).is_asked
    }

    /// Whether an end now was asked for.
    pub fn is_abort(&self) -> bool {
        lock(&self.asked).is_abort
    }

    /// Wakes whoever waits.
    pub(super) fn ring(&self) {
        lock(&self.asked).rings += 1;
        self.changed.notify_all();
    }

    /// How often it rang.
    pub(super) fn rings(&self) -> u64 {
        lock(&self.asked).rings
    }

    /// Waits so long, or until the end is asked for, or it has rung since it had rung so often; none heeds no ringing.
    pub(super) fn wait(&self, most: Duration, rings: Option<u64>) {
        self.wait_until(most, |asked| {
            asked.is_asked || rings.is_some_and(|rings| rings != asked.rings)
        });
    }

    /// Waits so long, or until it has rung since it had rung so often, whether or not the end is asked for.
    pub(super) fn wait_for_ring(&self, most: Duration, rings: u64) {
        self.wait_until(most, |asked| asked.is_abort || rings != asked.rings);
    }

    fn wait_until(&self, most: Duration, is_so: impl Fn(&Asked) -> bool) {
        let asked = lock(&self.asked);
        let waited = self
            .changed
            .wait_timeout_while(asked, most, |asked| !is_so(asked));
        drop(waited);
    }
}

/// Progress of what nobody watches: it is over when an end now is asked for.
pub(super) struct UntilAborted<'s>(pub &'s Stop);

impl Progress for UntilAborted<'_> {
    fn is_over(&self) -> bool {
        self.0.is_abort()
    }
}
