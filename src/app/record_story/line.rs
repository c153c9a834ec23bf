//! One line of an object: the record on it, and its judgement.

use crate::flow::{Action, Field, Fields, MalformedLine, Record, RecordSink};
use crate::judge::JudgementRow;
use crate::judge::connection::Key;
use crate::judge::fold::{ObjectFacts, connection_of};
use crate::judge::records::JudgedSink;
use crate::judge::reporter::Reporters;
use crate::policy::Policy;

use super::JudgedRecord;

/// A record, found.
pub(super) struct Found {
    pub(super) record: Record,
    pub(super) fields: Vec<(&'static str, String)>,
    /// The connection that it belongs to; none where it cannot be judged.
    pub(super) key: Option<Key>,
}

/// What stands on a line.
pub(super) enum Line {
    None,
    Record(Box<Found>),
    Status(&'static str),
    Malformed(String),
}

/// Looks for the record on a line.
pub(super) struct Finder<'a> {
    pub(super) policy: &'a Policy,
    pub(super) reporters: Reporters,
    pub(super) object: ObjectFacts<'a>,
    pub(super) line: u64,
    pub(super) found: Line,
}

impl RecordSink for Finder<'_> {
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        if record.line != self.line {
            return;
        }
        let text = |field: &Field| Some((field.name(), fields.readable(*field)?.into_owned()));
        let (_, reporter) = self.reporters.intern(
            self.policy,
            self.object.flow_log,
            &self.object.place,
            fields,
        );
        let one_network = self.policy.has_one_network();
        let has_action = record.action != Action::Absent || reporter.is_transit_gateway();
        let network = reporter.network.filter(|_| record.complete && has_action);
        let key = network.map(|network| {
            let (key, _) = connection_of(self.policy, one_network, network, record);
            key
        });
        self.found = Line::Record(Box::new(Found {
            record: *record,
            fields: Field::ALL.iter().filter_map(text).collect(),
            key,
        }));
    }

    fn wants_line(&self, line: u64) -> bool {
        line == self.line
    }

    fn status(&mut self, record: &Record, skip: bool, _fields: &impl Fields) {
        if record.line == self.line {
            self.found = Line::Status(if skip { "SKIPDATA" } else { "NODATA" });
        }
    }

    fn malformed(&mut self, line: u64, why: &MalformedLine, _text: &[u8]) {
        if line == self.line {
            self.found = Line::Malformed(why.to_string());
        }
    }

    fn unverified(&mut self) {}
}

/// Takes the judgement of one line.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) judged: Option<JudgedRecord>,
}

impl JudgedSink for Row {
    type Reporter = ();

    fn reporter(&mut self, _fields: &impl Fields) {}

    fn judged(&mut self, record: &Record, _fields: &impl Fields, (): (), row: &JudgementRow<'_>) {
        if record.line != self.line {
            return;
        }
        self.judged = Some(JudgedRecord {
            network: row.network.map(str::to_owned),
            orientation: row.orientation,
            confidence: row.confidence,
            observer: row.observer,
            outcome: row.outcome,
            decision: row.decision,
            rule: row.rule.to_owned(),
            verdict: row.verdict,
            severity: row.severity,
        });
    }

    fn wants(&self, _field: Field) -> bool {
        false
    }

    fn wants_extra(&self) -> bool {
        false
    }

    fn wants_groups(&self) -> bool {
        false
    }
}
