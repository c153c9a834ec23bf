//! Spans of time in which every address keeps its place in both policies, and changes that several of them share.

use std::collections::BTreeMap;

use crate::policy::Policy;

use super::{Change, Diff, Moved};

/// A span of time that is asked about as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// The first instant, seconds since 1970.
    pub(super) from: u32,
    /// The first instant behind it; none if it has no end.
    pub(super) until: Option<u32>,
    /// Whether nothing but the first instant is asked about.
    is_instant: bool,
}

impl Span {
    /// One instant, which stands for all times.
    pub(super) fn at(at: u32) -> Span {
        Span {
            from: at,
            until: None,
            is_instant: true,
        }
    }

    /// Whether an instant is asked about that lies behind the first.
    pub(super) fn has_within(self, instant: u32) -> bool {
        !self.is_instant && self.from < instant && self.until.is_none_or(|until| instant < until)
    }
}

/// All time from an instant on, cut where the place of an address may change in either policy.
pub(super) fn spans(policies: [&Policy; 2], from: u32) -> Vec<Span> {
    let begins = policies
        .into_iter()
        .flat_map(|policy| policy.space.begins());
    let mut begins: Vec<u32> = begins.copied().filter(|begin| *begin > from).collect();
    begins.push(from);
    begins.sort_unstable();
    begins.dedup();
    let ends = begins.iter().skip(1).copied().map(Some).chain([None]);
    let spans = begins.iter().zip(ends);
    spans
        .map(|(from, until)| Span {
            from: *from,
            until,
            is_instant: false,
        })
        .collect()
}

/// Joins what changes alike in several spans.
pub(super) fn join(diff: &mut Diff) {
    let mut moved: BTreeMap<_, Moved> = BTreeMap::new();
    for one in std::mem::take(&mut diff.moved) {
        let key = (
            one.network.clone(),
            one.ranges.clone(),
            one.before.clone(),
            one.now.clone(),
        );
        match moved.get_mut(&key) {
            Some(known) => add_dates(&mut known.dates, &one.dates),
            None => {
                moved.insert(key, one);
            }
        }
    }
    // Of a network the order of addresses.
    diff.moved = moved.into_values().collect();
    let mut changes: BTreeMap<_, Vec<Change>> = BTreeMap::new();
    for change in std::mem::take(&mut diff.changes) {
        let key = (
            (change.kind, change.network.clone()),
            (change.before.clone(), change.now.clone()),
            (change.client.zone.clone(), change.client.ranges.clone()),
            (change.server.zone.clone(), change.server.ranges.clone()),
        );
        let alike = changes.entry(key).or_default();
        match alike
            .iter_mut()
            .find(|known| is_same_but_for_time(known, &change))
        {
            Some(known) => {
                if change.example.at < known.example.at {
                    known.example = change.example;
                }
                add_dates(&mut known.dates, &change.dates);
            }
            None => alike.push(change),
        }
    }
    diff.changes = changes.into_values().flatten().collect();
}

/// Takes the dates from what holds at all times that were asked for.
pub(super) fn forget_always(diff: &mut Diff) {
    let all = [(diff.from, None)];
    let moved = diff.moved.iter_mut().map(|moved| &mut moved.dates);
    let changes = diff.changes.iter_mut().map(|change| &mut change.dates);
    for dates in moved.chain(changes).filter(|dates| **dates == all) {
        dates.clear();
    }
}

fn is_same_but_for_time(one: &Change, other: &Change) -> bool {
    let timeless = Change {
        dates: one.dates.clone(),
        example: one.example.clone(),
        ..other.clone()
    };
    *one == timeless
}

/// Adds times to others; those that touch become one.
fn add_dates(dates: &mut Vec<(u32, Option<u32>)>, more: &[(u32, Option<u32>)]) {
    let mut all = std::mem::take(dates);
    all.extend(more);
    all.sort_unstable_by_key(|(from, _)| *from);
    for (from, until) in all {
        match dates.last_mut() {
            Some(last) if last.1 == Some(from) => last.1 = until,
            _ => dates.push((from, until)),
        }
    }
}
