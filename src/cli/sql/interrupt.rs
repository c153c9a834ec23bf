//! Ctrl-C, and being told to end: what queries wrote aside goes first, or only the query that runs is ended.

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::ends::Ends;

/// What a shell says of a program that a signal ended, less the signal's number.
const ENDED_BY_SIGNAL: i32 = 128;

/// Ends the program when it is terminated, its terminal is closed, or it is interrupted and there is no query to end
/// instead, and takes the folder away before. On a thread of its own: those of queries may be computing for long. Where
/// there can be none, the folder stays.
pub(super) fn watch(folder: &Path, instead: Option<Ends>) {
    let folder = folder.to_owned();
    let wait = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        else {
            return;
        };
        let ended_by = runtime.block_on(async {
            let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
            let hangup = SignalKind::hangup();
            let (mut interrupts, mut terminations) =
                (signal(interrupt).ok()?, signal(terminate).ok()?);
            let mut hangups = signal(hangup).ok()?;
            loop {
                tokio::select! {
                    _ = interrupts.recv() => match &instead {
                        Some(query) => query.end(),
                        None => return Some(interrupt),
                    },
                    _ = terminations.recv() => return Some(terminate),
                    _ = hangups.recv() => return Some(hangup),
                }
            }
        });
        if let Some(signal) = ended_by {
            // Queries still write: what appears while the folder goes is taken by the second try.
            let _ = std::fs::remove_dir_all(&folder).or_else(|_| std::fs::remove_dir_all(&folder));
            std::process::exit(ENDED_BY_SIGNAL + signal.as_raw_value());
        }
    };
    let _ = std::thread::Builder::new().spawn(wait);
}
