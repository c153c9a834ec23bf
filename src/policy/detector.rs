//! `[detect.NAME]`: which detectors there are, what may be set of each, and what a file sets. What they do with it is
//! [`crate::detect`]'s.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Severity;
use super::pinned::{Read, bytes_of};
use super::problem::{Problems, excerpt};
use super::section::{Section, Word};
use crate::net::Prefix;

/// A detector as the policy's language knows it.
#[derive(Debug)]
pub struct Detector {
    /// Its name, and the kind of its findings.
    pub name: &'static str,
    /// How bad its findings are where the policy does not say.
    pub severity: Severity,
    /// What it finds, in a sentence.
    pub finds: &'static str,
    /// What may be set beside what all have.
    pub parameters: &'static [Parameter],
}

/// Something that may be set.
#[derive(Debug)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What holds where the policy does not say.
    pub default: Value,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// The value of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A whole number from 1 on.
    Number(u64),
    /// A whole number from 0 to 100.
    Percent(u64),
    /// Ports.
    Ports(&'static [u64]),
    /// Texts.
    Texts(&'static [&'static str]),
}

/// What all detectors have: keys and what they mean.
pub const COMMON: [(&str, &str); 3] = [
    ("enabled", "`false` turns the detector off"),
    (
        "severity",
        "how bad its findings are: low, medium, high or critical",
    ),
    ("owner", "who answers for its findings"),
];

/// The most that a number may be: a thousand times this still is one.
const MOST: u64 = 1 << 40;

const fn number(name: &'static str, default: u64, doc: &'static str) -> Parameter {
    Parameter {
        name,
        default: Value::Number(default),
        doc,
    }
}

const fn percent(name: &'static str, default: u64, doc: &'static str) -> Parameter {
    Parameter {
        name,
        default: Value::Percent(default),
        doc,
    }
}

const fn texts(name: &'static str, doc: &'static str) -> Parameter {
    Parameter {
        name,
        default: Value::Texts(&[]),
        doc,
    }
}

const fn ports(name: &'static str, default: &'static [u64], doc: &'static str) -> Parameter {
    Parameter {
        name,
        default: Value::Ports(default),
        doc,
    }
}

const ADMIN_PORTS: &[u64] = &[21, 22, 23, 135, 139, 445, 3389, 5900, 5985, 5986];
const DATABASE_PORTS: &[u64] = &[
    1433, 1521, 3306, 5432, 6379, 7000, 7001, 9042, 9200, 11211, 27017,
];
const UNKNOWN: &str = "with a baseline: as much in an hour is told of where the baseline knows nothing of the subject, MiB";
const TIERS: &str = "the tiers that are watched; by default those called data, mgmt or audit, and those of criticality high";

/// All detectors, in the order in which they are listed.
pub static DETECTORS: [Detector; 17] = [
    Detector {
        name: "port-scan",
        severity: Severity::High,
        finds: "a client that tries many ports of one server",
        parameters: &[
            number(
                "targets",
                20,
                "ports of one server that a client tries in an hour",
            ),
            percent(
                "failed",
                25,
                "of these, how many percent at least were not answered",
            ),
        ],
    },
    Detector {
        name: "host-sweep",
        severity: Severity::High,
        finds: "a client that tries one port of many servers",
        parameters: &[
            number(
                "targets",
                20,
                "servers that a client tries on one port in an hour",
            ),
            percent(
                "failed",
                25,
                "of these, how many percent at least did not answer",
            ),
        ],
    },
    Detector {
        name: "denied-burst",
        severity: Severity::Medium,
        finds: "a client inside that is turned away again and again",
        parameters: &[number(
            "connections",
            100,
            "denied attempts of one client in an hour",
        )],
    },
    Detector {
        name: "exposure-opened",
        severity: Severity::High,
        finds: "a port that turned clients outside away, and now lets them in against the policy",
        parameters: &[number(
            "rejected",
            3,
            "attempts that were rejected before the first that was answered",
        )],
    },
    Detector {
        name: "probe-then-success",
        severity: Severity::Critical,
        finds: "a client that is turned away at several doors, and then gets in where it may not",
        parameters: &[number(
            "probes",
            5,
            "servers and ports that turned the client away before",
        )],
    },
    Detector {
        name: "first-seen",
        severity: Severity::Medium,
        finds: "a connection between workloads that the baseline does not know",
        parameters: &[texts("tiers", TIERS)],
    },
    Detector {
        name: "egress-volume",
        severity: Severity::High,
        finds: "a workload that sends far more out than it uses to",
        parameters: &[
            number(
                "floor_mib",
                256,
                "less than this in an hour is never told of, MiB",
            ),
            number(
                "deviations",
                6,
                "how many robust standard deviations above its median",
            ),
            number("unknown_mib", 4096, UNKNOWN),
        ],
    },
    Detector {
        name: "data-pull",
        severity: Severity::High,
        finds: "a client that reads far more from a data tier than it uses to",
        parameters: &[
            texts(
                "tiers",
                "the tiers that are watched; by default those called data, and those of criticality high",
            ),
            number(
                "floor_mib",
                256,
                "less than this in an hour is never told of, MiB",
            ),
            number(
                "deviations",
                6,
                "how many robust standard deviations above its median",
            ),
            number("unknown_mib", 4096, UNKNOWN),
        ],
    },
    Detector {
        name: "beacon",
        severity: Severity::High,
        finds: "connections at regular intervals to an address that nobody listed and few use",
        parameters: &[
            number(
                "hours",
                6,
                "over how many hours of a day they go on at least",
            ),
            number("connections", 12, "how many there are at least"),
            number("clients", 3, "how many clients may use the address at most"),
            percent(
                "jitter",
                25,
                "by how many percent intervals may differ from their median",
            ),
            ports(
                "except_ports",
                &[123],
                "server ports that are regular by nature",
            ),
        ],
    },
    Detector {
        name: "long-session",
        severity: Severity::Medium,
        finds: "a connection with the internet that stays open for hours",
        parameters: &[number("hours", 6, "how long it is open at least, hours")],
    },
    Detector {
        name: "lateral-fanout",
        severity: Severity::High,
        finds: "a host inside that reaches for the administration or databases of many others",
        parameters: &[
            number("hosts", 10, "servers in an hour"),
            ports(
                "login_ports",
                ADMIN_PORTS,
                "ports of logins: all attempts count",
            ),
            ports(
                "database_ports",
                DATABASE_PORTS,
                "ports of databases: attempts count that are not allowed",
            ),
            Parameter {
                name: "except_tiers",
                default: Value::Texts(&["mgmt"]),
                doc: "tiers whose clients administer others",
            },
        ],
    },
    Detector {
        name: "credential-guessing",
        severity: Severity::High,
        finds: "many short sessions of one client with a login or a database",
        parameters: &[
            number(
                "sessions",
                30,
                "short sessions of one client with one server and port in an hour",
            ),
            number(
                "packets",
                40,
                "a session of more packets than this is not short",
            ),
            ports(
                "login_ports",
                ADMIN_PORTS,
                "ports of logins: sessions count whether they are allowed or not",
            ),
            ports(
                "database_ports",
                DATABASE_PORTS,
                "ports of databases: sessions count that are not allowed",
            ),
        ],
    },
    Detector {
        name: "dns-bypass",
        severity: Severity::High,
        finds: "a host inside that asks resolvers outside, past the VPC's own",
        parameters: &[texts(
            "resolvers",
            "further addresses or prefixes that are known to answer DNS over HTTPS on 443",
        )],
    },
    Detector {
        name: "tunnel",
        severity: Severity::High,
        finds: "traffic hidden in ICMP, GRE, ESP or IP in IP on its way out",
        parameters: &[
            number(
                "icmp_kib",
                1024,
                "ICMP from one host inside to one address outside in an hour, KiB",
            ),
            number(
                "other_kib",
                64,
                "GRE, ESP, AH and IP in IP from one host to one address in an hour, KiB",
            ),
        ],
    },
    Detector {
        name: "watchlist",
        severity: Severity::High,
        finds: "traffic with an address of a list",
        parameters: &[texts(
            "files",
            "lists of addresses and prefixes, one a line, beside the policy file",
        )],
    },
    Detector {
        name: "silent-source",
        severity: Severity::Critical,
        finds: "a flow log, an account or a region that stops to deliver",
        parameters: &[
            number("hours", 2, "how many whole hours without an object"),
            number(
                "before",
                3,
                "in how many hours of the day it delivered before",
            ),
        ],
    },
    Detector {
        name: "coverage-gap",
        severity: Severity::Medium,
        finds: "a flow log that does not tell everything: SKIPDATA, or only one of ACCEPT and REJECT",
        parameters: &[
            percent(
                "skipped",
                5,
                "lines with SKIPDATA, percent of a flow log's day",
            ),
            number(
                "records",
                1000,
                "a flow log with fewer records a day is not judged",
            ),
        ],
    },
];

/// What holds of a detector: what the policy sets, and else the defaults.
#[derive(Debug)]
pub struct Detecting {
    detector: &'static Detector,
    /// Whether it is on.
    pub is_enabled: bool,
    /// How bad its findings are.
    pub severity: Severity,
    /// Who answers for them; empty if nobody is named.
    pub owner: String,
    numbers: BTreeMap<&'static str, Vec<u64>>,
    texts: BTreeMap<&'static str, Vec<String>>,
    lists: Vec<Watchlist>,
}

/// A list of addresses that a policy pins.
#[derive(Debug)]
pub struct Watchlist {
    /// The file as the policy names it.
    pub name: String,
    /// SHA-256 of the file, in hex, its first 12 digits.
    pub digest: String,
    /// What it lists, sorted.
    pub prefixes: Vec<Prefix>,
}

impl Detecting {
    fn new(detector: &'static Detector) -> Detecting {
        let mut detecting = Detecting {
            detector,
            is_enabled: true,
            severity: detector.severity,
            owner: String::new(),
            numbers: BTreeMap::new(),
            texts: BTreeMap::new(),
            lists: Vec::new(),
        };
        for parameter in detector.parameters {
            match parameter.default {
                Value::Number(number) | Value::Percent(number) => {
                    detecting.numbers.insert(parameter.name, vec![number]);
                }
                Value::Ports(numbers) => {
                    detecting.numbers.insert(parameter.name, numbers.to_vec());
                }
                Value::Texts(texts) => {
                    let texts = texts.iter().map(|&text| text.to_owned()).collect();
                    detecting.texts.insert(parameter.name, texts);
                }
            }
        }
        detecting
    }

    /// Which detector it is.
    pub fn detector(&self) -> &'static Detector {
        self.detector
    }

    /// A parameter that is a number; 0 if the detector has none of this name.
    pub fn number(&self, name: &str) -> u64 {
        self.numbers(name).first().copied().unwrap_or(0)
    }

    /// A parameter that is a list of numbers.
    pub fn numbers(&self, name: &str) -> &[u64] {
        self.numbers.get(name).map_or(&[], Vec::as_slice)
    }

    /// A parameter that is a list of texts.
    pub fn texts(&self, name: &str) -> &[String] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    /// The lists that `files` names.
    pub fn lists(&self) -> &[Watchlist] {
        &self.lists
    }
}

/// A `[detect.NAME]` table as written.
pub(super) struct Written {
    detecting: Detecting,
    files: Vec<Word>,
    tiers: Vec<Word>,
}

/// Reads the `[detect.NAME]` tables of a file.
pub(super) fn written(top: &mut Section<'_, '_>, problems: &mut Problems) -> Vec<Written> {
    let mut all = Vec::new();
    for (name, mut section) in top.named("detect", problems) {
        let Some(detector) = DETECTORS.iter().find(|known| known.name == &*name) else {
            let known = DETECTORS.iter().map(|known| known.name);
            problems.unknown(&name.span, "detector", &name, known);
            continue;
        };
        let mut written = Written {
            detecting: Detecting::new(detector),
            files: Vec::new(),
            tiers: Vec::new(),
        };
        written.take(&mut section, problems);
        section.finish(problems);
        all.push(written);
    }
    all
}

impl Written {
    fn take(&mut self, section: &mut Section<'_, '_>, problems: &mut Problems) {
        let detecting = &mut self.detecting;
        detecting.is_enabled = section.flag("enabled", problems).unwrap_or(true);
        let severities = &Severity::ALL[1..];
        if let Some(severity) = section.choice("severity", severities, Severity::as_str, problems) {
            detecting.severity = severity;
        }
        if let Some(owner) = section.word("owner", problems) {
            detecting.owner = owner.text;
        }
        for parameter in detecting.detector.parameters {
            if !section.has(parameter.name) {
                continue;
            }
            match parameter.default {
                Value::Number(_) | Value::Percent(_) => {
                    let range = match parameter.default {
                        Value::Percent(_) => 0..=100,
                        _ => 1..=MOST,
                    };
                    if let Some(number) = section.number(parameter.name, range, problems) {
                        detecting.numbers.insert(parameter.name, vec![number]);
                    }
                }
                Value::Ports(_) => {
                    let ports = section.numbers(parameter.name, 0..=65_535, problems);
                    detecting.numbers.insert(parameter.name, ports);
                }
                Value::Texts(_) => {
                    let words = section.words(parameter.name, problems);
                    let texts = words.iter().map(|word| word.text.clone()).collect();
                    detecting.texts.insert(parameter.name, texts);
                    match parameter.name {
                        "files" => self.files = words,
                        "tiers" | "except_tiers" => self.tiers.extend(words),
                        "resolvers" => check_prefixes(&words, problems),
                        _ => {}
                    }
                }
            }
        }
    }
}

fn check_prefixes(words: &[Word], problems: &mut Problems) {
    for word in words {
        if let Err(error) = word.parse::<Prefix>() {
            problems.add(
                &word.span,
                format!(
                    "expected an address or a prefix, got `{}`: {error}",
                    excerpt(word)
                ),
            );
        }
    }
}

/// What holds of every detector, in the order of [`DETECTORS`].
pub(super) fn detecting(
    written: Vec<Written>,
    tiers: &[String],
    read: Read<'_>,
    problems: &mut Problems,
) -> Vec<Detecting> {
    let mut all: Vec<Detecting> = DETECTORS.iter().map(Detecting::new).collect();
    for mut table in written {
        for word in &table.tiers {
            if !tiers.iter().any(|tier| *tier == word.text) {
                problems.unknown(&word.span, "tier", word, tiers.iter().map(String::as_str));
            }
        }
        for word in &table.files {
            if let Some(list) = watchlist(word, read, problems) {
                table.detecting.lists.push(list);
            }
        }
        let name = table.detecting.detector.name;
        if let Some(place) = all.iter_mut().find(|known| known.detector.name == name) {
            *place = table.detecting;
        }
    }
    all
}

/// Reads a list: an address or a prefix a line; what follows a `#` or a `;` is a comment.
fn watchlist(word: &Word, read: Read<'_>, problems: &mut Problems) -> Option<Watchlist> {
    let bytes = bytes_of(word, read, problems)?;
    let digest: String = Sha256::digest(&bytes)[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut prefixes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        match entry.parse::<Prefix>() {
            Ok(prefix) => prefixes.push(prefix),
            Err(error) => {
                let (file, line) = (excerpt(word), number + 1);
                problems.add(
                    &word.span,
                    format!("cannot use `{file}`, line {line}: expected an address or a prefix, got `{}`: {error}", excerpt(entry)),
                );
                return None;
            }
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Some(Watchlist {
        name: word.text.clone(),
        digest,
        prefixes,
    })
}
