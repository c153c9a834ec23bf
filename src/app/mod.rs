//! The modes, one file each, and what a run reports.

pub mod report;
