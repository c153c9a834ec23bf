//! The lines of an object, in whatever dress its bytes come: for logs that are no flow logs.

use std::io::{BufReader, Read};

use super::decode::{CHUNK, RangesReader, each_chunk};
use super::inflate::{Packing, bound};
use super::{DecodeError, DecodeOptions, Input};

/// Calls `each` with every line of an object, without its line end; with none for a line that is longer than
/// [`DecodeOptions::max_line`]. Gzip and zstd are taken off. How many bytes there were after that.
///
/// # Errors
/// When the object cannot be read to its end, or grows beyond the bounds; whatever `each` was told must then be forgotten.
pub fn each_line(
    input: Input<'_>,
    options: &DecodeOptions,
    each: &mut dyn FnMut(Option<&[u8]>),
) -> Result<u64, DecodeError> {
    match input {
        Input::Bytes(bytes) => {
            let packing = Packing::of(bytes);
            let size = bytes.len() as u64;
            lines_of(&bytes[..], packing, size, options, each)
        }
        Input::Ranges(ranges) => {
            let size = ranges.size();
            let packing = Packing::of(&ranges.read(0, size.min(4) as usize)?);
            let reader = BufReader::with_capacity(CHUNK, RangesReader { ranges, at: 0 });
            lines_of(reader, packing, size, options, each)
        }
    }
}

fn lines_of(
    packed: impl std::io::BufRead,
    packing: Option<Packing>,
    size: u64,
    options: &DecodeOptions,
    each: &mut dyn FnMut(Option<&[u8]>),
) -> Result<u64, DecodeError> {
    let (reader, most): (Box<dyn Read + '_>, u64) = match packing {
        Some(packing) => (packing.reader(packed)?, bound(options, size)),
        None => (Box::new(packed), options.max_bytes),
    };
    let mut splitter = Splitter::new(options.max_line);
    let bytes = each_chunk(reader, packing, most, &mut |chunk| {
        splitter.push(chunk, each);
        Ok(())
    })?;
    splitter.finish(each);
    Ok(bytes)
}

/// Cuts chunks into lines. Of a line that is too long nothing is kept.
struct Splitter {
    most: usize,
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Splitter {
    fn new(most: usize) -> Splitter {
        Splitter {
            most,
            begun: Vec::new(),
            is_too_long: false,
        }
    }

    fn push(&mut self, chunk: &[u8], each: &mut dyn FnMut(Option<&[u8]>)) {
        let mut parts = chunk.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.is_too_long |= self.begun.len() + part.len() > self.most;
            if self.is_too_long {
                self.begun.clear();
            } else {
                self.begun.extend_from_slice(part);
            }
            if parts.peek().is_some() {
                self.end(each);
            }
        }
    }

    /// A file need not end with a line end.
    fn finish(&mut self, each: &mut dyn FnMut(Option<&[u8]>)) {
        if self.is_too_long || !self.begun.is_empty() {
            self.end(each);
        }
    }

    fn end(&mut self, each: &mut dyn FnMut(Option<&[u8]>)) {
        let line = self.begun.strip_suffix(b"\r").unwrap_or(&self.begun);
        each((!self.is_too_long).then_some(line));
        self.begun.clear();
        self.is_too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(bytes: &[u8], max_line: usize) -> Result<Vec<String>, DecodeError> {
        let options = DecodeOptions {
            max_line,
            ..DecodeOptions::default()
        };
        let mut found = Vec::new();
        let mut each = |line: Option<&[u8]>| {
            found.push(line.map_or("too long".to_owned(), |line| {
                String::from_utf8_lossy(line).into_owned()
            }));
        };
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        each_line(Input::Bytes(&bytes), &options, &mut each)?;
        Ok(found)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text).expect("memory");
        packer.finish().expect("memory")
    }

    #[test]
    fn lines_are_cut_whatever_dress_they_come_in() {
        let text = b"one\r\n\ntwo too long\nthree";
        let expected = ["one", "", "too long", "three"];
        assert_eq!(lines(text, 8).expect("plain"), expected);
        assert_eq!(lines(&gzip(text), 8).expect("gzip"), expected);
        let two = [gzip(b"one\r\n\ntwo too l"), gzip(b"ong\nthree")].concat();
        assert_eq!(lines(&two, 8).expect("two members"), expected);
        let zstd = zstd::encode_all(&text[..], 1).expect("memory");
        assert_eq!(lines(&zstd, 8).expect("zstd"), expected);
        assert!(lines(b"", 8).expect("nothing").is_empty());
    }

    #[test]
    fn an_object_that_breaks_off_is_no_object() {
        let whole = gzip(b"one\ntwo\n");
        assert!(lines(&whole[..whole.len() - 4], 8).is_err());
        let bomb = gzip(&vec![b'\n'; 2 << 20]).into();
        let options = DecodeOptions {
            max_bytes: 1 << 20,
            ..DecodeOptions::default()
        };
        let read = each_line(Input::Bytes(&bomb), &options, &mut |_| {});
        assert!(matches!(read, Err(DecodeError::Bomb { .. })));
    }

    #[test]
    fn chunks_of_any_size_give_the_same_lines() {
        let text = b"a\nbcdef\r\n\ngh\ni";
        let cut = |size: usize| {
            let mut splitter = Splitter::new(4);
            let mut found: Vec<Option<Vec<u8>>> = Vec::new();
            let mut each = |line: Option<&[u8]>| found.push(line.map(<[u8]>::to_vec));
            for chunk in text.chunks(size) {
                splitter.push(chunk, &mut each);
            }
            splitter.finish(&mut each);
            found
        };
        let whole = cut(text.len());
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[1], None);
        for size in 1..text.len() {
            assert_eq!(cut(size), whole, "{size}");
        }
    }
}
