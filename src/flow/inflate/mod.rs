//! Takes compression off: objects that are in memory slice by slice, each into the same memory, so that a slice is read
//! while it is still in the processor's cache; what is too large for memory as a stream.

mod deflate;
mod gzip;
mod huffman;

use std::io::Read;

use self::gzip::Gunzip;
use super::decode::{DecodeError, DecodeOptions};

/// Ratios below this size are never suspicious: a small object cannot do harm.
const ALWAYS_ALLOWED: u64 = 1 << 20;

/// Why a gzip stream cannot be read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum Broken {
    #[error("it ends too early")]
    Short,
    #[error("expected the header of a gzip member, got something else")]
    Header,
    #[error("a block of a kind that there is not, or with a wrong length")]
    Block,
    #[error("codes that make no sense")]
    Code,
    #[error("a repetition of what comes before its beginning")]
    Distance,
    #[error("wrong checksum")]
    Checksum,
    #[error("wrong length")]
    Size,
}

/// How compressed bytes are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// The packing that begins with these bytes.
    pub fn of(head: &[u8]) -> Option<Packing> {
        match head {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            // A frame, or a skippable frame before one (RFC 8878).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Packing::Zstd)
            }
            _ => None,
        }
    }

    /// A reader of what is packed.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub fn reader<'a>(
        self,
        packed: impl std::io::BufRead + 'a,
    ) -> Result<Box<dyn Read + 'a>, DecodeError> {
        Ok(match self {
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        }
    }

    /// What a failed read of [`Packing::reader`] means.
    pub fn error(self, error: std::io::Error, offset: u64) -> DecodeError {
        if error
            .get_ref()
            .is_some_and(|inner| inner.is::<SourceFailed>())
        {
            return DecodeError::Io(error);
        }
        let reason = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
            _ => error.to_string(),
        };
        DecodeError::Compression {
            format: self.name(),
            offset,
            reason,
        }
    }
}

/// Marks an error of where the bytes come from, to be told from one of what they are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceFailed(pub std::io::Error);

/// How many bytes an object of this packed size may become.
pub(crate) fn bound(options: &DecodeOptions, packed: u64) -> u64 {
    packed
        .saturating_mul(options.max_ratio)
        .max(ALWAYS_ALLOWED)
        .min(options.max_bytes)
}

/// Takes compression off objects that are in memory, in memory that it uses again.
#[derive(Default)]
pub(crate) struct Inflater {
    gunzip: Gunzip,
    slice: Vec<u8>,
}

/// Bytes of a slice that a library makes.
const SLICE: usize = 256 << 10;

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

impl Inflater {
    /// Hands on what an object holds, slice by slice, at most `most` bytes; how many there were. Whether it is whole is
    /// known at its end only.
    ///
    /// # Errors
    /// When the object is broken, holds more, or with what `take` ends it.
    pub fn each_slice(
        &mut self,
        packing: Packing,
        packed: &[u8],
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<u64, DecodeError> {
        let mut given = 0;
        let mut take_some = |slice: &[u8]| {
            given += slice.len() as u64;
            if given > most {
                return Err(Ended::Refused(DecodeError::Bomb { limit: most }));
            }
            take(slice).map_err(Ended::Refused)
        };
        let ended = match packing {
            Packing::Gzip => self.gunzip.each_slice(packed, &mut take_some),
            Packing::Zstd => self.unzstd(packed, &mut take_some),
        };
        match ended {
            Ok(()) => Ok(given),
            Err(Ended::Refused(error)) => Err(error),
            Err(Ended::Broken(broken)) => Err(DecodeError::Compression {
                format: packing.name(),
                offset: given,
                reason: broken.to_string(),
            }),
        }
    }

    fn unzstd(
        &mut self,
        packed: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        self.slice.resize(SLICE, 0);
        let mut offset = 0;
        let mut reader = Packing::Zstd.reader(packed).map_err(Ended::Refused)?;
        loop {
            let length = read(&mut *reader, &mut self.slice)
                .map_err(|error| Ended::Refused(Packing::Zstd.error(error, offset)))?;
            if length == 0 {
                return Ok(());
            }
            take(&self.slice[..length])?;
            offset += length as u64;
        }
    }
}

/// Reads, but not because of a signal.
pub(crate) fn read(reader: &mut dyn Read, chunk: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match reader.read(chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
