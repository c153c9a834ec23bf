//! What `--plan` says: how much a run would read, and about how long it would take and cost.

use std::collections::BTreeMap;

use super::batch::{no_objects, open_listing, runtime};
use super::error::ScanError;
use super::progress::Progress;
use super::settings::ScanSettings;
use super::terms::Terms;

/// Lists what the settings name, and says what a run would read.
///
/// # Errors
/// When the sources or the policies are not as they should be.
pub fn plan(settings: &ScanSettings, progress: &dyn Progress) -> Result<Plan, ScanError> {
    Terms::load(&settings.policies)?;
    let runtime = runtime()?;
    progress.stage("listing");
    let (mut listing, _) = open_listing(settings, &runtime, settings.since, settings.until)?;
    let mut plan = Plan {
        threads: settings.threads,
        ..Plan::default()
    };
    while let Some(batch) = runtime.block_on(listing.next()).map_err(ScanError::from)? {
        let day = batch
            .day
            .map_or_else(|| "no key time".to_owned(), |day| day.to_string());
        let (objects, bytes) = plan.days.entry(day).or_default();
        *objects += batch.objects.len() as u64;
        *bytes += batch.objects.iter().map(|object| object.size).sum::<u64>();
    }
    let counts = listing.counts();
    if counts.objects == 0 {
        return Err(no_objects(&listing));
    }
    plan.objects = counts.objects;
    plan.bytes = counts.bytes;
    plan.s3_objects = counts.s3_objects;
    plan.list_requests = counts.list_requests;
    plan.ignored = counts.ignored;
    Ok(plan)
}

/// What a run would read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Objects that the run would read.
    pub objects: u64,
    /// Their size as stored, bytes.
    pub bytes: u64,
    /// Of these, objects in S3.
    pub s3_objects: u64,
    /// LIST requests that the listing took.
    pub list_requests: u64,
    /// Keys below the sources that are no flow logs.
    pub ignored: u64,
    /// Objects and bytes by day of their key time (`2026-02-25`); `no key time` for the others.
    pub days: BTreeMap<String, (u64, u64)>,
    /// Threads that the run would use.
    pub threads: usize,
}

/// Stored bytes that one thread inflates and judges in a second: a round, cautious figure for gzip text with some
/// 30 fields. Larger makes the estimate rosier.
const BYTES_PER_THREAD_SECOND: f64 = 50e6;

/// Stored bytes that come from S3 in a second, whatever the threads: an instance's usual sustained bandwidth.
const S3_BYTES_PER_SECOND: f64 = 150e6;

/// S3 Standard in us-east-1: US dollars for a thousand GET requests (AWS, *Amazon S3 pricing*). Transfer within the region is free.
const DOLLARS_PER_1000_GET: f64 = 0.0004;

/// The same for a thousand LIST requests.
const DOLLARS_PER_1000_LIST: f64 = 0.005;

impl Plan {
    /// About how long the run would take, seconds.
    pub fn seconds(&self) -> f64 {
        let judging = self.bytes as f64 / (BYTES_PER_THREAD_SECOND * self.threads.max(1) as f64);
        if self.s3_objects == 0 {
            judging
        } else {
            judging.max(self.bytes as f64 / S3_BYTES_PER_SECOND)
        }
    }

    /// About what S3 would charge for the run's own requests, US dollars, the listing included.
    pub fn dollars(&self) -> f64 {
        // The run lists again what the plan listed.
        self.s3_objects as f64 / 1000.0 * DOLLARS_PER_1000_GET
            + 2.0 * self.list_requests as f64 / 1000.0 * DOLLARS_PER_1000_LIST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_counts_a_get_per_object_and_the_listing_twice() {
        let plan = Plan {
            s3_objects: 1_000_000,
            list_requests: 1000,
            ..Plan::default()
        };
        assert!((plan.dollars() - 0.41).abs() < 1e-9, "{}", plan.dollars());
        assert_eq!(
            Plan {
                objects: 5,
                bytes: 10,
                ..Plan::default()
            }
            .dollars(),
            0.0
        );
    }

    #[test]
    fn time_is_bounded_by_threads_on_disk_and_by_bandwidth_from_s3() {
        let disk = Plan {
            bytes: 1_000_000_000,
            threads: 2,
            ..Plan::default()
        };
        assert_eq!(disk.seconds(), 10.0);
        let s3 = Plan {
            s3_objects: 1,
            threads: 64,
            ..disk
        };
        assert!((s3.seconds() - 1e9 / 150e6).abs() < 1e-9);
    }
}
