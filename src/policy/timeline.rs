//! A view of address space through time: a table for each epoch between the instants at which something in it begins or
//! ends to be in force.

use super::table::{self, Table, TooFragmented};
use super::validity::Validity;
use crate::net::Prefix;

/// The tables of one view. Most policies have one, for all times.
pub(super) struct Timeline {
    /// The first instants of all epochs but the first, ascending.
    begins: Vec<u32>,
    /// A table for each epoch.
    tables: Vec<Table>,
}

impl Timeline {
    /// The table of an instant.
    #[inline]
    pub(super) fn at(&self, at: u32) -> &Table {
        if self.begins.is_empty() {
            return &self.tables[0];
        }
        &self.tables[self.begins.partition_point(|begin| *begin <= at)]
    }

    /// The first instants of all epochs but the first, ascending.
    pub(super) fn begins(&self) -> &[u32] {
        &self.begins
    }
}

/// Builds the tables of a view: `table` makes the one of the epoch that begins at an instant, from the prefixes that are in
/// force then. What takes part in the view is in force by `validities`; an epoch costs a look at `num_looked_at` things
/// beside its table.
pub(super) fn build<T: Copy>(
    prefixes: &[(Prefix, Validity, T)],
    validities: &[Validity],
    num_looked_at: usize,
    work: &mut usize,
    mut table: impl FnMut(&[(Prefix, T)], u32, &mut usize) -> Result<Table, TooFragmented>,
) -> Result<Timeline, TooFragmented> {
    let instants = validities.iter().flat_map(|validity| validity.instants());
    let mut instants: Vec<u32> = instants.collect();
    instants.sort_unstable();
    instants.dedup();
    let mut in_force_at = |at: u32, work: &mut usize| {
        let in_force = prefixes
            .iter()
            .filter(|(_, validity, _)| validity.holds(at));
        let in_force: Vec<(Prefix, T)> =
            in_force.map(|(prefix, _, what)| (*prefix, *what)).collect();
        table(&in_force, at, work)
    };
    let mut timeline = Timeline {
        begins: Vec::new(),
        tables: vec![in_force_at(0, work)?],
    };
    for at in instants {
        table::spend(num_looked_at, work)?;
        let made = in_force_at(at, work)?;
        if timeline.tables.last() != Some(&made) {
            table::spend(made.size_of_index(), work)?;
            timeline.begins.push(at);
            timeline.tables.push(made);
        }
    }
    Ok(timeline)
}
