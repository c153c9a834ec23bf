//! The policy asked of addresses alone: no record, no interface, no path.

use super::{Decision, End, GroupId, NetworkId, Policy, Question};
use crate::net::Addr;

/// A flow as far as addresses tell it: who opened it to whom, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Who opened it.
    pub client: Addr,
    /// Who was asked.
    pub server: Addr,
    /// IANA protocol number.
    pub protocol: u8,
    /// The server's port; 0 where the protocol has none.
    pub server_port: u16,
    /// The instant, seconds since 1970.
    pub at: i64,
}

impl Policy {
    /// The networks, by name, that hold one of these addresses.
    pub fn networks_holding(&self, addrs: &[Addr]) -> impl Iterator<Item = NetworkId> {
        self.networks().filter(move |network| {
            let home = |addr: &Addr| self.home(*network, *addr);
            addrs.iter().any(|addr| home(addr) == Some(*network))
        })
    }

    /// The network that addresses are seen from: the first (by name) that holds one of them.
    pub(super) fn network_holding(&self, addrs: &[Addr]) -> NetworkId {
        let first = self.networks_holding(addrs).next();
        first.unwrap_or(NetworkId(0))
    }

    /// An end of which the address is known, at an instant.
    pub(super) fn end_at(&self, network: NetworkId, addr: Addr, at: u32) -> End<'static> {
        let place = self.place(network, addr, at);
        End {
            home: place.home,
            class: place.class,
            groups: &[],
            known: self.known(place.home, addr, at),
            services: 0,
            services_known: false,
            domains: Default::default(),
        }
    }

    /// The zone of an address at an instant, seconds since 1970.
    pub fn zone_of(&self, addr: Addr, at: i64) -> &str {
        let network = self.network_holding(&[addr]);
        self.zone_name(self.zone(&self.end_at(network, addr, instant(at))))
    }

    /// The groups of an address at an instant, seconds since 1970, as far as prefixes and the inventory tell them, sorted.
    pub fn groups_of_addr(&self, addr: Addr, at: i64) -> impl Iterator<Item = &str> {
        let end = self.end_at(self.network_holding(&[addr]), addr, instant(at));
        let mut groups: Vec<GroupId> = self.groups_of_end(end.class, &[], end.known).collect();
        groups.sort_unstable();
        groups.into_iter().map(|group| self.group_name(group))
    }

    /// What the policy says of a flow at an instant, seconds since 1970: without service fields, path or encryption.
    pub fn decide_by_addr(
        &self,
        client: Addr,
        server: Addr,
        protocol: u8,
        server_port: u16,
        at: i64,
    ) -> Decision {
        let network = self.network_holding(&[client, server]);
        self.decide(&self.question_of(
            network,
            &Flow {
                client,
                server,
                protocol,
                server_port,
                at,
            },
        ))
    }

    /// What the policy is asked of a flow, seen from a network.
    pub(super) fn question_of(&self, network: NetworkId, flow: &Flow) -> Question<'static> {
        let at = instant(flow.at);
        let client = self.end_at(network, flow.client, at);
        let mut server = self.end_at(network, flow.server, at);
        server.domains = self.domains([(&client, flow.client), (&server, flow.server)], at);
        Question {
            client,
            server,
            protocol: flow.protocol,
            server_port: flow.server_port,
            ipv4: flow.client.is_v4() && flow.server.is_v4(),
            at,
            path: None,
            encrypted: None,
        }
    }
}

/// An instant as records can have it: what lies before 1970 or too far ahead is the first or the last of them.
fn instant(at: i64) -> u32 {
    u32::try_from(at.max(0)).unwrap_or(u32::MAX)
}
