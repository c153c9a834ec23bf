//! A row of text: its cells, and the text of its fields.

use std::sync::Arc;

use crate::flow::cell::{Bad, Cell};
use crate::flow::program::{NONE, Program};
use crate::flow::record::{Fields, Texts};
use crate::flow::row::Cells;
use crate::flow::{Field, Layout};
use crate::net::Addr;
use crate::net::aws::Service;

/// A row of text: where its fields are, and which is which. With `VECTOR`, addresses are parsed by vector instructions.
#[derive(Clone, Copy)]
pub(crate) struct TextRow<'a, const VECTOR: bool> {
    text: &'a [u8],
    /// The seam before each field, and the one after the last.
    bounds: &'a [u32],
    program: &'a Program,
}

impl<'a, const VECTOR: bool> TextRow<'a, VECTOR> {
    /// A row with as many fields as the program has columns.
    ///
    /// # Safety
    /// `bounds` must ascend (the first may be `u32::MAX`, one less than 0) and lie at least [`crate::flow::cell::READABLE`]
    /// bytes before the end of `text`. With `VECTOR` the machine must have SSE 4.1.
    #[inline(always)]
    pub unsafe fn new(
        text: &'a [u8],
        bounds: &'a [u32],
        program: &'a Program,
    ) -> TextRow<'a, VECTOR> {
        assert!(bounds.len() == program.width + 1);
        TextRow {
            text,
            bounds,
            program,
        }
    }

    #[inline(always)]
    fn column(&self, column: u8) -> Option<Cell<'a>> {
        if column == NONE {
            return None;
        }
        // SAFETY: a program's columns are below its width, which `new` compared; the rest is what `new` was promised.
        unsafe {
            let start = self.bounds.get_unchecked(column as usize).wrapping_add(1) as usize;
            let end = *self.bounds.get_unchecked(column as usize + 1) as usize;
            Some(Cell::new(self.text.get_unchecked(start..end)))
        }
    }

    #[inline(always)]
    fn cell(&self, field: Field) -> Option<Cell<'a>> {
        self.column(self.program.columns[field as usize])
    }

    /// The raw text of a field.
    pub fn raw(&self, field: Field) -> &'a [u8] {
        self.cell(field).map_or(b"", Cell::bytes)
    }
}

impl<const VECTOR: bool> Cells for TextRow<'_, VECTOR> {
    #[inline(always)]
    fn number(&self, field: Field) -> Result<Option<u64>, Bad> {
        match self.cell(field) {
            Some(cell) => cell.number(),
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn time(&self, field: Field) -> Result<Option<u64>, Bad> {
        match self.cell(field) {
            Some(cell) => cell.time(),
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn byte(&self, field: Field) -> Result<Option<u8>, Bad> {
        match self.cell(field) {
            Some(cell) => cell.byte(),
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn digit(&self, field: Field) -> Result<u8, Bad> {
        match self.cell(field) {
            Some(cell) => cell.digit(),
            None => Ok(0),
        }
    }

    #[inline(always)]
    fn address(&self, field: Field) -> Result<Option<Addr>, Bad> {
        match self.cell(field) {
            // SAFETY: `new` was promised the machine.
            Some(cell) => unsafe { cell.address::<VECTOR>() },
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn same(&self, one: Field, other: Field) -> bool {
        match (self.cell(one), self.cell(other)) {
            (Some(one), Some(other)) => one.same(other),
            _ => false,
        }
    }

    #[inline(always)]
    fn word(&self, field: Field) -> Option<u64> {
        let cell = self.cell(field)?;
        Some(cell.word())
    }

    #[inline(always)]
    fn service(&self, field: Field) -> Service {
        match self.cell(field) {
            Some(cell) => cell.service(),
            None => Service::Unknown,
        }
    }
}

impl<const VECTOR: bool> Texts for TextRow<'_, VECTOR> {
    #[inline]
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.cell(field)
            .filter(|cell| !cell.is_dash())
            .map(Cell::bytes)
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (column, name) in &self.program.unknown {
            if let Some(cell) = self.column(*column)
                && !cell.is_dash()
            {
                each(name, cell.bytes());
            }
        }
    }
}

impl<const VECTOR: bool> Fields for TextRow<'_, VECTOR> {
    #[inline]
    fn layout(&self) -> &Arc<Layout> {
        &self.program.layout
    }

    #[inline]
    fn reporter_texts(&self) -> impl Iterator<Item = &[u8]> {
        self.program.reporter_runs.iter().map(|run| {
            let start = self.bounds[usize::from(run.0)].wrapping_add(1) as usize;
            &self.text[start..self.bounds[usize::from(run.1) + 1] as usize]
        })
    }

    #[inline]
    fn line(&self) -> Option<&[u8]> {
        let (first, last) = (self.bounds.first()?, self.bounds.last()?);
        self.text
            .get(first.wrapping_add(1) as usize..*last as usize)
    }
}
