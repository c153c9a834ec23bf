//! Reads a baseline from disk.

use std::path::Path;

use super::error::ScanError;
use crate::detect::Baseline;
use crate::policy::Policy;

/// Reads the baseline that a run names; none if it names none.
///
/// # Errors
/// When the file cannot be read, is no baseline, or was learned with another policy. That the policy has changed since does
/// not matter: its networks, tiers and workloads are what the baseline knows by name.
pub fn load(path: Option<&Path>, policy: &Policy) -> Result<Option<Baseline>, ScanError> {
    let Some(path) = path else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| ScanError::Usage {
        message: format!("cannot use the baseline `{}`: {error}", path.display()),
        hint: Some("`tidegate detect learn --over LAKE` writes one".to_owned()),
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    let baseline = Baseline::parse(&bytes).map_err(|error| wrong(&error))?;
    if baseline.policy_id() != policy.id() {
        let (own, other) = (policy.id(), baseline.policy_id());
        return Err(wrong(&format!("it is of the policy {other}, not of {own}")));
    }
    Ok(Some(baseline))
}
