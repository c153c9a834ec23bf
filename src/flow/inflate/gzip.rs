//! Takes gzip (RFC 1952) off an object that is in memory: one member after the other, each with its checksum.

use std::ops::ControlFlow;

use crc32fast::Hasher;

use super::deflate::{Deflate, SLACK, WINDOW};
use super::{Broken, Packing};
use crate::flow::decode::DecodeError;

/// Bytes of a slice. All that is done with them should find them in the second-level cache; smaller ones have more lines
/// cut in two.
const SLICE: usize = 256 << 10;

/// Bytes after which the next block's beginning is told of.
const STRETCH: usize = 1 << 20;

const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Inflates gzip into memory that it uses again from slice to slice.
pub(crate) struct Gunzip {
    deflate: Deflate,
    window: Vec<u8>,
    /// [`STRETCH`], or less for tests.
    pub(in crate::flow) stretch: usize,
}

impl Default for Gunzip {
    fn default() -> Gunzip {
        Gunzip {
            deflate: Deflate::default(),
            window: Vec::new(),
            stretch: STRETCH,
        }
    }
}

/// What comes of an object.
pub(crate) enum Step<'a> {
    /// Some of its bytes.
    Slice(&'a [u8]),
    /// A block begins behind the bytes that came so far, a mebibyte or more behind the last one told of: a place to resume at.
    Block(Place<'a>),
}

/// A place where a block begins.
pub(crate) struct Place<'a> {
    bit: u64,
    window: &'a [u8],
}

impl Place<'_> {
    /// What is needed to resume there.
    pub fn keep(&self) -> Resume {
        Resume {
            bit: self.bit,
            window: self.window.into(),
        }
    }
}

/// A place in an object where inflating may be resumed, with what matches behind it may lie in.
#[derive(Clone)]
pub(crate) struct Resume {
    bit: u64,
    window: Box<[u8]>,
}

impl Resume {
    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.window.len()
    }
}

impl std::fmt::Debug for Resume {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "bit {}", self.bit)
    }
}

/// What ended an object before its end.
enum Ended {
    Broken(Broken),
    Refused(DecodeError),
    Enough,
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Ended {
        Ended::Broken(broken)
    }
}

impl Gunzip {
    /// Hands on what an object holds, step by step, at most `most` bytes, until `take` has enough; how many bytes there were.
    /// Whether it is whole is known at its end only, and only if it is read from its beginning.
    ///
    /// # Errors
    /// When a member is broken, the object holds more, or with what `take` ends it.
    pub fn each_step(
        &mut self,
        packed: &[u8],
        from: Option<&Resume>,
        most: u64,
        mut take: impl FnMut(Step<'_>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<u64, DecodeError> {
        self.window.resize(WINDOW + SLICE + SLACK, 0);
        let mut given = 0;
        let mut take_some = |step: Step<'_>| {
            if let Step::Slice(slice) = step {
                given += slice.len() as u64;
            }
            if given > most {
                return Err(Ended::Refused(DecodeError::Bomb { limit: most }));
            }
            match take(step) {
                Ok(ControlFlow::Continue(())) => Ok(()),
                Ok(ControlFlow::Break(())) => Err(Ended::Enough),
                Err(error) => Err(Ended::Refused(error)),
            }
        };
        match self.members(packed, from, &mut take_some) {
            Ok(()) | Err(Ended::Enough) => Ok(given),
            Err(Ended::Refused(error)) => Err(error),
            Err(Ended::Broken(broken)) => Err(DecodeError::Compression {
                format: Packing::Gzip.name(),
                offset: given,
                reason: broken.to_string(),
            }),
        }
    }

    fn members(
        &mut self,
        packed: &[u8],
        from: Option<&Resume>,
        take: &mut impl FnMut(Step<'_>) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let mut at = match from {
            None => self.member(packed, 0, take)?,
            Some(from) => self.rest_of_member(packed, from, take)?,
        };
        while at < packed.len() {
            at = self.member(packed, at, take)?;
        }
        Ok(())
    }

    /// Inflates the member that begins at a place; where it ends.
    fn member(
        &mut self,
        packed: &[u8],
        at: usize,
        take: &mut impl FnMut(Step<'_>) -> Result<(), Ended>,
    ) -> Result<usize, Ended> {
        self.deflate.begin(behind_header(packed, at)?);
        let (mut sum, mut size) = (Hasher::new(), 0_u32);
        let end = self.stream(packed, 0, &mut |step| {
            if let Step::Slice(slice) = step {
                sum.update(slice);
                size = size.wrapping_add(slice.len() as u32);
            }
            take(step)
        })?;
        let trailer = packed.get(end..end + 8).ok_or(Broken::Short)?;
        if trailer[..4] != sum.finalize().to_le_bytes() {
            return Err(Broken::Checksum.into());
        }
        if trailer[4..] != size.to_le_bytes() {
            return Err(Broken::Size.into());
        }
        Ok(end + 8)
    }

    /// Inflates what is left of a member; where it ends.
    fn rest_of_member(
        &mut self,
        packed: &[u8],
        from: &Resume,
        take: &mut impl FnMut(Step<'_>) -> Result<(), Ended>,
    ) -> Result<usize, Ended> {
        self.deflate.resume(from.bit, packed)?;
        self.window[..from.window.len()].copy_from_slice(&from.window);
        let end = self.stream(packed, from.window.len(), take)?;
        Ok((end + 8).min(packed.len()))
    }

    /// Inflates what follows in a stream, of which so much is in the window already; where it ends.
    fn stream(
        &mut self,
        packed: &[u8],
        mut from: usize,
        take: &mut impl FnMut(Step<'_>) -> Result<(), Ended>,
    ) -> Result<usize, Ended> {
        let mut stretch = 0;
        loop {
            let stop = from.saturating_add(self.stretch.saturating_sub(stretch));
            let until = self.deflate.fill(packed, &mut self.window, from, stop)?;
            stretch += until - from;
            take(Step::Slice(&self.window[from..until]))?;
            if let Some(end) = self.deflate.end() {
                return Ok(end);
            }
            // What later matches may lie in.
            let kept = until.min(WINDOW);
            self.window.copy_within(until - kept..until, 0);
            from = kept;
            if let Some(bit) = self.deflate.block().filter(|_| stretch >= self.stretch) {
                let window = &self.window[..kept];
                take(Step::Block(Place { bit, window }))?;
                stretch = 0;
            }
        }
    }
}

/// Where the header of the member that begins at a place ends.
fn behind_header(packed: &[u8], start: usize) -> Result<usize, Broken> {
    let fixed: &[u8; 10] = packed[start..].first_chunk().ok_or(Broken::Short)?;
    let flags = fixed[3];
    if fixed[..3] != [0x1f, 0x8b, 8] || flags & RESERVED != 0 {
        return Err(Broken::Header);
    }
    let mut at = start + fixed.len();
    let length = |at: usize| {
        let length = packed.get(at..at + 2).ok_or(Broken::Short)?;
        Ok::<u16, Broken>(u16::from_le_bytes([length[0], length[1]]))
    };
    if flags & HAS_EXTRA != 0 {
        at += 2 + usize::from(length(at)?);
    }
    for text in [HAS_NAME, HAS_COMMENT] {
        if flags & text != 0 {
            let rest = packed.get(at..).ok_or(Broken::Short)?;
            at += memchr::memchr(0, rest).ok_or(Broken::Short)? + 1;
        }
    }
    if flags & HAS_CHECKSUM != 0 {
        let header = packed.get(start..at).ok_or(Broken::Short)?;
        if length(at)? != crc32fast::hash(header) as u16 {
            return Err(Broken::Header);
        }
        at += 2;
    }
    if at > packed.len() {
        return Err(Broken::Short);
    }
    Ok(at)
}
