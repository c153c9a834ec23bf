//! Tests as text: a line is a record and, behind `=>`, what some of its columns must say.
//!
//! ```text
//! web out 10.0.32.5:41000 -> 10.0.64.20:443 tcp S ACCEPT path=1 => orientation=syn verdict=compliant
//! ```
//!
//! Interface, direction at it (`out`, `in`, `-`), source, target, protocol, TCP flags (letters of `FSRPA`, `0` for none
//! of them, `-` for unknown), action; then further fields as `key=value`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::judge::{TwinRow, judge};
use super::policy::{Network, Subnet, TwinPolicy, cidrs, words};
use super::record::{Layout, TwinObject, TwinRecord};

/// The publishing time of the judged slot: 2026-01-01T12:00:00Z.
pub const SLOT: u32 = 1_767_268_800;
pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "us-east-2";
pub const HORIZON: usize = 12;

/// One network of three tiers, with room that belongs to none; no rules.
pub fn sample() -> TwinPolicy {
    let subnet = |tier: &str, az: &str, prefixes: &str| Subnet {
        tier: tier.to_string(),
        az: Some(az.to_string()),
        labels: vec![("env".to_string(), "prod".to_string())],
        cidrs: cidrs(prefixes),
        ..Subnet::default()
    };
    TwinPolicy {
        networks: vec![Network {
            name: "prod".to_string(),
            vpcs: words("vpc-prod"),
            accounts: words(ACCOUNT),
            regions: words(REGION),
            cidrs: cidrs("10.0.0.0/16 2600:1f16:abcd:ef00::/56"),
            ..Network::default()
        }],
        subnets: vec![
            subnet("web", "use2-az1", "10.0.0.0/24 2600:1f16:abcd:ef00::/64"),
            subnet("app", "use2-az1", "10.0.32.0/24 2600:1f16:abcd:ef01::/64"),
            subnet("app", "use2-az2", "10.0.33.0/24"),
            subnet("data", "use2-az1", "10.0.64.0/24 2600:1f16:abcd:ef02::/64"),
        ],
        ..TwinPolicy::default()
    }
}

/// Judges the table's records by the twin and by the program, and compares both and the expected cells.
#[track_caller]
pub fn check(policy: &TwinPolicy, table: &str) {
    let lines: Vec<TableLine> = table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(TableLine::parse)
        .collect();
    let objects = objects(&lines);
    let rows = judge(policy, &objects, SLOT, HORIZON);
    let mut complaints = String::new();
    for line in &lines {
        let place = objects.iter().find_map(|object| {
            let index = object
                .records
                .iter()
                .position(|record| *record == line.record)?;
            line.is_in(object).then(|| (object.url(), index as u64 + 2))
        });
        let (source, number) = place.expect("every line is a record of an object");
        let row = rows
            .iter()
            .find(|row| row.source == source && row.line == number);
        for (column, expected) in &line.expected {
            let found = row.map_or("no row".to_string(), |row| cell(row, column));
            if found != *expected {
                complaints += &format!(
                    "{}\n    {column}: expected {expected}, got {found}\n",
                    line.text
                );
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}\n{}", describe(&rows));
    super::engine::agree(policy, &objects, SLOT, HORIZON);
}

/// All rows, a line each, every column named.
pub fn describe(rows: &[TwinRow]) -> String {
    rows.iter()
        .map(|row| format!("{}\n", describe_row(row)))
        .collect()
}

pub fn describe_row(row: &TwinRow) -> String {
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|column| format!("{column}={}", cell(row, column)))
        .collect();
    let name = row.source.rsplit('/').next().unwrap_or_default();
    format!("{name}:{} {}", row.line, cells.join(" "))
}

const COLUMNS: [&str; 17] = [
    "network",
    "client",
    "server",
    "client_tier",
    "server_tier",
    "client_groups",
    "server_groups",
    "orientation",
    "confidence",
    "observer",
    "outcome",
    "via",
    "decision",
    "rule",
    "verdict",
    "severity",
    "flags",
];

fn cell(row: &TwinRow, column: &str) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_string());
    let list = |values: &[String]| {
        if values.is_empty() {
            "-".to_string()
        } else {
            values.join(",")
        }
    };
    let end = |addr: &Option<String>, port: Option<u16>| match (addr, port) {
        (Some(addr), Some(port)) if addr.contains(':') => format!("[{addr}]:{port}"),
        (Some(addr), Some(port)) => format!("{addr}:{port}"),
        (Some(addr), None) => addr.clone(),
        (None, _) => "-".to_string(),
    };
    match column {
        "network" => text(&row.network),
        "client" => end(&row.client_addr, row.client_port),
        "server" => end(&row.server_addr, row.server_port),
        "client_tier" => text(&row.client_tier),
        "server_tier" => text(&row.server_tier),
        "client_groups" => list(&row.client_groups),
        "server_groups" => list(&row.server_groups),
        "orientation" => text(&row.orientation),
        "confidence" => text(&row.confidence),
        "observer" => text(&row.observer),
        "outcome" => text(&row.outcome),
        "via" => text(&row.via),
        "decision" => text(&row.decision),
        "rule" => row.rule.clone(),
        "verdict" => row.verdict.clone(),
        "severity" => text(&row.severity),
        "flags" => {
            let names = [
                "denied_attempt",
                "egress",
                "cross_tier",
                "intra_tier",
                "ingress",
            ];
            let set = names.iter().zip(row.flags).filter(|(_, set)| *set);
            list(&set.map(|(name, _)| name.to_string()).collect::<Vec<_>>())
        }
        other => panic!("no column `{other}`"),
    }
}

struct TableLine {
    text: String,
    slot: u32,
    flow_log: String,
    layout: Layout,
    record: TwinRecord,
    expected: Vec<(String, String)>,
}

impl TableLine {
    fn is_in(&self, object: &TwinObject) -> bool {
        object.slot == self.slot && object.flow_log == self.flow_log && object.layout == self.layout
    }

    fn parse(text: &str) -> TableLine {
        let (before, behind) = text.split_once("=>").unwrap_or((text, ""));
        let tokens: Vec<&str> = before.split_whitespace().collect();
        let [
            interface,
            direction,
            src,
            "->",
            dst,
            protocol,
            flags,
            action,
            pairs @ ..,
        ] = &tokens[..]
        else {
            panic!("no record: {text}");
        };
        let pairs: BTreeMap<&str, &str> = pairs
            .iter()
            .map(|pair| pair.split_once('=').expect("key=value"))
            .collect();
        let get = |key: &str| pairs.get(key).copied().filter(|value| *value != "-");
        let own = |key: &str| get(key).map(str::to_string);
        let vpc = |key: &str| match pairs.get(key) {
            Some(&"-") => None,
            given => Some(given.unwrap_or(&"vpc-prod").to_string()),
        };
        let number = |key: &str, default: i64| {
            get(key).map_or(default, |value| value.parse().expect("a number"))
        };
        let offset = |key: &str, default: i64| {
            let absent = pairs.get(key) == Some(&"-");
            (!absent)
                .then(|| (i64::from(SLOT) + 300 * number("slot", 0) + number(key, default)) as u32)
        };
        let protocol = protocol_number(protocol);
        let (srcaddr, srcport) = end(src);
        let (dstaddr, dstport) = end(dst);
        let packet = |key: &str, hop: Option<IpAddr>| match pairs.get(key) {
            Some(&"-") => None,
            Some(addr) => Some(addr.parse().expect("an address")),
            None => hop,
        };
        let slot = (i64::from(SLOT) + 300 * number("slot", 0)) as u32;
        let record = TwinRecord {
            account: Some(get("account").unwrap_or(ACCOUNT).to_string()),
            interface: (*interface != "-").then(|| format!("eni-{interface}")),
            srcaddr,
            dstaddr,
            srcport,
            dstport,
            protocol,
            packets: Some(number("packets", 10) as u64),
            bytes: Some(number("bytes", 840) as u64),
            start: offset("start", 10),
            end: offset("end", 60),
            action: (*action != "-").then(|| action.to_string()),
            vpc: Some(get("vpc").unwrap_or("vpc-prod").to_string()),
            instance: own("instance"),
            flags: flag_bits(flags),
            pkt_src: packet("pkt-src", srcaddr),
            pkt_dst: packet("pkt-dst", dstaddr),
            region: Some(REGION.to_string()),
            src_service: own("svc-src"),
            dst_service: own("svc-dst"),
            direction: match *direction {
                "out" => Some("egress".to_string()),
                "in" => Some("ingress".to_string()),
                _ => None,
            },
            path: get("path").map(|path| path.parse().expect("a path")),
            ecs_service: own("ecs"),
            encryption: get("enc").map(|status| status.parse().expect("a status")),
            instance_tag: own("tag"),
            interface_tag: None,
            asg_tag: None,
            interface_type: own("type"),
            next_hop_type: own("next"),
            next_hop_id: own("next-id"),
            tgw_src_vpc: vpc("src-vpc"),
            tgw_dst_vpc: vpc("dst-vpc"),
        };
        let layout = match get("layout").unwrap_or("v5") {
            "v2" => Layout::V2,
            "v5" => Layout::V5,
            "v5-" => Layout::V5NoDirection,
            "v11" => Layout::V11,
            "tgw" => Layout::Tgw,
            other => panic!("no layout `{other}`"),
        };
        let flow_log = format!("fl-{}", get("log").unwrap_or("1"));
        let expected = behind
            .split_whitespace()
            .map(|cell| cell.split_once('=').expect("column=value"));
        let expected = expected
            .map(|(column, value)| (column.to_string(), value.to_string()))
            .collect();
        TableLine {
            text: text.to_string(),
            slot,
            flow_log,
            layout,
            record,
            expected,
        }
    }
}

fn end(text: &str) -> (Option<IpAddr>, Option<u16>) {
    if let Ok(end) = text.parse::<SocketAddr>() {
        return (Some(end.ip()), Some(end.port()));
    }
    match text {
        "-" => (None, None),
        addr => (
            Some(addr.parse().expect("an address, with a port or without")),
            None,
        ),
    }
}

fn protocol_number(text: &str) -> Option<u8> {
    match text {
        "-" => None,
        "icmp" => Some(1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmpv6" => Some(58),
        number => Some(number.parse().expect("a protocol")),
    }
}

fn flag_bits(text: &str) -> Option<u8> {
    let bit = |letter: char| match letter {
        'F' => 1,
        'S' => 2,
        'R' => 4,
        'P' => 8,
        'A' => 16,
        _ => 0,
    };
    (text != "-").then(|| text.chars().map(bit).sum())
}

fn objects(lines: &[TableLine]) -> Vec<TwinObject> {
    let mut objects: Vec<TwinObject> = Vec::new();
    for line in lines {
        if let Some(object) = objects.iter_mut().find(|object| line.is_in(object)) {
            object.records.push(line.record.clone());
            continue;
        }
        objects.push(TwinObject {
            account: ACCOUNT.to_string(),
            region: REGION.to_string(),
            flow_log: line.flow_log.clone(),
            slot: line.slot,
            number: objects.len(),
            layout: line.layout,
            records: vec![line.record.clone()],
        });
    }
    objects
}
