//! Takes gzip (RFC 1952) off an object that is in memory: one member after the other, each with its checksum.

use crc32fast::Hasher;

use super::deflate::{Deflate, SLACK, WINDOW};
use super::{Broken, Packing};
use crate::flow::decode::DecodeError;

/// Bytes of a slice. All that is done with them should find them in the second-level cache; smaller ones have more lines
/// cut in two.
const SLICE: usize = 256 << 10;

const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Inflates gzip into memory that it uses again from slice to slice.
#[derive(Default)]
pub(crate) struct Gunzip {
    deflate: Deflate,
    window: Vec<u8>,
}

/// What ended an object before its end.
enum Ended {
    Broken(Broken),
    Refused(DecodeError),
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Ended {
        Ended::Broken(broken)
    }
}

impl Gunzip {
    /// Hands on what an object holds, slice by slice, at most `most` bytes; how many there were. Whether it is whole is
    /// known at its end only.
    ///
    /// # Errors
    /// When a member is broken, the object holds more, or with what `take` ends it.
    pub fn each_slice(
        &mut self,
        packed: &[u8],
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<u64, DecodeError> {
        self.window.resize(WINDOW + SLICE + SLACK, 0);
        let mut given = 0;
        let mut take_some = |slice: &[u8]| {
            given += slice.len() as u64;
            if given > most {
                return Err(Ended::Refused(DecodeError::Bomb { limit: most }));
            }
            take(slice).map_err(Ended::Refused)
        };
        match self.members(packed, &mut take_some) {
            Ok(()) => Ok(given),
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
        take: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let mut at = 0;
        loop {
            at = self.member(packed, at, take)?;
            if at == packed.len() {
                return Ok(());
            }
        }
    }

    /// Inflates the member that begins at a place; where it ends.
    fn member(
        &mut self,
        packed: &[u8],
        at: usize,
        take: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<usize, Ended> {
        self.deflate.begin(behind_header(packed, at)?);
        let (mut sum, mut size, mut from) = (Hasher::new(), 0_u32, 0);
        let end = loop {
            let until = self.deflate.fill(packed, &mut self.window, from)?;
            let slice = &self.window[from..until];
            sum.update(slice);
            size = size.wrapping_add(slice.len() as u32);
            take(slice)?;
            if let Some(end) = self.deflate.end() {
                break end;
            }
            // What later matches may lie in.
            let kept = until.min(WINDOW);
            self.window.copy_within(until - kept..until, 0);
            from = kept;
        };
        let trailer = packed.get(end..end + 8).ok_or(Broken::Short)?;
        if trailer[..4] != sum.finalize().to_le_bytes() {
            return Err(Broken::Checksum.into());
        }
        if trailer[4..] != size.to_le_bytes() {
            return Err(Broken::Size.into());
        }
        Ok(end + 8)
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
