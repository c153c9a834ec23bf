//! Progress on a terminal's standard error: a bar with bytes, records a second and time left. In a pipe nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::report::words;
use crate::app::progress::Progress;

/// How often the bar moves on its own, so that time left keeps up while a large object is read.
const TICK: Duration = Duration::from_millis(250);

/// The bar of a run. Copies draw the same bar.
#[derive(Clone)]
pub(super) struct Bar {
    bar: ProgressBar,
    records: Arc<AtomicU64>,
}

impl Bar {
    /// A bar that shows itself at the first progress.
    pub(super) fn new() -> Bar {
        let listing = ProgressStyle::with_template("{msg}").expect("the template is well formed");
        Bar {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_style(listing),
            records: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Runs `write` with the bar out of the way.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn style(&self) -> ProgressStyle {
        let records = Arc::clone(&self.records);
        let speed = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let seconds = state.elapsed().as_secs_f64().max(0.001);
            let speed = (records.load(Ordering::Relaxed) as f64 / seconds) as u64;
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(out, "{} records/s", words::count(speed));
        };
        ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}  {speed}  {eta} left")
            .expect("the template is well formed")
            .with_key("speed", speed)
    }
}

impl Progress for Bar {
    fn begin(&self, _objects: u64, bytes: u64) {
        if self.bar.length().is_some() {
            self.bar.inc_length(bytes);
            return;
        }
        self.bar.reset();
        self.bar.set_style(self.style());
        self.bar.set_length(bytes);
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn advance(&self, _objects: u64, bytes: u64, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    fn stage(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}
