//! Memory: how `--memory` is divided, and what is asked of the allocator.

use crate::judge::connection::Home;
use crate::net::Addr;

/// What each part of a run may hold, bytes. While an hour is committed others are open, and each thread has an edge table
/// in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The connections of all open slots, before they go to disk.
    pub tables: usize,
    /// Ends of a slot's connections whose peers a thread counts at a time.
    pub ends: usize,
    /// Edges of an hour in the tables of all threads, before they go to disk.
    pub edges: usize,
    /// Rulings that all threads keep on the records of a slot.
    pub rulings: usize,
    /// Open slots' objects that are kept to be read again.
    pub bodies: usize,
    /// What is noted of the lines of such objects.
    pub lines: usize,
    /// Their rejected records, and where else they may be read from.
    pub rejected: usize,
    /// Judged records of an hour, before they go to disk.
    pub records: usize,
    /// Objects that are fetched or wait for their turn, as stored.
    pub ahead: u64,
    /// One object, as stored and as decoded; larger ones are streamed.
    pub object: u64,
    /// Threads that write a table: each holds a row group.
    pub writers: usize,
    /// Whether all this is so little that what is freed goes back to the system.
    pub is_tight: bool,
}

/// Below this bound what is freed goes back to the system: threads do not use what others freed, and what all of them keep
/// would be more than the bound.
const AMPLE: u64 = 512 << 20;

impl Shares {
    /// The shares of so many bytes.
    pub fn of(memory: u64) -> Shares {
        let part = |of: u64| (memory / of) as usize;
        Shares {
            tables: part(4),
            // The table of counts has up to twice the room that its entries take.
            ends: part(8) / (2 * size_of::<((u8, Home, Addr, u16), u32)>()),
            edges: part(32),
            rulings: part(8),
            bodies: part(8),
            lines: part(32),
            rejected: part(8),
            records: part(32),
            ahead: memory / 8,
            object: memory / 8,
            writers: part(128 << 20).max(1),
            is_tight: memory < AMPLE,
        }
    }
}

/// Has all threads share one heap, so that each uses what others freed, and has it keep that, unless memory is tight: each
/// page that comes from the system anew costs an interruption. To be called before there are threads.
pub fn share_heap(shares: &Shares) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// What is as large as this and finds no room comes from the system and goes back to it, so that the heap does not
        /// become one of holes between what stays: the rows and the index of a table, objects, what is sorted. The heap grows
        /// by less, so that it seldom has such room at its end.
        const LARGE: libc::c_int = 256 << 10;
        const STEP: libc::c_int = LARGE / 2;
        // SAFETY: sets numbers of the allocator.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            if !shares.is_tight {
                libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
                libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
                libc::mallopt(libc::M_TOP_PAD, STEP);
            }
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = shares;
}

/// Gives back what was freed: after an hour's commit its rows leave holes that the next hour's do not fit, and before one
/// the tables of all threads are free.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
