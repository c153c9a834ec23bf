//! The detectors, what each finds, and what may be set of it.

use super::{Detector, Parameter, Value};
use crate::policy::Severity;

/// What all detectors have: keys and what they mean.
pub const COMMON: [(&str, &str); 3] = [
    ("enabled", "`false` turns the detector off"),
    (
        "severity",
        "how bad its findings are: low, medium, high or critical",
    ),
    ("owner", "who answers for its findings"),
];

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
        finds: "a workload that sends far more out than it usually does",
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
        finds: "a client that reads far more from a data tier than it usually does",
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
        finds: "a flow log, an account or a region that stops delivering",
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
