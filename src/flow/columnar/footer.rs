//! The footer of a Parquet object, read and compared with the object before anything is done on its word.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};

use super::MAGIC;
use crate::flow::decode::{DecodeError, DecodeOptions, Input, Ranges};
use crate::flow::inflate::bound;
use crate::flow::row::excerpt;

/// Length and magic at the end of a Parquet object.
const TAIL: usize = 8;

/// The longest footer that is read; AWS's are some tens of KB.
const MAX_FOOTER: usize = 64 << 20;

pub(super) fn broken(what: impl std::fmt::Display) -> DecodeError {
    DecodeError::Parquet(format!(
        "broken Parquet object: {}",
        excerpt(what.to_string().as_bytes())
    ))
}

/// Calls into the parquet crate. It asserts and unwraps where a hostile footer or page disagrees with itself, and such
/// an object must not take the run with it: a panic is an error of the object. All that the calls work on is dropped
/// with the error, so nothing half changed is seen again.
pub(super) fn fenced<T, E: std::fmt::Display>(
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, DecodeError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(broken),
        Err(_) => Err(broken("its parts contradict each other")),
    }
}

/// Reads and decodes the footer.
pub(super) fn footer(input: &Input<'_>) -> Result<ParquetMetaData, DecodeError> {
    let size = input.size();
    if size < (MAGIC.len() + TAIL) as u64 {
        return Err(broken("it is too short"));
    }
    let tail = input.read(size - TAIL as u64, TAIL)?;
    let tail: [u8; TAIL] = tail[..]
        .try_into()
        .map_err(|_| broken("it ends too early"))?;
    let tail = FooterTail::try_new(&tail).map_err(|_| broken("it does not end as one"))?;
    let length = tail.metadata_length();
    if tail.is_encrypted_footer() {
        return Err(broken("its footer is encrypted"));
    }
    if length > MAX_FOOTER || length as u64 > size - (MAGIC.len() + TAIL) as u64 {
        return Err(broken(format!("its footer claims to have {length} bytes")));
    }
    let bytes = input.read(size - (TAIL + length) as u64, length)?;
    fenced(|| ParquetMetaDataReader::decode_metadata(&bytes))
}

/// Compares what the footer says with the object, so that nothing is allocated or asked for on its word.
pub(super) fn check_footer(
    metadata: &ParquetMetaData,
    input: &Input<'_>,
    options: &DecodeOptions,
) -> Result<(), DecodeError> {
    let size = input.size();
    let most = bound(options, size);
    let num_columns = metadata.file_metadata().schema_descr().num_columns();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    for group in metadata.row_groups() {
        let Ok(group_rows) = u64::try_from(group.num_rows()) else {
            return Err(broken("a negative number of rows"));
        };
        rows = rows.saturating_add(group_rows);
        if group.columns().len() != num_columns {
            return Err(broken("a row group without some of the columns"));
        }
        for column in group.columns() {
            let start = column
                .dictionary_page_offset()
                .unwrap_or_else(|| column.data_page_offset());
            let sizes = [
                start,
                column.data_page_offset(),
                column.compressed_size(),
                column.uncompressed_size(),
                column.num_values(),
            ];
            let [start, data, length, unpacked, values] =
                sizes.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
            // A nested column, which is not read, may hold many values in a row.
            let flat = column.column_descr().max_rep_level() == 0;
            if data < start
                || start.saturating_add(length) > size
                || data > size
                || flat && values > group_rows
            {
                return Err(broken(format!(
                    "column `{}` lies outside of it",
                    column.column_path().string()
                )));
            }
            bytes = bytes.saturating_add(unpacked);
        }
    }
    // A row of all the fields takes more than a byte, however well it packs, so rows are bounded as bytes are.
    if rows > most || bytes > most {
        return Err(DecodeError::Bomb { limit: most });
    }
    Ok(())
}

impl Input<'_> {
    pub(super) fn size(&self) -> u64 {
        match self {
            Input::Bytes(bytes) => bytes.len() as u64,
            Input::Ranges(ranges) => ranges.size(),
        }
    }

    /// Reads bytes that are known to lie within the object.
    pub(super) fn read(&self, start: u64, length: usize) -> Result<Bytes, DecodeError> {
        match self {
            Input::Bytes(bytes) => Ok(bytes.slice(start as usize..start as usize + length)),
            Input::Ranges(ranges) => read_exactly(*ranges, start, length),
        }
    }
}

fn read_exactly(ranges: &dyn Ranges, start: u64, length: usize) -> Result<Bytes, DecodeError> {
    let bytes = ranges.read(start, length)?;
    if bytes.len() != length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}
