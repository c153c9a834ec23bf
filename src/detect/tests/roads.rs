//! Resolvers, tunnels, listed addresses: where traffic goes.

use super::*;

#[test]
fn resolvers_outside_are_a_bypass_unless_a_rule_allows_them() {
    let ask = |server: &str, port, protocol| EdgeRow {
        server_addr: addr(server),
        server_port: Some(port),
        protocol,
        ..outward()
    };
    check(
        &detect("", &[ask("198.18.9.9", 53, 17)]),
        &[
            "dns-bypass: app 10.0.1.1 asks the resolver internet 198.18.9.0/24 on udp/53, past the VPC's own: DNS to the outside, which no rule allows",
        ],
    );
    for (edge, expected) in [
        (ask("198.18.9.9", 853, 6), 1),
        (ask("8.8.8.8", 443, 6), 1),
        (ask("198.18.9.9", 443, 6), 0),
        (allowed(ask("198.18.9.9", 53, 17)), 0),
        (rejected(ask("198.18.9.9", 53, 17)), 0),
    ] {
        assert_eq!(detect("", &[edge]).len(), expected, "{edge:?}");
    }
    let more = "[detect.dns-bypass]\nresolvers = [\"198.18.9.0/24\"]\n";
    assert_eq!(detect(more, &[ask("198.18.9.9", 443, 6)]).len(), 1);
}

#[test]
fn tunnels_are_bytes_in_what_carries_none() {
    let carried = |protocol, bytes, edge: EdgeRow<'static>| EdgeRow {
        protocol,
        server_port: None,
        orientation: Orientation::Peer,
        bytes_to_server: bytes,
        ..edge
    };
    check(
        &detect("", &[carried(1, 1 << 20, outward())]),
        &[
            "tunnel: app 10.0.1.1 and internet 198.18.9.0/24 exchange 1 MiB over icmp: 1 MiB went out in an hour; the limit is 1 MiB",
        ],
    );
    for (edge, expected) in [
        (carried(1, (1 << 20) - 1, outward()), 0),
        (allowed(carried(1, 1 << 20, outward())), 1),
        (carried(47, 1 << 16, outward()), 1),
        (allowed(carried(50, 1 << 30, outward())), 0),
        (carried(1, 1 << 20, edge()), 0),
        (rejected(carried(1, 1 << 20, outward())), 0),
    ] {
        assert_eq!(detect("", &[edge]).len(), expected, "{edge:?}");
    }
}

#[test]
fn listed_addresses_are_met_outward_always_and_inward_once_answered() {
    let list = "[detect.watchlist]\nfiles = [\"list.txt\"]\n";
    let to = |server: &str| EdgeRow {
        server_addr: addr(server),
        ..outward()
    };
    let from = |client: &str| EdgeRow {
        client_addr: addr(client),
        ..inward()
    };
    for (edge, expected) in [
        (to("198.18.5.0"), Some(Severity::High)),
        (to("198.18.5.255"), Some(Severity::High)),
        (to("198.18.6.0"), None),
        (to("198.18.6.1"), Some(Severity::High)),
        (to("2001:db8::1"), Some(Severity::High)),
        (to("2001:db8:1::1"), None),
        (rejected(to("198.18.5.7")), Some(Severity::Medium)),
        (from("198.18.5.7"), Some(Severity::High)),
        (rejected(from("198.18.5.7")), None),
    ] {
        let found = detect(list, &[edge]);
        let severity = found.first().map(|finding| finding.severity);
        assert_eq!(severity, expected, "{edge:?}");
    }
    assert!(detect("", &[to("198.18.5.7")]).is_empty());
}
