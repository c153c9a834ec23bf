//! The modes, one file each, their settings, and what a run reports.

pub mod batch;
mod coverage;
pub mod error;
mod hours;
mod kept;
mod malformed;
pub mod memory;
mod pipeline;
pub mod plan;
pub mod policy_file;
pub mod progress;
pub mod report;
mod room;
pub mod settings;
mod spill;
mod summary;
mod work;
mod worker;
