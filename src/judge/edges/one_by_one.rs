//! Single connections, told as edges would tell them.

use super::account::{Account, Actions};
use super::{EdgeParts, OwnPart, shares};
use crate::judge::connection::{Connection, Tag, View};
use crate::judge::edges::EdgeEntry;
use crate::judge::edges::account::Share;
use crate::judge::facts::SlotFacts;
use crate::judge::ruling::Ruling;
use crate::judge::traffic::Traffic;
use crate::policy::Policy;

/// Tells of connections one by one what they add to their edges. Used again from connection to connection.
#[derive(Default)]
pub struct OneByOne {
    account: Account,
    /// What the account notes beside, and nobody asks for here.
    actions: Actions,
}

impl OneByOne {
    /// A connection without what came after its close, and the rank of the object of its example record; none where all of
    /// it came late.
    pub fn tell<'v>(
        &mut self,
        policy: &Policy,
        facts: &SlotFacts<'_>,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
        traffic: &Traffic,
        ruling: &Ruling,
    ) -> Option<(OwnPart, usize)> {
        let key = connection.key();
        let share_of = shares(&key, traffic, ruling);
        let actions = (&mut self.actions, false);
        self.account.fill(facts, views, share_of, actions);
        let totals = self.account.totals(Share::Own, ruling.oriented.client)?;
        let entry = EdgeEntry::of(policy, facts, connection, ruling, &ruling.judged, &totals);
        let own = OwnPart {
            connections: 1,
            ..entry.own()
        };
        Some((own, EdgeParts::of(&entry).source as usize))
    }
}
