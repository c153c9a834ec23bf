//! Columns of the lake's tables: a builder for each plain type, and the macro that lists a table's columns in one place.
//!
//! Types are those that every reader of Parquet agrees on: text, signed integers, booleans, timestamps in microseconds
//! UTC, and lists of them.

mod read;

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, Int64Builder, ListBuilder, PrimitiveArray,
    StringBuilder, StructBuilder,
};
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use hashbrown::HashMap;

pub(super) use self::read::{Columns, count_at, seconds_at, text_at};
use crate::flow::Words;
use crate::net::{Addr, AddrText};
use crate::policy::Word;

/// How many rows a batch of a small table has that is handed to a file's writer, and one that is read. Pages of Parquet's
/// own columns end where batches do, so this number is part of what makes files the same bytes; larger costs memory,
/// smaller costs time.
pub(super) const BATCH_ROWS: usize = 8192;

const MICROS: i64 = 1_000_000;

/// The name that Parquet's specification gives to the items of a list.
const ITEM: &str = "element";

/// A column being built.
pub(super) trait Column: Default {
    /// What a row gives.
    type Value<'a>;

    /// The column's type.
    fn data_type() -> DataType;

    /// Appends a value, or null.
    fn push(&mut self, value: Option<Self::Value<'_>>);

    /// The values so far; the builder is empty afterwards.
    fn finish(&mut self) -> ArrayRef;
}

/// Text. In memory each text of a batch is kept once; in a file it is text.
#[derive(Default)]
pub(super) struct Text(Words);

impl Column for Text {
    type Value<'a> = &'a str;

    fn data_type() -> DataType {
        Words::data_type()
    }

    #[inline]
    fn push(&mut self, value: Option<&str>) {
        self.0.push(value);
    }

    fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }
}

/// A word of a small vocabulary, as text.
pub(super) struct Named<W> {
    words: Words,
    /// Where each word stands in the batch, by its place in the vocabulary.
    places: Vec<Option<i32>>,
    of: PhantomData<W>,
}

impl<W> Default for Named<W> {
    fn default() -> Named<W> {
        Named {
            words: Words::default(),
            places: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<W: Word> Column for Named<W> {
    type Value<'a> = W;

    fn data_type() -> DataType {
        Words::data_type()
    }

    #[inline]
    fn push(&mut self, value: Option<W>) {
        let Some(word) = value else {
            return self.words.push_nulls(1);
        };
        if self.places.is_empty() {
            self.places.resize(W::WORDS.len(), None);
        }
        let words = &mut self.words;
        let place = *self.places[word.place()].get_or_insert_with(|| words.add(word.word()));
        words.push_place(place);
    }

    fn finish(&mut self) -> ArrayRef {
        self.places.clear();
        self.words.finish()
    }
}

/// An address, as text.
#[derive(Default)]
pub(super) struct Address {
    words: Words,
    last: Option<(Addr, i32)>,
    /// Where each address of the batch stands.
    places: HashMap<Addr, i32>,
}

impl Column for Address {
    type Value<'a> = Addr;

    fn data_type() -> DataType {
        Words::data_type()
    }

    #[inline]
    fn push(&mut self, value: Option<Addr>) {
        let Some(addr) = value else {
            return self.words.push_nulls(1);
        };
        let place = match self.last {
            Some((last, place)) if last == addr => place,
            _ => {
                let words = &mut self.words;
                let place = self.places.entry(addr);
                *place.or_insert_with(|| words.add(AddrText::of(addr).as_str()))
            }
        };
        self.last = Some((addr, place));
        self.words.push_place(place);
    }

    fn finish(&mut self) -> ArrayRef {
        self.last = None;
        self.places.clear();
        self.words.finish()
    }
}

/// Integers of one type.
struct Integers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Default for Integers<T> {
    fn default() -> Integers<T> {
        Integers {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl<T: ArrowPrimitiveType> Integers<T> {
    #[inline]
    fn push(&mut self, value: Option<T::Native>) {
        self.nulls.append(value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    fn finish(&mut self) -> PrimitiveArray<T> {
        // The next batch is about as large.
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        PrimitiveArray::new(values.into(), self.nulls.finish())
    }
}

/// A 32-bit integer: ports, protocols.
#[derive(Default)]
pub(super) struct Int32(Integers<Int32Type>);

impl Column for Int32 {
    type Value<'a> = i32;

    fn data_type() -> DataType {
        DataType::Int32
    }

    #[inline]
    fn push(&mut self, value: Option<i32>) {
        self.0.push(value);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// A counter; what exceeds 63 bits is shown as the largest.
#[derive(Default)]
pub(super) struct Count(Integers<Int64Type>);

impl Column for Count {
    type Value<'a> = u64;

    fn data_type() -> DataType {
        DataType::Int64
    }

    #[inline]
    fn push(&mut self, value: Option<u64>) {
        self.0.push(value.map(signed));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Yes or no.
#[derive(Default)]
pub(super) struct Bool(BooleanBuilder);

impl Column for Bool {
    type Value<'a> = bool;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn push(&mut self, value: Option<bool>) {
        self.0.append_option(value);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// A time from seconds since 1970; 0, which no record can have, is null.
#[derive(Default)]
pub(super) struct Time(Integers<TimestampMicrosecondType>);

impl Column for Time {
    type Value<'a> = u32;

    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    #[inline]
    fn push(&mut self, value: Option<u32>) {
        let second = value.filter(|second| *second != 0);
        self.0.push(second.map(|second| i64::from(second) * MICROS));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish().with_timezone("UTC"))
    }
}

/// A list of text.
pub(super) struct Texts(ListBuilder<StringBuilder>);

impl Texts {
    fn item() -> Field {
        Field::new(ITEM, DataType::Utf8, true)
    }
}

impl Default for Texts {
    fn default() -> Texts {
        Texts(ListBuilder::new(StringBuilder::new()).with_field(Texts::item()))
    }
}

impl Column for Texts {
    type Value<'a> = &'a mut dyn Iterator<Item = &'a str>;

    fn data_type() -> DataType {
        DataType::List(Arc::new(Texts::item()))
    }

    fn push(&mut self, value: Option<Self::Value<'_>>) {
        let present = value.is_some();
        for text in value.into_iter().flatten() {
            self.0.values().append_value(text);
        }
        self.0.append(present);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// A list of addresses with the bytes of each.
pub(super) struct Weights(ListBuilder<StructBuilder>);

impl Weights {
    fn fields() -> Fields {
        Fields::from(vec![
            Field::new("addr", DataType::Utf8, true),
            Field::new("bytes", DataType::Int64, true),
        ])
    }

    fn item() -> Field {
        Field::new(ITEM, DataType::Struct(Weights::fields()), true)
    }
}

impl Default for Weights {
    fn default() -> Weights {
        let pair = StructBuilder::new(
            Weights::fields(),
            vec![
                Box::new(StringBuilder::new()),
                Box::new(Int64Builder::new()),
            ],
        );
        Weights(ListBuilder::new(pair).with_field(Weights::item()))
    }
}

impl Column for Weights {
    type Value<'a> = &'a [(Addr, u64)];

    fn data_type() -> DataType {
        DataType::List(Arc::new(Weights::item()))
    }

    fn push(&mut self, value: Option<&[(Addr, u64)]>) {
        for (addr, bytes) in value.unwrap_or_default() {
            let pair = self.0.values();
            pair.field_builder::<StringBuilder>(0)
                .expect("the first field is text")
                .append_value(addr.to_string());
            pair.field_builder::<Int64Builder>(1)
                .expect("the second field is an integer")
                .append_value(signed(*bytes));
            pair.append(true);
        }
        self.0.append(value.is_some());
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Lists the columns of a table: name, type (of words, with their vocabulary), `null` where a row may have none, and where the value comes from.
/// Makes a builder with `fields`, `push` and `finish`.
macro_rules! table {
    ($(#[$doc:meta])* $vis:vis $name:ident, $row:ident: &$type:ty { $($column:ident: $kind:ident $(<$word:ident>)? $($null:ident)? = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name {
            rows: usize,
            $($column: $crate::sink::columns::$kind$(<$word>)?,)*
        }

        impl $name {
            /// The columns, in order.
            pub fn fields() -> Vec<arrow::datatypes::Field> {
                use $crate::sink::columns::Column;
                vec![$(arrow::datatypes::Field::new(
                    stringify!($column),
                    <$crate::sink::columns::$kind$(<$word>)?>::data_type(),
                    $crate::sink::columns::nullable!($($null)?),
                ),)*]
            }

            /// Appends rows, column by column: what a column knows of its values stays at hand. How many rows it holds then.
            pub fn push(&mut self, rows: &[$type]) -> usize {
                use $crate::sink::columns::Column;
                self.rows += rows.len();
                $(for $row in rows {
                    self.$column.push($crate::sink::columns::present!($value, $($null)?));
                })*
                self.rows
            }

            /// Appends a row to those columns that are wanted, by their place; `finish` gives the others without rows.
            #[allow(dead_code)]
            pub fn push_some(&mut self, wanted: &[bool], row: &$type) {
                use $crate::sink::columns::Column;
                let mut wanted = wanted.iter();
                $(if wanted.next() == Some(&true) {
                    let $row = row;
                    self.$column.push($crate::sink::columns::present!($value, $($null)?));
                })*
            }

            /// The columns of the rows so far; the builder is empty afterwards.
            pub fn finish(&mut self) -> Vec<arrow::array::ArrayRef> {
                use $crate::sink::columns::Column;
                self.rows = 0;
                vec![$(self.$column.finish(),)*]
            }
        }
    };
}

macro_rules! nullable {
    () => {
        false
    };
    (null) => {
        true
    };
}

macro_rules! present {
    ($value:expr,) => {
        Some($value)
    };
    ($value:expr, null) => {
        $value
    };
}

pub(super) use {nullable, present, table};

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    use super::*;

    #[test]
    fn a_time_of_zero_is_null_and_a_huge_count_is_the_largest() {
        let mut time = Time::default();
        time.push(Some(0));
        time.push(Some(1_772_002_799));
        let array = time.finish();
        let times = array.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(
            (seconds_at(times, 0), times.is_null(0), seconds_at(times, 1)),
            (0, true, 1_772_002_799)
        );

        let mut count = Count::default();
        count.push(Some(u64::MAX));
        assert_eq!(
            count.finish().as_primitive::<Int64Type>().value(0),
            i64::MAX
        );
    }
}
