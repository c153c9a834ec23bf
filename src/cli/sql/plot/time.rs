//! Numbers along a column of time.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Answer, MOST_DRAWN, fitted, longest, right};

/// Lines of a picture, where it is the only one.
const HEIGHT: usize = 8;
/// The widest that one point of time is drawn.
const WIDEST: usize = 6;
/// Eighths of a cell, from below.
const UP: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

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

    /// The first and the last time as the column shows them, below the first and the last place.
    fn ends(&self, column: &ArrayRef, times: &[Option<i64>]) -> Result<String, ArrowError> {
        let options = FormatOptions::default().with_display_error(true);
        let shown = ArrayFormatter::try_new(column, &options)?;
        let at = |time: i64| {
            let row = times.iter().position(|known| *known == Some(time));
            shown.value(row.unwrap_or_default()).to_string()
        };
        let (from, to) = (at(self.first), at(self.last));
        if from == to {
            return Ok(from);
        }
        let length = from.len() + to.len();
        let cells = (self.places * self.wide).max(length + 3);
        Ok(format!("{from}{}{to}", " ".repeat(cells - length)))
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
pub(super) fn over_time(
    answer: &Answer,
    column: &ArrayRef,
    times: &[Option<i64>],
    width: usize,
) -> Result<String, ArrowError> {
    let (series, left) = series(&answer.labels);
    let number = longest(answer.measures.iter().flat_map(|measure| &measure.texts));
    let label = longest(series.iter().copied()).min(width * 2 / 5);
    let is_alone = series.len() == 1;
    let margin = if is_alone { number } else { label };
    let room = width.saturating_sub(margin + number + 3).max(8);
    let Some(axis) = Axis::of(times, room) else {
        return Ok("there is nothing to draw: no row has a time\n".to_owned());
    };
    let mut text = String::new();
    for measure in &answer.measures {
        text.push_str(&format!("{}\n", measure.name));
        for name in &series {
            let of_series = |row: &usize| answer.labels[*row] == **name;
            let points = (0..times.len()).filter(of_series).filter_map(|row| {
                let (time, value) = (times[row]?, measure.values[row]?);
                Some((time, value, row))
            });
            let points: Vec<(i64, f64, usize)> = points.collect();
            let greatest = points.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            let greatest = greatest.map_or("", |(_, _, row)| &measure.texts[*row]);
            let values = axis.values(points.iter().map(|(time, value, _)| (*time, *value)));
            if is_alone {
                picture(&mut text, &values, &axis, greatest, margin);
                continue;
            }
            let line = stretched(&levels(&values, 1)[0], &axis);
            text.push_str(&format!("{} {line} {greatest}\n", fitted(name, margin)));
        }
    }
    let blanks = " ".repeat(margin + 1);
    text.push_str(&format!("{blanks}{}\n", axis.ends(column, times)?));
    if left {
        text.push_str("some series are not drawn: a condition leaves fewer\n");
    }
    Ok(text)
}

/// The labels that there are, each once in the order of the rows, and whether there are more than are drawn.
fn series(labels: &[String]) -> (Vec<&String>, bool) {
    let mut series: Vec<&String> = Vec::new();
    for label in labels {
        if series.contains(&label) {
            continue;
        }
        if series.len() == MOST_DRAWN {
            return (series, true);
        }
        series.push(label);
    }
    (series, false)
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
