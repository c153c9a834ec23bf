//! Reads a baseline from disk.

use std::path::Path;

use super::error::ScanError;
use crate::detect::Baseline;

/// Reads the baseline that a run names; none if it names none.
///
/// # Errors
/// When the file cannot be read or is no baseline.
pub fn load(path: Option<&Path>) -> Result<Option<Baseline>, ScanError> {
    let Some(path) = path else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| ScanError::Usage {
        message: format!("cannot use the baseline `{}`: {error}", path.display()),
        hint: Some("`tidegate detect learn --over LAKE` writes one".to_owned()),
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    Baseline::parse(&bytes)
        .map(Some)
        .map_err(|error| wrong(&error))
}
