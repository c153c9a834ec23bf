//! The different values of a column for one row group: each has a place, the order in which they were first met.

use std::cmp::Ordering;

use arrow::datatypes::ArrowNativeType;
use hashbrown::HashTable;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::flow::Dictionary;

/// Different values, and how Parquet holds them.
pub(super) trait Distinct: Default {
    /// Their type in a file.
    const TYPE: Type;

    /// How many there are.
    fn len(&self) -> usize;

    /// Compares two by their places.
    fn compare(&self, one: i32, other: i32) -> Ordering;

    /// The one at a place, as the page index holds it.
    fn bytes(&self, place: i32) -> Vec<u8>;

    /// All of them by their places, as a dictionary page holds them.
    fn plain(&self) -> Vec<u8>;

    /// What is said of a column whose least and greatest values are at these places.
    fn statistics(&self, range: Option<(i32, i32)>, nulls: u64) -> Statistics;

    /// Puts all of them into a bloom filter.
    fn fill(&self, filter: &mut Sbbf);
}

impl Distinct for Dictionary {
    const TYPE: Type = Type::BYTE_ARRAY;

    fn len(&self) -> usize {
        Dictionary::len(self)
    }

    fn compare(&self, one: i32, other: i32) -> Ordering {
        self.text(one).cmp(self.text(other))
    }

    fn bytes(&self, place: i32) -> Vec<u8> {
        self.text(place).to_vec()
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        for text in self.iter() {
            plain.extend((text.len() as u32).to_le_bytes());
            plain.extend(text);
        }
        plain
    }

    fn statistics(&self, range: Option<(i32, i32)>, nulls: u64) -> Statistics {
        let value = |place| ByteArray::from(self.bytes(place));
        Statistics::ByteArray(ValueStatistics::new(
            range.map(|(least, _)| value(least)),
            range.map(|(_, greatest)| value(greatest)),
            None,
            Some(nulls),
            false,
        ))
    }

    fn fill(&self, filter: &mut Sbbf) {
        self.iter().for_each(|text| filter.insert(text));
    }
}

/// An integer of a column.
pub(super) trait Integer: ArrowNativeType + Ord {
    /// Its type in a file.
    const TYPE: Type;
    /// Its bytes.
    type Bytes: AsRef<[u8]>;

    /// Its bytes in a file.
    fn bytes(self) -> Self::Bytes;

    /// What it is told apart by.
    fn bits(self) -> u64;

    /// What is said of a column.
    fn statistics(least: Option<Self>, greatest: Option<Self>, nulls: u64) -> Statistics;
}

macro_rules! integer {
    ($kind:ty, $of:ident, $statistics:ident) => {
        impl Integer for $kind {
            const TYPE: Type = Type::$of;
            type Bytes = [u8; size_of::<$kind>()];

            fn bytes(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            fn bits(self) -> u64 {
                self as u64
            }

            fn statistics(least: Option<Self>, greatest: Option<Self>, nulls: u64) -> Statistics {
                let nulls = Some(nulls);
                Statistics::$statistics(ValueStatistics::new(least, greatest, None, nulls, false))
            }
        }
    };
}

integer!(i32, INT32, Int32);
integer!(i64, INT64, Int64);

/// Different integers.
#[derive(Default)]
pub(super) struct Integers<T> {
    values: Vec<T>,
    places: HashTable<(T, i32)>,
}

impl<T: Integer> Integers<T> {
    /// The place of an integer, which it gets now unless it has one.
    #[inline]
    pub fn place_of(&mut self, value: T) -> i32 {
        let found = self.places.find(hash(value), |(known, _)| *known == value);
        match found {
            Some((_, place)) => *place,
            None => self.add(value),
        }
    }

    #[inline(never)]
    fn add(&mut self, value: T) -> i32 {
        let place = self.values.len() as i32;
        self.values.push(value);
        let again = |(known, _): &(T, i32)| hash(*known);
        self.places
            .insert_unique(hash(value), (value, place), again);
        place
    }
}

/// Both halves of a product: every bit of the value reaches the bits that a table goes by.
#[inline]
fn hash<T: Integer>(value: T) -> u64 {
    let product = u128::from(value.bits() ^ 0xd1b5_4a32_d192_ed03) * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}

impl<T: Integer> Distinct for Integers<T> {
    const TYPE: Type = T::TYPE;

    fn len(&self) -> usize {
        self.values.len()
    }

    fn compare(&self, one: i32, other: i32) -> Ordering {
        self.values[one as usize].cmp(&self.values[other as usize])
    }

    fn bytes(&self, place: i32) -> Vec<u8> {
        self.values[place as usize].bytes().as_ref().to_vec()
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::with_capacity(self.values.len() * size_of::<T>());
        for value in &self.values {
            plain.extend(value.bytes().as_ref());
        }
        plain
    }

    fn statistics(&self, range: Option<(i32, i32)>, nulls: u64) -> Statistics {
        let value = |place: i32| self.values[place as usize];
        T::statistics(
            range.map(|(least, _)| value(least)),
            range.map(|(_, greatest)| value(greatest)),
            nulls,
        )
    }

    fn fill(&self, filter: &mut Sbbf) {
        for value in &self.values {
            filter.insert(value.bytes().as_ref());
        }
    }
}
