//! A slot whose connections did not fit in memory: runs on disk, read back partition by partition.
//!
//! A run is one thread's table, its connections ordered by partition: plain memory, 256 bytes a connection, then the
//! number of further views and the views themselves. Runs live in unnamed temporary files and are gone with the process.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use crate::judge::close::{Pieces, Visit};
use crate::judge::connection::{Connection, Tag, View};
use crate::judge::table::{ConnectionTable, partition_of};

use super::lock;

/// Partitions of a spilled slot, as a power of two. More make each smaller, and the reads shorter.
const PARTITION_BITS: u32 = 6;
const PARTITIONS: usize = 1 << PARTITION_BITS;

/// One table on disk.
pub struct Run {
    /// Threads read one partition after the other.
    file: Mutex<File>,
    /// Where each partition begins; one more for the end.
    offsets: [u64; PARTITIONS + 1],
}

/// What a slot holds: a table in memory, or runs on disk.
pub struct SlotConnections<'a> {
    /// The table, empty if there are runs.
    pub table: &'a ConnectionTable,
    /// The runs, in any order.
    pub runs: &'a [Run],
}

impl Run {
    /// Writes a table to a run in the folder.
    ///
    /// # Errors
    /// When the folder cannot take it.
    pub fn write(table: &ConnectionTable, folder: &Path) -> io::Result<Run> {
        let mut places: Vec<(u8, u32)> = (0..table.len())
            .map(|place| {
                (
                    partition_of(table.at(place), PARTITION_BITS) as u8,
                    place as u32,
                )
            })
            .collect();
        places.sort_unstable();
        let mut out = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
        let mut offsets = [0; PARTITIONS + 1];
        let mut written = 0u64;
        let mut next = 0;
        for (partition, place) in places {
            while next <= usize::from(partition) {
                offsets[next] = written;
                next += 1;
            }
            written += write_connection(&mut out, table, place as usize)?;
        }
        offsets[next..].fill(written);
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run {
            file: Mutex::new(file),
            offsets,
        })
    }

    fn read_into(&self, partition: usize, table: &mut ConnectionTable) -> io::Result<()> {
        let (start, end) = (self.offsets[partition], self.offsets[partition + 1]);
        let mut file = lock(&self.file);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = BufReader::with_capacity(1 << 18, (&mut *file).take(end - start));
        let mut left = end - start;
        let mut views: Vec<(Tag, View)> = Vec::new();
        while left > 0 {
            let mut connection: Connection = bytemuck::Zeroable::zeroed();
            bytes.read_exact(bytemuck::bytes_of_mut(&mut connection))?;
            let mut count = 0u64;
            bytes.read_exact(bytemuck::bytes_of_mut(&mut count))?;
            views.clear();
            for _ in 0..count {
                let (mut tag, mut view): (Tag, View) = bytemuck::Zeroable::zeroed();
                bytes.read_exact(bytemuck::bytes_of_mut(&mut tag))?;
                bytes.read_exact(bytemuck::bytes_of_mut(&mut view))?;
                views.push((tag, view));
            }
            left -= (size_of::<Connection>() + size_of::<u64>()) as u64
                + count * (size_of::<Tag>() + size_of::<View>()) as u64;
            let more = views.iter().map(|(tag, view)| (*tag, view));
            table.merge_connection(&connection, connection.inline_views().chain(more));
        }
        Ok(())
    }
}

fn write_connection(
    out: &mut impl Write,
    table: &ConnectionTable,
    place: usize,
) -> io::Result<u64> {
    let connection = table.at(place);
    let inline = connection.inline_views().count();
    let more: Vec<(Tag, &View)> = table.views(place).skip(inline).collect();
    out.write_all(bytemuck::bytes_of(connection))?;
    out.write_all(bytemuck::bytes_of(&(more.len() as u64)))?;
    for (tag, view) in &more {
        out.write_all(bytemuck::bytes_of(tag))?;
        out.write_all(bytemuck::bytes_of(*view))?;
    }
    Ok((size_of::<Connection>()
        + size_of::<u64>()
        + more.len() * (size_of::<Tag>() + size_of::<View>())) as u64)
}

impl Pieces for SlotConnections<'_> {
    fn count(&self) -> usize {
        if self.runs.is_empty() {
            self.table.count()
        } else {
            PARTITIONS
        }
    }

    fn piece(&self, number: usize, visit: Visit<'_>) -> io::Result<()> {
        if self.runs.is_empty() {
            return self.table.piece(number, visit);
        }
        debug_assert!(self.table.is_empty(), "the table went to disk too");
        let mut table = ConnectionTable::new();
        for run in self.runs {
            run.read_into(number, &mut table)?;
        }
        visit(&table, 0..table.len())
    }
}
