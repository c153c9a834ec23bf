//! A layout: which field stands where in a line.

use super::Field;

/// One column of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// A field that AWS documents.
    Known(Field),
    /// A field that the program does not know, by its name in the header; it goes into `extra`.
    Unknown(String),
}

/// The fields of a line, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The columns from left to right.
    pub columns: Vec<Column>,
}
