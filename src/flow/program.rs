//! A layout made ready for its rows.

use std::sync::Arc;

use super::row::is_checked;
use super::{Column, Field, Layout};

/// A layout made ready: the column of each field, in one look-up.
pub(crate) struct Program {
    /// The column of each field, by the field's number; [`NONE`] if the layout lacks it.
    pub columns: [u8; Field::COUNT],
    /// The columns that AWS does not document.
    pub unknown: Vec<(u8, String)>,
    /// Neighbouring columns that tell who reported: first and last of each run.
    pub reporter_runs: Vec<(u8, u8)>,
    /// How many columns there are.
    pub width: usize,
    /// Whether any column holds something that a header's word cannot be. Only then does parsing tell them apart.
    pub tells_headers: bool,
    /// What was compiled.
    pub layout: Arc<Layout>,
}

/// No column.
pub(crate) const NONE: u8 = u8::MAX;

impl Program {
    /// Compiles a layout. Where a field stands twice, the first column holds it.
    pub fn new(layout: Arc<Layout>) -> Program {
        let mut program = Program {
            columns: [NONE; Field::COUNT],
            unknown: Vec::new(),
            reporter_runs: Vec::new(),
            width: layout.columns.len(),
            tells_headers: layout
                .columns
                .iter()
                .any(|column| matches!(column, Column::Known(field) if is_checked(*field))),
            layout: Arc::clone(&layout),
        };
        for (index, column) in (0..NONE).zip(&layout.columns) {
            match column {
                Column::Known(field) if program.columns[*field as usize] == NONE => {
                    program.columns[*field as usize] = index;
                }
                Column::Known(_) => {}
                Column::Unknown(name) => program.unknown.push((index, name.clone())),
            }
            if !matches!(column, Column::Known(field) if field.is_of_reporter()) {
                continue;
            }
            match program.reporter_runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => program.reporter_runs.push((index, index)),
            }
        }
        program
    }
}
