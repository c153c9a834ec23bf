//! How a query is ended before it is answered, and how what works for it hears of that.

use tokio::sync::watch;

use super::progress::Progress;

/// Ends the query that runs, if one does. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ends(watch::Sender<Ended>);

/// How many queries have come to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// Because somebody wanted it.
    pub early: u64,
    /// In whatever way.
    all: u64,
}

impl Ends {
    pub(super) fn new() -> Ends {
        Ends(watch::Sender::default())
    }

    /// Ends the query that runs: it fails, and what it still computes is for nobody.
    pub fn end(&self) {
        self.0.send_modify(|ended| ended.early += 1);
    }

    /// A query has come to its end.
    pub(super) fn has_ended(&self) {
        self.0.send_modify(|ended| ended.all += 1);
    }

    /// How many have ended so far.
    pub(super) fn now(&self) -> Ended {
        *self.0.borrow()
    }

    /// Comes back when a query is ended early that was asked when so many had been.
    pub(super) async fn wait(&self, early: u64) {
        let mut ended = self.0.subscribe();
        // Its sender is here, so that it does not fail.
        let _ = ended.wait_for(|ended| ended.early != early).await;
    }
}

/// Progress of what is done for a query: nobody watches, and it is over with the query.
pub(super) struct UntilEnded<'e> {
    ends: &'e Ends,
    begun: Ended,
}

impl UntilEnded<'_> {
    /// Until the query ends that runs now.
    pub fn new(ends: &Ends) -> UntilEnded<'_> {
        UntilEnded {
            ends,
            begun: ends.now(),
        }
    }
}

impl Progress for UntilEnded<'_> {
    fn is_over(&self) -> bool {
        self.ends.now() != self.begun
    }
}
