//! The way into the module: an object's bytes, in whatever dress, to records.

use std::io::{BufReader, Read};
use std::ops::ControlFlow;

use super::columnar::{MAGIC, decode_parquet};
use super::excerpt::Marks;
use super::inflate::{Gunzip, Packing, SourceFailed, Step, bound};
use super::text::{TextDecoder, TextScratch};
use super::{RecordSink, Tally};

/// Why a line could not become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedLine {
    /// The line has another number of fields than the header announced.
    #[error("expected {expected} fields, got {found}")]
    FieldCount {
        /// Fields of the layout.
        expected: usize,
        /// Fields of the line.
        found: usize,
    },
    /// A field does not hold what its name promises.
    #[error("expected {wants} in `{field}`, got `{text}`")]
    Field {
        /// AWS's name of the field.
        field: &'static str,
        /// What would be right.
        wants: &'static str,
        /// What stands there, cut short.
        text: String,
    },
    /// A line longer than the bound.
    #[error("expected a line of at most {limit} bytes, got more")]
    TooLong {
        /// The bound in bytes.
        limit: usize,
    },
    /// A line that is neither a record nor any of the wrappings that are known.
    #[error("expected {wants}, got `{text}`")]
    Shape {
        /// What would be right.
        wants: &'static str,
        /// What stands there, cut short.
        text: String,
    },
}

/// Why an object could not be read to its end. Nothing of it may count.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The gzip or zstd stream is broken; the offset is in the decompressed bytes.
    #[error("broken {format} stream after {offset} decompressed bytes: {reason}")]
    Compression {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// Decompressed bytes that came out before.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The object inflates beyond the bounds (8 GiB, 1000 to 1).
    #[error("expected at most {limit} bytes after decompression, got more")]
    Bomb {
        /// The bound in bytes.
        limit: u64,
    },
    /// The Parquet object is broken or is none of a flow log.
    #[error("{0}")]
    Parquet(String),
    /// The object has no header, its first line fits no known layout, and none was given.
    #[error(
        "no header line, and the first line has {found} fields where the default format has 14; give --layout"
    )]
    NoLayout {
        /// Fields of the first line.
        found: usize,
    },
}

/// What an object turned out to be.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The account of its lines.
    pub tally: Tally,
    /// The layout, field names joined by spaces; the last one where several alternate.
    pub layout: String,
    /// Whether the layout was assumed (default format without a header).
    pub assumed: bool,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Earliest `start` and latest `end` of its records, seconds; none without records.
    pub times: Option<(u32, u32)>,
    /// Where reading may begin, where that was asked for, and there are such places but not too many.
    pub marks: Option<Marks>,
    /// The text of a gzip object in memory, where that was asked for and it was not too long.
    pub text: Option<Vec<u8>>,
}

/// Bounds and hints for [`decode()`].
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// The layout of lines without a header (`--layout`).
    pub layout: Option<std::sync::Arc<super::Layout>>,
    /// Bound of what the wanted columns of a Parquet row group may take as stored, in bytes.
    pub max_row_group: u64,
    /// Bound of the decompressed size in bytes (8 GiB).
    pub max_bytes: u64,
    /// Bound of the decompressed to compressed ratio (1000).
    pub max_ratio: u64,
    /// Bound of a line's length in bytes (1 MiB; longer lines are malformed, never buffered).
    pub max_line: usize,
    /// Bytes that [`Decoded::marks`] may take; with 0 they are not looked for.
    pub max_marks: usize,
    /// Bytes that [`Decoded::text`] may take; with 0 it is not kept.
    pub max_text: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions {
            layout: None,
            max_row_group: 256 << 20,
            max_bytes: 8 << 30,
            max_ratio: 1000,
            max_line: 1 << 20,
            max_marks: 0,
            max_text: 0,
        }
    }
}

/// Where an object's bytes are.
pub enum Input<'a> {
    /// In memory, as fetched (still compressed if the object is).
    Bytes(&'a bytes::Bytes),
    /// In a file or behind ranged requests: too large to hold, or Parquet of which only some columns are wanted.
    Ranges(&'a dyn Ranges),
}

/// Random access to an object's bytes.
pub trait Ranges: Send + Sync {
    /// The object's size in bytes.
    fn size(&self) -> u64;

    /// The bytes from `start`, exactly `length` of them.
    ///
    /// # Errors
    /// When they cannot be had (after the source's own retries).
    fn read(&self, start: u64, length: usize) -> std::io::Result<bytes::Bytes>;
}

/// Memory that [`decode()`] uses again from object to object. One per thread.
#[derive(Default)]
pub struct Scratch {
    pub(super) gunzip: Gunzip,
    pub(super) text: TextScratch,
}

/// Bytes that a stream is read by, and that are asked of [`Ranges`] at once.
pub(super) const CHUNK: usize = 1 << 20;

/// Decodes an object: sniffs its dress (gzip, zstd, Parquet, plain text), takes it off, finds the layout, and hands
/// every record, status line and malformed line to `sink`.
///
/// # Errors
/// When the object cannot be read to its end; whatever the sink was handed since [`RecordSink::unverified`] (and it was
/// handed nothing else) must then be forgotten.
pub fn decode<S: RecordSink>(
    input: Input<'_>,
    options: &DecodeOptions,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    match input {
        Input::Bytes(bytes) => decode_bytes(bytes, options, scratch, sink),
        Input::Ranges(ranges) => decode_ranges(ranges, options, scratch, sink),
    }
}

/// Decodes the text of an object once more: [`Decoded::text`], whatever it begins with.
///
/// # Errors
/// When its layout is not known.
pub fn decode_text<S: RecordSink>(
    text: &[u8],
    options: &DecodeOptions,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    decode_lines(text, options, &mut scratch.text, sink)
}

fn decode_bytes<S: RecordSink>(
    bytes: &bytes::Bytes,
    options: &DecodeOptions,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    if bytes.starts_with(MAGIC) {
        return decode_parquet(Input::Bytes(bytes), options, sink);
    }
    let Some(packing) = Packing::of(bytes) else {
        return decode_lines(bytes, options, &mut scratch.text, sink);
    };
    let most = bound(options, bytes.len() as u64);
    if packing == Packing::Zstd {
        let reader = packing.reader(&bytes[..])?;
        let text = &mut scratch.text;
        return decode_stream(reader, Some(packing), most, options, text, sink);
    }
    // Checksums come last.
    sink.unverified();
    let marks = (options.max_marks > 0).then(|| Marks::of(bytes));
    let mut decoder = TextDecoder::new(options, &mut scratch.text).with_marks(marks);
    let mut text = (options.max_text > 0).then(|| text_of(bytes, options.max_text));
    let take = |step: Step<'_>| {
        match step {
            Step::Slice(slice) => {
                decoder.push(slice, sink)?;
                if let Some(kept) = &mut text {
                    if kept.len() + slice.len() <= options.max_text {
                        kept.extend_from_slice(slice);
                    } else {
                        text = None;
                    }
                }
            }
            Step::Block(place) => decoder.mark(&place),
        }
        Ok(ControlFlow::Continue(()))
    };
    let given = scratch.gunzip.each_step(bytes, None, most, take)?;
    let mut decoded = decoder.finish(sink)?;
    decoded.bytes = given;
    decoded.text = text;
    Ok(decoded)
}

/// Room for the text of a gzip object, as far as its end tells (RFC 1952, ISIZE).
fn text_of(packed: &[u8], most: usize) -> Vec<u8> {
    let told = packed
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    Vec::with_capacity((told as usize).min(most))
}

fn decode_lines<S: RecordSink>(
    text: &[u8],
    options: &DecodeOptions,
    scratch: &mut TextScratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    let mut decoder = TextDecoder::new(options, scratch);
    decoder.push(text, sink)?;
    let mut decoded = decoder.finish(sink)?;
    decoded.bytes = text.len() as u64;
    Ok(decoded)
}

/// Reads, but not because of a signal.
pub(super) fn read(reader: &mut dyn Read, chunk: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match reader.read(chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn decode_ranges<S: RecordSink>(
    ranges: &dyn Ranges,
    options: &DecodeOptions,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    let head = ranges.read(0, ranges.size().min(4) as usize)?;
    if head == MAGIC {
        return decode_parquet(Input::Ranges(ranges), options, sink);
    }
    let reader = BufReader::with_capacity(CHUNK, RangesReader { ranges, at: 0 });
    let Some(packing) = Packing::of(&head) else {
        return decode_stream(
            Box::new(reader),
            None,
            options.max_bytes,
            options,
            &mut scratch.text,
            sink,
        );
    };
    let most = bound(options, ranges.size());
    decode_stream(
        packing.reader(reader)?,
        Some(packing),
        most,
        options,
        &mut scratch.text,
        sink,
    )
}

/// Decodes text that comes piece by piece and may break before its end.
fn decode_stream<S: RecordSink>(
    reader: Box<dyn Read + '_>,
    packing: Option<Packing>,
    most: u64,
    options: &DecodeOptions,
    scratch: &mut TextScratch,
    sink: &mut S,
) -> Result<Decoded, DecodeError> {
    sink.unverified();
    let mut decoder = TextDecoder::new(options, scratch);
    let bytes = each_chunk(reader, packing, most, &mut |chunk| {
        decoder.push(chunk, sink)
    })?;
    let mut decoded = decoder.finish(sink)?;
    decoded.bytes = bytes;
    Ok(decoded)
}

/// Calls `each` with what a stream yields, piece by piece; how many bytes there were.
///
/// # Errors
/// When it breaks before its end, is more than so many bytes, or `each` fails.
pub(super) fn each_chunk(
    mut reader: Box<dyn Read + '_>,
    packing: Option<Packing>,
    most: u64,
    each: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<u64, DecodeError> {
    let mut chunk = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let length = match (read(&mut *reader, &mut chunk), packing) {
            (Ok(0), _) => return Ok(offset),
            (Ok(length), _) => length,
            (Err(error), Some(packing)) => return Err(packing.error(error, offset)),
            (Err(error), None) => return Err(error.into()),
        };
        offset += length as u64;
        if offset > most {
            return Err(DecodeError::Bomb { limit: most });
        }
        each(&chunk[..length])?;
    }
}

/// Reads ranges from first to last byte.
pub(super) struct RangesReader<'a> {
    pub(super) ranges: &'a dyn Ranges,
    pub(super) at: u64,
}

impl Read for RangesReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = out
            .len()
            .min(usize::try_from(self.ranges.size() - self.at).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(0);
        }
        let failed = |error: std::io::Error| std::io::Error::new(error.kind(), SourceFailed(error));
        let bytes = self.ranges.read(self.at, length).map_err(failed)?;
        if bytes.len() != length {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        out[..length].copy_from_slice(&bytes);
        self.at += length as u64;
        Ok(length)
    }
}
