//! A synthetic VPC's flow logs, as AWS writes them, with violations planted among ordinary traffic.
//!
//! [`generate`] writes `DIR/logs` in AWS's own key layout, `DIR/planted.ndjson` with the findings that a scan against
//! `policies/sec-003.toml` must report, and `DIR/totals.json` with what the lines add up to. The same options give the same
//! bytes: chance comes from the seed alone, and no clock is read.
//!
//! In reading order: `fleet` is what there is, `connection` what can happen, `traffic` and `noise` what does, `plant` what
//! should not; `recorder` says what interfaces see of it (`gateway`: what the transit gateway sees), `row` how a field is
//! written, `flowlog` who logs what, `object` and `parquet` how it is stored.

use std::path::{Path, PathBuf};

mod connection;
mod dice;
mod fleet;
mod flowlog;
mod gateway;
mod noise;
mod object;
mod parquet;
mod plant;
mod recorder;
mod row;
mod run;
mod traffic;

pub use plant::Planted;

use fleet::Scale;

/// How long AWS gathers records before it publishes an object, seconds.
const SLOT_SECS: u32 = 300;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fixes every choice.
    pub seed: u64,
    /// About how many records to write.
    pub records: u64,
    /// The publishing time of the first objects, seconds since 1970, a multiple of 300.
    pub start: u32,
    /// How many slots of five minutes; at least 1.
    pub slots: u32,
    /// The slot that has ten times the records of the others, if any.
    pub heavy_slot: Option<u32>,
    /// Which flow logs there are.
    pub layouts: Layouts,
    /// How much of the records is noise from the internet, percent.
    pub noise: u32,
    /// How much of the records is IPv6, percent; at most about 30 can be had.
    pub ipv6: u32,
    /// How many records a connection has on average, 1 to 16; none leaves it to how long they last. As noise is one record a
    /// connection, more than some 100 / `noise` cannot be had.
    pub records_per_connection: Option<u32>,
    /// Whether there are as many hosts as in a large VPC.
    pub large: bool,
}

/// Which flow logs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layouts {
    /// Many: versions 2, 5 and 11, another order, Parquet, a transit gateway's, a second VPC's of another account.
    Mixed,
    /// One of version 5 with 29 fields, over so many objects a slot.
    Version5 {
        /// Objects per slot.
        objects: u32,
    },
}

/// 2026-02-25T05:00:00Z.
const DEFAULT_START: u32 = 1_771_995_600;

impl Default for Options {
    /// What `sample-logs` is made with: two hours of a small VPC.
    fn default() -> Options {
        Options {
            seed: 1,
            records: 50_000,
            start: DEFAULT_START,
            slots: 24,
            heavy_slot: None,
            layouts: Layouts::Mixed,
            noise: 10,
            ipv6: 5,
            records_per_connection: None,
            large: false,
        }
    }
}

impl Options {
    /// What the benchmarks measure: 4 million records of version 5 in 16 objects of 4 slots. Beyond 4 records per connection
    /// there is less noise, as there must be.
    pub fn bench(records_per_connection: u32) -> Options {
        Options {
            noise: if records_per_connection <= 4 { 10 } else { 1 },
            records: 4_000_000,
            slots: 4,
            layouts: Layouts::Version5 { objects: 4 },
            records_per_connection: Some(records_per_connection),
            large: true,
            ..Options::default()
        }
    }

    fn scale(&self) -> Scale {
        match self.large {
            false => Scale {
                etl: 5,
                vector_service: 3,
                worker: 6,
                vector_db: 3,
                warehouse: 4,
            },
            true => Scale {
                etl: 180,
                vector_service: 120,
                worker: 200,
                vector_db: 60,
                warehouse: 60,
            },
        }
    }
}

/// How long connections last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As they do.
    Natural,
    /// This many capture windows of a minute, within their slot.
    Windows(u32),
}

/// What was written. Lines add up: `lines = headers + records + no_data + skip_data`; a row of a Parquet object is a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Objects.
    pub objects: u64,
    /// Lines.
    pub lines: u64,
    /// Header lines.
    pub headers: u64,
    /// Records.
    pub records: u64,
    /// Of the records, those of the VPC that the policy does not know.
    pub out_of_scope: u64,
    /// Of the records, those from the internet that nobody asked for.
    pub noise: u64,
    /// Of the records, those of IPv6.
    pub ipv6: u64,
    /// NODATA lines.
    pub no_data: u64,
    /// SKIPDATA lines.
    pub skip_data: u64,
    /// Connections.
    pub connections: u64,
    /// Bytes of record lines in text objects, before compression.
    pub bytes: u64,
    /// Planted findings.
    pub planted: u64,
}

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The folder holds logs already; they would mix.
    #[error("expected no logs in {}, found some; remove them or name another folder", .0.display())]
    NotEmpty(PathBuf),
    /// The options contradict themselves.
    #[error("expected {wants}, got {got}")]
    Options {
        /// What would be right.
        wants: &'static str,
        /// What was asked for.
        got: u64,
    },
    /// Writing failed.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why it failed.
        #[source]
        error: std::io::Error,
    },
}

impl GenerateError {
    fn io(path: &Path, error: std::io::Error) -> GenerateError {
        GenerateError::Io {
            path: path.to_owned(),
            error,
        }
    }
}

/// Writes `dir/logs`, `dir/planted.ndjson` and `dir/totals.json`. Memory does not grow with the number of records, only with
/// the size of a slot's objects, compressed.
///
/// # Errors
/// When the options make no sense, when `dir/logs` exists already, or when writing fails.
pub fn generate(dir: &Path, options: &Options) -> Result<Summary, GenerateError> {
    check(options)?;
    let logs = dir.join("logs");
    if logs.exists() {
        return Err(GenerateError::NotEmpty(logs));
    }
    let (summary, planted) = run::run(&logs, options)?;
    let mut lines = Vec::new();
    for finding in &planted {
        serde_json::to_writer(&mut lines, finding).expect("a finding is plain data");
        lines.push(b'\n');
    }
    let mut totals = serde_json::to_vec_pretty(&summary).expect("a summary is plain data");
    totals.push(b'\n');
    for (name, content) in [("planted.ndjson", lines), ("totals.json", totals)] {
        let path = dir.join(name);
        std::fs::write(&path, content).map_err(|error| GenerateError::io(&path, error))?;
    }
    Ok(summary)
}

fn check(options: &Options) -> Result<(), GenerateError> {
    let wrong = |wants, got: u32| {
        Err(GenerateError::Options {
            wants,
            got: got.into(),
        })
    };
    if options.slots == 0 {
        return wrong("at least one slot", 0);
    }
    if !options.start.is_multiple_of(SLOT_SECS) {
        return wrong("a start at a multiple of 300 seconds", options.start);
    }
    if options
        .start
        .checked_add(options.slots.saturating_mul(SLOT_SECS))
        .is_none()
    {
        return wrong("an end before the year 2106", options.slots);
    }
    if options.noise + options.ipv6 > 100 {
        return wrong(
            "shares of noise and IPv6 of at most 100 percent together",
            options.noise + options.ipv6,
        );
    }
    match options.records_per_connection {
        Some(records @ (0 | 17..)) => wrong("1 to 16 records per connection", records),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every file below a folder, by its path there.
    fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = walkdir::WalkDir::new(root)
            .into_iter()
            .map(|entry| entry.expect("a readable folder"));
        let files = entries
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry
                    .path()
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_owned();
                (name, std::fs::read(entry.path()).expect("a readable file"))
            });
        files.collect()
    }

    fn generated(options: &Options) -> (Summary, BTreeMap<PathBuf, Vec<u8>>) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let summary = generate(dir.path(), options).expect("generated");
        (summary, files(dir.path()))
    }

    fn small() -> Options {
        Options {
            records: 6000,
            slots: 12,
            ..Options::default()
        }
    }

    #[test]
    fn a_seed_fixes_every_byte() {
        let (summary, once) = generated(&small());
        assert_eq!((summary, once), generated(&small()));
        assert_ne!(
            generated(&small()).1,
            generated(&Options { seed: 2, ..small() }).1
        );
    }

    #[test]
    fn lines_add_up_and_shares_are_met() {
        let (summary, _) = generated(&small());
        assert_eq!(
            summary.lines,
            summary.headers + summary.records + summary.no_data + summary.skip_data
        );
        assert!(summary.no_data > 0 && summary.skip_data > 0 && summary.out_of_scope > 0);
        assert!(summary.records.abs_diff(6000) < 900, "{summary:?}");
        assert!(
            (9..=11).contains(&(summary.noise * 100 / summary.records)),
            "{summary:?}"
        );
        assert!(
            (4..=6).contains(&(summary.ipv6 * 100 / summary.records)),
            "{summary:?}"
        );
    }

    #[test]
    fn the_benchmark_s_input_has_16_objects_and_four_records_a_connection() {
        let (summary, files) = generated(&Options {
            records: 8000,
            ..Options::bench(4)
        });
        assert_eq!(summary.objects, 16);
        assert_eq!(
            files
                .keys()
                .filter(|name| name.extension().is_some_and(|end| end == "gz"))
                .count(),
            16
        );
    }

    #[test]
    fn connections_have_the_records_asked_for() {
        for asked in [1, 2, 4, 8, 16] {
            let (summary, _) = generated(&Options {
                records: 20_000,
                large: false,
                ..Options::bench(asked)
            });
            let got = summary.records as f64 / summary.connections as f64;
            assert!(
                (got - f64::from(asked)).abs() < 0.1 * f64::from(asked),
                "{asked}: {summary:?}"
            );
        }
    }

    #[test]
    fn logs_that_are_there_are_not_mixed_with_new_ones() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        generate(dir.path(), &small()).expect("generated");
        assert!(matches!(
            generate(dir.path(), &small()),
            Err(GenerateError::NotEmpty(_))
        ));
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for options in [
            Options {
                slots: 0,
                ..small()
            },
            Options {
                start: 7,
                ..small()
            },
            Options {
                noise: 80,
                ipv6: 30,
                ..small()
            },
            Options {
                records_per_connection: Some(0),
                ..small()
            },
        ] {
            assert!(
                matches!(
                    generate(dir.path(), &options),
                    Err(GenerateError::Options { .. })
                ),
                "{options:?}"
            );
        }
    }
}
