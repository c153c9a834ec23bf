//! Why a ledger cannot be used.

use std::path::{Path, PathBuf};

/// Why a ledger cannot be used. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder or file cannot be made.
    #[error("cannot write the ledger `{}`: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// Another process has it.
    #[error("the ledger `{}` is in use by another process\nhint: one `tidegate watch` works with a state folder; stop the other, or give --state another folder", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was made for something else.
    #[error("the ledger `{}` belongs to another scope: {found}; this is {expected}\nhint: give each scope (sources, accounts, regions, lake) a --state folder of its own", path.display())]
    OtherScope {
        /// The file.
        path: PathBuf,
        /// The scope that it was made for.
        found: String,
        /// The scope that was asked for.
        expected: String,
    },
    /// It is of another version.
    #[error("the ledger `{}` is of format {found}, and this version of tidegate writes format {expected}\nhint: use the version that wrote it, or move it away: what was judged is taken from the lake again", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The format of this version.
        expected: &'static str,
    },
    /// It is damaged.
    #[error("the ledger `{}` is damaged: {reason}\nhint: nothing was written to it; move it away and start again with --since: what was judged is taken from the lake, and the rest is listed", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// It failed while it was used.
    #[error("the ledger `{}` fails: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl LedgerError {
    pub(super) fn of(path: &Path, error: redb::Error) -> LedgerError {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                LedgerError::InUse { path }
            }
            redb::Error::UpgradeRequired(version) => LedgerError::OtherFormat {
                path,
                found: format!("redb {version}"),
                expected: super::FORMAT,
            },
            error @ (redb::Error::Corrupted(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }) => LedgerError::Corrupt {
                path,
                reason: error.to_string(),
            },
            redb::Error::Io(reason)
                if matches!(
                    reason.kind(),
                    std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                LedgerError::Corrupt {
                    path,
                    reason: reason.to_string(),
                }
            }
            error => LedgerError::Failed {
                path,
                reason: error.to_string(),
            },
        }
    }
}
