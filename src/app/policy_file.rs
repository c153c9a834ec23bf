//! Reads a policy from disk: the file itself and what it pins, which lies beside it.

use std::fs;
use std::path::Path;

use super::error::ScanError;
use crate::policy::Policy;

/// Reads and compiles a policy file; files that its `[data]` names are relative to it.
///
/// # Errors
/// When the file cannot be read or is no text, and all errors that the policy has.
pub fn load(path: &Path) -> Result<Policy, ScanError> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| ScanError::Usage {
        message: format!("cannot read the policy `{shown}`: {error}"),
        hint: Some("--policy takes a TOML file; docs/policy.md describes it".to_owned()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| ScanError::Usage {
        message: format!(
            "cannot read the policy `{shown}`: expected UTF-8, got something else at byte {}",
            error.utf8_error().valid_up_to()
        ),
        hint: None,
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Policy::parse(&shown, &text, &|name| fs::read(folder.join(name))).map_err(ScanError::Policy)
}
