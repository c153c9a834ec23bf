//! Text becomes rows: lines, headers, and what stands around lines when they come by way of CloudWatch or Firehose.
//!
//! The decoder is pushed: it takes slices of any size and gives the same answer for each way of cutting. What a slice
//! holds of whole lines is read where it stands, block by block; a line that a cut divides is put together first. A row
//! with the expected number of fields between single blanks is parsed at once. All others, and those that do not
//! parse, take the slow path, which alone decides what a line is: blank, header, wrapped, record or malformed.

use std::sync::Arc;

use self::partial::Place;
use self::row::TextRow;
use super::cell::READABLE;
use super::decode::{DecodeError, DecodeOptions, Decoded};
use super::excerpt::Marks;
use super::inflate;
use super::positions::{Kernel, Seams};
use super::program::Program;
use super::record::{Fields, Record, RecordSink};
use super::row::{Status, assemble};
use super::tally::{Tally, Times};
use super::wrapped::ObjectScan;

mod line;
mod partial;
mod row;

/// Bytes that are searched for seams at once. Text and positions of a block must stay in the second-level cache until
/// its rows have been parsed.
const BLOCK: usize = 64 << 10;

/// Memory of a decoder, used again from object to object.
#[derive(Default)]
pub(crate) struct TextScratch {
    seams: Seams,
    /// What has arrived of a line that a cut divided.
    partial: Vec<u8>,
    /// A line with its blanks evened out.
    line: Vec<u8>,
    bounds: Vec<u32>,
    /// Headers met before, with their programs; a prefix usually has one or two.
    programs: Vec<(Vec<u8>, Arc<Program>)>,
}

/// Decodes one text.
pub(crate) struct TextDecoder<'a> {
    options: &'a DecodeOptions,
    scratch: &'a mut TextScratch,
    kernel: Kernel,
    block: usize,
    program: Option<Arc<Program>>,
    assumed: bool,
    /// Whether a line was no row of its own below the one header: wrapped, or laid out otherwise.
    is_irregular: bool,
    marks: Option<Marks>,
    tally: Tally,
    times: Times,
    place: Place,
    scan: ObjectScan,
    /// Whether the line (or JSON object) that is being put together is longer than its bound.
    too_long: bool,
}

impl<'a> TextDecoder<'a> {
    /// A decoder for the text of one object.
    pub fn new(options: &'a DecodeOptions, scratch: &'a mut TextScratch) -> TextDecoder<'a> {
        scratch.partial.clear();
        TextDecoder {
            options,
            scratch,
            kernel: Kernel::detect(),
            // No line in a block can then be longer than the bound.
            block: options.max_line.clamp(1, BLOCK),
            program: None,
            assumed: false,
            is_irregular: false,
            marks: None,
            tally: Tally::default(),
            times: Times::default(),
            place: Place::Start { seen: false },
            scan: ObjectScan::default(),
            too_long: false,
        }
    }

    /// Takes the next slice of the text.
    ///
    /// # Errors
    /// When there is no layout for its lines; nothing has been handed to the sink then.
    pub fn push<S: RecordSink>(&mut self, slice: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        let mut rest = slice;
        if self.place != (Place::Start { seen: false }) {
            rest = self.rest_of_line(rest, 0, sink)?;
        }
        let mut seams = std::mem::take(&mut self.scratch.seams);
        while !rest.is_empty() {
            seams.find(self.kernel, &rest[..rest.len().min(self.block)]);
            let last = *seams
                .newlines
                .last()
                .expect("the imaginary newline is always there") as usize;
            if last > 0 {
                self.rows(rest, &seams, sink)?;
                rest = &rest[seams.bounds[last] as usize + 1..];
            } else {
                rest = self.rest_of_line(rest, rest.len().min(self.block), sink)?;
            }
        }
        self.scratch.seams = seams;
        Ok(())
    }

    /// Has the decoder keep the places of [`TextDecoder::mark`].
    pub fn with_marks(mut self, marks: Option<Marks>) -> Self {
        self.marks = marks;
        self
    }

    /// Says that reading may begin behind what came so far.
    pub fn mark(&mut self, place: &inflate::Place<'_>) {
        if let Some(marks) = &mut self.marks {
            marks.add(self.tally.lines, place.keep());
        }
        let (most, is_irregular) = (self.options.max_marks, self.is_irregular);
        self.marks
            .take_if(|marks| is_irregular || marks.memory() > most);
    }

    /// Ends the text and gives its account. Bytes after decompression are the caller's to fill in.
    ///
    /// # Errors
    /// As [`TextDecoder::push`].
    pub fn finish<S: RecordSink>(mut self, sink: &mut S) -> Result<Decoded, DecodeError> {
        if self.place != (Place::Start { seen: false }) {
            self.end_line(sink)?;
        }
        debug_assert!(self.tally.adds_up());
        let is_regular = self.tally.headers == 1 && !self.is_irregular;
        Ok(Decoded {
            tally: self.tally,
            layout: self
                .program
                .map(|program| program.layout.to_string())
                .unwrap_or_default(),
            assumed: self.assumed,
            bytes: 0,
            times: self.times.range(),
            marks: self.marks.filter(|_| is_regular),
            text: None,
        })
    }

    /// Reads the rows between the newlines of a block that `text` begins with.
    fn rows<S: RecordSink>(
        &mut self,
        text: &[u8],
        seams: &Seams,
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        match self.kernel {
            // SAFETY: both kernels are chosen only where the machine has these features.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 | Kernel::Avx2 => unsafe { self.rows_avx2(text, seams, sink) },
            // SAFETY: nothing is asked of the machine.
            Kernel::Portable => unsafe { self.rows_with::<S, false>(text, seams, sink) },
        }
    }

    /// The same in the instructions that came with AVX2: shifts by any register, and bit scans.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn rows_avx2<S: RecordSink>(
        &mut self,
        text: &[u8],
        seams: &Seams,
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        // SAFETY: AVX2 comes with SSE 4.1.
        unsafe { self.rows_with::<S, true>(text, seams, sink) }
    }

    /// # Safety
    /// With `VECTOR` the machine must have SSE 4.1.
    #[inline(always)]
    unsafe fn rows_with<S: RecordSink, const VECTOR: bool>(
        &mut self,
        text: &[u8],
        seams: &Seams,
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        let mut program = self.program.clone();
        // Rows that end later than this have too few readable bytes behind them.
        let last_end = text.len().saturating_sub(READABLE) as u32;
        for ends in seams.newlines.windows(2) {
            let bounds = &seams.bounds[ends[0] as usize..=ends[1] as usize];
            let (before, end) = (bounds[0], bounds[bounds.len() - 1]);
            let start = before.wrapping_add(1) as usize;
            if let Some(program) = &program
                && program.width + 1 == bounds.len()
                && end < last_end
                && program.tells_headers
                && text[start] != b'{'
                && (!seams.irregular || is_regular(text, bounds))
            {
                if !sink.wants_line(self.tally.lines + 1) {
                    self.tally.lines += 1;
                    self.tally.records += 1;
                    continue;
                }
                // SAFETY: seams ascend, and the last one was compared with `last_end`.
                let row = unsafe { TextRow::<VECTOR>::new(text, bounds, program) };
                if let Ok((record, status)) = assemble(&row, self.tally.lines + 1) {
                    self.count(&record, status);
                    deliver(&record, status, &row, sink);
                    continue;
                }
            }
            self.line(&text[start..end as usize], sink)?;
            program.clone_from(&self.program);
        }
        Ok(())
    }

    #[inline(always)]
    fn count(&mut self, record: &Record, status: Status) {
        self.tally.lines += 1;
        match status {
            Status::Ok => {
                self.tally.records += 1;
                self.times.add(record);
            }
            Status::NoData => self.tally.no_data += 1,
            Status::SkipData => self.tally.skip_data += 1,
        }
    }
}

#[inline(always)]
fn deliver<S: RecordSink>(record: &Record, status: Status, row: &impl Fields, sink: &mut S) {
    match status {
        Status::Ok => sink.record(record, row),
        Status::NoData => sink.status(record, false, row),
        Status::SkipData => sink.status(record, true, row),
    }
}

/// Whether a row of an irregular block has single blanks between fields and nothing else up to 0x20.
fn is_regular(text: &[u8], bounds: &[u32]) -> bool {
    let inner = &bounds[1..bounds.len() - 1];
    inner.iter().all(|at| text[*at as usize] == b' ')
        && bounds
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) > 1)
}

#[cfg(test)]
mod tests;
