//! An answer as a picture: numbers as bars beside their labels, or along a column of time as columns of blocks.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::table::shown;
use crate::cli::report::words;

/// Rows of an answer that are looked at.
const MOST_ROWS: usize = 10_000;
/// Bars, and lines, that are drawn.
const MOST_DRAWN: usize = 40;
/// Lines of a picture over time, where it is the only one.
const HEIGHT: usize = 8;
/// The widest that one point of time is drawn.
const WIDEST: usize = 6;
/// Eighths of a cell, from the left and from below.
const ACROSS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const UP: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

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
                "there is nothing to draw: no column holds numbers that measure\n".to_owned(),
            );
        }
        if rows.num_rows() == 0 {
            return Ok("there is nothing to draw: 0 rows\n".to_owned());
        }
        let mut text = match &answer.time {
            Some((column, times)) => over_time(&answer, column, times, self.width)?,
            None => bars(&answer, self.width),
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

/// Whether a column of numbers names something rather than measures it.
fn is_name(field: &Field) -> bool {
    let name = field.name();
    let names = ["port", "protocol", "asn", "hour", "line", "version", "bits"];
    names.iter().any(|word| name.ends_with(word))
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
    let length = text.chars().count();
    if length > width {
        let cut: String = text.chars().take(width.saturating_sub(1)).collect();
        return format!("{cut}…");
    }
    format!("{text}{}", " ".repeat(width - length))
}

fn longest<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Each row's number as a bar behind its label; measures one below the other.
fn bars(answer: &Answer, width: usize) -> String {
    let drawn = answer.labels.len().min(MOST_DRAWN);
    let mut text = String::new();
    for measure in &answer.measures {
        let labels = &answer.labels[..drawn];
        let label = longest(labels.iter()).min(width * 2 / 5);
        let number = longest(measure.texts[..drawn].iter());
        let room = width.saturating_sub(label + number + 3).max(8);
        let greatest = measure.values[..drawn].iter().flatten();
        let greatest = greatest.fold(0.0, |most: f64, value| most.max(value.abs()));
        text.push_str(&format!("{}\n", measure.name));
        for (row, name) in labels.iter().enumerate() {
            let bar =
                measure.values[row].map_or_else(String::new, |value| bar(value, greatest, room));
            let line = format!(
                "{} {} {bar}",
                fitted(name, label),
                right(&measure.texts[row], number)
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    let left = answer.labels.len() - drawn;
    if left > 0 {
        text.push_str(&format!(
            "{} are not drawn: order by what matters, and limit\n",
            words::counted(left as u64, "more row")
        ));
    }
    text
}

fn right(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.chars().count());
    format!("{}{text}", " ".repeat(blanks))
}

/// A bar of so many cells at most; one of a negative number is hatched.
fn bar(value: f64, greatest: f64, room: usize) -> String {
    if value == 0.0 || greatest == 0.0 {
        return String::new();
    }
    let eighths = ((value.abs() / greatest * room as f64 * 8.0).round() as usize).max(1);
    if value < 0.0 {
        return "░".repeat(eighths.div_ceil(8));
    }
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(ACROSS[eighths % 8]);
    }
    bar
}

/// The axis of time: from the first to the last, in steps of the least distance of two, where they fit.
struct Axis {
    first: i64,
    last: i64,
    places: usize,
    /// Cells of a place.
    wide: usize,
}

impl Axis {
    fn of(times: &[Option<i64>], room: usize) -> Option<Axis> {
        let mut known: Vec<i64> = times.iter().flatten().copied().collect();
        known.sort_unstable();
        known.dedup();
        let (first, last) = (*known.first()?, *known.last()?);
        let least = known.windows(2).map(|pair| pair[1].abs_diff(pair[0])).min();
        let steps = least.map_or(0, |least| last.abs_diff(first).div_ceil(least));
        let places = usize::try_from(steps)
            .unwrap_or(room)
            .saturating_add(1)
            .min(room);
        Some(Axis {
            first,
            last,
            places,
            wide: (room / places).clamp(1, WIDEST),
        })
    }

    fn place(&self, time: i64) -> usize {
        let (span, at) = (self.last.abs_diff(self.first), time.abs_diff(self.first));
        if span == 0 {
            return 0;
        }
        let steps = (self.places - 1) as u128;
        // To the nearest.
        ((u128::from(at) * steps * 2 + u128::from(span)) / (u128::from(span) * 2)) as usize
    }

    /// The greatest number of each place; of those that are several in one.
    fn values(&self, points: impl Iterator<Item = (i64, f64)>) -> Vec<Option<f64>> {
        let mut values = vec![None; self.places];
        for (time, value) in points {
            let known: &mut Option<f64> = &mut values[self.place(time)];
            *known = Some(known.map_or(value, |known| known.max(value)));
        }
        values
    }
}

/// Numbers along time: one series as a picture of several lines, more as a line each.
fn over_time(
    answer: &Answer,
    column: &ArrayRef,
    times: &[Option<i64>],
    width: usize,
) -> Result<String, ArrowError> {
    let mut labels: Vec<&String> = Vec::new();
    for label in &answer.labels {
        if !labels.contains(&label) && labels.len() <= MOST_DRAWN {
            labels.push(label);
        }
    }
    let left = labels.len().saturating_sub(MOST_DRAWN);
    labels.truncate(MOST_DRAWN);
    let number = answer.measures.iter().flat_map(|measure| &measure.texts);
    let number = longest(number);
    let label = longest(labels.iter().copied()).min(width * 2 / 5);
    let room = width.saturating_sub(label.max(number) + number + 3).max(8);
    let Some(axis) = Axis::of(times, room) else {
        return Ok("there is nothing to draw: no row has a time\n".to_owned());
    };
    let alone = labels.len() == 1;
    let mut text = String::new();
    for measure in &answer.measures {
        text.push_str(&format!("{}\n", measure.name));
        for name in &labels {
            let rows = (0..times.len()).filter(|row| answer.labels[*row] == **name);
            let rows: Vec<usize> = rows.filter(|row| measure.values[*row].is_some()).collect();
            let points = rows
                .iter()
                .filter_map(|row| Some((times[*row]?, measure.values[*row]?)));
            let values = axis.values(points);
            let by_value = |row: &&usize| (measure.values[**row].unwrap_or_default(), **row);
            let greatest = rows.iter().max_by(|a, b| {
                by_value(a)
                    .partial_cmp(&by_value(b))
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
            let greatest = greatest.map_or("", |row| &measure.texts[*row]);
            if alone {
                picture(&mut text, &values, &axis, greatest, label.max(number));
            } else {
                let line = levels(&values, 1).remove(0);
                text.push_str(&format!(
                    "{} {} {greatest}\n",
                    fitted(name, label),
                    stretched(&line, &axis)
                ));
            }
        }
    }
    let at = |time: i64| -> Result<String, ArrowError> {
        let options = FormatOptions::default();
        let row = times
            .iter()
            .position(|known| *known == Some(time))
            .unwrap_or_default();
        Ok(ArrayFormatter::try_new(column, &options)?
            .value(row)
            .to_string())
    };
    let (from, to) = (at(axis.first)?, at(axis.last)?);
    let indent = if alone { label.max(number) } else { label } + 1;
    let line = if from == to {
        from
    } else {
        let cells = (axis.places * axis.wide).max(from.len() + to.len() + 3);
        format!("{from}{}{to}", " ".repeat(cells - from.len() - to.len()))
    };
    text.push_str(&format!("{}{line}\n", " ".repeat(indent)));
    if left > 0 {
        text.push_str("some series are not drawn: a condition leaves fewer\n");
    }
    Ok(text)
}

/// A series alone, its greatest value above on the left.
fn picture(text: &mut String, values: &[Option<f64>], axis: &Axis, greatest: &str, margin: usize) {
    for (index, line) in levels(values, HEIGHT).iter().enumerate() {
        let left = match index {
            0 => greatest,
            _ if index == HEIGHT - 1 => "0",
            _ => "",
        };
        let line = format!("{}┤{}", right(left, margin), stretched(line, axis));
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn stretched(line: &[char], axis: &Axis) -> String {
    let cells = line.iter().map(|cell| cell.to_string().repeat(axis.wide));
    cells.collect()
}

/// Lines of blocks, from above; what is not zero has an eighth of a cell at least. Negative numbers are as nothing.
fn levels(values: &[Option<f64>], height: usize) -> Vec<Vec<char>> {
    let greatest = values
        .iter()
        .flatten()
        .fold(0.0, |most: f64, value| most.max(*value));
    let eighths = values.iter().map(|value| match value {
        Some(value) if *value > 0.0 => {
            ((value / greatest * (height * 8) as f64).round() as usize).max(1)
        }
        _ => 0,
    });
    let eighths: Vec<usize> = eighths.collect();
    (0..height)
        .rev()
        .map(|line| {
            eighths
                .iter()
                .map(|eighths| UP[eighths.saturating_sub(line * 8).min(8)])
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn drawn(columns: Vec<(&str, ArrayRef)>) -> String {
        let rows = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        );
        let rows = rows.expect("columns of one length");
        let mut plot = Plot::new(&rows.schema(), 60);
        // In two parts, as answers come.
        let half = rows.num_rows() / 2;
        plot.add(&rows.slice(0, half));
        plot.add(&rows.slice(half, rows.num_rows() - half));
        plot.render().expect("it is drawn")
    }

    fn numbers(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(values.iter().copied().collect::<Int64Array>())
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn labels_have_bars() {
        let port = numbers(&[Some(443), Some(22), Some(53), Some(80)]);
        let tier = texts(&[
            "app",
            "data",
            "a tier with a name that is longer than most",
            "app",
        ]);
        let count = numbers(&[Some(1000), Some(1), None, Some(-500)]);
        insta::assert_snapshot!(drawn(vec![
            ("tier", tier),
            ("server_port", port),
            ("records", count)
        ]));
    }

    #[test]
    fn of_numbers_alone_the_first_is_the_label() {
        let counts = numbers(&[Some(3), Some(6)]);
        insta::assert_snapshot!(drawn(vec![
            ("day", numbers(&[Some(1), Some(2)])),
            ("records", counts)
        ]));
    }

    #[test]
    fn time_goes_from_left_to_right_with_gaps_where_nothing_is() {
        let hour = 3_600_000_000;
        let times = TimestampMicrosecondArray::from(vec![0, 5 * hour, hour, 2 * hour]);
        let counts = numbers(&[Some(1), Some(80), Some(40), Some(20)]);
        insta::assert_snapshot!(drawn(vec![("at", Arc::new(times)), ("records", counts)]));
    }

    #[test]
    fn several_series_have_a_line_each() {
        let day = 24 * 3_600_000_000;
        let times = TimestampMicrosecondArray::from(vec![0, 0, day, day, 2 * day]);
        let counts = numbers(&[Some(1), Some(8), Some(2), Some(4), Some(3)]);
        let tiers = texts(&["app", "data", "app", "data", "app"]);
        insta::assert_snapshot!(drawn(vec![
            ("day", Arc::new(times)),
            ("tier", tiers),
            ("records", counts)
        ]));
    }

    #[test]
    fn what_cannot_be_drawn_says_so() {
        assert!(drawn(vec![("tier", texts(&["app"]))]).contains("no column holds numbers"));
        assert!(drawn(vec![("tier", texts(&[])), ("records", numbers(&[]))]).contains("0 rows"));
        let nothing = TimestampMicrosecondArray::from(vec![None]);
        let count = numbers(&[Some(1)]);
        assert!(
            drawn(vec![("at", Arc::new(nothing)), ("records", count)])
                .contains("no row has a time")
        );
    }

    #[test]
    fn times_far_apart_and_many_are_drawn() {
        let times: Vec<i64> = (0..5000)
            .map(|n| n * n * 1_000_003)
            .chain([i64::MIN / 2, i64::MAX / 2])
            .collect();
        let count = numbers(&vec![Some(1); times.len()]);
        let drawn = drawn(vec![
            ("at", Arc::new(TimestampMicrosecondArray::from(times))),
            ("n", count),
        ]);
        assert!(
            drawn.lines().all(|line| line.chars().count() <= 140),
            "{drawn}"
        );
    }
}
