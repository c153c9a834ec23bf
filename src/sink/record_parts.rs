//! What judged records have alike, and what is their own, as they were packed.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use super::columns::table;
use super::packed::Unpacker;
use super::shared_columns::SharedColumns;
use crate::flow::field::Kind;
use crate::flow::{Field, FlowsBuilder, Texts};
use crate::judge::{Confidence, Flags, JudgementRow, Observer, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Path as Via, Severity};

table! {
    /// Judgements of records but for their ends.
    pub(super) JudgementBatch, row: &JudgementRow<'_> {
        network: Text null = row.network;
        client_tier: Text null = row.client_tier;
        server_tier: Text null = row.server_tier;
        client_groups: Texts = &mut row.client_groups.iter().copied();
        server_groups: Texts = &mut row.server_groups.iter().copied();
        orientation: Named<Orientation> null = row.orientation;
        confidence: Named<Confidence> null = row.confidence;
        observer: Named<Observer> null = row.observer;
        outcome: Named<Outcome> null = row.outcome;
        via: Named<Via> null = row.via;
        decision: Named<Answer> null = row.decision;
        rule: Text = row.rule;
        verdict: Named<Verdict> = row.verdict;
        severity: Named<Severity> null = row.severity;
        denied_attempt: Bool = row.flags.denied_attempt;
        egress_violation: Bool = row.flags.egress_violation;
        cross_tier_violation: Bool = row.flags.cross_tier_violation;
        intra_tier_violation: Bool = row.flags.intra_tier_violation;
        ingress_violation: Bool = row.flags.ingress_violation;
    }
}

/// Builds the columns of one sort of parts.
pub(super) trait BuildPart {
    /// Appends a part; none if it is not one of these.
    fn push_part(&mut self, part: Unpacker<'_>) -> Option<()>;

    /// The columns of the parts so far; the builder is empty afterwards.
    fn finish_parts(&mut self) -> Vec<ArrayRef>;
}

/// Takes the part that stands in a row, by its number among `shared` (1-based) or, behind 0, itself. None if there is no such
/// part.
#[inline]
pub(super) fn push_part<B: BuildPart>(
    columns: &mut SharedColumns<B>,
    row: &mut Unpacker<'_>,
    shared: &[Arc<[u8]>],
) -> Option<()> {
    let add = |builder: &mut B, part: &[u8]| builder.push_part(Unpacker::split(part)?.1);
    match usize::try_from(row.number()?).ok()?.checked_sub(1) {
        None => {
            let part = row.bytes()?;
            columns.push_own(|builder| add(builder, part))
        }
        Some(number) => {
            let part = shared.get(number)?;
            columns.push(number, |builder| add(builder, part))
        }
    }
}

impl BuildPart for JudgementBatch {
    fn push_part(&mut self, mut part: Unpacker<'_>) -> Option<()> {
        let network = part.text()?;
        let (client_tier, server_tier) = (part.text()?, part.text()?);
        let mut groups = || {
            (0..part.number()?)
                .map(|_| part.text()?)
                .collect::<Option<Vec<_>>>()
        };
        let (client_groups, server_groups) = (groups()?, groups()?);
        self.push(&[JudgementRow {
            network,
            client_addr: None,
            client_port: None,
            server_addr: None,
            server_port: None,
            client_tier,
            server_tier,
            client_groups: &client_groups,
            server_groups: &server_groups,
            orientation: part.word()?,
            confidence: part.word()?,
            observer: part.word()?,
            outcome: part.word()?,
            via: part.word()?,
            decision: part.word()?,
            rule: part.text()??,
            verdict: part.word()??,
            severity: part.word()?,
            flags: flags(part.number()?),
        }]);
        Some(())
    }

    fn finish_parts(&mut self) -> Vec<ArrayRef> {
        self.finish()
    }
}

/// Flags of their bits.
fn flags(bits: u64) -> Flags {
    let flag = |bit: u32| bits >> bit & 1 == 1;
    Flags {
        denied_attempt: flag(0),
        egress_violation: flag(1),
        cross_tier_violation: flag(2),
        intra_tier_violation: flag(3),
        ingress_violation: flag(4),
    }
}

/// Builds columns of fields that records share.
pub(super) struct FieldParts(FlowsBuilder);

impl FieldParts {
    /// A builder of the columns of these fields.
    pub fn new(fields: &[Field]) -> FieldParts {
        let columns: Vec<usize> = fields.iter().map(|field| *field as usize).collect();
        FieldParts(FlowsBuilder::of_words(&columns))
    }

    /// The schema of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}

impl BuildPart for FieldParts {
    fn push_part(&mut self, part: Unpacker<'_>) -> Option<()> {
        self.0.push((0, 0), &SharedTexts::read(part)?, "", 0);
        Some(())
    }

    fn finish_parts(&mut self) -> Vec<ArrayRef> {
        self.0.finish().columns().to_vec()
    }
}

/// Texts of a part as they were packed.
struct SharedTexts<'a> {
    texts: [Option<&'a str>; Field::COUNT],
    integers: [Option<i64>; Field::COUNT],
}

impl<'a> SharedTexts<'a> {
    fn read(mut part: Unpacker<'a>) -> Option<SharedTexts<'a>> {
        let (mut texts, mut integers) = ([None; Field::COUNT], [None; Field::COUNT]);
        while let Some(tag) = part.number()?.checked_sub(1) {
            let field = *Field::ALL.get(usize::try_from(tag).ok()?)?;
            match field.kind() {
                Kind::Text => texts[field as usize] = part.text()?,
                _ => integers[field as usize] = Some(part.integer()?),
            }
        }
        Some(SharedTexts { texts, integers })
    }
}

impl Texts for SharedTexts<'_> {
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.texts[field as usize].map(str::as_bytes)
    }

    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        self.texts[field as usize].map(Cow::Borrowed)
    }

    fn integer(&self, field: Field) -> Option<i64> {
        self.integers[field as usize]
    }

    fn extra(&self, _each: &mut dyn FnMut(&str, &[u8])) {}
}

/// A value of one of [`Field::OF_RECORD`].
#[derive(Clone, Copy)]
enum Own<'a> {
    Text(Option<&'a str>),
    Integer(Option<i64>),
}

/// The texts that a record has of its own, as they were packed.
pub(super) struct OwnTexts<'a> {
    /// The values of [`Field::OF_RECORD`].
    values: [Own<'a>; Field::OF_RECORD.len()],
    extra: Vec<(&'a str, &'a str)>,
}

impl<'a> OwnTexts<'a> {
    /// Reads them off a row.
    pub fn read(row: &mut Unpacker<'a>) -> Option<OwnTexts<'a>> {
        let mut values = [Own::Text(None); Field::OF_RECORD.len()];
        for (value, field) in values.iter_mut().zip(Field::OF_RECORD) {
            *value = match field.kind() {
                Kind::Text => Own::Text(row.text()?),
                _ if row.number()? == 0 => Own::Integer(None),
                _ => Own::Integer(Some(row.integer()?)),
            };
        }
        let mut extra = Vec::new();
        while let Some(name) = row.text()? {
            extra.push((name, row.text()??));
        }
        Some(OwnTexts { values, extra })
    }

    #[inline]
    fn get(&self, field: Field) -> Option<&str> {
        match self.values[field.place_of_record()?] {
            Own::Text(text) => text,
            Own::Integer(_) => None,
        }
    }
}

impl Texts for OwnTexts<'_> {
    #[inline]
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.get(field).map(str::as_bytes)
    }

    #[inline]
    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        self.get(field).map(Cow::Borrowed)
    }

    #[inline]
    fn integer(&self, field: Field) -> Option<i64> {
        match self.values[field.place_of_record()?] {
            Own::Integer(integer) => integer,
            Own::Text(_) => None,
        }
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, text) in &self.extra {
            each(name, text.as_bytes());
        }
    }
}
