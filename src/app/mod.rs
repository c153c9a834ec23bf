//! The modes, one file each, their settings, and what a run reports.

pub mod asked;
mod baseline;
pub mod batch;
mod comparing;
pub mod config_files;
pub mod controls;
mod coverage;
mod days;
pub mod drift;
pub mod ends;
pub mod error;
pub mod fix;
mod hours;
mod kept;
pub mod learn;
mod leftovers;
mod listed;
mod malformed;
pub mod memory;
mod on_the_fly;
mod order;
mod origins;
pub mod over;
mod pipeline;
pub mod plan;
pub mod policy_file;
pub mod progress;
pub mod query;
pub mod record_story;
pub mod replay;
pub mod report;
pub mod resolver;
mod room;
mod run;
mod runs;
pub mod settings;
mod shared;
mod spill;
pub mod stop;
pub mod suggest;
mod summary;
mod terms;
pub mod tests_from_findings;
mod traffic;
pub mod usage;
pub mod watch;
mod work;
mod worker;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;

/// Locks what threads share. One that panicked has ended the run; what it left is only read on the way out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder for temporary files that only its owner reads; it goes with what this gives.
fn temp_folder(prefix: &str) -> anyhow::Result<tempfile::TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix(prefix);
    folder.permissions(Permissions::from_mode(0o700));
    folder.tempdir().context("cannot make a temporary folder")
}
