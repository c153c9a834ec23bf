//! The days of a listing, one ahead of whoever judges them.

use tokio::runtime::Runtime;

use super::error::ScanError;
use crate::sink::Day;
use crate::source::{Counts, Listing, Object};

/// Hands out the objects of a listing: those without key times at first, then day after day.
pub(super) struct ListedDays<'r> {
    listing: Listing,
    runtime: &'r Runtime,
    /// The next day's objects, if they are listed already.
    next: Option<(Day, Vec<Object>)>,
    /// The day that was handed out last, if it is remembered.
    last: Option<(Day, Vec<Object>)>,
    /// Whether whoever comes next may ask for the last day again.
    remembers: bool,
}

impl<'r> ListedDays<'r> {
    /// The days of a listing from which nothing was taken yet.
    pub fn new(listing: Listing, runtime: &'r Runtime, remembers: bool) -> ListedDays<'r> {
        ListedDays {
            listing,
            runtime,
            next: None,
            last: None,
            remembers,
        }
    }

    /// The objects without key times. They come before all days.
    pub fn take_timeless(&mut self) -> Vec<Object> {
        let batch = self.listing.take_timeless();
        batch.map_or_else(Vec::new, |batch| batch.objects)
    }

    /// The objects of the next day that begins before an instant, if there is one; without an instant, of the next day.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn next_before(&mut self, until: Option<u32>) -> Result<Option<Vec<Object>>, ScanError> {
        if self.next.is_none() {
            let batch = self.runtime.block_on(self.listing.next())?;
            self.next = batch.and_then(|batch| {
                let key = batch.objects.first()?.key.as_ref()?;
                Some((Day::of(key.time), batch.objects))
            });
        }
        let is_due =
            |(day, _): &mut (Day, Vec<Object>)| until.is_none_or(|until| day.start() < until);
        let Some((day, objects)) = self.next.take_if(is_due) else {
            return Ok(None);
        };
        if self.remembers {
            self.last = Some((day, objects.clone()));
        }
        Ok(Some(objects))
    }

    /// The objects of the day that ends at an instant, if they were the last to be handed out; they are not handed out
    /// twice.
    pub fn take_day_before(&mut self, from: u32) -> Vec<Object> {
        let last = self.last.take_if(|(day, _)| day.start() + 86_400 == from);
        last.map_or_else(Vec::new, |(_, objects)| objects)
    }

    /// What the listing came across so far.
    pub fn counts(&self) -> Counts {
        self.listing.counts()
    }

    /// What was listed.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }
}
