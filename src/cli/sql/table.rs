//! An answer as a table that fits the terminal.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{CellAlignment, ContentArrangement, presets};

use crate::cli::report::words;

/// Characters of a cell that are shown; wrapping longer ones takes long, and nobody reads them.
const MOST_CHARS: usize = 2000;

/// Rows of an answer, as many as are shown.
pub(super) struct Table {
    table: comfy_table::Table,
    numbers: Vec<bool>,
    most: usize,
    shown: usize,
    rows: usize,
}

impl Table {
    /// A table of these columns, so wide and with so many rows at most.
    pub fn new(schema: &SchemaRef, width: usize, most: usize) -> Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        table.set_header(schema.fields().iter().map(|field| shown(field.name())));
        Table {
            table,
            numbers: schema
                .fields()
                .iter()
                .map(|field| is_number(field.data_type()))
                .collect(),
            most,
            shown: 0,
            rows: 0,
        }
    }

    /// Takes some rows.
    ///
    /// # Errors
    /// When a column has a type that cannot be shown.
    pub fn add(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        self.rows += rows.num_rows();
        let count = rows.num_rows().min(self.most - self.shown);
        if count == 0 {
            return Ok(());
        }
        self.shown += count;
        let options = FormatOptions::default()
            .with_null("")
            .with_display_error(true);
        let columns = rows.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<ArrayFormatter<'_>> = columns.collect::<Result<_, _>>()?;
        for row in 0..count {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            self.table.add_row(cells.map(|text| shown(&text)));
        }
        Ok(())
    }

    /// The table, and how many rows it has or withheld.
    pub fn render(mut self) -> String {
        for (column, is_number) in self.table.column_iter_mut().zip(&self.numbers) {
            if *is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let rows = match self.rows {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        };
        let withheld = match self.rows - self.shown {
            0 => String::new(),
            more => format!(", of which {more} are not shown: --rows all shows them"),
        };
        format!("{}\n{rows}{withheld}\n", self.table)
    }
}

/// A text as a terminal may show it.
pub(super) fn shown(text: &str) -> String {
    let mut shown = words::clean(text);
    if let Some((end, _)) = shown.char_indices().nth(MOST_CHARS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

fn is_number(kind: &DataType) -> bool {
    kind.is_numeric()
}
