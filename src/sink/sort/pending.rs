//! Small batches on their way to become larger ones.
//!
//! A batch of a few records takes as much memory as its builders were made for, and most of its columns are null
//! throughout. Joined, rows take what their values need, and null columns are slices of one array for all batches.

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;

use super::failed;
use crate::sink::LakeError;

/// Rows from which on batches are joined; more saves a little memory and delays its release.
const ENOUGH_ROWS: usize = 1024;

/// Batches that wait, in the order in which they came.
pub(super) struct Pending {
    batches: Vec<RecordBatch>,
    rows: usize,
    memory: usize,
    /// Bytes from which on batches are joined, few rows or not.
    enough_memory: usize,
    /// Null values for each column that was null throughout a batch.
    nulls: Vec<Option<ArrayRef>>,
}

impl Pending {
    /// Nothing yet; for batches of so many columns, in a sorter of this budget.
    pub fn new(num_columns: usize, budget: usize) -> Pending {
        let nulls = vec![None; num_columns];
        Pending {
            batches: Vec::new(),
            rows: 0,
            memory: 0,
            enough_memory: budget / 8,
            nulls,
        }
    }

    /// Takes a batch; whether there is enough to join.
    pub fn push(&mut self, batch: RecordBatch) -> bool {
        self.rows += batch.num_rows();
        self.memory += batch.get_array_memory_size();
        self.batches.push(batch);
        self.rows >= ENOUGH_ROWS || self.memory >= self.enough_memory
    }

    /// Bytes that the waiting batches take.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The rows that wait as one batch, and the bytes that it takes; none without rows.
    pub fn join(&mut self, schema: &SchemaRef) -> Result<Option<(RecordBatch, usize)>, LakeError> {
        if self.rows == 0 {
            return Ok(None);
        }
        // By column, so that nothing but the column's own turn holds an array.
        let mut batches: Vec<_> = std::mem::take(&mut self.batches)
            .into_iter()
            .map(|batch| batch.columns().to_vec().into_iter())
            .collect();
        let rows = std::mem::take(&mut self.rows);
        self.memory = 0;
        let mut memory = 0;
        let mut columns = Vec::with_capacity(schema.fields().len());
        for column in 0..schema.fields().len() {
            let arrays: Vec<ArrayRef> = batches.iter_mut().filter_map(Iterator::next).collect();
            if arrays.iter().all(|array| array.null_count() == array.len()) {
                columns.push(self.nulls(schema, column, rows));
                continue;
            }
            let mut joined = match &arrays[..] {
                [array] => array.clone(),
                arrays => {
                    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
                    concat(&arrays).map_err(failed)?
                }
            };
            drop(arrays);
            // A batch that is alone still has the room that its builders reserved.
            joined.shrink_to_fit();
            memory += joined.get_array_memory_size();
            columns.push(joined);
        }
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(failed)?;
        Ok(Some((batch, memory)))
    }

    fn nulls(&mut self, schema: &SchemaRef, column: usize, rows: usize) -> ArrayRef {
        let nulls = &mut self.nulls[column];
        match nulls {
            Some(nulls) if nulls.len() >= rows => nulls.slice(0, rows),
            _ => nulls
                .insert(new_null_array(
                    schema.field(column).data_type(),
                    rows.max(ENOUGH_ROWS),
                ))
                .slice(0, rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, StringBuilder};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn joined_batches_take_what_their_values_need() {
        let fields =
            (0..50).map(|column| Field::new(format!("column_{column}"), DataType::Utf8, true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = |text: &str| {
            let columns = (0..50).map(|column| {
                let mut builder = StringBuilder::new();
                builder.append_option((column == 7).then_some(text));
                Arc::new(builder.finish()) as ArrayRef
            });
            RecordBatch::try_new(schema.clone(), columns.collect()).expect("columns of one length")
        };
        let mut pending = Pending::new(50, usize::MAX);
        let texts: Vec<String> = (0..ENOUGH_ROWS).map(|row| format!("text {row}")).collect();
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(pending.push(batch(text)), row + 1 == ENOUGH_ROWS);
        }
        let before = pending.memory();
        let (joined, memory) = pending
            .join(&schema)
            .expect("joined")
            .expect("there are rows");
        assert!(
            memory < 64 << 10 && before > 16 << 20,
            "{before} bytes became {memory}"
        );
        assert!(
            joined
                .column(7)
                .as_string::<i32>()
                .iter()
                .flatten()
                .eq(texts.iter().map(String::as_str))
        );
        assert_eq!(
            (joined.column(8).null_count(), pending.memory()),
            (ENOUGH_ROWS, 0)
        );
        assert!(pending.join(&schema).expect("joined").is_none());
    }

    #[test]
    fn a_small_budget_joins_early() {
        let field = Field::new("column", DataType::Utf8, true);
        let schema: SchemaRef = Arc::new(Schema::new(vec![field]));
        let column = new_null_array(&DataType::Utf8, 3);
        let batch = RecordBatch::try_new(schema, vec![column]).expect("one column");
        assert!(Pending::new(1, 0).push(batch));
    }
}
