//! The denies: what network ACLs refuse by an entry of their own.
//!
//! A network ACL is asked in the order of its entries and knows no connections: replies pass it like requests. A deny of the
//! policy has no order and is about connections. So an entry that refuses is carried over without what an entry before it
//! lets through, and only if it is about requests; what it does to replies, and the deny that closes every network ACL, are
//! listed. What stays within a subnet never passes a network ACL.

use std::collections::BTreeSet;

use super::names;
use super::network::Network;
use super::place::Places;
use super::ports::Ports;
use super::rule::ports_text;
use super::sheet::{RuleEntry, Sheet};
use crate::config::{AclEntry, Config, Direction, NetworkAcl};
use crate::net::Prefix;
use crate::net::ports::PortRange;

/// Ports from which no system takes the source ports of connections by default: those above may be a reply's.
const LAST_OF_SERVERS: u16 = 1023;

/// Ports from which all current systems take source ports, so that a range that holds them is meant for replies.
const OF_CLIENTS: (u16, u16) = (49_152, 60_999);

/// Enters the denies of a network.
pub(super) fn denies(
    config: &Config,
    network: &Network<'_>,
    all: &[Network<'_>],
    places: &mut Places,
    sheet: &mut Sheet,
) {
    let is_here = |acl: &&NetworkAcl| acl.vpc.as_deref() == Some(network.id.as_str());
    for acl in config.acls.iter().filter(is_here) {
        let ids: BTreeSet<&str> = acl.subnets.iter().map(String::as_str).collect();
        let is_used = network
            .subnets
            .iter()
            .any(|one| ids.contains(one.subnet.id.as_str()));
        if !is_used {
            continue;
        }
        let tag = acl.tags.get("Name").map(String::as_str);
        let name = names::of(&[tag], &acl.id);
        for direction in [Direction::Ingress, Direction::Egress] {
            let of_direction =
                |entry: &&AclEntry| entry.direction == direction && network.has(entry.cidr.is_v4());
            let entries: Vec<&AclEntry> = acl.entries.iter().filter(of_direction).collect();
            for (at, entry) in entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| !entry.is_allow)
            {
                match left_of(entry, &entries[..at]) {
                    Ok(Some(left)) => {
                        let own = places.subnets(network, all, &ids, &format!("{name}-subnets"));
                        let rule = rule(entry, left, own, (&name, acl), network, places, sheet);
                        sheet.denies.push(rule);
                    }
                    // What stands before it lets all of it through.
                    Ok(None) => {}
                    Err(why) => sheet.note(format!("{}: {why}", told(acl, entry))),
                }
            }
            for is_v4 in network.families() {
                note_closing(acl, &entries, direction, is_v4, sheet);
            }
        }
    }
}

/// What a refusing entry still refuses behind the entries before it.
struct Left {
    ports: Ports,
    except: Vec<Prefix>,
}

/// What is left of an entry; none if nothing is; an error if a deny could not say it.
fn left_of(entry: &AclEntry, before: &[&AclEntry]) -> Result<Option<Left>, String> {
    if let Some((kind, _)) = entry.traffic.icmp {
        return Err(format!(
            "refuses ICMP of type {kind}, and flow logs do not tell types"
        ));
    }
    if is_for_replies(entry.traffic.ports) {
        return Err(
            "refuses the ports from which connections come, which is about replies".to_owned(),
        );
    }
    let mut ports = Ports::of(entry.traffic.ports);
    let lets_through = |other: &&&AclEntry| other.is_allow;
    let wider = before
        .iter()
        .filter(lets_through)
        .filter(|other| other.cidr.covers(entry.cidr));
    for other in wider {
        if other.traffic.icmp.is_some() && ports.meets(other.traffic.ports) {
            return Err(by_order(other));
        }
        match ports.without(other.traffic.ports) {
            Some(left) => ports = left,
            None => return Ok(None),
        }
    }
    let mut except = Vec::new();
    let is_narrower =
        |other: &&&AclEntry| entry.cidr.covers(other.cidr) && entry.cidr != other.cidr;
    for other in before.iter().filter(lets_through).filter(is_narrower) {
        if !ports.meets(other.traffic.ports) {
            continue;
        }
        let is_all_of_it = other.traffic.icmp.is_none()
            && match &ports {
                Ports::Only(_) => ports.without(other.traffic.ports).is_none(),
                Ports::Any | Ports::Except(_) => other.traffic.ports.is_none(),
            };
        if !is_all_of_it {
            return Err(by_order(other));
        }
        except.push(other.cidr);
    }
    Ok(Some(Left { ports, except }))
}

fn by_order(other: &AclEntry) -> String {
    format!(
        "depends on the order: entry {} lets a part of it through before",
        other.number
    )
}

/// Whether a range can only be meant for replies.
fn is_for_replies(range: Option<PortRange>) -> bool {
    range.is_some_and(|range| {
        range.first > LAST_OF_SERVERS && range.first <= OF_CLIENTS.0 && range.last >= OF_CLIENTS.1
    })
}

/// The entry as people know it.
fn told(acl: &NetworkAcl, entry: &AclEntry) -> String {
    let way = match entry.direction {
        Direction::Ingress => "inbound",
        Direction::Egress => "outbound",
    };
    format!("{}, {way} entry {}", acl.id, entry.number)
}

fn rule(
    entry: &AclEntry,
    left: Left,
    own: Vec<String>,
    (name, acl): (&str, &NetworkAcl),
    network: &Network<'_>,
    places: &mut Places,
    sheet: &mut Sheet,
) -> RuleEntry {
    let touches_inside = !network.inside_part(entry.cidr).is_empty();
    let other_side = words(entry.cidr, network, places);
    let mut except: Vec<String> = Vec::new();
    if touches_inside {
        except.push("same-subnet".to_owned());
    }
    for prefix in left.except {
        except.extend(words(prefix, network, places));
    }
    let (is_inbound, way) = match entry.direction {
        Direction::Ingress => (true, "in"),
        Direction::Egress => (false, "out"),
    };
    let may_be_replies = match &left.ports {
        Ports::Any | Ports::Except(_) => true,
        Ports::Only(set) => set.ranges().iter().any(|range| range.last >= OF_CLIENTS.0),
    };
    if may_be_replies {
        sheet.note(format!(
            "{}: refuses replies too, of connections that go the other way",
            told(acl, entry)
        ));
    }
    let wanted = format!("{name}-{}-{way}-{}", entry.number, ports_text(&left.ports));
    let id = sheet.claim_id(&wanted);
    let has_both = network.families().count() == 2;
    let (from, from_except, to, to_except) = if is_inbound {
        (other_side, except, own, Vec::new())
    } else {
        (own, Vec::new(), other_side, except)
    };
    RuleEntry {
        id,
        comment: None,
        from,
        from_except,
        to,
        to_except,
        ports: left.ports,
        ipv4: has_both.then(|| entry.cidr.is_v4()),
        reason: told(acl, entry),
    }
}

/// The words for a prefix at the other side of a network ACL.
fn words(prefix: Prefix, network: &Network<'_>, places: &mut Places) -> Vec<String> {
    if prefix.is_empty() {
        return vec!["any".to_owned()];
    }
    let mut words = places.outside(network, prefix);
    words.extend(places.inside(network, prefix));
    words
}

/// Lists what the closing deny refuses, unless something before it lets everything through.
fn note_closing(
    acl: &NetworkAcl,
    entries: &[&AclEntry],
    direction: Direction,
    is_v4: bool,
    sheet: &mut Sheet,
) {
    let of_family = || entries.iter().filter(|entry| entry.cidr.is_v4() == is_v4);
    let is_open = |entry: &&&AclEntry| {
        entry.is_allow && entry.cidr.is_empty() && entry.traffic == crate::config::Traffic::ALL
    };
    if of_family().any(|entry| is_open(&entry)) {
        return;
    }
    let let_through: Vec<String> = of_family()
        .filter(|entry| entry.is_allow)
        .map(|entry| {
            format!(
                "{} of {}",
                ports_text(&Ports::of(entry.traffic.ports)),
                entry.cidr
            )
        })
        .collect();
    let way = match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    let family = if is_v4 { "IPv4" } else { "IPv6" };
    let all = if let_through.is_empty() {
        "nothing".to_owned()
    } else {
        let_through.join(", ")
    };
    sheet.note(format!(
        "{}: lets {way}, of {family}, {all}; that it refuses everything else is not carried over",
        acl.id
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Traffic;

    /// `100 allow 10.0.0.0/8 tcp/443`; `any` is everything.
    fn entry(text: &str) -> AclEntry {
        let words: Vec<&str> = text.split(' ').collect();
        AclEntry {
            direction: Direction::Ingress,
            number: words[0].parse().expect("a number"),
            is_allow: words[1] == "allow",
            cidr: words[2].parse().expect("a prefix"),
            traffic: Traffic {
                ports: (words[3] != "any").then(|| words[3].parse().expect("ports")),
                icmp: None,
            },
        }
    }

    #[test]
    fn an_entry_is_carried_over_without_what_stands_before_it() {
        fn check(before: &[&str], text: &str, expected: &str) {
            let before: Vec<AclEntry> = before.iter().map(|text| entry(text)).collect();
            let before: Vec<&AclEntry> = before.iter().collect();
            let found = match left_of(&entry(text), &before) {
                Ok(None) => "nothing".to_owned(),
                Ok(Some(left)) => {
                    let except: Vec<String> = left.except.iter().map(ToString::to_string).collect();
                    format!("{} {}", ports_text(&left.ports), except.join(" "))
                }
                Err(why) => why,
            };
            assert_eq!(found.trim(), expected, "{text} behind {before:?}");
        }
        let all = "200 deny 0.0.0.0/0 any";
        check(&[], all, "any");
        check(&["1 allow 0.0.0.0/0 any"], all, "nothing");
        check(&["1 allow 0.0.0.0/0 tcp/443"], all, "not-tcp-443");
        check(&["1 allow 10.0.0.0/8 any"], all, "any 10.0.0.0/8");
        check(&["1 deny 10.0.0.0/8 any"], all, "any");
        check(
            &["1 allow 10.0.0.0/8 tcp/443"],
            all,
            "depends on the order: entry 1 lets a part of it through before",
        );
        let ssh = "200 deny 10.0.0.0/8 tcp/22";
        check(
            &["1 allow 10.1.0.0/16 tcp/0-1023"],
            ssh,
            "tcp-22 10.1.0.0/16",
        );
        check(&["1 allow 0.0.0.0/0 udp/*"], ssh, "tcp-22");
        check(&["1 allow 0.0.0.0/0 tcp/0-100"], ssh, "nothing");
        check(
            &[],
            "200 deny 0.0.0.0/0 tcp/1024-65535",
            "refuses the ports from which connections come, which is about replies",
        );
        check(&[], "200 deny 0.0.0.0/0 tcp/*", "tcp");
    }
}
