//! Local folders.

use std::io;
use std::path::Path;

use walkdir::WalkDir;

use super::SourceError;
use super::key::AWS_LOGS;
use super::tree::{Children, Entry};

/// What lies directly in a folder (with its slash), sorted by name. Links are followed.
pub(super) fn children(folder: &str) -> Result<Children, SourceError> {
    let refused = |reason| SourceError::Io {
        path: folder.to_owned(),
        reason,
    };
    let mut children = Children::default();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let Ok(metadata) = path.metadata() else {
            // A link to nothing.
            continue;
        };
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if metadata.is_dir() {
            children.folders.push(name);
        } else if metadata.is_file() {
            children.files.push(Entry {
                path: format!("{folder}{name}"),
                size: metadata.len(),
                file: Some(path),
                etag: None,
            });
        }
    }
    children.folders.sort();
    children.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(children)
}

/// Hands every file below a folder to `found`, sorted, but for those below an `AWSLogs` folder: these are returned.
pub(super) fn walk(
    folder: &str,
    found: &mut (impl FnMut(Entry) + Send),
) -> Result<Vec<String>, SourceError> {
    let mut aws_logs = Vec::new();
    let mut walk = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_harmless(&error) => continue,
            Err(error) => return Err(refused(folder, error)),
        };
        let path = entry.path();
        if entry.file_type().is_dir() {
            if entry.depth() > 0 && entry.file_name() == AWS_LOGS {
                aws_logs.push(format!("{}/", path.display()));
                walk.skip_current_dir();
            }
            continue;
        }
        if !entry.file_type().is_file() {
            continue;
        }
        let metadata = entry.metadata().map_err(|error| refused(folder, error))?;
        found(Entry {
            path: path.to_string_lossy().into_owned(),
            file: Some(path.to_owned()),
            size: metadata.len(),
            etag: None,
        });
    }
    Ok(aws_logs)
}

/// A link to nothing, or one that leads back to a folder above it, whose files are found there.
fn is_harmless(error: &walkdir::Error) -> bool {
    let gone = error
        .io_error()
        .is_some_and(|reason| reason.kind() == io::ErrorKind::NotFound);
    error.loop_ancestor().is_some() || (gone && error.depth() > 0)
}

fn refused(folder: &str, error: walkdir::Error) -> SourceError {
    let path = error.path().unwrap_or(Path::new(folder));
    SourceError::Io {
        path: path.display().to_string(),
        reason: error.into(),
    }
}

/// The folder `path`, spelt as what is listed below `given`; none when it is not there, or not below.
pub(super) fn inside(given: &str, path: &str) -> Option<String> {
    let (root, path) = (
        Path::new(given).canonicalize(),
        Path::new(path).canonicalize(),
    );
    let below = path
        .ok()?
        .strip_prefix(root.ok()?)
        .ok()?
        .to_str()?
        .to_owned();
    (!below.is_empty()).then(|| format!("{given}{below}/"))
}

/// A path as text for a folder: one slash at its end.
pub(super) fn folder_text(path: &Path) -> String {
    let text = path.to_string_lossy();
    let trimmed = text.trim_end_matches('/');
    format!("{trimmed}/")
}
