//! Text becomes rows: lines, headers, and what stands around lines when they come by way of CloudWatch or Firehose.
//!
//! The decoder is pushed: it takes slices of any size and gives the same answer for each way of cutting. What a slice
//! holds of whole lines is read where it stands, block by block; a line that a cut divides is put together first. A row
//! with the expected number of fields between single blanks is parsed at once. All others, and those that do not
//! parse, take the slow path, which alone decides what a line is: blank, header, wrapped, record or malformed.

use std::sync::Arc;

use super::cell::READABLE;
use super::decode::{DecodeError, DecodeOptions, Decoded, MalformedLine};
use super::positions::{Kernel, Seams};
use super::record::{Record, RecordSink};
use super::row::{Program, Status, TextRow, assemble, complaint, excerpt};
use super::wrapped::{ObjectScan, starts_with_time, unwrap};
use super::{Layout, Tally};

/// Bytes that are searched for seams at once. Text and positions of a block must stay in the second-level cache until
/// its rows have been parsed.
const BLOCK: usize = 64 << 10;

/// How much longer than a line a JSON object may be: one envelope of CloudWatch holds many lines.
const OBJECT_LINES: usize = 16;

/// How much of a malformed line is handed on.
const SHOWN: usize = 64 << 10;

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

/// Where in a line the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its beginning; whether blanks have been seen.
    Start { seen: bool },
    /// In a line of plain text.
    Text,
    /// In a JSON object.
    Object,
    /// Behind a JSON object.
    Behind,
}

/// Decodes one text.
pub(crate) struct TextDecoder<'a> {
    options: &'a DecodeOptions,
    scratch: &'a mut TextScratch,
    kernel: Kernel,
    block: usize,
    program: Option<Arc<Program>>,
    assumed: bool,
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

    /// Ends the text and gives its account. Bytes after decompression are the caller's to fill in.
    ///
    /// # Errors
    /// As [`TextDecoder::push`].
    pub fn finish<S: RecordSink>(mut self, sink: &mut S) -> Result<Decoded, DecodeError> {
        if self.place != (Place::Start { seen: false }) {
            self.end_line(sink)?;
        }
        debug_assert!(self.tally.adds_up());
        Ok(Decoded {
            tally: self.tally,
            layout: self
                .program
                .map(|program| program.layout.to_string())
                .unwrap_or_default(),
            assumed: self.assumed,
            bytes: 0,
            times: self.times.range(),
        })
    }

    /// Reads the rows between the newlines of a block that `text` begins with.
    #[inline]
    fn rows<S: RecordSink>(
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
                // SAFETY: seams ascend, and the last one was compared with `last_end`.
                let row = unsafe { TextRow::new(text, bounds, program) };
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

    #[inline]
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

    /// Takes from `rest` what belongs to the line that has begun, whose end is not before `from`. Returns what follows.
    #[cold]
    fn rest_of_line<'s, S: RecordSink>(
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
    fn feed<S: RecordSink>(&mut self, mut part: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        while !part.is_empty() {
            match self.place {
                Place::Start { .. } | Place::Behind => {
                    let text = part.trim_ascii_start();
                    match text.first() {
                        None if self.place == Place::Behind => {}
                        None => self.place = Place::Start { seen: true },
                        Some(b'{') => {
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

    fn object_limit(&self) -> usize {
        self.options.max_line.saturating_mul(OBJECT_LINES)
    }

    /// Appends to what has arrived of a line, up to its bound.
    fn keep(&mut self, part: &[u8], limit: usize) {
        let partial = &mut self.scratch.partial;
        let room = limit - partial.len().min(limit);
        self.too_long |= part.len() > room;
        partial.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// Takes back the memory that a line was put together in.
    fn give_back(&mut self, mut partial: Vec<u8>) {
        partial.clear();
        // One huge envelope must not cost its size for ever.
        partial.shrink_to(self.options.max_line);
        self.scratch.partial = partial;
    }

    /// Ends the line that was fed in parts.
    fn end_line<S: RecordSink>(&mut self, sink: &mut S) -> Result<(), DecodeError> {
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

    fn blank(&mut self) {
        self.tally.lines += 1;
        self.tally.blank += 1;
    }

    fn malformed<S: RecordSink>(&mut self, text: &[u8], why: &MalformedLine, sink: &mut S) {
        self.tally.lines += 1;
        self.tally.malformed += 1;
        sink.malformed(self.tally.lines, why, &text[..text.len().min(SHOWN)]);
    }

    /// Takes a whole line, without its newline, that the fast path did not recognise.
    #[cold]
    fn line<S: RecordSink>(&mut self, line: &[u8], sink: &mut S) -> Result<(), DecodeError> {
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
    fn object<S: RecordSink>(&mut self, object: &[u8], sink: &mut S) -> Result<(), DecodeError> {
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
    fn plain<S: RecordSink>(&mut self, line: &[u8], sink: &mut S) -> Result<(), DecodeError> {
        let raw = line.trim_ascii();
        if raw.is_empty() {
            self.blank();
            return Ok(());
        }
        let text = if starts_with_time(raw) {
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
            self.program = Some(program);
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

    /// Takes a line that is a record if anything; `line` and `bounds` are what [`even_out`] made of `raw`.
    fn row<S: RecordSink>(
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
        let row = unsafe { TextRow::new(line, bounds, &program) };
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
    fn first_program(&mut self, line: &[u8], bounds: &[u32]) -> Option<Arc<Program>> {
        if let Some(layout) = &self.options.layout {
            return Some(Arc::new(Program::new(Arc::clone(layout))));
        }
        let program = Program::new(Arc::new(Layout::default_format()));
        if bounds.len() != program.width + 1 {
            return None;
        }
        // SAFETY: as in `row`.
        let row = unsafe { TextRow::new(line, bounds, &program) };
        assemble(&row, 1).ok()?;
        self.assumed = true;
        Some(Arc::new(program))
    }

    /// The program of a header line, remembered from object to object; none if the line is no header.
    fn header(&mut self, text: &[u8]) -> Option<Arc<Program>> {
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

#[inline(always)]
fn deliver<S: RecordSink>(record: &Record, status: Status, row: &TextRow<'_>, sink: &mut S) {
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

/// Earliest and latest time of records, where 0 is no time.
pub(crate) struct Times {
    /// One less than the earliest, so that no time is the latest of all.
    earliest: u32,
    latest: u32,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            earliest: u32::MAX,
            latest: 0,
        }
    }
}

impl Times {
    /// Takes a record's `start` and `end`.
    #[inline(always)]
    pub fn add(&mut self, record: &Record) {
        let before = record.start.wrapping_sub(1).min(record.end.wrapping_sub(1));
        self.earliest = self.earliest.min(before);
        self.latest = self.latest.max(record.start.max(record.end));
    }

    /// Both; none if no record had a time.
    pub fn range(&self) -> Option<(u32, u32)> {
        (self.latest > 0).then(|| (self.earliest + 1, self.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Field, Fields};
    use proptest::prelude::*;

    /// Writes down all that it is handed.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Log {
        fn write(&mut self, word: &str, record: &Record, fields: &impl Fields) {
            let text = |field| fields.text(field).map(String::from_utf8_lossy);
            let mut extra = String::new();
            fields.extra(&mut |name, text| {
                extra += &format!(" {name}={}", String::from_utf8_lossy(text))
            });
            self.0.push(format!(
                "{word} {record:?} {:?} {:?}{extra}",
                text(Field::InterfaceId),
                text(Field::VpcId)
            ));
        }
    }

    impl RecordSink for Log {
        fn record(&mut self, record: &Record, fields: &impl Fields) {
            self.write("record", record, fields);
        }

        fn status(&mut self, record: &Record, skip: bool, fields: &impl Fields) {
            self.write(if skip { "skip" } else { "none" }, record, fields);
        }

        fn malformed(&mut self, line: u64, why: &MalformedLine, text: &[u8]) {
            self.0.push(format!(
                "malformed {line} {why} {}",
                String::from_utf8_lossy(text)
            ));
        }

        fn unverified(&mut self) {
            self.0.push("unverified".to_owned());
        }
    }

    /// Decodes a text that is cut into pieces of these lengths, over and over.
    fn decode(
        text: &[u8],
        cuts: &[usize],
        kernel: Kernel,
        options: &DecodeOptions,
    ) -> (Vec<String>, String) {
        let (mut scratch, mut log) = (TextScratch::default(), Log::default());
        let mut decoder = TextDecoder::new(options, &mut scratch);
        decoder.kernel = kernel;
        let (mut rest, mut next) = (text, 0);
        let mut result = Ok(());
        while !rest.is_empty() && result.is_ok() {
            let (piece, behind) = rest.split_at(cuts[next % cuts.len()].min(rest.len()));
            result = decoder.push(piece, &mut log);
            (rest, next) = (behind, next + 1);
        }
        let decoded = match result.and_then(|()| decoder.finish(&mut log)) {
            Ok(decoded) => decoded,
            Err(error) => {
                assert!(log.0.is_empty(), "handed on before an error: {:?}", log.0);
                return (Vec::new(), error.to_string());
            }
        };
        assert!(decoded.tally.adds_up(), "{:?}", decoded.tally);
        let malformed = log
            .0
            .iter()
            .filter(|line| line.starts_with("malformed"))
            .count();
        assert_eq!(malformed as u64, decoded.tally.malformed);
        (log.0, format!("{decoded:?}"))
    }

    fn small_lines() -> DecodeOptions {
        DecodeOptions {
            max_line: 160,
            ..DecodeOptions::default()
        }
    }

    /// Any cut, any kernel and any block length must give the same as the whole at once.
    fn check_cuts(text: &[u8], cuts: &[usize], options: &DecodeOptions) {
        let whole = decode(text, &[usize::MAX], Kernel::detect(), options);
        for (kernel, cuts) in [
            (Kernel::detect(), cuts),
            (Kernel::Portable, cuts),
            (Kernel::Portable, &[1]),
        ] {
            let (log, decoded) = decode(text, cuts, kernel, options);
            if let Some(at) =
                (0..log.len().max(whole.0.len())).find(|at| log.get(*at) != whole.0.get(*at))
            {
                let shown = |log: &[String]| {
                    log.get(at)
                        .map(|line| line.chars().take(300).collect::<String>())
                };
                panic!(
                    "cut {cuts:?}: {:?} is not {:?}",
                    shown(&log),
                    shown(&whole.0)
                );
            }
            assert_eq!(decoded, whole.1);
        }
    }

    const LINES: &[&str] = &[
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
        "version vpc-id srcaddr dstaddr srcport dstport protocol packets bytes start end shiny action log-status",
        "srcaddr vpc-id dstaddr",
        "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
        "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
        "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
        "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
        "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
        "2 vpc-0abc 10.0.0.1 10.0.0.2 443 50000 6 1 40 1477913708 1477913820 new ACCEPT OK",
        "10.0.0.1 vpc-0abc 10.0.0.2",
        "2  123456789010 eni-0  10.0.0.1 10.0.0.2 0 0 1 4 336 1432917027 1432917142 ACCEPT OK ",
        "2 123456789010 eni-0 10.0.0.1 10.0.0.2 x 0 1 4 336 1432917027 1432917142 ACCEPT OK",
        "2 12345\u{0}789010 eni-\u{fffd} 10.0.0.1 10.0.0.2 1 0 17 4 336 1432917027 1432917142 ACCEPT OK",
        "2014-12-14T04:06:50.000Z 2 1 eni-0 10.0.0.1 10.0.0.2 1 2 6 20 4249 1418530010 1418530070 ACCEPT OK",
        r#"{"message":"2 1 eni-0 10.0.0.1 10.0.0.2 1 2 6 20 4249 1418530010 1418530070 ACCEPT OK"}"#,
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#,
        r#"{"logEvents":[{"message":"2 1 eni-0 - - - - - - - 1418530010 1418530070 - NODATA"},{"message":"x"}]}"#,
        r#"{"message":"{}}"#,
        "{}",
        "",
        " \t",
        "garbage",
    ];

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let end = prop_oneof![6 => Just("\n"), 1 => Just("\r\n"), 1 => Just(""), 1 => Just(" \n"), 1 => Just("\n\n")];
        let line = prop_oneof![
            8 => prop::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec()),
            4 => Just(LINES[3].as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..40),
            1 => (100..2000_usize).prop_map(|length| vec![b'y'; length]),
        ];
        let lines = prop::collection::vec((line, end), 0..30);
        (prop::bool::ANY, lines).prop_map(|(header, lines)| {
            let mut text = if header {
                format!("{}\n", LINES[0]).into_bytes()
            } else {
                Vec::new()
            };
            for (line, end) in lines {
                text.extend_from_slice(&line);
                text.extend_from_slice(end.as_bytes());
            }
            text
        })
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(text in texts(), cuts in prop::collection::vec(1..300_usize, 1..5)) {
            check_cuts(&text, &cuts, &DecodeOptions::default());
            check_cuts(&text, &cuts, &small_lines());
        }

        #[test]
        fn random_bytes_add_up(text in prop::collection::vec(any::<u8>(), 0..400), cuts in prop::collection::vec(1..50_usize, 1..4)) {
            check_cuts(&text, &cuts, &small_lines());
            let options = DecodeOptions { layout: Some(Arc::new(Layout::default_format())), ..small_lines() };
            check_cuts(&text, &cuts, &options);
        }
    }

    #[test]
    fn a_line_of_100_mb_is_malformed_and_not_buffered() {
        let (options, mut scratch, mut log) = (
            DecodeOptions::default(),
            TextScratch::default(),
            Log::default(),
        );
        let mut decoder = TextDecoder::new(&options, &mut scratch);
        let push = |decoder: &mut TextDecoder<'_>, text: &[u8], log: &mut Log| {
            decoder.push(text, log).expect("has a layout")
        };
        push(&mut decoder, format!("{}\n", LINES[0]).as_bytes(), &mut log);
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            push(&mut decoder, &piece, &mut log);
            assert!(decoder.scratch.partial.capacity() <= 2 << 20);
        }
        push(
            &mut decoder,
            format!("\n{}\n", LINES[3]).as_bytes(),
            &mut log,
        );
        let tally = decoder.finish(&mut log).expect("has a layout").tally;
        assert_eq!(
            (tally.lines, tally.headers, tally.malformed, tally.records),
            (3, 1, 1, 1)
        );
        assert!(
            log.0[0]
                .starts_with("malformed 2 expected a line of at most 1048576 bytes, got more xxx")
        );
        assert!(log.0[0].len() < 70_000);
    }
}
