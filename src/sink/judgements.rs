//! The columns that `records` has beyond those of the raw log.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::columns::table;
use crate::judge::{Confidence, JudgementRow, Observer, Orientation, Outcome};
use crate::policy::{Answer, Path, Severity};

table! {
    /// Judgements of records, row by row beside the raw columns of the same records.
    pub JudgementBuilder, row: &JudgementRow<'_> {
        network: Text null = row.network;
        client_addr: Address null = row.client_addr;
        client_port: Int32 null = row.client_port.map(i32::from);
        server_addr: Address null = row.server_addr;
        server_port: Int32 null = row.server_port.map(i32::from);
        client_tier: Text null = row.client_tier;
        server_tier: Text null = row.server_tier;
        client_groups: Texts = &mut row.client_groups.iter().copied();
        server_groups: Texts = &mut row.server_groups.iter().copied();
        orientation: Text null = row.orientation.map(Orientation::as_str);
        confidence: Text null = row.confidence.map(Confidence::as_str);
        observer: Text null = row.observer.map(Observer::as_str);
        outcome: Text null = row.outcome.map(Outcome::as_str);
        via: Text null = row.via.map(Path::as_str);
        decision: Text null = row.decision.map(Answer::as_str);
        rule: Text = row.rule;
        verdict: Text = row.verdict.as_str();
        severity: Text null = row.severity.map(Severity::as_str);
        denied_attempt: Bool = row.flags.denied_attempt;
        egress_violation: Bool = row.flags.egress_violation;
        cross_tier_violation: Bool = row.flags.cross_tier_violation;
        intra_tier_violation: Bool = row.flags.intra_tier_violation;
        ingress_violation: Bool = row.flags.ingress_violation;
    }
}

impl JudgementBuilder {
    /// The schema of `records`: the columns of the raw log, then those of the judgement.
    pub fn records_schema(raw: &Schema) -> SchemaRef {
        let raw = raw.fields().iter().map(|field| field.as_ref().clone());
        Arc::new(Schema::new(
            raw.chain(JudgementBuilder::fields())
                .collect::<Vec<Field>>(),
        ))
    }

    /// A batch of `records`: these raw rows with the judgements pushed so far, as many; the builder is empty afterwards.
    ///
    /// # Errors
    /// When there are more or fewer judgements than rows.
    pub fn finish_beside(
        &mut self,
        schema: &SchemaRef,
        raw: &RecordBatch,
    ) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = raw.columns().iter().cloned().chain(self.finish()).collect();
        RecordBatch::try_new(schema.clone(), columns)
    }
}
