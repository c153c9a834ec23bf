//! The columns of the `edges` table. What many edges have alike is built once a batch, and then spread over the rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use hashbrown::HashMap;

use super::LakeError;
use super::columns::table;
use super::shared_columns::{SharedColumns, TableOrder};
use crate::judge::edges::{EdgeEntry, EdgeParts, EdgeWords, OwnPart, StoryNumber};
use crate::judge::{Confidence, EdgeRow, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Path, Severity};

table! {
    /// What edges have of their own.
    OwnBatch, edge: &OwnPart {
        client_addr: Address = edge.client_addr;
        server_addr: Address = edge.server_addr;
        server_port: Int32 null = edge.server_port.map(i32::from);
        protocol: Int32 = i32::from(edge.protocol);
        records: Count = edge.records;
        connections: Count = edge.connections;
        packets_to_server: Count = edge.packets[0];
        packets_to_client: Count = edge.packets[1];
        bytes_to_server: Count = edge.bytes[0];
        bytes_to_client: Count = edge.bytes[1];
        first_seen: Time null = Some(edge.first_seen);
        last_seen: Time null = Some(edge.last_seen);
        line: Count = edge.line;
    }
}

table! {
    /// What edges were found to be.
    StoryBatch, edge: &EdgeRow<'_> {
        network: Text = edge.network;
        orientation: Named<Orientation> = edge.orientation;
        confidence: Named<Confidence> = edge.confidence;
        outcome: Named<Outcome> null = edge.outcome;
        via: Named<Path> null = edge.via;
        decision: Named<Answer> null = edge.decision;
        rule: Text = edge.rule;
        verdict: Named<Verdict> = edge.verdict;
        severity: Named<Severity> null = edge.severity;
        lacked: Text null = edge.lacked;
        client_tier: Text = edge.client_zone;
        server_tier: Text = edge.server_zone;
    }
}

table! {
    /// The clients' workloads.
    ClientBatch, edge: &EdgeRow<'_> {
        client_workload: Text null = edge.client_workload;
    }
}

table! {
    /// The servers' workloads.
    ServerBatch, edge: &EdgeRow<'_> {
        server_workload: Text null = edge.server_workload;
    }
}

table! {
    /// Where inside ends live.
    InsideBatch, edge: &EdgeRow<'_> {
        account_id: Text null = edge.inside.account_id;
        region: Text null = edge.inside.region;
        vpc_id: Text null = edge.inside.vpc_id;
        subnet_id: Text null = edge.inside.subnet_id;
        interface_id: Text null = edge.inside.interface_id;
        instance_id: Text null = edge.inside.instance_id;
    }
}

table! {
    /// The objects of example records.
    SourceBatch, edge: &EdgeRow<'_> {
        source: Text = edge.source;
    }
}

/// The schema of batches of `edges`, their text as dictionaries. A file has text.
pub(super) fn edges_schema() -> SchemaRef {
    let (own, story) = (OwnBatch::fields(), StoryBatch::fields());
    let fields: Vec<ArrowField> = [
        &story[..1],
        &own[..4],
        &story[1..],
        &ClientBatch::fields(),
        &ServerBatch::fields(),
        &own[4..12],
        &InsideBatch::fields(),
        &SourceBatch::fields(),
        &own[12..],
    ]
    .concat();
    Arc::new(Schema::new(fields))
}

/// Builds batches of `edges`.
pub(super) struct EdgeColumns {
    order: TableOrder,
    own: OwnBatch,
    stories: SharedColumns<StoryBatch>,
    story_numbers: HashMap<StoryNumber, usize>,
    clients: SharedColumns<ClientBatch>,
    servers: SharedColumns<ServerBatch>,
    insides: SharedColumns<InsideBatch>,
    sources: SharedColumns<SourceBatch>,
    rows: usize,
}

/// Adds a row to columns of parts.
macro_rules! add {
    ($row:expr) => {
        |columns| {
            columns.push(&[$row]);
            Some(())
        }
    };
}

impl EdgeColumns {
    /// No rows yet.
    pub fn new() -> EdgeColumns {
        let fields: Vec<ArrowField> = [
            OwnBatch::fields(),
            StoryBatch::fields(),
            ClientBatch::fields(),
            ServerBatch::fields(),
            InsideBatch::fields(),
            SourceBatch::fields(),
        ]
        .concat();
        EdgeColumns {
            order: TableOrder::new(edges_schema(), fields.iter().map(ArrowField::name)),
            own: OwnBatch::default(),
            stories: SharedColumns::default(),
            story_numbers: HashMap::new(),
            clients: SharedColumns::default(),
            servers: SharedColumns::default(),
            insides: SharedColumns::default(),
            sources: SharedColumns::default(),
            rows: 0,
        }
    }

    /// Rows since the last batch.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Appends an edge whose words are these. The numbers of its parts must mean the same for all edges.
    pub fn push(&mut self, edge: &EdgeEntry, words: &mut EdgeWords<'_>) {
        let parts = EdgeParts::of(edge);
        let next = self.story_numbers.len();
        let story = *self.story_numbers.entry(parts.story).or_insert(next);
        let added = [
            self.stories.push(story, add!(words.row(edge))),
            (self.clients).push(parts.client_workload as usize, add!(words.row(edge))),
            (self.servers).push(parts.server_workload as usize, add!(words.row(edge))),
            (self.insides).push(parts.inside as usize, add!(words.row(edge))),
            (self.sources).push(parts.source as usize, add!(words.row(edge))),
        ];
        debug_assert!(added.iter().all(Option::is_some));
        self.own.push(&[edge.own()]);
        self.rows += 1;
    }

    /// Appends an edge by its words alone.
    pub fn push_row(&mut self, row: &EdgeRow<'_>) {
        let added = [
            self.stories.push_own(add!(*row)),
            self.clients.push_own(add!(*row)),
            self.servers.push_own(add!(*row)),
            self.insides.push_own(add!(*row)),
            self.sources.push_own(add!(*row)),
        ];
        debug_assert!(added.iter().all(Option::is_some));
        self.own.push(&[OwnPart::from(row)]);
        self.rows += 1;
    }

    /// The batch of the rows so far; there are none afterwards.
    ///
    /// # Errors
    /// When there are too many texts for a column.
    pub fn finish(&mut self) -> Result<RecordBatch, LakeError> {
        self.rows = 0;
        let own: Vec<ArrayRef> = self.own.finish();
        let columns = || {
            Ok([
                own,
                self.stories.finish(StoryBatch::finish)?,
                self.clients.finish(ClientBatch::finish)?,
                self.servers.finish(ServerBatch::finish)?,
                self.insides.finish(InsideBatch::finish)?,
                self.sources.finish(SourceBatch::finish)?,
            ])
        };
        columns()
            .and_then(|columns| self.order.batch(columns.into_iter().flatten()))
            .map_err(|error| LakeError::file("edges", error))
    }
}
