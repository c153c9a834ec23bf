//! One connection of a change, with the lowest addresses, to be asked for again.

use crate::net::{Addr, protocol};
use crate::policy::{Path, flow_text};

use super::compare::Effect;
use super::gather::{Gatherer, Product};
use super::kinds::Atom;
use super::regions::Range;

/// One connection of a change: one that needs no evidence if there is one, else IPv4 before IPv6, then the lowest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// The client's address.
    pub client: Addr,
    /// What records say of the client; none if they need not say anything.
    pub client_evidence: Option<String>,
    /// The server's address, another one.
    pub server: Addr,
    /// What records say of the server.
    pub server_evidence: Option<String>,
    /// TCP if the change is about TCP.
    pub protocol: u8,
    /// None where the protocol has no ports.
    pub server_port: Option<u16>,
    /// When, seconds since 1970: the first instant that the change holds at.
    pub at: u32,
    /// The path, where the change does not hold for an unknown one.
    pub path: Option<Path>,
    /// Whether it is encrypted, where the change does not hold for what no record says.
    pub encrypted: Option<bool>,
}

impl Example {
    /// None if there is no connection but of an address with itself.
    pub(super) fn of(
        product: &Product,
        effect: &Effect,
        gatherer: &Gatherer<'_>,
    ) -> Option<Example> {
        let [client, server] = lowest(&product.witnesses)?;
        let (protocol, port) = effect.ports.example()?;
        Some(Example {
            client: client.0,
            client_evidence: gatherer.needed(client.1),
            server: server.0,
            server_evidence: gatherer.needed(server.1),
            protocol,
            server_port: protocol::has_ports(protocol).then_some(port),
            at: effect.dates.first().map_or(0, |(first, _)| *first),
            path: first_of(effect.paths()),
            encrypted: first_of(effect.encryptions()),
        })
    }

    /// As the policy's own tests write it: `10.0.32.5 -> 10.0.64.20:443 tcp`.
    pub fn flow(&self) -> String {
        flow_text(self.client, self.server, self.protocol, self.server_port)
    }
}

/// The first of what an effect depends on: nothing known, if that is among it or it does not depend on it.
fn first_of<T: Copy>(all: Option<Vec<Option<T>>>) -> Option<T> {
    all?.first().copied().flatten()
}

/// An address of each side, of one family and not the same.
fn lowest(witnesses: &[Vec<(Range, Atom)>; 2]) -> Option<[(Addr, Atom); 2]> {
    let order = |addr: Addr, atom: Atom| ((atom.service, atom.facts) != (0, 0), addr);
    // Of each side the two lowest are enough: the other may be one of them.
    let two_lowest = |side: &[(Range, Atom)], ipv4: bool| {
        let mut lowest: Vec<(Addr, Atom)> = Vec::new();
        for ((first, last), atom) in side.iter().filter(|(range, _)| range.0.is_v4() == ipv4) {
            let next = Addr::from_v6(first.bits().saturating_add(1));
            lowest.push((*first, *atom));
            lowest.extend((first != last).then_some((next, *atom)));
            lowest.sort_unstable_by_key(|(addr, atom)| order(*addr, *atom));
            lowest.truncate(2);
        }
        lowest
    };
    let mut best = None;
    for ipv4 in [true, false] {
        let [clients, servers] = witnesses.each_ref().map(|side| two_lowest(side, ipv4));
        for client in &clients {
            for server in servers.iter().filter(|server| server.0 != client.0) {
                let [(one, client_addr), (other, server_addr)] =
                    [client, server].map(|(addr, atom)| order(*addr, *atom));
                let key = (one || other, !ipv4, client_addr, server_addr);
                if best.as_ref().is_none_or(|(known, _)| key < *known) {
                    best = Some((key, [*client, *server]));
                }
            }
        }
    }
    best.map(|(_, pair)| pair)
}
