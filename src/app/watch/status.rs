//! What a watch is doing, from its ledger: whether or not it is running.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ledger::{HourState, Ledger};

use super::super::error::ScanError;
use super::deliver::SENT;
use super::{BEGIN, NEWEST};

/// The state of a watch.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it watches.
    pub scope: String,
    /// From when on it judges, seconds; none before it has begun.
    pub begin: Option<u32>,
    /// The newest key time, seconds; none before the first object.
    pub newest: Option<u32>,
    /// Objects that it has entered.
    pub objects: u64,
    /// Hours that are open, committed, and committed with late objects that wait to be judged.
    pub hours: [u64; 3],
    /// Of the committed ones, those that are settled.
    pub settled: u64,
    /// Slots of open hours that were judged.
    pub slots: u64,
    /// Objects of open hours.
    pub backlog: u64,
    /// Objects whose names have no time: they are not judged.
    pub without_key_time: u64,
    /// Findings that are open.
    pub findings: u64,
    /// Alerts that were delivered.
    pub sent: u64,
    /// Alerts that wait, by queue.
    pub outbox: BTreeMap<String, u64>,
}

/// Reads the ledger in a state folder.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn status(state: &Path) -> Result<Status, ScanError> {
    let Some(view) = Ledger::look(state)? else {
        return Err(ScanError::Usage {
            message: format!("there is no ledger in `{}`", state.display()),
            hint: Some("--state names the folder that `tidegate watch` was given".to_owned()),
        });
    };
    let time = |name| -> Result<Option<u32>, ScanError> {
        let time = view.counter(name)?;
        Ok(u32::try_from(time).ok().filter(|time| *time > 0))
    };
    let mut status = Status {
        scope: view.about("scope")?.unwrap_or_default(),
        begin: time(BEGIN)?,
        newest: time(NEWEST)?,
        objects: view.counter("objects")?,
        without_key_time: view.counter("without-key-time")?,
        sent: view.counter(SENT)?,
        slots: view.judged_slots()?.len() as u64,
        outbox: view.outbox()?,
        ..Status::default()
    };
    for hour in view.hours()? {
        match (hour.state, hour.due) {
            (HourState::Open, _) => {
                status.hours[0] += 1;
                status.backlog += view.objects(hour.start..hour.start + 1)?.len() as u64;
            }
            (state, None) => {
                status.hours[1] += 1;
                status.settled += u64::from(state == HourState::Settled);
            }
            (_, Some(_)) => status.hours[2] += 1,
        }
    }
    let findings = view.findings()?;
    status.findings = findings.iter().filter(|(_, known)| !known.resolved).count() as u64;
    Ok(status)
}
