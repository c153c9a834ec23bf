//! Parquet objects become rows: columns by name, each as AWS types it or as copies made by other tools have it.
//!
//! | what stands there | what it means |
//! |---|---|
//! | `srcaddr`, `account-id`, `Start` | the field, whatever the spelling |
//! | null, and in text `-`, `None` or nothing | missing |
//! | INT32, INT64, unsigned, whole floats, decimal text | a whole number |
//! | a timestamp | a time, its fraction lost |
//!
//! Everything that a footer says is checked against the object before it is used. The parquet crate is still not proof
//! against every lie, so its calls are fenced off in `footer::fenced`.

use std::sync::Arc;

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::errors::ParquetError;

use self::footer::{broken, check_footer, fenced, footer};
use self::plan::Plan;
use self::rows::{Row, Rows};
use super::decode::{DecodeError, DecodeOptions, Decoded, Input};
use super::record::RecordSink;
use super::row::{Status, assemble, complaint};
use super::tally::{Tally, Times};

mod footer;
mod plan;
mod rows;

/// What a Parquet object begins and ends with.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// Decodes a Parquet object, of which only the columns that the sink wants are read.
///
/// # Errors
/// When the object is broken, is none of a flow log, or cannot be read.
pub(crate) fn decode_parquet<S: RecordSink>(
    input: Input<'_>,
    options: &DecodeOptions,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    let metadata = Arc::new(footer(&input)?);
    check_footer(&metadata, &input, options)?;
    let plan = Plan::new(&metadata, sink)?;
    let reader_metadata = fenced(|| {
        let reader_options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::try_new(Arc::clone(&metadata), reader_options)
    })?;
    // Pages are checked only when they are read.
    sink.unverified();
    let mut decoded = Decoded {
        layout: plan.layout.to_string(),
        ..Decoded::default()
    };
    let mut times = Times::default();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let chunks = plan.fetch(group, &input, options)?;
        let reader = plan.reader(chunks, &reader_metadata, index)?;
        let before = decoded.tally.lines;
        decode_group(reader, &plan, &mut decoded.tally, &mut times, sink)?;
        let (rows, announced) = (decoded.tally.lines - before, group.num_rows().max(0) as u64);
        if rows != announced {
            return Err(broken(format!(
                "row group {index} announces {announced} rows and holds {rows}"
            )));
        }
        decoded.bytes += group.total_byte_size().max(0) as u64;
    }
    decoded.times = times.range();
    Ok(decoded)
}

fn decode_group<S: RecordSink>(
    mut reader: ParquetRecordBatchReader,
    plan: &Plan,
    tally: &mut Tally,
    times: &mut Times,
    sink: &mut S,
) -> Result<(), DecodeError> {
    while let Some(batch) = fenced(|| reader.next().transpose().map_err(ParquetError::from))? {
        let rows = Rows::new(&batch, plan)?;
        for row in 0..batch.num_rows() {
            tally.lines += 1;
            let row = Row { rows: &rows, row };
            match assemble(&row, tally.lines) {
                Ok((record, Status::Ok)) => {
                    tally.records += 1;
                    times.add(&record);
                    sink.record(&record, &row);
                }
                Ok((record, status)) => {
                    let skip = status == Status::SkipData;
                    *(if skip {
                        &mut tally.skip_data
                    } else {
                        &mut tally.no_data
                    }) += 1;
                    sink.status(&record, skip, &row);
                }
                Err(field) => {
                    tally.malformed += 1;
                    sink.malformed(
                        tally.lines,
                        &complaint(field, &row.shown(field)),
                        &row.line(),
                    );
                }
            }
        }
    }
    Ok(())
}
