//! An edge in one world: what a policy sees of its ends there, and what it says.

use super::Said;
use crate::judge::directions::{Directions, is_stray_icmp};
use crate::judge::{EdgeRow, Inside, Orientation, Reason};
use crate::net::Addr;
use crate::policy::{
    Decider, End, GroupId, InterfaceFacts, NetworkId, Path, Place, Policy, Question, ZoneKind,
};

/// Groups of which each alone is tried where several are in doubt. Of more, only none and all of them are.
const MAX_ALONE: usize = 16;

/// Evidence that an edge does not keep.
#[derive(Clone, Copy, Default)]
pub(super) struct World<'w> {
    /// Services of client and server: the bits, and whether records had the field.
    pub(super) services: [(u64, bool); 2],
    /// By policy, then by end.
    pub(super) groups: [[&'w [GroupId]; 2]; 2],
    pub(super) encrypted: Option<bool>,
    /// Whether the same pair also had an accepted connection of another protocol.
    pub(super) talks: bool,
    pub(super) path: Option<Path>,
}

/// What a policy sees of an edge at an instant, in any world.
#[derive(Clone, Copy)]
pub(super) struct Ground<'p> {
    pub(super) policy: &'p Policy,
    /// Of client and server.
    pub(super) addrs: [Addr; 2],
    pub(super) places: [Place; 2],
    /// Seconds since 1970.
    pub(super) at: u32,
}

impl<'p> Ground<'p> {
    /// What a policy sees from one of its networks.
    pub(super) fn new(
        policy: &'p Policy,
        network: NetworkId,
        edge: &EdgeRow<'_>,
        at: u32,
    ) -> Ground<'p> {
        let ends = [edge.client_addr, edge.server_addr];
        Ground {
            policy,
            addrs: ends,
            places: ends.map(|addr| policy.place(network, addr, at)),
            at,
        }
    }
}

impl Ground<'_> {
    /// An end with what prefixes and the inventory say of it.
    pub(super) fn plain_end(
        &self,
        end: usize,
        services: u64,
        services_known: bool,
    ) -> End<'static> {
        let Place { home, class } = self.places[end];
        End {
            home,
            class,
            groups: &[],
            known: self.policy.known(home, self.addrs[end], self.at),
            services,
            services_known,
            domains: Default::default(),
        }
    }

    pub(super) fn end<'w>(&self, end: usize, which: usize, world: &World<'w>) -> End<'w> {
        let (services, known) = world.services[end];
        End {
            groups: match self.places[end].home {
                Some(_) => world.groups[which][end],
                None => &[],
            },
            ..self.plain_end(end, services, known)
        }
    }

    pub(super) fn is_private(&self, edge: &EdgeRow<'_>) -> bool {
        let zone = self.policy.zone(&self.plain_end(1, 0, false));
        edge.via.is_none_or(|via| via == Path::Nat)
            && self.policy.zone_kind(zone) == ZoneKind::Private
    }

    /// The sets of groups by facts that an end may be in: those that are certain, alone and with those in doubt.
    pub(super) fn group_sets(&self, end: usize, inside: &Inside<'_>) -> Vec<Vec<GroupId>> {
        let home = self.places[end].home;
        let Some(network) = home.filter(|_| self.policy.has_groups_by_facts()) else {
            return vec![Vec::new()];
        };
        let facts = InterfaceFacts {
            interface: inside.interface_id,
            instance: inside.instance_id,
            ..Default::default()
        };
        let certain = self.policy.groups_by_facts(network, &facts);
        let mut doubts =
            self.policy
                .groups_in_doubt(network, inside.interface_id, inside.instance_id);
        doubts.retain(|group| !certain.contains(group));
        let with = |more: &[GroupId]| {
            let mut set = [&certain[..], more].concat();
            set.sort_unstable();
            set
        };
        let mut sets = vec![certain.clone()];
        if doubts.len() <= MAX_ALONE {
            sets.extend(doubts.iter().map(|group| with(&[*group])));
        }
        if doubts.len() > 1 {
            sets.push(with(&doubts));
        }
        sets
    }
}

/// What a policy says in a world, and whether by a rule with a path that is unknown; none where the edge does not tell
/// whether it would be judged at all.
pub(super) fn say(
    ground: &Ground<'_>,
    decider: &mut Decider<'_>,
    edge: &EdgeRow<'_>,
    which: usize,
    world: &World<'_>,
) -> Option<(Said, bool)> {
    if let Some(reason) = reason(ground, edge) {
        return Some((Said::Not(reason), false));
    }
    let recorded = edge
        .decision
        .is_none()
        .then(|| Reason::from_word(edge.rule))
        .flatten();
    match recorded {
        // No policy has a say in these.
        Some(
            Reason::NatUnsolicited
            | Reason::Transit
            | Reason::Unsolicited
            | Reason::PostClose
            | Reason::Stray,
        ) => return recorded.map(|reason| (Said::Not(reason), false)),
        None | Some(Reason::Diagnostic) => {}
        // Whether another reason holds instead, an edge does not tell.
        Some(_) => return None,
    }
    edge.outcome?;
    let ends = [0, 1].map(|end| ground.end(end, which, world));
    let addrs = [edge.client_addr, edge.server_addr];
    // Edges do not tell who asked for which name; snapshots do for all.
    let named = |asking: usize, asked: usize| End {
        domains: ground.policy.domains(
            [asking, asked].map(|end| (&ends[end], addrs[end])),
            ground.at,
        ),
        ..ends[asked]
    };
    let ahead = Question {
        client: ends[0],
        server: named(0, 1),
        protocol: edge.protocol,
        server_port: edge.server_port.unwrap_or(0),
        ipv4: edge.client_addr.is_v4() && edge.server_addr.is_v4(),
        at: ground.at,
        path: world.path,
        encrypted: world.encrypted,
    };
    // Peers have no ports or equal ones. Where else the direction is ambiguous, only the severity asks for the other one.
    let are_peers = edge.orientation == Orientation::Peer;
    let directions = Directions {
        ahead,
        reverse: are_peers.then_some(Question {
            client: ends[1],
            server: named(1, 0),
            ..ahead
        }),
        are_peers,
    };
    let (decision, _) = directions.decide(ground.policy, decider);
    if world.talks && is_stray_icmp(ground.policy, edge.protocol, &decision) {
        return Some((Said::Not(Reason::Diagnostic), false));
    }
    Some((
        Said::Decided(decision.answer, decision.rule),
        decision.via_unknown,
    ))
}

/// The first reason not to judge that addresses alone give.
fn reason(ground: &Ground<'_>, edge: &EdgeRow<'_>) -> Option<Reason> {
    let ends = [edge.client_addr, edge.server_addr];
    if ends[0] == ends[1] {
        return Some(Reason::SelfTraffic);
    }
    if ends.iter().any(|addr| addr.is_local()) {
        return Some(Reason::Local);
    }
    let are_outside = ground.places.iter().all(|place| place.home.is_none());
    are_outside.then_some(Reason::Unmapped)
}
