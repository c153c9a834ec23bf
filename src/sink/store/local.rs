//! A local folder as a store. A file is written under a name that starts with `_`, flushed to the disk, then renamed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{Listed, StoreError};

#[derive(Clone)]
pub(super) struct Local {
    root: Arc<Path>,
}

impl Local {
    pub fn new(root: &Path) -> Local {
        Local {
            root: Arc::from(root),
        }
    }

    pub fn url(&self) -> String {
        self.root.display().to_string()
    }

    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        let mut files = Vec::new();
        self.walk(&self.root.join(folder), folder, &mut files)
            .map_err(|error| self.failed("list", folder, &error))?;
        Ok(files)
    }

    fn walk(&self, path: &Path, folder: &str, files: &mut Vec<Listed>) -> io::Result<()> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let about = entry.metadata()?;
            if about.is_dir() {
                self.walk(&entry.path(), &format!("{name}/"), files)?;
            } else {
                files.push(Listed {
                    name,
                    size: about.len(),
                });
            }
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.unless_absent(
            "read",
            name,
            fs::read(self.root.join(name)).map(Bytes::from),
        )
    }

    pub fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        let read = || {
            let mut file = File::open(self.root.join(name))?;
            file.seek(SeekFrom::Start(range.start))?;
            let length = range.end.saturating_sub(range.start);
            let mut bytes = Vec::with_capacity(length as usize);
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes.into())
        };
        self.unless_absent("read", name, read())
    }

    pub fn open(&self, name: &str) -> Result<Option<File>, StoreError> {
        self.unless_absent("read", name, File::open(self.root.join(name)))
    }

    pub fn exists(&self, name: &str) -> Result<bool, StoreError> {
        self.root
            .join(name)
            .try_exists()
            .map_err(|error| self.failed("read", name, &error))
    }

    pub fn put_file(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        self.put(name, |aside| match fs::rename(path, aside) {
            // Temporary files often live on another disk.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                fs::copy(path, aside).map(drop)
            }
            renamed => renamed,
        })
    }

    pub fn put_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(name, |aside| fs::write(aside, bytes))
    }

    fn put(
        &self,
        name: &str,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let target = self.root.join(name);
        let put = || {
            let aside = aside(&target);
            make_folder(parent(&target))?;
            write(&aside)?;
            File::options().write(true).open(&aside)?.sync_all()?;
            fs::rename(&aside, &target)?;
            sync_folder(parent(&target))
        };
        put().map_err(|error| self.failed("write", name, &error))
    }

    pub fn put_bytes_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        let target = self.root.join(name);
        // Named by its content: whoever else writes it writes the same, and a later attempt finds it and goes on.
        let aside = target.with_extension(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)));
        let aside = self::aside(&aside);
        let put = || {
            make_folder(parent(&target))?;
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&aside)?;
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()?;
            match tempfile::TempPath::try_from_path(&aside)?.persist_noclobber(&target) {
                Err(error)
                    if matches!(
                        error.error.kind(),
                        ErrorKind::AlreadyExists | ErrorKind::NotFound
                    ) =>
                {
                    return Ok(false);
                }
                persisted => persisted.map_err(|error| error.error)?,
            }
            sync_folder(parent(&target))?;
            Ok(true)
        };
        put().map_err(|error: io::Error| self.failed("write", name, &error))
    }

    pub fn lock(&self, name: &str) -> Result<Option<File>, StoreError> {
        let lock = || {
            let file = File::open(self.root.join(name))?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        lock().map_err(|error: io::Error| self.failed("lock", name, &error))
    }

    pub fn cannot(&self, action: &'static str, name: &str) -> StoreError {
        self.failed(action, name, &io::Error::from(ErrorKind::Unsupported))
    }

    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        let path = self.root.join(name);
        self.unless_absent("delete", name, fs::remove_file(&path))?;
        // Folders that became empty go as well, so that what was never there leaves no trace.
        for folder in path
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != &*self.root)
        {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn unless_absent<T>(
        &self,
        action: &'static str,
        name: &str,
        result: io::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(action, name, &error)),
        }
    }

    fn failed(&self, action: &'static str, name: &str, error: &io::Error) -> StoreError {
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => {
                Some("check who owns the folder and whether it may be written")
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                Some("a file stands where a folder is needed")
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Some("make room, then run again: what is committed is kept")
            }
            ErrorKind::ReadOnlyFilesystem => Some("give a folder on a disk that can be written"),
            _ => None,
        };
        StoreError {
            action,
            url: self.root.join(name).display().to_string(),
            reason: error.to_string(),
            hint: hint.map(str::to_owned),
        }
    }
}

/// Where a file is written before it is renamed: beside it, with `_` before its name.
fn aside(target: &Path) -> PathBuf {
    let name = target
        .file_name()
        .expect("a file of a lake has a name")
        .to_string_lossy();
    target.with_file_name(format!("_{name}"))
}

fn parent(target: &Path) -> &Path {
    target.parent().expect("a file of a lake is below its root")
}

/// Makes a folder and those above it; each new name is flushed to the disk with the folder that holds it.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }?;
    folder.parent().map_or(Ok(()), sync_folder)
}

/// Flushes a folder's list of names, so that a rename survives a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(local: &Local) -> Vec<String> {
        let mut names: Vec<_> = local
            .list("")
            .expect("listed")
            .into_iter()
            .map(|file| file.name)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_come_and_go_without_a_trace() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let local = Local::new(&dir.path().join("lake"));
        assert_eq!(names(&local), [""; 0]);
        assert_eq!(local.get("a/b/c").expect("asked"), None);

        let from = dir.path().join("from");
        fs::write(&from, "one").expect("written");
        local.put_file(&from, "a/b/c").expect("put");
        local.put_bytes("a/d", b"two").expect("put");
        local.put_bytes("a/d", b"three").expect("replaced");
        assert_eq!(names(&local), ["a/b/c", "a/d"]);
        assert_eq!(
            local.get("a/d").expect("read").as_deref(),
            Some(&b"three"[..])
        );

        local.delete("a/b/c").expect("deleted");
        local.delete("a/b/c").expect("deleted before");
        assert!(!dir.path().join("lake/a/b").exists());
        local.delete("a/d").expect("deleted");
        assert!(dir.path().join("lake").exists());
    }

    #[test]
    fn the_first_of_two_conditional_writers_wins() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let local = Local::new(dir.path());
        assert!(local.put_bytes_if_absent("x", b"first").expect("put"));
        assert!(!local.put_bytes_if_absent("x", b"second").expect("refused"));
        assert_eq!(
            local.get("x").expect("read").as_deref(),
            Some(&b"first"[..])
        );
        assert_eq!(names(&local), ["x"]);
    }

    #[test]
    fn an_error_names_the_file_and_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("lake"), "a file").expect("written");
        let error = Local::new(&dir.path().join("lake"))
            .put_bytes("edges/x", b"")
            .expect_err("no folder");
        let text = error.to_string();
        assert!(
            text.starts_with("cannot write ") && text.contains("lake/edges/x: "),
            "{text}"
        );
        assert!(
            text.ends_with("\nhint: a file stands where a folder is needed"),
            "{text}"
        );
    }
}
