//! Batches that are held while their rows are put in order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};

use super::failed;
use crate::sink::LakeError;

/// A batch, and how many bytes each of its rows has.
pub(super) struct Held {
    pub batch: RecordBatch,
    pub weights: Vec<u32>,
}

impl Held {
    pub fn new(batch: RecordBatch) -> Held {
        Held {
            weights: weights(&batch),
            batch,
        }
    }
}

/// The rows at these places, in this order.
pub(super) fn gather(
    schema: &SchemaRef,
    held: &[Held],
    places: &[(usize, usize)],
) -> Result<RecordBatch, LakeError> {
    let columns = (0..schema.fields().len()).map(|column| {
        let arrays: Vec<&dyn Array> = held
            .iter()
            .map(|held| held.batch.column(column).as_ref())
            .collect();
        // Most fields of most layouts are absent.
        if arrays.iter().all(|array| array.null_count() == array.len()) {
            return Ok(new_null_array(
                schema.field(column).data_type(),
                places.len(),
            ));
        }
        interleave(&arrays, places)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    RecordBatch::try_new(schema.clone(), columns).map_err(failed)
}

/// Bytes that a row counts for beside its text. Enough that rows of short text never end a batch before its time.
const ROW_BYTES: u32 = 64;

/// How many bytes each row counts for: by its own values only, whatever batch it came in.
fn weights(batch: &RecordBatch) -> Vec<u32> {
    let mut weights = vec![ROW_BYTES; batch.num_rows()];
    for column in batch.columns() {
        add_weights(column, &mut weights);
    }
    weights
}

fn add_weights(array: &ArrayRef, weights: &mut [u32]) {
    if array.null_count() == array.len() {
        return;
    }
    match array.data_type() {
        DataType::Utf8 => {
            for (weight, ends) in weights
                .iter_mut()
                .zip(array.as_string::<i32>().value_offsets().windows(2))
            {
                *weight = weight.saturating_add((ends[1] - ends[0]) as u32);
            }
        }
        DataType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .for_each(|column| add_weights(column, weights)),
        DataType::List(_) => add_item_weights(
            array.as_list::<i32>().values(),
            array.as_list::<i32>().value_offsets(),
            weights,
        ),
        DataType::Map(_, _) => {
            let map = array.as_map();
            add_item_weights(
                &(Arc::new(map.entries().clone()) as ArrayRef),
                map.value_offsets(),
                weights,
            );
        }
        _ => {}
    }
}

fn add_item_weights(items: &ArrayRef, offsets: &[i32], weights: &mut [u32]) {
    let mut item_weights = vec![0; items.len()];
    add_weights(items, &mut item_weights);
    for (weight, ends) in weights.iter_mut().zip(offsets.windows(2)) {
        let own = item_weights[ends[0] as usize..ends[1] as usize]
            .iter()
            .fold(0u32, |sum, item| sum.saturating_add(*item));
        *weight = weight.saturating_add(own);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, MapBuilder, StringArray, StringBuilder};

    use super::*;

    #[test]
    fn a_row_weighs_what_its_values_do() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("")]));
        let absent = new_null_array(&DataType::Utf8, 3);
        let number: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1, 2, 3]));
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("ab"), Some("c")]);
        list.append_null();
        list.append_value([Some("defg")]);
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        map.append(true).expect("an empty map");
        map.keys().append_value("k");
        map.values().append_value("value");
        map.append(true).expect("one pair");
        map.append(false).expect("a null");
        let columns: [(&str, ArrayRef); 5] = [
            ("text", text),
            ("absent", absent),
            ("number", number),
            ("list", Arc::new(list.finish())),
            ("map", Arc::new(map.finish())),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        assert_eq!(weights(&batch), [64 + 3 + 3, 64 + 6, 64 + 4]);
        assert_eq!(weights(&batch.slice(1, 2)), [64 + 6, 64 + 4]);
    }
}
