//! How a file goes up: whole, or in parts.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Files up to this size go up in one request; also the least size of a part. Larger means more memory per part in
/// flight, smaller means more requests. S3 allows parts from 5 MiB.
const PART_SIZE: u64 = 8 << 20;
/// S3's bound.
const MAX_PARTS: u64 = 10_000;

/// How a file goes up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// In one request.
    Whole,
    /// In parts of this size, the last one smaller.
    Parts {
        /// Bytes per part.
        part_size: u64,
    },
}

impl Plan {
    /// The plan for a file of `size` bytes.
    pub fn of(size: u64) -> Plan {
        if size <= PART_SIZE {
            Plan::Whole
        } else {
            Plan::Parts {
                part_size: PART_SIZE.max(size.div_ceil(MAX_PARTS)),
            }
        }
    }
}

/// Reads a part of a file.
pub(super) fn read_part(path: &Path, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_size_has_at_most_10_000_parts() {
        assert_eq!(Plan::of(0), Plan::Whole);
        assert_eq!(Plan::of(PART_SIZE), Plan::Whole);
        assert_eq!(
            Plan::of(PART_SIZE + 1),
            Plan::Parts {
                part_size: PART_SIZE
            }
        );
        for size in [PART_SIZE * MAX_PARTS, PART_SIZE * MAX_PARTS + 1, 5 << 40] {
            let Plan::Parts { part_size } = Plan::of(size) else {
                panic!("{size} in one part")
            };
            assert!(size.div_ceil(part_size) <= MAX_PARTS, "{size}");
        }
    }
}
