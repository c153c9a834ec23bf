//! A report made by hand that has something of everything, for the tests of every format.

use std::collections::BTreeMap;

use crate::app::report::{Cell, Coverage, LakeSummary, MalformedSample, Noise, RunReport};
use crate::app::resolver::ResolverReport;
use crate::flow::Tally;
use crate::judge::{Confidence, Finding, Kind, Outcome, ServerNames, Subject};
use crate::net::Origin;
use crate::policy::{DomainLevel, Gathered, Path, Severity};

/// 2026-02-25T06:00:00Z.
const SIX: u32 = 1_771_999_200;

pub(super) fn report() -> RunReport {
    RunReport {
        group_bytes: Default::default(),
        policies: Vec::new(),
        judged_by: BTreeMap::new(),
        policy_id: "SEC-003".to_owned(),
        policy_title: "Network policy and segmentation".to_owned(),
        policy_hash: "1f0c".repeat(16),
        coverage: coverage(),
        matrix: matrix(),
        zones: ["public", "app", "data", "package-repos", "internet"]
            .map(str::to_owned)
            .to_vec(),
        findings: vec![reverse_shell(), shortcut(), known(), muted()],
        origins: BTreeMap::from([(
            "203.0.113.9".parse().expect("an address"),
            Origin {
                asn: Some(64498),
                as_name: Some("Example Cloud".to_owned()),
                country: Some("US".to_owned()),
            },
        )]),
        findings_total: BTreeMap::from([("critical", 1), ("high", 1), ("medium", 1), ("low", 1)]),
        findings_open: BTreeMap::from([("critical", 1), ("medium", 1)]),
        known: vec!["00112233445566aa".to_owned()],
        noise: Noise {
            connections: 4321,
            records: 5001,
            addresses: 777,
        },
        lake: Some(LakeSummary {
            url: "s3://lake/tidegate".to_owned(),
            hours_written: 2,
            hours_kept: 1,
            rows: BTreeMap::from([("edges", 1200), ("findings", 4), ("records", 88)]),
        }),
        resolver: Some(ResolverReport {
            objects: 12,
            bytes: 44_000,
            lines: 5_020,
            blank: 1,
            malformed: 2,
            malformed_samples: vec![(
                "dns/a.log.gz".to_owned(),
                17,
                "expected an IPv4 or IPv6 address in `srcaddr`, got ``".to_owned(),
            )],
            unreadable: Vec::new(),
            gathered: Gathered {
                queries: 5_000,
                answers: 9_000,
                out_of_scope: 17,
                times: Some((SIX - 86_400, SIX + 3600)),
                let_go: 3,
                needed_let_go: 0,
            },
            digest: "d16e".repeat(16),
            grace: 86_400,
            states: Vec::new(),
        }),
        warnings: vec![
            "--since was widened to 2026-02-25T06:00:00Z: with a lake, whole hours are judged"
                .to_owned(),
        ],
    }
}

fn coverage() -> Coverage {
    Coverage {
        objects: 42,
        bytes: 5_347_737,
        decoded_bytes: 31_666_995,
        ignored: 3,
        may_pass: Default::default(),
        unreadable: vec![(
            "s3://logs/AWSLogs/123456789012/x.log.gz".to_owned(),
            "access denied (403)".to_owned(),
        )],
        lines: Tally {
            lines: 50_213,
            blank: 12,
            headers: 42,
            records: 50_100,
            no_data: 20,
            skip_data: 3,
            malformed: 36,
        },
        malformed_samples: vec![MalformedSample {
            source: "logs/a.log".to_owned(),
            line: 17,
            reason: "expected 14 fields, got 3".to_owned(),
            text: "2 1234\u{1b}[31m eni".to_owned(),
        }],
        times: Some((SIX, SIX + 7199)),
        networks: BTreeMap::from([("prod".to_owned(), 47_000), ("shared".to_owned(), 1_000)]),
        interfaces: 35,
        out_of_scope: BTreeMap::from([("vpc-0a".to_owned(), 200), ("vpc-0b".to_owned(), 1_004)]),
        orientation: BTreeMap::from([
            ("syn", 30_000),
            ("syn_ack", 12_000),
            ("port", 12),
            ("service", 5_988),
        ]),
        unjudged: BTreeMap::from([
            ("nat-unsolicited", 800),
            ("out-of-scope", 1_204),
            ("stray", 96),
        ]),
        via_unknown: 7,
        by_client: 1_200,
        by_network: 30,
        by_snapshot: 0,
        shared: 12,
        layouts: BTreeMap::from([("version account-id".to_owned(), 42)]),
        assumed_layouts: 2,
        lacking: vec![(
            "tcp-flags",
            "who opened a connection is guessed from ports and fan-in",
        )],
        advised_format: Some("${version} ${account-id} ${tcp-flags}".to_owned()),
        evidence_let_go: 0,
    }
}

fn matrix() -> BTreeMap<(String, String), Cell> {
    let cell =
        |client: &str, server: &str, cell: Cell| ((client.to_owned(), server.to_owned()), cell);
    BTreeMap::from([
        cell(
            "internet",
            "public",
            Cell {
                compliant: 12_304,
                blocked: 88,
                ..Cell::default()
            },
        ),
        cell(
            "public",
            "app",
            Cell {
                compliant: 9_000,
                ..Cell::default()
            },
        ),
        cell(
            "app",
            "data",
            Cell {
                compliant: 4_100,
                overblocked: 2,
                ..Cell::default()
            },
        ),
        cell(
            "app",
            "internet",
            Cell {
                violation: 12,
                ..Cell::default()
            },
        ),
        cell(
            "app",
            "package-repos",
            Cell {
                compliant: 300,
                unproven: 1,
                ..Cell::default()
            },
        ),
        cell(
            "public",
            "data",
            Cell {
                violation: 1,
                attempted: 4,
                ..Cell::default()
            },
        ),
    ])
}

fn reverse_shell() -> Finding {
    Finding {
        finding_id: "a1b2c3d4e5f60718".to_owned(),
        day: SIX - 6 * 3600,
        kind: Kind::EgressViolation,
        severity: Severity::Critical,
        confidence: Confidence::Certain,
        title: "etl (app) reaches the internet on 4444/tcp".to_owned(),
        network: "prod".to_owned(),
        client: subject("etl", "app", 2, &[("10.0.32.17", 3_000_000), ("10.0.32.18", 400_000)]),
        server: subject("203.0.113.0/24", "internet", 14, &[("203.0.113.9", 3_400_000)]),
        server_names: ServerNames {
            names: vec!["a.evil.example".to_owned(), "evil.example".to_owned()],
            total: 2,
            level: Some(DomainLevel::Client),
        },
        server_port: Some(4444),
        protocol: Some(6),
        rule: "no-way-out-but-https".to_owned(),
        reason: "Reverse shells, \"C2\" and exfiltration: nothing but 443 leaves".to_owned(),
        owner: "security".to_owned(),
        controls: vec!["NIST SC-7".to_owned(), "ISO 27001 A.8.20".to_owned()],
        lacked: Some("port (package-repos)".to_owned()),
        outcome: Some(Outcome::Established),
        via: Some(Path::Nat),
        account_id: Some("123456789012".to_owned()),
        region: Some("us-east-2".to_owned()),
        vpc_id: Some("vpc-0a1b2c3d4e5f60718".to_owned()),
        subnet_id: Some("subnet-0aaa".to_owned()),
        interface_id: Some("eni-0123".to_owned()),
        instance_id: Some("i-0123".to_owned()),
        first_seen: SIX + 12,
        last_seen: SIX + 3300,
        records: 48,
        connections: 12,
        packets: 5_000,
        bytes: 3_400_000,
        source: "logs/AWSLogs/123456789012/vpcflowlogs/us-east-2/2026/02/25/123456789012_vpcflowlogs_us-east-2_fl-0a_20260225T0600Z_5e6f.log.gz".to_owned(),
        line: 1234,
        muted: false,
    }
}

fn shortcut() -> Finding {
    Finding {
        finding_id: "0f1e2d3c4b5a6978".to_owned(),
        kind: Kind::CrossTierViolation,
        severity: Severity::Medium,
        confidence: Confidence::Ambiguous,
        title: "10.0.0.9 (public) reaches 10.0.64.20 (data) on 5432/tcp".to_owned(),
        client: subject("10.0.0.9", "public", 1, &[("10.0.0.9", 120)]),
        server: subject("10.0.64.20", "data", 1, &[("10.0.64.20", 120)]),
        server_port: Some(5432),
        rule: "default".to_owned(),
        reason: String::new(),
        owner: String::new(),
        controls: Vec::new(),
        lacked: Some("expired on 2026-03-31 (vendor-migration)".to_owned()),
        outcome: Some(Outcome::Sent),
        via: None,
        connections: 1,
        bytes: 120,
        source: "logs/b.log.gz".to_owned(),
        line: 7,
        ..reverse_shell()
    }
}

fn known() -> Finding {
    Finding {
        finding_id: "00112233445566aa".to_owned(),
        severity: Severity::High,
        server_port: Some(25),
        title: "etl (app) reaches the internet on 25/tcp".to_owned(),
        ..reverse_shell()
    }
}

/// What logs may hold at worst: a name that is a spreadsheet's formula, no ports, no raw line.
fn muted() -> Finding {
    Finding {
        finding_id: "99aabbccddeeff00".to_owned(),
        kind: Kind::Unassigned,
        severity: Severity::Low,
        title: "=HYPERLINK(\"http://x\",1) & <co>\u{1b}[31m is in no tier".to_owned(),
        client: subject("=HYPERLINK(\"http://x\",1)", "unassigned", 1, &[]),
        server: subject("internet", "internet", 1, &[]),
        server_names: ServerNames::default(),
        server_port: None,
        protocol: Some(1),
        rule: "default".to_owned(),
        reason: String::new(),
        lacked: None,
        outcome: None,
        instance_id: None,
        line: 0,
        muted: true,
        ..reverse_shell()
    }
}

fn subject(name: &str, zone: &str, addresses: u64, heaviest: &[(&str, u64)]) -> Subject {
    Subject {
        subject: name.to_owned(),
        zone: zone.to_owned(),
        addresses,
        heaviest: heaviest
            .iter()
            .map(|(addr, bytes)| (addr.parse().expect("an address"), *bytes))
            .collect(),
    }
}
