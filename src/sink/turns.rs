//! Work dealt out to threads in turn, so that what comes of it is in the order of what went in.

use std::sync::mpsc::sync_channel;

/// Gives what `next` gives, until it gives none, to so many threads in turn, and what they make of it to `take`, in
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
    std::thread::scope(|scope| {
        let worker = &worker;
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let (sender, incoming) = sync_channel::<I>(1);
                let (outgoing, receiver) = sync_channel(1);
                scope.spawn(move || {
                    let mut work = worker();
                    for input in incoming {
                        if outgoing.send(work(input)).is_err() {
                            break;
                        }
                    }
                });
                (sender, receiver)
            })
            .collect();
        let mut sent = 0;
        for turn in 0.. {
            let (sender, receiver) = &threads[turn % threads.len()];
            if turn >= threads.len() {
                if turn - threads.len() == sent {
                    break;
                }
                // A thread that is gone has panicked, which the scope passes on.
                let Ok(output) = receiver.recv() else { break };
                take(output)?;
            }
            if sent == turn
                && let Some(input) = next()?
            {
                sent += usize::from(sender.send(input).is_ok());
            }
        }
        Ok(())
    })
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
