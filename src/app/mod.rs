//! The modes, one file each, their settings, and what a run reports.

pub mod asked;
pub mod batch;
mod coverage;
mod days;
pub mod ends;
pub mod error;
mod hours;
mod kept;
mod leftovers;
mod malformed;
pub mod memory;
mod on_the_fly;
mod order;
mod pipeline;
pub mod plan;
pub mod policy_file;
pub mod progress;
pub mod query;
pub mod report;
mod room;
pub mod settings;
mod shared;
mod spill;
mod summary;
mod work;
mod worker;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what threads share. One that panicked has ended the run; what it left is only read on the way out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
