//! Work on a thread of its own, which ends before whoever asked for it does.

use std::thread::JoinHandle;

/// Work under way.
pub(super) struct Aside<T>(Option<JoinHandle<T>>);

impl<T: Send + 'static> Aside<T> {
    /// Begins the work.
    pub fn begin(work: impl FnOnce() -> T + Send + 'static) -> Aside<T> {
        Aside(Some(std::thread::spawn(work)))
    }

    /// Waits for what it comes to.
    pub fn end(mut self) -> T {
        let thread = self.0.take().expect("it is ended once");
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        // Nobody asks for the result any more, but the folder that it writes to is about to go.
        if let Some(thread) = self.0.take() {
            drop(thread.join());
        }
    }
}
