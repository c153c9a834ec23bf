//! Which interface claims an address, and how long: what the files state, each state with its end.
//!
//! A state of an interface ends with the next statement about the interface, or when a later file tells all interfaces of
//! its VPC and this is not among them. Where the tags of its instance change meanwhile, it falls into parts.

use std::ops::Range;

use super::read::{Stated, Statement};
use crate::config::Tags;

/// The end of what does not end.
pub(super) const OPEN: i64 = i64::MAX;

/// A state of an interface, or a part of it, and how long it lasts, half-open; seconds since 1970.
pub(super) struct Held<'s> {
    /// A number of [`Stated::statements`].
    pub(super) statement: u32,
    /// A number of [`Stated::states`].
    pub(super) state: u32,
    /// The tags of its instance, and their number among those of the instance; none if it has no instance, or nothing
    /// tells.
    pub(super) instance_tags: Option<(usize, &'s Tags)>,
    /// When it was stated.
    pub(super) stated: i64,
    pub(super) from: i64,
    pub(super) until: i64,
}

/// Sorts the statements by interface and time, and calls `each` with every state that they tell and how long it lasts.
pub(super) fn each_state(stated: &mut Stated, mut each: impl FnMut(&Stated, Held<'_>)) {
    stated.instances.values_mut().for_each(agree);
    stated
        .statements
        .sort_by(|a, b| (&a.id, a.from, a.state, a.file).cmp(&(&b.id, b.from, b.state, b.file)));
    let stated = &*stated;
    let all = &stated.statements;
    let mut at = 0;
    while at < all.len() {
        let now = together(all, at);
        let next = all.get(now.end).filter(|next| next.id == all[at].id);
        let replaced = next.map_or(OPEN, |next| next.from);
        for (place, statement) in now.clone().zip(&all[now.clone()]) {
            let Some(state) = statement.state else {
                continue;
            };
            let vpc = stated.states[state as usize].vpc.as_ref();
            let told_all = vpc.and_then(|vpc| {
                let times = stated.complete.get(vpc)?;
                times.range(statement.from.saturating_add(1)..).next()
            });
            let until = told_all.map_or(replaced, |told| replaced.min(*told));
            for (from, until, instance_tags) in parts(stated, state, statement.from, until) {
                let held = Held {
                    statement: place as u32,
                    state,
                    instance_tags,
                    stated: statement.from,
                    from,
                    until,
                };
                each(stated, held);
            }
        }
        at = now.end;
    }
}

/// Sorts what is said of an instance's tags. Of what is said of one instant, tags that differ are none.
fn agree(said: &mut Vec<(i64, Tags)>) {
    said.sort();
    let agreed = said.chunk_by(|a, b| a.0 == b.0).map(|of_one| {
        let mut tags = Tags::new();
        for (key, value) in of_one.iter().flat_map(|(_, tags)| tags) {
            let differs = |(_, other): &(i64, Tags)| other.get(key).is_some_and(|it| it != value);
            if !of_one.iter().any(differs) {
                tags.insert(key.clone(), value.clone());
            }
        }
        (of_one[0].0, tags)
    });
    *said = agreed.collect();
}

/// From when until when, and the tags of the instance meanwhile with their number.
type Part<'s> = (i64, i64, Option<(usize, &'s Tags)>);

/// The parts of a state: as many as its instance has tags meanwhile.
fn parts(stated: &Stated, state: u32, from: i64, until: i64) -> Vec<Part<'_>> {
    let instance = stated.states[state as usize].instance.as_ref();
    let said = instance.and_then(|id| stated.instances.get(id));
    let Some(said) = said else {
        return vec![(from, until, None)];
    };
    let first = said.partition_point(|(since, _)| *since <= from);
    let tags_at = |number: usize| (number, &said[number].1);
    let mut parts = vec![(from, until, first.checked_sub(1).map(tags_at))];
    for (number, (since, _)) in said.iter().enumerate().skip(first) {
        if *since >= until {
            break;
        }
        parts.last_mut().expect("there is a first part").1 = *since;
        parts.push((*since, until, Some(tags_at(number))));
    }
    parts
}

/// The statements about one interface of one instant, from a place on.
fn together(all: &[Statement], first: usize) -> Range<usize> {
    let (from, id) = (all[first].from, &all[first].id);
    let count = all[first..]
        .iter()
        .take_while(|statement| statement.from == from && statement.id == *id)
        .count();
    first..first + count
}
