//! Columns read back from a file, by name and type.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::MICROS;
use crate::sink::LakeError;

/// The columns of a batch that was read back, by name.
pub(in crate::sink) struct Columns<'a> {
    /// The file, for errors.
    pub file: &'a str,
    /// The batch.
    pub batch: &'a RecordBatch,
}

impl Columns<'_> {
    /// A column of text.
    pub fn text(&self, name: &str) -> Result<StringArray, LakeError> {
        self.column(name, "text", |array| array.as_string_opt::<i32>().cloned())
    }

    /// A column of 32-bit integers.
    pub fn int32(&self, name: &str) -> Result<Int32Array, LakeError> {
        self.column(name, "32-bit integers", |array| {
            array.as_primitive_opt::<Int32Type>().cloned()
        })
    }

    /// A column of counters.
    pub fn count(&self, name: &str) -> Result<Int64Array, LakeError> {
        self.column(name, "64-bit integers", |array| {
            array.as_primitive_opt::<Int64Type>().cloned()
        })
    }

    /// A column of booleans.
    pub fn bool(&self, name: &str) -> Result<BooleanArray, LakeError> {
        self.column(name, "booleans", |array| array.as_boolean_opt().cloned())
    }

    /// A column of times.
    pub fn time(&self, name: &str) -> Result<TimestampMicrosecondArray, LakeError> {
        self.column(name, "timestamps", |array| {
            array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
        })
    }

    /// A column as it is.
    pub fn any(&self, name: &str) -> Result<ArrayRef, LakeError> {
        self.column(name, "values", |array| Some(array.clone()))
    }

    fn column<A>(
        &self,
        name: &str,
        wants: &str,
        cast: impl Fn(&ArrayRef) -> Option<A>,
    ) -> Result<A, LakeError> {
        let column = self.batch.column_by_name(name).and_then(cast);
        column.ok_or_else(|| {
            LakeError::file(
                self.file,
                format_args!("expected a column `{name}` of {wants}"),
            )
        })
    }
}

/// The text of a row, none where null.
pub(in crate::sink) fn text_at(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

/// The seconds of a row's time, 0 where null.
pub(in crate::sink) fn seconds_at(array: &TimestampMicrosecondArray, row: usize) -> u32 {
    if array.is_null(row) {
        return 0;
    }
    u32::try_from(array.value(row) / MICROS).unwrap_or(0)
}

/// The counter of a row, 0 where null or negative.
pub(in crate::sink) fn count_at(array: &Int64Array, row: usize) -> u64 {
    if array.is_null(row) {
        return 0;
    }
    u64::try_from(array.value(row)).unwrap_or(0)
}
