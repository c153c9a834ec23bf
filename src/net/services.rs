//! The program's list of services: which ports are servers' in practice, by protocol.
//!
//! Evidence of the last but two resort for who is the client: exactly one port of a connection is in the list. The
//! list is part of the program's version, never of the policy: what a policy would allow is no evidence of direction.
//! The data and its sources are in `services.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::protocol::{TCP, UDP};

/// DCCP, of which IANA registers a few ports.
const DCCP: u8 = 33;
/// SCTP.
const SCTP: u8 = 132;

/// Whether the port is a service of the protocol. Two memory accesses; false for protocols without ports.
#[inline]
pub fn is_service(protocol: u8, port: u16) -> bool {
    let Some(table) = table_index(protocol) else {
        return false;
    };
    SERVICES.bits[table][usize::from(port >> 6)] >> (port & 63) & 1 == 1
}

/// The service's name, as IANA or its product has it; none for a port that is not in the list.
pub fn service_name(protocol: u8, port: u16) -> Option<&'static str> {
    SERVICES.names.get(&(protocol, port)).copied()
}

/// The list, ready to be asked.
struct Services {
    /// Per protocol (see [`table_index`]) a bit for every port.
    bits: Box<[[u64; 1024]; 4]>,
    names: HashMap<(u8, u16), &'static str>,
}

static SERVICES: LazyLock<Services> = LazyLock::new(|| {
    let mut services = Services {
        bits: Box::new([[0; 1024]; 4]),
        names: HashMap::new(),
    };
    for (port, name, protocol) in entries() {
        let table = table_index(protocol).expect("the list names protocols with ports only");
        services.bits[table][usize::from(port >> 6)] |= 1 << (port & 63);
        services.names.insert((protocol, port), name);
    }
    services
});

const fn table_index(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(0),
        UDP => Some(1),
        SCTP => Some(2),
        DCCP => Some(3),
        _ => None,
    }
}

/// The lines of the data file: one triple per port and protocol.
fn entries() -> impl Iterator<Item = (u16, &'static str, u8)> {
    include_str!("services.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| {
            let mut words = line.split(' ');
            let port = words
                .next()
                .and_then(|word| word.parse().ok())
                .expect("a line begins with a port");
            let name = words.next().expect("a name follows the port");
            words.map(move |word| (port, name, protocol_number(word)))
        })
}

fn protocol_number(word: &str) -> u8 {
    match word {
        "tcp" => TCP,
        "udp" => UDP,
        "sctp" => SCTP,
        "dccp" => DCCP,
        _ => panic!("expected a protocol with ports in the list of services, got `{word}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: u8, ports: &[u16], expected: bool) {
        for &port in ports {
            assert_eq!(
                is_service(protocol, port),
                expected,
                "protocol {protocol}, port {port}"
            );
            assert_eq!(
                service_name(protocol, port).is_some(),
                expected,
                "protocol {protocol}, port {port}"
            );
        }
    }

    #[test]
    fn services_that_users_rely_on_are_listed() {
        check(
            TCP,
            &[
                22, 443, 3306, 3389, 5432, 6379, 6514, 7000, 7001, 8080, 8443, 9092, 9200, 27017,
                50051,
            ],
            true,
        );
        check(UDP, &[53, 123, 443, 514, 4789], true);
        assert_eq!(service_name(TCP, 443), Some("https"));
        assert_eq!(service_name(UDP, 514), Some("syslog"));
    }

    #[test]
    fn other_ports_and_protocols_without_ports_are_not() {
        check(TCP, &[0, 1024, 1025, 40000, 65535, 4789, 514 + 1024], false);
        check(UDP, &[22 + 1024, 5432, 33434], false);
        check(super::super::protocol::ICMP, &[0, 8], false);
    }

    #[test]
    fn the_list_is_sorted_and_has_each_port_and_protocol_once() {
        let listed: Vec<(u16, u8)> = entries()
            .map(|(port, _, protocol)| (port, protocol))
            .collect();
        assert!(listed.is_sorted_by_key(|(port, _)| port));
        let distinct: std::collections::HashSet<_> = listed.iter().collect();
        assert_eq!(distinct.len(), listed.len());
    }
}
