//! The slow path: a whole line that the fast path did not recognise. It alone decides what a line is.

use std::sync::Arc;

use super::row::TextRow;
use super::{TextDecoder, deliver};
use crate::flow::Layout;
use crate::flow::cell::READABLE;
use crate::flow::decode::{DecodeError, MalformedLine};
use crate::flow::program::Program;
use crate::flow::record::RecordSink;
use crate::flow::row::{assemble, complaint, excerpt};
use crate::flow::wrapped::{starts_with_time, unwrap};

/// How much of a malformed line is handed on.
const SHOWN: usize = 64 << 10;

impl TextDecoder<'_> {
    pub(super) fn blank(&mut self) {
        self.tally.lines += 1;
        self.tally.blank += 1;
    }

    pub(super) fn malformed<S: RecordSink>(
        &mut self,
        text: &[u8],
        why: &MalformedLine,
        sink: &mut S,
    ) {
        self.tally.lines += 1;
        self.tally.malformed += 1;
        sink.malformed(self.tally.lines, why, &text[..text.len().min(SHOWN)]);
    }

    /// Takes a whole line, without its newline, that the fast path did not recognise.
    #[cold]
    pub(super) fn line<S: RecordSink>(
        &mut self,
        line: &[u8],
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        let mut line = line.trim_ascii();
        // A byte order mark, as editors and PowerShell leave it.
        if self.tally.lines == 0 {
            line = line
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(line)
                .trim_ascii_start();
        }
        if line.starts_with(b"{") {
            self.feed(line, sink)?;
            return self.end_line(sink);
        }
        self.plain(line, sink)
    }

    /// Takes the lines of a JSON object.
    pub(super) fn object<S: RecordSink>(
        &mut self,
        object: &[u8],
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        let lines = match unwrap(object) {
            Ok(lines) => lines,
            Err(why) => {
                self.malformed(object, &why, sink);
                return Ok(());
            }
        };
        // An object that says nothing, such as a control message, is a blank line: it must be accounted for.
        if lines.is_empty() {
            self.blank();
        }
        for line in &lines {
            for line in line.trim_ascii().as_bytes().split(|byte| *byte == b'\n') {
                if line.len() > self.options.max_line {
                    self.malformed(
                        line,
                        &MalformedLine::TooLong {
                            limit: self.options.max_line,
                        },
                        sink,
                    );
                } else {
                    self.plain(line, sink)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a line that is not JSON: blank, header, record or malformed.
    pub(super) fn plain<S: RecordSink>(
        &mut self,
        line: &[u8],
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        let raw = line.trim_ascii();
        if raw.is_empty() {
            self.blank();
            return Ok(());
        }
        let text = if starts_with_time(raw) && !self.is_row(raw) {
            without_first_word(raw)
        } else {
            raw
        };
        if text.is_empty() {
            let why = MalformedLine::Shape {
                wants: "a record behind the time",
                text: excerpt(raw),
            };
            self.malformed(raw, &why, sink);
            return Ok(());
        }
        if let Some(program) = self.header(text) {
            self.is_irregular |= self.program.replace(program).is_some();
            self.assumed = false;
            self.tally.lines += 1;
            self.tally.headers += 1;
            return Ok(());
        }
        let mut line = std::mem::take(&mut self.scratch.line);
        let mut bounds = std::mem::take(&mut self.scratch.bounds);
        even_out(text, &mut line, &mut bounds);
        let result = self.row(raw, &line, &bounds, sink);
        self.scratch.line = line;
        self.scratch.bounds = bounds;
        result
    }

    /// Whether a line is a row as it stands, the time that it begins with its first field.
    fn is_row(&mut self, text: &[u8]) -> bool {
        let Some(program) = &self.program else {
            return false;
        };
        let (line, bounds) = (&mut self.scratch.line, &mut self.scratch.bounds);
        even_out(text, line, bounds);
        // SAFETY: as in `row`.
        bounds.len() == program.width + 1
            && assemble(&unsafe { TextRow::<false>::new(line, bounds, program) }, 1).is_ok()
    }

    /// Takes a line that is a record if anything; `line` and `bounds` are what [`even_out`] made of `raw`.
    pub(super) fn row<S: RecordSink>(
        &mut self,
        raw: &[u8],
        line: &[u8],
        bounds: &[u32],
        sink: &mut S,
    ) -> Result<(), DecodeError> {
        let found = bounds.len() - 1;
        let program = match &self.program {
            Some(program) => Arc::clone(program),
            None => match self.first_program(line, bounds) {
                Some(program) => Arc::clone(self.program.insert(program)),
                // Malformed lines may have been handed on before; an error would call them back.
                None if self.tally.malformed > 0 => {
                    let why = MalformedLine::Shape {
                        wants: "a header line",
                        text: excerpt(raw),
                    };
                    self.malformed(raw, &why, sink);
                    return Ok(());
                }
                None => return Err(DecodeError::NoLayout { found }),
            },
        };
        if found != program.width {
            self.malformed(
                raw,
                &MalformedLine::FieldCount {
                    expected: program.width,
                    found,
                },
                sink,
            );
            return Ok(());
        }
        // SAFETY: `even_out` makes ascending bounds and leaves READABLE bytes behind them.
        let row = unsafe { TextRow::<false>::new(line, bounds, &program) };
        match assemble(&row, self.tally.lines + 1) {
            Ok((record, status)) => {
                self.count(&record, status);
                deliver(&record, status, &row, sink);
            }
            Err(field) => self.malformed(raw, &complaint(field, row.raw(field)), sink),
        }
        Ok(())
    }

    /// The layout of a text without a header: the one that was given, or the default format if the first line fits it.
    pub(super) fn first_program(&mut self, line: &[u8], bounds: &[u32]) -> Option<Arc<Program>> {
        if let Some(layout) = &self.options.layout {
            return Some(Arc::new(Program::new(Arc::clone(layout))));
        }
        let program = Program::new(Arc::new(Layout::default_format()));
        if bounds.len() != program.width + 1 {
            return None;
        }
        // SAFETY: as in `row`.
        let row = unsafe { TextRow::<false>::new(line, bounds, &program) };
        assemble(&row, 1).ok()?;
        self.assumed = true;
        Some(Arc::new(program))
    }

    /// The program of a header line, remembered from object to object; none if the line is no header.
    pub(super) fn header(&mut self, text: &[u8]) -> Option<Arc<Program>> {
        if !text[0].is_ascii_lowercase() {
            return None;
        }
        if let Some((_, program)) = self
            .scratch
            .programs
            .iter()
            .find(|(header, _)| header == text)
        {
            return Some(Arc::clone(program));
        }
        let program = Arc::new(Program::new(Arc::new(Layout::parse_header(text)?)));
        const REMEMBERED: usize = 16;
        if self.scratch.programs.len() == REMEMBERED {
            self.scratch.programs.remove(0);
        }
        self.scratch
            .programs
            .push((text.to_vec(), Arc::clone(&program)));
        Some(program)
    }
}

/// Copies the words of a line with single blanks between them, and says where the blanks are.
fn even_out(text: &[u8], line: &mut Vec<u8>, bounds: &mut Vec<u32>) {
    line.clear();
    bounds.clear();
    bounds.push(u32::MAX);
    for word in text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        line.extend_from_slice(word);
        bounds.push(line.len() as u32);
        line.push(b' ');
    }
    line.resize(line.len() + READABLE, b' ');
}

fn without_first_word(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    text[end..].trim_ascii_start()
}
