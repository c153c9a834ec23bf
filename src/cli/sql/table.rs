//! An answer as a table that fits the terminal: long texts are shortened, and where that is not enough each row stands on
//! lines of its own.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::report::words;

/// Characters of a value that are shown.
const MOST_CHARS: usize = 2000;
/// Characters that texts are not shortened below: less tells nothing.
const LEAST_CHARS: usize = 16;
/// The columns of a plan, which is text of many lines.
const PLAN: [&str; 2] = ["plan_type", "plan"];

/// Rows of an answer, as many as are shown.
pub(super) struct Table {
    names: Vec<String>,
    kinds: Vec<Kind>,
    cells: Vec<Vec<String>>,
    /// Columns of the terminal; none where the table goes elsewhere.
    width: Option<usize>,
    is_plan: bool,
    most: usize,
    rows: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    /// Times, and yes or no.
    Other,
}

impl Table {
    /// A table of these columns, no wider than the terminal if there is one, with so many rows at most.
    pub fn new(schema: &SchemaRef, width: Option<usize>, most: usize) -> Table {
        let fields = schema.fields();
        let kinds = fields.iter().map(|field| match field.data_type() {
            kind if kind.is_numeric() => Kind::Number,
            DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 => Kind::Other,
            _ => Kind::Text,
        });
        Table {
            names: fields.iter().map(|field| shown(field.name())).collect(),
            kinds: kinds.collect(),
            cells: Vec::new(),
            width,
            is_plan: fields.iter().map(|field| field.name()).eq(PLAN),
            most,
            rows: 0,
        }
    }

    /// Takes some rows.
    ///
    /// # Errors
    /// When a column has a type that cannot be shown.
    pub fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        self.rows += rows.num_rows();
        let count = rows.num_rows().min(self.most - self.cells.len());
        let options = FormatOptions::default()
            .with_null("")
            .with_display_error(true);
        let columns = rows.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<ArrayFormatter<'_>> = columns.collect::<Result<_, _>>()?;
        for row in 0..count {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            let cells = cells.map(|text| if self.is_plan { text } else { shown(&text) });
            self.cells.push(cells.collect());
        }
        Ok(())
    }

    /// The table, and how many rows it has or withheld.
    pub fn render(self) -> String {
        if self.is_plan {
            return self.plan();
        }
        let rows = words::counted(self.rows as u64, "row");
        let withheld = match self.rows - self.cells.len() {
            0 => String::new(),
            more => format!(
                ", of which {} are not shown: --rows all shows them",
                words::count(more as u64)
            ),
        };
        let table = match self.widths() {
            Some(widths) => self.side_by_side(&widths),
            None => self.one_below_the_other(),
        };
        format!("{table}\n{rows}{withheld}\n")
    }

    /// How wide each column is; none if not all find room.
    fn widths(&self) -> Option<Vec<usize>> {
        let widths = self.names.iter().enumerate().map(|(column, name)| {
            let cells = self.cells.iter().map(|row| length(&row[column]));
            cells.chain([length(name)]).max().unwrap_or_default()
        });
        let widths: Vec<usize> = widths.collect();
        let Some(width) = self.width else {
            return Some(widths);
        };
        let capped = |most: usize| {
            let columns = widths.iter().zip(&self.kinds).zip(&self.names);
            let columns = columns.map(|((width, kind), name)| match kind {
                Kind::Text => (*width).min(most.max(length(name))),
                Kind::Number | Kind::Other => *width,
            });
            columns.collect::<Vec<usize>>()
        };
        // A blank on each side of a column, and a line at each end.
        let fits =
            |widths: &Vec<usize>| widths.iter().map(|width| width + 2).sum::<usize>() + 2 <= width;
        let widest = widths.iter().copied().max().unwrap_or_default();
        let caps = (LEAST_CHARS..=widest.max(LEAST_CHARS)).rev();
        caps.map(capped).find(fits)
    }

    /// Rows below their names, in a frame. Drawn here, because comfy-table takes kilobytes a cell, and answers may be long.
    fn side_by_side(&self, widths: &[usize]) -> String {
        let inside = widths.iter().map(|width| width + 2).sum::<usize>();
        let mut text = format!("┌{}┐\n", "─".repeat(inside));
        self.push_row(&mut text, &self.names, widths);
        text.push_str(&format!("╞{}╡\n", "═".repeat(inside)));
        for row in &self.cells {
            self.push_row(&mut text, row, widths);
        }
        text.push_str(&format!("└{}┘", "─".repeat(inside)));
        text
    }

    fn push_row(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        text.push('│');
        for ((cell, width), kind) in cells.iter().zip(widths).zip(&self.kinds) {
            let cell = shortened(cell, *width);
            let blanks = " ".repeat(width - length(&cell).min(*width));
            let (before, behind) = match kind {
                Kind::Number => (&*blanks, ""),
                Kind::Text | Kind::Other => ("", &*blanks),
            };
            text.extend([" ", before, &cell, behind, " "]);
        }
        text.push_str("│\n");
    }

    /// Each row under its number, a value a line.
    fn one_below_the_other(&self) -> String {
        let longest = self.names.iter().map(|name| length(name)).max();
        let longest = longest.unwrap_or_default();
        let rows = self.cells.iter().enumerate().map(|(number, row)| {
            let values = self.names.iter().zip(row).map(|(name, value)| {
                let blanks = " ".repeat(longest - length(name));
                format!("  {name}{blanks}  {value}").trim_end().to_owned()
            });
            let values = values.collect::<Vec<_>>().join("\n");
            format!("row {}\n{values}", number + 1)
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// The text of plans under their names.
    fn plan(self) -> String {
        let plans = self.cells.iter().map(|row| {
            let lines = row[1].lines().map(words::clean);
            let lines = lines.collect::<Vec<_>>().join("\n");
            format!("{}\n{lines}\n", shown(&row[0]))
        });
        plans.collect::<Vec<_>>().join("\n")
    }
}

/// Cells of the terminal that a text takes.
pub(super) fn length(text: &str) -> usize {
    text.width()
}

/// A text of no more than so many cells: what is left out is in the middle, since the ends tell most.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if length(text) <= most {
        return text.into();
    }
    let (head, mut tail) = (most / 3, most.saturating_sub(most / 3 + 1));
    let mut start = String::new();
    for c in text.chars() {
        start.push(c);
        if length(&start) > head {
            start.pop();
            break;
        }
    }
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let wide = c.width().unwrap_or_default();
        if wide > tail {
            break;
        }
        (from, tail) = (at, tail - wide);
    }
    format!("{start}…{}", &text[from..]).into()
}

/// A text as a terminal may show it, in one line.
pub(super) fn shown(text: &str) -> String {
    let mut shown = words::clean(&text.replace('\n', "⏎").replace('\t', " "));
    if let Some((end, _)) = shown.char_indices().nth(MOST_CHARS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn drawn(width: Option<usize>) -> String {
        let long = "s3://a-bucket-of-logs/AWSLogs/111122223333/vpcflowlogs/x.log.gz";
        let tiers: ArrayRef = Arc::new(StringArray::from(vec!["app", "data"]));
        let sources: ArrayRef = Arc::new(StringArray::from(vec![long, "two\nlines"]));
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_000_000), None]));
        let rows = [
            ("tier", tiers),
            ("source", sources),
            ("connections", counts),
        ];
        let rows = RecordBatch::try_from_iter(rows).expect("columns of one length");
        let mut table = Table::new(&rows.schema(), width, 10);
        table.add(&rows).expect("it can be shown");
        table.render()
    }

    #[test]
    fn what_is_wider_than_the_terminal_is_shortened_in_its_long_texts_only() {
        insta::assert_snapshot!(drawn(Some(60)));
    }

    #[test]
    fn what_does_not_fit_at_all_has_a_value_a_line() {
        insta::assert_snapshot!(drawn(Some(30)));
    }

    #[test]
    fn what_goes_elsewhere_is_as_wide_as_it_is() {
        assert!(drawn(None).contains("/vpcflowlogs/x.log.gz"));
    }
}
