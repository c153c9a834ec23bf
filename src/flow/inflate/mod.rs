//! Takes compression off: gzip that is in memory slice by slice, each into the same memory, so that a slice is read while it
//! is still in the processor's cache; zstd, and what is too large for memory, as a stream.

mod deflate;
mod gzip;
mod huffman;

use std::io::Read;

pub(crate) use self::gzip::{Gunzip, Place, Resume, Step};
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

#[cfg(test)]
mod tests;
