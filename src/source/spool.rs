//! What can be read only once (standard input, pipes) goes into a file first: decoding may look at an object twice.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::{KeyFacts, Location, Object, SourceError};

/// Reads standard input to its end. Its object is called `-`.
pub(super) fn stdin() -> Result<Object, SourceError> {
    spool("-", io::stdin().lock())
}

/// Reads a pipe or device to its end.
pub(super) fn pipe(path: &Path) -> Result<Object, SourceError> {
    let name = path.to_string_lossy();
    match std::fs::File::open(path) {
        Ok(file) => spool(&name, file),
        Err(reason) => Err(SourceError::Io {
            path: name.into_owned(),
            reason,
        }),
    }
}

fn spool(name: &str, mut input: impl Read) -> Result<Object, SourceError> {
    let mut copy = || {
        let mut file = tempfile::NamedTempFile::new()?;
        let size = io::copy(&mut input, &mut file)?;
        Ok((size, file.into_temp_path()))
    };
    match copy() {
        Ok((size, path)) => Ok(Object {
            url: name.into(),
            size,
            etag: None,
            key: KeyFacts::parse(name),
            location: Location::Spooled(Arc::new(path)),
        }),
        Err(reason) => Err(SourceError::Io {
            path: name.to_owned(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spooled_input_is_kept_until_nobody_needs_it() {
        let object = spool("-", &b"some lines"[..]).expect("memory can be read");
        assert_eq!((&*object.url, object.size), ("-", 10));
        let Location::Spooled(path) = &object.location else {
            panic!("expected a spooled object, got {object:?}");
        };
        let path = path.to_path_buf();
        let clone = object.clone();
        drop(object);
        assert_eq!(std::fs::read(&path).expect("still there"), b"some lines");
        drop(clone);
        assert!(!path.exists());
    }

    #[test]
    fn broken_input_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("pulled the plug"))
            }
        }
        let error = spool("-", Broken).expect_err("nothing to read");
        assert_eq!(error.to_string(), "cannot read `-`: pulled the plug");
    }
}
