//! Takes compression off: whole objects at once by libdeflate where they fit in memory, anything else as a stream.
//!
//! libdeflate reads one gzip member at a time and tells how much input it took, so members are looped over. What it
//! cannot read is read again by the streaming decoder, which says where and why it breaks.

use std::io::Read;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use libdeflate_sys as deflate;

use super::decode::{DecodeError, DecodeOptions};

/// Ratios below this size are never suspicious: a small object cannot do harm.
const ALWAYS_ALLOWED: u64 = 1 << 20;

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

/// Inflates whole objects into memory that it keeps.
#[derive(Default)]
pub(crate) struct Inflater {
    decompressor: Option<Decompressor>,
    output: Vec<u8>,
}

struct Decompressor(NonNull<deflate::libdeflate_decompressor>);

// SAFETY: a decompressor is plain memory without ties to a thread.
unsafe impl Send for Decompressor {}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: allocated by libdeflate and freed once.
        unsafe { deflate::libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

impl Decompressor {
    fn new() -> Decompressor {
        // SAFETY: no preconditions.
        let allocated = unsafe { deflate::libdeflate_alloc_decompressor() };
        Decompressor(NonNull::new(allocated).expect("memory for a decompressor of 12 KB"))
    }

    /// Inflates the member that `input` begins with; bytes taken and bytes given.
    fn member(
        &mut self,
        input: &[u8],
        output: &mut [MaybeUninit<u8>],
    ) -> Result<(usize, usize), u32> {
        let (mut taken, mut given) = (0, 0);
        // SAFETY: both slices are passed with their lengths, and libdeflate keeps to them.
        let result = unsafe {
            deflate::libdeflate_gzip_decompress_ex(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                output.as_mut_ptr().cast(),
                output.len(),
                &mut taken,
                &mut given,
            )
        };
        if result == deflate::libdeflate_result_LIBDEFLATE_SUCCESS {
            Ok((taken, given))
        } else {
            Err(result)
        }
    }
}

/// What came of inflating an object whole.
pub(crate) enum Whole<'a> {
    /// All of it, checksums included.
    Done(&'a [u8]),
    /// It does not fit, or is broken: the streaming decoder will tell.
    NotSo,
}

impl Inflater {
    /// Gives away the object that was inflated last; none if that did not succeed, or it was given away. `free` is memory
    /// for the next.
    pub fn take(&mut self, mut free: Vec<u8>) -> Option<Vec<u8>> {
        free.clear();
        (!self.output.is_empty()).then(|| std::mem::replace(&mut self.output, free))
    }

    /// Bytes of memory of what [`Inflater::take`] would give away.
    pub fn held(&self) -> Option<usize> {
        (!self.output.is_empty()).then(|| self.output.capacity())
    }

    /// Forgets what was inflated last.
    pub fn clear(&mut self) {
        self.output.clear();
    }

    /// Inflates an object whole, if it becomes at most `limit` bytes.
    pub fn whole(&mut self, packing: Packing, packed: &[u8], limit: usize) -> Whole<'_> {
        self.output.clear();
        let done = match packing {
            Packing::Gzip => self.gunzip(packed, limit),
            Packing::Zstd => self.unzstd(packed, limit),
        };
        if !done {
            self.output.clear();
            return Whole::NotSo;
        }
        Whole::Done(&self.output)
    }

    fn gunzip(&mut self, mut packed: &[u8], limit: usize) -> bool {
        let decompressor = self.decompressor.get_or_insert_with(Decompressor::new);
        // The last member's size modulo 2^32; with several members, or a lie, the output grows.
        let announced = packed
            .last_chunk::<4>()
            .map_or(0, |size| u32::from_le_bytes(*size) as usize);
        // libdeflate is faster while it may write beyond what is needed.
        const SLACK: usize = 4 << 10;
        let likely = announced
            .min(packed.len().saturating_mul(64))
            .max(packed.len().saturating_mul(4))
            + SLACK;
        self.output.reserve_exact(likely.min(limit));
        while !packed.is_empty() {
            let room = limit - self.output.len();
            let spare = self.output.spare_capacity_mut();
            let offered = spare.len().min(room);
            match decompressor.member(packed, &mut spare[..offered]) {
                Ok((taken, given)) => {
                    // SAFETY: libdeflate has written so many bytes behind the length.
                    unsafe { self.output.set_len(self.output.len() + given) };
                    packed = &packed[taken..];
                }
                Err(deflate::libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE) if offered < room => {
                    let more = self.output.capacity().max(64 << 10).min(room);
                    self.output.reserve(offered + more);
                }
                Err(_) => return false,
            }
        }
        true
    }

    fn unzstd(&mut self, packed: &[u8], limit: usize) -> bool {
        let Ok(reader) = Packing::Zstd.reader(packed) else {
            return false;
        };
        let read = reader.take(limit as u64 + 1).read_to_end(&mut self.output);
        read.is_ok() && self.output.len() <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder
            .write_all(text)
            .and_then(|()| encoder.finish())
            .expect("writing to memory")
    }

    fn check(packing: Packing, packed: &[u8], limit: usize, expected: Option<&[u8]>) {
        let mut inflater = Inflater::default();
        for _ in 0..2 {
            let found = match inflater.whole(packing, packed, limit) {
                Whole::Done(bytes) => Some(bytes),
                Whole::NotSo => None,
            };
            assert!(
                found == expected,
                "{packing:?}: {} bytes for {}",
                found.map_or(0, <[u8]>::len),
                packed.len()
            );
        }
    }

    #[test]
    fn members_follow_each_other_and_output_grows() {
        let long = "2 123456789010 eni-0 10.0.0.1\n"
            .repeat(100_000)
            .into_bytes();
        let short = b"one line\n";
        check(Packing::Gzip, &gzip(&long), 1 << 30, Some(&long));
        check(
            Packing::Gzip,
            &[gzip(&long), gzip(short)].concat(),
            1 << 30,
            Some(&[&long[..], short].concat()),
        );
        check(
            Packing::Gzip,
            &[gzip(b""), gzip(short)].concat(),
            1 << 30,
            Some(short),
        );
        let zstd = zstd::encode_all(&long[..], 1).expect("packs");
        check(Packing::Zstd, &zstd, 1 << 30, Some(&long));
        check(
            Packing::Zstd,
            &[&zstd[..], &zstd].concat(),
            1 << 30,
            Some(&[&long[..], &long].concat()),
        );
    }

    #[test]
    fn the_limit_is_exact() {
        let text = vec![b'x'; 300_000];
        for (packing, packed) in [
            (Packing::Gzip, gzip(&text)),
            (
                Packing::Zstd,
                zstd::encode_all(&text[..], 1).expect("packs"),
            ),
        ] {
            check(packing, &packed, 300_000, Some(&text));
            check(packing, &packed, 299_999, None);
        }
    }

    #[test]
    fn broken_objects_are_not_inflated() {
        let mut wrong_sum = gzip(b"some text\n");
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 1;
        check(Packing::Gzip, &wrong_sum, 1 << 20, None);
        let whole = gzip(b"some text\n");
        check(Packing::Gzip, &whole[..whole.len() - 1], 1 << 20, None);
        check(
            Packing::Gzip,
            &[&whole[..], b"garbage"].concat(),
            1 << 20,
            None,
        );
    }
}
