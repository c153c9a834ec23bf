//! Why a lake could not be used, in words for people.

use super::{Hour, StoreError};

/// Why a lake could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The temporary folder failed.
    #[error("temporary files: {0}")]
    Temporary(#[source] std::io::Error),
    /// The lake was made by another policy or of another selection.
    #[error(
        "the lake at {url} holds something else:\n{}\nhint: give another folder to --lake, or judge these hours again with --rejudge",
        differences.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
    )]
    OtherIdentity {
        /// Where the lake is.
        url: String,
        /// One sentence per difference.
        differences: Vec<String>,
    },
    /// `lake.json` cannot be understood.
    #[error("{url}/lake.json: {reason}\nhint: {hint}")]
    Description {
        /// Where the lake is.
        url: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// A file of the lake cannot be read, or not written.
    #[error("{name}: {reason}")]
    File {
        /// The file's name below the lake's root.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Another process committed the hour, with other content, while this one was at it.
    #[error(
        "{hour} was committed by another process meanwhile\nhint: let one run at a time write to a lake"
    )]
    Taken {
        /// The hour.
        hour: Hour,
    },
}

impl LakeError {
    /// A file that cannot be read or written.
    pub(super) fn file(name: &str, reason: impl std::fmt::Display) -> LakeError {
        LakeError::File {
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}
