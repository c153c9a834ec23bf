//! Hears of new objects by a queue.

use std::time::Duration;

use crate::source::{Object, Queue, S3, Selection, noticed};

use super::super::error::ScanError;
use super::super::lock;
use super::Watch;

/// How long a queue is waited for that is empty, seconds: the most that SQS allows.
const QUEUE_WAIT: i32 = 20;

/// How many times in a row a queue gives nothing old before it is believed to have nothing old: SQS hands out messages in
/// about the order in which they were sent.
const YOUNG: u32 = 20;

impl Watch<'_> {
    /// Receives some messages and takes the objects that they name; whether there were none. A message is deleted once its
    /// objects are in the ledger.
    pub(super) fn receive(&self, queue: &Queue, s3: Option<S3>) -> Result<bool, ScanError> {
        let began = self.clock.seconds();
        let wait = if self.settings.until_idle {
            1
        } else {
            QUEUE_WAIT
        };
        let received = self.persist("receiving from the queue", false, || {
            let received = self.runtime.block_on(async {
                tokio::select! {
                    received = queue.receive(wait) => received.map_err(ScanError::from),
                    () = self.end_is_asked() => Ok(Vec::new()),
                }
            });
            if received.is_err() {
                let mut sea = lock(&self.sea);
                (sea.is_behind, sea.young) = (true, 0);
            }
            received
        });
        let Some(messages) = received? else {
            return Ok(true);
        };
        if messages.is_empty() {
            {
                let mut sea = lock(&self.sea);
                (sea.taken, sea.is_behind, sea.young) = (Some(began), false, 0);
            }
            self.stop.ring();
            return Ok(true);
        }
        let kept = {
            let _in_runtime = self.runtime.enter();
            queue.keep(messages.clone())
        };
        let selection = Selection {
            accounts: self.settings.judging.accounts.clone(),
            regions: self.settings.judging.regions.clone(),
            ..Selection::default()
        };
        let (mut understood, mut objects, mut odd) = (Vec::new(), Vec::new(), 0);
        for message in &messages {
            match noticed(&message.body) {
                Ok(named) => {
                    let named = named.iter().filter_map(Object::noticed);
                    objects.extend(named.filter(|object| {
                        object.key.as_ref().is_some_and(|key| selection.wants(key))
                    }));
                    understood.push(message.clone());
                }
                Err(reason) => {
                    odd += 1;
                    tracing::warn!(
                        "a message of the queue is left to its redrive policy: {reason}"
                    );
                }
            }
        }
        let entered = self.enter(&objects);
        let done = self.runtime.block_on(async {
            match &entered {
                Ok(_) => queue.delete(&understood).await,
                Err(_) => queue.give_back(&messages).await,
            }
        });
        drop(kept);
        if let Err(error) = done {
            // They come again, and are known then.
            tracing::warn!("{error}");
        }
        let new = entered?;
        if odd > 0 {
            self.ledger
                .write(|change| change.count("messages-not-understood", odd))?;
        }
        let told = understood.iter().map(|message| message.sent);
        let oldest = told.filter(|sent| *sent > 0).min();
        self.hears(oldest.unwrap_or(u64::MAX), began);
        self.look(&new, s3)?;
        Ok(false)
    }

    /// The oldest of the messages that were received is of this time (seconds). Where a queue is never empty, it has caught
    /// up when nothing old has come for a while.
    fn hears(&self, oldest: u64, now: u32) {
        let is_young = oldest.saturating_add(u64::from(self.settings.lateness)) >= u64::from(now);
        let mut sea = lock(&self.sea);
        sea.young = if is_young {
            sea.young.saturating_add(1)
        } else {
            0
        };
        if sea.young >= YOUNG && sea.is_behind {
            (sea.taken, sea.is_behind) = (Some(now), false);
        }
    }

    async fn end_is_asked(&self) {
        while !self.stop.is_asked() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
