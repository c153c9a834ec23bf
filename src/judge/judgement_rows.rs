//! What is said of records, made of the ruling on their connection: rows for a single record, or for all that one reporter
//! has of one direction and lane, which differ in nothing but their orientation.

use hashbrown::HashMap;

use crate::flow::Record;
use crate::net::protocol::has_ports;
use crate::policy::{GroupId, NetworkId, Policy};

use super::connection::{Connection, End, Key, Kinds, Side, Tag, View};
use super::facts::{Seat, SlotFacts};
use super::orient::syn_ack_confidence;
use super::outcome::{Reject, classify};
use super::part::Unjudgeable;
use super::reporter::ReporterId;
use super::ruling::{Judged, Ruling, perspective};
use super::traffic::Traffic;
use super::{Confidence, Flags, JudgementRow, Observer, Orientation, Reason, Verdict};

/// What a connection's records are judged by.
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) ruling: Ruling,
    /// How sure a SYN with ACK of its own makes a record.
    syn_ack: Confidence,
    /// What both ends sent: such a SYN tells nobody's role.
    from_both: Kinds,
    /// What rejects are, by lane and sender.
    rejects: [[Option<Reject>; 2]; 6],
}

impl Stored {
    /// What is stored of a connection that was ruled on.
    pub(super) fn of<'v>(
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)>,
        traffic: &Traffic,
        ruling: &Ruling,
    ) -> Stored {
        let key = connection.key();
        let mut rejects = [[None; 2]; 6];
        for (tag, _) in views.filter(|(tag, _)| tag.lane().is_reject()) {
            let class = classify(&key, traffic, &ruling.oriented, tag.lane(), tag.sender());
            rejects[tag.lane() as usize][tag.sender() as usize] = Some(class);
        }
        Stored {
            key,
            ruling: *ruling,
            syn_ack: syn_ack_confidence(traffic, ruling.oriented.client),
            from_both: traffic.sent[0].kinds.common(traffic.sent[1].kinds),
            rejects,
        }
    }

    /// A record with a SYN of its own shows that, where only one end sent such, and it says the same as its connection.
    pub(super) fn own_orientation(
        &self,
        record: &Record,
        sender: Side,
    ) -> (Orientation, Confidence) {
        let oriented = &self.ruling.oriented;
        match Kinds::of(record) {
            kinds if self.from_both.has(kinds) => (oriented.orientation, oriented.confidence),
            Kinds::SYN if sender == oriented.client => (Orientation::Syn, Confidence::Certain),
            Kinds::SYN_ACK if sender != oriented.client => (Orientation::SynAck, self.syn_ack),
            _ => (oriented.orientation, oriented.confidence),
        }
    }
}

/// Whether another flow log of the same interface tells the same, and counts instead.
pub(super) fn is_copy<'v>(
    facts: &SlotFacts<'_>,
    mut views: impl Iterator<Item = (Tag, &'v View)>,
    tag: Tag,
) -> bool {
    let reporter = facts.reporter(tag.reporter());
    views.any(|(other, _)| {
        let other_reporter = facts.reporter(other.reporter());
        other.sender() == tag.sender()
            && other_reporter.stream != reporter.stream
            && other_reporter.interface == reporter.interface
            && other_reporter.counts_before(reporter)
    })
}

/// Makes rows of what was ruled in one slot.
pub struct JudgementRows<'a> {
    policy: &'a Policy,
    facts: &'a SlotFacts<'a>,
    /// Whether anybody asks for the groups of the ends.
    groups: bool,
}

impl<'a> JudgementRows<'a> {
    /// Rows by these facts of the slot; without groups they have none.
    pub fn new(policy: &'a Policy, facts: &'a SlotFacts<'a>, groups: bool) -> JudgementRows<'a> {
        JudgementRows {
            policy,
            facts,
            groups,
        }
    }

    /// Calls `each` with what is said of a connection's records, and of how many, whoever reported them: all but their
    /// orientation, which may differ from record to record.
    ///
    /// # Errors
    /// When `each` fails.
    pub fn of_connection<'v, E>(
        &self,
        connection: &Connection,
        views: impl Iterator<Item = (Tag, &'v View)> + Clone,
        traffic: &Traffic,
        ruling: &Ruling,
        mut each: impl FnMut(&JudgementRow<'_>, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let stored = Stored::of(connection, views.clone(), traffic, ruling);
        for (tag, view) in views.clone() {
            let is_copy = is_copy(self.facts, views.clone(), tag);
            self.judged(&stored, tag, is_copy, None, |row| {
                each(row, view.records.into())
            })?;
        }
        Ok(())
    }

    /// Calls `each` with what is said of records that no ruling is about, and of how many.
    ///
    /// # Errors
    /// When `each` fails.
    pub fn of_unjudgeable<E>(
        &self,
        unjudgeable: &HashMap<ReporterId, Unjudgeable>,
        mut each: impl FnMut(&JudgementRow<'_>, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        for (id, counts) in unjudgeable {
            let network = self.facts.reporter(*id).network;
            let of_reasons = [
                (Reason::OutOfScope, counts.out_of_scope),
                (Reason::MissingField, counts.missing_field),
            ];
            for (reason, count) in of_reasons.into_iter().filter(|(_, count)| *count > 0) {
                each(&self.unjudgeable(network, reason), count)?;
            }
        }
        Ok(())
    }

    /// What is said of a record that cannot be judged.
    pub(super) fn unjudgeable(
        &self,
        network: Option<NetworkId>,
        reason: Reason,
    ) -> JudgementRow<'a> {
        JudgementRow {
            network: network.map(|network| self.policy.network_name(network)),
            client_addr: None,
            client_port: None,
            server_addr: None,
            server_port: None,
            client_tier: None,
            server_tier: None,
            client_groups: &[],
            server_groups: &[],
            orientation: None,
            confidence: None,
            observer: None,
            outcome: None,
            via: None,
            decision: None,
            rule: reason.as_str(),
            verdict: Verdict::Unjudged,
            severity: None,
            flags: Flags::default(),
        }
    }

    /// Calls `with` what is said of a record of this tag.
    pub(super) fn judged<T>(
        &self,
        stored: &Stored,
        tag: Tag,
        is_copy: bool,
        own: Option<(Orientation, Confidence)>,
        with: impl FnOnce(&JudgementRow<'_>) -> T,
    ) -> T {
        let (key, ruling) = (&stored.key, &stored.ruling);
        let judged = if is_copy {
            Judged::Not(Reason::Duplicate)
        } else {
            match stored.rejects[tag.lane() as usize][tag.sender() as usize] {
                Some(Reject::PostClose) => ruling.judged_alone(Reason::PostClose),
                Some(Reject::Stray) => ruling.judged_alone(Reason::Stray),
                _ => ruling.judged,
            }
        };
        let client = key.end(ruling.oriented.client);
        let server = key.end(ruling.oriented.client.other());
        let ports = has_ports(key.protocol);
        let is_late = matches!(judged, Judged::Not(Reason::PostClose | Reason::Stray));
        let (client_groups, server_groups) = if self.groups {
            let groups = |end| self.groups_of(key, end, ruling.at);
            (groups(client), groups(server))
        } else {
            Default::default()
        };
        let network = self.facts.reporter(tag.reporter()).network;
        let mut row = JudgementRow {
            network: network.map(|network| self.policy.network_name(network)),
            client_addr: Some(client.addr),
            client_port: ports.then_some(client.port),
            server_addr: Some(server.addr),
            server_port: ports.then_some(server.port),
            client_tier: Some(self.policy.zone_name(ruling.zones.client)),
            server_tier: Some(self.policy.zone_name(ruling.zones.server)),
            client_groups: &client_groups,
            server_groups: &server_groups,
            orientation: own.map(|(orientation, _)| orientation),
            confidence: own.map(|(_, confidence)| confidence),
            observer: Some(self.observer(tag, key, ruling)),
            outcome: ruling.outcome.filter(|_| !is_late),
            via: ruling.via,
            decision: None,
            rule: "",
            verdict: Verdict::Unjudged,
            severity: None,
            flags: Flags::default(),
        };
        match judged {
            Judged::Decided {
                decision,
                verdict,
                severity,
                flags,
            } => {
                row.decision = Some(decision.answer);
                row.rule = &self.policy.rule(decision.rule).id;
                row.verdict = verdict;
                row.severity = Some(severity);
                row.flags = flags;
            }
            Judged::Not(reason) => row.rule = reason.as_str(),
        }
        with(&row)
    }

    fn observer(&self, tag: Tag, key: &Key, ruling: &Ruling) -> Observer {
        match self
            .facts
            .seat(tag, key.end(Side::Low), key.end(Side::High))
        {
            Seat::End(side) if side == ruling.oriented.client => Observer::Client,
            Seat::End(_) => Observer::Server,
            Seat::Transit => Observer::Transit,
            Seat::Unknown => Observer::Unknown,
        }
    }

    /// The names of an end's groups at an instant, by prefix, by interface facts and by the inventory, sorted.
    fn groups_of(&self, key: &Key, end: End, at: u32) -> Vec<&'a str> {
        let place = self.policy.place(perspective(key), end.addr, at);
        let by_facts: &[GroupId] = if place.home.is_some() {
            self.facts.groups(self.facts.address(end).groups_key)
        } else {
            &[]
        };
        let known = self.policy.known(place.home, end.addr, at);
        let groups = self.policy.groups_of_end(place.class, by_facts, known);
        let mut names: Vec<&str> = groups.map(|group| self.policy.group_name(group)).collect();
        names.sort_unstable();
        names
    }
}
