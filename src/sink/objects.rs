//! The `objects` table: each object of an hour and what became of its lines. An hour counts when this file is there.

use arrow::array::RecordBatch;

use super::LakeError;
use super::columns::{Columns, count_at, seconds_at, table, text_at};
use crate::flow::Tally;

/// An object that was read, or could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectRow {
    /// The path or URL: the `source` of its records.
    pub source: String,
    /// The publishing time in its key, seconds; 0 where the key has none.
    pub time: u32,
    /// Size as stored, bytes.
    pub size: u64,
    /// Size after decompression, bytes.
    pub decoded_size: u64,
    /// The entity tag, for S3.
    pub etag: Option<String>,
    /// The account in its key.
    pub account_id: Option<String>,
    /// The region in its key.
    pub region: Option<String>,
    /// The flow log's id in its key.
    pub flow_log_id: Option<String>,
    /// Its layout, field names joined by spaces; none where it could not be read.
    pub layout: Option<String>,
    /// Whether the layout was assumed because it has no header.
    pub layout_assumed: bool,
    /// Its lines by what became of them; all 0 where it could not be read.
    pub lines: Tally,
    /// Earliest `start` of its records, seconds; 0 without records.
    pub first_seen: u32,
    /// Latest `end` of its records, seconds; 0 without records.
    pub last_seen: u32,
    /// Why it could not be read; none if it was.
    pub unreadable: Option<String>,
}

table! {
    /// Rows of `objects`.
    pub(super) ObjectBatch, row: &ObjectRow {
        source: Text = row.source.as_str();
        time: Time null = Some(row.time);
        size: Count = row.size;
        decoded_size: Count = row.decoded_size;
        etag: Text null = row.etag.as_deref();
        account_id: Text null = row.account_id.as_deref();
        region: Text null = row.region.as_deref();
        flow_log_id: Text null = row.flow_log_id.as_deref();
        layout: Text null = row.layout.as_deref();
        layout_assumed: Bool = row.layout_assumed;
        lines: Count = row.lines.lines;
        blank: Count = row.lines.blank;
        headers: Count = row.lines.headers;
        records: Count = row.lines.records;
        no_data: Count = row.lines.no_data;
        skip_data: Count = row.lines.skip_data;
        malformed: Count = row.lines.malformed;
        first_seen: Time null = Some(row.first_seen);
        last_seen: Time null = Some(row.last_seen);
        unreadable: Text null = row.unreadable.as_deref();
    }
}

/// The rows of a batch of `objects`.
pub(super) fn read_objects(file: &str, batch: &RecordBatch) -> Result<Vec<ObjectRow>, LakeError> {
    let columns = Columns { file, batch };
    let source = columns.text("source")?;
    let (etag, layout, unreadable) = (
        columns.text("etag")?,
        columns.text("layout")?,
        columns.text("unreadable")?,
    );
    let (account, region, flow_log) = (
        columns.text("account_id")?,
        columns.text("region")?,
        columns.text("flow_log_id")?,
    );
    let (time, first, last) = (
        columns.time("time")?,
        columns.time("first_seen")?,
        columns.time("last_seen")?,
    );
    let (size, decoded_size) = (columns.count("size")?, columns.count("decoded_size")?);
    let assumed = columns.bool("layout_assumed")?;
    let (lines, blank, headers) = (
        columns.count("lines")?,
        columns.count("blank")?,
        columns.count("headers")?,
    );
    let (records, malformed) = (columns.count("records")?, columns.count("malformed")?);
    let (no_data, skip_data) = (columns.count("no_data")?, columns.count("skip_data")?);

    let owned = |text: Option<&str>| text.map(str::to_owned);
    let row = |row| ObjectRow {
        source: source.value(row).to_owned(),
        time: seconds_at(&time, row),
        size: count_at(&size, row),
        decoded_size: count_at(&decoded_size, row),
        etag: owned(text_at(&etag, row)),
        account_id: owned(text_at(&account, row)),
        region: owned(text_at(&region, row)),
        flow_log_id: owned(text_at(&flow_log, row)),
        layout: owned(text_at(&layout, row)),
        layout_assumed: assumed.value(row),
        lines: Tally {
            lines: count_at(&lines, row),
            blank: count_at(&blank, row),
            headers: count_at(&headers, row),
            records: count_at(&records, row),
            no_data: count_at(&no_data, row),
            skip_data: count_at(&skip_data, row),
            malformed: count_at(&malformed, row),
        },
        first_seen: seconds_at(&first, row),
        last_seen: seconds_at(&last, row),
        unreadable: owned(text_at(&unreadable, row)),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
