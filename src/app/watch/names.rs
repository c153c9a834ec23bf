//! What a watch knows of names: Resolver logs, read as they come.
//!
//! A slot is judged by what they tell by then. An hour goes by logs of long after it, so it is judged again when it settles,
//! and once more when all of them are there, if they say something else by then.

use std::path::Path;
use std::sync::Mutex;

use tokio::runtime::Runtime;

use super::super::error::ScanError;
use super::super::lock;
use super::super::progress::Progress;
use super::super::resolver::{ResolverLogs, ResolverReport, needed, sources, whole_at};
use crate::policy::Policy;
use crate::sink::Hour;

const DAY: u32 = 86_400;

/// The Resolver logs of a watch whose policy names some.
pub(super) struct Names<'a> {
    policy: &'a Policy,
    file: &'a Path,
    /// The bound that shares are taken of, bytes.
    memory: u64,
    /// How long after an hour it may be judged again, seconds; beyond it logs are read anew.
    kept: u32,
    reading: Mutex<Option<Reading<'a>>>,
}

/// What was read for hours from one on.
struct Reading<'a> {
    logs: ResolverLogs<'a>,
    from: u32,
    /// What was told of it.
    warnings: Vec<String>,
}

impl<'a> Names<'a> {
    /// Those that a policy names, none read yet; none if it names none. Hours are judged again until `settle` seconds after
    /// their end.
    ///
    /// # Errors
    /// When what it names is no source.
    pub fn of(
        policy: &'a Policy,
        file: &'a Path,
        memory: u64,
        settle: u32,
    ) -> Result<Option<Names<'a>>, ScanError> {
        if policy.resolver_logs().is_empty() {
            return Ok(None);
        }
        sources(policy, file)?;
        Ok(Some(Names {
            policy,
            file,
            memory,
            kept: settle.max(whole_at(policy, 0)) + DAY,
            reading: Mutex::default(),
        }))
    }

    /// The policy as it knows what the logs tell by now of the hours from an instant until another, seconds.
    ///
    /// # Errors
    /// When it was interrupted.
    pub fn known(
        &self,
        from: u32,
        until: u32,
        runtime: &Runtime,
        progress: &dyn Progress,
    ) -> Result<(Policy, ResolverReport), ScanError> {
        let mut reading = lock(&self.reading);
        let reading = self.read(&mut reading, from, until, runtime, progress)?;
        let (lookups, report) = reading.logs.clone().finish();
        let warnings = report.warnings();
        for warning in &warnings {
            if !reading.warnings.contains(warning) {
                tracing::warn!("{warning}");
            }
        }
        reading.warnings = warnings;
        Ok((self.policy.knowing(lookups), report))
    }

    /// What an hour is judged by now: as [`ResolverReport::digest_of`].
    ///
    /// # Errors
    /// As [`Names::known`].
    pub fn digest_of(
        &self,
        hour: Hour,
        runtime: &Runtime,
        progress: &dyn Progress,
    ) -> Result<String, ScanError> {
        let mut reading = lock(&self.reading);
        let (from, until) = (hour.start(), hour.start() + 3600);
        let reading = self.read(&mut reading, from, until, runtime, progress)?;
        Ok(reading.logs.digest_of(hour))
    }

    /// From which time on, seconds, all logs are there that an hour is judged by.
    pub fn whole_at(&self, hour: u32) -> u32 {
        whole_at(self.policy, hour)
    }

    /// Reads what came for these hours, and forgets what is of long before them.
    fn read<'r>(
        &self,
        reading: &'r mut Option<Reading<'a>>,
        from: u32,
        until: u32,
        runtime: &Runtime,
        progress: &dyn Progress,
    ) -> Result<&'r mut Reading<'a>, ScanError> {
        if reading.as_ref().is_some_and(|reading| from < reading.from) {
            *reading = None;
        }
        let reading = reading.get_or_insert_with(|| Reading {
            logs: ResolverLogs::new(self.policy, self.file, self.memory),
            from,
            warnings: Vec::new(),
        });
        let earliest = from.saturating_sub(self.kept);
        if earliest >= reading.from.saturating_add(DAY) {
            if reading.logs.is_over() {
                // What was let go for what is forgotten now has room.
                reading.logs = ResolverLogs::new(self.policy, self.file, self.memory);
            } else {
                reading.logs.forget_before(earliest);
            }
            reading.from = earliest;
        }
        let times = needed(self.policy, [Some(reading.from), Some(until)]);
        match reading.logs.read(times, runtime, progress) {
            Err(error) if progress.is_over() => return Err(error),
            // All else can be judged without; what cannot is unproven, and judged again.
            Err(error) => tracing::warn!("Resolver logs cannot be read now: {error}"),
            Ok(_) => {}
        }
        Ok(reading)
    }
}
