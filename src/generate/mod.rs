//! A synthetic VPC's flow logs, as AWS writes them, with violations planted among ordinary traffic.
//!
//! [`generate`] writes `DIR/logs` in AWS's own key layout, `DIR/planted.ndjson` with the findings that a scan against
//! `policies/sec-003.toml` must report, and `DIR/totals.json` with what the lines add up to. The same options give the same
//! bytes: chance comes from the seed alone, and no clock is read. A [`Scenario`] plants one attack in a quiet day instead, and
//! `planted.ndjson` says what the detector of that name must find.
//!
//! [`generate_from`] makes traffic from any other policy, and says what a scan against it must find.
//!
//! In reading order: `fleet` is what there is, `connection` what can happen, `traffic` and `noise` what does, `breach`
//! what should not, `scenario` and `roster` a day with one attack, `from_policy` what another policy allows and denies; `leg` and `recorder` say what interfaces see of it
//! (`gateway`: what the transit gateway sees), `row` how a field is written, `flowlog` who logs what, `object` and `parquet`
//! how it is stored.

use std::path::{Path, PathBuf};

mod breach;
mod connection;
mod dice;
mod fleet;
mod flowlog;
mod from_policy;
mod gateway;
mod leg;
mod noise;
mod object;
mod options;
mod parquet;
mod plant;
mod recorder;
mod roster;
mod row;
mod run;
mod scenario;
mod stage;
mod traffic;

pub use from_policy::{PolicyOptions, Unmade, Why, generate_from};
pub use options::{Layouts, Options};
pub use plant::Planted;
pub use scenario::Scenario;

use options::Pace;

/// How long AWS gathers records before it publishes an object, seconds.
const SLOT_SECS: u32 = 300;

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
    /// No record can belong to a network of the policy.
    #[error(
        "expected a network that names its vpcs, accounts or regions, found none; no record would belong to one"
    )]
    NoNetwork,
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

/// Writes `dir/logs`, `dir/planted.ndjson`, `dir/totals.json` and, in the scenario of that name, `dir/watchlist.txt`. Memory
/// does not grow with the number of records, only with the size of a slot's objects, compressed.
///
/// # Errors
/// When the options make no sense, when `dir/logs` exists already, or when writing fails.
pub fn generate(dir: &Path, options: &Options) -> Result<Summary, GenerateError> {
    options.check()?;
    let logs = new_logs(dir)?;
    let (summary, planted) = run::run(&logs, options)?;
    let more: &[(&str, &str)] = match options.scenario {
        Some(Scenario::Watchlist) => &[("watchlist.txt", scenario::WATCHLIST)],
        _ => &[],
    };
    write_beside(dir, &summary, &planted, more)?;
    Ok(summary)
}

/// The folder for logs, which is not there yet.
fn new_logs(dir: &Path) -> Result<PathBuf, GenerateError> {
    let logs = dir.join("logs");
    if logs.exists() {
        return Err(GenerateError::NotEmpty(logs));
    }
    Ok(logs)
}

/// Writes what stands beside the logs.
fn write_beside(
    dir: &Path,
    summary: &Summary,
    planted: &[Planted],
    more: &[(&str, &str)],
) -> Result<(), GenerateError> {
    let mut lines = Vec::new();
    for finding in planted {
        serde_json::to_writer(&mut lines, finding).expect("a finding is plain data");
        lines.push(b'\n');
    }
    let mut totals = serde_json::to_vec_pretty(summary).expect("a summary is plain data");
    totals.push(b'\n');
    let more = more.iter().map(|(name, text)| (*name, Vec::from(*text)));
    let files = [("planted.ndjson", lines), ("totals.json", totals)];
    for (name, content) in files.into_iter().chain(more) {
        let path = dir.join(name);
        std::fs::write(&path, content).map_err(|error| GenerateError::io(&path, error))?;
    }
    Ok(())
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
    fn sample_logs_are_what_the_default_options_give() {
        let (_, generated) = generated(&Options::default());
        let kept = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs"));
        assert!(
            generated.keys().eq(kept.keys()),
            "generate sample-logs anew"
        );
        for (name, bytes) in &kept {
            assert_eq!(generated.get(name), Some(bytes), "{}", name.display());
        }
        let size: usize = kept.values().map(Vec::len).sum();
        assert!(size < 6 << 20, "sample-logs take {size} bytes");
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
