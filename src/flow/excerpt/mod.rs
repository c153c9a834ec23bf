//! Lines taken out of an object, to be decoded a second time without the rest of it; and how to get at others without
//! inflating all that comes before them.

use std::ops::ControlFlow;

use bytes::Bytes;
use memchr::memchr;
use xxhash_rust::xxh3::xxh3_64;

use super::decode::{DecodeError, DecodeOptions, MalformedLine, Scratch};
use super::inflate::{Resume, Step};
use super::text::{TextDecoder, TextScratch};
use super::{Field, Fields, Record, RecordSink};

/// Bytes of a piece of an excerpt, unless a line is longer; the first ones are shorter, so that few lines take little.
const PIECE: usize = 1 << 20;
const FIRST_PIECE: usize = 4 << 10;

/// Lines of an object, in order.
#[derive(Default)]
pub struct Excerpt {
    /// Their text in pieces, which need not move when more comes. Each ends with a line.
    pieces: Vec<Vec<u8>>,
    /// Bytes of the pieces.
    size: usize,
    lines: Vec<u32>,
}

impl Excerpt {
    /// Takes a line, without its newline; its number is greater than those before.
    pub fn push(&mut self, line: u32, text: &[u8]) {
        let needed = text.len() + 1;
        let piece = match self.pieces.last_mut() {
            Some(last) if last.capacity() - last.len() >= needed => last,
            _ => self.begin_piece(needed),
        };
        piece.extend_from_slice(text);
        piece.push(b'\n');
        self.lines.push(line);
    }

    #[cold]
    fn begin_piece(&mut self, needed: usize) -> &mut Vec<u8> {
        let usual = self.size.clamp(FIRST_PIECE, PIECE);
        let piece = Vec::with_capacity(needed.max(usual));
        self.size += piece.capacity();
        self.pieces.push(piece);
        self.pieces.last_mut().expect("it was just pushed")
    }

    /// Numbers of the lines.
    pub fn lines(&self) -> &[u32] {
        &self.lines
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.size + self.lines.capacity() * size_of::<u32>()
    }

    /// Decodes the lines as the rows of this layout that they are; the sink is asked for, and given, their numbers in the
    /// object.
    ///
    /// # Errors
    /// When `layout` is none.
    pub fn decode(
        &self,
        layout: &str,
        options: &DecodeOptions,
        scratch: &mut Scratch,
        sink: &mut impl RecordSink,
    ) -> Result<(), DecodeError> {
        self.decode_with(layout, options, &mut scratch.text, sink)
    }

    fn decode_with(
        &self,
        layout: &str,
        options: &DecodeOptions,
        scratch: &mut TextScratch,
        sink: &mut impl RecordSink,
    ) -> Result<(), DecodeError> {
        let lines = &self.lines;
        let mut sink = Numbered { sink, lines };
        let mut decoder = TextDecoder::new(options, scratch);
        decoder.push(layout.as_bytes(), &mut sink)?;
        decoder.push(b"\n", &mut sink)?;
        for piece in &self.pieces {
            decoder.push(piece, &mut sink)?;
        }
        decoder.finish(&mut sink).map(drop)
    }
}

/// Gives the rows below a header the numbers of these lines.
struct Numbered<'a, S> {
    sink: &'a mut S,
    lines: &'a [u32],
}

impl<S> Numbered<'_, S> {
    #[inline]
    fn line(&self, row: u64) -> u64 {
        let place = (row as usize).wrapping_sub(2);
        self.lines.get(place).copied().unwrap_or_default().into()
    }
}

impl<S: RecordSink> RecordSink for Numbered<'_, S> {
    #[inline]
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        let line = self.line(record.line);
        self.sink.record(&Record { line, ..*record }, fields);
    }

    #[inline]
    fn wants_line(&self, row: u64) -> bool {
        self.sink.wants_line(self.line(row))
    }

    fn status(&mut self, record: &Record, skip: bool, fields: &impl Fields) {
        self.sink.status(record, skip, fields);
    }

    fn malformed(&mut self, row: u64, why: &MalformedLine, text: &[u8]) {
        self.sink.malformed(self.line(row), why, text);
    }

    fn unverified(&mut self) {
        self.sink.unverified();
    }

    fn wants(&self, field: Field) -> bool {
        self.sink.wants(field)
    }

    fn wants_extra(&self) -> bool {
        self.sink.wants_extra()
    }
}

/// Places of an object, a mebibyte of text or more apart, at which reading may begin: those of a gzip object whose every
/// record is a line of its own below one header.
#[derive(Clone, Default, Debug)]
pub struct Marks {
    /// A digest of the object as stored.
    digest: u64,
    marks: Vec<Mark>,
    /// Bytes that they take.
    size: usize,
}

#[derive(Clone, Debug)]
struct Mark {
    /// Lines that end before it.
    lines: u64,
    place: Resume,
}

impl Marks {
    /// None yet, of the object that is stored as these bytes.
    pub(super) fn of(packed: &[u8]) -> Marks {
        Marks {
            digest: xxh3_64(packed),
            ..Marks::default()
        }
    }

    /// Adds a place behind so many whole lines.
    pub(super) fn add(&mut self, lines: u64, place: Resume) {
        self.size += size_of::<Mark>() + place.memory();
        self.marks.push(Mark { lines, place });
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.size
    }

    /// The stretch of the object that a line is read from: how many marks lie before the line's beginning.
    fn stretch(&self, line: u32) -> usize {
        // The line that a mark divides begins before it.
        self.marks
            .partition_point(|mark| mark.lines + 2 <= u64::from(line))
    }

    /// Which part of the object has to be inflated for these lines, in order.
    pub fn share(&self, lines: &[u32]) -> f64 {
        let mut stretches: Vec<usize> = lines.iter().map(|line| self.stretch(*line)).collect();
        stretches.dedup();
        stretches.len() as f64 / (self.marks.len() + 1) as f64
    }

    /// Decodes these lines, in order, of the object that is stored as these bytes, as [`Excerpt::decode`] does. False, and the
    /// sink has nothing, if it is another object now.
    ///
    /// # Errors
    /// When the object cannot be read, or does not have such lines.
    pub fn decode(
        &self,
        packed: &Bytes,
        lines: &[u32],
        layout: &str,
        options: &DecodeOptions,
        scratch: &mut Scratch,
        sink: &mut impl RecordSink,
    ) -> Result<bool, DecodeError> {
        if xxh3_64(packed) != self.digest {
            return Ok(false);
        }
        let Scratch { gunzip, text } = scratch;
        let mut decode = |excerpt: &Excerpt| excerpt.decode_with(layout, options, text, sink);
        let mut picker = Picker {
            wanted: lines,
            line: 1,
            begun: Vec::new(),
            most: options.max_line,
            excerpt: Excerpt::default(),
        };
        while let Some(first) = picker.wanted.first() {
            let stretch = self.stretch(*first);
            let mark = stretch.checked_sub(1).map(|before| &self.marks[before]);
            picker.line = mark.map_or(1, |mark| mark.lines as u32 + 1);
            let mut has_ended = true;
            let each = |step: Step<'_>| {
                if let Step::Slice(slice) = step {
                    picker.take(slice);
                }
                if picker.excerpt.size >= PIECE {
                    decode(&std::mem::take(&mut picker.excerpt))?;
                }
                // Others may be nearer to another mark.
                let next = picker.wanted.first();
                has_ended = next.is_some_and(|next| self.stretch(*next) <= stretch);
                Ok(if has_ended {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            };
            let place = mark.map(|mark| &mark.place);
            gunzip.each_step(packed, place, options.max_bytes, each)?;
            if has_ended {
                // The last line has no newline.
                picker.end();
                break;
            }
            picker.begun.clear();
        }
        if !picker.wanted.is_empty() {
            let message = "expected the lines that it had when it was read first, got fewer";
            return Err(std::io::Error::other(message).into());
        }
        decode(&picker.excerpt)?;
        Ok(true)
    }
}

/// Picks lines out of a text.
struct Picker<'w> {
    /// Lines that are still to come.
    wanted: &'w [u32],
    /// The line that the text is in.
    line: u32,
    /// The beginning of that line, if it is wanted, without blanks before it.
    begun: Vec<u8>,
    /// Bytes of a line behind which it is no row.
    most: usize,
    excerpt: Excerpt,
}

impl Picker<'_> {
    fn take(&mut self, mut text: &[u8]) {
        while let Some(end) = memchr(b'\n', text) {
            self.go_on(&text[..end]);
            self.end();
            self.line += 1;
            text = &text[end + 1..];
        }
        self.go_on(text);
    }

    #[inline]
    fn is_wanted(&self) -> bool {
        self.wanted.first() == Some(&self.line)
    }

    /// Takes some more of a line, without its newline.
    fn go_on(&mut self, mut text: &[u8]) {
        if !self.is_wanted() {
            return;
        }
        if self.begun.is_empty() {
            text = text.trim_ascii_start();
        }
        let room = self.most - self.begun.len().min(self.most);
        self.begun.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// Ends the line that has begun.
    fn end(&mut self) {
        if self.is_wanted() && !self.begun.is_empty() {
            self.excerpt.push(self.line, &self.begun);
            self.wanted = &self.wanted[1..];
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests;
