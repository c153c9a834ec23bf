//! Reads a policy from disk: the file itself and what it pins, which lies beside it.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::ScanError;
use crate::net::{Origins, hex};
use crate::policy::{Policy, PolicyLints};

/// The largest file that a policy may name, bytes. What is read of it is held in memory as a whole.
const MAX_PINNED_BYTES: u64 = 256 << 20;

/// Reads and compiles a policy file; files that its `[data]` names are relative to it.
///
/// # Errors
/// When the file cannot be read or is no text, and all errors that the policy has.
pub fn load(path: &Path) -> Result<Policy, ScanError> {
    load_with_text(path).map(|(_, policy)| policy)
}

/// [`load`], and the SHA-256 of the file in hex.
///
/// # Errors
/// As [`load`].
pub fn load_with_digest(path: &Path) -> Result<(Policy, String), ScanError> {
    let (text, policy) = load_with_text(path)?;
    Ok((policy, hex(&Sha256::digest(&text))))
}

/// The text of a policy file and what it says, as [`load`].
///
/// # Errors
/// As [`load`].
pub(super) fn load_with_text(path: &Path) -> Result<(String, Policy), ScanError> {
    let text = read(path)?;
    let policy = parse_beside(path, &path.display().to_string(), &text)?;
    Ok((text, policy))
}

/// Compiles a text as if it stood in the folder of the policy file at `path`; errors call it `name`.
///
/// # Errors
/// All errors that the text has.
pub(super) fn parse_beside(path: &Path, name: &str, text: &str) -> Result<Policy, ScanError> {
    Policy::parse(name, text, &|pin| pinned(path, pin)).map_err(ScanError::Policy)
}

/// [`load`], and what is not wrong but probably not meant; `at` is now, seconds since 1970.
///
/// # Errors
/// As [`load`].
pub fn check(path: &Path, at: u32) -> Result<(Policy, PolicyLints), ScanError> {
    let text = read(path)?;
    let shown = path.display().to_string();
    Policy::check(&shown, &text, &|name| pinned(path, name), i64::from(at))
        .map_err(ScanError::Policy)
}

/// What the files tell of addresses outside that the policy at this path names.
///
/// # Errors
/// When one cannot be read or used by now, in words.
pub(super) fn origins(policy: &Policy, path: &Path) -> Result<Origins, String> {
    policy.origin_files().origins(&|name| pinned(path, name))
}

fn read(path: &Path) -> Result<String, ScanError> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| ScanError::Usage {
        message: format!("cannot read the policy `{shown}`: {error}"),
        hint: Some("expected a policy, a TOML file; docs/policy.md describes it".to_owned()),
    })?;
    String::from_utf8(bytes).map_err(|error| ScanError::Usage {
        message: format!(
            "cannot read the policy `{shown}`: expected UTF-8, got something else at byte {}",
            error.utf8_error().valid_up_to()
        ),
        hint: None,
    })
}

/// A file that the policy at this path names.
pub(super) fn pinned(path: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut bytes = Vec::new();
    let file = fs::File::open(folder.join(name))?;
    file.take(MAX_PINNED_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PINNED_BYTES {
        let message = format!("expected at most {} MiB", MAX_PINNED_BYTES >> 20);
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            message,
        ));
    }
    Ok(bytes)
}
