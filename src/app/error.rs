//! Why a mode ended without a report. What a run survives (malformed lines, unreadable objects) is in its report.

use crate::policy::PolicyErrors;
use crate::sink::LakeError;
use crate::source::SourceError;

/// Why a mode ended without a report. The message says what was attempted, on what, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Wrong usage: a path that does not exist, a lake of another policy, a bucket of another region.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The policy has errors: all of them, each with its place.
    #[error("{0}")]
    Policy(#[from] PolicyErrors),
    /// No object matched.
    #[error("{message}")]
    NoObjects {
        /// Where was looked, and what was found there instead.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        /// Whether there are objects of other times, accounts or regions.
        others: bool,
    },
    /// The run could not go on: no credentials, the lake's disk is full, an invariant broke.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl From<SourceError> for ScanError {
    fn from(error: SourceError) -> ScanError {
        let hint = error.hint();
        if let SourceError::EmptyPrefix { .. } = error {
            return ScanError::NoObjects {
                message: error.to_string(),
                hint,
                others: false,
            };
        }
        if error.is_usage() {
            return ScanError::Usage {
                message: error.to_string(),
                hint,
            };
        }
        let advice = hint
            .map(|hint| format!("\nhint: {hint}"))
            .unwrap_or_default();
        ScanError::Failed(anyhow::anyhow!("{error}{advice}"))
    }
}

impl From<LakeError> for ScanError {
    fn from(error: LakeError) -> ScanError {
        match error {
            LakeError::OtherIdentity { .. } | LakeError::Description { .. } => ScanError::Usage {
                message: error.to_string(),
                hint: None,
            },
            error => ScanError::Failed(error.into()),
        }
    }
}

impl ScanError {
    /// What to do about it, if there is anything to say.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ScanError::Usage { hint, .. } | ScanError::NoObjects { hint, .. } => hint.as_deref(),
            ScanError::Policy(_) | ScanError::Failed(_) => None,
        }
    }
}
