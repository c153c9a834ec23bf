//! Another policy asked of every connection of a run, beside the one that judges it.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use super::lock;
use crate::judge::connection::{Connection, Tag, View};
use crate::judge::edges::OneByOne;
use crate::judge::facts::SlotFacts;
use crate::judge::part::InterfaceNotes;
use crate::judge::replay::{Changes, Counts, Pair, Said, Seen, Told};
use crate::judge::reporter::Reporter;
use crate::judge::ruling::{Judge, Judged, Ruling, SlotContext};
use crate::judge::traffic::Traffic;

/// What all threads of a run compare, and what came of it. The policies have to agree in what connections are put together
/// by (`Policy::other_ground`): then the other one says here what it would say in a run of its own.
pub(super) struct Comparing<'p> {
    /// The policy that judges the run, and the other one.
    pair: Pair<'p>,
    changes: Mutex<Changes>,
}

impl<'p> Comparing<'p> {
    /// Nothing compared yet.
    pub fn new(pair: Pair<'p>) -> Comparing<'p> {
        Comparing {
            pair,
            changes: Mutex::default(),
        }
    }

    /// What all threads compared.
    pub fn finish(self) -> Changes {
        let changes = self.changes.into_inner();
        changes.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's part of it.
pub(super) struct Comparer<'p> {
    comparing: &'p Comparing<'p>,
    judge: Judge<'p>,
    one_by_one: OneByOne,
    changes: Changes,
}

impl<'p> Comparer<'p> {
    /// Nothing compared yet.
    pub fn new(comparing: &'p Comparing<'p>) -> Comparer<'p> {
        Comparer {
            comparing,
            judge: Judge::new(comparing.pair.new),
            one_by_one: OneByOne::default(),
            changes: Changes::default(),
        }
    }

    /// What a slot's records teach, in the eyes of the other policy: groups are its own.
    pub fn facts<'r>(
        &self,
        reporters: &'r [Reporter],
        interfaces: &HashMap<u32, InterfaceNotes>,
    ) -> SlotFacts<'r> {
        SlotFacts::new(self.comparing.pair.new, reporters, interfaces)
    }

    /// Asks the other policy of a connection that was ruled on; each policy has its own context.
    pub fn compare<'v, V: Iterator<Item = (Tag, &'v View)>>(
        &mut self,
        [context, other]: [&SlotContext<'_>; 2],
        connection: &Connection,
        views: impl Fn() -> V,
        traffic: &Traffic,
        ruling: &Ruling,
        urls: &[Arc<str>],
    ) {
        let pair = &self.comparing.pair;
        let said = self.judge.rule(other, connection, views(), traffic);
        let told = Told {
            old: what_is_said(ruling),
            new: what_is_said(&said),
            old_zones: [ruling.zones.client, ruling.zones.server],
            new_zones: [said.zones.client, said.zones.server],
        };
        self.changes.compared += 1;
        if let Judged::Decided { decision, .. } = said.judged {
            self.changes.via_unknown += u64::from(decision.via_unknown);
        }
        if pair.change(told.old, told.new).is_none() {
            return;
        }
        let (facts, policy) = (context.facts, pair.old);
        let own = self
            .one_by_one
            .tell(policy, facts, connection, views(), traffic, ruling);
        let Some((own, object)) = own else { return };
        let seen = Seen {
            client: own.client_addr,
            server: own.server_addr,
            server_port: own.server_port,
            protocol: own.protocol,
            counts: Counts {
                records: own.records,
                connections: own.connections,
                bytes: own.bytes[0].saturating_add(own.bytes[1]),
            },
            first_seen: own.first_seen,
            last_seen: own.last_seen,
            source: urls.get(object).map_or("", |url| url),
            line: own.line,
        };
        self.changes.add(pair, &told, &seen);
    }

    /// Adds what this thread compared to the whole.
    pub fn finish(self) {
        lock(&self.comparing.changes).absorb(self.changes);
    }
}

fn what_is_said(ruling: &Ruling) -> Said {
    match ruling.judged {
        Judged::Decided { decision, .. } => Said::Decided(decision.answer, decision.rule),
        Judged::Not(reason) => Said::Not(reason),
    }
}
