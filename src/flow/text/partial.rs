//! Lines that a cut divides, and those too long for a block: they are put together before they are read. JSON objects
//! are carved out of a line as they end, so that a line of any number of them needs room for one only.

use super::TextDecoder;
use crate::flow::decode::{DecodeError, MalformedLine};
use crate::flow::record::RecordSink;
use crate::flow::row::excerpt;
use crate::flow::wrapped::ObjectScan;

/// How much longer than a line a JSON object may be: one envelope of CloudWatch holds many lines.
const OBJECT_LINES: usize = 16;

/// Where in a line the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At its beginning; whether blanks have been seen.
    Start { seen: bool },
    /// In a line of plain text.
    Text,
    /// In a JSON object.
    Object,
    /// Behind a JSON object.
    Behind,
}

impl TextDecoder<'_> {
    /// Takes from `rest` what belongs to the line that has begun, whose end is not before `from`. Returns what follows.
    #[cold]
    pub(super) fn rest_of_line<'s, S: RecordSink>(
        &mut self,
        rest: &'s [u8],
        from: usize,
        sink: &mut S,
    ) -> Result<&'s [u8], DecodeError> {
        let Some(end) = memchr::memchr(b'\n', &rest[from..]) else {
            self.feed(rest, sink)?;
            return Ok(&[]);
        };
        self.feed(&rest[..from + end], sink)?;
        self.end_line(sink)?;
        Ok(&rest[from + end + 1..])
    }

    /// Takes a part of a line, without its newline.
    pub(super) fn feed<S: RecordSink>(
        &mut self,
        mut part: &[u8],
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        while !part.is_empty() {
            match self.place {
                Place::Start { .. } | Place::Behind => {
                    let text = part.trim_ascii_start();
                    match text.first() {
                        None if self.place == Place::Behind => {}
                        None => self.place = Place::Start { seen: true },
                        Some(b'{') => {
                            self.is_irregular = true;
                            self.place = Place::Object;
                            self.scan = ObjectScan::default();
                        }
                        Some(_) => self.place = Place::Text,
                    }
                    part = text;
                }
                Place::Text => {
                    self.keep(part, self.options.max_line);
                    part = &[];
                }
                Place::Object => {
                    let limit = self.object_limit();
                    let Some(end) = self.scan.end(part) else {
                        self.keep(part, limit);
                        return Ok(());
                    };
                    self.keep(&part[..end], limit);
                    part = &part[end..];
                    self.place = Place::Behind;
                    let object = std::mem::take(&mut self.scratch.partial);
                    if std::mem::take(&mut self.too_long) {
                        self.malformed(&object, &MalformedLine::TooLong { limit }, sink);
                    } else {
                        self.object(&object, sink)?;
                    }
                    self.give_back(object);
                }
            }
        }
        Ok(())
    }

    pub(super) fn object_limit(&self) -> usize {
        self.options.max_line.saturating_mul(OBJECT_LINES)
    }

    /// Appends to what has arrived of a line, up to its bound.
    pub(super) fn keep(&mut self, part: &[u8], limit: usize) {
        let partial = &mut self.scratch.partial;
        let room = limit - partial.len().min(limit);
        self.too_long |= part.len() > room;
        partial.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// Takes back the memory that a line was put together in.
    pub(super) fn give_back(&mut self, mut partial: Vec<u8>) {
        partial.clear();
        // One huge envelope must not cost its size for ever.
        partial.shrink_to(self.options.max_line);
        self.scratch.partial = partial;
    }

    /// Ends the line that was fed in parts.
    pub(super) fn end_line<S: RecordSink>(&mut self, sink: &mut S) -> Result<(), DecodeError> {
        let place = std::mem::replace(&mut self.place, Place::Start { seen: false });
        let too_long = std::mem::take(&mut self.too_long);
        let partial = std::mem::take(&mut self.scratch.partial);
        match place {
            Place::Start { .. } => self.blank(),
            Place::Behind => {}
            Place::Text if too_long => {
                self.malformed(
                    &partial,
                    &MalformedLine::TooLong {
                        limit: self.options.max_line,
                    },
                    sink,
                );
            }
            Place::Text => self.line(&partial, sink)?,
            Place::Object => {
                let text = partial.trim_ascii_end();
                let why = MalformedLine::Shape {
                    wants: "a whole JSON object",
                    text: excerpt(text),
                };
                self.malformed(text, &why, sink);
            }
        }
        self.give_back(partial);
        Ok(())
    }
}
