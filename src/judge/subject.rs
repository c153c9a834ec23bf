//! What findings are about, steadily, and how they are told apart.

use crate::net::Addr;
use crate::net::protocol;
use crate::policy::{MuteQuestion, Policy, ZoneKind};

use super::Kind;

/// The subject of a server outside that is a public address of one's own, by the inventory: the connection leaves the
/// network only to come back.
pub const SELF_PUBLIC: &str = "self-public";

/// How many of the heaviest addresses a finding names.
const HEAVIEST: usize = 10;

/// The kind of the zone of this name; what the policy does not know is the internet.
pub fn zone_kind(policy: &Policy, name: &str) -> ZoneKind {
    policy
        .zone_named(name)
        .map_or(ZoneKind::Internet, |zone| policy.zone_kind(zone))
}

/// What a finding is about, steadily: an inside end's workload, else its address; a client on the internet `internet`,
/// any other outside end its destination or AWS service, else its /24 or /48.
pub fn subject(kind: ZoneKind, zone: &str, addr: Addr, workload: Option<&str>) -> String {
    match kind {
        ZoneKind::Tier | ZoneKind::Unassigned => {
            workload.map_or_else(|| addr.to_string(), str::to_owned)
        }
        ZoneKind::Destination | ZoneKind::Aws => zone.to_owned(),
        ZoneKind::Internet | ZoneKind::Private | ZoneKind::Local => {
            let (prefix, bits) = addr.neighbourhood();
            format!("{prefix}/{bits}")
        }
    }
}

/// A client on the internet is just that: scanners change their addresses by the hour.
pub fn client_subject(kind: ZoneKind, zone: &str, addr: Addr, workload: Option<&str>) -> String {
    match kind {
        ZoneKind::Internet => zone.to_owned(),
        _ => subject(kind, zone, addr, workload),
    }
}

/// The number of a finding: the same from day to day.
pub fn finding_id(
    network: &str,
    kind: Kind,
    [client, server]: &[String; 2],
    port: Option<u16>,
    protocol: u8,
    rule: &str,
) -> u64 {
    let port = port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    let text = [
        network,
        kind.as_str(),
        client,
        server,
        &port,
        &protocol.to_string(),
        rule,
    ]
    .join("\u{1f}");
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// An end as titles show it: its zone, and what it is there.
pub fn shown(subject: &str, zone: &str) -> String {
    if subject == zone {
        subject.to_owned()
    } else {
        format!("{zone} {subject}")
    }
}

/// A service as people write it: `tcp/443`.
pub fn service(number: u8, port: Option<u16>) -> String {
    let protocol =
        protocol::name(number).map_or_else(|| format!("protocol {number}"), str::to_owned);
    match port {
        Some(port) => format!("{protocol}/{port}"),
        None => protocol,
    }
}

/// Whether a mute of the policy covers a finding of this kind about these zones, at `at`; an empty zone is none.
pub fn is_muted(
    policy: &Policy,
    kind: Kind,
    [client, server]: [&str; 2],
    (protocol, server_port, rule): (u8, Option<u16>, &str),
    at: u32,
) -> bool {
    let question = MuteQuestion {
        kind: kind.as_str(),
        client_zone: policy.zone_named(client),
        server_zone: policy.zone_named(server),
        protocol,
        server_port,
        rule,
        at,
    };
    policy.mute(&question).is_some()
}

/// The heaviest addresses, heaviest first, and how many bytes each had.
pub fn heaviest(bytes: impl IntoIterator<Item = (Addr, u64)>) -> Vec<(Addr, u64)> {
    let mut all: Vec<(Addr, u64)> = bytes.into_iter().collect();
    all.sort_by_key(|(addr, bytes)| (std::cmp::Reverse(*bytes), *addr));
    all.truncate(HEAVIEST);
    all
}
