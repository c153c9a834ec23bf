//! Columns of what rows share: built of the different parts of a batch, and then spread over its rows.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// Builds the columns of rows that have parts of one sort; `B` builds those of the parts.
#[derive(Default)]
pub(super) struct SharedColumns<B> {
    builder: B,
    /// Parts in the builder.
    parts: u32,
    /// By the number of a part, in which batch it was met last, and where it stands in the builder.
    met: Vec<(u32, u32)>,
    /// Batches that have ended.
    batch: u32,
    /// Where the part of each row stands.
    places: Vec<u32>,
}

impl<B> SharedColumns<B> {
    /// No rows yet.
    pub fn new(builder: B) -> SharedColumns<B> {
        SharedColumns {
            builder,
            parts: 0,
            met: Vec::new(),
            batch: 0,
            places: Vec::new(),
        }
    }

    /// Appends a row with the part of this number, which `add` adds to the columns of the parts if the batch does not have
    /// it yet. None if `add` gives none.
    #[inline]
    pub fn push(&mut self, number: usize, add: impl FnOnce(&mut B) -> Option<()>) -> Option<()> {
        match self.met.get(number) {
            Some((batch, place)) if *batch == self.batch => self.places.push(*place),
            _ => {
                if self.met.len() <= number {
                    self.met.resize(number + 1, (u32::MAX, 0));
                }
                self.met[number] = (self.batch, self.parts);
                self.push_own(add)?;
            }
        }
        Some(())
    }

    /// Appends a row with a part of its own.
    pub fn push_own(&mut self, add: impl FnOnce(&mut B) -> Option<()>) -> Option<()> {
        add(&mut self.builder)?;
        self.places.push(self.parts);
        self.parts += 1;
        Some(())
    }

    /// The columns of the rows so far, as `build` builds those of the parts; there are no rows afterwards.
    ///
    /// # Errors
    /// When there are too many texts for a column.
    pub fn finish(
        &mut self,
        build: impl FnOnce(&mut B) -> Vec<ArrayRef>,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        // The next batch is about as large.
        let next = Vec::with_capacity(self.places.len());
        let places = UInt32Array::from(std::mem::replace(&mut self.places, next));
        self.batch += 1;
        self.parts = 0;
        let columns = build(&mut self.builder).into_iter();
        columns.map(|column| spread(&column, &places)).collect()
    }
}

/// The values at these places.
fn spread(column: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef, ArrowError> {
    if column.null_count() == column.len() {
        return Ok(new_null_array(column.data_type(), places.len()));
    }
    take(column, places, None)
}

/// Puts columns that are built apart into the order of their table.
pub(super) struct TableOrder {
    schema: SchemaRef,
    /// Where the columns stand in the table, in the order in which they are built.
    places: Vec<usize>,
}

impl TableOrder {
    /// The order of a table whose columns are built in the order of these names.
    ///
    /// # Panics
    /// When a name is no column's.
    pub fn new<'n>(schema: SchemaRef, names: impl Iterator<Item = &'n String>) -> TableOrder {
        let place = |name: &String| {
            let place = schema.index_of(name);
            place.expect("the table has the columns of its builders")
        };
        TableOrder {
            places: names.map(place).collect(),
            schema,
        }
    }

    /// The batch of these columns, in the order in which they are built.
    ///
    /// # Errors
    /// When they are none of the table's.
    pub fn batch(
        &self,
        columns: impl Iterator<Item = ArrayRef>,
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<_> = self.places.iter().zip(columns).collect();
        columns.sort_unstable_by_key(|(place, _)| **place);
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}
