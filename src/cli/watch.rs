//! `tidegate watch`: settings, signals, the watch, its exit code; and `--status`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};

use super::args::WatchArgs;
use super::{Exit, meant, say, units};
use crate::alert::instant;
use crate::app::error::ScanError;
use crate::app::memory::{Shares, share_heap};
use crate::app::stop::{Clock, Stop};
use crate::app::watch::status::{Status, status};
use crate::app::watch::watch;

pub(super) fn run(args: &WatchArgs) -> Exit {
    let ended = if args.status {
        show_status(args)
    } else {
        follow(args)
    };
    ended.unwrap_or_else(|error| say::failure(&error))
}

fn follow(args: &WatchArgs) -> Result<Exit, ScanError> {
    let settings = meant::watch(args, units::now())?;
    share_heap(&Shares::of(settings.judging.memory));
    let stop = Arc::new(Stop::default());
    heed_signals(&stop, Duration::from_secs(u64::from(settings.grace)));
    let end = watch(&settings, &SystemClock, &stop)?;
    let mut exits = vec![Exit::Done];
    if end.unreadable > 0 {
        say::warning(&format!(
            "objects that could not be read: {}",
            end.unreadable
        ));
        exits.push(Exit::Partial);
    }
    if end.waiting > 0 {
        say::warning(&format!(
            "alerts that their targets did not take: {}; they wait in the state folder for the next run",
            end.waiting
        ));
        exits.push(Exit::Partial);
    }
    if end.of_others > 0 {
        say::warning(&format!(
            "alerts that wait for targets which were not named this time: {}",
            end.of_others
        ));
    }
    if end.is_cut_short {
        say::warning("it was ended before all that is there was judged; the next run goes on");
        exits.push(Exit::Partial);
    }
    Ok(Exit::most_urgent(exits))
}

/// How long work has to notice that it is to end now, before the program ends without it: a target may hold it up for ever.
const LAST: Duration = Duration::from_secs(3);

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }
}

/// Asks for a good end when the program is terminated or interrupted; for any end when that is so for longer than the
/// grace, or it is told again. On a thread of its own, that ends with the program.
fn heed_signals(stop: &Arc<Stop>, grace: Duration) {
    let stop = stop.clone();
    let heed = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
            let (Ok(mut interrupts), Ok(mut terminations)) = (signal(interrupt), signal(terminate))
            else {
                return;
            };
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            stop.ask();
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
                () = tokio::time::sleep(grace) => {}
            }
            stop.abort();
            tokio::time::sleep(LAST).await;
            // Whatever was not finished is as after a crash: nothing is lost.
            std::process::exit(Exit::Failed as i32);
        });
    };
    if let Err(error) = std::thread::Builder::new().spawn(heed) {
        tracing::warn!("signals end the program at once: {error}");
    }
}

fn show_status(args: &WatchArgs) -> Result<Exit, ScanError> {
    let text = told(&status(&args.state)?, units::now());
    say::data(&text).map_err(|error| {
        ScanError::Failed(anyhow::Error::new(error).context("cannot write to standard output"))
    })?;
    Ok(Exit::Done)
}

/// A status in words; `now` is in seconds since 1970.
fn told(status: &Status, now: u32) -> String {
    let newest = status.newest.map_or_else(
        || "none yet".to_owned(),
        |time| {
            format!(
                "{} ({} ago)",
                instant(time),
                units::in_words(now.saturating_sub(time))
            )
        },
    );
    let [open, committed, late] = status.hours;
    let waiting: u64 = status.outbox.values().sum();
    let begin = match status.begin {
        None => "now on".to_owned(),
        // All that there is.
        Some(..3600) => "the first object on".to_owned(),
        Some(begin) => format!("{} on", instant(begin)),
    };
    let mut lines = vec![
        format!("watches          {}", status.scope),
        format!("judges           from {begin}"),
        format!("newest object    {newest}"),
        format!(
            "objects          {}, of them {} in open hours",
            status.objects, status.backlog
        ),
        format!(
            "hours            {open} open ({} slots judged), {committed} committed, {late} to be judged again",
            status.slots
        ),
        format!("open findings    {}", status.findings),
        format!(
            "alerts           {} delivered, {waiting} waiting",
            status.sent
        ),
    ];
    for (queue, depth) in &status.outbox {
        lines.push(format!("  {queue}: {depth} waiting"));
    }
    if status.without_key_time > 0 {
        lines.push(format!(
            "not judged       {} objects whose names have no time; `tidegate scan` judges them",
            status.without_key_time
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_words() {
        let status = Status {
            scope: "sources logs; accounts all; regions all; lake lake".to_owned(),
            newest: Some(1_772_010_000),
            objects: 12,
            hours: [1, 2, 0],
            backlog: 3,
            outbox: [("slack-0011".to_owned(), 2)].into(),
            ..Status::default()
        };
        let text = told(&status, 1_772_010_000 + 400);
        for expected in [
            "newest object    2026-02-25T09:00:00Z (6m ago)",
            "objects          12, of them 3 in open hours",
            "hours            1 open (0 slots judged), 2 committed, 0 to be",
            "0 delivered, 2 waiting\n  slack-0011: 2 waiting",
        ] {
            assert!(text.contains(expected), "`{expected}` in:\n{text}");
        }
    }
}
