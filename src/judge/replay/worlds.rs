//! An edge of a lake judged again, by two policies at once.
//!
//! An edge keeps less than its connections had: not what records said of AWS services (only the zone that came of it), not
//! all that puts an interface into a group, not whether it was encrypted, not whether ICMP ran beside other traffic, and not
//! the paths where they were several or one was unknown.
//! So an edge is judged in every world that it could have come from: every such evidence that leads the old policy to the
//! zones, the decision and the rule that the lake holds. If both policies say the same in all these worlds, that is what
//! they say of the connections; if not, the lake cannot tell.

use std::collections::HashMap;
use std::rc::Rc;

use super::ground::{Ground, World, say};
use super::{Pair, Said, Told};
use crate::judge::{EdgeRow, Inside};
use crate::net::aws::{OTHER_BIT, SERVICES};
use crate::net::protocol::is_icmp;
use crate::policy::{Answer, ClassId, Decider, Ends, GroupId, NetworkId, Path, Policy};

/// What two policies say of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Both say the same of it in every world.
    Told {
        /// What they say.
        told: Told,
        /// Whether, in one of them, a rule of the new policy with a path matched because the path is unknown.
        via_unknown: bool,
    },
    /// The lake does not keep what decides.
    Unknown,
}

/// Judges edges again.
pub struct Rejudge<'p> {
    pair: Pair<'p>,
    deciders: [Decider<'p>; 2],
    /// Whether the lake was judged by the old policy, so that what it holds is what that says.
    is_recorded: bool,
    /// Whether worlds that differ only in the rule that gives an answer count as the same.
    by_answer: bool,
    networks: HashMap<&'p str, [NetworkId; 2]>,
    has_same_groups: bool,
    asks_path: bool,
    services: KnownServices,
}

/// Services that records may have named: the bits, and whether they had the field.
type Services = Rc<[(u64, bool)]>;

/// What may have been named, by the old policy's class of an address outside and the zone that it was found in.
type KnownServices = HashMap<ClassId, Vec<(Box<str>, Services)>>;

impl<'p> Rejudge<'p> {
    /// Of edges of a lake; `is_recorded` is whether it was judged by the old policy.
    pub fn new(pair: Pair<'p>, is_recorded: bool) -> Rejudge<'p> {
        let named = |policy: &'p Policy| {
            policy
                .networks()
                .map(|network| (policy.network_name(network), network))
        };
        let old: HashMap<&str, NetworkId> = named(pair.old).collect();
        let networks = named(pair.new)
            .filter_map(|(name, new)| Some((name, [*old.get(name)?, new])))
            .collect();
        Rejudge {
            pair,
            deciders: [Decider::new(pair.old), Decider::new(pair.new)],
            is_recorded,
            by_answer: false,
            networks,
            has_same_groups: pair.old.has_same_groups_by_facts(pair.new),
            asks_path: pair.old.asks_path() || pair.new.asks_path(),
            services: HashMap::new(),
        }
    }

    /// Has worlds that differ only in the rule that gives an answer count as the same. Of the rules one is told, always the
    /// same one.
    pub fn by_answer(self) -> Rejudge<'p> {
        Rejudge {
            by_answer: true,
            ..self
        }
    }

    /// What both policies say of an edge.
    pub fn again(&mut self, edge: &EdgeRow<'_>) -> Again {
        let Some(networks) = self.networks.get(edge.network).copied() else {
            return Again::Unknown;
        };
        if self.may_carry_others(edge) {
            return Again::Unknown;
        }
        let views = [(self.pair.old, networks[0]), (self.pair.new, networks[1])];
        let mut found = None;
        for at in instants(views, edge) {
            let [old, new] = views.map(|(policy, network)| Ground::new(policy, network, edge, at));
            // Whether a NAT gateway counts as the way depends on whether the server is private.
            let is_same_way = old.is_private(edge) == new.is_private(edge);
            if !is_same_way || !self.agree_in_all_worlds(edge, [old, new], &mut found) {
                return Again::Unknown;
            }
        }
        found.map_or(Again::Unknown, |(told, via_unknown)| Again::Told {
            told,
            via_unknown,
        })
    }

    /// The paths that its connections may have had. An edge without one had connections of an unknown path, of several, or
    /// both.
    fn paths(&self, edge: &EdgeRow<'_>) -> Vec<Option<Path>> {
        if edge.via.is_some() || !self.asks_path {
            return vec![edge.via];
        }
        let known = Path::ALL.iter().copied().map(Some);
        std::iter::once(None).chain(known).collect()
    }

    /// Whether both say the same in every world that the edge could come from at an instant, and the same as was found
    /// before.
    fn agree_in_all_worlds(
        &mut self,
        edge: &EdgeRow<'_>,
        grounds: [Ground<'p>; 2],
        found: &mut Option<(Told, bool)>,
    ) -> bool {
        let paths = self.paths(edge);
        let services = [0, 1].map(|end| self.services(edge, &grounds[0], end));
        let groups = self.groups(edge, &grounds);
        let asks_encryption = |of: &Ground<'_>| of.policy.asks_encryption_at(i64::from(of.at));
        let encrypted: &[Option<bool>] = match grounds.iter().any(asks_encryption) {
            true => &[None, Some(false), Some(true)],
            false => &[None],
        };
        let talks: &[bool] = match is_icmp(edge.protocol) {
            true => &[false, true],
            false => &[false],
        };
        let mut worlds = vec![World::default()];
        in_each(&mut worlds, &services[0], |world, of| {
            world.services[0] = *of
        });
        in_each(&mut worlds, &services[1], |world, of| {
            world.services[1] = *of
        });
        in_each(&mut worlds, &groups, |world, of| {
            world.groups = of.each_ref().map(|of| of.each_ref().map(|end| &end[..]))
        });
        in_each(&mut worlds, encrypted, |world, of| world.encrypted = *of);
        in_each(&mut worlds, talks, |world, of| world.talks = *of);
        in_each(&mut worlds, &paths, |world, of| world.path = *of);
        for world in &worlds {
            let Some((told, via_unknown)) = self.told(edge, &grounds, world) else {
                continue;
            };
            match found {
                Some((known, is_unknown))
                    if *known == told || self.by_answer && has_same_answers(known, &told) =>
                {
                    *is_unknown |= via_unknown
                }
                Some(_) => return false,
                None => *found = Some((told, via_unknown)),
            }
        }
        true
    }

    /// What both say in a world, and whether the new one goes by an unknown path; none if the edge does not come from it.
    fn told(
        &mut self,
        edge: &EdgeRow<'_>,
        [old, new]: &[Ground<'p>; 2],
        world: &World<'_>,
    ) -> Option<(Told, bool)> {
        let (old_said, _) = say(old, &mut self.deciders[0], edge, 0, world)?;
        if self.is_recorded && !is_what_is_recorded(old, old_said, edge) {
            return None;
        }
        let (new_said, via_unknown) = say(new, &mut self.deciders[1], edge, 1, world)?;
        let zones = |ground: &Ground<'_>, which| {
            [0, 1].map(|end| ground.policy.zone(&ground.end(end, which, world)))
        };
        let told = Told {
            old: old_said,
            new: new_said,
            old_zones: zones(old, 0),
            new_zones: zones(new, 1),
        };
        Some((told, via_unknown))
    }

    /// Whether one of the policies lists an end as one that carries others' flows, and the other does not.
    fn may_carry_others(&self, edge: &EdgeRow<'_>) -> bool {
        let is_listed = |policy: &Policy| {
            [
                policy.is_transit(Some(edge.client_addr), None),
                policy.is_transit(Some(edge.server_addr), edge.inside.interface_id),
            ]
        };
        is_listed(self.pair.old) != is_listed(self.pair.new)
    }

    /// What records may have said of an end's AWS service: what leads to the zone that the lake holds. More than one service
    /// for one end is not thought of.
    fn services(&mut self, edge: &EdgeRow<'_>, old: &Ground<'_>, end: usize) -> Services {
        let place = old.places[end];
        if place.home.is_some() {
            return Rc::new([(0, false)]);
        }
        let zone = [edge.client_zone, edge.server_zone][end];
        let known = self.services.entry(place.class).or_default();
        if let Some((_, services)) = known.iter().find(|(of, _)| **of == *zone) {
            return services.clone();
        }
        let bits = (0..SERVICES.len()).map(|place| 1u64 << place);
        let all = [(0, false), (0, true)]
            .into_iter()
            .chain(bits.chain([OTHER_BIT]).map(|bit| (bit, true)));
        let is_recorded = self.is_recorded;
        let leads_there = |(services, known): &(u64, bool)| {
            if is_recorded {
                let end = old.plain_end(end, *services, *known);
                return old.policy.zone_name(old.policy.zone(&end)) == zone;
            }
            match zone.strip_prefix("aws:") {
                // By another policy's ranges, or by the record.
                Some(name) => service_bit(name) == *services,
                None if matches!(zone, "internet" | "private" | "local") => *services == 0,
                None => true,
            }
        };
        let services: Services = all.filter(leads_there).collect();
        known.push((zone.into(), services.clone()));
        services
    }

    /// The sets of groups by facts that the ends may be in: by policy, then by end.
    fn groups(&self, edge: &EdgeRow<'_>, grounds: &[Ground<'p>; 2]) -> Vec<[[Vec<GroupId>; 2]; 2]> {
        if !grounds.iter().any(|of| of.policy.has_groups_by_facts()) {
            return vec![Default::default()];
        }
        let sets = [0, 1].map(|which| {
            [0, 1].map(|end| {
                let ground = &grounds[which];
                // An edge says where its inside end lives; of two, the server.
                let is_told = (end == 1) == grounds[0].places[1].home.is_some();
                let inside = if is_told {
                    edge.inside
                } else {
                    Inside::default()
                };
                ground.group_sets(end, &inside)
            })
        });
        let [old, new] = &sets;
        let mut all = Vec::new();
        let both = |old: &[Vec<GroupId>], new: &[Vec<GroupId>]| -> Vec<[Vec<GroupId>; 2]> {
            if self.has_same_groups && old.len() == new.len() {
                let pairs = old.iter().zip(new);
                return pairs.map(|(old, new)| [old.clone(), new.clone()]).collect();
            }
            let pairs = old
                .iter()
                .flat_map(|old| new.iter().map(move |new| (old, new)));
            pairs.map(|(old, new)| [old.clone(), new.clone()]).collect()
        };
        for client in both(&old[0], &new[0]) {
            for server in both(&old[1], &new[1]) {
                let by_policy = |which: usize| [client[which].clone(), server[which].clone()];
                all.push([by_policy(0), by_policy(1)]);
            }
        }
        all
    }

    /// The ends of an edge as the new policy sees them, with what evidence the edge has: at the instant when it was first
    /// seen, and wherever the policy changes before it was last seen. None if it has no such network. `zones` are those that
    /// the new policy found them in.
    pub fn ends<'e>(&self, edge: &EdgeRow<'_>, zones: [&'e str; 2]) -> Option<Vec<Ends<'e>>> {
        let [_, network] = *self.networks.get(edge.network)?;
        let ends_at = |at: u32| {
            let ground = Ground::new(self.pair.new, network, edge, at);
            let end = |end: usize, zone: &str| {
                let bit = zone.strip_prefix("aws:").map_or(0, service_bit);
                ground.plain_end(end, bit, bit != 0)
            };
            Ends {
                client: end(0, edge.client_zone),
                server: end(1, edge.server_zone),
                zones,
            }
        };
        let instants = instants([(self.pair.new, network)], edge);
        Some(instants.into_iter().map(ends_at).collect())
    }
}

/// Has each world come with each of these values.
fn in_each<'w, T>(
    worlds: &mut Vec<World<'w>>,
    values: &'w [T],
    set: impl Fn(&mut World<'w>, &'w T),
) {
    if let [only] = values {
        worlds.iter_mut().for_each(|world| set(world, only));
        return;
    }
    for world in std::mem::take(worlds) {
        worlds.extend(values.iter().map(|value| {
            let mut world = world;
            set(&mut world, value);
            world
        }));
    }
}

fn has_same_answers(one: &Told, other: &Told) -> bool {
    let answers = |told: &Told| (told.old.answer(), told.new.answer());
    // What is not judged has a reason instead.
    let is_judged = one.old.answer().is_some() && one.new.answer().is_some();
    is_judged
        && answers(one) == answers(other)
        && one.old_zones == other.old_zones
        && one.new_zones == other.new_zones
}

/// Whether the policy of a lake says what that holds. The zone of an end outside was seen to before.
fn is_what_is_recorded(ground: &Ground<'_>, said: Said, edge: &EdgeRow<'_>) -> bool {
    let policy = ground.policy;
    let zones = [edge.client_zone, edge.server_zone];
    let are_zones = [0, 1].into_iter().all(|end| {
        let zone = || policy.zone(&ground.plain_end(end, 0, false));
        ground.places[end].home.is_none() || policy.zone_name(zone()) == zones[end]
    });
    let answer: Option<Answer> = said.answer();
    are_zones && answer == edge.decision && said.rule(policy) == edge.rule
}

/// The instants that an edge is judged at: when it was first seen, and whenever a policy, seen from its network, or what its
/// inventory knows of the ends changes until it was last seen. Each stands for the time up to the next.
fn instants<const N: usize>(views: [(&Policy, NetworkId); N], edge: &EdgeRow<'_>) -> Vec<u32> {
    let seen = (edge.first_seen, edge.last_seen);
    let mut instants = vec![edge.first_seen];
    for (policy, network) in views {
        instants.extend(policy.dates_between(seen.0, seen.1));
        if policy.has_inventory() {
            for addr in [edge.client_addr, edge.server_addr] {
                let home = policy.place(network, addr, edge.first_seen).home;
                instants.extend(policy.changes_of(home, addr, seen));
            }
        }
    }
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// The bit of a service by the name that zones have; 0 if it has none in records.
fn service_bit(name: &str) -> u64 {
    let place = SERVICES.iter().position(|known| *known == name);
    place.map_or(if name == "other" { OTHER_BIT } else { 0 }, |place| {
        1 << place
    })
}
