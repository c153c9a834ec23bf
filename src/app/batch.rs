//! `scan`: historical logs against a policy.

use super::error::ScanError;
use super::plan::Plan;
use super::policy_file;
use super::progress::Progress;
use super::report::RunReport;
use super::settings::ScanSettings;

/// Judges what the settings select.
///
/// # Errors
/// Wrong usage, a policy with errors, nothing to read, or a run that cannot go on. Unreadable objects and malformed lines
/// are no errors: they are in the report.
pub fn scan(settings: &ScanSettings, _progress: &dyn Progress) -> Result<RunReport, ScanError> {
    policy_file::load(&settings.policy)?;
    Err(not_yet(settings))
}

/// Lists what the settings select, and reads nothing.
///
/// # Errors
/// Wrong usage, nothing to read, or a listing that fails.
pub fn plan(settings: &ScanSettings, _progress: &dyn Progress) -> Result<Plan, ScanError> {
    Err(not_yet(settings))
}

fn not_yet(settings: &ScanSettings) -> ScanError {
    ScanError::Failed(anyhow::anyhow!(
        "cannot judge {} yet",
        settings.sources.join(" ")
    ))
}
