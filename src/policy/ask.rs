//! The policy asked of addresses alone: no record, no interface, no path.

use super::{Decision, End, NetworkId, Policy, Question};
use crate::net::Addr;

impl Policy {
    /// The network that addresses are seen from: the first (by name) that holds one of them.
    fn network_holding(&self, addrs: &[Addr]) -> NetworkId {
        let holds = |network: &NetworkId| {
            let home = |addr: &Addr| self.place(*network, *addr).home;
            addrs.iter().any(|addr| home(addr) == Some(*network))
        };
        self.networks().find(holds).unwrap_or(NetworkId(0))
    }

    fn end_at(&self, network: NetworkId, addr: Addr) -> End<'static> {
        let place = self.place(network, addr);
        End {
            home: place.home,
            class: place.class,
            groups: &[],
            services: 0,
            services_known: false,
        }
    }

    /// The zone of an address.
    pub fn zone_of(&self, addr: Addr) -> &str {
        let network = self.network_holding(&[addr]);
        self.zone_name(self.zone(&self.end_at(network, addr)))
    }

    /// The groups of an address, as far as prefixes tell them, sorted.
    pub fn groups_of_addr(&self, addr: Addr) -> impl Iterator<Item = &str> {
        let place = self.place(self.network_holding(&[addr]), addr);
        let groups = self.groups_of(place.class).iter();
        groups.map(|group| self.group_name(*group))
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
        self.decide(&Question {
            client: self.end_at(network, client),
            server: self.end_at(network, server),
            protocol,
            server_port,
            ipv4: client.is_v4() && server.is_v4(),
            at: u32::try_from(at.max(0)).unwrap_or(u32::MAX),
            path: None,
            encrypted: None,
        })
    }
}
