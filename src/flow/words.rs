//! Columns of text that keep each text once: logs and judgements repeat few words very often.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Int32Type};
use hashbrown::{DefaultHashBuilder, HashTable};

/// The place that stands for no text.
const ABSENT: i32 = -1;

/// Texts, each with a place: the order in which they were first met.
///
/// The index is made when a text is looked up: texts that are known to be new, or that only wait to be written, need none.
#[derive(Default)]
pub struct Dictionary {
    texts: Vec<u8>,
    ends: Vec<i32>,
    /// The hashes and places of the first texts, as many as there are here.
    index: HashTable<(u64, i32)>,
    hasher: DefaultHashBuilder,
}

impl Dictionary {
    /// An empty one with room for so many texts.
    fn with_capacity(texts: usize) -> Dictionary {
        Dictionary {
            ends: Vec::with_capacity(texts),
            ..Dictionary::default()
        }
    }

    /// The texts of an array, all of them different.
    pub fn of(array: &StringArray) -> Dictionary {
        let (texts, offsets) = (array.value_data(), array.value_offsets());
        let first = offsets[0];
        Dictionary {
            texts: texts[first as usize..offsets[offsets.len() - 1] as usize].to_vec(),
            ends: offsets[1..].iter().map(|end| end - first).collect(),
            ..Dictionary::default()
        }
    }

    /// The place of a text, which it gets now unless it has one.
    ///
    /// # Panics
    /// When all texts together exceed 2 GiB.
    #[inline]
    pub fn place_of(&mut self, text: &[u8]) -> i32 {
        if self.index.len() < self.len() {
            self.index_all();
        }
        let hash = self.hasher.hash_one(text);
        let (texts, ends) = (&self.texts, &self.ends);
        let known = self.index.find(hash, |(other, place)| {
            *other == hash && text_at(texts, ends, *place) == text
        });
        match known {
            Some((_, place)) => *place,
            None => {
                let place = self.add(text);
                self.index
                    .insert_unique(hash, (hash, place), |known| known.0);
                place
            }
        }
    }

    /// Gives a text that is not there yet its place.
    ///
    /// # Panics
    /// When all texts together exceed 2 GiB.
    #[inline]
    pub fn add(&mut self, text: &[u8]) -> i32 {
        let place = self.len() as i32;
        self.texts.extend_from_slice(text);
        let end = i32::try_from(self.texts.len());
        self.ends.push(end.expect("texts are handed on before"));
        place
    }

    #[cold]
    fn index_all(&mut self) {
        self.index
            .reserve(self.len() - self.index.len(), |known| known.0);
        for place in self.index.len()..self.len() {
            let hash = self.hasher.hash_one(self.text(place as i32));
            self.index
                .insert_unique(hash, (hash, place as i32), |known| known.0);
        }
    }

    /// The text at a place.
    ///
    /// # Panics
    /// When there is none.
    #[inline]
    pub fn text(&self, place: i32) -> &[u8] {
        text_at(&self.texts, &self.ends, place)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The texts in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|place| self.text(place as i32))
    }
}

#[inline]
fn text_at<'a>(texts: &'a [u8], ends: &[i32], place: i32) -> &'a [u8] {
    let place = place as usize;
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    &texts[start as usize..ends[place] as usize]
}

/// Builds a column of text as an Arrow dictionary.
#[derive(Default)]
pub struct Words {
    dictionary: Dictionary,
    places: Vec<i32>,
    nulls: usize,
}

impl Words {
    /// The type of the column.
    pub fn data_type() -> DataType {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    }

    /// Appends a row's text, or that it has none.
    #[inline]
    pub fn push(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            return self.push_nulls(1);
        };
        let place = match self.places.last() {
            Some(&last) if last != ABSENT && self.dictionary.text(last) == text.as_bytes() => last,
            _ => self.place_of(text),
        };
        self.places.push(place);
    }

    /// The place of a text, by which [`Words::push_place`] appends it.
    #[inline]
    pub fn place_of(&mut self, text: &str) -> i32 {
        self.dictionary.place_of(text.as_bytes())
    }

    /// Gives a text that the column does not have yet its place, likewise.
    #[inline]
    pub fn add(&mut self, text: &str) -> i32 {
        self.dictionary.add(text.as_bytes())
    }

    /// Appends a row with the text at this place.
    #[inline]
    pub fn push_place(&mut self, place: i32) {
        self.places.push(place);
    }

    /// Appends rows without a text.
    #[inline]
    pub fn push_nulls(&mut self, count: usize) {
        self.nulls += count;
        self.places.extend(std::iter::repeat_n(ABSENT, count));
    }

    /// The rows so far; the builder is empty afterwards.
    pub fn finish(&mut self) -> ArrayRef {
        // The next batch is about as large.
        let next = Dictionary::with_capacity(self.dictionary.len());
        let words = std::mem::replace(&mut self.dictionary, next);
        let next = Vec::with_capacity(self.places.len());
        let places = std::mem::replace(&mut self.places, next);
        let nulls = (std::mem::take(&mut self.nulls) > 0).then(|| {
            let present = BooleanBuffer::collect_bool(places.len(), |row| places[row] != ABSENT);
            NullBuffer::new(present)
        });
        let mut offsets = Vec::with_capacity(words.ends.len() + 1);
        offsets.push(0);
        offsets.extend_from_slice(&words.ends);
        let texts = StringArray::new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Buffer::from(words.texts),
            None,
        );
        let keys = Int32Array::new(ScalarBuffer::from(places), nulls);
        Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(texts)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(batches in prop::collection::vec(prop::collection::vec(prop::option::of("[ab]{0,3}"), 0..60), 1..4)) {
            let mut words = Words::default();
            for rows in batches {
                for row in &rows {
                    words.push(row.as_deref());
                }
                let array = words.finish();
                let array = array.as_dictionary::<Int32Type>();
                let texts = array.downcast_dict::<StringArray>().expect("texts");
                let found: Vec<Option<&str>> = texts.into_iter().collect();
                prop_assert_eq!(found, rows.iter().map(Option::as_deref).collect::<Vec<_>>());
                let mut distinct: Vec<_> = rows.iter().flatten().collect();
                distinct.sort();
                distinct.dedup();
                prop_assert_eq!(array.values().len(), distinct.len());
            }
        }
    }
}
