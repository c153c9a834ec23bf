//! What is left over of an object when it has been folded, for whoever reads it a second time: its text, and which
//! connection each line belongs to. As much as memory allows; nobody needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::flow::Scratch;
use crate::judge::lines::LineHashes;

use super::lock;

/// What is left over of an object.
#[derive(Default)]
pub struct Leftover {
    /// The text that it was inflated to.
    pub text: Option<Vec<u8>>,
    /// Which connections its lines belong to.
    pub lines: Option<LineHashes>,
}

/// What is left over of open slots' objects, by rank.
pub struct Leftovers {
    /// Bytes that texts may take, and those that wait to be written over.
    texts: usize,
    /// Bytes that all else may take.
    lines: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_rank: HashMap<usize, Arc<Leftover>>,
    /// Memory of texts that nobody needs any more: each page that comes from the system anew costs an interruption.
    free: Vec<Vec<u8>>,
    texts: usize,
    lines: usize,
}

impl Leftovers {
    /// Nothing is left over yet; texts and lines may take so many bytes.
    pub fn new(texts: usize, lines: usize) -> Leftovers {
        Leftovers {
            texts,
            lines,
            kept: Mutex::default(),
        }
    }

    /// Keeps what is left over of an object, as far as memory allows: its lines, and the text that was decoded last.
    pub fn keep(&self, rank: usize, lines: Option<LineHashes>, scratch: &mut Scratch) {
        let mut kept = lock(&self.kept);
        let lines = lines.filter(|lines| kept.lines + lines.memory() <= self.lines);
        kept.lines += lines.as_ref().map_or(0, LineHashes::memory);
        let text = self.take_text(&mut kept, scratch);
        if lines.is_some() || text.is_some() {
            kept.by_rank
                .insert(rank, Arc::new(Leftover { text, lines }));
        }
    }

    fn take_text(&self, kept: &mut Kept, scratch: &mut Scratch) -> Option<Vec<u8>> {
        let memory = scratch.text_memory()?;
        let free = kept.free.pop().unwrap_or_default();
        let mut others = kept.texts - free.capacity();
        // What waits to be written over goes before a text that somebody will read.
        while others + memory > self.texts
            && let Some(other) = kept.free.pop()
        {
            others -= other.capacity();
        }
        if others + memory > self.texts {
            kept.texts = others + free.capacity();
            kept.free.extend((free.capacity() > 0).then_some(free));
            return None;
        }
        kept.texts = others + memory;
        scratch.take_text(free)
    }

    /// What is left over of an object, if anything.
    pub fn get(&self, rank: usize) -> Option<Arc<Leftover>> {
        lock(&self.kept).by_rank.get(&rank).cloned()
    }

    /// Frees the memory that waits to be written over.
    pub fn free(&self) {
        let mut kept = lock(&self.kept);
        let free = std::mem::take(&mut kept.free);
        kept.texts -= free.iter().map(Vec::capacity).sum::<usize>();
    }

    /// Forgets what is left over of these objects.
    pub fn forget(&self, ranks: &[usize]) {
        let mut kept = lock(&self.kept);
        for rank in ranks {
            let Some(leftover) = kept.by_rank.remove(rank) else {
                continue;
            };
            kept.lines -= leftover.lines.as_ref().map_or(0, LineHashes::memory);
            let held = leftover.text.as_ref().map_or(0, Vec::capacity);
            match Arc::try_unwrap(leftover) {
                Ok(leftover) => kept.free.extend(leftover.text),
                Err(_) => kept.texts -= held,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::flow::{
        DecodeOptions, Fields, Input, MalformedLine, Record, RecordSink, decode, decode_text,
    };

    /// Keeps the records' lines and addresses.
    #[derive(Default, PartialEq, Debug)]
    struct Met(Vec<(u64, String)>);

    impl RecordSink for Met {
        fn record(&mut self, record: &Record, _fields: &impl Fields) {
            self.0.push((record.line, record.src.to_string()));
        }

        fn status(&mut self, _record: &Record, _skip: bool, _fields: &impl Fields) {}

        fn malformed(&mut self, _line: u64, _why: &MalformedLine, _text: &[u8]) {}

        fn unverified(&mut self) {}
    }

    /// Decodes an object of so many records: what it holds, and the memory that its text takes.
    fn decoded(scratch: &mut Scratch, records: usize) -> (Met, usize) {
        let rows: String = (0..records)
            .map(|row| {
                format!(
                    "2 1 eni-1 10.0.{}.7 10.0.1.2 1 2 6 1 1 1772002800 1772002860 ACCEPT OK\n",
                    row % 250
                )
            })
            .collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let packed = packed
            .write_all(rows.as_bytes())
            .and_then(|()| packed.finish())
            .expect("writing to memory");
        let mut met = Met::default();
        decode(
            Input::Bytes(&packed.into()),
            &DecodeOptions::default(),
            scratch,
            &mut met,
        )
        .expect("an object");
        (met, scratch.text_memory().expect("it was inflated whole"))
    }

    #[test]
    fn a_text_reads_like_its_object_while_there_is_room_for_it() {
        let mut scratch = Scratch::default();
        let (expected, memory) = decoded(&mut scratch, 3_000);
        let leftovers = Leftovers::new(memory, 0);
        leftovers.keep(0, Some(LineHashes::default()), &mut scratch);
        assert!(scratch.take_text(Vec::new()).is_none(), "it was taken");
        let leftover = leftovers.get(0).expect("it is kept");
        let text = leftover.text.as_ref().expect("its text, too");
        let mut met = Met::default();
        decode_text(text, &DecodeOptions::default(), &mut scratch, &mut met).expect("read again");
        assert!(met == expected);

        decoded(&mut scratch, 30);
        leftovers.keep(1, None, &mut scratch);
        assert!(leftovers.get(1).is_none(), "there is no room");
        drop(leftover);
        leftovers.forget(&[0, 1]);
        assert!(leftovers.get(0).is_none());
        let (_, smaller) = decoded(&mut scratch, 2_000);
        assert!(smaller <= memory);
        leftovers.keep(2, None, &mut scratch);
        assert!(leftovers.get(2).is_some());
        assert!(scratch.text_memory().is_none(), "it is to be written over");
        let held = || lock(&leftovers.kept).texts;
        assert!(held() <= memory);
        leftovers.free();
        assert!(held() > 0, "a text that is kept is not free");
        leftovers.forget(&[2]);
        leftovers.free();
        assert_eq!(held(), 0);
    }

    #[test]
    fn free_memory_goes_before_a_text_that_is_larger_than_those_before_it() {
        let mut scratch = Scratch::default();
        let (_, small) = decoded(&mut scratch, 300);
        let leftovers = Leftovers::new(4 * small, 0);
        for rank in 0..4 {
            let mut scratch = Scratch::default();
            decoded(&mut scratch, 300);
            leftovers.keep(rank, None, &mut scratch);
            assert!(leftovers.get(rank).is_some());
        }
        leftovers.forget(&[0, 1, 2]);
        let (_, larger) = decoded(&mut scratch, 700);
        assert!(larger > small && larger <= 3 * small);
        leftovers.keep(4, None, &mut scratch);
        assert!(leftovers.get(3).is_some() && leftovers.get(4).is_some());
        assert!(lock(&leftovers.kept).texts <= 4 * small);
    }

    #[test]
    fn a_text_that_somebody_still_reads_is_not_written_over() {
        let mut scratch = Scratch::default();
        let (_, memory) = decoded(&mut scratch, 3_000);
        let leftovers = Leftovers::new(memory, 0);
        leftovers.keep(0, None, &mut scratch);
        let reading = leftovers.get(0);
        leftovers.forget(&[0]);
        let kept = lock(&leftovers.kept);
        assert_eq!((kept.free.len(), kept.texts), (0, 0));
        assert!(reading.is_some_and(|leftover| leftover.text.is_some()));
    }
}
