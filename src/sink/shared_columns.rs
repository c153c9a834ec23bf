//! Columns of what rows share: built of the different parts of a batch, and then spread over its rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::error::ArrowError;

use super::packed::Unpacker;

/// Builds the columns of one sort of parts.
pub(super) trait BuildPart {
    /// Appends a part; none if it is not one of these.
    fn push_part(&mut self, part: Unpacker<'_>) -> Option<()>;

    /// The columns of the parts so far; the builder is empty afterwards.
    fn finish_parts(&mut self) -> Vec<ArrayRef>;
}

/// Builds the columns of rows that have parts of one sort.
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

impl<B: BuildPart> SharedColumns<B> {
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

    /// Takes the part that stands in a row, by its number among `shared` (1-based) or, behind 0, itself. None if there is no
    /// such part.
    #[inline]
    pub fn push(&mut self, row: &mut Unpacker<'_>, shared: &[Arc<[u8]>]) -> Option<()> {
        let place = match usize::try_from(row.number()?).ok()?.checked_sub(1) {
            None => self.add(row.bytes()?)?,
            Some(number) => match self.met.get(number) {
                Some((batch, place)) if *batch == self.batch => *place,
                _ => self.meet(number, shared)?,
            },
        };
        self.places.push(place);
        Some(())
    }

    /// A part that the batch does not have yet.
    #[cold]
    fn meet(&mut self, number: usize, shared: &[Arc<[u8]>]) -> Option<u32> {
        let place = self.add(shared.get(number)?)?;
        self.met.resize(shared.len(), (u32::MAX, 0));
        self.met[number] = (self.batch, place);
        Some(place)
    }

    fn add(&mut self, part: &[u8]) -> Option<u32> {
        let (_, part) = Unpacker::split(part)?;
        self.builder.push_part(part)?;
        self.parts += 1;
        Some(self.parts - 1)
    }

    /// The columns of the rows so far; it is empty afterwards.
    ///
    /// # Errors
    /// When there are too many texts for a column.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        // The next batch is about as large.
        let next = Vec::with_capacity(self.places.len());
        let places = UInt32Array::from(std::mem::replace(&mut self.places, next));
        self.batch += 1;
        self.parts = 0;
        let columns = self.builder.finish_parts().into_iter();
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
