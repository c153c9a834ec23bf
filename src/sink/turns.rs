//! Work dealt out to threads in turn, so that what comes of it is in the order of what went in.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Gives what `next` gives, until it gives none, to so many threads, whoever is free, and what they make of it to `take`, in
/// order. Each thread works with a `worker` of its own.
///
/// # Errors
/// The first error of `next` or `take`.
pub(super) fn in_turn<I: Send, O: Send, W: FnMut(I) -> O, E>(
    threads: usize,
    worker: impl Fn() -> W + Sync,
    mut next: impl FnMut() -> Result<Option<I>, E>,
    mut take: impl FnMut(O) -> Result<(), E>,
) -> Result<(), E> {
    // One that waits beside those that are worked on; a single thread has nobody to wait for.
    let most = if threads > 1 { threads + 1 } else { 1 };
    let (sender, inputs) = channel::<(usize, I)>();
    let inputs = Mutex::new(inputs);
    std::thread::scope(|scope| {
        // Dropped at the end, whatever the end is: then threads find no more to do.
        let sender = sender;
        let (outgoing, outputs) = channel();
        for _ in 0..threads.max(1) {
            let (worker, inputs) = (&worker, &inputs);
            let outgoing = Outgoing(outgoing.clone());
            scope.spawn(move || {
                let mut work = worker();
                loop {
                    let input = inputs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((turn, input)) = input else { break };
                    let output = work(input);
                    if outgoing.0.send(Some((turn, output))).is_err() {
                        break;
                    }
                }
            });
        }
        let (mut sent, mut taken, mut has_more) = (0, 0, true);
        let mut early = BTreeMap::new();
        loop {
            while has_more && sent - taken < most {
                match next()? {
                    Some(input) => sent += usize::from(sender.send((sent, input)).is_ok()),
                    None => has_more = false,
                }
            }
            if taken == sent {
                return Ok(());
            }
            // A thread that is gone has panicked, which the scope passes on.
            let Ok(Some((turn, output))) = outputs.recv() else {
                return Ok(());
            };
            early.insert(turn, output);
            while let Some(output) = early.remove(&taken) {
                take(output)?;
                taken += 1;
            }
        }
    })
}

/// Where a thread's results go. Says so when the thread panics.
struct Outgoing<T>(Sender<Option<T>>);

impl<T> Drop for Outgoing<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody is there to be told if it fails.
            let _ = self.0.send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_what_went_in() {
        for (threads, count) in [(1, 5), (2, 0), (2, 1), (3, 2), (3, 100)] {
            let mut inputs = 0..count;
            let mut found = Vec::new();
            let result: Result<(), ()> = in_turn(
                threads,
                || |input: u32| input * 2,
                || Ok(inputs.next()),
                |output| {
                    found.push(output);
                    Ok(())
                },
            );
            assert_eq!(result, Ok(()));
            assert_eq!(found, (0..count).map(|input| input * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_thread_that_panics_ends_it() {
        let run = || {
            let mut inputs = 0..100;
            in_turn(
                2,
                || |input: u32| assert_ne!(input, 10, "as a test"),
                || Ok::<_, ()>(inputs.next()),
                |()| Ok(()),
            )
        };
        assert!(std::panic::catch_unwind(run).is_err());
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut inputs = 0..100;
        let taken = in_turn(
            2,
            || |input: u32| input,
            || Ok(inputs.next()),
            |output| {
                if output < 10 { Ok(()) } else { Err(output) }
            },
        );
        assert_eq!(taken, Err(10));
        let read = in_turn(
            2,
            || |input: u32| input,
            || Err::<Option<u32>, _>("broken"),
            |_| Ok(()),
        );
        assert_eq!(read, Err("broken"));
    }
}
