//! The `edges` table, read back as the [`EdgeRow`]s that it was written from.

use std::collections::VecDeque;
use std::fs::File;

use arrow::array::{
    Array, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::columns::{BATCH_ROWS, Columns, count_at, seconds_at, text_at};
use super::{Lake, LakeError};
use crate::judge::findings::may_feed;
use crate::judge::{Confidence, Edge, EdgeRow, Inside, Orientation, Outcome, Verdict};
use crate::net::Addr;
use crate::policy::{Answer, Path, Severity, UNASSIGNED};

/// Reads the edges of hours, block by block, in the order of the hours and of their files.
pub struct EdgeReader {
    lake: Lake,
    files: VecDeque<String>,
    only_feeding: bool,
    current: Option<(String, ParquetRecordBatchReader)>,
}

impl EdgeReader {
    pub(super) fn new(lake: Lake, files: Vec<String>) -> EdgeReader {
        EdgeReader {
            lake,
            files: files.into(),
            only_feeding: false,
            current: None,
        }
    }

    /// Leaves out edges that cannot feed a finding, mostly without reading more of them than a few columns.
    pub fn only_feeding(mut self) -> EdgeReader {
        self.only_feeding = true;
        self
    }

    /// The next edges, a few thousand; none at the end.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what this program writes.
    pub fn next_block(&mut self) -> Result<Option<EdgeBlock>, LakeError> {
        loop {
            if let Some((file, reader)) = &mut self.current {
                match reader.next() {
                    Some(Ok(batch)) => return EdgeBlock::new(file, &batch).map(Some),
                    Some(Err(error)) => return Err(LakeError::file(file, error)),
                    None => self.current = None,
                }
            }
            let Some(file) = self.files.pop_front() else {
                return Ok(None);
            };
            let reader = open(self.lake.fetch(&file)?, self.only_feeding)
                .map_err(|error| LakeError::file(&file, error))?;
            self.current = Some((file, reader));
        }
    }

    /// The edges one by one, each with its own text. Slower than [`EdgeReader::next_block`].
    pub fn edges(mut self) -> impl Iterator<Item = Result<Edge, LakeError>> {
        let mut block: Option<(EdgeBlock, usize)> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some((edges, at)) = &mut block
                    && *at < edges.len()
                {
                    *at += 1;
                    return Some(edges.row(*at - 1).map(Edge::from));
                }
                match self.next_block() {
                    Ok(next) => block = Some((next?, 0)),
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }
}

fn open(file: File, only_feeding: bool) -> Result<ParquetRecordBatchReader, ParquetError> {
    let options = ArrowReaderOptions::new().with_page_index_policy(if only_feeding {
        PageIndexPolicy::Optional
    } else {
        PageIndexPolicy::Skip
    });
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?
        .with_batch_size(BATCH_ROWS);
    if only_feeding {
        let head = ["verdict", "severity", "client_tier", "server_tier"];
        let columns = ProjectionMask::columns(builder.parquet_schema(), head);
        let predicate = ArrowPredicateFn::new(columns, |head| may_feed_any(&head));
        builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    builder.build()
}

/// Which rows may feed a finding. Words that nobody knows stay, so that whoever reads the row complains.
fn may_feed_any(head: &RecordBatch) -> Result<BooleanArray, ArrowError> {
    let text = |name: &str| {
        let column = head
            .column_by_name(name)
            .and_then(|column| column.as_string_opt::<i32>());
        column.ok_or_else(|| ArrowError::SchemaError(format!("expected `{name}` as text")))
    };
    let (verdicts, severities) = (text("verdict")?, text("severity")?);
    let (clients, servers) = (text("client_tier")?, text("server_tier")?);
    let may = (0..head.num_rows()).map(|row| {
        let severity = text_at(severities, row).map(Severity::from_word);
        let (Some(verdict), Some(severity)) = (
            Verdict::from_word(verdicts.value(row)),
            severity.map_or(Some(None), |severity| severity.map(Some)),
        ) else {
            return Some(true);
        };
        let is_unassigned = [clients, servers].map(|zones| zones.value(row) == UNASSIGNED);
        Some(may_feed(verdict, severity, is_unassigned.contains(&true)))
    });
    Ok(may.collect())
}

/// Some edges that were read.
pub struct EdgeBlock {
    file: String,
    rows: usize,
    network: StringArray,
    client_addr: StringArray,
    server_addr: StringArray,
    server_port: Int32Array,
    protocol: Int32Array,
    orientation: StringArray,
    confidence: StringArray,
    outcome: StringArray,
    via: StringArray,
    decision: StringArray,
    rule: StringArray,
    verdict: StringArray,
    severity: StringArray,
    lacked: StringArray,
    client_zone: StringArray,
    server_zone: StringArray,
    client_workload: StringArray,
    server_workload: StringArray,
    counts: [Int64Array; 6],
    first_seen: TimestampMicrosecondArray,
    last_seen: TimestampMicrosecondArray,
    inside: [StringArray; 6],
    source: StringArray,
    line: Int64Array,
}

impl EdgeBlock {
    fn new(file: &str, batch: &RecordBatch) -> Result<EdgeBlock, LakeError> {
        let columns = Columns { file, batch };
        Ok(EdgeBlock {
            file: file.to_owned(),
            rows: batch.num_rows(),
            network: columns.text("network")?,
            client_addr: columns.text("client_addr")?,
            server_addr: columns.text("server_addr")?,
            server_port: columns.int32("server_port")?,
            protocol: columns.int32("protocol")?,
            orientation: columns.text("orientation")?,
            confidence: columns.text("confidence")?,
            outcome: columns.text("outcome")?,
            via: columns.text("via")?,
            decision: columns.text("decision")?,
            rule: columns.text("rule")?,
            verdict: columns.text("verdict")?,
            severity: columns.text("severity")?,
            lacked: columns.text("lacked")?,
            client_zone: columns.text("client_tier")?,
            server_zone: columns.text("server_tier")?,
            client_workload: columns.text("client_workload")?,
            server_workload: columns.text("server_workload")?,
            counts: [
                columns.count("records")?,
                columns.count("connections")?,
                columns.count("packets_to_server")?,
                columns.count("packets_to_client")?,
                columns.count("bytes_to_server")?,
                columns.count("bytes_to_client")?,
            ],
            first_seen: columns.time("first_seen")?,
            last_seen: columns.time("last_seen")?,
            inside: [
                columns.text("account_id")?,
                columns.text("region")?,
                columns.text("vpc_id")?,
                columns.text("subnet_id")?,
                columns.text("interface_id")?,
                columns.text("instance_id")?,
            ],
            source: columns.text("source")?,
            line: columns.count("line")?,
        })
    }

    /// How many edges it holds.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The edge at this place, its text borrowed from the block.
    ///
    /// # Errors
    /// When a word or an address is none that this program writes.
    pub fn row(&self, row: usize) -> Result<EdgeRow<'_>, LakeError> {
        let [
            records,
            connections,
            packets_to_server,
            packets_to_client,
            bytes_to_server,
            bytes_to_client,
        ] = self.counts.each_ref().map(|counts| count_at(counts, row));
        let [
            account_id,
            region,
            vpc_id,
            subnet_id,
            interface_id,
            instance_id,
        ] = self.inside.each_ref().map(|texts| text_at(texts, row));
        Ok(EdgeRow {
            network: self.network.value(row),
            client_addr: self.addr(&self.client_addr, row)?,
            server_addr: self.addr(&self.server_addr, row)?,
            server_port: self
                .server_port
                .is_valid(row)
                .then(|| self.server_port.value(row) as u16),
            protocol: self.protocol.value(row) as u8,
            orientation: self.must(&self.orientation, row, Orientation::from_word)?,
            outcome: self.may(&self.outcome, row, Outcome::from_word)?,
            verdict: self.must(&self.verdict, row, Verdict::from_word)?,
            rule: self.rule.value(row),
            decision: self.may(&self.decision, row, Answer::from_word)?,
            client_zone: self.client_zone.value(row),
            server_zone: self.server_zone.value(row),
            client_workload: text_at(&self.client_workload, row),
            server_workload: text_at(&self.server_workload, row),
            via: self.may(&self.via, row, Path::from_word)?,
            confidence: self.must(&self.confidence, row, Confidence::from_word)?,
            severity: self.may(&self.severity, row, Severity::from_word)?,
            lacked: text_at(&self.lacked, row),
            records,
            connections,
            packets_to_server,
            packets_to_client,
            bytes_to_server,
            bytes_to_client,
            first_seen: seconds_at(&self.first_seen, row),
            last_seen: seconds_at(&self.last_seen, row),
            source: self.source.value(row),
            line: count_at(&self.line, row),
            inside: Inside {
                account_id,
                region,
                vpc_id,
                subnet_id,
                interface_id,
                instance_id,
            },
        })
    }

    fn addr(&self, column: &StringArray, row: usize) -> Result<Addr, LakeError> {
        column
            .value(row)
            .parse()
            .map_err(|_| self.unknown("an address", column.value(row)))
    }

    fn must<T>(
        &self,
        column: &StringArray,
        row: usize,
        word: impl Fn(&str) -> Option<T>,
    ) -> Result<T, LakeError> {
        word(column.value(row))
            .ok_or_else(|| self.unknown("a word of this table", column.value(row)))
    }

    fn may<T>(
        &self,
        column: &StringArray,
        row: usize,
        word: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LakeError> {
        if column.is_null(row) {
            Ok(None)
        } else {
            self.must(column, row, word).map(Some)
        }
    }

    fn unknown(&self, wants: &str, text: &str) -> LakeError {
        LakeError::file(&self.file, format_args!("expected {wants}, got `{text}`"))
    }
}
