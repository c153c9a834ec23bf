//! Objects: lines gathered by slot and flow log, compressed, and written under the keys that AWS gives them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::dice::Dice;
use super::flowlog::{FlowLog, Format, Partition};
use super::parquet::ParquetObject;
use super::row::Line;
use super::{GenerateError, SLOT_SECS, Summary};
use crate::flow::Field;

/// zlib's default: what speed and size AWS chooses is not known.
const GZIP_LEVEL: u32 = 6;

/// The objects of a run, those of slots to come included.
pub(super) struct Objects<'a> {
    root: PathBuf,
    logs: &'a [FlowLog],
    seed: u64,
    /// The first slot's publishing time, seconds since 1970.
    first: u32,
    open: BTreeMap<Place, Content>,
}

/// Slot, place of the flow log, and number within the slot: the order in which objects are written.
type Place = (u32, usize, u32);

enum Content {
    Text(Box<TextObject>),
    Parquet(ParquetObject),
}

/// How many lines are mixed: AWS gathers records from many interfaces, and their lines stand in no order of time.
const MIXED_LINES: usize = 4096;

/// A gzip object that is being written.
struct TextObject {
    encoder: GzEncoder<Vec<u8>>,
    dice: Dice,
    /// Lines that wait to be mixed, one after the other.
    waiting: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl<'a> Objects<'a> {
    /// No objects yet; they will stand below `root`.
    pub(super) fn new(root: PathBuf, logs: &'a [FlowLog], seed: u64, first: u32) -> Objects<'a> {
        Objects {
            root,
            logs,
            seed,
            first,
            open: BTreeMap::new(),
        }
    }

    /// Adds a line to the object of this slot, flow log and number.
    pub(super) fn add(&mut self, place: Place, line: &impl Line, summary: &mut Summary) {
        let log = &self.logs[place.1];
        let hash = self.hash(place);
        let content = self.open.entry(place).or_insert_with(|| {
            summary.objects += 1;
            match log.format {
                Format::Parquet => Content::Parquet(ParquetObject::new(&log.fields)),
                Format::Text => {
                    summary.headers += 1;
                    summary.lines += 1;
                    Content::Text(Box::new(TextObject::new(log, hash)))
                }
            }
        });
        summary.lines += 1;
        match content {
            Content::Parquet(object) => object.add(line),
            Content::Text(object) => summary.bytes += object.add(&log.fields, line),
        }
    }

    /// Writes the objects of all slots before this one.
    pub(super) fn close_before(&mut self, slot: u32) -> Result<(), GenerateError> {
        while let Some(entry) = self.open.first_entry().filter(|entry| entry.key().0 < slot) {
            let (place, content) = entry.remove_entry();
            let bytes = match content {
                Content::Text(object) => object.finish(),
                Content::Parquet(object) => object.finish(),
            };
            let path = self.path(place);
            let folder = path.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder).map_err(|error| GenerateError::io(folder, error))?;
            fs::write(&path, bytes).map_err(|error| GenerateError::io(&path, error))?;
        }
        Ok(())
    }

    fn path(&self, place: Place) -> PathBuf {
        let (slot, log, _) = place;
        key(
            &self.root,
            &self.logs[log],
            self.first + slot * SLOT_SECS,
            self.hash(place) as u32,
        )
    }

    fn hash(&self, (slot, log, number): Place) -> u64 {
        let place = [slot, log as u32, number].map(u32::to_le_bytes);
        xxh3_64_with_seed(place.as_flattened(), self.seed)
    }
}

impl TextObject {
    fn new(log: &FlowLog, seed: u64) -> TextObject {
        let names: Vec<&str> = log.fields.iter().map(|field| field.name()).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
        writeln!(encoder, "{}", names.join(" ")).expect("writing to memory does not fail");
        TextObject {
            encoder,
            dice: Dice::new(seed),
            waiting: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a line; its length in bytes.
    fn add(&mut self, fields: &[Field], line: &impl Line) -> u64 {
        let begin = self.waiting.len();
        for (index, &field) in fields.iter().enumerate() {
            if index > 0 {
                self.waiting.push(b' ');
            }
            line.write(field, &mut self.waiting);
        }
        self.waiting.push(b'\n');
        self.ends.push(self.waiting.len());
        let length = self.waiting.len() - begin;
        if self.ends.len() == MIXED_LINES {
            self.mix();
        }
        length as u64
    }

    /// Compresses the lines that wait, in an order of chance.
    fn mix(&mut self) {
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.dice.below(last as u64 + 1) as usize);
        }
        for line in order {
            let begin = if line == 0 { 0 } else { self.ends[line - 1] };
            self.encoder
                .write_all(&self.waiting[begin..self.ends[line]])
                .expect("writing to memory does not fail");
        }
        self.waiting.clear();
        self.ends.clear();
    }

    fn finish(mut self) -> Vec<u8> {
        self.mix();
        self.encoder
            .finish()
            .expect("writing to memory does not fail")
    }
}

/// The path of an object that is published at `time`, seconds since 1970.
fn key(root: &Path, log: &FlowLog, time: u32, hash: u32) -> PathBuf {
    let time = jiff::Timestamp::from_second(time.into()).expect("32 bits of seconds are in range");
    let part = |format: &str| time.strftime(format).to_string();
    let (account, region) = (&log.account, &log.region);
    let folder = match log.partition {
        Partition::Daily => format!("{account}/vpcflowlogs/{region}/{}", part("%Y/%m/%d")),
        Partition::Hourly => format!("{account}/vpcflowlogs/{region}/{}", part("%Y/%m/%d/%H")),
        Partition::Hive => format!(
            "aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/{}",
            part("year=%Y/month=%m/day=%d/hour=%H")
        ),
    };
    let ending = match log.format {
        Format::Text => "log.gz",
        Format::Parquet => "log.parquet",
    };
    let name = format!(
        "{account}_vpcflowlogs_{region}_{}_{}_{hash:08x}.{ending}",
        log.id,
        part("%Y%m%dT%H%MZ")
    );
    root.join("AWSLogs").join(folder).join(name)
}

#[cfg(test)]
mod tests {
    use super::super::flowlog::FlowLogs;
    use super::*;

    #[test]
    fn keys_are_aws_s_own() {
        let logs = FlowLogs::mixed(0).logs;
        let key_of = |log: usize| {
            key(Path::new(""), &logs[log], 1_771_999_500, 0xabc)
                .display()
                .to_string()
        };
        let name = "vpcflowlogs_us-east-2";
        assert_eq!(
            key_of(0),
            format!(
                "AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25/123456789012_{name}_{}_20260225T0605Z_00000abc.log.gz",
                logs[0].id
            )
        );
        assert_eq!(
            key_of(1),
            format!(
                "AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25/06/123456789012_{name}_{}_20260225T0605Z_00000abc.log.gz",
                logs[1].id
            )
        );
        assert!(key_of(4).ends_with(".log.parquet"));
        assert!(key_of(6).starts_with(
            "AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/aws-region=us-east-2/year=2026/month=02/day=25/hour=06/"
        ));
    }
}
