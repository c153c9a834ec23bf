//! One watch at a time writes to a lake: the second one waits, and takes over when the first is gone.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::sink::{Asked, Beat, Lake, Lease};

use super::super::error::ScanError;
use super::super::stop::Stop;

/// The ledger's number that names who holds a lease: the same from run to run.
const HOLDER: &str = "lease-holder";
/// How often a holder beats in the time for which a silent one is believed to live.
const BEATS: u32 = 4;
/// How long is waited between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits until the lake's lease is ours; none if the end is asked for before. A holder that is silent for `patience` is
/// believed to be gone.
pub(super) fn wait(
    lake: &Lake,
    ledger: &Ledger,
    patience: Duration,
    stop: &Stop,
) -> Result<Option<Lease>, ScanError> {
    let holder = ledger.write(|change| {
        let known = change.counter(HOLDER)?;
        let holder = if known == 0 {
            RandomState::new().hash_one(std::process::id())
        } else {
            known
        };
        change.set(HOLDER, holder)?;
        Ok(format!("{holder:016x}"))
    })?;
    let mut seen: Option<(Beat, Instant)> = None;
    let mut is_told = false;
    while !stop.is_asked() {
        let dead = seen
            .as_ref()
            .filter(|(_, since)| since.elapsed() > patience);
        let asked = Lease::ask(lake, &holder, dead.map(|(beat, _)| beat));
        match asked.map_err(ScanError::from)? {
            Asked::Held(lease) => return Ok(Some(lease)),
            Asked::Taken(Some(beat)) if seen.as_ref().is_none_or(|(known, _)| *known != beat) => {
                seen = Some((beat, Instant::now()));
            }
            Asked::Taken(_) => {}
        }
        if !is_told {
            let url = lake.store().url();
            tracing::warn!("another watch writes to {url}: waiting until it is gone");
            is_told = true;
        }
        stop.wait(PAUSE.min(patience / BEATS), None);
    }
    Ok(None)
}

/// Keeps the lease until `is_done`; whether it was held until then. One that is lost, or not known to be held any more, ends
/// the watch at once: another may write.
pub(super) fn keep(
    mut lease: Lease,
    patience: Duration,
    stop: &Stop,
    is_done: impl Fn() -> bool,
) -> bool {
    let mut held_at = Instant::now();
    while !is_done() {
        let rings = stop.rings();
        if held_at.elapsed() >= patience / BEATS {
            let begun = Instant::now();
            match lease.renew() {
                Ok(true) => held_at = begun,
                Ok(false) => {
                    stop.abort();
                    return false;
                }
                Err(error) => tracing::warn!("the lake's lease is not renewed: {error}"),
            }
            if held_at.elapsed() > patience / 2 {
                stop.abort();
                return false;
            }
        }
        stop.wait_for_ring(patience / BEATS / 2, rings);
    }
    if let Err(error) = lease.give_back() {
        tracing::warn!("the lake's lease is not given back, and runs out: {error}");
    }
    true
}
