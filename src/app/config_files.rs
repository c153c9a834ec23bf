//! Reads how AWS is configured from disk: JSON of describe calls, or of Terraform.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::ScanError;
use crate::config::{Config, ConfigError, Input, MAX_BYTES, from_either};

/// Reads a configuration.
pub type ReadConfig = fn(&[Input<'_>]) -> Result<Config, Vec<ConfigError>>;

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("cannot read `{file}`: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// It is not what was expected.
    #[error("{0}")]
    Wrong(ConfigError),
}

impl ConfigFileError {
    /// What to do about it, if there is anything to say.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ConfigFileError::Unreadable { .. } => None,
            ConfigFileError::Wrong(error) => error.hint.as_deref(),
        }
    }
}

/// Reads all files and what they tell together.
///
/// # Errors
/// All files that cannot be read; else what is wrong, one error for each file.
pub fn load(files: &[PathBuf], read_config: ReadConfig) -> Result<Config, Vec<ConfigFileError>> {
    let mut contents: Vec<(String, Vec<u8>)> = Vec::with_capacity(files.len());
    let mut errors = Vec::new();
    for file in files {
        let name = file.display().to_string();
        match read(file) {
            Ok(bytes) => contents.push((name, bytes)),
            Err(error) => errors.push(ConfigFileError::Unreadable { file: name, error }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let inputs = contents.iter().map(|(name, bytes)| Input { name, bytes });
    let config = read_config(&inputs.collect::<Vec<_>>());
    config.map_err(|errors| errors.into_iter().map(ConfigFileError::Wrong).collect())
}

/// [`load`] for files of both shapes, in any mixture; all that is wrong in one error.
///
/// # Errors
/// As [`load`].
pub(super) fn load_either(files: &[PathBuf]) -> Result<Config, ScanError> {
    load(files, from_either).map_err(|errors| {
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let hint = errors.iter().find_map(ConfigFileError::hint);
        ScanError::Usage {
            message: messages.join("\n"),
            hint: Some(
                hint.unwrap_or("docs/import.md lists what is read")
                    .to_owned(),
            ),
        }
    })
}

/// One byte more than what is read of a file at most, so that a longer one is told.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
