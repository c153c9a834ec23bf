//! The modes, one file each, their settings, and what a run reports.

pub mod batch;
pub mod error;
pub mod plan;
pub mod policy_file;
pub mod progress;
pub mod report;
pub mod settings;
