//! The rows of a batch, their values brought to text and whole numbers.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};

use super::footer::broken;
use super::plan::Plan;
use crate::flow::cell::{Bad, Cell, READABLE, word};
use crate::flow::decode::DecodeError;
use crate::flow::record::{Fields, Texts};
use crate::flow::row::{Cells, short_word};
use crate::flow::{Column, Field, Layout};
use crate::net::Addr;
use crate::net::aws::Service;

/// A batch, its columns brought to two types.
pub(super) struct Rows<'a> {
    columns: Vec<Values>,
    /// The place of each field among the columns.
    places: [Option<u16>; Field::COUNT],
    plan: &'a Plan,
}

/// The values of a column.
struct Values {
    original: ArrayRef,
    /// As whole numbers, if the column has numbers; [`NO_NUMBER`] where one is not whole or too large.
    numbers: Option<Int64Array>,
    /// As text; made of numbers only if asked for.
    text: OnceCell<BinaryArray>,
}

/// Stands for a number that cannot be represented. Negative, as no field's is.
const NO_NUMBER: i64 = i64::MIN;

impl<'a> Rows<'a> {
    pub fn new(batch: &RecordBatch, plan: &'a Plan) -> Result<Rows<'a>, DecodeError> {
        if batch.num_columns() != plan.columns.len() {
            return Err(broken("other columns than announced"));
        }
        let mut places = [None; Field::COUNT];
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (place, (array, (_, column))) in batch.columns().iter().zip(&plan.columns).enumerate() {
            if let Column::Known(field) = column {
                places[*field as usize] = u16::try_from(place).ok();
            }
            columns.push(Values::new(array, column)?);
        }
        Ok(Rows {
            columns,
            places,
            plan,
        })
    }
}

impl Values {
    fn new(array: &ArrayRef, column: &Column) -> Result<Values, DecodeError> {
        let wrong = || {
            let (name, found) = (column.name(), array.data_type());
            DecodeError::Parquet(format!(
                "expected a number or text in column `{name}`, got {found}"
            ))
        };
        let text = OnceCell::new();
        let numbers = match array.data_type() {
            DataType::Utf8 | DataType::Binary => None,
            _ => whole_numbers(array),
        };
        if numbers.is_none() {
            // Text as it is, and what else can be shown as text (booleans, dates, decimals).
            let as_text = match array.data_type() {
                DataType::Utf8 | DataType::Binary => cast(array, &DataType::Binary),
                _ => cast(array, &DataType::Utf8).and_then(|text| cast(&text, &DataType::Binary)),
            };
            let as_text = as_text.map_err(|_| wrong())?;
            text.set(as_text.as_binary::<i32>().clone())
                .expect("it is new");
        }
        Ok(Values {
            original: Arc::clone(array),
            numbers,
            text,
        })
    }

    /// The column as text, just as it is.
    fn texts(&self) -> &BinaryArray {
        self.text.get_or_init(|| {
            let numbers = self
                .numbers
                .as_ref()
                .expect("a column without text has numbers");
            let text =
                cast(numbers, &DataType::Utf8).and_then(|text| cast(&text, &DataType::Binary));
            text.expect("integers have a text")
                .as_binary::<i32>()
                .clone()
        })
    }

    /// A value as text; none where it is missing.
    fn text(&self, row: usize) -> Option<&[u8]> {
        let texts = self.texts();
        let text = texts.is_valid(row).then(|| texts.value(row))?;
        (!matches!(text, b"-" | b"None" | b"")).then_some(text)
    }
}

/// A column of numbers or timestamps (as seconds) as 64-bit integers; none if it is neither.
fn whole_numbers(array: &ArrayRef) -> Option<Int64Array> {
    let numbers = match array.data_type() {
        DataType::UInt64 => {
            let numbers = array.as_primitive::<UInt64Type>();
            numbers.unary(|number| i64::try_from(number).unwrap_or(NO_NUMBER))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let numbers = cast(array, &DataType::Float64).ok()?;
            // What cannot be told apart from null in the tools that write such columns is null.
            let numbers = numbers
                .as_primitive::<Float64Type>()
                .iter()
                .map(|number| number.filter(|n| !n.is_nan()));
            // The largest float below 2^63 is far below i64::MAX.
            let whole = |number: f64| {
                if number.fract() == 0.0 && number.abs() < 9.2e18 {
                    number as i64
                } else {
                    NO_NUMBER
                }
            };
            numbers.map(|number| number.map(whole)).collect()
        }
        DataType::Timestamp(_, _) => {
            let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, None)).ok()?;
            cast(&seconds, &DataType::Int64)
                .ok()?
                .as_primitive::<Int64Type>()
                .clone()
        }
        kind if kind.is_integer() => cast(array, &DataType::Int64)
            .ok()?
            .as_primitive::<Int64Type>()
            .clone(),
        _ => return None,
    };
    Some(numbers)
}

/// One row of a batch.
pub(super) struct Row<'a> {
    pub rows: &'a Rows<'a>,
    pub row: usize,
}

impl Row<'_> {
    fn values(&self, field: Field) -> Option<&Values> {
        self.rows.places[field as usize].map(|place| &self.rows.columns[usize::from(place)])
    }

    /// A malformed value as it stands in the object.
    pub fn shown(&self, field: Field) -> Vec<u8> {
        self.values(field)
            .map(|values| self.show(values))
            .unwrap_or_default()
    }

    fn show(&self, values: &Values) -> Vec<u8> {
        if values.original.is_null(self.row) {
            return b"-".to_vec();
        }
        let whole = |numbers: &Int64Array| numbers.value(self.row) != NO_NUMBER;
        if values.numbers.as_ref().is_none_or(whole) {
            return values.texts().value(self.row).to_vec();
        }
        match cast(&values.original.slice(self.row, 1), &DataType::Utf8) {
            Ok(text) => text.as_string::<i32>().value(0).as_bytes().to_vec(),
            Err(_) => b"-".to_vec(),
        }
    }

    /// The row as a line of text, of the columns that were read.
    pub fn line(&self) -> Vec<u8> {
        let columns: Vec<_> = self
            .rows
            .columns
            .iter()
            .map(|values| self.show(values))
            .collect();
        columns.join(&b' ')
    }
}

impl Cells for Row<'_> {
    fn number(&self, field: Field) -> Result<Option<u64>, Bad> {
        let Some(values) = self.values(field) else {
            return Ok(None);
        };
        if let Some(numbers) = &values.numbers {
            if numbers.is_null(self.row) {
                return Ok(None);
            }
            return u64::try_from(numbers.value(self.row))
                .map(Some)
                .map_err(|_| Bad);
        }
        let Some(text) = values.text(self.row) else {
            return Ok(None);
        };
        Cell::padded(text, &mut [0; 2 * READABLE + 16]).map_or(Err(Bad), Cell::number)
    }

    fn address(&self, field: Field) -> Result<Option<Addr>, Bad> {
        let Some(text) = self.values(field).and_then(|values| values.text(self.row)) else {
            return Ok(None);
        };
        let mut room = [0; 2 * READABLE + 16];
        let cell = Cell::padded(text, &mut room).ok_or(Bad)?;
        // SAFETY: any machine will do without vectors.
        unsafe { cell.address::<false>() }
    }

    fn same(&self, one: Field, other: Field) -> bool {
        match (self.values(one), self.values(other)) {
            (Some(one), Some(other)) => one.text(self.row) == other.text(self.row),
            _ => false,
        }
    }

    fn word(&self, field: Field) -> Option<u64> {
        const DASH: u64 = word("-");
        self.values(field)
            .map(|values| values.text(self.row).map_or(DASH, short_word))
    }

    fn service(&self, field: Field) -> Service {
        match self.values(field) {
            None => Service::Unknown,
            Some(values) => values
                .text(self.row)
                .map_or(Service::None, Service::from_text),
        }
    }
}

impl Texts for Row<'_> {
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.values(field)?.text(self.row)
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (values, (_, column)) in self.rows.columns.iter().zip(&self.rows.plan.columns) {
            if let (Column::Unknown(name), Some(text)) = (column, values.text(self.row)) {
                each(name, text);
            }
        }
    }
}

impl Fields for Row<'_> {
    fn layout(&self) -> &Arc<Layout> {
        &self.rows.plan.layout
    }

    fn reporter_texts(&self) -> impl Iterator<Item = &[u8]> {
        Field::OF_REPORTER
            .iter()
            .map(|field| self.text(*field).unwrap_or(b"-"))
    }

    fn line(&self) -> Option<&[u8]> {
        None
    }
}
