//! How many bytes the members of each group sent and received, counted as edges count them.

use std::collections::BTreeMap;

use super::account::Totals;
use crate::judge::connection::Key;
use crate::judge::facts::SlotFacts;
use crate::judge::ruling::{Ruling, perspective};
use crate::policy::{GroupId, Policy};

/// Bytes by group: sent, received. A connection between two members of a group counts for both.
#[derive(Clone, Debug, Default)]
pub struct GroupBytes(BTreeMap<GroupId, [u64; 2]>);

impl GroupBytes {
    /// Takes what a connection adds up to.
    pub(super) fn add(
        &mut self,
        policy: &Policy,
        facts: &SlotFacts<'_>,
        key: &Key,
        ruling: &Ruling,
        totals: &Totals,
    ) {
        let [to_server, to_client] = totals.bytes;
        let client = ruling.oriented.client;
        for (side, sent, received) in [
            (client, to_server, to_client),
            (client.other(), to_client, to_server),
        ] {
            let end = key.end(side);
            let place = policy.place(perspective(key), end.addr, ruling.at);
            let by_facts = match place.home {
                Some(_) => facts.groups(facts.address(end).groups_key),
                None => &[],
            };
            let known = policy.known(place.home, end.addr, ruling.at);
            for group in policy.groups_of_end(place.class, by_facts, known) {
                let bytes = self.0.entry(group).or_default();
                bytes[0] = bytes[0].saturating_add(sent);
                bytes[1] = bytes[1].saturating_add(received);
            }
        }
    }

    /// Takes in what another table counted.
    pub fn absorb(&mut self, other: &GroupBytes) {
        for (group, [sent, received]) in &other.0 {
            let bytes = self.0.entry(*group).or_default();
            bytes[0] = bytes[0].saturating_add(*sent);
            bytes[1] = bytes[1].saturating_add(*received);
        }
    }

    /// The groups that have any, with the bytes that their members sent and received.
    pub fn iter(&self) -> impl Iterator<Item = (GroupId, [u64; 2])> {
        self.0.iter().map(|(group, bytes)| (*group, *bytes))
    }
}
