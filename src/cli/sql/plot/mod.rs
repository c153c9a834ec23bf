//! An answer as a picture: numbers as bars beside their labels, or along a column of time as columns of blocks.

mod bars;
mod time;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::table::{length, shown};
use crate::cli::report::words;

/// Rows of an answer that are looked at.
const MOST_ROWS: usize = 10_000;
/// Bars, and lines, that are drawn.
const MOST_DRAWN: usize = 40;

/// Rows of an answer, as many as are looked at.
pub(super) struct Plot {
    schema: SchemaRef,
    width: usize,
    kept: Vec<RecordBatch>,
    num_kept: usize,
    num_rows: usize,
}

/// What is drawn of an answer.
struct Answer {
    /// What each row is called: its values that are neither numbers nor the time.
    labels: Vec<String>,
    /// The column of time, and microseconds of each row.
    time: Option<(ArrayRef, Vec<Option<i64>>)>,
    measures: Vec<Measure>,
}

/// A column of numbers.
struct Measure {
    name: String,
    values: Vec<Option<f64>>,
    texts: Vec<String>,
}

impl Plot {
    /// A picture so wide of an answer with these columns.
    pub fn new(schema: &SchemaRef, width: usize) -> Plot {
        Plot {
            schema: schema.clone(),
            width,
            kept: Vec::new(),
            num_kept: 0,
            num_rows: 0,
        }
    }

    /// Takes some rows.
    pub fn add(&mut self, rows: &RecordBatch) {
        self.num_rows += rows.num_rows();
        let room = rows.num_rows().min(MOST_ROWS - self.num_kept);
        if room > 0 {
            self.num_kept += room;
            self.kept.push(rows.slice(0, room));
        }
    }

    /// The picture; words where there is nothing to draw.
    ///
    /// # Errors
    /// When a column has a type that cannot be shown.
    pub fn render(&self) -> Result<String, ArrowError> {
        let rows = concat_batches(&self.schema, &self.kept)?;
        let answer = Answer::of(&rows)?;
        if answer.measures.is_empty() {
            return Ok(
                "there is nothing to draw: no column of numbers is more than a label\n".to_owned(),
            );
        }
        if rows.num_rows() == 0 {
            return Ok("there is nothing to draw: 0 rows\n".to_owned());
        }
        let mut text = match &answer.time {
            Some((column, times)) => time::over_time(&answer, column, times, self.width)?,
            None => bars::bars(&answer, self.width),
        };
        if self.num_rows > self.num_kept {
            let (drawn, all) = (self.num_kept, self.num_rows);
            text.push_str(&format!(
                "{} of {} rows are drawn\n",
                words::count(drawn as u64),
                words::count(all as u64)
            ));
        }
        Ok(text)
    }
}

/// Whether a column of numbers names something rather than measures it: its last word says so.
fn is_name(field: &Field) -> bool {
    let name = field.name();
    let names = [
        "port", "srcport", "dstport", "protocol", "asn", "hour", "line", "version",
    ];
    let last = name.rsplit(['_', '.']).next().unwrap_or_default();
    names.contains(&last) && !name.contains("_per_")
}

impl Answer {
    fn of(rows: &RecordBatch) -> Result<Answer, ArrowError> {
        let schema = rows.schema();
        let options = FormatOptions::default().with_display_error(true);
        let text = |column: &ArrayRef| -> Result<Vec<String>, ArrowError> {
            let values = ArrayFormatter::try_new(column, &options)?;
            Ok((0..column.len())
                .map(|row| shown(&values.value(row).to_string()))
                .collect())
        };
        let mut numbers: Vec<usize> = Vec::new();
        let (mut names, mut time) = (Vec::new(), None);
        for (place, field) in schema.fields().iter().enumerate() {
            match field.data_type() {
                kind if kind.is_numeric() && !is_name(field) => numbers.push(place),
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 if time.is_none() => {
                    time = Some(place);
                }
                _ => names.push(place),
            }
        }
        // Numbers alone: the first ones are what the others are of.
        if names.is_empty() && time.is_none() && numbers.len() > 1 {
            names.push(numbers.remove(0));
        }
        let names: Vec<Vec<String>> = names
            .into_iter()
            .map(|place| text(rows.column(place)))
            .collect::<Result<_, _>>()?;
        let label = |row: usize| {
            let words = names.iter().map(|texts| &*texts[row]);
            words
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let measures = numbers.into_iter().map(|place| {
            let column = rows.column(place);
            let values = cast(column, &DataType::Float64)?;
            let values: &Float64Array = values.as_primitive();
            Ok(Measure {
                name: shown(schema.field(place).name()),
                values: values
                    .iter()
                    .map(|value| value.filter(|value| value.is_finite()))
                    .collect(),
                texts: text(column)?,
            })
        });
        Ok(Answer {
            labels: (0..rows.num_rows()).map(label).collect(),
            measures: measures.collect::<Result<_, ArrowError>>()?,
            time: time.map(|place| micros(rows.column(place))).transpose()?,
        })
    }
}

/// A column of time, and the microseconds since 1970 of its rows.
fn micros(column: &ArrayRef) -> Result<(ArrayRef, Vec<Option<i64>>), ArrowError> {
    let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let micros = cast(&micros, &DataType::Int64)?;
    let times = micros.as_primitive::<Int64Type>().iter().collect();
    Ok((column.clone(), times))
}

/// A text of this width: cut, or with blanks behind it.
fn fitted(text: &str, width: usize) -> String {
    if length(text) > width {
        let cut: String = text.chars().take(width.saturating_sub(1)).collect();
        return format!("{cut}…");
    }
    format!("{text}{}", " ".repeat(width - length(text)))
}

fn longest<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    texts.map(|text| length(text)).max().unwrap_or(0)
}

/// A text of this width, with blanks before it.
fn right(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(length(text));
    format!("{}{text}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests;
