//! What a query came across that its rows do not show.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Notes of a query, shared by the threads that work on it.
#[derive(Debug, Default)]
pub struct Notes(Mutex<BTreeMap<String, String>>);

impl Notes {
    /// An object could not be read: none of its rows counts.
    pub fn unreadable(&self, url: &str, why: &str) {
        self.lock().insert(url.to_owned(), why.to_owned());
    }

    /// The objects that could not be read, with why, by URL; there are none afterwards.
    pub fn take_unreadable(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
